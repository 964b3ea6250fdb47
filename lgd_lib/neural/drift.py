"""How far local models drift apart in a round, and what lies between two of them."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lgd_lib.runner import Round
from lgd_lib.validation import Array


def angle_between_moves(r: Round, d: int) -> float:
    """Return the mean angle between the moves of two local models in a round, in degrees.

    Node i moves by u_i = w_i - w, where w was sent. The mean is over all pairs of active nodes.

    Parameters
    ----------
    r : Round
        With its answers kept.
    d : int
        Only the first d entries count: what is trained.

    Returns
    -------
    float
        NaN for a single node, and if a node did not move.

    Notes
    -----
    0 where all move alike, 90 where their moves have nothing in common. Cost: one product of all pairs.

    Examples
    --------
    >>> from lgd_lib import Average, ExactProjection, Node, Problem, rounds
    >>> problem = Problem([Node([[1.0, 0.0]], [1.0]), Node([[0.0, 1.0]], [2.0])], "regression")
    >>> round(angle_between_moves(next(rounds(problem, ExactProjection(), Average(), [0.0, 0.0])), 2), 9)
    90.0
    """
    gram = _gram(r, d)
    size = np.sqrt(np.diag(gram))
    if len(gram) < 2 or not size.all():
        return float("nan")
    cosines = (gram / np.outer(size, size))[np.triu_indices(len(gram), 1)]
    return float(np.degrees(np.arccos(np.clip(cosines, -1, 1))).mean())


def distance_between_moves(r: Round, d: int) -> float:
    """Return the mean distance between two local models in a round, over the mean length of their moves.

    Parameters
    ----------
    r : Round
        With its answers kept.
    d : int
        Only the first d entries count: what is trained.

    Returns
    -------
    float
        NaN for a single node, and if no node moved.

    Notes
    -----
    0 where all move alike; the root of 2 for moves of one length with nothing in common; 2 for two nodes
    that move in opposite directions. Cost: one product of all pairs.

    Examples
    --------
    >>> from lgd_lib import Average, ExactProjection, Node, Problem, rounds
    >>> problem = Problem([Node([[1.0, 0.0]], [3.0]), Node([[0.0, 1.0]], [3.0])], "regression")
    >>> round(distance_between_moves(next(rounds(problem, ExactProjection(), Average(), [0.0, 0.0])), 2), 9)
    1.414213562
    """
    gram = _gram(r, d)
    square = np.diag(gram)
    if len(gram) < 2 or not square.any():
        return float("nan")
    apart = np.sqrt(np.maximum(square[:, None] + square - 2 * gram, 0))
    return float(apart[np.triu_indices(len(gram), 1)].mean() / np.sqrt(square).mean())


def _gram(r: Round, d: int) -> Array:
    moves = r.W[:, :d].astype(np.float64) - r.sent[:d]
    return np.asarray(moves @ moves.T)


def between(a: ArrayLike, b: ArrayLike, points: int) -> NDArray[np.float64]:
    """Return points on the line from one model to another, both ends among them.

    (1 - t) a + t b, t from 0 to 1 in equal steps.

    Parameters
    ----------
    a, b : array_like, shape (d,)
    points : int
        At least 2.

    Returns
    -------
    ndarray, shape (points, d)

    Notes
    -----
    Cost: none.

    Examples
    --------
    >>> between([0.0, 2.0], [1.0, 4.0], 3)
    array([[0. , 2. ],
           [0.5, 3. ],
           [1. , 4. ]])
    """
    t = np.linspace(0, 1, points)[:, None]
    return np.asarray((1 - t) * np.asarray(a, dtype=float) + t * np.asarray(b, dtype=float))


def bump(losses: ArrayLike) -> float:
    """Return by how much the loss along a line rises above the straight line between its ends, at most.

    Parameters
    ----------
    losses : array_like, shape (points,)
        At equal steps.

    Returns
    -------
    float
        At least 0, the value at both ends. A convex loss has no bump.

    Notes
    -----
    Measured at the points given only. Cost: none.

    Examples
    --------
    >>> bump([1.0, 3.0, 2.0]), bump([1.0, 0.5, 2.0])
    (1.5, 0.0)
    """
    found = np.asarray(losses, dtype=float)
    return float((found - np.linspace(found[0], found[-1], found.size)).max())
