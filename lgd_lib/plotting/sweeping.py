"""Figures of what long local runs do in the plane; drawing only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike

from lgd_lib.plotting import METHODS, THEORY, BookFigure, in_book_style, new_figure


@in_book_style
def sweeping_figure(
    rows: ArrayLike,
    paths: Mapping[str, ArrayLike],
    levels: Sequence[float],
    *,
    window: tuple[tuple[float, float], tuple[float, float]],
) -> BookFigure:
    """Draw paths in the plane over the set that sweeps them along, at some of its levels.

    Parameters
    ----------
    rows : array_like, shape (n, 2)
        The signed samples z_j of one node; the set of level sigma is {w : z_j^T w >= sigma for all j}.
    paths : mapping of str to array_like of shape (E + 1, 2)
        Keys of `METHODS`, to the points where a path bends.
    levels : sequence of float
        The edge of the set is drawn at these, dashed; at 1 the set is shaded.
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
    >>> path = {"swept": [[0.0, 0.0], [1.0, 0.0]]}
    >>> sweeping_figure([[1.0, 0.0]], path, [0.0], window=((-1, 2), (-1, 1))).axes[0].get_xlabel()
    'first weight'
    """
    figure = new_figure(size=(7.0, 4.2))
    axes = figure.axes[0]
    grid = np.stack(np.meshgrid(*(np.linspace(low, high, 500) for low, high in window)))
    smallest = np.tensordot(np.asarray(rows, dtype=float), grid, 1).min(axis=0)
    axes.contourf(*grid, smallest, levels=[1.0, np.inf], colors=["#dddddd"])
    edges = axes.contour(
        *grid, smallest, levels=sorted(levels), colors=THEORY["color"], linestyles="--", linewidths=1.0
    )
    row = len(smallest) // 5  # labels low in the picture, clear of the paths and the legend
    columns = [int(np.abs(smallest[row] - level).argmin()) for level in sorted(levels)]
    places = [(grid[0, row, column], grid[1, row, column]) for column in columns]
    axes.clabel(edges, fmt="%g", fontsize=8, manual=places)
    for key, path in paths.items():
        look = METHODS[key]
        points = np.asarray(path, dtype=float)
        axes.plot(*points.T, color=look.color, marker=look.marker, label=look.label, linewidth=1.8)
    axes.set(xlim=window[0], ylim=window[1], xlabel="first weight", ylabel="second weight")
    axes.set_aspect("equal")
    axes.legend(loc="upper left")
    return figure
