"""The experiment on pictures: tiny networks and made-up pictures; slices, what is measured, equal work."""

import json
from functools import partial
from itertools import count, islice

import networks
import numpy as np
import pytest
import torch
from torch import nn

from lgd_lib import Average, rounds
from lgd_lib.datasets import load_pictures
from lgd_lib.neural import __main__ as command
from lgd_lib.neural.drift import angle_between_moves, between, bump, distance_between_moves
from lgd_lib.neural.experiments.albums import Album, album_of
from lgd_lib.neural.experiments.picture_runs import COLUMNS, SIZES, Judge, Sizes, methods, pictures_seen
from lgd_lib.neural.experiments.pictures import pictures
from lgd_lib.neural.fine_tuning import lite0_builder
from lgd_lib.neural.network_steps import NetworkSteps
from lgd_lib.neural.networks import NetworkProblem, Samples
from lgd_lib.neural.optimisers import SGD
from lgd_lib.neural.runs import Deadline, kept_rounds
from lgd_lib.neural.weights import efficientnet_lite0

BOTH = ("vendors", "Dirichlet 0.3")
TINY = Sizes(
    classes=(0, 1, 2, 3),
    samples=16,
    tests=8,
    judged=5,
    scenes={"pretrained": BOTH, "random": ("vendors",)},
    clients=4,
    batch=12,
    budget=6,
    steps=(1, 3),
    passes=4,
    full_steps=(2,),
    kept=3,
    points=3,
)


def album(seed):
    rng, y = np.random.default_rng(seed), np.arange(96) % 4
    X = 2 * rng.standard_normal((4, 3, 8, 8))[y] + rng.standard_normal((96, 3, 8, 8))
    X, y = torch.tensor(X), torch.tensor(y)
    return Album(X[:64], y[:64], X[64:], y[64:], np.arange(64) % 3)


def network():
    layers = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(144, 4)
    return nn.Sequential(*layers).double()


ALBUMS = {0: album(0), 1: album(1)}
BUILDERS = {"pretrained": network, "random": network}


@pytest.fixture(scope="module")
def whole():
    return pictures(ALBUMS, BUILDERS, TINY)


def test_every_method_runs_in_every_scene(whole):
    assert whole["finished"]
    names = ("sgd L=1", "sgd L=3", "one-shot", "gd L=2")
    expected = {
        f"{scene} / {start} / {method} / seed {seed}"
        for seed in ALBUMS
        for start, scenes in TINY.scenes.items()
        for scene in ("one node", *scenes)
        for method in (("centralised", "gd L=1") if scene == "one node" else names)
    }
    assert set(whole["runs"]) == expected
    for key, run in whole["runs"].items():
        assert set(COLUMNS) <= set(run)
        assert ("line" in run) == (key.split(" / ")[2] in ("sgd L=3", "one-shot"))
        assert (run["angle"][-1] is None) == key.startswith("one node")
    assert whole["nodes"]["vendors / seed 0"] == [22, 21, 21]
    assert whole["nodes"]["Dirichlet 0.3 / seed 1"] == [16] * 4


def test_bytes_are_those_of_all_that_travels(whole):
    d = sum(p.numel() for p in network().parameters())
    assert whole["travels"] == {"pretrained": d, "random": d + 8}  # with means and variances of four channels
    for key, run in whole["runs"].items():
        scene, start = key.split(" / ")[:2]
        M = {"one node": 1, "vendors": 3}.get(scene, 4)
        sent = [2 * M * whole["travels"][start] * 8 * k / 1e6 for k in run["rounds"]]
        assert run["megabytes"] == pytest.approx(sent, rel=1e-7)


def test_all_methods_take_about_as_many_gradients_and_count_them(whole):
    assert pictures_seen(10, 4, 0) == 0
    for N, batch, L in ((10, 4, 1), (10, 4, 3), (10, 4, 7), (8, 8, 5), (3, 9, 2)):
        taken, stream = 0, np.random.default_rng(0)
        for rows in networks.plain_batches(N, batch, L, stream):
            taken += rows.size
        assert pictures_seen(N, batch, L) == taken
    for key, run in whole["runs"].items():
        full = key.split(" / ")[2].startswith("gd")
        assert run["pictures"][-1] == (4 * 64 if full else pytest.approx(72, rel=0.12))


def test_what_is_measured_is_what_the_models_say(whole):
    problem = NetworkProblem(ALBUMS[0].spread("vendors", 4, 0), network, networks.cross_entropy, 0)
    solver, K = methods(3, "pretrained", "frozen", TINY)["sgd L=3"]
    run = rounds(problem, solver, Average(), problem.initial, weights=problem.sizes, seed=0)
    last = list(islice(run, K))[-1]
    kept = whole["runs"]["vendors / pretrained / sgd L=3 / seed 0"]
    first = np.sort([j for c in range(4) for j in np.flatnonzero(ALBUMS[0].y.numpy() == c)[:5]])
    X, y = ALBUMS[0].X[first], ALBUMS[0].y[first]
    model, X_test, y_test = problem.module(last.w), ALBUMS[0].X_test, ALBUMS[0].y_test
    with torch.no_grad():
        scores = model(X_test)
        assert kept["training_loss"][-1] == pytest.approx(float(nn.functional.cross_entropy(model(X), y)))
    assert kept["accuracy"][-1] == float((scores.argmax(1) == y_test).double().mean())
    assert kept["loss"][-1] == pytest.approx(float(nn.functional.cross_entropy(scores, y_test)))
    moves = last.W - last.sent
    pairs = [(0, 1), (0, 2), (1, 2)]
    length = np.linalg.norm(moves, axis=1)
    angles = [np.degrees(np.arccos(moves[i] @ moves[j] / length[i] / length[j])) for i, j in pairs]
    apart = [np.linalg.norm(last.W[i] - last.W[j]) for i, j in pairs]
    assert kept["angle"][-1] == pytest.approx(np.mean(angles))
    assert kept["distance"][-1] == pytest.approx(np.mean(apart) / length.mean())
    for t, loss in zip((0, 0.5, 1), kept["line"]["loss"], strict=True):
        with torch.no_grad():
            model = problem.module((1 - t) * last.W[0] + t * last.W[1])
            assert loss == pytest.approx(float(nn.functional.cross_entropy(model(X), y)))


def test_drift_of_a_single_node_and_of_nodes_that_stay():
    one = NetworkProblem([Samples(ALBUMS[0].X, ALBUMS[0].y)], network, networks.cross_entropy)
    r = next(rounds(one, NetworkSteps(SGD(0.1), 1, keep_answers=True), Average(), one.initial))
    assert np.isnan(angle_between_moves(r, one.initial.size))
    assert np.isnan(distance_between_moves(r, one.initial.size))
    assert bump([1.0, 2.5, 2.0]) == 1.0
    assert bump(between([3.0], [1.0], 5)[:, 0]) == pytest.approx(0, abs=1e-15)


def test_a_judge_measures_some_rounds_only():
    problem = NetworkProblem(ALBUMS[0].spread("vendors", 4, 0), network, networks.cross_entropy, 0)
    judge = Judge(problem, ALBUMS[0], judged=9, K=9, kept=3, points=0, pictures=7)
    solver = NetworkSteps(SGD(0.1), 1, keep_answers=True)
    run = rounds(problem, solver, Average(), problem.initial)
    rows = np.array([judge(r) for r in islice(run, 9)])
    assert np.flatnonzero(np.isfinite(rows[:, 1])).tolist() == kept_rounds(9, 3).tolist() == [0, 2, 8]
    assert rows[:, 0].tolist() == [7 * (k + 1) for k in range(9)]


def test_slices_go_on_with_bit_identical_runs(whole, tmp_path, monkeypatch):
    looks = count(1)

    class Seventh(Deadline):
        passed = property(lambda self: next(looks) % 7 == 0)  # whatever the machine's speed

    path, slices, some = tmp_path / "pictures.json", 0, {0: ALBUMS[0]}
    monkeypatch.setattr("lgd_lib.neural.experiments.work.Deadline", Seventh)
    while not (found := pictures(some, BUILDERS, TINY, path=path))["finished"]:
        slices += 1
        assert json.loads(path.read_text()) == found
    assert slices >= 2
    assert found["runs"] == {key: run for key, run in whole["runs"].items() if key.endswith("seed 0")}
    assert not path.with_name("pictures.json.runs").exists()
    with pytest.raises(ValueError, match="holds results of other sizes or seeds"):
        pictures(ALBUMS, BUILDERS, TINY, path=path)


@pytest.mark.parametrize("batch_size", [None, 5])
def test_batches_in_parts_take_the_same_steps(batch_size):
    problem = networks.problem(networks.mlp)
    one = NetworkSteps(SGD(0.3, 0.9), 4, batch_size=batch_size)
    parts = NetworkSteps(SGD(0.3, 0.9), 4, batch_size=batch_size, at_once=3)
    for a, b in islice(
        zip(*(rounds(problem, s, Average(), problem.initial) for s in (one, parts)), strict=True), 3
    ):
        assert np.abs(a.w - b.w).max() < 1e-14


def test_parts_of_a_batch_and_clients_side_by_side_exclude_each_other():
    with pytest.raises(ValueError, match=r"^at_once was 3; clients side by side take whole batches"):
        NetworkSteps(SGD(0.1), 1, together=2, at_once=3)
    with pytest.raises(ValueError, match=r"^at_once was 0; it must be a whole number"):
        NetworkSteps(SGD(0.1), 1, at_once=0)


def test_no_pass_holds_more_samples_than_asked():
    seen = []

    def loss(outputs, y):
        seen.append(len(y))
        return networks.cross_entropy(outputs, y)

    problem = NetworkProblem(networks.nodes(), networks.mlp, loss)
    next(rounds(problem, NetworkSteps(SGD(0.1), 2, at_once=3), Average(), problem.initial)).w.sum()
    steps = seen[networks.TRIALS :]
    assert max(steps) == 3
    assert sum(steps) == 2 * problem.sizes.sum()


def test_the_whole_network_is_trained_and_starts_at_equal_scores():
    builders = {start: lite0_builder(efficientnet_lite0(), start, 4) for start in ("pretrained", "random")}
    album = album_of(load_pictures("emoji"), (2, 4, 5, 7), samples=2, tests=1, seed=0)
    loss = partial(nn.functional.cross_entropy, reduction="none")
    for start, build in builders.items():
        problem = NetworkProblem(album.spread("one node", 1, 0), build, loss, seed=3)
        assert problem.losses(problem.initial) == pytest.approx(np.log(4), rel=1e-6)
        batchnorm = {"pretrained": "frozen", "random": "averaged"}[start]
        solver = NetworkSteps(SGD(0.01), 2, batchnorm=batchnorm)  # the head moves first, then the body
        w = next(rounds(problem, solver, Average(), problem.initial)).w[: problem.initial.size]
        moved = problem.flat().views(torch.tensor(w - problem.initial))
        assert len(moved) > 100
        assert all(bool(torch.isfinite(part).all() and part.any()) for part in moved.values())
    assert not np.array_equal(
        *(NetworkProblem(album.spread("one node", 1, 0), b, loss).initial for b in builders.values())
    )
    with pytest.raises(ValueError, match=r"^start was 'trained'; it must be one of 'pretrained', 'random'"):
        lite0_builder(efficientnet_lite0(), "trained", 4)
    with pytest.raises(ValueError, match=r"^some was 'fashion', whose pictures have no natural nodes"):
        album_of(load_pictures("fashion"), (0, 1), 2, 1, 0)


@pytest.mark.parametrize("profile", sorted(SIZES))
def test_the_profiles_fit_together(profile):
    sizes = SIZES[profile]
    assert all(sizes.budget % L == 0 for L in sizes.steps)
    assert all(sizes.passes % L == 0 for L in sizes.full_steps)
    assert sizes.batch % sizes.clients == 0
    pictures_in_all = len(sizes.classes) * sizes.samples
    if profile == "full":
        assert sizes.passes * pictures_in_all == sizes.budget * sizes.batch
    else:
        assert pictures_in_all == 300
    made = album_of(load_pictures("emoji"), sizes.classes, sizes.samples, sizes.tests, 4)
    assert np.bincount(made.y_test.numpy()).tolist() == [sizes.tests] * len(sizes.classes)
    assert len(made.spread("vendors", 9, 0)) == 4


def test_the_command_knows_it(tmp_path, monkeypatch):
    monkeypatch.setitem(SIZES, "ci", TINY)
    monkeypatch.setattr("lgd_lib.neural.experiments.pictures.album_of", lambda *a: ALBUMS[a[-1]])
    monkeypatch.setattr("lgd_lib.neural.experiments.pictures.lite0_builder", lambda *a: network)
    out = tmp_path / "pictures.json"
    assert command.main(["pictures", "--profile", "ci", "--seeds", "1", "--out", str(out)]) == 0
    assert json.loads(out.read_text())["finished"]
