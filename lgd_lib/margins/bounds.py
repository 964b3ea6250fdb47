"""How far a point can be from the nearest separating point, from the point and multipliers alone."""

from __future__ import annotations

from contextlib import suppress

import numpy as np
from scipy.optimize import nnls

from lgd_lib.margins.active_set import kkt_residual
from lgd_lib.margins.doubled import plus, two_sum
from lgd_lib.margins.refinement import distance_bound, program, refined
from lgd_lib.validation import Array

ACTIVE = (1e-12, 1e-9, 1e-6)
"""A constraint with less slack than this, relative to w, may carry a multiplier: the first that serves."""

ENOUGH = 1e-10
"""Relative KKT residual at which multipliers serve."""


def multipliers_of(rows: Array, targets: Array, u: Array) -> Array:
    """Return the a >= 0 on the nearly active constraints for which rows^T a is nearest to u.

    Parameters
    ----------
    rows : ndarray, shape (N, d)
        Of norm 1.
    targets : ndarray, shape (N,)
        Constraints are rows u >= targets.
    u : ndarray, shape (d,)

    Returns
    -------
    ndarray, shape (N,)

    Notes
    -----
    Source: standard. Cost: up to three times a QR decomposition of the nearly active rows and one `nnls`.

    Examples
    --------
    >>> multipliers_of(np.eye(2), np.array([1.0, -1.0]), np.array([1.0, 0.0]))
    array([1., 0.])
    """
    slack, size = rows @ u - targets, float(np.linalg.norm(u)) + float(np.abs(targets).max())
    best, least = np.zeros(len(rows)), np.inf
    for window in ACTIVE:
        near = np.flatnonzero(slack <= window * size)
        a = np.zeros(len(rows))
        if near.size:
            Q, R = np.linalg.qr(rows[near].T)
            with suppress(RuntimeError):  # no answer: a = 0, and the bound is that of the duality gap
                a[near] = nnls(R, Q.T @ u, maxiter=30 * near.size + 100)[0]
        residual = kkt_residual(rows, targets, u, a)
        if residual < least:
            best, least = a, residual
        if least <= ENOUGH:
            break
    return best


def distance_to_answer(Z: Array, w: Array, w0: Array, a: Array, close: bool) -> float:
    """Return a bound on the distance from w to the point nearest to w0 with Z w >= 1.

    Parameters
    ----------
    Z : ndarray, shape (N, d)
        Rows z_j = y_j x_j.
    w, w0 : ndarray, shape (d,)
    a : ndarray, shape (N,)
        Multipliers, of any quality.
    close : bool
        Whether w nearly satisfies the conditions, so that a correction in doubled precision is worth while.

    Returns
    -------
    float
        Infinite where nothing can be said.

    Notes
    -----
    Source: ours; `certificates.check_projection` says how. Cost: a decomposition of the active rows; where
    active rows depend on each other, or a constraint holds with equality by chance, some more.

    Examples
    --------
    >>> distance_to_answer(np.eye(2), np.ones(2), np.zeros(2), np.ones(2), True) < 1e-14
    True
    """
    norms = np.linalg.norm(Z, axis=1)
    bound = _active_set_bound(Z, norms, w, w0, a)
    if bound is not None:
        return bound
    bound = _gap_bound(Z, w, w0, np.maximum(a, 0.0))
    if not close:
        return bound
    given = program(Z, w0)
    answer = refined(given, a / given.s)
    apart, _ = plus(two_sum(w, -w0), (-answer.u[0], -answer.u[1]))
    apart_length = float(np.linalg.norm(apart)) * (1 + 1e-12)
    return min(bound, apart_length + distance_bound(given, answer))


def _active_set_bound(Z: Array, norms: Array, w: Array, start: Array, a: Array) -> float | None:
    """The distance to w_S, where the signs of its multipliers and margins are certain; else None."""
    S = a > 1e-12 * a.max() if a.max() > 0 else np.zeros(a.size, dtype=bool)
    eps = np.finfo(float).eps
    size = float(np.linalg.norm(w)) + float(np.linalg.norm(start))
    if not S.any():
        still = float(np.linalg.norm(w - start)) + float(eps) * size
        return still if ((Z @ w - 1) / norms > still).all() else None
    U, s, Vt = np.linalg.svd(Z[S] / norms[S, None], full_matrices=False)
    if S.sum() > s.size or s[-1] <= max(S.sum(), Z.shape[1]) * eps * s[0]:
        return None
    gap = U.T @ ((1 - Z[S] @ w) / norms[S]) / s
    moved = w - start
    outside = moved - (Vt @ moved) @ Vt
    reach = size * float(s[0]) + float((1 / norms[S]).max())
    rounding = 4 * eps * float(np.sqrt(Z.shape[1])) * reach / float(s[-1])
    distance = float(np.hypot(np.linalg.norm(gap), np.linalg.norm(outside)) + rounding)
    exact = U @ ((Vt @ moved + gap) / s)
    others = (Z[~S] @ w - 1) / norms[~S]
    if exact.min() > distance / s[-1] and (not others.size or others.min() > distance):
        return distance
    return None


def _gap_bound(Z: Array, w: Array, start: Array, a: Array) -> float:
    """||w - w_a|| + sqrt(2 (f(v) - D(a))), v = w scaled until it is feasible; infinite where it never is."""
    reached = start + a @ Z
    low = float((Z @ w).min())
    feasible = w / min(low, 1.0) if low > 0 else None
    if feasible is None:
        return np.inf
    value = 0.5 * float(np.square(feasible - start).sum())
    dual = float(a @ (1 - Z @ start)) - 0.5 * float(np.square(a @ Z).sum())
    rounding = np.finfo(float).eps * 8 * (value + abs(dual) + float(np.square(start).sum()))
    return float(np.linalg.norm(w - reached) + np.sqrt(2 * (max(value - dual, 0.0) + rounding)))
