"""`lgd_lib.margins.least_distance` and what is behind it: exact answers, falls back, doubled precision."""

from fractions import Fraction

import numpy as np
import plain_margins
import pytest
from margin_instances import MAKERS, make

from lgd_lib.margins import least_distance as module
from lgd_lib.margins.active_set import kkt_residual, on_support
from lgd_lib.margins.doubled import plus, product, product_error, two_product, two_sum
from lgd_lib.margins.least_distance import UnitRows, from_guess, least_distance, shortest
from lgd_lib.margins.separability import NotSeparableError, UndecidedError, contradiction, refuse

SOLVERS = ["_by_daqp", "_by_nnls"]


def random_program(seed, n=12, r=7):
    """Rows and right-hand sides of both signs that some u satisfies."""
    rng = np.random.default_rng(seed)
    A = rng.standard_normal((n, r)) * 10.0 ** rng.uniform(-2, 2, (n, 1))
    return A, A @ (3 * rng.standard_normal(r)) - rng.uniform(0, 1, n) * np.linalg.norm(A, axis=1)


def conditions(A, b, u, a):
    """Primal, dual, stationarity, complementarity, on rows of norm 1."""
    norms = np.linalg.norm(A, axis=1)
    slack, size = (A @ u - b) / norms, np.linalg.norm(u)
    return (
        max(0, -slack.min()) / size,
        max(0, -a.min()),
        np.linalg.norm(u - A.T @ a) / size,
        np.abs(a * norms * slack).max() / (np.abs(a * norms).max() * size),
    )


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("solver", SOLVERS)
def test_every_solver_satisfies_all_conditions(seed, solver, monkeypatch):
    A, b = random_program(seed)
    for other in SOLVERS:
        if other != solver:
            monkeypatch.setattr(module, other, lambda A, b: None)
    found = least_distance(A, b)
    assert found.solver == solver.removeprefix("_by_")
    assert max(conditions(A, b, found.u, found.multipliers)) < 1e-12
    assert found.residual < 1e-12


@pytest.mark.parametrize("name", MAKERS)
def test_the_answer_is_that_of_lawson_and_hanson(name):
    problem, w0 = make(name, 0)
    Z = plain_margins.all_signed(problem)
    for start in (0 * w0, w0, 100 * w0):
        u = least_distance(Z, 1 - Z @ start).u
        expected = plain_margins.project(Z, start) - start
        assert np.linalg.norm(u - expected) <= 1e-8 * np.linalg.norm(start + expected)


def test_nothing_is_asked_where_zero_will_do(monkeypatch):
    monkeypatch.setattr(module, "_by_daqp", None)
    found = least_distance(np.eye(3), np.array([0.0, -1.0, -2.0]))
    assert (found.u.tolist(), found.multipliers.tolist(), found.solver) == ([0] * 3, [0] * 3, "none needed")


def test_rows_of_zeros_contradict_only_a_positive_right_hand_side():
    A = np.array([[1.0, 0.0], [0.0, 0.0]])
    assert least_distance(A, np.array([1.0, 1e-9])) is None
    assert least_distance(A, np.array([1.0, -1.0])).u == pytest.approx([1, 0])
    assert least_distance(A, np.array([1.0, 0.0])).multipliers == pytest.approx([1, 0])


def test_contradicting_constraints_have_no_answer():
    rng = np.random.default_rng(0)
    A = rng.standard_normal((40, 4))
    assert least_distance(A, np.ones(40)) is None
    assert shortest(UnitRows.of(A), np.ones(40), np.ones(40, dtype=bool)) is None


@pytest.mark.parametrize(("residual", "solver"), [(1e-10, "daqp"), (1e-8, "nnls")])
def test_a_poor_answer_of_daqp_is_replaced(residual, solver, monkeypatch):
    A, b = random_program(3)
    poor = least_distance(A, b)
    first = module.LeastDistance(poor.u, poor.multipliers * np.linalg.norm(A, axis=1), "daqp", residual)
    monkeypatch.setattr(module, "_by_daqp", lambda A, b: first)
    assert least_distance(A, b).solver == solver


def test_an_answer_beyond_the_accepted_residual_is_none(monkeypatch):
    A, b = random_program(4)
    bad = module.LeastDistance(np.ones(7), np.ones(12), "daqp", 1e-5)
    monkeypatch.setattr(module, "_by_daqp", lambda A, b: bad)
    monkeypatch.setattr(module, "_by_nnls", lambda A, b: None)
    assert least_distance(A, b) is None


@pytest.mark.parametrize("seed", range(8))
def test_a_guess_changes_no_answer(seed):
    A, b = random_program(seed)
    truth, rng = least_distance(A, b), np.random.default_rng(seed)
    for guess in (truth.multipliers > 0, b > 0, rng.random(12) < 0.5, np.zeros(12, dtype=bool)):
        found = shortest(UnitRows.of(A), b, guess)
        assert max(conditions(A, b, found.u, found.multipliers)) < 1e-12
        assert found.u == pytest.approx(truth.u, rel=1e-10, abs=1e-12)
    right = from_guess(UnitRows.of(A), b / np.linalg.norm(A, axis=1), truth.multipliers > 0)
    assert right.solver == "pivots"
    assert from_guess(UnitRows.of(A, with_gram=False), b, b > 0) is None


def test_a_guess_that_leads_astray_gives_nothing():
    Z = np.array([[1.0, 0.0], [1.0, 1e-9]])
    given = UnitRows.of(Z)
    assert from_guess(given, np.array([1.0, 1.0 + 1e-9]), np.ones(2, dtype=bool)) is None
    assert from_guess(UnitRows.of(np.eye(2)[[0, 0, 1]]), np.ones(3), np.ones(3, dtype=bool)) is None


@pytest.mark.parametrize("seed", range(8))
def test_a_guess_with_too_much_in_it_still_serves(seed):
    rng = np.random.default_rng(seed)
    A, b = rng.standard_normal((6, 9)), rng.standard_normal(6) + 1
    support = least_distance(A, b).multipliers > 0
    found = from_guess(UnitRows.of(A), b / np.linalg.norm(A, axis=1), np.ones(6, dtype=bool))
    assert found.solver == "pivots"
    assert np.array_equal(found.multipliers > 0, support)


@pytest.mark.parametrize("size", [1e-3, 1e-5, 1e-6, 1e-7])
def test_a_guessed_answer_counts_only_when_it_is_exact(size):
    for seed in range(10):
        rng = np.random.default_rng(seed)
        Z = rng.standard_normal((6, 8))
        given = UnitRows.of(np.vstack([Z, Z + size * rng.standard_normal(Z.shape)]))
        b = 1 + size * rng.standard_normal(12)
        found = from_guess(given, b, np.ones(12, dtype=bool) & (np.arange(12) < 8))
        if found is not None:
            assert kkt_residual(given.rows, b, found.u, found.multipliers) < 1e-13


def test_each_condition_counts_in_the_residual():
    A, b = np.eye(2), np.array([1.0, 1.0])
    assert kkt_residual(A, b, np.ones(2), np.ones(2)) == 0
    assert kkt_residual(A, b, np.array([1, 0.5]), np.array([1, 0.5])) == pytest.approx(0.5 / np.sqrt(1.25))
    assert kkt_residual(A, b, np.ones(2), np.array([1, 0.9])) == pytest.approx(0.1 / np.sqrt(2))
    assert kkt_residual(A, np.array([1.0, -1.0]), np.array([1.0, -1.0]), np.array([1.0, -1.0])) == 1
    assert kkt_residual(A, b, np.array([1, 2.0]), np.array([1, 2.0])) == pytest.approx(1 / np.sqrt(5))
    assert kkt_residual(A, -b, np.zeros(2), np.zeros(2)) == 0


@pytest.mark.parametrize("duplicates", [False, True])
def test_on_a_support_the_equations_hold(duplicates):
    rng = np.random.default_rng(0)
    A, b = rng.standard_normal((6, 9)), rng.standard_normal(6)
    if duplicates:
        A[1], b[1] = A[0], b[0]
    support = np.array([True, True, False, True, False, True])
    u, a = on_support(A, b, support)
    assert A[support] @ u == pytest.approx(b[support], rel=1e-12)
    assert A.T @ a == pytest.approx(u, rel=1e-12)
    assert not a[~support].any()


def test_the_combination_nearest_to_zero_is_a_proof_of_the_margin_from_above():
    rng = np.random.default_rng(1)
    Z = (rng.standard_normal((9, 5)) + 2 * np.eye(5)[0]) * 10.0 ** rng.uniform(-3, 3, (9, 1))
    share, length = contradiction(Z)
    unit = Z / np.linalg.norm(Z, axis=1)[:, None]
    margin = 1 / np.linalg.norm(least_distance(unit, np.ones(9)).u)
    assert length == pytest.approx(margin, rel=1e-9)
    assert share.sum() == pytest.approx(1, abs=1e-14)
    assert np.linalg.norm(share @ Z) == pytest.approx(length * (share @ np.linalg.norm(Z, axis=1)), rel=1e-9)
    with pytest.raises(UndecidedError) as refusal:
        refuse(Z, Z, "this")
    assert refusal.value.margin == pytest.approx(margin, rel=1e-9)


def test_a_proof_is_verified_on_the_data_themselves():
    rows, Z = np.array([[1.0], [-1.0]]), np.array([[1.0, 0.0], [-1.0, 1e-3]])
    with pytest.raises(UndecidedError):
        refuse(rows, Z, "this")
    with pytest.raises(NotSeparableError, match="this is not separable"):
        refuse(rows, np.array([[2.0, 0.0], [-2.0, 0.0]]), "this")


def test_doubled_sums_and_products_are_exact():
    rng = np.random.default_rng(0)
    a, b = (rng.standard_normal(50) * 10.0 ** rng.integers(-15, 15, 50) for _ in range(2))
    for x, y, s, e, p, q in zip(a, b, *two_sum(a, b), *two_product(a, b), strict=True):
        assert Fraction(x) + Fraction(y) == Fraction(s) + Fraction(e)
        assert Fraction(x) * Fraction(y) == Fraction(p) + Fraction(q)


@pytest.mark.parametrize("d", [1, 2, 3, 17, 1000])
def test_doubled_matrix_products_are_as_good_as_they_say(d):
    rng = np.random.default_rng(d)
    A = rng.standard_normal((3, d)) * 10.0 ** rng.integers(-8, 8, (3, d))
    A[0, d // 2 :] = -A[0, : d - d // 2][::-1] if d > 1 else 1.0  # cancels
    x = rng.standard_normal(d), 1e-17 * rng.standard_normal(d)
    hi, lo = product(A, x)
    total = plus((hi, lo), (hi, lo))
    for i, error in enumerate(product_error(A, x)):
        exact = sum(
            Fraction(a) * (Fraction(h) + Fraction(r)) for a, h, r in zip(A[i], x[0], x[1], strict=True)
        )
        assert abs(Fraction(hi[i]) + Fraction(lo[i]) - exact) <= Fraction(error)
        assert error <= 1e-28 * (np.abs(A[i]) @ np.abs(x[0]))
        assert abs(Fraction(total[0][i]) + Fraction(total[1][i]) - 2 * exact) <= 3 * Fraction(error)
