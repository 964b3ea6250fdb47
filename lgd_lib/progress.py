"""A bar on a terminal, a line in a file for the build that shows it, and nothing anywhere else."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path
from typing import Protocol, cast

TOLD = "LGD_PROGRESS"
"""The environment variable that names the file."""


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


class Told:
    """A bar that writes what was done into a small file, at most twice a second.

    Parameters
    ----------
    path : Path
    total : int
    done : int
    unit : str

    Examples
    --------
    >>> with Told(Path("no-such-folder/line.txt"), 3) as bar:  # a file that cannot be written is no error
    ...     bar.update(3)
    """

    def __init__(self, path: Path, total: int, done: int = 0, unit: str = "it") -> None:
        self.path, self.total, self.done, self.unit = path, total, done, unit
        self.start, self.before, self.written = time.monotonic(), done, 0.0

    def __enter__(self) -> Told:
        """Begin."""
        self._write()
        return self

    def __exit__(self, *_: object) -> None:
        """End: what comes next has nothing to tell yet."""
        self._say("")

    def update(self, n: int = 1) -> None:
        """Say that n more are done.

        Parameters
        ----------
        n : int
        """
        self.done += n
        if time.monotonic() - self.written > 0.5:
            self._write()

    def _write(self) -> None:
        self.written = time.monotonic()
        text = f"{self.unit} {self.done:,} of {self.total:,}"
        if self.done > self.before:
            left = (self.written - self.start) * (self.total - self.done) / (self.done - self.before)
            text += f", {left / 60:.0f} min left" if left >= 90 else f", {left:.0f} s left"
        self._say(text)

    def _say(self, text: str) -> None:
        with suppress(OSError):  # a run does not end because nobody can be told how far it is
            self.path.write_text(text, encoding="utf8")


def progress(total: int, done: int = 0, unit: str = "it") -> Bar:
    """Return a bar to be used in a `with` statement: tqdm's, or a silent one where tqdm is not installed.

    Where the environment variable `LGD_PROGRESS` names a file, the bar is a line of text in it.

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
    if path := os.environ.get(TOLD):
        return Told(Path(path), total, done, unit)
    try:
        from tqdm import tqdm
    except ImportError:
        return Silence()
    return cast("Bar", tqdm(total=total, initial=done, unit=unit, disable=None, leave=False))
