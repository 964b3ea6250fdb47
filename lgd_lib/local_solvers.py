"""What a node does with the global model: gradient steps, or the exact answer they tend to."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lgd_lib.problems import Problem
from lgd_lib.projections import Factors, factor, step_filter
from lgd_lib.protocol import Answers, Memory, Message, Streams
from lgd_lib.validation import Array, as_list, as_point, is_count, per_node

LOSSES = ("squared",)


@dataclass(frozen=True)
class GradientSteps:
    """L steps of gradient descent on the node's own mean loss, from the global model.

    v <- w; L times: v <- v - eta grad f_i(v); the answer is v.

    Parameters
    ----------
    eta : float or sequence of M floats
        Step size, 0 < eta < 2 N_i / sigma_max(X_i)^2 for every node i.
    L : int, math.inf, or a sequence of M of them
        Local steps; math.inf gives the limit, the projection on the node's solutions.
    loss : {"squared"}

    Raises
    ------
    ValueError
        If L is not a whole number of at least 1 or infinity, eta is not positive, or the loss is unknown;
        from `prepare`, if eta is too large for a node: the message names the largest admissible step.

    Notes
    -----
    Source: the paper's local step (version 1); `loss="squared"` is its regression part.
    Cost: `prepare` takes one singular value decomposition a node; then a round costs two products with an
    (N, d) matrix whatever L is, because the L steps are applied as 1 - (1 - eta s^2 / N_i)^L to each
    singular direction. On `problem.row_space(w0)` the same costs O(N^2).

    Examples
    --------
    >>> GradientSteps(eta=0.1, L=10)
    GradientSteps(eta=0.1, L=10, loss='squared')
    """

    eta: float | Sequence[float]
    L: float | Sequence[float]
    loss: str = "squared"

    def __post_init__(self) -> None:
        steps, sizes = as_list("L", self.L), as_list("eta", self.eta)
        if not all(is_count(L) or math.inf == L for L in steps):
            raise ValueError(f"L was {self.L}; it must be a whole number of at least 1, or math.inf")
        if not all(type(eta) in (int, float) and 0 < eta < math.inf for eta in sizes):
            raise ValueError(f"eta was {self.eta}; a step size must be positive and finite")
        if self.loss not in LOSSES:
            raise ValueError(f"loss was {self.loss!r}; it must be one of {', '.join(map(repr, LOSSES))}")

    def prepare(self, problem: Problem) -> SpectralFilter:
        """Decompose every node's rows and check the step size against them."""
        eta, L = per_node("eta", self.eta, problem.M), per_node("L", self.L, problem.M)
        factors = [factor(node) for node in problem.nodes]
        limits = np.array([step_limit(f, node.N) for f, node in zip(factors, problem.nodes, strict=True)])
        if (eta >= limits).any():
            i = int(np.argmax(eta / limits))
            raise ValueError(
                f"eta was {eta[i]:.12g}; node {i} diverges unless eta < 2 N_i / sigma_max(X_i)^2 = "
                f"{limits[i]:.12g} (the smallest such bound of all nodes is {limits.min():.12g})"
            )
        shares = [
            step_filter(f.s, node.N, eta[i], L[i])
            for i, (f, node) in enumerate(zip(factors, problem.nodes, strict=True))
        ]
        return _spectral_filter(problem, factors, shares, L)


@dataclass(frozen=True)
class ExactProjection:
    """The projection of the global model on the node's solutions, argmin f_i. (R1-projection)

    w_i = w + X_i^+ (y_i - X_i w), what gradient descent tends to as L grows.

    Notes
    -----
    Source: the paper's L = infinity (version 1). Where the node's equations contradict each other, argmin f_i
    is its least-squares set. Cost: as `GradientSteps`.

    Examples
    --------
    >>> ExactProjection()
    ExactProjection()
    """

    def prepare(self, problem: Problem) -> SpectralFilter:
        """Decompose every node's rows."""
        factors = [factor(node) for node in problem.nodes]
        return _spectral_filter(
            problem, factors, [np.ones_like(f.s) for f in factors], np.full(problem.M, math.inf)
        )


def step_limit(factors: Factors, N: int) -> float:
    """Return 2 N / sigma_max(X)^2: gradient descent on the node's squared loss converges below it.

    Parameters
    ----------
    factors : Factors
    N : int
        Samples of the node.

    Returns
    -------
    float
        Infinite when all rows are zero.

    Notes
    -----
    Source: standard. Cost: none.

    Examples
    --------
    >>> from lgd_lib.problems import Node
    >>> round(step_limit(factor(Node([[2.0, 0.0]], [1.0])), N=1), 12)
    0.5
    """
    return 2 * N / float(factors.s[0]) ** 2 if factors.s.size else math.inf


def _spectral_filter(
    problem: Problem, factors: Sequence[Factors], shares: Sequence[Array], L: Array
) -> SpectralFilter:
    targets = [
        phi * (f.U.T @ node.y) / f.s for phi, f, node in zip(shares, factors, problem.nodes, strict=True)
    ]
    return SpectralFilter(
        Vt=np.concatenate([f.Vt for f in factors]),
        phi=np.concatenate(list(shares)),
        target=np.concatenate(targets),
        ends=np.cumsum([0, *(f.s.size for f in factors)]),
        local_steps=L,
        vector_bytes=8 * problem.d_sent,
    )


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
    >>> from lgd_lib.problems import Node
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
    >>> from lgd_lib.problems import Node
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
