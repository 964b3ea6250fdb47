"""Pictures as whole networks take them, and how they are spread over nodes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lgd_lib import partition
from lgd_lib.neural.fine_tuning import picture_inputs
from lgd_lib.neural.frozen import chosen
from lgd_lib.neural.networks import Samples
from lgd_lib.neural.weights import efficientnet_lite0
from lgd_lib.pictures import Pictures


@dataclass(frozen=True, eq=False)
class Album:
    """The pictures that one seed trains and tests on.

    Parameters
    ----------
    X : Tensor, shape (N, ...)
        As the network takes them.
    y : Tensor of int, shape (N,)
    X_test : Tensor, shape (n, ...)
    y_test : Tensor of int, shape (n,)
    groups : ndarray of int, shape (N,)
        The vendor of each.

    Examples
    --------
    >>> one = torch.zeros(1, dtype=torch.int64)
    >>> len(Album(torch.zeros(1, 3), one, torch.zeros(1, 3), one, np.zeros(1, int)).y)
    1
    """

    X: Tensor
    y: Tensor
    X_test: Tensor
    y_test: Tensor
    groups: NDArray[np.int64]

    def some(self, each: int) -> tuple[Tensor, Tensor]:
        """Return the first pictures of each class that are trained on, and their classes.

        Parameters
        ----------
        each : int

        Returns
        -------
        X, y : Tensor
        """
        own = [(self.y == c).nonzero()[:each, 0] for c in torch.unique(self.y)]
        rows = torch.cat(own)
        return self.X[rows], self.y[rows]

    def spread(self, scene: str, clients: int, seed: int) -> list[Samples]:
        """Return the nodes' pictures.

        Parameters
        ----------
        scene : str
            "one node", "vendors", or "Dirichlet a" with the concentration a.
        clients : int
            Nodes, where they are dealt.
        seed : int

        Returns
        -------
        list of Samples
        """
        parts: partition.Parts = (np.arange(len(self.y)),)
        if scene == "vendors":
            parts = partition.by_group(self.groups)
        elif scene != "one node":
            concentration = float(scene.removeprefix("Dirichlet "))
            parts = partition.dirichlet(self.y.numpy(), clients, concentration=concentration, seed=seed)
        return [Samples(self.X[part], self.y[part]) for part in parts]


def album_of(
    some: Pictures, classes: Sequence[int], samples: int, tests: int, seed: int, size: int = 64
) -> Album:
    """Return the pictures that a seed trains and tests on, as EfficientNet-Lite0 takes them.

    Parameters
    ----------
    some : Pictures
        With natural nodes.
    classes : sequence of int
    samples, tests : int
        Pictures of each class.
    seed : int
    size : int
        Their side.

    Returns
    -------
    Album

    Raises
    ------
    ValueError
        If the pictures have no natural nodes, or a class has too few.

    Notes
    -----
    Cost: none that counts.

    Examples
    --------
    >>> from lgd_lib.datasets import load_pictures
    >>> album_of(load_pictures("emoji"), (2, 4), samples=5, tests=3, seed=0).X.shape
    torch.Size([10, 3, 64, 64])
    """
    if some.groups is None:
        raise ValueError(f"some was {some.name!r}, whose pictures have no natural nodes; take 'emoji'")
    backbone = efficientnet_lite0()
    train, test = chosen(some, classes, samples, tests, seed)
    X, X_test = (picture_inputs(backbone, some.images[rows], size) for rows in (train, test))
    order = np.sort(classes)
    y, y_test = (torch.as_tensor(np.searchsorted(order, some.labels[rows])) for rows in (train, test))
    return Album(X, y, X_test, y_test, some.groups[train])
