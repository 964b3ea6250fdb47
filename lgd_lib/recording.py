"""Run an iterator of rounds and keep what it shows: progress, saving, Ctrl-C, going on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from lgd_lib.history import History, versions
from lgd_lib.origin import difference
from lgd_lib.progress import Bar, progress
from lgd_lib.protocol import Message
from lgd_lib.runner import Round, Rounds, State
from lgd_lib.validation import is_count

OWN_COLUMNS = ("k", "bytes_up", "bytes_down", "gradients")
Metrics = Mapping[str, Callable[[Round], Any]]
Row = dict[str, Any]


class RunInterrupted(KeyboardInterrupt):
    """Ctrl-C during `record`; `history` holds all complete rounds and the state to go on from.

    Parameters
    ----------
    history : History
    path : Path or None
        Where it was saved.
    """

    def __init__(self, history: History, path: Path | None) -> None:
        saved = f"saved in {path}" if path else "kept in the attribute `history` of this exception"
        super().__init__(f"interrupted after {len(history)} complete rounds, {saved}")
        self.history = history


def record(
    iterator: Iterator[Round],
    metrics: Metrics,
    K: int,
    *,
    path: str | Path | None = None,
    every: int = 100,
    bar: Bar | None = None,
) -> History:
    """Run an iterator to K rounds in all and keep the metrics of each.

    Parameters
    ----------
    iterator : iterator of Round
        From `rounds`.
    metrics : mapping of str to callable
        Each takes a `Round` and returns a number or an array of fixed shape.
    K : int
        Rounds in all; a continued run goes on up to this number.
    path : str or Path, optional
        Where to save the history and the state, every `every` rounds, at the end, on Ctrl-C and when a metric
        or a round fails. To go on:
        `rounds(..., state=saved_state(path))` and `record(..., path=path)` again.
    every : int
        Rounds between two saves: what a killed process loses at most.
    bar : Bar, optional
        What shows the progress, where this is a part of a longer run: it is begun and ended by the caller.

    Returns
    -------
    History

    Raises
    ------
    ValueError
        If K or `every` is no whole number of at least 1, a metric has the name of an own column, or `path`
        holds a run that this iterator does not continue: another problem, local solver, aggregation,
        weights or participation, as far as `described` tells them apart, or too few or too many rounds. This
        is seen before the first round, if the iterator is that of `rounds` itself.
    RunInterrupted
        On Ctrl-C; a KeyboardInterrupt that carries the history of all complete rounds.

    Notes
    -----
    Progress is shown on a terminal only. Cost: that of the rounds and metrics.

    Examples
    --------
    >>> from lgd_lib import Average, ExactProjection, Node, Problem, rounds
    >>> problem = Problem([Node([[2.0]], [4.0])], "regression")
    >>> run = rounds(problem, ExactProjection(), Average(), [0.0])
    >>> record(run, {"w": lambda r: r.w[0]}, K=2)["w"]
    array([2., 2.])
    """
    _check_arguments(metrics, K, every)
    where = None if path is None else Path(path)
    before = History.load(where) if where is not None and where.exists() else None
    _check_columns(before, metrics)
    if before is not None and isinstance(iterator, Rounds):
        _check_continues(before, iterator.state, where)
        if len(before) >= K:
            return before
    rows: list[Row] = []
    state: State | None = None
    shown = progress(K, len(before) if before else 0, "round") if bar is None else bar
    try:
        with shown if bar is None else nullcontext():
            for r in iterator:
                if before is not None and not rows:
                    _check_continues(before, _before(r), where)
                    if len(before) >= K:
                        return before
                rows.append(_row(r, metrics, rows[0] if rows else None))
                state = r.state
                shown.update()
                if state.k >= K:
                    break
                if where is not None and state.k % every == 0:
                    _history(before, rows, state).save(where)
    except BaseException as stop:
        if state is None:
            raise
        history = _saved(_history(before, rows, state), where)
        if isinstance(stop, KeyboardInterrupt):
            raise RunInterrupted(history, where) from stop
        raise
    if state is None:
        raise ValueError("iterator gave no round; make a new one with rounds(...)")
    return _saved(_history(before, rows, state), where)


def saved_state(path: str | Path) -> State | None:
    """Return the state of the run saved at `path`, or None when nothing is there yet.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    State or None

    Raises
    ------
    ValueError
        If the file is damaged.

    Notes
    -----
    Cost: one read of the file.

    Examples
    --------
    >>> saved_state("no-such-run.npz") is None
    True
    """
    return History.load(path).state if Path(path).exists() else None


def _check_arguments(metrics: Metrics, K: int, every: int) -> None:
    for name, value in (("K", K), ("every", every)):
        if not is_count(value):
            raise ValueError(f"{name} was {value!r}; it must be a whole number of at least 1")
    if clash := sorted(set(metrics) & set(OWN_COLUMNS)):
        raise ValueError(f"metrics holds {clash[0]!r}, a column that every history has; choose another name")

    for name, metric in metrics.items():
        if not callable(metric):
            raise TypeError(f"metrics[{name!r}] was {metric!r}; it must be a function of a Round")


def _check_columns(before: History | None, metrics: Metrics) -> None:
    if before is not None and set(before.columns) != {*OWN_COLUMNS, *metrics}:
        raise ValueError(
            f"metrics was {sorted(metrics)}; the saved run has the columns {sorted(before.columns)}"
        )


def _before(r: Round) -> State:
    """The state from which a round began, as far as it matters here."""
    return replace(r.state, k=r.k, message=Message(r.sent))


def _check_continues(before: History, begin: State, path: Path | None) -> None:
    if begin.k != len(before):
        raise ValueError(
            f"path {str(path)!r} holds {len(before)} rounds, but the iterator starts at round {begin.k}; "
            "pass state=saved_state(path) to rounds, or choose another path"
        )
    kept = before.state
    if kept is None:
        return
    if kept.seed != begin.seed or not np.array_equal(kept.message.point, begin.message.point):
        raise ValueError(f"path {str(path)!r} holds another run than the iterator's; choose another path")
    _check_origin(kept.origin, begin.origin, path)


def _check_origin(before: Mapping[str, str], now: Mapping[str, str], path: Path | None) -> None:
    if now and not before:
        raise ValueError(
            f"path {str(path)!r} holds a run of an earlier version, which does not say what it is made of; "
            "choose another path, with state=saved_state(...) of this one if you know that it is the same run"
        )
    if name := difference(before, now):
        part, _, inner = name.partition(".")
        was, is_now = before.get(name, "not there"), now.get(name, "not there")
        raise ValueError(
            f"path {str(path)!r} holds a run with another {part}: it was {inner and f'{inner} = '}{was}, the "
            f"iterator's is {is_now}; pass the same to rounds, or choose another path"
        )


def _row(r: Round, metrics: Metrics, first: Row | None) -> Row:
    own = {"k": r.k, "bytes_up": r.bytes_up, "bytes_down": r.bytes_down, "gradients": r.local_steps.sum()}
    # A copy: a metric may return an array that it changes in the next round.
    row = own | {name: np.array(metric(r)) for name, metric in metrics.items()}
    for name in metrics:
        if first is not None and row[name].shape != first[name].shape:
            raise ValueError(
                f"metrics[{name!r}] gave an array of shape {row[name].shape} in round {r.k}; "
                f"it must have shape {first[name].shape} as in round {first['k']}"
            )
    return row


def _history(before: History | None, rows: list[Row], state: State) -> History:
    """The columns up to `state`; a row added after it, by an interrupted round, is left out."""
    complete = rows[: state.k - rows[0]["k"]]
    columns = {name: np.array([row[name] for row in complete]) for name in complete[0]}
    if before is not None:
        columns = {name: np.concatenate([before[name], column]) for name, column in columns.items()}
    return History(columns, {"seed": state.seed, "versions": versions()}, state)


def _saved(history: History, path: Path | None) -> History:
    if path is not None:
        history.save(path)
    return history
