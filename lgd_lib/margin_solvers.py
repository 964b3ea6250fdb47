"""What a node does with the global model in classification: exact projections on its margin constraints."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lgd_lib.margins.nodes import MovedAnswers, PreparedShapes, ShiftedAnswers, margin_factors, project
from lgd_lib.problems import Problem
from lgd_lib.protocol import Answers, Memory, Message, Streams


@dataclass(frozen=True)
class ExactMargin:
    """The projection of the global model on C_i = {w : y_ij x_ij^T w >= 1 for all j}. (C2-limit, C4-feasible)

    In the limit of vanishing regularisation this is what the node's local problem gives; with `Average` it is
    the parallel projection method.

    Parameters
    ----------
    worst_margin : bool
        Whether a node also sends min_j y_ij x_ij^T w of the model it received: one number more, with which
        `Bundle` knows its distance to the optimum.

    Raises
    ------
    NotSeparableError, UndecidedError
        From `prepare`: a node whose own data no w separates, or not in float64. One-class nodes are
        separable. Separable data never have such a node: what separates all samples separates each node.
    ValueError
        From `prepare`: the task is not "classification", or a sample is zero and can have no margin.

    Notes
    -----
    Source: the paper's link to projections (version 1). Each answer is a quadratic program in min(N_i, d)
    variables, solved by `least_distance`. Cost of a round: two products with an (N, d) matrix and M programs.

    Examples
    --------
    >>> ExactMargin()
    ExactMargin(worst_margin=False)
    """

    worst_margin: bool = False

    def prepare(self, problem: Problem) -> _PreparedMargin:
        """Decompose every node's rows; check that each node is separable."""
        return _PreparedMargin(*margin_factors(problem), 8 * problem.d_sent, self.worst_margin)


@dataclass(frozen=True)
class DualMargin:
    """The projection on C_i of the global model plus the node's memory: dual Local-GD. (C8-dual)

    q_i = Pi_i(w + s_i), s_i <- w + s_i - q_i, with s_i = 0 at the start. With `Average`, all nodes in every
    round and fixed weights it is Dykstra's method in parallel: the limit is the point of the intersection
    nearest to w^0.

    Raises
    ------
    NotSeparableError, ValueError
        As `ExactMargin`.

    Notes
    -----
    Source: standard (Boyle and Dykstra 1986; Iusem and De Pierro 1991); the federated reading is ours. The
    memory s_i lies in the span of the node's rows and is kept in their coordinates. Where participation or
    weights vary, average with `DualAverage`. Cost: as `ExactMargin`. The answer must be the exact projection.

    Examples
    --------
    >>> DualMargin()
    DualMargin()
    """

    def prepare(self, problem: Problem) -> _PreparedDual:
        """Decompose every node's rows; check that each node is separable."""
        return _PreparedDual(*margin_factors(problem), 8 * problem.d_sent)


@dataclass(frozen=True, eq=False)
class _PreparedMargin(PreparedShapes):
    """`ExactMargin` for one problem."""

    worst_margin: bool

    def memory(self) -> Memory:
        """Nothing: the nodes keep no memory."""
        return {}

    def __call__(
        self, k: int, message: Message, memory: Memory, active: NDArray[np.int64], streams: Streams
    ) -> tuple[Answers, Memory]:
        """Project on the constraints of each active node."""
        own = [self.shapes[i] for i in active]
        centres = [s.Vt @ message.point for s in own]
        found = [project(s, c, int(i)) for s, c, i in zip(own, centres, active, strict=True)]
        scalars = {}
        if self.worst_margin:
            margins = [(s.A @ c).min() for s, c in zip(own, centres, strict=True)]
            scalars = {"worst_margin": np.array(margins)}
        return MovedAnswers(
            message.point, own, [f.u for f in found], [f.multipliers for f in found], scalars
        ), memory


@dataclass(frozen=True, eq=False)
class _PreparedDual(PreparedShapes):
    """`DualMargin` for one problem."""

    def memory(self) -> Memory:
        """s_i = 0, in the coordinates of the node's rows, shape (M, max r)."""
        return {"s": np.zeros((len(self.shapes), max(len(s.Vt) for s in self.shapes)))}

    def __call__(
        self, k: int, message: Message, memory: Memory, active: NDArray[np.int64], streams: Streams
    ) -> tuple[Answers, Memory]:
        """Project w + s_i and keep what is left over."""
        kept, moves, multipliers = memory["s"].copy(), [], []
        own = [self.shapes[i] for i in active]
        for shapes, i in zip(own, active, strict=True):
            s = memory["s"][i, : len(shapes.Vt)]
            found = project(shapes, shapes.Vt @ message.point + s, int(i))
            kept[i, : len(s)] = -found.u
            moves.append(s + found.u)
            multipliers.append(found.multipliers)
        return ShiftedAnswers(message.point, own, moves, multipliers), {"s": kept}
