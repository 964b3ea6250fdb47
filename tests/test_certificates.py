"""`lgd_lib.certificates`: the truth passes, everything else is rejected, and the bound really bounds."""

import math

import numpy as np
import pytest
from instances import MAKERS, close, every_kind, make
from plain import exact_distance, exact_nearest_interpolator, nearest_interpolator, stacked

from lgd_lib import Certificate, Node, Problem
from lgd_lib.certificates import check_min_norm
from lgd_lib.references import min_norm

WELL_CONDITIONED = [name for name in MAKERS if "scales" not in name]


@every_kind
@pytest.mark.parametrize("anchored", [False, True])
def test_the_truth_is_accepted(name, seed, anchored):
    problem, w0 = make(name, seed)
    w0 = w0 if anchored else np.zeros(problem.d)
    certificate = check_min_norm(problem, nearest_interpolator(problem, w0), w0)
    assert certificate.ok
    assert set(certificate.residuals) == {"feasibility", "stationarity"}
    assert all(0 <= value < 1e-12 for value in certificate.residuals.values())
    if not anchored:
        assert check_min_norm(problem, nearest_interpolator(problem, w0)) == certificate


@pytest.mark.parametrize("name", WELL_CONDITIONED)
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_millionth_off_in_any_direction_is_rejected(name, seed):
    problem, w0 = make(name, seed)
    w = nearest_interpolator(problem, w0)
    rng = np.random.default_rng(seed)
    X, _ = stacked(problem)
    inside = [*np.linalg.svd(X)[2], *(rng.standard_normal((3, problem.N)) @ X)]
    directions = [w, w0, w - w0, *inside, *np.eye(problem.d), *rng.standard_normal((10, problem.d))]
    for v in directions:
        if np.linalg.norm(v) < 1e-9 * np.linalg.norm(w):
            continue
        move = 1e-6 * max(np.linalg.norm(w), np.linalg.norm(w0)) * v / np.linalg.norm(v)
        for wrong in (w + move, w - move):
            certificate = check_min_norm(problem, wrong, w0)
            assert not certificate.ok
            assert certificate.error_bound == pytest.approx(np.linalg.norm(move), rel=1e-3)


@every_kind
def test_the_wrong_anchor_is_rejected(name, seed):
    problem, w0 = make(name, seed)
    w = nearest_interpolator(problem, w0)
    if np.linalg.matrix_rank(stacked(problem)[0], rtol=1e-11) == problem.d:
        assert check_min_norm(problem, w, -w0).ok  # there is one interpolator only: every anchor is right
        return
    for wrong in (np.zeros(problem.d), -w0, w0 * (1 + 1e-6), w0 + 1e-5):
        certificate = check_min_norm(problem, w, wrong)
        assert not certificate.ok
        assert certificate.residuals["feasibility"] < 1e-12 < 1e-7 < certificate.residuals["stationarity"]


@every_kind
def test_a_flipped_sign_or_order_is_rejected(name, seed):
    problem, w0 = make(name, seed)
    w = nearest_interpolator(problem, w0)
    assert not check_min_norm(problem, -w, -w0).ok
    assert not check_min_norm(problem, 2 * w0 - w, w0).ok
    assert not check_min_norm(problem, w0, w).ok
    if problem.d > 1:
        assert not check_min_norm(problem, w[::-1], w0[::-1]).ok


def test_other_targets_of_one_sample_are_rejected():
    problem, w0 = make("plain", 0)
    w = nearest_interpolator(problem, w0)
    for i in range(problem.M):
        nodes = list(problem.nodes)
        nodes[i] = Node(nodes[i].X, nodes[i].y + np.array([0, 0, 1e-6]))
        assert not check_min_norm(Problem(nodes, "regression"), w, w0).ok


def test_equations_without_a_solution_have_no_certificate():
    problem = Problem([Node([[1.0, 0.0]], [1.0]), Node([[1.0, 0.0]], [1.001])], "regression")
    certificate = check_min_norm(problem, [1.0005, 0.0])
    assert not certificate.ok
    assert certificate.residuals["feasibility"] > 1e-4


def test_a_contradiction_does_not_hide_behind_larger_numbers():
    rows = [([1e6, 0.0, 0.0], 1e6), ([0.0, 1.0, 0.0], 1.0), ([0.0, 1.0, 0.0], 1.001)]
    certificate = check_min_norm(Problem([Node([x], [y]) for x, y in rows], "regression"), [1.0, 1.0005, 0.0])
    assert max(certificate.residuals.values()) < 1e-8
    assert certificate.error_bound > 1e-4
    assert not certificate.ok


def hard_case(condition, seed, kind):
    """Rows with that condition number, targets and start; the answer may be short and far from the start."""
    rng = np.random.default_rng([seed, round(math.log10(condition)), len(kind)])
    N = int(rng.integers(2, 6))
    d = N + int(rng.integers(1, 6))
    U, _, Vt = np.linalg.svd(rng.standard_normal((N, d)), full_matrices=False)
    X = (U * np.geomspace(1, 1 / condition, N) @ Vt) * 10.0 ** rng.integers(-3, 4)
    if kind == "from zero":
        return X, rng.standard_normal(N), np.zeros(d)
    if kind == "near":
        return X, X @ rng.standard_normal(d), rng.standard_normal(d)
    return X, np.zeros(N), 1e3 * rng.standard_normal(N) @ Vt


@pytest.mark.parametrize("condition", [1e1, 1e4, 1e6, 1e8])
@pytest.mark.parametrize("kind", ["from zero", "near", "short and far"])
def test_the_error_bound_bounds_the_error_in_exact_arithmetic(condition, kind):
    for seed in range(12):
        X, y, w0 = hard_case(condition, seed, kind)
        exact = exact_nearest_interpolator(X, y, w0)
        problem = Problem([Node(X[:1], y[:1]), Node(X[1:], y[1:])], "regression")
        w = min_norm(problem, w0).w
        rng = np.random.default_rng(seed)
        scale = max(np.linalg.norm(w), np.linalg.norm(w0))
        for size in (0.0, 1e-12, 1e-7, 1e-2):
            wrong = w + size * scale * rng.standard_normal(w.size)
            certificate = check_min_norm(problem, wrong, w0)
            error = exact_distance(wrong, exact)
            assert error <= certificate.error_bound
            assert certificate.error_bound <= 2 * error + 200 * np.finfo(float).eps * condition * scale


def test_ill_conditioned_answers_do_not_pass():
    X, y, w0 = hard_case(1e8, 0, "near")
    assert not min_norm(Problem([Node(X, y)], "regression"), w0).certificate.ok


@pytest.mark.parametrize("size", [1e-6, 1e6])
def test_the_verdict_does_not_depend_on_units(size):
    problem, w0 = make("unequal sizes", 0)
    w = nearest_interpolator(problem, w0)
    for X_unit, w_unit in ((size, 1), (1, size), (size, size)):
        nodes = [Node(X_unit * node.X, X_unit * w_unit * node.y) for node in problem.nodes]
        scaled = Problem(nodes, "regression")
        assert check_min_norm(scaled, w_unit * w, w_unit * w0).ok
        wrong = check_min_norm(scaled, w_unit * w * (1 + 1e-6), w_unit * w0)
        assert not wrong.ok
        assert wrong.error_bound == pytest.approx(w_unit * 1e-6 * np.linalg.norm(w), rel=1e-3, abs=0)


def test_the_tolerance_is_a_choice():
    problem, w0 = make("plain", 1)
    w = nearest_interpolator(problem, w0) * (1 + 1e-6)
    assert check_min_norm(problem, w, w0, tolerance=1e-5).ok
    assert not check_min_norm(problem, w, w0, tolerance=1e-7).ok


@pytest.mark.parametrize(
    ("residuals", "bound", "ok"),
    [
        ({"a": 1e-9, "b": 0.0}, 1e-9, True),
        ({"a": 1e-7, "b": 0.0}, 0.0, False),
        ({"a": 0.0, "b": 1e-7}, 0.0, False),
        ({"a": 0.0}, 3e-8, False),
        ({"a": math.nan}, 0.0, False),
        ({"a": 0.0, "b": math.nan}, 0.0, False),
        ({"a": 0.0}, math.nan, False),
    ],
)
def test_ok_means_every_residual_and_the_bound(residuals, bound, ok):
    certificate = Certificate(residuals, bound, 1e-8, scale=2.0)
    assert certificate.ok is ok
    assert str(certificate).startswith("ok" if ok else "NOT ok")


def test_the_answer_may_be_zero():
    problem = Problem([Node([[1.0, 2.0]], [0.0])], "regression")
    assert check_min_norm(problem, [0.0, 0.0]).ok
    assert not check_min_norm(problem, [1e-7, 0.0]).ok
    assert close(min_norm(problem, [2.0, -1.0]).w, [2.0, -1.0])
