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


@dataclass(frozen=True)
class ServerStep:
    """A step of length beta towards the mean: w^{k+1} = w^k + beta (mean - w^k). (R6-server-step)

    Parameters
    ----------
    beta : float
        beta = 1 is `Average`. For regression it converges for 0 < beta < 2 / l_max, l_max the largest
        eigenvalue of the averaged projector; `theory.best_server_step` gives the best.

    Raises
    ------
    ValueError
        If beta is not positive and finite.

    Notes
    -----
    Source: standard (Richardson); the application is ours. Cost: as `Average`.

    Examples
    --------
    >>> ServerStep(1.5)
    ServerStep(beta=1.5)
    """

    beta: float

    def __post_init__(self) -> None:
        _check_positive("beta", self.beta)

    def init(self, w0: Array) -> Memory:
        """Nothing: the server keeps no state."""
        return {}

    def step(
        self, state: Memory, k: int, message: Message, answers: Answers, active: NDArray[np.int64], p: Array
    ) -> tuple[Memory, Array, Message]:
        """Step; the new point is both the estimate and the next message."""
        w = message.point + self.beta * (answers.combine(p) - message.point)
        return state, w, Message(w)


@dataclass(frozen=True)
class HeavyBall:
    """A server step with Polyak's momentum. (R6-heavy-ball)

    w^{k+1} = w^k + beta (mean - w^k) + momentum (w^k - w^{k-1}).

    Parameters
    ----------
    beta : float
        Server step.
    momentum : float
        In [0, 1). `theory.best_heavy_ball` gives the best pair for a known spectrum.

    Raises
    ------
    ValueError
        If beta is not positive and finite, or momentum is outside [0, 1).

    Notes
    -----
    Source: standard (Polyak); the application is ours. Server memory: one vector. Cost: as `Average`.

    Examples
    --------
    >>> HeavyBall(1.0, 0.25)
    HeavyBall(beta=1.0, momentum=0.25)
    """

    beta: float
    momentum: float

    def __post_init__(self) -> None:
        _check_positive("beta", self.beta)
        _check_momentum(self.momentum)

    def init(self, w0: Array) -> Memory:
        """The previous point: w^{-1} = w^0."""
        return {"previous": w0}

    def step(
        self, state: Memory, k: int, message: Message, answers: Answers, active: NDArray[np.int64], p: Array
    ) -> tuple[Memory, Array, Message]:
        """Step; the new point is both the estimate and the next message."""
        w = message.point
        following = w + self.beta * (answers.combine(p) - w) + self.momentum * (w - state["previous"])
        return {"previous": w}, following, Message(following)


@dataclass(frozen=True)
class OuterNesterov:
    """Nesterov's momentum on the outer gradient w^k - mean, as DiLoCo's server. (R6-nesterov)

    g = w^k - mean;  b <- momentum b + g;  w^{k+1} = w^k - lr (g + momentum b).

    Parameters
    ----------
    lr : float
        Outer learning rate; 1 with no momentum is `Average`.
    momentum : float
        In [0, 1). `theory.best_nesterov` gives the best pair for a known spectrum.

    Raises
    ------
    ValueError
        If lr is not positive and finite, or momentum is outside [0, 1).

    Notes
    -----
    Source: standard (Nesterov; the outer step of DiLoCo, Douillard et al. 2023, whose inner optimiser is
    AdamW). Server memory: one vector. Cost: as `Average`.

    Examples
    --------
    >>> OuterNesterov(0.7, 0.9)
    OuterNesterov(lr=0.7, momentum=0.9)
    """

    lr: float
    momentum: float

    def __post_init__(self) -> None:
        _check_positive("lr", self.lr)
        _check_momentum(self.momentum)

    def init(self, w0: Array) -> Memory:
        """The momentum buffer b = 0."""
        return {"buffer": 0 * w0}

    def step(
        self, state: Memory, k: int, message: Message, answers: Answers, active: NDArray[np.int64], p: Array
    ) -> tuple[Memory, Array, Message]:
        """Step; the new point is both the estimate and the next message."""
        g = message.point - answers.combine(p)
        b = self.momentum * state["buffer"] + g
        w = message.point - self.lr * (g + self.momentum * b)
        return {"buffer": b}, w, Message(w)


def _check_positive(name: str, value: float) -> None:
    if not 0 < value < np.inf:
        raise ValueError(f"{name} was {value!r}; it must be positive and finite")


def _check_momentum(value: float) -> None:
    if not 0 <= value < 1:
        raise ValueError(f"momentum was {value!r}; it must be at least 0 and below 1")
