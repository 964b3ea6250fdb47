"""EfficientNet-Lite0 to be trained as a whole, from pretrained or from random weights."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from lgd_lib.neural.features import resized
from lgd_lib.neural.weights import Backbone

STARTS = ("pretrained", "random")


class WholeNetwork(nn.Module):
    """A body, the mean over places, and a linear layer for C classes; all of it is trained.

    Parameters
    ----------
    body : Module
        From pictures (n, 3, size, size) to features (n, d, h, w).
    features : int
        d.
    classes : int
        C; the linear layer starts at zero.

    Examples
    --------
    >>> network = WholeNetwork(nn.Conv2d(3, 5, 3), features=5, classes=2)
    >>> network(torch.zeros(4, 3, 8, 8)).detach().abs().max().item()
    0.0
    """

    def __init__(self, body: nn.Module, features: int, classes: int) -> None:
        super().__init__()
        self.body = body
        self.head = nn.Linear(features, classes)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Return the scores of pictures, shape (n, C)."""
        # Convolutions are a third faster with the colours last.
        found = self.body(x.contiguous(memory_format=torch.channels_last))
        return cast(Tensor, self.head(found.mean((2, 3))))


class _Features(nn.Module):
    """An EfficientNet without its last layer."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        network._fc = nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return cast(Tensor, self.network.extract_features(x))  # type: ignore[operator]


def lite0_builder(
    backbone: Backbone, start: str, classes: int, size: int = 64, momentum: float = 0.1
) -> Callable[[], nn.Module]:
    """Return what builds EfficientNet-Lite0 for C classes, all of it to be trained, for a `NetworkProblem`.

    Parameters
    ----------
    backbone : Backbone
        `efficientnet_lite0()`.
    start : {"pretrained", "random"}
        The body's weights: those of the backbone, or those that its authors' code draws.
    classes : int
    size : int
        Side of the pictures.
    momentum : float
        Share of a batch in the running statistics of BatchNorm, where they move; the network's own is 0.01,
        which a hundred steps hardly fill.

    Returns
    -------
    callable
        Without arguments, to the network.

    Raises
    ------
    ValueError
        If `start` is another word.

    Notes
    -----
    There are 3.37 million parameters in the body. Cost: none before it is called.

    Examples
    --------
    >>> from lgd_lib.neural.weights import efficientnet_lite0
    >>> network = lite0_builder(efficientnet_lite0(), "pretrained", 8)()
    >>> sum(p.numel() for p in network.parameters())
    3381256
    """
    if start not in STARTS:
        raise ValueError(f"start was {start!r}; it must be one of {', '.join(map(repr, STARTS))}")

    def build() -> nn.Module:
        network = backbone.network(size) if start == "pretrained" else _drawn(size)
        for layer in network.modules():
            if isinstance(layer, nn.BatchNorm2d):
                layer.momentum = momentum
        return WholeNetwork(_Features(network), 1280, classes).requires_grad_(True)

    return build


def _drawn(size: int) -> nn.Module:
    from efficientnet_lite_pytorch import EfficientNet

    made = EfficientNet.from_name(
        "efficientnet-lite0", image_size=size, drop_connect_rate=0.0, dropout_rate=0.0
    )
    return cast(nn.Module, made)


def picture_inputs(backbone: Backbone, images: NDArray[np.uint8], size: int = 64) -> Tensor:
    """Return pictures as the backbone wants them.

    Parameters
    ----------
    backbone : Backbone
    images : ndarray of uint8, shape (n, H, W) or (n, H, W, 3)
    size : int
        Side to which they are brought, as by `features`.

    Returns
    -------
    Tensor, shape (n, 3, size, size)

    Notes
    -----
    Cost: none that counts.

    Examples
    --------
    >>> from lgd_lib.neural.weights import efficientnet_lite0
    >>> picture_inputs(efficientnet_lite0(), np.zeros((2, 28, 28), np.uint8)).shape
    torch.Size([2, 3, 64, 64])
    """
    mean = torch.tensor(backbone.mean).reshape(3, 1, 1)
    std = torch.tensor(backbone.std).reshape(3, 1, 1)
    return (resized(torch.tensor(images).float(), size) - mean) / std
