"""Products in doubled precision: a number is the sum of two floats, about 32 digits."""

from __future__ import annotations

import numpy as np

from lgd_lib.validation import Array

Pair = tuple[Array, Array]
"""A float64 array and the part of it that float64 could not hold."""

SPLIT = 134217729.0  # 2^27 + 1
CHUNK = 2**19


def two_sum(a: Array, b: Array) -> Pair:
    """Return a + b and its rounding error, both exact.

    Parameters
    ----------
    a, b : ndarray

    Returns
    -------
    sum, error : ndarray

    Notes
    -----
    Source: standard (Knuth). Cost: six operations an entry.

    Examples
    --------
    >>> two_sum(np.array([1.0]), np.array([1e-20]))
    (array([1.]), array([1.e-20]))
    """
    s = a + b
    t = s - a
    return s, (a - (s - t)) + (b - t)


def two_product(a: Array, b: Array) -> Pair:
    """Return a b and its rounding error, both exact unless they over- or underflow.

    Parameters
    ----------
    a, b : ndarray

    Returns
    -------
    product, error : ndarray

    Notes
    -----
    Source: standard (Dekker, Veltkamp). Cost: 17 operations an entry.

    Examples
    --------
    >>> x = np.array([1 + 2.0**-30])
    >>> two_product(x, x)[1] == 2.0**-60
    array([ True])
    """
    p = a * b
    big_a, big_b = SPLIT * a, SPLIT * b
    a1, b1 = big_a - (big_a - a), big_b - (big_b - b)
    a2, b2 = a - a1, b - b1
    return p, a2 * b2 - (((p - a1 * b1) - a2 * b1) - a1 * b2)


def product(A: Array, x: Pair) -> Pair:
    """Return A x in doubled precision; its error is at most `product_error`.

    Parameters
    ----------
    A : ndarray, shape (n, d)
    x : pair of ndarray, shape (d,)

    Returns
    -------
    pair of ndarray, shape (n,)

    Notes
    -----
    Source: standard (Ogita, Rump and Oishi 2005, summed pairwise). Cost: some 40 passes over A.

    Examples
    --------
    >>> product(np.array([[1.0, 1e-20]]), (np.ones(2), np.zeros(2)))
    (array([1.]), array([1.e-20]))
    """
    step = max(1, CHUNK // max(1, A.shape[1]))
    parts = [_product(A[i : i + step], x) for i in range(0, len(A), step)]
    if not parts:
        return np.zeros(0), np.zeros(0)
    return np.concatenate([hi for hi, _ in parts]), np.concatenate([lo for _, lo in parts])


def product_error(A: Array, x: Pair) -> Array:
    """Return a bound on the error of `product`, shape (n,).

    Parameters
    ----------
    A : ndarray, shape (n, d)
    x : pair of ndarray, shape (d,)

    Returns
    -------
    ndarray

    Notes
    -----
    Each of the log2(d) levels of the sum, and the few steps besides, loses at most eps of numbers that are
    themselves eps times the product of the absolute values. Source: standard. Cost: one pass over A.

    Examples
    --------
    >>> product_error(np.ones((1, 4)), (np.ones(4), np.zeros(4))) < 1e-28
    array([ True])
    """
    eps = np.finfo(float).eps
    return np.asarray(4 * (np.log2(A.shape[1] + 1) + 4) ** 2 * eps**2 * (np.abs(A) @ np.abs(x[0])))


def plus(x: Pair, y: Pair) -> Pair:
    """Return x + y in doubled precision.

    Parameters
    ----------
    x, y : pair of ndarray

    Returns
    -------
    pair of ndarray

    Notes
    -----
    Source: standard. Cost: 20 operations an entry.

    Examples
    --------
    >>> plus((np.array([1.0]), np.array([0.0])), (np.array([1e-20]), np.array([0.0])))
    (array([1.]), array([1.e-20]))
    """
    s, e = two_sum(x[0], y[0])
    return two_sum(s, e + (x[1] + y[1]))


def _product(A: Array, x: Pair) -> Pair:
    hi, lo = two_product(A, np.broadcast_to(x[0], A.shape))
    lo = lo + A * x[1]
    while hi.shape[1] > 1:
        half = (hi.shape[1] + 1) // 2
        rest = hi.shape[1] - half
        s, e = two_sum(hi[:, :rest], hi[:, half:])
        lo = np.concatenate([lo[:, :rest] + lo[:, half:] + e, lo[:, rest:half]], axis=1)
        hi = np.concatenate([s, hi[:, rest:half]], axis=1)
    return two_sum(hi[:, 0], lo[:, 0])
