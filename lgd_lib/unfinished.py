"""Long work in pieces: what is done is kept in files, so that a stopped build goes on where it was."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

import numpy as np
from numpy.typing import NDArray

from lgd_lib import storage
from lgd_lib.history import History
from lgd_lib.progress import progress
from lgd_lib.recording import Metrics, record, saved_state
from lgd_lib.runner import Round, State

SECONDS = 10.0
"""Between two saves of a list of results: what a killed process loses at most, beside the piece it was at."""

T = TypeVar("T")


@dataclass(frozen=True)
class Unfinished:
    """What a chapter has done so far, in the folder ``<out>/unfinished/<chapter>`` if the build has made it.

    The build makes the folder for the profile `full` only, empties it when the notebook, the library, the
    data or a setting changed, and removes it when the notebook ended well. Without it nothing is kept.

    Parameters
    ----------
    out : str or Path or None
        The folder of the build; None for a notebook that is run by hand.
    chapter : str

    Examples
    --------
    >>> Unfinished(None, "setting").each("squares", lambda n: n**2, range(4))
    [0, 1, 4, 9]
    """

    out: str | Path | None
    chapter: str

    def each(self, name: str, make: Callable[[T], Any], items: Iterable[T]) -> list[Any]:
        """Return make(item) for every item, in order; results that are in the file are not made again.

        Parameters
        ----------
        name : str
            Names the file, and the work on the terminal.
        make : callable
            Its result may depend on the item and on what never changes in a chapter, not on earlier items. It
            is None, a number, text, an array, or a list, tuple or dict (with text as keys) of such things.
        items : iterable

        Returns
        -------
        list
            As a file gives them back: tuples are lists, NumPy's numbers are Python's, arrays are copies.

        Raises
        ------
        TypeError
            If a result cannot be kept; also where nothing is kept.
        ValueError
            If the file is damaged or holds more results than there are items.

        Notes
        -----
        Saved every ten seconds, at the end and when a piece fails or is interrupted; written whole or not at
        all. Cost: that of the pieces that are missing.

        Examples
        --------
        >>> Unfinished(None, "setting").each("halves", lambda n: (n, n / 2), [1, 2])
        [[1, 0.5], [2, 1.0]]
        """
        todo, path = list(items), self._path(name)
        done = _read(path) if path is not None and path.exists() else []
        if len(done) > len(todo):
            raise ValueError(f"{path} holds {len(done)} results of {len(todo)}; remove it to begin again")
        kept, saved = len(done), time.monotonic()
        try:
            bar = progress(len(todo), kept, name)
            with bar:
                for item in todo[kept:]:
                    done.append(_as_kept(make(item)))
                    bar.update()
                    if path is not None and time.monotonic() - saved > SECONDS:
                        _write(path, done)
                        kept, saved = len(done), time.monotonic()
        finally:
            if path is not None and len(done) > kept:
                _write(path, done)
        return done

    def once(self, name: str, make: Callable[[], Any]) -> Any:
        """Return make(), or what it was if it is in the file: one piece of work that cannot be divided.

        Parameters
        ----------
        name : str
        make : callable

        Returns
        -------
        object
            As in `each`.

        Raises
        ------
        TypeError, ValueError
            As in `each`.

        Notes
        -----
        Cost: that of make, or one read of the file.

        Examples
        --------
        >>> Unfinished(None, "setting").once("third", lambda: np.float64(1) / 4)
        0.25
        """
        return self.each(name, lambda _: make(), [None])[0]

    def run(
        self,
        name: str,
        iterate: Callable[[State | None], Iterator[Round]],
        metrics: Metrics,
        K: int,
        *,
        every: int = 100,
    ) -> History:
        """Record K rounds as `record` does, and go on in the middle of them.

        Parameters
        ----------
        name : str
        iterate : callable
            Takes the state to go on from, or None, and returns `rounds(..., state=state)`.
        metrics : mapping of str to callable
        K : int
            Rounds in all.
        every : int
            Rounds between two saves.

        Returns
        -------
        History

        Raises
        ------
        ValueError, RunInterrupted
            As in `record`.

        Notes
        -----
        Cost: that of the rounds that are missing.

        Examples
        --------
        >>> from lgd_lib import Average, ExactProjection, Node, Problem, rounds
        >>> problem = Problem([Node([[2.0]], [4.0])], "regression")
        >>> def iterate(state):
        ...     return rounds(problem, ExactProjection(), Average(), [0.0], state=state)
        >>> Unfinished(None, "setting").run("one", iterate, {"w": lambda r: r.w[0]}, 2)["w"]
        array([2., 2.])
        """
        path = self._path(f"{name}.run")
        state = None if path is None else saved_state(path)
        return record(iterate(state), metrics, K, path=path, every=every)

    def _path(self, name: str) -> Path | None:
        """The file of a piece, or None where the build has made no folder; any text is a name."""
        if self.out is None or not (folder := Path(self.out) / "unfinished" / self.chapter).is_dir():
            return None
        return folder / f"{quote(name, safe='')}.npz"


def _packed(value: Any, arrays: dict[str, NDArray[Any]]) -> Any:
    """`value` as JSON holds it, its arrays laid into `arrays`."""
    if isinstance(value, np.ndarray):
        arrays[key := str(len(arrays))] = value
        return {"array": key}
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, list | tuple):
        return [_packed(v, arrays) for v in value]
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        return {"dict": {key: _packed(v, arrays) for key, v in value.items()}}
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise TypeError(f"a result was {value!r}; it must be numbers, text, arrays, or lists or dicts of them")


def _unpacked(value: Any, arrays: dict[str, NDArray[Any]]) -> Any:
    if isinstance(value, list):
        return [_unpacked(v, arrays) for v in value]
    if not isinstance(value, dict):
        return value
    if "array" in value:
        return arrays[value["array"]].copy()
    return {key: _unpacked(v, arrays) for key, v in value["dict"].items()}


def _as_kept(value: Any) -> Any:
    """What writing and reading make of `value`."""
    arrays: dict[str, NDArray[Any]] = {}
    text = json.dumps(_packed(value, arrays))
    return _unpacked(json.loads(text), arrays)


def _write(path: Path, done: list[Any]) -> None:
    arrays: dict[str, NDArray[Any]] = {}
    note = {"results": _packed(done, arrays)}
    storage.write(path, arrays, note)


def _read(path: Path) -> list[Any]:
    arrays, note = storage.read(path)
    try:
        return list(_unpacked(note["results"], arrays))
    except (KeyError, TypeError) as error:
        raise ValueError(f"path {str(path)!r} is damaged, or holds something else: {error!r}") from error
