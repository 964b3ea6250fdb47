"""What each of many users holds, to train on and held out: the form that roles and LEAF's files take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Arrays = tuple[NDArray[Any], ...]


@dataclass(frozen=True, eq=False)
class Users:
    """Samples of each user, those to train on and those held out.

    Parameters
    ----------
    names : tuple of M str
    groups : tuple of M str
        What each user belongs to, such as the play of a role; empty where that is not known.
    X, y : tuple of M ndarray
        Inputs and targets to train on, shapes (N_i, ...): N_i >= 1, and the rest is the same for all.
    X_test, y_test : tuple of M ndarray
        Those held out; a user may have none.
    alphabet : str
        Where inputs are text: they hold positions in this string.

    Raises
    ------
    ValueError
        If the lengths do not agree, a user has nothing to train on, or the samples are of different kinds.

    Examples
    --------
    >>> one = (np.zeros((3, 2)),)
    >>> Users(("ann",), (), one, (np.arange(3),), one, (np.arange(3),), "").M
    1
    """

    names: tuple[str, ...]
    groups: tuple[str, ...]
    X: Arrays
    y: Arrays
    X_test: Arrays
    y_test: Arrays
    alphabet: str

    def __post_init__(self) -> None:
        for field in ("X", "y", "X_test", "y_test", "groups"):
            n = len(getattr(self, field))
            if n != len(self.names) and not (field == "groups" and n == 0):
                raise ValueError(f"{field} has {n} entries; there are {len(self.names)} users")
        for i, name in enumerate(self.names):
            for inputs, targets in ((self.X[i], self.y[i]), (self.X_test[i], self.y_test[i])):
                if len(inputs) != len(targets):
                    raise ValueError(f"user {name!r} has {len(inputs)} inputs and {len(targets)} targets")
                kinds = [(a.shape[1:], a.dtype) for a in (inputs, targets, self.X[0], self.y[0])]
                if kinds[:2] != kinds[2:]:
                    raise ValueError(f"user {name!r} has samples of {kinds[:2]}, the first user {kinds[2:]}")
            if not len(self.X[i]):
                raise ValueError(f"user {name!r} has nothing to train on")

    @property
    def M(self) -> int:
        """Number of users."""
        return len(self.names)

    @property
    def sizes(self) -> NDArray[np.int64]:
        """N_i, samples to train on, shape (M,)."""
        return np.array([len(own) for own in self.y], np.int64)

    def index(self, name: str) -> int:
        """Return the position of a user.

        Parameters
        ----------
        name : str

        Returns
        -------
        int
        """
        if name not in self.names:
            some = ", ".join(map(repr, self.names[:3]))
            raise ValueError(f"name was {name!r}; there is no such user among {self.M}, such as {some}")
        return self.names.index(name)

    def take(self, index: ArrayLike | Sequence[int]) -> Users:
        """Return some of the users, in the order of `index`.

        Parameters
        ----------
        index : array_like of int, shape (m,), or of bool, shape (M,)
            Positions, or True for each user to keep.

        Returns
        -------
        Users
        """
        chosen = np.arange(self.M)[np.asarray(index)].tolist()

        def some(field: tuple[Any, ...]) -> tuple[Any, ...]:
            return tuple(field[i] for i in chosen) if field else ()

        held_out = some(self.X_test), some(self.y_test)
        return Users(
            some(self.names), some(self.groups), some(self.X), some(self.y), *held_out, self.alphabet
        )
