"""Local steps in the Gram coordinates of each node's rows: all nodes of one shape walk together."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lgd_lib.problems import Problem
from lgd_lib.protocol import Answers, Memory, Message, NotProjections, Streams
from lgd_lib.validation import Array, as_point


@dataclass(frozen=True, eq=False)
class Walkers:
    """Nodes of one shape in one round.

    Parameters
    ----------
    gram : ndarray, shape (m, n, n)
        Products of the rows, Z_i Z_i^T.
    m0 : ndarray, shape (m, n)
        Margins (or residuals) of the point that was sent.
    eta : ndarray, shape (m,)
    L : int
    k : int
        Round.
    streams : sequence of Generator
        Of each node; empty where nothing is drawn.

    Examples
    --------
    >>> Walkers(np.ones((1, 1, 1)), np.zeros((1, 1)), np.ones(1), 3, 0, []).L
    3
    """

    gram: Array
    m0: Array
    eta: Array
    L: int
    k: int
    streams: Sequence[np.random.Generator]


Walk = Callable[[Walkers], tuple[Array, Array]]
"""What walkers do: from their start to coefficients a and margins m_0 + G a, both of shape (m, n)."""


def gram_steps(
    problem: Problem, rows: Sequence[Array], eta: Array, L: Array, walk: Walk, loss: str
) -> GramSteps:
    """Return a prepared solver that walks with these rows.

    Parameters
    ----------
    problem : Problem
    rows : sequence of ndarray, shapes (N_i, d)
        x_j for the squared loss, z_j = y_j x_j for the others.
    eta, L : ndarray, shape (M,)
    walk : callable
    loss : str

    Returns
    -------
    GramSteps

    Notes
    -----
    Cost: one Gram matrix a node, N_i^2 d operations.

    Examples
    --------
    >>> from lgd_lib.problems import Node
    >>> problem = Problem([Node([[2.0]], [1.0])], "classification")
    >>> stay = lambda walkers: (0 * walkers.m0, walkers.m0)
    >>> gram_steps(problem, [np.array([[2.0]])], np.ones(1), np.ones(1), stay, "logistic").vector_bytes
    8
    """
    targets = [node.y if loss == "squared" else np.zeros(node.N) for node in problem.nodes]
    grams = tuple(Z @ Z.T for Z in rows)
    return GramSteps(tuple(rows), tuple(targets), grams, eta, L, 8 * problem.d_sent, walk, loss)


@dataclass(frozen=True, eq=False)
class GramSteps:
    """A prepared solver whose nodes walk in the Gram coordinates of their rows: w_i = w + Z_i^T a_i.

    A step needs the margins only, m = m_0 + G_i a with m_0 = Z_i w and G_i = Z_i Z_i^T, and changes a only:
    for gradient descent a <- a + (eta / N_i) p(m), p = -loss'.

    Parameters
    ----------
    rows : tuple of ndarray, shapes (N_i, d)
        Z_i.
    targets : tuple of ndarray, shapes (N_i,)
        What is taken from the margins: y_i for the squared loss, whose m are residuals; else zero.
    grams : tuple of ndarray, shapes (N_i, N_i)
    eta, local_steps : ndarray, shape (M,)
    vector_bytes : int
    walk : callable
        From `Walkers` to coefficients and margins.
    loss : str
    draws : bool
        Whether the walk draws random numbers.
    told : tuple of str
        Which numbers the answers carry: "offset" is the sum of a_i, "worst_margin" the smallest margin of the
        model that was sent.
    scalar_bytes : int

    Notes
    -----
    Source: standard. Nodes with the same number of samples and of steps walk together, in one batched
    product a step. Cost: of a round two products with an (N, d) matrix, and sum L_i N_i^2 operations.

    Examples
    --------
    >>> up = lambda walkers: (walkers.m0 + 1, walkers.m0 + 1)
    >>> one = np.ones(1)
    >>> solve = GramSteps((np.eye(1),), (0 * one,), (np.eye(1),), one, one, 8, up, "logistic")
    >>> solve.answer(0, np.zeros(1))
    array([1.])
    """

    rows: tuple[Array, ...]
    targets: tuple[Array, ...]
    grams: tuple[Array, ...]
    eta: Array
    local_steps: Array
    vector_bytes: int
    walk: Walk
    loss: str
    draws: bool = False
    told: tuple[str, ...] = ()
    scalar_bytes: int = 8

    def start(self, w0: Any) -> Array:
        """Return a copy of w0 as a finite vector of length d, or raise."""
        return as_point("w0", w0, self.rows[0].shape[1]).copy()

    def memory(self) -> Memory:
        """Nothing: the nodes keep no memory."""
        return {}

    def __call__(
        self, k: int, message: Message, memory: Memory, active: NDArray[np.int64], streams: Streams
    ) -> tuple[Answers, Memory]:
        """Return the answers, formed only when they are asked for."""
        rows = [self.rows[i] for i in active]
        starts = [Z @ message.point - self.targets[i] for Z, i in zip(rows, active, strict=True)]
        a = self._coefficients(k, starts, active, streams)
        scalars = {}
        if "offset" in self.told:
            scalars["offset"] = np.array([own.sum() for own in a])
        if "worst_margin" in self.told:
            scalars["worst_margin"] = np.array([m.min() for m in starts])
        return CombinedRows(message.point, rows, a, scalars), memory

    def answer(self, i: int, w: Array) -> Array:
        """The local model of node i at w in round 0 of a run with seed 0, shape (d,)."""
        starts = [self.rows[i] @ w - self.targets[i]]
        a = self._coefficients(0, starts, np.array([i]), lambda i: np.random.default_rng([0, 0, i]))
        return w + a[0] @ self.rows[i]

    @cached_property
    def _stacks(self) -> dict[bytes, Array]:
        """The Gram matrices of all nodes of one shape, one above the other."""
        shapes = [(len(G), L) for G, L in zip(self.grams, self.local_steps, strict=True)]
        groups = [np.array(places) for places in together(shapes)]
        return {nodes.tobytes(): np.array([self.grams[i] for i in nodes]) for nodes in groups}

    def _coefficients(
        self, k: int, starts: Sequence[Array], active: NDArray[np.int64], streams: Streams
    ) -> list[Array]:
        """a_i of each active node, from its margins at the point sent."""
        found: list[Array] = [np.empty(0)] * active.size
        for places in together([(m.size, self.local_steps[i]) for m, i in zip(starts, active, strict=True)]):
            nodes = active[places]
            stack = self._stacks.get(nodes.tobytes())
            gram = np.array([self.grams[i] for i in nodes]) if stack is None else stack
            m0 = np.array([starts[place] for place in places])
            L = int(self.local_steps[nodes[0]])
            own = [streams(int(i)) for i in nodes] if self.draws else []
            a, margins = self.walk(Walkers(gram, m0, self.eta[nodes], L, k, own))
            self._require_finite(k, nodes, m0, a, margins)
            for place, coefficients in zip(places, a, strict=True):
                found[place] = coefficients
        return found

    def _require_finite(self, k: int, nodes: NDArray[np.int64], m0: Array, a: Array, margins: Array) -> None:
        """Raise if a node's steps overflowed, naming a step size below which they cannot.

        While eta < 2 / (max ||x_j||^2 f_i) the exponential loss f_i falls at every step of gradient descent,
        so the bound holds ever after and nothing overflows.
        """
        good = np.isfinite(a).all(axis=1) & np.isfinite(margins).all(axis=1)
        if self.loss == "exponential":
            good &= np.where(good, margins.min(axis=1), 0.0) > -709.0
        if good.all():
            return
        place = int(np.argmin(good))
        i = int(nodes[place])
        log_limit = math.log(2) - math.log(float(np.diag(self.grams[i]).max()))
        bound = "2 / max ||x_j||^2"
        if self.loss == "exponential":
            largest = float((-m0[place]).max())
            log_limit -= largest + math.log(float(np.exp(-m0[place] - largest).mean()))
            bound = "2 / (max ||x_j||^2 f_i(w))"
        limit = f"{math.exp(log_limit):.6g}" if abs(log_limit) < 700 else f"exp({log_limit:.6g})"
        raise ValueError(
            f"eta was {self.eta[i]:.12g}; node {i} overflows in round {k}; for the model that it was sent "
            f"eta must be below {bound} = {limit}"
        )


def together(shapes: Sequence[tuple[float, ...]]) -> list[list[int]]:
    """Return the places of equal entries, one list for each entry that occurs.

    Parameters
    ----------
    shapes : sequence of tuple

    Returns
    -------
    list of list of int

    Notes
    -----
    Cost: one pass.

    Examples
    --------
    >>> together([(5, 1), (3, 1), (5, 1)])
    [[0, 2], [1]]
    """
    places: dict[tuple[float, ...], list[int]] = {}
    for place, shape in enumerate(shapes):
        places.setdefault(shape, []).append(place)
    return list(places.values())


@dataclass(frozen=True, eq=False)
class CombinedRows(NotProjections):
    """Answers w + Z_i^T a_i, formed only when asked for, with their coefficients.

    Parameters
    ----------
    w : ndarray, shape (d,)
        The point that was sent.
    rows : sequence of ndarray, shapes (N_i, d)
        Z_i of the active nodes.
    coefficients : sequence of ndarray, shapes (N_i,)
        a_i.
    scalars : mapping of str to ndarray of shape (m,)

    Examples
    --------
    >>> CombinedRows(np.zeros(2), [np.array([[3.0, 4.0]])], [np.array([2.0])]).points
    array([[6., 8.]])
    """

    w: Array
    rows: Sequence[Array]
    coefficients: Sequence[Array]
    scalars: Mapping[str, Array] = field(default_factory=dict)

    @property
    def points(self) -> Array:
        """The answers, one row each, shape (m, d)."""
        return np.array([self.w + a @ Z for a, Z in zip(self.coefficients, self.rows, strict=True)])

    def combine(self, p: Array) -> Array:
        """sum_i p_i w_i."""
        total = float(p.sum()) * self.w
        for share, a, Z in zip(p, self.coefficients, self.rows, strict=True):
            total += (share * a) @ Z
        return total
