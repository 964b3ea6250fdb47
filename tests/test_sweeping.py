"""`sweep` and `SweptMargin`: the path by its definition, and what a node map must be."""

from itertools import islice, pairwise

import numpy as np
import plain_margins
import pytest
from instances import close, iterates
from margin_instances import every_kind, make, tame_kinds
from scipy.integrate import solve_ivp
from scipy.optimize import nnls

from lgd_lib import Anchored, Average, ExactMargin, Node, NotSeparableError, Problem, SweptMargin, rounds
from lgd_lib.margins.least_distance import UnitRows
from lgd_lib.margins.sweeping import sweep
from lgd_lib.references import max_margin

EXAMPLE = np.array([[1.0, 0.0], [0.5, 0.3]])


def swept(Z, v, level=1.0):
    return sweep(UnitRows.of(Z), Z @ v, level)


def one_node(Z):
    return Problem([Node(Z, np.ones(len(Z)))], "classification")


def random_node(seed):
    """A separable node whose sweeps release rows often: few dimensions, acute angles."""
    rng = np.random.default_rng(seed)
    n, d = rng.integers(2, 8, size=2)
    Z = np.exp(rng.normal(0, 0.5, (n, 1))) * rng.standard_normal((n, d))
    Z[:, 0] = 0.3 + np.abs(Z[:, 0])
    return Z, 3 * rng.standard_normal((2, d))


def catching_up(Z, v, steps):
    """Moreau's scheme read aloud: project on {Z w >= sigma} for a rising sequence of levels."""
    rows, low = np.linalg.norm(Z, axis=1), (Z @ v).min()
    for level in np.linspace(low, 1.0, steps + 1)[1:]:
        gaps = (level - Z @ v) / rows
        if gaps.max() > 0:
            E = np.vstack([(Z / rows[:, None]).T, gaps / gaps.max()])
            x, _ = nnls(E, np.append(np.zeros(Z.shape[1]), 1.0))
            r = np.append(np.zeros(Z.shape[1]), 1.0) - E @ x
            v = v - gaps.max() * r[:-1] / r[-1]
    return v


def test_the_example_ends_at_the_second_row_alone():
    v = np.array([-1.0, 0.0])
    swept_point = next(rounds(one_node(EXAMPLE), SweptMargin(), Average(), v)).w
    assert close(swept_point, EXAMPLE[1] / (EXAMPLE[1] @ EXAMPLE[1]), 1e-14)
    projected = next(rounds(one_node(EXAMPLE), ExactMargin(), Average(), v)).w
    assert np.linalg.norm(projected - swept_point) > 0.5


@every_kind
def test_the_path_is_the_solution_of_the_sweeping_process(name, seed):
    """-dx/dsigma is normal to {Z w >= sigma} at x, and x stays inside: only one path does that."""
    problem, w0 = make(name, seed)
    for node in problem.nodes:
        Z = plain_margins.signed(node)
        size = np.linalg.norm(Z, axis=1)
        path = swept(Z, w0)
        scale = 1 + np.linalg.norm(w0) + np.abs(path.moves).max()
        assert path.levels[-1] == 1.0 or (Z @ w0).min() >= 1
        assert (np.diff(path.levels) >= 0).all()
        for (low, x), (high, y) in pairwise(zip(path.levels, w0 + path.moves, strict=True)):
            assert ((Z @ y - high) / size).min() >= -1e-9 * scale
            slack = ((Z @ (x + y) / 2) - (low + high) / 2) / size
            tight = slack <= 1e-9 * scale
            assert nnls(Z[tight].T / size[tight], y - x, maxiter=10_000)[1] <= 1e-9 * scale
        assert path.multipliers.min() >= 0
        assert np.linalg.norm(path.multipliers @ Z - path.moves[-1]) <= 1e-9 * scale


@pytest.mark.parametrize("seed", range(12))
def test_catching_up_tends_to_the_path(seed):
    """Each event costs at most one level step times the jump of the speed; nothing grows afterwards."""
    Z, (v, _) = random_node(seed)
    path = swept(Z, v)
    speeds = np.diff(path.moves, axis=0) / np.diff(path.levels)[:, None]
    jumps = np.linalg.norm(np.diff(speeds, axis=0), axis=1).sum()
    for steps in (200, 2000):
        error = np.linalg.norm(catching_up(Z, v, steps) - v - path.moves[-1])
        assert error <= np.ptp(path.levels) / steps * jumps + 1e-11


@pytest.mark.parametrize("seed", range(8))
def test_gradient_flow_tends_to_the_path_within_the_proved_bound(seed):
    """||w(H) - ln H S(v)||^2 <= R^2 + 2 (1 - sigma_0) ln H (1/e + max(0, ln(N / gamma^2)) / gamma^2)."""
    Z, (v, _) = random_node(seed)
    gamma, R = 1 / np.linalg.norm(max_margin(one_node(Z)).w), np.linalg.norm(Z, axis=1).max()
    end, low, n = v + swept(Z, v).moves[-1], (Z @ v).min(), len(Z)
    for ln_H in (20.0, 100.0, 300.0):

        def push(t, w, Z=Z):
            return np.exp(np.minimum(t - Z @ w, 60)) / n

        run = solve_ivp(
            lambda t, w: push(t, w) @ Z,
            (low * ln_H - 12, ln_H),
            ln_H * v,
            method="LSODA",
            jac=lambda t, w: -(Z.T * push(t, w)) @ Z,
            rtol=1e-8,
            atol=1e-8,
        )
        gap = np.linalg.norm(run.y[:, -1] - ln_H * end)
        rate = 1 / np.e + max(0.0, np.log(n / gamma**2)) / gamma**2
        assert gap**2 <= R**2 + 2 * max(1 - low, 0) * ln_H * rate
        assert gap / ln_H <= 0.35 * np.linalg.norm(end - v) or ln_H < 300


@pytest.mark.parametrize("seed", range(40))
def test_the_node_map_is_nonexpansive_and_strictly_fejer(seed):
    Z, (v, u) = random_node(seed)
    ends = [x + swept(Z, x).moves[-1] for x in (v, u)]
    assert np.linalg.norm(ends[0] - ends[1]) <= np.linalg.norm(v - u) * (1 + 1e-12)
    inside = plain_margins.project(Z, u)
    path = swept(Z, v)
    speeds = np.diff(path.moves, axis=0) / np.diff(path.levels)[:, None]
    areas = np.diff(-((1 - path.levels) ** 2)) / 2
    gain = 2 * np.sum(areas * (speeds**2).sum(axis=1))
    before, after = np.sum((v - inside) ** 2), np.sum((ends[0] - inside) ** 2)
    assert after <= before - gain + 1e-10 * (1 + before)
    assert gain >= max(1 - (Z @ v).min(), 0) ** 2 / (Z**2).sum(axis=1).max() * (1 - 1e-12)
    assert (np.diff((speeds**2).sum(axis=1)) >= -1e-9).all()


@pytest.mark.parametrize("seed", range(40))
def test_it_is_the_projection_where_no_row_that_pushed_is_released(seed):
    Z, (v, _) = random_node(seed)
    path = swept(Z, v)
    end = v + path.moves[-1]
    slack = (Z @ end - 1)[path.multipliers > 1e-9]
    if slack.size == 0 or slack.max() <= 1e-9:
        assert close(end, plain_margins.project(Z, v), 1e-9)


def test_both_cases_occur_among_those_tried():
    released = 0
    for seed in range(40):
        Z, (v, _) = random_node(seed)
        path = swept(Z, v)
        released += bool(((Z @ (v + path.moves[-1]) - 1)[path.multipliers > 1e-9] > 1e-6).any())
    assert 5 <= released <= 35


def test_one_sample_a_node_is_the_parallel_projection_method():
    rng = np.random.default_rng(0)
    problem = Problem([Node(rng.standard_normal((1, 9)), [1.0]) for _ in range(5)], "classification")
    w0 = rng.standard_normal(9)
    runs = [iterates(rounds(problem, s, Average(), w0), 30) for s in (SweptMargin(), ExactMargin())]
    assert close(*runs, 1e-13)


@tame_kinds
def test_averages_end_where_all_data_are_separated(name, seed):
    problem, w0 = make(name, seed)
    Z = plain_margins.all_signed(problem)
    gamma = 1 / np.linalg.norm(max_margin(problem).w)
    rate = np.sqrt(1 - gamma**2 / (problem.M * (Z**2).sum(axis=1).max()))
    K = min(3000, int(np.log(1e-5) / np.log(rate)) + 1)
    w = next(islice(rounds(problem, SweptMargin(), Average(), w0), K - 1, None)).w
    start = np.linalg.norm(plain_margins.project(Z, w0) - w0)
    assert np.linalg.norm(plain_margins.project(Z, w) - w) <= rate**K * start + 1e-9


def test_the_anchored_average_still_has_the_max_margin_as_its_limit():
    Zs = [np.array([[1.0, 0.0], [0.5, 0.3]]), np.array([[-0.2, 1.0], [0.4, 0.6]])]
    problem = Problem([Node(Z, np.ones(2)) for Z in Zs], "classification")
    truth = max_margin(problem).w
    errors = [
        np.linalg.norm(r.w - truth) for r in islice(rounds(problem, SweptMargin(), Anchored(), [0, 0]), 2000)
    ]
    assert errors[-1] <= 5e-3 * np.linalg.norm(truth)
    assert errors[-1] <= 0.6 * errors[999]


@pytest.mark.parametrize("copies", [0.0, 1e-15, 1e-10])
def test_duplicates_change_nothing(copies):
    rng = np.random.default_rng(1)
    Z, (v, _) = random_node(5)
    more = np.vstack([Z, Z[::-1] * (1 + copies * rng.standard_normal((len(Z), 1)))])
    assert close(swept(more, v).moves[-1], swept(Z, v).moves[-1], 1e-8 + 100 * copies)


def test_row_space_answers_bytes_and_memory():
    problem, w0 = make("plain", 0)
    small, u0, lift = problem.row_space(w0)
    run = zip(
        rounds(problem, SweptMargin(), Average(), w0),
        rounds(small, SweptMargin(), Average(), u0),
        strict=True,
    )
    for full, inside in islice(run, 10):
        assert close(lift(inside.w), full.w)
        assert close(full.W.mean(axis=0), full.w)
        assert full.bytes_up == inside.bytes_up == 8 * problem.M * problem.d
        assert np.isinf(full.local_steps).all()
        assert full.state.memory == {}


def test_levels_between_events_are_read_off_the_path():
    path = swept(EXAMPLE, np.array([-1.0, 0.0]))
    assert path.at(np.array([-1.0, -0.5, 0.0])) == pytest.approx(np.array([[0, 0], [0.5, 0], [1, 0]]))


def test_a_point_inside_stays_and_a_node_that_cannot_be_is_refused():
    assert np.array_equal(next(rounds(one_node(EXAMPLE), SweptMargin(), Average(), [9.0, 9.0])).w, [9, 9])
    assert swept(np.array([[1.0], [-1.0]]), np.zeros(1)) is None
    with pytest.raises(NotSeparableError, match="the data of node 0 is not separable"):
        rounds(one_node(np.array([[1.0], [-1.0]])), SweptMargin(), Average(), [0.0])
    with pytest.raises(ValueError, match="task 'regression'"):
        rounds(Problem([Node([[1.0]], [1.0])], "regression"), SweptMargin(), Average(), [0.0])
