"""What the server does with the answers of the nodes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lgd_lib.protocol import Answers, Memory, Message
from lgd_lib.validation import Array


@dataclass(frozen=True)
class Average:
    """The weighted mean of the answers: w^{k+1} = sum_i p_i w_i^{k+1}.

    Notes
    -----
    Source: the paper's server step (version 1), with p_i = 1/M; federated averaging. Over a round in which
    only some nodes take part the weights are those of the active nodes, rescaled to sum 1.
    Cost: one pass over the answers.

    Examples
    --------
    >>> from lgd_lib.protocol import PointAnswers
    >>> answers = PointAnswers(np.array([[0.0, 2.0], [4.0, 0.0]]))
    >>> start, equal = Message(np.zeros(2)), np.full(2, 0.5)
    >>> state, w, message = Average().step({}, 0, start, answers, np.arange(2), equal)
    >>> w
    array([2., 1.])
    """

    def init(self, w0: Array) -> Memory:
        """Nothing: the server keeps no state."""
        return {}

    def step(
        self, state: Memory, k: int, message: Message, answers: Answers, active: NDArray[np.int64], p: Array
    ) -> tuple[Memory, Array, Message]:
        """Average; the mean is both the estimate and the next message."""
        mean = answers.combine(p)
        return state, mean, Message(mean)
