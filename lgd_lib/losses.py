"""Losses of a linear model on one node: value, gradient and smoothness of the mean over its samples."""

from __future__ import annotations

import math
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from lgd_lib.margins import signed_rows
from lgd_lib.problems import Node

Array = NDArray[np.float64]


class Loss(Protocol):
    """A node's mean loss f_i(w) with its gradient and smoothness."""

    def value(self, node: Node, w: Array) -> float:
        """f_i(w)."""

    def gradient(self, node: Node, w: Array) -> Array:
        """grad f_i(w), shape (d,)."""

    def smoothness(self, node: Node) -> float:
        """The smallest Lipschitz constant of grad f_i."""


class SquaredLoss:
    """f_i(w) = ||X_i w - y_i||^2 / (2 N_i).

    Notes
    -----
    Source: standard. Cost: two products with X_i for a gradient; a singular value for the smoothness.

    Examples
    --------
    >>> node = Node([[3.0, 4.0]], [5.0])
    >>> SquaredLoss().value(node, np.zeros(2)), SquaredLoss().gradient(node, np.zeros(2))
    (12.5, array([-15., -20.]))
    """

    def value(self, node: Node, w: Array) -> float:
        """||X_i w - y_i||^2 / (2 N_i)."""
        residual = node.X @ w - node.y
        return float(residual @ residual) / (2 * node.N)

    def gradient(self, node: Node, w: Array) -> Array:
        """X_i^T (X_i w - y_i) / N_i."""
        return (node.X @ w - node.y) @ node.X / node.N

    def smoothness(self, node: Node) -> float:
        """sigma_max(X_i)^2 / N_i."""
        return float(np.linalg.norm(node.X, 2)) ** 2 / node.N


squared = SquaredLoss()


class ExponentialLoss:
    """f_i(w) = mean of exp(-m_j) over the node's margins m_j = y_j x_j^T w.

    It has no smoothness constant: its curvature grows with the loss itself. Where f_i(w) <= f, the gradient
    changes by at most max ||x_j||^2 N_i f a unit of length.

    Notes
    -----
    Source: standard. Everything is made from logarithms, so that a number is wrong only where it cannot be
    represented: below 1e-308 it is zero, above 1e308 infinite. Cost: two products with X_i for a gradient.

    Examples
    --------
    >>> node = Node([[2.0, 0.0]], [1.0])
    >>> exponential.log_value(node, np.array([5e5, 0.0])), exponential.value(node, np.zeros(2))
    (-1000000.0, 1.0)
    """

    def log_loss(self, margins: Array) -> Array:
        """ln loss(m) = -m."""
        return -margins

    def log_slope(self, margins: Array) -> Array:
        """ln(-loss'(m)) = -m."""
        return -margins

    def log_value(self, node: Node, w: Array) -> float:
        """ln f_i(w)."""
        return _log_mean(self.log_loss(signed_rows(node) @ w))

    def value(self, node: Node, w: Array) -> float:
        """f_i(w); infinite where it exceeds the largest floating-point number."""
        with np.errstate(over="ignore"):
            return float(np.exp(-(signed_rows(node) @ w)).mean())

    def gradient(self, node: Node, w: Array) -> Array:
        """-mean of exp(-m_j) y_j x_j."""
        return _gradient(node, self.log_slope(signed_rows(node) @ w))

    def smoothness(self, node: Node) -> float:
        """Infinite, unless all samples are zero."""
        return math.inf if node.X.any() else 0.0


class LogisticLoss:
    """f_i(w) = mean of ln(1 + exp(-m_j)) over the node's margins m_j = y_j x_j^T w.

    Notes
    -----
    Source: standard. As `ExponentialLoss`. Cost: two products with X_i for a gradient; a singular value for
    the smoothness.

    Examples
    --------
    >>> node = Node([[2.0, 0.0]], [1.0])
    >>> logistic.value(node, np.array([-5e5, 0.0])), logistic.log_value(node, np.array([5e5, 0.0]))
    (1000000.0, -1000000.0)
    """

    def log_loss(self, margins: Array) -> Array:
        """ln ln(1 + exp(-m)), which is -m for large m."""
        small = margins > 36  # ln(1 + x) = x to rounding
        return np.where(small, -margins, np.log(np.logaddexp(0.0, -np.where(small, 0.0, margins))))

    def log_slope(self, margins: Array) -> Array:
        """ln(-loss'(m)) = -ln(1 + exp(m))."""
        return -np.logaddexp(0.0, margins)

    def log_value(self, node: Node, w: Array) -> float:
        """ln f_i(w)."""
        return _log_mean(self.log_loss(signed_rows(node) @ w))

    def value(self, node: Node, w: Array) -> float:
        """f_i(w)."""
        return float(np.logaddexp(0.0, -(signed_rows(node) @ w)).mean())

    def gradient(self, node: Node, w: Array) -> Array:
        """-mean of y_j x_j / (1 + exp(m_j))."""
        return _gradient(node, self.log_slope(signed_rows(node) @ w))

    def smoothness(self, node: Node) -> float:
        """sigma_max(X_i)^2 / (4 N_i), attained at w = 0."""
        return float(np.linalg.norm(node.X, 2)) ** 2 / (4 * node.N)


class SoftmaxLoss:
    """f_i(W) = mean of ln sum_c exp((w_c - w_y)^T x) over the node's samples (x, y): the mean cross entropy.

    W is given as the vector of its rows; the number C of classes is read off its length C d.

    Notes
    -----
    Source: standard. With two classes it is the logistic loss of w_1 - w_0. Everything is made from
    differences of scores, so that small losses and slopes keep their digits. Cost: two products of X_i with a
    (d, C) matrix for a gradient; a singular value for the smoothness.

    Examples
    --------
    >>> node = Node([[2.0, 0.0]], [1.0])
    >>> f"{softmax.log_value(node, np.array([0.0, 0.0, 500.0, 0.0])):.12g}"
    '-1000'
    """

    def log_value(self, node: Node, w: Array) -> float:
        """ln f_i(W)."""
        return _log_mean(logistic.log_loss(-_log_others(_scores(node, w), node.y)[1]))

    def value(self, node: Node, w: Array) -> float:
        """f_i(W)."""
        return float(np.logaddexp(0.0, _log_others(_scores(node, w), node.y)[1]).mean())

    def gradient(self, node: Node, w: Array) -> Array:
        """mean of (q - e_y) x^T, q the model's probabilities, as the vector of its rows, shape (C d,)."""
        differences, others = _log_others(_scores(node, w), node.y)
        log_all = np.logaddexp(0.0, others)
        slopes = np.exp(differences - log_all[:, None])
        slopes[np.arange(node.N), node.y.astype(int)] = -np.exp(others - log_all)
        return (slopes.T @ node.X / node.N).ravel()

    def smoothness(self, node: Node) -> float:
        """sigma_max(X_i)^2 / (2 N_i): attained at W = 0 with two classes, not exceeded with more."""
        return float(np.linalg.norm(node.X, 2)) ** 2 / (2 * node.N)


def _scores(node: Node, w: Array) -> Array:
    return node.X @ w.reshape(-1, node.d).T


def _log_others(scores: Array, y: Array) -> tuple[Array, Array]:
    """(w_c - w_y)^T x, minus infinity at c = y, and ln of the sum of their exponentials."""
    own = (np.arange(len(y)), y.astype(int))
    differences = scores - scores[own][:, None]
    differences[own] = -np.inf
    largest = differences.max(axis=1)
    return differences, largest + np.log(np.exp(differences - largest[:, None]).sum(axis=1))


def _log_mean(logs: Array) -> float:
    largest = float(logs.max())
    return largest + math.log(float(np.exp(logs - largest).mean()))


def _exp(x: float) -> float:
    return math.exp(x) if x < 709.7 else math.inf


def _gradient(node: Node, log_slopes: Array) -> Array:
    largest = float(log_slopes.max())
    shape = np.exp(log_slopes - largest) @ signed_rows(node) / node.N
    scale = _exp(largest)
    return np.where(shape == 0, 0.0, -scale * np.where(shape == 0, 1.0, shape))


exponential = ExponentialLoss()
logistic = LogisticLoss()
softmax = SoftmaxLoss()
