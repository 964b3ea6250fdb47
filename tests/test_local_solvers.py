"""`lgd_lib.local_solvers`: what each node answers, and the checks before it does."""

import math
import re

import numpy as np
import plain
import pytest
from instances import close, every_kind, make, step_limits

from lgd_lib import ExactProjection, GradientSteps, Node, Problem
from lgd_lib.protocol import Message


def answers(problem, solver, w, active=None):
    solve = solver.prepare(problem)
    active = np.arange(problem.M) if active is None else np.array(active)
    found, memory = solve(0, Message(w), solve.memory(), active, None)
    assert memory == {}
    return found


def half_step(problem):
    return min(1.0, step_limits(problem).min()) / 2


@pytest.mark.parametrize("L", [1, 2, 7])
@every_kind
def test_each_node_answers_with_its_own_gradient_steps(name, seed, L):
    problem, w = make(name, seed)
    eta = half_step(problem)
    points = answers(problem, GradientSteps(eta, L), w).points
    assert points.shape == (problem.M, problem.d)
    for node, point in zip(problem.nodes, points, strict=True):
        assert close(point, plain.gradient_steps(node.X, node.y, w, eta, L))


@every_kind
def test_steps_and_sizes_may_differ_between_nodes(name, seed):
    problem, w = make(name, seed)
    eta = np.minimum(step_limits(problem), 1.0) * 0.9
    L = [(3, math.inf, 5)[i % 3] for i in range(problem.M)]
    points = answers(problem, GradientSteps(eta.tolist(), L), w).points
    for i, node in enumerate(problem.nodes):
        assert close(points[i], plain.gradient_steps(node.X, node.y, w, eta[i], L[i]))


@every_kind
def test_the_exact_answer_is_the_projection_and_the_limit_of_many_steps(name, seed):
    problem, w = make(name, seed)
    exact = answers(problem, ExactProjection(), w).points
    eta = half_step(problem)
    assert np.array_equal(exact, answers(problem, GradientSteps(eta, math.inf), w).points)
    assert close(exact, answers(problem, GradientSteps(eta, 10**13), w).points)
    for node, point in zip(problem.nodes, exact, strict=True):
        assert close(point, plain.project(node.X, node.y, w))


@every_kind
def test_combining_is_the_weighted_sum_of_the_points(name, seed):
    problem, w = make(name, seed)
    rng = np.random.default_rng(seed)
    solve = GradientSteps(half_step(problem), 3).prepare(problem)
    subsets = [range(problem.M), [0], range(problem.M - 1, problem.M)]
    for active in map(np.array, subsets):
        for _ in range(3):  # other weights, other points, the same prepared solver
            found, _ = solve(0, Message(w + rng.standard_normal(w.size)), {}, active, None)
            p = rng.uniform(0.1, 1, active.size)
            assert close(found.combine(p), sum(a * b for a, b in zip(p, found.points, strict=True)), 1e-12)
            assert found.scalars == {}


def test_answers_come_in_the_order_of_the_active_nodes():
    problem, w = make("unequal sizes", 0)
    every = answers(problem, ExactProjection(), w).points
    assert close(answers(problem, ExactProjection(), w, [0, 2]).points, every[[0, 2]], 1e-15)
    assert answers(problem, ExactProjection(), w, [1]).points.shape == (1, problem.d)


def test_local_steps_and_bytes():
    problem, _ = make("plain", 0)
    small = problem.row_space()[0]
    assert GradientSteps(1e-3, [1, 2, math.inf]).prepare(problem).local_steps.tolist() == [1, 2, math.inf]
    assert ExactProjection().prepare(problem).local_steps.tolist() == [math.inf] * 3
    assert ExactProjection().prepare(problem).vector_bytes == 8 * 12
    assert GradientSteps(1e-3, 1).prepare(small).vector_bytes == 8 * 12
    assert ExactProjection().prepare(problem).scalar_bytes == 8


@every_kind
def test_the_step_size_is_held_to_the_smallest_limit_of_all_nodes(name, seed):
    problem, _ = make(name, seed)
    limits = step_limits(problem)
    below, above = limits.min() * (1 - 1e-9), limits.min() * (1 + 1e-9)
    GradientSteps(below, 1).prepare(problem)
    GradientSteps(np.minimum(limits * (1 - 1e-9), 1e6).tolist(), 1).prepare(problem)
    for L in (1, math.inf):
        with pytest.raises(ValueError, match=r"^eta was") as refusal:
            GradientSteps(above, L).prepare(problem)
        numbers = [
            float(word) for word in re.findall(r"[\d.]+(?:e[-+]?\d+)?", str(refusal.value)) if word != "."
        ]
        assert numbers[0] == pytest.approx(above, rel=1e-9)
        assert limits[int(numbers[1])] == pytest.approx(limits.min(), rel=1e-9)
        assert numbers[-2:] == pytest.approx([limits.min()] * 2, rel=1e-9)


def test_every_node_has_a_limit_of_its_own():
    problem = Problem([Node([[1.0]], [1.0]), Node([[10.0]], [1.0])], "regression")
    GradientSteps([1.9, 0.019], 1).prepare(problem)
    with pytest.raises(ValueError, match=r"^eta was 0\.021; node 1 diverges .* = 0\.02 "):
        GradientSteps([1.9, 0.021], 1).prepare(problem)


def test_a_node_without_information_answers_what_it_was_sent():
    problem = Problem([Node([[0.0, 0.0]], [3.0]), Node([[1.0, 0.0]], [1.0])], "regression")
    w = np.array([4.0, 5.0])
    assert answers(problem, GradientSteps(0.5, 3), w).points[0].tolist() == [4.0, 5.0]
    assert answers(problem, ExactProjection(), w).points.tolist() == [[4.0, 5.0], [1.0, 5.0]]


def test_w0_is_copied():
    problem, w0 = make("plain", 0)
    start = ExactProjection().prepare(problem).start(w0)
    assert np.array_equal(start, w0)
    assert not np.shares_memory(start, w0)
