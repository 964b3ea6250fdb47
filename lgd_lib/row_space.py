"""Orthonormal coordinates of the span of the rows, where overparameterised problems are small."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np
from scipy.linalg import blas, lapack, qr, solve_triangular

from lgd_lib.validation import Array

GRAM_CONDITION = 1e3
"""Largest cond(X) at which squaring it, in a Gram matrix, still leaves 1e-9 of relative accuracy."""
TWICE_CONDITION = 1e5
"""Largest cond(X) at which a second pass, over C^-1 X, brings back the digits that the first has lost."""


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


def coordinates(blocks: Sequence[Array]) -> Coordinates:
    """Return X Q, w -> Q^T w and u -> Q u for an orthonormal basis Q of the span of the rows of X.

    Parameters
    ----------
    blocks : sequence of ndarray, shapes (N_i, d)
        The rows of X, one block below the other; kept, not copied. Not all zero.

    Returns
    -------
    small : ndarray, shape (N, r)
        X Q, r = rank X.
    down, up : callable
        (d,) to (r,), and (r,) to (d,); rows of vectors, (m, d) and (m, r), too.

    Notes
    -----
    Q is never formed. Source: standard. Where d >= N: a Cholesky factor C of X X^T. Its error grows with
    cond(X)^2, so above `GRAM_CONDITION` a second pass factors C^-1 X in the same way (Yamamoto et al. 2015).
    Above `TWICE_CONDITION`, or where d < N: Householder reflections of X^T, piece by piece (Demmel et al.
    2012). Cost: N^2 d operations for one pass, 3 N^2 d for two, 2.4 N^2 d slower ones and memory for one more
    copy of the data for the reflections.

    Examples
    --------
    >>> small, down, up = coordinates([np.array([[3.0, 4.0]]), np.array([[6.0, 8.0]])])
    >>> bool(np.allclose(abs(small), [[5.0], [10.0]]))
    True
    """
    return _by_gram(blocks) or _by_reflections(blocks)


def _pieces(blocks: Sequence[Array]) -> Iterator[Array]:
    """X, some columns at a time: few enough to stay in the processor's cache."""
    width = max(5 * sum(len(X) for X in blocks), 1024)
    for start in range(0, blocks[0].shape[1], width):
        yield np.concatenate([X[:, start : start + width] for X in blocks])


def _by_gram(blocks: Sequence[Array]) -> Coordinates | None:
    """X X^T = C C^T, Q = X^T C^-T, with C made in two passes or refused where cond(X) is large."""
    ends = np.cumsum([len(X) for X in blocks])
    if blocks[0].shape[1] < ends[-1]:
        return None
    G = reduce(np.add, (piece @ piece.T for piece in _pieces(blocks)))
    C, failed = lapack.dpotrf(G, lower=1, clean=1)
    if failed:
        return None
    inverse_condition, _ = lapack.dpocon(C, np.abs(G).sum(axis=0).max(), uplo="L")
    if inverse_condition * TWICE_CONDITION**2 < 1:
        return None
    if inverse_condition * GRAM_CONDITION**2 < 1:
        evened = (
            blas.dtrsm(1.0, C, piece.T, side=1, lower=1, trans_a=1, overwrite_b=1)
            for piece in _pieces(blocks)
        )
        C = C @ np.linalg.cholesky(reduce(np.add, (B.T @ B for B in evened)))

    def down(w: Array) -> Array:
        products = np.concatenate([w @ X.T for X in blocks], axis=-1)
        return np.asarray(solve_triangular(C, products.T, lower=True).T)

    def up(u: Array) -> Array:
        shares = np.split(solve_triangular(C, u.T, lower=True, trans="T").T, ends[:-1], axis=-1)
        return reduce(np.add, (share @ X for share, X in zip(shares, blocks, strict=True)))

    return C, down, up


def _by_reflections(blocks: Sequence[Array]) -> Coordinates:
    """Pieces of X^T = H_j R_j; the R_j together = H R; R = U s V^T; Q = diag(H_j) H U."""
    first = [_reflections(piece.T) for piece in _pieces(blocks)]
    top, R = _reflections(np.concatenate([R for _, R in first]))
    U, s, Vt = np.linalg.svd(R, full_matrices=False)
    rank = numerical_rank(s, (Vt.shape[1], blocks[0].shape[1]))
    basis = U[:, :rank]
    inner = np.cumsum([len(R) for _, R in first])
    outer = np.cumsum([H.rows for H, _ in first])

    def down(w: Array) -> Array:
        parts = np.split(np.atleast_2d(w).T, outer[:-1])
        tops = [H.transposed(part)[: len(R)] for (H, R), part in zip(first, parts, strict=True)]
        return (basis.T @ top.transposed(np.concatenate(tops))[: len(basis)]).T.reshape(*w.shape[:-1], rank)

    def up(u: Array) -> Array:
        tops = np.split(top.times(basis @ np.atleast_2d(u).T), inner[:-1])
        parts = [H.times(part) for (H, _), part in zip(first, tops, strict=True)]
        return np.concatenate(parts).T.reshape(*u.shape[:-1], outer[-1])

    return Vt[:rank].T * s[:rank], down, up


@dataclass(frozen=True, eq=False)
class _Reflections:
    """An orthogonal matrix H, as LAPACK's vectors and factors of Householder reflections."""

    vectors: Array
    tau: Array

    @property
    def rows(self) -> int:
        return len(self.vectors)

    def times(self, A: Array) -> Array:
        """H [A; 0], shape (rows, m)."""
        return self._apply("N", np.concatenate([A, np.zeros((self.rows - len(A), A.shape[1]))]))

    def transposed(self, A: Array) -> Array:
        """H^T A, shape (rows, m)."""
        return self._apply("T", A)

    def _apply(self, transpose: str, A: Array) -> Array:
        workspace = 64 * max(1, A.shape[1])
        return np.asarray(lapack.dormqr("L", transpose, self.vectors, self.tau, A, workspace)[0])


def _reflections(A: Array) -> tuple[_Reflections, Array]:
    """A = H [R; 0], R triangular; A is overwritten."""
    (vectors, tau), R = qr(A, mode="raw", overwrite_a=True, check_finite=False)
    return _Reflections(vectors[:, : tau.size], tau), np.asarray(R[: tau.size])
