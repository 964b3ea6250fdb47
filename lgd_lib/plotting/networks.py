"""Figures of whole networks: runs on three clocks, the line between two models, intervals over seeds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import NullFormatter
from numpy.typing import ArrayLike

from lgd_lib.plotting import CLOCK_LABELS, METHODS, BookFigure, in_book_style, new_figure

Columns = Mapping[str, ArrayLike]
"""Clocks, "mean" and, if there is a band, "low" and "high"; a clock of None alone is a level line."""


@in_book_style
def bands_figure(runs: Mapping[str, Columns], *, ylabel: str) -> BookFigure:
    """Draw runs against rounds, megabytes and gradients, one clock below the other, with bands.

    Parameters
    ----------
    runs : mapping of str to columns
        Keys of `METHODS` to "rounds", "megabytes", "gradients", "mean" and, for a band, "low" and "high".
        Where a clock holds None only, the last value is drawn as a level line.
    ylabel : str

    Returns
    -------
    Figure

    Notes
    -----
    Cost: none.

    Examples
    --------
    >>> run = {"rounds": [1, 2], "megabytes": [1, 2], "gradients": [None, None], "mean": [0.5, 0.6]}
    >>> len(bands_figure({"L=1": run}, ylabel="accuracy").axes)
    3
    """
    figure = new_figure(rows=3, size=(6.4, 8.6))
    for axes, (clock, label) in zip(figure.axes, CLOCK_LABELS.items(), strict=True):
        for name, run in runs.items():
            _band(axes, name, run[clock], run)
        axes.set(xscale="log", xlabel=label.replace("local gradient evaluations", "gradients of pictures"))
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.set_ylabel(ylabel)
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=3)
    return figure


def _band(axes: Axes, name: str, x: ArrayLike, run: Columns) -> None:
    look, mean = METHODS[name], np.asarray(run["mean"], dtype=float)
    style: dict[str, Any] = {"color": look.color, "linestyle": look.linestyle, "label": look.label}
    at = np.array(x, dtype=float)
    if np.isnan(at).all():
        axes.axhline(mean[-1], **style)
        return
    axes.plot(at, mean, marker=look.marker, **style)
    if "low" not in run:
        return
    low, high = (np.asarray(run[end], dtype=float) for end in ("low", "high"))
    if at.size == 1:
        axes.errorbar(at, mean, np.array([mean - low, high - mean]), color=look.color, capsize=3)
    else:
        axes.fill_between(at, low, high, color=look.color, alpha=0.2, linewidth=0)


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
            _band(axes, name, t, run)
            axes.plot([0, 1], mean[[0, -1]], color=METHODS[name].color, linestyle=":", linewidth=1.0)
        axes.set_ylabel(f"{panel}:\ntraining loss")
    figure.axes[-1].set_xlabel("from one local model (0) to the other (1)")
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=3)
    return figure


@in_book_style
def intervals_figure(
    groups: Mapping[str, Mapping[str, tuple[float, float, float]]], *, xlabel: str
) -> BookFigure:
    """Draw means with their intervals: one row a group, one marker a method.

    Parameters
    ----------
    groups : mapping of str to mapping of str to (mean, low, high)
        Group to keys of `METHODS`. Without any group the figure says that nothing is stored.
    xlabel : str

    Returns
    -------
    Figure

    Notes
    -----
    Cost: none.

    Examples
    --------
    >>> figure = intervals_figure({"vendors": {"L=1": (0.5, 0.4, 0.6)}}, xlabel="accuracy")
    >>> [text.get_text() for text in figure.axes[0].get_yticklabels()]
    ['vendors']
    >>> intervals_figure({}, xlabel="accuracy").axes[0].texts[0].get_text()
    'no stored results'
    """
    figure = new_figure(size=(6.4, 1.4 + 1.05 * max(1, len(groups))))
    axes = figure.axes[0]
    if not groups:
        axes.set(xticks=[], yticks=[])
        axes.text(0.5, 0.5, "no stored results", ha="center", va="center", transform=axes.transAxes)
        return figure
    names = list(dict.fromkeys(name for row in groups.values() for name in row))
    for n, name in enumerate(names):
        look, first = METHODS[name], True
        for row, methods in enumerate(groups.values()):
            if name not in methods:
                continue
            mean, low, high = methods[name]
            at = row + 0.72 * ((n + 0.5) / len(names) - 0.5)
            axes.errorbar(
                mean,
                at,
                xerr=[[mean - low], [high - mean]],
                color=look.color,
                marker=look.marker,
                linestyle="none",
                capsize=2,
                label=look.label if first else None,
            )
            first = False
    axes.set(xlabel=xlabel, yticks=range(len(groups)), yticklabels=list(groups))
    axes.set_ylim(len(groups) - 0.5, -0.5)
    figure.legend(*axes.get_legend_handles_labels(), loc="outside upper center", ncols=3)
    return figure
