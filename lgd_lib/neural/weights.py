"""Pretrained backbones: weights whose checksum is known, and what turns pictures into features."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch


@dataclass(frozen=True, eq=False)
class Backbone:
    """A frozen network without its head: pictures in, `d` features out.

    Fields: name; sha256 of the file of weights; d; mean, std (three numbers each, in units of 0..255: the
    network is given (x - mean) / std); build(size) -> Module in eval mode from (n, 3, size, size) float32 to
    (n, d).
    """

    name: str
    sha256: str
    d: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    build: Callable[[int], torch.nn.Module]


def efficientnet_lite0() -> Backbone:
    """EfficientNet-Lite0 with ImageNet weights: 1,280 features."""
    raise NotImplementedError


def local_backbone(
    path: str | Path,
    network: Callable[[int], torch.nn.Module],
    mean: tuple[float, float, float],
    std: tuple[float, float, float],
    sha256: str | None = None,
) -> Backbone:
    """Return a backbone from a local file of weights: a state dict (.pth, .pt) or .safetensors."""
    raise NotImplementedError
