"""Several classes as margins: (w_y - w_c)^T x >= 1 for every sample and every class that is not its own."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lgd_lib.problems import Node, Problem
from lgd_lib.validation import Array, as_real


def multiclass_margins(nodes: Problem | Sequence[Node]) -> Problem:
    """Return the problem of separating several classes with margin 1 as one of classification.

    W separates a sample (x, y) with margin 1 if (w_y - w_c)^T x >= 1 for every class c other than y. For the
    vector of the rows of W these are conditions <(e_y - e_c) (x) x, W> >= 1: samples of classification with
    the label +1. Every method, reference and certificate of classification serves for them. (N1-margins)

    Parameters
    ----------
    nodes : Problem or sequence of Node
        With the task "multiclass", or nodes with labels 0..C-1. C is counted over all nodes; a node may hold
        samples of one class only.

    Returns
    -------
    Problem
        For classification: node i has N_i (C - 1) rows of length C d, those of a sample together, in the
        order of c. Its points are the vectors of the rows of W, as for the problem itself.

    Raises
    ------
    TypeError, ValueError
        As `Problem` with the task "multiclass"; ValueError if a problem of another task is given.

    Notes
    -----
    Source: standard (Crammer and Singer 2001, without slack; Soudry et al. 2018 for the softmax loss).
    Cost: N (C - 1) C d numbers: give it `problem.row_space()`'s small problem, where d is at most N.

    Examples
    --------
    >>> nodes = [Node([[2.0]], [0.0]), Node([[-1.0]], [2.0])]
    >>> multiclass_margins(nodes).pooled.X
    array([[ 2., -2.,  0.],
           [ 2.,  0., -2.],
           [ 1.,  0., -1.],
           [ 0.,  1., -1.]])
    """
    problem = nodes if isinstance(nodes, Problem) else Problem(tuple(nodes), "multiclass")
    if problem.task != "multiclass":
        raise ValueError(f"nodes has the task {problem.task!r}; it must have the task 'multiclass'")
    parts = tuple(_margin_rows(node, problem.classes) for node in problem.nodes)
    return Problem(parts, "classification", problem.d_sent)


def _margin_rows(node: Node, C: int) -> Node:
    y = node.y.astype(int)
    others = np.nonzero(np.arange(C) != y[:, None])[1].reshape(node.N, C - 1)
    rows = np.zeros((node.N, C - 1, C, node.d))
    rows[np.arange(node.N), :, y] = node.X[:, None, :]
    rows[np.arange(node.N)[:, None], np.arange(C - 1), others] = -node.X[:, None, :]
    return Node(rows.reshape(-1, C * node.d), np.ones(node.N * (C - 1)))


def predict(X: ArrayLike, w: ArrayLike) -> NDArray[np.int64]:
    """Return the class with the largest score w_c^T x for each row x of X.

    Parameters
    ----------
    X : array_like, shape (n, d)
    w : array_like, shape (C d,)
        The vector of the rows of W.

    Returns
    -------
    ndarray of int, shape (n,)
        The smallest such class where several scores are equal.

    Raises
    ------
    TypeError, ValueError
        If X is no finite matrix, or the length of w is no multiple of d.

    Notes
    -----
    Source: standard. Cost: one product.

    Examples
    --------
    >>> predict([[2.0, 0.0], [0.0, 1.0]], [1.0, 0.0, 0.0, 1.0])
    array([0, 1])
    """
    X, w = as_real("X", X, ndim=2), as_real("w", w, ndim=1)
    if w.size == 0 or w.size % X.shape[1]:
        raise ValueError(f"w has length {w.size}; it must be a multiple of the {X.shape[1]} columns of X")
    return np.asarray(np.argmax(X @ w.reshape(-1, X.shape[1]).T, axis=1))


def worst_margin(problem: Problem, w: Array) -> float:
    """Return min over samples and classes of (w_y - w_c)^T x / ||W||: the margin that W attains.

    Parameters
    ----------
    problem : Problem
        With the task "multiclass".
    w : ndarray, shape (C d,)

    Returns
    -------
    float
        Positive if W names the right class for every sample; NaN for W = 0.

    Notes
    -----
    Source: standard. Cost: one product with the pooled data; the rows of `multiclass_margins` are not formed.

    Examples
    --------
    >>> problem = Problem([Node([[2.0, 0.0], [0.0, 1.0]], [0.0, 1.0])], "multiclass")
    >>> round(worst_margin(problem, np.array([1.0, 0.0, 0.0, 1.0])), 12) == round(2**-0.5, 12)
    True
    """
    pooled = problem.pooled
    own = (np.arange(pooled.N), pooled.y.astype(int))
    scores = pooled.X @ w.reshape(problem.classes, problem.d).T
    mine = scores[own]
    scores[own] = -np.inf
    length = float(np.linalg.norm(w))
    return float((mine - scores.max(axis=1)).min()) / length if length else float("nan")
