"""`lgd_lib.recording`: metrics, saving, Ctrl-C, a kill, and going on with the same bits."""

import os
import signal
import subprocess
import sys
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from instances import make
from strangers import Counting, NoisyWalk, PreparedWalk
from test_runner import FIVE, walk

from lgd_lib import Average, ExactProjection, History, RunInterrupted, record, rounds, saved_state

POINT = {"w": lambda r: r.w}
SLOW_RUN = """
import sys, time
import numpy as np
from test_runner import walk
from lgd_lib import record

def slow(r):
    print(r.k, flush=True)
    time.sleep(0.002)
    return r.w

record(walk(seed=5), {"w": slow}, 10_000, path=sys.argv[1], every=7)
"""


def expected(K, seed=0):
    return np.array([r.w for r in islice(walk(seed=seed), K)])


def interrupting(k):
    def metric(r):
        if r.k == k:
            raise KeyboardInterrupt
        return r.w

    return {"w": metric}


def test_K_rounds_are_recorded_and_no_more_are_run():
    run = walk()
    history = record(run, POINT, 4)
    assert np.array_equal(history["w"], expected(4))
    assert history.state.k == 4
    assert next(run).k == 4


def test_metrics_that_reuse_an_array_are_copied():
    buffer = np.zeros(3)
    history = record(walk(), {"w": lambda r: np.add(r.w, 0, out=buffer)}, 4)
    assert np.array_equal(history["w"], expected(4))


@pytest.mark.parametrize(("K", "every"), [(4, 100), (10, 3), (9, 3)])
def test_a_saved_run_goes_on_with_the_same_bits(tmp_path, K, every):
    path = tmp_path / "run.npz"
    for rounds_in_all in (K, K, K + 5):
        history = record(walk(state=saved_state(path)), POINT, rounds_in_all, path=path, every=every)
        assert np.array_equal(history["w"], expected(rounds_in_all))
        assert np.array_equal(History.load(path)["w"], history["w"])
        assert history["k"].tolist() == list(range(rounds_in_all))


def test_going_on_without_a_path_records_the_new_rounds_only():
    first = record(walk(), POINT, 3)
    second = record(walk(state=first.state), POINT, 5)
    assert second["k"].tolist() == [3, 4]
    assert np.array_equal(second["w"], expected(5)[3:])


def test_a_complete_run_is_returned_as_it_is(tmp_path):
    path = tmp_path / "run"
    record(walk(), POINT, 3, path=path)
    saved = path.read_bytes()
    assert len(record(walk(state=saved_state(path)), POINT, 3, path=path)) == 3
    assert path.read_bytes() == saved


def test_nothing_is_done_for_a_complete_run_or_before_a_refusal(tmp_path, monkeypatch):
    path = tmp_path / "run"
    record(walk(), POINT, 3, path=path)
    state = saved_state(path)
    monkeypatch.setattr(PreparedWalk, "__call__", lambda *_: pytest.fail("work has begun"))
    assert len(record(walk(state=state), POINT, 3, path=path)) == 3
    for K in (3, 5):
        run = rounds(FIVE, NoisyWalk(3), Counting(), np.ones(3), weights=[1, 2, 3, 4, 5], state=state)
        with pytest.raises(ValueError, match="another weights"):
            record(run, POINT, K, path=path)


def test_a_run_behind_another_iterator_is_looked_at_in_its_first_round(tmp_path):
    path = tmp_path / "run"
    record(walk(), POINT, 3, path=path)
    state, weights = saved_state(path), [1, 2, 3, 4, 5]
    with pytest.raises(ValueError, match="another weights"):
        record(
            (r for r in rounds(FIVE, NoisyWalk(3), Counting(), np.ones(3), weights=weights, state=state)),
            POINT,
            5,
            path=path,
        )
    assert len(record((r for r in walk(state=state)), POINT, 3, path=path)) == 3
    assert np.array_equal(record((r for r in walk(state=state)), POINT, 5, path=path)["w"], expected(5))


def test_a_new_run_does_not_pass_for_a_complete_one(tmp_path):
    path = tmp_path / "run"
    record(walk(), POINT, 3, path=path)
    with pytest.raises(ValueError, match=r"holds 3 rounds, but the iterator starts at round 0; pass state="):
        record(walk(), POINT, 3, path=path)


def test_a_failing_metric_loses_the_current_round_only(tmp_path):
    path = tmp_path / "run"

    def fails_late(r):
        return 1 / (4 - r.k)

    with pytest.raises(ZeroDivisionError):
        record(walk(), {"w": fails_late}, 10, path=path)
    assert History.load(path)["k"].tolist() == [0, 1, 2, 3]


def test_what_a_round_shows_cannot_be_changed():
    r = next(walk())
    for point in (r.w, r.sent):
        with pytest.raises(ValueError, match="read-only"):
            point -= 1.0


def test_the_run_is_saved_every_so_many_rounds(tmp_path):
    path, lengths = tmp_path / "run", []

    def saved_rounds(r):
        lengths.append(len(History.load(path)) if path.exists() else 0)
        return 0

    record(walk(), {"w": saved_rounds}, 10, path=path, every=4)
    assert lengths == [0, 0, 0, 0, 4, 4, 4, 4, 8, 8]
    assert len(History.load(path)) == 10


@pytest.mark.parametrize("where", ["metric", "local solver"])
@pytest.mark.parametrize("saved", [False, True])
def test_ctrl_c_loses_the_current_round_only(tmp_path, where, saved):
    path = tmp_path / "run" if saved else None
    solver = NoisyWalk(3, interrupt_in_round=6 if where == "local solver" else -1)
    run = rounds(FIVE, solver, Counting(), np.ones(3))
    with pytest.raises(KeyboardInterrupt, match="after 6 complete rounds") as stop:
        record(run, interrupting(6) if where == "metric" else POINT, 10, path=path, every=4)
    assert isinstance(stop.value, RunInterrupted)
    history = stop.value.history
    assert np.array_equal(history["w"], expected(6))
    if saved:
        assert str(path) in str(stop.value)
        assert np.array_equal(History.load(path)["w"], expected(6))
        again = record(walk(state=saved_state(path)), POINT, 10, path=path)
        assert np.array_equal(again["w"], expected(10))
    else:
        rest = record(walk(state=history.state), POINT, 10)
        assert np.array_equal(np.concatenate([history["w"], rest["w"]]), expected(10))


def test_ctrl_c_between_a_row_and_its_state_drops_the_row():
    class Interrupted:
        def __init__(self, r):
            self.r = r

        def __getattr__(self, name):
            if name == "state":
                raise KeyboardInterrupt
            return getattr(self.r, name)

    with pytest.raises(RunInterrupted) as stop:
        record((Interrupted(r) if r.k == 3 else r for r in walk()), POINT, 9)
    assert np.array_equal(stop.value.history["w"], expected(3))
    assert stop.value.history.state.k == 3


def test_ctrl_c_in_the_first_round_after_going_on_keeps_the_file(tmp_path):
    path = tmp_path / "run"
    record(walk(), POINT, 3, path=path)
    with pytest.raises(KeyboardInterrupt):
        record(walk(state=saved_state(path)), interrupting(3), 9, path=path)
    assert np.array_equal(History.load(path)["w"], expected(3))


def test_ctrl_c_in_the_very_first_round_leaves_no_file(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        record(walk(), interrupting(0), 9, path=tmp_path / "run")
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system has no kill -9")
def test_a_killed_process_loses_at_most_every_rounds(tmp_path):
    path = tmp_path / "run.npz"
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parent)}
    with subprocess.Popen(
        [sys.executable, "-c", SLOW_RUN, path], stdout=subprocess.PIPE, text=True, env=environment
    ) as child:
        begun = next(int(line) for line in child.stdout if int(line) >= 25)
        child.send_signal(signal.SIGKILL)
        begun = max([begun, *(int(line) for line in child.stdout if line.strip())])
    kept = len(History.load(path))
    assert begun - kept <= 7
    history = record(walk(seed=99, state=saved_state(path)), POINT, begun + 5, path=path)
    assert np.array_equal(history["w"], expected(begun + 5, seed=5))


def test_a_damaged_file_says_so_and_is_not_overwritten(tmp_path):
    path = tmp_path / "run.npz"
    record(walk(), POINT, 3, path=path)
    damaged = bytearray(path.read_bytes())
    damaged[damaged.index(b"NUMPY") + 140] ^= 1
    path.write_bytes(damaged)
    for attempt in (lambda: record(walk(), POINT, 9, path=path), lambda: saved_state(path)):
        with pytest.raises(ValueError, match=r"run\.npz' is damaged"):
            attempt()
    assert path.read_bytes() == damaged


@pytest.mark.parametrize(
    ("run", "metrics", "message"),
    [
        (lambda path: walk(), POINT, r"holds 3 rounds, but the iterator starts at round 0; pass state="),
        (lambda path: walk(state=replace(saved_state(path), seed=8)), POINT, "holds another run"),
        (lambda path: walk(state=elsewhere(saved_state(path))), POINT, "holds another run"),
        (lambda path: walk(state=saved_state(path)), {}, r"^metrics was \[\]; the saved run has the columns"),
        (lambda path: walk(state=saved_state(path)), {**POINT, "v": np.mean}, r"^metrics was \['v', 'w'\]"),
    ],
)
def test_a_file_of_another_run_is_refused_and_kept(tmp_path, run, metrics, message):
    path = tmp_path / "run"
    record(walk(), POINT, 3, path=path)
    before = path.read_bytes()
    with pytest.raises(ValueError, match=message):
        record(run(path), metrics, 9, path=path)
    assert path.read_bytes() == before


def elsewhere(state):
    return replace(state, message=replace(state.message, point=state.message.point + 1e-15))


def test_other_metrics_are_refused_for_a_complete_run_too(tmp_path):
    record(walk(), POINT, 3, path=tmp_path / "run")
    with pytest.raises(ValueError, match=r"^metrics was \['other'\]"):
        record(walk(), {"other": np.mean}, 3, path=tmp_path / "run")


def test_an_empty_iterator_is_an_error_and_a_short_one_ends_the_run():
    with pytest.raises(ValueError, match=r"^iterator gave no round"):
        record(iter(()), POINT, 3)
    assert len(record(islice(walk(), 2), POINT, 3)) == 2


def test_a_metric_of_changing_shape_is_named_in_the_round_where_it_changes():
    with pytest.raises(ValueError, match=r"^metrics\['v'\] gave an array of shape \(2,\) in round 2"):
        record(walk(), {"v": lambda r: np.zeros(1 + r.k // 2)}, 10)


def test_nothing_is_printed_without_a_terminal(capfd):
    problem, w0 = make("plain", 0)
    record(rounds(problem, ExactProjection(), Average(), w0), POINT, 50)
    assert capfd.readouterr() == ("", "")
