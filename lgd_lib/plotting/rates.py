"""Figures of rates, spectra and server steps, beside those of whole runs in `plotting`; drawing only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike

from lgd_lib.plotting import METHODS, THEORY, BookFigure, Look, in_book_style, new_figure

UNKNOWN = Look("", "#0072B2", "o", "-")


@in_book_style
def line_figure(
    x: ArrayLike,
    curves: Mapping[str, ArrayLike],
    *,
    xlabel: str,
    ylabel: str,
    predicted: Sequence[ArrayLike] = (),
) -> BookFigure:
    """Draw numbers against a parameter on linear axes, over the dashed predictions.

    Parameters
    ----------
    x : array_like, shape (n,)
        The parameter.
    curves : mapping of str to array_like of shape (n,)
        Label to values, drawn as markers.
    xlabel, ylabel : str
        Lower case, with units.
    predicted : sequence of array_like of shape (n,), optional
        What theory says, drawn first, dashed in grey.

    Returns
    -------
    Figure

    Notes
    -----
    Source: none, a picture. Cost: none.

    Examples
    --------
    >>> line_figure([1, 2], {"measured": [0.5, 0.2]}, xlabel="angle", ylabel="rate").axes[0].get_xscale()
    'linear'
    """
    figure = new_figure()
    axes = figure.axes[0]
    for n, values in enumerate(predicted):
        axes.plot(x, values, label="predicted" if n == 0 else None, zorder=1, **THEORY)
    for (label, values), marker in zip(curves.items(), "os^Dv" * (1 + len(curves) // 5), strict=False):
        axes.plot(x, values, label=label, marker=marker, linestyle="none", zorder=2)
    axes.set(xlabel=xlabel, ylabel=ylabel)
    axes.legend()
    return figure


@in_book_style
def histogram_figure(
    panels: Mapping[str, tuple[ArrayLike, ArrayLike, ArrayLike]], *, xlabel: str, bins: int = 40
) -> BookFigure:
    """Draw a histogram in each panel over the dashed density that is predicted.

    Parameters
    ----------
    panels : mapping of str to (values, x, density)
        Label to what was measured, and to the predicted density at the points x.
    xlabel : str
    bins : int

    Returns
    -------
    Figure

    Notes
    -----
    Source: none, a picture. Cost: none.

    Examples
    --------
    >>> panels = {"uniform": ([0.1, 0.6], [0.0, 1.0], [1.0, 1.0])}
    >>> histogram_figure(panels, xlabel="value", bins=2).axes[0].get_ylabel()
    'density'
    """
    rows = -(-len(panels) // 2)
    figure = new_figure(rows=rows, columns=min(2, len(panels)), size=(9.2, 3.0 * rows))
    for n, (axes, (label, (values, x, density))) in enumerate(zip(figure.axes, panels.items(), strict=False)):
        axes.plot(x, density, label="predicted" if n == 0 else None, zorder=3, **THEORY)
        heights, _, _ = axes.hist(
            np.asarray(values, dtype=float),
            bins=bins,
            density=True,
            color="#56B4E9",
            edgecolor="white",
            linewidth=0.4,
            label=label,
        )
        axes.set(xlabel=xlabel if n >= len(panels) - 2 else "", ylabel="density" if n % 2 == 0 else "")
        axes.set_ylim(0, 1.4 * np.max(heights))
        axes.legend()
    for axes in figure.axes[len(panels) :]:
        axes.remove()
    return figure


@in_book_style
def spectra_figure(spectra: Mapping[str, ArrayLike], *, ylabel: str = "eigenvalue") -> BookFigure:
    """Draw the eigenvalues of several matrices in ascending order, on a log scale.

    Parameters
    ----------
    spectra : mapping of str to array_like
        Keys of `METHODS`, or any other label, to positive eigenvalues.
    ylabel : str

    Returns
    -------
    Figure

    Notes
    -----
    Source: none, a picture. Cost: none.

    Examples
    --------
    >>> spectra_figure({"L=1": [0.1, 0.2]}).axes[0].get_yscale()
    'log'
    """
    figure = new_figure()
    axes = figure.axes[0]
    for key, values in spectra.items():
        look, ordered = METHODS.get(key, UNKNOWN), np.sort(np.asarray(values, dtype=float))
        axes.plot(
            np.arange(1, ordered.size + 1),
            ordered,
            label=look.label or key,
            color=look.color,
            marker=look.marker,
            markersize=4,
            linestyle="none",
        )
    axes.set(yscale="log", xlabel="number of the eigenvalue, in ascending order", ylabel=ylabel)
    axes.legend()
    return figure


@in_book_style
def paths_figure(
    lines: Sequence[tuple[ArrayLike, float]], paths: Mapping[str, ArrayLike], limit: ArrayLike
) -> BookFigure:
    """Draw in the plane how several methods go from the same start to the same limit.

    Parameters
    ----------
    lines : sequence of (x, y)
        Each node's one sample x of shape (2,) and its target y; its solutions are the line x^T w = y.
    paths : mapping of str to array_like of shape (K + 1, 2)
        Keys of `METHODS`, to the start and the estimates.
    limit : array_like, shape (2,)

    Returns
    -------
    Figure

    Notes
    -----
    Source: none, a picture. Cost: none.

    Examples
    --------
    >>> picture = paths_figure([([0.0, 1.0], 1.0)], {"average": [[0.0, 0.0], [0.0, 1.0]]}, [0.0, 1.0])
    >>> picture.axes[0].get_ylabel()
    'second weight'
    """
    figure = new_figure(size=(6.8, 5.0))
    axes = figure.axes[0]
    centre = np.asarray(limit, dtype=float)
    corners = np.vstack([centre, *[np.asarray(path, dtype=float) for path in paths.values()]])
    reach = 3 * float(np.abs(corners - centre).max()) + 1e-9
    for n, (x, _) in enumerate(lines):
        normal = np.asarray(x, dtype=float)
        along = np.array([-normal[1], normal[0]]) / np.linalg.norm(normal)
        ends = np.array([centre - reach * along, centre + reach * along])
        axes.plot(*ends.T, color="#bbbbbb", label="solutions of each node" if n == 0 else None, zorder=1)
    for key, path in paths.items():
        look = METHODS.get(key, UNKNOWN)
        axes.plot(
            *np.asarray(path, dtype=float).T,
            label=look.label or key,
            color=look.color,
            marker=look.marker,
            linestyle=look.linestyle,
            linewidth=1.4,
            zorder=2,
        )
    axes.plot(
        *centre,
        color="#000000",
        marker="X",
        markersize=9,
        linestyle="none",
        label="centralised model",
        zorder=3,
    )
    low, high = corners.min(axis=0), corners.max(axis=0)
    margin = 0.08 * float((high - low).max() + 1e-9)
    axes.set(xlim=(low[0] - margin, high[0] + margin), ylim=(low[1] - margin, high[1] + margin))
    axes.set(xlabel="first weight", ylabel="second weight")
    axes.set_aspect("equal")
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    return figure


@in_book_style
def rounds_figure(counts: Mapping[str, Mapping[str, float]], *, xlabel: str = "rounds to 1e-6") -> BookFigure:
    """Draw how many rounds each method needs: one row a method, one marker for each number of local steps.

    Parameters
    ----------
    counts : mapping of str to mapping of str to float
        Number of local steps (a key of `METHODS`) to method (another) to rounds.
    xlabel : str

    Returns
    -------
    Figure

    Notes
    -----
    Source: none, a picture. Cost: none.

    Examples
    --------
    >>> picture = rounds_figure({"L=1": {"average": 900.0, "cg": 30.0}})
    >>> [text.get_text() for text in picture.axes[0].get_yticklabels()]
    ['average', 'conjugate gradients']
    """
    methods = list(dict.fromkeys(method for row in counts.values() for method in row))
    figure = new_figure(size=(6.8, 1.0 + 0.42 * len(methods)))
    axes = figure.axes[0]
    for key, row in counts.items():
        look = METHODS.get(key, UNKNOWN)
        axes.plot(
            list(row.values()),
            [methods.index(method) for method in row],
            label=look.label or key,
            color=look.color,
            marker=look.marker,
            markersize=7,
            linestyle="none",
        )
    names = [METHODS[method].label if method in METHODS else method for method in methods]
    axes.set(xscale="log", xlabel=xlabel, yticks=range(len(methods)), yticklabels=names)
    axes.set_ylim(len(methods) - 0.5, -0.5)
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    return figure
