"""A node's margin constraints in coordinates of its rows, and answers that move along them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from lgd_lib.margins import require_classification, signed_rows, unit_rows
from lgd_lib.margins.least_distance import LeastDistance, UnitRows, least_distance, shortest
from lgd_lib.margins.separability import refuse
from lgd_lib.problems import Node, Problem
from lgd_lib.projections import factor
from lgd_lib.protocol import NotProjections
from lgd_lib.validation import Array, as_point

GRAM_ROWS = 500
"""Samples of a node up to which its Gram matrix is kept."""


@dataclass(frozen=True, eq=False)
class Shapes:
    """A node's rows Z = A Vt in orthonormal coordinates of their span.

    Parameters
    ----------
    A : ndarray, shape (N_i, r)
    Vt : ndarray, shape (r, d)

    Examples
    --------
    >>> Shapes(np.array([[5.0]]), np.array([[0.6, 0.8]])).Vt.shape
    (1, 2)
    """

    A: Array
    Vt: Array

    @cached_property
    def unit(self) -> UnitRows:
        """The rows of A scaled to norm 1, and, for at most `GRAM_ROWS` of them, their Gram matrix."""
        return UnitRows.of(self.A, with_gram=len(self.A) <= GRAM_ROWS)


def margin_factors(problem: Problem) -> tuple[tuple[Shapes, ...], Array]:
    """Return every node's rows in coordinates of their span, and M infinite local steps.

    Parameters
    ----------
    problem : Problem

    Returns
    -------
    shapes : tuple of Shapes
    local_steps : ndarray, shape (M,)

    Raises
    ------
    NotSeparableError, ValueError
        As `ExactMargin`.

    Notes
    -----
    Cost: one decomposition and one quadratic program a node.

    Examples
    --------
    >>> margin_factors(Problem([Node([[2.0, 0.0]], [1.0])], "classification"))[0][0].Vt.shape
    (1, 2)
    """
    require_classification(problem)
    shapes = []
    for i, node in enumerate(problem.nodes):
        rows, norms = unit_rows(signed_rows(node))
        f = factor(Node(rows, node.y))
        A = norms[:, None] * f.U * f.s
        if least_distance(A, np.ones(node.N)) is None:
            refuse(A, signed_rows(node), f"the data of node {i}")
        shapes.append(Shapes(A, f.Vt))
    return tuple(shapes), np.full(problem.M, math.inf)


def project(shapes: Shapes, centre: Array, i: int) -> LeastDistance:
    """Return the step from `centre`, given in a node's coordinates, to its nearest point of margin 1.

    Parameters
    ----------
    shapes : Shapes
    centre : ndarray, shape (r,)
    i : int
        Number of the node, for the error message.

    Returns
    -------
    LeastDistance

    Raises
    ------
    NotSeparableError
        If there is no such point.

    Notes
    -----
    Cost: one `shortest`, the violated constraints being the guess.

    Examples
    --------
    >>> project(Shapes(np.array([[2.0]]), np.eye(1)), np.zeros(1), 0).u
    array([0.5])
    """
    gaps = 1 - shapes.A @ centre
    found = shortest(shapes.unit, gaps, gaps > 0)
    if found is None:
        refuse(shapes.A, shapes.A, f"the data of node {i}")
    return found


@dataclass(frozen=True, eq=False)
class PreparedShapes:
    """What every prepared margin solver holds; a solver adds its memory and its call.

    Parameters
    ----------
    shapes : sequence of Shapes
        One for each node.
    local_steps : ndarray, shape (M,)
    vector_bytes : int

    Examples
    --------
    >>> shapes = (Shapes(np.array([[2.0]]), np.array([[1.0, 0.0]])),)
    >>> PreparedShapes(shapes, np.array([math.inf]), 16).start([3.0, 4.0])
    array([3., 4.])
    """

    shapes: Sequence[Shapes]
    local_steps: Array
    vector_bytes: int

    @property
    def scalar_bytes(self) -> int:
        """Bytes of one number that travels."""
        return 8

    def start(self, w0: Any) -> Array:
        """Return w0 as a finite vector of length d, or raise."""
        return as_point("w0", w0, self.shapes[0].Vt.shape[1]).copy()


@dataclass(frozen=True, eq=False)
class MovedAnswers:
    """Answers w + Vt_i^T move_i, formed only when asked for, with the multipliers that prove them.

    Parameters
    ----------
    w : ndarray, shape (d,)
        The point that was sent.
    shapes : sequence of Shapes
        Of the active nodes.
    moves : sequence of ndarray, shape (r_i,)
    multipliers : sequence of ndarray, shape (N_i,)
    scalars : mapping of str to ndarray of shape (m,)

    Examples
    --------
    >>> shapes = Shapes(np.array([[5.0]]), np.array([[0.6, 0.8]]))
    >>> MovedAnswers(np.zeros(2), [shapes], [np.array([5.0])], [np.array([1.0])]).points
    array([[3., 4.]])
    """

    w: Array
    shapes: Sequence[Shapes]
    moves: Sequence[Array]
    multipliers: Sequence[Array]
    scalars: Mapping[str, Array] = field(default_factory=dict)

    @property
    def points(self) -> Array:
        """The answers, one row each, shape (m, d)."""
        return np.array([self.w + move @ s.Vt for move, s in zip(self.moves, self.shapes, strict=True)])

    def combine(self, p: Array) -> Array:
        """sum_i p_i w_i."""
        total = float(p.sum()) * self.w
        for share, move, s in zip(p, self.moves, self.shapes, strict=True):
            total += (share * move) @ s.Vt
        return total


class ShiftedAnswers(MovedAnswers, NotProjections):
    """Such answers of a solver that projects another point than the one sent, or stops elsewhere.

    Parameters
    ----------
    w, shapes, moves, multipliers, scalars
        As for `MovedAnswers`.

    Examples
    --------
    >>> ShiftedAnswers(np.zeros(1), [Shapes(np.ones((1, 1)), np.eye(1))], [np.ones(1)], []).points
    array([[1.]])
    """
