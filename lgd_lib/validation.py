"""Checks of what comes in: each error names the argument, what it was and what it must be."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]
MOST_CLASSES = 10_000
"""A label of this size is taken for a mistake: the model would have as many rows."""


def as_real(name: str, value: ArrayLike, ndim: int) -> Array:
    """Return `value` as a finite float64 array with `ndim` axes.

    A float64 array that is already contiguous is not copied.

    Parameters
    ----------
    name : str
        What the argument is called in error messages.
    value : array_like of real numbers
        Booleans, integers and floats are taken; text, objects and complex numbers are refused.
    ndim : int
        Number of axes it must have.

    Returns
    -------
    ndarray of float64

    Raises
    ------
    TypeError
        If the entries are not real numbers.
    ValueError
        If the number of axes is wrong or an entry is NaN or infinite.

    Notes
    -----
    Cost: one pass over the array.

    Examples
    --------
    >>> as_real("w0", [1, 2], ndim=1)
    array([1., 2.])
    """
    if isinstance(value, np.ma.MaskedArray):
        raise TypeError(f"{name} is a masked array; it must hold a number in every place")
    try:
        raw = np.asarray(value)
    except ValueError as error:
        raise ValueError(
            f"{name} must be an array with {ndim} axes; its rows have unequal lengths"
        ) from error
    if raw.dtype.kind not in "biuf":
        raise TypeError(f"{name} has dtype {raw.dtype}; it must hold real numbers")
    if raw.ndim != ndim:
        raise ValueError(f"{name} has shape {raw.shape}; it must have {ndim} axes, not {raw.ndim}")
    array = np.ascontiguousarray(raw, dtype=np.float64)
    if not np.isfinite(array).all():
        where = tuple(int(j) for j in np.argwhere(~np.isfinite(array))[0])
        raise ValueError(f"{name} has the entry {array[where]} at index {where}; every entry must be finite")
    return array


def as_point(name: str, value: ArrayLike, d: int) -> Array:
    """Return `value` as a finite vector of length `d`.

    Parameters
    ----------
    name : str
        What the argument is called in error messages.
    value : array_like, shape (d,)
    d : int
        Length it must have.

    Returns
    -------
    ndarray, shape (d,)

    Raises
    ------
    TypeError, ValueError
        As `as_real`, and if the length is not `d`.

    Notes
    -----
    Cost: one pass over the vector.

    Examples
    --------
    >>> as_point("w0", [0.0, 1.0], d=2)
    array([0., 1.])
    """
    point = as_real(name, value, ndim=1)
    if point.size != d:
        raise ValueError(f"{name} has length {point.size}; it must have length d = {d}")
    return point


def per_node(name: str, value: ArrayLike, M: int) -> Array:
    """Return one number per node from a number or a sequence of M numbers.

    Parameters
    ----------
    name : str
        What the argument is called in error messages.
    value : float or sequence of M floats
        May hold infinity, not NaN.
    M : int
        Number of nodes.

    Returns
    -------
    ndarray, shape (M,)

    Raises
    ------
    ValueError
        If the number of entries is neither 1 nor M.

    Notes
    -----
    Cost: none.

    Examples
    --------
    >>> per_node("L", 5, M=3)
    array([5., 5., 5.])
    """
    array = np.asarray(value, dtype=np.float64)
    if array.shape not in ((), (M,)):
        raise ValueError(
            f"{name} has shape {array.shape}; it must be one number, or one for each of M = {M} nodes"
        )
    return np.full(M, array)


def as_list(name: str, value: ArrayLike) -> list[Any]:
    """Return the entries of a number or a vector as a list, whatever they are.

    Parameters
    ----------
    name : str
        What the argument is called in error messages.
    value : float or sequence

    Returns
    -------
    list

    Raises
    ------
    ValueError
        If rows have unequal lengths.

    Notes
    -----
    Cost: none.

    Examples
    --------
    >>> as_list("L", 5), as_list("L", (1, 2))
    ([5], [1, 2])
    """
    try:
        return list(np.atleast_1d(value).tolist())
    except ValueError as error:
        raise ValueError(f"{name} was {value!r}; it must be one number, or one for each node") from error


def as_weights(weights: ArrayLike | None, M: int) -> Array:
    """Return node weights p_i > 0 that sum to 1; equal ones for None.

    Parameters
    ----------
    weights : sequence of M positive numbers, or None
        Rescaled to sum 1.
    M : int
        Number of nodes.

    Returns
    -------
    ndarray, shape (M,)

    Raises
    ------
    ValueError
        If the length is not M or an entry is not positive and finite.

    Notes
    -----
    Cost: none.

    Examples
    --------
    >>> as_weights([1, 3], M=2)
    array([0.25, 0.75])
    """
    if weights is None:
        return np.full(M, 1.0 / M)
    p = as_real("weights", weights, ndim=1).copy()
    if p.size != M or not (p > 0).all():
        raise ValueError(f"weights was {p.tolist()}; it must be M = {M} positive numbers, one for each node")
    p /= p.max()
    p /= p.sum()
    if not (p >= np.finfo(float).tiny).all():
        raise ValueError(f"weights was {p.tolist()} after scaling to sum 1; the smallest must not vanish")
    return p


def is_count(value: object) -> bool:
    """Return whether `value` is a whole number of at least 1; 10.0 is one, infinity is not.

    Parameters
    ----------
    value : object

    Returns
    -------
    bool

    Notes
    -----
    Cost: none.

    Examples
    --------
    >>> is_count(3), is_count(0), is_count(math.inf)
    (True, False, False)
    """
    if isinstance(value, bool) or not isinstance(value, (int, float, np.integer, np.floating)):
        return False
    return bool(math.isfinite(value) and value >= 1 and float(value).is_integer())


def check_labels(name: str, y: Array, task: str) -> None:
    """Raise unless the labels are those of the task; any number is a target of regression.

    Parameters
    ----------
    name : str
        What the argument is called in error messages.
    y : ndarray, shape (N,)
    task : {"regression", "classification", "multiclass"}

    Raises
    ------
    ValueError

    Notes
    -----
    Cost: one pass over y.

    Examples
    --------
    >>> check_labels("y", np.array([0.0, 2.0]), "multiclass")
    """
    if task == "classification":
        right, must = np.isin(y, (-1.0, 1.0)), "-1 or +1"
    elif task == "multiclass":
        right = (y >= 0) & (y == np.floor(y)) & (y < MOST_CLASSES)
        must = f"a whole number from 0 to {MOST_CLASSES - 1:,}"
    else:
        return
    if not right.all():
        raise ValueError(f"{name} has the label {y[~right][0]:g}; every label must be {must}")
