"""Runs that end in time: saved on the way, and gone on with in the next slice."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lgd_lib.history import History
from lgd_lib.progress import progress
from lgd_lib.recording import Metrics, record, saved_state
from lgd_lib.runner import Round, State

BETWEEN_SAVES = 20.0
"""Seconds of work that a killed process loses at most, unless one round takes longer."""


class OutOfTimeError(Exception):
    """The slice is over; what is done is saved."""


@dataclass(frozen=True)
class Deadline:
    """A number of seconds from now.

    Parameters
    ----------
    seconds : float
        Infinite for no deadline.
    start : float
        Of the clock `time.monotonic`.

    Examples
    --------
    >>> Deadline(float("inf")).passed, Deadline(-1.0).passed
    (False, True)
    """

    seconds: float
    start: float = field(default_factory=time.monotonic)

    @property
    def elapsed(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self.start

    @property
    def passed(self) -> bool:
        """Whether the time is over."""
        return self.elapsed > self.seconds


def run_to(
    K: int,
    make: Callable[[State | None], Iterator[Round]],
    metrics: Metrics,
    path: Path,
    deadline: Deadline,
    saved: Callable[[], object] = lambda: None,
) -> History:
    """Return the history of K rounds, going on from `path` where a slice before this one has stopped.

    Parameters
    ----------
    K : int
    make : callable
        From a state, or None for a new run, to the iterator of rounds.
    metrics : mapping
        As for `record`.
    path : Path
        Where the run is saved on the way; it is removed at the end.
    deadline : Deadline
    saved : callable, optional
        Called after each save.

    Returns
    -------
    History

    Raises
    ------
    OutOfTimeError
        If the deadline passes before the last round; the run is saved then.

    Notes
    -----
    Cost: that of the rounds, and a save every 20 seconds.

    Examples
    --------
    >>> run_to(3, make, metrics, Path("part.npz"), Deadline(60.0))  # doctest: +SKIP
    """
    state = saved_state(path)
    done, chunk = 0 if state is None else state.k, 1
    iterator = make(state)
    bar = progress(K, done, "round")
    with bar:
        while True:
            begun = time.monotonic()
            history = record(iterator, metrics, min(K, done + chunk), path=path, bar=bar)
            saved()
            if len(history) >= K:
                break
            if deadline.passed:
                raise OutOfTimeError
            pace = max((time.monotonic() - begun) / (len(history) - done), 1e-6)
            done = len(history)
            left = min(BETWEEN_SAVES, deadline.seconds - deadline.elapsed)
            chunk = max(1, int(left / pace))
    path.unlink(missing_ok=True)
    return history


def kept_rounds(K: int, kept: int) -> NDArray[np.int64]:
    """Return up to `kept` of the numbers 0..K-1, evenly spread in the logarithm, with the first and the last.

    Parameters
    ----------
    K, kept : int

    Returns
    -------
    ndarray of int

    Notes
    -----
    Cost: none.

    Examples
    --------
    >>> kept_rounds(100, 5)
    array([ 0,  2,  9, 31, 99])
    """
    return np.unique(np.geomspace(1, K, kept).round().astype(np.int64)) - 1
