"""`NormalisedSteps`, and the bundle fed by nodes that take finitely many steps."""

from itertools import islice, pairwise

import numpy as np
import plain_margins
import pytest
from instances import close
from margin_instances import make

from lgd_lib import Average, Bundle, GradientSteps, Node, NormalisedSteps, Problem, rounds
from lgd_lib.references import max_margin

KINDS = ["plain", "one class nodes", "more samples than features", "duplicated points", "active by chance"]
kinds = pytest.mark.parametrize("name", KINDS)


def steps(problem, share=1.0):
    return [share / float((node.X**2).sum(axis=1).max()) for node in problem.nodes]


def plain_steps(Z, w, eta, L, t):
    """The formula read aloud: v = t w; L times v <- v + eta sum_j e^(-m_j) z_j / sum_j e^(-m_j); v / t."""
    v, told = t * w, 0.0
    for _ in range(L):
        m = [float(z @ v) for z in Z]
        share = [np.exp(min(m) - x) for x in m]
        v = v + eta * sum(s * z for s, z in zip(share, Z, strict=True)) / sum(share)
        told += eta
    return v / t, told / t


@pytest.mark.parametrize("L", [1, 6])
@kinds
def test_each_node_takes_its_normalised_steps_and_tells_their_sum(name, L):
    problem, w = make(name, 0)
    eta, lengths = steps(problem), [L + i for i in range(problem.M)]
    solver = NormalisedSteps(eta, lengths, lambda k: 3.0 + k, worst_margin=True)
    for r in islice(rounds(problem, solver, Average(), w), 3):
        for i, node in enumerate(problem.nodes):
            Z = plain_margins.signed(node)
            point, told = plain_steps(Z, r.sent, eta[i], lengths[i], 3.0 + r.k)
            assert close(r.W[i], point, 1e-12)
            assert r.answers.scalars["offset"][i] == pytest.approx(told, rel=1e-13)
            assert r.answers.scalars["worst_margin"][i] == pytest.approx((Z @ r.sent).min(), rel=1e-12)
            assert (r.answers.coefficients[i] >= 0).all()
        assert r.bytes_up == problem.M * 8 * (problem.d + 2)
        assert r.bytes_down == problem.M * 8 * problem.d


@pytest.mark.parametrize("L", [1, 10, 100])
@kinds
def test_every_half_space_told_holds_all_points_of_margin_one(name, L):
    problem, _ = make(name, 1)
    solver = NormalisedSteps(steps(problem), L)
    rng = np.random.default_rng(L)
    *_, r = islice(rounds(problem, solver, Bundle(), np.zeros(problem.d)), 12)
    state = r.state.aggregation
    for _ in range(20):
        # Any direction, projected on the points that separate all data.
        x = plain_margins.project(plain_margins.all_signed(problem), rng.standard_normal(problem.d))
        slack = state["normals"] @ x - state["offsets"]
        assert slack.min() >= -1e-9 * np.linalg.norm(x)


def test_a_plain_half_space_of_finite_steps_would_cut_off_part_of_the_node_s_set():
    # Sweeping releases a constraint on the way: its answer is another point of C_i than the projection.
    Z, w = np.array([[1.0, 0.0], [0.5, 0.3]]), np.array([-1.0, 0.0])
    problem = Problem([Node(Z, np.ones(2))], "classification")
    projection = plain_margins.project(Z, w)
    assert close(projection, [1.206, 1.324], 1e-3)
    swept, told = plain_steps(Z, w, 1.0, 4000, 1000.0)
    solver = NormalisedSteps(1.0, 4000, lambda k: 1000.0)
    r = next(rounds(problem, solver, Average(), w))
    g = r.W[0] - w
    assert close(r.W[0], swept, 1e-10)
    assert g @ projection >= told - 1e-12  # what is told holds it,
    assert g @ projection < g @ r.W[0] - 0.1  # what a projection would tell does not.


@kinds
def test_the_margin_lies_between_the_bounds_and_they_close(name):
    problem, _ = make(name, 0)
    w_mm = max_margin(problem).w
    gamma = 1 / np.linalg.norm(w_mm)
    solver = NormalisedSteps(steps(problem), 10, worst_margin=True)
    lengths, gaps = [], []
    for r in islice(rounds(problem, solver, Bundle(), np.zeros(problem.d)), 80):
        upper, lower = (float(r.state.aggregation[side]) for side in ("upper", "lower"))
        assert lower <= gamma * (1 + 1e-9)
        assert upper >= gamma * (1 - 1e-9)
        lengths.append(np.linalg.norm(r.w))
        gaps.append((upper - lower) / gamma)
    assert all(b >= a * (1 - 1e-9) for a, b in pairwise(lengths))
    assert gaps[-1] < 0.02
    assert np.linalg.norm(r.w - w_mm) < 0.02 * np.linalg.norm(w_mm)


@pytest.mark.parametrize("L", [1, 10, 100])
def test_the_max_margin_direction_is_reached_by_few_rounds_of_finite_steps(L):
    # For a point with w in the told half-spaces: ||w - w_mm||^2 <= ||w_mm||^2 - ||w||^2, so the error is
    # bounded by the bounds alone; here it is held against the reference.
    problem, _ = make("plain", 2)
    w_mm = max_margin(problem).w
    *_, r = islice(rounds(problem, NormalisedSteps(steps(problem), L), Bundle(), np.zeros(problem.d)), 100)
    error = np.linalg.norm(r.w - w_mm) / np.linalg.norm(w_mm)
    assert error < 1e-3
    assert error**2 <= 1 - (np.linalg.norm(r.w) / np.linalg.norm(w_mm)) ** 2 + 1e-9
    plain = rounds(problem, GradientSteps(min(steps(problem)), L, "logistic"), Average(), np.zeros(problem.d))
    *_, slow = islice(plain, 100)
    along = slow.w / np.linalg.norm(slow.w) - w_mm / np.linalg.norm(w_mm)
    assert np.linalg.norm(along) > 20 * error


def test_a_fixed_temperature_stops_short():
    problem, _ = make("plain", 2)
    w_mm = max_margin(problem).w
    solver = NormalisedSteps(steps(problem), 10, lambda k: 5.0)
    *_, r = islice(rounds(problem, solver, Bundle(), np.zeros(problem.d)), 100)
    assert np.linalg.norm(r.w) < 0.99 * np.linalg.norm(w_mm)


def test_the_row_space_and_partial_participation_do_as_well():
    problem, _ = make("plain", 3)
    small, u0, lift = problem.row_space()
    solver = NormalisedSteps(steps(problem), 5)
    full = list(islice(rounds(problem, solver, Bundle(), np.zeros(problem.d)), 8))
    inside = list(islice(rounds(small, solver, Bundle(), u0), 8))
    assert close(full[-1].w, lift(inside[-1].w), 1e-7)
    assert full[-1].bytes_up == inside[-1].bytes_up
    run = rounds(problem, solver, Bundle(), np.zeros(problem.d), participation=lambda k, M, rng: [k % M])
    *_, r = islice(run, 240)
    w_mm = max_margin(problem).w
    assert np.linalg.norm(r.w - w_mm) < 0.02 * np.linalg.norm(w_mm)


def test_moves_lost_in_rounding_tell_nothing():
    problem, _ = make("plain", 0)
    solver = NormalisedSteps(steps(problem), 1, lambda k: 10.0 if k == 0 else 1e12)
    first, second = islice(rounds(problem, solver, Bundle(), np.zeros(problem.d)), 2)
    assert len(second.state.aggregation["offsets"]) == len(first.state.aggregation["offsets"])
    assert np.array_equal(first.w, second.w)


def test_wrong_arguments():
    for arguments, message in {
        (0.1, 0): r"^L was 0; it must be a whole number",
        (0.1, float("inf")): r"^L was inf; it must be a whole number",
        (-1.0, 1): r"^eta was -1\.0; a step size must be positive",
        (0.1, 1, 5.0): r"^temperature was 5\.0; it must be a function of the round k",
    }.items():
        with pytest.raises((ValueError, TypeError), match=message):
            NormalisedSteps(*arguments)
    problem, w = make("plain", 0)
    for t in (0.0, -1.0, float("inf"), float("nan")):
        with pytest.raises(
            ValueError, match=r"^temperature was .* in round 0; it must be positive and finite"
        ):
            next(rounds(problem, NormalisedSteps(0.1, 1, lambda k, t=t: t), Average(), w))
    with pytest.raises(ValueError, match=r"^loss was 'exponential' and the problem's task 'regression'"):
        NormalisedSteps(0.1, 1).prepare(Problem([Node([[1.0]], [1.0])], "regression"))
