"""`Anchored`, `Haugazeau` and `Bundle`: the formulas read aloud, their limits, and the bundle's bounds."""

import math
from itertools import islice, pairwise

import numpy as np
import plain_margins
import pytest
from instances import close, iterates
from margin_instances import make, tame_kinds
from strangers import PointsOnly

from lgd_lib import (
    Anchored,
    Average,
    Bundle,
    DualMargin,
    ExactMargin,
    GradientSteps,
    Haugazeau,
    LocalFlow,
    Node,
    NormalisedSteps,
    Problem,
    SGDSteps,
    Subset,
    SweptMargin,
    rounds,
)
from lgd_lib.anchored import _half_spaces, anchor_weight
from lgd_lib.dual_methods import AcceleratedDualMargin
from lgd_lib.protocol import Message, PointAnswers
from lgd_lib.references import max_margin, min_norm, project_feasible
from lgd_lib.regularized import Regularized
from lgd_lib.synthetic import gaussian_regression


def mean_answer(problem, w):
    return np.mean([plain_margins.project(plain_margins.signed(n), w) for n in problem.nodes], axis=0)


@tame_kinds
@pytest.mark.parametrize("schedule", ["default", "slow"])
def test_the_anchored_average_is_its_formula(name, seed, schedule):
    problem, w0 = make(name, seed)
    weight = (lambda k: 1 / (k + 2)) if schedule == "default" else (lambda k: 0.5 / (k + 3) ** 0.75)
    aggregation = Anchored() if schedule == "default" else Anchored(weight)
    w = w0
    for k, r in enumerate(islice(rounds(problem, ExactMargin(), aggregation, w0), 15)):
        a = weight(k)
        w = (1 - a) * mean_answer(problem, w) + a * w0
        assert close(r.w, w)
        assert np.array_equal(r.w, r.state.message.point)


def test_the_default_weight_is_halpern_s():
    assert [anchor_weight(k) for k in range(3)] == [1 / 2, 1 / 3, 1 / 4]


@pytest.mark.parametrize("a", [-0.1, 1.1, np.nan])
def test_weights_outside_0_and_1_are_refused(a):
    problem, w0 = make("plain", 0)
    with pytest.raises(ValueError, match=r"weight was .* in round 0"):
        next(rounds(problem, ExactMargin(), Anchored(lambda k: a), w0))


@tame_kinds
def test_the_anchored_residual_keeps_its_bound(name, seed):
    # ||w^k - T w^k|| <= 2 ||w^0 - w*|| / (k + 1) for Halpern's weights (Lieder 2021).
    problem, w0 = make(name, seed)
    limit = project_feasible(problem, w0).w
    for k, r in enumerate(islice(rounds(problem, ExactMargin(), Anchored(), w0), 60), start=1):
        residual = np.linalg.norm(r.w - mean_answer(problem, r.w))
        assert residual <= 2 * np.linalg.norm(w0 - limit) / (k + 1) + 1e-11


@pytest.mark.parametrize("weights", [None, (1, 2, 7)])
def test_the_anchored_limit_is_the_nearest_separating_point_whatever_the_weights(weights):
    problem, w0 = make("plain", 1)
    limit = project_feasible(problem, w0).w
    errors = [
        np.linalg.norm(r.w - limit)
        for r in islice(rounds(problem, ExactMargin(), Anchored(), w0, weights=weights), 4000)
    ]
    # Error C / k: it halves when the rounds double.
    assert errors[3999] < 5e-3 * np.linalg.norm(limit - w0)
    assert errors[3999] == pytest.approx(errors[1999] / 2, rel=0.02)


@tame_kinds
def test_haugazeau_projects_on_its_two_half_spaces(name, seed):
    problem, w0 = make(name, seed)
    w = w0
    for r in islice(rounds(problem, ExactMargin(), Haugazeau(), w0), 12):
        T = mean_answer(problem, w)
        behind = (w0 - w, (w0 - w) @ w)
        ahead = (w - T, (w - T) @ T)
        expected = plain_margins.onto_two(w0, behind, ahead) if np.linalg.norm(w - T) > 1e-9 else w
        assert close(r.w, expected, 1e-6)
        w = r.w


def haugazeau(x, y, z):
    return Haugazeau().step({"anchor": x}, 0, Message(y), PointAnswers(z[None]), np.arange(1), np.ones(1))[1]


@pytest.mark.parametrize("seed", range(6))
def test_haugazeau_in_every_case(seed):
    rng = np.random.default_rng(seed)
    x, y, z = rng.standard_normal((3, 4))
    first, second = x - y, y - z
    if first @ second < 0:
        z = 2 * y - z
        second = -second
    expected = plain_margins.onto_two(x, (first, first @ y), (second, second @ z))
    assert close(haugazeau(x, y, z), expected)
    assert np.array_equal(haugazeau(x, y, y), y)  # a fixed point stays
    assert np.array_equal(haugazeau(x, x, z), z)  # the first round is the average
    assert close(haugazeau(x, y, y - 0.5 * first), y - 0.5 * first)  # parallel: the farther of the two


@pytest.mark.parametrize("name", ["plain", "one class nodes", "duplicated points", "one feature"])
def test_haugazeau_distances_from_the_start_grow_to_the_limit(name):
    problem, w0 = make(name, 0)
    limit = project_feasible(problem, w0).w
    W = iterates(rounds(problem, ExactMargin(), Haugazeau(), w0), 300)
    away = np.linalg.norm(W - w0, axis=1)
    assert all(b >= a * (1 - 1e-6) for a, b in pairwise(away))
    assert away.max() <= np.linalg.norm(limit - w0) * (1 + 1e-6)
    assert np.linalg.norm(W[-1] - limit) < 0.1 * np.linalg.norm(limit - w0) + 1e-12


@pytest.mark.parametrize(
    "name", ["plain", "one class nodes", "more samples than features", "active by chance"]
)
@pytest.mark.parametrize("start", ["zero", "w0"])
def test_the_bundle_is_the_plain_outer_approximation(name, start):
    problem, w0 = make(name, 0)
    w0 = w0 if start == "w0" else 0 * w0
    expected = plain_margins.outer_approximation(problem, w0, 6)
    found = iterates(rounds(problem, ExactMargin(), Bundle(), w0), 6)
    assert close(found, expected, 1e-7)


@tame_kinds
@pytest.mark.parametrize("slack", [None, 1, 5])
@pytest.mark.parametrize("start", ["zero", "w0"])
def test_the_bundle_reaches_the_nearest_separating_point(name, seed, slack, start):
    problem, w0 = make(name, seed)
    w0 = w0 if start == "w0" else 0 * w0
    limit = project_feasible(problem, w0).w
    W = iterates(rounds(problem, ExactMargin(), Bundle(slack), w0), 60)
    away = np.linalg.norm(W - w0, axis=1)
    assert close(W[-1], limit, 1e-8)
    assert all(b >= a * (1 - 1e-9) for a, b in pairwise(away))


@tame_kinds
def test_the_margin_lies_between_the_bundle_s_bounds_in_every_round(name, seed):
    problem, _ = make(name, seed)
    gamma = 1 / np.linalg.norm(max_margin(problem).w)
    best, sent = -np.inf, np.zeros(problem.d)
    Z = plain_margins.all_signed(problem)
    for r in islice(rounds(problem, ExactMargin(worst_margin=True), Bundle(), np.zeros(problem.d)), 40):
        upper, lower = float(r.state.aggregation["upper"]), float(r.state.aggregation["lower"])
        assert upper >= gamma * (1 - 1e-10)
        assert lower <= gamma * (1 + 1e-10)
        assert upper == pytest.approx(1 / np.linalg.norm(r.w), rel=1e-12)
        if np.linalg.norm(sent):
            best = max(best, (Z @ sent).min() / np.linalg.norm(sent))
        assert lower == best or lower == pytest.approx(best, rel=1e-9)
        sent = r.w
    assert upper - lower < 1e-8 * gamma


def test_without_worst_margins_there_is_no_lower_bound():
    problem, _ = make("plain", 0)
    *_, r = islice(rounds(problem, ExactMargin(), Bundle(), np.zeros(problem.d)), 3)
    assert r.state.aggregation["lower"] == -np.inf
    assert r.state.aggregation["upper"] < np.inf


def test_weights_play_no_part_in_the_bundle_and_all_nodes_matter_under_partial_participation():
    problem, w0 = make("plain", 1)
    plain = iterates(rounds(problem, ExactMargin(), Bundle(), w0), 10)
    weighted = iterates(rounds(problem, ExactMargin(), Bundle(), w0, weights=(1, 5, 9)), 10)
    assert np.array_equal(plain, weighted)
    limit = project_feasible(problem, w0).w
    partial = iterates(rounds(problem, ExactMargin(), Bundle(), w0, participation=Subset(1)), 150)
    assert close(partial[-1], limit, 1e-8)
    assert not close(partial[2], limit, 1e-3)


@pytest.mark.parametrize("slack", [1, 4])
def test_a_bounded_bundle_keeps_what_is_tight_and_the_newest_others(slack):
    problem, w0 = make("one class nodes", 1)
    for r in islice(rounds(problem, ExactMargin(), Bundle(slack), w0), 30):
        state = r.state.aggregation
        tight = state["support"] > 0
        assert (~tight).sum() <= slack
        normals, offsets = state["normals"], state["offsets"]
        assert state["gram"] == pytest.approx(normals @ normals.T, abs=1e-14)
        assert np.linalg.norm(normals, axis=1) == pytest.approx(1, abs=1e-14)
        assert normals[tight] @ r.w == pytest.approx(offsets[tight], abs=1e-9)
        for node in problem.nodes:  # the told half-spaces hold the whole of C
            assert node.N
        assert (normals @ project_feasible(problem, w0).w >= offsets - 1e-9).all()
    whole = iterates(rounds(problem, ExactMargin(), Bundle(), w0), 30)
    assert close(r.w, whole[-1], 1e-8)


def test_moves_that_are_mostly_rounding_tell_nothing_while_others_are_long():
    w, point = np.array([1.0, 0.0]), np.array([1.0, 1e-12])
    far, near = np.array([2.0, 0.0]), np.array([1.0 + 3e-13, 0.0])
    assert _half_spaces(w, np.array([far, point]))[0].tolist() == [[1.0, 0.0]]
    assert len(_half_spaces(w, np.array([near, point]))[0]) == 2
    assert len(_half_spaces(w, np.array([w, w + 1e-16]))[0]) == 0
    assert len(_half_spaces(w, np.array([w, w + np.array([0, 5e-14])]))[0]) == 0  # rounding
    normals, offsets = _half_spaces(w, np.array([[4.0, 4.0]]))
    assert normals[0] == pytest.approx([0.6, 0.8])
    assert offsets[0] == pytest.approx(0.6 * 4 + 0.8 * 4)


def test_the_bundle_ends_at_rounding():
    rng = np.random.default_rng(0)
    centres, teacher = 2 * rng.standard_normal((4, 60)), rng.standard_normal(60)
    nodes = []
    for centre in centres:
        X = centre + rng.standard_normal((12, 60))
        nodes.append(Node(X, np.where(X @ teacher > 0, 1.0, -1.0)))
    problem = Problem(nodes, "classification")
    W = iterates(rounds(problem, ExactMargin(), Bundle(), np.zeros(60)), 60)
    assert close(W[-1], max_margin(problem).w, 1e-11)


def test_the_newest_are_kept():
    kept = Bundle(slack=2)._kept(np.array([0.0, 1.0, 0.0, 0.0, 2.0, 0.0]))
    assert kept.tolist() == [False, True, False, True, True, True]
    assert Bundle()._kept(np.zeros(3)).all()


def test_half_spaces_without_a_common_point_are_named():
    state = Bundle().init(np.zeros(1))
    answers = PointAnswers(np.array([[1.0], [-1.0]]))
    with pytest.raises(ValueError, match="not separable"):
        Bundle().step(state, 0, Message(np.zeros(1)), answers, np.arange(2), np.ones(2) / 2)


REFUSED = {
    "gradient steps": GradientSteps(0.01, 10, "logistic"),
    "exponential": GradientSteps(0.01, 10, "exponential"),
    "ten thousand": GradientSteps(0.01, 10_000, "logistic"),
    "stochastic": SGDSteps(0.01, 10, 1, loss="logistic"),
    "normalised, nothing told": NormalisedSteps(0.1, 10, offset=False),
    "swept": SweptMargin(),
    "regularised": Regularized(math.log(1e6)),
    "dual": DualMargin(),
    "accelerated dual": AcceleratedDualMargin(),
}


@pytest.mark.parametrize("name", REFUSED)
def test_answers_known_to_be_no_projections_are_refused_in_the_first_round(name):
    problem, _ = make("plain", 0)
    for aggregation in (Bundle(), Bundle(slack=2)):
        run = rounds(problem, REFUSED[name], aggregation, np.zeros(problem.d))
        with pytest.raises(
            ValueError, match=r"^answers were \w+, which are no projections of the model sent"
        ):
            next(run)
    next(rounds(problem, PointsOnly(REFUSED[name]), Bundle(), np.zeros(problem.d)))  # what nobody can see


def test_flows_are_refused_too():
    problem = Problem([Node([[2.0, 0.0]], [1.0]), Node([[0.0, 1.0]], [1.0])], "classification")
    with pytest.raises(ValueError, match=r"^answers were RowAnswers"):
        next(rounds(problem, LocalFlow(50.0), Bundle(), np.zeros(2)))


@pytest.mark.parametrize("L", [1, 10])
def test_gradient_steps_of_regression_that_do_not_overshoot_feed_the_bundle(L):
    problem = gaussian_regression(3, 4, 40, seed=0)
    w = min_norm(problem).w
    eta = [0.9 * node.N / np.linalg.norm(node.X, 2) ** 2 for node in problem.nodes]
    W = iterates(rounds(problem, GradientSteps(eta, L), Bundle(), np.zeros(40)), 80)
    lengths = np.linalg.norm(W, axis=1)
    assert (np.diff(lengths) >= -1e-12).all()
    assert (lengths <= np.linalg.norm(w) * (1 + 1e-12)).all()
    assert close(W[-1], w, 1e-3)


@pytest.mark.parametrize("slack", [0, -1, 1.5, True, "all"])
def test_a_slack_that_is_no_count_is_refused(slack):
    with pytest.raises(ValueError, match="slack was"):
        Bundle(slack)


def test_a_separating_start_ends_every_method_at_once():
    problem, _ = make("plain", 0)
    inside = 2 * max_margin(problem).w
    for aggregation in (Average(), Anchored(), Haugazeau(), Bundle(), Bundle(slack=2)):
        W = iterates(rounds(problem, ExactMargin(True), aggregation, inside), 3)
        assert close(W, np.tile(inside, (3, 1)), 1e-14)


def test_a_weight_that_is_no_function_is_refused_at_once():
    with pytest.raises(TypeError, match=r"^weight was 0\.5; it must be a function of the round k$"):
        Anchored(0.5)
