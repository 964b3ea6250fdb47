"""Gradient steps on the softmax loss of a linear model, in the Gram coordinates of each node."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lgd_lib.descent.softmax_descent import Group, Walk, descend
from lgd_lib.problems import Problem
from lgd_lib.protocol import Answers, Memory, Message, NotProjections, Streams
from lgd_lib.validation import Array, as_point

CLOSE_SIZES = 1.3
"""Nodes are worked on together where the largest has at most this many times the samples of the smallest."""


def softmax_steps(problem: Problem, eta: Array, L: Array, walk: Walk | None = None) -> SoftmaxSteps:
    """Return the solver that takes L steps of size eta on each node's mean softmax loss.

    Parameters
    ----------
    problem : Problem
        With the task "multiclass".
    eta, L : ndarray, shape (M,)
    walk : callable, optional
        How a group of nodes steps; `descend`, gradient descent, by default.

    Returns
    -------
    SoftmaxSteps

    Raises
    ------
    ValueError
        If the task is another, or an L is infinite.

    Notes
    -----
    Cost: the Gram matrix of every node, N_i^2 d operations.

    Examples
    --------
    >>> from lgd_lib.problems import Node
    >>> problem = Problem([Node([[1.0]], [0.0]), Node([[1.0]], [1.0])], "multiclass")
    >>> softmax_steps(problem, np.ones(2), np.ones(2)).vector_bytes
    16
    """
    if problem.task != "multiclass":
        raise ValueError(
            f"problem has the task {problem.task!r}; loss='softmax' needs the task 'multiclass', with labels "
            "0..C-1"
        )
    if not np.isfinite(L).all():
        raise ValueError(
            "L was inf; with loss='softmax' the steps have no limit: take ExactMargin on "
            "multiclass_margins(problem), to whose direction they tend"
        )
    groups = tuple(_group(problem, eta, nodes) for nodes in _of_close_sizes(problem.sizes))
    rows = tuple(node.X for node in problem.nodes)
    return SoftmaxSteps(rows, problem.classes, groups, L, 8 * problem.d_sent, walk or descend)


def _of_close_sizes(sizes: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    groups: list[list[int]] = []
    for i in np.argsort(sizes, kind="stable"):
        if not groups or sizes[i] > CLOSE_SIZES * sizes[groups[-1][0]] + 2:
            groups.append([])
        groups[-1].append(int(i))
    return [np.array(group) for group in groups]


def _group(problem: Problem, eta: Array, nodes: NDArray[np.int64]) -> Group:
    sizes = problem.sizes[nodes]
    n = int(sizes.max())
    gram, labels = np.zeros((nodes.size, n, n)), np.zeros((nodes.size, n), dtype=np.int64)
    for row, (i, N) in enumerate(zip(nodes, sizes, strict=True)):
        node = problem.nodes[i]
        gram[row, :N, :N] = node.X @ node.X.T
        labels[row, :N] = node.y
    return Group(nodes, gram, labels, sizes, eta[nodes])


@dataclass(frozen=True, eq=False)
class SoftmaxSteps:
    """L gradient steps on each node's softmax loss, prepared: W_i = W + A_i X_i with A_i of shape (C, N_i).

    Scores change by A_i X_i X_i^T, so that a step costs C N_i^2 whatever d is:
    A <- A - (eta / N_i) (q - e_y), q the probabilities of the scores.

    Parameters
    ----------
    rows : sequence of ndarray, shape (N_i, d)
    classes : int
    groups : sequence of Group
    local_steps : ndarray, shape (M,)
    vector_bytes : int
    walk : callable
    scalar_bytes : int

    Notes
    -----
    Source: standard. Cost of a round: L steps of C N_i^2 a node, and one product with the rows each way.

    Examples
    --------
    >>> from lgd_lib.problems import Node
    >>> problem = Problem([Node([[1.0]], [0.0]), Node([[1.0]], [1.0])], "multiclass")
    >>> solve = softmax_steps(problem, np.ones(2), np.ones(2))
    >>> solve(0, Message(np.zeros(2)), {}, np.arange(2), None)[0].points
    array([[ 0.5, -0.5],
           [-0.5,  0.5]])
    """

    rows: Sequence[Array]
    classes: int
    groups: Sequence[Group]
    local_steps: Array
    vector_bytes: int
    walk: Walk
    scalar_bytes: int = 8

    def start(self, w0: Any) -> Array:
        """Return a copy of w0 as a finite vector of length C d, or raise."""
        return as_point("w0", w0, self.classes * self.rows[0].shape[1]).copy()

    def memory(self) -> Memory:
        """Nothing: the nodes keep no memory."""
        return {}

    def __call__(
        self, k: int, message: Message, memory: Memory, active: NDArray[np.int64], streams: Streams
    ) -> tuple[Answers, Memory]:
        """Take the steps of all active nodes."""
        W = message.point.reshape(self.classes, -1)
        found: dict[int, Array] = {}
        for group in self.groups:
            here = np.flatnonzero(np.isin(group.nodes, active))
            if here.size:
                found |= self._walked(group.part(here), W, streams)
        coefficients = [found[int(i)] for i in active]
        return SoftmaxAnswers(message.point, [self.rows[i] for i in active], coefficients), memory

    def _walked(self, group: Group, W: Array, streams: Streams) -> dict[int, Array]:
        """The coefficients of a group's nodes, by the number of the node."""
        scores = np.zeros((group.nodes.size, self.classes, group.gram.shape[1]))
        for row, (i, N) in enumerate(zip(group.nodes, group.sizes, strict=True)):
            scores[row, :, :N] = W @ self.rows[i].T
        A = self.walk(group, self.local_steps[group.nodes], scores, streams)
        return {int(i): own[:, :N] for i, own, N in zip(group.nodes, A, group.sizes, strict=True)}


@dataclass(frozen=True, eq=False)
class SoftmaxAnswers(NotProjections):
    """Answers W + A_i X_i, formed only when asked for.

    Parameters
    ----------
    w : ndarray, shape (C d,)
        The point that was sent.
    rows : sequence of ndarray, shape (N_i, d)
        Of the active nodes.
    coefficients : sequence of ndarray, shape (C, N_i)
    scalars : mapping
        Empty.

    Examples
    --------
    >>> SoftmaxAnswers(np.zeros(2), [np.array([[2.0]])], [np.array([[0.5], [-0.5]])]).points
    array([[ 1., -1.]])
    """

    w: Array
    rows: Sequence[Array]
    coefficients: Sequence[Array]
    scalars: Mapping[str, Array] = field(default_factory=dict)

    @property
    def points(self) -> Array:
        """The answers, one row each, shape (m, C d)."""
        moves = [(A @ X).ravel() for A, X in zip(self.coefficients, self.rows, strict=True)]
        return self.w + np.array(moves)

    def combine(self, p: Array) -> Array:
        """sum_i p_i w_i."""
        total = np.float64(p.sum()) * self.w
        for share, A, X in zip(p, self.coefficients, self.rows, strict=True):
            total += ((share * A) @ X).ravel()
        return total
