"""The diagonal linear network w = u*u - v*v: what travels is (u, v), 2 d numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lgd_lib.mirrors.flows import Equations, dual_newton, equations, require_own_coordinates
from lgd_lib.mirrors.potentials import Hyperbolic
from lgd_lib.problems import Node, Problem
from lgd_lib.projections import one_target
from lgd_lib.protocol import Answers, Memory, Message, PointAnswers, Streams
from lgd_lib.validation import Array, as_list, as_point, as_real, is_count, per_node


def network_start(w0: ArrayLike, scale: ArrayLike) -> Array:
    """Return the parameters (u, v) of a diagonal network with weights w0 and u*v = scale.

    u = sqrt(a) exp(s / 2), v = sqrt(a) exp(-s / 2) with s = arcsinh(w0 / (2 a)).

    Parameters
    ----------
    w0 : array_like, shape (d,)
    scale : float or array_like, shape (d,)
        a, positive; for w0 = 0 all parameters are sqrt(a).

    Returns
    -------
    ndarray, shape (2 d,)

    Raises
    ------
    TypeError, ValueError
        If w0 is not a finite vector, or a scale is not positive.

    Notes
    -----
    Source: standard (Woodworth et al. 2020). Cost: none.

    Examples
    --------
    >>> network_start([0.0, 0.0], 0.25)
    array([0.5, 0.5, 0.5, 0.5])
    """
    potential = Hyperbolic(scale)
    w = as_real("w0", w0, ndim=1)
    s, root = potential.mirror(w), np.sqrt(np.asarray(potential.scale))
    return np.concatenate([root * np.exp(s / 2), root * np.exp(-s / 2)])


def network_weights(point: Array) -> Array:
    """Return the weights w = u*u - v*v of the linear model that a diagonal network computes.

    Parameters
    ----------
    point : ndarray, shape (..., 2 d)
        (u, v).

    Returns
    -------
    ndarray, shape (..., d)

    Notes
    -----
    Source: standard. Cost: none.

    Examples
    --------
    >>> network_weights(np.array([2.0, 1.0, 1.0, 3.0]))
    array([ 3., -8.])
    """
    u, v = np.split(point, 2, axis=-1)
    return (u - v) * (u + v)


def network_scale(point: Array) -> Array:
    """Return u*v, which gradient flow keeps.

    Parameters
    ----------
    point : ndarray, shape (..., 2 d)
        (u, v).

    Returns
    -------
    ndarray, shape (..., d)

    Notes
    -----
    Source: standard. Cost: none.

    Examples
    --------
    >>> network_scale(np.array([2.0, 1.0, 1.0, 3.0]))
    array([2., 3.])
    """
    u, v = np.split(point, 2, axis=-1)
    return u * v


@dataclass(frozen=True)
class DiagonalFlow:
    """Gradient flow of a diagonal network on the node's squared loss, to its end. (N2-mirror)

    The flow keeps u*v and is the mirror flow of `Hyperbolic(u*v)` for w = u*u - v*v: with Vt^T lam the move
    in ln(u / v), the answer is (u exp(Vt^T lam / 2), v exp(-Vt^T lam / 2)).

    Raises
    ------
    ValueError
        From `prepare`: a node's equations contradict each other, or the problem is in coordinates of its row
        space. From `rounds`: an entry of (u, v) is not positive.

    Notes
    -----
    Source: standard for one node (Woodworth et al. 2020). Goes with `GeometricMean`, or with `Average` for
    the mean of parameters. Cost: as `MirrorProjection`; 2 d numbers travel.

    Examples
    --------
    >>> DiagonalFlow()
    DiagonalFlow()
    """

    def prepare(self, problem: Problem) -> _PreparedFlow:
        """Decompose every node's rows."""
        require_own_coordinates(problem)
        found = [equations(node, f"node {i}") for i, node in enumerate(one_target(problem).nodes)]
        return _PreparedFlow(problem.d, np.full(problem.M, math.inf), found)


@dataclass(frozen=True)
class DiagonalSteps:
    """L gradient steps of a diagonal network on the node's mean squared loss.

    With g = X_i^T (X_i (u*u - v*v) - y_i) / N_i, L times: u <- u - 2 eta u*g, v <- v + 2 eta v*g at once.

    Parameters
    ----------
    eta : float or sequence of M floats
        Step size. Which are small enough depends on the parameters; a step that turns a sign or overflows is
        refused.
    L : int or sequence of M ints
        Local steps.

    Raises
    ------
    ValueError
        If L is no whole number of at least 1 or eta is not positive; from `prepare`, if the problem is in
        coordinates of its row space; from a round, if eta is too large.

    Notes
    -----
    Source: standard. A step multiplies u*v by 1 - 4 eta^2 g*g: small steps keep it nearly.
    Cost: two products with X_i a step.

    Examples
    --------
    >>> DiagonalSteps(eta=0.01, L=5)
    DiagonalSteps(eta=0.01, L=5)
    """

    eta: float | Sequence[float]
    L: int | Sequence[int]

    def __post_init__(self) -> None:
        if not all(is_count(L) for L in as_list("L", self.L)):
            raise ValueError(f"L was {self.L}; it must be a whole number of at least 1")
        if not all(type(eta) in (int, float) and 0 < eta < math.inf for eta in as_list("eta", self.eta)):
            raise ValueError(f"eta was {self.eta}; a step size must be positive and finite")

    def prepare(self, problem: Problem) -> _PreparedSteps:
        """Check the numbers against the problem."""
        require_own_coordinates(problem)
        eta, L = per_node("eta", self.eta, problem.M), per_node("L", self.L, problem.M)
        return _PreparedSteps(problem.d, L, one_target(problem).nodes, eta)


@dataclass(frozen=True, eq=False)
class _PreparedNetwork:
    """What both solvers share: points of length 2 d, all positive."""

    d: int
    local_steps: Array

    @property
    def vector_bytes(self) -> int:
        """Bytes of u and v."""
        return 16 * self.d

    @property
    def scalar_bytes(self) -> int:
        """Bytes of one number that travels."""
        return 8

    def start(self, w0: Any) -> Array:
        """Return a copy of w0 = (u, v) as a positive vector of length 2 d, or raise."""
        point = as_point("w0", w0, 2 * self.d).copy()
        if not (point > 0).all():
            raise ValueError(f"w0 has the entry {point.min():g}; every parameter of (u, v) must be positive")
        return point

    def memory(self) -> Memory:
        """Nothing: the nodes keep no memory."""
        return {}


@dataclass(frozen=True, eq=False)
class _PreparedFlow(_PreparedNetwork):
    """`DiagonalFlow` for one problem."""

    nodes: Sequence[Equations]

    def __call__(
        self, k: int, message: Message, memory: Memory, active: NDArray[np.int64], streams: Streams
    ) -> tuple[Answers, Memory]:
        """Follow each active node's flow to its end."""
        u, v = np.split(message.point, 2)
        potential, s = Hyperbolic(u * v), np.log(u / v)
        moves = [dual_newton(potential, s, self.nodes[i]) @ self.nodes[i].Vt / 2 for i in active]
        points = [np.concatenate([u * np.exp(move), v * np.exp(-move)]) for move in moves]
        return PointAnswers(np.array(points)), memory


@dataclass(frozen=True, eq=False)
class _PreparedSteps(_PreparedNetwork):
    """`DiagonalSteps` for one problem."""

    nodes: Sequence[Node]
    eta: Array

    def __call__(
        self, k: int, message: Message, memory: Memory, active: NDArray[np.int64], streams: Streams
    ) -> tuple[Answers, Memory]:
        """Make each active node's steps."""
        return PointAnswers(np.array([self._steps(int(i), message.point) for i in active])), memory

    def _steps(self, i: int, point: Array) -> Array:
        node, eta = self.nodes[i], float(self.eta[i])
        u, v = np.split(point, 2)
        for _ in range(int(self.local_steps[i])):
            change = 2 * eta * ((node.X @ ((u - v) * (u + v)) - node.y) @ node.X / node.N)
            if not (np.abs(change) < 1).all():  # NaN too
                raise ValueError(
                    f"eta was {eta:g}; at node {i} a step turns the sign of a parameter: it must be smaller"
                )
            u, v = u * (1 - change), v * (1 + change)
        return np.concatenate([u, v])


@dataclass(frozen=True)
class GeometricMean:
    """The weighted geometric mean of the answers, entry by entry: prod_i w_i^{p_i}. (N2-mirror)

    For the parameters (u, v) of diagonal networks with one u*v it is the average in mirror coordinates: it
    averages ln(u / v) and keeps u*v.

    Raises
    ------
    ValueError
        From `step`, if an entry of an answer is not positive.

    Notes
    -----
    Source: ours as a server step; `MirrorAverage` of `Hyperbolic` in other letters. Cost: as `Average`, and
    one logarithm of each entry of each answer.

    Examples
    --------
    >>> answers = PointAnswers(np.array([[1.0, 4.0], [9.0, 4.0]]))
    >>> start, equal = Message(np.ones(2)), np.full(2, 0.5)
    >>> print(GeometricMean().step({}, 0, start, answers, np.arange(2), equal)[1].round(12))
    [3. 4.]
    """

    def init(self, w0: Array) -> Memory:
        """Nothing: the server keeps no state."""
        return {}

    def step(
        self, state: Memory, k: int, message: Message, answers: Answers, active: NDArray[np.int64], p: Array
    ) -> tuple[Memory, Array, Message]:
        """Average the logarithms; the mean is both the estimate and the next message."""
        points = answers.points
        if not (points > 0).all():
            raise ValueError(
                f"answers have the entry {points.min():g}; a geometric mean needs positive entries"
            )
        w = np.exp(p @ np.log(points))
        return state, w, Message(w)
