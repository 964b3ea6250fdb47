"""`lgd_lib.unfinished`: results kept piece by piece; a kill in the middle, and the same numbers after it."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from test_runner import walk

from lgd_lib import storage, unfinished
from lgd_lib.progress import progress
from lgd_lib.unfinished import Unfinished

SLOW = """
import sys, time
import numpy as np
from lgd_lib import unfinished

unfinished.SECONDS = 0.0

def make(n):
    print(n, flush=True)
    time.sleep(0.01)
    rng = np.random.default_rng([5, n])
    return {"found": rng.standard_normal(3), "worst": float(rng.random()), "name": [str(n), None]}

done = unfinished.Unfinished(sys.argv[1], "one").each("random, L=1/2", make, range(int(sys.argv[2])))
print(repr(done), flush=True)
"""


@pytest.fixture
def work(tmp_path):
    (tmp_path / "unfinished" / "one").mkdir(parents=True)
    return Unfinished(tmp_path, "one")


def slow(out, count):
    return [sys.executable, "-c", SLOW, str(out), str(count)]


@pytest.mark.parametrize("out", [None, "no-such-folder"])
def test_nothing_is_kept_without_the_folder(tmp_path, out):
    work = Unfinished(out and tmp_path / out, "one")
    assert work.each("squares", lambda n: n * n, range(3)) == [0, 1, 4]
    assert not list(tmp_path.iterdir())


def test_a_killed_process_loses_one_piece_and_the_rest_is_not_made_again(work):
    whole = subprocess.run(slow("nowhere", 40), capture_output=True, text=True, check=True).stdout
    with subprocess.Popen(slow(work.out, 40), stdout=subprocess.PIPE, text=True) as process:
        seen = [process.stdout.readline().strip() for _ in range(15)]
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    assert seen[-1] == "14"
    again = subprocess.run(slow(work.out, 40), capture_output=True, text=True, check=True).stdout
    assert 13 <= int(again.splitlines()[0]) <= 15
    assert again.splitlines()[-4:] == whole.splitlines()[-4:], "the same numbers"
    assert "'worst'" in again


def test_what_is_done_is_kept_when_a_piece_fails_or_is_interrupted(work):
    made = []

    def make(n, stop=ValueError):
        made.append(n)
        if n == 2 and stop:
            raise stop
        return float(n)

    for stop in (ValueError, KeyboardInterrupt):
        with pytest.raises(stop):
            work.each("steps", lambda n, stop=stop: make(n, stop), range(4))
    assert made == [0, 1, 2, 2]
    assert work.each("steps", lambda n: make(n, None), range(4)) == [0, 1, 2, 3]
    assert work.each("steps", lambda n: make(n, None), range(4)) == [0, 1, 2, 3]
    assert made == [0, 1, 2, 2, 2, 3]


def test_results_are_saved_now_and_then_only(work, monkeypatch):
    clock, written = [0.0], []
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(unfinished, "_write", lambda path, done: written.append(len(done)))

    def make(n):
        clock[0] += 3.0
        return n

    work.each("steps", make, range(9))
    assert written == [4, 8, 9]


@pytest.mark.parametrize("keeps", [True, False])
def test_a_result_comes_back_as_from_a_file_the_first_time_too(work, keeps):
    work = work if keeps else Unfinished(None, "one")
    buffer = np.arange(3)

    def make():
        rest = {"array": [np.float64(0.1), np.bool_(True), np.int64(2)], "x": (None, -np.inf)}
        return {"a": buffer, "b": (1, "two", rest), "empty": np.empty((0, 2), dtype=np.float32)}

    first = work.once("mixed", make)
    buffer[0] = 7
    second = work.once("mixed", make) if keeps else first
    for result in (first, second):
        assert result["a"].tolist() == [0, 1, 2]
        assert result["b"] == [1, "two", {"array": [0.1, True, 2], "x": [None, -np.inf]}]
        assert [type(x) for x in result["b"][2]["array"]] == [float, bool, int]
        assert result["empty"].shape == (0, 2)
        assert result["empty"].dtype == np.float32


@pytest.mark.parametrize("wrong", [{1: 2}, {1, 2}, 1j, object()])
def test_a_result_that_cannot_be_kept_is_refused_whether_or_not_it_is_kept(work, wrong):
    for place in (work, Unfinished(None, "one")):
        with pytest.raises(TypeError, match="a result was"):
            place.once("wrong", lambda: wrong)


def test_names_may_hold_anything_and_are_told_apart(work):
    for n, name in enumerate(("L=1", "L/1", "../L", "L%3D1")):
        assert work.once(name, lambda n=n: n) == n
    assert [work.once(name, lambda: None) for name in ("L=1", "L/1", "../L", "L%3D1")] == [0, 1, 2, 3]
    assert len(list((work.out / "unfinished" / "one").iterdir())) == 4
    assert len(list((work.out / "unfinished").iterdir())) == 1


def test_a_file_of_more_results_and_a_damaged_file_are_refused(work):
    work.each("steps", float, range(3))
    with pytest.raises(ValueError, match="holds 3 results of 2"):
        work.each("steps", float, range(2))
    path = work.out / "unfinished" / "one" / "steps.npz"
    storage.write(path, {}, {"something": "else"})
    with pytest.raises(ValueError, match="damaged, or holds something else"):
        work.each("steps", float, range(3))
    path.write_bytes(b"PK")
    with pytest.raises(ValueError, match="is damaged"):
        work.each("steps", float, range(3))


def test_rounds_go_on_in_the_middle_with_the_same_bits(work):
    def iterate(state):
        return walk(seed=3, state=state)

    def stopping(r):
        if r.k == 11:
            raise KeyboardInterrupt
        return r.w

    whole = Unfinished(None, "one").run("walk", iterate, {"w": lambda r: r.w}, 20)
    with pytest.raises(KeyboardInterrupt):
        work.run("walk", iterate, {"w": stopping}, 20, every=4)
    later = []
    again = work.run("walk", iterate, {"w": lambda r: later.append(r.k) or r.w}, 20)
    assert later[0] == 11
    assert np.array_equal(again["w"], whole["w"])
    assert np.array_equal(work.run("walk", iterate, {"w": lambda r: r.w}, 20)["w"], whole["w"])


def test_the_build_is_told_how_far_the_work_is(tmp_path, monkeypatch, capfd):
    line = tmp_path / "line.txt"
    monkeypatch.setenv("LGD_PROGRESS", str(line))
    texts = []

    def make(n):
        texts.append(line.read_text(encoding="utf8"))
        time.sleep(0.6)

    Unfinished(None, "one").each("searched", make, range(3))
    assert texts[0] == "searched 0 of 3"
    assert texts[1].startswith("searched 1 of 3, ")
    assert texts[1].endswith(" s left")
    assert line.read_text(encoding="utf8") == ""
    monkeypatch.setenv("LGD_PROGRESS", str(tmp_path / "gone" / "line.txt"))
    bar = progress(2)
    with bar:
        bar.update()
    assert capfd.readouterr() == ("", "")
    assert Path(line).exists()
