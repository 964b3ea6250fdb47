"""What the command line has to know of an experiment."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lgd_lib.neural.results import Results


@dataclass(frozen=True)
class Option:
    """One option that an experiment has besides those that all have.

    Parameters
    ----------
    name : str
        With underscores; `--name` with hyphens on the command line.
    help : str
        One line.
    kind : callable
        From the word on the command line to the value, such as `Path`; a ValueError is told in words.
    default : object
    required : bool

    Examples
    --------
    >>> Option("mail", "folder of mails", Path, required=True).name
    'mail'
    """

    name: str
    help: str
    kind: Callable[[str], Any] = str
    default: Any = None
    required: bool = False


@dataclass(frozen=True)
class Asked:
    """With what an experiment is to be run.

    Parameters
    ----------
    sizes : dataclass
        One of the experiment's sizes.
    seeds : tuple of int
    device : str
    path : Path or None
        File of results, gone on with if it is there.
    seconds : float
        After which the work stops at the next point where it is saved.
    cache : Path or None
        Folder for what is computed once, such as features.
    options : mapping of str to object
        Values of the experiment's own options.

    Examples
    --------
    >>> Asked(sizes=None, seeds=(0,)).device
    'cpu'
    """

    sizes: Any
    seeds: tuple[int, ...]
    device: str = "cpu"
    path: Path | None = None
    seconds: float = math.inf
    cache: Path | None = None
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Experiment:
    """An experiment by its name.

    Parameters
    ----------
    name : str
        On the command line, in the file of results, and of that file.
    summary : str
        One line.
    sizes : mapping of str to dataclass
        "ci" and "full", or "full" alone.
    run : callable
        From what is asked to the results.
    options : tuple of Option

    Examples
    --------
    >>> Experiment("none", "Does nothing.", {}, lambda asked: {"finished": True}).options
    ()
    """

    name: str
    summary: str
    sizes: Mapping[str, Any]
    run: Callable[[Asked], Results]
    options: tuple[Option, ...] = ()
