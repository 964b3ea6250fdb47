"""The centralised answers, by closed form and by cvxpy, each returned with its certificate."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from lgd_lib.certificates import Certificate, check_min_norm, check_projection
from lgd_lib.margins import require_classification, signed_rows, unit_rows
from lgd_lib.margins.active_set import kkt_residual, on_support
from lgd_lib.margins.least_distance import least_distance
from lgd_lib.margins.refinement import program, refined
from lgd_lib.margins.separability import refuse
from lgd_lib.problems import Node, Problem
from lgd_lib.projections import factor, one_target
from lgd_lib.row_space import coordinates
from lgd_lib.validation import Array, as_point

METHODS = ("closed", "cvxpy")
CONSISTENT = 1e-8


@dataclass(frozen=True, eq=False)
class Reference:
    """A centralised answer with its multipliers and its certificate.

    Parameters
    ----------
    w : ndarray, shape (d,)
    multipliers : ndarray, shape (N,)
        One for each sample; for `min_norm`, w - w0 = X^T multipliers.
    certificate : Certificate

    Examples
    --------
    >>> reference = min_norm(Problem([Node([[3.0, 4.0]], [25.0])], "regression"))
    >>> f"{reference.multipliers[0]:.6f}", reference.certificate.ok
    ('1.000000', True)
    """

    w: Array
    multipliers: Array
    certificate: Certificate


def min_norm(problem: Problem, w0: ArrayLike | None = None, method: str = "closed") -> Reference:
    """Return the interpolator nearest to w0: argmin ||w - w0||^2 subject to X w = y. (R2-limit)

    From w0 = 0 it is w_c = X^+ y, what gradient descent on the pooled data tends to.

    Parameters
    ----------
    problem : Problem
    w0 : array_like, shape (d,), optional
        Zero by default.
    method : {"closed", "cvxpy"}
        By a singular value decomposition, or by an interior-point solver that knows nothing of it.

    Returns
    -------
    Reference

    Raises
    ------
    ValueError
        If the equations are inconsistent (the message names the residual), w0 does not fit, or the method
        is unknown.
    ImportError
        If the method is "cvxpy" and cvxpy is not installed: `pip install lgd-lib[reference]`.

    Notes
    -----
    Source: standard. Cost: "closed" O(N^2 d); "cvxpy" tens to thousands of times more, and its answer is
    good to about 1e-7 only, as its certificate then says: use it as a second opinion.

    Examples
    --------
    >>> problem = Problem([Node([[1.0, 1.0]], [2.0])], "regression")
    >>> min_norm(problem).w
    array([1., 1.])
    """
    if method not in METHODS:
        raise ValueError(f"method was {method!r}; it must be one of {', '.join(map(repr, METHODS))}")
    start = np.zeros(problem.d) if w0 is None else as_point("w0", w0, problem.d)
    pooled = one_target(problem).pooled
    f = factor(pooled)
    gap = pooled.y - pooled.X @ start
    along = f.U.T @ gap
    unreachable = float(np.linalg.norm(gap - f.U @ along))
    size = float(np.linalg.norm(pooled.y)) + (
        float(f.s[0]) * float(np.linalg.norm(start)) if f.s.size else 0.0
    )
    if unreachable > CONSISTENT * size:
        raise ValueError(
            f"problem has no interpolator: the equations X w = y are inconsistent, with least-squares "
            f"residual {unreachable:.3g} (relative {unreachable / size:.3g}); they must hold for some w"
        )
    if method == "closed":
        w, multipliers = start + (along / f.s) @ f.Vt, f.U @ (along / f.s**2)
    else:
        w, multipliers = _min_norm_cvxpy(pooled, start)
    return Reference(w, multipliers, check_min_norm(problem, w, start))


def _min_norm_cvxpy(pooled: Node, start: Array) -> tuple[Array, Array]:
    """Each equation is scaled to a row of norm 1, which changes no solution."""
    import cvxpy as cp

    norms = np.linalg.norm(pooled.X, axis=1)
    norms[norms == 0] = 1.0
    move = cp.Variable(pooled.d)
    constraint = pooled.X / norms[:, None] @ move == (pooled.y - pooled.X @ start) / norms
    program = cp.Problem(cp.Minimize(cp.sum_squares(move) / 2), [constraint])
    program.solve(solver=cp.CLARABEL, tol_gap_abs=1e-12, tol_gap_rel=1e-12, tol_feas=1e-12)
    if move.value is None:
        raise ValueError(f"cvxpy found no answer: status {program.status!r}")
    return start + move.value, -constraint.dual_value / norms


def max_margin(problem: Problem, method: str = "closed") -> Reference:
    """Return w_mm = argmin ||w||^2 subject to y_j x_j^T w >= 1 for all samples of all nodes.

    Its direction has the largest margin, gamma = 1 / ||w_mm||, and is what gradient descent on the pooled
    logistic or exponential loss tends to. (C1-direction)

    Parameters
    ----------
    problem : Problem
        For classification.
    method : {"closed", "cvxpy"}
        As for `project_feasible`.

    Returns
    -------
    Reference

    Raises
    ------
    NotSeparableError
        A ValueError, with a convex combination of the y_j x_j that is zero, if no w separates the data.
    UndecidedError
        If neither an answer nor such a combination is found: the margin is too small for float64.
    ValueError
        If the task is not "classification", a sample is zero, or the method is unknown.

    Notes
    -----
    Source: standard (Soudry et al. 2018 for its role). Cost: as `project_feasible`.

    Examples
    --------
    >>> from lgd_lib.problems import Node
    >>> problem = Problem([Node([[2.0, 0.0], [0.0, 2.0]], [1.0, -1.0])], "classification")
    >>> max_margin(problem).w
    array([ 0.5, -0.5])
    """
    return project_feasible(problem, None, method)


def project_feasible(problem: Problem, w0: ArrayLike | None = None, method: str = "closed") -> Reference:
    """Return the point nearest to w0 that separates all data with margin 1. (C6-limit)

    argmin ||w - w0||^2 subject to y_j x_j^T w >= 1 for all samples of all nodes.

    Parameters
    ----------
    problem : Problem
        For classification.
    w0 : array_like, shape (d,), optional
        Zero by default: the answer is then w_mm.
    method : {"closed", "cvxpy"}
        By an active-set method on the row space, made exact on its support vectors, if need be in doubled
        precision; or by cvxpy's interior-point solver in the original variables, its answer made exact on
        the support vectors that it names.

    Returns
    -------
    Reference
        Its certificate says which solver answered. Where `certificate.ok` is False, no answer of that
        accuracy was found, and `certificate.error_bound` is what is known.

    Raises
    ------
    NotSeparableError, UndecidedError, ValueError
        As `max_margin`; ValueError if w0 does not fit.

    Notes
    -----
    Source: standard. Cost: the row space, N^2 d, then about N^3 for the active set.

    Examples
    --------
    >>> from lgd_lib.problems import Node
    >>> problem = Problem([Node([[1.0, 0.0]], [1.0])], "classification")
    >>> project_feasible(problem, [0.0, 3.0]).w
    array([1., 3.])
    """
    if method not in METHODS:
        raise ValueError(f"method was {method!r}; it must be one of {', '.join(map(repr, METHODS))}")
    require_classification(problem)
    start = np.zeros(problem.d) if w0 is None else as_point("w0", w0, problem.d)
    Z = signed_rows(problem.pooled)
    rows, norms = unit_rows(Z)
    solve = _by_active_set if method == "closed" else _by_interior_point
    found = solve(rows, 1 / norms - rows @ start)
    if found is None:
        refuse(norms[:, None] * coordinates([rows])[0], Z, "the pooled data")
    move, a, note = found
    w, a = start + move, a / norms
    certificate = check_projection(problem, w, start, a)
    if method == "closed" and not certificate.ok:
        given = program(Z, start)
        better = refined(given, a / given.s)
        w_better, a_better = start + better.u[0], better.multipliers[0] * given.s
        second = check_projection(problem, w_better, start, a_better)
        if second.ok or second.error_bound < certificate.error_bound:
            w, a, certificate, note = w_better, a_better, second, f"{note}, corrected in doubled precision"
    return Reference(w, a, replace(certificate, note=note))


def _by_active_set(rows: Array, targets: Array) -> tuple[Array, Array, str] | None:
    """The shortest u with rows u >= targets, in coordinates of the rows, then exact in the original ones."""
    small, _, up = coordinates([rows])
    found = least_distance(small, targets)
    if found is None:
        return None
    note = f"by {found.solver}"
    u, support = up(found.u), found.multipliers > 0
    if support.any():
        exact, a = on_support(rows, targets, support)
        if a.min() >= 0 and kkt_residual(rows, targets, exact, a) <= kkt_residual(
            rows, targets, u, found.multipliers
        ):
            return exact, a, note
    return u, found.multipliers, note


def _by_interior_point(rows: Array, targets: Array) -> tuple[Array, Array, str] | None:
    """cvxpy's answer; then exact on the best of the supports that its multipliers suggest."""
    import cvxpy as cp

    move = cp.Variable(rows.shape[1])
    constraint = rows @ move >= targets
    asked = cp.Problem(cp.Minimize(cp.sum_squares(move) / 2), [constraint])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # "may be inaccurate": the certificate says how much
        try:
            asked.solve(solver=cp.CLARABEL)
        except cp.SolverError:
            return None
    if move.value is None or constraint.dual_value is None:
        return None
    u, a = np.asarray(move.value), np.maximum(np.asarray(constraint.dual_value), 0.0)
    best = kkt_residual(rows, targets, u, a), u, a, "by cvxpy (Clarabel)"
    for threshold in a.max() * np.logspace(-9, -1, 17):
        support = a > threshold
        if not 0 < support.sum() <= rows.shape[1]:
            continue
        exact, b = on_support(rows, targets, support)
        residual = kkt_residual(rows, targets, exact, b)
        if residual < best[0]:
            best = residual, exact, b, f"by cvxpy (Clarabel), exact on its {support.sum()} support vectors"
    return best[1:]
