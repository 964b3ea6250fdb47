"""A problem for networks: tensors at the nodes, the network that all of them train, and a loss."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from lgd_lib.neural.devices import checked_device
from lgd_lib.neural.flat import FlatNetwork, built
from lgd_lib.neural.trial import Loss, form, try_on_two
from lgd_lib.validation import is_count


@dataclass(frozen=True, eq=False)
class Samples:
    """What one node holds: inputs and targets of any shape, one sample along the first axis.

    Parameters
    ----------
    X : Tensor or array_like, shape (N_i, ...)
    y : Tensor or array_like, shape (N_i, ...)

    Raises
    ------
    ValueError
        If there is no sample, or not one target for each, or an entry is not finite.

    Notes
    -----
    What is printed of it are shapes only: numbers of tokens can be turned back into text.

    Examples
    --------
    >>> Samples(torch.zeros(5, 1, 28, 28), torch.arange(5))
    Samples(X=(5, 1, 28, 28) torch.float32, y=(5,) torch.int64)
    """

    X: Tensor
    y: Tensor

    def __post_init__(self) -> None:
        for name in ("X", "y"):
            object.__setattr__(self, name, torch.as_tensor(getattr(self, name)))
        if not self.X.ndim or not self.y.ndim or not len(self.X) or len(self.X) != len(self.y):
            shapes = f"{tuple(self.X.shape)} and {tuple(self.y.shape)}"
            raise ValueError(f"X and y have the shapes {shapes}; they must begin with the same N_i >= 1")
        for name, entries in (("X", self.X), ("y", self.y)):
            if not (finite := torch.isfinite(entries)).all():
                where = tuple((~finite).nonzero()[0].tolist())
                entry = entries[where].item()
                raise ValueError(f"{name} has the entry {entry} at index {where}; every entry must be finite")

    def __repr__(self) -> str:
        return f"Samples(X={form(self.X)}, y={form(self.y)})"

    @property
    def N(self) -> int:
        """Number of samples."""
        return len(self.X)


@dataclass(frozen=True, eq=False)
class NetworkProblem:
    """M nodes with samples of one kind, and the network that all of them train.

    f_i(w) = mean over the node's samples of loss(network(x; w), y).

    Parameters
    ----------
    nodes : sequence of Samples
    build : callable
        Without arguments, to the network; its parameters that ask for a gradient are trained and travel, as
        one vector. Everything else in it stays as built.
    loss : callable
        (outputs, y) of n samples to losses of shape (n, ...), such as
        `functools.partial(torch.nn.functional.cross_entropy, reduction="none")`.
    seed : int
        From which torch draws while the network is built.
    device : str
        Where the nodes compute.

    Raises
    ------
    TypeError, ValueError
        If there is no node, the nodes' samples are of different kinds, or build or loss is no function; at
        the first use, if the network or the loss does not take the samples, or a sample's loss depends on
        other samples.

    Notes
    -----
    What travels is a NumPy vector; a network is a module inside a node only. Cost: none before the first use.

    Examples
    --------
    >>> nodes = [Samples(torch.ones(2, 3), torch.zeros(2, 1)), Samples(torch.zeros(1, 3), torch.ones(1, 1))]
    >>> problem = NetworkProblem(nodes, lambda: nn.Linear(3, 1), nn.MSELoss(reduction="none"))
    >>> problem.M, problem.initial.shape
    (2, (4,))
    """

    nodes: Sequence[Samples]
    build: Callable[[], nn.Module]
    loss: Loss
    seed: int = 0
    device: str = field(default="cpu", compare=False)  # where it computes, not what

    def __post_init__(self) -> None:
        object.__setattr__(self, "nodes", tuple(self.nodes))
        checked_device(self.device)
        if not self.nodes or not all(isinstance(node, Samples) for node in self.nodes):
            held = ", ".join(sorted({type(node).__name__ for node in self.nodes})) or "nothing"
            raise TypeError(f"nodes was a sequence of {held}; it must hold one Samples or more")
        for i, node in enumerate(self.nodes):
            if _kind(node) != _kind(self.nodes[0]):
                raise ValueError(f"nodes[{i}] holds {_kind(node)}; node 0 holds {_kind(self.nodes[0])}")
        for name in ("build", "loss"):
            if not callable(getattr(self, name)):
                raise TypeError(f"{name} was {getattr(self, name)!r}; it must be a function")
        if isinstance(self.build, nn.Module):
            kind = type(self.build).__name__
            raise TypeError(f"build was a network, {kind}; it must be a function that makes one: lambda: net")

    @property
    def M(self) -> int:
        """Number of nodes."""
        return len(self.nodes)

    @property
    def sizes(self) -> NDArray[np.int64]:
        """N_i, shape (M,)."""
        return np.array([node.N for node in self.nodes])

    @property
    def pooled(self) -> Samples:
        """All samples, node by node."""
        return Samples(torch.cat([node.X for node in self.nodes]), torch.cat([node.y for node in self.nodes]))

    @cached_property
    def initial(self) -> NDArray[Any]:
        """The trained parameters as they were built, shape (d,): a w0 for `rounds`."""
        net = self._judge
        return net.origin[: net.d].cpu().numpy().copy()

    def flat(self) -> FlatNetwork:
        """Build the network once more, on the device, and try it and the loss on two samples.

        Returns
        -------
        FlatNetwork
        """
        net = built(self.build, self.seed, checked_device(self.device))
        net.mode(train=False, frozen=True)
        try_on_two(net.module, self.loss, [(node.X, node.y) for node in self.nodes], net.vector.device)
        return net

    @cached_property
    def _judge(self) -> FlatNetwork:
        return self.flat()

    def module(self, w: ArrayLike, statistics: ArrayLike | None = None) -> nn.Module:
        """Return the network with the parameters w, in evaluation mode; the next call changes it.

        Parameters
        ----------
        w : array_like, shape (d,) or (d + b,)
            With b more entries where statistics travel too.
        statistics : array_like, shape (b,), optional
            Running means and variances; those that w holds, or that were built, by default.

        Returns
        -------
        Module
        """
        net = self._judge
        parts = [np.asarray(w)] if statistics is None else [np.asarray(w)[: net.d], np.asarray(statistics)]
        point = torch.tensor(np.concatenate(parts), dtype=net.vector.dtype, device=net.vector.device)
        if point.shape not in ((net.d,), net.vector.shape):
            raise ValueError(
                f"w has {point.numel()} entries; this network has {net.d} trained parameters and "
                f"{net.vector.numel() - net.d} running statistics"
            )
        net.put(point)
        net.mode(train=False, frozen=True)
        return net.module

    def outputs(
        self, w: ArrayLike, X: Tensor, statistics: ArrayLike | None = None, batch_size: int = 256
    ) -> NDArray[Any]:
        """Return what the network with the parameters w says of inputs, in evaluation mode.

        Parameters
        ----------
        w : array_like, shape (d,) or (d + b,)
        X : Tensor, shape (n, ...)
        statistics : array_like, shape (b,), optional
        batch_size : int
            Samples that go through the network together.

        Returns
        -------
        ndarray, shape (n, ...)
        """
        if not is_count(batch_size):
            raise ValueError(f"batch_size was {batch_size!r}; it must be a whole number of at least 1")
        module, device = self.module(w, statistics), torch.device(self.device)
        with torch.no_grad():
            parts = [module(batch.to(device)).cpu() for batch in torch.split(torch.as_tensor(X), batch_size)]
        return np.asarray(torch.cat(parts))

    def losses(
        self, w: ArrayLike, statistics: ArrayLike | None = None, batch_size: int = 256
    ) -> NDArray[Any]:
        """Return the nodes' mean losses f_i(w), in evaluation mode, shape (M,).

        Parameters
        ----------
        w : array_like, shape (d,) or (d + b,)
        statistics : array_like, shape (b,), optional
        batch_size : int
            Samples that go through the network together.

        Returns
        -------
        ndarray, shape (M,)
        """
        found = [
            self.loss(torch.as_tensor(self.outputs(w, node.X, statistics, batch_size)), node.y).mean()
            for node in self.nodes
        ]
        return np.asarray(torch.stack(found))


def _kind(node: Samples) -> str:
    return (
        f"inputs of shape {tuple(node.X.shape[1:])} and {node.X.dtype}, "
        f"targets of shape {tuple(node.y.shape[1:])} and {node.y.dtype}"
    )
