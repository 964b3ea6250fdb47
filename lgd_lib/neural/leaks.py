"""A search of what was printed and written for words and for mails' tokens, in the forms that they take."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

RUN = 6
"""Tokens in a row that count as text of a mail."""
_BINARY = ("<i2", "<i4", "<i8", "<f4", "<f8")


def leaks(
    contents: Iterable[bytes], words: Sequence[str], ids: NDArray[np.int64], run: int = RUN
) -> list[int]:
    """Return the positions of those contents that hold a word, or some tokens in a row of a mail.

    Parameters
    ----------
    contents : iterable of bytes
        Files, and what was printed, encoded. Arrays in .npz and .npy files are read.
    words : sequence of str
        Looked for in any case.
    ids : ndarray of int, shape (n, T)
        Numbers of the mails' tokens, padded with 0.
    run : int
        Tokens in a row that are enough for a find. Fewer are not seen.

    Returns
    -------
    list of int

    Raises
    ------
    ValueError
        If no mail has `run` tokens, or an archive cannot be searched.

    Notes
    -----
    Tokens are found as decimal numbers in a text, whatever stands between them; as whole numbers in an array
    of any kind and order, along each of its axes; and as two, four or eight bytes each in any other file.
    What is packed, encrypted or put into another order is not found. Cost: seconds a megabyte.

    Examples
    --------
    >>> ids = np.array([[2, 17, 5, 9, 23, 8, 3, 0]])
    >>> leaks([b"nothing", b"a secret", b"[17, 5,\\n 9, 23, 8, 3]", ids.T.tobytes()], ["Secret"], ids)
    [1, 2, 3]
    """
    known = {found for row in ids for found in _runs(row[row != 0], run)}
    if not known:
        raise ValueError(f"run was {run}; no mail has as many tokens")

    def leaking(content: bytes) -> bool:
        parts = list(_parts(content))
        if any(word.lower() in _text(part) for part in (content, *parts) for word in words):
            return True
        return any(not known.isdisjoint(_runs(own, run)) for part in parts for own in _sequences(part))

    return [j for j, content in enumerate(contents) if leaking(content)]


def _runs(numbers: NDArray[Any], run: int) -> Iterator[tuple[int, ...]]:
    """All stretches of so many numbers."""
    listed = numbers.tolist()
    return zip(*(islice(listed, start, None) for start in range(run)), strict=False)


def _parts(content: bytes) -> Iterator[bytes | NDArray[Any]]:
    """The arrays of a file of NumPy's, those of bytes as bytes too; or the content of any other file."""
    if not content.startswith((b"PK\x03\x04", b"\x93NUMPY")):
        yield content
        return
    try:
        found = np.load(io.BytesIO(content), allow_pickle=False)
        parts = [found] if isinstance(found, np.ndarray) else [found[name] for name in found.files]
    except (OSError, ValueError, BadZipFile) as error:
        raise ValueError(f"contents has an archive that cannot be searched: {error}") from error
    for part in parts:
        if isinstance(part, bytes) or part.dtype.kind == "S" or part.dtype.itemsize == 1:
            yield bytes(part)
        if isinstance(part, np.ndarray):
            yield part


def _text(part: bytes | NDArray[Any]) -> str:
    if isinstance(part, bytes):
        return part.decode("latin-1").lower()
    return " ".join(map(str, part.ravel().tolist())).lower() if part.dtype.kind in "US" else ""


def _sequences(part: bytes | NDArray[Any]) -> Iterator[NDArray[np.int64]]:
    """The whole numbers that a part can be read as, in each order; -1 stands for what is none."""
    text = re.sub(r"\.0+\b", "", _text(part))
    yield np.array([int(digits) for digits in re.findall(r"\d{1,18}", text)], dtype=np.int64)
    if isinstance(part, np.ndarray):
        if part.dtype.kind in "biuf":
            for axis in range(part.ndim):
                yield _whole(np.moveaxis(part, axis, -1).ravel())
        return
    for kind in map(np.dtype, _BINARY):
        for start in range(kind.itemsize):
            yield _whole(np.frombuffer(part[start:], kind, (len(part) - start) // kind.itemsize))


def _whole(values: NDArray[Any]) -> NDArray[np.int64]:
    if values.dtype.kind != "f":
        return values.astype(np.int64)
    values = np.where(np.isfinite(values) & (np.abs(values) < 2**31), values, -1)
    rounded = values.astype(np.int64)
    return np.where(rounded == values, rounded, -1)
