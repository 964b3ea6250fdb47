"""Figures of users who hold text: how much, and for whom a model predicts it well."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from lgd_lib.plotting import METHODS, THEORY, BookFigure, in_book_style, new_figure


@in_book_style
def amounts_figure(amounts: ArrayLike, *, ylabel: str) -> BookFigure:
    """Draw how much each user holds, from the most to the least.

    Parameters
    ----------
    amounts : array_like, shape (M,)
    ylabel : str

    Returns
    -------
    Figure

    Notes
    -----
    Cost: a sort.

    Examples
    --------
    >>> figure = amounts_figure([3, 100, 20], ylabel="characters")
    >>> figure.axes[0].lines[0].get_ydata().tolist()
    [100, 20, 3]
    """
    figure = new_figure(size=(6.4, 3.4))
    axes = figure.axes[0]
    held = np.sort(np.asarray(amounts))[::-1]
    axes.plot(np.arange(1, held.size + 1), held, color="#4477AA", marker=".", linestyle="none")
    axes.axhline(float(held.mean()), color="black", linestyle=":", linewidth=1.0, label="mean")
    axes.set(yscale="log", xlabel="users, from the most to the least", ylabel=ylabel)
    axes.legend()
    return figure


@in_book_style
def shares_figure(losses: Mapping[str, ArrayLike], levels: Mapping[str, float]) -> BookFigure:
    """Draw for each method the share of users whose loss is at most a value.

    Parameters
    ----------
    losses : mapping of str to array_like, shape (M,)
        Keys of `METHODS` to the users' losses.
    levels : mapping of str to float
        Name to a loss, drawn dashed.

    Returns
    -------
    Figure

    Notes
    -----
    Cost: a sort.

    Examples
    --------
    >>> shares_figure({"L=1": [2.0, 1.0]}, {}).axes[0].lines[0].get_xdata().tolist()
    [1.0, 2.0]
    """
    figure = new_figure(size=(6.4, 4.6))
    axes = figure.axes[0]
    for n, (name, value) in enumerate(levels.items()):
        level: dict[str, Any] = THEORY | {"linestyle": ("--", ":")[n % 2]}
        axes.axvline(value, label=name, zorder=1, **level)
    for name, own in losses.items():
        look, found = METHODS[name], np.sort(np.asarray(own, dtype=float))
        style: dict[str, Any] = {"color": look.color, "linestyle": look.linestyle, "label": look.label}
        share = np.arange(1, found.size + 1) / found.size
        axes.plot(found, share, marker=look.marker, markevery=max(1, found.size // 8), **style)
    axes.set(xlabel="held-out loss of a user (nats a character)", ylabel="share of users")
    figure.legend(*axes.get_legend_handles_labels(), loc="outside upper center", ncols=3)
    return figure


@in_book_style
def by_amount_figure(amounts: ArrayLike, losses: Mapping[str, ArrayLike], *, xlabel: str) -> BookFigure:
    """Draw each user's loss against how much the user holds.

    Parameters
    ----------
    amounts : array_like, shape (M,)
    losses : mapping of str to array_like, shape (M,)
        Keys of `METHODS` to the users' losses.
    xlabel : str

    Returns
    -------
    Figure

    Notes
    -----
    Cost: none.

    Examples
    --------
    >>> figure = by_amount_figure([10, 20], {"local": [3.0, 2.5]}, xlabel="characters")
    >>> figure.axes[0].get_xscale()
    'log'
    """
    figure = new_figure(size=(6.4, 4.6))
    axes = figure.axes[0]
    for name, own in losses.items():
        look = METHODS[name]
        axes.plot(
            amounts, own, color=look.color, marker=look.marker, label=look.label, linestyle="none", alpha=0.7
        )
    axes.set(xscale="log", xlabel=xlabel, ylabel="held-out loss (nats a character)")
    figure.legend(*axes.get_legend_handles_labels(), loc="outside upper center", ncols=3)
    return figure
