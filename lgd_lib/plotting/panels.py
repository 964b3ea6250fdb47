"""What several figures draw in a panel: a run with its band, and words where there is nothing to draw."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from lgd_lib.plotting.looks import METHODS


def draw_run(
    axes: Axes,
    name: str,
    x: ArrayLike | Sequence[float | None],
    y: ArrayLike | Sequence[float | None],
    low: ArrayLike | None = None,
    high: ArrayLike | None = None,
) -> None:
    """Draw a run as a line with some markers, over the band from `low` to `high`.

    Parameters
    ----------
    axes : Axes
    name : str
        Key of `METHODS`.
    x, y : array_like, shape (n,)
        If x holds None or NaN only, the last y is drawn as a level line.
    low, high : array_like, shape (n,), optional
        With a single point they are the ends of a bar.

    Notes
    -----
    Cost: none.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> axes = Figure().subplots()
    >>> draw_run(axes, "L=1", [1, 2], [0.5, 0.6])
    >>> axes.lines[0].get_label()
    'L = 1'
    """
    look, at, values = METHODS[name], np.array(x, dtype=float), np.array(y, dtype=float)
    style: dict[str, Any] = {"color": look.color, "linestyle": look.linestyle, "label": look.label}
    if np.isnan(at).all():
        axes.axhline(values[-1], **style)
        return
    axes.plot(at, values, marker=look.marker, markevery=max(1, at.size // 8), **style)
    if low is None or high is None:
        return
    ends = np.array([low, high], dtype=float)
    if at.size == 1:
        axes.errorbar(at, values, np.abs(ends - values), color=look.color, capsize=3)
    else:
        axes.fill_between(at, *ends, color=look.color, alpha=0.2, linewidth=0)


def leave_empty(axes: Axes, words: str) -> None:
    """Write words into a panel that has nothing to show.

    Parameters
    ----------
    axes : Axes
    words : str

    Notes
    -----
    Cost: none.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> axes = Figure().subplots()
    >>> leave_empty(axes, "no stored results")
    >>> axes.texts[0].get_text()
    'no stored results'
    """
    axes.set(xticks=[], yticks=[])
    axes.text(0.5, 0.5, words, ha="center", va="center", transform=axes.transAxes)
