"""Which nodes take part in a round; None, the default of `rounds`, means all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lgd_lib.validation import is_count, per_node


@dataclass(frozen=True)
class Subset:
    """m nodes, drawn without replacement, each set equally likely.

    Parameters
    ----------
    m : int
        How many take part, at most M.

    Raises
    ------
    ValueError
        If m is no whole number of at least 1; at the first round, if m > M.

    Notes
    -----
    Source: standard. Cost: O(M) a round.

    Examples
    --------
    >>> Subset(2)(0, 5, np.random.default_rng(0)).size
    2
    """

    m: int

    def __post_init__(self) -> None:
        if not is_count(self.m):
            raise ValueError(f"m was {self.m!r}; it must be a whole number of at least 1")

    def __call__(self, k: int, M: int, rng: np.random.Generator) -> NDArray[np.int64]:
        """The nodes of round k, ascending."""
        if self.m > M:
            raise ValueError(f"m was {self.m}; it must be at most the number of nodes M = {M}")
        return np.sort(rng.choice(M, int(self.m), replace=False))


@dataclass(frozen=True)
class Bernoulli:
    """Each node by itself with probability q; a round may have nobody.

    Parameters
    ----------
    q : float or sequence of M floats
        Probabilities in (0, 1].

    Raises
    ------
    ValueError
        If a probability is outside (0, 1]; at the first round, if there are not M of them.

    Notes
    -----
    Source: standard. Cost: O(M) a round.

    Examples
    --------
    >>> Bernoulli(1.0)(0, 3, np.random.default_rng(0))
    array([0, 1, 2])
    """

    q: float | Sequence[float]

    def __post_init__(self) -> None:
        values = np.atleast_1d(np.asarray(self.q, dtype=np.float64))
        if not ((values > 0) & (values <= 1)).all():
            raise ValueError(f"q was {self.q!r}; every probability must be above 0 and at most 1")

    def __call__(self, k: int, M: int, rng: np.random.Generator) -> NDArray[np.int64]:
        """The nodes of round k, ascending."""
        return np.flatnonzero(rng.random(M) < per_node("q", self.q, M))
