"""The regression theorems, by claim, against independent computations."""

import math
from itertools import islice

import numpy as np
import plain
import pytest
from instances import close, every_kind, few_kinds, iterates, make, step_limits

from lgd_lib import Average, ExactProjection, GradientSteps, Node, Problem, rounds
from lgd_lib.theory import averaged_projector_spectrum, regression_rate


def half(problem):
    """Half of each node's own largest step."""
    return (np.minimum(step_limits(problem), 1e6) / 2).tolist()


def rank(problem):
    return np.linalg.matrix_rank(plain.stacked(problem)[0], rtol=1e-11)


def error_after(problem, w0, solver, factor, **options):
    """The relative distance to the nearest interpolator, after enough rounds for that factor a round."""
    K = 1 if factor < 1e-13 else min(200_000, math.ceil(math.log(1e-11) / math.log(factor)))
    small, u0, lift = problem.row_space(w0)
    last = next(islice(rounds(small, solver, Average(), u0, **options), K - 1, None))
    limit = plain.nearest_interpolator(problem, w0)
    return np.linalg.norm(lift(last.w) - limit) / max(np.linalg.norm(limit), np.linalg.norm(w0 - limit))


@every_kind
def test_R1_projection_is_the_nearest_point_of_the_nodes_solutions(name, seed):
    problem, w0 = make(name, seed)
    W = next(rounds(problem, ExactProjection(), Average(), w0)).W
    for node, w in zip(problem.nodes, W, strict=True):
        rows = np.linalg.svd(node.X)[2]
        r = np.linalg.matrix_rank(node.X)
        assert np.linalg.norm(node.X @ w - node.y) <= 1e-11 * np.linalg.norm(node.X) * np.linalg.norm(w0)
        assert np.linalg.norm(rows[r:] @ (w - w0)) <= 1e-11 * np.linalg.norm(w0)


def test_R1_projection_of_contradicting_equations_is_onto_least_squares():
    rng = np.random.default_rng(0)
    node = Node(np.vstack([np.eye(3), np.eye(3)]) @ rng.standard_normal((3, 7)), rng.standard_normal(6))
    w0 = rng.standard_normal(7)
    w = next(rounds(Problem([node], "regression"), ExactProjection(), Average(), w0)).w
    assert np.linalg.norm(plain.gradient(node.X, node.y, w)) < 1e-13
    assert close(w, plain.project(node.X, node.y, w0))


@every_kind
def test_R2_recursion_is_the_averaged_projector(name, seed):
    problem, w0 = make(name, seed)
    P_bar = plain.averaged_projector(problem, math.inf)
    b = sum(np.linalg.pinv(node.X, rcond=1e-12) @ node.y for node in problem.nodes) / problem.M
    w = w0
    for found in iterates(rounds(problem, ExactProjection(), Average(), w0), 6):
        w = w - P_bar @ w + b
        assert close(found, w)


@every_kind
@pytest.mark.parametrize("start", ["zero", "w0"])
@pytest.mark.parametrize("L", [3, math.inf])
def test_R2_limit_and_R3_limit_is_the_interpolator_nearest_to_the_start(name, seed, start, L):
    problem, w0 = make(name, seed)
    w0 = w0 if start == "w0" else np.zeros(problem.d)
    L = 10**7 if L == 3 and name.startswith("rows with scales") else L  # else it takes 10^6 rounds
    factor = plain.rate(problem, L, half(problem))
    assert error_after(problem, w0, GradientSteps(half(problem), L), factor) <= 1e-9


@every_kind
@pytest.mark.parametrize("L", [1, 3, math.inf])
@pytest.mark.parametrize("share", [0.3, 0.95])
def test_R2_rate_bounds_every_round_and_is_attained(name, seed, L, share):
    problem, w0 = make(name, seed)
    eta = share * step_limits(problem).min()
    rate = regression_rate(problem, L, eta)
    assert rate == pytest.approx(plain.rate(problem, L, eta), abs=1e-11)
    limit = plain.nearest_interpolator(problem, w0)
    errors = np.linalg.norm(
        [w0 - limit, *(iterates(rounds(problem, GradientSteps(eta, L), Average(), w0), 20) - limit)], axis=1
    )
    assert (errors[1:] <= rate * errors[:-1] + 1e-11 * errors[0]).all()
    if rate > 1e-6:
        values, vectors = np.linalg.eigh(plain.averaged_projector(problem, L, eta))
        values, vectors = values[-rank(problem) :], vectors[:, -rank(problem) :]
        worst = vectors[:, np.abs(1 - values).argmax()]
        one = next(rounds(problem, GradientSteps(eta, L), Average(), limit + worst)).w
        assert np.linalg.norm(one - limit) == pytest.approx(rate, rel=1e-6)


@every_kind
def test_R3_rate_never_rises_with_L_and_local_steps_save_no_gradients(name, seed):
    problem, _ = make(name, seed)
    eta = step_limits(problem).min() / 2
    rates = np.array([regression_rate(problem, L, eta) for L in range(1, 40)])
    assert (np.diff(rates) <= 1e-12).all()
    assert rates[-1] >= regression_rate(problem, math.inf) - 1e-12
    assert regression_rate(problem, 10**13, eta) == pytest.approx(
        regression_rate(problem, math.inf), abs=1e-9
    )
    clear = rates > 1e-9
    gains = -np.log(rates[clear]) / np.arange(1, 40)[clear]
    assert (np.diff(gains) <= 1e-9).all()


def test_R3_larger_steps_depend_on_the_parity_of_L():
    problem = Problem([Node([[1.0]], [1.0])], "regression")
    rates = [regression_rate(problem, L, 1.9) for L in (1, 2, 3)]
    assert rates == pytest.approx([0.9, 0.81, 0.729])
    two = Problem([Node([[1.0]], [1.0]), Node([[0.1]], [0.1])], "regression")
    rates = np.array([regression_rate(two, L, 1.9) for L in (1, 2, 3)])
    assert rates == pytest.approx([abs(1 - (2 - (-0.9) ** L - 0.981**L) / 2) for L in (1, 2, 3)], rel=1e-12)
    assert rates[1] > rates[0] + 0.5
    assert -np.log(rates[2]) / 3 > -np.log(rates[1]) / 2 + 0.5


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("sizes", [(2, 2), (3, 1), (2, 3, 1), (1, 1, 1, 1)])
def test_R4_the_smallest_eigenvalue_is_at_most_one_in_M_and_less_unless_orthogonal(seed, sizes):
    rng = np.random.default_rng(seed)
    nodes = [Node(rng.standard_normal((n, 12)), np.zeros(n)) for n in sizes]
    assert averaged_projector_spectrum(Problem(nodes, "regression"), math.inf)[0] < 1 / len(sizes) - 1e-6
    Q = np.linalg.qr(rng.standard_normal((12, sum(sizes))))[0].T
    blocks = np.split(Q, np.cumsum(sizes)[:-1])
    apart = [Node(rng.standard_normal((len(b), len(b))) @ b, np.zeros(len(b))) for b in blocks]
    spectrum = averaged_projector_spectrum(Problem(apart, "regression"), math.inf)
    assert spectrum == pytest.approx([1 / len(sizes)] * sum(sizes), rel=1e-12)


@pytest.mark.parametrize("sizes", [(3, 3), (5, 2), (1, 4)])
@pytest.mark.parametrize("seed", range(3))
def test_R4_two_nodes_have_the_spectrum_of_their_principal_angles(sizes, seed):
    rng = np.random.default_rng(seed)
    A, B = (rng.standard_normal((n, 11)) for n in sizes)
    cosines = np.linalg.svd(np.linalg.qr(A.T)[0].T @ np.linalg.qr(B.T)[0], compute_uv=False)
    expected = np.sort([*((1 - cosines) / 2), *((1 + cosines) / 2), *[0.5] * abs(sizes[0] - sizes[1])])
    problem = Problem([Node(A, np.zeros(len(A))), Node(B, np.zeros(len(B)))], "regression")
    assert averaged_projector_spectrum(problem, math.inf) == pytest.approx(expected, rel=1e-10)


@few_kinds
def test_R7_weights_and_unequal_steps_do_not_move_the_limit(name, seed):
    problem, w0 = make(name, seed)
    L = [(2, math.inf, 5)[i % 3] for i in range(problem.M)]
    eta = (np.minimum(step_limits(problem), 1.0) * np.linspace(0.3, 0.8, problem.M)).tolist()
    p = np.linspace(1, 5, problem.M)
    factor = plain.rate(problem, L, eta, p)
    assert error_after(problem, w0, GradientSteps(eta, L), factor, weights=p) <= 1e-9


@few_kinds
def test_R7_nodes_may_come_and_go(name, seed):
    problem, w0 = make(name, seed)

    def some(k, M, rng):
        return np.flatnonzero(rng.random(M) < 0.5)

    factor = plain.rate(problem, math.inf) ** 0.05
    found = error_after(problem, w0, ExactProjection(), max(factor, 0.97), participation=some, seed=seed)
    assert found <= 1e-9


@pytest.mark.parametrize("seed", range(3))
def test_R8_noise_does_not_matter_where_the_rows_are_independent(seed):
    rng = np.random.default_rng(seed)
    nodes = [Node(rng.standard_normal((n, 20)), rng.standard_normal(n)) for n in (3, 1, 5)]
    problem, w0 = Problem(nodes, "regression"), rng.standard_normal(20)
    found = error_after(problem, w0, ExactProjection(), plain.rate(problem, math.inf))
    assert found <= 1e-9


@pytest.mark.parametrize("seed", range(3))
def test_R9_without_interpolation_the_limit_is_not_least_squares(seed):
    """One local step finds the least point of the mean loss; projections that of the mean square distance."""
    rng = np.random.default_rng(seed)
    nodes = [Node(rng.standard_normal((n, 4)), rng.standard_normal(n)) for n in (2, 3, 3)]
    problem = Problem(nodes, "regression")
    H = sum(node.X.T @ node.X / node.N for node in nodes)
    w_f = np.linalg.solve(H, sum(node.X.T @ node.y / node.N for node in nodes))
    P = sum(np.linalg.pinv(node.X) @ node.X for node in nodes)
    w_d = np.linalg.solve(P, sum(np.linalg.pinv(node.X) @ node.y for node in nodes))
    eta = min(half(problem))
    for L, limit in ((1, w_f), (math.inf, w_d)):
        K = math.ceil(math.log(1e-12) / math.log(plain.rate(problem, L, eta)))
        last = next(islice(rounds(problem, GradientSteps(eta, L), Average(), np.zeros(4)), K, None))
        assert close(last.w, limit)
    assert np.linalg.norm(w_f - w_d) > 1e-2 * np.linalg.norm(w_f)
