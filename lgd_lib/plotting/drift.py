"""Runs in the plane that go off to infinity side by side; nothing is computed here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from lgd_lib.plotting import THEORY, BookFigure, in_book_style, new_figure
from lgd_lib.plotting.limits import COLORS, DASHES, MARKERS


@in_book_style
def drift_figure(
    paths: Mapping[str, ArrayLike], offsets: Mapping[str, ArrayLike], direction: ArrayLike
) -> BookFigure:
    """Draw runs in the plane over the dashed parallel lines that they are predicted to follow.

    Parameters
    ----------
    paths : mapping of str to array_like of shape (n, 2)
        Name of a run to some of its points.
    offsets : mapping of str to array_like of shape (2,)
        Name of a run to a point u of its line {u + s direction}.
    direction : array_like, shape (2,)
        The direction of all lines; the line through the origin is drawn in black.

    Returns
    -------
    Figure

    Notes
    -----
    Source: none, a picture. Cost: none.

    Examples
    --------
    >>> picture = drift_figure({"run": [[0.0, 0.0], [1.0, 2.0]]}, {"run": [0.0, 1.0]}, [1.0, 1.0])
    >>> picture.axes[0].get_xlabel()
    'first weight'
    """
    figure = new_figure(size=(6.4, 4.2))
    axes = figure.axes[0]
    along = np.asarray(direction, dtype=float)
    points = np.vstack([np.asarray(path, dtype=float) for path in paths.values()])
    low, high = points.min(axis=0), points.max(axis=0)
    margin = 0.06 * float((high - low).max())
    reach = 2 * float(np.abs(points).max() + margin) / float(np.linalg.norm(along))
    for n, offset in enumerate(offsets.values()):
        ends = np.asarray(offset, dtype=float) + np.outer([-reach, reach], along)
        axes.plot(*ends.T, label="predicted" if n == 0 else None, zorder=1, **THEORY)
    axes.plot(*np.outer([0, reach], along).T, color="black", linewidth=1.0, label="largest margin", zorder=1)
    for n, (name, path) in enumerate(paths.items()):
        look: dict[str, Any] = {"color": COLORS[n % 7], "marker": MARKERS[n % 7], "linestyle": DASHES[n % 7]}
        axes.plot(*np.asarray(path, dtype=float).T, label=name, markersize=4, **look)
    axes.set(xlim=(low[0] - margin, high[0] + margin), ylim=(low[1] - margin, high[1] + margin))
    axes.set(xlabel="first weight", ylabel="second weight")
    axes.set_aspect("equal")
    figure.legend(loc="outside right center")
    return figure
