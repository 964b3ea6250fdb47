"""Whether samples, network and loss fit together, tried on two samples before any work."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from lgd_lib.neural.devices import out_of_memory

Loss = Callable[[Tensor, Tensor], Tensor]
"""(outputs, y) of n samples to their losses, shape (n, ...): torch's functions with reduction="none"."""
MISFITS = (RuntimeError, ValueError, IndexError, TypeError)
"""What torch raises where samples, network and loss do not fit together."""


def try_on_two(
    module: nn.Module, loss: Loss, nodes: Sequence[tuple[Tensor, Tensor]], device: torch.device
) -> None:
    """Take the losses of two samples together and one by one, and raise an error if they are not the same.

    Parameters
    ----------
    module : Module
        In evaluation mode.
    loss : callable
    nodes : sequence of (Tensor, Tensor)
        Inputs and targets of the nodes. The two samples have different targets where there are some; of one
        sample in all, its loss is looked at alone.
    device : torch.device
        That of the module.

    Raises
    ------
    ValueError
        If the network does not take the samples or makes no row for each, or the loss does not take what it
        makes, or gives no entry for each sample, or one that depends on the other sample.

    Notes
    -----
    A loss that broadcasts, such as that of outputs of shape (n, 1) and targets of shape (n,), looks right for
    one sample. Cost: a pass forward of two samples.

    Examples
    --------
    >>> X, y, net = torch.ones(5, 3), torch.arange(5.0), nn.Linear(3, 1)
    >>> try_on_two(net, lambda outputs, y: (outputs[:, 0] - y) ** 2, [(X, y)], torch.device("cpu"))
    >>> try_on_two(net, lambda outputs, y: (outputs - y) ** 2, [(X, y)], torch.device("cpu"))
    Traceback (most recent call last):
    ...
    ValueError: loss gave (2, 2) torch.float32 for outputs of (2, 1) torch.float32 and targets of (2,) ...
    """
    X, y = (t.to(device) for t in _two(nodes))
    with torch.no_grad():
        _check_losses(loss, _outputs(module, X), y)


def form(value: object) -> str:
    """Return the shape and dtype of a tensor, or the type of something else, for what is printed.

    Parameters
    ----------
    value : object

    Returns
    -------
    str

    Notes
    -----
    Cost: none.

    Examples
    --------
    >>> form(torch.zeros(2, 3)), form([1])
    ('(2, 3) torch.float32', 'list')
    """
    return f"{tuple(value.shape)} {value.dtype}" if isinstance(value, Tensor) else type(value).__name__


def _two(nodes: Sequence[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
    """The first sample and, of the others, the first with another target, or the first of all."""
    first = nodes[0][1][:1]
    for X, y in nodes:
        others = (y != first).reshape(len(y), -1).any(dim=1).nonzero()
        if len(others):
            j = int(others[0])
            return torch.cat([nodes[0][0][:1], X[j : j + 1]]), torch.cat([first, y[j : j + 1]])
    inputs, targets = zip(*((X[:2], y[:2]) for X, y in nodes[:2]), strict=True)
    return torch.cat(inputs)[:2], torch.cat(targets)[:2]


def _outputs(module: nn.Module, X: Tensor) -> Tensor:
    """What the network says of some samples, one row each."""
    try:
        outputs = module(X)
    except MISFITS as error:
        if out_of_memory(error):
            raise
        kind = f"samples of shape {tuple(X.shape[1:])} and dtype {X.dtype}"
        raise ValueError(f"build gave a network that does not take {kind}: {error}") from error
    if not isinstance(outputs, Tensor) or outputs.shape[:1] != X.shape[:1]:
        raise ValueError(
            f"build gave a network that makes {form(outputs)} of {len(X)} samples; it must make a tensor "
            "with one row for each"
        )
    return outputs


def _check_losses(loss: Loss, outputs: Tensor, y: Tensor) -> None:
    """Compare the losses of some samples with those that each of them has alone."""
    what = f"outputs of {form(outputs)} and targets of {form(y)}"
    try:
        together = loss(outputs, y)
        alone = [loss(outputs[j : j + 1], y[j : j + 1]) for j in range(len(y))]
    except MISFITS as error:
        if out_of_memory(error):
            raise
        raise ValueError(f"loss does not take {what}: {error}") from error
    shapes = [own.shape if isinstance(own, Tensor) else () for own in (together, *alone)]
    wanted = [(n, *shapes[0][1:]) for n in (len(y), *[1] * len(y))]
    if shapes != wanted or not torch.allclose(together, torch.cat(alone), 1e-4, 1e-6, equal_nan=True):
        raise ValueError(
            f"loss gave {form(together)} for {what}; it must give a tensor with one entry, or row of "
            "entries, for each sample, that of this sample alone: reduction='none', and targets of the shape "
            "that the loss needs"
        )
