"""Many gradient steps on the squared loss at the cost of one: a factor for each singular direction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lgd_lib.protocol import Answers, Memory, Message, Streams
from lgd_lib.validation import Array, as_point


@dataclass(frozen=True, eq=False)
class SpectralFilter:
    """A prepared solver that moves w along each singular direction v_j of each node.

    w_i = w - sum_j v_j (phi_j v_j^T w - t_j), over the directions of node i; t_j is phi_j times the
    coordinate of the node's least-norm solution.

    Parameters
    ----------
    Vt : ndarray, shape (R, d)
        The directions of all nodes, one below the other.
    phi : ndarray, shape (R,)
        Share of the way that is gone along each.
    target : ndarray, shape (R,)
        t_j.
    ends : ndarray, shape (M + 1,)
        The directions of node i are the rows ends[i] to ends[i + 1].
    local_steps : ndarray, shape (M,)
    vector_bytes, scalar_bytes : int

    Notes
    -----
    Source: standard. Cost of a round: two products with Vt; where d <= R, as in the row space, one product
    with the averaged map, a (d, d) matrix that is formed once for given weights at R d^2 operations.

    Examples
    --------
    >>> from lgd_lib import ExactProjection, Node, Problem
    >>> solve = ExactProjection().prepare(Problem([Node([[0.0, 2.0]], [6.0])], "regression"))
    >>> solve.answer(0, np.array([1.0, 1.0]))
    array([1., 3.])
    """

    Vt: Array
    phi: Array
    target: Array
    ends: NDArray[np.int64]
    local_steps: Array
    vector_bytes: int
    scalar_bytes: int = 8
    _maps: dict[bytes, tuple[Array, Array]] = field(default_factory=dict, repr=False)

    def start(self, w0: Any) -> Array:
        """Return a copy of w0 as a finite vector of length d, or raise."""
        return as_point("w0", w0, self.Vt.shape[1]).copy()

    def memory(self) -> Memory:
        """Nothing: the nodes keep no memory."""
        return {}

    def __call__(
        self, k: int, message: Message, memory: Memory, active: NDArray[np.int64], streams: Streams
    ) -> tuple[Answers, Memory]:
        """Return the answers, formed only when they are asked for."""
        return FilteredAnswers(self, message.point, active), memory

    def answer(self, i: int, w: Array) -> Array:
        """The local model of node i at w, shape (d,)."""
        own = slice(self.ends[i], self.ends[i + 1])
        return w - (self.phi[own] * (self.Vt[own] @ w) - self.target[own]) @ self.Vt[own]

    def mean(self, w: Array, p: Array) -> Array:
        """sum_i p_i w_i over all nodes at once, shape (d,)."""
        R, d = self.Vt.shape
        if d > R:
            moves = self.phi * (self.Vt @ w) - self.target
            return float(p.sum()) * w - (np.repeat(p, np.diff(self.ends)) * moves) @ self.Vt
        A, b = self._averaged_map(p)
        return b + A @ w

    def _averaged_map(self, p: Array) -> tuple[Array, Array]:
        """A = sum_i p_i (I - V_i phi_i V_i^T) and b, kept for the weights last used."""
        key = p.tobytes()
        if key not in self._maps:
            shares = np.repeat(p, np.diff(self.ends))
            A = float(p.sum()) * np.eye(self.Vt.shape[1]) - (self.Vt.T * (shares * self.phi)) @ self.Vt
            self._maps.clear()
            self._maps[key] = A, (shares * self.target) @ self.Vt
        return self._maps[key]


@dataclass(frozen=True, eq=False)
class FilteredAnswers:
    """The answers of a `SpectralFilter` at w, formed only when asked for.

    Parameters
    ----------
    solver : SpectralFilter
    w : ndarray, shape (d,)
        The point that was sent.
    active : ndarray of int, shape (m,)
    scalars : mapping
        Empty.

    Examples
    --------
    >>> from lgd_lib import ExactProjection, Node, Problem
    >>> solve = ExactProjection().prepare(Problem([Node([[0.0, 2.0]], [6.0])], "regression"))
    >>> FilteredAnswers(solve, np.array([1.0, 1.0]), np.array([0])).points
    array([[1., 3.]])
    """

    solver: SpectralFilter
    w: Array
    active: NDArray[np.int64]
    scalars: Mapping[str, Array] = field(default_factory=dict)

    def combine(self, p: Array) -> Array:
        """sum_i p_i w_i."""
        if self.active.size == self.solver.local_steps.size:
            return self.solver.mean(self.w, p)
        return p @ self.points

    @property
    def points(self) -> Array:
        """The answers, one row each, shape (m, d)."""
        return np.array([self.solver.answer(int(i), self.w) for i in self.active])
