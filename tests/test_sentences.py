"""Tokens of WordPiece and the encoder's forward pass: rules of BERT read aloud, small made-up weights."""

import json
import math

import numpy as np
import pytest
import torch

from lgd_lib.neural.made_up_mail import write_encoder
from lgd_lib.neural.sentences import SentenceClassifier, SentenceEncoder, Shape, encode, load_encoder
from lgd_lib.neural.wordpiece import WordPiece, words

KNOWN = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "un", "##aff", "##able", "aff", "!", "a", "\u4e2d"]
PIECES = WordPiece({piece: j for j, piece in enumerate(KNOWN)})


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("unaffable", [4, 5, 6]),  # the longest piece first
        ("UNaff", [4, 5]),
        ("affun", [1]),  # no ##un: the whole word is unknown
        ("a!a", [9, 8, 9]),
        ("\u00e0", [9]),  # without its accent
        ("a\u0000\u200ba", [1]),  # control characters join what they stood between
        ("a\u4e2da", [9, 10, 9]),
        ("a" * 101, [1]),
        ("", []),
    ],
)
def test_words_become_their_longest_known_pieces(text, numbers):
    assert PIECES(text, 50) == [2, *numbers, 3]


def test_a_long_text_is_cut_and_still_ends():
    assert PIECES("a " * 30, 5) == [2, 9, 9, 9, 3]
    assert PIECES("unaffable " * 30, 6) == [2, 4, 5, 6, 4, 3]


def test_words_are_separated_by_space_and_punctuation():
    assert words("It's\t5$\u00a0off\u2014NOW") == ["it", "'", "s", "5", "$", "off", "\u2014", "now"]


def test_a_vocabulary_needs_its_marks(tmp_path):
    with pytest.raises(ValueError, match=r"missing: \['\[SEP\]'\]"):
        WordPiece({"[PAD]": 0, "[UNK]": 1, "[CLS]": 2})
    with pytest.raises(ValueError, match=r"\[PAD\] as number 0"):
        WordPiece({"[PAD]": 4, "[UNK]": 1, "[CLS]": 2, "[SEP]": 3})
    path = tmp_path / "vocab.txt"
    path.write_bytes("\r\n".join(KNOWN).encode())
    assert WordPiece.of(path).vocabulary == PIECES.vocabulary


def plain_vector(state, ids, heads, eps):
    """One text, token by token: attention, two additions with normalisation, the mean."""

    def linear(name, x):
        return x @ state[f"{name}.weight"].T + state[f"{name}.bias"]

    def normal(name, x):
        spread = np.sqrt(x.var(axis=-1, keepdims=True) + eps)
        return (x - x.mean(axis=-1, keepdims=True)) / spread * state[f"{name}.weight"] + state[f"{name}.bias"]

    T = len(ids)
    x = normal("norm", state["word.weight"][ids] + state["place.weight"][:T] + state["kind.weight"][0])
    for layer in ("layers.0", "layers.1"):
        q, k, v = (linear(f"{layer}.{name}", x) for name in ("query", "key", "value"))
        size, seen = q.shape[1] // heads, np.empty_like(x)
        for h in range(heads):
            part = slice(h * size, (h + 1) * size)
            for t in range(T):
                share = np.exp(k[:, part] @ q[t, part] / math.sqrt(size))
                seen[t, part] = share / share.sum() @ v[:, part]
        x = normal(f"{layer}.first_norm", x + linear(f"{layer}.joined", seen))
        wide = linear(f"{layer}.wide", x)
        bent = np.vectorize(lambda z: 0.5 * z * (1 + math.erf(z / math.sqrt(2))))(wide)
        x = normal(f"{layer}.second_norm", x + linear(f"{layer}.narrow", bent))
    return x.mean(axis=0)


def test_the_forward_pass_is_berts():
    shape = Shape(20, 8, 2, 2, 16, 12, 2)
    torch.manual_seed(3)
    encoder = SentenceEncoder(shape).double()
    with torch.no_grad():
        for p in encoder.parameters():
            p.copy_(torch.randn_like(p))
    state = {name: value.numpy() for name, value in encoder.state_dict().items()}
    texts = [[2, 7, 9, 3], [2, 5, 6, 7, 8, 3], [2, 3]]
    padded = np.zeros((3, 9), dtype=np.int64)
    for row, ids in zip(padded, texts, strict=True):
        row[: len(ids)] = ids
    found = encoder(torch.tensor(padded)).detach().numpy()
    for vector, ids in zip(found, texts, strict=True):
        assert np.allclose(vector, plain_vector(state, ids, 2, shape.layer_norm_eps), rtol=0, atol=1e-12)
    unit = encode(encoder, padded, batch_size=2)
    assert np.allclose(unit, found / np.linalg.norm(found, axis=1, keepdims=True), rtol=0, atol=1e-12)


def test_an_encoder_is_read_as_it_was_written(tmp_path):
    write_encoder(tmp_path, d=16, layers=3, seed=5)
    encoder, pieces, sha256 = load_encoder(tmp_path)
    torch.manual_seed(5)
    other = SentenceEncoder(Shape(len(pieces.vocabulary), 16, 3, 4, 32, 128, 1))
    for name, value in other.state_dict().items():
        assert torch.equal(encoder.state_dict()[name], value), name
    assert len(sha256) == 64
    assert pieces("Babe!", 9)[1:-1] != [pieces.vocabulary["[UNK]"]] * 2
    scores = SentenceClassifier(encoder, 3)(torch.tensor([pieces("dado", 9)]))
    assert scores.tolist() == [[0.0, 0.0, 0.0]]


def change(folder, **words):
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | words))


def test_folders_that_do_not_fit_are_refused(tmp_path):
    write_encoder(tmp_path, d=16)
    for name in ("config.json", "vocab.txt", "model.safetensors"):
        content = (tmp_path / name).read_bytes()
        (tmp_path / name).unlink()
        with pytest.raises(FileNotFoundError, match=f"there is no {name} in it. It must hold"):
            load_encoder(tmp_path)
        (tmp_path / name).write_bytes(content)
    for words_, said in (
        ({"hidden_act": "relu"}, "it must be .*gelu"),
        ({"model_type": "roberta"}, "it must be .*bert"),
        ({"position_embedding_type": "relative_key"}, "absolute positions"),
        ({"intermediate_size": 33}, "do not fit config.json"),
    ):
        before = (tmp_path / "config.json").read_text()
        change(tmp_path, **words_)
        with pytest.raises(ValueError, match=said):
            load_encoder(tmp_path)
        (tmp_path / "config.json").write_text(before)
    with (tmp_path / "vocab.txt").open("a") as file:
        file.write("more\n")
    with pytest.raises(ValueError, match=r"vocab.txt has a line \d+; config.json says"):
        load_encoder(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"\xff" * 100)
    with pytest.raises(ValueError, match="is damaged or no file of weights"):
        load_encoder(tmp_path)
