"""Networks through `rounds`: the plain twin, loop and stack, normalisation layers, memory, bad input."""

import subprocess
import sys
from itertools import islice
from pathlib import Path

import networks
import numpy as np
import pytest
import torch
from torch import nn

from lgd_lib import Anchored, Average, OuterNesterov, Subset, rounds
from lgd_lib.neural.answers import AnswersGoneError
from lgd_lib.neural.network_steps import NetworkSteps
from lgd_lib.neural.networks import NetworkProblem, Samples
from lgd_lib.neural.optimisers import SGD, AdamW

OPTIMISERS = {
    "sgd": (SGD(0.3), lambda p: torch.optim.SGD(p, 0.3)),
    "momentum": (SGD(0.1, 0.8), lambda p: torch.optim.SGD(p, 0.1, 0.8)),
    "nesterov": (
        SGD(0.1, 0.8, nesterov=True, weight_decay=0.1),
        lambda p: torch.optim.SGD(p, 0.1, 0.8, nesterov=True, weight_decay=0.1),
    ),
    "adamw": (
        AdamW(0.02, (0.8, 0.9), 1e-6, 0.1),
        lambda p: torch.optim.AdamW(p, 0.02, (0.8, 0.9), 1e-6, 0.1),
    ),
}


def run_of(problem, solver, K, server=None, w0=None, **given):
    start = problem.initial if w0 is None else w0
    return list(islice(rounds(problem, solver, server or Average(), start, **given), K))


@pytest.mark.parametrize("name", OPTIMISERS)
@pytest.mark.parametrize("batch_size", [None, 2, 5])
def test_rounds_are_those_of_the_plain_twin(name, batch_size):
    ours, theirs = OPTIMISERS[name]
    problem, L, p = networks.problem(), [4, 7, 2], [1.0, 3.0, 0.5]
    run = run_of(
        problem, NetworkSteps(ours, L, batch_size=batch_size, keep_answers=True), 4, seed=3, weights=p
    )
    twin = networks.plain_rounds(problem, theirs, 4, L, batch_size or 10**9, seed=3, weights=p)
    for r, (mean, models) in zip(run, twin, strict=True):
        assert np.allclose(r.w, networks.flat(mean), rtol=0, atol=1e-13)
        assert np.allclose(r.W, [networks.flat(m) for m in models], rtol=0, atol=1e-13)
        assert r.local_steps.tolist() == L


def test_epochs_are_passes_and_absent_nodes_change_nothing():
    problem, actives = networks.problem(), []

    def some(k, M, rng):
        actives.append(Subset(2)(k, M, rng))
        return actives[-1]

    run = run_of(problem, NetworkSteps(SGD(0.3), epochs=2, batch_size=2), 5, participation=some)
    assert [r.local_steps.tolist() for r in run] == [[(6, 8, 4)[i] for i in active] for active in actives]
    sgd = OPTIMISERS["sgd"][1]
    twin = networks.plain_rounds(problem, sgd, 5, [6, 8, 4], 2, actives=actives)
    for r, (mean, _) in zip(run, twin, strict=True):
        assert np.allclose(r.w, networks.flat(mean), rtol=0, atol=1e-13)


def test_one_full_step_is_gradient_descent_on_the_mean_loss():
    problem = networks.problem()
    net = problem.flat()
    net.mode(train=True, frozen=True)
    for r in run_of(problem, NetworkSteps(SGD(0.3), 1), 6):
        net.gradient.zero_()
        losses = [problem.loss(net.module(n.X), n.y).mean() for n in problem.nodes]
        (sum(losses) / problem.M).backward()
        net.parameters.sub_(0.3 * net.gradient)
        assert np.allclose(r.w, net.parameters, rtol=0, atol=1e-14)


@pytest.mark.parametrize("server", [Anchored(), OuterNesterov(0.7, 0.9)])
def test_servers_step_as_their_formula_says(server):
    problem, solver = networks.problem(), NetworkSteps(SGD(0.2), 3, keep_answers=True)
    w = w0 = problem.initial
    b = np.zeros_like(w0)
    for r in run_of(problem, solver, 5, server):
        mean = r.W.mean(axis=0)
        if isinstance(server, Anchored):
            w = (1 - 1 / (r.k + 2)) * mean + w0 / (r.k + 2)
        else:
            g = w - mean
            b = 0.9 * b + g
            w = w - 0.7 * (g + 0.9 * b)
        assert np.allclose(r.w, w, rtol=0, atol=1e-14)


@pytest.mark.parametrize("build", [networks.mlp, networks.normalised, networks.pictures])
@pytest.mark.parametrize("name", ["momentum", "adamw"])
@pytest.mark.parametrize("batch_size", [None, 2])
@pytest.mark.parametrize("reset", [True, False])
def test_stacked_clients_are_those_of_the_loop(build, name, batch_size, reset):
    problem, L = networks.problem(build), [4, 7, 2]
    runs = [
        run_of(
            problem,
            NetworkSteps(OPTIMISERS[name][0], L, batch_size=batch_size, reset=reset, together=together),
            3,
            seed=5,
            participation=lambda k, M, rng: np.array([0, 1, 2]) if k != 1 else np.array([0, 2]),
        )
        for together in (1, 2, 8)
    ]
    for loop, *stacked in zip(*runs, strict=True):
        for r in stacked:
            assert np.allclose(r.w, loop.w, rtol=0, atol=1e-12)
            for key, kept in loop.state.memory.items():
                assert np.allclose(r.state.memory[key], kept, rtol=1e-9, atol=1e-12)


def test_stacking_is_refused_where_samples_are_mixed_or_layers_draw():
    for build, batchnorm in ((networks.dropped, "frozen"), (networks.normalised, "averaged")):
        solver = NetworkSteps(SGD(0.1), 1, batchnorm=batchnorm, together=2)
        with pytest.raises(ValueError, match=r"^together was 2; .* cannot be stacked: .*; take 1"):
            solver.prepare(networks.problem(build))


def test_bytes_are_those_of_what_is_trained_times_the_clients():
    def last_layer():
        net = networks.mlp()
        net[0].requires_grad_(False)
        return net

    problem = networks.problem(last_layer)
    r, *_ = run_of(problem, NetworkSteps(SGD(0.1), 3), 1, participation=Subset(2))
    assert (r.w.size, r.bytes_up, r.bytes_down) == (21, 2 * 21 * 8, 2 * 21 * 8)
    whole = networks.problem()
    before, after = whole.module(whole.initial)[0].weight, problem.module(r.w)[0].weight
    assert torch.equal(before, after), "what is not trained stays as built"


def test_float32_stays_float32():
    problem = NetworkProblem(
        [Samples(torch.ones(2, 3), torch.zeros(2, 1))], lambda: nn.Linear(3, 1), nn.MSELoss(reduction="none")
    )
    for server in (Average(), Anchored(), OuterNesterov(0.7, 0.9)):
        r = run_of(problem, NetworkSteps(SGD(0.1), 2), 2, server)[-1]
        assert (r.w.dtype, r.bytes_up) == (np.float32, 16)


def test_shared_parameters_travel_once():
    class Tied(nn.Module):
        def __init__(self):
            super().__init__()
            self.one = nn.Linear(4, 4, bias=False).double()
            self.two = nn.Linear(4, 4, bias=False).double()
            self.two.weight = self.one.weight

        def forward(self, X):
            return self.two(torch.tanh(self.one(X)))

    problem = networks.problem(Tied)
    run = run_of(problem, NetworkSteps(SGD(0.1), 5), 3)
    stacked = run_of(problem, NetworkSteps(SGD(0.1), 5, together=3), 3)
    assert run[0].w.size == 16
    assert problem.losses(run[-1].w).sum() < problem.losses(run[0].w).sum()
    assert np.allclose(run[-1].w, stacked[-1].w, rtol=0, atol=1e-13)


# Normalisation layers.


def test_frozen_statistics_are_those_that_were_built():
    problem = networks.problem(networks.normalised)
    r = run_of(problem, NetworkSteps(SGD(0.3), 4), 3)[-1]
    twin = list(networks.plain_rounds(problem, OPTIMISERS["sgd"][1], 3, [4] * 3))[-1][0]
    assert np.allclose(r.w, networks.flat(twin), rtol=0, atol=1e-13)
    layer = problem.module(r.w)[1]
    assert torch.equal(layer.running_mean, torch.zeros(6).double())
    assert torch.equal(layer.running_var, torch.ones(6).double())


def test_averaged_statistics_travel_with_the_parameters():
    problem = networks.problem(networks.normalised)
    run = run_of(problem, NetworkSteps(SGD(0.3), 4, batchnorm="averaged"), 3)
    twin = networks.plain_rounds(problem, OPTIMISERS["sgd"][1], 3, [4] * 3, train=True)
    for r, (mean, _) in zip(run, twin, strict=True):
        assert np.allclose(r.w, [*networks.flat(mean), *networks.running(mean)], rtol=0, atol=1e-12)
        assert r.bytes_up == 3 * 8 * (problem.initial.size + 12)


def test_local_statistics_stay_at_their_node():
    problem = networks.problem(networks.normalised)
    run = run_of(
        problem, NetworkSteps(SGD(0.3), 4, batchnorm="local"), 2, participation=lambda k, M, rng: [k]
    )
    twin = networks.plain_rounds(problem, OPTIMISERS["sgd"][1], 1, [4] * 3, actives=[[0]], train=True)
    mean, _ = next(iter(twin))
    assert np.allclose(run[0].w, networks.flat(mean), rtol=0, atol=1e-13)
    kept = run[0].state.memory["statistics"]
    assert np.allclose(kept[0], networks.running(mean), rtol=0, atol=1e-13)
    assert np.array_equal(kept[1], np.repeat([0.0, 1.0], 6))
    later = run[1].state.memory["statistics"]
    assert np.array_equal(later[0], kept[0])
    assert not np.array_equal(later[1], kept[1])
    assert run[1].bytes_up == 8 * problem.initial.size


def test_a_model_without_its_statistics_fails_where_nodes_differ():
    """One rule, inputs that lie far apart: each node finds the rule in its own units only."""
    rng, some = np.random.default_rng(0), []
    for i in range(3):
        X = rng.standard_normal((60, 4))
        some.append(Samples(X + 6.0 * i, (X[:, 0] > 0).astype(np.int64)))
    problem = NetworkProblem(some, networks.normalised, networks.cross_entropy, seed=1)

    def accuracy(w, statistics=(None, None, None)):
        hits = [
            problem.outputs(w, node.X, own).argmax(axis=1) == node.y.numpy()
            for node, own in zip(some, statistics, strict=True)
        ]
        return np.mean(hits)

    ends = {
        name: run_of(problem, NetworkSteps(SGD(0.1), 10, batchnorm=name), 30)[-1]
        for name in ("averaged", "local")
    }
    w, own = ends["local"].w, ends["local"].state.memory["statistics"]
    assert accuracy(w, own) > 0.9
    assert accuracy(w, np.roll(own, 1, axis=0)) < 0.6, "chance is one half"
    assert accuracy(w) < 0.8, "the server has no statistics for it"
    assert accuracy(ends["averaged"].w) < 0.8, "the mean of variances is not the variance of all"


# Memory and order of work.


class Counting(nn.Module):
    """A linear map that counts how often it is used while training."""

    def __init__(self):
        super().__init__()
        self.map, self.used = nn.Linear(4, 3).double(), []

    def forward(self, X):
        self.used.append(self.training)
        return self.map(X)


@pytest.mark.parametrize("keep", [False, True])
def test_training_happens_once(keep):
    problem = networks.problem(Counting)
    solver = NetworkSteps(SGD(0.1), 5, keep_answers=keep).prepare(problem)

    class Same:
        def prepare(self, problem):
            return solver

    r = run_of(problem, Same(), 1)[0]
    if keep:
        assert np.allclose(r.W.mean(axis=0), r.w, rtol=0, atol=1e-15)
        assert np.allclose(r.answers.combine(np.array([1.0, 0, 0])), r.W[0], rtol=0, atol=0)
    else:
        with pytest.raises(AnswersGoneError, match="take NetworkSteps"):
            _ = r.W
    assert sum(solver.net.module.used) == 5 * problem.M


def test_kept_answers_change_no_bit():
    for build in (networks.mlp, networks.dropped):
        problem = networks.problem(build)
        runs = [
            run_of(problem, NetworkSteps(SGD(0.1), 5, batch_size=2, keep_answers=keep), 3) for keep in (0, 1)
        ]
        assert all(np.array_equal(a.w, b.w) for a, b in zip(*runs, strict=True))


GROWTH = r"""
import re, torch
from pathlib import Path
from torch import nn
from lgd_lib import Average, rounds
from lgd_lib.neural.network_steps import NetworkSteps
from lgd_lib.neural.networks import NetworkProblem, Samples
from lgd_lib.neural.optimisers import SGD

one, solver = Samples(torch.ones(1, 500), torch.ones(1, 500)), NetworkSteps(SGD(0.1), 1, keep_answers=KEEP)
peaks = []
for M in (10, 100, 1000):
    problem = NetworkProblem([one] * M, lambda: nn.Linear(500, 500), nn.MSELoss(reduction="none"))
    run = rounds(problem, solver, Average(), problem.initial)
    held = [next(run), next(run)]
    del problem, run, held
    told = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    peaks.append(int(told[1]) / 1024)
    if KEEP and M == 100:
        break
print(*peaks)
"""


@pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="this system does not tell the peak of memory"
)
@pytest.mark.parametrize("keep", [False, True])
def test_memory_does_not_grow_with_the_clients_unless_answers_are_kept(keep):
    script = GROWTH.replace("KEEP", str(keep))
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    few, *more = map(float, done.stdout.split())
    model = 4 * 500 * 501 / 2**20
    if keep:  # so that this test can fail
        assert more[0] - few > 80 * model
    else:
        assert max(more) - few < 30 * model, "990 more clients would need 990 models"


def test_the_random_state_of_torch_is_left_alone():
    before = torch.get_rng_state()
    problem = networks.problem(networks.dropped)
    run_of(problem, NetworkSteps(SGD(0.1), 3), 2)
    assert torch.equal(torch.get_rng_state(), before)


def test_draws_of_a_layer_belong_to_seed_round_and_node():
    problem = networks.problem(networks.dropped)
    solver = NetworkSteps(SGD(0.1), 3, keep_answers=True)
    one, other = run_of(problem, solver, 1, seed=1)[0].W, run_of(problem, solver, 1, seed=2)[0].W
    alone = run_of(problem, solver, 1, seed=1, participation=lambda k, M, rng: [2])[0].W
    assert not np.allclose(one, other)
    assert np.array_equal(one[2], alone[0])


# What is refused.


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "^L was None and epochs was None; give exactly one"),
        ({"L": 1, "epochs": 1}, "^L was 1 and epochs was 1; give exactly one"),
        ({"L": 0}, "^L was 0; it must be a whole number"),
        ({"epochs": 0.5}, "^epochs was 0.5; it must be a whole number"),
        ({"L": 1, "batch_size": 0}, "^batch_size was 0; it must be a whole number"),
        ({"L": 1, "together": 0}, "^together was 0; it must be a whole number"),
        (
            {"L": 1, "batchnorm": "none"},
            "^batchnorm was 'none'; it must be one of 'frozen', 'averaged', 'local'",
        ),
    ],
)
def test_settings_that_make_no_sense_are_refused(given, message):
    with pytest.raises(ValueError, match=message):
        NetworkSteps(SGD(0.1), **given)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SGD(0.0), "^lr was 0.0; it must be positive"),
        (lambda: SGD(0.1, 1.0), "^momentum was 1.0; it must be at least 0 and below 1"),
        (lambda: SGD(0.1, nesterov=True), "^momentum was 0; with nesterov"),
        (lambda: SGD(0.1, weight_decay=-1.0), "^weight_decay was -1.0"),
        (lambda: AdamW(0.1, (0.9, 1.0)), "^betas was 1.0"),
        (lambda: AdamW(0.1, (0.9, 0.99, 0.9)), r"^betas was \(0.9, 0.99, 0.9\); it must be two numbers"),
        (lambda: AdamW(0.1, 0.9), r"^betas was 0.9; it must be two numbers"),
        (
            lambda: Samples([[0.0, np.nan]], [1]),
            r"^X has the entry nan at index \(0, 1\); every entry must be",
        ),
        (lambda: Samples([[0.0], [1.0]], [0.0, -np.inf]), r"^y has the entry -inf at index \(1,\)"),
        (lambda: Samples(torch.zeros(2, 3), torch.zeros(3)), r"^X and y have the shapes \(2, 3\) and \(3,\)"),
        (lambda: Samples(torch.zeros(0, 3), torch.zeros(0)), "they must begin with the same N_i >= 1"),
    ],
)
def test_parts_that_make_no_sense_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("optimiser", [SGD, "sgd", torch.optim.SGD, None])
def test_what_is_no_optimiser_is_refused(optimiser):
    with pytest.raises(TypeError, match=r"^optimiser was .*; it must be one of lgd_lib.neural.optimisers"):
        NetworkSteps(optimiser, 1)


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda: SGD("0.1"), "lr"),
        (lambda: SGD(0.1, None), "momentum"),
        (lambda: SGD(0.1, weight_decay="0"), "weight_decay"),
        (lambda: AdamW(0.1, (0.9, "0.9")), "betas"),
        (lambda: AdamW(0.1, eps=[1e-8]), "eps"),
    ],
)
def test_what_is_no_number_is_refused(make, name):
    with pytest.raises(TypeError, match=f"^{name} was .*; it must be a number"):
        make()


def test_what_is_printed_of_samples_is_their_shape():
    ids = torch.tensor([[4711, 815], [123, 456]])
    some = Samples(ids, ids[:, 0])
    assert repr(some) == "Samples(X=(2, 2) torch.int64, y=(2,) torch.int64)"
    assert "4711" not in repr(NetworkProblem([some], networks.mlp, networks.cross_entropy))
    for nodes in ([(ids, ids[:, 0])], [some, ids], ids):
        with pytest.raises(
            TypeError, match=r"^nodes was a sequence of .*; it must hold one Samples"
        ) as caught:
            NetworkProblem(nodes, networks.mlp, networks.cross_entropy)
        assert "4711" not in str(caught.value)


# The objective is the one that is meant.


def regression(loss, y, sizes):
    X, y = torch.arange(1.0, 1 + sum(sizes))[:, None], torch.tensor(y[: sum(sizes)])
    nodes = [Samples(*node) for node in zip(X.split(sizes), y.split(sizes), strict=True)]
    return NetworkProblem(nodes, lambda: nn.Linear(1, 1), loss)


FLAT, UPRIGHT = (1.0, 1.0, 3.0), ((1.0,), (1.0,), (3.0,))


def squares(outputs, y):
    return (outputs - y) ** 2


@pytest.mark.parametrize("sizes", [(3,), (1, 1, 1), (2, 1)])
@pytest.mark.parametrize(
    ("loss", "y"),
    [
        (squares, FLAT),  # (2, 1) and (2,) broadcast to (2, 2)
        (lambda outputs, y: squares(outputs, y).sum()[None], UPRIGHT),
        (lambda outputs, y: squares(outputs, y).mean(), UPRIGHT),
        (lambda outputs, y: squares(outputs, y).mean().expand(len(y)), UPRIGHT),
        (lambda outputs, y: squares(outputs, y).mean(1), FLAT),  # broadcast, then of the right shape
        (lambda outputs, y: squares(outputs, y.flip(0)), UPRIGHT),
    ],
)
def test_a_loss_that_mixes_samples_is_refused_before_any_work(loss, y, sizes):
    problem = regression(loss, y, sizes)
    with pytest.raises(ValueError, match=r"^loss gave .* it must give a tensor with one entry"):
        NetworkSteps(SGD(0.1), 1).prepare(problem)
    with pytest.raises(
        ValueError, match=r"^loss gave .* outputs of \(2, 1\) torch.float32 and targets of \(2,"
    ):
        _ = problem.initial


@pytest.mark.parametrize("sizes", [(1,), (2,), (1, 2)])
def test_a_loss_with_a_row_for_each_sample_is_taken(sizes):
    for loss in (squares, lambda outputs, y: squares(outputs, y)[:, 0]):
        problem = regression(loss, UPRIGHT, sizes)
        assert problem.losses(problem.initial).shape == (len(sizes),)


def test_a_network_without_a_row_for_each_sample_is_refused():
    class Sums(nn.Linear):
        def forward(self, X):
            return super().forward(X).sum(0)

    problem = NetworkProblem(networks.nodes(), lambda: Sums(4, 3).double(), networks.cross_entropy)
    with pytest.raises(
        ValueError, match=r"^build gave a network that makes \(3,\) torch.float64 of 2 samples"
    ):
        problem.flat()


# What torch refuses is told with the node.


@pytest.mark.parametrize("kind", [np.float64, np.int32])
def test_targets_of_a_kind_that_the_loss_does_not_take_are_refused_before_any_work(kind):
    some = [Samples(node.X, node.y.numpy().astype(kind)) for node in networks.nodes()]
    problem = NetworkProblem(some, networks.mlp, networks.cross_entropy)
    dtype = np.dtype(kind).name
    with pytest.raises(ValueError, match=rf"^loss does not take .* targets of \(2,\) torch.{dtype}: ."):
        NetworkSteps(SGD(0.1), 1).prepare(problem)


@pytest.mark.parametrize(
    ("together", "who"), [(1, "node 2"), (2, "node 2"), (3, "nodes 0 to 2, side by side,")]
)
def test_a_label_that_is_none_is_told_with_node_and_round(together, who):
    some = networks.nodes()
    some[2] = Samples(some[2].X, torch.tensor([0, 1, 7]))
    problem = NetworkProblem(some, networks.mlp, networks.cross_entropy)
    with pytest.raises(
        (ValueError, RuntimeError), match=f"^{who} cannot be trained in round 0: .* 7 is out of"
    ):
        run_of(problem, NetworkSteps(SGD(0.1), 1, together=together), 1)


def test_a_batch_of_one_that_is_to_be_normalised_says_what_to_change():
    solver = NetworkSteps(SGD(0.1), epochs=1, batch_size=4, batchnorm="averaged")  # 5 samples: 4 and 1
    said = r"^node 0 cannot be trained in round 0: .* a batch of one sample: change batch_size"
    with pytest.raises(ValueError, match=said):
        run_of(networks.problem(networks.normalised), solver, 1)


def test_losses_are_taken_in_batches_as_asked():
    problem, passed = networks.problem(), []
    problem.module(problem.initial).register_forward_hook(lambda _, X, __: passed.append(len(X[0])))
    few, many = (problem.losses(problem.initial, batch_size=size) for size in (3, 256))
    assert np.allclose(few, many, rtol=1e-14)
    assert passed == [3, 2, 3, 3, 2, 3, 5, 8, 3]
    for size in (0, 2.5):
        with pytest.raises(ValueError, match=f"^batch_size was {size}; it must be a whole number"):
            problem.losses(problem.initial, batch_size=size)


def without_statistics():
    return nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6, track_running_stats=False)).double()


def mixed():
    return nn.Sequential(nn.Linear(4, 6).double(), nn.Linear(6, 3))


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: nn.Linear(5, 3).double(), "build gave a network that does not take samples of shape"),
        (lambda: networks.mlp().float(), "does not take samples of shape .* and dtype torch.float64"),
        (lambda: networks.mlp().requires_grad_(False), "without a parameter that asks for a gradient"),
        (without_statistics, "it must keep running statistics"),
        (mixed, "they must all be float32 or all float64"),
    ],
)
def test_networks_that_do_not_fit_are_refused_before_any_work(build, message):
    with pytest.raises(ValueError, match=message):
        NetworkSteps(SGD(0.1), 1).prepare(networks.problem(build))


def test_other_misfits_are_refused():
    some, solver = networks.nodes(), NetworkSteps(SGD(0.1), 1)
    with pytest.raises(ValueError, match="must give a tensor with one entry"):
        solver.prepare(NetworkProblem(some, networks.mlp, nn.CrossEntropyLoss()))
    with pytest.raises(TypeError, match=r"it must make a torch\.nn\.Module"):
        solver.prepare(NetworkProblem(some, lambda: 3, networks.cross_entropy))
    with pytest.raises(ValueError, match=r"^nodes\[3\] holds inputs of shape \(2,\)"):
        NetworkProblem(
            [*some, Samples(torch.zeros(1, 2), torch.zeros(1))], networks.mlp, networks.cross_entropy
        )
    for network in (networks.mlp(), nn.Linear(4, 3)):
        with pytest.raises(
            TypeError, match=r"^build was a network, .*; it must be a function that makes one"
        ):
            NetworkProblem(some, network, networks.cross_entropy)
    with pytest.raises(TypeError, match=r"^nodes was"):
        NetworkProblem([], networks.mlp, networks.cross_entropy)
    with pytest.raises(TypeError, match="NetworkSteps needs a NetworkProblem"):
        solver.prepare(some)
    problem = networks.problem()
    with pytest.raises(ValueError, match=r"^w0 has shape \(3,\); this network needs a vector of length 51"):
        rounds(problem, solver, Average(), np.zeros(3))
    with pytest.raises(ValueError, match=r"^w0 has an entry that is not finite"):
        rounds(problem, solver, Average(), np.full(51, np.nan))
    with pytest.raises(ValueError, match=r"^w has 3 entries; this network has 51 trained parameters"):
        problem.module(np.zeros(3))


@pytest.mark.parametrize("together", [1, 3])
def test_a_node_that_overflows_is_named(together):
    some = networks.nodes()
    some[1] = Samples(1e200 * some[1].X, some[1].y)
    square = NetworkProblem(some, networks.mlp, lambda outputs, y: outputs**4)
    linear = NetworkProblem(some, lambda: nn.Linear(4, 3).double(), square.loss)
    with pytest.raises(FloatingPointError, match=r"^node 1 overflows in round 0 with SGD\(lr=0.1"):
        run_of(linear, NetworkSteps(SGD(0.1), 3, together=together), 1)


@pytest.mark.parametrize(
    ("together", "message"),
    [
        (1, "^node 1 ran out of memory in round 0 on 'cpu' with batches of 2; lower batch_size"),
        (2, "^nodes 0 to 1, side by side, ran out of memory .*; lower together .it was 2., then batch_size"),
    ],
)
@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        torch.OutOfMemoryError("CUDA"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory"),
    ],
)
def test_out_of_memory_says_what_to_lower(together, message, error):
    calls = []

    def hungry(outputs, y):
        calls.append(1)
        if len(calls) > networks.TRIALS + (4 if together == 1 else 2):
            raise error
        return networks.cross_entropy(outputs, y)

    problem = NetworkProblem(networks.nodes(), networks.mlp, hungry)
    with pytest.raises(MemoryError, match=message):
        run_of(problem, NetworkSteps(SGD(0.1), 4, batch_size=2, together=together), 1)


@pytest.mark.parametrize("together", [1, 2])
def test_other_errors_are_not_disguised(together):
    def broken(outputs, y):
        if torch.is_grad_enabled():
            raise RuntimeError("something else")
        return networks.cross_entropy(outputs, y)

    problem = NetworkProblem(networks.nodes(), networks.mlp, broken)
    # Alone it is met in the first round; side by side already by the trial of stacking.
    said = "^node 0 cannot be trained in round 0: something else" if together == 1 else "^something else"
    with pytest.raises(RuntimeError, match=said) as caught:
        run_of(problem, NetworkSteps(SGD(0.1), 4, together=together), 1)
    assert str(caught.value.__cause__ or caught.value) == "something else"


def test_the_trial_of_stacking_leaves_no_trace():
    before, seen = torch.get_rng_state(), networks.problem(networks.dropped)
    with pytest.raises(ValueError, match="cannot be stacked"):
        NetworkSteps(SGD(0.1), 1, together=2).prepare(seen)
    assert torch.equal(torch.get_rng_state(), before)
    net = NetworkSteps(SGD(0.1), 1, together=2).prepare(networks.problem()).net
    assert not net.gradient.any()
    assert torch.equal(net.vector, net.origin)


def test_the_library_still_loads_without_torch():
    assert "torch" not in (Path(__file__).parents[1] / "lgd_lib" / "__init__.py").read_text(encoding="utf-8")
