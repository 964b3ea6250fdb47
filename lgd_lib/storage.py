"""Arrays and a JSON note in one .npz file: written whole or not at all, read without unpickling."""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from glob import escape
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

NOTE = "note.json"
DAMAGE = (KeyError, TypeError, ValueError, OSError, EOFError, RuntimeError, zipfile.BadZipFile)
"""What a damaged file may raise when it is read."""


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Let a `with` statement write a file beside `path`, which takes its place when it is complete.

    Parameters
    ----------
    path : Path
        Where the file is to be; folders are made.

    Yields
    ------
    Path
        Where to write it. If the block fails, that file is removed and the one at `path` stays.

    Notes
    -----
    Its name holds the number of the process, so that two that write the same do not get mixed up. What a
    killed process has left of the same file is removed at the end, except on Windows, which cannot be asked
    without harm whether a process lives. Cost: a rename.

    Examples
    --------
    >>> with replacing(Path("notes.txt")) as part:  # doctest: +SKIP
    ...     part.write_text("whole or not at all")
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        yield part
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    for other in path.parent.glob(f"{escape(path.name)}.*.part"):
        if not _lives(other.suffixes[-2].removeprefix(".")):
            other.unlink(missing_ok=True)


def _lives(process: str) -> bool:
    """Whether there may be a process of this number."""
    if os.name != "posix" or not process.isdecimal():
        return True
    try:
        os.kill(int(process), 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass
    return True


def write(path: str | Path, arrays: Mapping[str, NDArray[Any]], note: Mapping[str, Any]) -> None:
    """Write arrays and a note to `path`, replacing an older file only when the new one is complete.

    Parameters
    ----------
    path : str or Path
        Where to write; folders are made.
    arrays : mapping of str to ndarray
    note : mapping
        Anything that JSON holds.

    Raises
    ------
    ValueError
        If an array holds Python objects.

    Notes
    -----
    Cost: one write of the arrays, uncompressed, then a rename.

    Examples
    --------
    >>> write("run.npz", {"w": np.ones(2)}, {"k": 3})  # doctest: +SKIP
    """
    packed = {name: np.asarray(array) for name, array in arrays.items()}
    packed[NOTE] = np.frombuffer(json.dumps(note).encode(), dtype=np.uint8)
    with replacing(Path(path)) as part, part.open("wb") as file:
        np.savez(file, allow_pickle=False, **packed)
        file.flush()
        os.fsync(file.fileno())


def read(path: str | Path) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """Return the arrays and the note of a file made by `write`.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    arrays : dict of str to ndarray
    note : dict

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is damaged or was not made by `write`.

    Notes
    -----
    Nothing is unpickled. Cost: one read of the file.

    Examples
    --------
    >>> arrays, note = read("run.npz")  # doctest: +SKIP
    """
    try:
        with Path(path).open("rb") as raw, np.load(raw, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        note = json.loads(arrays.pop(NOTE).tobytes())
        if not isinstance(note, dict):
            raise ValueError("its note is no mapping")
    except FileNotFoundError:
        raise
    except DAMAGE as error:
        raise ValueError(f"path {str(path)!r} is damaged, or was not saved by lgd_lib: {error}") from error
    return arrays, note
