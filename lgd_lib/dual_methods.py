"""Dual methods with client memory beyond Dykstra's: varying participation, acceleration, consensus ADMM."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lgd_lib.margins.nodes import PreparedShapes, ShiftedAnswers, margin_factors, project
from lgd_lib.problems import Problem
from lgd_lib.protocol import Answers, Memory, Message, PointAnswers, Streams
from lgd_lib.validation import Array, as_weights


@dataclass(frozen=True)
class DualAverage:
    """The server of dual Local-GD when participation or weights vary: w <- w + sum_active p_i (q_i - w).

    Equal to w^0 - sum_i p_i s_i, absent nodes keeping their s_i; with all nodes it is the average. (C8-dual)

    Parameters
    ----------
    weights : sequence of M positive numbers
        p_i of all nodes, rescaled to sum 1. The weights of `rounds` are not used.

    Raises
    ------
    ValueError
        If a weight is not positive; from `step`, if a node has none.

    Notes
    -----
    Source: ours, elementary. Cost: as `Average`.

    Examples
    --------
    >>> DualAverage((1, 1)).p
    array([0.5, 0.5])
    """

    weights: ArrayLike

    def __post_init__(self) -> None:
        as_weights(self.weights, len(np.atleast_1d(self.weights)))

    @property
    def p(self) -> Array:
        """The weights, with sum 1."""
        return as_weights(self.weights, len(np.atleast_1d(self.weights)))

    def init(self, w0: Array) -> Memory:
        """Nothing: the server keeps no state."""
        return {}

    def step(
        self, state: Memory, k: int, message: Message, answers: Answers, active: NDArray[np.int64], p: Array
    ) -> tuple[Memory, Array, Message]:
        """Move by the active nodes' share; the new point is both the estimate and the next message."""
        if active[-1] >= self.p.size:
            raise ValueError(f"weights has length {self.p.size}; node {active[-1]} has no weight")
        share = self.p[active]
        w = message.point + (answers.combine(share) - float(share.sum()) * message.point)
        return state, w, Message(w)


@dataclass(frozen=True)
class AcceleratedDualMargin:
    """`DualMargin` from an extrapolated memory: the accelerated dual's part at the node. (C8-accelerated)

    y_i = s_i + beta (s_i - s_i'), q_i = Pi_i(w + y_i), s_i' <- s_i, s_i <- w + y_i - q_i; the server sends
    beta with its point.

    Raises
    ------
    NotSeparableError, ValueError
        As `ExactMargin`.

    Notes
    -----
    Source: standard (FISTA, Beck and Teboulle 2009, on the dual). Client memory: two vectors. Goes with
    `AcceleratedDual`. Cost: as `ExactMargin`.

    Examples
    --------
    >>> AcceleratedDualMargin()
    AcceleratedDualMargin()
    """

    def prepare(self, problem: Problem) -> _PreparedAccelerated:
        """Decompose every node's rows; check that each node is separable."""
        return _PreparedAccelerated(*margin_factors(problem), 8 * problem.d_sent)


@dataclass(frozen=True, eq=False)
class _PreparedAccelerated(PreparedShapes):
    """`AcceleratedDualMargin` for one problem."""

    def memory(self) -> Memory:
        """s_i = s_i' = 0, in the coordinates of the node's rows, shape (M, max r) each."""
        width = max(len(s.Vt) for s in self.shapes)
        return {"s": np.zeros((len(self.shapes), width)), "previous": np.zeros((len(self.shapes), width))}

    def __call__(
        self, k: int, message: Message, memory: Memory, active: NDArray[np.int64], streams: Streams
    ) -> tuple[Answers, Memory]:
        """Project w + y_i and keep what is left over."""
        beta = message.scalars.get("momentum", 0.0)
        extrapolated = memory["s"] + beta * (memory["s"] - memory["previous"])
        kept, previous, moves, multipliers = memory["s"].copy(), memory["previous"].copy(), [], []
        own = [self.shapes[i] for i in active]
        for shapes, i in zip(own, active, strict=True):
            y = extrapolated[i, : len(shapes.Vt)]
            found = project(shapes, shapes.Vt @ message.point + y, int(i))
            previous[i] = memory["s"][i]
            kept[i, : len(y)] = -found.u
            moves.append(y + found.u)
            multipliers.append(found.multipliers)
        return ShiftedAnswers(message.point, own, moves, multipliers), {"s": kept, "previous": previous}


@dataclass(frozen=True)
class AcceleratedDual:
    """The server of the accelerated dual, with restart; the estimate is the average. (C8-accelerated)

    beta grows by Nesterov's rule t <- (1 + sqrt(1 + 4 t^2)) / 2, beta = (t_old - 1) / t, and starts again
    at 0 when the last move turned back: <w_sent - w_new, w_new - w_old> > 0. The next point sent is
    w_new + beta (w_new - w_old).

    Notes
    -----
    Source: standard (Beck and Teboulle 2009; restart by O'Donoghue and Candes 2015, here on the primal
    image). All nodes in every round, with fixed weights. Server memory: two vectors. Cost: as `Average`.

    Examples
    --------
    >>> AcceleratedDual()
    AcceleratedDual()
    """

    def init(self, w0: Array) -> Memory:
        """t = 1 and no previous estimate but w^0."""
        return {"estimate": w0, "t": np.array(1.0)}

    def step(
        self, state: Memory, k: int, message: Message, answers: Answers, active: NDArray[np.int64], p: Array
    ) -> tuple[Memory, Array, Message]:
        """Average, then extrapolate."""
        w, old, t = answers.combine(p), state["estimate"], float(state["t"])
        if float(((message.point - w) * (w - old)).sum()) > 0:
            return {"estimate": w, "t": np.array(1.0)}, w, Message(w, {"momentum": 0.0})
        grown = (1 + math.sqrt(1 + 4 * t * t)) / 2
        beta = (t - 1) / grown
        return {"estimate": w, "t": np.array(grown)}, w, Message(w + beta * (w - old), {"momentum": beta})


@dataclass(frozen=True)
class ConsensusMargin:
    """The node's part of consensus ADMM, in one vector of memory. (C8-admm)

    With t_i what the node sent last (w^0 at first), x_i = Pi_i(2 w - t_i), t_i <- t_i + relaxation (x_i - w);
    the answer is the new t_i.

    Parameters
    ----------
    relaxation : float
        In (0, 2).

    Raises
    ------
    NotSeparableError, ValueError
        As `ExactMargin`; ValueError if relaxation is outside (0, 2).

    Notes
    -----
    Source: standard (consensus ADMM as Douglas-Rachford splitting). Goes with `Consensus`. Cost: as
    `ExactMargin`, and M vectors of memory in all.

    Examples
    --------
    >>> ConsensusMargin(1.8)
    ConsensusMargin(relaxation=1.8)
    """

    relaxation: float = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.relaxation < 2:
            raise ValueError(f"relaxation was {self.relaxation!r}; it must be between 0 and 2")

    def prepare(self, problem: Problem) -> _PreparedConsensus:
        """Decompose every node's rows; check that each node is separable."""
        return _PreparedConsensus(*margin_factors(problem), 8 * problem.d_sent, self.relaxation)


@dataclass(frozen=True, eq=False)
class _PreparedConsensus(PreparedShapes):
    """`ConsensusMargin` for one problem."""

    relaxation: float

    def memory(self) -> Memory:
        """t_i, and whether the node has one yet: before its first round it is w^0."""
        M, d = len(self.shapes), self.shapes[0].Vt.shape[1]
        return {"t": np.zeros((M, d)), "has": np.zeros(M)}

    def __call__(
        self, k: int, message: Message, memory: Memory, active: NDArray[np.int64], streams: Streams
    ) -> tuple[Answers, Memory]:
        """Project the reflected point and keep the answer."""
        t, has, w = memory["t"].copy(), memory["has"].copy(), message.point
        for i in active:
            own = t[i] if has[i] else w
            shapes = self.shapes[i]
            centre = 2 * w - own
            x = centre + project(shapes, shapes.Vt @ centre, int(i)).u @ shapes.Vt
            t[i], has[i] = own + self.relaxation * (x - w), 1.0
        return PointAnswers(t[active]), {"t": t, "has": has}


@dataclass(frozen=True)
class Consensus:
    """The server of consensus ADMM: w = (w^0 + rho sum_i t_i) / (1 + rho M). (C8-admm)

    Parameters
    ----------
    rho : float
        Penalty, for f = ||w - w^0||^2 / 2.

    Raises
    ------
    ValueError
        If rho is not positive and finite.

    Notes
    -----
    Source: standard (Boyd et al. 2011). All nodes in every round, equal weights. Server memory: one vector.
    Cost: as `Average`.

    Examples
    --------
    >>> Consensus(1.0)
    Consensus(rho=1.0)
    """

    rho: float = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.rho < math.inf:
            raise ValueError(f"rho was {self.rho!r}; it must be positive and finite")

    def init(self, w0: Array) -> Memory:
        """The anchor w^0."""
        return {"anchor": w0}

    def step(
        self, state: Memory, k: int, message: Message, answers: Answers, active: NDArray[np.int64], p: Array
    ) -> tuple[Memory, Array, Message]:
        """The minimiser of the server's part; it is both the estimate and the next message."""
        M = active.size
        w = (state["anchor"] + self.rho * M * answers.combine(np.full(M, 1 / M))) / (1 + self.rho * M)
        return state, w, Message(w)
