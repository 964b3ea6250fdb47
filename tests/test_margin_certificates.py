"""`certificates.check_projection`: the truth passes, errors of 1e-6 do not, and the bound really bounds."""

import math
from fractions import Fraction

import numpy as np
import plain_margins
import pytest
from margin_instances import TAME, every_kind, make, tame_kinds
from plain import exact_distance

from lgd_lib import Node, Problem
from lgd_lib.certificates import check_projection
from lgd_lib.margins.bounds import distance_to_answer
from lgd_lib.margins.doubled import product
from lgd_lib.margins.refinement import Refined, distance_bound, program, refined
from lgd_lib.references import max_margin, project_feasible

WELL_CONDITIONED = [name for name in TAME if name not in ("rank deficient nodes",)]
well_conditioned = pytest.mark.parametrize(
    ("name", "seed"), [(n, s) for n in WELL_CONDITIONED for s in (2, 3)]
)


def directions(d, seed):
    """Random ones, and each axis."""
    rng = np.random.default_rng(seed)
    random = rng.standard_normal((5, d))
    return [v / np.linalg.norm(v) for v in (*random, *np.eye(d)[:3])]


@tame_kinds
@pytest.mark.parametrize("start", ["zero", "w0"])
def test_an_independent_answer_passes(name, seed, start):
    problem, w0 = make(name, seed)
    w0 = w0 if start == "w0" else 0 * w0
    w = plain_margins.project(plain_margins.all_signed(problem), w0)
    certificate = check_projection(problem, w, w0)
    assert certificate.ok, str(certificate)
    assert set(certificate.residuals) == {"primal", "dual", "stationarity", "complementarity"}


@every_kind
def test_multipliers_need_not_be_given(name, seed):
    problem, w0 = make(name, seed)
    reference = project_feasible(problem, w0)
    assert check_projection(problem, reference.w, w0).ok
    assert check_projection(problem, reference.w, w0, reference.multipliers).ok


@well_conditioned
@pytest.mark.parametrize("start", ["zero", "w0"])
def test_relative_errors_of_1e_6_are_rejected(name, seed, start):
    problem, w0 = make(name, seed)
    w0 = w0 if start == "w0" else 0 * w0
    reference = project_feasible(problem, w0)
    w, size = reference.w, max(np.linalg.norm(reference.w), np.linalg.norm(w0))
    for v in directions(w.size, seed):
        for sign in (1, -1):
            wrong = w + sign * 1e-6 * size * v
            for a in (None, reference.multipliers):
                certificate = check_projection(problem, wrong, w0, a)
                assert not certificate.ok
                assert certificate.error_bound >= 1e-6 * size * (1 - 1e-6)
    assert not check_projection(problem, w * (1 + 1e-6), w0).ok
    assert not check_projection(problem, w * (1 - 1e-6), w0).ok


@well_conditioned
def test_the_wrong_anchor_flipped_signs_and_wrong_multipliers_are_rejected(name, seed):
    problem, w0 = make(name, seed)
    reference = project_feasible(problem, w0)
    w, a = reference.w, reference.multipliers
    if problem.d > 1:  # on a line the nearest point is the same from many starts
        assert not check_projection(problem, w, w0 + 0.01).ok
    assert not check_projection(problem, -w, w0).ok
    flipped = Problem([Node(node.X, -node.y) for node in problem.nodes], "classification")
    assert not check_projection(flipped, w, w0).ok
    if a.any():
        assert not check_projection(problem, w, w0, -a).ok
        assert not check_projection(problem, w, w0, a * (1 + 1e-6)).ok
        assert not check_projection(problem, w, w0, 0 * a).ok


def test_each_condition_has_its_residual():
    problem = Problem([Node(np.eye(2), [1.0, 1.0])], "classification")
    # w = (1, 1) is the answer, with multipliers (1, 1); from w0 = (0, 2) it is (1, 2), with (1, 0).
    start = [0.0, 2.0]

    def residuals(w, a, w0=(0.0, 0.0)):
        return {n for n, v in check_projection(problem, w, w0, a).residuals.items() if v > 1e-12}

    assert residuals([1.0, 1.0], [1.0, 1.0]) == set()
    assert residuals([1.0, 2.0], [1.0, 0.0], start) == set()
    assert residuals([1.0, 0.5], [1.0, 0.5]) == {"primal", "complementarity"}
    assert residuals([1.0, 1.0], [1.0, 0.0]) == {"stationarity"}
    assert residuals([1.0, 1.0], [1.0, -1.0], start) == {"dual"}
    assert residuals([1.0, 2.0], [1.0, 2.0]) == {"complementarity"}


KINDS = ["plain", "duplicates", "near", "nearer", "scaled", "tiny", "many", "weak", "two"]


def hard_rows(kind, rng):
    """Five rows in four dimensions, or six in two."""
    Z = rng.standard_normal((5, 4)) + 1.5 * np.eye(4)[0]
    if kind == "duplicates":
        Z[2], Z[3], Z[4] = Z[0], Z[1], Z[0]
    if kind in ("near", "nearer"):
        size = 1e-7 if kind == "near" else 1e-11
        Z[3], Z[4] = Z[0] + size * rng.standard_normal(4), Z[1] + size * rng.standard_normal(4)
    if kind == "scaled":
        Z *= np.geomspace(1, 1e4, 5)[:, None]
    if kind == "tiny":
        Z[:, 0] = 1e-6 * (1 + rng.random(5))
    if kind == "many":
        Z = np.vstack([Z[:, :2], Z[:1, :2] * 3])
        Z[:, 0] = np.abs(Z[:, 0]) + 0.5
    if kind == "weak":  # small whole numbers: ties that are exact
        Z = np.array([[1.0, 0, 0], [1, 1, 0], [1, -1, 0], [1, 0, 2], [1, 0, rng.integers(-2, 3)]])
    if kind == "two":
        Z = Z[:2]
    return Z


@pytest.mark.parametrize("kind", KINDS)
def test_the_error_bound_bounds_the_error_in_exact_arithmetic(kind):
    for seed in range(8):
        rng = np.random.default_rng([seed, KINDS.index(kind)])
        Z = hard_rows(kind, rng)
        d = Z.shape[1]
        for w0 in (np.zeros(d), rng.standard_normal(d), 1e3 * rng.standard_normal(d)):
            exact = plain_margins.exact_nearest(Z, w0)
            if exact is None:
                continue
            problem = Problem([Node(Z[:1], np.ones(1)), Node(-Z[1:], -np.ones(len(Z) - 1))], "classification")
            reference = project_feasible(problem, w0)
            w = reference.w
            scale = max(np.linalg.norm(w), np.linalg.norm(w0))
            assert reference.certificate.ok, (kind, seed, str(reference.certificate))
            for size in (0.0, 1e-13, 1e-10, 1e-7, 1e-3, 0.3):
                wrong = w + size * scale * rng.standard_normal(d)
                error = exact_distance(wrong, exact)
                for a in (None, reference.multipliers, rng.random(len(Z)), 0 * reference.multipliers):
                    certificate = check_projection(problem, wrong, w0, a)
                    assert error <= certificate.error_bound, (kind, seed, size)
                if size <= 1e-7:
                    bound = check_projection(problem, wrong, w0, reference.multipliers).error_bound
                    assert bound <= 3 * error + 1e-8 * scale


@pytest.mark.parametrize("size", [0.0, 1e-15, 1e-12, 1e-9, 1e-6])
def test_near_duplicates_of_any_distance_pass_when_the_answer_is_right(size):
    for seed in range(4):
        rng = np.random.default_rng(seed)
        X, y = rng.standard_normal((12, 30)) + np.eye(30)[0], np.ones(12)
        nodes = [Node(X, y), Node(X + size * rng.standard_normal(X.shape), y), Node(X * (1 + size), y)]
        problem = Problem(nodes, "classification")
        for w0 in (None, rng.standard_normal(30)):
            reference = project_feasible(problem, w0)
            assert reference.certificate.ok, str(reference.certificate)
            assert check_projection(problem, reference.w, w0).ok


def test_a_point_on_its_constraints_with_a_negative_multiplier_is_no_answer():
    # On both constraints lies (1, -1) = 3 (1, 0) - (2, 1); the answer is (1, 0).
    problem = Problem([Node([[1.0, 0.0], [2.0, 1.0]], [1.0, 1.0])], "classification")
    for a in (None, [1.0, 1.0], [3.0, -1.0]):
        certificate = check_projection(problem, [1.0, -1.0], None, a)
        assert not certificate.ok
        assert certificate.error_bound >= 1


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [0.0, 1e-12, 1e-6, 1e-2])
def test_the_bound_in_doubled_precision_holds_for_multipliers_of_any_quality(kind, size):
    for seed in range(3):
        rng = np.random.default_rng([seed, KINDS.index(kind)])
        Z = hard_rows(kind, rng)
        for w0 in (np.zeros(Z.shape[1]), rng.standard_normal(Z.shape[1])):
            exact = plain_margins.exact_nearest(Z, w0)
            if exact is None:
                continue
            given = program(Z, w0)
            answer = refined(given, np.zeros(len(Z)))
            a = answer.multipliers[0] * (1 + size * rng.standard_normal(len(Z)))
            a, none = np.maximum(a, 0.0), np.zeros(len(Z))
            other = Refined(product(given.A.T, (a, none)), (a, none)) if size else answer
            u = [Fraction(v) - Fraction(s) for v, s in zip(exact, w0, strict=True)]
            moved = [Fraction(h) + Fraction(r) for h, r in zip(*other.u, strict=True)]
            error = math.sqrt(sum((x - y) ** 2 for x, y in zip(u, moved, strict=True)))
            bound = distance_bound(given, other)
            assert error <= bound
            if not size:
                assert bound <= 1e-9 * np.linalg.norm(w0 + answer.u[0])


def test_nearly_parallel_constraints_may_both_be_active():
    Z, w0 = np.array([[1.0, 0.0], [1.0, 2.0**-20]]), np.array([0.0, -(2.0**-21)])
    given = program(Z, w0)
    answer = refined(given, np.zeros(2))
    assert (answer.multipliers[0] > 0.1).all()
    assert w0 + answer.u[0] == pytest.approx([1.0, 0.0], abs=1e-15)
    assert distance_bound(given, answer) < 1e-12


def test_a_small_violation_of_a_nearly_parallel_constraint_is_a_large_error():
    # The answer is u = (1, x); at u = (1, 0) the second constraint is missed by x / 2^10 only.
    Z, w0, x = np.array([[1.0, 0.0], [1.0, 2.0**-10]]), np.array([0.0, -(2.0**-11)]), 2.0**-11
    given, none = program(Z, w0), np.zeros(2)
    first = Refined((np.array([1.0, 0.0]), none), (np.array([1.0, 0.0]), none))
    assert refined(given, none).u[0] == pytest.approx([1.0, x], abs=1e-14)
    assert x <= distance_bound(given, first) <= 10 * x


def test_far_from_the_answer_nothing_false_is_said():
    problem, w0 = make("plain", 0)
    exact = project_feasible(problem, w0).w
    for w in (0 * w0, w0, 100 * w0, -exact, 2 * exact):
        certificate = check_projection(problem, w, w0)
        assert not certificate.ok
        assert np.linalg.norm(w - exact) <= certificate.error_bound


def test_without_doubled_precision_the_bound_is_larger_but_holds():
    problem, w0 = make("duplicated points", 0)
    Z = plain_margins.all_signed(problem)
    reference = project_feasible(problem, w0)
    args = Z, reference.w, w0, reference.multipliers
    close, far = distance_to_answer(*args, True), distance_to_answer(*args, False)
    assert close < 1e-12 < far < 1e-4


@pytest.mark.parametrize("unit", [1e-6, 1.0, 1e6])
def test_the_verdict_does_not_depend_on_units(unit):
    problem, _ = make("plain", 1)
    scaled = Problem([Node(unit * node.X, node.y) for node in problem.nodes], "classification")
    w = max_margin(problem).w / unit
    assert check_projection(scaled, w).ok
    wrong = check_projection(scaled, w * (1 + 1e-6))
    assert not wrong.ok
    assert wrong.error_bound == pytest.approx(1e-6 * np.linalg.norm(w), rel=1e-3)


def test_a_start_that_separates_is_its_own_answer():
    problem, _ = make("plain", 0)
    inside = 2 * max_margin(problem).w
    assert check_projection(problem, inside, inside).ok
    assert not check_projection(problem, inside * (1 + 1e-6), inside).ok


def test_wrong_use_is_refused_in_words():
    problem, w0 = make("plain", 0)
    with pytest.raises(ValueError, match="multipliers has length 2"):
        check_projection(problem, w0, None, [1.0, 2.0])
    with pytest.raises(ValueError, match="w has length 1"):
        check_projection(problem, [1.0])
    with pytest.raises(ValueError, match="w0 has length 1"):
        check_projection(problem, w0, [1.0])
    with pytest.raises(ValueError, match="task 'regression'"):
        check_projection(Problem([Node([[1.0]], [1.0])], "regression"), [1.0])
    assert check_projection(problem, max_margin(problem).w * (1 + 1e-6), tolerance=1e-4).ok
