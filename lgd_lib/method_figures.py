"""Figures that compare ways to the max-margin direction: paths in the plane, bounds that close in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from lgd_lib.plotting import METHODS, THEORY, BookFigure, in_book_style, new_figure

GROUND = "#f0f0f0"


@in_book_style
def margin_paths_figure(
    rows: Sequence[ArrayLike],
    paths: Mapping[str, ArrayLike],
    target: ArrayLike,
    *,
    told: Sequence[tuple[ArrayLike, float]] = (),
) -> BookFigure:
    """Draw what several servers do in the plane, over the points that every node accepts.

    Parameters
    ----------
    rows : sequence of array_like, shape (N_i, 2)
        The signed samples z_j of each node; the node accepts w where z_j^T w >= 1 for all of them.
    paths : mapping of str to array_like of shape (K + 1, 2)
        Keys of `METHODS`, to w^0..w^K.
    target : array_like, shape (2,)
        The accepted point nearest to the origin.
    told : sequence of (normal, offset), optional
        Half-planes normal^T w >= offset; their edges are drawn dashed.

    Returns
    -------
    Figure

    Notes
    -----
    Source: none, a picture. Cost: none.

    Examples
    --------
    >>> picture = margin_paths_figure([[[1.0, 0.0]]], {"ppm": [[0.0, 0.0], [1.0, 0.0]]}, [1.0, 0.0])
    >>> picture.axes[0].get_xlabel()
    'first weight'
    """
    figure = new_figure(size=(6.0, 5.0))
    axes = figure.axes[0]
    every = [np.atleast_2d(np.asarray(Z, dtype=float)) for Z in rows]
    centre = np.asarray(target, dtype=float)
    corners = np.vstack([centre, *[np.asarray(path, dtype=float) for path in paths.values()]])
    margin = 0.25 * float(np.ptp(corners, axis=0).max())
    low, high = corners.min(axis=0) - margin, corners.max(axis=0) + margin
    grid = np.stack(np.meshgrid(*(np.linspace(low[n], high[n], 300) for n in (0, 1))))
    worst = np.min([np.tensordot(z, grid, 1) for Z in every for z in Z], axis=0)
    axes.contourf(grid[0], grid[1], worst, levels=[1.0, np.inf], colors=[GROUND])
    for n, (normal, offset) in enumerate(told):
        _edge(axes, normal, offset, THEORY | {"label": "told to the server" if n == 0 else None})
    for i, (Z, color) in enumerate(zip(every, ("#555555", "#BBBBBB", "#DDAA33"), strict=False)):
        for n, z in enumerate(Z):
            label = f"node {i + 1}" if n == 0 else None
            _edge(axes, z, 1.0, {"color": color, "linewidth": 1.2, "label": label})
    for key, path in paths.items():
        look = METHODS[key]
        axes.plot(*np.asarray(path).T, color=look.color, marker=look.marker, label=look.label, linewidth=1.2)
    axes.plot(*centre, color="black", marker="*", markersize=14, linestyle="none", label="largest margin")
    axes.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]), xlabel="first weight", ylabel="second weight")
    axes.set_aspect("equal")
    axes.legend()
    return figure


@in_book_style
def bounds_figure(
    upper: Mapping[str, ArrayLike], lower: Mapping[str, ArrayLike], value: float, *, first: int = 1
) -> BookFigure:
    """Draw bounds on the margin that close in, round by round.

    Parameters
    ----------
    upper, lower : mapping of str to array_like of shape (rounds,)
        Keys of `METHODS`: what the margin cannot exceed after each round, and what was attained.
    value : float
        The largest margin.
    first : int, optional
        Number of rounds done at the first entry.

    Returns
    -------
    Figure

    Notes
    -----
    Source: none, a picture. Cost: none.

    Examples
    --------
    >>> bounds_figure({"bundle": [2.0, 1.5]}, {"bundle": [0.5, 0.9]}, 1.0).axes[0].get_xlabel()
    'rounds'
    """
    figure = new_figure()
    axes = figure.axes[0]
    axes.axhline(value, label="largest margin", zorder=1, **THEORY)
    for key, bounds in upper.items():
        x, look = np.arange(np.size(bounds)) + first, METHODS[key]
        style: dict[str, Any] = {
            "color": look.color,
            "marker": look.marker,
            "markevery": max(1, x.size // 12),
        }
        axes.plot(x, bounds, label=f"{look.label}: above", linestyle="-", **style)
        if key in lower:
            axes.plot(x, lower[key], label=f"{look.label}: attained", linestyle=":", **style)
    axes.set(xlabel="rounds", ylabel="margin")
    axes.legend()
    return figure


def _edge(axes: Axes, normal: ArrayLike, offset: float, style: Mapping[str, Any]) -> None:
    n = np.asarray(normal, dtype=float)
    foot = offset * n / (n @ n)
    axes.axline(tuple(foot), tuple(foot + np.array([-n[1], n[0]])), zorder=1, **style)
