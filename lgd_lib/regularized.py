"""The regularised local problem, for regularisation far below floating point's smallest number."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from lgd_lib.local_minimum import ACCEPTED, LOSSES, minimise
from lgd_lib.margins.nodes import PreparedShapes, ShiftedAnswers, margin_factors
from lgd_lib.problems import Problem
from lgd_lib.protocol import Answers, Memory, Message, Streams
from lgd_lib.validation import Array


@dataclass(frozen=True)
class Regularized:
    """The minimiser of the node's mean loss plus (lambda / 2) ||w - w^k||^2. (C2-limit)

    lambda = exp(-log_inv_lam) may be smaller than any floating-point number: only its logarithm is used. The
    models live at the scale of log_inv_lam; divided by it they tend to what `ExactMargin` gives.

    Parameters
    ----------
    log_inv_lam : float
        ln(1 / lambda).
    loss : {"exponential", "logistic"}

    Raises
    ------
    TypeError, ValueError
        If log_inv_lam is not a finite number or the loss is unknown; from `prepare`, as `ExactMargin`.
    NotSeparableError
        From `prepare`: a node whose own data no w separates.
    ArithmeticError
        From a round: the relative residual of a node's answer stayed above `ACCEPTED`.

    Notes
    -----
    Source: the paper's local problem as reported for its second version; the local problem of FedProx (Li et
    al. 2020). Solved in the log domain by `local_minimum.minimise`. Cost of a round: one quadratic program
    and about ten QR decompositions a node. The answers carry their relative `residuals`.

    Examples
    --------
    >>> Regularized(log_inv_lam=1e6)
    Regularized(log_inv_lam=1000000.0, loss='exponential')
    """

    log_inv_lam: float
    loss: str = "exponential"

    def __post_init__(self) -> None:
        if isinstance(self.log_inv_lam, bool) or not isinstance(
            self.log_inv_lam, (int, float, np.integer, np.floating)
        ):
            raise TypeError(f"log_inv_lam was {self.log_inv_lam!r}; it must be a number, ln(1 / lambda)")
        if not math.isfinite(self.log_inv_lam):
            raise ValueError(
                f"log_inv_lam was {self.log_inv_lam}; it must be finite (for lambda -> 0 use ExactMargin)"
            )
        if self.loss not in LOSSES:
            raise ValueError(f"loss was {self.loss!r}; it must be one of {', '.join(map(repr, LOSSES))}")

    def prepare(self, problem: Problem) -> _PreparedRegularized:
        """Decompose every node's rows; check that each node is separable."""
        shapes, steps = margin_factors(problem)
        levels = float(self.log_inv_lam) - np.log([node.N for node in problem.nodes])
        return _PreparedRegularized(shapes, steps, 8 * problem.d_sent, levels, self.loss)


@dataclass(frozen=True, eq=False)
class RegularizedAnswers(ShiftedAnswers):
    """Answers of `Regularized`, with the accuracy that each was solved to.

    Parameters
    ----------
    w : ndarray, shape (d,)
        The point that was sent.
    shapes : sequence of Shapes
        Of the active nodes.
    moves : sequence of ndarray, shape (r_i,)
    multipliers : sequence of ndarray, shape (N_i,)
        a_j >= 0 with w_i = w + sum_j a_j z_j; where they underflow they are zero.
    scalars : mapping
        Empty.
    residuals : ndarray, shape (m,)
        The relative residual of each answer, as in `local_minimum.LocalMinimiser`.

    Examples
    --------
    >>> from lgd_lib.margins.nodes import Shapes
    >>> answers = RegularizedAnswers(np.zeros(1), [Shapes(np.ones((1, 1)), np.eye(1))], [np.ones(1)], [])
    >>> answers.points
    array([[1.]])
    """

    residuals: Array = field(default_factory=lambda: np.zeros(0))


@dataclass(frozen=True, eq=False)
class _PreparedRegularized(PreparedShapes):
    """`Regularized` for one problem."""

    levels: Array
    loss: str

    def memory(self) -> Memory:
        """Nothing: the nodes keep no memory."""
        return {}

    def __call__(
        self, k: int, message: Message, memory: Memory, active: NDArray[np.int64], streams: Streams
    ) -> tuple[Answers, Memory]:
        """Solve the local problem of each active node."""
        own = [self.shapes[i] for i in active]
        found = []
        for shapes, i in zip(own, active, strict=True):
            answer = minimise(shapes.A, shapes.Vt @ message.point, float(self.levels[i]), self.loss)
            if not answer.residual <= ACCEPTED:
                raise ArithmeticError(
                    f"node {i} in round {k}: the regularised problem with ln(1 / (N lambda)) = "
                    f"{self.levels[i]:.6g} was solved to a relative residual of {answer.residual:.1e} only; "
                    f"it must be at most {ACCEPTED:.0e}"
                )
            found.append(answer)
        return RegularizedAnswers(
            message.point,
            own,
            [f.move for f in found],
            [f.multipliers for f in found],
            residuals=np.array([f.residual for f in found]),
        ), memory
