"""What a node does with the global model when its steps are a flow: for a given time, or without end."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lgd_lib.margins import require_classification, signed_rows, unit_rows
from lgd_lib.margins.nodes import PreparedShapes, Shapes, ShiftedAnswers, margin_factors
from lgd_lib.margins.separability import refuse
from lgd_lib.margins.sweeping import Swept, sweep
from lgd_lib.problems import Problem
from lgd_lib.protocol import Answers, Memory, Message, NotProjections, Streams
from lgd_lib.validation import Array, as_list, as_point, per_node

ORTHOGONAL = 1e-12
"""Largest cosine between two rows of a node that counts as none."""


@dataclass(frozen=True)
class LocalFlow:
    """Gradient flow of the node's mean exponential loss for the time H, in closed form. (V3-crossover)

    For rows that are orthogonal each margin moves by itself: m <- ln(e^m + ||z||^2 H / N_i).

    Parameters
    ----------
    ln_H : float or sequence of M floats
        ln of the local time H = eta L, so that 10^60 local steps are no more work than one.

    Raises
    ------
    ValueError
        If ln_H is not finite; from `prepare`, if the task is not "classification", a sample is zero, or the
        rows of a node are not orthogonal to each other. A node with one sample always qualifies.

    Notes
    -----
    Source: ours, elementary. L steps of gradient descent with step eta tend to this flow as eta falls with
    eta L = H. All in logarithms: H = e^1000 and margins of 10^6 lose no digits. Cost of a round: two products
    with an (N, d) matrix. For other nodes take `GradientSteps`, or `SweptMargin` for H without end.

    Examples
    --------
    >>> LocalFlow(ln_H=138.0)
    LocalFlow(ln_H=138.0)
    """

    ln_H: float | Sequence[float]  # noqa: N815

    def __post_init__(self) -> None:
        for entry in as_list("ln_H", self.ln_H):
            if type(entry) not in (int, float) or not math.isfinite(entry):
                raise ValueError(f"ln_H was {self.ln_H!r}; it must be finite, or M finite numbers")

    def prepare(self, problem: Problem) -> _PreparedFlow:
        """Scale the rows to norm 1 and check that those of each node are orthogonal."""
        ln_H = per_node("ln_H", self.ln_H, problem.M)
        require_classification(problem)
        rows, norms = unit_rows(np.concatenate([signed_rows(node) for node in problem.nodes]))
        owner = np.repeat(np.arange(problem.M), problem.sizes)
        for i in range(problem.M):
            _require_orthogonal(rows[owner == i], i)
        sizes = np.array(problem.sizes)
        ceiling = (ln_H - np.log(sizes))[owner] + 2 * np.log(norms)
        return _PreparedFlow(rows, norms, ceiling, owner, problem.M, 8 * problem.d_sent)


@dataclass(frozen=True)
class SweptMargin:
    """Where gradient flow of the node's exponential loss ends as the time grows without end. (V6-map)

    With models divided by ln H the flow for the time H becomes, as H grows, steepest ascent of the node's
    smallest margin until it is 1: the point is swept along by {w : y_ij x_ij^T w >= sigma for all j} while
    sigma rises to 1.

    Raises
    ------
    NotSeparableError, UndecidedError, ValueError
        As `ExactMargin`.

    Notes
    -----
    Source: ours; the motion is a sweeping process (Moreau 1977). It equals the projection, `ExactMargin`,
    where every row that has pushed ends with margin 1; one sample a node is such a case. It is nonexpansive
    and takes every point that it moves nearer to every point of C_i, so `Average` and `Anchored` have the
    limits they have with projections: some point of the intersection, and its point nearest to w^0.
    `DualMargin` and `Bundle` need the projection itself, and `Bundle` refuses these answers. Cost of a round:
    two products with an (N, d) matrix, and one small quadratic program for each event of `sweep`.

    Examples
    --------
    >>> SweptMargin()
    SweptMargin()
    """

    def prepare(self, problem: Problem) -> _PreparedSweep:
        """Decompose every node's rows; check that each node is separable."""
        return _PreparedSweep(*margin_factors(problem), 8 * problem.d_sent)


@dataclass(frozen=True, eq=False)
class _PreparedFlow:
    """`LocalFlow` for one problem: unit rows of all nodes one below the other."""

    rows: Array
    norms: Array
    ceiling: Array
    owner: NDArray[np.int64]
    M: int
    vector_bytes: int
    scalar_bytes: int = 8

    @property
    def local_steps(self) -> Array:
        """Infinite: a flow is the limit of ever more, ever smaller steps."""
        return np.full(self.M, math.inf)

    def start(self, w0: Any) -> Array:
        """Return w0 as a finite vector of length d, or raise."""
        return as_point("w0", w0, self.rows.shape[1]).copy()

    def memory(self) -> Memory:
        """Nothing: the nodes keep no memory."""
        return {}

    def __call__(
        self, k: int, message: Message, memory: Memory, active: NDArray[np.int64], streams: Streams
    ) -> tuple[Answers, Memory]:
        """Move every margin of the active nodes: ln(e^m + e^c) = m + ln(1 + e^(c - m))."""
        rows, norms, ceiling, owner = self.rows, self.norms, self.ceiling, self.owner
        if active.size < self.M:
            mine = np.isin(owner, active)
            rows, norms, ceiling = rows[mine], norms[mine], ceiling[mine]
            owner = np.searchsorted(active, owner[mine])
        gains = np.logaddexp(0.0, ceiling - norms * (rows @ message.point))
        return RowAnswers(message.point, rows, gains / norms, owner, active.size), memory


@dataclass(frozen=True, eq=False)
class RowAnswers(NotProjections):
    """Answers that moved along the nodes' rows, formed only when asked for.

    Parameters
    ----------
    w : ndarray, shape (d,)
        The point that was sent.
    rows : ndarray, shape (n, d)
        Of all active nodes, one below the other.
    steps : ndarray, shape (n,)
        How far to go along each row.
    owner : ndarray of int, shape (n,)
        Which answer each row belongs to, from 0, ascending.
    m : int
        Number of answers.
    scalars : mapping
        Empty.

    Examples
    --------
    >>> RowAnswers(np.zeros(2), np.eye(2), np.array([4.0, 2.0]), np.array([0, 1]), 2).points
    array([[4., 0.],
           [0., 2.]])
    """

    w: Array
    rows: Array
    steps: Array
    owner: NDArray[np.int64]
    m: int
    scalars: Mapping[str, Array] = field(default_factory=dict)

    @property
    def points(self) -> Array:
        """The answers, one row each, shape (m, d)."""
        points = np.tile(self.w, (self.m, 1))
        np.add.at(points, self.owner, self.steps[:, None] * self.rows)
        return points

    def combine(self, p: Array) -> Array:
        """sum_i p_i w_i."""
        return float(p.sum()) * self.w + (p[self.owner] * self.steps) @ self.rows


@dataclass(frozen=True, eq=False)
class _PreparedSweep(PreparedShapes):
    """`SweptMargin` for one problem."""

    def memory(self) -> Memory:
        """Nothing: the nodes keep no memory."""
        return {}

    def __call__(
        self, k: int, message: Message, memory: Memory, active: NDArray[np.int64], streams: Streams
    ) -> tuple[Answers, Memory]:
        """Sweep the point up to margin 1, node by node."""
        own = [self.shapes[i] for i in active]
        paths = [_swept(s, s.Vt @ message.point, int(i)) for s, i in zip(own, active, strict=True)]
        moves, multipliers = [path.moves[-1] for path in paths], [path.multipliers for path in paths]
        return ShiftedAnswers(message.point, own, moves, multipliers), memory


def _swept(shapes: Shapes, centre: Array, i: int) -> Swept:
    path = sweep(shapes.unit, shapes.A @ centre, 1.0)
    if path is None:
        refuse(shapes.A, shapes.A, f"the data of node {i}")
    return path


def _require_orthogonal(rows: Array, i: int) -> None:
    cosines = np.abs(np.triu(rows @ rows.T, 1))
    if cosines.max() > ORTHOGONAL:
        j, other = np.unravel_index(int(cosines.argmax()), cosines.shape)
        raise ValueError(
            f"nodes[{i}] has the samples {j} and {other} at an angle with cosine {cosines.max():.3g}; "
            "LocalFlow is exact only where the samples of a node are orthogonal, one sample a node for "
            "instance; take GradientSteps for finitely many steps or SweptMargin for their limit"
        )
