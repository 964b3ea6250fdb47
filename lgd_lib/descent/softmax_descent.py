"""Gradient descent on the softmax loss in Gram coordinates, several nodes side by side."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lgd_lib.descent.batches import batches
from lgd_lib.protocol import Streams
from lgd_lib.validation import Array


@dataclass(frozen=True, eq=False)
class Group:
    """Nodes whose steps are taken side by side; shorter nodes are filled up with samples of zeros.

    Parameters
    ----------
    nodes : ndarray of int, shape (m,)
    gram : ndarray, shape (m, n, n)
        X_i X_i^T.
    labels : ndarray of int, shape (m, n)
    sizes : ndarray of int, shape (m,)
        N_i.
    eta : ndarray, shape (m,)

    Examples
    --------
    >>> one = np.array([1])
    >>> Group(np.array([0]), np.ones((1, 1, 1)), one[None], one, np.ones(1)).part(np.array([0])).sizes
    array([1])
    """

    nodes: NDArray[np.int64]
    gram: Array
    labels: NDArray[np.int64]
    sizes: NDArray[np.int64]
    eta: Array

    def part(self, here: NDArray[np.int64]) -> Group:
        """The nodes in these places; the group itself, uncopied, if they are all.

        Parameters
        ----------
        here : ndarray of int

        Returns
        -------
        Group
        """
        if here.size == self.nodes.size:
            return self
        return Group(self.nodes[here], self.gram[here], self.labels[here], self.sizes[here], self.eta[here])


Walk = Callable[[Group, Array, Array, Streams], Array]
"""From a group, its nodes' L, their scores and streams to the coefficients, of shape (m, C, n)."""


def descend(group: Group, L: Array, scores: Array, streams: Streams) -> Array:
    """Return the coefficients A of L gradient steps from A = 0, for the nodes of a group side by side.

    Parameters
    ----------
    group : Group
    L : ndarray, shape (m,)
    scores : ndarray, shape (m, C, n)
        W X^T before the first step.
    streams : callable
        Not used: nothing is drawn.

    Returns
    -------
    ndarray, shape (m, C, n)

    Notes
    -----
    Source: standard. Cost: m C n^2 a step.

    Examples
    --------
    >>> one = np.ones((1, 1, 1))
    >>> group = Group(np.array([0]), one, np.array([[1]]), np.array([1]), np.ones(1))
    >>> descend(group, np.ones(1), np.zeros((1, 2, 1)), np.random.default_rng)[0, :, 0]
    array([-0.5,  0.5])
    """
    within = np.arange(group.labels.shape[1]) < group.sizes[:, None]
    step = np.where(within, (group.eta / group.sizes)[:, None], 0.0)[:, None, :]
    A, now, own = np.zeros_like(scores), scores, group.labels[:, None, :]
    for t in range(int(L.max())):
        taken = step if t < L.min() else step * (t < L)[:, None, None]
        A -= taken * excess(now, own)
        now = scores + A @ group.gram
    return A


def excess(scores: Array, own: NDArray[np.int64]) -> Array:
    """Return q - e_y, the probabilities less the right answer; the own entry is minus the sum of the others.

    Parameters
    ----------
    scores : ndarray, shape (m, C, n)
    own : ndarray of int, shape (m, 1, n)
        The right classes.

    Returns
    -------
    ndarray, shape (m, C, n)

    Notes
    -----
    A sample that is right by a margin of 700 still has its excess of e^-700. Cost: m C n exponentials.

    Examples
    --------
    >>> excess(np.array([[[0.0], [100.0]]]), np.array([[[1]]]))[0, :, 0] == [np.exp(-100), -np.exp(-100)]
    array([ True,  True])
    """
    q: Array = np.exp(scores - scores.max(axis=1, keepdims=True))
    right = np.take_along_axis(q, own, axis=1)
    np.put_along_axis(q, own, 0.0, axis=1)
    wrong = q.sum(axis=1, keepdims=True)
    q /= wrong + right
    np.put_along_axis(q, own, -wrong / (wrong + right), axis=1)
    return q


def drawn_softmax(
    batch_size: int, replace: bool, group: Group, L: Array, scores: Array, streams: Streams
) -> Array:
    """Return the coefficients of stochastic gradient steps on the softmax loss, nodes side by side.

    A = 0; in each step, for j in the batch B: A_j <- A_j - (eta / size of B) (q - e_y)_j.

    Parameters
    ----------
    batch_size : int
    replace : bool
    group : Group
    L : ndarray, shape (m,)
    scores : ndarray, shape (m, C, n)
        W X^T before the first step.
    streams : callable

    Returns
    -------
    ndarray, shape (m, C, n)

    Notes
    -----
    Cost: m batch_size C n operations a step.

    Examples
    --------
    >>> one = np.ones((1, 1, 1))
    >>> group = Group(np.array([0]), one, np.array([[1]]), np.array([1]), np.ones(1))
    >>> drawn_softmax(1, True, group, np.ones(1), np.zeros((1, 2, 1)), np.random.default_rng)[0, :, 0]
    array([-0.5,  0.5])
    """
    (m, C, n), steps = scores.shape, int(L.max())
    B = np.full((steps, m, batch_size), -1)
    for row, (i, N) in enumerate(zip(group.nodes, group.sizes, strict=True)):
        drawn = batches(streams(int(i)), int(N), batch_size, int(L[row]), replace)
        B[: int(L[row]), row] = np.concatenate(list(drawn))
    h = (B >= 0) * (group.eta[:, None] / np.maximum((B >= 0).sum(axis=2, keepdims=True), 1))
    first, A = n * np.arange(m)[:, None], np.zeros((m, n, C))  # the classes last: samples are picked
    start, gram = scores.transpose(0, 2, 1).reshape(m * n, C), group.gram.reshape(m * n, n)
    for own, size in zip(np.maximum(B, 0) + first, h, strict=True):
        now = (start[own] + gram[own] @ A).transpose(0, 2, 1)
        right = group.labels.reshape(-1)[own][:, None, :]
        moves = size[:, None, :] * excess(now, right)
        np.subtract.at(A.reshape(m * n, C), own.reshape(-1), moves.transpose(0, 2, 1).reshape(-1, C))
    return A.transpose(0, 2, 1)
