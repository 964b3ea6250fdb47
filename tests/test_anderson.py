"""Consensus ADMM with Anderson acceleration: the dense iteration on the stacked state, and its safeguards."""

from itertools import islice, pairwise

import numpy as np
import plain_margins
import pytest
from instances import close, iterates
from margin_instances import MAKERS, make, tame_kinds

from lgd_lib import (
    AndersonConsensus,
    AndersonConsensusMargin,
    Consensus,
    ConsensusMargin,
    Subset,
    anderson,
    rounds,
)
from lgd_lib.references import project_feasible


def accelerated(problem, w0, K, m, rho, relaxation):
    """Anderson's iteration for t = F(t), F one round of ADMM on all nodes' t_i stacked; the points w."""
    Zs, M = [plain_margins.signed(node) for node in problem.nodes], problem.M

    def server(t):
        return (w0 + rho * t.sum(axis=0)) / (1 + rho * M)

    t, past, estimates = np.tile(w0, (M, 1)), [], []
    for _ in range(K):
        w = server(t) if past else w0
        x = np.array([plain_margins.project(Z, 2 * w - u) for Z, u in zip(Zs, t, strict=True)])
        r = relaxation * (x - w)
        if past and np.linalg.norm(r) > 2 * np.linalg.norm(past[-1][1]):
            t = t + r
            past = [(t, r)]
        else:
            past = [*past, (t + r, r)][-m - 1 :]
            dg = np.array([(b[0] - a[0]).ravel() for a, b in pairwise(past)])
            dr = np.array([(b[1] - a[1]).ravel() for a, b in pairwise(past)])
            t = t + r
            if len(dr):
                size = np.maximum(np.linalg.norm(dr, axis=1), 1e-300)
                c = np.linalg.lstsq((dr / size[:, None]).T, r.ravel(), rcond=1e-7)[0] / size
                t = t - (c @ dg).reshape(t.shape)
        estimates.append(server(t))
    return np.array(estimates)


@tame_kinds
@pytest.mark.parametrize(("m", "rho", "relaxation"), [(1, 0.3, 1.8), (3, 1.0, 1.0), (10, 0.3, 1.8)])
def test_it_is_the_dense_anderson_iteration_on_all_nodes_states(name, seed, m, rho, relaxation):
    problem, w0 = make(name, seed)
    run = rounds(problem, AndersonConsensusMargin(m, relaxation), AndersonConsensus(rho), w0)
    assert close(iterates(run, 9), accelerated(problem, w0, 9, m, rho, relaxation), 1e-6)


@pytest.mark.parametrize(
    "name",
    ["plain", "one class nodes", "more samples than features", "duplicated points", "rank deficient nodes"],
)
def test_the_limit_is_the_nearest_separating_point(name):
    problem, w0 = make(name, 1)
    W = iterates(rounds(problem, AndersonConsensusMargin(), AndersonConsensus(), w0), 300)
    assert close(W[-1], project_feasible(problem, w0).w, 1e-9)


@pytest.mark.parametrize("name", sorted(set(MAKERS) - {"tiny margin"}))
def test_what_the_server_sends_is_what_the_mixed_states_give(name):
    problem, w0 = make(name, 0)
    rho, w = 0.3, None
    for r in islice(rounds(problem, AndersonConsensusMargin(4), AndersonConsensus(rho), w0), 30):
        t = r.state.memory["g"] - r.state.memory["r"]
        if w is not None:
            assert close((w0 + rho * t.sum(axis=0)) / (1 + rho * problem.M), r.sent, 1e-9)
            assert np.array_equal(r.sent, w)
        w = r.w


def test_without_a_budget_it_is_consensus_admm(monkeypatch):
    problem, w0 = make("plain", 0)
    monkeypatch.setattr(anderson, "BUDGET", 0.0)
    W = iterates(rounds(problem, AndersonConsensusMargin(5, 1.8), AndersonConsensus(0.3), w0), 40)
    assert close(W, iterates(rounds(problem, ConsensusMargin(1.8), Consensus(0.3), w0), 40), 1e-12)


def corrections(problem, w0, K):
    """||t^k - g^{k-1}|| of each round and what is spent, by first residuals, and the last estimate."""
    sizes, spent, before, first = [], [], None, None
    for r in islice(rounds(problem, AndersonConsensusMargin(), AndersonConsensus(), w0), K):
        g, residual = r.state.memory["g"], r.state.memory["r"]
        first = np.linalg.norm(residual) if first is None else first
        sizes.append(0.0 if before is None else np.linalg.norm(g - residual - before) / first)
        spent.append(float(r.state.aggregation["spent"]) / first)
        before = g
    return np.array(sizes), np.array(spent), r.w


@pytest.mark.parametrize("part", [0.1, 0.5])
def test_corrections_stay_within_the_budget(monkeypatch, part):
    problem, w0 = make("one class nodes", 0)
    free = corrections(problem, w0, 300)[0]
    budget = part * free.sum()
    monkeypatch.setattr(anderson, "BUDGET", budget)
    sizes, spent, w = corrections(problem, w0, 300)
    assert 0 < spent[-1] <= budget
    assert (np.cumsum(sizes)[1:] <= spent[:-1] * (1 + 1e-9) + 1e-12).all()
    assert close(w, project_feasible(problem, w0).w, 1e-6)


def test_a_residual_that_doubles_forgets_the_past():
    problem, w0 = make("points scaled by 1e4", 0)
    state, kept = None, []
    for k in range(12):
        r = next(rounds(problem, AndersonConsensusMargin(), AndersonConsensus(), w0, state=state))
        state = r.state
        kept.append(len(state.message.scalars))
        if k == 6:  # as if the last round had been a hundred times better than it was
            state.aggregation["last"] = state.aggregation["last"] / 100
    assert kept == [0, 1, 2, 3, 4, 5, 6, 0, 1, 2, 3, 4]


def test_numbers_that_travel_are_counted():
    problem, w0 = make("plain", 0)
    for r in islice(rounds(problem, AndersonConsensusMargin(3), AndersonConsensus(), w0), 8):
        n = min(r.k, 3)
        up, down = (2 * n + 2 if n else 1), min(max(r.k - 1, 0), 3)
        assert r.bytes_up == 8 * problem.M * (problem.d + up)
        assert r.bytes_down == 8 * problem.M * (problem.d + down)


def test_a_start_that_separates_stays():
    problem, w0 = make("plain", 0)
    far = 1e3 * plain_margins.project(plain_margins.all_signed(problem), 0 * w0)
    W = iterates(rounds(problem, AndersonConsensusMargin(), AndersonConsensus(), far), 5)
    assert close(W, np.tile(far, (5, 1)), 1e-12)


def test_wrong_use_is_refused_in_words():
    for memory in (0, -1, 2.5, "many", True):
        with pytest.raises(ValueError, match="memory was"):
            AndersonConsensusMargin(memory)
    with pytest.raises(ValueError, match="relaxation was"):
        AndersonConsensusMargin(10, 2.0)
    with pytest.raises(ValueError, match="rho was"):
        AndersonConsensus(0.0)
    problem, w0 = make("plain", 0)
    run = rounds(problem, AndersonConsensusMargin(), AndersonConsensus(), w0, participation=Subset(2), seed=1)
    with pytest.raises(ValueError, match="left out nodes in round 0; Anderson acceleration needs all"):
        next(run)
