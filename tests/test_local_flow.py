"""`LocalFlow`: the closed form against decimal arithmetic, against steps, and what it refuses."""

import math
from decimal import Decimal, localcontext
from itertools import islice

import numpy as np
import plain_margins
import pytest
from instances import close, iterates

from lgd_lib import Average, GradientSteps, LocalFlow, Node, Problem, Subset, rounds


def single(M, d, seed, scale=1.0):
    """One sample a node, of lengths far apart."""
    rng = np.random.default_rng(seed)
    sizes = scale * np.exp(rng.normal(0, 1, M))
    rows = sizes[:, None] * rng.standard_normal((M, d))
    return Problem([Node(x[None], rng.choice([-1.0, 1.0], 1)) for x in rows], "classification")


def orthogonal(sizes, d, seed):
    """Nodes whose samples are orthogonal to each other, not to those of other nodes."""
    rng = np.random.default_rng(seed)
    nodes = []
    for n in sizes:
        Q = np.linalg.qr(rng.standard_normal((d, n)))[0].T
        nodes.append(Node(np.exp(rng.normal(0, 1, (n, 1))) * Q, rng.choice([-1.0, 1.0], n)))
    return Problem(nodes, "classification")


def read_aloud(node, w, ln_H):
    """m <- ln(e^m + ||z||^2 H / N), one row after the other, in 60 decimal digits."""
    Z = plain_margins.signed(node)
    moved = w.copy()
    with localcontext() as context:
        context.prec, context.Emax, context.Emin = 60, 10**12, -(10**12)
        for z in Z:
            m = float(z @ w)
            square = sum(Decimal(x) ** 2 for x in z)
            after = (Decimal(m).exp() + square * Decimal(ln_H).exp() / len(Z)).ln()
            moved = moved + float((after - Decimal(m)) / square) * z
    return moved


@pytest.mark.parametrize("ln_H", [-30.0, 0.0, 2.3, 138.0, 1000.0, 1e5])
@pytest.mark.parametrize("make", [lambda s: single(4, 6, s), lambda s: orthogonal((1, 3, 2), 7, s)])
def test_rounds_are_the_formula_read_aloud(ln_H, make):
    problem, p = make(0), None
    w = 3 * np.random.default_rng(1).standard_normal(problem.d)
    for r in islice(rounds(problem, LocalFlow(ln_H), Average(), w), 4):
        expected = [read_aloud(node, w, ln_H) for node in problem.nodes]
        assert close(r.W, expected, 1e-13)
        assert close(r.w, np.mean(expected, axis=0), 1e-13)
        w, p = r.w, r
    assert np.isinf(p.local_steps).all()


@pytest.mark.parametrize("margin", [1e6, 700.0, -700.0, -1e6])
def test_margins_far_out_lose_no_digits(margin):
    problem = Problem([Node([[2.0, 0.0]], [1.0])], "classification")
    w = np.array([margin / 2, 1.0])
    for ln_H in (0.0, 700.0, 1e6, 1e6 + 1):
        found = next(rounds(problem, LocalFlow(ln_H), Average(), w)).w
        assert close(found, read_aloud(problem.nodes[0], w, ln_H), 1e-14)


def test_two_flows_are_one_of_both_times():
    problem = Problem([orthogonal((3,), 5, 2).nodes[0]], "classification")
    short = iterates(rounds(problem, LocalFlow(1.5), Average(), np.ones(5)), 2)[-1]
    long = next(rounds(problem, LocalFlow(1.5 + math.log(2)), Average(), np.ones(5))).w
    assert close(short, long, 1e-14)


@pytest.mark.parametrize("seed", range(3))
def test_it_is_what_gradient_steps_tend_to(seed):
    problem = orthogonal((2, 1, 3), 6, seed)
    H, w = 2.0, np.random.default_rng(seed).standard_normal(6)
    limit = next(rounds(problem, LocalFlow(math.log(H)), Average(), w)).W
    gaps = []
    for L in (20_000, 40_000):
        steps = GradientSteps(H / L, L, "exponential")
        gaps.append(np.linalg.norm(next(rounds(problem, steps, Average(), w)).W - limit))
    assert gaps[0] <= 0.05 * np.linalg.norm(limit - w)
    assert gaps[1] == pytest.approx(gaps[0] / 2, rel=0.02)


def test_each_node_may_have_its_own_time_and_its_own_weight():
    problem = single(3, 5, 4)
    w, times, p = np.ones(5), (0.5, 7.0, 300.0), np.array([1.0, 2.0, 5.0])
    r = next(rounds(problem, LocalFlow(times), Average(), w, weights=p))
    expected = np.array([read_aloud(n, w, t) for n, t in zip(problem.nodes, times, strict=True)])
    assert close(r.W, expected, 1e-13)
    assert close(r.w, p / p.sum() @ expected, 1e-13)


def test_only_the_active_nodes_answer():
    problem = orthogonal((2, 1, 3, 1), 8, 0)
    run = rounds(problem, LocalFlow(5.0), Average(), np.ones(8), participation=Subset(2), seed=3)
    for r in islice(run, 12):
        expected = [read_aloud(problem.nodes[i], r.sent, 5.0) for i in r.active]
        assert close(r.W, expected, 1e-13)
        assert close(r.w, np.mean(expected, axis=0), 1e-13)


def test_the_row_space_is_the_full_space():
    problem = orthogonal((2, 1, 3), 40, 0)
    w0 = np.random.default_rng(0).standard_normal(40)
    small, u0, lift = problem.row_space(w0)
    run = zip(
        rounds(problem, LocalFlow(50.0), Average(), w0),
        rounds(small, LocalFlow(50.0), Average(), u0),
        strict=True,
    )
    for full, inside in islice(run, 20):
        assert close(lift(inside.w), full.w)
        assert full.bytes_up == inside.bytes_up == 8 * 3 * 40


def test_a_continued_run_has_the_same_bits():
    problem = single(3, 4, 0)
    whole = list(islice(rounds(problem, LocalFlow(20.0), Average(), np.zeros(4)), 9))
    rest = islice(rounds(problem, LocalFlow(20.0), Average(), np.zeros(4), state=whole[4].state), 4)
    assert all(np.array_equal(a.w, b.w) for a, b in zip(rest, whole[5:], strict=True))


@pytest.mark.parametrize("ln_H", [math.inf, math.nan, -math.inf, "ten", True, (1.0, math.nan)])
def test_a_time_that_is_none_is_refused(ln_H):
    with pytest.raises(ValueError, match=r"ln_H was .*; it must be finite"):
        LocalFlow(ln_H)


def test_nodes_that_it_cannot_solve_are_refused_with_a_way_out():
    acute = Node([[1.0, 0.0], [0.5, 0.3]], [1.0, 1.0])
    fine = Node([[1.0, 0.0]], [1.0])
    with pytest.raises(ValueError, match=r"nodes\[1\] has the samples 0 and 1 .*GradientSteps"):
        rounds(Problem([fine, acute], "classification"), LocalFlow(1.0), Average(), [0, 0])
    with pytest.raises(ValueError, match="ln_H has shape"):
        rounds(Problem([fine, fine], "classification"), LocalFlow([1.0, 2.0, 3.0]), Average(), [0, 0])
    with pytest.raises(ValueError, match="task 'regression'"):
        rounds(Problem([fine], "regression"), LocalFlow(1.0), Average(), [0, 0])
    with pytest.raises(ValueError, match="zero row"):
        rounds(Problem([Node([[0.0]], [1.0])], "classification"), LocalFlow(1.0), Average(), [0])
    with pytest.raises(ValueError, match="w0 has length 3"):
        rounds(Problem([fine], "classification"), LocalFlow(1.0), Average(), [0, 0, 0])
