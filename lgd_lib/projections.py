"""Projections on the affine sets of regression, and what L gradient steps make of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lgd_lib.problems import Node, Problem
from lgd_lib.row_space import numerical_rank
from lgd_lib.validation import Array


@dataclass(frozen=True, eq=False)
class Factors:
    """The singular value decomposition X = U diag(s) Vt of a node's rows, cut at their rank r.

    Parameters
    ----------
    U : ndarray, shape (N, r)
    s : ndarray, shape (r,)
        Descending and positive.
    Vt : ndarray, shape (r, d)
        Orthonormal rows that span the node's row space: P = Vt^T Vt.

    Examples
    --------
    >>> f = Factors(np.array([[1.0]]), np.array([5.0]), np.array([[0.6, 0.8]]))
    >>> f.U * f.s @ f.Vt
    array([[3., 4.]])
    """

    U: Array
    s: Array
    Vt: Array


def factor(node: Node) -> Factors:
    """Return the singular value decomposition of a node's rows, cut at their numerical rank.

    Parameters
    ----------
    node : Node

    Returns
    -------
    Factors

    Notes
    -----
    Source: standard. Cost: O(N d min(N, d)) once. The condition number is not squared.

    Examples
    --------
    >>> factor(Node([[3.0, 4.0], [6.0, 8.0]], [1.0, 2.0])).s.size
    1
    """
    U, s, Vt = np.linalg.svd(node.X, full_matrices=False)
    rank = numerical_rank(s, node.X.shape)
    return Factors(U[:, :rank], s[:rank], Vt[:rank])


def step_filter(s: Array, N: int, eta: float, L: float) -> Array:
    """Return 1 - (1 - eta s^2 / N)^L, the share of its way to the node's solution that L steps go.

    Along the singular direction of s, gradient descent on ||X w - y||^2 / (2 N) shrinks the distance to
    the solution by 1 - eta s^2 / N a step.

    Parameters
    ----------
    s : ndarray, shape (r,)
        Positive singular values of X.
    N : int
        Samples of the node.
    eta : float
        Step size, with 0 < eta s^2 / N < 2. Not used when L is infinite.
    L : int or math.inf
        Local steps.

    Returns
    -------
    ndarray, shape (r,)
        Exactly 1 for L = math.inf.

    Notes
    -----
    Source: standard. Where eta s^2 / N is small, 1 - (1 - x)^L is computed as -expm1(L log1p(-x)), which
    keeps its digits. Cost: r powers, whatever L is.

    Examples
    --------
    >>> step_filter(np.array([1.0, 2.0]), N=4, eta=0.5, L=2)
    array([0.234375, 0.75    ])
    """
    if np.isinf(L):
        return np.ones_like(s)
    x = eta * s**2 / N
    small = x < 0.5
    return np.where(small, -np.expm1(L * np.log1p(-np.where(small, x, 0.0))), 1 - (1 - x) ** L)


def onto_interpolators(node: Node, w: Array) -> Array:
    """Return the point of argmin f_i nearest to w: w + X^+ (y - X w).

    It interpolates, X w = y, whenever some point does; otherwise it solves least squares. (R1-projection)

    Parameters
    ----------
    node : Node
    w : ndarray, shape (d,)

    Returns
    -------
    ndarray, shape (d,)

    Notes
    -----
    Source: standard; the paper's local problem at L = infinity. Cost: one decomposition, O(N d min(N, d)).
    For many points use `ExactProjection`, which decomposes once.

    Examples
    --------
    >>> onto_interpolators(Node([[1.0, 0.0]], [2.0]), np.array([0.0, 5.0]))
    array([2., 5.])
    """
    f = factor(node)
    return w + (f.U.T @ (node.y - node.X @ w) / f.s) @ f.Vt


def one_target(problem: Problem) -> Problem:
    """Return the problem unless it has several classes, whose numbers are no targets to be fitted.

    Parameters
    ----------
    problem : Problem

    Returns
    -------
    Problem

    Raises
    ------
    ValueError
        If the task is "multiclass".

    Notes
    -----
    Source: none needed. Cost: none.

    Examples
    --------
    >>> one_target(Problem([Node([[1.0]], [2.0])], "regression"))
    Problem(regression, M=1, N=1, d=1)
    """
    if problem.task == "multiclass":
        raise ValueError(
            "problem has the task 'multiclass'; the squared loss needs one target or label -1, +1"
        )
    return problem
