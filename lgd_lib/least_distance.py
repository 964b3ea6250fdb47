"""The one door to the quadratic program behind every margin: the shortest u with A u >= b."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import nnls

from lgd_lib.validation import Array

RESIDUAL = 1e-9
"""Largest relative KKT residual at which a solver's answer is taken without asking the next solver."""

POLISHED = 1e-13
"""Relative KKT residual below which an answer is not improved further."""


class NotSeparableError(ValueError):
    """No w has z_j^T w >= 1 for all j: the data are not separable.

    Parameters
    ----------
    combination : ndarray, shape (N,)
        Nonnegative numbers with sum 1 for which sum_j combination_j z_j is zero to rounding, which proves it.
    where : str
        What is not separable.
    """

    def __init__(self, combination: Array, where: str) -> None:
        support = int((combination > 0).sum())
        super().__init__(
            f"{where} is not separable through the origin: a convex combination of {support} of its rows "
            "y_j x_j is zero (see the attribute `combination`); add features, or remove contradicting samples"
        )
        self.combination = combination


@dataclass(frozen=True, eq=False)
class LeastDistance:
    """The shortest u with A u >= b, and its multipliers: u = A^T multipliers.

    Parameters
    ----------
    u : ndarray, shape (r,)
    multipliers : ndarray, shape (n,)
        Nonnegative.
    solver : str
        Who found it: "none needed", "daqp" or "nnls".
    """

    u: Array
    multipliers: Array
    solver: str


def least_distance(A: Array, b: Array) -> LeastDistance | None:
    """Return the shortest u with A u >= b, or None where the constraints contradict each other.

    Rows are scaled to norm 1 first. DAQP's active-set method finds the answer; where its KKT residual is too
    large, or it fails, Lawson and Hanson's method (SciPy's `nnls`) does. On the constraints that carry a
    multiplier the answer is then made exact by one least-norm solve.

    Parameters
    ----------
    A : ndarray, shape (n, r)
    b : ndarray, shape (n,)

    Returns
    -------
    LeastDistance or None

    Notes
    -----
    Source: standard (Lawson and Hanson 1974; Arnstrom, Bemporad and Axehill 2022 for DAQP).
    Cost: O(n r) a step of the active set; tens of microseconds at n = r = 50.

    Examples
    --------
    >>> least_distance(np.array([[2.0, 0.0]]), np.array([1.0])).u
    array([0.5, 0. ])
    >>> least_distance(np.array([[1.0], [-1.0]]), np.array([1.0, 1.0])) is None
    True
    """
    if (b <= 0).all():
        return LeastDistance(np.zeros(A.shape[1]), np.zeros(b.size), "none needed")
    norms = np.linalg.norm(A, axis=1)
    if (b[norms == 0] > 0).any():
        return None
    norms[norms == 0] = 1.0
    rows, targets = A / norms[:, None], b / norms
    found = _by_daqp(rows, targets)
    if found is None or kkt_residual(rows, targets, found.u, found.multipliers) > RESIDUAL:
        found = _by_nnls(rows, targets) or found
    if found is None:
        return None
    return LeastDistance(found.u, found.multipliers / norms, found.solver)


def kkt_residual(A: Array, b: Array, u: Array, multipliers: Array) -> float:
    """Return the largest violation of the conditions that only the shortest u with A u >= b satisfies.

    Parameters
    ----------
    A : ndarray, shape (n, r)
        Rows of norm 1.
    b : ndarray, shape (n,)
    u : ndarray, shape (r,)
    multipliers : ndarray, shape (n,)

    Returns
    -------
    float
        Relative to the length of u; the largest of primal infeasibility, negative multipliers, stationarity
        and complementarity.

    Notes
    -----
    Source: standard (Karush, Kuhn, Tucker). Cost: two products with A.

    Examples
    --------
    >>> kkt_residual(np.eye(2), np.array([1.0, 0.0]), np.array([1.0, 0.0]), np.array([1.0, 0.0]))
    0.0
    """
    scale = max(float(np.linalg.norm(u)), float(b.max()))
    slack = A @ u - b
    largest = float(np.abs(multipliers).max()) or 1.0
    return float(
        max(
            0.0,
            -slack.min() / scale,
            -multipliers.min() / largest,
            np.linalg.norm(u - multipliers @ A) / scale,
            (multipliers * np.abs(slack)).max() / (largest * scale),
        )
    )


def _by_daqp(A: Array, b: Array) -> LeastDistance | None:
    import daqp

    r = A.shape[1]
    free = np.full(b.size, 1e30)
    u, _, flag, info = daqp.solve(
        np.eye(r), np.zeros(r), A, free, b, np.zeros(b.size, dtype=np.int32), primal_tol=1e-11
    )
    if flag != 1:
        return None
    return _polished(A, b, LeastDistance(u, np.maximum(-info["lam"], 0.0), "daqp"))


def _by_nnls(A: Array, b: Array) -> LeastDistance | None:
    """min ||A^T x|| + (1 - b^T x): the residual points along the answer; it vanishes when there is none."""
    E = np.vstack([A.T, b / np.abs(b).max()])
    goal = np.zeros(len(E))
    goal[-1] = 1.0
    x, _ = nnls(E, goal, maxiter=30 * len(b))
    residual = goal - E @ x
    if residual[-1] <= 1e-14:
        return None
    scale = np.abs(b).max() / residual[-1]
    return _polished(A, b, LeastDistance(-residual[:-1] * scale * -1.0, x * scale, "nnls"))


def _polished(A: Array, b: Array, found: LeastDistance) -> LeastDistance:
    """The least-norm solution of the active equations, where it is no worse."""
    active = found.multipliers > 0
    before = kkt_residual(A, b, found.u, found.multipliers)
    if before < POLISHED or not active.any():
        return found
    U, s, Vt = np.linalg.svd(A[active], full_matrices=False)
    keep = s > max(A.shape) * np.finfo(float).eps * s[0]
    coordinates = U.T[keep] @ b[active] / s[keep]
    multipliers = np.zeros(b.size)
    multipliers[active] = U[:, keep] @ (coordinates / s[keep])
    better = LeastDistance(coordinates @ Vt[keep], multipliers, found.solver)
    return better if kkt_residual(A, b, better.u, better.multipliers) < before else found


def contradiction(Z: Array) -> tuple[Array, float]:
    """Return the convex combination of the rows of Z nearest to zero, and its length.

    Parameters
    ----------
    Z : ndarray, shape (N, d)
        Rows z_j = y_j x_j, none of them zero.

    Returns
    -------
    combination : ndarray, shape (N,)
        Nonnegative with sum 1.
    length : float
        Of sum_j combination_j z_j / ||z_j||, zero to rounding when no w has Z w >= 1.

    Notes
    -----
    Source: standard (Gordan's theorem). Cost: one `nnls`.

    Examples
    --------
    >>> combination, length = contradiction(np.array([[1.0], [-1.0]]))
    >>> combination, length < 1e-15
    (array([0.5, 0.5]), True)
    """
    norms = np.linalg.norm(Z, axis=1)
    rows = Z / norms[:, None]
    x, _ = nnls(
        np.vstack([rows.T, np.ones(len(Z))]), np.append(np.zeros(Z.shape[1]), 1.0), maxiter=30 * len(Z)
    )
    share = x / x.sum()
    combination = share / norms
    return combination / combination.sum(), float(np.linalg.norm(share @ rows))
