"""Figures of whole networks: runs on three clocks, the line between two models, intervals over seeds."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.ticker import NullFormatter
from numpy.typing import ArrayLike

from lgd_lib.plotting import CLOCK_LABELS, METHODS, THEORY, BookFigure, in_book_style, new_figure
from lgd_lib.plotting.panels import draw_run, leave_empty

Interval = tuple[float, float, float]
"""Mean and the two ends."""
Columns = Mapping[str, ArrayLike]
"""Clocks, "mean" and, if there is a band, "low" and "high"; a clock of None alone is a level line."""


@in_book_style
def bands_figure(
    runs: Mapping[str, Columns],
    *,
    ylabel: str,
    levels: Mapping[str, float] | None = None,
    gradients: str = CLOCK_LABELS["gradients"],
) -> BookFigure:
    """Draw runs against rounds, megabytes and gradients, one clock below the other, with bands.

    Parameters
    ----------
    runs : mapping of str to columns
        Keys of `METHODS` to "rounds", "megabytes", "gradients", "mean" and, for a band, "low" and "high".
        Where a clock holds None only, the last value is drawn as a level line.
    ylabel : str
    levels : mapping of str to float, optional
        Name to a height that is drawn below the runs, dashed or dotted.
    gradients : str
        What that clock counts.

    Returns
    -------
    Figure

    Notes
    -----
    Cost: none.

    Examples
    --------
    >>> run = {"rounds": [1, 2], "megabytes": [1, 2], "gradients": [None, None], "mean": [0.5, 0.6]}
    >>> len(bands_figure({"L=1": run}, ylabel="accuracy", levels={"guessing": 0.1}).axes)
    3
    """
    figure = new_figure(rows=3, size=(6.4, 9.0))
    for axes, (clock, label) in zip(
        figure.axes, (CLOCK_LABELS | {"gradients": gradients}).items(), strict=True
    ):
        for n, (name, height) in enumerate((levels or {}).items()):
            axes.axhline(height, label=name, zorder=1, **THEORY | {"linestyle": ("--", ":")[n % 2]})
        for name, run in runs.items():
            draw_run(axes, name, run[clock], run["mean"], run.get("low"), run.get("high"))
        axes.set(xscale="log", xlabel=label, ylabel=ylabel)
        axes.xaxis.set_minor_formatter(NullFormatter())
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=3)
    return figure


@in_book_style
def between_figure(lines: Mapping[str, Mapping[str, Columns]]) -> BookFigure:
    """Draw the loss on the line from one local model to another, one panel below the other.

    Parameters
    ----------
    lines : mapping of str to mapping of str to columns
        Label of a panel to keys of `METHODS` to "mean" and, for a band, "low" and "high", at equal steps.
        The straight line between the ends is dotted.

    Returns
    -------
    Figure

    Notes
    -----
    Cost: none.

    Examples
    --------
    >>> figure = between_figure({"pretrained": {"one-shot": {"mean": [1.0, 1.5, 1.0]}}})
    >>> figure.axes[0].get_ylabel()
    'pretrained:\\ntraining loss'
    """
    figure = new_figure(rows=len(lines), size=(6.4, 0.6 + 3.0 * len(lines)))
    for axes, (panel, curves) in zip(figure.axes, lines.items(), strict=True):
        for name, run in curves.items():
            mean = np.asarray(run["mean"], dtype=float)
            t = np.linspace(0, 1, mean.size)
            draw_run(axes, name, t, mean, run.get("low"), run.get("high"))
            axes.plot([0, 1], mean[[0, -1]], color=METHODS[name].color, linestyle=":", linewidth=1.0)
        axes.set_ylabel(f"{panel}:\ntraining loss")
    figure.axes[-1].set_xlabel("from one local model (0) to the other (1)")
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=3)
    return figure


@in_book_style
def intervals_figure(groups: Mapping[str, Mapping[str, Interval]], *, xlabel: str) -> BookFigure:
    """Draw one number of several methods, a line each, as a marker with its interval.

    Parameters
    ----------
    groups : mapping of str to mapping of str to (middle, low, high)
        Name of a group, written above it, to keys of `METHODS`. Without any group the figure says that
        nothing is stored.
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
    >>> intervals_figure({}, xlabel="accuracy").axes[0].texts[0].get_text()
    'no stored results'
    """
    if not groups:
        figure = new_figure(size=(6.4, 2.4))
        leave_empty(figure.axes[0], "no stored results")
        return figure
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
