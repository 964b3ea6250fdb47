"""Figures of margins: node polyhedra and projections in the plane, norms and angles under their bound."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.patches import Patch
from numpy.typing import ArrayLike

from lgd_lib.plotting import METHODS, THEORY, BookFigure, in_book_style, new_figure

NODES = ("#0072B2", "#D55E00", "#009E73", "#CC79A7")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")


@in_book_style
def theatre_figure(
    rows: Sequence[ArrayLike],
    sent: ArrayLike,
    answers: Sequence[ArrayLike],
    points: Mapping[str, ArrayLike],
    *,
    window: tuple[tuple[float, float], tuple[float, float]],
) -> BookFigure:
    """Draw rounds of projections in the plane: what each node accepts, the answers, their averages.

    Parameters
    ----------
    rows : sequence of array_like, shape (N_i, 2)
        The signed samples z_j of each node; it accepts w where every z_j^T w >= 1.
        Up to four nodes.
    sent : array_like, shape (K + 1, 2)
        w^0 and the averages w^1..w^K.
    answers : sequence of array_like, shape (M, 2)
        The answers of the first rounds, as many as are to be drawn.
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
    >>> w = [[0.0, 0.0], [1.0, 0.0]]
    >>> picture = theatre_figure([[[1, 0]]], w, [[w[1]]], {"limit": w[1]}, window=((-1, 2), (-1, 1)))
    >>> picture.axes[0].get_xlabel()
    'first weight'
    """
    figure = new_figure(size=(7.4, 4.8))
    axes = figure.axes[0]
    grid = np.stack(np.meshgrid(*(np.linspace(low, high, 500) for low, high in window)))
    margins = [np.tensordot(np.atleast_2d(np.asarray(Z, dtype=float)), grid, 1).min(axis=0) for Z in rows]
    axes.contourf(*grid, np.min(margins, axis=0), levels=[1.0, np.inf], colors=["#dddddd"])
    for margin, color in zip(margins, NODES, strict=False):
        axes.contour(*grid, margin, levels=[1.0], colors=[color], linewidths=1.8)
    path = np.asarray(sent, dtype=float)
    for k, W in enumerate(answers):
        for w, color in zip(np.asarray(W, dtype=float), NODES, strict=False):
            axes.plot(*np.array([path[k], w]).T, color=color, linewidth=1.0, linestyle=":")
            axes.plot(*w, color=color, marker="o", markersize=4, linestyle="none")
    axes.plot(*path.T, color="#222222", marker="s", markersize=4, linewidth=1.0, label="averages")
    for (name, point), marker in zip(points.items(), ("*", "X", "P", "v"), strict=False):
        place = np.asarray(point, dtype=float)
        axes.plot(*place, color="black", marker=marker, markersize=11, linestyle="none", label=name, zorder=4)
    handles: list[Any] = [Patch(color="#dddddd", label="accepted by all nodes")]
    for i in range(len(rows)):
        style: dict[str, Any] = {"marker": "o", "markersize": 4, "label": f"edge and answers of node {i + 1}"}
        handles += axes.plot([], [], color=NODES[i], **style)
    axes.set(xlim=window[0], ylim=window[1], xlabel="first weight", ylabel="second weight")
    axes.set_aspect("equal")
    known = axes.get_legend_handles_labels()[0]
    figure.legend(handles=handles + [h for h in known if h not in handles], loc="outside right center")
    return figure


@in_book_style
def angle_figure(ratio: Mapping[str, ArrayLike], angle: Mapping[str, ArrayLike]) -> BookFigure:
    """Draw how far limits are from the max-margin direction, by their length, under the bound.

    Parameters
    ----------
    ratio : mapping of str to array_like of shape (n,)
        Name of a family of problems to the lengths of the limits, in units of the length of w_mm.
    angle : mapping of str to array_like of shape (n,)
        Under the same names, in degrees.

    Returns
    -------
    Figure

    Notes
    -----
    The bound is arccos(max(r/2, 1/r)). Source: ours. Cost: none.

    Examples
    --------
    >>> angle_figure({"one": [1.0]}, {"one": [0.0]}).axes[0].get_ylabel()
    'bias: angle to max-margin, degrees'
    """
    figure = new_figure()
    axes = figure.axes[0]
    r = np.linspace(1, 2, 400)
    axes.plot(r, np.degrees(np.arccos(np.maximum(r / 2, 1 / r))), label="bound", zorder=1, **THEORY)
    for n, (name, lengths) in enumerate(ratio.items()):
        marker = MARKERS[n % len(MARKERS)]
        axes.plot(lengths, angle[name], marker=marker, markersize=4, linestyle="none", label=name, alpha=0.7)
    axes.set(xlabel="length of the limit, in lengths of the max-margin solution")
    axes.set(ylabel="bias: angle to max-margin, degrees", xlim=(0.98, 2.02), ylim=(-1, 47))
    axes.legend()
    return figure


@in_book_style
def angle_error_figure(
    angle: Mapping[str, ArrayLike],
    error: Mapping[str, ArrayLike],
    *,
    ylabel: str,
    level: tuple[str, float] | None = None,
    floor: float = 1e-8,
) -> BookFigure:
    """Draw what a method gets wrong against its angle to the max-margin direction.

    Parameters
    ----------
    angle : mapping of str to array_like of shape (n,)
        Keys of `METHODS`, or any other label; in degrees.
    error : mapping of str to array_like of shape (n,)
        Under the same keys.
    ylabel : str
    level : (str, float), optional
        Name and value of an error to compare with: a dashed grey line.
    floor : float
        Smaller angles are drawn here.

    Returns
    -------
    Figure

    Notes
    -----
    Cost: none.

    Examples
    --------
    >>> angle_error_figure({"ppm": [9.0]}, {"ppm": [2.0]}, ylabel="errors").axes[0].get_xscale()
    'log'
    """
    figure = new_figure()
    axes = figure.axes[0]
    if level is not None:
        axes.axhline(level[1], label=level[0], zorder=1, **THEORY)
    for n, (key, degrees) in enumerate(angle.items()):
        look = METHODS.get(key)
        style: dict[str, Any] = {"label": key, "marker": MARKERS[n % len(MARKERS)]}
        if look is not None:
            style = {"label": look.label, "marker": look.marker, "color": look.color}
        at = np.maximum(np.asarray(degrees, dtype=float), floor)
        axes.plot(at, np.asarray(error[key]), linestyle="none", alpha=0.7, **style)
    axes.set(xscale="log", xlabel="angle to max-margin, degrees", ylabel=ylabel)
    figure.legend(loc="outside right center")
    return figure
