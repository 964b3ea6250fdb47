"""`Subset` and `Bernoulli`: which nodes take part, how often, and what it does to a run."""

import math
from itertools import combinations, islice

import numpy as np
import plain
import pytest
from hypothesis import given
from hypothesis import strategies as st
from instances import close, few_kinds, iterates, make, step_limits

from lgd_lib import Average, Bernoulli, ExactProjection, GradientSteps, Subset, record, rounds, saved_state


def draws(rule, M, n, seed=0):
    return [rule(k, M, np.random.default_rng([seed, k])) for k in range(n)]


@given(st.integers(1, 12), st.data(), st.integers(0, 2**31))
def test_a_subset_has_m_nodes_ascending_and_none_twice(M, data, seed):
    m = data.draw(st.integers(1, M))
    nodes = Subset(m)(0, M, np.random.default_rng(seed))
    assert nodes.size == m
    assert (np.diff(nodes) > 0).all()
    assert nodes.min() >= 0
    assert nodes.max() < M


@given(st.integers(1, 12), st.floats(0.01, 1), st.integers(0, 2**31))
def test_bernoulli_nodes_are_ascending_and_exist(M, q, seed):
    nodes = Bernoulli(q)(0, M, np.random.default_rng(seed))
    assert (np.diff(nodes) > 0).all()
    assert all(0 <= i < M for i in nodes)


def test_every_set_of_m_nodes_is_equally_likely():
    found = [tuple(nodes) for nodes in draws(Subset(2), 4, 6000)]
    for pair in combinations(range(4), 2):
        count = found.count(pair)  # binomial with mean 1000 and standard deviation 29
        assert abs(count - 1000) < 5 * math.sqrt(6000 * (1 / 6) * (5 / 6)), pair


def test_bernoulli_nodes_come_with_their_own_probability_and_independently():
    q = np.array([0.1, 0.5, 0.9])
    there = np.array([np.isin(range(3), nodes) for nodes in draws(Bernoulli(tuple(q)), 3, 6000)])
    assert (np.abs(there.mean(axis=0) - q) < 5 * np.sqrt(q * (1 - q) / 6000)).all()
    for i, j in combinations(range(3), 2):
        both = q[i] * q[j]
        assert abs((there[:, i] & there[:, j]).mean() - both) < 5 * math.sqrt(both * (1 - both) / 6000)


def test_the_ends_of_the_ranges():
    assert Subset(5)(0, 5, np.random.default_rng(0)).tolist() == [0, 1, 2, 3, 4]
    assert Bernoulli(1)(0, 3, np.random.default_rng(0)).tolist() == [0, 1, 2]
    assert Bernoulli([1, 1e-12, 1])(0, 3, np.random.default_rng(0)).tolist() == [0, 2]
    assert min(nodes.size for nodes in draws(Bernoulli(0.05), 3, 50)) == 0


@few_kinds
@pytest.mark.parametrize("rule", [Subset(1), Bernoulli(0.5)])
def test_a_run_is_the_plain_one_with_the_nodes_that_were_drawn(name, seed, rule):
    problem, w0 = make(name, seed)
    eta, weights = step_limits(problem).min() / 2, np.linspace(1, 3, problem.M)
    run = rounds(
        problem, GradientSteps(eta, 6), Average(), w0, weights=weights, participation=rule, seed=seed
    )
    done = list(islice(run, 20))
    expected, _ = plain.local_gd(problem, w0, 20, eta, 6, weights, [r.active for r in done])
    assert close([r.w for r in done], expected)
    again = rounds(
        problem, GradientSteps(eta, 6), Average(), w0, weights=weights, participation=rule, seed=seed
    )
    assert np.array_equal(iterates(again, 20), [r.w for r in done])


def test_another_seed_draws_other_nodes():
    problem, w0 = make("plain", 0)

    def drawn(seed):
        run = rounds(problem, ExactProjection(), Average(), w0, participation=Subset(1), seed=seed)
        return [int(r.active[0]) for r in islice(run, 30)]

    assert drawn(0) != drawn(1)
    assert set(drawn(0)) == {0, 1, 2}


@pytest.mark.parametrize("rule", [Subset(2), Bernoulli(0.4)])
def test_a_saved_run_draws_on_as_if_it_had_not_stopped(rule, tmp_path):
    problem, w0 = make("plain", 1)

    def start(state=None, seed=3):
        return rounds(problem, ExactProjection(), Average(), w0, participation=rule, seed=seed, state=state)

    whole = iterates(start(), 12)
    record(start(), {}, K=5, path=tmp_path / "run.npz")
    state = saved_state(tmp_path / "run.npz")
    assert np.array_equal(iterates(start(state), 7), whole[5:])
    assert np.array_equal(iterates(start(state, seed=99), 7), whole[5:]), "a run keeps its own seed"


@pytest.mark.parametrize("rule", [Subset(1), Subset(2), Bernoulli(0.3), lambda k, M, rng: np.array([k % M])])
@few_kinds
def test_R7_participation_the_limit_is_the_interpolator_nearest_to_the_start(name, seed, rule):
    problem, w0 = make(name, seed)
    if isinstance(rule, Subset) and rule.m > problem.M:
        return
    last = next(islice(rounds(problem, ExactProjection(), Average(), w0, participation=rule), 2500, None)).w
    assert close(last, plain.nearest_interpolator(problem, w0), 1e-8)


def test_R7_mean_rate_the_mean_square_is_the_expectation():
    problem, w0 = make("plain", 5)
    answer = plain.nearest_interpolator(problem, w0)
    e, K, runs = w0 - answer, 6, 400
    maps = [np.eye(problem.d) - np.linalg.pinv(node.X) @ node.X for node in problem.nodes]
    pairs = [(maps[i] + maps[j]) / 2 for i, j in combinations(range(3), 2)]
    second = np.outer(e, e)
    for _ in range(K):
        second = sum(B @ second @ B for B in pairs) / 3
    found = []
    for seed in range(runs):
        run = rounds(problem, ExactProjection(), Average(), w0, participation=Subset(2), seed=seed)
        found.append(((iterates(run, K)[-1] - answer) ** 2).sum())
    assert abs(np.mean(found) - np.trace(second)) < 5 * np.std(found, ddof=1) / math.sqrt(runs)


@pytest.mark.parametrize("bad", [0, -1, 1.5, True, "2", None, math.inf])
def test_a_subset_of_no_whole_number_is_refused(bad):
    with pytest.raises(ValueError, match=r"m was .*; it must be a whole number of at least 1"):
        Subset(bad)


@pytest.mark.parametrize("bad", [0.0, -0.1, 1.1, math.nan, [0.5, 0.0], [0.5, 2.0]])
def test_probabilities_outside_their_range_are_refused(bad):
    with pytest.raises(ValueError, match=r"q was .*; every probability must be above 0 and at most 1"):
        Bernoulli(bad)


def test_what_does_not_fit_the_number_of_nodes_is_refused_in_the_first_round():
    problem, w0 = make("plain", 0)
    for rule, message in (
        (Subset(4), "m was 4; it must be at most the number of nodes M = 3"),
        (Bernoulli([0.5, 0.5]), r"q has shape \(2,\); it must be one number, or one for each of M = 3 nodes"),
    ):
        with pytest.raises(ValueError, match=message):
            next(rounds(problem, ExactProjection(), Average(), w0, participation=rule))
