"""Features of pictures from a frozen backbone, kept in a checked cache."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lgd_lib.neural.weights import Backbone
from lgd_lib.pictures import Pictures


def features(
    backbone: Backbone,
    pictures: Pictures,
    size: int = 64,
    batch_size: int = 64,
    device: str = "cpu",
    cache: str | Path | None = None,
) -> NDArray[np.float64]:
    """Return the features of all pictures, shape (N, d), float64; kept in the folder `cache` if one is named."""
    raise NotImplementedError
