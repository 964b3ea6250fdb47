"""`SGDSteps`: batches, streams, and the steps against plain loops over samples."""

from itertools import islice

import numpy as np
import plain_margins
import pytest
from instances import close, iterates
from instances import make as make_regression
from margin_instances import make

from lgd_lib import Average, GradientSteps, Node, Problem, SGDSteps, Subset, rounds
from lgd_lib.descent.batches import BLOCK, batches

every_loss = pytest.mark.parametrize("loss", ["squared", "exponential", "logistic"])


def instance(loss, seed=0):
    if loss == "squared":
        problem, w = make_regression("unequal sizes", seed)
        return problem, w
    problem, w = make("plain", seed)
    uneven = [Node(n.X[: 5 - i], n.y[: 5 - i]) for i, n in enumerate(problem.nodes)]
    return Problem(uneven, "classification"), w / 10


@pytest.mark.parametrize("batch_size", [1, 2, 3])
@pytest.mark.parametrize("seed", [0, 5])
@every_loss
def test_each_node_takes_the_steps_of_its_own_batches(loss, seed, batch_size):
    problem, w = instance(loss, seed)
    if loss == "squared":
        problem = Problem(problem.nodes[1:], "regression")
    eta, L = 0.01, 11
    run = rounds(problem, SGDSteps(eta, L, batch_size, loss=loss), Average(), w, seed=seed)
    for r in islice(run, 3):
        for i, (node, point) in enumerate(zip(problem.nodes, r.W, strict=True)):
            drawn = plain_margins.epochs(np.random.default_rng([seed, r.k, i]), node.N, batch_size, L)
            rows = node.X if loss == "squared" else plain_margins.signed(node)
            expected = plain_margins.stochastic_steps(rows, node.y, r.sent, eta, drawn, loss)
            assert close(point, expected, 1e-12)


@every_loss
def test_with_replacement_repeated_samples_count_twice(loss):
    problem, w = instance(loss, 1)
    eta, L, b = 0.01, 9, 7
    r = next(rounds(problem, SGDSteps(eta, L, b, True, loss), Average(), w, seed=2))
    for i, (node, point) in enumerate(zip(problem.nodes, r.W, strict=True)):
        drawn = np.random.default_rng([2, 0, i]).integers(node.N, size=(L, b))
        rows = node.X if loss == "squared" else plain_margins.signed(node)
        expected = plain_margins.stochastic_steps(rows, node.y, w, eta, drawn, loss)
        assert close(point, expected, 1e-12)


@every_loss
def test_a_batch_of_all_samples_is_gradient_descent(loss):
    problem, w = make_regression("plain", 0) if loss == "squared" else make("plain", 0)
    w = w / 10
    size = problem.nodes[0].N
    sgd = iterates(rounds(problem, SGDSteps(0.02, 6, size, loss=loss), Average(), w), 5)
    full = iterates(rounds(problem, GradientSteps(0.02, 6, loss), Average(), w), 5)
    assert close(sgd, full, 1e-13)


def test_an_epoch_shows_every_sample_once_and_its_last_batch_may_be_short():
    for N, b, L in ((7, 3, 8), (6, 2, 6), (5, 4, 3), (4, 1, 9)):
        rows = np.concatenate(list(batches(np.random.default_rng(0), N, b, L, False)))
        assert rows.shape == (L, b)
        steps = -(-N // b)
        for start in range(0, L - steps + 1, steps):
            shown = rows[start : start + steps].reshape(-1)
            assert sorted(shown[shown >= 0]) == list(range(N))


@pytest.mark.parametrize("replace", [False, True])
def test_blocks_of_steps_join(replace):
    L = 2 * BLOCK + 3
    rows = np.concatenate(list(batches(np.random.default_rng(1), 5, 5, L, replace)))
    assert rows.shape == (L, 5)
    if not replace:
        assert (rows == np.arange(5)).all()


def test_draws_are_equally_likely():
    rows = np.concatenate(list(batches(np.random.default_rng(2), 4, 3, 20_000, True)))
    counts = np.bincount(rows.reshape(-1), minlength=4)
    assert abs(counts - 15_000).max() < 5 * np.sqrt(60_000 * 3 / 16)


def test_a_node_s_draws_depend_on_nobody_else_and_change_with_round_and_seed():
    problem, w = instance("logistic")
    solver = SGDSteps(0.1, 7, 2, loss="logistic")
    whole = next(rounds(problem, solver, Average(), w, seed=4))
    alone = next(rounds(problem, solver, Average(), w, seed=4, participation=lambda k, M, rng: [1]))
    assert close(whole.W[1], alone.W[0], 1e-14)
    other = next(rounds(problem, solver, Average(), w, seed=5))
    assert not close(whole.w, other.w, 1e-6)
    still = [r.W[0] - r.sent for r in islice(rounds(problem, solver, Average(), w, seed=4), 2)]
    assert not close(still[0], still[1], 1e-6)


def test_a_run_continues_with_the_same_draws():
    problem, w = instance("logistic")
    solver = SGDSteps(0.1, 7, 2, loss="logistic")
    whole = list(islice(rounds(problem, solver, Average(), w, participation=Subset(2)), 6))
    rest = rounds(problem, solver, Average(), w, participation=Subset(2), state=whole[2].state)
    assert np.array_equal(next(rest).w, whole[3].w)


def test_wrong_arguments():
    for arguments, message in {
        (0.1, 1.5, 1): r"^L was 1\.5; it must be a whole number",
        (0.1, float("inf"), 1): r"^L was inf; it must be a whole number",
        (0.0, 1, 1): r"^eta was 0\.0; a step size must be positive",
        (0.1, 1, 0): r"^batch_size was 0; it must be a whole number",
        (0.1, 1, 1, 1): r"^replace was 1; it must be True or False",
        (0.1, 1, 1, False, "hinge"): r"^loss was 'hinge'; it must be one of 'squared'",
    }.items():
        with pytest.raises((ValueError, TypeError), match=message):
            SGDSteps(*arguments)
    problem, _ = instance("logistic")
    with pytest.raises(ValueError, match=r"^batch_size was 4; without replacement .* 3 samples of node 2$"):
        SGDSteps(0.1, 1, 4, loss="logistic").prepare(problem)
    assert SGDSteps(0.1, 1, 4, True, "logistic").prepare(problem).local_steps.tolist() == [1, 1, 1]
    with pytest.raises(ValueError, match=r"^loss was 'logistic' and the problem's task 'regression'"):
        SGDSteps(0.1, 1, 1, loss="logistic").prepare(make_regression("plain", 0)[0])


def test_divergence_is_named():
    problem, w = make_regression("plain", 0)
    with pytest.raises(ValueError, match=r"^eta was 1000; node 0 overflows in round 0; .* 2 / max"):
        next(rounds(problem, SGDSteps(1e3, 200, 1), Average(), w))
