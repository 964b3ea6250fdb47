"""Dual Local-GD, its acceleration, and consensus ADMM: plain twins and limits."""

from itertools import islice

import numpy as np
import plain_margins
import pytest
from instances import close, iterates
from margin_instances import make, tame_kinds

from lgd_lib import (
    AcceleratedDual,
    AcceleratedDualMargin,
    Average,
    Consensus,
    ConsensusMargin,
    DualAverage,
    DualMargin,
    Subset,
    rounds,
)
from lgd_lib.references import project_feasible

LIMITS = [
    "plain",
    "one class nodes",
    "more samples than features",
    "duplicated points",
    "rank deficient nodes",
]


def answers_of(problem, points):
    return [
        plain_margins.project(plain_margins.signed(n), v) for n, v in zip(problem.nodes, points, strict=True)
    ]


@tame_kinds
@pytest.mark.parametrize("weighted", [False, True])
def test_dual_local_gd_is_parallel_dykstra(name, seed, weighted):
    problem, w0 = make(name, seed)
    p = np.arange(1.0, problem.M + 1) if weighted else None
    expected = plain_margins.dykstra(problem, w0, 15, p)
    assert close(iterates(rounds(problem, DualMargin(), Average(), w0, weights=p), 15), expected, 1e-8)
    server = DualAverage(np.ones(problem.M) if p is None else p)
    assert close(iterates(rounds(problem, DualMargin(), server, w0), 15), expected, 1e-8)


@pytest.mark.parametrize("name", LIMITS)
def test_the_dual_limit_is_the_nearest_separating_point(name):
    problem, w0 = make(name, 1)
    limit = project_feasible(problem, w0).w
    W = iterates(rounds(problem, DualMargin(), Average(), w0), 4000)
    assert close(W[-1], limit, 1e-7)


def test_the_dual_average_holds_w0_minus_the_weighted_memories():
    problem, w0 = make("plain", 0)
    p = np.array([1.0, 2.0, 5.0]) / 8
    shapes = DualMargin().prepare(problem).shapes
    run = rounds(problem, DualMargin(), DualAverage(p), w0, participation=Subset(2), seed=1)
    for r in islice(run, 30):
        s = [r.state.memory["s"][i, : len(f.Vt)] @ f.Vt for i, f in enumerate(shapes)]
        assert close(r.w, w0 - sum(share * v for share, v in zip(p, s, strict=True)))


def test_absent_nodes_keep_their_memory_and_move_nothing():
    problem, w0 = make("plain", 0)
    Zs = [plain_margins.signed(n) for n in problem.nodes]
    actives = [[0], [2], [0, 1], [1, 2], [0]]
    run = rounds(
        problem, DualMargin(), DualAverage((1, 2, 5)), w0, participation=lambda k, M, rng: actives[k]
    )
    w, s, p = w0, [0 * w0 for _ in Zs], np.array([1.0, 2.0, 5.0]) / 8
    for active, r in zip(actives, run, strict=False):
        move = 0 * w0
        for i in active:
            q = plain_margins.project(Zs[i], w + s[i])
            s[i], move = w + s[i] - q, move + p[i] * (q - w)
        w = w + move
        assert close(r.w, w)


@pytest.mark.parametrize("weights", [(1, 1, 1), (1, 2, 7)])
def test_under_partial_participation_and_weights_the_limit_stays(weights):
    problem, w0 = make("plain", 1)
    limit = project_feasible(problem, w0).w
    run = rounds(problem, DualMargin(), DualAverage(weights), w0, participation=Subset(1), seed=0)
    assert close(iterates(run, 3000)[-1], limit, 1e-6)


@tame_kinds
def test_the_accelerated_dual_is_fista_with_restart(name, seed):
    problem, w0 = make(name, seed)
    M, d = problem.M, problem.d
    s, old, sent, estimate, t, beta = np.zeros((M, d)), np.zeros((M, d)), w0, w0, 1.0, 0.0
    for r in islice(rounds(problem, AcceleratedDualMargin(), AcceleratedDual(), w0), 12):
        y = s + beta * (s - old)
        q = answers_of(problem, sent + y)
        old, s = s, sent + y - q
        w = np.mean(q, axis=0)
        if (sent - w) @ (w - estimate) > 0:
            t, beta, following = 1.0, 0.0, w
        else:
            grown = (1 + np.sqrt(1 + 4 * t * t)) / 2
            beta, t = (t - 1) / grown, grown
            following = w + beta * (w - estimate)
        assert close(r.w, w, 1e-7)
        assert close(r.state.message.point, following, 1e-7)
        estimate, sent = w, following


@pytest.mark.parametrize("name", LIMITS)
def test_the_accelerated_limit_is_the_nearest_separating_point(name):
    problem, w0 = make(name, 1)
    W = iterates(rounds(problem, AcceleratedDualMargin(), AcceleratedDual(), w0), 1000)
    assert close(W[-1], project_feasible(problem, w0).w, 1e-8)


@tame_kinds
@pytest.mark.parametrize(("rho", "relaxation"), [(1.0, 1.0), (0.3, 1.8)])
def test_consensus_is_admm_read_aloud(name, seed, rho, relaxation):
    # Over-relaxed ADMM: minimise ||w - w0||^2 / 2 + indicators of C_i at x_i, subject to x_i = w, scaled
    # multipliers v_i; h_i = relaxation x_i + (1 - relaxation) w.
    problem, w0 = make(name, seed)
    M, w, v = problem.M, w0, np.zeros((problem.M, problem.d))
    run = rounds(problem, ConsensusMargin(relaxation), Consensus(rho), w0)
    for r in islice(run, 12):
        x = np.array(answers_of(problem, w - v))
        h = relaxation * x + (1 - relaxation) * w
        following = (w0 + rho * (h + v).sum(axis=0)) / (1 + rho * M)
        v = v + h - following
        w = following
        assert close(r.w, w, 1e-7)


@pytest.mark.parametrize("name", LIMITS)
def test_the_consensus_limit_is_the_nearest_separating_point(name):
    problem, w0 = make(name, 1)
    W = iterates(rounds(problem, ConsensusMargin(1.8), Consensus(0.5), w0), 1500)
    assert close(W[-1], project_feasible(problem, w0).w, 1e-7)


@pytest.mark.parametrize("name", LIMITS)
@pytest.mark.parametrize(("rho", "relaxation"), [(1.0, 1.0), (0.3, 1.8), (3.0, 0.5)])
def test_the_residuals_of_consensus_never_grow_and_add_up_to_the_bound(name, rho, relaxation):
    problem, w0 = make(name, 1)
    reference = project_feasible(problem, w0)
    parts, begin = [], 0
    for node in problem.nodes:
        mu = reference.multipliers[begin : begin + node.N]
        parts.append(mu @ plain_margins.signed(node))
        begin += node.N
    D = np.linalg.norm(reference.w - w0 + np.array(parts) / rho)
    t, sizes = np.tile(w0, (problem.M, 1)), []
    for r in islice(rounds(problem, ConsensusMargin(relaxation), Consensus(rho), w0), 100):
        sizes.append(np.linalg.norm(r.W - t))
        t = r.W
    assert np.linalg.norm(sizes) <= D * np.sqrt(relaxation / (2 - relaxation)) * (1 + 1e-9)
    assert (np.diff(sizes) <= 1e-10 * D).all()


def test_wrong_use_is_refused_in_words():
    for relaxation in (0.0, 2.0, -1.0, float("nan")):
        with pytest.raises(ValueError, match="relaxation was"):
            ConsensusMargin(relaxation)
    for rho in (0.0, -1.0, float("inf"), float("nan")):
        with pytest.raises(ValueError, match="rho was"):
            Consensus(rho)
    problem, w0 = make("plain", 0)
    with pytest.raises(ValueError, match="weights"):
        DualAverage((1, -1, 1))
    with pytest.raises(ValueError, match="weights has length 2; node 2"):
        next(rounds(problem, DualMargin(), DualAverage((1, 1)), w0))
