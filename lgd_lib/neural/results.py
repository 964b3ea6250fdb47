"""Results of an experiment in one JSON file: written whole, gone on with, and read for a figure."""

from __future__ import annotations

import json
import math
import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from lgd_lib import storage
from lgd_lib.history import CLOCKS, History, versions
from lgd_lib.neural.runs import kept_rounds

Results = dict[str, Any]
ROOT = Path(__file__).resolve().parents[2]


def about(device: str) -> dict[str, Any]:
    """Return where and with what results are made: device, versions, commit and date.

    Parameters
    ----------
    device : {"cpu", "cuda"}

    Returns
    -------
    dict

    Notes
    -----
    The commit is "unknown" outside a git checkout, and ends in "+" where the library differs from it.
    Cost: two calls of git.

    Examples
    --------
    >>> sorted(about("cpu"))
    ['commit', 'date', 'device', 'versions']
    """
    name = torch.cuda.get_device_name() if device.startswith("cuda") else platform.machine()
    commit = _git("rev-parse", "--short", "HEAD")
    changed = "+" if _git("status", "--porcelain", "lgd_lib") else ""
    return {
        "device": f"{device}: {name}, {os.cpu_count()} cores",
        "versions": versions() | {"torch": torch.__version__},
        "commit": commit + changed if commit else "unknown",
        "date": datetime.now(UTC).date().isoformat(),
    }


def _git(*words: str) -> str:
    try:
        found = subprocess.run(["git", "-C", str(ROOT), *words], capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return found.stdout.strip() if found.returncode == 0 else ""


def write(path: str | Path, results: Mapping[str, Any]) -> None:
    """Write results to `path`, replacing an older file only when the new one is complete.

    Parameters
    ----------
    path : str or Path
    results : mapping
        What JSON holds; no infinity and no NaN.

    Raises
    ------
    ValueError
        If a number is not finite.

    Notes
    -----
    Cost: one write, then a rename.

    Examples
    --------
    >>> write("results.json", {"kind": "none"})  # doctest: +SKIP
    """
    with storage.replacing(Path(path)) as part:
        part.write_text(json.dumps(results, indent=1, allow_nan=False) + "\n", encoding="utf-8")


def read(path: str | Path, experiment: str) -> Results:
    """Return the results at `path`.

    Parameters
    ----------
    path : str or Path
    experiment : str
        Which experiment they must be of.

    Returns
    -------
    dict

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is damaged or holds something else.

    Notes
    -----
    Cost: one read.

    Examples
    --------
    >>> read("results.json", "last_layer")  # doctest: +SKIP
    """
    try:
        found = json.loads(Path(path).read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"path {str(path)!r} is damaged: {error}") from error
    if not isinstance(found, dict) or found.get("experiment") != experiment:
        raise ValueError(f"path {str(path)!r} holds no results of {experiment!r}")
    return found


def stored(experiment: str, sizes: Any, root: str | Path | None = None) -> Results | None:
    """Return the finished results of these sizes that come with the book, or None where there are none.

    Parameters
    ----------
    experiment : str
    sizes : dataclass
        Those of the full profile: what the results must have been made with.
    root : str or Path, optional
        Folder to look in; `data/results` of the checkout by default.

    Returns
    -------
    dict or None
        None, too, where they are not finished yet, or have other sizes.

    Raises
    ------
    ValueError
        If the file is damaged.

    Notes
    -----
    Cost: one read.

    Examples
    --------
    >>> from lgd_lib.neural.experiments.scenes import SIZES
    >>> stored("no such experiment", SIZES["full"]) is None
    True
    """
    path = Path(ROOT / "data" / "results" if root is None else root) / f"{experiment}.json"
    if not path.is_file():
        return None
    found = read(path, experiment)
    same = found.get("sizes") == as_kept(sizes)
    return found if same and found.get("finished") else None


def as_kept(sizes: Any) -> Results:
    """Return sizes as they stand in a file of results.

    Parameters
    ----------
    sizes : dataclass

    Returns
    -------
    dict
        With lists for tuples, as JSON has them.

    Notes
    -----
    Cost: none.

    Examples
    --------
    >>> from lgd_lib.neural.experiments.scenes import SIZES
    >>> as_kept(SIZES["ci"])["steps"]
    [1, 10, 100, 1000]
    """
    kept: Results = json.loads(json.dumps(asdict(sizes)))
    return kept


def begun(
    experiment: str,
    sizes: Any,
    seeds: Sequence[int],
    path: str | Path | None = None,
    own: Mapping[str, Any] | None = None,
) -> Results:
    """Return the results at `path` to go on with, or those of an experiment that has done nothing yet.

    Parameters
    ----------
    experiment : str
    sizes : dataclass
    seeds : sequence of int
    path : str or Path, optional
    own : mapping, optional
        What the experiment keeps besides its "runs", as it is in the beginning.

    Returns
    -------
    dict
        "finished" is False.

    Raises
    ------
    ValueError
        If `path` is damaged, or holds another experiment, or other sizes or seeds.

    Notes
    -----
    Cost: one read.

    Examples
    --------
    >>> from lgd_lib.neural.experiments.scenes import SIZES
    >>> sorted(begun("last_layer", SIZES["ci"], [0]))
    ['experiment', 'finished', 'runs', 'seeds', 'sizes', 'slices']
    """
    asked = {"sizes": as_kept(sizes), "seeds": list(seeds)}
    if path is None or not Path(path).exists():
        new = {"experiment": experiment, "finished": False} | asked | dict(own or {})
        return new | {"runs": {}, "slices": []}
    found = read(path, experiment)
    if {key: found.get(key) for key in asked} != asked:
        raise ValueError(f"path {str(path)!r} holds results of other sizes or seeds; choose another path")
    return found | {"finished": False}


def columns(history: History, kept: int) -> dict[str, list[float | None]]:
    """Return some rounds of a history, the first and the last among them, as they stand in a file.

    Parameters
    ----------
    history : History
        Its metrics must be numbers.
    kept : int
        Rounds, evenly spread in the logarithm.

    Returns
    -------
    dict of str to list
        The three clocks and the metrics, to eight digits; None for what is not finite.

    Notes
    -----
    Cost: none.

    Examples
    --------
    >>> import numpy as np
    >>> two = {name: np.ones(2) for name in ("bytes_up", "bytes_down", "gradients", "loss")}
    >>> columns(History({"k": np.arange(2)} | two), 5)["gradients"]
    [1.0, 2.0]
    """
    some, own = kept_rounds(len(history), kept), ("k", "bytes_up", "bytes_down", "gradients")
    found = {clock: history.clock(clock)[some] for clock in CLOCKS}
    found |= {name: history[name][some] for name in history.columns if name not in own}
    return {
        name: [float(f"{value:.8g}") if math.isfinite(value) else None for value in column]
        for name, column in found.items()
    }
