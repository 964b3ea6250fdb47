"""A network whose trained parameters are one vector: what a client loads, trains and answers with."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase

from lgd_lib.neural.devices import seeded


@dataclass(frozen=True, eq=False)
class FlatNetwork:
    """A network that lives in one vector: its trained parameters, then its running statistics.

    Parameters
    ----------
    module : Module
        Its parameters and statistics are views of `vector`.
    vector : Tensor, shape (d + b,)
        d trained parameters, then b running means and variances of its normalisation layers.
    gradient : Tensor, shape (d,)
        Where backward passes add up.
    origin : Tensor, shape (d + b,)
        The vector as it was built.
    constants : tuple of (Tensor, Tensor)
        The other buffers, and their values as they were built.

    Examples
    --------
    >>> flatten(nn.Linear(2, 3), torch.device("cpu")).vector.shape
    torch.Size([9])
    """

    module: nn.Module
    vector: Tensor
    gradient: Tensor
    origin: Tensor
    constants: tuple[tuple[Tensor, Tensor], ...]

    @property
    def d(self) -> int:
        """Trained parameters."""
        return self.gradient.numel()

    @property
    def parameters(self) -> Tensor:
        """The first d entries of the vector, shape (d,)."""
        return self.vector[: self.d]

    @property
    def statistics(self) -> Tensor:
        """The other entries, shape (b,)."""
        return self.vector[self.d :]

    def put(self, point: Tensor) -> None:
        """Load a point of at most d + b entries; the others become those that were built.

        Parameters
        ----------
        point : Tensor, shape (n,)
        """
        n = point.numel()
        self.vector[:n] = point
        self.vector[n:] = self.origin[n:]
        for buffer, value in self.constants:
            buffer.copy_(value)

    def mode(self, train: bool, frozen: bool) -> None:
        """Set training or evaluation, and evaluation for normalisation layers that are frozen.

        Parameters
        ----------
        train, frozen : bool
        """
        self.module.train(train)
        for layer in normalisations(self.module) if frozen else ():
            layer.eval()

    def views(self, v: Tensor) -> dict[str, Tensor]:
        """Return names and values of the trained parameters that a vector of shape (d,) holds.

        Parameters
        ----------
        v : Tensor, shape (d,)

        Returns
        -------
        dict of str to Tensor
        """
        named = trained(self.module)
        parts = torch.split(v, [p.numel() for p in named.values()])
        return {name: part.view(p.shape) for (name, p), part in zip(named.items(), parts, strict=True)}


def trained(module: nn.Module) -> dict[str, nn.Parameter]:
    """Return the parameters that ask for a gradient, each once, in the module's order.

    Parameters
    ----------
    module : Module

    Returns
    -------
    dict of str to Parameter

    Notes
    -----
    Cost: none.

    Examples
    --------
    >>> list(trained(nn.Linear(2, 3)))
    ['weight', 'bias']
    """
    return {name: p for name, p in module.named_parameters() if p.requires_grad}


def normalisations(module: nn.Module) -> list[_NormBase]:
    """Return the layers that use statistics of a batch: BatchNorm, and InstanceNorm with running statistics.

    Parameters
    ----------
    module : Module

    Returns
    -------
    list of layers

    Notes
    -----
    Cost: none.

    Examples
    --------
    >>> len(normalisations(nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))))
    1
    """
    batch = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)
    return [
        m
        for m in module.modules()
        if isinstance(m, _NormBase) and (m.track_running_stats or isinstance(m, batch))
    ]


def flatten(module: nn.Module, device: torch.device) -> FlatNetwork:
    """Return a copy of a network whose trained parameters and running statistics are views of one vector.

    Parameters
    ----------
    module : Module
        Left as it is.
    device : torch.device

    Returns
    -------
    FlatNetwork

    Raises
    ------
    ValueError
        If nothing is trained, the trained parameters and statistics are not all float32 or all float64, or a
        normalisation layer keeps no running statistics, or a cumulative average of them.

    Notes
    -----
    Cost: three vectors.

    Examples
    --------
    >>> net = flatten(nn.Linear(1, 1), torch.device("cpu"))
    >>> net.put(torch.tensor([2.0, 3.0]))
    >>> net.module(torch.ones(1, 1)).item()
    5.0
    """
    module = copy.deepcopy(module).to(device)
    layers = normalisations(module)
    for layer in layers:
        if not layer.track_running_stats or layer.momentum is None:
            raise ValueError(f"build gave {layer}; it must keep running statistics, with a fixed momentum")
    parameters = list(trained(module).values())
    statistics = [s for layer in layers for s in (layer.running_mean, layer.running_var) if s is not None]
    kinds = {t.dtype for t in (*parameters, *statistics)}
    if not parameters:
        raise ValueError("build gave a network without a parameter that asks for a gradient")
    if kinds not in ({torch.float32}, {torch.float64}):
        raise ValueError(f"build gave parameters of {kinds}; they must all be float32 or all float64")
    vector = torch.cat([t.detach().reshape(-1) for t in (*parameters, *statistics)])
    gradient = vector.new_zeros(sum(p.numel() for p in parameters))
    _share(parameters, layers, vector, gradient)
    own = {id(s) for layer in layers for s in (layer.running_mean, layer.running_var)}
    others = tuple((b, b.clone()) for b in module.buffers() if id(b) not in own)
    return FlatNetwork(module, vector, gradient, vector.clone(), others)


def _share(parameters: list[nn.Parameter], layers: list[_NormBase], vector: Tensor, gradient: Tensor) -> None:
    """Make parameters, their gradients and the layers' statistics views of the two vectors."""
    at = 0
    for p in parameters:
        part = slice(at, at := at + p.numel())
        p.data, p.grad = vector[part].view(p.shape), gradient[part].view(p.shape)
    for layer in layers:
        for name in ("running_mean", "running_var"):
            n = getattr(layer, name).numel()
            setattr(layer, name, vector[at : (at := at + n)])


def built(build: Callable[[], nn.Module], seed: int, device: torch.device) -> FlatNetwork:
    """Return the network that a builder makes when torch draws from a seed.

    Parameters
    ----------
    build : callable
    seed : int
    device : torch.device

    Returns
    -------
    FlatNetwork

    Raises
    ------
    TypeError
        If it makes something else.
    ValueError
        As `flatten`.

    Notes
    -----
    Cost: that of the builder, and of `flatten`.

    Examples
    --------
    >>> one, two = (built(lambda: nn.Linear(2, 1), 7, torch.device("cpu")).vector for _ in range(2))
    >>> bool((one == two).all())
    True
    """
    with seeded(seed, torch.device("cpu")):
        module = build()
    if not isinstance(module, nn.Module):
        raise TypeError(f"build gave {module!r}; it must make a torch.nn.Module")
    return flatten(module, device)
