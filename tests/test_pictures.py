"""`lgd_lib.pictures`, `picture_folders` and `picture_sources`: what is there; damaged folders."""

import gzip
import hashlib
from dataclasses import replace

import numpy as np
import pytest

from lgd_lib import data_sources
from lgd_lib.picture_folders import cifar10, fashion_mnist
from lgd_lib.picture_sources import held_out
from lgd_lib.pictures import load_pictures


@pytest.fixture(scope="module")
def emoji():
    return load_pictures("emoji")


@pytest.fixture(scope="module")
def fashion():
    return load_pictures("fashion")


# The committed sets


def test_a_held_out_emoji_is_unseen_in_every_vendor(emoji):
    names = np.array(emoji.names)
    assert not set(names[emoji.held_out]) & set(names[~emoji.held_out])
    assert 0.15 < emoji.held_out.mean() < 0.25
    for vendor in range(4):
        assert 0.1 < emoji.held_out[emoji.groups == vendor].mean() < 0.25


def test_one_emoji_has_one_category_and_one_picture_a_vendor(emoji):
    assert len(set(zip(emoji.groups, emoji.names, strict=True))) == emoji.N
    assert len(set(zip(emoji.labels, emoji.names, strict=True))) == len(set(emoji.names))


def test_no_held_out_picture_is_also_a_training_picture(emoji, fashion):
    for pictures in (emoji, fashion):
        digests = np.array([hashlib.sha256(image.tobytes()).hexdigest() for image in pictures.images])
        assert not set(digests[pictures.held_out]) & set(digests[~pictures.held_out])


def test_every_vendor_has_every_class_on_both_sides(emoji):
    for vendor in range(4):
        for side in (True, False):
            there = emoji.labels[(emoji.groups == vendor) & (emoji.held_out == side)]
            assert set(there) == set(range(8))
    assert len(emoji.class_names) == 8
    assert emoji.group_names == ("noto", "twemoji", "fluent-emoji-flat", "emojione")


def test_emoji_are_drawn_on_white_and_are_not_blank(emoji):
    edge = np.ones((64, 64), bool)
    edge[1:-1, 1:-1] = False
    assert np.median(emoji.images[:, edge]) == 255
    assert emoji.images.reshape(emoji.N, -1).min(axis=1).max() < 250
    red_heart = emoji.names.index("red-heart")
    red, green, blue = emoji.images[red_heart, 30:34, 30:34].reshape(-1, 3).mean(axis=0)
    assert red > 2 * max(green, blue)


def test_neither_flags_nor_skin_tones_nor_keycaps_are_there(emoji):
    flags = {name for name in emoji.names if name.startswith("flag-")} - {"flag-in-hole"}  # golf
    assert not flags
    assert not [name for name in emoji.names if "skin-tone" in name or "keycap" in name]


def test_variants_of_one_emoji_are_held_out_together():
    assert held_out("man-running-facing-right") == held_out("woman-running") == held_out("person-running")
    assert held_out("family-man-woman-boy") == held_out("family")
    assert held_out("man") in (True, False)


def test_fashion_has_as_many_of_each_class_and_all_differ(fashion):
    assert fashion.images.shape == (5000, 28, 28)
    assert np.bincount(fashion.labels[~fashion.held_out]).tolist() == [400] * 10
    assert np.bincount(fashion.labels[fashion.held_out]).tolist() == [100] * 10
    assert fashion.groups is None
    trousers = fashion.images[fashion.labels == fashion.class_names.index("trouser")]
    assert np.median(trousers[:, :, 0]) == 0  # the background is black


def test_what_is_loaded_cannot_be_written_to(emoji):
    for array in (emoji.images, emoji.labels, emoji.groups, emoji.held_out):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0


def test_some_of_the_pictures_keep_what_belongs_to_them(emoji):
    index = np.array([5000, 3, 17])
    few = emoji.take(index)
    assert np.array_equal(few.images, emoji.images[index])
    assert few.names == tuple(emoji.names[i] for i in index)
    assert few.groups.tolist() == emoji.groups[index].tolist()
    vendor = emoji.take(emoji.groups == 2)
    assert (emoji.groups == 2).sum() == vendor.N
    assert set(vendor.groups) == {2}
    with pytest.raises(IndexError):
        emoji.take([emoji.N])


def test_pictures_of_another_form_are_refused(fashion):
    for field, value, words in (
        ("images", fashion.images / 255, "uint8"),
        ("images", fashion.images[..., None], r"\(N, H, W\)"),
        ("images", fashion.images[:, :0], "a pixel"),
        ("labels", fashion.labels[1:], "labels has 4999 entries"),
        ("labels", fashion.labels + 1, "from 1 to 10"),
        ("groups", fashion.labels, "groups has entries"),
        ("names", ("one",), "names has 1"),
    ):
        with pytest.raises(ValueError, match=words):
            replace(fashion, **{field: value})
    for field in ("images", "labels", "groups", "held_out"):
        with pytest.raises(TypeError, match=f"{field} was a list; it must be an array"):
            replace(fashion, **{field: [1, 2]})


# Folders at hand


def idx(array):
    head = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes()
    return head + array.astype(np.uint8).tobytes()


@pytest.fixture
def fashion_folder(tmp_path):
    rng = np.random.default_rng(0)
    for split, n in (("train", 7), ("t10k", 3)):
        (tmp_path / f"{split}-images-idx3-ubyte").write_bytes(idx(rng.integers(0, 256, (n, 28, 28))))
        packed = gzip.compress(idx(np.arange(n) % 10))
        (tmp_path / f"{split}-labels-idx1-ubyte.gz").write_bytes(packed)
    return tmp_path


@pytest.fixture
def cifar_folder(tmp_path):
    rng = np.random.default_rng(1)
    for name in [*(f"data_batch_{b}.bin" for b in range(1, 6)), "test_batch.bin"]:
        records = rng.integers(0, 256, (2, 3073), dtype=np.uint8)
        records[:, 0] %= 10
        (tmp_path / name).write_bytes(records.tobytes())
    (tmp_path / "batches.meta.txt").write_text(
        "airplane\nautomobile\nbird\ncat\ndeer\ndog\nfrog\nhorse\nship\ntruck\n\n"
    )
    return tmp_path


def test_a_folder_of_fashion_mnist_is_read_plain_or_packed(fashion_folder):
    pictures = fashion_mnist(fashion_folder)
    assert pictures.images.shape == (10, 28, 28)
    assert pictures.held_out.tolist() == [False] * 7 + [True] * 3
    assert pictures.labels.tolist() == [*range(7), *range(3)]
    expected = np.random.default_rng(0).integers(0, 256, (7, 28, 28))
    assert np.array_equal(pictures.images[:7], expected)


def test_a_folder_of_cifar10_is_read_colour_by_colour(cifar_folder):
    pictures = cifar10(cifar_folder)
    assert pictures.images.shape == (12, 32, 32, 3)
    assert pictures.held_out.tolist() == [False] * 10 + [True] * 2
    assert pictures.class_names[3] == "cat"
    record = (cifar_folder / "data_batch_2.bin").read_bytes()[3073:]
    assert pictures.labels[3] == record[0]
    for row, column, colour in ((0, 0, 0), (31, 5, 2), (7, 30, 1)):
        assert pictures.images[3, row, column, colour] == record[1 + 1024 * colour + 32 * row + column]


@pytest.mark.parametrize(
    ("name", "damage", "words"),
    [
        ("train-images-idx3-ubyte", lambda b: b[:-1], "promises"),
        ("train-images-idx3-ubyte", lambda b: b[:9], "no idx file"),
        ("train-images-idx3-ubyte", lambda b: b"", "no idx file"),
        ("train-images-idx3-ubyte", lambda b: b[:7] + b"\x06" + b[8 : -28 * 28], "6 train pictures and 7"),
        ("train-images-idx3-ubyte", lambda b: idx(np.zeros((7, 32, 32))), r"\(32, 32\)"),
        ("t10k-labels-idx1-ubyte.gz", lambda b: b[:-3], "damaged or cut short"),
        ("t10k-labels-idx1-ubyte.gz", lambda b: b"a page of a server", "damaged or cut short"),
        ("t10k-labels-idx1-ubyte.gz", lambda b: gzip.compress(idx(np.array([1, 2, 10]))), "from 0 to 10"),
        ("t10k-labels-idx1-ubyte.gz", lambda b: gzip.compress(idx(np.zeros((3, 1)))), "no idx file"),
    ],
)
def test_a_damaged_folder_of_fashion_mnist_is_refused_in_words(fashion_folder, name, damage, words):
    path = fashion_folder / name
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(ValueError, match=words):
        fashion_mnist(fashion_folder)


@pytest.mark.parametrize(
    ("name", "damage", "words"),
    [
        ("data_batch_4.bin", lambda b: b[:-1], "6145 bytes"),
        ("data_batch_4.bin", lambda b: b"", "0 bytes"),
        ("test_batch.bin", lambda b: b"\x0a" + b[1:], "label 10"),
        ("batches.meta.txt", lambda b: b[:20], "names; it must have 10"),
    ],
)
def test_a_damaged_folder_of_cifar10_is_refused_in_words(cifar_folder, name, damage, words):
    path = cifar_folder / name
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(ValueError, match=words):
        cifar10(cifar_folder)


def test_a_missing_file_of_a_folder_is_named(fashion_folder, cifar_folder):
    (fashion_folder / "t10k-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(FileNotFoundError, match=r"t10k-labels-idx1-ubyte or t10k-labels-idx1-ubyte\.gz"):
        fashion_mnist(fashion_folder)
    (cifar_folder / "data_batch_5.bin").unlink()
    with pytest.raises(FileNotFoundError, match=r"data_batch_5\.bin"):
        cifar10(cifar_folder)


def test_pictures_are_made_from_the_very_packages_only(tmp_path):
    with pytest.raises(FileNotFoundError, match="iconify-json-noto"):
        data_sources.make("emoji", tmp_path, tmp_path)
    (tmp_path / "iconify-json-noto-1.2.9.tgz").write_bytes(b"another version")
    with pytest.raises(ValueError, match=data_sources.SOURCES["emoji"][0][1]):
        data_sources.make("emoji", tmp_path, tmp_path)
