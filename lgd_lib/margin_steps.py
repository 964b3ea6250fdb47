"""Gradient steps on margin losses, prepared for a problem: all nodes of one shape walk together."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lgd_lib.margin_descent import descend
from lgd_lib.margins import signed_rows
from lgd_lib.problems import Problem
from lgd_lib.protocol import Answers, Memory, Message, Streams
from lgd_lib.validation import Array, as_point


def margin_steps(problem: Problem, eta: Array, L: Array, loss: str) -> MarginSteps:
    """Return gradient steps on the exponential or logistic loss, prepared for a problem.

    Parameters
    ----------
    problem : Problem
    eta, L : ndarray, shape (M,)
        Step size and local steps of each node.
    loss : {"exponential", "logistic"}

    Returns
    -------
    MarginSteps

    Raises
    ------
    ValueError
        If the task is not "classification" or L is infinite.

    Notes
    -----
    Cost: one Gram matrix a node, N_i^2 d operations.

    Examples
    --------
    >>> from lgd_lib.problems import Node
    >>> problem = Problem([Node([[2.0, 0.0]], [1.0])], "classification")
    >>> margin_steps(problem, np.ones(1), np.ones(1), "logistic").answer(0, np.zeros(2))
    array([1., 0.])
    """
    rows = labelled_rows(problem, loss)
    if np.isinf(L).any():
        raise ValueError(
            f"L was inf; it must be finite for loss={loss!r}, whose minimum lies at infinity: "
            "use ExactMargin for the limit of the directions, or LocalFlow for a very long time"
        )
    return MarginSteps(tuple(rows), tuple(Z @ Z.T for Z in rows), eta, L, 8 * problem.d_sent, loss)


def labelled_rows(problem: Problem, loss: str) -> list[Array]:
    """Return each node's rows z_j = y_j x_j, or refuse a problem without labels.

    Parameters
    ----------
    problem : Problem
    loss : str
        For the error message.

    Returns
    -------
    list of ndarray, shapes (N_i, d)

    Raises
    ------
    ValueError
        If the task is not "classification".

    Notes
    -----
    Cost: one copy of the data.

    Examples
    --------
    >>> from lgd_lib.problems import Node
    >>> labelled_rows(Problem([Node([[2.0]], [-1.0])], "classification"), "logistic")
    [array([[-2.]])]
    """
    if problem.task != "classification":
        raise ValueError(
            f"loss was {loss!r} and the problem's task {problem.task!r}; it must be 'classification', "
            "with labels -1 and +1"
        )
    return [signed_rows(node) for node in problem.nodes]


@dataclass(frozen=True, eq=False)
class MarginSteps:
    """A prepared solver that walks in the Gram coordinates of each node's rows z_j = y_j x_j.

    w_i = w + Z_i^T a_i, where a <- a + (eta / N_i) p(Z_i w + G_i a), G_i = Z_i Z_i^T, L times; p = -loss'.

    Parameters
    ----------
    rows : tuple of ndarray, shapes (N_i, d)
        Z_i.
    grams : tuple of ndarray, shapes (N_i, N_i)
    eta, local_steps : ndarray, shape (M,)
    vector_bytes : int
    loss : {"exponential", "logistic"}
    scalar_bytes : int

    Notes
    -----
    Source: standard. Nodes with the same number of samples and of steps walk together, in one batched
    product a step. Cost: of a round two products with an (N, d) matrix, and sum L_i N_i^2 operations.

    Examples
    --------
    >>> solve = MarginSteps((np.eye(1),), (np.eye(1),), np.ones(1), np.ones(1), 8, "exponential")
    >>> solve.answer(0, np.zeros(1))
    array([1.])
    """

    rows: tuple[Array, ...]
    grams: tuple[Array, ...]
    eta: Array
    local_steps: Array
    vector_bytes: int
    loss: str
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
        starts = [Z @ message.point for Z in rows]
        return CombinedRows(message.point, rows, self._coefficients(k, starts, active)), memory

    def answer(self, i: int, w: Array) -> Array:
        """The local model of node i at w, shape (d,)."""
        only = np.array([i])
        return w + self._coefficients(0, [self.rows[i] @ w], only)[0] @ self.rows[i]

    def _coefficients(self, k: int, starts: Sequence[Array], active: NDArray[np.int64]) -> list[Array]:
        """a_i of each active node, from its margins at the point sent."""
        found: list[Array] = [np.empty(0)] * active.size
        for places in together([(m.size, self.local_steps[i]) for m, i in zip(starts, active, strict=True)]):
            nodes = active[places]
            m0 = np.array([starts[place] for place in places])
            h = self.eta[nodes] / m0.shape[1]
            gram = np.array([self.grams[i] for i in nodes])
            a, margins = descend(gram, m0, h, int(self.local_steps[nodes[0]]), self.loss)
            require_finite(self, k, nodes, m0, a, margins)
            for place, own in zip(places, a, strict=True):
                found[place] = own
        return found


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


def require_finite(
    solve: MarginSteps, k: int, nodes: NDArray[np.int64], m0: Array, a: Array, margins: Array
) -> None:
    """Raise if a node's steps overflowed, naming the step size below which they cannot.

    Parameters
    ----------
    solve : MarginSteps
    k : int
        Round.
    nodes : ndarray of int, shape (m,)
    m0, a, margins : ndarray, shape (m, n)
        Margins at the start, coefficients and margins at the end.

    Raises
    ------
    ValueError

    Notes
    -----
    While eta < 2 / (max ||x_j||^2 f_i), the exponential loss f_i falls at every step, so the bound holds
    ever after and nothing overflows. Cost: one pass.

    Examples
    --------
    >>> solve = MarginSteps((np.eye(1),), (np.eye(1),), np.ones(1), np.ones(1), 8, "exponential")
    >>> require_finite(solve, 0, np.arange(1), np.zeros((1, 1)), np.ones((1, 1)), np.ones((1, 1)))
    """
    good = np.isfinite(a).all(axis=1) & np.isfinite(margins).all(axis=1)
    if solve.loss == "exponential":
        good &= margins.min(axis=1, initial=math.inf, where=np.isfinite(margins)) > -709
    if good.all():
        return
    place = int(np.argmin(good))
    i = int(nodes[place])
    largest = float((-m0[place]).max())
    log_loss = largest + math.log(float(np.exp(-m0[place] - largest).mean()))
    log_limit = math.log(2) - math.log(float(np.diag(solve.grams[i]).max())) - log_loss
    limit = f"{math.exp(log_limit):.6g}" if abs(log_limit) < 700 else f"exp({log_limit:.6g})"
    raise ValueError(
        f"eta was {solve.eta[i]:.12g}; node {i} overflows in round {k}; at the model it was sent "
        f"eta must be below 2 / (max ||x_j||^2 f_i(w)) = {limit}"
    )


@dataclass(frozen=True, eq=False)
class CombinedRows:
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
