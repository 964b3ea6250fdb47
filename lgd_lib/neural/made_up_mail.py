"""Made-up mails and a tiny encoder in folders: real mails must not be shown, by tests or in a book."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch

from lgd_lib.neural.devices import seeded
from lgd_lib.neural.sentences import SentenceEncoder, Shape

SYLLABLES = tuple(a + b for a in "bdfgklmnprst" for b in "aeiou")
SPOKEN = (0, 24)
"""Syllables of the words of ordinary mails; spam has words of its own besides."""
OFFERED = (16, 44)


def write_mails(
    folder: str | Path, planted: str = "", lists: int = 5, ordinary: int = 24, spam: int = 16, seed: int = 0
) -> None:
    """Write made-up mails as they are sent, in the sub-folders ham-1 and spam-1.

    Parameters
    ----------
    folder : str or Path
    planted : str
        A word that stands in the text, the subject, the sender and the list of every mail.
    lists : int
        Mailing lists; odd ones get spam too.
    ordinary, spam : int
        Mails on each list.
    seed : int

    Notes
    -----
    Cost: none that counts.

    Examples
    --------
    >>> write_mails("mails", planted="secret")  # doctest: +SKIP
    """
    rng = np.random.default_rng(seed)
    for kind, many, words in (("ham-1", ordinary, SPOKEN), ("spam-1", spam, OFFERED)):
        where = Path(folder) / kind
        where.mkdir(parents=True, exist_ok=True)
        for i in range(lists if kind == "ham-1" else (lists + 1) // 2):
            for j in range(many):
                text = _text(rng, words)
                number = i if kind == "ham-1" else 2 * i
                head = (
                    f"From: {planted}{j}@example.org\nSubject: {planted} {_text(rng, words)[:12]}\n"
                    f"List-Id: <list-{number}.{planted}.example.org>\nContent-Type: text/plain\n"
                )
                content = f"{head}\n{planted} {text}\n"
                (where / f"{i:02}-{j:03}.txt").write_text(content, encoding="utf-8")


def _text(rng: np.random.Generator, words: tuple[int, int]) -> str:
    """Some words of two syllables."""
    pairs = rng.integers(*words, size=(int(rng.integers(6, 18)), 2))
    return " ".join(SYLLABLES[a] + SYLLABLES[b] for a, b in pairs)


def write_encoder(folder: str | Path, d: int = 64, layers: int = 2, seed: int = 0) -> None:
    """Write a folder like that of a sentence encoder, with random weights.

    Parameters
    ----------
    folder : str or Path
    d : int
        Length of a vector, a multiple of 4.
    layers : int
    seed : int

    Notes
    -----
    Its tokens are letters and syllables. Cost: none that counts.

    Examples
    --------
    >>> write_encoder("encoder")  # doctest: +SKIP
    """
    where = Path(folder)
    where.mkdir(parents=True, exist_ok=True)
    letters = "abcdefghijklmnopqrstuvwxyz0123456789.,:;!?-@"
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *letters, *SYLLABLES]
    pieces += [f"##{piece}" for piece in (*letters, *SYLLABLES)]
    shape = Shape(len(pieces), d, layers, 4, 2 * d, 128, 1)
    config = {"model_type": "bert", "hidden_act": "gelu"} | asdict(shape)
    (where / "config.json").write_text(json.dumps(config), encoding="utf-8")
    (where / "vocab.txt").write_text("\n".join(pieces) + "\n", encoding="utf-8")
    with seeded(seed, torch.device("cpu")):
        encoder = SentenceEncoder(shape)
    (where / "model.safetensors").write_bytes(_as_file(encoder))


_THEIRS = {
    "word.": "embeddings.word_embeddings.",
    "place.": "embeddings.position_embeddings.",
    "kind.": "embeddings.token_type_embeddings.",
    "norm.": "embeddings.LayerNorm.",
    "layers.": "encoder.layer.",
    ".query": ".attention.self.query",
    ".key": ".attention.self.key",
    ".value": ".attention.self.value",
    ".joined": ".attention.output.dense",
    ".first_norm": ".attention.output.LayerNorm",
    ".wide": ".intermediate.dense",
    ".narrow": ".output.dense",
    ".second_norm": ".output.LayerNorm",
}
"""What the parts of names are called in a file of BERT's weights."""


def _as_file(encoder: SentenceEncoder) -> bytes:
    """The safetensors format: the length of the head, the head in JSON, the numbers."""
    head: dict[str, dict[str, object]] = {}
    numbers, at = [], 0
    for name, value in encoder.state_dict().items():
        for ours, theirs in _THEIRS.items():
            starts = not ours.startswith(".")
            if starts and name.startswith(ours):
                name = theirs + name.removeprefix(ours)
            elif not starts and ours in name:
                name = name.replace(ours, theirs)
        content = value.numpy().astype("<f4").tobytes()
        head[name] = {"dtype": "F32", "shape": list(value.shape), "data_offsets": [at, at + len(content)]}
        numbers.append(content)
        at += len(content)
    words = json.dumps(head).encode()
    return len(words).to_bytes(8, "little") + words + b"".join(numbers)
