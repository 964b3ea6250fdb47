"""Figures of the chapter on mail: one number of several methods, with intervals."""

from __future__ import annotations

from collections.abc import Mapping

from lgd_lib.plotting import METHODS, BookFigure, in_book_style, new_figure

Interval = tuple[float, float, float]


@in_book_style
def intervals_figure(groups: Mapping[str, Mapping[str, Interval]], *, xlabel: str) -> BookFigure:
    """Draw one number of several methods, a line each, as a marker with its interval.

    Parameters
    ----------
    groups : mapping of str to mapping of str to (middle, low, high)
        Name of a group, written above it, to keys of `METHODS`.
    xlabel : str

    Returns
    -------
    Figure

    Notes
    -----
    Cost: none.

    Examples
    --------
    >>> figure = intervals_figure({"last layer": {"bundle": (0.9, 0.8, 1.0)}}, xlabel="accuracy")
    >>> [text.get_text() for text in figure.axes[0].get_yticklabels()]
    ['last layer', 'bundle']
    """
    rows = [row for name, group in groups.items() for row in ((name, None), *group.items())]
    figure = new_figure(size=(6.4, 0.3 * len(rows) + 0.9))
    axes = figure.axes[0]
    for at, (name, interval) in enumerate(rows):
        if interval is not None:
            middle, low, high = interval
            look = METHODS[name]
            axes.plot([low, high], [at, at], color=look.color, linewidth=2.2)
            axes.plot([middle], [at], color=look.color, marker=look.marker, linestyle="none", markersize=8)
    axes.set_yticks(range(len(rows)), [METHODS[n].label if given else n for n, given in rows])
    for text, (_, given) in zip(axes.get_yticklabels(), rows, strict=True):
        text.set_fontweight("normal" if given else "bold")
    axes.tick_params(axis="y", length=0)
    axes.invert_yaxis()
    axes.set(xlabel=xlabel)
    axes.grid(axis="x", alpha=0.4)
    return figure
