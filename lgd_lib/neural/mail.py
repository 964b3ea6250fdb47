"""Mails from a local folder as numbers of tokens; what they say, and who wrote them, is never shown."""

from __future__ import annotations

import email
import html
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from email.header import decode_header
from email.message import Message
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

MOST_BYTES = 200_000
"""Of a file that are read."""
MOST_CHARACTERS = 2_000
"""Of a mail that are looked at."""
LIST_HEADERS = ("List-Id", "X-BeenThere", "Mailing-List", "X-Mailing-List", "List-Post", "Sender")
"""Where a mail says its list; the first that is there counts."""

Tokens = Callable[[str, int], list[int]]


@dataclass(frozen=True, eq=False)
class Mails:
    """Mails as numbers.

    Parameters
    ----------
    ids : ndarray of int, shape (n, T)
        Numbers of their tokens, padded with 0. They can be turned back into text: never write or print them.
    spam : ndarray of int, shape (n,)
        1 for spam, 0 for other mail.
    lists : ndarray of int, shape (n,)
        Number of the mailing list, 1 for the largest; 0 for none, or for one with too few mails.

    Raises
    ------
    ValueError
        If the three have not the same length.

    Notes
    -----
    What is printed of it are counts only.

    Examples
    --------
    >>> Mails(np.array([[2, 7, 3]]), np.array([1]), np.array([0]))
    Mails(N=1, spam=1, lists=[0])
    """

    ids: NDArray[np.int64] = field(repr=False)
    spam: NDArray[np.int64]
    lists: NDArray[np.int64]

    def __post_init__(self) -> None:
        if not len(self.ids) == len(self.spam) == len(self.lists):
            raise ValueError(
                f"there are {len(self.ids)} ids, {len(self.spam)} labels, {len(self.lists)} lists"
            )

    def __repr__(self) -> str:
        sizes = np.bincount(self.lists).tolist()
        return f"Mails(N={self.N}, spam={int(self.spam.sum())}, lists={sizes[1:] or [0]})"

    @property
    def N(self) -> int:
        """Number of mails."""
        return len(self.ids)

    def take(self, rows: NDArray[np.int64]) -> Mails:
        """Return some of them.

        Parameters
        ----------
        rows : ndarray of int

        Returns
        -------
        Mails
        """
        return Mails(self.ids[rows], self.spam[rows], self.lists[rows])


def read_mails(folder: str | Path, tokens: Tokens, length: int = 64, least: int = 20) -> Mails:
    """Read the mails of a folder: subject and text become numbers of tokens, mailing lists become numbers.

    Parameters
    ----------
    folder : str or Path
        With a sub-folder for each kind of mail, named spam... or ...ham..., such as spam-1 and easy-ham-2.
        Files that end in .txt are mails as they were sent, headers first. A folder in between, as in
        ham/list-a/1.txt, is the mailing list; otherwise headers say it (`LIST_HEADERS`).
    tokens : callable
        (text, length) to at most `length` numbers, such as a `WordPiece`.
    length : int
        T, tokens of a mail.
    least : int
        Mails that a list must have to count as one.

    Returns
    -------
    Mails
        In the order of the files' names; of mails with the same tokens, only the first.

    Raises
    ------
    FileNotFoundError
        If there is no such folder, or no mail in it.
    ValueError
        If a sub-folder is named otherwise, or a mail cannot be read. A mail is called by its number.

    Notes
    -----
    Markup, attachments and all other headers are left out; what cannot be decoded is left out too. Names of
    lists are compared and forgotten. Cost: a millisecond a mail.

    Examples
    --------
    >>> read_mails("data", pieces)  # doctest: +SKIP
    Mails(N=3105, spam=378, lists=[1140, 580, 391])
    """
    root = Path(folder)
    if not root.is_dir():
        raise FileNotFoundError(f"folder was {str(folder)!r}; there is no such folder")
    paths = sorted(path for path in root.rglob("*.txt") if path.is_file())
    if not paths:
        raise FileNotFoundError(f"folder was {str(folder)!r}; there is no .txt file in its sub-folders")
    kinds = [_kind(path.relative_to(root).parts) for path in paths]
    ids, names = np.zeros((len(paths), length), dtype=np.int64), []
    for j, path in enumerate(paths):
        row, said = _read(path, j, tokens, length)
        ids[j, : len(row)] = row
        names.append("/".join(path.relative_to(root).parts[1:-1]) or said)
    _, first = np.unique(ids, axis=0, return_index=True)
    rows = np.sort(first)
    lists = _numbered([names[j] for j in rows], least)
    return Mails(ids[rows], np.array(kinds)[rows], lists)


def _kind(parts: Sequence[str]) -> int:
    """1 for spam, 0 for ham, by the name of the sub-folder."""
    name = parts[0].lower() if len(parts) > 1 else ""
    found = [kind for word, kind in (("spam", 1), ("ham", 0)) if word in name]
    if len(found) != 1:
        raise ValueError(
            "mails must lie in sub-folders whose names have 'spam' or 'ham' in them, and not both"
        )
    return found[0]


def _read(path: Path, number: int, tokens: Tokens, length: int) -> tuple[list[int], str]:
    """The tokens of a mail and what tells its list."""
    try:
        with path.open("rb") as file:
            mail = email.message_from_bytes(file.read(MOST_BYTES))
        return tokens(_text(mail), length), _list_of(mail)
    except Exception as error:  # what it says, and what it came from, may quote the mail
        kind = type(error).__name__
    raise ValueError(f"mail {number}, in the order of the files' names, cannot be read ({kind})")


def _text(mail: Message) -> str:
    """Subject and text; the plain one where there is one."""
    parts = [part for part in mail.walk() if part.get_content_maintype() == "text"]
    plain = [part for part in parts if part.get_content_subtype() != "html"]
    found = [_header(mail, "Subject")]
    for part in plain or parts:
        body = _body(part)
        found.append(body if part in plain else _without_markup(body))
        if sum(map(len, found)) > MOST_CHARACTERS:
            break
    return "\n".join(found)[:MOST_CHARACTERS]


def _body(part: Message) -> str:
    try:
        content = part.get_payload(decode=True)
    except Exception:  # damaged transfer encodings
        return ""
    if not isinstance(content, bytes):
        return ""
    try:
        return content.decode(part.get_content_charset() or "utf-8")
    except (LookupError, ValueError):
        return content.decode("latin-1")


def _header(mail: Message, name: str) -> str:
    try:
        pieces = decode_header(str(mail.get(name, "")))
        words = [p if isinstance(p, str) else p.decode(c or "latin-1", "replace") for p, c in pieces]
    except Exception:  # damaged headers, unknown character sets
        return ""
    return " ".join(words)


def _without_markup(text: str) -> str:
    text = re.sub(r"(?is)<(script|style|head)\b.*?(</\1\s*>|$)", " ", text[: 20 * MOST_CHARACTERS])
    return html.unescape(re.sub(r"(?s)<[^>]*>", " ", text))


def _list_of(mail: Message) -> str:
    """What tells one list from another, or nothing."""
    for name in LIST_HEADERS:
        said = _header(mail, name).lower()
        found = re.search(r"<([^<>]+)>", said)
        words = (
            (found[1] if found else said).removeprefix("list ").removeprefix("mailto:").split(";")[0].strip()
        )
        if words:
            return words
    return ""


def _numbered(names: list[str], least: int) -> NDArray[np.int64]:
    """1, 2, ... from the largest list to the smallest, 0 for those with fewer mails than `least`."""
    counts = Counter(name for name in names if name)
    order = sorted(counts, key=lambda name: (-counts[name], name))
    number = {name: j for j, name in enumerate(order, 1) if counts[name] >= least}
    return np.array([number.get(name, 0) for name in names], dtype=np.int64)
