"""Local mirror flow to the node's solutions, and averaging in mirror coordinates."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve

from lgd_lib.mirrors.potentials import Euclidean, Potential
from lgd_lib.problems import Node, Problem
from lgd_lib.projections import factor, one_target
from lgd_lib.protocol import Answers, Memory, Message, PointAnswers, Streams
from lgd_lib.validation import Array, as_point

CONSISTENT = 1e-8
STEPS = 200
ENOUGH = 1e-10


@dataclass(frozen=True, eq=False)
class Equations:
    """A node's equations X w = y with orthonormal rows: Vt w = target.

    Parameters
    ----------
    Vt : ndarray, shape (r, d)
    target : ndarray, shape (r,)

    Examples
    --------
    >>> given = Equations(np.array([[0.6, 0.8]]), np.array([5.0]))
    >>> given.target @ given.Vt
    array([3., 4.])
    """

    Vt: Array
    target: Array


def equations(node: Node, name: str = "node") -> Equations:
    """Return a node's equations with orthonormal rows.

    Parameters
    ----------
    node : Node
    name : str, optional
        What it is called in the error message.

    Returns
    -------
    Equations

    Raises
    ------
    ValueError
        If the equations contradict each other.

    Notes
    -----
    Source: standard. Cost: one singular value decomposition.

    Examples
    --------
    >>> equations(Node([[3.0, 4.0], [6.0, 8.0]], [5.0, 10.0])).Vt.shape
    (1, 2)
    """
    f = factor(node)
    along = f.U.T @ node.y
    gap, size = float(np.linalg.norm(node.y - f.U @ along)), float(np.linalg.norm(node.y))
    if gap > CONSISTENT * size:
        raise ValueError(
            f"{name} has inconsistent equations X w = y, with relative least-squares residual "
            f"{gap / size:.3g}; they must hold for some w"
        )
    return Equations(f.Vt, along / f.s)


def dual_newton(potential: Potential, s0: Array, given: Equations) -> Array:
    """Return lam such that w = grad psi*(s0 + Vt^T lam) solves Vt w = target: a Bregman projection.

    lam minimises psi*(s0 + Vt^T lam) - target^T lam. With p the Newton step and m the largest entry of Vt^T p
    in size, times the potential's bend, lam <- lam + p ln(1 + m) / m.

    Parameters
    ----------
    potential : Potential
    s0 : ndarray, shape (d,)
        grad psi of the point that is projected.
    given : Equations

    Returns
    -------
    ndarray, shape (r,)

    Raises
    ------
    ArithmeticError
        If the equations are not met to 1e-10 of what is summed up: scales far below the rounding of the
        weights.

    Notes
    -----
    Source: standard (duality of Bregman projections); the damping is elementary. At lam + t p the second
    derivative along p is at most e^(m t) times that at lam, so the step makes the function smaller by
    that derivative times ((1 + m) ln(1 + m) - m) / m^2 at least: it descends without a search.
    Cost: r^2 d a step; about ten steps.

    Examples
    --------
    >>> given = Equations(np.array([[0.6, 0.8]]), np.array([5.0]))
    >>> f"{dual_newton(Euclidean(), np.zeros(2), given)[0]:.6f}"
    '5.000000'
    """
    lam, best = np.zeros(len(given.Vt)), math.inf
    kept = lam
    for _ in range(STEPS):
        s = s0 + lam @ given.Vt
        w, c = potential.inverse(s), potential.slope(s)
        gap = given.Vt @ w - given.target
        size = float(np.linalg.norm(w) + np.linalg.norm(c * s0) + np.linalg.norm(given.target))
        relative = float(np.linalg.norm(gap)) / size if size else 0.0
        if relative >= best / 2 and best <= ENOUGH:
            break  # rounding, not progress
        if relative < best:
            kept, best = lam, relative
        if relative <= np.finfo(float).eps:
            break
        p = -cho_solve(cho_factor((given.Vt * c) @ given.Vt.T), gap)
        m = potential.bend * float(np.abs(p @ given.Vt).max())
        lam = lam + p * (math.log1p(m) / m if m else 1.0)
    if not best <= ENOUGH:
        raise ArithmeticError(
            f"the equations were met to {best:.1g} only, relative; {ENOUGH:g} is asked: "
            "is the scale far below the rounding of the weights?"
        )
    return kept


@dataclass(frozen=True)
class MirrorProjection:
    """The Bregman projection of the global model on the node's solutions. (N2-mirror)

    w_i = argmin D(w, w^k) subject to X_i w = y_i: what the mirror flow d grad psi(w) / dt = -grad f_i(w)
    tends to as its time grows. With `Euclidean` it is `ExactProjection`.

    Parameters
    ----------
    potential : Potential

    Raises
    ------
    ValueError
        From `prepare`: a node's equations contradict each other, or the problem is in coordinates of its row
        space, where only the Euclidean potential is the same.

    Notes
    -----
    Source: standard for one node (Gunasekar et al. 2018). Goes with `MirrorAverage` of the same potential.
    Cost: `prepare` takes one singular value decomposition a node; a round some ten Newton steps of
    N_i^2 d operations a node.

    Examples
    --------
    >>> MirrorProjection(Euclidean())
    MirrorProjection(potential=Euclidean())
    """

    potential: Potential

    def prepare(self, problem: Problem) -> _PreparedMirror:
        """Decompose every node's rows."""
        if not isinstance(self.potential, Euclidean):
            require_own_coordinates(problem)
        return _PreparedMirror(
            self.potential,
            [equations(node, f"node {i}") for i, node in enumerate(one_target(problem).nodes)],
            np.full(problem.M, math.inf),
            8 * problem.d_sent,
        )


def require_own_coordinates(problem: Problem) -> None:
    """Refuse a problem in coordinates of its row space: potentials look at single weights.

    Parameters
    ----------
    problem : Problem

    Raises
    ------
    ValueError
        If `problem.d_sent` is not `problem.d`.

    Notes
    -----
    Cost: none.

    Examples
    --------
    >>> require_own_coordinates(Problem([Node([[1.0, 0.0]], [1.0])], "regression"))
    """
    if problem.d_sent != problem.d:
        raise ValueError(
            f"problem has d = {problem.d} coordinates for vectors of length {problem.d_sent}; it must be in "
            "its own coordinates, not in those of row_space"
        )


@dataclass(frozen=True, eq=False)
class _PreparedMirror:
    """`MirrorProjection` for one problem."""

    potential: Potential
    nodes: Sequence[Equations]
    local_steps: Array
    vector_bytes: int
    scalar_bytes: int = 8

    def start(self, w0: Any) -> Array:
        """Return a copy of w0 as a finite vector of length d, or raise."""
        return as_point("w0", w0, self.nodes[0].Vt.shape[1]).copy()

    def memory(self) -> Memory:
        """Nothing: the nodes keep no memory."""
        return {}

    def __call__(
        self, k: int, message: Message, memory: Memory, active: NDArray[np.int64], streams: Streams
    ) -> tuple[Answers, Memory]:
        """Project on the solutions of each active node."""
        s = self.potential.mirror(message.point)
        own = [self.nodes[i] for i in active]
        moved = [s + dual_newton(self.potential, s, given) @ given.Vt for given in own]
        return PointAnswers(np.array([self.potential.inverse(t) for t in moved])), memory


@dataclass(frozen=True)
class MirrorAverage:
    """The mean of the answers in mirror coordinates. (N2-mirror)

    grad psi(w^{k+1}) = sum_i p_i grad psi(w_i^{k+1}).

    Parameters
    ----------
    potential : Potential
        The same as the nodes'. With `Euclidean` it is `Average`.

    Notes
    -----
    Source: standard as a method (Censor and Elfving 1994; Yuan, Zaheer and Reddi 2021); its limit here is
    ours. Cost: as `Average`, and one function of each entry.

    Examples
    --------
    >>> from lgd_lib.mirrors.potentials import Hyperbolic
    >>> answers = PointAnswers(np.sinh([[1.0], [3.0]]))
    >>> average, start = MirrorAverage(Hyperbolic(0.5)), Message(np.zeros(1))
    >>> w = average.step({}, 0, start, answers, np.arange(2), np.full(2, 0.5))[1]
    >>> f"{np.arcsinh(w[0]):.6f}"
    '2.000000'
    """

    potential: Potential

    def init(self, w0: Array) -> Memory:
        """Nothing: the server keeps no state."""
        return {}

    def step(
        self, state: Memory, k: int, message: Message, answers: Answers, active: NDArray[np.int64], p: Array
    ) -> tuple[Memory, Array, Message]:
        """Average; the mean is both the estimate and the next message."""
        w = self.potential.inverse(p @ self.potential.mirror(answers.points))
        return state, w, Message(w)
