"""Predicting characters by counting: what a model has to beat."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lgd_lib.users import Users
from lgd_lib.validation import Array


@dataclass(frozen=True, eq=False)
class CharacterScores:
    """How well the held-out characters of each user are predicted.

    Parameters
    ----------
    losses : ndarray, shape (M,)
        Mean of -ln p(character) over the user's held-out characters, in nats; NaN without any.
    right : ndarray, shape (M,)
        Share of them that are the most probable one: top-1 accuracy.
    counts : ndarray of int, shape (M,)
        How many they are.

    Examples
    --------
    >>> scores = CharacterScores(np.array([1.0, 4.0]), np.array([0.5, 0.0]), np.array([2, 1]))
    >>> scores.loss, round(scores.bits, 3)
    (2.0, 2.885)
    """

    losses: Array
    right: Array
    counts: NDArray[np.int64]

    @property
    def loss(self) -> float:
        """Mean over all held-out characters, in nats."""
        return _mean(self.losses, self.counts)

    @property
    def bits(self) -> float:
        """The same in bits."""
        return self.loss / float(np.log(2))

    @property
    def accuracy(self) -> float:
        """Top-1 accuracy over all held-out characters."""
        return _mean(self.right, self.counts)

    def quantiles(self, q: Sequence[float]) -> Array:
        """Return quantiles of the users' losses, in which each user counts once.

        Parameters
        ----------
        q : sequence of float

        Returns
        -------
        ndarray, shape (len(q),)
        """
        return np.asarray(np.quantile(self.losses[self.counts > 0], q))


def _mean(values: Array, counts: NDArray[np.int64]) -> float:
    some = counts > 0
    return float(values[some] @ counts[some] / counts.sum())


def counted(users: Users, before: int, smoothing: float = 0.1) -> CharacterScores:
    """Return how well counting in all users' training text predicts their held-out characters.

    p(b) = (n_b + s) / (n + s C) with none before; p(b | a) = (n_ab + s) / (n_a + s C) with one, where the n
    count characters b, after the character a, and C characters are known.

    Parameters
    ----------
    users : Users
        With an alphabet.
    before : {0, 1}
        Characters that the prediction sees: 0 for the unigram model, 1 for the bigram model.
    smoothing : float
        s, added to every count.

    Returns
    -------
    CharacterScores

    Raises
    ------
    ValueError
        If the users hold no text, before is neither 0 nor 1, or smoothing is not positive and finite.

    Notes
    -----
    Source: standard (additive smoothing). Cost: a pass over the text.

    Examples
    --------
    >>> X, y = np.array([[0, 1, 0, 1]], np.uint8), np.array([[1, 0, 1, 0]], np.uint8)
    >>> users = Users(("ann",), (), (X,), (y,), (X,), (y,), "ab")
    >>> round(counted(users, 0).loss, 3), counted(users, 1).accuracy
    (0.693, 1.0)
    """
    if not users.alphabet:
        raise ValueError("users hold no text; there are no characters to count")
    if before not in (0, 1):
        raise ValueError(f"before was {before!r}; it must be 0 or 1")
    if not 0 < smoothing < np.inf:
        raise ValueError(f"smoothing was {smoothing!r}; it must be positive and finite")
    C = len(users.alphabet)
    counts = np.full((C if before else 1, C), smoothing)
    for X, y in zip(users.X, users.y, strict=True):
        np.add.at(counts, _pairs(X, y, before), 1.0)
    log_p = np.log(counts / counts.sum(axis=1, keepdims=True))
    best = log_p.argmax(axis=1)
    held_out = [_pairs(X, y, before) for X, y in zip(users.X_test, users.y_test, strict=True)]
    mean = [(-log_p[a, b].mean(), (best[a] == b).mean()) if b.size else (np.nan, np.nan) for a, b in held_out]
    losses, right = np.array(mean).T
    return CharacterScores(losses, right, np.array([b.size for _, b in held_out]))


def _pairs(X: NDArray[Any], y: NDArray[Any], before: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """The character before each target, or zero, and the target."""
    last = X if y.ndim == X.ndim else X[:, -1]
    return (last.ravel() if before else np.zeros(y.size, np.int64)), y.ravel()
