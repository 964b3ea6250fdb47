"""Arrays and a JSON note in one .npz file: written whole or not at all, read without unpickling."""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

NOTE = "note.json"
DAMAGE = (KeyError, TypeError, ValueError, OSError, EOFError, RuntimeError, zipfile.BadZipFile)
"""What a damaged file may raise when it is read."""


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
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    packed = {name: np.asarray(array) for name, array in arrays.items()}
    packed[NOTE] = np.frombuffer(json.dumps(note).encode(), dtype=np.uint8)
    temporary = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        with temporary.open("wb") as file:
            np.savez(file, allow_pickle=False, **packed)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


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
