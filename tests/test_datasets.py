"""`lgd_lib.datasets` and `lgd_lib.data_sources`: files missing, damaged or elsewhere; what the data are."""

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lgd_lib import data_files, data_sources
from lgd_lib.datasets import load, load_pictures, standardise, with_constant
from lgd_lib.roles import load_roles

DATA = Path(__file__).resolve().parents[1] / "data"
ENTRIES = json.loads((DATA / "MANIFEST.json").read_text(encoding="utf-8"))["datasets"]


@pytest.fixture
def copy(tmp_path):
    """A copy of data/ that may be damaged."""
    return Path(shutil.copytree(DATA, tmp_path / "copy of data"))


@pytest.fixture
def installed(monkeypatch, tmp_path):
    """The library as if it were installed outside a checkout, with no LGD_DATA."""
    monkeypatch.setattr(data_files, "__file__", str(tmp_path / "site-packages" / "lgd_lib" / "data_files.py"))
    monkeypatch.delenv("LGD_DATA", raising=False)


# The manifest and the files


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry["name"])
def test_the_manifest_tells_the_truth(entry):
    content = (DATA / entry["file"]).read_bytes()
    assert hashlib.sha256(content).hexdigest() == entry["sha256"]
    assert len(content) == entry["bytes"]
    kind = entry.get("kind", "table")
    dataset = {"table": load, "pictures": load_pictures, "roles": load_roles}[kind](entry["name"])
    shape = {
        "table": lambda: dataset.X.shape,
        "pictures": lambda: dataset.images.shape,
        "roles": lambda: (dataset.M, dataset.sizes.sum()),
    }[kind]()
    assert list(shape) == entry["shape"]
    assert dataset.licence == entry["licence"]
    sources = [sha256 for _, sha256 in data_sources.SOURCES[entry["name"]]]
    if "kind" in entry:
        assert list(entry["source"]["files"].values()) == sources
    else:
        assert dataset.task == entry["task"]
        assert [entry["source"]["file_sha256"]] == sources
    with np.load(DATA / entry["file"], allow_pickle=False) as stored:
        assert set(entry["arrays"]) == set(stored)
        assert all(stored[key].dtype.kind != "O" for key in stored)


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry["name"])
def test_each_set_comes_with_its_own_licence(entry):
    text = (DATA / entry["licence_file"]).read_text(encoding="utf-8")
    proof = {
        "Artistic-2.0": "Disclaimer of Warranty: THE PACKAGE IS PROVIDED",
        "GPL-2.0-only": "NO WARRANTY",
        "Apache-2.0": "END OF TERMS AND CONDITIONS",
        "CC-BY-4.0": "Creative Commons Attribution 4.0 International Public License",
        "MIT": "Permission is hereby granted, free of charge",
        "CC-BY-2.5": "http://creativecommons.org/licenses/by/2.5/legalcode",
    }
    assert "copyright" in text.lower()
    assert all(proof[licence] in text for licence in entry["licence"].split(" AND "))


def test_the_manifest_lists_every_file_and_all_stay_small():
    assert {path.name for path in DATA.glob("*.npz")} == {entry["file"] for entry in ENTRIES}
    assert sum(path.stat().st_size for path in DATA.rglob("*") if path.is_file()) < 20e6


def test_the_page_about_the_data_agrees_with_the_manifest():
    page = (DATA.parent / "book" / "data.md").read_text(encoding="utf-8")
    works = (DATA.parent / "book" / "references.bib").read_text(encoding="utf-8")
    for entry in ENTRIES:
        section = page.split(f"\n## {entry['name']}\n")[1].split("\n## ")[0]
        assert entry["sha256"] in section
        assert entry["licence"] in section
        assert entry["licence_file"] in section
        many, *size = (f"{n:,}" for n in entry["shape"])
        said = f"{many} x {size[0]}", f"{many} pictures, {' x '.join(size[:2])}"
        assert any(words in page for words in (*said, f"{many} roles, {size[0]} characters"))
        for key in entry["cite"]:
            assert key in section
            assert f"{{{key}," in works


def test_the_licence_of_the_repository_names_every_data_set():
    text = (DATA.parent / "LICENSE").read_text(encoding="utf-8")
    for entry in ENTRIES:
        line = next(line for line in text.splitlines() if f"data/{entry['file']}" in line)
        assert entry["licence"] in line
        assert entry["licence_file"] in line


# What the data are


def test_bladder_is_57_samples_of_22283_genes_in_five_batches():
    bladder = load("bladder")
    assert bladder.X.shape == (57, 22283)
    assert bladder.X.dtype == bladder.y.dtype == np.float64
    assert ((bladder.y == 1).sum(), (bladder.y == -1).sum()) == (40, 17)
    assert bladder.group_names == ("batch 1", "batch 2", "batch 3", "batch 4", "batch 5")
    labels = [sorted(set(bladder.y[bladder.groups == g])) for g in range(5)]
    assert labels == [[1], [-1, 1], [-1], [-1], [-1, 1]]
    assert np.bincount(bladder.groups).tolist() == [11, 18, 4, 5, 19]


def test_bladder_is_in_log2_units_and_is_rounded_to_a_thousandth():
    X = load("bladder").X
    assert 2 < X.min() < X.max() < 15
    assert np.array_equal(X, np.rint(1000 * X) / 1000)


def test_gasoline_is_60_spectra_of_401_wavelengths():
    gasoline = load("gasoline")
    assert gasoline.X.shape == (60, 401)
    assert gasoline.groups is None
    assert 83 < gasoline.y.min() < gasoline.y.max() < 90
    with np.load(DATA / "gasoline.npz", allow_pickle=False) as stored:
        assert stored["wavelength"].tolist() == list(range(900, 1701, 2))


@pytest.mark.parametrize("name", ["bladder", "gasoline"])
def test_both_sets_are_overparameterised_and_have_independent_rows(name):
    X = load(name).X
    assert np.linalg.matrix_rank(X) == X.shape[0] < X.shape[1]


def test_what_is_loaded_cannot_be_written_to():
    with pytest.raises(ValueError, match="read-only"):
        load("gasoline").X[0, 0] = 0.0


# Where the files are looked for


def test_outside_a_checkout_the_error_says_how_to_get_the_data(installed, tmp_path):
    with pytest.raises(FileNotFoundError, match="LGD_DATA") as raised:
        load("bladder")
    assert str(tmp_path / "site-packages" / "data") in str(raised.value)


def test_lgd_data_is_used_outside_a_checkout(installed, monkeypatch, copy):
    monkeypatch.setenv("LGD_DATA", str(copy))
    assert load("gasoline").X.shape == (60, 401)


def test_lgd_data_fills_in_for_a_file_that_the_checkout_lacks(monkeypatch, tmp_path, copy):
    checkout = Path(shutil.copytree(DATA, tmp_path / "checkout" / "data"))
    (checkout / "bladder.npz").unlink()
    monkeypatch.setattr(data_files, "__file__", str(tmp_path / "checkout" / "lgd_lib" / "data_files.py"))
    monkeypatch.setenv("LGD_DATA", str(copy))
    assert load("bladder").X.shape == (57, 22283)


def test_the_checkout_comes_before_lgd_data(monkeypatch, copy):
    (copy / "gasoline.npz").write_bytes(b"damaged, and never read")
    monkeypatch.setenv("LGD_DATA", str(copy))
    assert load("gasoline").X.shape == (60, 401)


def test_a_root_that_is_given_is_the_only_one(tmp_path, monkeypatch):
    monkeypatch.setenv("LGD_DATA", str(DATA))
    with pytest.raises(FileNotFoundError, match=r"MANIFEST\.json"):
        load("gasoline", root=tmp_path)


def test_a_missing_file_is_named(copy):
    (copy / "bladder.npz").unlink()
    with pytest.raises(FileNotFoundError, match="LGD_DATA") as raised:
        load("bladder", root=copy)
    assert str(copy / "bladder.npz") in str(raised.value)


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(ValueError, match="'mnist'; it must be one of 'bladder', 'gasoline'"):
        load("mnist")
    with pytest.raises(
        ValueError, match=r"'emoji'; it must be one of 'bladder', 'gasoline'; .*load_pictures"
    ):
        load("emoji")
    with pytest.raises(
        ValueError, match=r"'gasoline'; it must be one of 'emoji', 'fashion'; .* read by load$"
    ):
        load_pictures("gasoline")
    with pytest.raises(ValueError, match=r"'emoji'; it must be one of 'shakespeare'; .* by load_pictures$"):
        load_roles("emoji")


@pytest.mark.parametrize("damage", ["one bit", "cut short", "empty"])
def test_a_damaged_file_is_refused_with_both_digests(copy, damage):
    path = copy / "gasoline.npz"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes({"one bit": content, "cut short": content[:1000], "empty": b""}[damage])
    entry = next(entry for entry in ENTRIES if entry["name"] == "gasoline")
    with pytest.raises(ValueError, match="damaged") as raised:
        load("gasoline", root=copy)
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    assert all(part in str(raised.value) for part in (str(path), entry["sha256"], found, "git checkout"))


def test_a_file_with_a_pickle_is_refused_even_if_the_manifest_agrees(copy):
    np.savez(copy / "gasoline.npz", X=np.array([[None]]), y=np.zeros(1))
    manifest = {"datasets": [dict(entry) for entry in ENTRIES]}
    for entry in manifest["datasets"]:
        entry["sha256"] = hashlib.sha256((copy / entry["file"]).read_bytes()).hexdigest()
    (copy / "MANIFEST.json").write_text(json.dumps(manifest))
    with pytest.raises(ValueError, match="allow_pickle=False"):
        load("gasoline", root=copy)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        '{"datasets": 3}',
        '{"datasets": [{"file": "x"}]}',
        '{"datasets": [{"name": "gasoline"}]}',
        '{"sets": []}',
    ],
)
def test_a_damaged_manifest_is_named(copy, text):
    (copy / "MANIFEST.json").write_text(text)
    with pytest.raises(ValueError, match=r"MANIFEST\.json is damaged"):
        load("gasoline", root=copy)


# Making the files again


def test_only_the_very_file_the_data_were_made_from_is_converted(tmp_path):
    with pytest.raises(ValueError, match="'mnist'"):
        data_sources.make("mnist", tmp_path, tmp_path)
    with pytest.raises(FileNotFoundError, match=r"bladderdata\.rda"):
        data_sources.make("bladder", tmp_path, tmp_path)
    other = tmp_path / "lib" / "bladderbatch" / "data" / "bladderdata.rda"
    other.parent.mkdir(parents=True)
    other.write_bytes(b"another version")
    with pytest.raises(ValueError, match=data_sources.SOURCES["bladder"][0][1]):
        data_sources.make("bladder", tmp_path, tmp_path)
    assert not (tmp_path / "bladder.npz").exists()


# Standardising


def test_standardised_training_data_have_mean_zero_and_deviation_one():
    X = load("bladder").X
    (train,) = standardise(X)
    assert np.abs(train.mean(axis=0)).max() < 1e-12
    assert np.abs(train.std(axis=0) - 1).max() < 1e-12


@given(st.integers(0, 2**32 - 1))
def test_standardising_lets_nothing_of_the_held_out_samples_in(seed):
    rng = np.random.default_rng(seed)
    train, test = rng.normal(5, 3, (8, 4)), rng.normal(size=(3, 4))
    alone, held_out = standardise(train, test)
    again, other = standardise(train, 1e6 * test)
    assert np.array_equal(alone, again)
    assert np.array_equal(alone, standardise(train)[0])
    assert np.allclose(held_out, (test - train.mean(0)) / train.std(0), rtol=1e-12)
    assert np.allclose(other, (1e6 * test - train.mean(0)) / train.std(0), rtol=1e-12)
    assert np.array_equal(standardise(train, train)[1], alone)


def test_a_constant_feature_becomes_zero_everywhere_even_if_rounding_makes_it_vary():
    train, test = np.full((7, 2), 0.1), np.array([[0.3, 5.0]])
    train[0, 1] = np.nextafter(0.1, 1)
    scaled, held_out = standardise(train, test)
    assert not scaled.any()
    assert not held_out.any()


def test_centring_costs_one_rank_and_the_constant_feature_gives_it_back():
    bladder = load("bladder")
    (X,) = standardise(bladder.X)
    assert np.linalg.matrix_rank(X) == 56
    assert np.linalg.matrix_rank(with_constant(X)) == 57
    inside = X @ np.linalg.lstsq(X, bladder.y)[0]
    assert np.abs(inside - bladder.y).max() > 0.1
    Z = with_constant(X)
    assert np.abs(Z @ np.linalg.lstsq(Z, bladder.y)[0] - bladder.y).max() < 1e-9


def test_wrong_input_is_named():
    with pytest.raises(ValueError, match=r"others\[0\] has 2 features; train has 3"):
        standardise(np.ones((4, 3)), np.ones((4, 2)))
    with pytest.raises(ValueError, match=r"train.*nan"):
        standardise([[np.nan]])
    with pytest.raises(ValueError, match="train has shape"):
        standardise(np.ones((0, 3)))
    for value in (0.0, np.inf):
        with pytest.raises(ValueError, match="value was"):
            with_constant(np.ones((2, 2)), value)
