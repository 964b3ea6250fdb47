"""A bar on a terminal, and nothing anywhere else."""

from __future__ import annotations

from typing import Protocol, cast


class Bar(Protocol):
    """What shows how far a run has come."""

    def __enter__(self) -> object:
        """Begin."""

    def __exit__(self, *_: object) -> object:
        """End."""

    def update(self, n: int = 1) -> object:
        """Say that n more are done.

        Parameters
        ----------
        n : int

        Returns
        -------
        object
            Nothing of use.
        """


class Silence:
    """A bar that shows nothing.

    Examples
    --------
    >>> with Silence() as bar:
    ...     bar.update(3)
    """

    def __enter__(self) -> Silence:
        """Nothing to begin."""
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing to put away."""

    def update(self, n: int = 1) -> None:
        """Nothing to show.

        Parameters
        ----------
        n : int
        """


def progress(total: int, done: int = 0, unit: str = "it") -> Bar:
    """Return a bar to be used in a `with` statement: tqdm's, or a silent one where tqdm is not installed.

    Parameters
    ----------
    total : int
        How many there are.
    done : int
        How many are done already.
    unit : str
        What is counted.

    Returns
    -------
    Bar
        Its `update(n)` says that n more are done.

    Notes
    -----
    Shown on a terminal only, on standard error. Cost: none that counts.

    Examples
    --------
    >>> with progress(2, unit="round") as bar:
    ...     _ = bar.update()
    """
    try:
        from tqdm import tqdm
    except ImportError:
        return Silence()
    return cast("Bar", tqdm(total=total, initial=done, unit=unit, disable=None, leave=False))
