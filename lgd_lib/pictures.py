"""Pictures with labels: the committed sets, checked before they are read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


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

    @property
    def N(self) -> int:
        """Number of pictures."""
        return len(self.labels)

    def take(self, index: NDArray[Any]) -> Pictures:
        """Return some of the pictures, with all that belongs to them, in the order of `index`."""
        raise NotImplementedError


def load_pictures(name: str, root: str | Path | None = None) -> Pictures:
    """Return a set of pictures of the book ("emoji" or "fashion") after checking its file."""
    raise NotImplementedError
