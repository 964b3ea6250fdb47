"""Figures about limits: roads in the plane, partitions, spreads over runs, and curves against a parameter.

Nothing is computed here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike

from lgd_lib.plotting import METHODS, THEORY, BookFigure, in_book_style, new_figure

COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#000000", "#8C510A")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
DASHES = ("-", (0, (5, 1)), (0, (3, 1, 1, 1)), (0, (1, 1)), (0, (6, 2)), (0, (2, 1)), "-")
HATCHES = ("", "//", "..", "\\\\", "xx", "--", "oo")


@in_book_style
def roads_figure(
    lines: Sequence[tuple[ArrayLike, float]],
    roads: Mapping[str, ArrayLike],
    points: Mapping[str, ArrayLike],
    *,
    window: tuple[tuple[float, float], tuple[float, float]],
) -> BookFigure:
    """Draw in the plane the solutions of each sample, several runs, and some points.

    Parameters
    ----------
    lines : sequence of (x, y)
        A sample x of shape (2,) and its target y; its solutions are the line x^T w = y, drawn in grey.
    roads : mapping of str to array_like of shape (K + 1, 2)
        Name of a run to its points, w^0 first.
    points : mapping of str to array_like of shape (2,)
        Name of a point to its place.
    window : ((float, float), (float, float))
        Lowest and highest first weight, lowest and highest second weight.

    Returns
    -------
    Figure

    Notes
    -----
    Source: none, a picture. Cost: none.

    Examples
    --------
    >>> run = [[0.0, 0.0], [0.0, 1.0]]
    >>> picture = roads_figure([([0, 1], 1)], {"run": run}, {"limit": run[1]}, window=((-1, 1), (0, 2)))
    >>> picture.axes[0].get_xlabel()
    'first weight'
    """
    figure = new_figure(size=(6.4, 4.1))
    axes = figure.axes[0]
    reach = 4 * float(np.abs(np.asarray(window)).max())
    for n, (x, y) in enumerate(lines):
        normal = np.asarray(x, dtype=float)
        foot, along = y * normal / (normal @ normal), np.array([-normal[1], normal[0]])
        ends = foot + np.outer([-reach, reach], along / np.linalg.norm(along))
        axes.plot(*ends.T, color="#aaaaaa", linewidth=1.4, label="solutions of a node" if n == 0 else None)
    for n, (name, road) in enumerate(roads.items()):
        axes.plot(*np.asarray(road, dtype=float).T, **_look(n, name), linewidth=1.2, alpha=0.9)
    for n, (name, point) in enumerate(points.items()):
        shape: dict[str, Any] = {
            "marker": "*X"[n % 2],
            "markersize": 15 - 5 * (n % 2),
            "markerfacecolor": ("k", "w")[n % 2],
        }
        place = np.asarray(point, dtype=float)
        axes.plot(*place, color="#000000", linestyle="none", label=name, zorder=4, **shape)
    axes.set(xlim=window[0], ylim=window[1], xlabel="first weight", ylabel="second weight")
    axes.set_aspect("equal")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(nbins=6, steps=[1, 5, 10]))
    figure.legend(loc="outside right center")
    return figure


@in_book_style
def shares_figure(counts: Mapping[str, ArrayLike]) -> BookFigure:
    """Draw, for several partitions, two in a line, how many samples of each class every node holds.

    Parameters
    ----------
    counts : mapping of str to array_like of shape (M, C)
        Name of a partition to the samples of each node (row) and class (column).

    Returns
    -------
    Figure

    Notes
    -----
    Source: none, a picture. Cost: none.

    Examples
    --------
    >>> len(shares_figure({"iid": [[1, 1], [1, 1]], "shards": [[2, 0], [0, 2]]}).axes)
    2
    """
    columns = min(len(counts), 2)
    lines = -(-len(counts) // columns)
    figure = new_figure(rows=lines, columns=columns, size=(3.4 * columns, 0.5 + 2.4 * lines))
    for spare in figure.axes[len(counts) :]:
        spare.remove()
    for panel, (axes, (name, table)) in enumerate(zip(figure.axes, counts.items(), strict=True)):
        rows = np.asarray(table, dtype=float)
        left = np.zeros(rows.shape[0])
        for c, width in enumerate(rows.T):
            axes.barh(
                np.arange(1, rows.shape[0] + 1),
                width,
                left=left,
                color=COLORS[c % len(COLORS)],
                hatch=HATCHES[c % len(HATCHES)],
                edgecolor="white",
                height=0.8,
                label=f"class {c + 1}" if panel == 0 else None,
            )
            left += width
        axes.set(xlabel=f"samples, {name}", ylabel="node" if panel % columns == 0 else "")
        axes.invert_yaxis()
        axes.grid(visible=False)
        axes.xaxis.set_major_locator(MaxNLocator(nbins=3, integer=True))
    figure.legend(loc="outside upper center", ncols=5)
    return figure


@in_book_style
def mean_square_figure(
    runs: ArrayLike, expected: ArrayLike, bound: ArrayLike, *, shown: int = 30
) -> BookFigure:
    """Draw squared distances of single runs, their mean with an interval, and what theory expects.

    Parameters
    ----------
    runs : array_like, shape (runs, K)
        Squared distances, one run a row. The interval is the mean -+ 2 standard errors.
    expected, bound : array_like, shape (K,)
        The expectation, and a bound on it.
    shown : int
        How many single runs are drawn.

    Returns
    -------
    Figure

    Notes
    -----
    Cost: none.

    Examples
    --------
    >>> mean_square_figure([[1.0, 0.5], [1.0, 0.3]], [1.0, 0.4], [1.0, 0.6]).axes[0].get_yscale()
    'log'
    """
    figure = new_figure()
    axes = figure.axes[0]
    squares = np.asarray(runs, dtype=float)
    k = np.arange(1, squares.shape[1] + 1)
    mean = squares.mean(axis=0)
    error = squares.std(axis=0, ddof=1) / np.sqrt(squares.shape[0])
    axes.plot(k, np.asarray(bound), label="bound", **(THEORY | {"linestyle": ":"}))
    axes.plot(k, np.asarray(expected), label="expected", **THEORY)
    for n, run in enumerate(squares[:shown]):
        axes.plot(k, run, color="#56B4E9", linewidth=0.6, alpha=0.6, label="single runs" if n == 0 else None)
    axes.errorbar(
        k,
        mean,
        2 * error,
        color="#D55E00",
        marker="o",
        markersize=3,
        linestyle="none",
        label="mean of all runs",
    )
    axes.set(yscale="log", xlabel="rounds", ylabel="squared relative distance")
    for handle in axes.legend().get_lines():
        if handle.get_label() == "single runs":
            handle.set(linewidth=1.6, alpha=1.0)
    return figure


@in_book_style
def curves_figure(
    x: ArrayLike,
    curves: Mapping[str, ArrayLike],
    *,
    xlabel: str,
    ylabel: str,
    predicted: Mapping[str, tuple[ArrayLike, ArrayLike]] | None = None,
    logx: bool = False,
    logy: bool = True,
    mark: tuple[str, float] | None = None,
) -> BookFigure:
    """Draw curves against a parameter over dashed predictions.

    Parameters
    ----------
    x : array_like, shape (n,)
        The parameter; one for all curves.
    curves : mapping of str to array_like of shape (n,)
        Keys of `METHODS`, or any other label. On a log scale a zero is not drawn.
    xlabel, ylabel : str
    predicted : mapping of str to (array_like, array_like), optional
        Label to abscissas and ordinates; the first label stands in the legend for all.
    logx : bool
        Whether the parameter is on a log scale.
    logy : bool
        Whether the values are.
    mark : (str, float), optional
        Name and place of a vertical line.

    Returns
    -------
    Figure

    Notes
    -----
    Cost: none.

    Examples
    --------
    >>> curves_figure([1, 2], {"a": [1.0, 0.5]}, xlabel="d", ylabel="bias").axes[0].get_xlabel()
    'd'
    """
    figure = new_figure()
    axes, at = figure.axes[0], np.asarray(x)
    every = max(1, at.size // 12)
    for n, (name, (where, values)) in enumerate((predicted or {}).items()):
        label = name if n == 0 else None
        axes.plot(np.asarray(where), np.asarray(values), label=label, zorder=1, **THEORY)
    if mark is not None:
        axes.axvline(mark[1], color="#888888", linewidth=1.0, linestyle=":", label=mark[0])
    for n, (name, values) in enumerate(curves.items()):
        axes.plot(at, np.asarray(values), markevery=every, **_look(n, name))
    scales = {"xscale": ("linear", "log")[logx], "yscale": ("linear", "log")[logy]}
    axes.set(xlabel=xlabel, ylabel=ylabel, **scales)
    axes.legend()
    return figure


def _look(n: int, name: str) -> dict[str, Any]:
    look = METHODS.get(name)
    if look is not None:
        return {"color": look.color, "marker": look.marker, "linestyle": look.linestyle, "label": look.label}
    return {"color": COLORS[n % 7], "marker": MARKERS[n % 7], "linestyle": DASHES[n % 7], "label": name}
