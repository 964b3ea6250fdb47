"""The theorems on diagonal networks, by claim, against independent computations."""

from itertools import islice

import numpy as np
import pytest
from test_mirror import relative, sparse_problem

from lgd_lib import Average, DiagonalFlow, GeometricMean, Hyperbolic, Problem, rounds
from lgd_lib.mirrors.diagonal import network_scale, network_start, network_weights
from lgd_lib.mirrors.potentials import divergence
from lgd_lib.mirrors.references import check_bregman
from lgd_lib.problems import Node
from lgd_lib.theory import regression_rate

SIZES = {"two": (4, 4), "three": (2, 5, 3), "five": (2, 2, 2, 2, 2)}


def at_rest(problem, server, start, **options):
    """The run until the equations hold to rounding, every iterate."""
    pooled, points = problem.pooled, []
    for r in islice(rounds(problem, DiagonalFlow(), server, start, **options), 20_000):
        points.append(r.w)
        if np.linalg.norm(pooled.X @ network_weights(r.w) - pooled.y) <= 1e-13 * np.linalg.norm(pooled.y):
            break
    return np.array(points)


@pytest.mark.parametrize("scale", [0.02, 1.0])
@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize("seed", range(2))
def test_N2_mirror_the_geometric_mean_reaches_the_centralised_bias(seed, sizes, scale):
    problem, rng = sparse_problem(seed, SIZES[sizes])
    w0, a = scale * rng.standard_normal(problem.d), scale * rng.uniform(0.5, 2, problem.d)
    weights = rng.uniform(0.5, 2, problem.M)
    points = at_rest(problem, GeometricMean(), network_start(w0, a), weights=weights)
    assert check_bregman(problem, Hyperbolic(a), network_weights(points[-1]), w0).ok
    assert relative(network_scale(points), np.broadcast_to(a, (len(points), problem.d))) <= 1e-12


@pytest.mark.parametrize("seed", range(3))
def test_N2_mirror_the_divergence_from_every_interpolator_falls(seed):
    problem, rng = sparse_problem(seed)
    X, y = problem.pooled.X, problem.pooled.y
    other = rng.standard_normal(problem.d)
    other += np.linalg.pinv(X) @ (y - X @ other)
    points = at_rest(problem, GeometricMean(), network_start(np.zeros(problem.d), 0.1))
    D = [divergence(Hyperbolic(0.1), other, network_weights(point)) for point in points]
    assert (np.diff(D) <= 1e-11).all()
    assert D[-1] < D[0]


@pytest.mark.parametrize("seed", range(2))
def test_N2_mirror_nodes_may_come_and_go(seed):
    problem, _ = sparse_problem(seed)
    start = network_start(np.zeros(problem.d), 0.3)

    def some(k, M, rng):
        return np.flatnonzero(rng.random(M) < 0.6)

    points = at_rest(problem, GeometricMean(), start, participation=some, seed=seed)
    assert check_bregman(problem, Hyperbolic(0.3), network_weights(points[-1])).ok


@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize("seed", range(2))
def test_N2_product_the_average_of_parameters_never_lowers_the_scale(seed, sizes):
    problem, rng = sparse_problem(seed, SIZES[sizes])
    points = at_rest(
        problem, Average(), network_start(np.zeros(problem.d), 0.05), weights=rng.uniform(0.5, 2, problem.M)
    )
    scales = network_scale(np.array([network_start(np.zeros(problem.d), 0.05), *points]))
    assert (scales[1:] / scales[:-1]).min() >= 1 - 1e-14
    assert (scales[-1] > scales[0]).all()
    assert not check_bregman(problem, Hyperbolic(0.05), network_weights(points[-1])).ok


@pytest.mark.parametrize("scale", [1e-3, 0.05, 1.0])
@pytest.mark.parametrize("seed", range(3))
def test_N2_two_nodes_reach_the_bias_of_the_effective_initialisation(seed, scale):
    problem, rng = sparse_problem(seed, SIZES["two"])
    w0 = scale * rng.standard_normal(problem.d)
    ratio = np.log(np.divide(*np.split(network_start(w0, scale), 2)))
    last = at_rest(problem, Average(), network_start(w0, scale))[-1]
    effective = Hyperbolic(network_scale(last))
    assert check_bregman(problem, effective, network_weights(last), effective.inverse(ratio)).ok
    unequal = at_rest(problem, Average(), network_start(w0, scale), weights=[1, 4])[-1]
    effective = Hyperbolic(network_scale(unequal))
    assert not check_bregman(problem, effective, network_weights(unequal), effective.inverse(ratio)).ok


@pytest.mark.parametrize("seed", range(3))
def test_N2_rate_is_that_of_local_gd_on_weighted_features(seed):
    problem, _ = sparse_problem(seed, (3, 3, 3), d=40)
    points = at_rest(problem, GeometricMean(), network_start(np.zeros(problem.d), 0.2))
    s = np.log(points[:, : problem.d] / points[:, problem.d :])
    root = np.sqrt(Hyperbolic(0.2).slope(s[-1]))
    weighted = Problem([Node(n.X * root, n.y) for n in problem.nodes], "regression")
    errors = np.linalg.norm(network_weights(points) - network_weights(points[-1]), axis=1)
    late = (errors < 1e-4 * errors[0]) & (errors > 1e-9 * errors[0])
    k = np.flatnonzero(late)
    measured = (errors[k[-1]] / errors[k[0]]) ** (1 / (k[-1] - k[0]))
    assert abs(measured - regression_rate(weighted, np.inf)) <= 1e-2 * (1 - measured)
