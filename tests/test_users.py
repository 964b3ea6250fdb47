"""`lgd_lib.neural.characters` and the experiment `users`: plain twins, unequal users, stops and goings-on."""

import json
import math
from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
import torch

from lgd_lib import Average, rounds
from lgd_lib.character_counts import counted
from lgd_lib.leaf import load_leaf
from lgd_lib.neural import __main__ as command
from lgd_lib.neural.characters import CharacterNetwork, character_scores, next_character_loss, samples
from lgd_lib.neural.experiments import users as experiment
from lgd_lib.neural.experiments.speaking import COLUMNS, SIZES, Sizes, methods, problem_of
from lgd_lib.neural.experiments.users import drawn, users
from lgd_lib.neural.network_steps import NetworkSteps
from lgd_lib.neural.networks import NetworkProblem
from lgd_lib.neural.optimisers import SGD
from lgd_lib.neural.runs import Deadline
from lgd_lib.participation import Subset
from lgd_lib.roles import load_roles, windows
from lgd_lib.users import Users

TINY = Sizes(users=7, active=3, width=5, total=18, steps=(1, 3), batch_size=4, lr=0.3, length=20, kept=3)


@pytest.fixture(scope="module")
def everyone():
    roles = load_roles("shakespeare")
    return windows(roles.take(np.argsort(roles.sizes)[:12]), TINY.length, TINY.held_out)


@pytest.fixture(scope="module")
def some(everyone):
    """Users of very different sizes."""
    cut = (3, 40, 11, 1, 25, 9, 4)
    few = everyone.take(range(7))
    X, y = (tuple(own[:n] for own, n in zip(f, cut, strict=True)) for f in (few.X, few.y))
    return replace(few, X=X, y=y)


def in_doubles(some, device="cpu"):
    build = lambda: CharacterNetwork(len(some.alphabet), 5, 4, (3, 2), (1, 3)).double()  # noqa: E731
    return NetworkProblem(samples(some), build, next_character_loss, seed=3, device=device)


# The network


def test_no_character_is_seen_before_its_time():
    torch_draws = torch.Generator().manual_seed(0)
    network = CharacterNetwork(9, 6, 4).double()
    text = torch.randint(9, (2, 60), generator=torch_draws)
    for t in (0, 1, 30, 59):
        other = text.clone()
        other[:, t] = (text[:, t] + 1) % 9
        change = (network(other) - network(text)).abs().amax(dim=(0, 2))
        assert not change[:t].any()
        assert change[t] > 0
        assert not change[t + 45 :].any()
    with pytest.raises(ValueError, match="as many"):
        CharacterNetwork(9, kernels=(3,), dilations=(1, 2))


def test_the_network_is_a_sum_over_earlier_characters():
    network = CharacterNetwork(6, 5, 3, (3, 2), (1, 2)).double()
    text = torch.randint(6, (1, 12), generator=torch.Generator().manual_seed(1))
    embedded = network.embedding(text)[0].detach().numpy()
    first, second = ((c.weight.detach().numpy(), c.bias.detach().numpy()) for c in network.convolutions)

    def at(h, t):
        return h[t] if t >= 0 else np.zeros(h.shape[1])

    h1 = np.array(
        [
            np.maximum(0, first[1] + sum(first[0][:, :, j] @ at(embedded, t - 2 + j) for j in range(3)))
            for t in range(12)
        ]
    )
    h2 = np.array(
        [
            np.maximum(0, second[1] + sum(second[0][:, :, j] @ at(h1, t - 2 + 2 * j) for j in range(2)))
            for t in range(12)
        ]
    )
    V, b = network.scores.weight.detach().numpy(), network.scores.bias.detach().numpy()
    assert np.allclose(network(text)[0].detach().numpy(), (h1 + h2) @ V.T + b, rtol=0, atol=1e-14)


def test_the_loss_is_minus_ln_p_of_the_target_and_with_one_target_that_of_the_last():
    scores = torch.randn(2, 3, 5, generator=torch.Generator().manual_seed(2)).double()
    y = torch.tensor([[0, 4, 2], [1, 1, 3]], dtype=torch.uint8)
    found = next_character_loss(scores, y)
    for i in range(2):
        for t in range(3):
            p = math.exp(scores[i, t, int(y[i, t])]) / sum(math.exp(s) for s in scores[i, t])
            assert found[i, t].item() == pytest.approx(-math.log(p), rel=1e-12)
    assert torch.equal(next_character_loss(scores, y[:, 2]), found[:, 2])


def test_scores_are_means_over_each_users_own_held_out_characters(some):
    problem = in_doubles(some)
    found = character_scores(problem, problem.initial, some)
    for i in range(some.M):
        alone = NetworkProblem(
            samples(replace(some, X=some.X_test, y=some.y_test)), problem.build, problem.loss, 3
        )
        assert found.losses[i] == pytest.approx(alone.losses(problem.initial)[i], rel=1e-12)
        best = problem.outputs(problem.initial, torch.as_tensor(some.X_test[i])).argmax(-1)
        assert found.right[i] == (best == some.y_test[i]).mean()
    assert found.counts.tolist() == [y.size for y in some.y_test]
    none = replace(
        some,
        X_test=tuple(X[:0] for X in some.X_test),
        y_test=tuple(y[:0] for y in some.y_test),
    )
    with pytest.raises(ValueError, match="no held-out"):
        character_scores(problem, problem.initial, none)


# Unequal users in the same rounds


def plain_local_sgd(problem, w, L, lr, weights, active, full=True):
    """Local-GD over the active users with autograd and weighted averages, as one would write it down."""
    answers = []
    for i in active:
        module = problem.module(w)
        optimiser = torch.optim.SGD(module.parameters(), lr=lr)
        for _ in range(L[i]):
            optimiser.zero_grad()
            torch.nn.functional.cross_entropy(
                module(problem.nodes[i].X).flatten(0, 1), problem.nodes[i].y.flatten().long()
            ).backward()
            optimiser.step()
        answers.append(torch.nn.utils.parameters_to_vector(module.parameters()).detach().numpy().copy())
    p = np.array([weights[i] for i in active], dtype=float)
    return (p / p.sum()) @ np.array(answers)


@pytest.mark.parametrize("together", [1, 4])
def test_unequal_users_average_by_their_samples_iterate_by_iterate(some, together):
    problem = in_doubles(some)
    L = [1, 4, 2, 3, 1, 2, 5]
    solver = NetworkSteps(SGD(0.5), L=L, together=together)
    run = rounds(
        problem,
        solver,
        Average(),
        problem.initial,
        weights=problem.sizes,
        participation=Subset(4),
        seed=6,
    )
    w = problem.initial
    for r in islice(run, 4):
        w = plain_local_sgd(problem, w, L, 0.5, problem.sizes, r.active)
        assert np.abs(r.w - w).max() < 1e-12


def test_one_full_step_of_all_users_is_a_step_on_the_mean_over_all_samples(some):
    problem = in_doubles(some)
    step = next(
        rounds(problem, NetworkSteps(SGD(0.5), L=1), Average(), problem.initial, weights=problem.sizes)
    )
    pooled = replace(problem, nodes=(problem.pooled,))
    assert np.abs(step.w - plain_local_sgd(pooled, problem.initial, [1], 0.5, [1], [0])).max() < 1e-14
    equal = next(rounds(problem, NetworkSteps(SGD(0.5), L=1), Average(), problem.initial))
    assert np.abs(step.w - equal.w).max() > 1e-4  # the weights matter


def test_users_side_by_side_and_one_by_one_make_the_same_iterates(some):
    problem = in_doubles(some)
    found = []
    for together in (1, 3):
        solver = NetworkSteps(SGD(0.3, momentum=0.5), epochs=2, batch_size=4, together=together)
        run = rounds(problem, solver, Average(), problem.initial, participation=Subset(5), seed=2)
        found.append(np.array([r.w for r in islice(run, 3)]))
    assert np.abs(found[0] - found[1]).max() < 1e-12


# The experiment


@pytest.fixture(scope="module")
def whole(everyone):
    return users(everyone, TINY, [0, 1])


def without_slices(found):
    return json.dumps({k: v for k, v in found.items() if k != "slices"}, sort_keys=True)


def test_methods_take_the_same_number_of_local_steps(everyone, whole):
    for key, run in whole["runs"].items():
        if not key.startswith("own-work") and not key.startswith("one-shot"):
            assert run["gradients"][-1] == TINY.total
    problem = problem_of(drawn(everyone, TINY, 0), TINY, 0)
    assert list(methods(problem, TINY)) == ["centralised", "L=1", "L=3", "own-work", "one-shot"]
    assert whole["parameters"] == problem.initial.size


def test_bytes_are_parameters_times_active_users_both_ways(whole):
    for key, run in whole["runs"].items():
        active = {"centralised": 1, "one-shot": TINY.users}.get(key.split(" / ")[0], TINY.active)
        sent = np.array(run["rounds"]) * active * 2 * 4 * whole["parameters"] / 1e6
        assert np.allclose(run["megabytes"], sent, rtol=1e-7)


def test_columns_are_what_the_last_model_attains(everyone, whole):
    some = drawn(everyone, TINY, 1)
    problem = problem_of(some, TINY, 1)
    run = rounds(
        problem,
        NetworkSteps(SGD(TINY.lr), L=3, batch_size=4),
        Average(),
        problem.initial,
        weights=problem.sizes,
        participation=Subset(3),
        seed=1,
    )
    w = list(islice(run, 2))[-1].w
    scores = character_scores(problem, w, some)
    found = whole["runs"]["L=3 / seed 1"]
    assert found["rounds"] == [1, 2]
    assert found["loss"][-1] == pytest.approx(scores.loss, rel=1e-7)
    assert found["accuracy"][-1] == pytest.approx(scores.accuracy, rel=1e-7)
    assert np.allclose(found["users"], scores.losses, rtol=1e-7)
    three = [found[name][-1] for name in ("low", "middle", "high")]
    assert np.allclose(three, np.quantile(scores.losses, [0.1, 0.5, 0.9]), rtol=1e-7)
    assert 0 < found["angle"][-1] < 180
    assert whole["runs"]["centralised / seed 1"]["angle"] == [None] * 3
    counts = whole["baselines"]["seed 1"]
    assert counts["bigram"]["loss"] == pytest.approx(counted(some, 1).loss, rel=1e-7)
    assert set(COLUMNS[:5]) == set(counts["unigram"])


def test_one_shot_keeps_what_each_user_attains_alone(everyone, whole):
    some = drawn(everyone, TINY, 0)
    own = whole["runs"]["one-shot / seed 0"]["own"]
    for i in (0, 4):
        alone = some.take([i])
        problem = problem_of(some, TINY, 0)
        solver = NetworkSteps(SGD(TINY.lr), L=TINY.total // 7, batch_size=4, keep_answers=True)
        w = next(rounds(problem, solver, Average(), problem.initial, seed=0)).W[i]
        assert own[i] == pytest.approx(character_scores(problem, w, alone).loss, rel=1e-7)


def test_a_seed_draws_its_users_and_there_must_be_enough(everyone):
    names = [drawn(everyone, TINY, seed).names for seed in (0, 0, 1)]
    assert names[0] == names[1] != names[2]
    assert len(set(names[0])) == TINY.users
    with pytest.raises(ValueError, match="everyone holds 12 users; sizes ask for 13"):
        drawn(everyone, replace(TINY, users=13), 0)


def test_a_run_that_is_stopped_after_every_save_goes_on_to_the_same_file(
    everyone, whole, tmp_path, monkeypatch
):
    class Once(Deadline):
        passed = property(lambda self: True)

    monkeypatch.setattr("lgd_lib.neural.experiments.work.Deadline", Once)
    path, slices = tmp_path / "users.json", 1
    while not (found := users(everyone, TINY, [0, 1], path=path))["finished"]:
        slices += 1
        assert slices < 60
    assert slices > 15  # several in the middle of a run
    assert without_slices(found) == without_slices(whole)
    assert without_slices(json.loads(path.read_text())) == without_slices(whole)
    assert not path.with_name("users.json.runs").exists()


def test_a_client_that_dies_in_the_middle_of_a_round_changes_nothing(everyone, whole, tmp_path, monkeypatch):
    path, step, calls = tmp_path / "users.json", SGD.step, [0]

    def dies(self, v, g, buffers):
        calls[0] += 1
        if calls[0] in (25, 50, 61):  # inside a client of a round
            raise KeyboardInterrupt
        step(self, v, g, buffers)

    monkeypatch.setattr(SGD, "step", dies)
    for _ in range(3):
        with pytest.raises(KeyboardInterrupt):
            users(everyone, TINY, [0, 1], path=path)
    assert without_slices(users(everyone, TINY, [0, 1], path=path)) == without_slices(whole)


def test_results_of_other_users_or_of_numbers_are_refused(everyone, tmp_path):
    path = tmp_path / "users.json"
    users(everyone, TINY, [0], path=path)
    with pytest.raises(ValueError, match="other users"):
        users(everyone.take(range(11)), TINY, [0], path=path)
    with pytest.raises(ValueError, match="no text"):
        users(replace(everyone, alphabet=""), TINY, [0])


def leaf_of(rows, numbers=False, users=8):
    """A file of LEAF: users who say the same lines, begun at different places."""
    text, found = "It was a lover and his lass, with a hey, and a ho, and a hey nonino, ", {}
    for i in range(users):
        line = " " * 8 + text[i:] + text[:i]
        found[f"U{i}"] = {"x": [line[j : j + 8] for j in rows], "y": [line[j + 8] for j in rows]}
        if numbers:
            found[f"U{i}"] = {key: [[*map(ord, own)] for own in found[f"U{i}"][key]] for key in "xy"}
            found[f"U{i}"]["y"] = [y for (y,) in found[f"U{i}"]["y"]]
    counts = [len(own["y"]) for own in found.values()]
    return json.dumps({"users": list(found), "num_samples": counts, "user_data": found})


def leaf_folder(path, **given):
    for part, rows in (("train", range(60)), ("test", range(60, 66))):
        (path / part).mkdir(parents=True)
        (path / part / "all_data.json").write_text(leaf_of(rows, **given))
    return path


def test_files_of_leaf_that_cannot_be_used_are_refused_before_any_work(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(SIZES, "ci", TINY)
    out, one = tmp_path / "r.json", tmp_path / "one.json"
    one.write_text(leaf_of(range(60)))
    damaged = tmp_path / "damaged.json"
    damaged.write_text("{")
    for leaf, said in (
        (one, "user 'U0' has nothing held out to be judged by"),
        (tmp_path / "nope", "there is no such file or folder"),
        (damaged, "is damaged"),
        (leaf_folder(tmp_path / "few", users=3), "everyone holds 3 users; sizes ask for 7"),
        (leaf_folder(tmp_path / "numbers", numbers=True), "users hold no text"),
    ):
        words = ["users", "--profile", "ci", "--seeds", "1", "--out", str(out), "--leaf", str(leaf)]
        with pytest.raises(SystemExit, match="2"):
            command.main(words)
        assert said in capsys.readouterr().err
        assert not out.exists(), "other data can be taken after that"


def test_other_seeds_or_sizes_are_refused_in_words_before_data_are_read(
    everyone, tmp_path, monkeypatch, capsys
):
    monkeypatch.setitem(SIZES, "ci", TINY)
    monkeypatch.setattr(experiment, "load_roles", lambda *_: pytest.fail("work has started"))
    out = tmp_path / "r.json"
    users(everyone, TINY, [0], path=out)
    held = out.read_bytes()
    for words in (["--profile", "ci", "--seeds", "2"], ["--profile", "full", "--seeds", "1"]):
        with pytest.raises(SystemExit, match="2"):
            command.main(["users", *words, "--out", str(out)])
        assert "holds results of other sizes or seeds; choose another path" in capsys.readouterr().err
    assert out.read_bytes() == held


@pytest.mark.parametrize("error", [ValueError, FileNotFoundError])
def test_an_error_in_the_middle_of_the_work_is_not_taken_for_a_wrong_argument(tmp_path, monkeypatch, error):
    def broken(*_):
        raise error("in the middle")

    monkeypatch.setitem(SIZES, "ci", TINY)
    monkeypatch.setattr(experiment, "one_run", broken)
    folder, out = leaf_folder(tmp_path / "leaf"), tmp_path / "r.json"
    for _ in range(2):  # also where the file of results is there before
        with pytest.raises(error, match="in the middle"):
            command.main(
                ["users", "--profile", "ci", "--seeds", "1", "--out", str(out), "--leaf", str(folder)]
            )
        assert out.exists()


def test_the_command_runs_on_a_file_of_leaf(tmp_path, monkeypatch, capsys):
    leaf_folder(tmp_path / "leaf")
    monkeypatch.setitem(SIZES, "ci", replace(TINY, kept=2))
    words = ["users", "--profile", "ci", "--seeds", "1", "--out", str(tmp_path / "r.json")]
    assert command.main([*words, "--leaf", str(tmp_path / "leaf")]) == 0
    assert "finished: 5 runs" in capsys.readouterr().out
    found = json.loads((tmp_path / "r.json").read_text())
    assert found["data"]["users"] == 8
    held = load_leaf(tmp_path / "leaf")
    assert isinstance(held, Users)
    assert len(found["runs"]["L=1 / seed 0"]["users"]) == TINY.users
    monkeypatch.setattr(experiment, "load_roles", lambda *_: pytest.fail("not the committed text"))
