"""The centralised answer for several classes when the margin rows are too many to be formed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lapack

from lgd_lib.certificates import Certificate
from lgd_lib.margins import require_no_zeros
from lgd_lib.margins.separability import UndecidedError
from lgd_lib.problems import Problem
from lgd_lib.references import Reference
from lgd_lib.validation import Array

ASCENT = 1000
"""Steps of accelerated ascent between two attempts to finish on a support."""

ATTEMPTS = 30
"""Such attempts before it is given up."""

PIVOTS = 25
"""Changes of the support in one attempt."""

RELATIVE = 1e-6
"""What the certificate vouches for: the root of a duality gap known to rounding."""


def multiclass_max_margin(problem: Problem) -> Reference:
    """Return argmin ||W||^2 subject to (w_y - w_c)^T x >= 1 for all samples and all other classes c.

    The same answer as `max_margin(multiclass_margins(problem))`, from the Gram matrix X X^T alone: the
    N (C - 1) rows of length C d are never formed. (N1-margins)

    Parameters
    ----------
    problem : Problem
        With the task "multiclass".

    Returns
    -------
    Reference
        Its multipliers are in the order of the rows of `multiclass_margins`. The certificate's error bound is
        the root of the duality gap.

    Raises
    ------
    UndecidedError
        If no answer is found; the message bounds the margin that there can be.
    ValueError
        If the task is another, or a sample is zero and can have no margin.

    Notes
    -----
    Source: standard (the dual of Crammer and Singer 2001; accelerated projected ascent; then, as in
    Hintermueller, Ito and Kunisch 2002, the support changes until it solves the problem exactly). Cost: N^2 C
    a step of ascent, s^3 / 3 a change of the support of size s.

    Examples
    --------
    >>> from lgd_lib.problems import Node
    >>> problem = Problem([Node([[2.0, 0.0], [0.0, 2.0]], [0.0, 1.0])], "multiclass")
    >>> multiclass_max_margin(problem).w
    array([ 0.25, -0.25, -0.25,  0.25])
    """
    if problem.task != "multiclass":
        raise ValueError(f"problem has the task {problem.task!r}; it must have the task 'multiclass'")
    require_no_zeros(problem)
    X, y = problem.pooled.X, problem.pooled.y.astype(int)
    pairs = _Pairs(X @ X.T, y, np.arange(problem.classes) != y[:, None])
    a = np.zeros(pairs.others.shape)
    for _ in range(ATTEMPTS):
        a = pairs.ascend(a, ASCENT)
        exact = pairs.finish(a)
        if exact is not None:
            W = pairs.weights(exact).T @ X
            return Reference(W.ravel(), exact[pairs.others], pairs.certificate(exact, W))
    length = float(np.linalg.norm(pairs.weights(a).T @ X))
    reach = float((a.sum(axis=1) * np.linalg.norm(X, axis=1)).sum()) * np.sqrt(2)
    raise UndecidedError("the pooled data", length / reach)


@dataclass(frozen=True, eq=False)
class _Pairs:
    """The constraints (sample j, class c), c not the sample's own: `others` is True there."""

    gram: Array
    y: NDArray[np.int64]
    others: NDArray[np.bool_]

    def weights(self, a: Array) -> Array:
        """B with W = B^T X: a sample's own class gets the sum of its multipliers, the others lose theirs."""
        B = -a
        B[np.arange(len(a)), self.y] = a.sum(axis=1)
        return B

    def margins(self, a: Array) -> Array:
        """(w_y - w_c)^T x for all pairs; zero at c = y."""
        scores = self.gram @ self.weights(a)
        return np.asarray(scores[np.arange(len(a)), self.y][:, None] - scores)

    def ascend(self, a: Array, steps: int) -> Array:
        """Accelerated projected ascent on sum a - ||W||^2 / 2, restarted where it would turn back."""
        step = 1 / (self.others.shape[1] * float(np.linalg.eigvalsh(self.gram)[-1]))
        ahead, t = a, 1.0
        for _ in range(steps):
            slope = 1 - self.margins(ahead)
            new = np.where(self.others, np.maximum(ahead + step * slope, 0.0), 0.0)
            if float((slope * (new - a)).sum()) < 0:
                ahead, t = new, 1.0
            else:
                following = (1 + np.sqrt(1 + 4 * t * t)) / 2
                ahead, t = new + (t - 1) / following * (new - a), following
            a = new
        return a

    def finish(self, a: Array) -> Array | None:
        """The exact multipliers, if changes of the support lead there."""
        S = a > 0
        for _ in range(PIVOTS):
            j, c = np.nonzero(S)
            if not j.size:
                return None
            y = self.y[j]
            same = (y[:, None] == y).astype(float) + (c[:, None] == c)
            same -= (y[:, None] == c).astype(float) + (c[:, None] == y)
            solved = _positive_solve(self.gram[np.ix_(j, j)] * same)
            if solved is None:
                return None
            exact = np.zeros_like(a)
            exact[j, c] = solved
            following = self.others & np.where(S, exact > 0, self.margins(exact) < 1 - 1e-11)
            if (following == S).all():
                return exact
            S = following
        return None

    def certificate(self, a: Array, W: Array) -> Certificate:
        """Conditions and duality gap; W is feasible once divided by its smallest margin."""
        margins, square = self.margins(a)[self.others], float((W**2).sum())
        smallest, size = float(margins.min()), float(np.sqrt(square))
        eps = np.finfo(float).eps * np.sqrt(len(a))
        gap = square / smallest**2 - (2 * float(a.sum()) - square) + 4 * eps * square
        bound = float(np.sqrt(max(gap, 0.0))) + abs(1 / smallest - 1) * size
        residuals = {
            "primal": max(0.0, 1 - smallest),
            "dual": max(0.0, -float(a.min())) / float(a.max()),
            "complementarity": float((a[self.others] * np.abs(margins - 1)).max()) / float(a.max()),
        }
        return Certificate(residuals, bound, RELATIVE, size, "by ascent and changes of the support")


def _positive_solve(G: Array) -> Array | None:
    """x with G x = 1; repeated samples make G singular: a little on its diagonal, then corrections."""
    ones = np.ones(len(G))
    for ridge in (0.0, 1e-12):
        C, x, failed = lapack.dposv(G + ridge * float(np.trace(G)) * np.eye(len(G)) if ridge else G, ones)
        if failed:
            continue
        for _ in range(2 if ridge else 0):
            x = x + lapack.dpotrs(C, ones - G @ x)[0]
        if np.abs(G @ x - 1).max() < 1e-9:
            return np.asarray(x)
    return None
