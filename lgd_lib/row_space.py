"""Orthonormal coordinates of the span of the rows, where overparameterised problems are small."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.linalg import qr

from lgd_lib.validation import Array

GRAM_CONDITION = 1e3
"""Largest cond(X) at which squaring it, in a Gram matrix, still leaves 1e-9 of relative accuracy."""


def numerical_rank(singular_values: Array, shape: tuple[int, int]) -> int:
    """Return how many singular values are nonzero to rounding.

    A value counts when it exceeds max(shape) eps times the largest, NumPy's own convention.

    Parameters
    ----------
    singular_values : ndarray, in descending order
    shape : (int, int)
        Shape of the matrix they come from.

    Returns
    -------
    int

    Notes
    -----
    Source: as `numpy.linalg.matrix_rank`. Cost: none.

    Examples
    --------
    >>> numerical_rank(np.array([1.0, 1e-3, 1e-17]), (3, 5))
    2
    """
    if singular_values.size == 0:
        return 0
    return int((singular_values > max(shape) * np.finfo(float).eps * singular_values[0]).sum())


Coordinates = tuple[Array, Callable[[Array], Array], Callable[[Array], Array]]


def coordinates(X: Array) -> Coordinates:
    """Return X Q, w -> Q^T w and u -> Q u for an orthonormal basis Q of the span of the rows of X.

    Parameters
    ----------
    X : ndarray, shape (N, d)
        Overwritten, or kept by the functions returned: pass a copy.

    Returns
    -------
    small : ndarray, shape (N, r)
        X Q, r = rank X.
    down, up : callable
        (d,) to (r,), and (r,) to (d,); both take rows of vectors too.

    Notes
    -----
    Source: standard. Cost: O(N^2 d). By the Gram matrix where d >= N and cond(X) is at most
    `GRAM_CONDITION`, since its error grows with cond(X)^2; else by a QR decomposition of X^T.

    Examples
    --------
    >>> small, down, up = coordinates(np.array([[3.0, 4.0]]))
    >>> bool(np.allclose(abs(small), 5.0))
    True
    """
    return _by_gram(X) or _by_qr(X)


def _by_gram(X: Array) -> Coordinates | None:
    """X X^T = V diag(s^2) V^T, Q = X^T V / s; None where cond(X) forbids squaring."""
    N, d = X.shape
    if d < N:
        return None
    squares, V = np.linalg.eigh(X @ X.T)
    if squares[0] <= squares[-1] / GRAM_CONDITION**2:
        return None
    s = np.sqrt(squares)
    return V * s, lambda w: (w @ X.T) @ V / s, lambda u: ((u / s) @ V.T) @ X


def _by_qr(X: Array) -> Coordinates:
    """X^T = Q R; where X has not full rank, Q <- Q U_r with R = U s V^T."""
    Q, R = qr(X.T, mode="economic", overwrite_a=True, check_finite=False)
    U, s, Vt = np.linalg.svd(R, full_matrices=False)
    rank = numerical_rank(s, X.shape)
    small = R.T
    if rank < s.size:
        Q, small = Q @ U[:, :rank], Vt[:rank].T * s[:rank]
    return small, lambda w: w @ Q, lambda u: u @ Q.T
