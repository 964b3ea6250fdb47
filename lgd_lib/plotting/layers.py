"""Figures of the last layer of a network: pictures, runs on three clocks, accuracy against the angle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lgd_lib.plotting import CLOCK_LABELS, METHODS, THEORY, BookFigure, in_book_style, new_figure
from lgd_lib.plotting.panels import draw_run, leave_empty

Run = Mapping[str, Sequence[float | None]]
Band = tuple[ArrayLike, ArrayLike, ArrayLike, ArrayLike]


@in_book_style
def gallery_figure(rows: Mapping[str, NDArray[np.uint8]]) -> BookFigure:
    """Draw pictures in rows, each with its name.

    Parameters
    ----------
    rows : mapping of str to ndarray of uint8, shape (n, H, W) or (n, H, W, 3)

    Returns
    -------
    Figure

    Notes
    -----
    Cost: none.

    Examples
    --------
    >>> len(gallery_figure({"grey": np.zeros((3, 4, 4), np.uint8)}).axes)
    1
    """
    figure = new_figure(rows=len(rows), size=(6.4, 0.95 * len(rows) + 0.2))
    for axes, (name, images) in zip(figure.axes, rows.items(), strict=True):
        strip = np.concatenate(list(images), axis=1)
        axes.imshow(strip, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
        axes.set(xticks=[], yticks=[])
        axes.set_ylabel(name, rotation=0, ha="right", va="center")
        axes.spines[:].set_visible(False)
    return figure


@in_book_style
def arrows_figure(
    X: ArrayLike, labels: ArrayLike, nodes: ArrayLike, models: Mapping[str, ArrayLike]
) -> BookFigure:
    """Draw samples of several classes in the plane, and each model's rows w_c as arrows.

    Parameters
    ----------
    X : array_like, shape (N, 2)
    labels, nodes : array_like of int, shape (N,)
        A class has one colour, a node one marker.
    models : mapping of str to array_like, shape (C, 2)
        Keys of `METHODS`; the first is drawn dashed in grey, as theory.

    Returns
    -------
    Figure

    Notes
    -----
    Cost: none.

    Examples
    --------
    >>> figure = arrows_figure(np.eye(2), [0, 1], [0, 0], {"bundle": np.eye(2)})
    >>> figure.axes[0].get_aspect()
    1.0
    """
    figure = new_figure(size=(5.2, 4.6))
    axes = figure.axes[0]
    for n, (name, W) in enumerate(models.items()):
        look = METHODS[name]
        style: dict[str, Any] = {"color": look.color, "linestyle": look.linestyle}
        if n == 0:
            style = {"color": THEORY["color"], "linestyle": THEORY["linestyle"], "linewidth": 5.0}
        for c, w in enumerate(np.asarray(W)):
            axes.plot([0, w[0]], [0, w[1]], label=None if c else look.label, zorder=1 + n, **style)
            if n == 0:
                axes.annotate(f"$w_{c}$", 1.15 * w, ha="center", va="center")
    colors = ("#4477AA", "#EE6677", "#228833", "#CCBB44")
    for c, i in sorted(set(zip(np.asarray(labels).tolist(), np.asarray(nodes).tolist(), strict=True))):
        own = (np.asarray(labels) == c) & (np.asarray(nodes) == i)
        axes.scatter(*np.asarray(X)[own].T, color=colors[c % 4], marker="os^D"[i % 4], zorder=3)
    axes.set(aspect="equal", xlabel="first feature", ylabel="second feature")
    axes.legend()
    return figure


@in_book_style
def clocks_figure(runs: Mapping[str, Run], column: str, *, ylabel: str, logy: bool = True) -> BookFigure:
    """Draw one column of several runs against rounds, megabytes and local gradients.

    Parameters
    ----------
    runs : mapping of str to run
        Keys of `METHODS` to columns; with None where a clock is infinite the last value is a level line.
    column : str
    ylabel : str
    logy : bool

    Returns
    -------
    Figure

    Notes
    -----
    Cost: none.

    Examples
    --------
    >>> run = {"rounds": [1, 2], "megabytes": [1, 2], "gradients": [None, None], "angle": [9.0, 3.0]}
    >>> len(clocks_figure({"bundle": run}, "angle", ylabel="angle").axes)
    3
    """
    figure = new_figure(columns=3, size=(9.6, 4.4))
    for axes, (clock, label) in zip(figure.axes, CLOCK_LABELS.items(), strict=True):
        for name, run in runs.items():
            draw_run(axes, name, run[clock], run[column])
        axes.set(xscale="log", yscale=("linear", "log")[logy], xlabel=label.replace(", ", ",\n"))
    figure.axes[0].set_ylabel(ylabel)
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=5)
    return figure


@in_book_style
def columns_figure(runs: Mapping[str, Run], columns: Mapping[str, str]) -> BookFigure:
    """Draw several columns of several runs against rounds, side by side.

    Parameters
    ----------
    runs : mapping of str to run
        Keys of `METHODS` to columns.
    columns : mapping of str to str
        Column to its label.

    Returns
    -------
    Figure

    Notes
    -----
    Cost: none.

    Examples
    --------
    >>> len(columns_figure({"bundle": {"rounds": [1, 2], "angle": [9, 3]}}, {"angle": "angle"}).axes)
    1
    """
    figure = new_figure(columns=len(columns), size=(9.6, 4.4))
    for axes, (column, label) in zip(figure.axes, columns.items(), strict=True):
        for name, run in runs.items():
            draw_run(axes, name, run["rounds"], run[column])
        axes.set(xscale="log", xlabel="rounds", ylabel=label)
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=5)
    return figure


@in_book_style
def accuracy_figure(
    runs: Mapping[str, Run], centre: float, sure: tuple[ArrayLike, ArrayLike], *, centre_label: str
) -> BookFigure:
    """Draw held-out accuracy against the angle to the max-margin layer, over what the angle makes sure.

    Parameters
    ----------
    runs : mapping of str to run
        Keys of `METHODS` to columns "angle" and "accuracy".
    centre : float
        Accuracy of the max-margin layer.
    sure : (array_like, array_like)
        Angles, and by how much the accuracy can differ at most up to there.
    centre_label : str

    Returns
    -------
    Figure

    Notes
    -----
    Cost: none.

    Examples
    --------
    >>> run = {"angle": [9.0, 3.0], "accuracy": [0.7, 0.8]}
    >>> figure = accuracy_figure({"bundle": run}, 0.8, ([1, 10], [0.1, 0.9]), centre_label="max-margin")
    >>> figure.axes[0].get_xscale()
    'log'
    """
    figure = new_figure(size=(6.8, 5.0))
    axes = figure.axes[0]
    at, room = np.asarray(sure[0]), np.asarray(sure[1])
    axes.plot(at, np.minimum(centre + room, 1), label="no farther than this", zorder=1, **THEORY)
    axes.plot(at, np.maximum(centre - room, 0), zorder=1, **THEORY)
    axes.axhline(centre, color="black", linewidth=1.0, linestyle=":", label=centre_label)
    for name, run in runs.items():
        draw_run(axes, name, run["angle"], run["accuracy"])
    found = [value for run in runs.values() for value in run["accuracy"] if value is not None]
    axes.set(xscale="log", xlabel="angle to the max-margin layer (degrees)", ylabel="held-out accuracy")
    axes.set_ylim(min(*found, centre) - 0.05, max(*found, centre) + 0.05)
    figure.legend(*axes.get_legend_handles_labels(), loc="outside upper center", ncols=3)
    return figure


@in_book_style
def beside_figure(own: Mapping[str, Run], stored: Mapping[str, Band] | None, *, ylabel: str) -> BookFigure:
    """Draw the reader's own run on the left and stored results on the right, never in one panel.

    Parameters
    ----------
    own : mapping of str to run
        Keys of `METHODS` to columns "rounds" and "angle".
    stored : mapping of str to (rounds, mean, low, high), or None
        Where there are none, the right panel says so.
    ylabel : str

    Returns
    -------
    Figure

    Notes
    -----
    Cost: none.

    Examples
    --------
    >>> figure = beside_figure({"bundle": {"rounds": [1, 2], "angle": [9, 3]}}, None, ylabel="angle")
    >>> figure.axes[1].texts[0].get_text()
    'no stored results'
    """
    figure = new_figure(columns=2)
    left, right = figure.axes
    for name, run in own.items():
        draw_run(left, name, run["rounds"], run["angle"])
    left.set(xscale="log", yscale="log", xlabel="rounds", ylabel=ylabel)
    left.legend(title="this run")
    if stored is None:
        leave_empty(right, "no stored results")
        return figure
    for name, (rounds, mean, low, high) in stored.items():
        draw_run(right, name, rounds, mean, low, high)
    right.set(xscale="log", yscale="log", xlabel="rounds", ylabel=ylabel)
    right.legend(title="stored results, full size")
    return figure
