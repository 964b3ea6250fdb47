"""The book's figures: drawn from a `History` or from iterates, in one style; nothing is computed here."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import matplotlib.style
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from lgd_lib.history import History
from lgd_lib.plotting.looks import METHODS as METHODS
from lgd_lib.plotting.looks import Look as Look

STYLE = Path(__file__).with_name("lgd.mplstyle")
THEORY: dict[str, Any] = {"color": "#888888", "linestyle": "--", "linewidth": 2.4, "marker": None}
"""Theory is drawn first, dashed in grey."""
CLOCK_LABELS = {
    "rounds": "rounds",
    "megabytes": "megabytes sent, both ways",
    "gradients": "local gradient evaluations, all nodes",
}


class BookFigure(Figure):
    """A figure that notebooks show as vector graphics, the same bytes in every run.

    Examples
    --------
    >>> BookFigure(figsize=(1, 1))._repr_svg_().startswith("<?xml")
    True
    """

    def _repr_svg_(self) -> str:
        return _as_svg(self)


P = ParamSpec("P")
T = TypeVar("T")


def in_book_style(function: Callable[P, T]) -> Callable[P, T]:
    """Return a drawing function that draws in the book's style, whatever style is set outside.

    Parameters
    ----------
    function : callable

    Returns
    -------
    callable

    Notes
    -----
    Cost: none.

    Examples
    --------
    >>> in_book_style(lambda: matplotlib.rcParams["axes.spines.top"])()
    False
    """

    @wraps(function)
    def styled(*args: P.args, **kwargs: P.kwargs) -> T:
        with matplotlib.style.context(STYLE):
            return function(*args, **kwargs)

    return styled


@in_book_style
def new_figure(*, rows: int = 1, columns: int = 1, size: tuple[float, float] | None = None) -> BookFigure:
    """Return an empty figure in the book's style, with its axes in `figure.axes`.

    Parameters
    ----------
    rows, columns : int
        Panels.
    size : (float, float), optional
        Width and height in inches.

    Returns
    -------
    Figure

    Notes
    -----
    Cost: none.

    Examples
    --------
    >>> len(new_figure(columns=2).axes)
    2
    """
    figure = BookFigure(figsize=size or (min(5.2 * columns, 9.6) if columns > 1 else 6.4, 3.8 * rows))
    figure.subplots(rows, columns)
    return figure


@in_book_style
def distance_figure(
    histories: Mapping[str, History],
    column: str,
    *,
    predicted: Mapping[str, ArrayLike] | None = None,
    clock: str = "rounds",
    ylabel: str = "relative distance to the centralised model",
    logx: bool = False,
) -> BookFigure:
    """Draw one column of several histories against a clock, on a log scale, over the dashed predictions.

    Parameters
    ----------
    histories : mapping of str to History
        Keys of `METHODS`, or any other label (then drawn in the next free colour).
    column : str
        Which column of the histories.
    predicted : mapping of str to array_like of shape (rounds,), optional
        Under the same keys; what theory says of that column.
    clock : {"rounds", "megabytes", "gradients"}
    ylabel : str
    logx : bool
        Whether the clock is on a log scale too.

    Returns
    -------
    Figure

    Raises
    ------
    ValueError
        If a prediction has no history, or the clock is unknown.

    Notes
    -----
    Cost: none.

    Examples
    --------
    >>> history = History({"k": np.arange(2), "error": np.array([1.0, 0.1])})
    >>> distance_figure({"L=1": history}, "error").axes[0].get_yscale()
    'log'
    """
    for key in predicted or {}:
        if key not in histories:
            raise ValueError(f"predicted has the key {key!r}; it must be one of {list(histories)}")
    figure = new_figure()
    axes = figure.axes[0]
    for n, (key, values) in enumerate((predicted or {}).items()):
        label = "predicted" if n == 0 else None
        axes.plot(histories[key].clock(clock), np.asarray(values), label=label, zorder=1, **THEORY)
    for key, history in histories.items():
        _draw(axes, key, history.clock(clock), history[column])
    axes.set(yscale="log", xlabel=CLOCK_LABELS[clock], ylabel=ylabel)
    if logx:
        axes.set_xscale("log")
    axes.legend()
    return figure


def _draw(axes: Axes, key: str, x: NDArray[Any], y: NDArray[Any]) -> None:
    every = max(1, len(x) // 12)
    look = METHODS.get(key)
    if look is None:
        axes.plot(x, y, label=key, marker="o", markevery=every, zorder=2)
        return
    axes.plot(
        x,
        y,
        label=look.label,
        color=look.color,
        marker=look.marker,
        linestyle=look.linestyle,
        markevery=every,
    )


@in_book_style
def plane_figure(
    lines: Sequence[tuple[ArrayLike, float]], sent: ArrayLike, answers: Sequence[ArrayLike], limit: ArrayLike
) -> BookFigure:
    """Draw rounds in the plane: each node's solutions, the answers, their averages, and the limit.

    Parameters
    ----------
    lines : sequence of (x, y)
        Each node's one sample x of shape (2,) and its target y; its solutions are the line x^T w = y.
    sent : array_like, shape (K + 1, 2)
        w^0 and the averages w^1..w^K.
    answers : sequence of array_like, shape (M, 2)
        The local models of rounds 0..K-1.
    limit : array_like, shape (2,)
        The centralised model.

    Returns
    -------
    Figure

    Notes
    -----
    Cost: none.

    Examples
    --------
    >>> picture = plane_figure([([0.0, 1.0], 1.0)], [[0.0, 0.0]], [], [0.0, 1.0])
    >>> picture.axes[0].get_xlabel()
    'first weight'
    """
    figure = new_figure(size=(6.0, 5.0))
    axes = figure.axes[0]
    path, centre = np.asarray(sent, dtype=float), np.asarray(limit, dtype=float)
    reach = 3 * max(float(np.abs(path - centre).max()), 1e-3)
    colors = ("#0072B2", "#D55E00", "#009E73", "#CC79A7")
    for i, (x, y) in enumerate(lines):
        normal = np.asarray(x, dtype=float)
        foot, along = y * normal / (normal @ normal), np.array([-normal[1], normal[0]])
        ends = foot + np.outer([-1, 1], reach * along / np.linalg.norm(along) + 0 * foot)
        axes.plot(*ends.T, color=colors[i % 4], label=f"solutions of node {i + 1}", zorder=1)
    for k, W in enumerate(answers):
        for i, w in enumerate(np.asarray(W, dtype=float)):
            axes.plot(
                *np.array([path[k], w, path[k + 1]]).T, color=colors[i % 4], linewidth=0.8, linestyle=":"
            )
            axes.plot(*w, color=colors[i % 4], marker="o", markersize=4, linestyle="none")
    axes.plot(*path.T, color="#222222", marker="s", markersize=4, linewidth=1.0, label="averages", zorder=3)
    axes.plot(
        *centre, color="#000000", marker="*", markersize=14, linestyle="none", label="centralised model"
    )
    margin = 0.35 * float(np.ptp(path, axis=0).max() + 1e-9)
    corners = np.vstack([path, centre, *[np.asarray(W, dtype=float) for W in answers]])
    low, high = corners.min(axis=0) - margin, corners.max(axis=0) + margin
    axes.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]), xlabel="first weight", ylabel="second weight")
    axes.set_aspect("equal")
    axes.legend()
    return figure


@in_book_style
def _as_svg(figure: Figure) -> str:
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None})
    return buffer.getvalue()
