"""The conditions that the shortest u with A u >= b satisfies, and u from the constraints that hold it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular

from lgd_lib.validation import Array


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
    scale = max(float(np.sqrt(u @ u)), float(b.max())) or 1.0
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
