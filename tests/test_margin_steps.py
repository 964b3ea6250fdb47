"""`GradientSteps` on the exponential and logistic losses, against plain loops over samples."""

import math
from itertools import islice

import numpy as np
import plain_margins
import pytest
from instances import close, iterates
from margin_instances import make, tame_kinds

from lgd_lib import Average, ExactProjection, GradientSteps, Node, Problem, Subset, rounds
from lgd_lib.losses import exponential, logistic
from lgd_lib.margins import signed_rows
from lgd_lib.protocol import Message

LOSSES = {"exponential": exponential, "logistic": logistic}
both = pytest.mark.parametrize("loss", LOSSES)


def gentle(problem, w, loss, share=0.9):
    """A step size that does not overflow from w on, for each node."""
    f = [LOSSES[loss].value(node, w) if loss == "exponential" else 1.0 for node in problem.nodes]
    sizes = [(node.X**2).sum(axis=1).max() for node in problem.nodes]
    return [float(share * 2 / s / max(v, 1e-3)) for s, v in zip(sizes, f, strict=True)]


def answers(problem, solver, w, active=None, k=0):
    solve = solver.prepare(problem)
    active = np.arange(problem.M) if active is None else np.array(active)
    return solve(k, Message(w), solve.memory(), active, None)[0]


@both
@pytest.mark.parametrize("L", [1, 2, 17])
@tame_kinds
def test_each_node_answers_with_its_own_gradient_steps(name, seed, L, loss):
    problem, w = make(name, seed)
    w = w / 10
    eta = gentle(problem, w, loss)
    found = answers(problem, GradientSteps(eta, L, loss), w)
    for node, size, a, point in zip(problem.nodes, eta, found.coefficients, found.points, strict=True):
        expected = plain_margins.gradient_steps(plain_margins.signed(node), w, size, L, loss)
        assert close(point, expected, 1e-11)
        assert (a >= 0).all()
        assert close(w + a @ signed_rows(node), point, 1e-14)


@both
def test_rounds_are_local_gd_iterate_by_iterate(loss):
    problem, w = make("plain", 3)
    w = 0.1 * w
    eta, L, p = [0.02, 0.01, 0.03], [3, 7, 3], np.array([0.2, 0.5, 0.3])
    run = rounds(problem, GradientSteps(eta, L, loss), Average(), w, weights=p)
    for r in islice(run, 6):
        models = [
            plain_margins.gradient_steps(plain_margins.signed(node), w, h, steps, loss)
            for node, h, steps in zip(problem.nodes, eta, L, strict=True)
        ]
        w = p @ np.array(models)
        assert close(r.w, w, 1e-12)
        assert r.local_steps.tolist() == L


@both
def test_one_step_is_gradient_descent_on_the_mean_loss(loss):
    problem, w = make("one class nodes", 1)
    w = w / 20
    for r in islice(rounds(problem, GradientSteps(0.02, 1, loss), Average(), w), 5):
        w = w - 0.02 * np.mean([LOSSES[loss].gradient(node, w) for node in problem.nodes], axis=0)
        assert close(r.w, w, 1e-12)


@both
def test_one_node_is_centralised_gradient_descent_cut_into_rounds(loss):
    problem, w = make("one node", 2)
    w = w / 20
    whole = iterates(rounds(problem, GradientSteps(0.01, 12, loss), Average(), w), 2)
    steps = iterates(rounds(problem, GradientSteps(0.01, 1, loss), Average(), w), 24)
    assert close(whole, steps[[11, 23]], 1e-12)


@both
def test_row_space_and_full_space_agree_and_send_the_same_bytes(loss):
    problem, w = make("plain", 4)
    w = w / 10
    small, u0, lift = problem.row_space(w)
    full = list(islice(rounds(problem, GradientSteps(0.03, 8, loss), Average(), w), 5))
    inside = list(islice(rounds(small, GradientSteps(0.03, 8, loss), Average(), u0), 5))
    for a, b in zip(full, inside, strict=True):
        assert close(a.w, lift(b.w), 1e-11)
        assert a.bytes_up == b.bytes_up == 8 * problem.d * problem.M


@both
def test_combining_is_the_weighted_sum_of_the_points_whoever_takes_part(loss):
    problem, w = make("more samples than features", 0)
    w = w / 100
    every = answers(problem, GradientSteps(0.001, 4, loss), w).points
    for active in ([0, 1, 2], [1], [0, 2]):
        found = answers(problem, GradientSteps(0.001, 4, loss), w, active)
        p = np.random.default_rng(0).uniform(0.1, 1, len(active))
        assert close(found.points, every[active], 1e-13)
        assert close(found.combine(p), p @ found.points, 1e-13)
        assert found.scalars == {}


@both
def test_a_node_s_answer_does_not_depend_on_who_else_takes_part(loss):
    problem, w = make("one class nodes", 0)
    run = rounds(problem, GradientSteps(0.01, 5, loss), Average(), w / 10, participation=Subset(2), seed=3)
    for r in islice(run, 6):
        for i, point in zip(r.active, r.W, strict=True):
            Z = plain_margins.signed(problem.nodes[i])
            assert close(point, plain_margins.gradient_steps(Z, r.sent, 0.01, 5, loss), 1e-12)


@both
@pytest.mark.parametrize("margin", [30.0, 700.0, 740.0, 1e6])
def test_large_margins(loss, margin):
    # One sample of length 1: a step adds eta e^(-m), to many digits, and nothing where that underflows.
    problem = Problem([Node([[1.0]], [1.0])], "classification")
    found = answers(problem, GradientSteps(0.5, 3, loss), np.array([margin]))
    expected = 3 * 0.5 * math.exp(-margin)
    tolerance = 1e-12 if margin <= 700 else 1.0
    assert found.coefficients[0][0] == pytest.approx(expected, rel=tolerance, abs=1e-307)
    assert found.points[0, 0] == pytest.approx(margin + expected, rel=1e-15)


def test_large_negative_margins_have_slope_one_in_the_logistic_loss():
    problem = Problem([Node([[1.0]], [-1.0])], "classification")
    for m in (-700.0, -1e6):
        found = answers(problem, GradientSteps(0.5, 4, "logistic"), np.array([-m]))
        assert found.points[0, 0] == pytest.approx(-m - 2.0, rel=1e-15)


def test_the_logistic_loss_falls_to_zero_on_separable_data_with_any_step():
    problem, w = make("plain", 0)
    f = [logistic.value(problem.pooled, w)]
    for r in islice(rounds(problem, GradientSteps(1e3, 50, "logistic"), Average(), w), 60):
        f.append(logistic.value(problem.pooled, r.w))
    assert f[-1] < 1e-3 * f[0]


def test_an_overflow_is_refused_before_anything_is_sent():
    problem, w = make("plain", 0)
    w = 0.1 * w
    f = [exponential.value(node, w) for node in problem.nodes]
    R = [(node.X**2).sum(axis=1).max() for node in problem.nodes]
    run = rounds(problem, GradientSteps(1e3, 20, "exponential"), Average(), w)
    with pytest.raises(ValueError, match=r"^eta was 1000; node 0 overflows in round 0; .* = ") as refusal:
        next(run)
    limit = float(str(refusal.value).split("= ")[-1])
    assert limit == pytest.approx(2 / (R[0] * f[0]), rel=1e-5)


def test_below_the_named_step_size_the_loss_falls_at_every_step():
    problem, w = make("one node", 5)
    node = problem.nodes[0]
    w = w / 3
    limit = 2 / ((node.X**2).sum(axis=1).max() * exponential.value(node, w))
    values = [exponential.value(node, w)]
    for r in islice(
        rounds(problem, GradientSteps(0.999 * float(limit), 1, "exponential"), Average(), w), 200
    ):
        values.append(exponential.value(node, r.w))
    assert (np.diff(values) < 0).all()


def test_an_overflow_names_round_and_node_and_a_limit_that_underflows():
    far = Problem([Node([[0.1]], [1.0]), Node([[2.0]], [1.0])], "classification")
    with pytest.raises(ValueError, match=r"^eta was 1; node 1 overflows in round 0; .* = exp\(-2000.69\)$"):
        next(rounds(far, GradientSteps([1e-300, 1.0], 1, "exponential"), Average(), np.array([-1000.0])))
    solve = GradientSteps(1.0, 1, "exponential").prepare(far)
    with pytest.raises(ValueError, match=r"node 0 overflows in round 7;"):
        solve(7, Message(np.array([-8000.0])), {}, np.array([0]), None)


@both
def test_what_has_no_labels_or_no_end_is_refused(loss):
    regression = Problem([Node([[1.0]], [1.0])], "regression")
    with pytest.raises(ValueError, match=r"^loss was '.*' and the problem's task 'regression'; it must be"):
        GradientSteps(0.1, 1, loss).prepare(regression)
    problem, _ = make("plain", 0)
    for L in (math.inf, [1, math.inf, 2]):
        with pytest.raises(ValueError, match=r"^L was inf; it must be finite .* ExactMargin .* LocalFlow"):
            GradientSteps(0.1, L, loss).prepare(problem)


def test_the_squared_loss_is_as_before():
    problem, w = make("plain", 0)
    squared = answers(problem, GradientSteps(1e-3, math.inf), w)
    assert np.array_equal(squared.points, answers(problem, ExactProjection(), w).points)


@both
def test_data_that_are_not_separable_reach_the_minimiser(loss):
    rng = np.random.default_rng(0)
    problem = Problem([Node(rng.standard_normal((30, 2)), rng.choice([-1.0, 1.0], 30))], "classification")
    run = rounds(problem, GradientSteps(0.2, 500, loss), Average(), np.zeros(2))
    *_, r = islice(run, 20)
    assert np.linalg.norm(LOSSES[loss].gradient(problem.nodes[0], r.w)) < 1e-13


def test_an_answer_whose_loss_overflows_is_refused_although_it_is_finite():
    # From -7 one step leads to 4 e^7 / 2 - 7 = 2186, where the second margin is -1093.
    problem = Problem([Node([[1.0], [-0.5]], [1.0, 1.0])], "classification")
    with pytest.raises(ValueError, match=r"^eta was 4; node 0 overflows in round 0"):
        next(rounds(problem, GradientSteps(4.0, 1, "exponential"), Average(), np.array([-7.0])))
