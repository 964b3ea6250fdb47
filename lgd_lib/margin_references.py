"""The centralised answers of classification, certified: max-margin, and the nearest separating point."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from lgd_lib.least_distance import NotSeparableError, contradiction, least_distance
from lgd_lib.margin_certificates import check_projection
from lgd_lib.margin_solvers import require_classification, signed_rows
from lgd_lib.problems import Problem
from lgd_lib.references import METHODS, Reference
from lgd_lib.validation import Array, as_point


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
        By an active-set method on the row space, or by cvxpy's interior-point solver in the original
        variables, its answer polished on the support vectors that it names.

    Returns
    -------
    Reference

    Raises
    ------
    NotSeparableError, ValueError
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
    gaps = 1 - Z @ start
    if method == "closed":
        small, u0, lift = problem.row_space(start)
        found = least_distance(signed_rows(small.pooled), gaps)
        if found is None:
            raise NotSeparableError(contradiction(signed_rows(small.pooled))[0], "the pooled data")
        w, multipliers = lift(u0 + found.u), found.multipliers
    else:
        w, multipliers = _by_cvxpy(Z, start, gaps)
    return Reference(w, multipliers, check_projection(problem, w, start, multipliers))


def _by_cvxpy(Z: Array, start: Array, gaps: Array) -> tuple[Array, Array]:
    """Interior point in the original variables, rows scaled to norm 1; then exact on its support vectors."""
    import cvxpy as cp

    norms = np.linalg.norm(Z, axis=1)
    rows, targets = Z / norms[:, None], gaps / norms
    move = cp.Variable(Z.shape[1])
    constraint = rows @ move >= targets
    program = cp.Problem(cp.Minimize(cp.sum_squares(move) / 2), [constraint])
    program.solve(solver=cp.CLARABEL)
    if program.status in ("infeasible", "infeasible_inaccurate"):
        raise NotSeparableError(contradiction(Z)[0], "the pooled data")
    if move.value is None:
        raise ValueError(f"cvxpy found no answer: status {program.status!r}")
    multipliers = np.maximum(np.asarray(constraint.dual_value), 0.0)
    support = multipliers > 1e-6 * multipliers.max()
    U, s, Vt = np.linalg.svd(rows[support], full_matrices=False)
    coordinates = U.T @ targets[support] / s
    exact = np.zeros(len(Z))
    exact[support] = U @ (coordinates / s)
    if exact.min() >= 0 and (rows @ (coordinates @ Vt) - targets).min() > -1e-10:
        return start + coordinates @ Vt, exact / norms
    return start + move.value, multipliers / norms
