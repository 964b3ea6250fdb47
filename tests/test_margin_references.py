"""Max-margin and the nearest separating point: certified by independent conditions, or refused honestly."""

import contextlib
from fractions import Fraction

import numpy as np
import plain_margins
import pytest
from margin_instances import every_kind, make, tame_kinds
from plain import exact_distance

from lgd_lib import Node, NotSeparableError, Problem, UndecidedError, references
from lgd_lib import references as module
from lgd_lib.margins import least_distance, separability
from lgd_lib.references import max_margin, project_feasible


@every_kind
@pytest.mark.parametrize("start", ["zero", "w0", "far", "feasible"])
def test_the_answer_is_certified_and_satisfies_the_conditions(name, seed, start):
    problem, w0 = make(name, seed)
    starts = {"zero": 0 * w0, "w0": w0, "far": 1e3 * w0}
    w0 = 3 * max_margin(problem).w if start == "feasible" else starts[start]
    reference = project_feasible(problem, w0)
    Z = plain_margins.all_signed(problem)
    assert reference.certificate.ok, str(reference.certificate)
    assert plain_margins.worst_violation(Z, reference.w, w0) < 1e-8
    a = reference.multipliers
    assert a.shape == (problem.N,)
    assert a.min() >= 0
    norms = np.linalg.norm(Z, axis=1)
    size = max(np.linalg.norm(reference.w), np.linalg.norm(w0))
    assert np.linalg.norm(a @ Z - (reference.w - w0)) < 1e-8 * size
    assert np.abs(a * norms * (Z @ reference.w - 1) / norms).max() < 1e-8 * size * max(
        (a * norms).max(), 1e-300
    )
    if start == "feasible":
        assert np.array_equal(reference.w, w0)
    if start == "zero":
        assert np.array_equal(reference.w, max_margin(problem).w)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("kind", ["plain", "duplicates", "near", "scaled", "tiny"])
def test_the_answer_in_exact_fractions(seed, kind):
    rng = np.random.default_rng([seed, len(kind)])
    Z = rng.standard_normal((5, 4)) + 1.5 * np.eye(4)[0]
    if kind == "duplicates":
        Z[3], Z[4] = Z[0], Z[1]
    if kind == "near":
        Z[3], Z[4] = Z[0] + 1e-8 * rng.standard_normal(4), Z[1] + 1e-6 * rng.standard_normal(4)
    if kind == "scaled":
        Z *= np.geomspace(1, 1e4, 5)[:, None]
    if kind == "tiny":
        Z[:, 0] = 1e-5 * (1 + rng.random(5))
    for w0 in (np.zeros(4), rng.standard_normal(4)):
        exact = plain_margins.exact_nearest(Z, w0)
        problem = Problem([Node(Z[:2], np.ones(2)), Node(-Z[2:], -np.ones(3))], "classification")
        reference = project_feasible(problem, w0)
        error = exact_distance(reference.w, exact)
        assert error <= reference.certificate.error_bound
        assert reference.certificate.ok
        assert error <= 1e-9 * np.linalg.norm(reference.w)


@tame_kinds
def test_cvxpy_agrees_and_is_made_exact(name, seed):
    pytest.importorskip("cvxpy")
    problem, w0 = make(name, seed)
    for start in (0 * w0, w0):
        reference = project_feasible(problem, start, method="cvxpy")
        other = project_feasible(problem, start)
        assert reference.certificate.ok
        assert "cvxpy" in reference.certificate.note
        assert np.linalg.norm(reference.w - other.w) <= 1e-8 * np.linalg.norm(other.w)


def test_cvxpy_on_a_tiny_margin_is_honest():
    pytest.importorskip("cvxpy")
    problem, _ = make("tiny margin", 0)
    truth = max_margin(problem)
    try:
        reference = max_margin(problem, method="cvxpy")
    except UndecidedError:
        return
    bounds = reference.certificate.error_bound + truth.certificate.error_bound
    assert np.linalg.norm(reference.w - truth.w) <= bounds


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("method", ["closed", "cvxpy"])
@pytest.mark.parametrize("scale", [1e-5, 1.0, 1e4])
def test_data_that_are_not_separable_are_refused_with_a_proof(seed, method, scale):
    if method == "cvxpy":
        pytest.importorskip("cvxpy")
    rng = np.random.default_rng(seed)
    X, y = (
        scale * rng.standard_normal((60, 8)) * np.geomspace(1, 100, 60)[:, None],
        np.where(rng.random(60) < 0.5, 1.0, -1.0),
    )
    problem = Problem.split(X, y, np.split(np.arange(60), 12), "classification")
    with pytest.raises(NotSeparableError, match="separable") as refusal:
        max_margin(problem, method=method)
    share = refusal.value.combination
    Z = plain_margins.all_signed(problem)
    assert share.shape == (60,)
    assert share.min() >= 0
    assert share.sum() == pytest.approx(1, abs=1e-14)
    assert np.linalg.norm(share @ Z) <= 1e-12 * (share @ np.linalg.norm(Z, axis=1))
    assert isinstance(refusal.value, ValueError)


def test_contradicting_duplicates_are_named():
    X = np.array([[1.0, 2.0], [1.0, 2.0], [3.0, 0.0]])
    with pytest.raises(NotSeparableError) as refusal:
        max_margin(Problem([Node(X, [1.0, -1.0, 1.0])], "classification"))
    assert refusal.value.combination == pytest.approx([0.5, 0.5, 0.0], abs=1e-15)


@pytest.mark.parametrize("gap", [1e-3, 1e-6, 1e-9, 1e-11])
def test_margins_down_to_rounding_are_answered_or_honestly_left_open(gap):
    X = np.array([[1.0, gap], [-1.0, gap]])
    problem = Problem([Node(X, [1.0, 1.0])], "classification")
    exact = [Fraction(0), 1 / Fraction(gap)]
    assert plain_margins.exact_nearest(X, np.zeros(2)) == exact
    if gap < 1e-6:
        with contextlib.suppress(UndecidedError):
            reference = max_margin(problem)
            assert exact_distance(reference.w, exact) <= reference.certificate.error_bound
    else:
        reference = max_margin(problem)
        assert reference.certificate.ok
        assert exact_distance(reference.w, exact) <= 1e-9 / gap


def test_the_margin_that_an_open_question_leaves_is_an_upper_bound():
    X = np.array([[1.0, 1e-10], [-1.0, 1e-10]])
    with pytest.raises(UndecidedError) as refusal:
        separability.refuse(X, X, "this")
    assert 1e-10 * (1 - 1e-9) <= refusal.value.margin <= 2e-10


def test_where_daqp_fails_nnls_answers_and_the_certificate_says_so(monkeypatch):
    problem, w0 = make("plain", 0)
    truth = project_feasible(problem, w0)
    assert truth.certificate.note == "by daqp"
    monkeypatch.setattr(least_distance, "_by_daqp", lambda A, b: None)
    reference = project_feasible(problem, w0)
    assert "nnls" in reference.certificate.note
    assert "by nnls" in str(reference.certificate)
    assert np.linalg.norm(reference.w - truth.w) < 1e-12 * np.linalg.norm(truth.w)


def test_where_every_solver_fails_the_error_does_not_claim_a_contradiction(monkeypatch):
    problem, _ = make("plain", 0)
    monkeypatch.setattr(module, "least_distance", lambda A, b: None)
    with pytest.raises(UndecidedError, match="at most") as refusal:
        max_margin(problem)
    monkeypatch.undo()
    Z = plain_margins.all_signed(problem)
    norms = np.linalg.norm(Z, axis=1)
    unit = Problem([Node(Z / norms[:, None], np.ones(len(Z)))], "classification")
    assert refusal.value.margin >= 1 / np.linalg.norm(max_margin(unit).w) * (1 - 1e-9)


def test_a_poor_answer_is_corrected_in_doubled_precision(monkeypatch):
    problem, w0 = make("near duplicates", 0)
    truth = references.project_feasible(problem, w0)
    right = module._by_active_set

    def poor(rows, targets):
        u, a, note = right(rows, targets)
        return u * (1 + 1e-7), a * (1 + 1e-7), note

    monkeypatch.setattr(module, "_by_active_set", poor)
    reference = references.project_feasible(problem, w0)
    assert reference.certificate.ok
    assert "corrected in doubled precision" in reference.certificate.note
    assert np.linalg.norm(reference.w - truth.w) < 1e-9 * np.linalg.norm(truth.w)


def test_wrong_use_is_refused_in_words():
    problem, _ = make("plain", 0)
    regression = Problem([Node([[1.0]], [1.0])], "regression")
    with pytest.raises(ValueError, match="task 'regression'"):
        max_margin(regression)
    with pytest.raises(ValueError, match="method was 'exact'"):
        max_margin(problem, method="exact")
    with pytest.raises(ValueError, match=r"w0 has length 2"):
        project_feasible(problem, [1.0, 2.0])
    zero = Problem([Node([[1.0, 0.0]], [1.0]), Node([[1.0, 1.0], [0.0, 0.0]], [1.0, 1.0])], "classification")
    with pytest.raises(ValueError, match=r"nodes\[1\]\.X has the zero row 1"):
        max_margin(zero)
