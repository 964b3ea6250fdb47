"""Figures about data: what the nodes hold, and errors on held-out samples; nothing is computed here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike

from lgd_lib.plotting import BookFigure, in_book_style, new_figure
from lgd_lib.problems import Problem

NODE_COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
LABEL_MARKERS = ("o", "x")


@in_book_style
def nodes_figure(
    names: Sequence[str],
    counts: Mapping[str, ArrayLike],
    points: ArrayLike,
    nodes: ArrayLike,
    labels: ArrayLike,
    axis_labels: tuple[str, str] = ("first component", "second component"),
) -> BookFigure:
    """Draw how many samples of each class every node holds and, beside it, the samples in a plane.

    Parameters
    ----------
    names : sequence of M str
        The nodes.
    counts : mapping of str to array_like of shape (M,)
        Name of each class to its number of samples at every node; two classes, the one labelled +1 first.
    points : array_like, shape (N, 2)
        Where each sample lies in the plane.
    nodes : array_like of int, shape (N,)
        The node of each sample, 0 to M - 1: its colour.
    labels : array_like, shape (N,)
        -1 or +1: its marker.
    axis_labels : (str, str)
        What the two coordinates are.

    Returns
    -------
    Figure

    Raises
    ------
    ValueError
        If there are not two classes.

    Notes
    -----
    Source: none, a picture. Cost: none.

    Examples
    --------
    >>> picture = nodes_figure(["a"], {"yes": [1], "no": [0]}, [[0.0, 1.0]], [0], [1])
    >>> [axes.get_xlabel() for axes in picture.axes]
    ['samples', 'first component']
    """
    if len(counts) != 2:
        raise ValueError(f"counts has {len(counts)} classes; it must have two, the one labelled +1 first")
    figure = new_figure(columns=2, size=(9.2, 4.0))
    bars, plane = figure.axes
    height, left = np.arange(len(names)), np.zeros(len(names))
    for (name, count), shade, hatch in zip(counts.items(), ("#333333", "#dddddd"), ("", "//"), strict=True):
        width = np.asarray(count, dtype=float)
        bars.barh(
            height, width, left=left, label=name, color=shade, hatch=hatch, edgecolor="#333333", height=0.6
        )
        left += width
    bars.set(xlabel="samples", yticks=height, yticklabels=names)
    bars.set_xlim(0, 1.05 * left.max())
    bars.invert_yaxis()
    bars.grid(visible=False, axis="y")
    bars.legend(loc="upper center", bbox_to_anchor=(0.5, 1.14), ncols=2)
    spots, node, label = np.asarray(points, dtype=float), np.asarray(nodes), np.asarray(labels)
    for i, name in enumerate(names):
        color = NODE_COLORS[i % len(NODE_COLORS)]
        for sign, marker in zip((1, -1), LABEL_MARKERS, strict=True):
            here = (node == i) & (label == sign)
            plane.plot(*spots[here].T, color=color, marker=marker, markersize=6, linestyle="none")
        plane.plot([], [], color=color, linewidth=4, label=name)
    for name, marker in zip(counts, LABEL_MARKERS, strict=True):
        plane.plot([], [], color="#333333", marker=marker, linestyle="none", label=name)
    plane.set(xlabel=axis_labels[0], ylabel=axis_labels[1])
    plane.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    return figure


@in_book_style
def held_out_figure(
    errors: Mapping[str, ArrayLike], *, xlabel: str, level: tuple[str, float] | None = None
) -> BookFigure:
    """Draw the held-out error of several models, one row each: every repetition, and their mean.

    Parameters
    ----------
    errors : mapping of str to array_like of shape (repetitions,)
        Name of a model to its errors.
    xlabel : str
        What the errors are, with their unit.
    level : (str, float), optional
        Name and value of an error to compare with: a dashed grey line.

    Returns
    -------
    Figure

    Notes
    -----
    Source: none, a picture. Cost: none.

    Examples
    --------
    >>> held_out_figure({"centralised": [0.1, 0.2]}, xlabel="mean squared error").axes[0].get_xlabel()
    'mean squared error'
    """
    figure = new_figure(size=(6.8, 0.9 + 0.36 * len(errors)))
    axes = figure.axes[0]
    if level is not None:
        axes.axvline(level[1], color="#888888", linestyle="--", linewidth=2.4, label=level[0], zorder=1)
    for row, values in enumerate(errors.values()):
        each = np.asarray(values, dtype=float).ravel()
        axes.plot(
            each,
            np.full(each.size, row),
            color="#56B4E9",
            marker="o",
            markersize=4,
            linestyle="none",
            zorder=2,
        )
        axes.plot(each.mean(), row, color="#D55E00", marker="D", markersize=7, linestyle="none", zorder=3)
    axes.plot([], [], color="#56B4E9", marker="o", markersize=4, linestyle="none", label="one repetition")
    axes.plot([], [], color="#D55E00", marker="D", markersize=7, linestyle="none", label="mean")
    axes.set(xlabel=xlabel, yticks=np.arange(len(errors)), yticklabels=list(errors))
    axes.set_xlim(left=0)
    axes.set_ylim(len(errors) - 0.5, -0.5)
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    return figure


@in_book_style
def partition_picture(problem: Problem) -> BookFigure:
    """Draw what each node holds: how many samples of either class, or its targets, node 1 on top.

    Parameters
    ----------
    problem : Problem

    Returns
    -------
    Figure

    Notes
    -----
    Source: none, a picture. Cost: none.

    Examples
    --------
    >>> problem = Problem.split([[1.0], [2.0]], [1.0, -1.0], [[0], [1]], "classification")
    >>> partition_picture(problem).axes[0].get_xlabel()
    'samples'
    """
    M, rows = problem.M, np.arange(1, problem.M + 1)
    figure = new_figure(size=(6.8, min(1.4 + 0.3 * M, 9.0)))
    axes = figure.axes[0]
    if problem.task == "classification":
        left = np.zeros(M)
        for label, shade, hatch in ((1, "#333333", ""), (-1, "#dddddd", "//")):
            count = np.array([(node.y == label).sum() for node in problem.nodes], dtype=float)
            style: dict[str, Any] = {"color": shade, "hatch": hatch, "edgecolor": "#333333", "linewidth": 0.6}
            axes.barh(rows, count, left=left, label=f"label {label:+d}", height=0.7, **style)
            left += count
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        figure.legend(loc="outside upper center", ncols=2)
    else:
        for row, node in zip(rows, problem.nodes, strict=True):
            axes.plot(
                node.y, np.full(node.N, row), color="#0072B2", marker="|", markersize=9, linestyle="none"
            )
    axes.set(xlabel="samples" if problem.task == "classification" else "target", ylabel="node")
    axes.set_ylim(M + 0.6, 0.4)
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(visible=False, axis="y")
    return figure
