"""What travels between server and nodes in a round, and what a prepared local solver must offer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Memory = dict[str, Array]
"""What nodes keep between rounds: arrays whose first axis is the node."""
Streams = Callable[[int], np.random.Generator]
"""The random stream of node i in this round."""


@dataclass(frozen=True, eq=False)
class Message:
    """What the server sends: a point, and named numbers where a method needs them.

    Parameters
    ----------
    point : ndarray, shape (d,)
    scalars : mapping of str to float
        Each counts as one more number sent.

    Examples
    --------
    >>> Message(np.zeros(2), {"anchor_weight": 0.5}).scalars
    {'anchor_weight': 0.5}
    """

    point: Array
    scalars: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        read_only(self.point)


def read_only(point: Any) -> None:
    """Make a NumPy array read-only, so that nobody changes a run by changing what it showed.

    Parameters
    ----------
    point : ndarray
        Anything else is left alone.

    Notes
    -----
    Cost: none.

    Examples
    --------
    >>> point = np.zeros(2)
    >>> read_only(point)
    >>> point.flags.writeable
    False
    """
    if isinstance(point, np.ndarray):
        point.flags.writeable = False


class Answers(Protocol):
    """What the active nodes send back: a point each, and named numbers where a method needs them."""

    @property
    def points(self) -> Array:
        """The answers, one row for each active node, shape (m, d)."""

    @property
    def scalars(self) -> Mapping[str, Array]:
        """Named numbers, each of shape (m,)."""

    def combine(self, p: Array) -> Array:
        """sum_i p_i w_i over the active nodes, shape (d,), without forming `points` where that is cheaper."""


class NotProjections:
    """Base of answers that, as their solver knows, are not the nodes' projections of the point sent.

    A server that takes answers for projections, such as `Bundle`, refuses these, unless they carry a number
    that serves instead. What a solver answers with is known when the run is set up: nothing is sent for it.

    Examples
    --------
    >>> from lgd_lib.descent.gram_steps import CombinedRows
    >>> issubclass(CombinedRows, NotProjections), issubclass(PointAnswers, NotProjections)
    (True, False)
    """


@dataclass(frozen=True, eq=False)
class PointAnswers:
    """Answers held as a matrix of points.

    Parameters
    ----------
    points : ndarray, shape (m, d)
    scalars : mapping of str to ndarray of shape (m,)

    Examples
    --------
    >>> PointAnswers(np.array([[0.0, 4.0], [2.0, 0.0]])).combine(np.array([0.25, 0.75]))
    array([1.5, 1. ])
    """

    points: Array
    scalars: Mapping[str, Array] = field(default_factory=dict)

    def combine(self, p: Array) -> Array:
        """sum_i p_i w_i."""
        return p @ self.points


class Prepared(Protocol):
    """A local solver after its set-up for one problem; called once a round for all active nodes."""

    @property
    def vector_bytes(self) -> int:
        """Bytes of one vector that travels."""

    @property
    def scalar_bytes(self) -> int:
        """Bytes of one number that travels."""

    @property
    def local_steps(self) -> Array:
        """Gradient steps of each node in a round, shape (M,); infinite for exact solves."""

    def start(self, w0: Any) -> Array:
        """Return w0 as a point of this problem, or raise."""

    def memory(self) -> Memory:
        """What the nodes keep before the first round: all arrays; an axis that will grow is empty."""

    def __call__(
        self, k: int, message: Message, memory: Memory, active: NDArray[np.int64], streams: Streams
    ) -> tuple[Answers, Memory]:
        """Return the answers of the active nodes, in their order, and the nodes' new memory."""


class LocalSolver(Protocol):
    """What a node does with the global model."""

    def prepare(self, problem: Any) -> Prepared:
        """Do the set-up for one problem: factorisations, Gram matrices, checks of the step size."""


class Aggregation(Protocol):
    """What the server does with the answers."""

    def init(self, w0: Array) -> Memory:
        """Return the server's state before the first round: all arrays; an axis that will grow is empty."""

    def step(
        self, state: Memory, k: int, message: Message, answers: Answers, active: NDArray[np.int64], p: Array
    ) -> tuple[Memory, Array, Message]:
        """Return the server's new state, its estimate and its next message; p sums to 1 over the active."""
