"""Data that nothing separates: the minimiser of the mean loss, Local-GD's bias from it, and SGD's noise."""

from __future__ import annotations

from typing import cast

import numpy as np
from scipy.linalg import solve_continuous_lyapunov

from lgd_lib.local_solvers import GradientSteps
from lgd_lib.losses import ExponentialLoss, LogisticLoss, exponential, logistic
from lgd_lib.margins import require_classification, signed_rows
from lgd_lib.problems import Problem
from lgd_lib.validation import Array, is_count

LOSSES: dict[str, ExponentialLoss | LogisticLoss] = {"exponential": exponential, "logistic": logistic}
STEPS = 200
SOLVED = 1e-13
SINGULAR = 1e-10


def mean_loss_minimum(problem: Problem, loss: str = "logistic") -> Array:
    """Return w_f, the one minimiser of f = (1/M) sum_i f_i, for data that nothing separates.

    Newton's method with step halving. There is exactly one minimiser if and only if every w other than 0
    has a sample with z_j^T w < 0. (V7-bias)

    Parameters
    ----------
    problem : Problem
        For classification.
    loss : {"logistic", "exponential"}

    Returns
    -------
    ndarray, shape (d,)
        With a gradient of at most 1e-13 of the mean length of the samples.

    Raises
    ------
    ValueError
        If the data are separable or nearly so, if they do not span all d directions, if the task is not
        "classification" or the loss is unknown.

    Notes
    -----
    Source: standard. Cost: O(N d^2) a Newton step, some ten of them.

    Examples
    --------
    >>> from lgd_lib.problems import Node
    >>> problem = Problem([Node([[1.0], [1.0]], [1.0, -1.0]), Node([[1.0]], [1.0])], "classification")
    >>> f"{mean_loss_minimum(problem)[0]:.6f}"  # ln 3: three quarters of the weight are positive
    '1.098612'
    """
    Z, share = _weighted_rows(problem, loss)
    w, size = np.zeros(problem.d), float(share @ np.linalg.norm(Z, axis=1))
    for _ in range(STEPS):
        slope, curvature = _derivatives(loss, Z @ w)
        gradient = -(share * slope) @ Z
        values, vectors = np.linalg.eigh((Z.T * (share * curvature)) @ Z)
        if (Z @ w > 0).all() or values[0] <= SINGULAR * values[-1]:
            break
        if float(np.linalg.norm(gradient)) <= SOLVED * size:
            return w
        step = vectors @ ((vectors.T @ gradient) / values)
        w = _damped(loss, Z, share, w, step, float(gradient @ step))
    raise ValueError(
        "problem has no unique minimiser of the mean loss that Newton's method can find: the data are "
        "separable or nearly so, or do not span all directions; without a minimiser there is no bias"
    )


def classification_bias(problem: Problem, L: int, eta: float, loss: str = "logistic") -> tuple[Array, Array]:
    """Return w_f and the leading term of Local-GD's bias w_inf - w_f, for data that nothing separates.

    (eta (L - 1) / 2) H_bar^-1 mean_i(H_i grad f_i(w_f)), H_i the Hessian of f_i at w_f; the rest is
    O((eta L)^2). (V7-bias)

    Parameters
    ----------
    problem : Problem
        For classification.
    L : int
        Local steps, the same at all nodes.
    eta : float
        Step size, the same at all nodes.
    loss : {"logistic", "exponential"}

    Returns
    -------
    w_f : ndarray, shape (d,)
    bias : ndarray, shape (d,)

    Raises
    ------
    ValueError
        As `mean_loss_minimum`, and if L or eta does not fit.

    Notes
    -----
    Source: ours; the form that `regression_bias` has for squared losses. Cost: as `mean_loss_minimum`.

    Examples
    --------
    >>> from lgd_lib.problems import Node
    >>> problem = Problem([Node([[1.0], [1.0]], [1.0, -1.0]), Node([[1.0]], [1.0])], "classification")
    >>> [v.shape for v in classification_bias(problem, 3, 0.1)]
    [(1,), (1,)]
    """
    if not is_count(L):
        raise ValueError(f"L was {L!r}; it must be one whole number of at least 1 for all nodes")
    GradientSteps(eta, L, loss).prepare(problem)
    w_f = mean_loss_minimum(problem, loss)
    gradients, hessians = _at(problem, w_f, loss)
    pull = np.mean([H @ g for H, g in zip(hessians, gradients, strict=True)], axis=0)
    return w_f, eta * (L - 1) / 2 * np.linalg.solve(np.mean(hessians, axis=0), pull)


def noise_floor(problem: Problem, eta: float, batch_size: int, loss: str = "logistic") -> Array:
    """Return the leading term of the covariance at which Local-SGD hovers, batches drawn with replacement.

    S with H_bar S + S H_bar = (eta / M) mean_i(C_i), C_i the covariance of a batch's gradient at w_f,
    1 / batch_size times that of one sample. It does not depend on L. (V7-noise)

    Parameters
    ----------
    problem : Problem
        For classification.
    eta : float
    batch_size : int
    loss : {"logistic", "exponential"}

    Returns
    -------
    ndarray, shape (d, d)
        The expected square of the distance from the mean is its trace.

    Raises
    ------
    ValueError
        As `mean_loss_minimum`, and if eta or batch_size does not fit.

    Notes
    -----
    Source: standard for one node at small step sizes; with local steps ours, conjecture. Without replacement
    the noise of an epoch cancels to first order and the floor is lower. Cost: as `mean_loss_minimum`.

    Examples
    --------
    >>> from lgd_lib.problems import Node
    >>> problem = Problem([Node([[1.0], [1.0]], [1.0, -1.0])], "classification")
    >>> noise_floor(problem, 0.1, 1)
    array([[0.05]])
    """
    if not is_count(batch_size):
        raise ValueError(f"batch_size was {batch_size!r}; it must be a whole number of at least 1")
    GradientSteps(eta, 1, loss).prepare(problem)
    w_f = mean_loss_minimum(problem, loss)
    covariances = []
    for node in problem.nodes:
        Z = signed_rows(node)
        own = -_derivatives(loss, Z @ w_f)[0][:, None] * Z
        covariances.append(np.cov(own.T, bias=True).reshape(problem.d, problem.d) / batch_size)
    H_bar = np.mean(_at(problem, w_f, loss)[1], axis=0)
    S = solve_continuous_lyapunov(H_bar, eta / problem.M * np.mean(covariances, axis=0))
    return cast(Array, S)


def _weighted_rows(problem: Problem, loss: str) -> tuple[Array, Array]:
    """All rows z_j, and the weight 1 / (M N_i) of each in f."""
    if loss not in LOSSES:
        raise ValueError(f"loss was {loss!r}; it must be one of {', '.join(map(repr, LOSSES))}")
    require_classification(problem)
    sizes = np.array(problem.sizes)
    return signed_rows(problem.pooled), np.repeat(1 / (problem.M * sizes), sizes)


def _derivatives(loss: str, m: Array) -> tuple[Array, Array]:
    """-loss'(m) and loss''(m)."""
    p = np.exp(LOSSES[loss].log_slope(m))
    return p, p if loss == "exponential" else p * (1 - p)


def _at(problem: Problem, w: Array, loss: str) -> tuple[list[Array], list[Array]]:
    """grad f_i(w) and the Hessian of f_i at w, of every node."""
    gradients, hessians = [], []
    for node in problem.nodes:
        Z = signed_rows(node)
        slope, curvature = _derivatives(loss, Z @ w)
        gradients.append(-slope @ Z / node.N)
        hessians.append((Z.T * curvature) @ Z / node.N)
    return gradients, hessians


def _damped(loss: str, Z: Array, share: Array, w: Array, step: Array, decrease: float) -> Array:
    """w - t step, with t halved until the mean loss falls enough."""

    def value(v: Array) -> float:
        return float(share @ np.exp(LOSSES[loss].log_loss(Z @ v)))

    before, t = value(w), 1.0
    while value(w - t * step) > before - 1e-4 * t * decrease and t > 1e-10 and decrease > 1e-12 * before:
        t /= 2
    return w - t * step
