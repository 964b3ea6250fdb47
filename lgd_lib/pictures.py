"""Pictures with labels: the committed sets, checked before they are read."""

from __future__ import annotations

import io
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lgd_lib.data_files import checked


@dataclass(frozen=True, eq=False)
class Pictures:
    """Pictures with labels, as they are: bytes from 0 to 255, nothing centred or scaled.

    Parameters
    ----------
    name : str
    images : ndarray of uint8, shape (N, H, W) or (N, H, W, 3)
        Grey, or red, green and blue. Read-only.
    labels : ndarray of int, shape (N,)
        Indices into `class_names`.
    class_names : tuple of str
    groups : ndarray of int, shape (N,), or None
        Which natural node each picture belongs to: an index into `group_names`.
    group_names : tuple of str
        Empty where there are no groups.
    names : tuple of str
        What each picture shows, for a person to read; empty where the source has no names.
    held_out : ndarray of bool, shape (N,)
        True for the pictures that the set keeps for testing.
    licence : str
        SPDX identifiers of the set's own licences, with AND between them.
    source : str
        Where the set comes from.

    Raises
    ------
    TypeError
        If the pictures, labels, groups or `held_out` are no arrays.
    ValueError
        If the pictures are not bytes of one of these shapes, the lengths differ, or a label or a group has
        no name.

    Notes
    -----
    Cost: none.

    Examples
    --------
    >>> one = np.zeros(1, int)
    >>> grey = np.zeros((1, 4, 4), np.uint8)
    >>> Pictures("tiny", grey, one, ("dark",), None, (), (), one == 1, "MIT", "made up").N
    1
    """

    name: str
    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    class_names: tuple[str, ...]
    groups: NDArray[np.int64] | None
    group_names: tuple[str, ...]
    names: tuple[str, ...]
    held_out: NDArray[np.bool_]
    licence: str
    source: str

    def __post_init__(self) -> None:
        for field in ("images", "labels", "held_out", "groups"):
            value = getattr(self, field)
            if not isinstance(value, np.ndarray) and not (field == "groups" and value is None):
                raise TypeError(f"{field} was a {type(value).__name__}; it must be an array")
        shape = np.shape(self.images)
        if self.images.dtype != np.uint8 or len(shape) not in (3, 4) or (len(shape) == 4 and shape[3] != 3):
            raise ValueError(
                f"images has shape {shape} and dtype {self.images.dtype}; it must be (N, H, W) "
                "or (N, H, W, 3) and uint8"
            )
        if min(shape) == 0:
            raise ValueError(f"images has shape {shape}; there must be a picture, and it a pixel")
        for field in ("labels", "held_out", "groups", "names"):
            value = getattr(self, field)
            if value is not None and len(value) != shape[0] and not (field == "names" and not value):
                raise ValueError(f"{field} has {len(value)} entries; there are {shape[0]} pictures")
        for field, names in (("labels", self.class_names), ("groups", self.group_names)):
            value = getattr(self, field)
            if value is not None and (value.min() < 0 or value.max() >= len(names)):
                raise ValueError(
                    f"{field} has entries from {value.min()} to {value.max()}; they must lie in 0 to "
                    f"{len(names) - 1}"
                )

    @property
    def N(self) -> int:
        """Number of pictures."""
        return len(self.labels)

    def take(self, index: ArrayLike) -> Pictures:
        """Return some of the pictures, with all that belongs to them, in the order of `index`.

        Parameters
        ----------
        index : array_like of int, shape (n,), or of bool, shape (N,)
            Positions, or True for each picture to keep.

        Returns
        -------
        Pictures
        """
        chosen = np.arange(self.N)[np.asarray(index)]
        return replace(
            self,
            images=_frozen(self.images[chosen]),
            labels=_frozen(self.labels[chosen]),
            groups=None if self.groups is None else _frozen(self.groups[chosen]),
            names=tuple(self.names[i] for i in chosen) if self.names else (),
            held_out=_frozen(self.held_out[chosen]),
        )


def load_pictures(name: str, root: str | Path | None = None) -> Pictures:
    """Return a set of pictures of the book after checking its file against the checksum in the manifest.

    Parameters
    ----------
    name : str
        "emoji": emoji of four vendors, 64 x 64 in colour, where the vendors are the natural nodes and an
        emoji that is held out is held out of every vendor. "fashion": 5,000 pictures of Fashion-MNIST,
        28 x 28 in grey, 1,000 of them held out.
    root : path, optional
        A folder with MANIFEST.json, such as the checkout's `data/`; only it is looked at. By default
        `data/` in the checkout this library runs from is tried, then the environment variable LGD_DATA.

    Returns
    -------
    Pictures

    Raises
    ------
    FileNotFoundError
        If no folder with a manifest is found, or the file that the manifest lists is missing.
    ValueError
        If the name is not that of a set of pictures in the manifest, the manifest cannot be read, or the
        file's checksum is not the manifest's.

    Notes
    -----
    Nothing of a file is parsed before its sha256 has been checked, and no pickled object is ever read.
    Cost: reading, hashing and unpacking the file (half a second for "emoji", whose pictures take 73 MB).

    Examples
    --------
    >>> fashion = load_pictures("fashion")
    >>> fashion.images.shape, len(fashion.class_names), fashion.licence
    ((5000, 28, 28), 10, 'MIT')
    """
    content, entry = checked(name, "pictures", root)
    with np.load(io.BytesIO(content), allow_pickle=False) as stored:
        arrays = {key: stored[key] for key in stored}
    groups = arrays["group"].astype(np.int64) if "group" in arrays else None
    return Pictures(
        name,
        _frozen(arrays["image"]),
        _frozen(arrays["label"].astype(np.int64)),
        tuple(entry["class_names"]),
        None if groups is None else _frozen(groups),
        tuple(entry["group_names"]),
        tuple(arrays["name"].tolist()) if "name" in arrays else (),
        _frozen(arrays["held_out"].astype(np.bool_)),
        entry["licence"],
        f"{entry['source']['package']} {entry['source']['version']}",
    )


def _frozen(array: NDArray[Any]) -> NDArray[Any]:
    array.flags.writeable = False
    return array
