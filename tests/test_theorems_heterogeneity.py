"""Unequal treatment in classification, by claim, against plain loops over nodes and steps."""

import math
from itertools import islice

import numpy as np
import pytest

from lgd_lib import (
    Anchored,
    Average,
    Bernoulli,
    Bundle,
    DualAverage,
    DualMargin,
    ExactMargin,
    GradientSteps,
    Node,
    Problem,
    Subset,
    rounds,
)
from lgd_lib.references import max_margin
from lgd_lib.theory import margin_offsets, mean_shares

LOSSES = ("exponential", "logistic")


def slope(m, loss):
    return np.exp(-m) if loss == "exponential" else 1 / (1 + np.exp(m))


def local_gd(rows, p, L, eta, K, loss, start=None):
    """Textbook Local-GD: nodes, steps, average."""
    w = np.zeros(rows[0].shape[1]) if start is None else start
    for _ in range(K):
        answers = []
        for Z, steps, size in zip(rows, L, eta, strict=True):
            v = w
            for _ in range(steps):
                v = v + size * slope(Z @ v, loss) @ Z / len(Z)
            answers.append(v)
        w = sum(share * v for share, v in zip(p, answers, strict=True))
    return w


def late(problem, solver, server, K, **choice):
    return next(islice(rounds(problem, solver, server, np.zeros(problem.d), seed=1, **choice), K - 1, None)).w


def near_orthogonal(seed, M=3, N_i=2, d=40):
    rng = np.random.default_rng(seed)
    rows = rng.standard_normal((M, N_i, d)) / math.sqrt(d)
    return Problem([Node(Z, np.ones(N_i)) for Z in rows], "classification").row_space()[0]


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("seed", range(2))
def test_V8_offsets_of_a_plain_run_with_everything_unequal(loss, seed):
    problem = near_orthogonal(seed)
    L, eta, p = (1, 8, 3), (2.0, 0.5, 1.0), (0.2, 0.3, 0.5)
    rows = [node.X for node in problem.nodes]
    predicted = margin_offsets(problem, L, eta, p)
    assert predicted.exponent > 0.2
    gaps = []
    for K in (60, 600):
        w = local_gd(rows, p, L, eta, K, loss)
        off = np.concatenate(rows) @ w - math.log(K) - predicted.values
        gaps.append(np.abs(off[predicted.support]).max())
    assert gaps[1] < gaps[0] * 10 ** (-predicted.exponent / 2)
    equal = margin_offsets(problem, 3, 1.0)
    assert np.nanmax(np.abs(equal.values - predicted.values)) > 3 * gaps[1], "another treatment is told apart"


@pytest.mark.parametrize("loss", LOSSES)
def test_V8_orthogonal_nodes_reach_their_constants_like_ln_k_over_k(loss):
    lengths = np.array([0.5, 1.0, 2.0])
    problem = Problem(
        [Node(s * row[None], [1.0]) for s, row in zip(lengths, np.eye(3), strict=True)], "classification"
    )
    L, eta, p = (4, 1, 2), (0.3, 1.0, 0.1), (1.0, 3.0, 2.0)
    shares = mean_shares(3, p)
    w = late(problem, GradientSteps(eta, L, loss), Average(), 5000, weights=p)
    # e^m grows by c ||z||^2 a round, up to O(1/k).
    exact = np.log(shares * np.array(eta) * L * lengths**2 * 5000)
    assert lengths * w == pytest.approx(
        exact, abs=10 * math.log(5000) / 5000 / (shares * eta * L * lengths**2).min()
    )
    values = margin_offsets(problem, L, eta, shares).values
    assert values + math.log(5000) == pytest.approx(exact)


@pytest.mark.parametrize("who", [Subset(2), Bernoulli((0.2, 0.5, 0.9))])
def test_V8_participation_leaves_the_constants_of_the_mean_shares(who):
    problem = near_orthogonal(3)
    predicted = margin_offsets(problem, 5, 1.0, mean_shares(3, None, who))
    S, Z = predicted.support, problem.pooled.X
    runs = rounds(
        problem, GradientSteps(1.0, 5, "logistic"), Average(), np.zeros(problem.d), participation=who
    )
    gaps = {
        r.k + 1: np.abs(Z[S] @ r.w - math.log(r.k + 1) - predicted.values[S]).max()
        for r in islice(runs, 3000)
    }
    assert gaps[3000] < 0.35 < gaps[10]


def test_V8_bounded_the_run_follows_centralised_descent_on_the_weighted_loss():
    problem = near_orthogonal(4)
    L, eta, p = (1, 8, 3), (2.0, 0.5, 1.0), (0.2, 0.3, 0.5)
    rows, c = [node.X for node in problem.nodes], np.array(p) * eta * L
    gaps, losses = [], []
    for k0 in (40, 160):
        start = local_gd(rows, p, L, eta, k0, "exponential")
        end = local_gd(rows, p, L, eta, 4 * k0, "exponential", start)
        central = start
        for _ in range(4 * k0):
            central = central + sum(
                s * slope(Z @ central, "exponential") @ Z / len(Z) for s, Z in zip(c, rows, strict=True)
            )
        gaps.append(np.linalg.norm(end - central))
        losses.append(sum(s * np.exp(-Z @ start).mean() for s, Z in zip(c, rows, strict=True)))
    order = math.log(gaps[0] / gaps[1]) / math.log(losses[0] / losses[1])
    assert order == pytest.approx(1.0, abs=0.2)


def correlated(seed=0):
    rng = np.random.default_rng(seed)
    rows = rng.standard_normal((3, 2, 8)) + 0.6 * rng.standard_normal(8)
    return Problem([Node(Z, np.ones(2)) for Z in rows], "classification")


def test_V8_exact_methods_that_aim_at_w_mm_are_not_moved_and_plain_averages_are():
    problem = correlated()
    w_mm = max_margin(problem).w
    who, p = Bernoulli((0.2, 0.5, 0.9)), (1.0, 2.0, 4.0)
    for choice in ({"participation": who}, {"weights": p}):
        kept = DualAverage(choice.get("weights", (1, 1, 1)))
        assert late(problem, ExactMargin(), Bundle(), 100, **choice) == pytest.approx(w_mm, abs=1e-9)
        assert late(problem, DualMargin(), kept, 4000, **choice) == pytest.approx(w_mm, abs=1e-8)
        ppm = late(problem, ExactMargin(), Average(), 2000, **choice)
        assert np.linalg.norm(ppm - late(problem, ExactMargin(), Average(), 2000)) > 1e-3
    present = late(problem, DualMargin(), Average(), 4000, participation=who)
    assert np.linalg.norm(present - w_mm) > 1e-3
    errors = [
        np.linalg.norm(late(problem, ExactMargin(), Anchored(), K, participation=who) - w_mm)
        for K in (300, 3000)
    ]
    assert errors[1] < errors[0] / math.sqrt(10)
