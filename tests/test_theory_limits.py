"""What is predicted of many rounds of very long local runs, over twenty orders of magnitude and more of H."""

import math
from itertools import islice

import numpy as np
import pytest
from scipy.optimize import nnls

from lgd_lib import Average, ExactMargin, GradientSteps, LocalFlow, Node, Problem, rounds
from lgd_lib.references import max_margin
from lgd_lib.theory import (
    beyond_leading,
    departure,
    halving_level,
    late_offset,
    late_rounds,
    projection_rate,
)

PAIR = [[3.0, 0.0], [0.3, math.sqrt(0.91)]]
TEN = math.log(10)


def one_each(Z):
    return Problem([Node([z], [1.0]) for z in Z], "classification")


def gaussian(seed, M=5, d=7):
    """Samples of different lengths, most of them at acute angles: there the bias is large."""
    rng = np.random.default_rng(seed)
    Z = rng.standard_normal((M, d))
    Z[:, 0] = np.abs(Z[:, 0]) + 1
    return one_each(np.exp(rng.normal(0, 0.7, (M, 1))) * Z)


def signed(problem):
    return problem.pooled.y[:, None] * problem.pooled.X


PROBLEMS = {"pair": one_each(PAIR)} | {f"gaussian {s}": gaussian(s) for s in range(3)}
every_problem = pytest.mark.parametrize("name", PROBLEMS)


def last(problem, solver, K):
    return next(islice(rounds(problem, solver, Average(), np.zeros(problem.d)), K - 1, None)).w


def plateau_of(problem):
    return last(problem, ExactMargin(), 3000)


def shadow(problem):
    """ln(H k) w_mm + offset, and the sum over all rounds of what a round of it errs, at most."""
    Z, best, M = signed(problem), max_margin(problem), problem.M
    w, mu, length = best.w, best.multipliers, np.linalg.norm(signed(problem), axis=1)
    offset, tight = late_offset(problem), best.multipliers > 1e-9
    extra = (Z @ w - 1)[~tight]
    near = math.pi**2 / 12 * (np.linalg.norm(w) + M * np.sum(mu[tight] ** 2 * length[tight] ** 3))

    def errors(ln_H):
        far = length[~tight] * np.exp(-Z[~tight] @ offset - extra * ln_H) * (1 + 1 / extra) / M
        return near + far.sum()

    return w, offset, errors


@every_problem
@pytest.mark.parametrize("tens", [0.0, 1.3, 7.7, 43.0, 290.0])
def test_no_round_moves_away_from_the_shadow_by_more_than_it_errs(name, tens):
    problem, ln_H = PROBLEMS[name], tens * TEN
    w_mm, offset, errors = shadow(problem)
    run = islice(rounds(problem, LocalFlow(ln_H), Average(), np.zeros(problem.d)), 2000)
    gaps = np.array([np.linalg.norm(r.w - (ln_H + math.log(r.k + 1)) * w_mm - offset) for r in run])
    assert gaps.max() <= gaps[0] + errors(ln_H)
    assert np.maximum(np.diff(gaps), 0).sum() <= errors(ln_H)


@every_problem
@pytest.mark.parametrize("tens", [3.0, 17.0, 33.0, 81.0, 250.0])
def test_the_bias_falls_below_its_bound(name, tens):
    """The theorem, with every constant: rounds 1 to 1,000, and the path of those up to H^3."""
    problem, ln_H = PROBLEMS[name], tens * TEN
    w_mm, offset, errors = shadow(problem)
    length, bias = np.linalg.norm(w_mm), np.linalg.norm(plateau_of(problem) - w_mm)
    norms, rho = np.linalg.norm(signed(problem), axis=1), projection_rate(problem)
    slack = np.mean((math.log(2) + 2 * np.abs(np.log(norms))) / norms)
    run = [r.w for r in islice(rounds(problem, LocalFlow(ln_H), Average(), np.zeros(problem.d)), 1000)]
    ln_k = np.append(np.log(np.arange(1, 1001)), np.linspace(math.log(1000), 3 * ln_H, 40))
    w = np.vstack([run, late_rounds(problem, ln_H, run[-1], 1000, ln_k[1000:])])
    found = np.linalg.norm(w - (ln_H + ln_k)[:, None] * w_mm, axis=1)
    for j in (1, 10, 30, 100):
        rest = ln_H * 2 * rho**j * length + j * slack + math.log(j) * length + 2 * np.linalg.norm(offset)
        assert found[j - 1 :].max() <= ln_H * bias + rest + errors(ln_H)


@every_problem
def test_the_path_is_followed_as_well_as_it_says(name):
    problem, ln_H = PROBLEMS[name], 2.0
    run = [r.w for r in islice(rounds(problem, LocalFlow(ln_H), Average(), np.zeros(problem.d)), 20_000)]
    end = math.log(20_000)
    for k in (20, 200, 2000):
        gap = np.linalg.norm(late_rounds(problem, ln_H, run[k - 1], k, [end])[0] - run[-1])
        assert gap <= np.linalg.norm(max_margin(problem).w) / k + 1e-7 * np.linalg.norm(run[-1])


@every_problem
def test_the_departure_is_known_up_to_a_constant_that_does_not_grow_with_H(name):
    """w^k - ln H x(sigma) is the same at all large H: the prediction's error is exactly of order 1 / ln H."""
    problem = PROBLEMS[name]
    plateau, levels = plateau_of(problem), np.array([1.4, 1.7, 2.0, 2.5, 4.0])
    w = {}
    for tens in (13, 47, 111, 280):
        ln_H = tens * TEN
        start = last(problem, LocalFlow(ln_H), 1000)
        w[tens] = late_rounds(problem, ln_H, start, 1000, (levels - 1) * ln_H)
        w[tens] = w[tens] - ln_H * levels[:, None] * departure(problem, plateau, levels)
    size = np.linalg.norm(w[280], axis=1)
    assert np.linalg.norm(w[13], axis=1).max() <= 1.5 * size.max()
    assert np.linalg.norm(w[111] - w[280], axis=1).max() <= 0.1 * size.max()


@pytest.mark.parametrize("tens", [2.0, 2.7, 3.4, 4.0])
def test_the_crossover_with_every_round_made(tens):
    problem, ln_H = PROBLEMS["pair"], tens * TEN
    plateau = plateau_of(problem)
    w = last(problem, LocalFlow(ln_H), round(10**tens))
    predicted = departure(problem, plateau, [2.0])[0]
    assert np.linalg.norm(w / (2 * ln_H) - predicted) <= np.linalg.norm(late_offset(problem)) / (2 * ln_H)


@every_problem
@pytest.mark.parametrize("share", [0.5, 0.7])
def test_the_round_of_halving_is_as_predicted(name, share):
    problem = PROBLEMS[name]
    plateau, w_mm = plateau_of(problem), max_margin(problem).w
    bias = np.linalg.norm(plateau - w_mm)
    assert bias > 0.05 * np.linalg.norm(w_mm)
    level = halving_level(problem, plateau, share)
    assert 1 < level <= 1 / share
    assert np.linalg.norm(departure(problem, plateau, [level])[0] - w_mm) == pytest.approx(share * bias)
    misses = []
    for tens in (29, 87, 261):
        ln_H = tens * TEN
        w = late_rounds(problem, ln_H, last(problem, LocalFlow(ln_H), 100), 100, [(level - 1) * ln_H])[0]
        misses.append(abs(np.linalg.norm(w / (level * ln_H) - w_mm) / bias - share))
    assert misses[1] <= 0.45 * misses[0]
    assert misses[2] <= 0.45 * misses[1]


@pytest.mark.parametrize("seed", range(6))
def test_the_departure_obeys_its_bound_and_its_definition(seed):
    problem = gaussian(seed, M=6, d=4)
    Z, w_mm = signed(problem), max_margin(problem).w
    plateau = plateau_of(problem)
    levels = np.linspace(1, 9, 200)
    x = departure(problem, plateau, levels) * levels[:, None]
    gaps = np.linalg.norm(x - levels[:, None] * w_mm, axis=1)
    assert (np.diff(gaps) <= 1e-10).all()
    assert (x @ Z.T - levels[:, None]).min() >= -1e-9
    for a, b, level in zip(x, x[1:], levels[1:], strict=False):
        tight = Z @ b <= level + 1e-9
        assert nnls(Z[tight].T, b - a)[1] <= 1e-9


@pytest.mark.parametrize("weights", [None, (1.0, 2.0, 5.0)])
def test_the_offset_balances_the_pushes_of_the_support_vectors(weights):
    rng = np.random.default_rng(0)
    nodes = [Node(rng.standard_normal((n, 60)) / 4, rng.choice([-1.0, 1.0], n)) for n in (4, 1, 2)]
    problem = Problem(nodes, "classification")
    best, offset = max_margin(problem), late_offset(problem, weights)
    Z, p = signed(problem), np.array(weights or (1, 1, 1)) / np.sum(weights or 3)
    push = np.repeat(p / [4, 1, 2], [4, 1, 2]) * np.exp(-Z @ offset) * (best.multipliers > 1e-9)
    assert push @ Z == pytest.approx(best.w, abs=1e-10)
    # From a point of the path at time T the run stays on it, up to terms of the order 1 / T.
    gaps = []
    for T in (1e3, 1e4):
        start = math.log(T) * best.w + offset
        run = rounds(problem, GradientSteps(0.1, 5, "logistic"), Average(), start, weights=weights)
        w = next(islice(run, round(T) - 1, None)).w
        gaps.append(np.linalg.norm(w - math.log(1.5 * T) * best.w - offset))
        assert gaps[-1] <= 0.01 * np.linalg.norm(w - start)
    assert gaps[1] <= 0.15 * gaps[0]


def test_what_does_not_fit_is_refused():
    problem = PROBLEMS["pair"]
    with pytest.raises(ValueError, match=r"levels has the entry 0.5"):
        departure(problem, [1.0, 1.0], [2.0, 0.5])
    with pytest.raises(ValueError, match="plateau has length 3"):
        departure(problem, [1.0, 1.0, 1.0], [2.0])
    for share in (0.0, 1.0, -1.0):
        with pytest.raises(ValueError, match="share was"):
            halving_level(problem, [1.0, 1.0], share)
    with pytest.raises(ValueError, match="share was 'a'; it must be a number"):
        halving_level(problem, [1.0, 1.0], "a")
    with pytest.raises(ValueError, match=r"plateau gives sample 0 .* the margin 0; every margin"):
        departure(problem, [0.0, 0.0], [1.0])
    for times in ([1.0], [], [5.0, 4.0]):
        with pytest.raises(ValueError, match="ln_rounds was"):
            late_rounds(problem, 2.0, [1.0, 1.0], 10, times)
    for k in (0.5, 0, -1, math.inf, math.nan, "5"):
        with pytest.raises(ValueError, match=r"^k was"):
            late_rounds(problem, 2.0, [1.0, 1.0], k, [5.0])
    for levels in ([1.0], [], [3.0, 2.0]):
        with pytest.raises(ValueError, match=r"^levels was .* they must ascend from 1\.0"):
            beyond_leading(problem, max_margin(problem).w, 300.0, levels)
    twice = one_each([[1.0, 0.0], [1.0, 0.0]])
    with pytest.raises(ValueError, match="linearly independent"):
        late_offset(twice)
    assert halving_level(problem, max_margin(problem).w) == 1.0


@pytest.mark.parametrize("number", [6, 15, 18])
@pytest.mark.parametrize("tens", [300, 600, 1000, 3000])
def test_the_path_is_followed_for_any_local_time(number, tens):
    rng = np.random.default_rng([99, number])
    M, d = rng.integers(2, 7), rng.integers(2, 5)
    Z = rng.standard_normal((M, d))
    Z[:, 0] = np.abs(Z[:, 0]) + 0.5
    problem = one_each(Z * np.exp(rng.normal(0, 0.7, (M, 1))))
    plateau = last(problem, ExactMargin(), 3000)
    levels = np.array([1.2, 1.5, 2.0, 2.5])
    at_100 = beyond_leading(problem, plateau, 100 * math.log(10), levels)
    assert beyond_leading(problem, plateau, tens * math.log(10), levels) == pytest.approx(at_100, rel=0.1)


def test_a_wrong_leading_order_is_left_behind_by_ln_H():
    problem, wrong = PROBLEMS["pair"], 1.01 * max_margin(PROBLEMS["pair"]).w
    far = [beyond_leading(problem, wrong, tens * math.log(10), [1.2])[0] for tens in (100, 1000)]
    assert far[1] > 5 * far[0]
