"""What is predicted of many rounds with very many local steps: a plateau, and the slow way from it."""

from __future__ import annotations

from numbers import Real

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import brentq

from lgd_lib.margins import signed_rows
from lgd_lib.margins.least_distance import UnitRows
from lgd_lib.margins.separability import refuse
from lgd_lib.margins.sweeping import Swept, sweep
from lgd_lib.problems import Problem
from lgd_lib.references import max_margin
from lgd_lib.validation import Array, as_point, as_real, as_weights

SUPPORT = 1e-9
"""Relative size of a multiplier above which its sample counts as a support vector."""
SETTLED = 1e-3
"""How far below 1 a margin of the plateau may lie: averages that are nearly, not quite, at their end."""


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
        If the plateau does not fit or does not accept all samples, or a level is below 1.
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
        If the share is not a number between 0 and 1, or the plateau does not fit or does not accept all
        samples.
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
    if not isinstance(share, Real) or not 0 < share < 1:
        raise ValueError(f"share was {share!r}; it must be a number between 0 and 1")
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
    margins = Z @ start
    if margins.min() < 1 - SETTLED:
        raise ValueError(
            f"plateau gives sample {margins.argmin()} of the pooled data the margin {margins.min():.6g}; "
            "every margin must be at least 1, as at the end of the averaged projections"
        )
    return path
