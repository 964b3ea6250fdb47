"""`lgd_lib.neural.features`: against a plain forward pass, batch sizes, the cache, wrong input."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import conv2d, pad

from lgd_lib import storage
from lgd_lib.datasets import load_pictures
from lgd_lib.neural.features import features
from lgd_lib.neural.weights import Backbone, efficientnet_lite0
from lgd_lib.pictures import Pictures

torch.set_num_threads(1)


@pytest.fixture(scope="module")
def lite0():
    return efficientnet_lite0()


@pytest.fixture(scope="module")
def emoji():
    return load_pictures("emoji").take(np.arange(0, 5900, 700))


@pytest.fixture(scope="module")
def fashion():
    return load_pictures("fashion").take(np.arange(0, 5000, 1000))


def eye(backbone_name="eye", mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0)):
    """A backbone whose features are the pixels that it is given."""
    return Backbone(backbone_name, "0", lambda size: nn.Identity(), lambda _, x: x.flatten(1), mean, std)


def same(x, stride, kernel):
    """Zeros around x so that a convolution gives ceil(side / stride), the odd one at the end."""
    lacking = [max((-(-side // stride) - 1) * stride + kernel - side, 0) for side in x.shape[2:]]
    (top, left) = (n // 2 for n in lacking)
    return pad(x, (left, lacking[1] - left, top, lacking[0] - top))


def plain_lite0(state, images):
    """EfficientNet-Lite0 read aloud, in float64, from the weights alone."""
    state = {name: value.double() for name, value in state.items()}

    def norm(x, name):
        part = [
            state[f"{name}.{key}"][:, None, None] for key in ("running_mean", "running_var", "weight", "bias")
        ]
        return (x - part[0]) / torch.sqrt(part[1] + 1e-3) * part[2] + part[3]

    def step(x, conv, bn, stride=1, groups=1):
        kernel = state[f"{conv}.weight"]
        return norm(conv2d(same(x, stride, kernel.shape[2]), kernel, stride=stride, groups=groups), bn)

    rows = [
        (1, 1, 1),
        (2, 2, 6),
        (2, 2, 6),
        (3, 2, 6),
        (3, 1, 6),
        (4, 2, 6),
        (1, 1, 6),
    ]  # repeats, stride, wider
    x = (torch.tensor(images).permute(0, 3, 1, 2).double() - 127) / 128
    x = step(x, "_conv_stem", "_bn0", stride=2).clamp(0, 6)
    block = 0
    for repeats, stride, wider in rows:
        for repeat in range(repeats):
            name, y = f"_blocks.{block}", x
            if wider != 1:
                y = step(y, f"{name}._expand_conv", f"{name}._bn0").clamp(0, 6)
            by = stride if repeat == 0 else 1
            y = step(y, f"{name}._depthwise_conv", f"{name}._bn1", by, groups=y.shape[1]).clamp(0, 6)
            y = step(y, f"{name}._project_conv", f"{name}._bn2")
            x = x + y if repeat else y
            block += 1
    return step(x, "_conv_head", "_bn1").clamp(0, 6).mean((2, 3)).numpy()


def apart(A, B):
    """Largest difference of two rows, relative to the row."""
    return (np.linalg.norm(A - B, axis=1) / np.linalg.norm(B, axis=1)).max()


# The numbers


def test_features_are_those_of_a_plain_forward_pass(lite0, emoji):
    expected = plain_lite0(lite0.network(64).state_dict(), emoji.images)
    assert expected.shape == (emoji.N, 1280)
    assert apart(features(lite0, emoji, dtype="float64"), expected) < 1e-12
    assert apart(features(lite0, emoji), expected) < 1e-5


def test_features_do_not_depend_on_the_batch_or_the_order(lite0, emoji):
    alone = features(lite0, emoji, batch_size=1)
    assert alone.dtype == np.float64
    for batch_size in (4, 100):
        assert apart(features(lite0, emoji, batch_size=batch_size), alone) < 1e-5
    assert apart(features(lite0, emoji.take(np.arange(emoji.N)[::-1]))[::-1], alone) < 1e-5
    exact = features(lite0, emoji, batch_size=1, dtype="float64")
    assert apart(features(lite0, emoji, batch_size=4, dtype="float64"), exact) < 1e-12


def test_another_size_is_another_network_of_the_same_weights(lite0, emoji):
    larger = features(lite0, emoji.take([0, 1]), size=96)
    assert larger.shape == (2, 1280)
    assert apart(larger, features(lite0, emoji.take([0, 1]))) > 1e-2


def test_grey_pictures_are_enlarged_by_the_bilinear_formula(fashion):
    found = features(eye(), fashion, size=64, dtype="float64").reshape(-1, 3, 64, 64)
    at = np.clip((np.arange(64) + 0.5) * 28 / 64 - 0.5, 0, 27)  # centres of the new pixels among the old
    low, share = np.minimum(at.astype(int), 26), at - np.minimum(at.astype(int), 26)
    mixing = np.zeros((64, 28))
    mixing[np.arange(64), low] += 1 - share
    mixing[np.arange(64), low + 1] += share
    expected = mixing @ fashion.images.astype(float) @ mixing.T
    for colour in range(3):
        assert np.abs(found[:, colour] - expected).max() < 1e-10


def test_pictures_of_the_right_size_are_only_normalised(emoji):
    mean, std = (1.0, 2.0, 3.0), (10.0, 20.0, 40.0)
    found = features(eye(mean=mean, std=std), emoji, dtype="float64").reshape(-1, 3, 64, 64)
    expected = (emoji.images.transpose(0, 3, 1, 2) - np.reshape(mean, (3, 1, 1))) / np.reshape(std, (3, 1, 1))
    assert np.abs(found - expected).max() < 1e-14


def test_shrinking_averages_and_unequal_sides_become_equal(fashion):
    stripes = np.zeros((1, 64, 32), np.uint8)
    stripes[:, :, 1::4] = 200  # between the pixels that are nearest to the centres of the new ones
    pictures = replace(fashion.take([0]), images=stripes)
    found = features(eye(), pictures, size=8)
    assert found.shape == (1, 3 * 64)
    assert np.abs(found - 50).max() < 10


def test_features_over_places_are_averaged(emoji):
    whole = replace(eye(), extract=lambda _, x: x)
    assert np.allclose(features(whole, emoji), emoji.images.mean(axis=(1, 2)), rtol=1e-5)


# The cache


def test_kept_features_are_found_again_bit_by_bit(lite0, emoji, tmp_path):
    first = features(lite0, emoji, cache=tmp_path / "new" / "folder")
    mute = replace(lite0, network=lambda size: pytest.fail("computed again"))
    assert np.array_equal(features(mute, emoji, cache=tmp_path / "new" / "folder"), first)
    assert np.array_equal(features(mute, emoji, batch_size=3, cache=tmp_path / "new" / "folder"), first)
    assert len(list((tmp_path / "new" / "folder").iterdir())) == 1


def test_whatever_they_depend_on_has_a_file_of_its_own(emoji, tmp_path):
    cases = [
        (eye(), emoji, 64, "float32"),
        (eye(), emoji, 32, "float32"),
        (eye(), emoji, 64, "float64"),
        (eye("other"), emoji, 64, "float32"),
        (replace(eye(), sha256="1"), emoji, 64, "float32"),
        (eye(mean=(1.0, 0.0, 0.0)), emoji, 64, "float32"),
        (eye(std=(1.0, 2.0, 1.0)), emoji, 64, "float32"),
        (eye(), emoji.take(np.arange(emoji.N)[::-1]), 64, "float32"),
        (eye(), emoji.take([0]), 64, "float32"),
    ]
    for backbone, pictures, size, dtype in cases:
        found = features(backbone, pictures, size, cache=tmp_path, dtype=dtype)
        assert np.array_equal(found, features(backbone, pictures, size, dtype=dtype))
    assert len(list(tmp_path.iterdir())) == len(cases)


@pytest.mark.parametrize("damage", ["bit", "short", "empty", "other key", "fewer", "other numbers"])
def test_a_damaged_file_is_made_anew(emoji, tmp_path, damage):
    first = features(eye(), emoji, cache=tmp_path)
    (path,) = tmp_path.iterdir()
    whole = path.read_bytes()
    arrays, note = storage.read(path)
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 4
    if damage in ("bit", "short", "empty"):
        path.write_bytes({"bit": bytes(flipped), "short": whole[:-9], "empty": b""}[damage])
    elif damage == "other key":
        storage.write(path, arrays, note | {"key": "0"})
    elif damage == "fewer":
        storage.write(path, {"features": arrays["features"][1:]}, note)
    else:
        storage.write(path, {"features": arrays["features"] + 1}, note)
    assert np.array_equal(features(eye(), emoji, cache=tmp_path), first)
    assert path.read_bytes() == whole
    assert len(list(tmp_path.iterdir())) == 1


def test_without_a_folder_nothing_is_kept(emoji, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    features(eye(), emoji)
    assert not list(tmp_path.iterdir())


# Wrong input


def test_wrong_arguments_are_named_before_work_starts(lite0, emoji, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    mute = replace(lite0, network=lambda size: pytest.fail("work has started"))
    for arguments, words in (
        ({"size": 48}, "size was 48; efficientnet-lite0 needs at least 64"),
        ({"size": 64.5}, "size was 64.5"),
        ({"batch_size": 0}, "batch_size was 0"),
        ({"device": "cuda"}, "finds no GPU"),
        ({"dtype": "float16"}, "dtype was 'float16'"),
    ):
        with pytest.raises(ValueError, match=words):
            features(mute, emoji, **arguments)
    with pytest.raises(TypeError, match="pictures was a ndarray"):
        features(mute, emoji.images)
    with pytest.raises(TypeError, match="backbone was a str"):
        features("efficientnet-lite0", emoji)


@pytest.mark.parametrize("gives", [lambda _, x: x[0], lambda _, x: x.sum((1, 2, 3)), lambda _, x: [1.0]])
def test_a_backbone_that_gives_no_features_is_named(emoji, gives):
    with pytest.raises(ValueError, match=r"extract of eye gave .* it must give \(n, d\)"):
        features(replace(eye(), extract=gives), emoji)


def test_features_that_are_not_finite_are_refused(emoji):
    with pytest.raises(ValueError, match="not finite"):
        features(replace(eye(), extract=lambda _, x: x.flatten(1) / 0), emoji)


def test_one_pixel_is_a_picture():
    dot = Pictures(
        "dot",
        np.full((1, 1, 1), 9, np.uint8),
        np.zeros(1, int),
        ("a",),
        None,
        (),
        (),
        np.zeros(1, bool),
        "",
        "",
    )
    assert np.array_equal(features(eye(), dot, size=2), np.full((1, 12), 9.0))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_a_gpu_gives_the_same_numbers(lite0, emoji):
    assert apart(features(lite0, emoji, device="cuda"), features(lite0, emoji)) < 1e-5
    exact = features(lite0, emoji, dtype="float64")
    assert apart(features(lite0, emoji, device="cuda", dtype="float64"), exact) < 1e-10
