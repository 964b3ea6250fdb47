"""Millions of steps against all of them, one by one; the estimate; and when it is not accepted."""

import math

import numpy as np
import pytest
from instances import close

from lgd_lib import Average, GradientSteps, Node, Problem, rounds
from lgd_lib.descent import compiled_descent, long_descent
from lgd_lib.descent.long_descent import AGREEMENT, LONG, _change, descend_long
from lgd_lib.descent.margin_descent import descend

both = pytest.mark.parametrize("loss", ["exponential", "logistic"])


def rows(kind, seed, m=2, n=8, d=40):
    rng = np.random.default_rng(seed)
    Z = rng.standard_normal((m, n, d))
    if kind == "far apart":
        Z[:, :, 0] += 3
    elif kind == "correlated":
        Z = 0.3 * Z + np.sqrt(1 - 0.09) * rng.standard_normal((m, 1, d))
    elif kind == "fewer features than samples":
        Z = Z[:, :, :5]
        Z[:, :, 0] = np.abs(Z[:, :, 0]) + 0.5
    elif kind == "lengths 30 apart":
        Z *= np.geomspace(1, 30, n)[None, :, None]
    return Z


def walkers(kind, loss, seed, start):
    """Gram matrices, margins and h with eta lambda_max = 1 (2 for the logistic loss), from cold or warm."""
    Z = rows(kind, seed)
    G = Z @ Z.transpose(0, 2, 1)
    h = (1.0 if loss == "exponential" else 2.0) / np.linalg.eigvalsh(G)[:, -1]
    rng = np.random.default_rng(seed)
    m0 = np.zeros(G.shape[:2]) if start == "cold" else 5 + 8 * np.abs(rng.standard_normal(G.shape[:2]))
    return G, m0, h


def distance(G, a, b):
    """||Z^T (a - b)|| / ||Z^T b||, node by node."""
    return max(np.sqrt(max((u - v) @ K @ (u - v), 0) / (v @ K @ v)) for K, u, v in zip(G, a, b, strict=True))


@pytest.mark.parametrize("start", ["cold", "warm"])
@pytest.mark.parametrize(
    "kind", ["far apart", "correlated", "fewer features than samples", "lengths 30 apart"]
)
@both
def test_a_hundred_thousand_steps_are_as_if_taken_one_by_one(kind, loss, start):
    G, m0, h = walkers(kind, loss, 1, start)
    a, m, estimate = descend_long(G, m0, h, 100_000, loss)
    exact, margins = descend(G, m0, h, 100_000, loss)
    error = distance(G, a, exact)
    assert error <= 1e-10
    assert (estimate <= AGREEMENT).all()
    assert error <= max(estimate.max(), 1e-12)
    assert close(m, margins, 1e-10)
    assert (a >= 0).all()


@both
def test_ten_thousand_steps_too_and_steps_of_very_unequal_sizes(loss):
    G, m0, h = walkers("far apart", loss, 2, "warm")
    h = h * np.array([1.0, 1e-3])
    a, _, estimate = descend_long(G, m0, h, LONG, loss)
    exact, _ = descend(G, m0, h, LONG, loss)
    assert distance(G, a, exact) <= 1e-10
    assert (estimate <= AGREEMENT).all()


def test_one_sample_follows_its_closed_form():
    # m_{t+1} = m_t + h e^(-m_t): e^m grows by h + h^2 e^(-m) / 2 + ... a step, so
    # m_L = ln(h L) + ln(L) / (2 L) + O(1 / L).
    for L in (10**6, 10**12):
        _, m, _ = descend_long(np.ones((1, 1, 1)), np.zeros((1, 1)), np.array([0.5]), L, "exponential")
        assert abs(m[0, 0] - np.log(0.5 * L)) < 10 * np.log(L) / L + 1e-12


@both
def test_far_more_steps_than_can_be_taken_move_along_the_max_margin_solution(loss):
    # Nearly orthogonal rows all support: G alpha = 1, and a grows by alpha for each unit of ln L.
    Z = np.random.default_rng(3).standard_normal((2, 4, 400))
    G = Z @ Z.transpose(0, 2, 1)
    h = 1 / np.linalg.eigvalsh(G)[:, -1]
    a, _, _ = descend_long(G, np.zeros((2, 4)), h, 10**10, loss)
    b, _, _ = descend_long(G, np.zeros((2, 4)), h, 10**20, loss)
    alpha = np.array([np.linalg.solve(K, np.ones(4)) for K in G])
    assert (alpha > 0).all()
    assert close((b - a) / (10 * np.log(10)), alpha, 1e-8)


@both
def test_data_that_do_not_separate_end_in_exact_steps(loss):
    rng = np.random.default_rng(0)
    Z = rng.standard_normal((1, 12, 2))
    G, h = Z @ Z.transpose(0, 2, 1), np.array([0.03])
    a, _, estimate = descend_long(G, np.zeros((1, 12)), h, 50_000, loss)
    exact, _ = descend(G, np.zeros((1, 12)), h, 50_000, loss)
    assert estimate.tolist() == [0.0]
    assert close(a, exact, 1e-12)
    with pytest.raises(ArithmeticError, match=r"^L was 1000000000; .* L must be at most 100,000,000"):
        descend_long(G, np.zeros((1, 12)), h, 10**9, loss)


@both
def test_an_estimate_that_is_not_met_ends_in_exact_steps(loss, monkeypatch):
    G, m0, h = walkers("far apart", loss, 4, "cold")
    monkeypatch.setattr(long_descent, "AGREEMENT", 0.0)
    monkeypatch.setattr(long_descent, "FIRST_SWITCH", 3_000)
    a, _, estimate = descend_long(G, m0, h, 13_000, loss)
    exact, _ = descend(G, m0, h, 13_000, loss)
    assert not estimate.any()
    assert close(a, exact, 1e-13)


def test_an_overflow_is_named_as_in_short_runs():
    problem = Problem([Node([[2.0, 0.0], [-1.0, 0.1]], [1.0, 1.0])], "classification")
    with pytest.raises(ValueError, match=r"^eta was 100; node 0 overflows in round 0"):
        next(rounds(problem, GradientSteps(100.0, 10**7, "exponential"), Average(), np.zeros(2)))


@both
def test_rounds_use_the_integrator_from_the_stated_length_on(loss, monkeypatch):
    calls = []

    def spy(*arguments):
        calls.append(arguments[3])
        return descend_long(*arguments)

    monkeypatch.setattr("lgd_lib.descent.margin_steps.descend_long", spy)
    problem = Problem([Node([[2.0, 0.0], [1.0, 1.0]], [1.0, 1.0])], "classification")
    for L in (LONG - 1, LONG):
        next(rounds(problem, GradientSteps(0.1, L, loss), Average(), np.zeros(2)))
    assert calls == [LONG]


@both
@pytest.mark.parametrize("shape", [(1, 1), (2, 2), (3, 3), (4, 12), (3, 5), (2, 50), (1, 71)])
def test_the_compiled_loop_does_the_same(loss, shape, monkeypatch):
    if not compiled_descent.available():
        pytest.skip("numba is not installed")
    Z = np.random.default_rng(0).standard_normal((*shape, 20))
    G, h = Z @ Z.transpose(0, 2, 1), np.full(shape[0], 0.002)
    m0 = np.random.default_rng(1).standard_normal(shape)
    begun = 0.01 * np.random.default_rng(2).random(shape)
    compiled = descend(G, m0, h, 700, loss), descend(G, m0, h, 700, loss, begun)
    monkeypatch.setattr(compiled_descent, "available", lambda: False)
    plain = descend(G, m0, h, 700, loss), descend(G, m0, h, 700, loss, begun)
    for (a, m), (b, n) in zip(compiled, plain, strict=True):
        assert not np.array_equal(a, b) or shape[1] <= 2
        assert close(a, b, 1e-12)
        assert close(m, n, 1e-11)


@both
def test_the_compiled_exponential_is_exact_to_rounding_and_fades_or_overflows_outside(loss):
    if not compiled_descent.available():
        pytest.skip("numba is not installed")

    def step(m):
        a = np.zeros((1, m.size))
        still = np.zeros((1, m.size, m.size))
        compiled_descent.kernel()(still, m[None], a, np.ones(1), 1, loss == "logistic")
        return a[0]

    m = np.r_[np.linspace(-709, 707, 2833), 700.0, np.log(2) / 2 * np.arange(-9, 10, 2), 0.0]
    exact = [math.exp(-v) / (1 + math.exp(-v)) if loss == "logistic" else math.exp(-v) for v in m]
    assert np.abs(step(m) / exact - 1).max() <= 4 * np.finfo(float).eps
    assert (step(np.array([745.0, 1e6, math.inf])) < 1e-307).all()
    expected = 1.0 if loss == "logistic" else math.inf
    assert (step(np.array([-710.0, -1e6, -math.inf])) == expected).all()


@both
def test_without_numba_a_long_run_is_the_same(loss, monkeypatch):
    G, m0, h = walkers("correlated", loss, 5, "cold")
    a, _, _ = descend_long(G, m0, h, 10**7, loss)
    monkeypatch.setattr(compiled_descent, "available", lambda: False)
    b, _, _ = descend_long(G, m0, h, 10**7, loss)
    assert close(a, b, 1e-11)


@both
def test_the_equation_follows_one_step_to_fourth_order(loss):
    # Over one step the flow of the equation and the step itself differ by O(h^4): 16 times less at half of h.
    Z = np.random.default_rng(6).standard_normal((1, 6, 9))
    G, m0 = Z @ Z.transpose(0, 2, 1), 0.3 * np.random.default_rng(7).standard_normal((1, 6))
    gaps = []
    for h in (0.004, 0.002):
        a, size = np.zeros((1, 6)), np.array([[h]])
        for _ in range(20):  # Runge and Kutta's method, in twentieths of a step
            k1 = _change(G, m0, size, loss, a)
            k2 = _change(G, m0, size, loss, a + k1 / 40)
            k3 = _change(G, m0, size, loss, a + k2 / 40)
            k4 = _change(G, m0, size, loss, a + k3 / 20)
            a = a + (k1 + 2 * k2 + 2 * k3 + k4) / 120
        gaps.append(np.linalg.norm(a - descend(G, m0, np.array([h]), 1, loss)[0]))
    assert 14 < gaps[0] / gaps[1] < 18
