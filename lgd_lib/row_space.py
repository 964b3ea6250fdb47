"""Orthonormal coordinates of the span of the rows, where overparameterised problems are small."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.linalg import lapack, qr, solve_triangular

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
        Kept or overwritten: pass a copy.

    Returns
    -------
    small : ndarray, shape (N, r)
        X Q, r = rank X.
    down, up : callable
        (d,) to (r,), and (r,) to (d,); rows of vectors, (m, d) and (m, r), too.

    Notes
    -----
    Q is never formed. Source: standard. Cost: N^2 d operations by a Cholesky factor of the Gram matrix, where
    d >= N and cond(X) is at most `GRAM_CONDITION`, since its error grows with cond(X)^2; otherwise 2 N^2 d by
    Householder reflections of X^T, several times slower.

    Examples
    --------
    >>> small, down, up = coordinates(np.array([[3.0, 4.0]]))
    >>> bool(np.allclose(abs(small), 5.0))
    True
    """
    return _by_gram(X) or _by_qr(X)


def _by_gram(X: Array) -> Coordinates | None:
    """X X^T = C C^T, Q = X^T C^-T; None where cond(X) forbids squaring it."""
    if X.shape[1] < X.shape[0]:
        return None
    G = X @ X.T
    C, failed = lapack.dpotrf(G, lower=1, clean=1)
    if failed:
        return None
    inverse_condition, _ = lapack.dpocon(C, np.abs(G).sum(axis=0).max(), uplo="L")
    if inverse_condition * GRAM_CONDITION**2 < 1:
        return None

    def down(w: Array) -> Array:
        return np.asarray(solve_triangular(C, (w @ X.T).T, lower=True).T)

    def up(u: Array) -> Array:
        return np.asarray(solve_triangular(C, u.T, lower=True, trans="T").T @ X)

    return C, down, up


def _by_qr(X: Array) -> Coordinates:
    """X^T = H R with H a product of reflections; R = U s V^T, Q = H U_r."""
    d = X.shape[1]
    (reflectors, tau), R = qr(X.T, mode="raw", overwrite_a=True, check_finite=False)
    U, s, Vt = np.linalg.svd(R, full_matrices=False)
    rank = numerical_rank(s, X.shape)
    basis, small = U[:, :rank], Vt[:rank].T * s[:rank]
    if rank == s.size:
        basis, small = np.eye(rank), R.T

    def reflect(columns: Array, trans: str) -> Array:
        width = 64 * max(1, columns.shape[1])
        return np.asarray(lapack.dormqr("L", trans, reflectors[:, : tau.size], tau, columns, width)[0])

    def down(w: Array) -> Array:
        return (basis.T @ reflect(np.atleast_2d(w).T, "T")[: tau.size]).T.reshape(*w.shape[:-1], rank)

    def up(u: Array) -> Array:
        columns = np.zeros((d, np.atleast_2d(u).shape[0]))
        columns[: tau.size] = basis @ np.atleast_2d(u).T
        return reflect(columns, "N").T.reshape(*u.shape[:-1], d)

    return small, down, up
