"""Figures that explain an idea, beside those of whole runs in `plotting`; nothing is computed here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike

from lgd_lib.plotting import THEORY, BookFigure, in_book_style, new_figure


@in_book_style
def starts_figure(line: tuple[ArrayLike, float], paths: Sequence[ArrayLike]) -> BookFigure:
    """Draw gradient descent in the plane from several starts, towards the line of all solutions.

    Parameters
    ----------
    line : (x, y)
        The one sample x of shape (2,) and its target y; the solutions are the line x^T w = y.
    paths : sequence of array_like, shape (K + 1, 2)
        The start and the iterates of each run; the last is taken for the limit.

    Returns
    -------
    Figure

    Notes
    -----
    Source: no theorem, an illustration. Cost: none.

    Examples
    --------
    >>> picture = starts_figure(([0.0, 1.0], 1.0), [[[0.0, 0.0], [0.0, 1.0]]])
    >>> [text.get_text() for text in picture.axes[0].get_legend().get_texts()]
    ['all solutions', 'gradient descent', 'start', 'limit']
    """
    figure = new_figure(size=(6.0, 4.4))
    axes = figure.axes[0]
    normal, points = np.asarray(line[0], dtype=float), np.vstack([np.asarray(p, dtype=float) for p in paths])
    foot, along = line[1] * normal / (normal @ normal), np.array([-normal[1], normal[0]])
    reach = 10 * float(np.abs(points).max() + np.abs(foot).max()) / float(np.linalg.norm(along))
    ends = np.array([foot - reach * along, foot + reach * along])
    axes.plot(*ends.T, color="#0072B2", label="all solutions", zorder=1)
    for n, path in enumerate(paths):
        names = ("gradient descent", "start", "limit") if n == 0 else (None, None, None)
        walk = np.asarray(path, dtype=float)
        axes.plot(*walk.T, color="#D55E00", marker=".", linewidth=1.0, label=names[0], zorder=2)
        axes.plot(*walk[0], color="#222222", marker="s", linestyle="none", label=names[1], zorder=3)
        axes.plot(
            *walk[-1], color="#000000", marker="*", markersize=12, linestyle="none", label=names[2], zorder=3
        )
    low, high = points.min(axis=0), points.max(axis=0)
    margin = 0.15 * float((high - low).max() + 1e-9)
    axes.set(xlim=(low[0] - margin, high[0] + margin), ylim=(low[1] - margin, high[1] + margin))
    axes.set(xlabel="first weight", ylabel="second weight")
    axes.set_aspect("equal")
    axes.legend(loc="best", frameon=True, framealpha=0.9)
    return figure


@in_book_style
def curve_figure(
    x: ArrayLike,
    curves: Mapping[str, ArrayLike],
    *,
    xlabel: str,
    ylabel: str,
    predicted: Sequence[ArrayLike] = (),
) -> BookFigure:
    """Draw positive numbers against a parameter, both on log scales, over the dashed predictions.

    Parameters
    ----------
    x : array_like, shape (n,)
        The parameter.
    curves : mapping of str to array_like of shape (n,)
        Label to values.
    xlabel, ylabel : str
        Lower case, with units.
    predicted : sequence of array_like of shape (n,), optional
        What theory says, drawn first, dashed in grey.

    Returns
    -------
    Figure

    Notes
    -----
    Source: no theorem, an illustration. Cost: none.

    Examples
    --------
    >>> picture = curve_figure([1, 2], {"measured": [0.5, 0.2]}, xlabel="local steps L", ylabel="gap")
    >>> picture.axes[0].get_xscale(), picture.axes[0].get_yscale()
    ('log', 'log')
    """
    figure = new_figure()
    axes = figure.axes[0]
    for n, values in enumerate(predicted):
        axes.plot(x, values, label="predicted" if n == 0 else None, zorder=1, **THEORY)
    for (label, values), marker in zip(curves.items(), "os^Dv" * (1 + len(curves) // 5), strict=False):
        axes.plot(x, values, label=label, marker=marker, linewidth=0.8, zorder=2)
    axes.set(xscale="log", yscale="log", xlabel=xlabel, ylabel=ylabel)
    axes.legend()
    return figure
