"""The softmax loss and its gradient steps: against sums, differences, plain loops and the logistic loss."""

import math
from decimal import Decimal, getcontext
from itertools import islice, pairwise

import numpy as np
import pytest
from class_instances import close, descended, every_kind, gradient, make, probabilities

from lgd_lib import Average, ExactMargin, GradientSteps, Node, Problem, SGDSteps, Subset, rounds
from lgd_lib.descent.batches import batches
from lgd_lib.losses import logistic, softmax
from lgd_lib.multiclass import multiclass_margins

getcontext().prec = 60


@every_kind
def test_value_and_gradient_are_sums_over_samples(name, seed):
    problem, w = make(name, seed)
    W = w.reshape(problem.classes, problem.d) / 30
    for node in problem.nodes:
        each = [-math.log(probabilities(W, x)[int(y)]) for x, y in zip(node.X, node.y, strict=True)]
        assert softmax.value(node, W.ravel()) == pytest.approx(np.mean(each), rel=1e-9)
        assert softmax.log_value(node, W.ravel()) == pytest.approx(math.log(np.mean(each)), rel=1e-9)
        assert close(softmax.gradient(node, W.ravel()), gradient(node, W).ravel(), 1e-9)


@every_kind
def test_the_gradient_is_the_slope_of_the_value(name, seed):
    problem, w = make(name, seed)
    v = np.random.default_rng(seed).standard_normal(problem.size)
    for node in problem.nodes:
        h = 1e-5 / np.abs(node.X).max()
        slope = (softmax.value(node, w + h * v) - softmax.value(node, w - h * v)) / (2 * h)
        size = np.linalg.norm(node.X, axis=1).max() * np.linalg.norm(v)
        rounding = 2e-16 * np.linalg.norm(node.X, axis=1).max() * np.linalg.norm(w) / h
        assert slope == pytest.approx(softmax.gradient(node, w) @ v, abs=1e-9 * size + 10 * rounding)


@pytest.mark.parametrize("ahead", [-1e6, -800.0, -30.0, 0.0, 1e-9, 30.0, 800.0, 1e6])
def test_far_scores_in_sixty_digits(ahead):
    node = Node([[1.0]], [1.0])  # scores (0, ahead, ahead / 2)
    w = np.array([0.0, ahead, ahead / 2])
    behind = (-Decimal(ahead)).exp() + (-Decimal(ahead) / 2).exp()
    value = (1 + behind).ln() if ahead < 100 else behind
    assert softmax.log_value(node, w) == pytest.approx(float(value.ln()), rel=1e-14, abs=1e-15)
    slopes = [float(-behind / (1 + behind)), float((-Decimal(ahead)).exp() / (1 + behind))]
    found = softmax.gradient(node, w)
    assert found[[1, 0]] == pytest.approx(slopes, rel=1e-13, abs=1e-310)
    assert softmax.value(node, w) == pytest.approx(float(value), rel=1e-13, abs=1e-310)


@every_kind
def test_no_slope_changes_faster_than_the_smoothness(name, seed):
    problem, w = make(name, seed)
    rng = np.random.default_rng(seed)
    for node in problem.nodes:
        for size in (1e-3, 1.0):
            v = size * rng.standard_normal(problem.size)
            change = np.linalg.norm(softmax.gradient(node, w + v) - softmax.gradient(node, w))
            assert change <= softmax.smoothness(node) * np.linalg.norm(v) * (1 + 1e-9)


def test_the_smoothness_is_attained_by_two_classes():
    node = Node(np.random.default_rng(0).standard_normal((4, 6)), [0.0, 1.0, 1.0, 0.0])
    steepest = 1e-4 * np.linalg.svd(node.X)[2][0]
    v = np.concatenate([steepest, -steepest])
    change = np.linalg.norm(softmax.gradient(node, v) - softmax.gradient(node, 0 * v))
    assert change == pytest.approx(softmax.smoothness(node) * np.linalg.norm(v), rel=1e-6)


@every_kind
@pytest.mark.parametrize("L", [1, 7, (3, 1, 5, 2)])
def test_the_steps_are_those_of_a_plain_loop(name, seed, L):
    problem, w0 = make(name, seed)
    M = problem.M
    steps = [L] * M if isinstance(L, int) else list(L[:M])
    eta = [0.5 / softmax.smoothness(node) for node in problem.nodes]
    w = w0
    run = rounds(problem, GradientSteps(eta, steps, loss="softmax"), Average(), w0)
    for r in islice(run, 4):
        W = w.reshape(problem.classes, problem.d)
        own = [descended(problem.nodes[i], W, eta[i], steps[i]).ravel() for i in range(M)]
        assert close(r.W, np.array(own), 1e-11)
        w = np.mean(own, axis=0)
        assert close(r.w, w, 1e-11)
        assert r.local_steps.tolist() == steps
        assert r.bytes_up == r.bytes_down == 8 * problem.classes * problem.d * M


@every_kind
def test_the_row_space_is_the_full_space(name, seed):
    problem, w0 = make(name, seed)
    small, u0, lift = problem.row_space(w0)
    solver = GradientSteps(0.5 / max(map(softmax.smoothness, problem.nodes)), 5, loss="softmax")
    ways = zip(rounds(problem, solver, Average(), w0), rounds(small, solver, Average(), u0), strict=False)
    for full, inner in islice(ways, 5):
        assert close(lift(inner.w), full.w, 1e-10)
        assert close(lift(inner.W), full.W, 1e-10)
        assert inner.bytes_up == full.bytes_up


@every_kind
@pytest.mark.parametrize(("batch_size", "again"), [(1, False), (2, False), (3, True), (7, True)])
def test_stochastic_steps_are_those_of_a_plain_loop(name, seed, batch_size, again):
    problem, w0 = make(name, seed)
    if not again:
        batch_size = min(batch_size, problem.sizes.min())
    eta = [0.3 / softmax.smoothness(node) for node in problem.nodes]
    solver = SGDSteps(eta, 7, int(batch_size), replace=again, loss="softmax")
    for r in islice(rounds(problem, solver, Average(), w0, seed=seed), 2):
        for i, (node, found) in enumerate(zip(problem.nodes, r.W, strict=True)):
            stream = np.random.default_rng([seed, r.k, i])
            steps = [B[B >= 0] for block in batches(stream, node.N, batch_size, 7, again) for B in block]
            W = r.sent.reshape(problem.classes, -1)
            for B in steps:
                W = W - eta[i] * gradient(Node(node.X[B], node.y[B]), W)
            assert len(steps) == 7
            assert close(found, W.ravel(), 1e-11)


def test_a_batch_of_all_samples_is_gradient_descent():
    problem, w0 = make("two classes", 0)
    full = rounds(problem, GradientSteps(0.1, 6, loss="softmax"), Average(), w0)
    drawn = rounds(problem, SGDSteps(0.1, 6, 4, loss="softmax"), Average(), w0)
    for a, b in islice(zip(full, drawn, strict=False), 4):
        assert close(a.w, b.w, 1e-13)


def test_a_part_of_the_nodes_answers_as_in_the_whole():
    problem, w0 = make("unequal sizes", 0)
    solver = GradientSteps(0.1, 6, loss="softmax")
    whole = next(rounds(problem, solver, Average(), w0))
    some = next(rounds(problem, solver, Average(), w0, participation=Subset(2), seed=1))
    assert close(some.W, whole.W[some.active], 1e-14)
    assert close(some.w, some.W.mean(axis=0), 1e-14)


def test_two_classes_are_the_logistic_loss():
    problem, _ = make("two classes", 0)
    signed = [Node(node.X, 2 * node.y - 1) for node in problem.nodes]
    binary = Problem(signed, "classification")
    # w_1 - w_0 moves by twice the step; each moves by half of that.
    several = rounds(problem, GradientSteps(0.1, 9, loss="softmax"), Average(), np.zeros(problem.size))
    single = rounds(binary, GradientSteps(0.2, 9, loss="logistic"), Average(), np.zeros(binary.d))
    for a, b in islice(zip(several, single, strict=False), 6):
        first, second = a.w.reshape(2, -1)
        assert close(second - first, b.w, 1e-11)
        assert close(second + first + b.w, b.w, 1e-11)
    node, w = binary.nodes[0], b.w
    both = np.concatenate([0 * w, w])
    assert softmax.log_value(problem.nodes[0], both) == pytest.approx(logistic.log_value(node, w), rel=1e-12)


def test_long_runs_keep_their_digits():
    node = Node([[30.0, 0.0], [0.0, 30.0]], [0, 1])  # right by hundreds after a step
    problem = Problem([node], "multiclass")
    r = next(rounds(problem, GradientSteps(2.0, 3, loss="softmax"), Average(), np.zeros(4)))
    assert np.isfinite(r.w).all()
    assert close(r.w, descended(node, np.zeros((2, 2)), 2.0, 3).ravel(), 1e-13)


def test_many_steps_turn_towards_the_largest_margin_of_the_node():
    node = Node(np.random.default_rng(3).standard_normal((4, 8)), [0, 1, 2, 1])
    problem = Problem([node], "multiclass")
    goal = next(rounds(multiclass_margins(problem), ExactMargin(), Average(), np.zeros(24))).w

    def angle(L):
        w = next(rounds(problem, GradientSteps(1.0, L, loss="softmax"), Average(), np.zeros(24))).w
        return math.acos(w @ goal / np.linalg.norm(w) / np.linalg.norm(goal))

    angles = [angle(L) for L in (100, 1_000, 10_000)]
    assert all(later < earlier for earlier, later in pairwise(angles))
    assert angles[-1] < 2 / math.log(1e4)


@pytest.mark.parametrize(
    ("solver", "task", "message"),
    [
        (GradientSteps(0.1, 2, loss="softmax"), "regression", r"task 'regression'; loss='softmax' needs"),
        (
            GradientSteps(0.1, 2, loss="softmax"),
            "classification",
            r"task 'classification'; loss='softmax' needs",
        ),
        (GradientSteps(0.1, math.inf, loss="softmax"), "multiclass", r"^L was inf; with loss='softmax'"),
        (GradientSteps(0.1, 2, loss="logistic"), "multiclass", r"'multiclass'; it must be 'classification'"),
        (GradientSteps(0.1, 2), "multiclass", r"^problem has the task 'multiclass'"),
        (SGDSteps(0.1, 2, 1), "multiclass", r"^problem has the task 'multiclass'"),
        (SGDSteps(0.1, 2, 1, loss="softmax"), "classification", r"task 'classification'; loss='softmax' ne"),
        (SGDSteps(0.1, 2, 3, loss="softmax"), "multiclass", r"^batch_size was 3; without replacement"),
        (ExactMargin(), "multiclass", r"'multiclass'; .*multiclass_margins"),
    ],
)
def test_what_does_not_fit_is_refused(solver, task, message):
    problem = Problem([Node(np.eye(2), [1.0, 1.0 if task == "classification" else 0.0])], task)
    with pytest.raises(ValueError, match=message):
        rounds(problem, solver, Average(), np.zeros(problem.size))


def test_a_start_of_the_wrong_length_is_refused():
    problem, _ = make("three classes", 0)
    with pytest.raises(ValueError, match=r"^w0 has length 20; it must have length d = 60"):
        rounds(problem, GradientSteps(0.1, 2, loss="softmax"), Average(), np.zeros(20))
