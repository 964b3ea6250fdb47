"""The book's figures: drawn from a `History` or from iterates, in one style; nothing is computed here."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import matplotlib.style
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from lgd_lib.history import History

STYLE = Path(__file__).with_name("lgd.mplstyle")
THEORY: dict[str, Any] = {"color": "#888888", "linestyle": "--", "linewidth": 2.4, "marker": None}
"""Theory is drawn first, dashed in grey."""
CLOCK_LABELS = {
    "rounds": "rounds",
    "megabytes": "megabytes sent, both ways",
    "gradients": "local gradient evaluations, all nodes",
}


@dataclass(frozen=True)
class Look:
    """How a method looks in every figure of the book.

    Parameters
    ----------
    label : str
    color : str
    marker : str
    linestyle : str or tuple

    Examples
    --------
    >>> Look("one node alone", "#999999", ".", ":").label
    'one node alone'
    """

    label: str
    color: str
    marker: str
    linestyle: Any = "-"


METHODS = {
    "centralised": Look("centralised", "#000000", "x", "-"),
    "L=1": Look("L = 1", "#56B4E9", "o", "-"),
    "L=2": Look("L = 2", "#0072B2", "s", (0, (6, 1))),
    "L=5": Look("L = 5", "#009E73", "^", (0, (4, 1))),
    "L=10": Look("L = 10", "#E69F00", "D", (0, (3, 1, 1, 1))),
    "L=50": Look("L = 50", "#CC79A7", "v", (0, (5, 1, 1, 1))),
    "L=100": Look("L = 100", "#9467BD", "P", (0, (2, 1))),
    "L=1000": Look("L = 1,000", "#AA4499", "h", (0, (1, 1))),
    "L=inf": Look("L = \N{INFINITY} (projection)", "#D55E00", "*", "-"),
    "local": Look("one node alone", "#999999", ".", ":"),
    "average": Look("average", "#332288", "o", "-"),
    "server-step": Look("server step", "#999933", "s", (0, (6, 1))),
    "heavy-ball": Look("heavy ball", "#CC6677", "^", (0, (4, 1))),
    "nesterov": Look("Nesterov", "#44AA99", "D", (0, (3, 1, 1, 1))),
    "nesterov-classic": Look("Nesterov, classic step", "#117733", "d", (0, (1, 1))),
    "cg": Look("conjugate gradients", "#882255", "*", "-"),
    "one-shot": Look("one-shot average", "#777777", "X", "none"),
    "ppm": Look("parallel projections", "#4477AA", "o", "-"),
    "swept": Look("long local runs", "#DDAA33", "X", (0, (4, 1))),
    "anchored": Look("anchored average", "#EE6677", "s", (0, (6, 1))),
    "haugazeau": Look("Haugazeau", "#6B4226", "^", (0, (4, 1))),
    "dual": Look("dual", "#228833", "D", (0, (3, 1, 1, 1))),
    "accelerated": Look("accelerated dual", "#66CCEE", "v", (0, (5, 1, 1, 1))),
    "consensus": Look("consensus ADMM", "#CCBB44", "P", (0, (2, 1))),
    "anderson": Look("ADMM with Anderson", "#004488", "X", (0, (5, 1, 1, 1, 1, 1))),
    "bundle": Look("bundle", "#AA3377", "*", "-"),
    "bundle-steps": Look("bundle, finite steps", "#EE3377", "h", (0, (4, 1))),
    "sgd": Look("Local-SGD", "#009988", "p", (0, (3, 1, 1, 1))),
    "geometric": Look("geometric mean of parameters", "#0077BB", "o", "-"),
    "parameters": Look("average of parameters", "#CC3311", "s", (0, (6, 1))),
}
"""One colour, marker and dash for each method."""


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
