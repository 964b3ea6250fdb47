"""The shortest u with A u >= b in doubled precision, from an answer nearly right, and a bound on it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import qr, solve_triangular

from lgd_lib.margins import unit_rows
from lgd_lib.margins.doubled import Pair, plus, product, product_error
from lgd_lib.validation import Array

Mask = NDArray[np.bool_]
Numbers = NDArray[np.intp]

NEAR = 1e-6
"""Constraints with less slack than this, relative to u, have their margins taken in doubled precision."""

DEPENDENT = 1e-13
"""A unit row nearer than this to the span of others depends on them."""

STEPS = 200
"""Changes of the active set that are tried."""


@dataclass(frozen=True, eq=False)
class Program:
    """The constraints A u >= b on u = w - w0, from Z w >= 1, rows scaled by powers of 2: no data is rounded.

    Parameters
    ----------
    A : ndarray, shape (n, d)
        s Z, rows of norm near 1.
    b : pair of ndarray, shape (n,)
        s - A w0 in doubled precision.
    s : ndarray, shape (n,)
    w0 : ndarray, shape (d,)
    error : ndarray, shape (n,)
        A bound on the error of b.

    Examples
    --------
    >>> program(np.array([[2.0, 0.0]]), np.zeros(2)).s
    array([0.5])
    """

    A: Array
    b: Pair
    s: Array
    w0: Array
    error: Array


@dataclass(frozen=True, eq=False)
class Refined:
    """A point u = A^T multipliers in doubled precision.

    Parameters
    ----------
    u : pair of ndarray, shape (d,)
    multipliers : pair of ndarray, shape (n,)
        Nonnegative.

    Examples
    --------
    >>> refined(program(np.array([[2.0, 0.0]]), np.zeros(2)), np.ones(1)).multipliers[0]
    array([0.5])
    """

    u: Pair
    multipliers: Pair


def program(Z: Array, w0: Array) -> Program:
    """Return the constraints Z w >= 1 as ones on w - w0.

    Parameters
    ----------
    Z : ndarray, shape (n, d)
        No row is zero.
    w0 : ndarray, shape (d,)

    Returns
    -------
    Program

    Notes
    -----
    Source: standard. Cost: one product in doubled precision unless w0 is zero.

    Examples
    --------
    >>> program(np.array([[4.0, 0.0]]), np.zeros(2)).A
    array([[1., 0.]])
    """
    s = np.ldexp(1.0, 1 - np.frexp(unit_rows(Z)[1])[1])
    A, none = Z * s[:, None], np.zeros(len(Z))
    if not w0.any():
        return Program(A, (s, none), s, w0, none)
    start = (w0, np.zeros(w0.size))
    hi, lo = product(A, start)
    return Program(A, plus((s, none), (-hi, -lo)), s, w0, product_error(A, start))


def refined(given: Program, multipliers: Array) -> Refined:
    """Return the shortest u with A u >= b in doubled precision, starting from multipliers nearly right.

    The dual active-set method with exact exchanges: solve on the support, drop what becomes negative, add
    the most violated constraint, exchange it for another where it depends on the support.

    Parameters
    ----------
    given : Program
    multipliers : ndarray, shape (n,)

    Returns
    -------
    Refined
        Its multipliers are nonnegative, and u is theirs. Whether it is the answer `distance_bound` says.

    Notes
    -----
    Source: standard (Goldfarb and Idnani 1983; Lawson and Hanson 1974). Cost: a QR decomposition of the
    support and a few products in doubled precision a step; few steps from a good start.

    Examples
    --------
    >>> refined(program(np.array([[2.0, 0.0], [1.0, 1.0]]), np.zeros(2)), np.zeros(2)).u[0]
    array([0.5, 0.5])
    """
    A, b = given.A, given.b
    a = np.maximum(multipliers, 0.0)
    S = _independent(A, np.flatnonzero(a))
    a[np.setdiff1d(np.arange(a.size), S)] = 0.0
    for _ in range(STEPS):
        solved = _solve(A, b, S)
        if S.size and solved.multipliers[0][S].min() <= 0:
            # Towards the solution on S until a multiplier is zero, which then leaves.
            new = solved.multipliers[0][S]
            sinking = new <= 0
            ratios = a[S][sinking] / np.maximum(a[S][sinking] - new[sinking], np.finfo(float).tiny)
            leaving = S[sinking][np.argmin(ratios)]
            a[S] += float(ratios.min()) * (new - a[S])
            a = np.maximum(a, 0.0)
            a[leaving], S = 0.0, S[leaving != S]
            continue
        a = solved.multipliers[0].copy()
        missing = _shortfall(given, solved.u)
        missing[S] = 0.0
        j = int(np.argmax(missing))
        if missing[j] <= 0:
            return solved
        S, a = _entered(A, S, a, j)
    return Refined(product(A.T, (a, np.zeros(a.size))), (a, np.zeros(a.size)))


def distance_bound(given: Program, answer: Refined) -> float:
    """Return a bound on ||u - u*||, u* the shortest with A u >= b; infinite where none can be given.

    For a >= 0 the duality gap at v = u + tau (w0 + u), which is feasible for the smallest tau that lifts
    every margin to 1, bounds the distance from A^T a:

        ||A^T a - u*||^2 <= ||v - A^T a||^2 + 2 a^T (A v - b).

    Parameters
    ----------
    given : Program
    answer : Refined

    Returns
    -------
    float
        Rounding included.

    Notes
    -----
    Source: ours, elementary. Cost: one product in doubled precision with the rows that are nearly active.

    Examples
    --------
    >>> given = program(np.array([[1.0, 1.0]]), np.zeros(2))
    >>> distance_bound(given, refined(given, np.ones(1))) < 1e-14
    True
    """
    A, s, a, u = given.A, given.s, answer.multipliers, answer.u
    w = given.w0 + u[0]
    used = np.flatnonzero(a[0])
    slack, near, error = _slack(given, u)
    own = float(np.linalg.norm(product_error(A[used].T, (a[0][used], a[1][used])))) if used.size else 0.0
    # In plain precision a margin is known to a few eps; those that matter are `near`.
    size = np.abs(A[~near]) @ np.abs(u[0]) + np.abs(given.b[0][~near])
    error[~near] += 4 * A.shape[1] * np.finfo(float).eps * size
    short = np.maximum(error - slack, 0.0)
    if (short >= s / 2).any():
        return float("inf")
    tau = float((short / (s - short)).max())
    length = float(np.linalg.norm(w))
    uneven = float(a[0][used] @ (np.abs(slack[used]) + error[used]))
    square = (tau * length + own) ** 2 + 2 * tau * (float(np.linalg.norm(u[0])) + own) * length + 2 * uneven
    return 1.01 * float(np.sqrt(square)) + own


def _solve(A: Array, b: Pair, S: Numbers) -> Refined:
    """u = A_S^T a with A_S u = b_S: one solve, and corrections of it until they stop helping."""
    n, d = A.shape
    zero = np.zeros(n), np.zeros(n)
    if not S.size:
        return Refined((np.zeros(d), np.zeros(d)), zero)
    rows, target = A[S], (b[0][S], b[1][S])
    R = np.linalg.qr(rows.T, mode="r")
    columns = np.ascontiguousarray(rows.T)
    a = np.zeros(S.size), np.zeros(S.size)
    u = np.zeros(d), np.zeros(d)
    best, left, size = Refined(u, zero), np.inf, target[0]
    for _ in range(20):
        y = solve_triangular(R, size, trans="T", check_finite=False)
        step = solve_triangular(R, y, check_finite=False)
        a = plus(a, (step, np.zeros(S.size)))
        u = product(columns, a)
        reached = product(rows, u)
        gap = plus(target, (-reached[0], -reached[1]))
        size = gap[0] + gap[1]
        error = float(np.abs(size).max())
        if error >= left / 2:
            break
        left = error
        whole = np.zeros(n), np.zeros(n)
        whole[0][S], whole[1][S] = a
        best = Refined(u, whole)
        if not error:
            break
    return best


def _slack(given: Program, u: Pair) -> tuple[Array, Mask, Array]:
    """A u - b, doubled where it is small; where that is; and a bound on the error there."""
    A, b = given.A, given.b
    slack = A @ u[0] - b[0]
    near = slack <= NEAR * (float(np.linalg.norm(u[0])) + np.abs(b[0]))
    hi, lo = product(A[near], u)
    hi, lo = plus((hi, lo), (-b[0][near], -b[1][near]))
    slack[near] = hi + lo
    error = given.error + 2.0**-100 * np.abs(b[0])
    error[near] += product_error(A[near], u)
    return slack, near, error


def _shortfall(given: Program, u: Pair) -> Array:
    """By how much each constraint is missed beyond rounding."""
    slack, _, error = _slack(given, u)
    return np.maximum(-slack - 4 * error, 0.0)


def _independent(A: Array, S: Numbers) -> Numbers:
    """As many rows of S as do not depend on each other."""
    if not S.size:
        return S
    R, order = qr(A[S].T, mode="r", pivoting=True)
    size = np.abs(np.diag(R))
    return np.sort(S[order[: int((size > DEPENDENT * size[0]).sum())]])


def _entered(A: Array, S: Numbers, a: Array, j: int) -> tuple[Numbers, Array]:
    """The support with constraint j: added, or exchanged where it depends on the others."""
    if S.size:
        Q, R = np.linalg.qr(A[S].T)
        along = Q.T @ A[j]
        if np.linalg.norm(A[j] - Q @ along) <= DEPENDENT:
            c = solve_triangular(R, along, check_finite=False)
            falling = c > 0
            if falling.any():
                ratios = a[S][falling] / c[falling]
                leaving, t = S[falling][np.argmin(ratios)], float(ratios.min())
                a[S] = np.maximum(a[S] - t * c, 0.0)
                a[leaving], a[j] = 0.0, t
                S = S[leaving != S]
    return np.sort(np.append(S, j)), a
