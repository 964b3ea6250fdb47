"""Gradient descent on exponential and logistic losses, in the Gram coordinates of one node or of many."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from lgd_lib.descent import compiled_descent
from lgd_lib.validation import Array

Slope = Callable[[Array, Array, Array], object]
ONE = np.ones(())
"""An array, which NumPy adds a little faster than a number."""


def squared_slope(m: Array, out: Array, h: Array) -> None:
    """Write -h loss'(m) = -h m into `out`, m a residual x^T w - y.

    Parameters
    ----------
    m : ndarray
        Residuals.
    out : ndarray, of the same shape
    h : ndarray
        Step sizes, of the same shape or one that is broadcast to it.

    Notes
    -----
    Cost: one pass.

    Examples
    --------
    >>> out = np.empty(2)
    >>> squared_slope(np.array([0.5, -2.0]), out, ONE)
    >>> out
    array([-0.5,  2. ])
    """
    np.negative(m, out=out)
    out *= h


def exponential_slope(m: Array, out: Array, h: Array) -> None:
    """Write -h loss'(m) = h exp(-m) into `out`.

    Parameters
    ----------
    m : ndarray
        Margins.
    out : ndarray, of the same shape
        May not be m.
    h : ndarray
        Step sizes, of the same shape or one that is broadcast to it.

    Notes
    -----
    Infinite below m = -709.8, zero above 745. Cost: one pass.

    Examples
    --------
    >>> out = np.empty(2)
    >>> exponential_slope(np.array([0.0, 1e6]), out, ONE)
    >>> out
    array([1., 0.])
    """
    np.negative(m, out=out)
    np.exp(out, out=out)
    out *= h


def logistic_slope(m: Array, out: Array, h: Array) -> None:
    """Write -h loss'(m) = h / (1 + exp(m)) into `out`.

    Parameters
    ----------
    m : ndarray
        Margins.
    out : ndarray, of the same shape
        May not be m.
    h : ndarray
        Step sizes, of the same shape or one that is broadcast to it.

    Notes
    -----
    Zero above m = 709.8, where exp(m) overflows on purpose: call it inside `np.errstate(over="ignore")`.
    Cost: one pass.

    Examples
    --------
    >>> out = np.empty(2)
    >>> logistic_slope(np.array([0.0, -1e6]), out, ONE)
    >>> out
    array([0.5, 1. ])
    """
    np.exp(m, out=out)
    np.add(out, ONE, out=out)
    np.divide(h, out, out=out)


SLOPES: dict[str, Slope] = {
    "squared": squared_slope,
    "exponential": exponential_slope,
    "logistic": logistic_slope,
}
"""-h loss'(m) of each loss, written in place."""


COMPILED_FROM = 500
"""Steps in a call from which the compiled loop is used, where numba is installed."""


def descend(
    G: Array, m0: Array, h: Array, L: int, loss: str, begun: Array | None = None
) -> tuple[Array, Array]:
    """Return the coefficients and the margins after L steps of gradient descent on several nodes at once.

    a = 0; L times: a <- a + h p(m_0 + G a), p = -loss'. The model is w + Z^T a, its margins m_0 + G a.

    Parameters
    ----------
    G : ndarray, shape (m, n, n)
        Gram matrices Z Z^T of m nodes with n samples each.
    m0 : ndarray, shape (m, n)
        Margins of the point they start from.
    h : ndarray, shape (m,)
        eta / n.
    L : int
        Steps.
    loss : {"exponential", "logistic"}
    begun : ndarray, shape (m, n), optional
        Coefficients to go on from; left unchanged.

    Returns
    -------
    a, margins : ndarray, shape (m, n)
        Not finite where the exponential loss has overflowed on the way.

    Notes
    -----
    Source: standard. Cost: m n^2 operations a step, all nodes in one product; with numba, if L is at least
    `COMPILED_FROM`, one node after the other in a compiled loop, which gives the same up to rounding.

    Examples
    --------
    >>> descend(np.ones((1, 1, 1)), np.zeros((1, 1)), np.array([0.5]), 1, "exponential")
    (array([[0.5]]), array([[0.5]]))
    """
    a = np.zeros_like(m0) if begun is None else begun.copy()
    if L >= COMPILED_FROM and compiled_descent.available():
        return a, compiled_descent.kernel()(G, m0, a, h, L, loss == "logistic")
    slope, size, p = SLOPES[loss], np.repeat(h[:, None], m0.shape[1], axis=1), np.empty_like(m0)
    column = a[..., None]
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        m = np.matmul(G, column)[..., 0] + m0
        product = m[..., None]
        for _ in range(L):
            slope(m, p, size)
            a += p
            np.matmul(G, column, out=product)
            m += m0
    return a, m
