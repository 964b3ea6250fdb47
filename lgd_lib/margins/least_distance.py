"""The one door to the quadratic program behind every margin: the shortest u with A u >= b."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lapack
from scipy.optimize import nnls

from lgd_lib.margins.active_set import kkt_residual, on_support
from lgd_lib.validation import Array

RESIDUAL = 1e-9
"""Largest relative KKT residual at which DAQP's answer is taken without asking the next solver."""

ACCEPTED = 1e-6
"""Largest relative KKT residual of an answer that is returned at all."""

POLISHED = 1e-13
"""Relative KKT residual below which an answer is not improved further."""

PIVOTS = 6
"""Changes of a guessed support that are tried before DAQP is asked."""


@dataclass(frozen=True, eq=False)
class LeastDistance:
    """The shortest u with A u >= b, and its multipliers: u = A^T multipliers.

    Parameters
    ----------
    u : ndarray, shape (r,)
    multipliers : ndarray, shape (n,)
        Nonnegative.
    solver : str
        Who found it: "none needed", "pivots" from a guess, "daqp", or "nnls" where DAQP failed or is missing.
    residual : float
        `kkt_residual` of the answer, for rows of norm 1.

    Examples
    --------
    >>> least_distance(np.array([[1.0]]), np.array([2.0])).solver
    'daqp'
    """

    u: Array
    multipliers: Array
    solver: str
    residual: float = 0.0


@dataclass(frozen=True, eq=False)
class UnitRows:
    """The rows of A scaled to norm 1.

    Parameters
    ----------
    rows : ndarray, shape (n, r)
        A row of zeros stays one.
    norms : ndarray, shape (n,)
    gram : ndarray, shape (n, n)
        rows rows^T.

    Examples
    --------
    >>> UnitRows.of(np.array([[3.0, 4.0]])).norms
    array([5.])
    """

    rows: Array
    norms: Array
    gram: Array | None = None

    @classmethod
    def of(cls, A: Array, *, with_gram: bool = True) -> UnitRows:
        """Scale; the Gram matrix serves only those who have a guess.

        Parameters
        ----------
        A : ndarray, shape (n, r)
        with_gram : bool

        Returns
        -------
        UnitRows
        """
        norms = np.sqrt(np.einsum("ij,ij->i", A, A))
        rows = A / np.where(norms == 0, 1.0, norms)[:, None]
        return cls(rows, norms, rows @ rows.T if with_gram else None)


def least_distance(A: Array, b: Array) -> LeastDistance | None:
    """Return the shortest u with A u >= b, or None where no solver finds one.

    Rows are scaled to norm 1 first. DAQP's active-set method finds the answer; where its KKT residual is too
    large, or it fails, Lawson and Hanson's method (SciPy's `nnls`) does. On the constraints that carry a
    multiplier the answer is then made exact by one least-norm solve.

    Parameters
    ----------
    A : ndarray, shape (n, r)
    b : ndarray, shape (n,)

    Returns
    -------
    LeastDistance or None
        With a relative KKT residual of at most `ACCEPTED`. None mostly means that the constraints contradict
        each other: `separability.refuse` finds out.

    Notes
    -----
    Source: standard (Lawson and Hanson 1974; Arnstrom, Bemporad and Axehill 2022 for DAQP).
    Cost: O(n r) a step of the active set; tens of microseconds at n = r = 50.

    Examples
    --------
    >>> least_distance(np.array([[2.0, 0.0]]), np.array([1.0])).u
    array([0.5, 0. ])
    >>> least_distance(np.array([[1.0], [-1.0]]), np.array([1.0, 1.0])) is None
    True
    """
    return shortest(UnitRows.of(A, with_gram=False), b)


def shortest(given: UnitRows, b: Array, guess: NDArray[np.bool_] | None = None) -> LeastDistance | None:
    """Return `least_distance` for rows that are prepared, trying a guessed support first.

    Parameters
    ----------
    given : UnitRows
    b : ndarray, shape (n,)
    guess : ndarray of bool, shape (n,), optional
        Where `from_guess` starts. Without it, or without a Gram matrix, DAQP is asked at once.

    Returns
    -------
    LeastDistance or None

    Notes
    -----
    Source: as `least_distance`. Cost: as `from_guess`, where the guess serves.

    Examples
    --------
    >>> shortest(UnitRows.of(np.eye(2)), np.array([2.0, -1.0])).u
    array([2., 0.])
    """
    if (b <= 0).all():
        return LeastDistance(np.zeros(given.rows.shape[1]), np.zeros(b.size), "none needed")
    if (b[given.norms == 0] > 0).any():
        return None
    norms = np.where(given.norms == 0, 1.0, given.norms)
    targets = b / norms
    found = None if guess is None else from_guess(given, targets, guess)
    if found is None:
        found = _by_daqp(given.rows, targets)
    if found is None or not found.residual <= RESIDUAL:
        other = _by_nnls(given.rows, targets)
        if found is None or (other is not None and other.residual < found.residual):
            found = other
    if found is None or not found.residual <= ACCEPTED:
        return None
    return LeastDistance(found.u, found.multipliers / norms, found.solver, found.residual)


def from_guess(given: UnitRows, b: Array, guess: NDArray[np.bool_]) -> LeastDistance | None:
    """Return the shortest u with rows u >= b where a guessed support leads there, or None.

    The support changes in blocks, as in a semismooth Newton method: what is negative leaves, what is violated
    enters. The answer counts only if it satisfies all conditions to `POLISHED`.

    Parameters
    ----------
    given : UnitRows
        With its Gram matrix.
    b : ndarray, shape (n,)
        Right-hand sides for the rows of norm 1.
    guess : ndarray of bool, shape (n,)
        Constraints expected to carry a multiplier.

    Returns
    -------
    LeastDistance or None

    Notes
    -----
    Source: standard (Hintermueller, Ito and Kunisch 2002). Cost: s^3 / 3 a change, s the size of the support.

    Examples
    --------
    >>> from_guess(UnitRows.of(np.eye(2)), np.array([2.0, -1.0]), np.array([True, False])).solver
    'pivots'
    """
    if given.gram is None:
        return None
    S, tolerance = guess, POLISHED / 10 * float(b.max())
    for _ in range(PIVOTS):
        index = np.flatnonzero(S)
        if not 0 < index.size <= given.rows.shape[1]:
            return None
        columns = given.gram[index]
        _, a, failed = lapack.dposv(columns[:, index], b[index])
        if failed:
            return None
        following = a @ columns < b - tolerance
        following[index] = a > 0
        if (following == S).all():
            multipliers = np.zeros(b.size)
            multipliers[index] = a
            u = a @ given.rows[index]
            residual = kkt_residual(given.rows, b, u, multipliers)
            return LeastDistance(u, multipliers, "pivots", residual) if residual < POLISHED else None
        S = following
    return None


@lru_cache(maxsize=16)
def _identity(r: int) -> Array:
    return np.eye(r)


@lru_cache(maxsize=1)
def _daqp() -> Callable[..., Any] | None:
    """DAQP's solver, or None where it is not installed and `nnls`, as exact and slower, serves alone."""
    try:
        import daqp
    except ImportError:
        return None
    return cast("Callable[..., Any]", daqp.solve)


def _by_daqp(A: Array, b: Array) -> LeastDistance | None:
    solve = _daqp()
    if solve is None:
        return None
    free = np.full(b.size, 1e30)
    u, _, flag, info = solve(
        _identity(A.shape[1]),
        np.zeros(A.shape[1]),
        A,
        free,
        b,
        np.zeros(b.size, dtype=np.int32),
        primal_tol=1e-11,
    )
    if flag != 1:
        return None
    return _polished(A, b, u, np.maximum(-info["lam"], 0.0), "daqp")


def _by_nnls(A: Array, b: Array) -> LeastDistance | None:
    """min ||A^T x||^2 + (1 - b^T x)^2: the residual points along the answer, and vanishes without one."""
    E = np.vstack([A.T, b / np.abs(b).max()])
    goal = np.zeros(len(E))
    goal[-1] = 1.0
    try:
        x, _ = nnls(E, goal, maxiter=30 * len(b))
    except RuntimeError:
        return None
    residual = goal - E @ x
    if residual[-1] <= 1e-14:
        return None
    scale = np.abs(b).max() / residual[-1]
    return _polished(A, b, -residual[:-1] * scale, x * scale, "nnls")


def _polished(A: Array, b: Array, u: Array, multipliers: Array, solver: str) -> LeastDistance:
    """The least-norm solution of the active equations, where it is better."""
    found = LeastDistance(u, multipliers, solver, kkt_residual(A, b, u, multipliers))
    support = multipliers > 0
    if found.residual < POLISHED or not support.any():
        return found
    u, multipliers = on_support(A, b, support)
    better = LeastDistance(u, multipliers, solver, kkt_residual(A, b, u, multipliers))
    # Long multipliers of either answer leave no more than this of a residual to compare.
    floor = 4 * np.finfo(float).eps * float(multipliers.sum()) / float(np.sqrt(u @ u) or 1.0)
    # Multipliers below zero by rounding are no solution's: they would be counted as tight.
    return better if better.residual < max(found.residual, floor) and multipliers.min() >= 0 else found
