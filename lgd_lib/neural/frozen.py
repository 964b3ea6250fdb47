"""Frozen features of chosen pictures: what the last layer of a pretrained network is trained on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lgd_lib.datasets import standardise, with_constant
from lgd_lib.pictures import Pictures
from lgd_lib.validation import Array

Indices = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Frozen:
    """Features of pictures, and which of them each seed trains and tests on.

    Parameters
    ----------
    X : ndarray, shape (n, d)
        As the network gives them.
    y : ndarray of int, shape (n,)
        Classes 0..C-1.
    groups : ndarray of int, shape (n,), or None
        The natural node of each picture.
    splits : mapping of int to (ndarray, ndarray)
        Seed to the rows to train on and those to test on.

    Examples
    --------
    >>> one = np.array([0])
    >>> Frozen(np.eye(2), np.arange(2), None, {0: (np.arange(2), one)}).prepared(0)[2].shape
    (1, 3)
    """

    X: Array
    y: Indices
    groups: Indices | None
    splits: Mapping[int, tuple[Indices, Indices]]

    def prepared(self, seed: int) -> tuple[Array, Indices, Array, Indices]:
        """Return rows and classes to train on, then those to test on.

        Features are standardised on the training rows; a constant feature, whose weight is the bias, is
        added; all are divided by the root of their number, so that rows have a norm near 1.

        Parameters
        ----------
        seed : int

        Returns
        -------
        X, y, X_test, y_test : ndarray
            With d + 1 columns.
        """
        train, test = self.splits[seed]
        fitted, others = standardise(self.X[train], self.X[test])
        scale = np.sqrt(self.X.shape[1])
        return with_constant(fitted) / scale, self.y[train], with_constant(others) / scale, self.y[test]


def freeze(
    pictures: Pictures,
    extract: Callable[[Pictures], Array],
    classes: Sequence[int],
    samples: int,
    tests: int,
    seeds: Sequence[int],
) -> Frozen:
    """Choose pictures for every seed and extract the features of those that are needed.

    Parameters
    ----------
    pictures : Pictures
    extract : callable
        Pictures to features; `features` with its backbone.
    classes : sequence of int
        Which of the pictures' classes; they become 0, 1, 2, ...
    samples, tests : int
        Pictures of each class to train on and, from those held out, to test on.
    seeds : sequence of int

    Returns
    -------
    Frozen

    Raises
    ------
    ValueError
        If a class has too few pictures.

    Notes
    -----
    Cost: that of `extract`, for the pictures that some seed needs.

    Examples
    --------
    >>> from lgd_lib.datasets import load_pictures
    >>> mean = lambda pictures: pictures.images.reshape(pictures.N, 28, 28).mean(axis=2)
    >>> freeze(load_pictures("fashion"), mean, (0, 3), samples=5, tests=2, seeds=(0,)).X.shape
    (14, 28)
    """
    rows_of = {seed: chosen(pictures, classes, samples, tests, seed) for seed in seeds}
    needed = np.unique(np.concatenate([rows for pair in rows_of.values() for rows in pair]))
    some = pictures.take(needed)
    y = np.searchsorted(np.sort(classes), some.labels)
    splits = {
        seed: (np.searchsorted(needed, train), np.searchsorted(needed, test))
        for seed, (train, test) in rows_of.items()
    }
    return Frozen(extract(some), y, some.groups, splits)


def chosen(
    pictures: Pictures, classes: Sequence[int], samples: int, tests: int, seed: int
) -> tuple[Indices, Indices]:
    """Return which pictures a seed trains on, and which of those held out it tests on.

    Parameters
    ----------
    pictures : Pictures
    classes : sequence of int
    samples, tests : int
        Pictures of each class.
    seed : int

    Returns
    -------
    train, test : ndarray of int
        Class by class.

    Raises
    ------
    ValueError
        If a class has too few pictures.

    Notes
    -----
    Cost: none that counts.

    Examples
    --------
    >>> from lgd_lib.datasets import load_pictures
    >>> train, test = chosen(load_pictures("fashion"), (0, 3), samples=5, tests=2, seed=0)
    >>> train.size, test.size
    (10, 4)
    """
    rng = np.random.default_rng(seed)
    parts: tuple[list[Indices], list[Indices]] = ([], [])
    for c in sorted(classes):
        own = pictures.labels == c
        for held_out, asked, part in ((False, samples, parts[0]), (True, tests, parts[1])):
            there = rng.permutation(np.flatnonzero(own & (pictures.held_out == held_out)))
            if there.size < asked:
                kind = "held-out pictures" if held_out else "pictures to train on"
                raise ValueError(
                    f"{'tests' if held_out else 'samples'} was {asked}; class {c} of {pictures.name!r} has "
                    f"{there.size} {kind}"
                )
            part.append(there[:asked])
    return np.concatenate(parts[0]), np.concatenate(parts[1])
