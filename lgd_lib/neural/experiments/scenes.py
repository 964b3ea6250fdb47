"""What the last-layer experiment compares: pictures spread over nodes, methods, and what is measured."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lgd_lib import partition
from lgd_lib.aggregation import Average
from lgd_lib.anchored import Anchored, Bundle
from lgd_lib.descent.sgd_steps import SGDSteps
from lgd_lib.local_solvers import GradientSteps
from lgd_lib.losses import softmax
from lgd_lib.margin_solvers import ExactMargin
from lgd_lib.multiclass import predict, worst_margin
from lgd_lib.neural.frozen import Frozen
from lgd_lib.problems import Node, Problem
from lgd_lib.runner import Round
from lgd_lib.validation import Array

SCENES = (
    ("fashion", "iid"),
    ("fashion", "Dirichlet 1"),
    ("fashion", "Dirichlet 0.3"),
    ("fashion", "Dirichlet 0.1"),
    ("fashion", "10 of 100"),
    ("emoji", "vendors"),
)
"""Which pictures are spread over the nodes in which way."""


@dataclass(frozen=True)
class Sizes:
    """How large the experiment is.

    Parameters
    ----------
    classes : mapping of str to tuple of int
        Set of pictures to the classes used.
    samples, tests : int
        Pictures of a class to train on and to test on.
    clients : int
        Nodes, where they are not the vendors.
    rounds, exact_rounds : int
        Rounds of methods with gradient steps, and of those that project exactly.
    steps : tuple of int
        Local steps L of Local-GD.
    batch_size : int
        Of Local-SGD, which takes 100 steps.
    kept : int
        Rounds that are kept of each run, evenly spread in the logarithm.

    Examples
    --------
    >>> SIZES["ci"].steps
    (1, 10, 100, 1000)
    """

    classes: Mapping[str, tuple[int, ...]]
    samples: int
    tests: int
    clients: int = 10
    rounds: int = 20
    exact_rounds: int = 40
    steps: tuple[int, ...] = (1, 10, 100, 1000)
    batch_size: int = 8
    kept: int = 40


SIZES = {
    "ci": Sizes({"fashion": (0, 2, 3, 6), "emoji": (2, 4, 5, 7)}, samples=80, tests=60),
    "full": Sizes(
        {"fashion": tuple(range(10)), "emoji": tuple(range(8))},
        samples=100,
        tests=50,
        clients=20,
        rounds=200,
        exact_rounds=50,
    ),
}
"""The sizes of the profiles: `ci` for a book that is built in minutes, `full` for the stored results."""


@dataclass(frozen=True, eq=False)
class Layer:
    """The features that one seed trains and tests on, in coordinates of the span of those it trains on.

    Parameters
    ----------
    X, X_test : ndarray, shapes (N, r) and (n, r)
        What of a held-out picture lies outside the span, no model here sees.
    y, y_test : ndarray of int
    groups : ndarray of int, shape (N,), or None
    d : int
        Features of the layer, its bias included.

    Examples
    --------
    >>> one = np.ones((1, 1))
    >>> Layer(one, one, np.zeros(1, int), np.zeros(1, int), None, 8).d
    8
    """

    X: Array
    X_test: Array
    y: NDArray[np.int64]
    y_test: NDArray[np.int64]
    groups: NDArray[np.int64] | None
    d: int

    @classmethod
    def of(cls, frozen: Frozen, seed: int) -> Layer:
        """Prepare the pictures of a seed: X^T = Q R, rows R^T, held-out rows times Q.

        Parameters
        ----------
        frozen : Frozen
        seed : int

        Returns
        -------
        Layer
        """
        X, y, X_test, y_test = frozen.prepared(seed)
        Q, R = np.linalg.qr(X.T)
        groups = None if frozen.groups is None else frozen.groups[frozen.splits[seed][0]]
        return cls(R.T, X_test @ Q, y, y_test, groups, X.shape[1])

    def problem(self, parts: partition.Parts) -> Problem:
        """Return the training pictures as nodes; bytes are counted for the whole layer.

        Parameters
        ----------
        parts : sequence of index arrays

        Returns
        -------
        Problem
        """
        nodes = tuple(Node(self.X[part], self.y[part].astype(float)) for part in parts)
        return Problem(nodes, "multiclass", (int(self.y.max()) + 1) * self.d)

    def turning_angles(self, w: Array) -> Array:
        """Return, for each held-out picture, an angle in degrees up to which turning W keeps its prediction.

        A difference of two scores is <W, Z> with ||Z|| = sqrt(2) ||x||. It stays positive until W has turned
        by the angle whose sine is <W, Z> / (||W|| ||Z||), and no longer if W turns straight away from Z.

        Parameters
        ----------
        w : ndarray, shape (C r,)

        Returns
        -------
        ndarray, shape (n,)
        """
        scores = np.sort(self.X_test @ w.reshape(-1, self.X.shape[1]).T, axis=1)
        gaps = (scores[:, -1] - scores[:, -2]) / float(np.linalg.norm(w))
        reach = math.sqrt(2) * np.linalg.norm(self.X_test, axis=1)
        return np.asarray(np.degrees(np.arcsin(np.minimum(1.0, gaps / reach))))

    def metrics(self, problem: Problem, goal: Array) -> dict[str, Callable[[Round], float]]:
        """Return what is measured in each round: angle, length, margin, ln of the loss, held-out accuracy.

        Parameters
        ----------
        problem : Problem
        goal : ndarray, shape (C r,)
            The max-margin layer: angles, in degrees, are to it, lengths and margins shares of its own.

        Returns
        -------
        dict
        """
        size = float(np.linalg.norm(goal))

        def angle(r: Round) -> float:
            chord = float(np.linalg.norm(r.w / float(np.linalg.norm(r.w)) - goal / size))
            return math.degrees(2 * math.asin(min(1.0, chord / 2)))

        return {
            "angle": angle,
            "length": lambda r: float(np.linalg.norm(r.w)) / size,
            "margin": lambda r: worst_margin(problem, r.w) * size,
            "log_loss": lambda r: softmax.log_value(problem.pooled, r.w),
            "accuracy": lambda r: float((predict(self.X_test, r.w) == self.y_test).mean()),
        }


def spread(name: str, layer: Layer, clients: int, seed: int) -> partition.Parts:
    """Return which training pictures each node gets.

    Parameters
    ----------
    name : str
        "iid", "Dirichlet a" with the concentration a, "10 of 100" (100 nodes, Dirichlet 0.3), "vendors" or
        "lists" for natural nodes, or "one node".
    layer : Layer
    clients : int
        Nodes, where the name does not say how many.
    seed : int

    Returns
    -------
    tuple of index arrays

    Raises
    ------
    ValueError
        If there are no natural nodes, or the name is another.

    Notes
    -----
    Cost: none that counts.

    Examples
    --------
    >>> X, y = np.ones((6, 1)), np.zeros(6, int)
    >>> [part.size for part in spread("iid", Layer(X, X, y, y, None, 1), 3, 0)]
    [2, 2, 2]
    """
    if name == "one node":
        return (np.arange(layer.y.size),)
    if name == "iid":
        return partition.iid(layer.y.size, clients, seed=seed)
    if name.startswith("Dirichlet "):
        return partition.dirichlet(layer.y, clients, concentration=float(name.split()[1]), seed=seed)
    if name == "10 of 100":
        return partition.dirichlet(layer.y, 100, concentration=0.3, seed=seed)
    if name in ("vendors", "lists") and layer.groups is not None:
        return partition.by_group(layer.groups)
    raise ValueError(f"name was {name!r}; these pictures have no such nodes")


Method = tuple[Any, Any, bool, int]


def methods(problem: Problem, sizes: Sizes) -> dict[str, Method]:
    """Return the methods compared on a problem: local solver, aggregation, whether it projects, rounds.

    The step size of all gradient steps is 1 over the largest smoothness of a node's loss.

    Parameters
    ----------
    problem : Problem
    sizes : Sizes

    Returns
    -------
    dict
        Keys as in the book's figures; "one-shot" is one round of exact projections, averaged.

    Notes
    -----
    Source: the methods' own. Cost: one singular value a node.

    Examples
    --------
    >>> one = np.ones((2, 1))
    >>> layer = Layer(one, one, np.arange(2), np.arange(2), None, 1)
    >>> list(methods(layer.problem(spread("one node", layer, 1, 0)), SIZES["ci"]))
    ['centralised']
    """
    eta = 1 / max(softmax.smoothness(node) for node in problem.nodes)
    if problem.M == 1:
        most = max(sizes.steps)
        return {"centralised": (GradientSteps(eta, most, "softmax"), Average(), False, sizes.rounds)}
    batch = min(sizes.batch_size, int(problem.sizes.min()))
    projecting = ExactMargin(worst_margin=True)
    local = {
        f"L={L}": (GradientSteps(eta, L, "softmax"), Average(), False, sizes.rounds) for L in sizes.steps
    }
    return local | {
        "sgd": (SGDSteps(eta, 100, batch, loss="softmax"), Average(), False, sizes.rounds),
        "one-shot": (ExactMargin(), Average(), True, 1),
        "ppm": (ExactMargin(), Average(), True, sizes.exact_rounds),
        "anchored": (ExactMargin(), Anchored(), True, sizes.exact_rounds),
        "bundle": (projecting, Bundle(), True, sizes.exact_rounds),
    }
