"""What unequal treatment leaves behind: mean shares, constants, and how they are refused."""

import math
from itertools import combinations

import numpy as np
import pytest

from lgd_lib import Bernoulli, Node, NotSeparableError, Problem, Subset
from lgd_lib.references import max_margin
from lgd_lib.theory import margin_offsets, mean_shares


def gaussian(seed: int, M: int = 3, N_i: int = 2, d: int = 12) -> Problem:
    rng = np.random.default_rng(seed)
    labels = rng.choice([-1.0, 1.0], (M, N_i))
    return Problem([Node(rng.standard_normal((N_i, d)), y) for y in labels], "classification")


def signed(problem: Problem) -> np.ndarray:
    return problem.pooled.y[:, None] * problem.pooled.X


def test_shares_of_all_nodes_are_the_weights_and_equal_ones_stay_equal() -> None:
    assert mean_shares(3, (1, 2, 5)) == pytest.approx([1 / 8, 2 / 8, 5 / 8])
    assert mean_shares(5, None, Subset(2)) == pytest.approx([0.2] * 5)


def test_shares_of_subsets_are_means_over_all_of_them() -> None:
    p = np.array([1.0, 2.0, 5.0, 0.5])
    sets = list(combinations(range(4), 2))
    plain = [sum(p[i] / p[list(S)].sum() for S in sets if i in S) / len(sets) for i in range(4)]
    assert mean_shares(4, p, Subset(2)) == pytest.approx(plain)


def test_shares_of_independent_nodes_agree_with_many_draws_and_count_empty_rounds() -> None:
    p, q = np.array([1.0, 2.0, 5.0]), (0.1, 0.5, 0.3)
    shares = mean_shares(3, p, Bernoulli(q))
    assert shares.sum() == pytest.approx(1 - 0.9 * 0.5 * 0.7)
    there = np.random.default_rng(0).random((200_000, 3)) < q
    total = there @ p
    drawn = np.where(there, p, 0.0)[total > 0] / total[total > 0, None]
    assert drawn.sum(axis=0) / 200_000 == pytest.approx(shares, abs=5 * 0.5 / math.sqrt(200_000))


def test_shares_refuse_what_they_cannot_know() -> None:
    with pytest.raises(TypeError, match="participation was"):
        mean_shares(2, None, lambda k, M, rng: np.arange(M))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="M was 40"):
        mean_shares(40, None, Bernoulli(0.5))
    with pytest.raises(ValueError, match="weights"):
        mean_shares(2, (1, 2, 3))


@pytest.mark.parametrize("seed", range(4))
def test_offsets_balance_a_round_against_the_growth_of_w_mm(seed: int) -> None:
    """sum_j (c_i / N_i) exp(-values_j) z_j = w_mm: a late round moves w by w_mm / k."""
    problem = gaussian(seed)
    L, eta, shares = (3, 10, 1), (0.5, 1.0, 2.0), (0.2, 0.5, 0.3)
    found = margin_offsets(problem, L, eta, shares)
    work = np.repeat(np.array(L) * eta * np.array(shares) / problem.sizes, problem.sizes)
    w_mm = max_margin(problem).w
    pull = np.where(found.support, work * np.exp(-np.nan_to_num(found.values)), 0.0)
    assert np.linalg.norm(pull @ signed(problem) - w_mm) < 1e-9 * np.linalg.norm(w_mm)
    assert np.isnan(found.values[~found.support]).all()
    assert signed(problem)[found.support] @ found.remainder == pytest.approx(found.values[found.support])


@pytest.mark.parametrize("seed", range(4))
def test_the_exponent_is_the_slowest_of_three(seed: int) -> None:
    problem = gaussian(seed)
    reference, found = max_margin(problem), margin_offsets(problem, 1, 1.0)
    Z, mu, S = signed(problem), reference.multipliers, found.support
    slopes = np.linalg.eigvals((Z[S] @ Z[S].T) * mu[S]).real
    gaps = Z[~S] @ reference.w - 1
    assert found.exponent == pytest.approx(min(1.0, slopes.min(), *gaps), rel=1e-6)
    assert np.abs(slopes - 1).min() < 1e-9, "the all-ones vector is an eigenvector with eigenvalue 1"


def test_twice_the_work_adds_ln_2_to_the_margins_of_that_node() -> None:
    problem = gaussian(1)
    plain, more = margin_offsets(problem, 5, 1.0), margin_offsets(problem, (5, 10, 5), 1.0)
    S = plain.support
    expected = np.repeat([0.0, math.log(2), 0.0], problem.sizes)
    assert more.values[S] - plain.values[S] == pytest.approx(expected[S])


def test_bad_input() -> None:
    problem = gaussian(0)
    with pytest.raises(ValueError, match=r"shares was \(0.5, 0.5, 0.0\); for every node"):
        margin_offsets(problem, 1, 1.0, (0.5, 0.5, 0.0))
    for L in (0, -1, 2.5, math.nan):
        with pytest.raises(ValueError, match=r"L was .*whole numbers of steps"):
            margin_offsets(problem, L, 1.0)
    for eta in (0, -1.0, math.nan, math.inf):
        with pytest.raises(ValueError, match=r"eta was .*positive and finite"):
            margin_offsets(problem, 1, eta)
    with pytest.raises(ValueError, match="M was 0; it must be a whole number"):
        mean_shares(0)
    with pytest.raises(ValueError, match="shares has shape"):
        margin_offsets(problem, 1, 1.0, (0.5, 0.5))
    with pytest.raises(NotSeparableError):
        margin_offsets(Problem([Node([[1.0], [1.0]], [1.0, -1.0])], "classification"), 1, 1.0)
    twice = Problem([Node([[1.0, 0.0]], [1.0]), Node([[1.0, 0.0]], [1.0])], "classification")
    with pytest.raises(ValueError, match="linearly independent"):
        margin_offsets(twice, 1, 1.0)
