"""Experiments of the book at their full size: ``python -m lgd_lib.neural last_layer --out FILE``.

Needs numpy, scipy and torch, and the two packages of requirements-weights.txt. A slice stops by itself after
`--seconds` at a point where it is saved; run again to go on.
"""

from __future__ import annotations

import argparse
import math
import sys
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from lgd_lib.datasets import load_pictures
from lgd_lib.neural.devices import checked_device
from lgd_lib.neural.features import features
from lgd_lib.neural.frozen import Frozen, freeze
from lgd_lib.neural.last_layer import last_layer
from lgd_lib.neural.results import read
from lgd_lib.neural.runs import Deadline
from lgd_lib.neural.scenes import SIZES, Sizes
from lgd_lib.neural.weights import efficientnet_lite0


def pictures_of(sizes: Sizes, seeds: list[int], device: str, cache: Path | None) -> dict[str, Frozen]:
    """Return the frozen features of all sets of pictures that the sizes name.

    Parameters
    ----------
    sizes : Sizes
    seeds : list of int
    device : str
    cache : Path or None
        Folder that keeps features.

    Returns
    -------
    dict of str to Frozen

    Notes
    -----
    Cost: 7 ms a picture on one core, once.

    Examples
    --------
    >>> pictures_of(SIZES["ci"], [0], "cpu", None)  # doctest: +SKIP
    """
    extract = partial(features, efficientnet_lite0(), device=device, cache=cache)
    return {
        name: freeze(load_pictures(name), extract, classes, sizes.samples, sizes.tests, seeds)
        for name, classes in sizes.classes.items()
    }


def main(words: list[str] | None = None) -> int:
    """Run one experiment, or one slice of it.

    Parameters
    ----------
    words : list of str, optional
        Those of the command line by default.

    Returns
    -------
    int
        0 when it is finished, 3 when there is more to do.

    Raises
    ------
    SystemExit
        With 2, in words and before any work, if an argument is none that can be used here.

    Notes
    -----
    Cost: that of the experiment.

    Examples
    --------
    >>> main(["last_layer", "--out", "results.json"])  # doctest: +SKIP
    """
    parser = argparse.ArgumentParser(prog="python -m lgd_lib.neural", description=__doc__)
    parser.add_argument("name", choices=["last_layer"])
    parser.add_argument("--out", required=True, type=Path, help="JSON file of results; gone on with if there")
    parser.add_argument("--profile", choices=sorted(SIZES), default="full")
    parser.add_argument("--seeds", type=int, default=5, help="how many: 0, 1, 2, ...")
    parser.add_argument("--device", default="cpu", help="cpu or cuda, for the features")
    parser.add_argument(
        "--seconds", type=float, default=math.inf, help="stop at a save point after this long"
    )
    parser.add_argument("--cache", type=Path, help="folder that keeps features; beside --out by default")
    given = parser.parse_args(words)
    _check(parser, given)
    sizes, seeds = SIZES[given.profile], list(range(given.seeds))
    cache = given.cache or given.out.with_name("features")
    begun = Deadline(given.seconds)
    sets = pictures_of(sizes, seeds, given.device, cache)
    left = given.seconds - begun.elapsed
    found = last_layer(sets, sizes, seeds, path=given.out, seconds=left, device=given.device)
    done = f"{len(found['runs'])} runs are in {given.out}"
    print(f"finished: {done}" if found["finished"] else f"{done}; run again to go on")
    return 0 if found["finished"] else 3


def _check(parser: argparse.ArgumentParser, given: argparse.Namespace) -> None:
    """End in words, before hours of work, what could only end badly."""
    if given.seeds < 1:
        parser.error(f"--seeds was {given.seeds}; it must be at least 1")
    if math.isnan(given.seconds):
        parser.error("--seconds was nan; it must be a number")
    try:
        checked_device(given.device)
        if given.out.exists():
            read(given.out, given.name)
        given.out.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=given.out.parent):
            pass
    except (OSError, ValueError) as error:
        parser.error(str(error))


if __name__ == "__main__":
    sys.exit(main())
