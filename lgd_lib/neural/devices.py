"""The device that was asked for, or an error in words; torch's random draws and lack of memory."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import torch


def checked_device(device: str) -> torch.device:
    """Return the device named, if this machine has it.

    Parameters
    ----------
    device : str
        "cpu", "cuda", or "cuda:1" for the second GPU.

    Returns
    -------
    torch.device

    Raises
    ------
    ValueError
        If it is another word, or this machine has no such GPU.

    Notes
    -----
    Cost: none.

    Examples
    --------
    >>> checked_device("cpu")
    device(type='cpu')
    """
    named = re.fullmatch(r"cpu|cuda(?::(\d+))?", str(device))
    if not named:
        raise ValueError(f"device was {device!r}; it must be 'cpu', 'cuda' or 'cuda:' and a number")
    if device == "cpu":
        return torch.device("cpu")
    there = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if int(named[1] or 0) >= there:
        found = f"finds {there} GPU(s)" if there else "finds no GPU"
        raise ValueError(f"device was {device!r}, but torch {torch.__version__} {found} here; try 'cpu'")
    return torch.device(device)


@contextmanager
def seeded(seed: int, device: torch.device) -> Iterator[None]:
    """Let torch draw from a seed inside a `with` statement, and give its own random state back afterwards.

    Parameters
    ----------
    seed : int
    device : torch.device
        On a GPU its stream is seeded too.

    Yields
    ------
    None

    Notes
    -----
    Cost: a copy of the random state, some microseconds.

    Examples
    --------
    >>> with seeded(3, torch.device("cpu")):
    ...     first = torch.rand(1)
    >>> with seeded(3, torch.device("cpu")):
    ...     print(torch.rand(1) == first)
    tensor([True])
    """
    gpus = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(gpus):
        torch.default_generator.manual_seed(seed)
        for gpu in gpus:
            with torch.cuda.device(gpu):
                torch.cuda.manual_seed(seed)
        yield


def out_of_memory(error: Exception) -> bool:
    """Return whether an error says that memory does not suffice.

    Parameters
    ----------
    error : Exception
        Torch tells it in several ways.

    Returns
    -------
    bool

    Notes
    -----
    Cost: none.

    Examples
    --------
    >>> out_of_memory(RuntimeError("DefaultCPUAllocator: can't allocate memory")), out_of_memory(KeyError())
    (True, False)
    """
    words = ("out of memory", "can't allocate memory", "not enough memory")
    known = isinstance(error, (MemoryError, torch.OutOfMemoryError))
    return known or any(word in str(error).lower() for word in words)
