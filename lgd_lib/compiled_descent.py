"""The loop of gradient steps compiled by numba, where the extra `fast` is installed."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from importlib.util import find_spec

import numpy as np

from lgd_lib.validation import Array

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

    compiled: Kernel = njit(cache=True, fastmath={"reassoc", "contract"})(_loop)
    return compiled


def _loop(G: Array, m0: Array, a: Array, h: Array, L: int, logistic: bool) -> Array:
    nodes, n = m0.shape
    margins = np.empty((nodes, n))
    for i in range(nodes):
        m = m0[i].copy()
        for j in range(n):
            if a[i, j] != 0.0:
                for c in range(n):
                    m[c] += G[i, j, c] * a[i, j]
        for _ in range(L):
            for j in range(n):
                if logistic:
                    a[i, j] += h[i] / (1.0 + math.exp(m[j]))
                else:
                    a[i, j] += h[i] * math.exp(-m[j])
            for c in range(n):
                m[c] = m0[i, c]
            for j in range(n):
                share = a[i, j]
                for c in range(n):
                    m[c] += G[i, j, c] * share
        margins[i] = m
    return margins
