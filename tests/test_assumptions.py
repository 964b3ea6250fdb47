"""What the theorems need: without an assumption their conclusions fail, in the way that is predicted."""

import math
from itertools import islice

import numpy as np
import pytest
from strangers import PointsOnly

from lgd_lib import (
    Average,
    Bundle,
    DualMargin,
    ExactMargin,
    ExactProjection,
    GradientSteps,
    Node,
    NotSeparableError,
    Problem,
    rounds,
)
from lgd_lib.certificates import check_min_norm, check_projection
from lgd_lib.local_flow import SweptMargin
from lgd_lib.references import max_margin, min_norm, project_feasible
from lgd_lib.synthetic import gaussian_regression


def end(problem, solver, server, K, w0=None, **options):
    start = np.zeros(problem.d) if w0 is None else w0
    return next(islice(rounds(problem, solver, server, start, **options), K - 1, None)).w


def relative(w, target):
    return np.linalg.norm(w - target) / np.linalg.norm(target)


@pytest.mark.parametrize("M", [2, 3, 5])
@pytest.mark.parametrize("x", [2.05, 2.3])
def test_B_step_parity(M, x):
    """Orthogonal nodes, a step above the bound: the factor is 1 - (1 - (1 - x)^L) / M."""
    rng = np.random.default_rng(M)
    rows = np.linalg.qr(rng.standard_normal((2 * M, M)))[0].T
    problem = Problem([Node(row[None], rng.standard_normal(1)) for row in rows], "regression")
    w_c = min_norm(problem).w
    with pytest.raises(ValueError, match="eta was"):
        GradientSteps(x, 2).prepare(problem)
    for L in range(1, 9):
        answers = []
        for node in problem.nodes:
            v = np.zeros(problem.d)
            for _ in range(L):
                v = v - x * node.X.T @ (node.X @ v - node.y)
            answers.append(v)
        measured = np.linalg.norm(np.mean(answers, axis=0) - w_c) / np.linalg.norm(w_c)
        assert math.isclose(measured, abs(1 - (1 - (1 - x) ** L) / M), rel_tol=1e-11)
        assert (measured > 1) == (L % 2 == 0 or (x - 1) ** L > 2 * M - 1)


@pytest.mark.parametrize("seed", range(3))
def test_B_absent_the_others_agree_on_their_own_model(seed):
    problem = gaussian_regression(3, 3, 40, seed=seed, noise=0.3)
    w = end(problem, ExactProjection(), Average(), 400, participation=lambda k, M, rng: np.arange(1, M))
    assert relative(w, min_norm(Problem(problem.nodes[1:], "regression")).w) <= 1e-9
    assert not check_min_norm(problem, w).ok


@pytest.mark.parametrize("seed", range(3))
def test_B_anchor_the_limit_is_the_starts_own_projection(seed):
    rng = np.random.default_rng(seed)
    nodes = [Node(rng.standard_normal((3, 30)), rng.choice([-1.0, 1.0], 3)) for _ in range(3)]
    problem, w0 = Problem(nodes, "classification"), rng.standard_normal(30)
    w = end(problem, DualMargin(), Average(), 600, w0=w0)
    assert relative(w, project_feasible(problem, w0).w) <= 1e-9
    assert check_projection(problem, w, w0).ok
    assert not check_projection(problem, w).ok


def tilted(seed):
    rng = np.random.default_rng(seed)
    means, stretch = rng.standard_normal((4, 1, 30)), np.exp(rng.uniform(-1, 1, (4, 6, 1)))
    rows = (means + rng.standard_normal((4, 6, 30))) * stretch
    return Problem([Node(Z, np.ones(6)) for Z in rows], "classification")


def test_B_sweep_the_bundle_is_longer_than_the_answer_in_some_draws():
    """Exact projections never; swept answers sometimes, and then the end is wrong."""
    exceeded = 0
    for seed in range(12):
        problem = tilted(seed)
        w_mm = max_margin(problem).w
        for solver in (ExactMargin(), PointsOnly(SweptMargin())):
            models = [r.w for r in islice(rounds(problem, solver, Bundle(), np.zeros(30)), 20)]
            if max(np.linalg.norm(w) for w in models) > (1 + 1e-9) * np.linalg.norm(w_mm):
                assert isinstance(solver, PointsOnly)
                assert not check_projection(problem, models[-1]).ok
                exceeded += 1
    assert exceeded > 0


def test_B_separable_each_node_is_but_not_all_together():
    nodes = [Node([[1.0, 0.0]], [1.0]), Node([[-1.0, 0.1], [0.5, -0.1]], [1.0, 1.0])]
    problem = Problem(nodes, "classification")
    with pytest.raises(NotSeparableError):
        max_margin(problem)
    w = end(problem, ExactMargin(), Average(), 2000)
    again = end(problem, ExactMargin(), Average(), 1, w0=w)
    assert relative(again, w) <= 1e-6
    assert (problem.pooled.X @ w).min() < 0.5
