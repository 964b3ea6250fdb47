"""The samples that a node draws for its stochastic steps."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

BLOCK = 1000
"""Steps whose batches are drawn at once, with replacement."""


def batches(
    stream: np.random.Generator, N: int, batch_size: int, L: int, replace: bool
) -> Iterator[NDArray[np.int64]]:
    """Yield the sample numbers of L steps, some steps at a time.

    Parameters
    ----------
    stream : Generator
    N : int
        Samples of the node.
    batch_size : int
    L : int
        Steps.
    replace : bool

    Yields
    ------
    ndarray of int, shape (steps, batch_size)
        One step a row, an epoch at a time without replacement; -1 fills the end of an epoch's last batch.

    Notes
    -----
    A batch of all samples, without replacement, draws nothing. Cost: none beyond the draws.

    Examples
    --------
    >>> next(batches(np.random.default_rng(0), N=3, batch_size=2, L=2, replace=False))
    array([[ 2,  0],
           [ 1, -1]])
    """
    if not replace and batch_size == N:
        yield from np.split(np.tile(np.arange(N), (L, 1)), range(BLOCK, L, BLOCK))
        return
    steps = BLOCK if replace else -(-N // batch_size)
    for done in range(0, L, steps):
        if replace:
            drawn = stream.integers(N, size=(min(steps, L - done), batch_size))
        else:
            drawn = np.full(steps * batch_size, -1)
            drawn[:N] = stream.permutation(N)
            drawn = drawn.reshape(steps, batch_size)[: L - done]
        yield drawn
