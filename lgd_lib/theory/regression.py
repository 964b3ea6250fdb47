"""What the regression theorems predict: rates, every round's error, and limits outside interpolation."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from lgd_lib.local_solvers import GradientSteps
from lgd_lib.losses import squared
from lgd_lib.problems import Problem
from lgd_lib.row_space import numerical_rank
from lgd_lib.theory.spectra import averaged_projector_spectrum, weighted_directions
from lgd_lib.validation import Array, as_point, is_count


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


def regression_errors(
    problem: Problem,
    L: float | Sequence[float],
    eta: float | Sequence[float] | None,
    K: int,
    *,
    w0: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    beta: float = 1.0,
) -> Array:
    """Return ||w^k - w_inf|| for k = 1..K, all rounds from one decomposition.

    With P_bar(L) = Z diag(lam) Z^T, ||w^k - w_inf||^2 = sum_j (1 - beta lam_j)^(2k) (Z^T (w^0 - w_inf))_j^2:
    the dashed curve of the figures. (R3-errors)

    Parameters
    ----------
    problem : Problem
        Large d costs nothing on `problem.row_space(w0)`.
    L, eta, weights
        As for `regression_rate`.
    K : int
        Rounds.
    w0 : array_like, shape (d,), optional
        Zero by default.
    beta : float
        Server step, as in `ServerStep(beta)`.

    Returns
    -------
    ndarray, shape (K,)

    Raises
    ------
    ValueError
        If an argument does not fit.

    Notes
    -----
    Source: ours (R3), elementary. Cost: O(N^2 d) once, then N a round.

    Examples
    --------
    >>> import math
    >>> from lgd_lib.problems import Node
    >>> problem = Problem([Node([[1.0, 0.0]], [1.0]), Node([[0.0, 1.0]], [0.0])], "regression")
    >>> regression_errors(problem, math.inf, None, 3)
    array([0.5  , 0.25 , 0.125])
    """
    if not is_count(K):
        raise ValueError(f"K was {K!r}; it must be a whole number of at least 1")
    start = np.zeros(problem.d) if w0 is None else as_point("w0", w0, problem.d)
    C, h, rank = weighted_directions(problem, L, eta, weights)
    U, s, _ = _svd(C)
    U, s = U[:, :rank], s[:rank]
    gaps = U.T @ (h - C @ start) / s
    factors = np.abs(1 - beta * s**2)
    k = np.arange(1, K + 1)[:, None]
    return np.asarray(np.linalg.norm(factors**k * gaps, axis=1))


def regression_limit(
    problem: Problem,
    L: float | Sequence[float],
    eta: float | Sequence[float] | None = None,
    *,
    w0: ArrayLike | None = None,
    weights: ArrayLike | None = None,
) -> Array:
    """Return the limit of Local-GD from w0, whether or not the equations are consistent.

    The fixed point of the averaged map nearest to w0. Where X w = y is consistent it is the projection of w0
    on the interpolators for every L (R3-limit); outside interpolation it depends on L (R9-limit): for
    L = math.inf it minimises sum_i p_i dist^2(w, argmin f_i), for L = 1 it minimises sum_i p_i f_i.

    Parameters
    ----------
    problem : Problem
    L, eta, weights
        As for `regression_rate`.
    w0 : array_like, shape (d,), optional
        Zero by default.

    Returns
    -------
    ndarray, shape (d,)

    Raises
    ------
    ValueError
        If an argument does not fit.

    Notes
    -----
    Source: L = math.inf standard (Combettes 1994), fixed points of federated averaging by Pathak and
    Wainwright (2020). Cost: O(N^2 d).

    Examples
    --------
    >>> import math
    >>> from lgd_lib.problems import Node
    >>> problem = Problem([Node([[1.0]], [0.0]), Node([[2.0]], [2.0])], "regression")
    >>> regression_limit(problem, math.inf), regression_limit(problem, 1)
    (array([0.5]), array([0.8]))
    """
    start = np.zeros(problem.d) if w0 is None else as_point("w0", w0, problem.d)
    C, h, rank = weighted_directions(problem, L, eta, weights)
    U, s, Zt = _svd(C)
    return start + (U[:, :rank].T @ (h - C @ start) / s[:rank]) @ Zt[:rank]


def regression_bias(problem: Problem, L: int, eta: float) -> tuple[Array, Array]:
    """Return w_f = argmin f and the leading term of w_inf - w_f, outside interpolation. (R9-bias)

    (eta (L - 1) / 2) H_bar^-1 mean_i(H_i grad f_i(w_f)), with H_i = X_i^T X_i / N_i and f the mean of the
    nodes' mean losses; the rest is O((eta L)^2).

    Parameters
    ----------
    problem : Problem
        With rank X = d.
    L : int
        Local steps, the same at all nodes.
    eta : float
        Step size, the same at all nodes.

    Returns
    -------
    w_f : ndarray, shape (d,)
    bias : ndarray, shape (d,)

    Raises
    ------
    ValueError
        If the mean Hessian is singular (rank X < d), or L or eta does not fit.

    Notes
    -----
    Source: ours. Cost: O(N d^2).

    Examples
    --------
    >>> from lgd_lib.problems import Node
    >>> problem = Problem([Node([[1.0]], [0.0]), Node([[2.0]], [2.0])], "regression")
    >>> regression_bias(problem, 1, 0.1)
    (array([0.8]), array([0.]))
    """
    GradientSteps(eta, L).prepare(problem)
    scaled = [np.sqrt(1 / (problem.M * node.N)) for node in problem.nodes]
    A = np.concatenate([a * node.X for a, node in zip(scaled, problem.nodes, strict=True)])
    b = np.concatenate([a * node.y for a, node in zip(scaled, problem.nodes, strict=True)])
    U, s, Vt = _svd(A)
    if numerical_rank(s, A.shape) < problem.d:
        raise ValueError(f"problem has rank X < d = {problem.d}; the bias formula needs one minimiser of f")
    w_f = ((U.T @ b) / s) @ Vt
    pull = sum((squared.gradient(n, w_f) @ n.X.T @ n.X / n.N for n in problem.nodes), np.zeros(problem.d))
    return w_f, eta * (L - 1) / 2 * ((Vt @ pull / problem.M) / s**2) @ Vt


def _svd(A: Array) -> tuple[Array, Array, Array]:
    U, s, Vt = np.linalg.svd(A, full_matrices=False)
    return U, s, Vt
