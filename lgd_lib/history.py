"""What a run recorded: columns of metrics and bytes, with seed and versions; save and load."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lgd_lib import storage
from lgd_lib.protocol import Message
from lgd_lib.runner import State
from lgd_lib.validation import Array

CLOCKS = ("rounds", "megabytes", "gradients")


@dataclass(frozen=True, eq=False)
class History:
    """Columns recorded round by round.

    Parameters
    ----------
    columns : mapping of str to ndarray
        One entry a round: k, bytes_up, bytes_down, gradients (local gradient evaluations of all active
        nodes; infinite for exact solves), and the metrics.
    meta : mapping
        seed, and the versions of Python, NumPy, SciPy and lgd_lib.
    state : State or None
        The state after the last round, to go on from.

    Raises
    ------
    ValueError
        If a column has not one entry for each round, as "k" has.

    Examples
    --------
    >>> History({"k": np.arange(3), "error": np.array([4.0, 2.0, 1.0])}, {"seed": 0})["error"]
    array([4., 2., 1.])
    """

    columns: Mapping[str, NDArray[Any]]
    meta: Mapping[str, Any] = field(default_factory=dict)
    state: State | None = None

    def __post_init__(self) -> None:
        rounds = np.size(self.columns.get("k", ()))
        for name, column in self.columns.items():
            if np.shape(column)[:1] != (rounds,):
                raise ValueError(
                    f"columns[{name!r}] has shape {np.shape(column)}; it must have one entry for each of the "
                    f"{rounds} rounds in 'k'"
                )

    def __getitem__(self, name: str) -> NDArray[Any]:
        if name not in self.columns:
            raise KeyError(f"name was {name!r}; this history has {', '.join(self.columns)}")
        return self.columns[name]

    def __len__(self) -> int:
        return int(self.columns["k"].size)

    def __repr__(self) -> str:
        return f"History({len(self)} rounds: {', '.join(self.columns)})"

    def clock(self, name: str) -> Array:
        """Return the running total by which a figure may count: shape (rounds,).

        Parameters
        ----------
        name : {"rounds", "megabytes", "gradients"}
            Rounds done; megabytes (10^6 bytes) sent both ways; local gradient evaluations of all nodes.

        Returns
        -------
        ndarray
        """
        if name not in CLOCKS:
            raise ValueError(f"name was {name!r}; it must be one of {', '.join(map(repr, CLOCKS))}")
        if name == "rounds":
            return self["k"] + 1.0
        if name == "megabytes":
            return np.cumsum(self["bytes_up"] + self["bytes_down"]) / 1e6
        return np.cumsum(self["gradients"])

    def save(self, path: str | Path) -> None:
        """Write the history to one .npz file, whole or not at all; nothing is pickled."""
        arrays = {f"column/{name}": column for name, column in self.columns.items()}
        note: dict[str, Any] = {"kind": "History", "meta": dict(self.meta), "columns": list(self.columns)}
        if self.state is not None:
            s = self.state
            arrays |= {"state/estimate": s.estimate, "state/point": s.message.point}
            arrays |= {f"aggregation/{name}": a for name, a in s.aggregation.items()}
            arrays |= {f"memory/{name}": a for name, a in s.memory.items()}
            note["state"] = {"k": s.k, "seed": s.seed, "scalars": dict(s.message.scalars)}
            note["state"]["origin"] = dict(s.origin)
        storage.write(path, arrays, note)

    @classmethod
    def load(cls, path: str | Path) -> History:
        """Return the history saved at `path`; a damaged or foreign file raises ValueError."""
        arrays, note = storage.read(path)
        if note.get("kind") != "History":
            raise ValueError(f"path {str(path)!r} holds no History")
        try:
            columns = {name: arrays[f"column/{name}"] for name in note["columns"]}
            return cls(columns, note["meta"], _state(note["state"], arrays) if "state" in note else None)
        except KeyError as error:
            raise ValueError(f"path {str(path)!r} is damaged: it lacks {error}") from error
        except ValueError as error:
            raise ValueError(f"path {str(path)!r} is damaged: {error}") from error


def versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that make the numbers.

    Returns
    -------
    dict of str to str
        "not installed" for the library where it is run from its folder.

    Notes
    -----
    Cost: none.

    Examples
    --------
    >>> sorted(versions())
    ['lgd-lib', 'numpy', 'python', 'scipy']
    """
    found = {name: _version(name) for name in ("lgd-lib", "numpy", "scipy")}
    return {"python": platform.python_version()} | found


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def _state(note: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> State:
    message = Message(arrays["state/point"], note["scalars"])
    server, memory = _below("aggregation/", arrays), _below("memory/", arrays)
    origin = note.get("origin", {})
    return State(note["k"], note["seed"], arrays["state/estimate"], message, server, memory, origin)


def _below(prefix: str, arrays: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    return {name.removeprefix(prefix): a for name, a in arrays.items() if name.startswith(prefix)}
