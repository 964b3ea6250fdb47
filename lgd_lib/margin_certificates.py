"""Certificates of the nearest separating point, computed from the answer and the data alone."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import nnls

from lgd_lib.certificates import TOLERANCE, Certificate
from lgd_lib.margin_solvers import require_classification, signed_rows
from lgd_lib.problems import Problem
from lgd_lib.validation import Array, as_point, as_real

ACTIVE = 1e-6
"""A constraint whose margin exceeds 1 by less than this may carry a multiplier."""


def check_projection(
    problem: Problem,
    w: ArrayLike,
    w0: ArrayLike | None = None,
    multipliers: ArrayLike | None = None,
    *,
    tolerance: float = TOLERANCE,
) -> Certificate:
    """Check that w is the point nearest to w0 that separates all data with margin 1. (C6-limit)

    With Z the rows z_j = y_j x_j, w = argmin ||w - w0||^2 subject to Z w >= 1 exactly if, for some a >= 0,

        w - w0 = Z^T a,   Z w >= 1,   a_j (z_j^T w - 1) = 0.

    From w0 = 0 that point is w_mm, the max-margin direction.

    Parameters
    ----------
    problem : Problem
        For classification.
    w : array_like, shape (d,)
    w0 : array_like, shape (d,), optional
        Zero by default.
    multipliers : array_like, shape (N,), optional
        a, where it is known; otherwise the best a is computed from w.
    tolerance : float
        Largest relative error that passes.

    Returns
    -------
    Certificate
        Residuals "primal", "dual", "stationarity" and "complementarity", relative; `error_bound` as below.

    Raises
    ------
    TypeError, ValueError
        If w, w0 or the multipliers do not fit, or the problem is not one of classification.

    Notes
    -----
    Error bound. Let S be the constraints with a_j > 0. The point w_S nearest to w0 with z_j^T w = 1 on S is
    at the distance sqrt(||Z_S^+ (1 - Z_S w)||^2 + ||(I - P_S)(w - w0)||^2) from w. If w_S has multipliers
    above zero on S and margins above 1 elsewhere, by more than that distance can change, it is the answer and the
    distance is the bound. Otherwise the duality gap bounds it: ||w - w*|| <= ||w - w_a|| + sqrt(2 gap), with
    w_a = w0 + Z^T a; that is never below 1e-8 or so.
    Source: standard; the bound is ours, elementary. Cost: one `nnls` unless multipliers are given, and one
    decomposition of the active rows.

    Examples
    --------
    >>> from lgd_lib.problems import Node
    >>> problem = Problem([Node([[1.0, 1.0]], [1.0])], "classification")
    >>> check_projection(problem, [0.5, 0.5]).ok, check_projection(problem, [1.0, 0.0]).ok
    (True, False)
    """
    require_classification(problem)
    w = as_point("w", w, problem.d)
    start = np.zeros(problem.d) if w0 is None else as_point("w0", w0, problem.d)
    Z = signed_rows(problem.pooled)
    norms = np.linalg.norm(Z, axis=1)
    scale = max(float(np.linalg.norm(w)), float(np.linalg.norm(start)), float((1 / norms).max()))
    a = _multipliers(Z, norms, w, start) if multipliers is None else _given(multipliers, len(Z))
    slack = Z @ w - 1
    weight = float(np.abs(a * norms).max()) or 1.0
    residuals = {
        "primal": max(0.0, float((-slack / norms).max())) / scale,
        "dual": max(0.0, float((-a * norms).max())) / weight,
        "stationarity": float(np.linalg.norm(w - start - a @ Z)) / scale,
        "complementarity": float((np.abs(a * norms) * np.abs(slack / norms)).max()) / (weight * scale),
    }
    bound = _active_set_bound(Z, norms, w, start, a)
    if bound is None:
        bound = _gap_bound(Z, w, start, np.maximum(a, 0.0))
    return Certificate(residuals, bound, tolerance, scale)


def _given(multipliers: ArrayLike, N: int) -> Array:
    a = as_real("multipliers", multipliers, ndim=1)
    if a.size != N:
        raise ValueError(
            f"multipliers has length {a.size}; it must have one entry for each of the {N} samples"
        )
    return a


def _multipliers(Z: Array, norms: Array, w: Array, start: Array) -> Array:
    """The a >= 0 on the nearly active constraints for which Z^T a is nearest to w - w0."""
    a = np.zeros(len(Z))
    slack = (Z @ w - 1) / norms
    near = np.flatnonzero(slack <= ACTIVE * max(float(np.linalg.norm(w)), float((1 / norms).max())))
    if near.size:
        rows = Z[near] / norms[near, None]
        Q, R = np.linalg.qr(rows.T)
        a[near] = nnls(R, Q.T @ (w - start), maxiter=30 * near.size + 100)[0] / norms[near]
    return a


def _active_set_bound(Z: Array, norms: Array, w: Array, start: Array, a: Array) -> float | None:
    """The distance to w_S, where the signs of its multipliers and margins are certain; else None."""
    S = a > 1e-12 * a.max() if a.max() > 0 else np.zeros(a.size, dtype=bool)
    eps = np.finfo(float).eps
    size = float(np.linalg.norm(w)) + float(np.linalg.norm(start))
    if not S.any():
        still = float(np.linalg.norm(w - start)) + float(eps) * size
        return still if ((Z @ w - 1) / norms > still).all() else None
    U, s, Vt = np.linalg.svd(Z[S] / norms[S, None], full_matrices=False)
    if s[-1] <= max(S.sum(), Z.shape[1]) * eps * s[0]:
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
