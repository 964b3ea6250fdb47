"""Experiments of the book at their full size: ``python -m lgd_lib.neural last_layer --out FILE``.

Needs numpy, scipy and torch; what else, the experiment says. A slice stops by itself after `--seconds` at a
point where it is saved; run again to go on.
"""

from __future__ import annotations

import argparse
import math
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from lgd_lib.neural.devices import checked_device
from lgd_lib.neural.experiments.description import Asked, Experiment
from lgd_lib.neural.experiments.register import EXPERIMENTS
from lgd_lib.neural.results import begun


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
        With 2, in words and before any work, if an argument is none that can be used here, or a file that it
        names is missing, damaged or of another form.

    Notes
    -----
    Work begins when the file of results is first written; errors after that are raised as they are.
    Cost: that of the experiment.

    Examples
    --------
    >>> main(["last_layer", "--out", "results.json"])  # doctest: +SKIP
    """
    parser = argparse.ArgumentParser(prog="python -m lgd_lib.neural", description=__doc__)
    names = parser.add_subparsers(dest="name", required=True, metavar="NAME")
    parsers = {name: _parser(names, experiment) for name, experiment in EXPERIMENTS.items()}
    given = parser.parse_args(words)
    experiment = EXPERIMENTS[given.name]
    _check(parsers[given.name], given)
    asked = Asked(
        sizes=experiment.sizes[given.profile],
        seeds=tuple(range(given.seeds)),
        device=given.device,
        path=given.out,
        seconds=given.seconds,
        cache=given.cache or given.out.with_name("features"),
        options={option.name: getattr(given, option.name) for option in experiment.options},
    )
    before = _version(given.out)
    try:
        found = experiment.run(asked)
    except (OSError, ValueError) as error:
        if _version(given.out) != before:
            raise
        parsers[given.name].error(str(error))
    done = f"{len(found['runs'])} runs are in {given.out}"
    print(f"finished: {done}" if found["finished"] else f"{done}; run again to go on")
    return 0 if found["finished"] else 3


def _parser(
    names: argparse._SubParsersAction[argparse.ArgumentParser], experiment: Experiment
) -> argparse.ArgumentParser:
    """The options that all experiments have, and its own."""
    parser = names.add_parser(experiment.name, help=experiment.summary, description=experiment.summary)
    parser.add_argument("--out", required=True, type=Path, help="JSON file of results; gone on with if there")
    parser.add_argument("--profile", choices=sorted(experiment.sizes), default="full")
    parser.add_argument("--seeds", type=int, default=5, help="how many: 0, 1, 2, ...")
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument(
        "--seconds", type=float, default=math.inf, help="stop at a save point after this long"
    )
    parser.add_argument(
        "--cache", type=Path, help="folder for what is computed once; beside --out by default"
    )
    for option in experiment.options:
        parser.add_argument(
            f"--{option.name.replace('_', '-')}",
            type=option.kind,
            default=option.default,
            required=option.required,
            help=option.help,
        )
    return parser


def _version(path: Path) -> tuple[int, int] | None:
    """What changes when the file of results is written."""
    if not path.exists():
        return None
    about = path.stat()
    return about.st_ino, about.st_mtime_ns


def _check(parser: argparse.ArgumentParser, given: argparse.Namespace) -> None:
    """End in words, before hours of work, what could only end badly."""
    if given.seeds < 1:
        parser.error(f"--seeds was {given.seeds}; it must be at least 1")
    if math.isnan(given.seconds):
        parser.error("--seconds was nan; it must be a number")
    try:
        checked_device(given.device)
        begun(given.name, EXPERIMENTS[given.name].sizes[given.profile], range(given.seeds), given.out)
        given.out.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=given.out.parent):
            pass
    except (OSError, ValueError) as error:
        parser.error(str(error))


if __name__ == "__main__":
    sys.exit(main())
