"""Step sizes, and the spectrum of the averaged projector."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from lgd_lib.local_solvers import GradientSteps, squared_steps, step_limit
from lgd_lib.problems import Problem
from lgd_lib.projections import factor
from lgd_lib.row_space import numerical_rank
from lgd_lib.validation import Array, as_weights, is_count, per_node


def largest_step(problem: Problem) -> float:
    """Return min_i 2 N_i / sigma_max(X_i)^2: below it, gradient descent converges at every node.

    At half of it no direction overshoots at any node.

    Parameters
    ----------
    problem : Problem

    Returns
    -------
    float

    Notes
    -----
    Source: standard; condition of R1. Cost: one decomposition a node.

    Examples
    --------
    >>> from lgd_lib.problems import Node
    >>> round(largest_step(Problem([Node([[2.0, 0.0]], [1.0])], "regression")), 12)
    0.5
    """
    return min(step_limit(factor(node), node.N) for node in problem.nodes)


def averaged_projector_spectrum(
    problem: Problem,
    L: float | Sequence[float],
    eta: float | Sequence[float] | None = None,
    *,
    weights: ArrayLike | None = None,
) -> Array:
    """Return the nonzero eigenvalues of the averaged projector P_bar(L), ascending.

    P_bar(L) = sum_i p_i V_i (1 - (1 - eta lambda_ij)^L) V_i^T, where
    lambda_ij and V_i are the eigenvalues and eigenvectors of X_i^T X_i / N_i. For L = math.inf this is the
    average of the nodes' row-space projectors.

    Parameters
    ----------
    problem : Problem
    L : int, math.inf, or one for each node
        Local steps.
    eta : float or one for each node, optional
        Step size; half of `largest_step` by default. Does not matter for L = math.inf.
    weights : sequence of M positive numbers, optional
        p_i; equal by default.

    Returns
    -------
    ndarray, shape (rank X,)

    Raises
    ------
    ValueError
        If L, eta or the weights do not fit, as for `GradientSteps` and `rounds`.

    Notes
    -----
    Source: ours (R3), elementary. Computed as squared singular values, so that small ones keep their
    digits. Cost: O(N^2 d); on `problem.row_space()` O(N^3).

    Examples
    --------
    >>> import math
    >>> from lgd_lib.problems import Node
    >>> problem = Problem([Node([[1.0, 0.0]], [1.0]), Node([[0.0, 1.0]], [2.0])], "regression")
    >>> averaged_projector_spectrum(problem, math.inf)
    array([0.5, 0.5])
    """
    C, _, rank = weighted_directions(problem, L, eta, weights)
    return _singular_values(C)[:rank][::-1] ** 2


def gaussian_spectrum_edges(M: int, c: float) -> tuple[float, float]:
    """Return the edges of the averaged projector's nonzero spectrum for Gaussian nodes in high dimension.

    (sqrt(1 - c) -+ sqrt(c (M - 1)))^2 / M: for L = math.inf, M nodes of N_i = c d isotropic Gaussian rows
    each, d -> infinity, the eigenvalues fill the interval between them. One node has one projector, and
    its nonzero eigenvalues are all 1. (R5-edges)

    Parameters
    ----------
    M : int
        Number of nodes.
    c : float
        N_i / d, with 0 < M c < 1.

    Returns
    -------
    (float, float)

    Raises
    ------
    ValueError
        If M is no whole number of at least 1, or M c is outside (0, 1).

    Notes
    -----
    Source: standard; free probability, a sum of M free projections (Kesten-McKay). Cost: none.

    Examples
    --------
    >>> [round(edge, 12) for edge in gaussian_spectrum_edges(2, 0.2)]
    [0.1, 0.9]
    """
    if not is_count(M):
        raise ValueError(f"M was {M!r}; it must be a whole number of at least 1")
    if not 0 < M * c < 1:
        raise ValueError(f"c was {c!r}; it must satisfy 0 < M c < 1, that is 0 < c < {1 / M:.6g}")
    if M == 1:
        return 1.0, 1.0
    inner, outer = np.sqrt(1 - c), np.sqrt(c * (M - 1))
    return float((inner - outer) ** 2 / M), float((inner + outer) ** 2 / M)


def weighted_directions(
    problem: Problem,
    L: float | Sequence[float],
    eta: float | Sequence[float] | None,
    weights: ArrayLike | None,
) -> tuple[Array, Array, int]:
    """Return C and h with P_bar(L) = C^T C, a round being w - C^T (C w - h), and the rank of C.

    Parameters
    ----------
    problem, L, eta, weights
        As for `averaged_projector_spectrum`.

    Returns
    -------
    C : ndarray, shape (R, d)
        The directions of all nodes, each times sqrt(p_i phi_j).
    h : ndarray, shape (R,)
    rank : int
        Rank of the pooled rows.

    Notes
    -----
    Source: ours, elementary. Cost: one decomposition a node, and one of their directions together.

    Examples
    --------
    >>> import math
    >>> from lgd_lib.problems import Node
    >>> weighted_directions(Problem([Node([[2.0]], [6.0])], "regression"), math.inf, None, None)[1] ** 2
    array([9.])
    """
    p = as_weights(weights, problem.M)
    if eta is None:
        eta = min(largest_step(problem), np.finfo(float).max) / 2  # the largest is infinite for rows of zeros
    given = GradientSteps(eta, L)
    sizes, steps = per_node("eta", given.eta, problem.M), per_node("L", given.L, problem.M)
    solve = squared_steps(problem, sizes, steps)
    rank = numerical_rank(_singular_values(solve.Vt), solve.Vt.shape)
    shares = np.repeat(p, np.diff(solve.ends))
    return np.sqrt(shares * solve.phi)[:, None] * solve.Vt, np.sqrt(shares / solve.phi) * solve.target, rank


def _singular_values(A: Array) -> Array:
    return np.asarray(np.linalg.svd(A, compute_uv=False), dtype=np.float64)
