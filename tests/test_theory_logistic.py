"""Data that nothing separates: minimiser, bias and noise floor against plain loops, differences and scipy."""

import math
from itertools import islice

import numpy as np
import pytest
from scipy.optimize import minimize

from lgd_lib import Average, GradientSteps, Node, Problem, SGDSteps, rounds
from lgd_lib.theory import classification_bias, mean_loss_minimum, noise_floor

LOSSES = ("logistic", "exponential")


def noisy(seed, sizes=(8, 12, 20), d=3):
    rng = np.random.default_rng(seed)
    nodes = []
    for n in sizes:
        X = rng.standard_normal((n, d)) + 0.7 * rng.standard_normal(d)
        nodes.append(
            Node(X, np.where(rng.random(n) < 1 / (1 + np.exp(-X @ rng.standard_normal(d))), 1.0, -1.0))
        )
    return Problem(nodes, "classification")


def mean_loss(problem, w, loss):
    """f, read aloud."""
    total = 0.0
    for node in problem.nodes:
        m = node.y * (node.X @ w)
        total += np.mean(np.exp(-m) if loss == "exponential" else np.logaddexp(0, -m)) / problem.M
    return total


def plain_gradient(node, w, loss):
    m = node.y * (node.X @ w)
    p = np.exp(-m) if loss == "exponential" else 1 / (1 + np.exp(m))
    return -(p * node.y) @ node.X / node.N


def one_round(problem, w, eta, L, loss):
    """Textbook Local-GD."""
    answers = []
    for node in problem.nodes:
        v = w
        for _ in range(L):
            v = v - eta * plain_gradient(node, v, loss)
        answers.append(v)
    return np.mean(answers, axis=0)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("seed", range(4))
def test_the_minimum_is_stationary_and_scipy_finds_nothing_lower(seed, loss):
    problem = noisy(seed)
    w_f = mean_loss_minimum(problem, loss)
    gradient = np.mean([plain_gradient(node, w_f, loss) for node in problem.nodes], axis=0)
    assert np.linalg.norm(gradient) < 1e-12
    found = minimize(lambda w: mean_loss(problem, w, loss), np.zeros(3), tol=1e-12)
    assert mean_loss(problem, w_f, loss) <= found.fun + 1e-14
    assert found.x == pytest.approx(w_f, abs=1e-4)


def test_no_minimum_is_said_so():
    apart = Problem([Node([[1.0, 0.0]], [1.0]), Node([[0.0, 1.0]], [1.0])], "classification")
    weakly = Problem([Node([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0]], np.ones(3))], "classification")
    flat = Problem([Node([[1.0, 0.0], [-1.0, 0.0]], np.ones(2))], "classification")
    for problem in (apart, weakly, flat):
        with pytest.raises(ValueError, match="no unique minimiser"):
            mean_loss_minimum(problem)
    with pytest.raises(ValueError, match="loss was 'hinge'"):
        mean_loss_minimum(noisy(0), "hinge")
    with pytest.raises(ValueError, match="batch_size was 0"):
        noise_floor(noisy(0), 0.1, 0)
    with pytest.raises(ValueError, match="task"):
        mean_loss_minimum(Problem([Node([[1.0]], [1.0])], "regression"))


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("L", [2, 7])
def test_V7_bias_order_of_plain_runs(L, loss):
    problem = noisy(1)
    left, sizes = [], []
    for eta in (0.1 / L, 0.05 / L):
        w_f, bias = classification_bias(problem, L, eta, loss)
        w = w_f + bias
        for _ in range(6000):
            w = one_round(problem, w, eta, L, loss)
        assert np.linalg.norm(one_round(problem, w, eta, L, loss) - w) < 1e-12
        left.append(np.linalg.norm(w - w_f - bias))
        sizes.append(np.linalg.norm(w - w_f))
    assert math.log2(sizes[0] / sizes[1]) == pytest.approx(1, abs=0.1)
    assert math.log2(left[0] / left[1]) == pytest.approx(2, abs=0.1)


def test_V7_bias_zero_for_one_step_and_for_equal_nodes():
    problem = noisy(2)
    w_f, bias = classification_bias(problem, 1, 0.1)
    assert np.linalg.norm(bias) == 0
    assert one_round(problem, w_f, 0.1, 1, "logistic") == pytest.approx(w_f, abs=1e-14)
    same = Problem([problem.nodes[2]] * 3, "classification")
    assert np.linalg.norm(classification_bias(same, 10, 0.1)[1]) < 1e-12


@pytest.mark.parametrize("M", [1, 3])
def test_V7_noise_floor_of_a_plain_run(M):
    """Plain local SGD with its own random numbers, one sample a step."""
    node, eta, L = noisy(5, (20,), 2).nodes[0], 0.1, 3
    problem = Problem([node] * M, "classification")
    w_f, rng = mean_loss_minimum(problem), np.random.default_rng(0)
    runs = np.tile(w_f, (400, M, 1))
    Z = node.y[:, None] * node.X
    for _ in range(150):
        for _ in range(L):
            z = Z[rng.integers(node.N, size=(400, M))]
            runs = runs + eta * z / (1 + np.exp((z * runs).sum(axis=2, keepdims=True)))
        runs = np.repeat(runs.mean(axis=1, keepdims=True), M, axis=1)
    squares = ((runs[:, 0] - runs[:, 0].mean(axis=0)) ** 2).sum(axis=1)
    S = noise_floor(problem, eta, 1)
    assert np.allclose(S, S.T)
    assert (np.linalg.eigvalsh(S) > 0).all()
    doubt = 5 * squares.std() / math.sqrt(400) / squares.mean()
    assert squares.mean() / np.trace(S) == pytest.approx(1, abs=doubt + eta * L / 2)
    assert noise_floor(problem, eta, 4) * 4 == pytest.approx(S)


def test_V7_interpolating_regression_loses_nothing_by_drawing_batches():
    rng = np.random.default_rng(3)
    nodes = [Node(rng.standard_normal((3, 20)), rng.standard_normal(3)) for _ in range(3)]
    problem = Problem(nodes, "regression")
    goal = np.linalg.pinv(problem.pooled.X) @ problem.pooled.y
    step = float(1 / (problem.pooled.X**2).sum(axis=1).max())
    for replace in (True, False):
        run = rounds(problem, SGDSteps(step, 6, 1, replace=replace), Average(), np.zeros(20))
        assert next(islice(run, 2500, None)).w == pytest.approx(goal, abs=1e-9)


def test_V7_partly_separable_nodes_carry_the_limit_away_like_ln_L():
    """One separable sample, one node that wants zero: w = (w_1 + 0) / 2 with z w_1 growing like ln L."""
    problem = Problem([Node([[2.0]], [1.0]), Node([[1.0], [-1.0]], [1.0, 1.0])], "classification")
    ends = []
    for L in (1000, 8000):
        run = rounds(problem, GradientSteps(1.0, L, "logistic"), Average(), np.zeros(1))
        ends.append(next(islice(run, 60, None)).w[0])
    # Scaled: w = (1/2) Pi_1(w) = (1/2) (1/2), as long as w is outside C_1.
    assert (ends[1] - ends[0]) / math.log(8) == pytest.approx(0.25, abs=0.25 / math.log(8000))
