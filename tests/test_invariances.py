"""What must not change the answer does not, and what must change it does so in the known way."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from instances import MAKERS, close, few_kinds, iterates, make, step_limits

from lgd_lib import Average, ExactProjection, GradientSteps, Node, Problem, rounds
from lgd_lib.references import min_norm
from lgd_lib.theory import averaged_projector_spectrum, largest_step, regression_rate

K = 6
kinds, seeds = st.sampled_from(sorted(MAKERS)), st.integers(0, 2**32)
steps = st.sampled_from([1, 3, 20, math.inf])


def step(problem):
    return 0.8 * min(1.0, step_limits(problem).min())


def run(problem, w0, eta, L, **options):
    return iterates(rounds(problem, GradientSteps(eta, L), Average(), w0, **options), K)


def same(a, b):
    return all(close(u, v) for u, v in zip(a, b, strict=True))


def with_rows(problem, change):
    return Problem([Node(*change(node)) for node in problem.nodes], problem.task)


@given(kinds, seeds, steps)
def test_the_order_of_the_nodes(name, seed, L):
    problem, w0 = make(name, seed)
    order = np.random.default_rng(seed).permutation(problem.M)
    p = np.linspace(1, 2, problem.M)
    shuffled = Problem([problem.nodes[i] for i in order], "regression")
    eta = step(problem)
    assert same(run(problem, w0, eta, L, weights=p), run(shuffled, w0, eta, L, weights=p[order]))
    assert close(min_norm(problem, w0).w, min_norm(shuffled, w0).w)
    assert largest_step(problem) == pytest.approx(largest_step(shuffled))


@given(kinds, seeds, steps)
def test_the_order_of_the_samples_of_a_node(name, seed, L):
    problem, w0 = make(name, seed)
    rng = np.random.default_rng(seed)

    def shuffle(node):
        order = rng.permutation(node.N)
        return node.X[order], node.y[order]

    shuffled, eta = with_rows(problem, shuffle), step(problem)
    assert same(run(problem, w0, eta, L), run(shuffled, w0, eta, L))


@given(kinds, seeds, steps)
def test_a_rotation_turns_every_iterate(name, seed, L):
    problem, w0 = make(name, seed)
    Q = np.linalg.qr(np.random.default_rng(seed).standard_normal((problem.d, problem.d)))[0]
    turned, eta = with_rows(problem, lambda node: (node.X @ Q.T, node.y)), step(problem)
    assert same(run(problem, w0, eta, L) @ Q.T, run(turned, Q @ w0, eta, L))
    assert close(Q @ min_norm(problem, w0).w, min_norm(turned, Q @ w0).w)
    assert regression_rate(problem, L, eta) == pytest.approx(regression_rate(turned, L, eta), abs=1e-11)


@given(kinds, seeds, steps)
def test_a_translation_moves_every_iterate(name, seed, L):
    problem, w0 = make(name, seed)
    t = np.random.default_rng(seed).standard_normal(problem.d)
    moved, eta = with_rows(problem, lambda node: (node.X, node.y + node.X @ t)), step(problem)
    assert same(run(problem, w0, eta, L) + t, run(moved, w0 + t, eta, L))
    assert close(min_norm(problem, w0).w + t, min_norm(moved, w0 + t).w)


@given(kinds, seeds, st.floats(-3, 3))
def test_scaling_a_whole_node_changes_its_projection_nowhere(name, seed, power):
    problem, w0 = make(name, seed)
    scale = 10.0 ** (power * np.random.default_rng(seed).uniform(-1, 1, problem.M))
    nodes = [Node(c * node.X, c * node.y) for c, node in zip(scale, problem.nodes, strict=True)]
    scaled = Problem(nodes, "regression")
    a, b = (rounds(q, ExactProjection(), Average(), w0) for q in (problem, scaled))
    assert same(iterates(a, K), iterates(b, K))
    found, expected = (averaged_projector_spectrum(q, math.inf) for q in (scaled, problem))
    assert np.allclose(found, expected, rtol=0, atol=1e-11)


@given(st.sampled_from(["plain", "unequal sizes", "one node"]), seeds)
def test_scaling_the_rows_of_a_node_changes_its_projection_nowhere(name, seed):
    problem, w0 = make(name, seed)
    rng = np.random.default_rng(seed)

    def stretch(node):
        c = 10.0 ** rng.uniform(-1, 1, node.N) * rng.choice([-1, 1], node.N)
        return node.X * c[:, None], node.y * c

    a, b = (rounds(q, ExactProjection(), Average(), w0) for q in (problem, with_rows(problem, stretch)))
    assert same(iterates(a, K), iterates(b, K))


@given(kinds, seeds, steps, st.floats(1e-3, 1e3))
def test_scaling_the_data_is_scaling_the_step(name, seed, L, c):
    problem, w0 = make(name, seed)
    scaled, eta = with_rows(problem, lambda node: (c * node.X, c * node.y)), step(problem)
    assert same(run(problem, w0, eta, L), run(scaled, w0, eta / c**2, L))
    assert largest_step(scaled) == pytest.approx(largest_step(problem) / c**2)


@given(kinds, seeds, steps, st.floats(1e-3, 1e3))
def test_everything_is_linear_in_start_and_targets(name, seed, L, c):
    problem, w0 = make(name, seed)
    scaled, eta = with_rows(problem, lambda node: (node.X, -c * node.y)), step(problem)
    assert same(-c * run(problem, w0, eta, L), run(scaled, -c * w0, eta, L))
    assert close(-c * min_norm(problem, w0).w, min_norm(scaled, -c * w0).w)


@few_kinds
@pytest.mark.parametrize("L", [1, 5, math.inf])
def test_repeating_all_samples_of_a_node_changes_nothing(name, seed, L):
    problem, w0 = make(name, seed)
    doubled = with_rows(problem, lambda node: (np.vstack([node.X] * 2), np.hstack([node.y] * 2)))
    eta = step(problem)
    assert same(run(problem, w0, eta, L), run(doubled, w0, eta, L))
    assert largest_step(doubled) == pytest.approx(largest_step(problem))


@few_kinds
@pytest.mark.parametrize("L", [1, 5, math.inf])
def test_a_node_given_twice_is_a_node_of_twice_the_weight(name, seed, L):
    problem, w0 = make(name, seed)
    eta = step(problem)
    twice = Problem([*problem.nodes, problem.nodes[0]], "regression")
    p = np.ones(problem.M)
    p[0] = 2
    assert same(run(twice, w0, eta, L), run(problem, w0, eta, L, weights=p))


@few_kinds
def test_what_is_orthogonal_to_the_rows_never_moves(name, seed):
    problem, w0 = make(name, seed)
    null = np.linalg.svd(problem.pooled.X)[2][np.linalg.matrix_rank(problem.pooled.X) :]
    for w in (*run(problem, w0, step(problem), 7), min_norm(problem, w0).w):
        assert np.linalg.norm(null @ (w - w0)) <= 1e-12 * np.linalg.norm(w0)
