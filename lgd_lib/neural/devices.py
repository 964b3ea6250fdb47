"""The device that was asked for, or an error in words."""

from __future__ import annotations

import re

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
