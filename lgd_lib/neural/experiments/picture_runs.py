"""What the experiment on pictures compares: sizes, methods, and what is measured in a round."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from lgd_lib.neural.drift import angle_between_moves, between, distance_between_moves
from lgd_lib.neural.experiments.albums import Album
from lgd_lib.neural.network_steps import NetworkSteps
from lgd_lib.neural.networks import NetworkProblem
from lgd_lib.neural.optimisers import SGD
from lgd_lib.neural.runs import kept_rounds
from lgd_lib.runner import Round
from lgd_lib.validation import Array

RATES = {"pretrained": 0.01, "random": 0.1}
COLUMNS = ("pictures", "accuracy", "loss", "training_loss", "angle", "distance")


@dataclass(frozen=True)
class Sizes:
    """How large the experiment is.

    Parameters
    ----------
    classes : tuple of int
    samples, tests, judged : int
        Pictures of a class to train on and to test on; and those of the first on which training losses are
        measured.
    scenes : mapping of str to tuple of str
        Start to the ways in which pictures are spread over nodes.
    clients : int
        Nodes, where they are not the vendors.
    batch : int
        Pictures of a step, all nodes together.
    budget : int
        Minibatch steps of each node, whatever the method.
    steps : tuple of int
        Local steps L of Local-SGD; they divide the budget.
    passes : int
        Full-batch steps of each node.
    full_steps : tuple of int
        Local steps L of Local-GD; they divide the passes.
    lr, full_lr : mapping of str to float
        Start to the step size, of minibatches and of full batches.
    kept : int
        Rounds of a run that are measured, evenly spread in the logarithm.
    points : int
        On the line between two local models, both ends among them.

    Examples
    --------
    >>> SIZES["full"].budget // max(SIZES["full"].steps)
    5
    """

    classes: tuple[int, ...]
    samples: int
    tests: int
    judged: int
    scenes: Mapping[str, tuple[str, ...]]
    clients: int = 8
    batch: int = 64
    budget: int = 50
    steps: tuple[int, ...] = (1, 5, 10)
    passes: int = 8
    full_steps: tuple[int, ...] = (2,)
    lr: Mapping[str, float] = field(default_factory=lambda: dict(RATES))
    full_lr: Mapping[str, float] = field(default_factory=lambda: dict(RATES))
    kept: int = 5
    points: int = 7


BOTH = ("vendors", "Dirichlet 0.3")
SIZES = {
    "ci": Sizes(
        classes=(2, 4, 5, 7),
        samples=75,
        tests=15,
        judged=10,
        scenes={"pretrained": BOTH},
        batch=24,
        budget=20,
        steps=(1, 5),
        passes=1,
        full_steps=(),
        kept=2,
        points=5,
    ),
    "full": Sizes(
        classes=tuple(range(8)),
        samples=50,
        tests=30,
        judged=25,
        scenes={"pretrained": BOTH, "random": BOTH},
    ),
}
"""The sizes of the profiles: `ci` for a book that is built in minutes, `full` for the stored results."""


def methods(M: int, start: str, batchnorm: str, sizes: Sizes) -> dict[str, tuple[NetworkSteps, int]]:
    """Return the methods compared on M nodes: local solver and rounds; all take about as many gradients.

    Parameters
    ----------
    M : int
    start, batchnorm : str
    sizes : Sizes

    Returns
    -------
    dict
        "sgd L=5" takes minibatches, "gd L=2" full batches; "one-shot" is one round of all steps. On one node
        "centralised" takes the minibatches of all nodes, and "gd L=1" full batches.

    Notes
    -----
    Cost: none.

    Examples
    --------
    >>> list(methods(4, "random", "averaged", SIZES["full"]))
    ['sgd L=1', 'sgd L=5', 'sgd L=10', 'one-shot', 'gd L=2']
    """
    small = NetworkSteps(
        SGD(sizes.lr[start]),
        L=sizes.budget,
        batch_size=max(1, sizes.batch // M),
        batchnorm=batchnorm,
        keep_answers=M > 1,
    )
    full = replace(small, optimiser=SGD(sizes.full_lr[start]), L=1, batch_size=None, at_once=sizes.batch)
    if M == 1:
        often = max(sizes.steps)
        return {
            "centralised": (replace(small, L=often), sizes.budget // often),
            "gd L=1": (full, sizes.passes),
        }
    found = {f"sgd L={L}": (replace(small, L=L), sizes.budget // L) for L in sizes.steps}
    found["one-shot"] = (small, 1)
    return found | {f"gd L={L}": (replace(full, L=L), sizes.passes // L) for L in sizes.full_steps}


def pictures_seen(N: int, batch: int, L: int) -> int:
    """Return how many gradients of single pictures L steps of a node take, counting passes afresh.

    Parameters
    ----------
    N : int
        Its pictures.
    batch : int
    L : int

    Returns
    -------
    int

    Notes
    -----
    The last batch of a pass may be smaller. Cost: none.

    Examples
    --------
    >>> pictures_seen(10, 4, 3), pictures_seen(10, 4, 4)
    (10, 14)
    """
    batch = min(batch, N)
    passes, more = divmod(L, -(-N // batch))
    return passes * N + min(more * batch, N)


@dataclass(frozen=True, eq=False)
class Judge:
    """What is measured in some rounds of a run; NaN in the others.

    Parameters
    ----------
    problem : NetworkProblem
    album : Album
    judged : int
        Pictures of a class on which training losses are measured.
    K : int
        Rounds of the run.
    kept : int
        Of which so many are measured.
    points : int
        On the line between the local models of nodes 0 and 1, after the last round; 0 for none.
    pictures : int
        Gradients of single pictures in a round.

    Examples
    --------
    >>> Judge(problem, album, judged=25, K=10, kept=5, points=7, pictures=64)  # doctest: +SKIP
    """

    problem: NetworkProblem
    album: Album
    judged: int
    K: int
    kept: int
    points: int
    pictures: int

    def __call__(self, r: Round) -> Array:
        """Return `COLUMNS`, then losses on the training pictures and held-out accuracies along the line."""
        found = np.full(len(COLUMNS) + 2 * self.points, np.nan)
        found[0] = (r.k + 1) * self.pictures
        if r.k not in kept_rounds(self.K, self.kept):
            return found
        album, d = self.album, self.problem.initial.size
        X, y = album.some(self.judged)
        found[1], found[2] = self.on(r.w, album.X_test, album.y_test)
        found[3] = self.on(r.w, X, y)[1]
        if self.problem.M > 1:
            found[4], found[5] = angle_between_moves(r, d), distance_between_moves(r, d)
        if self.points and r.k == self.K - 1:
            line = between(r.W[0], r.W[1], self.points)
            first = len(COLUMNS)
            found[first : first + self.points] = [self.on(w, X, y)[1] for w in line]
            found[first + self.points :] = [self.on(w, album.X_test, album.y_test)[0] for w in line]
        return found

    def on(self, w: ArrayLike, X: Tensor, y: Tensor) -> tuple[float, float]:
        """Return accuracy and mean loss of a model on some pictures.

        Parameters
        ----------
        w : array_like, shape (d,) or (d + b,)
        X : Tensor, shape (n, ...)
        y : Tensor of int, shape (n,)

        Returns
        -------
        accuracy, loss : float
        """
        outputs = torch.as_tensor(self.problem.outputs(w, X))
        right = (outputs.argmax(dim=1) == y).double().mean()
        return float(right), float(self.problem.loss(outputs, y).double().mean())


def line_of(measured: ArrayLike, points: int) -> dict[str, list[float]]:
    """Return what the last row of a `Judge` holds of the line.

    Parameters
    ----------
    measured : array_like, shape (n,)
    points : int

    Returns
    -------
    dict
        "loss" on the training pictures and held-out "accuracy", at equal steps.

    Notes
    -----
    Cost: none.

    Examples
    --------
    >>> line_of([*range(6), 0.5, 0.25, 1.0, 0.0], 2)
    {'loss': [0.5, 0.25], 'accuracy': [1.0, 0.0]}
    """
    found = [float(f"{value:.8g}") for value in np.asarray(measured)[len(COLUMNS) :]]
    return {"loss": found[:points], "accuracy": found[points:]}
