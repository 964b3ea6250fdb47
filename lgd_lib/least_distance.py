"""The one door to the quadratic program behind every margin: the shortest u with A u >= b."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular
from scipy.optimize import nnls

from lgd_lib.validation import Array

RESIDUAL = 1e-9
"""Largest relative KKT residual at which DAQP's answer is taken without asking the next solver."""

ACCEPTED = 1e-6
"""Largest relative KKT residual of an answer that is returned at all."""

POLISHED = 1e-13
"""Relative KKT residual below which an answer is not improved further."""


@dataclass(frozen=True, eq=False)
class LeastDistance:
    """The shortest u with A u >= b, and its multipliers: u = A^T multipliers.

    Parameters
    ----------
    u : ndarray, shape (r,)
    multipliers : ndarray, shape (n,)
        Nonnegative.
    solver : str
        Who found it: "none needed", "daqp", or "nnls" where DAQP failed.
    residual : float
        `kkt_residual` of the answer, for rows of norm 1.

    Examples
    --------
    >>> least_distance(np.array([[1.0]]), np.array([2.0])).solver
    'daqp'
    """

    u: Array
    multipliers: Array
    solver: str
    residual: float = 0.0


def least_distance(A: Array, b: Array) -> LeastDistance | None:
    """Return the shortest u with A u >= b, or None where no solver finds one.

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
        With a relative KKT residual of at most `ACCEPTED`. None mostly means that the constraints contradict
        each other: `separability.refuse` finds out.

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
    norms = np.sqrt(np.einsum("ij,ij->i", A, A))
    if (b[norms == 0] > 0).any():
        return None
    norms[norms == 0] = 1.0
    rows, targets = A / norms[:, None], b / norms
    found = _by_daqp(rows, targets)
    if found is None or not found.residual <= RESIDUAL:
        other = _by_nnls(rows, targets)
        if found is None or (other is not None and other.residual < found.residual):
            found = other
    if found is None or not found.residual <= ACCEPTED:
        return None
    return LeastDistance(found.u, found.multipliers / norms, found.solver, found.residual)


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
    off = u - multipliers @ A
    slack = A @ u - b
    scale = max(float(np.sqrt(u @ u)), float(b.max()))
    largest = float(np.abs(multipliers).max()) or 1.0
    return float(
        max(
            0.0,
            -slack.min() / scale,
            -multipliers.min() / largest,
            np.sqrt(off @ off) / scale,
            (np.abs(multipliers) * np.abs(slack)).max() / (largest * scale),
        )
    )


def on_support(A: Array, b: Array, support: NDArray[np.bool_]) -> tuple[Array, Array]:
    """Return the shortest u with A u = b on a support, and its multipliers, zero elsewhere.

    Parameters
    ----------
    A : ndarray, shape (n, r)
        Rows of norm 1.
    b : ndarray, shape (n,)
    support : ndarray of bool, shape (n,)

    Returns
    -------
    u : ndarray, shape (r,)
    multipliers : ndarray, shape (n,)
        Of any sign.

    Notes
    -----
    Where the rows on the support depend on each other, least squares in both places. Source: standard.
    Cost: one QR decomposition, or one singular value decomposition where rows depend on each other.

    Examples
    --------
    >>> on_support(np.eye(2), np.array([2.0, 1.0]), np.array([True, False]))
    (array([2., 0.]), array([2., 0.]))
    """
    rows, multipliers = A[support], np.zeros(len(A))
    Q, R = np.linalg.qr(rows.T)
    size = np.abs(np.diag(R))
    if len(R) == len(rows) and size.min() > 1e-10 * size.max():
        y = solve_triangular(R, b[support], trans="T", check_finite=False)
        multipliers[support] = solve_triangular(R, y, check_finite=False)
        return Q @ y, multipliers
    U, s, Vt = np.linalg.svd(rows, full_matrices=False)
    keep = s > max(A.shape) * np.finfo(float).eps * s[0]
    y = U.T[keep] @ b[support] / s[keep]
    multipliers[support] = U[:, keep] @ (y / s[keep])
    return y @ Vt[keep], multipliers


@lru_cache(maxsize=16)
def _identity(r: int) -> Array:
    return np.eye(r)


def _by_daqp(A: Array, b: Array) -> LeastDistance | None:
    import daqp

    free = np.full(b.size, 1e30)
    u, _, flag, info = daqp.solve(
        _identity(A.shape[1]),
        np.zeros(A.shape[1]),
        A,
        free,
        b,
        np.zeros(b.size, dtype=np.int32),
        primal_tol=1e-11,
    )
    if flag != 1:
        return None
    return _polished(A, b, u, np.maximum(-info["lam"], 0.0), "daqp")


def _by_nnls(A: Array, b: Array) -> LeastDistance | None:
    """min ||A^T x||^2 + (1 - b^T x)^2: the residual points along the answer, and vanishes without one."""
    E = np.vstack([A.T, b / np.abs(b).max()])
    goal = np.zeros(len(E))
    goal[-1] = 1.0
    try:
        x, _ = nnls(E, goal, maxiter=30 * len(b))
    except RuntimeError:
        return None
    residual = goal - E @ x
    if residual[-1] <= 1e-14:
        return None
    scale = np.abs(b).max() / residual[-1]
    return _polished(A, b, -residual[:-1] * scale, x * scale, "nnls")


def _polished(A: Array, b: Array, u: Array, multipliers: Array, solver: str) -> LeastDistance:
    """The least-norm solution of the active equations, where it is better."""
    found = LeastDistance(u, multipliers, solver, kkt_residual(A, b, u, multipliers))
    support = multipliers > 0
    if found.residual < POLISHED or not support.any():
        return found
    u, multipliers = on_support(A, b, support)
    better = LeastDistance(u, multipliers, solver, kkt_residual(A, b, u, multipliers))
    # Multipliers below zero by rounding are no solution's: they would be counted as tight.
    return better if better.residual < found.residual and multipliers.min() >= 0 else found
