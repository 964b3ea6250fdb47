"""Conjugate gradients as an aggregation: the nodes answer as always, the server chooses the point better."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lgd_lib.protocol import Answers, Memory, Message
from lgd_lib.validation import Array

EPS = float(np.finfo(float).eps)


@dataclass(frozen=True)
class ConjugateGradient:
    """Conjugate gradients on the averaged map, which needs no parameter. (R6-conjugate-gradients)

    In regression a round is an affine map with r(w) = mean - w = b - A w, A = P_bar(L) symmetric and positive
    semidefinite. The server sends x + t p, and A p = (r(x) - r(x + t p)) / t gives one iteration a round:

        alpha = r^T r / p^T A p;  x <- x + alpha p;  r <- r - alpha A p;  p <- r + (r^T r / old) p.

    The estimate is x; the point sent is another.

    Raises
    ------
    ValueError
        From `step`, when the nodes that take part or their weights change: A is then another matrix.

    Notes
    -----
    Source: standard (Hestenes and Stiefel); the application is ours. The first round only measures r(w^0), so
    the estimate after it is still w^0. t keeps the length of the step sent at that of the first, so that A p
    does not drown in rounding. Once r is no larger than rounding the estimate stays as it is: what
    follows would be rounding alone. Not for classification, where the averaged map is not affine.
    Server memory: three vectors. Cost: as `Average`, and two inner products.

    Examples
    --------
    >>> ConjugateGradient()
    ConjugateGradient()
    """

    def init(self, w0: Array) -> Memory:
        """The estimate x = w^0; the rest is measured in the first round."""
        later = {name: np.empty(0) for name in ("r", "direction", "active", "weights")}
        return {"x": w0, "length": np.array(0.0)} | later

    def step(
        self, state: Memory, k: int, message: Message, answers: Answers, active: NDArray[np.int64], p: Array
    ) -> tuple[Memory, Array, Message]:
        """One iteration; the estimate is x and the next message x + t p."""
        x, gap = state["x"], answers.combine(p) - message.point
        if not state["active"].size:
            length = _norm(gap)
            present = {"active": active.astype(np.float64), "weights": p}
            return {"x": x, "r": gap, "direction": gap, "length": length} | present, x, Message(x + gap)
        _check_same(state, active, p)
        r, direction, length = state["r"], state["direction"], state["length"]
        if not _norm(r) > EPS * (_norm(message.point) + length):
            return state, x, message
        image = (r - gap) * (_norm(direction) / length)
        curvature, old = (direction * image).sum(), (r * r).sum()
        if not curvature > 0:
            return state, x, message
        alpha = old / curvature
        x, r = x + alpha * direction, r - alpha * image
        direction = r + ((r * r).sum() / old) * direction
        size = _norm(direction)
        following = x + direction * (length / size) if size > 0 else x
        return state | {"x": x, "r": r, "direction": direction}, x, Message(following)


def _norm(vector: Array) -> Array:
    return np.asarray((vector * vector).sum() ** 0.5)


def _check_same(state: Memory, active: NDArray[np.int64], p: Array) -> None:
    if not (np.array_equal(active, state["active"]) and np.array_equal(p, state["weights"])):
        raise ValueError(
            f"participation changed to the nodes {active.tolist()}; ConjugateGradient needs the same nodes "
            "with the same weights in every round"
        )
