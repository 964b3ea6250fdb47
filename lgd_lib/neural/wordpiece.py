"""Words as numbers: the WordPiece tokens of uncased BERT models, from a file vocab.txt alone."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

LONGEST_WORD = 100
"""Characters; what is longer is unknown."""

_MARKS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")
_IDEOGRAPHS = (
    (0x3400, 0x4DBF),
    (0x4E00, 0x9FFF),
    (0xF900, 0xFAFF),
    (0x20000, 0x2A6DF),
    (0x2A700, 0x2CEAF),
    (0x2F800, 0x2FA1F),
)


@dataclass(frozen=True, eq=False)
class WordPiece:
    """From a text to the numbers of its tokens.

    Parameters
    ----------
    vocabulary : mapping of str to int
        With [PAD] = 0, [UNK], [CLS] and [SEP]; a piece that goes on with a word begins with ##.

    Raises
    ------
    ValueError
        If one of the four marks is missing, or [PAD] is not 0.

    Notes
    -----
    Cost: linear in the text.

    Examples
    --------
    >>> known = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "play", "##ing", "!"]
    >>> WordPiece({piece: j for j, piece in enumerate(known)})("Playing chess!", 8)
    [2, 4, 5, 1, 6, 3]
    """

    vocabulary: Mapping[str, int] = field(repr=False)

    def __post_init__(self) -> None:
        missing = [mark for mark in _MARKS if mark not in self.vocabulary]
        if missing or self.vocabulary["[PAD]"] != 0:
            raise ValueError(
                f"vocabulary has {len(self.vocabulary)} pieces; it must have [PAD] as number 0, [UNK], [CLS] "
                f"and [SEP]; missing: {missing or 'none'}"
            )

    @classmethod
    def of(cls, path: str | Path) -> WordPiece:
        """Read a file with one piece a line.

        Parameters
        ----------
        path : str or Path

        Returns
        -------
        WordPiece
        """
        lines = Path(path).read_text(encoding="utf-8").split("\n")
        return cls({line.rstrip("\r"): j for j, line in enumerate(lines) if line})

    def __call__(self, text: str, length: int) -> list[int]:
        """Return at most `length` numbers, [CLS] and [SEP] among them.

        Parameters
        ----------
        text : str
        length : int
            At least 2.

        Returns
        -------
        list of int
        """
        found = [self.vocabulary["[CLS]"]]
        for word in words(text):
            found += self._pieces(word)
            if len(found) >= length:
                break
        return [*found[: length - 1], self.vocabulary["[SEP]"]]

    def _pieces(self, word: str) -> list[int]:
        """The longest piece that the word begins with, then the longest of what is left, and so on."""
        unknown, found, at = self.vocabulary["[UNK]"], [], 0
        if len(word) > LONGEST_WORD:
            return [unknown]
        while at < len(word):
            start = "##" if at else ""
            for end in range(len(word), at, -1):
                number = self.vocabulary.get(start + word[at:end])
                if number is not None:
                    break
            else:
                return [unknown]
            found.append(number)
            at = end
        return found


def words(text: str) -> list[str]:
    """Return the words of a text, in lower case and without accents; each mark of punctuation is one.

    Parameters
    ----------
    text : str

    Returns
    -------
    list of str

    Notes
    -----
    Characters for control are left out; ideographs are words each. Cost: linear in the text.

    Examples
    --------
    >>> words("Na\\u00efve?  No.")
    ['naive', '?', 'no', '.']
    """
    shown = "".join(_spaced(c) for c in text)
    bare = (c for c in unicodedata.normalize("NFD", shown) if unicodedata.category(c) != "Mn")
    return "".join(_apart(c) for letter in bare for c in letter.lower()).split()


def _spaced(c: str) -> str:
    """A character of the text as it counts: nothing for control, spaces around ideographs."""
    if c in "\t\n\r":
        return " "
    if c in "\0\ufffd" or unicodedata.category(c) in ("Cc", "Cf", "Co", "Cs"):
        return ""
    if any(first <= ord(c) <= last for first, last in _IDEOGRAPHS):
        return f" {c} "
    return c


def _apart(c: str) -> str:
    """Spaces around what is punctuation: all of ASCII that is no letter, digit or space, and Unicode's."""
    if (c.isascii() and c.isprintable() and not c.isalnum()) or unicodedata.category(c).startswith("P"):
        return f" {c} "
    return c
