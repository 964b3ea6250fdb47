"""`lgd_lib.references`: two ways to the centralised answer, and a third in exact fractions."""

import numpy as np
import pytest
from instances import close, every_kind, few_kinds, make
from plain import exact_distance, exact_nearest_interpolator, nearest_interpolator, stacked

from lgd_lib import Node, Problem
from lgd_lib.references import min_norm


@every_kind
@pytest.mark.parametrize("start", ["zero", "w0"])
def test_the_closed_form_is_the_interpolator_nearest_to_the_start(name, seed, start):
    problem, w0 = make(name, seed)
    w0 = w0 if start == "w0" else np.zeros(problem.d)
    reference = min_norm(problem, w0)
    X, _ = stacked(problem)
    assert close(reference.w, nearest_interpolator(problem, w0))
    assert close(X.T @ reference.multipliers, reference.w - w0)
    assert reference.multipliers.shape == (problem.N,)
    assert reference.certificate.ok
    if start == "zero":
        assert np.array_equal(reference.w, min_norm(problem).w)


@few_kinds
def test_cvxpy_finds_the_same_answer_and_knows_how_well(name, seed):
    pytest.importorskip("cvxpy")
    problem, w0 = make(name, seed)
    X, _ = stacked(problem)
    reference = min_norm(problem, w0, method="cvxpy")
    truth = nearest_interpolator(problem, w0)
    assert close(reference.w, truth, 1e-5)
    assert close(X.T @ reference.multipliers, reference.w - w0, 1e-5)
    assert np.linalg.norm(reference.w - truth) <= reference.certificate.error_bound + 1e-10


@pytest.mark.parametrize("condition", [1, 1e4, 1e8])
def test_the_answer_is_as_good_as_double_precision_allows(condition):
    rng = np.random.default_rng(0)
    U, _, Vt = np.linalg.svd(rng.standard_normal((4, 7)), full_matrices=False)
    X, w0 = U * np.geomspace(1, 1 / condition, 4) @ Vt, rng.standard_normal(7)
    y = X @ rng.standard_normal(7)
    exact = exact_nearest_interpolator(X, y, w0)
    found = min_norm(Problem([Node(X[:1], y[:1]), Node(X[1:], y[1:])], "regression"), w0).w
    assert exact_distance(found, exact) <= 20 * np.finfo(float).eps * condition * np.linalg.norm(found)


def test_the_multipliers_have_the_sign_of_the_data():
    reference = min_norm(Problem([Node([[2.0, 0.0]], [4.0]), Node([[0.0, 1.0]], [-3.0])], "regression"))
    assert reference.w == pytest.approx([2, -3])
    assert reference.multipliers == pytest.approx([1, -3])


@pytest.mark.parametrize("size", [1e-9, 1.0, 1e9])
@pytest.mark.parametrize("method", ["closed", "cvxpy"])
def test_contradicting_equations_are_refused_with_their_residual(size, method):
    nodes = [Node([[size, 0.0]], [size]), Node([[size, 0.0]], [3 * size])]
    with pytest.raises(ValueError, match=r"^problem has no interpolator.*residual") as refusal:
        min_norm(Problem(nodes, "regression"), method=method)
    assert f"{np.sqrt(2) * size:.3g}" in str(refusal.value)


@pytest.mark.parametrize(("gap", "consistent"), [(1e-12, True), (1e-6, False)])
def test_rounding_is_no_contradiction_and_a_millionth_is(gap, consistent):
    problem = Problem([Node([[1.0, 2.0]], [1.0]), Node([[1.0, 2.0]], [1.0 + gap])], "regression")
    if consistent:
        assert min_norm(problem).w == pytest.approx([0.2, 0.4])
    else:
        with pytest.raises(ValueError, match=r"^problem has no interpolator"):
            min_norm(problem)


def test_equations_without_a_solution_at_all_are_refused():
    with pytest.raises(ValueError, match=r"^problem has no interpolator"):
        min_norm(Problem([Node([[0.0, 0.0]], [1.0])], "regression"))


def test_equations_without_content_leave_the_start_alone():
    reference = min_norm(Problem([Node([[0.0, 0.0]], [0.0])], "regression"), [3.0, 4.0])
    assert reference.w.tolist() == [3.0, 4.0]
    assert reference.certificate.ok
