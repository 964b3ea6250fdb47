"""Clients that train a network: one after the other, or some of them side by side."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from lgd_lib.neural.answers import TrainedAnswers
from lgd_lib.neural.devices import out_of_memory, seeded
from lgd_lib.neural.flat import FlatNetwork
from lgd_lib.neural.networks import NetworkProblem
from lgd_lib.neural.optimisers import Buffers, Optimiser
from lgd_lib.neural.stacked import Client, train_stacked
from lgd_lib.neural.trial import MISFITS
from lgd_lib.protocol import Answers, Memory, Message, PointAnswers, Streams
from lgd_lib.validation import Array

STATISTICS = "statistics"
Trained = tuple[Tensor, Buffers]
"""Answers of shape (c, n), and what the clients keep, of shape (c, ...)."""


@dataclass(frozen=True, eq=False)
class PreparedNetwork:
    """`NetworkSteps` after its set-up for one problem.

    Parameters
    ----------
    problem : NetworkProblem
    net : FlatNetwork
    optimiser : Optimiser
    L : ndarray of int, shape (M,)
    batch : ndarray of int, shape (M,)
        Samples of a step.
    batchnorm : {"frozen", "averaged", "local"}
    reset, keep : bool
    together : int
    at_once : int or None
        Samples of one pass through the network.

    Examples
    --------
    >>> solver.prepare(problem).vector_bytes  # doctest: +SKIP
    400
    """

    problem: NetworkProblem
    net: FlatNetwork
    optimiser: Optimiser
    L: NDArray[np.int64]
    batch: NDArray[np.int64]
    batchnorm: str
    reset: bool
    keep: bool
    together: int
    at_once: int | None = None

    @property
    def travels(self) -> int:
        """Numbers in a vector that travels: the parameters, and the statistics where they are averaged."""
        return self.net.vector.numel() if self.batchnorm == "averaged" else self.net.d

    @property
    def vector_bytes(self) -> int:
        """Bytes of one vector that travels."""
        return self.travels * self.scalar_bytes

    @property
    def scalar_bytes(self) -> int:
        """Bytes of one number that travels."""
        return self.net.vector.element_size()

    @property
    def local_steps(self) -> Array:
        """Gradient steps of each node in a round, shape (M,)."""
        return self.L.astype(np.float64)

    def start(self, w0: ArrayLike) -> NDArray[Any]:
        """Return w0 in the network's precision, with the statistics that were built where they travel.

        Parameters
        ----------
        w0 : array_like, shape (d,) or, where statistics travel, (d + b,)

        Returns
        -------
        ndarray, shape (n,)
        """
        origin = self.net.origin.cpu().numpy()
        point = np.array(w0, dtype=origin.dtype)
        if point.shape == (self.net.d,):
            point = np.concatenate([point, origin[self.net.d : self.travels]])
        if point.shape != (self.travels,):
            raise ValueError(
                f"w0 has shape {point.shape}; this network needs a vector of length {self.travels}"
            )
        if not np.isfinite(point).all():
            raise ValueError("w0 has an entry that is not finite")
        return point

    def memory(self) -> Memory:
        """What the nodes keep before the first round: buffers unless they are reset, local statistics."""
        kept = {} if self.reset else self.optimiser.start(self.net.parameters)
        if self.batchnorm == "local":
            kept = kept | {STATISTICS: self.net.origin[self.net.d :]}
        return {name: np.repeat(t.cpu().numpy()[None], self.problem.M, axis=0) for name, t in kept.items()}

    def __call__(
        self, k: int, message: Message, memory: Memory, active: NDArray[np.int64], streams: Streams
    ) -> tuple[Answers, Memory]:
        """Train the active nodes: now if they have memory, otherwise when their answers are asked for."""
        point = torch.tensor(message.point, dtype=self.net.vector.dtype, device=self.net.vector.device)
        train = partial(self._trained, k, point, memory, active, streams)
        if not memory:
            return TrainedAnswers(lambda: (rows for rows, _ in train()), self.keep), memory
        points = np.empty((active.size, self.travels), dtype=message.point.dtype)
        new, done = {name: own.copy() for name, own in memory.items()}, 0
        for rows, kept in train():
            nodes = active[done : done + len(rows)]
            points[done : done + len(rows)] = rows.cpu().numpy()
            for name, own in kept.items():
                new[name][nodes] = own.cpu().numpy()
            done += len(rows)
        return PointAnswers(points), new

    @cached_property
    def _data(self) -> tuple[Tensor, Tensor]:
        pooled, device = self.problem.pooled, self.net.vector.device
        return pooled.X.to(device), pooled.y.to(device)

    @cached_property
    def _starts(self) -> NDArray[np.int64]:
        return np.cumsum([0, *self.problem.sizes])

    def _trained(
        self, k: int, point: Tensor, memory: Memory, active: NDArray[np.int64], streams: Streams
    ) -> Iterator[Trained]:
        """Answers of the active nodes in their order, some at a time."""
        for first in range(0, active.size, self.together):
            nodes = active[first : first + self.together]
            clients = [self._client(int(i), streams) for i in nodes]
            kept = {n: torch.tensor(own[nodes], device=point.device) for n, own in memory.items()}
            try:
                if self.together > 1:
                    answer = self._side_by_side(point, clients, kept)
                else:
                    answer = self._alone(point, clients[0], kept)
            except (MemoryError, *MISFITS) as error:
                if out_of_memory(error):
                    raise MemoryError(self._advice(nodes, k)) from error
                kind = RuntimeError if isinstance(error, RuntimeError) else ValueError
                raise kind(f"{_who(nodes)} cannot be trained in round {k}: {_in_words(error)}") from error
            if not torch.isfinite(answer[0]).all():
                bad = int(nodes[int((~torch.isfinite(answer[0])).any(dim=1).nonzero()[0])])
                raise FloatingPointError(
                    f"node {bad} overflows in round {k} with {self.optimiser}; lower lr or L"
                )
            yield answer

    def _client(self, i: int, streams: Streams) -> Client:
        N, b, L = int(self.problem.sizes[i]), int(self.batch[i]), int(self.L[i])
        return Client(int(self._starts[i]), N, b, L, streams(i))

    def _alone(self, point: Tensor, client: Client, kept: Buffers) -> Trained:
        """One client, in the network itself."""
        net, (X, y) = self.net, self._data
        own = {name: b[0] for name, b in kept.items()}
        statistics = own.pop(STATISTICS, None)
        net.put(point if statistics is None else torch.cat([point, statistics]))
        net.mode(train=True, frozen=self.batchnorm == "frozen")
        buffers = own or self.optimiser.start(net.parameters)
        rows: slice | Tensor = slice(client.start, client.start + client.N)
        with seeded(int(client.stream.spawn(1)[0].integers(2**63)), point.device):
            for drawn in client.batches():
                if not client.full:
                    rows = torch.as_tensor(drawn, device=point.device)
                net.gradient.zero_()
                self._backward(X[rows], y[rows])
                self.optimiser.step(net.parameters, net.gradient, buffers)
        new = buffers if own else {}
        if statistics is not None:
            new = new | {STATISTICS: net.statistics}
        return net.vector[None, : self.travels], {name: b[None] for name, b in new.items()}

    def _backward(self, X: Tensor, y: Tensor) -> None:
        """Add up the gradient of the mean loss of a batch, in parts if it is to be passed in parts."""
        N, most = len(X), self.at_once or len(X)
        for own, targets in zip(torch.split(X, most), torch.split(y, most), strict=True):
            mean = self.problem.loss(self.net.module(own), targets).mean()
            torch.autograd.backward(mean if most >= N else mean * (len(own) / N))

    def _side_by_side(self, point: Tensor, clients: list[Client], kept: Buffers) -> Trained:
        """Several clients at once, those with the most steps first."""
        order = np.argsort([-client.L for client in clients], kind="stable")
        back = torch.as_tensor(np.argsort(order), device=point.device)
        self.net.put(point)
        self.net.mode(train=True, frozen=True)
        V = point.repeat(len(clients), 1)
        ordered = torch.as_tensor(order, device=point.device)
        buffers = {n: b[ordered] for n, b in kept.items()} or self.optimiser.start(V)
        sorted_clients = [clients[j] for j in order]
        train_stacked(self.net, self.problem.loss, self.optimiser, self._data, sorted_clients, V, buffers)
        return V[back], {name: buffers[name][back] for name in kept}

    def _advice(self, nodes: NDArray[np.int64], k: int) -> str:
        lower = (
            "batch_size or at_once"
            if nodes.size == 1
            else f"together (it was {self.together}), then batch_size"
        )
        return (
            f"{_who(nodes)} ran out of memory in round {k} on {self.problem.device!r} with batches of "
            f"{int(self.batch[nodes].max())}; lower {lower}"
        )


def _who(nodes: NDArray[np.int64]) -> str:
    return f"node {nodes[0]}" if nodes.size == 1 else f"nodes {nodes[0]} to {nodes[-1]}, side by side,"


def _in_words(error: Exception) -> str:
    """What torch says; of a batch that is too small to be normalised, also what to do."""
    if "more than 1 value per channel" in str(error):
        return f"a normalisation layer met a batch of one sample: change batch_size ({error})"
    return str(error) or type(error).__name__
