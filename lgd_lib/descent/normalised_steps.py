"""Gradient steps whose answers tell a valid half-space, so that the bundle needs no exact projections."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from lgd_lib.descent.gram_steps import GramSteps, Walkers, gram_steps
from lgd_lib.descent.margin_steps import labelled_rows
from lgd_lib.problems import Problem
from lgd_lib.validation import Array, as_list, is_count, per_node


def squared_rounds(k: int) -> float:
    """Return the temperature (k + 1)^2 of round k.

    Parameters
    ----------
    k : int
        Round; 0 for the first.

    Returns
    -------
    float

    Notes
    -----
    The slower it grows, the fewer digits the bundle has after k rounds; where moves shrink to
    1e-6 of the model, their directions are lost in rounding and `Bundle` leaves them out. Cost: none.

    Examples
    --------
    >>> squared_rounds(9)
    100.0
    """
    return float((k + 1) ** 2)


@dataclass(frozen=True)
class NormalisedSteps:
    """L steps of normalised gradient descent on the exponential loss, at a temperature that grows.

    With t the temperature of the round and f_i the node's mean exponential loss: v <- t w; L times:
    v <- v - eta grad f_i(v) / f_i(v); the answer is w_i = v / t. So w_i - w = Z_i^T a with a >= 0, and the
    node tells 1^T a too: {x : <w_i - w, x> >= 1^T a} holds all x that separate its data with margin 1.

    Parameters
    ----------
    eta : float or sequence of M floats
        Step size. Below 2 / max ||x_j||^2 the loss falls at every step; the half-space is valid for any.
    L : int, or a sequence of M of them
        Local steps.
    temperature : callable
        k to t > 0; `squared_rounds` by default. For large t a node follows its worst margins only.
    offset : bool
        Whether the answers carry "offset", 1^T a, one number more a message. `Bundle` needs it, and
        refuses answers without it: the half-space of a projection is not valid here.
    worst_margin : bool
        Whether they carry "worst_margin", as those of `ExactMargin`.

    Raises
    ------
    TypeError, ValueError
        If L is not a whole number of at least 1, eta is not positive or temperature is no function; from
        `prepare`, if the problem has no labels; from a round, if the temperature is not positive and finite.

    Notes
    -----
    Source: ours. A node that stops its descent early has not projected, and the half-space of a projection,
    {x : <w_i - w, x> >= <w_i - w, w_i>}, may cut off points that separate its data. Cost of a round: two
    products with an (N, d) matrix and sum L_i N_i^2 operations.

    Examples
    --------
    >>> NormalisedSteps(eta=0.1, L=10).offset
    True
    """

    eta: float | Sequence[float]
    L: int | Sequence[int]
    temperature: Callable[[int], float] = squared_rounds
    offset: bool = True
    worst_margin: bool = False

    def __post_init__(self) -> None:
        if not all(is_count(L) for L in as_list("L", self.L)):
            raise ValueError(f"L was {self.L}; it must be a whole number of at least 1")
        if not all(type(eta) in (int, float) and 0 < eta < math.inf for eta in as_list("eta", self.eta)):
            raise ValueError(f"eta was {self.eta}; a step size must be positive and finite")
        if not callable(self.temperature):
            raise TypeError(f"temperature was {self.temperature!r}; it must be a function of the round k")

    def prepare(self, problem: Problem) -> GramSteps:
        """Form every node's Gram matrix."""
        eta, L = per_node("eta", self.eta, problem.M), per_node("L", self.L, problem.M)
        rows = labelled_rows(problem, "exponential")
        walk = partial(normalised_batches, self.temperature)
        named = {"offset": self.offset, "worst_margin": self.worst_margin}
        told = tuple(name for name, asked in named.items() if asked)
        return replace(gram_steps(problem, rows, eta, L, walk, "normalised exponential"), told=told)


def normalised_batches(temperature: Callable[[int], float], walkers: Walkers) -> tuple[Array, Array]:
    """Return the coefficients and the margins after normalised gradient steps.

    b = 0; L times: b <- b + eta softmax(-(t m_0 + G b)); a = b / t.

    Parameters
    ----------
    temperature : callable
        k to t.
    walkers : Walkers

    Returns
    -------
    a, margins : ndarray, shape (m, n)

    Raises
    ------
    ValueError
        If t is not positive and finite.

    Notes
    -----
    Cost: m n^2 operations a step.

    Examples
    --------
    >>> walkers = Walkers(np.eye(2)[None], np.array([[0.0, 50.0]]), np.ones(1), 1, 0, [])
    >>> normalised_batches(squared_rounds, walkers)[0].round(6)
    array([[1., 0.]])
    """
    t = temperature(walkers.k)
    if not 0 < t < math.inf:
        raise ValueError(f"temperature was {t!r} in round {walkers.k}; it must be positive and finite")
    b, start, eta = np.zeros_like(walkers.m0), t * walkers.m0, walkers.eta[:, None]
    with np.errstate(under="ignore"):
        m = start
        for _ in range(walkers.L):
            p = np.exp(m.min(axis=1, keepdims=True) - m)
            b += eta / p.sum(axis=1, keepdims=True) * p
            m = start + np.matmul(walkers.gram, b[..., None])[..., 0]
    return b / t, m / t
