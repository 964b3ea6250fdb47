"""Rounds that no loop can reach: the path that late rounds make, and how far the prediction misses it."""

from __future__ import annotations

from itertools import islice
from numbers import Real

import numpy as np
from numpy.typing import ArrayLike
from scipy.integrate import solve_ivp

from lgd_lib.aggregation import Average
from lgd_lib.local_flow import LocalFlow
from lgd_lib.losses import logistic
from lgd_lib.problems import Problem
from lgd_lib.runner import rounds
from lgd_lib.theory.limits import departure
from lgd_lib.validation import Array, as_point, as_real

EARLY = 100
"""Rounds that `beyond_leading` takes one by one."""
LARGEST = 300.0
"""Largest ln of a push that `late_rounds` lets its solver see; on the path itself it is of the order ln k."""


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
        If k is below 1 or not finite, the rounds do not ascend from k, or as `LocalFlow`.
    ArithmeticError
        If the path cannot be followed.

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
    if not isinstance(k, Real) or not 1 <= k < np.inf:
        raise ValueError(f"k was {k!r}; it must be a round, at least 1 and finite")
    if times.size == 0 or not (np.diff(times, prepend=np.log(k)) >= 0).all():
        raise ValueError(f"ln_rounds was {times.tolist()}; they must ascend from ln k = {np.log(k):.6g}")
    flow = LocalFlow(ln_H).prepare(problem)
    Z = flow.rows * flow.norms[:, None]
    share = 1 / (problem.M * flow.norms**2)

    def size(s: float, ln: Array) -> Array:  # trial points of the solver may lie far off, never the path
        return np.asarray(share * np.exp(np.minimum(s + ln, LARGEST)))

    def push(s: float, w: Array) -> Array:
        return np.asarray(size(s, logistic.log_loss(Z @ w - flow.ceiling)) @ Z)

    def jacobian(s: float, w: Array) -> Array:
        return np.asarray(-(Z.T * size(s, logistic.log_slope(Z @ w - flow.ceiling))) @ Z)

    start, span = as_point("w", w, problem.d), (float(np.log(k)), float(times[-1]) + 1e-9)
    run = solve_ivp(push, span, start, "LSODA", times, jac=jacobian, rtol=1e-9, atol=1e-9)
    if not run.success or not np.isfinite(run.y).all():
        raise ArithmeticError(f"the path from round {k} could not be followed: {run.message}")
    return np.asarray(run.y.T)


def beyond_leading(problem: Problem, plateau: ArrayLike, ln_H: float, levels: ArrayLike) -> Array:
    """Return what the leading order leaves out: the length of w^k - ln H x(sigma), in a run from zero.

    Parameters
    ----------
    problem : Problem
        One sample a node, for classification.
    plateau : array_like, shape (d,)
        As for `departure`.
    ln_H : float
        Of the local time.
    levels : array_like, shape (n,)
        sigma = ln(H k) / ln H, ascending; all beyond round 100.

    Returns
    -------
    ndarray, shape (n,)

    Raises
    ------
    ValueError, NotSeparableError, UndecidedError, ArithmeticError
        As `departure` and `late_rounds`.

    Notes
    -----
    Source: ours. That it stays bounded as H grows is a conjecture (V3-crossover). Cost: 100 rounds, and as
    `departure` and `late_rounds`.

    Examples
    --------
    >>> from lgd_lib.problems import Node
    >>> problem = Problem([Node([[1.0, 0.0]], [1.0]), Node([[0.0, 1.0]], [1.0])], "classification")
    >>> (beyond_leading(problem, [1.0, 1.0], 300.0, [2.0]) / np.log(2)).round(3)
    array([1.414])
    """
    sigma = as_real("levels", levels, ndim=1)
    least = 1 + np.log(EARLY) / ln_H
    if sigma.size == 0 or sigma[0] < least or (np.diff(sigma) < 0).any():
        raise ValueError(f"levels was {sigma.tolist()}; they must ascend from {least:.6g}, round {EARLY}")
    leading = sigma[:, None] * departure(problem, plateau, sigma)
    run = rounds(problem, LocalFlow(ln_H), Average(), np.zeros(problem.d))
    w = next(islice(run, EARLY - 1, None)).w
    late = late_rounds(problem, ln_H, w, EARLY, (sigma - 1) * ln_H)
    return np.asarray(np.linalg.norm(late - ln_H * leading, axis=1))
