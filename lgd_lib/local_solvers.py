"""What a node does with the global model: gradient steps, or the exact answer they tend to."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from lgd_lib.descent.margin_steps import margin_steps
from lgd_lib.descent.softmax_steps import softmax_steps
from lgd_lib.problems import Problem
from lgd_lib.projections import Factors, factor, one_target, step_filter
from lgd_lib.protocol import Prepared
from lgd_lib.spectral_filter import SpectralFilter
from lgd_lib.validation import Array, as_list, is_count, per_node


@dataclass(frozen=True)
class GradientSteps:
    """L steps of gradient descent on the node's own mean loss, from the global model.

    v <- w; L times: v <- v - eta grad f_i(v); the answer is v.

    Parameters
    ----------
    eta : float or sequence of M floats
        Step size. For the squared loss 0 < eta < 2 N_i / sigma_max(X_i)^2 for every node i; for the logistic
        loss any eta > 0; for the exponential loss one that does not make it overflow, for which
        eta < 2 / (max ||x_j||^2 f_i(w)) is enough.
    L : int, math.inf, or a sequence of M of them
        Local steps; for the squared loss math.inf gives the limit, the projection on the node's solutions.
    loss : {"squared", "exponential", "logistic", "softmax"}
        "softmax" for a problem with the task "multiclass"; like the logistic loss it takes any eta > 0.

    Raises
    ------
    ValueError
        If L is not a whole number of at least 1 or infinity, eta is not positive, or the loss is unknown;
        from `prepare`, if eta is too large for a node: the message names the largest admissible step; if the
        exponential or logistic loss is asked for infinitely many steps, or of a problem without labels. From
        a round, if the exponential loss of a node overflows.

    Notes
    -----
    Source: the paper's local step (versions 1 and 2). Cost, squared loss: `prepare` takes one singular value
    decomposition a node; then a round costs two products with an (N, d) matrix whatever L is, because the L
    steps are applied as 1 - (1 - eta s^2 / N_i)^L to each singular direction. On `problem.row_space(w0)` the
    same costs O(N^2). Margin losses: as `GramSteps`, whose answers carry their
    `coefficients`; from 10,000 local steps on most of them are not taken one by one but integrated, to an
    estimated relative error of at most 1e-10 (`descend_long`).

    Examples
    --------
    >>> GradientSteps(eta=0.1, L=10)
    GradientSteps(eta=0.1, L=10, loss='squared')
    """

    eta: float | Sequence[float]
    L: float | Sequence[float]
    loss: str = "squared"

    def __post_init__(self) -> None:
        steps, sizes = as_list("L", self.L), as_list("eta", self.eta)
        if not all(is_count(L) or math.inf == L for L in steps):
            raise ValueError(f"L was {self.L}; it must be a whole number of at least 1, or math.inf")
        if not all(type(eta) in (int, float) and 0 < eta < math.inf for eta in sizes):
            raise ValueError(f"eta was {self.eta}; a step size must be positive and finite")
        if self.loss not in PREPARE:
            raise ValueError(f"loss was {self.loss!r}; it must be one of {', '.join(map(repr, PREPARE))}")

    def prepare(self, problem: Problem) -> Prepared:
        """Factor every node's rows and check the step size against them."""
        eta, L = per_node("eta", self.eta, problem.M), per_node("L", self.L, problem.M)
        return PREPARE[self.loss](problem, eta, L)


def squared_steps(problem: Problem, eta: Array, L: Array) -> SpectralFilter:
    """Return gradient steps on the squared loss, prepared for a problem.

    Parameters
    ----------
    problem : Problem
    eta, L : ndarray, shape (M,)
        Step size and local steps of each node.

    Returns
    -------
    SpectralFilter

    Raises
    ------
    ValueError
        If eta is too large for a node.

    Notes
    -----
    Source: standard. Cost: one singular value decomposition a node.

    Examples
    --------
    >>> from lgd_lib.problems import Node
    >>> problem = Problem([Node([[1.0, 0.0]], [4.0])], "regression")
    >>> squared_steps(problem, np.array([0.5]), np.array([1.0])).answer(0, np.zeros(2))
    array([2., 0.])
    """
    factors = [factor(node) for node in one_target(problem).nodes]
    limits = np.array([step_limit(f, node.N) for f, node in zip(factors, problem.nodes, strict=True)])
    if (eta >= limits).any():
        tiny = np.finfo(float).tiny
        i = int(np.argmax(np.log(eta) - np.log(np.maximum(limits, tiny))))  # the ratio may overflow
        raise ValueError(
            f"eta was {eta[i]:.12g}; node {i} diverges unless eta < 2 N_i / sigma_max(X_i)^2 = "
            f"{limits[i]:.12g} (the smallest such bound of all nodes is {limits.min():.12g})"
        )
    shares = [
        step_filter(f.s, node.N, eta[i], L[i])
        for i, (f, node) in enumerate(zip(factors, problem.nodes, strict=True))
    ]
    return _spectral_filter(problem, factors, shares, L)


PREPARE: dict[str, Callable[[Problem, Array, Array], Prepared]] = {
    "squared": squared_steps,
    "exponential": partial(margin_steps, loss="exponential"),
    "logistic": partial(margin_steps, loss="logistic"),
    "softmax": softmax_steps,
}
"""How `GradientSteps` prepares each loss: from the problem, eta and L of each node."""


@dataclass(frozen=True)
class ExactProjection:
    """The projection of the global model on the node's solutions, argmin f_i. (R1-projection)

    w_i = w + X_i^+ (y_i - X_i w), what gradient descent tends to as L grows.

    Notes
    -----
    Source: the paper's L = infinity (version 1). Where the node's equations contradict each other, argmin f_i
    is its least-squares set. Cost: as `GradientSteps`.

    Examples
    --------
    >>> ExactProjection()
    ExactProjection()
    """

    def prepare(self, problem: Problem) -> SpectralFilter:
        """Decompose every node's rows."""
        factors = [factor(node) for node in one_target(problem).nodes]
        return _spectral_filter(
            problem, factors, [np.ones_like(f.s) for f in factors], np.full(problem.M, math.inf)
        )


def step_limit(factors: Factors, N: int) -> float:
    """Return 2 N / sigma_max(X)^2: gradient descent on the node's squared loss converges below it.

    Parameters
    ----------
    factors : Factors
    N : int
        Samples of the node.

    Returns
    -------
    float
        Infinite when all rows are zero.

    Notes
    -----
    Source: standard. Cost: none.

    Examples
    --------
    >>> from lgd_lib.problems import Node
    >>> round(step_limit(factor(Node([[2.0, 0.0]], [1.0])), N=1), 12)
    0.5
    """
    return 2 * N / float(factors.s[0]) / float(factors.s[0]) if factors.s.size else math.inf


def _spectral_filter(
    problem: Problem, factors: Sequence[Factors], shares: Sequence[Array], L: Array
) -> SpectralFilter:
    targets = [
        phi * (f.U.T @ node.y) / f.s for phi, f, node in zip(shares, factors, problem.nodes, strict=True)
    ]
    return SpectralFilter(
        Vt=np.concatenate([f.Vt for f in factors]),
        phi=np.concatenate(list(shares)),
        target=np.concatenate(targets),
        ends=np.cumsum([0, *(f.s.size for f in factors)]),
        local_steps=L,
        vector_bytes=8 * problem.d_sent,
    )
