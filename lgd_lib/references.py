"""The centralised answers, by closed form and by cvxpy, each returned with its certificate."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from lgd_lib.certificates import Certificate, check_min_norm
from lgd_lib.problems import Node, Problem
from lgd_lib.projections import factor
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
    pooled = problem.pooled
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
