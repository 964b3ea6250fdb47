"""The loop of gradient steps compiled by numba, where the extra `fast` is installed."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from importlib.util import find_spec

import numpy as np

from lgd_lib.validation import Array

LOG2_E = math.log2(math.e)
LN_2 = (0.693147180369123816490, 1.90821492927058770002e-10)
"""ln 2 in two parts, of which the first has so few digits that its multiples are exact."""
T2, T3, T4, T5, T6, T7, T8, T9, T10, T11, T12, T13 = (1 / math.factorial(k) for k in range(2, 14))

Kernel = Callable[[Array, Array, Array, Array, int, bool], Array]


def available() -> bool:
    """Return whether numba is installed.

    Returns
    -------
    bool

    Notes
    -----
    Cost: a look into the import path; numba is not imported.

    Examples
    --------
    >>> available() == (find_spec("numba") is not None)
    True
    """
    return find_spec("numba") is not None


@cache
def kernel() -> Kernel:
    """Return the compiled loop: from G, m_0, a, h, L and whether the loss is logistic to the margins.

    Returns
    -------
    callable
        Adds L steps to a, in place.

    Notes
    -----
    It does what `margin_descent.descend` does, up to the order of the sums. Cost: numba is imported, and the
    loop compiled, about a second each, unless numba finds it in its cache.

    Examples
    --------
    >>> a = np.zeros((1, 1))
    >>> if available():
    ...     m = kernel()(np.ones((1, 1, 1)), np.zeros((1, 1)), a, np.array([0.5]), 1, False)
    """
    from numba import njit

    compiled: Kernel = njit(cache=True, fastmath={"contract"})(_loop)
    return compiled


def _loop(G: Array, m0: Array, a: Array, h: Array, L: int, logistic: bool) -> Array:
    # exp(x) = 2^k e^r with a Taylor sum, exact to rounding for r up to ln(2) / 2, in loops that a compiler
    # runs several samples at a time; 2^k is made from its bits. Below -708 it stays at 1e-308, above 709.4 it
    # is inf. A node's Gram matrix is copied and filled up with zeros to a multiple of four rows: they then
    # begin where a vector register may, and the margins are read and written once for four of them.
    nodes, n = m0.shape
    N = n + -n % 4
    gram, own, start, m = np.zeros((N, N)), np.zeros(N), np.zeros(N), np.zeros(N)
    margins, series, bits = np.empty((nodes, n)), np.empty(n), np.empty(n, dtype=np.int64)
    power = bits.view(np.float64)
    for i in range(nodes):
        gram[:n, :n], own[:n], start[:n] = G[i], a[i], m0[i]
        for step in range(L + 1):
            if step > 0:
                for j in range(n):
                    x = min(max(m[j] if logistic else -m[j], -708.0), 709.9)
                    k = math.floor(x * LOG2_E + 0.5)
                    r = (x - k * LN_2[0]) - k * LN_2[1]
                    s = r * r
                    even = T2 + s * (T4 + s * (T6 + s * (T8 + s * (T10 + s * T12))))
                    odd = T3 + s * (T5 + s * (T7 + s * (T9 + s * (T11 + s * T13))))
                    series[j] = 1.0 + (r + s * (even + r * odd))
                    bits[j] = (np.int64(k) + 1023) << 52
                for j in range(n):
                    e = series[j] * power[j]
                    own[j] += h[i] / (1.0 + e) if logistic else h[i] * e
            m[:] = start
            for j in range(0, N, 4):
                b0, b1, b2, b3 = own[j], own[j + 1], own[j + 2], own[j + 3]
                for c in range(N):
                    half = m[c] + gram[j, c] * b0 + gram[j + 1, c] * b1
                    m[c] = half + gram[j + 2, c] * b2 + gram[j + 3, c] * b3
        a[i], margins[i] = own[:n], m[:n]
    return margins
