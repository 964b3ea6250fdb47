"""Steps that a client takes from a gradient: SGD with momentum, and AdamW, on flat vectors."""

from __future__ import annotations

import math
from dataclasses import dataclass
from numbers import Real
from typing import Protocol

import torch
from torch import Tensor

Buffers = dict[str, Tensor]
"""What an optimiser keeps between its steps; the last axis is that of the parameters, or of length 1."""


class Optimiser(Protocol):
    """A rule that turns gradients into steps."""

    def start(self, v: Tensor) -> Buffers:
        """The buffers before the first step, for parameters v of shape (..., d)."""

    def step(self, v: Tensor, g: Tensor, buffers: Buffers) -> None:
        """Change v and the buffers in place, given the gradient g of the shape of v."""


@dataclass(frozen=True)
class SGD:
    """Gradient steps with momentum.

    g <- g + weight_decay v;  b <- momentum b + g;  v <- v - lr b,
    with Nesterov's form v - lr (g + momentum b).

    Parameters
    ----------
    lr : float
        Step size.
    momentum : float
        In [0, 1); with 0 there is no buffer.
    nesterov : bool
    weight_decay : float

    Raises
    ------
    TypeError, ValueError
        If a value is no number, lr is not positive and finite, momentum is outside [0, 1), Nesterov's form
        has none, or weight_decay is negative.

    Notes
    -----
    The same steps as `torch.optim.SGD`, on all parameters at once. Client memory: one vector with momentum.

    Examples
    --------
    >>> v = torch.ones(2)
    >>> SGD(lr=0.5).step(v, torch.ones(2), {})
    >>> v
    tensor([0.5000, 0.5000])
    """

    lr: float
    momentum: float = 0.0
    nesterov: bool = False
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        _check_positive("lr", self.lr)
        _check_share("momentum", self.momentum)
        _check_decay(self.weight_decay)
        if self.nesterov and not self.momentum:
            raise ValueError("momentum was 0; with nesterov it must be positive")

    def start(self, v: Tensor) -> Buffers:
        """b = 0, where there is momentum."""
        return {"momentum": torch.zeros_like(v)} if self.momentum else {}

    def step(self, v: Tensor, g: Tensor, buffers: Buffers) -> None:
        """Change v and b in place."""
        if self.weight_decay:
            g = g + self.weight_decay * v
        if self.momentum:
            b = buffers["momentum"].mul_(self.momentum).add_(g)
            g = g + self.momentum * b if self.nesterov else b
        v.sub_(g, alpha=self.lr)


@dataclass(frozen=True)
class AdamW:
    """Adam with decoupled weight decay.

    m <- b1 m + (1 - b1) g;  s <- b2 s + (1 - b2) g^2;
    v <- (1 - lr weight_decay) v - lr (m / (1 - b1^t)) / (sqrt(s / (1 - b2^t)) + eps) in step t = 1, 2, ...

    Parameters
    ----------
    lr : float
        Step size.
    betas : (float, float)
        b1 and b2, in [0, 1).
    eps : float
    weight_decay : float

    Raises
    ------
    TypeError, ValueError
        If a value is no number, lr or eps is not positive and finite, betas are not two numbers in [0, 1), or
        weight_decay is negative.

    Notes
    -----
    The same steps as `torch.optim.AdamW`, on all parameters at once. Client memory: two vectors.

    Examples
    --------
    >>> v = torch.zeros(2)
    >>> AdamW(lr=0.1).step(v, torch.tensor([1.0, -4.0]), AdamW(lr=0.1).start(v))
    >>> v
    tensor([-0.1000,  0.1000])
    """

    lr: float
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8
    weight_decay: float = 0.01

    def __post_init__(self) -> None:
        _check_positive("lr", self.lr)
        _check_positive("eps", self.eps)
        if not isinstance(self.betas, (tuple, list)) or len(self.betas) != 2:
            raise ValueError(f"betas was {self.betas!r}; it must be two numbers, b1 and b2")
        for beta in self.betas:
            _check_share("betas", beta)
        _check_decay(self.weight_decay)

    def start(self, v: Tensor) -> Buffers:
        """m = s = 0 and no step done."""
        return {"first": torch.zeros_like(v), "second": torch.zeros_like(v), "steps": 0 * v[..., :1]}

    def step(self, v: Tensor, g: Tensor, buffers: Buffers) -> None:
        """Change v and the buffers in place."""
        b1, b2 = self.betas
        t = buffers["steps"].add_(1)
        m = buffers["first"].mul_(b1).add_(g, alpha=1 - b1)
        s = buffers["second"].mul_(b2).addcmul_(g, g, value=1 - b2)
        v.mul_(1 - self.lr * self.weight_decay)
        scale = (s / (1 - b2**t)).sqrt_().add_(self.eps)
        v.sub_(m / (1 - b1**t) / scale, alpha=self.lr)


def _check_number(name: str, value: object) -> None:
    if not isinstance(value, Real):
        raise TypeError(f"{name} was {value!r}; it must be a number")


def _check_positive(name: str, value: float) -> None:
    _check_number(name, value)
    if not 0 < value < math.inf:
        raise ValueError(f"{name} was {value!r}; it must be positive and finite")


def _check_share(name: str, value: float) -> None:
    _check_number(name, value)
    if not 0 <= value < 1:
        raise ValueError(f"{name} was {value!r}; it must be at least 0 and below 1")


def _check_decay(value: float) -> None:
    _check_number("weight_decay", value)
    if not 0 <= value < math.inf:
        raise ValueError(f"weight_decay was {value!r}; it must be at least 0 and finite")
