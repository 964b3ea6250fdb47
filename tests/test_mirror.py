"""Mirror flows and diagonal networks: fast against plain, the equivalences, the certificate, bad input."""

from itertools import islice

import numpy as np
import pytest
from instances import few_kinds, iterates, make
from scipy.integrate import solve_ivp

from lgd_lib import (
    Average,
    DiagonalFlow,
    DiagonalSteps,
    Euclidean,
    ExactProjection,
    GeometricMean,
    Hyperbolic,
    MirrorAverage,
    MirrorProjection,
    Node,
    Problem,
    references,
    rounds,
)
from lgd_lib.mirrors.diagonal import network_scale, network_start, network_weights
from lgd_lib.mirrors.potentials import divergence
from lgd_lib.mirrors.references import bregman_projection, check_bregman


def sparse_problem(seed, sizes=(3, 4, 3), d=30):
    rng = np.random.default_rng(seed)
    truth = np.zeros(d)
    truth[:3] = rng.choice([-1.0, 1.0], 3)
    rows = [rng.standard_normal((n, d)) for n in sizes]
    return Problem([Node(X, X @ truth) for X in rows], "regression"), rng


def flow(node, point, time):
    """Gradient flow of the network's mean squared loss, by an ODE solver that knows nothing else."""

    def velocity(t, x):
        u, v = np.split(x, 2)
        g = node.X.T @ (node.X @ (u * u - v * v) - node.y) / node.N
        return np.concatenate([-2 * u * g, 2 * v * g])

    return solve_ivp(velocity, (0, time), point, method="LSODA", rtol=1e-10, atol=1e-12).y[:, -1]


def relative(a, b):
    return np.linalg.norm(a - b) / np.linalg.norm(b)


@pytest.mark.parametrize("scale", [1e-3, 0.1, 3.0])
@pytest.mark.parametrize("seed", range(3))
def test_the_end_of_the_flow_is_the_bregman_projection(seed, scale):
    problem, rng = sparse_problem(seed)
    start = network_start(rng.standard_normal(problem.d), scale * rng.uniform(0.5, 2, problem.d))
    (r,) = islice(rounds(problem, DiagonalFlow(), Average(), start), 1)
    for node, answer in zip(problem.nodes, r.W, strict=True):
        assert relative(answer, flow(node, start, 200.0 / min(1, scale))) <= 1e-7


@pytest.mark.parametrize("seed", range(3))
def test_small_steps_follow_the_flow_to_first_order(seed):
    problem, _ = sparse_problem(seed)
    start = network_start(np.zeros(problem.d), 0.1)
    (limit,) = islice(rounds(problem, DiagonalFlow(), Average(), start), 1)
    errors = []
    for eta, L in ((4e-3, 4000), (2e-3, 8000), (1e-3, 16000)):
        (r,) = islice(rounds(problem, DiagonalSteps(eta, L), Average(), start), 1)
        errors.append(np.linalg.norm(r.W - limit.W))
    ratios = np.array(errors[1:]) / errors[:-1]
    assert (abs(ratios - 0.5) <= [0.1, 0.05]).all()


def test_a_step_is_minus_eta_times_the_gradient():
    problem, rng = sparse_problem(0)
    x = rng.uniform(0.5, 1.5, 2 * problem.d)

    def loss(node, z):
        u, v = np.split(z, 2)
        return np.mean((node.X @ (u**2 - v**2) - node.y) ** 2) / 2

    (r,) = islice(rounds(problem, DiagonalSteps(1e-3, 1), Average(), x), 1)
    for node, answer in zip(problem.nodes, r.W, strict=True):
        gradient = [
            (loss(node, x + e) - loss(node, x - e)) / 2e-5 for e in 1e-5 * np.eye(x.size)
        ]  # exact for a polynomial of degree 4 up to 1e-10
        assert np.allclose(answer - x, -1e-3 * np.array(gradient), rtol=0, atol=1e-9)


@few_kinds
def test_the_euclidean_potential_gives_local_gd(name, seed):
    problem, w0 = make(name, seed)
    ours = iterates(rounds(problem, MirrorProjection(Euclidean()), MirrorAverage(Euclidean()), w0), 8)
    theirs = iterates(rounds(problem, ExactProjection(), Average(), w0), 8)
    assert relative(ours, theirs) <= 1e-9
    for start in (w0, 1e4 * w0):
        direct = bregman_projection(problem, Euclidean(), start)
        assert relative(direct.w, references.min_norm(problem, start).w) <= 1e-9


@pytest.mark.parametrize("seed", range(3))
def test_the_network_and_its_potential_agree_round_by_round(seed):
    problem, rng = sparse_problem(seed)
    w0, scale = rng.standard_normal(problem.d), rng.uniform(0.01, 1, problem.d)
    weights = [1.0, 2.0, 5.0]
    network = iterates(
        rounds(problem, DiagonalFlow(), GeometricMean(), network_start(w0, scale), weights=weights), 20
    )
    potential = Hyperbolic(scale)
    direct = iterates(
        rounds(problem, MirrorProjection(potential), MirrorAverage(potential), w0, weights=weights), 20
    )
    assert relative(network_weights(network), direct) <= 1e-10
    assert relative(network_scale(network), np.broadcast_to(scale, (20, problem.d))) <= 1e-13


def test_start_weights_and_scale_belong_together():
    rng = np.random.default_rng(0)
    w0, scale = 10 * rng.standard_normal(50), rng.uniform(1e-6, 10, 50)
    point = network_start(w0, scale)
    assert np.allclose(network_weights(point), w0, rtol=1e-12)
    assert np.allclose(network_scale(point), scale, rtol=1e-13)


@pytest.mark.parametrize("potential", [Euclidean(), Hyperbolic(0.3), Hyperbolic([0.01, 0.1, 1.0, 10.0])])
def test_potentials_are_what_they_say(potential):
    """The inverse inverts; the slope and the mirror map are derivatives; D is the definition."""
    rng = np.random.default_rng(1)
    w, x, h = rng.standard_normal(4), rng.standard_normal(4), 1e-5
    s = potential.mirror(w)
    assert np.allclose(potential.inverse(s), w, rtol=1e-13)
    assert np.allclose(
        (potential.inverse(s + h) - potential.inverse(s - h)) / (2 * h), potential.slope(s), rtol=1e-8
    )
    for move in (0.1, 1.0, 3.0):
        growth = np.abs(np.log(potential.slope(s + move) / potential.slope(s)))
        assert (growth <= potential.bend * move + 1e-14).all()
    for e in np.eye(4):
        difference = potential.conjugate(s + h * e) - potential.conjugate(s - h * e)
        assert abs(difference / (2 * h) - e @ w) <= 1e-8
    if isinstance(potential, Hyperbolic):
        a = np.asarray(potential.scale)

        def psi(z):
            return np.sum(z * np.arcsinh(z / (2 * a)) - np.sqrt(z**2 + 4 * a**2))
    else:

        def psi(z):
            return z @ z / 2

    assert abs(divergence(potential, x, w) - (psi(x) - psi(w) - s @ (x - w))) <= 1e-12


@pytest.mark.parametrize("scale", [1e-6, 1e-2, 10.0])
@pytest.mark.parametrize("seed", range(2))
def test_the_reference_passes_and_everything_near_it_fails(seed, scale):
    problem, rng = sparse_problem(seed)
    potential, w0 = Hyperbolic(scale), scale * rng.standard_normal(problem.d)
    reference = bregman_projection(problem, potential, w0)
    assert reference.certificate.ok
    moved = potential.mirror(reference.w) - potential.mirror(w0)
    assert relative(problem.pooled.X.T @ reference.multipliers, moved) <= 1e-10
    for wrong in (
        reference.w + 1e-6 * np.linalg.norm(reference.w) * rng.standard_normal(problem.d) / problem.d**0.5,
        -reference.w,
        references.min_norm(problem).w,
        bregman_projection(problem, Hyperbolic(2 * scale), w0).w if scale < 1 else 1.001 * reference.w,
    ):
        certificate = check_bregman(problem, potential, wrong, w0)
        assert not certificate.ok
        assert certificate.error_bound >= np.linalg.norm(wrong - reference.w)
    assert not check_bregman(problem, potential, reference.w, w0 + scale).ok


def test_the_interior_point_solver_agrees():
    problem, rng = sparse_problem(5)
    w0, potential = rng.standard_normal(problem.d), Hyperbolic(rng.uniform(0.05, 1, problem.d))
    closed = bregman_projection(problem, potential, w0)
    other = bregman_projection(problem, potential, w0, method="cvxpy")
    assert relative(other.w, closed.w) <= 1e-4
    assert other.certificate.error_bound >= np.linalg.norm(other.w - closed.w)


def test_small_scales_give_the_least_sum_of_absolute_values():
    problem, _ = sparse_problem(0, sizes=(5, 5, 5))
    sums = [abs(bregman_projection(problem, Hyperbolic(a)).w).sum() for a in (1.0, 1e-3, 1e-6, 1e-12)]
    assert sums == sorted(sums, reverse=True)
    assert abs(sums[-1] - 3) <= 1e-3
    euclid = references.min_norm(problem).w
    assert relative(bregman_projection(problem, Hyperbolic(1e4)).w, euclid) <= 1e-7


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda p: Hyperbolic(0.0), "scale was"),
        (lambda p: Hyperbolic([1.0, np.nan]), "scale was"),
        (lambda p: DiagonalSteps(0.1, 0), "L was"),
        (lambda p: DiagonalSteps(-0.1, 1), "eta was"),
        (lambda p: next(rounds(p, DiagonalFlow(), Average(), np.ones(p.d))), "w0 has length"),
        (lambda p: next(rounds(p, DiagonalFlow(), Average(), np.zeros(2 * p.d))), "must be positive"),
        (lambda p: next(rounds(p, DiagonalSteps(1e3, 1), Average(), np.ones(2 * p.d))), "must be smaller"),
        (lambda p: DiagonalFlow().prepare(p.row_space()[0]), "own coordinates"),
        (lambda p: DiagonalSteps(0.1, 1).prepare(p.row_space()[0]), "own coordinates"),
        (lambda p: MirrorProjection(Hyperbolic(1)).prepare(p.row_space()[0]), "own coordinates"),
        (lambda p: bregman_projection(p.row_space()[0], Hyperbolic(1)), "own coordinates"),
        (lambda p: bregman_projection(p, Hyperbolic(1), method="newton"), "method was"),
        (lambda p: bregman_projection(p, Euclidean(), method="cvxpy"), "for Hyperbolic"),
        (
            lambda p: next(rounds(p, MirrorProjection(Euclidean()), GeometricMean(), -np.ones(p.d))),
            "positive",
        ),
    ],
)
def test_wrong_use_is_refused(call, text):
    with pytest.raises(ValueError, match=text):
        call(sparse_problem(0)[0])


def test_equations_that_contradict_each_other_are_refused():
    nodes = [Node([[1.0, 0.0]], [1.0]), Node([[0.0, 1.0], [0.0, 2.0]], [1.0, 1.0])]
    for solver in (DiagonalFlow(), MirrorProjection(Euclidean())):
        with pytest.raises(ValueError, match="node 1 has inconsistent equations"):
            solver.prepare(Problem(nodes, "regression"))


def test_the_scale_counts_the_bytes_of_both_halves():
    problem, _ = sparse_problem(0)
    r = next(rounds(problem, DiagonalFlow(), Average(), np.ones(2 * problem.d)))
    assert r.bytes_up == r.bytes_down == problem.M * 2 * problem.d * 8
