"""What a run is made of, in words short enough to save: so that only the same run goes on from a file."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Mapping, Sized
from typing import Any

import numpy as np
from numpy.typing import NDArray

SAMPLED = 64
"""Entries of an array, or of a sequence, that are looked at."""
LONGEST = 100
"""Letters of a description, beyond which the rest is a hash."""


def described(part: object) -> str:
    """Return what tells one problem, local solver or aggregation from another, in one short line.

    Names of classes with their fields, but for fields that are not compared; of an array its type, its shape
    and a hash of some of its entries.

    Parameters
    ----------
    part : object

    Returns
    -------
    str
        The same in every process. Functions count as equal, since they have no contents that can be compared.

    Notes
    -----
    At most `SAMPLED` entries of an array are looked at, rounded to six digits of the largest of them: another
    draw or scale of the data is noticed, a change of a single entry need not be, and rounding is not.
    Cost: some microseconds for each array.

    Examples
    --------
    >>> from lgd_lib import GradientSteps
    >>> described(GradientSteps(0.1, 10))
    "GradientSteps(eta=0.1, L=10, loss='squared')"
    >>> described(np.ones((2, 3)))
    'float64 (2, 3) 1e2c4a'
    """
    text = _text(part)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}... {_hash(text.encode())}"


def _text(part: Any) -> str:
    name = type(part).__name__
    if isinstance(part, np.ndarray):
        return f"{part.dtype} {part.shape} {_hash(_entries(part))}"
    if isinstance(part, np.generic):
        return repr(part.item())
    if part is None or isinstance(part, (bool, int, float, str)):
        return repr(part)
    if dataclasses.is_dataclass(part) and not isinstance(part, type):
        names = [field.name for field in dataclasses.fields(part) if field.compare]
        return f"{name}({', '.join(f'{own}={_text(getattr(part, own))}' for own in names)})"
    if isinstance(part, Callable):  # type: ignore[arg-type]
        return "a function"
    if isinstance(part, Mapping):
        return "{" + ", ".join(f"{key}: {_text(value)}" for key, value in part.items()) + "}"
    if isinstance(part, (list, tuple)):
        some = ", ".join(_text(entry) for entry in part[:: 1 + len(part) // SAMPLED])
        return f"[{some}]" if len(part) < SAMPLED else f"{len(part)} of [{some}]"
    return f"{name} of {len(part)}" if isinstance(part, Sized) else name


def _entries(array: NDArray[Any]) -> bytes:
    """Some entries, evenly spread, without a copy of the array."""
    some = array.flat[:: 1 + array.size // SAMPLED]
    if array.dtype.kind not in "fiu":
        return repr(some.tolist()).encode()
    largest = float(np.abs(some).max(initial=0.0))
    with np.errstate(invalid="ignore"):
        shares = np.round(some / (largest or 1.0), 6) + 0.0
    return f"{largest:.6g}".encode() + shares.astype("<f8").tobytes()


def _hash(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=3).hexdigest()
