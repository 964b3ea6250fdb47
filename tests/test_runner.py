"""`lgd_lib.runner`: what a round yields, who takes part, whose dice are thrown, and going on."""

import math
from itertools import islice
from types import SimpleNamespace

import numpy as np
import plain
import pytest
from instances import close, few_kinds, iterates, make
from strangers import Counting, NoisyWalk

from lgd_lib import Average, ExactProjection, GradientSteps, rounds

FIVE = SimpleNamespace(M=5)
SOME = ([0, 1, 2, 3, 4], [2], [], [0, 4], [], [], [1, 2, 3], [4])


def some(k, M, rng):
    return np.array(SOME[k % len(SOME)])


def walk(**options):
    return rounds(FIVE, NoisyWalk(3), Counting(), np.ones(3), **options)


def test_a_round_says_what_was_sent_and_what_came_back():
    problem, w0 = make("unequal sizes", 0)
    run = rounds(problem, GradientSteps(1e-3, [2, 5, math.inf]), Average(), w0)
    sent = w0
    for k, r in enumerate(islice(run, 4)):
        assert np.array_equal(r.sent, sent)
        assert (r.k, r.state.k, r.state.seed) == (k, k + 1, 0)
        assert r.active.tolist() == [0, 1, 2]
        assert r.local_steps.tolist() == [2, 5, math.inf]
        assert (r.bytes_up, r.bytes_down) == (3 * 8 * 15, 3 * 8 * 15)
        assert r.W.shape == (3, 15)
        assert close(r.w, r.W.mean(axis=0), 1e-13)
        sent = r.w


def test_scalars_are_counted_with_the_message_that_carries_them():
    first, second = islice(walk(), 2)
    assert (first.bytes_down, first.bytes_up) == (5 * 100, 5 * (100 + 7))
    assert (second.bytes_down, second.bytes_up) == (5 * (100 + 2 * 7), 5 * (100 + 7))
    assert np.array_equal(second.sent, first.w / 2)


def test_bytes_and_steps_are_those_of_the_nodes_that_take_part():
    problem, w0 = make("unequal sizes", 0)
    run = rounds(
        problem, GradientSteps(1e-3, [2, 5, 9]), Average(), w0, participation=lambda k, M, rng: [0, 2]
    )
    r = next(run)
    assert r.active.tolist() == [0, 2]
    assert r.local_steps.tolist() == [2, 9]
    assert (r.bytes_up, r.bytes_down) == (2 * 8 * 15, 2 * 8 * 15)
    assert r.W.shape == (2, 15)


@few_kinds
@pytest.mark.parametrize("weighted", [False, True])
def test_absent_nodes_change_nothing_but_the_weights(name, seed, weighted):
    problem, w0 = make(name, seed)
    rng = np.random.default_rng(seed)
    weights = rng.uniform(0.1, 3, problem.M).tolist() if weighted else None
    actives = [
        sorted(rng.choice(problem.M, rng.integers(0, problem.M + 1), replace=False)) for _ in range(12)
    ]
    eta = 0.9 / max(np.linalg.norm(node.X, 2) ** 2 / node.N for node in problem.nodes)
    found = rounds(
        problem,
        GradientSteps(eta, 4),
        Average(),
        w0,
        weights=weights,
        participation=lambda k, M, rng: actives[k],
    )
    expected, models = plain.local_gd(problem, w0, 12, eta, 4, weights, actives)
    for r, w, W in zip(islice(found, 12), expected, models, strict=True):
        assert close(r.w, w)
        assert r.W.shape == (len(W), problem.d)
        assert not W or close(r.W, W)


def test_a_round_with_nobody_sends_nothing_and_repeats_the_message():
    *_, before, r, after = islice(walk(participation=some), 4)
    assert r.active.size == 0
    assert (r.bytes_up, r.bytes_down, r.local_steps.size) == (0, 0, 0)
    assert r.W.shape == (0, 3)
    assert np.array_equal(r.w, before.w)
    assert np.array_equal(r.sent, after.sent)
    assert r.state.message is before.state.message
    assert r.state.aggregation is before.state.aggregation
    assert after.bytes_down == 2 * (100 + 2 * 7)


def test_only_the_ratio_of_weights_counts():
    problem, w0 = make("unequal sizes", 0)

    def run(weights):
        return iterates(rounds(problem, ExactProjection(), Average(), w0, weights=weights), 5)

    assert close(run([1, 2, 3]), run([1e3, 2e3, 3e3]), 1e-13)
    assert close(run([7, 7, 7]), run(None), 1e-13)
    assert not close(run([1, 2, 3]), run(None), 1e-3)
    assert np.isfinite(run([1e308, 1e308, 1e308])).all()


def test_node_and_server_throw_their_own_dice_in_every_round():
    """Node i draws from default_rng([seed, k, i]) and participation from default_rng([seed, k, M])."""
    seen = []

    def participation(k, M, rng):
        seen.append((k, M, rng.standard_normal()))
        return [1, 3]

    estimates = iterates(walk(seed=9, participation=participation), 3)
    w, drift = np.ones(3), np.zeros((5, 3))
    for k in range(3):
        assert seen[k] == (k, 5, np.random.default_rng([9, k, 5]).standard_normal())
        for i in (1, 3):
            drift[i] += np.random.default_rng([9, k, i]).standard_normal(3)
        estimate = w + (drift[1] + drift[3]) / 2
        assert close(estimates[k], estimate, 1e-13)
        w = estimate / 2


def test_the_seed_decides():
    assert np.array_equal(iterates(walk(seed=1), 4), iterates(walk(seed=1), 4))
    assert not np.array_equal(iterates(walk(seed=1), 4), iterates(walk(seed=2), 4))


@pytest.mark.parametrize("stop", [1, 3, 5])
def test_going_on_gives_the_same_bits(stop):
    uninterrupted = list(islice(walk(seed=3, participation=some), 8))
    state = uninterrupted[stop - 1].state
    for a, b in zip(uninterrupted[stop:], walk(seed=77, participation=some, state=state), strict=False):
        assert (a.k, a.bytes_up, a.bytes_down) == (b.k, b.bytes_up, b.bytes_down)
        assert np.array_equal(a.w, b.w)
        assert np.array_equal(a.W, b.W)
        assert b.state.seed == 3
        assert a.state.aggregation["steps"] == b.state.aggregation["steps"]


@pytest.mark.parametrize("solver", [GradientSteps(1e-3, 3), ExactProjection()])
@pytest.mark.parametrize("small", [False, True])
def test_going_on_with_a_fresh_set_up_gives_the_same_bits(solver, small):
    problem, w0 = make("unequal sizes", 1)
    if small:
        problem, w0, _ = problem.row_space(w0)
    whole = list(islice(rounds(problem, solver, Average(), w0), 6))
    again = rounds(problem, solver, Average(), w0, state=whole[2].state)
    assert np.array_equal([r.w for r in whole[3:]], iterates(again, 3))


def test_the_start_may_be_changed_after_the_call():
    problem, w0 = make("plain", 0)
    run, expected = (rounds(problem, ExactProjection(), Average(), w0.copy()) for _ in range(2))
    changed = w0.copy()
    run = rounds(problem, ExactProjection(), Average(), changed)
    changed[:] = 1e6
    assert np.array_equal(iterates(run, 3), iterates(expected, 3))


def test_runs_side_by_side_do_not_meet():
    problem, w0 = make("plain", 0)
    alone = iterates(rounds(problem, ExactProjection(), Average(), w0), 4)
    a, b = (rounds(problem, ExactProjection(), Average(), w0, weights=p) for p in (None, [1, 2, 9]))
    assert np.array_equal(alone, [(next(a).w, next(b))[0] for _ in range(4)])
