"""Aggregations that reach the point of all nodes' constraints nearest to the start."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lgd_lib.margins.least_distance import UnitRows, from_guess, least_distance
from lgd_lib.protocol import Answers, Memory, Message, NotProjections
from lgd_lib.validation import Array, is_count


def anchor_weight(k: int) -> float:
    """Return Halpern's weight of the anchor in round k: a_{k+1} = 1 / (k + 2).

    Parameters
    ----------
    k : int
        Round; 0 for the first.

    Returns
    -------
    float

    Notes
    -----
    Source: standard (Halpern 1967; Lieder 2021). Cost: none.

    Examples
    --------
    >>> anchor_weight(0)
    0.5
    """
    return 1 / (k + 2)


@dataclass(frozen=True)
class Anchored:
    """Modified Local-GD: the average, pulled back towards the start ever less. (C6-limit)

    w^{k+1} = (1 - a_{k+1}) sum_i p_i w_i^{k+1} + a_{k+1} w^0.

    Parameters
    ----------
    weight : callable
        k to a_{k+1} in [0, 1]; `anchor_weight` by default. It must tend to 0, with infinite sum and summable
        changes.

    Raises
    ------
    TypeError
        If weight is no function.
    ValueError
        From `step`, when a weight is outside [0, 1].

    Notes
    -----
    Source: the paper's refined aggregation (version 1), in the form inferred for this book; Halpern's
    iteration. From w^0 = 0 it is weight decay on the server. Its error falls like 1/k and not faster; for
    regression it is a loss, since the plain average converges linearly. Cost: as `Average`.

    Examples
    --------
    >>> from lgd_lib.protocol import PointAnswers
    >>> state = Anchored().init(np.zeros(1))
    >>> answers = PointAnswers(np.array([[4.0]]))
    >>> Anchored().step(state, 0, Message(np.zeros(1)), answers, np.arange(1), np.ones(1))[1]
    array([2.])
    """

    weight: Callable[[int], float] = anchor_weight

    def __post_init__(self) -> None:
        if not callable(self.weight):
            raise TypeError(f"weight was {self.weight!r}; it must be a function of the round k")

    def init(self, w0: Array) -> Memory:
        """The anchor w^0."""
        return {"anchor": w0}

    def step(
        self, state: Memory, k: int, message: Message, answers: Answers, active: NDArray[np.int64], p: Array
    ) -> tuple[Memory, Array, Message]:
        """Average and pull; the new point is both the estimate and the next message."""
        a = self.weight(k)
        if not 0 <= a <= 1:
            raise ValueError(f"weight was {a!r} in round {k}; it must be between 0 and 1")
        w = (1 - a) * answers.combine(p) + a * state["anchor"]
        return state, w, Message(w)


@dataclass(frozen=True)
class Haugazeau:
    """Haugazeau's aggregation: project the start on two half-spaces, with no parameter. (C8-haugazeau)

    With T w^k the average, w^{k+1} is the projection of w^0 on
    {v : <v - w^k, w^0 - w^k> <= 0} and {v : <v - T w^k, w^k - T w^k> <= 0}.

    Notes
    -----
    Source: standard (Haugazeau 1968; Combettes 2000). Server memory: one vector. Cost: as `Average`,
    and three inner products.

    Examples
    --------
    >>> Haugazeau()
    Haugazeau()
    """

    def init(self, w0: Array) -> Memory:
        """The anchor w^0."""
        return {"anchor": w0}

    def step(
        self, state: Memory, k: int, message: Message, answers: Answers, active: NDArray[np.int64], p: Array
    ) -> tuple[Memory, Array, Message]:
        """Project; the new point is both the estimate and the next message."""
        x, y, z = state["anchor"], message.point, answers.combine(p)
        first, second = x - y, y - z
        pi, mu, nu = float((first * second).sum()), float((first**2).sum()), float((second**2).sum())
        # rho = mu nu - pi^2, without its cancellation where the two are nearly parallel.
        rho = mu * float(((second - (pi / mu) * first) ** 2).sum()) if mu else 0.0
        if nu == 0:
            w = y
        elif rho <= 1e-15 * mu * nu:
            w = z
        elif pi * nu >= rho:
            w = x - (1 + pi / nu) * second
        else:
            w = y + (nu / rho) * (pi * first - mu * second)
        return state, w, Message(w)


@dataclass(frozen=True)
class Bundle:
    """Keep every half-space the answers tell of, and project the start on their intersection. (C8b-limit)

    A node that answers p_i = Pi_i(w) tells that C_i lies in {v : <g, v> >= <g, p_i>}, g = p_i - w. A node
    that answers w_i = w + Z_i^T a with a >= 0, and 1^T a as "offset", tells that C_i lies in
    {v : <g, v> >= 1^T a}, g = w_i - w. The next point is the one nearest to w^0 in all half-spaces told so
    far.

    Parameters
    ----------
    slack : int, optional
        How many half-spaces that carry no multiplier are kept, the newest ones. All by default. Dropping them
        keeps the limit and the rates; only the proof that it ends after finitely many rounds is lost.

    Raises
    ------
    ValueError
        If slack is no whole number of at least 1; from `step`, in the first round, if the local solver is
        known to answer with something else than projections and tells no sums (`NotProjections`); and when
        the half-spaces contradict each other, which happens only if no w separates all nodes' data.

    Notes
    -----
    Source: ours; outer approximation as in Haugazeau 1968 and Combettes 2000, with all cuts kept. Needs the
    exact projections of `ExactMargin`, or the told sums of `NormalisedSteps`, with which it never ends but
    comes as near as their temperature grows. Plain gradient steps in classification tell no valid half-space
    and are refused; in regression they do if eta <= N_i / sigma_max^2, as they stop on the way to the
    projection. Of a solver's own `PointAnswers` that are no projections it makes a point that means nothing:
    no server can see that in points.
    With w^0 = 0 the state holds "upper" = 1 / ||w||, which the margin cannot exceed, and, if the nodes send
    their worst margin, "lower", which a point sent so far attains: it is a bound while all nodes take part,
    since an absent node does not say its margin.
    Weights play no part. Server memory: for each half-space one vector, and its products with the others.
    Cost: as `Average`, and one quadratic program, s^3 / 3 operations a change of its support of size s.

    Examples
    --------
    >>> Bundle()
    Bundle(slack=None)
    """

    slack: int | None = None

    def __post_init__(self) -> None:
        if self.slack is not None and not is_count(self.slack):
            raise ValueError(f"slack was {self.slack!r}; it must be a whole number of at least 1, or None")

    def init(self, w0: Array) -> Memory:
        """The anchor and no half-space."""
        empty = {"normals": np.empty((0, w0.size)), "offsets": np.empty(0)}
        empty |= {"gram": np.empty((0, 0)), "support": np.empty(0)}
        return {"anchor": w0, "upper": np.array(np.inf), "lower": np.array(-np.inf)} | empty

    def step(
        self, state: Memory, k: int, message: Message, answers: Answers, active: NDArray[np.int64], p: Array
    ) -> tuple[Memory, Array, Message]:
        """Add the half-spaces and project the anchor; the new point is estimate and next message."""
        if isinstance(answers, NotProjections) and "offset" not in answers.scalars:
            raise ValueError(
                f"answers were {type(answers).__name__}, which are no projections of the model sent and tell "
                "no half-space; the local solver must be ExactMargin, or NormalisedSteps with offset=True"
            )
        w, anchor = message.point, state["anchor"]
        cuts = _half_spaces(w, answers.points, answers.scalars.get("offset"))
        normals = np.concatenate([state["normals"], cuts[0]])
        offsets = np.concatenate([state["offsets"], cuts[1]])
        gram = _grown(state["gram"], normals)
        # The last support and all new half-spaces: the new point is outside most of those.
        guess = np.concatenate([state["support"] > 0, np.ones(cuts[1].size, dtype=bool)])
        following, multipliers = w, state["support"]
        if cuts[1].size:  # otherwise w is the nearest point already
            rows = UnitRows(normals, np.ones(guess.size), gram)
            following, multipliers = _nearest(anchor, rows, offsets, guess)
        kept = self._kept(multipliers)
        new = {"anchor": anchor, "normals": normals[kept], "offsets": offsets[kept]}
        new |= {"gram": gram[np.ix_(kept, kept)], "support": np.where(multipliers[kept] > 0, 1.0, 0.0)}
        length = float(np.linalg.norm(following))
        lower = (
            float(np.min(answers.scalars["worst_margin"])) if "worst_margin" in answers.scalars else -np.inf
        )
        sent = float(np.linalg.norm(w))
        bounds = {
            "upper": np.array(1 / length if length else np.inf),
            "lower": np.array(max(float(state["lower"]), lower / sent) if sent else -np.inf),
        }
        return new | bounds, following, Message(following)

    def _kept(self, multipliers: Array) -> NDArray[np.bool_]:
        tight = multipliers > 0
        if self.slack is None:
            return np.ones(tight.size, dtype=bool)
        newest = np.cumsum(~tight[::-1])[::-1] <= self.slack
        return np.asarray(tight | newest)


def _half_spaces(w: Array, points: Array, sums: Array | None = None) -> tuple[Array, Array]:
    """Unit normals g / ||g|| of the moves g and the offsets <g, p_i> / ||g||, or sums / ||g|| where told."""
    moves = points - w
    lengths = np.linalg.norm(moves, axis=1)
    # A direction is known to eps ||w|| / length: a node that hardly moves while others are far from done
    # would cut off part of the answer. The longest moves of a round may always tell, if they are projections;
    # the proof needs no more. Told sums come with moves that shorten at will, so they must be longer.
    size, longest = float(np.linalg.norm(w)), float(lengths.max())
    if sums is not None:
        told = lengths > 1e-6 * size
        return moves[told] / lengths[told, None], sums[told] / lengths[told]
    told = (lengths > 1e-9 * size) | (lengths > max(1e-3 * longest, 1e-13 * size))
    normals = moves[told] / lengths[told, None]
    return normals, (normals * points[told]).sum(axis=1)


def _grown(gram: Array, normals: Array) -> Array:
    """The Gram matrix of the normals, of which the first are known."""
    old = len(gram)
    fresh = normals[old:] @ normals.T
    return np.block([[gram, fresh[:, :old].T], [fresh[:, :old], fresh[:, old:]]])


def _nearest(anchor: Array, given: UnitRows, offsets: Array, guess: NDArray[np.bool_]) -> tuple[Array, Array]:
    """The point nearest to the anchor in all half-spaces, and their multipliers."""
    if not offsets.size:
        return anchor, np.empty(0)
    gaps = offsets - given.rows @ anchor
    found = from_guess(given, gaps, guess) if (gaps > 0).any() else None
    if found is not None:
        return anchor + found.u, found.multipliers
    Q, R = np.linalg.qr(given.rows.T)
    found = least_distance(R.T, gaps)
    if found is None:
        raise ValueError(
            "the half-spaces told by the nodes have no common point: the problem is not separable, or the "
            "answers are no exact projections and tell no sums (see Bundle)"
        )
    return anchor + Q @ found.u, found.multipliers
