"""Long runs of networks: saved and continued with the same bits, killed in mid-round, stopped by Ctrl-C."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import networks
import numpy as np
import pytest

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
)
from lgd_lib.neural.network_steps import NetworkSteps
from lgd_lib.neural.networks import NetworkProblem
from lgd_lib.neural.optimisers import SGD, AdamW

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
from lgd_lib.neural.networks import NetworkProblem
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

    def interrupted(outputs, y):
        calls.append(1)
        if len(calls) == networks.TRIALS + 4 * 15 + 8:
            raise KeyboardInterrupt
        return networks.cross_entropy(outputs, y)

    solver, path = NetworkSteps(SGD(0.1), 5, batch_size=2, keep_answers=keep_answers), tmp_path / "run.npz"
    plain = NetworkProblem(networks.nodes(), networks.mlp, networks.cross_entropy)
    problem = NetworkProblem(networks.nodes(), networks.mlp, interrupted)
    with pytest.raises(RunInterrupted, match="after 4 complete rounds"):
        record(rounds(problem, solver, Average(), problem.initial), POINT, 9, path=path)
    rest = record(
        rounds(plain, solver, Average(), plain.initial, state=saved_state(path)), POINT, 9, path=path
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
