"""True Local-GD with finitely many local steps, by claim: the path, the constant, and the corner."""

import math
from itertools import islice, pairwise

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from lgd_lib import Average, ExactMargin, GradientSteps, LocalFlow, Node, Problem, rounds
from lgd_lib.losses import logistic
from lgd_lib.references import max_margin
from lgd_lib.theory import late_offset


def problem(seed, sizes=(3, 1, 4), d=25):
    rng = np.random.default_rng(seed)
    return Problem(
        [Node(rng.standard_normal((n, d)) / 5, rng.choice([-1.0, 1.0], n)) for n in sizes], "classification"
    )


def signed(p):
    return p.pooled.y[:, None] * p.pooled.X


def largest_step(p):
    return 2 / max(logistic.smoothness(node) for node in p.nodes)


def last(p, solver, K, weights=None, start=None):
    w0 = np.zeros(p.d) if start is None else start
    return next(islice(rounds(p, solver, Average(), w0, weights=weights), K - 1, None)).w


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("share", "L"), [(1.0, 1), (0.1, 7), (1.0, 40)])
@pytest.mark.parametrize("weights", [None, (1.0, 4.0, 2.0)])
def test_V1_no_round_leaves_the_shadow_by_more_than_the_shadow_errs(seed, share, L, weights):
    p = problem(seed)
    eta = share * largest_step(p)
    path = np.log(eta * L * np.arange(1, 121))[:, None] * max_margin(p).w + late_offset(p, weights)
    solver = GradientSteps(eta, L, "logistic")
    run = islice(rounds(p, solver, Average(), np.zeros(p.d), weights=weights), 120)
    gaps = np.linalg.norm([r.w - q for r, q in zip(run, path, strict=True)], axis=1)
    errs = [np.linalg.norm(last(p, solver, 1, weights, q) - after) for q, after in pairwise(path)]
    assert (np.diff(gaps) <= np.array(errs) + 1e-12).all()
    # The shadow's own errors sum: they fall faster than 1 / k.
    assert errs[-1] <= 0.6 * errs[len(errs) // 2]


def constant(p, w, t, weights, work):
    """sum_i p_i L_i f_i times t, at t = 10^300, by gradient flow in ln t."""
    Z = signed(p)
    share = np.repeat(np.array(weights) * work / p.sizes, p.sizes)
    end = 300 * math.log(10)
    run = solve_ivp(
        lambda s, w: (share * np.exp(s + logistic.log_slope(Z @ w))) @ Z,
        (math.log(t), end),
        w,
        method="LSODA",
        jac=lambda s, w: (
            -((Z.T * (share * np.exp(s + logistic.log_slope(Z @ w) - np.logaddexp(0, -Z @ w)))) @ Z)
        ),
        rtol=1e-9,
        atol=1e-9,
    )
    return share @ np.exp(end + logistic.log_loss(Z @ run.y[:, -1]))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("steps", [0.3, 1.0, 15.0])
@pytest.mark.parametrize("weights", [(1 / 3, 1 / 3, 1 / 3), (0.1, 0.6, 0.3)])
def test_V5_the_constant_is_the_inverse_squared_margin(seed, steps, weights):
    p = problem(seed)
    eta, L, K = steps * largest_step(p), 6, 300
    w = last(p, GradientSteps(eta, L, "logistic"), K, weights)
    found = constant(p, w, eta * L * K, weights, np.ones(3))
    assert found == pytest.approx(np.linalg.norm(max_margin(p).w) ** 2, rel=1e-3)


@pytest.mark.parametrize("seed", range(2))
def test_V5_a_node_that_works_more_counts_more_often(seed):
    p, L = problem(seed), np.array([1, 9, 3])
    eta, K = largest_step(p), 300
    w = last(p, GradientSteps(eta, L.tolist(), "logistic"), K)
    found = constant(p, w, eta * K, np.ones(3) / 3, L)
    assert found == pytest.approx(np.linalg.norm(max_margin(p).w) ** 2, rel=1e-3)


@pytest.mark.parametrize("seed", range(3))
def test_V5_in_rounds_alone_the_constant_is_approached(seed):
    """Nearly orthogonal rows of length 1: nothing is slow, and 3,000 rounds show the constant."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((6, 400))
    X /= np.linalg.norm(X, axis=1)[:, None]
    p = Problem([Node(X[:3], np.ones(3)), Node(X[3:], -np.ones(3))], "classification").row_space()[0]
    eta, misses = largest_step(p) / 2, []
    for K in (300, 3000):
        w = last(p, GradientSteps(eta, 4, "logistic"), K)
        f = np.mean([logistic.value(node, w) for node in p.nodes])
        misses.append(abs(f * eta * 4 * K / np.linalg.norm(max_margin(p).w) ** 2 - 1))
    assert misses[1] <= 0.01
    assert misses[1] <= 0.25 * misses[0]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("s", [1.07, 1.45, 3.0, 8.0])
def test_V5_beyond_the_corner_the_rounds_are_those_of_the_projections(seed, s):
    p = problem(seed, sizes=(1,) * 5, d=8)
    Z = signed(p)
    projected = islice(rounds(p, ExactMargin(), Average(), np.zeros(8)), 500)
    margins = np.array([(Z @ r.w).min() for r in projected])
    k = int(np.argmax(margins > 1 / s)) + 1
    assert np.abs(margins - 1 / s).min() > 1e-4
    for ln_epsilon in (-1e6, -1e7):
        flow = rounds(p, LocalFlow(-s * ln_epsilon), Average(), np.zeros(8))
        found = next(r.k + 1 for r in flow if (Z @ r.w).min() >= -ln_epsilon)
        assert found == k
