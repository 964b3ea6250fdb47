"""`lgd_lib.storage`: whole files or none, and damage that says so."""

import os
import subprocess
import sys

import numpy as np
import pytest

from lgd_lib import storage
from lgd_lib.neural import results

ARRAYS = {"column/a": np.arange(5), "b": np.array([[0.1, np.inf, np.nan]]), "empty": np.zeros((0, 3))}
NOTE = {"k": 3, "x": 0.1, "list": [1, "zwei"]}


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "new folder" / "run.npz"
    storage.write(path, ARRAYS, NOTE)
    return path


def test_what_was_written_is_read(path):
    arrays, note = storage.read(path)
    assert note == NOTE
    assert set(arrays) == set(ARRAYS)
    for name, array in ARRAYS.items():
        assert arrays[name].dtype == array.dtype
        assert np.array_equal(arrays[name], array, equal_nan=array.dtype.kind == "f")


def test_an_older_file_is_replaced_and_nothing_else_left(path):
    storage.write(path, {"c": np.ones(1)}, {})
    assert list(storage.read(path)[0]) == ["c"]
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_a_failed_write_leaves_the_older_file_alone(path):
    before = path.read_bytes()
    with pytest.raises(ValueError, match=r"[Oo]bject array"):
        storage.write(path, {"a": np.ones(3), "b": np.array([None, {}])}, {})
    with pytest.raises(TypeError):
        storage.write(path, {}, {"note": object()})
    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_no_damage_goes_unnoticed(path, tmp_path):
    whole = path.read_bytes()
    broken = tmp_path / "broken.npz"
    rng = np.random.default_rng(0)
    for place in (*range(0, len(whole), 11), *range(len(whole) - 120, len(whole))):
        damaged = bytearray(whole)
        damaged[place] ^= int(rng.integers(1, 256))
        broken.write_bytes(damaged)
        try:
            arrays, note = storage.read(broken)
        except ValueError as error:
            assert str(broken) in str(error)  # noqa: PT017
            continue
        assert note == NOTE
        for name, array in arrays.items():  # a byte that carries nothing, such as a date, or a lost name
            assert np.array_equal(array, ARRAYS[name], equal_nan=array.dtype.kind == "f")


@pytest.mark.parametrize("part", [0.0, 0.3, 0.99])
def test_a_shortened_file_is_damaged(path, part):
    path.write_bytes(path.read_bytes()[: int(part * path.stat().st_size)])
    with pytest.raises(ValueError, match=r"run\.npz' is damaged"):
        storage.read(path)


def test_files_of_other_kinds_are_refused(tmp_path):
    path = tmp_path / "other"
    contents = [
        lambda f: f.write(b"text"),
        lambda f: np.save(f, np.ones(2)),
        lambda f: np.savez(f, a=np.ones(2)),
    ]
    contents += [lambda f: np.savez(f, **{storage.NOTE: np.frombuffer(b"[1, 2]", dtype=np.uint8)})]
    for write in contents:
        with path.open("wb") as file:
            write(file)
        with pytest.raises(ValueError, match="is damaged, or was not saved by lgd_lib"):
            storage.read(path)
    with pytest.raises(FileNotFoundError):
        storage.read(tmp_path / "none")


def test_nothing_is_unpickled(tmp_path):
    path = tmp_path / "pickled.npz"
    np.savez(path, a=np.array([{"any": "object"}]))
    with pytest.raises(ValueError, match="is damaged"):
        storage.read(path)


@pytest.mark.skipif(os.name != "posix", reason="this system cannot be asked which processes live")
@pytest.mark.parametrize("write", [storage.write, lambda path, *_: results.write(path, {})])
def test_what_a_killed_process_has_left_is_removed_by_the_next_save(tmp_path, write):
    with subprocess.Popen([sys.executable, "-c", ""]) as child:
        child.wait()
    path = tmp_path / "run [1].npz"
    for name in (path.name, "other.npz"):
        for process in (child.pid, os.getppid(), "some"):
            (tmp_path / f"{name}.{process}.part").write_text("half")
    write(path, {}, {})
    left = {file.name for file in tmp_path.iterdir() if file.name.startswith("run")}
    assert left == {path.name, f"{path.name}.{os.getppid()}.part", f"{path.name}.some.part"}
    assert len(list(tmp_path.glob("other*"))) == 3
