"""Proofs that data are not separable, and the errors that carry them."""

from __future__ import annotations

from typing import NoReturn

import numpy as np
from scipy.optimize import nnls

from lgd_lib.validation import Array

PROVED = 1e-12
"""Largest length of a convex combination of unit rows that counts as zero to rounding."""


class NotSeparableError(ValueError):
    """No w has z_j^T w >= 1 for all j: the data are not separable.

    Parameters
    ----------
    combination : ndarray, shape (N,)
        Nonnegative numbers with sum 1 for which sum_j combination_j z_j is zero to rounding, which proves it.
    where : str
        What is not separable.
    """

    def __init__(self, combination: Array, where: str) -> None:
        support = int((combination > 0).sum())
        super().__init__(
            f"{where} is not separable through the origin: a convex combination of {support} of its rows "
            "y_j x_j is zero (see the attribute `combination`); add features, or remove contradicting samples"
        )
        self.combination = combination


class UndecidedError(ArithmeticError):
    """Neither an answer nor a proof that there is none was found: the margin is too small for float64.

    Parameters
    ----------
    where : str
        What could not be decided.
    margin : float
        The rows scaled to norm 1 have no larger margin.
    """

    def __init__(self, where: str, margin: float) -> None:
        super().__init__(
            f"{where}: no solver found a separating point, and no convex combination of the rows was zero "
            f"to rounding; if they are separable, their margin is at most {margin:.1e} of their length"
        )
        self.margin = margin


def refuse(rows: Array, Z: Array, where: str) -> NoReturn:
    """Raise the error that is true of data for which no separating point was found.

    Parameters
    ----------
    rows : ndarray, shape (N, r)
        The rows in coordinates of their span; Z itself will do.
    Z : ndarray, shape (N, d)
        The rows z_j = y_j x_j, on which the proof is verified; none is zero.
    where : str
        What they are, for the message.

    Returns
    -------
    never

    Raises
    ------
    NotSeparableError
        If a convex combination of the rows is zero to rounding.
    UndecidedError
        Otherwise.

    Notes
    -----
    Source: standard (Gordan). Cost: one `contradiction`.

    Examples
    --------
    >>> Z = np.array([[1.0], [-2.0]])
    >>> refuse(Z, Z, "this")
    Traceback (most recent call last):
    ...
    lgd_lib.margins.separability.NotSeparableError: this is not separable through the origin: ...
    """
    combination, _ = contradiction(rows)
    norms = np.linalg.norm(Z, axis=1)
    length = float(np.linalg.norm(combination @ Z) / (combination @ norms))
    if length <= PROVED:
        raise NotSeparableError(combination, where)
    raise UndecidedError(where, length)


def contradiction(Z: Array) -> tuple[Array, float]:
    """Return the convex combination of the rows of Z nearest to zero, and its length.

    Parameters
    ----------
    Z : ndarray, shape (N, d)
        Rows z_j = y_j x_j, none of them zero.

    Returns
    -------
    combination : ndarray, shape (N,)
        Nonnegative with sum 1.
    length : float
        Of sum_j combination_j z_j, relative to sum_j combination_j ||z_j||: zero to rounding when no w has
        Z w >= 1; otherwise no w has a larger margin on the rows scaled to norm 1.

    Notes
    -----
    Source: standard (Gordan's theorem). Cost: one `nnls`, one decomposition of the rows in the combination.

    Examples
    --------
    >>> combination, length = contradiction(np.array([[1.0], [-1.0]]))
    >>> combination, length < 1e-15
    (array([0.5, 0.5]), True)
    """
    norms = np.linalg.norm(Z, axis=1)
    rows = Z / norms[:, None]
    E, goal = np.vstack([rows.T, np.ones(len(Z))]), np.append(np.zeros(Z.shape[1]), 1.0)
    try:
        share = nnls(E, goal, maxiter=30 * len(Z))[0]
    except RuntimeError:
        share = np.ones(len(Z))
    share = share / share.sum()
    length = float(np.linalg.norm(share @ rows))
    support = np.flatnonzero(share)
    kernel = np.linalg.svd(rows[support].T)[2][-1]
    if (kernel > 0).all() or (kernel < 0).all():
        exact = kernel / kernel.sum()
        shorter = float(np.linalg.norm(exact @ rows[support]))
        if shorter < length:
            length, share = shorter, np.zeros(len(Z))
            share[support] = exact
    combination = share / norms
    return combination / combination.sum(), length
