"""Clients of one network trained side by side, where no layer mixes the samples of a batch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.func import functional_call, grad, vmap

from lgd_lib.descent.batches import batches
from lgd_lib.neural.devices import out_of_memory, seeded
from lgd_lib.neural.flat import FlatNetwork
from lgd_lib.neural.networks import Samples
from lgd_lib.neural.optimisers import Buffers, Optimiser
from lgd_lib.neural.trial import Loss


@dataclass(frozen=True, eq=False)
class Client:
    """What one client does in a round.

    Parameters
    ----------
    start : int
        Where its samples begin among all.
    N : int
        How many it has.
    batch_size : int
    L : int
        Steps.
    stream : Generator

    Examples
    --------
    >>> client = Client(10, 3, 3, 2, np.random.default_rng(0))
    >>> [rows.tolist() for rows in client.batches()]
    [[10, 11, 12], [10, 11, 12]]
    """

    start: int
    N: int
    batch_size: int
    L: int
    stream: np.random.Generator

    def batches(self) -> Iterator[NDArray[np.int64]]:
        """Yield the numbers of the samples of each step.

        Yields
        ------
        ndarray of int
        """
        for block in batches(self.stream, self.N, self.batch_size, self.L, replace=False):
            for rows in block:
                yield self.start + rows[rows >= 0]

    @property
    def full(self) -> bool:
        """Whether every step takes all samples."""
        return self.batch_size == self.N


def gradients(net: FlatNetwork, loss: Loss) -> Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]:
    """Return the function that gives the gradients of several clients' losses at once.

    Parameters
    ----------
    net : FlatNetwork
    loss : callable

    Returns
    -------
    callable
        (V, X, y, share) of shapes (c, d), (c, n, ...), (c, n, ...) and (c, n) to gradients of shape (c, d) of
        the sums of share times loss over the samples.

    Notes
    -----
    Cost: as one client after the other, in fewer and larger operations.

    Examples
    --------
    >>> from torch import nn
    >>> from lgd_lib.neural.flat import flatten
    >>> net = flatten(nn.Linear(1, 1, bias=False), torch.device("cpu"))
    >>> of = gradients(net, nn.MSELoss(reduction="none"))
    >>> of(torch.zeros(2, 1), torch.ones(2, 1, 1), torch.tensor([[[1.0]], [[2.0]]]), torch.ones(2, 1))
    tensor([[-2.],
            [-4.]])
    """

    def mean_loss(v: Tensor, X: Tensor, y: Tensor, share: Tensor) -> Tensor:
        losses = loss(functional_call(net.module, net.views(v), (X,)), y)
        return share @ losses.reshape(len(losses), -1).mean(1)

    return vmap(grad(mean_loss), randomness="error")


def obstacle(net: FlatNetwork, loss: Loss, samples: Samples) -> str:
    """Return why two clients of this network cannot be trained side by side, or nothing if they can.

    Parameters
    ----------
    net : FlatNetwork
    loss : callable
    samples : Samples
        The first of them is tried.

    Returns
    -------
    str
        What torch says of the trial.

    Notes
    -----
    Random layers such as dropout stand in the way; recurrent ones do not on a CPU. An error that a client
    alone meets too is no obstacle, and is raised. Cost: three gradients of a sample.

    Examples
    --------
    >>> from torch import nn
    >>> from lgd_lib.neural.flat import flatten
    >>> net = flatten(nn.Sequential(nn.Linear(1, 1), nn.Dropout()), torch.device("cpu"))
    >>> one = Samples(torch.ones(1, 1), torch.ones(1, 1))
    >>> "random" in obstacle(net, nn.MSELoss(reduction="none"), one)
    True
    """
    net.mode(train=True, frozen=True)
    X, y = (t[:1].to(net.vector.device).expand(2, 1, *t.shape[1:]) for t in (samples.X, samples.y))
    V = net.parameters.repeat(2, 1)
    with seeded(0, V.device):
        torch.autograd.backward(loss(net.module(X[0]), y[0]).mean())
    net.gradient.zero_()
    try:
        gradients(net, loss)(V, X, y, V.new_ones(2, 1))
    except RuntimeError as error:  # torch has no narrower kind for what it cannot stack
        if out_of_memory(error):
            raise
        return str(error).splitlines()[0]
    return ""


def train_stacked(
    net: FlatNetwork,
    loss: Loss,
    optimiser: Optimiser,
    data: tuple[Tensor, Tensor],
    clients: Sequence[Client],
    V: Tensor,
    buffers: Buffers,
) -> None:
    """Take all steps of several clients, changing V and the buffers in place.

    Parameters
    ----------
    net : FlatNetwork
    loss : callable
    optimiser : Optimiser
    data : (Tensor, Tensor)
        All samples of all nodes.
    clients : sequence of c Client
        Those with the most steps first.
    V : Tensor, shape (c, d)
    buffers : dict of str to Tensor of shape (c, ...)

    Notes
    -----
    Batches of unequal sizes are filled up with samples of share zero. A client that is done leaves the
    others: the rows of V in use are always the first ones. Cost: memory for the activations of c batches.

    Examples
    --------
    >>> train_stacked(net, loss, SGD(0.1), (X, y), clients, V, {})  # doctest: +SKIP
    """
    of, drawn = gradients(net, loss), [client.batches() for client in clients]
    constant = all(client.full for client in clients)
    L = np.array([client.L for client in clients])
    taken: tuple[Tensor, Tensor, Tensor] | None = None
    for step in range(int(L.max())):
        c = int((step < L).sum())
        if taken is None or not constant:
            taken = _batch(data, [next(rows) for rows in drawn[:c]], V)
        X, y, share = (part[:c] for part in taken)
        optimiser.step(V[:c], of(V[:c], X, y, share), {name: b[:c] for name, b in buffers.items()})


def _batch(
    data: tuple[Tensor, Tensor], rows: list[NDArray[np.int64]], V: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Samples of shapes (c, n, ...), and the share of each in its client's mean, shape (c, n)."""
    width = max(own.size for own in rows)
    filled = np.array([np.resize(own, width) for own in rows])
    share = np.array([(np.arange(width) < own.size) / own.size for own in rows])
    where = torch.as_tensor(filled, device=V.device)
    return data[0][where], data[1][where], torch.as_tensor(share, dtype=V.dtype, device=V.device)
