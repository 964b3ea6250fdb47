"""Losses of a linear model on one node: value, gradient and smoothness of the mean over its samples."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

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
