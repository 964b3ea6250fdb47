"""Long runs of networks: saved and continued with the same bits, killed in mid-round, stopped by Ctrl-C."""

import copy
import os
import signal
import subprocess
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import networks
import numpy as np
import pytest
import torch
from torch import nn

from lgd_lib import (
    Anchored,
    Average,
    History,
    OuterNesterov,
    RunInterrupted,
    Subset,
    record,
    rounds,
    saved_state,
    storage,
)
from lgd_lib.neural.network_steps import NetworkSteps
from lgd_lib.neural.networks import NetworkProblem, Samples
from lgd_lib.neural.optimisers import SGD, AdamW
from lgd_lib.neural.runs import Deadline, OutOfTimeError, run_to
from lgd_lib.origin import described

POINT = {"w": lambda r: r.w}
SOLVERS = {
    "plain": (networks.mlp, NetworkSteps(SGD(0.3), 4)),
    "momentum kept": (networks.mlp, NetworkSteps(SGD(0.1, 0.9), 4, batch_size=2, reset=False)),
    "adamw kept": (networks.mlp, NetworkSteps(AdamW(0.1), epochs=2, batch_size=3, reset=False)),
    "stacked": (networks.mlp, NetworkSteps(AdamW(0.1), 3, batch_size=2, reset=False, together=2)),
    "dropout": (networks.dropped, NetworkSteps(SGD(0.3), 4, batch_size=2)),
    "averaged statistics": (networks.normalised, NetworkSteps(SGD(0.1, 0.9), 4, batchnorm="averaged")),
    "local statistics": (networks.normalised, NetworkSteps(AdamW(0.1), 4, batchnorm="local", reset=False)),
}


def start(name, server, seed=4, state=None):
    build, solver = SOLVERS[name]
    problem = networks.problem(build)
    return rounds(problem, solver, server, problem.initial, seed=seed, participation=Subset(2), state=state)


@pytest.mark.parametrize("name", SOLVERS)
@pytest.mark.parametrize("server", [Average(), Anchored(), OuterNesterov(0.7, 0.9)])
def test_a_continued_run_has_the_same_bits(tmp_path, name, server):
    whole = record(start(name, server), POINT, 9)
    path = tmp_path / "run.npz"
    for K in (4, 5, 9):
        history = record(
            start(name, server, seed=77, state=saved_state(path)) if K > 4 else start(name, server),
            POINT,
            K,
            path=path,
        )
    assert np.array_equal(history["w"], whole["w"])
    for key, kept in whole.state.memory.items():
        assert np.array_equal(History.load(path).state.memory[key], kept)


LONG_RUN = """
import sys, time
import networks
from lgd_lib import OuterNesterov, record, rounds, saved_state
from lgd_lib.neural.network_steps import NetworkSteps
from lgd_lib.neural.networks import NetworkProblem, Samples
from lgd_lib.neural.optimisers import AdamW

def slow(outputs, y):
    print("step", flush=True)
    time.sleep(float(sys.argv[2]))
    return networks.cross_entropy(outputs, y)

problem = NetworkProblem(networks.nodes(), networks.mlp, slow)
solver = NetworkSteps(AdamW(0.05), 5, batch_size=2, reset=False)
state = saved_state(sys.argv[1])
run = rounds(problem, solver, OuterNesterov(0.7, 0.9), problem.initial, seed=3, state=state)
record(run, {"w": lambda r: r.w}, 12, path=sys.argv[1], every=2)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system has no kill -9")
def test_a_run_killed_in_mid_round_goes_on_as_if_nothing_had_happened(tmp_path):
    killed, whole = tmp_path / "killed.npz", tmp_path / "whole.npz"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path])}
    begin = [sys.executable, "-c", LONG_RUN]
    with subprocess.Popen(
        [*begin, killed, "0.02"], stdout=subprocess.PIPE, text=True, env=environment
    ) as child:
        # Trials of the loss before the start, then 15 steps a round: this is in the sixth round.
        for _ in range(networks.TRIALS + 5 * 15 + 8):
            child.stdout.readline()
        child.send_signal(signal.SIGKILL)
    assert child.returncode == -signal.SIGKILL
    assert len(History.load(killed)) == 4
    for path in (killed, whole):
        subprocess.run([*begin, path, "0"], stdout=subprocess.DEVNULL, check=True, env=environment)
    one, other = History.load(killed), History.load(whole)
    assert len(one) == 12
    for column in one.columns:
        assert np.array_equal(one[column], other[column])
    for key, kept in one.state.memory.items():
        assert np.array_equal(other.state.memory[key], kept)


@pytest.mark.parametrize("keep_answers", [False, True])
def test_ctrl_c_while_a_node_trains_leaves_a_state_to_go_on_from(tmp_path, keep_answers):
    calls = []

    def interrupted_once(outputs, y):
        calls.append(1)
        if len(calls) == networks.TRIALS + 4 * 15 + 8:
            raise KeyboardInterrupt
        return networks.cross_entropy(outputs, y)

    solver, path = NetworkSteps(SGD(0.1), 5, batch_size=2, keep_answers=keep_answers), tmp_path / "run.npz"
    plain = NetworkProblem(networks.nodes(), networks.mlp, networks.cross_entropy)
    problem = NetworkProblem(networks.nodes(), networks.mlp, interrupted_once)
    with pytest.raises(RunInterrupted, match="after 4 complete rounds"):
        record(rounds(problem, solver, Average(), problem.initial), POINT, 9, path=path)
    rest = record(
        rounds(problem, solver, Average(), problem.initial, state=saved_state(path)), POINT, 9, path=path
    )
    whole = record(rounds(plain, solver, Average(), plain.initial), POINT, 9)
    assert np.array_equal(rest["w"], whole["w"])


def test_a_lack_of_memory_loses_the_current_round_only(tmp_path):
    calls = []

    def hungry(outputs, y):
        calls.append(1)
        if len(calls) > networks.TRIALS + 2 * 15 + 3:
            raise MemoryError
        return networks.cross_entropy(outputs, y)

    problem = NetworkProblem(networks.nodes(), networks.mlp, hungry)
    run = rounds(problem, NetworkSteps(SGD(0.1), 5), Average(), problem.initial)
    with pytest.raises(MemoryError, match="lower batch_size"):
        record(run, POINT, 9, path=tmp_path / "run.npz")
    assert len(History.load(tmp_path / "run.npz")) == 2


def relu():
    return nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 3)).double()


def doubled(outputs, y):
    return 2 * networks.cross_entropy(outputs, y)


def with_nodes(change):
    nodes = [change(node) for node in networks.nodes()]
    return NetworkProblem(nodes, networks.mlp, networks.cross_entropy, seed=1)


PLAIN = networks.problem()
OTHER_PROBLEMS = {
    "another draw": (r"nodes\[0\]\.X", replace(PLAIN, nodes=networks.nodes(seed=5))),
    "X times 100": (r"nodes\[0\]\.X", with_nodes(lambda node: Samples(100 * node.X, node.y))),
    "other labels": (r"nodes\[0\]\.y", with_nodes(lambda node: Samples(node.X, (node.y + 1) % 3))),
    "the loss doubled": ("loss", replace(PLAIN, loss=doubled)),
    "a partial loss": ("loss", replace(PLAIN, loss=partial(networks.cross_entropy, label_smoothing=0.1))),
    "ReLU for Tanh": ("build", replace(PLAIN, build=relu)),
    "another seed": ("seed", replace(PLAIN, seed=2)),
}


def run_of(problem, solver, state=None):
    return rounds(problem, solver, Average(), PLAIN.initial, state=state)


@pytest.mark.parametrize("name", OTHER_PROBLEMS)
def test_other_data_networks_and_losses_do_not_go_on_with_a_saved_run(tmp_path, name):
    field, path, solver = OTHER_PROBLEMS[name][0], tmp_path / "run.npz", NetworkSteps(SGD(0.1), 2)
    record(run_of(PLAIN, solver), POINT, 3, path=path)
    kept = path.read_bytes()
    said = rf"holds a run with another problem: it was {field} = .*, the iterator's is .*; pass the same"
    with pytest.raises(ValueError, match=said):
        record(run_of(OTHER_PROBLEMS[name][1], solver, saved_state(path)), POINT, 6, path=path)
    assert path.read_bytes() == kept


@pytest.mark.parametrize("options", [{"together": 3}, {"at_once": 2}, {"keep_answers": True}])
def test_what_saves_memory_does_not_count(tmp_path, options):
    path, solver = tmp_path / "run.npz", NetworkSteps(SGD(0.1, 0.9), 3, batch_size=4, reset=False)
    record(run_of(PLAIN, solver), POINT, 3, path=path)
    rest = record(run_of(PLAIN, replace(solver, **options), saved_state(path)), POINT, 6, path=path)
    whole = record(run_of(PLAIN, solver), POINT, 6)
    assert np.allclose(rest["w"], whole["w"], rtol=0, atol=1e-12)


def test_parts_of_a_batch_count_where_normalisation_sees_them(tmp_path):
    path, problem = tmp_path / "run.npz", networks.problem(networks.normalised)
    solver = NetworkSteps(SGD(0.1), 2, batchnorm="averaged")

    def start(solver, state=None):
        return rounds(problem, solver, Average(), problem.initial, state=state)

    record(start(solver), POINT, 3, path=path)
    with pytest.raises(ValueError, match="another local_solver: it was at_once = None, the iterator's is 2;"):
        record(start(replace(solver, at_once=2), saved_state(path)), POINT, 6, path=path)


MOMENTUM, RESET = (NetworkSteps(SGD(0.1, 0.9), 2, reset=reset) for reset in (False, True))
ADAMW = NetworkSteps(AdamW(0.1), 2, reset=False)
MISFITS = {
    "AdamW": (
        MOMENTUM,
        3,
        ADAMW,
        Average(),
        r"^state.memory holds 'momentum'; this local solver needs 'first'",
    ),
    "4 nodes": (
        MOMENTUM,
        4,
        MOMENTUM,
        Average(),
        r"^state.memory\['momentum'\] has shape \(3, 51\); .* \(4, 51\)",
    ),
    "2 nodes": (
        MOMENTUM,
        2,
        MOMENTUM,
        Average(),
        r"^state.memory\['momentum'\] has shape \(3, 51\); .* \(2, 51\)",
    ),
    "none": (
        RESET,
        3,
        MOMENTUM,
        Average(),
        r"^state.memory holds nothing; this local solver needs 'momentum'",
    ),
    "too much": (
        MOMENTUM,
        3,
        RESET,
        Average(),
        r"^state.memory holds 'momentum'; this local solver needs nothing",
    ),
    "server": (
        RESET,
        3,
        RESET,
        OuterNesterov(0.7, 0.9),
        r"^state.aggregation holds nothing; .* needs 'buffer'",
    ),
}


@pytest.mark.parametrize("name", MISFITS)
def test_a_state_that_does_not_fit_is_refused_before_any_work(name):
    first, M, second, server, said = MISFITS[name]
    state = next(run_of(PLAIN, first)).state
    other = networks.problem(sizes=(5, 8, 3, 4)[:M])
    with pytest.raises(ValueError, match=said):
        rounds(other, second, server, PLAIN.initial, state=state)


def test_a_file_without_its_memory_is_refused(tmp_path):
    path = tmp_path / "run.npz"
    record(run_of(PLAIN, MOMENTUM), POINT, 3, path=path)
    arrays, note = storage.read(path)
    storage.write(path, {name: a for name, a in arrays.items() if not name.startswith("memory/")}, note)
    with pytest.raises(ValueError, match=r"state.memory holds nothing"):
        run_of(PLAIN, MOMENTUM, saved_state(path))


def test_the_bar_of_a_run_in_slices_is_that_of_the_whole_run(tmp_path, monkeypatch):
    bars = []

    class Counted:
        def __init__(self, total, done, unit):
            self.total, self.begun, self.done, self.open = total, done, done, None
            bars.append(self)

        def __enter__(self):
            self.open = True

        def __exit__(self, *_):
            self.open = False

        def update(self, n=1):
            assert self.open
            self.done += n

    monkeypatch.setattr("lgd_lib.neural.runs.progress", Counted)
    monkeypatch.setattr("lgd_lib.recording.progress", lambda *_: pytest.fail("another bar"))
    monkeypatch.setattr("lgd_lib.neural.runs.BETWEEN_SAVES", 1e-9)  # every round
    path, saves = tmp_path / "run.npz", []

    def go(deadline):
        solver = NetworkSteps(SGD(0.1), 2)
        make = partial(run_of, PLAIN, solver)
        return run_to(4, make, POINT, path, deadline, lambda: saves.append(len(History.load(path))))

    with pytest.raises(OutOfTimeError):
        go(Deadline(-1.0))
    assert len(go(Deadline(float("inf")))) == 4
    assert [(bar.total, bar.begun, bar.done, bar.open) for bar in bars] == [
        (4, 0, 1, False),
        (4, 1, 4, False),
    ]
    assert saves == [1, 2, 3, 4]


def test_where_a_network_computes_is_no_part_of_what_the_run_is():
    here = NetworkProblem([Samples(torch.ones(2, 3), torch.zeros(2))], lambda: None, min)
    there = copy.copy(here)
    object.__setattr__(there, "device", "cuda")
    assert described(here) == described(there)
    object.__setattr__(there, "seed", 1)
    assert described(here) != described(there)
