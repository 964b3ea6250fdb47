"""`regression_errors`, `regression_limit` and `regression_bias` against plain loops and matrices."""

import math

import numpy as np
import plain
import pytest
from instances import close, every_kind, few_kinds, iterates, make, step_limits

from lgd_lib import GradientSteps, Node, Problem, ServerStep, rounds
from lgd_lib.theory import averaged_projector_spectrum, regression_bias, regression_errors, regression_limit

STEPS = pytest.mark.parametrize("L", [1, 4, math.inf])


def inconsistent(seed, sizes=(5, 9, 4), d=6):
    """More samples than features, and targets that no model meets."""
    rng = np.random.default_rng(seed)
    return Problem([Node(rng.standard_normal((n, d)), rng.standard_normal(n)) for n in sizes], "regression")


def usual_step(problem, share=0.5):
    return min(share * step_limits(problem).min(), 1e6)


def fixed_point(problem, L, eta, w0, weights=None):
    """Solve A w = b for a round w + b - A w, nearest to w0."""
    A = plain.averaged_projector(problem, L, eta, weights)
    b = plain.local_gd(problem, np.zeros(problem.d), 1, eta, L, weights)[0][0]
    return w0 + np.linalg.pinv(A, rcond=1e-11) @ (b - A @ w0)


@every_kind
@STEPS
def test_R3_errors_are_those_of_a_plain_run(name, seed, L):
    problem, w0 = make(name, seed)
    eta, weights = usual_step(problem, 0.9), np.linspace(1, 3, problem.M)
    answer = plain.nearest_interpolator(problem, w0)
    run, _ = plain.local_gd(problem, w0, 12, eta, L, weights)
    measured = np.linalg.norm(run - answer, axis=1)
    found = regression_errors(problem, L, eta, 12, w0=w0, weights=weights)
    scale = np.linalg.norm(w0) + np.linalg.norm(answer)
    assert found.shape == (12,)
    assert np.allclose(found, measured, rtol=1e-9, atol=1e-11 * scale)


@few_kinds
@pytest.mark.parametrize("beta", [0.3, 1.0, 1.7])
def test_errors_of_a_server_step(name, seed, beta):
    problem, w0 = make(name, seed)
    eta = usual_step(problem)
    answer = plain.nearest_interpolator(problem, w0)
    w, measured = np.array(w0), []
    for _ in range(10):
        w = w + beta * (plain.local_gd(problem, w, 1, eta, 5)[0][0] - w)
        measured.append(np.linalg.norm(w - answer))
    assert np.allclose(
        regression_errors(problem, 5, eta, 10, w0=w0, beta=beta), measured, rtol=1e-9, atol=1e-12
    )


def test_errors_over_a_thousand_rounds_are_those_of_the_run():
    rng = np.random.default_rng(4)
    X = rng.standard_normal((30, 40)) + rng.standard_normal(40)
    problem = Problem.split(X, rng.standard_normal(30), np.split(np.arange(30), 5), "regression")
    eta = usual_step(problem)
    run = iterates(rounds(problem, GradientSteps(eta, 3), ServerStep(1.2), np.zeros(40)), 1000)
    answer = np.linalg.lstsq(X, problem.pooled.y)[0]
    measured = np.linalg.norm(run - answer, axis=1)
    found = regression_errors(problem, 3, eta, 1000, beta=1.2)
    seen = measured > 1e-5
    assert np.allclose(found[seen], measured[seen], rtol=1e-9, atol=0)
    assert np.abs(found - measured).max() < 1e-12 * np.linalg.norm(answer)


@STEPS
@pytest.mark.parametrize("seed", [0, 1])
def test_errors_outside_interpolation_count_from_the_limit(seed, L):
    problem = inconsistent(seed)
    w0, eta = np.arange(6.0), usual_step(problem)
    run, _ = plain.local_gd(problem, w0, 8, eta, L)
    measured = np.linalg.norm(run - fixed_point(problem, L, eta, w0), axis=1)
    assert np.allclose(regression_errors(problem, L, eta, 8, w0=w0), measured, rtol=1e-8, atol=1e-10)


@every_kind
@STEPS
def test_R3_limit_is_the_interpolator_nearest_to_the_start(name, seed, L):
    problem, w0 = make(name, seed)
    weights = np.linspace(1, 5, problem.M)
    found = regression_limit(problem, L, usual_step(problem), w0=w0, weights=weights)
    assert close(found, plain.nearest_interpolator(problem, w0), 1e-8)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("L", [1, 2, 9, [1, 4, 20], math.inf, [math.inf, 2, 1]])
@pytest.mark.parametrize("weights", [None, [1, 5, 2]])
def test_R9_the_limit_is_the_fixed_point_of_a_round(seed, L, weights):
    for problem in (inconsistent(seed), inconsistent(seed, (2, 3, 9), 6), inconsistent(seed, (4, 4, 2), 9)):
        eta = (step_limits(problem) * [0.3, 0.5, 0.9]).tolist()
        w0 = np.random.default_rng(seed).standard_normal(problem.d)
        found = regression_limit(problem, L, eta, w0=w0, weights=weights)
        assert close(found, fixed_point(problem, L, eta, w0, weights), 1e-8)
        after = plain.local_gd(problem, found, 1, eta, L, weights)[0][0]
        assert close(after, found, 1e-10)


def test_the_limit_of_a_singular_inconsistent_problem_keeps_the_start_where_no_sample_looks():
    nodes = [Node([[1.0, 0.0, 0.0]], [0.0]), Node([[2.0, 0.0, 0.0]], [2.0]), Node([[0.0, 1.0, 0.0]], [3.0])]
    found = regression_limit(Problem(nodes, "regression"), math.inf, w0=[7.0, 7.0, 7.0])
    assert close(found, [0.5, 3.0, 7.0], 1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_R9_fixed_point_of_projections_minimises_the_squared_distances(seed):
    problem = inconsistent(seed, (3, 2, 8), 6)
    inverses = [np.linalg.pinv(node.X) for node in problem.nodes]
    A = np.vstack([G @ node.X for G, node in zip(inverses, problem.nodes, strict=True)])
    b = np.hstack([G @ node.y for G, node in zip(inverses, problem.nodes, strict=True)])
    assert close(regression_limit(problem, math.inf), np.linalg.lstsq(A, b)[0])
    X, y = plain.stacked(problem)
    assert not close(regression_limit(problem, math.inf), np.linalg.lstsq(X, y)[0], 1e-2)


@pytest.mark.parametrize("seed", range(3))
def test_R9_one_step_is_least_squares_and_weights_decide_which(seed):
    problem = inconsistent(seed)
    X, y = plain.stacked(problem)
    assert close(regression_limit(problem, 1, weights=problem.sizes), np.linalg.lstsq(X, y)[0])
    root = np.sqrt(np.repeat(1 / problem.sizes, problem.sizes))
    of_the_mean = np.linalg.lstsq(X * root[:, None], y * root)[0]
    assert close(regression_limit(problem, 1), of_the_mean)
    w_f, bias = regression_bias(problem, 1, usual_step(problem))
    assert close(w_f, of_the_mean)
    assert not bias.any()


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("L", [2, 3, 25])
def test_R9_the_bias_is_its_formula_and_the_rest_is_of_second_order(seed, L):
    problem = inconsistent(seed)
    top = step_limits(problem).min()
    w_f, bias = regression_bias(problem, L, 0.01 * top)
    H = [node.X.T @ node.X / node.N for node in problem.nodes]
    pulls = [Hi @ plain.gradient(node.X, node.y, w_f) for Hi, node in zip(H, problem.nodes, strict=True)]
    expected = 0.01 * top * (L - 1) / 2 * np.linalg.solve(sum(H), sum(pulls))
    assert close(bias, expected)
    rest = []
    for eta in (1e-3 * top / L, 5e-4 * top / L):
        w_f, bias = regression_bias(problem, L, eta)
        rest.append(np.linalg.norm(fixed_point(problem, L, eta, w_f) - w_f - bias))
    assert rest[0] / rest[1] == pytest.approx(4, rel=0.05)


@pytest.mark.parametrize("seed", range(3))
def test_R9_unequal_steps_move_the_limit_even_for_tiny_steps(seed):
    problem, L = inconsistent(seed), np.array([1, 2, 12])
    X, y = plain.stacked(problem)
    root = np.sqrt(np.repeat(L / problem.sizes, problem.sizes))
    expected = np.linalg.lstsq(X * root[:, None], y * root)[0]
    eta = step_limits(problem).min() * 1e-3
    gaps = [np.linalg.norm(regression_limit(problem, L, e) - expected) for e in (eta, eta / 2)]
    assert gaps[0] / gaps[1] == pytest.approx(2, rel=0.05)
    assert not close(expected, regression_bias(problem, 1, eta)[0], 1e-2)


def test_the_default_step_is_half_of_the_largest():
    problem, w0 = make("plain", 0)
    eta = step_limits(problem).min() / 2
    assert close(regression_errors(problem, 3, None, 4, w0=w0), regression_errors(problem, 3, eta, 4, w0=w0))
    other = inconsistent(0)
    eta = step_limits(other).min() / 2
    assert close(regression_limit(other, 3), regression_limit(other, 3, eta))


def test_L_infinity_does_not_depend_on_the_step():
    problem = inconsistent(1)
    limits = [regression_limit(problem, math.inf, usual_step(problem, share)) for share in (0.1, 0.9)]
    assert close(*limits, 1e-13)
    spectra = [
        averaged_projector_spectrum(problem, math.inf, usual_step(problem, share)) for share in (0.1, 0.9)
    ]
    assert close(*spectra, 1e-13)


@pytest.mark.parametrize("K", [0, -1, 2.5, True, math.inf])
def test_rounds_that_are_no_count_are_refused(K):
    with pytest.raises(ValueError, match=r"K was .*; it must be a whole number of at least 1"):
        regression_errors(make("plain", 0)[0], 1, None, K)


def test_what_does_not_fit_is_refused():
    problem, _ = make("plain", 0)
    top = step_limits(problem).min()
    for call in (
        lambda **kw: regression_errors(problem, kw.pop("L", 2), kw.pop("eta", None), 3, **kw),
        lambda **kw: regression_limit(problem, kw.pop("L", 2), kw.pop("eta", None), **kw),
    ):
        with pytest.raises(ValueError, match="w0 has length 2; it must have length d = 12"):
            call(w0=[1.0, 2.0])
        with pytest.raises(ValueError, match="w0 has the entry nan"):
            call(w0=np.full(12, math.nan))
        with pytest.raises(ValueError, match="weights was"):
            call(weights=[1, 0, 1])
        with pytest.raises(ValueError, match=r"eta was .*diverges unless eta < 2 N_i"):
            call(eta=1.01 * top)
        with pytest.raises(ValueError, match="L was 0; it must be a whole number of at least 1"):
            call(L=0)
    with pytest.raises(ValueError, match="rank X < d = 12"):
        regression_bias(problem, 2, top / 2)
    with pytest.raises(ValueError, match=r"eta was .*diverges unless"):
        regression_bias(inconsistent(0), 2, 1e3)
