"""`lgd_lib.history`: columns, clocks, and a file that gives back every bit."""

from itertools import islice

import numpy as np
import pytest
from strangers import Counting, NoisyWalk
from test_runner import FIVE, walk

from lgd_lib import History, record, rounds, storage

NORMS = {"norm": lambda r: np.linalg.norm(r.w), "w": lambda r: r.w}


@pytest.fixture
def history():
    return record(walk(seed=4), NORMS, 6)


def test_columns_are_arrays_with_one_entry_a_round(history):
    expected = list(islice(walk(seed=4), 6))
    assert len(history) == 6
    assert history["k"].tolist() == list(range(6))
    assert np.array_equal(history["w"], [r.w for r in expected])
    assert np.array_equal(history["norm"], [np.linalg.norm(r.w) for r in expected])
    assert history["bytes_up"].tolist() == [r.bytes_up for r in expected]
    assert history["bytes_down"].tolist() == [r.bytes_down for r in expected]
    assert history["gradients"].tolist() == [5.0] * 6
    assert repr(history) == "History(6 rounds: k, bytes_up, bytes_down, gradients, norm, w)"


def test_an_unknown_column_is_named(history):
    with pytest.raises(KeyError, match=r"'eror'.*norm"):
        history["eror"]


def test_clocks_are_running_totals(history):
    assert history.clock("rounds").tolist() == [1, 2, 3, 4, 5, 6]
    sent = [r.bytes_up + r.bytes_down for r in islice(walk(), 6)]
    assert history.clock("megabytes") == pytest.approx([sum(sent[: k + 1]) / 1e6 for k in range(6)])
    assert history.clock("gradients").tolist() == [5, 10, 15, 20, 25, 30]
    with pytest.raises(ValueError, match=r"^name was 'seconds'; it must be one of 'rounds'"):
        history.clock("seconds")


def test_seed_and_versions_are_inside(history):
    assert history.meta["seed"] == 4
    assert set(history.meta["versions"]) == {"python", "numpy", "scipy", "lgd-lib"}
    assert history.meta["versions"]["numpy"] == np.__version__


def test_a_saved_history_is_the_same_to_the_bit(history, tmp_path):
    history.save(tmp_path / "h.npz")
    again = History.load(tmp_path / "h.npz")
    assert list(again.columns) == list(history.columns)
    for name in history.columns:
        assert again[name].dtype == history[name].dtype
        assert np.array_equal(again[name], history[name])
    assert again.meta == history.meta
    rest = [rounds(FIVE, NoisyWalk(3), Counting(), np.ones(3), state=h.state) for h in (history, again)]
    for a, b in islice(zip(*rest, strict=False), 4):
        assert np.array_equal(a.w, b.w)
        assert (a.k, a.bytes_down, a.state.seed) == (b.k, b.bytes_down, b.state.seed)


def test_a_history_without_a_state_can_be_saved(tmp_path):
    History({"k": np.arange(2)}, {"seed": 1}).save(tmp_path / "h.npz")
    again = History.load(tmp_path / "h.npz")
    assert (again["k"].tolist(), again.meta, again.state) == ([0, 1], {"seed": 1}, None)


@pytest.mark.parametrize(
    ("arrays", "note"),
    [
        ({}, {"kind": "Dataset"}),
        ({}, {"kind": "History", "columns": ["k"], "meta": {}}),
        ({"column/k": np.arange(2)}, {"kind": "History", "columns": ["k"]}),
        ({"column/k": np.arange(2)}, {"kind": "History", "columns": ["k"], "meta": {}, "state": {"k": 1}}),
    ],
)
def test_a_file_that_lacks_something_says_so(tmp_path, arrays, note):
    storage.write(tmp_path / "h.npz", arrays, note)
    with pytest.raises(ValueError, match=r"h\.npz' (holds no History|is damaged: it lacks)"):
        History.load(tmp_path / "h.npz")


@pytest.mark.parametrize("column", [np.ones(2), np.ones(4), np.ones((2, 3)), np.ones(())])
def test_a_column_of_another_length_is_refused(tmp_path, column):
    with pytest.raises(ValueError, match=r"^columns\['error'\] has shape .* each of the 3 rounds in 'k'"):
        History({"k": np.arange(3), "error": column})
    note = {"kind": "History", "columns": ["k", "error"], "meta": {}}
    storage.write(tmp_path / "h.npz", {"column/k": np.arange(3), "column/error": column}, note)
    with pytest.raises(ValueError, match=r"h\.npz' is damaged: columns\['error'\]"):
        History.load(tmp_path / "h.npz")
