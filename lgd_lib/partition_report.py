"""What each node got, and how much the nodes differ."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit

from lgd_lib.losses import softmax
from lgd_lib.problems import Node, Problem
from lgd_lib.projections import factor
from lgd_lib.validation import Array, as_point


@dataclass(frozen=True, eq=False)
class PartitionReport:
    """What each node got, and how much the nodes differ; `print` shows a summary.

    Parameters
    ----------
    task : {"regression", "classification", "multiclass"}
    d : int
        Number of features.
    sizes : ndarray of int, shape (M,)
        Samples of each node.
    label_distance : ndarray, shape (M,)
        Between 0 and 1, from the node's targets to those of all nodes together. For labels and classes the
        total variation distance, half the sum of the differences of their shares; for numbers Kolmogorov's,
        the largest difference of the distribution functions.
    smallest_angle, mean_angle : ndarray, shape (M, M)
        Smallest and mean principal angle between the row spaces of two nodes, in degrees; 0 on the diagonal.
    gradient_diversity : float
        Between 1/M (all nodes' gradients agree) and infinity (they cancel to rounding); NaN if all vanish.

    Notes
    -----
    Cost: none.

    Examples
    --------
    >>> node = Node([[1.0, 0.0]], [1.0])
    >>> report(Problem([node, node], "regression")).sizes
    array([1, 1])
    """

    task: str
    d: int
    sizes: NDArray[np.int64]
    label_distance: Array
    smallest_angle: Array
    mean_angle: Array
    gradient_diversity: float

    def __str__(self) -> str:
        """A summary of at most six lines."""
        M = self.sizes.size
        nodes = "1 node" if M == 1 else f"{M} nodes"
        lines = [
            f"{nodes}, {self.sizes.sum()} samples, {self.d} features, {self.task}",
            f"samples of a node: {_spread(self.sizes, '.0f')}",
            f"label distance to the whole: {_spread(self.label_distance, '.2f')}",
        ]
        if M > 1:
            pairs = np.triu_indices(M, 1)
            smallest, mean = (_spread(a[pairs], ".1f") for a in (self.smallest_angle, self.mean_angle))
            lines += [
                f"smallest angle between two row spaces, degrees: {smallest}",
                f"mean angle between two row spaces, degrees: {mean}",
                f"gradient diversity: {self.gradient_diversity:.3g} ({1 / M:.3g} if all gradients agree)",
            ]
        return "\n".join(lines)


def report(problem: Problem, w0: ArrayLike | None = None) -> PartitionReport:
    """Say what each node got and how much the nodes differ.

    Gradient diversity is sum_i ||grad f_i(w0)||^2 / ||sum_i grad f_i(w0)||^2, f_i the nodes' mean losses:
    squared for regression, logistic for classification, softmax for several classes.

    Parameters
    ----------
    problem : Problem
    w0 : array_like, shape (problem.size,), optional
        Where gradients are compared; zero by default.

    Returns
    -------
    PartitionReport

    Raises
    ------
    TypeError, ValueError
        If w0 is not a finite vector of length d.

    Notes
    -----
    Source: gradient diversity Yin et al. 2018 (there of single samples); the rest standard. Angles below
    about 1e-6 degrees are rounding. Cost: O(N^2 d), and the singular values of an N_i x N_j matrix for
    every pair of nodes.

    Examples
    --------
    >>> problem = Problem([Node([[1.0, 0.0]], [1.0]), Node([[0.0, 1.0]], [-1.0])], "classification")
    >>> print(report(problem))
    2 nodes, 2 samples, 2 features, classification
    samples of a node: 1 each
    label distance to the whole: 0.50 each
    smallest angle between two row spaces, degrees: 90.0 each
    mean angle between two row spaces, degrees: 90.0 each
    gradient diversity: 1 (0.5 if all gradients agree)
    """
    start = np.zeros(problem.size) if w0 is None else as_point("w0", w0, problem.size)
    smallest, mean = _angles([factor(node).Vt for node in problem.nodes])
    gradients = np.array([_gradient(node, start, problem.task) for node in problem.nodes])
    total, squares = gradients.sum(axis=0), float((gradients**2).sum())
    cancel = total @ total <= 1e-24 * squares  # nothing is left but rounding
    diversity = math.nan if squares == 0 else math.inf if cancel else squares / float(total @ total)
    far = _variation if problem.task == "multiclass" else _kolmogorov
    distance = np.array([far(node.y, problem.pooled.y) for node in problem.nodes])
    return PartitionReport(problem.task, problem.d, problem.sizes, distance, smallest, mean, diversity)


def _gradient(node: Node, w: Array, task: str) -> Array:
    if task == "multiclass":
        return softmax.gradient(node, w)
    scores = node.X @ w
    slopes = scores - node.y if task == "regression" else -node.y * expit(-node.y * scores)
    return slopes @ node.X / node.N


def _kolmogorov(some: Array, all_of_them: Array) -> float:
    at = np.unique(all_of_them)
    shares = [np.searchsorted(np.sort(y), at, side="right") / y.size for y in (some, all_of_them)]
    return float(np.abs(shares[0] - shares[1]).max())


def _variation(some: Array, all_of_them: Array) -> float:
    """Half the sum of the differences of class shares: classes have no order."""
    C = int(all_of_them.max()) + 1
    shares = [np.bincount(y.astype(int), minlength=C) / y.size for y in (some, all_of_them)]
    return float(np.abs(shares[0] - shares[1]).sum() / 2)


def _angles(bases: list[Array]) -> tuple[Array, Array]:
    """Principal angles of all pairs of row spaces, given orthonormal bases: cosines are singular values."""
    smallest, mean = np.zeros((2, len(bases), len(bases)))
    ends = np.cumsum([basis.shape[0] for basis in bases])
    everything = np.concatenate(bases)
    for i, basis in enumerate(bases):
        for j, block in enumerate(
            np.split(basis @ everything[ends[i] :].T, ends[i + 1 : -1] - ends[i], axis=1)
        ):
            if 0 in block.shape:
                continue
            cosines = np.linalg.svd(block, compute_uv=False)
            degrees = np.degrees(np.arccos(np.minimum(cosines, 1.0)))
            pair = ([i, i + 1 + j], [i + 1 + j, i])
            smallest[pair], mean[pair] = degrees.min(), degrees.mean()
    return smallest, mean


def _spread(values: NDArray[np.float64] | NDArray[np.int64], form: str) -> str:
    low, median, high = (f"{value:{form}}" for value in np.quantile(values, [0, 0.5, 1]))
    return f"{low} each" if low == high else f"{low} to {high}, median {median}"
