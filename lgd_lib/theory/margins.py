"""What is predicted of averaged projections on margin constraints, with and without an anchor."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from lgd_lib.margins import require_classification, signed_rows, unit_rows
from lgd_lib.problems import Node, Problem
from lgd_lib.references import max_margin
from lgd_lib.validation import Array, as_weights


def unit_margin(problem: Problem) -> float:
    """Return gamma_1, the largest margin of the samples after each is scaled to length 1.

    gamma_1 = max over unit vectors u of min_j z_j^T u / ||z_j||. Every w is at most max_i dist(w, C_i) /
    gamma_1 away from C: walk along the best u until the worst constraint holds. (C4-linear)

    Parameters
    ----------
    problem : Problem
        For classification.

    Returns
    -------
    float
        In (0, 1].

    Raises
    ------
    NotSeparableError, UndecidedError, ValueError
        As `references.max_margin`.

    Notes
    -----
    Source: ours, elementary; 1 / gamma_1 is a bound on Hoffman's constant. Cost: as `references.max_margin`.

    Examples
    --------
    >>> problem = Problem([Node([[3.0, 0.0]], [1.0]), Node([[0.0, 5.0]], [-1.0])], "classification")
    >>> f"{unit_margin(problem):.6f}"
    '0.707107'
    """
    require_classification(problem)
    rows, _ = unit_rows(signed_rows(problem.pooled))
    scaled = Problem((Node(rows, np.ones(len(rows))),), "classification")
    return min(1.0, float(1 / np.linalg.norm(max_margin(scaled).w)))


def projection_rate(problem: Problem, weights: ArrayLike | None = None) -> float:
    """Return the factor by which a round of averaged projections shrinks the distance to C, at worst.

    rho = sqrt(1 - p_min gamma_1^2), p_min the smallest weight. (C4-linear)

    Parameters
    ----------
    problem : Problem
        For classification.
    weights : array_like, shape (M,), optional
        Positive, rescaled to sum 1; equal by default.

    Returns
    -------
    float
        In [0, 1).

    Raises
    ------
    NotSeparableError, UndecidedError, ValueError
        As `unit_margin`; ValueError if the weights do not fit.

    Notes
    -----
    Source: ours, elementary; a linear rate is standard (Hoffman 1952; Bauschke and Borwein 1996).
    Cost: as `unit_margin`.

    Examples
    --------
    >>> problem = Problem([Node([[3.0, 0.0]], [1.0]), Node([[0.0, 5.0]], [-1.0])], "classification")
    >>> f"{projection_rate(problem) ** 2:.6f}"
    '0.750000'
    """
    return float(np.sqrt(max(0.0, 1 - _curvature(problem, weights))))


def anchored_errors(problem: Problem, K: int, weights: ArrayLike | None = None) -> Array:
    """Return a bound on the distance of the anchored average to its limit, in rounds 1..K.

    ||w^k - P_C(w^0)|| / ||w^0 - P_C(w^0)|| <= sqrt(1 + k / (p_min gamma_1^2)) / (k + 1). (C6-bladder)

    Parameters
    ----------
    problem : Problem
        For classification.
    K : int
        Number of rounds.
    weights : array_like, shape (M,), optional
        As for `projection_rate`.

    Returns
    -------
    ndarray, shape (K,)
        Entry k - 1 bounds the error of w^k.

    Raises
    ------
    NotSeparableError, UndecidedError, ValueError
        As `projection_rate`.

    Notes
    -----
    Source: ours, proved; for the weights 1 / (k + 2). It holds in every round; in the long run the error
    falls like 1 / k, faster than the bound. Cost: as `unit_margin`.

    Examples
    --------
    >>> problem = Problem([Node([[3.0, 0.0]], [1.0])], "classification")
    >>> anchored_errors(problem, 3)
    array([0.70710678, 0.57735027, 0.5       ])
    """
    k = np.arange(1, K + 1)
    return np.asarray(np.sqrt(1 + k / _curvature(problem, weights)) / (k + 1))


def _curvature(problem: Problem, weights: ArrayLike | None) -> float:
    p = as_weights(weights, problem.M)
    return float(p.min()) * unit_margin(problem) ** 2
