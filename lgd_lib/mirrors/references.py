"""The centralised answer of a mirror flow, by its dual and by cvxpy, and the certificate that checks it."""

from __future__ import annotations

import math
import warnings

import numpy as np
from numpy.typing import ArrayLike
from scipy.linalg import cho_factor, cho_solve

from lgd_lib.certificates import TOLERANCE, Certificate
from lgd_lib.mirrors.flows import dual_newton, equations, require_own_coordinates
from lgd_lib.mirrors.potentials import Euclidean, Hyperbolic, Potential
from lgd_lib.problems import Problem
from lgd_lib.projections import one_target
from lgd_lib.references import METHODS, Reference
from lgd_lib.validation import Array, as_point


def bregman_projection(
    problem: Problem, potential: Potential, w0: ArrayLike | None = None, method: str = "closed"
) -> Reference:
    """Return the interpolator nearest to w0 in the divergence. (N2-mirror)

    argmin D(w, w0) subject to X w = y.

    It is what the mirror flow of the pooled data tends to; for `Hyperbolic(u*v)`, what gradient flow of a
    diagonal network tends to. With `Euclidean` it is `references.min_norm`.

    Parameters
    ----------
    problem : Problem
    potential : Potential
    w0 : array_like, shape (d,), optional
        Zero by default.
    method : {"closed", "cvxpy"}
        By Newton steps on the dual, or, for `Hyperbolic` only, by an interior-point solver that sees two
        relative entropies.

    Returns
    -------
    Reference
        With grad psi(w) - grad psi(w0) = X^T multipliers.

    Raises
    ------
    ValueError
        If the equations are inconsistent, w0 does not fit, or the method is unknown or not for this
        potential.
    ArithmeticError
        If the dual is too badly conditioned for float64.

    Notes
    -----
    Source: standard (Gunasekar et al. 2018; Woodworth et al. 2020). The second method writes w = p - q and
    makes KL(p, u*u) + KL(q, v*v) least. Cost: some ten Newton steps of N^2 d operations; "cvxpy" hundreds
    of times more, and good to about 1e-6.

    Examples
    --------
    >>> from lgd_lib.problems import Node
    >>> problem = Problem([Node([[2.0, 1.0]], [2.0])], "regression")
    >>> f"{bregman_projection(problem, Hyperbolic(1e-9)).w[0]:.3f}"
    '1.000'
    """
    if method not in METHODS:
        raise ValueError(f"method was {method!r}; it must be one of {', '.join(map(repr, METHODS))}")
    if not isinstance(potential, Euclidean):
        require_own_coordinates(problem)
    start = np.zeros(problem.d) if w0 is None else as_point("w0", w0, problem.d)
    s0 = potential.mirror(start)
    given = equations(one_target(problem).pooled, "problem")
    if method == "closed":
        w = potential.inverse(s0 + dual_newton(potential, s0, given) @ given.Vt)
    elif isinstance(potential, Hyperbolic):
        w = _by_interior_point(problem, np.asarray(potential.scale) * np.exp(s0), potential, s0)
    else:
        raise ValueError(f"method was 'cvxpy'; it is for Hyperbolic, not for {type(potential).__name__}")
    moved = given.Vt.T @ (given.Vt @ (potential.mirror(w) - s0))
    multipliers = np.asarray(np.linalg.lstsq(problem.pooled.X.T, moved, rcond=None)[0], np.float64)
    return Reference(w, multipliers, check_bregman(problem, potential, w, start))


def _by_interior_point(problem: Problem, first: Array, potential: Hyperbolic, s0: Array) -> Array:
    """w = p - q with the least KL(p, u*u) + KL(q, v*v), u*u = a exp(s0) and v*v = a exp(-s0)."""
    import cvxpy as cp

    second = np.asarray(potential.scale) * np.exp(-s0)
    pooled = problem.pooled
    p, q = cp.Variable(pooled.d), cp.Variable(pooled.d)
    entropies = cp.sum(cp.kl_div(p, np.broadcast_to(first, s0.shape)))
    entropies += cp.sum(cp.kl_div(q, np.broadcast_to(second, s0.shape)))
    asked = cp.Problem(cp.Minimize(entropies), [pooled.X @ (p - q) == pooled.y])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # "may be inaccurate": the certificate says how much
        asked.solve(solver=cp.CLARABEL, tol_gap_abs=1e-11, tol_gap_rel=1e-11, tol_feas=1e-11)
    if p.value is None:
        raise ValueError(f"cvxpy found no answer: status {asked.status!r}")
    return np.asarray(p.value - q.value)


def check_bregman(
    problem: Problem,
    potential: Potential,
    w: ArrayLike,
    w0: ArrayLike | None = None,
    *,
    tolerance: float = TOLERANCE,
) -> Certificate:
    """Check that w is the Bregman projection of w0: X w = y, and grad psi(w) - grad psi(w0) in the row span.

    Both conditions together have one solution only. (N2-mirror)

    Parameters
    ----------
    problem : Problem
    potential : Potential
    w : array_like, shape (d,)
    w0 : array_like, shape (d,), optional
        Zero by default.
    tolerance : float
        Largest relative error that passes.

    Returns
    -------
    Certificate
        Residuals "feasibility", ||Vt w - t|| / (||w|| + ||t||) with orthonormal rows Vt, and "stationarity",
        ||(I - P)(s - s0)|| / max(||s||, ||s0||) with s = grad psi(w). `error_bound` as below.

    Raises
    ------
    TypeError, ValueError
        If w or w0 is not a finite vector of length d, or the equations are inconsistent.

    Notes
    -----
    Error bound. With C = diag(c), c the slopes at w, e the first residual and f = (I - P)(s - s0), let
    A^2 = e^T (Vt C Vt^T)^-1 e and B^2 = f^T C f. If the potential's bend times 3.3 (A + B) / min sqrt(c) is
    at most 1, the answer is within 3.3 max sqrt(c) (A + B): no slope changes by a factor above e on the way.
    Otherwise the bound is infinite. The rounding of both residuals is added.
    Source: standard conditions; the bound is ours, elementary. Cost: one decomposition of the pooled data.

    Examples
    --------
    >>> from lgd_lib.problems import Node
    >>> problem = Problem([Node([[1.0, 1.0]], [2.0])], "regression")
    >>> check_bregman(problem, Hyperbolic(0.1), [1, 1]).ok, check_bregman(problem, Hyperbolic(0.1), [2, 0]).ok
    (True, False)
    """
    w = as_point("w", w, problem.d)
    start = np.zeros(problem.d) if w0 is None else as_point("w0", w0, problem.d)
    s, s0, given = (
        potential.mirror(w),
        potential.mirror(start),
        equations(one_target(problem).pooled, "problem"),
    )
    c = potential.slope(s)
    e, moved = given.Vt @ w - given.target, s - s0
    f = moved - (given.Vt @ moved) @ given.Vt
    size = float(np.linalg.norm(w) + np.linalg.norm(given.target))
    length = max(float(np.linalg.norm(s)), float(np.linalg.norm(s0)))
    eps = np.finfo(float).eps * math.sqrt(problem.d)
    C = (given.Vt * c) @ given.Vt.T
    A = math.sqrt(max(0.0, float(e @ cho_solve(cho_factor(C), e))))
    A += eps * size / math.sqrt(max(float(np.linalg.eigvalsh(C)[0]), eps * float(c.max())))
    B = math.sqrt(float(c @ f**2)) + eps * math.sqrt(float(c @ moved**2))
    reach = potential.bend * 3.3 * (A + B) / math.sqrt(float(c.min()))
    feasibility, stationarity = float(np.linalg.norm(e)), float(np.linalg.norm(f))
    residuals = {
        "feasibility": feasibility / size if size else feasibility,
        "stationarity": stationarity / length if length else stationarity,
    }
    bound = 3.3 * math.sqrt(float(c.max())) * (A + B) if reach <= 1 else math.inf
    return Certificate(residuals, bound, tolerance, float(np.linalg.norm(w)))
