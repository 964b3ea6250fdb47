"""What is predicted of many rounds with very many local steps: a plateau, and the slow way from it."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.integrate import solve_ivp
from scipy.optimize import brentq

from lgd_lib.local_flow import LocalFlow
from lgd_lib.losses import logistic
from lgd_lib.margins import signed_rows
from lgd_lib.margins.least_distance import UnitRows
from lgd_lib.margins.separability import refuse
from lgd_lib.margins.sweeping import Swept, sweep
from lgd_lib.problems import Problem
from lgd_lib.references import max_margin
from lgd_lib.validation import Array, as_point, as_real, as_weights

SUPPORT = 1e-9
"""Relative size of a multiplier above which its sample counts as a support vector."""


def departure(problem: Problem, plateau: ArrayLike, levels: ArrayLike) -> Array:
    """Return the predicted w^k / ln(H k) after the plateau, at levels sigma = ln(H k) / ln H.

    x(sigma) / sigma, where x(1) is the plateau and x is swept along by {w : y_j x_j^T w >= sigma} of all
    samples of all nodes. (V3-crossover)

    Parameters
    ----------
    problem : Problem
        For classification.
    plateau : array_like, shape (d,)
        The limit of `SweptMargin` (of `ExactMargin`, with one sample a node) with `Average`.
    levels : array_like, shape (n,)
        Each at least 1. Level 2 is round k = H; level 1 / theta is the end of a budget K L = B with
        L = B^theta and a fixed step size. (V4-budget)

    Returns
    -------
    ndarray, shape (n, d)

    Raises
    ------
    ValueError
        If the plateau does not fit, or a level is below 1.
    NotSeparableError, UndecidedError
        If the data are not separable.

    Notes
    -----
    Source: ours: leading order, with an error that tends to zero as H grows; that it does so like 1 / ln H
    is measured. ||x(sigma) / sigma - w_mm|| <= ||x(1) - w_mm|| / sigma always. Cost: that of `sweep` for the
    pooled data.

    Examples
    --------
    >>> from lgd_lib.problems import Node
    >>> problem = Problem([Node([[1.0, 0.0]], [1.0]), Node([[0.0, 1.0]], [1.0])], "classification")
    >>> departure(problem, [1.0, 3.0], [1.0, 2.0, 6.0])
    array([[1. , 3. ],
           [1. , 1.5],
           [1. , 1. ]])
    """
    sigma = as_real("levels", levels, ndim=1)
    if not (sigma >= 1).all():
        raise ValueError(f"levels has the entry {sigma.min()}; every level must be at least 1")
    start = as_point("plateau", plateau, problem.d)
    path = _swept(problem, start, float(sigma.max(initial=1.0)))
    return np.asarray((start + path.at(sigma)) / sigma[:, None])


def halving_level(problem: Problem, plateau: ArrayLike, share: float = 0.5) -> float:
    """Return the level sigma at which the distance to w_mm has fallen to a share of the plateau's.

    In rounds it is k = H^(sigma - 1); sigma is at most 1 / share, so that a half is reached by round H.
    (V3-crossover)

    Parameters
    ----------
    problem : Problem
        For classification.
    plateau : array_like, shape (d,)
        As for `departure`.
    share : float
        In (0, 1).

    Returns
    -------
    float
        In [1, 1 / share]; 1 if the plateau is w_mm itself.

    Raises
    ------
    ValueError
        If the share is not between 0 and 1, or the plateau does not fit.
    NotSeparableError, UndecidedError
        If the data are not separable.

    Notes
    -----
    Source: ours. Leading order in 1 / ln H, as `departure`. Cost: as `departure`, and `max_margin`.

    Examples
    --------
    >>> from lgd_lib.problems import Node
    >>> problem = Problem([Node([[1.0, 0.0]], [1.0]), Node([[0.0, 1.0]], [1.0])], "classification")
    >>> f"{halving_level(problem, [1.0, 3.0]):.6f}"
    '1.500000'
    """
    if not 0 < share < 1:
        raise ValueError(f"share was {share}; it must be between 0 and 1")
    start, w_mm = as_point("plateau", plateau, problem.d), max_margin(problem).w
    bias = float(np.linalg.norm(start - w_mm))
    if bias <= SUPPORT * float(np.linalg.norm(w_mm)):
        return 1.0
    path = _swept(problem, start, 1 / share)

    def excess(sigma: float) -> float:
        point = start + path.at(np.array([sigma]))[0]
        return float(np.linalg.norm(point / sigma - w_mm)) - share * bias

    if excess(1 / share) >= 0:  # rounding, where nothing moves towards w_mm
        return 1 / share
    return float(brentq(excess, 1.0, 1 / share, xtol=1e-14))


def late_rounds(problem: Problem, ln_H: float, w: ArrayLike, k: float, ln_rounds: ArrayLike) -> Array:
    """Return w at much later rounds of `LocalFlow` with `Average`, from w^k on.

    dw / d ln k = k (T(w) - w), where T is one round: rounds so small that they make a continuous path.

    Parameters
    ----------
    problem : Problem
        Samples of a node orthogonal to each other, as for `LocalFlow`.
    ln_H : float
    w : array_like, shape (d,)
        w^k.
    k : float
        At least 1; the later, the more accurate.
    ln_rounds : array_like, shape (n,)
        ln of the rounds asked for, ascending, none below ln k.

    Returns
    -------
    ndarray, shape (n, d)

    Raises
    ------
    ValueError
        If k is below 1, the rounds do not ascend from k, or as `LocalFlow`.

    Notes
    -----
    Source: ours. A round late in the run changes w by about w_mm / k, and the path leaves out terms of the
    order 1 / k^2 a round: 1 / k in all. Cost: some hundreds of stiff steps, whatever the rounds are.

    Examples
    --------
    >>> from lgd_lib.problems import Node
    >>> problem = Problem([Node([[1.0, 0.0]], [1.0])], "classification")
    >>> (late_rounds(problem, 2.0, [11.0, 0.0], np.exp(9.0), [9.0, 1000.0]) / [[11.0, 1.0]]).round(3)
    array([[ 1.   ,  0.   ],
           [91.091,  0.   ]])
    """
    times = as_real("ln_rounds", ln_rounds, ndim=1)
    if not k >= 1 or times.size == 0 or not (np.diff(times, prepend=np.log(k)) >= 0).all():
        raise ValueError(f"ln_rounds was {times.tolist()}; they must ascend from ln k, k at least 1, k = {k}")
    flow = LocalFlow(ln_H).prepare(problem)
    Z = flow.rows * flow.norms[:, None]
    share = 1 / (problem.M * flow.norms**2)

    def push(s: float, w: Array) -> Array:
        return np.asarray((share * np.exp(s + logistic.log_loss(Z @ w - flow.ceiling))) @ Z)

    def jacobian(s: float, w: Array) -> Array:
        return np.asarray(-(Z.T * (share * np.exp(s + logistic.log_slope(Z @ w - flow.ceiling)))) @ Z)

    start, span = as_point("w", w, problem.d), (float(np.log(k)), float(times[-1]) + 1e-9)
    run = solve_ivp(push, span, start, "LSODA", times, jac=jacobian, rtol=1e-9, atol=1e-9)
    return np.asarray(run.y.T)


def late_offset(problem: Problem, weights: ArrayLike | None = None) -> Array:
    """Return the constant beside the logarithm: w^k - ln(eta L k) w_mm tends to it on the support vectors.

    The shortest w with exp(-z_j^T w) = mu_j N_i / p_i for every support vector j, of node i, where
    w_mm = sum_j mu_j z_j. (V1-offset)

    Parameters
    ----------
    problem : Problem
        For classification.
    weights : array_like, shape (M,), optional
        p_i: positive, rescaled to sum 1; equal by default.

    Returns
    -------
    ndarray, shape (d,)

    Raises
    ------
    ValueError
        If the samples of margin 1 in w_mm depend linearly on each other or one of them has no positive
        multiplier (random data never do that), or the weights do not fit.
    NotSeparableError, UndecidedError
        If the data are not separable.

    Notes
    -----
    Source: the form is that of Soudry et al. (2018) for one node; for Local-GD ours. For the exponential or
    the logistic loss, each node's loss the mean over its N_i samples. Orthogonally to the support vectors the
    model keeps what the first rounds gave it. Cost: as `max_margin`, and one least-squares problem.

    Examples
    --------
    >>> from lgd_lib.problems import Node
    >>> problem = Problem([Node([[1.0, 0.0]], [1.0]), Node([[0.0, 1.0]], [1.0])], "classification")
    >>> late_offset(problem)
    array([-0.69314718, -0.69314718])
    """
    p, best, rows = as_weights(weights, problem.M), max_margin(problem), signed_rows(problem.pooled)
    mu = best.multipliers
    support, tight = mu > SUPPORT * mu.max(), rows @ best.w <= 1 + SUPPORT
    Z = rows[support]
    if support.sum() < tight.sum() or np.linalg.matrix_rank(Z) < len(Z):
        raise ValueError(
            f"problem has {tight.sum()} samples of margin 1 in w_mm, {len(Z)} of them with a positive "
            "multiplier; they must be the same and linearly independent for the constant to be known"
        )
    sizes = np.array(problem.sizes)
    share = np.repeat(p / sizes, sizes)[support]
    return np.asarray(np.linalg.lstsq(Z, np.log(share / mu[support]), rcond=None)[0])


def _swept(problem: Problem, start: Array, level: float) -> Swept:
    Z = signed_rows(problem.pooled)
    path = sweep(UnitRows.of(Z), Z @ start, level)
    if path is None:
        refuse(Z, Z, "the pooled data")
    return path
