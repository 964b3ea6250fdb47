"""Text by speaking role: the committed set, checked before it is read, and its windows for learning."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lgd_lib.data_files import checked
from lgd_lib.users import Users
from lgd_lib.validation import is_count


@dataclass(frozen=True, eq=False)
class Roles:
    """What each speaking role says.

    Parameters
    ----------
    name : str
    texts : tuple of M str
        In the order of the play; a line of print ends in a newline.
    roles : tuple of M str
        Names, as printed before their speeches.
    plays : tuple of M str
    alphabet : str
        All characters that occur, sorted.
    licence : str
        SPDX identifier.
    source : str
        Where the set comes from.

    Raises
    ------
    ValueError
        If there is no role, the lengths differ, or a character is not in the alphabet.

    Notes
    -----
    Cost: a pass over the text.

    Examples
    --------
    >>> Roles("tiny", ("Adieu.\\n",), ("TOM",), ("A Play",), "\\n.Adeiu", "MIT", "made up").M
    1
    """

    name: str
    texts: tuple[str, ...]
    roles: tuple[str, ...]
    plays: tuple[str, ...]
    alphabet: str
    licence: str
    source: str

    def __post_init__(self) -> None:
        lengths = {len(self.texts), len(self.roles), len(self.plays)}
        if len(lengths) > 1 or not self.texts:
            raise ValueError(
                f"texts, roles and plays have {len(self.texts)}, {len(self.roles)} and {len(self.plays)} "
                "entries; they must be as many, and one or more"
            )
        unknown = set().union(*self.texts) - set(self.alphabet)
        if unknown:
            raise ValueError(f"alphabet lacks {min(unknown)!r}, which occurs in the texts")

    @property
    def M(self) -> int:
        """Number of roles."""
        return len(self.roles)

    @property
    def sizes(self) -> NDArray[np.int64]:
        """Characters of each role, shape (M,)."""
        return np.array([len(text) for text in self.texts], np.int64)

    def take(self, index: ArrayLike) -> Roles:
        """Return some of the roles, in the order of `index`, with the same alphabet.

        Parameters
        ----------
        index : array_like of int, shape (m,), or of bool, shape (M,)
            Positions, or True for each role to keep.

        Returns
        -------
        Roles
        """
        chosen = np.arange(self.M)[np.asarray(index)].tolist()
        texts, roles, plays = (tuple(f[i] for i in chosen) for f in (self.texts, self.roles, self.plays))
        return Roles(self.name, texts, roles, plays, self.alphabet, self.licence, self.source)


def load_roles(name: str, root: str | Path | None = None) -> Roles:
    """Return a set of texts by speaking role after checking its file against the checksum in the manifest.

    Parameters
    ----------
    name : str
        "shakespeare": what each role with at least 1,000 characters says in 36 plays.
    root : path, optional
        A folder with MANIFEST.json, such as the checkout's `data/`; only it is looked at. By default
        `data/` in the checkout this library runs from is tried, then the environment variable LGD_DATA.

    Returns
    -------
    Roles

    Raises
    ------
    FileNotFoundError
        If no folder with a manifest is found, or the file that the manifest lists is missing.
    ValueError
        If the name is not that of a set of roles in the manifest, the manifest cannot be read, or the file's
        checksum is not the manifest's.

    Notes
    -----
    Nothing of a file is parsed before its sha256 has been checked, and no pickled object is ever read.
    Cost: reading, hashing and unpacking the file, a tenth of a second.

    Examples
    --------
    >>> shakespeare = load_roles("shakespeare")
    >>> shakespeare.M, len(set(shakespeare.plays)), shakespeare.roles[shakespeare.sizes.argmax()]
    (616, 36, 'HAM')
    """
    content, entry = checked(name, "roles", root)
    with np.load(io.BytesIO(content), allow_pickle=False) as stored:
        text = stored["text"].tobytes().decode("ascii")
        ends = np.cumsum(stored["length"]).tolist()
        roles, plays = tuple(stored["role"].tolist()), tuple(stored["play"].tolist())
    texts = tuple(text[start:end] for start, end in zip([0, *ends], ends, strict=False))
    source = f"{entry['source']['package']} {entry['source']['version']}"
    return Roles(name, texts, roles, plays, "".join(sorted(set(text))), entry["licence"], source)


def windows(roles: Roles, length: int = 80, held_out: float = 0.2) -> Users:
    """Return each role's text in windows to learn the next character from; the end of the text is held out.

    Input t of a window is a character, target t the one after it. Windows follow each other without overlap
    of their targets; what is left at the end of a part is not used.

    Parameters
    ----------
    roles : Roles
    length : int
        Characters of a window.
    held_out : float
        Share of each role's text, at its end; no target to train on lies in it, and no held-out input before
        it.

    Returns
    -------
    Users
        With arrays of shape (N_i, length) of positions in the alphabet; groups are the plays.

    Raises
    ------
    ValueError
        If length is no whole number of at least 1, held_out is not inside (0, 1), the alphabet has more than
        256 characters, or a role's text is too short for one window in each part.

    Notes
    -----
    Source: ours, after LEAF, where every character is the target of a sample of its own. Cost: a pass over
    the text.

    Examples
    --------
    >>> tiny = Roles("tiny", ("abcabcabca",), ("TOM",), ("A Play",), "abc", "MIT", "made up")
    >>> users = windows(tiny, length=3, held_out=0.4)
    >>> users.X[0].tolist(), users.y[0].tolist(), users.X_test[0].tolist()
    ([[0, 1, 2]], [[1, 2, 0]], [[0, 1, 2]])
    """
    if not is_count(length):
        raise ValueError(f"length was {length!r}; it must be a whole number of at least 1")
    if not 0 < held_out < 1:
        raise ValueError(f"held_out was {held_out!r}; it must be above 0 and below 1")
    if len(roles.alphabet) > 256:
        raise ValueError(f"alphabet has {len(roles.alphabet)} characters; at most 256 fit into a byte")
    position = {character: i for i, character in enumerate(roles.alphabet)}
    train: list[tuple[NDArray[np.uint8], NDArray[np.uint8]]] = []
    test: list[tuple[NDArray[np.uint8], NDArray[np.uint8]]] = []
    for role, text in zip(roles.roles, roles.texts, strict=True):
        codes = np.array([position[character] for character in text], np.uint8)
        cut = len(codes) - round(held_out * len(codes))
        for part, own in ((train, codes[:cut]), (test, codes[cut:])):
            n = (len(own) - 1) // length
            if n < 1:
                raise ValueError(
                    f"role {role!r} has a part of {len(own)} characters; a window needs {length + 1}"
                )
            part.append((own[: n * length].reshape(n, length), own[1 : n * length + 1].reshape(n, length)))
    X, y = zip(*train, strict=True)
    X_test, y_test = zip(*test, strict=True)
    return Users(roles.roles, roles.plays, X, y, X_test, y_test, roles.alphabet)
