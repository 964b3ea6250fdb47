"""Local steps with a few of the node's samples each: Local-SGD."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from lgd_lib.descent.batches import batches
from lgd_lib.descent.gram_steps import Walkers, gram_steps
from lgd_lib.descent.margin_descent import SLOPES
from lgd_lib.descent.margin_steps import labelled_rows
from lgd_lib.descent.softmax_descent import drawn_softmax
from lgd_lib.descent.softmax_steps import softmax_steps
from lgd_lib.problems import Problem
from lgd_lib.projections import one_target
from lgd_lib.protocol import Prepared
from lgd_lib.validation import Array, as_list, is_count, per_node


@dataclass(frozen=True)
class SGDSteps:
    """L steps of stochastic gradient descent on the node's own mean loss, from the global model.

    v <- w; L times: v <- v - eta (mean of grad loss_j(v) over a batch of samples j); the answer is v.

    Parameters
    ----------
    eta : float or sequence of M floats
    L : int, or a sequence of M of them
        Local steps.
    batch_size : int
        Samples of a step.
    replace : bool
        With replacement each batch is drawn afresh from all samples. Without, a node goes through a fresh
        permutation of its samples, ceil(N_i / batch_size) steps an epoch, of which the last may hold fewer
        samples; every round begins a new epoch.
    loss : {"squared", "exponential", "logistic", "softmax"}

    Raises
    ------
    TypeError, ValueError
        If L or batch_size is not a whole number of at least 1, eta is not positive, replace is not a bool or
        the loss is unknown; from `prepare`, if without replacement a batch is larger than a node's data, or a
        margin loss meets a problem without labels; from a round, if a node overflows.

    Notes
    -----
    Source: standard (Local-SGD); version 2 of the paper names it, its sampling is not known to us. Each node
    draws from its own stream of the round. A batch of all samples is gradient descent. Cost of a round: two
    products with an (N, d) matrix, and sum_i L_i batch_size N_i operations.

    Examples
    --------
    >>> SGDSteps(eta=0.1, L=10, batch_size=5)
    SGDSteps(eta=0.1, L=10, batch_size=5, replace=False, loss='squared')
    """

    eta: float | Sequence[float]
    L: int | Sequence[int]
    batch_size: int
    replace: bool = False
    loss: str = "squared"

    def __post_init__(self) -> None:
        if not all(is_count(L) for L in as_list("L", self.L)):
            raise ValueError(f"L was {self.L}; it must be a whole number of at least 1")
        if not all(type(eta) in (int, float) and 0 < eta < math.inf for eta in as_list("eta", self.eta)):
            raise ValueError(f"eta was {self.eta}; a step size must be positive and finite")
        if not is_count(self.batch_size):
            raise ValueError(f"batch_size was {self.batch_size!r}; it must be a whole number of at least 1")
        if not isinstance(self.replace, bool):
            raise TypeError(f"replace was {self.replace!r}; it must be True or False")
        known = (*SLOPES, "softmax")
        if self.loss not in known:
            raise ValueError(f"loss was {self.loss!r}; it must be one of {', '.join(map(repr, known))}")

    def prepare(self, problem: Problem) -> Prepared:
        """Form every node's Gram matrix."""
        eta, L = per_node("eta", self.eta, problem.M), per_node("L", self.L, problem.M)
        few = int(np.argmin(problem.sizes))
        if not self.replace and self.batch_size > problem.sizes[few]:
            raise ValueError(
                f"batch_size was {self.batch_size}; without replacement it must be at most the "
                f"{problem.sizes[few]} samples of node {few}"
            )
        if self.loss == "softmax":
            return softmax_steps(problem, eta, L, partial(drawn_softmax, int(self.batch_size), self.replace))
        squared = self.loss == "squared"
        rows = (
            [node.X for node in one_target(problem).nodes] if squared else labelled_rows(problem, self.loss)
        )
        walk = partial(drawn_batches, self.loss, int(self.batch_size), self.replace)
        return replace(gram_steps(problem, rows, eta, L, walk, self.loss), draws=True)


def drawn_batches(loss: str, batch_size: int, replace: bool, walkers: Walkers) -> tuple[Array, Array]:
    """Return the coefficients and the margins after stochastic gradient steps.

    a = 0; in each step, for j in the batch B: a_j <- a_j + (eta / size of B) p(m_0j + G_j a), p = -loss'.

    Parameters
    ----------
    loss : {"squared", "exponential", "logistic"}
    batch_size : int
    replace : bool
    walkers : Walkers

    Returns
    -------
    a, margins : ndarray, shape (m, n)

    Notes
    -----
    Cost: batch_size n operations a step and node, all nodes together.

    Examples
    --------
    >>> streams = [np.random.default_rng(0)]
    >>> walkers = Walkers(np.eye(2)[None], np.zeros((1, 2)), np.ones(1), 1, 0, streams)
    >>> drawn_batches("logistic", 2, False, walkers)[0]
    array([[0.25, 0.25]])
    """
    slope, (m, n) = SLOPES[loss], walkers.m0.shape
    a, start, row = np.zeros((m, n)), n * np.arange(m)[:, None], walkers.gram.reshape(m * n, n)
    flat, column, m0, p = a.reshape(-1), a[..., None], walkers.m0.reshape(-1), np.empty((m, batch_size))
    drawn = [batches(stream, n, batch_size, walkers.L, replace) for stream in walkers.streams]
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        for block in zip(*drawn, strict=True):
            B = np.stack(block, axis=1)  # (steps, m, batch_size)
            size = (B >= 0) * (walkers.eta[:, None] / (B >= 0).sum(axis=2, keepdims=True))
            for own, h in zip(np.where(B < 0, 0, B) + start, size, strict=True):
                slope(m0[own] + np.matmul(row[own], column)[..., 0], p, h)
                np.add.at(flat, own.reshape(-1), p.reshape(-1))
        return a, walkers.m0 + np.matmul(walkers.gram, column)[..., 0]
