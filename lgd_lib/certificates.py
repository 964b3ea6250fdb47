"""Certificates of a centralised answer, computed from the answer and the data alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from lgd_lib.margins import require_classification, signed_rows, unit_rows
from lgd_lib.margins.bounds import distance_to_answer, multipliers_of
from lgd_lib.problems import Problem
from lgd_lib.projections import factor, one_target
from lgd_lib.validation import Array, as_point, as_real

TOLERANCE = 1e-8

CLOSE = 1e-4
"""Residuals below which a point is worth a correction in doubled precision."""


@dataclass(frozen=True)
class Certificate:
    """How far a point is from satisfying the conditions that only the right answer satisfies.

    Parameters
    ----------
    residuals : mapping of str to float
        One for each condition, relative: zero for the exact answer.
    error_bound : float
        The point is within this distance of the right answer, in the units of w.
    tolerance : float
        Largest relative error that passes.
    scale : float
        Norm to which `error_bound` is compared.
    note : str
        Who found the answer, where that is known.

    Examples
    --------
    >>> Certificate({"feasibility": 1e-15}, error_bound=3e-15, tolerance=1e-8, scale=1.0).ok
    True
    """

    residuals: Mapping[str, float]
    error_bound: float
    tolerance: float
    scale: float
    note: str = ""

    @property
    def ok(self) -> bool:
        """Whether the residuals and error_bound / scale are all within the tolerance."""
        relative = self.error_bound / self.scale if self.scale else self.error_bound
        # Not max(): NaN must not pass.
        return all(bool(value <= self.tolerance) for value in (*self.residuals.values(), relative))

    def __str__(self) -> str:
        parts = ", ".join(f"{name} {value:.1e}" for name, value in self.residuals.items())
        verdict = "ok" if self.ok else "NOT ok"
        distance = f"within {self.error_bound:.1e} of the answer"
        note = f"; {self.note}" if self.note else ""
        return f"{verdict} at relative tolerance {self.tolerance:.0e}: {parts}; {distance}{note}"


def check_min_norm(
    problem: Problem, w: ArrayLike, w0: ArrayLike | None = None, *, tolerance: float = TOLERANCE
) -> Certificate:
    """Check that w is the interpolator nearest to w0: X w = y, and w - w0 in the span of the rows.

    Both conditions together have one solution only. With P the projector on the span of the rows,

        ||w - w*||^2 = ||X^+ (X w - y)||^2 + ||(I - P) (w - w0)||^2,

    so the distance to the answer is known without the answer. (R2-limit)

    Parameters
    ----------
    problem : Problem
    w : array_like, shape (d,)
    w0 : array_like, shape (d,), optional
        Zero by default: w is then checked to be the interpolator of least norm.
    tolerance : float
        Largest relative error that passes.

    Returns
    -------
    Certificate
        Residuals "feasibility", ||X w - y|| / (sigma_max ||w|| + ||y||), and "stationarity",
        ||(I - P)(w - w0)|| / max(||w||, ||w0||). `error_bound` is the distance above plus the rounding
        that this computation itself may have suffered.

    Raises
    ------
    TypeError, ValueError
        If w or w0 is not a finite vector of length d.

    Notes
    -----
    Source: standard. Where cond(X) is large the bound says so: at cond(X) = 1e8 no float64 answer passes
    1e-8. Cost: one singular value decomposition of the pooled data.

    Examples
    --------
    >>> from lgd_lib.problems import Node
    >>> problem = Problem([Node([[1.0, 1.0]], [2.0])], "regression")
    >>> check_min_norm(problem, [1.0, 1.0]).ok, check_min_norm(problem, [2.0, 0.0]).ok
    (True, False)
    """
    w = as_point("w", w, one_target(problem).d)
    start = np.zeros(problem.d) if w0 is None else as_point("w0", w0, problem.d)
    pooled = problem.pooled
    f = factor(pooled)
    residual = pooled.X @ w - pooled.y
    moved = w - start
    outside = float(np.linalg.norm(moved - (f.Vt @ moved) @ f.Vt))
    scale = max(float(np.linalg.norm(w)), float(np.linalg.norm(start)))
    largest, smallest = (float(f.s[0]), float(f.s[-1])) if f.s.size else (0.0, 1.0)
    target = float(np.linalg.norm(pooled.y))
    size = largest * float(np.linalg.norm(w)) + target
    # What lies outside the range of X (inconsistent equations) no step can remove: it counts in full.
    along = f.U.T @ residual
    unreachable = float(np.linalg.norm(residual - f.U @ along)) / smallest
    # The span of the rows is itself known to about eps cond(X) only, and `moved` is as long as w or w0.
    eps = np.finfo(float).eps * np.sqrt(max(pooled.X.shape))
    rounding = 2 * eps * (2 * largest * scale + target) / smallest
    distance = float(np.hypot(np.hypot(np.linalg.norm(along / f.s), outside), unreachable)) + float(rounding)
    feasibility = float(np.linalg.norm(residual))
    residuals = {
        "feasibility": feasibility / size if size else feasibility,
        "stationarity": outside / scale if scale else outside,
    }
    return Certificate(residuals, distance, tolerance, scale)


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
    above zero on S and margins above 1 elsewhere, by more than that distance can change, it is the answer and
    the distance is the bound. Otherwise (rows that depend on each other, as duplicates do; a constraint that
    holds with equality by chance) a point u = Z^T a, a >= 0, is found near w in doubled precision, and its
    duality gap, about 1e-30, bounds its distance to the answer by the square root. Where w is far off, the
    duality gap of w itself bounds it: never below 1e-8 or so.
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
    rows, norms = unit_rows(Z)
    scale = max(float(np.linalg.norm(w)), float(np.linalg.norm(start)), float((1 / norms).max()))
    slack, moved = rows @ w - 1 / norms, w - start
    if multipliers is None:
        a = multipliers_of(rows, 1 / norms - rows @ start, moved)
    else:
        a = _given(multipliers, len(Z)) * norms
    weight = float(np.abs(a).max()) or 1.0
    residuals = {
        "primal": max(0.0, float(-slack.min())) / scale,
        "dual": max(0.0, float(-a.min())) / weight,
        "stationarity": float(np.linalg.norm(moved - a @ rows)) / scale,
        "complementarity": float((np.abs(a) * np.abs(slack)).max()) / (weight * scale),
    }
    close = all(residual <= CLOSE for residual in residuals.values())
    bound = distance_to_answer(Z, w, start, a / norms, close)
    return Certificate(residuals, bound, tolerance, scale)


def _given(multipliers: ArrayLike, N: int) -> Array:
    a = as_real("multipliers", multipliers, ndim=1)
    if a.size != N:
        raise ValueError(
            f"multipliers has length {a.size}; it must have one entry for each of the {N} samples"
        )
    return a
