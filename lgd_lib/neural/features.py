"""Features of pictures from a frozen backbone, kept in a checked cache."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from lgd_lib import storage
from lgd_lib.neural.devices import checked_device
from lgd_lib.neural.weights import Backbone
from lgd_lib.pictures import Pictures
from lgd_lib.progress import progress
from lgd_lib.validation import Array, is_count

VERSION = 1
"""Goes up when the same arguments would give other features: kept ones are then made anew."""

_DTYPES = {"float32": torch.float32, "float64": torch.float64}


def features(
    backbone: Backbone,
    pictures: Pictures,
    size: int = 64,
    batch_size: int = 16,
    device: str = "cpu",
    cache: str | Path | None = None,
    dtype: str = "float32",
) -> Array:
    """Return the features of all pictures.

    A picture is resized to size x size, normalised as the backbone wants it, and sent through the network;
    the last layer's values are averaged over their places.

    Parameters
    ----------
    backbone : Backbone
    pictures : Pictures
        Grey ones are given to the network as red, green and blue alike.
    size : int, optional
        Side that the pictures are resized to, by torch's bilinear interpolation (with its anti-aliasing where
        pictures shrink); those of this size already stay as they are. Sides of unequal length become equal.
    batch_size : int, optional
        Pictures that go through the network together.
    device : str, optional
        "cpu" or "cuda".
    cache : path, optional
        A folder to keep the features in. They are found again by a checksum of all that they depend on; a
        damaged file is made anew. Without it nothing is kept.
    dtype : {"float32", "float64"}, optional
        In which the network computes. With float32 a picture's features change by up to 1e-5 of their norm
        with the batch size, the device and the version of torch; with float64 by some 1e-13, at 14 times
        the time on a CPU.

    Returns
    -------
    ndarray, shape (N, d)
        float64.

    Raises
    ------
    TypeError
        If `backbone` is no `Backbone`, or `pictures` are no `Pictures`.
    ValueError
        If the size is too small for the backbone, a number is no whole number of at least 1, there is no
        such device, or the network gives features of another shape than `Backbone` names.

    Notes
    -----
    Progress shows on a terminal only. Threads are left as torch has them. Cost: for EfficientNet-Lite0 at 64
    pixels 2 ms a picture on one core; kept features take 4 or 8 bytes a number.

    Examples
    --------
    >>> from lgd_lib.datasets import load_pictures
    >>> from lgd_lib.neural.weights import efficientnet_lite0
    >>> features(efficientnet_lite0(), load_pictures("fashion").take(range(3))).shape
    (3, 1280)
    """
    _check(backbone, pictures, size, batch_size, dtype)
    size, batch_size = int(size), int(batch_size)
    where = checked_device(device)
    key = _key(backbone, pictures, size, where.type, dtype)
    path = None if cache is None else Path(cache) / f"features-{key[:32]}.npz"
    kept = None if path is None else _kept(path, key, pictures.N)
    if kept is None:
        kept = _computed(backbone, pictures.images, size, batch_size, where, _DTYPES[dtype])
        if path is not None:
            storage.write(path, {"features": kept}, {"key": key, "sha256": _sha256(kept)})
    return kept.astype(np.float64)


def _check(backbone: Backbone, pictures: Pictures, size: int, batch_size: int, dtype: str) -> None:
    if not isinstance(backbone, Backbone):
        raise TypeError(
            f"backbone was a {type(backbone).__name__}; it must be a Backbone (see lgd_lib.neural.weights)"
        )
    if not isinstance(pictures, Pictures):
        raise TypeError(
            f"pictures was a {type(pictures).__name__}; it must be Pictures (see lgd_lib.datasets)"
        )
    for name, value in (("size", size), ("batch_size", batch_size)):
        if not is_count(value):
            raise ValueError(f"{name} was {value!r}; it must be a whole number of at least 1")
    if size < backbone.smallest:
        raise ValueError(f"size was {size}; {backbone.name} needs at least {backbone.smallest}")
    if dtype not in _DTYPES:
        raise ValueError(f"dtype was {dtype!r}; it must be 'float32' or 'float64'")


def _key(backbone: Backbone, pictures: Pictures, size: int, kind: str, dtype: str) -> str:
    """A checksum of all that the features depend on."""
    images = pictures.images
    parts = {
        "version": VERSION,
        "backbone": [backbone.name, backbone.sha256, [*backbone.mean], [*backbone.std]],
        "pictures": [_sha256(images), list(images.shape)],
        "made": [size, kind, dtype],
    }
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _sha256(array: NDArray[Any]) -> str:
    return hashlib.sha256(np.ascontiguousarray(array).data).hexdigest()


def _kept(path: Path, key: str, many: int) -> NDArray[Any] | None:
    """The features in the file, or None where there are none or they are not what was written."""
    try:
        arrays, note = storage.read(path)
        found = arrays["features"]
        whole = note["key"] == key and note["sha256"] == _sha256(found) and found.shape[0] == many
    except (FileNotFoundError, ValueError, KeyError):
        return None
    return found if whole else None


@torch.inference_mode()
def _computed(
    backbone: Backbone,
    images: NDArray[np.uint8],
    size: int,
    batch_size: int,
    device: torch.device,
    dtype: torch.dtype,
) -> NDArray[Any]:
    network = backbone.network(size).to(device, dtype)
    mean = torch.tensor(backbone.mean, device=device, dtype=dtype).reshape(3, 1, 1)
    std = torch.tensor(backbone.std, device=device, dtype=dtype).reshape(3, 1, 1)
    parts = []
    bar = progress(len(images), unit="img")
    # TensorFloat-32 would be wrong in the third digit.
    with torch.backends.cudnn.flags(enabled=True, allow_tf32=False), bar:
        for start in range(0, len(images), batch_size):
            batch = np.ascontiguousarray(images[start : start + batch_size])
            x = resized(torch.tensor(batch).to(device, dtype), size)
            parts.append(_extracted(backbone, network, (x - mean) / std).cpu().numpy())
            bar.update(len(batch))
    return np.concatenate(parts)


def resized(x: Tensor, size: int) -> Tensor:
    """Return pictures with their colours first, brought to size x size.

    Parameters
    ----------
    x : Tensor, shape (n, H, W) or (n, H, W, 3)
        Of floating point.
    size : int

    Returns
    -------
    Tensor, shape (n, 3, size, size)

    Notes
    -----
    Bilinear interpolation, with anti-aliasing where pictures shrink. Cost: none that counts.

    Examples
    --------
    >>> resized(torch.zeros(2, 28, 28), 64).shape
    torch.Size([2, 3, 64, 64])
    """
    x = x[:, None].expand(-1, 3, -1, -1) if x.ndim == 3 else x.permute(0, 3, 1, 2)
    if x.shape[2:] == (size, size):
        return x.contiguous()
    shrinks = max(x.shape[2:]) > size
    return nn.functional.interpolate(
        x.contiguous(), size=(size, size), mode="bilinear", align_corners=False, antialias=shrinks
    )


def _extracted(backbone: Backbone, network: nn.Module, x: Tensor) -> Tensor:
    found = backbone.extract(network, x)
    if not isinstance(found, Tensor) or found.ndim not in (2, 4) or found.shape[0] != len(x):
        shape = tuple(found.shape) if isinstance(found, Tensor) else type(found).__name__
        raise ValueError(
            f"extract of {backbone.name} gave {shape} for {len(x)} pictures; it must give (n, d) or "
            "(n, d, h, w)"
        )
    found = found.mean((2, 3)) if found.ndim == 4 else found
    if not bool(torch.isfinite(found).all()):
        raise ValueError(f"{backbone.name} gives features that are not finite for these pictures")
    return found
