"""What the theorems predict: rates, spectra and step sizes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from lgd_lib.local_solvers import GradientSteps, step_limit
from lgd_lib.problems import Problem
from lgd_lib.projections import factor
from lgd_lib.row_space import numerical_rank
from lgd_lib.validation import Array, as_weights


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
    p = as_weights(weights, problem.M)
    solve = GradientSteps(largest_step(problem) / 2 if eta is None else eta, L).prepare(problem)
    rank = numerical_rank(_singular_values(solve.Vt), solve.Vt.shape)
    shares = np.repeat(p, np.diff(solve.ends)) * solve.phi
    return _singular_values(np.sqrt(shares)[:, None] * solve.Vt)[:rank][::-1] ** 2


def regression_rate(
    problem: Problem,
    L: float | Sequence[float],
    eta: float | Sequence[float] | None = None,
    *,
    weights: ArrayLike | None = None,
) -> float:
    """Return the factor by which a round of Local-GD shrinks the distance to its limit, at worst.

    ||w^k - w_c|| <= rate^k ||w^0 - w_c||, rate = max(1 - l_min, l_max - 1), with l_min and l_max the smallest
    nonzero and the largest eigenvalue of P_bar(L). (R2-rate)

    Parameters
    ----------
    problem : Problem
    L : int, math.inf, or one for each node
    eta : float or one for each node, optional
        Half of `largest_step` by default; l_max <= 1 then.
    weights : sequence of M positive numbers, optional

    Returns
    -------
    float
        In [0, 1).

    Raises
    ------
    ValueError
        As `averaged_projector_spectrum`.

    Notes
    -----
    Source: ours, elementary; for L = math.inf it is 1 - lambda_min^+(P_bar). Cost: as
    `averaged_projector_spectrum`.

    Examples
    --------
    >>> import math
    >>> from lgd_lib.problems import Node
    >>> problem = Problem([Node([[1.0, 0.0]], [1.0]), Node([[0.0, 1.0]], [2.0])], "regression")
    >>> round(regression_rate(problem, math.inf), 12)
    0.5
    """
    spectrum = averaged_projector_spectrum(problem, L, eta, weights=weights)
    if spectrum.size == 0:
        return 0.0
    return float(max(1 - spectrum[0], spectrum[-1] - 1, 0.0))


def _singular_values(A: Array) -> Array:
    return np.asarray(np.linalg.svd(A, compute_uv=False), dtype=np.float64)
