"""Confidence intervals over seeds."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import t as student


def mean_interval(values: ArrayLike, level: float = 0.95) -> tuple[Any, Any, Any]:
    """Return the mean over independent repetitions and the ends of its confidence interval, by Student's t.

    mean +- t_{n-1} s / sqrt(n), where s^2 = sum_i (v_i - mean)^2 / (n - 1). It covers the expectation with
    probability `level` if the v_i are independent and normal, and about so if they are near normal.

    Parameters
    ----------
    values : array_like, shape (n, ...)
        One entry a repetition, such as a seed.
    level : float
        Between 0 and 1.

    Returns
    -------
    mean, low, high : ndarray, shape (...), or float if `values` has one axis
        From one repetition nothing is known about the spread: both ends are then the mean.

    Raises
    ------
    ValueError
        If there is no repetition, a value is not finite, or the level is not between 0 and 1.

    Notes
    -----
    Source: standard (Student, 1908). Cost: one pass.

    Examples
    --------
    >>> [round(v, 2) for v in mean_interval([1.0, 2.0, 3.0])]
    [2.0, -0.48, 4.48]
    """
    table = np.asarray(values, dtype=float)
    if table.ndim == 0 or len(table) == 0:
        raise ValueError(f"values had shape {table.shape}; it must have an entry for each repetition")
    if not np.isfinite(table).all():
        raise ValueError("values holds NaN or infinity; all of it must be finite")
    if not 0 < level < 1:
        raise ValueError(f"level was {level}; it must be between 0 and 1")
    n, mean = len(table), table.mean(axis=0)
    half = np.zeros_like(mean)
    if n > 1:
        half = student.ppf((1 + level) / 2, n - 1) * table.std(axis=0, ddof=1) / math.sqrt(n)
    if table.ndim == 1:
        return float(mean), float(mean - half), float(mean + half)
    return mean, mean - half, mean + half
