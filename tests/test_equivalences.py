"""The same iterates by two ways, iterate by iterate."""

import math
from itertools import pairwise

import numpy as np
import plain
import pytest
from instances import close, every_kind, few_kinds, iterates, make, step_limits

from lgd_lib import Average, ExactProjection, GradientSteps, Problem, rounds

K = 12


def local_gd(problem, w0, eta, L, **options):
    return iterates(rounds(problem, GradientSteps(eta, L), Average(), w0, **options), K)


def step(problem, share=0.9):
    return share * min(1.0, step_limits(problem).min())


@every_kind
@pytest.mark.parametrize("L", [1, 2, 9, math.inf])
@pytest.mark.parametrize("share", [0.2, 0.97])
def test_fast_is_plain(name, seed, L, share):
    problem, w0 = make(name, seed)
    eta = step(problem, share)
    expected, _ = plain.local_gd(problem, w0, K, eta, L)
    for found, w in zip(local_gd(problem, w0, eta, L), expected, strict=True):
        assert close(found, w)


@every_kind
def test_fast_is_plain_with_weights_and_everything_else_different_at_each_node(name, seed):
    problem, w0 = make(name, seed)
    rng = np.random.default_rng(seed)
    eta = (np.minimum(step_limits(problem), 10) * rng.uniform(0.1, 0.95, problem.M)).tolist()
    L = [float(rng.choice([1, 3, 8, math.inf])) for _ in range(problem.M)]
    p = rng.uniform(0.1, 5, problem.M).tolist()
    expected, _ = plain.local_gd(problem, w0, K, eta, L, p)
    for found, w in zip(local_gd(problem, w0, eta, L, weights=p), expected, strict=True):
        assert close(found, w)


@few_kinds
@pytest.mark.parametrize("L", [1, 6])
def test_one_node_is_centralised_gradient_descent(name, seed, L):
    pooled = make(name, seed)[0].pooled
    problem, w0 = Problem([pooled], "regression"), make(name, seed)[1]
    w, eta = w0, step(problem)
    for found in local_gd(problem, w0, eta, L):
        for _ in range(L):
            w = w - eta * plain.gradient(pooled.X, pooled.y, w)
        assert close(found, w)


@every_kind
@pytest.mark.parametrize("weighted", [False, True])
def test_one_step_is_gradient_descent_on_the_mean_of_the_nodes_losses(name, seed, weighted):
    problem, w0 = make(name, seed)
    p = np.linspace(1, 4, problem.M) if weighted else np.ones(problem.M)
    w, eta = w0, step(problem)
    for found in local_gd(problem, w0, eta, 1, weights=p):
        gradients = [plain.gradient(node.X, node.y, w) for node in problem.nodes]
        w = w - eta * sum(a * g for a, g in zip(p, gradients, strict=True)) / p.sum()
        assert close(found, w)


def test_the_mean_of_the_nodes_losses_is_not_the_pooled_mean_when_sizes_differ():
    problem, w0 = make("unequal sizes", 0)
    eta = step(problem)
    pooled = problem.pooled
    once = w0 - eta * plain.gradient(pooled.X, pooled.y, w0)
    assert not close(local_gd(problem, w0, eta, 1)[0], once, 1e-3)
    assert close(local_gd(problem, w0, eta, 1, weights=problem.sizes)[0], once)


@every_kind
def test_many_steps_tend_to_the_projection(name, seed):
    problem, w0 = make(name, seed)
    exact = iterates(rounds(problem, ExactProjection(), Average(), w0), K)
    assert close(local_gd(problem, w0, step(problem), 10**13), exact)
    assert np.array_equal(local_gd(problem, w0, step(problem), math.inf), exact)
    gaps = [np.linalg.norm(local_gd(problem, w0, step(problem, 0.45), L) - exact) for L in (1, 8, 64, 512)]
    assert all(late <= early + 1e-12 for early, late in pairwise(gaps))


@every_kind
@pytest.mark.parametrize("L", [1, 5, math.inf])
@pytest.mark.parametrize("partial", [False, True])
def test_the_row_space_is_the_full_space(name, seed, L, partial):
    problem, w0 = make(name, seed)
    small, u0, lift = problem.row_space(w0)
    actives = np.random.default_rng(seed).random((K, problem.M)) < 0.6
    options = {"participation": lambda k, M, rng: np.flatnonzero(actives[k])} if partial else {}
    eta = step(problem)
    found = lift(local_gd(small, u0, eta, L, **options))
    for a, b in zip(found, local_gd(problem, w0, eta, L, **options), strict=True):
        assert close(a, b)


@few_kinds
@pytest.mark.parametrize("L", [1, 7])
def test_automatic_differentiation_takes_the_same_steps(name, seed, L):
    torch = pytest.importorskip("torch")
    torch.set_num_threads(1)
    problem, w0 = make(name, seed)
    eta = step(problem)
    data = [(torch.tensor(node.X), torch.tensor(node.y)) for node in problem.nodes]
    w = torch.tensor(w0)
    for found in local_gd(problem, w0, eta, L):
        models = []
        for X, y in data:
            v = w.clone().requires_grad_()
            optimiser = torch.optim.SGD([v], lr=eta)
            for _ in range(L):
                optimiser.zero_grad()
                (0.5 * torch.mean((X @ v - y) ** 2)).backward()
                optimiser.step()
            models.append(v.detach())
        w = torch.stack(models).mean(dim=0)
        assert close(found, w.numpy())
