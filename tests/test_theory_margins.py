"""Predictions about averaged projections: bounds that hold on random problems, sharp where they can be."""

from itertools import islice

import numpy as np
import pytest

from lgd_lib import Anchored, Average, ExactMargin, Node, NotSeparableError, Problem, rounds
from lgd_lib.references import max_margin, project_feasible
from lgd_lib.theory import anchored_errors, projection_rate, unit_margin


def gaussian(seed: int, M: int = 3, N_i: int = 4, d: int = 15) -> Problem:
    rng = np.random.default_rng(seed)
    scale = np.exp(rng.normal(size=(M, N_i, 1)))
    labels = rng.choice([-1.0, 1.0], (M, N_i))
    return Problem(
        [Node(s * rng.standard_normal((N_i, d)), y) for s, y in zip(scale, labels, strict=True)],
        "classification",
    )


def distance(problem: Problem, w: np.ndarray) -> float:
    return float(np.linalg.norm(project_feasible(problem, w).w - w))


@pytest.mark.parametrize("seed", range(4))
def test_unit_margin_is_attained_and_cannot_be_beaten(seed: int) -> None:
    problem = gaussian(seed)
    Z = problem.pooled.y[:, None] * problem.pooled.X
    rows = Z / np.linalg.norm(Z, axis=1, keepdims=True)
    scaled = max_margin(Problem([Node(rows, np.ones(len(rows)))], "classification"))
    u = scaled.w / np.linalg.norm(scaled.w)
    assert (rows @ u).min() == pytest.approx(unit_margin(problem), rel=1e-12)
    # A convex combination of the rows is at least as long as any margin.
    share = scaled.multipliers / scaled.multipliers.sum()
    assert np.linalg.norm(share @ rows) == pytest.approx(unit_margin(problem), rel=1e-12)


def test_unit_margin_ignores_the_lengths_of_samples() -> None:
    problem = gaussian(0)
    longer = Problem([Node(1e3 * node.X, node.y) for node in problem.nodes], "classification")
    assert unit_margin(longer) == pytest.approx(unit_margin(problem), rel=1e-12)
    assert unit_margin(Problem([Node([[3.0, 4.0]], [-1.0])], "classification")) == pytest.approx(1.0)


@pytest.mark.parametrize("weights", [None, (1.0, 2.0, 5.0)])
def test_every_round_shrinks_the_distance_by_the_rate(weights: tuple[float, ...] | None) -> None:
    for seed in range(3):
        problem = gaussian(seed)
        start = 3 * np.random.default_rng(seed).standard_normal(problem.d)
        run = rounds(problem, ExactMargin(), Average(), start, weights=weights)
        left = np.array([distance(problem, w) for w in (start, *(r.w for r in islice(run, 25)))])
        shrunk = left[1:][left[:-1] > 1e-6] / left[:-1][left[:-1] > 1e-6]
        assert shrunk.size > 3
        assert shrunk.max() <= projection_rate(problem, weights) + 1e-9
    equal = projection_rate(problem)
    assert projection_rate(problem, (1, 1, 8)) > equal


def test_one_node_with_one_sample_needs_one_round() -> None:
    assert projection_rate(Problem([Node([[0.0, 2.0]], [1.0])], "classification")) < 1e-7


@pytest.mark.parametrize("weights", [None, (1.0, 2.0, 5.0)])
def test_the_anchored_average_stays_within_its_bound(weights: tuple[float, ...] | None) -> None:
    for seed in range(3):
        problem = gaussian(seed)
        start = np.random.default_rng(seed).standard_normal(problem.d) * seed
        limit = project_feasible(problem, start).w
        run = rounds(problem, ExactMargin(), Anchored(), start, weights=weights)
        errors = np.array([np.linalg.norm(r.w - limit) for r in islice(run, 200)])
        bound = anchored_errors(problem, 200, weights) * np.linalg.norm(start - limit)
        assert (errors <= bound * (1 + 1e-12)).all()


def test_the_anchored_bound_at_its_first_round() -> None:
    # w^1 = P_C(0) / 2 for one sample: half the distance is left, and the bound is sqrt(2) / 2.
    problem = Problem([Node([[2.0]], [1.0])], "classification")
    np.testing.assert_allclose(anchored_errors(problem, 4) ** 2 * np.arange(2, 6), 1.0)


def test_data_that_nothing_separates_are_refused() -> None:
    with pytest.raises(NotSeparableError, match="separable"):
        unit_margin(Problem([Node([[1.0], [1.0]], [1.0, -1.0])], "classification"))
    with pytest.raises(ValueError, match="weights"):
        projection_rate(gaussian(0), (1.0, 2.0))
