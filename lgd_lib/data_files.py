"""Where the files of data/ are looked for, and how they are checked before anything of them is read."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

_MANIFEST = "MANIFEST.json"
_FIELDS = {
    "table": ("file", "sha256", "divisor", "group_names", "task", "licence", "source"),
    "pictures": ("file", "sha256", "class_names", "group_names", "licence", "source"),
    "roles": ("file", "sha256", "licence", "source"),
}
_LOADERS = {"table": "load", "pictures": "load_pictures", "roles": "load_roles"}
_HOW_TO_GET = (
    "The data sets lie in the data/ folder of the book's repository: pass a copy of that folder as root or "
    "name it in LGD_DATA. `python -m lgd_lib.data_sources --help` says how each file is made again."
)


def checked(name: str, kind: str, root: str | Path | None = None) -> tuple[bytes, dict[str, Any]]:
    """Return the bytes of a data set's file, whose checksum is the manifest's, and its manifest entry.

    Parameters
    ----------
    name : str
    kind : {"table", "pictures", "roles"}
        What the caller can read; a set of the other kind is refused.
    root : path, optional
        The only folder to look at. By default `data/` in the checkout this library runs from is tried, then
        the environment variable LGD_DATA.

    Returns
    -------
    content : bytes
    entry : dict

    Raises
    ------
    FileNotFoundError
        If no folder with a manifest is found, or the file that the manifest lists is missing.
    ValueError
        If the name is not that of a set of this kind, the manifest cannot be read, or the file's checksum is
        not the manifest's.

    Notes
    -----
    Cost: reading and hashing the file.

    Examples
    --------
    >>> content, entry = checked("gasoline", "table")
    >>> len(content) == entry["bytes"]
    True
    """
    tried = _roots(root)
    folders = [folder for folder in tried if (folder / _MANIFEST).is_file()]
    if not folders:
        raise FileNotFoundError(f"no {_MANIFEST} in {_listed(tried)}. {_HOW_TO_GET}")
    manifests = {folder: _manifest(folder) for folder in folders}
    known = {entry: m[entry]["kind"] for m in manifests.values() for entry in m}
    if known.get(name) != kind:
        names = ", ".join(repr(other) for other in sorted(known) if known[other] == kind)
        hint = f"; {name!r} is read by {_LOADERS[known[name]]}" if name in known else ""
        raise ValueError(f"name was {name!r}; it must be one of {names}{hint}")
    files = {folder / m[name]["file"]: m[name] for folder, m in manifests.items() if name in m}
    for path, entry in files.items():
        if path.is_file():
            return _content(path, entry), entry
    raise FileNotFoundError(f"the file of {name!r} is missing: {_listed(list(files))}. {_HOW_TO_GET}")


def _roots(root: str | Path | None) -> list[Path]:
    if root is not None:
        return [Path(root)]
    named = os.environ.get("LGD_DATA")
    return [Path(__file__).resolve().parents[1] / "data", *([Path(named)] if named else [])]


def _listed(paths: list[Path]) -> str:
    return " or ".join(map(str, paths))


def _manifest(folder: Path) -> dict[str, dict[str, Any]]:
    """Entries by name, each with the fields that its reader needs; a set is a table unless it says so."""
    path = folder / _MANIFEST
    try:
        entries = {
            entry["name"]: {"kind": "table"} | entry
            for entry in json.loads(path.read_text(encoding="utf-8"))["datasets"]
        }
        lacking = [
            field for entry in entries.values() for field in _FIELDS[entry["kind"]] if field not in entry
        ]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} is damaged ({error!r}). Restore it from the book's repository.") from error
    if lacking:
        raise ValueError(f"{path} is damaged (no {lacking[0]!r}). Restore it from the book's repository.")
    return entries


def _content(path: Path, entry: dict[str, Any]) -> bytes:
    content = path.read_bytes()
    found = hashlib.sha256(content).hexdigest()
    if found != entry["sha256"]:
        raise ValueError(
            f"{path} is damaged: its sha256 must be {entry['sha256']}, but it is {found}. Restore it from "
            f"the book's repository (git checkout -- data/{path.name}), or make it again with "
            "`python -m lgd_lib.data_sources`."
        )
    return content
