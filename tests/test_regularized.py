"""`lgd_lib.regularized`: the local problem against SciPy, closed forms, and its own optimality conditions."""

import math
from itertools import islice

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import wrightomega

from lgd_lib import Average, ExactMargin, Node, NotSeparableError, Problem, rounds
from lgd_lib.local_minimum import ACCEPTED, minimise
from lgd_lib.regularized import Regularized

LOSSES = pytest.mark.parametrize("loss", ["exponential", "logistic"])
LEVELS = pytest.mark.parametrize("level", [10.0, 1e2, 1e4, 1e6])


def separable(rows):
    return Problem([Node(Z, np.ones(len(Z))) for Z in rows], "classification")


def instances(seed=0):
    rng = np.random.default_rng(seed)
    Z = rng.standard_normal((6, 9))
    narrow = rng.standard_normal((30, 4))
    narrow[:, 0] = np.abs(narrow[:, 0]) + 0.1
    return {
        "plain": Z,
        "scales 1e4 apart": Z * np.geomspace(1.0, 1e4, 6)[:, None],
        "small and large": Z * np.geomspace(1e-2, 1e2, 6)[::-1, None],
        "near duplicates": np.vstack([Z, Z[:3] + 1e-9 * rng.standard_normal((3, 9)), Z[:2]]),
        "more samples than features": narrow,
        "weakly active": np.array([[1.0, 0.0], [1.0, 1.0]]),
        "small margin": np.array([[1.0, 1e-3], [-1.0, 1e-3], [0.5, 1e-3]]),
    }


every_instance = pytest.mark.parametrize("name", instances())


def answer(Z, v, log_inv_lam, loss):
    found = next(rounds(separable([Z]), Regularized(log_inv_lam, loss), Average(), v))
    return found.W[0], float(found.answers.residuals[0])


def log_multipliers(Z, w, log_inv_lam, loss):
    """ln of -loss'(m_j) / (N lambda), by the formula."""
    m = Z @ w
    slope = -m if loss == "exponential" else -np.logaddexp(0.0, m)
    return log_inv_lam - math.log(len(Z)) + slope


@LOSSES
@pytest.mark.parametrize("lam", [1e-1, 1e-2, 1e-4, 1e-8])
@pytest.mark.parametrize("name", ["plain", "more samples than features", "weakly active"])
def test_agrees_with_scipy_where_lambda_is_moderate(name, lam, loss):
    Z = instances()[name]
    v = np.random.default_rng(1).standard_normal(Z.shape[1])

    def objective(w):
        m = Z @ w
        value = np.exp(-m) if loss == "exponential" else np.logaddexp(0, -m)
        slope = np.exp(-m) if loss == "exponential" else np.exp(-np.logaddexp(0, m))
        return value.mean() / lam + (w - v) @ (w - v) / 2, w - v - slope @ Z / (len(Z) * lam)

    w, residual = answer(Z, v, -math.log(lam), loss)
    best = minimize(objective, w + 1e-2, jac=True, method="BFGS", options={"gtol": 1e-9, "maxiter": 5000})
    assert residual < 1e-12
    assert objective(w)[0] <= best.fun * (1 + 1e-12)
    assert np.linalg.norm(w - best.x) <= 1e-5 * np.linalg.norm(w)
    assert np.linalg.norm(objective(w)[1]) <= 1e-9 * (1 + np.linalg.norm(w - v))


@LOSSES
@LEVELS
@every_instance
def test_the_answer_satisfies_the_conditions_however_small_lambda_is(name, level, loss):
    Z = instances()[name]
    v = 0.3 * level * np.random.default_rng(2).standard_normal(Z.shape[1])
    w, residual = answer(Z, v, level, loss)
    assert residual <= ACCEPTED
    # w - v = sum_j a_j z_j, with a_j made from the margins: rounding moves those by rounding * ||z_j|| ||w||.
    a = np.exp(log_multipliers(Z, w, level, loss))
    lengths = np.linalg.norm(Z, axis=1)
    allowed = 1e-9 if name == "small margin" else 2e-13
    blur = np.expm1(allowed * (level + lengths * np.linalg.norm(w)))
    assert np.linalg.norm(w - v - a @ Z) <= (a * blur) @ lengths + 1e-12 * np.linalg.norm(w - v)


@LOSSES
@pytest.mark.parametrize("level", [-3.0, 0.5, 10.0, 1e3, 1e6])
@pytest.mark.parametrize("start", [-2.0, 0.0, 0.7, 5.0])
def test_one_sample_in_closed_form(level, start, loss):
    z = np.array([3.0, 4.0])
    v = start * level * z / 25 + np.array([4.0, -3.0])
    w, residual = answer(z[None], v, level, loss)
    assert residual < 1e-14
    assert w @ [4.0, -3.0] == pytest.approx(25.0, abs=1e-9 * max(level, 1))
    nu = level - w @ z
    if loss == "exponential":
        expected = level - v @ z - wrightomega(level - v @ z + math.log(25.0))
        assert nu == pytest.approx(expected, abs=1e-9 + 1e-14 * abs(level) * 10)
    else:
        a = (w - v) @ z / 25
        slope = log_multipliers(z[None], w, level, loss)[0]
        assert a == pytest.approx(math.exp(slope), rel=1e-8, abs=1e-9)


def test_the_loss_is_the_mean_not_the_sum():
    Z = np.array([[2.0, 0.0]])
    once, _ = answer(Z, np.zeros(2), 20.0, "exponential")
    thrice, _ = answer(np.repeat(Z, 3, axis=0), np.zeros(2), 20.0, "exponential")
    assert once == pytest.approx(thrice, rel=1e-13)


def test_the_logistic_answer_differs_where_the_loss_is_flat_and_agrees_where_it_is_not():
    Z = np.array([[1.0]])
    exponential, logistic = (
        answer(Z, np.array([-50.0]), 3.0, loss)[0][0] for loss in ("exponential", "logistic")
    )
    assert logistic == pytest.approx(-50.0 + math.exp(3.0), rel=1e-12)  # slope 1 far on the wrong side
    assert exponential > -5.0
    deep = [answer(Z, np.zeros(1), 1e4, loss)[0][0] for loss in ("exponential", "logistic")]
    assert deep[0] == pytest.approx(deep[1], rel=1e-15)


@LOSSES
def test_divided_by_the_level_it_tends_to_the_exact_projection(loss):
    rng = np.random.default_rng(3)
    problem = separable([rng.standard_normal((3, 12)) for _ in range(3)])
    exact = np.array([r.w for r in islice(rounds(problem, ExactMargin(), Average(), np.zeros(12)), 4)])
    gaps = []
    for level in (1e2, 1e4, 1e6):
        run = rounds(problem, Regularized(level, loss), Average(), np.zeros(12))
        found = np.array([r.w for r in islice(run, 4)]) / level
        gaps.append(np.linalg.norm(found - exact, axis=1).max())
    assert gaps[0] > 10 * gaps[1] > 100 * gaps[2]
    assert gaps[2] < 1e-4


def test_answers_of_a_round():
    rng = np.random.default_rng(4)
    problem = separable([rng.standard_normal((n, 8)) for n in (1, 4, 2)])
    found = next(rounds(problem, Regularized(50.0), Average(), np.zeros(8), weights=[1, 2, 3]))
    assert found.w == pytest.approx(np.array([1, 2, 3]) / 6 @ found.W, rel=1e-13)
    assert found.answers.residuals.shape == (3,)
    for residual, node in zip(found.answers.residuals, problem.nodes, strict=True):
        t, moved = (
            50.0 - math.log(node.N),
            minimise(node.X, np.zeros(8), 50.0 - math.log(node.N), "exponential"),
        )
        assert moved.residual < 1e-14
        shift = np.abs(node.X @ moved.move - t + np.log(moved.multipliers))
        scale = 1 + t + np.linalg.norm(node.X, axis=1) * np.linalg.norm(moved.move)
        assert moved.residual == pytest.approx((shift / scale).max(), abs=1e-15)
        assert residual < 1e-14
    assert (found.bytes_up, found.bytes_down) == (3 * 64, 3 * 64)
    assert np.isinf(found.local_steps).all()
    for w, node, a in zip(found.W, problem.nodes, found.answers.multipliers, strict=True):
        assert w == pytest.approx(a @ node.X, rel=1e-11)
        assert np.log(a) == pytest.approx(log_multipliers(node.X, w, 50.0, "exponential"), abs=1e-10)


def test_a_run_goes_on_bit_by_bit_and_misses_nobody():
    rng = np.random.default_rng(5)
    problem = separable([rng.standard_normal((3, 10)) for _ in range(4)])
    make = lambda state=None: rounds(problem, Regularized(30.0), Average(), np.zeros(10), state=state)  # noqa: E731
    whole = list(islice(make(), 5))
    rest = list(islice(make(whole[1].state), 3))
    assert all((a.w == b.w).all() for a, b in zip(whole[2:], rest, strict=True))


def test_the_row_space_gives_the_same_iterates():
    rng = np.random.default_rng(6)
    problem = separable([rng.standard_normal((3, 40)) for _ in range(2)])
    small, u0, lift = problem.row_space(np.ones(40))
    full = [r.w for r in islice(rounds(problem, Regularized(100.0), Average(), np.ones(40)), 3)]
    low = [lift(r.w) for r in islice(rounds(small, Regularized(100.0), Average(), u0), 3)]
    assert np.allclose(full, low, rtol=1e-11, atol=1e-10)


@pytest.mark.parametrize(
    ("given", "kind", "words"),
    [
        ({"log_inv_lam": "1"}, TypeError, "log_inv_lam was '1'"),
        ({"log_inv_lam": True}, TypeError, "log_inv_lam was True"),
        ({"log_inv_lam": math.inf}, ValueError, "use ExactMargin"),
        ({"log_inv_lam": math.nan}, ValueError, "must be finite"),
        ({"log_inv_lam": 1.0, "loss": "squared"}, ValueError, "loss was 'squared'"),
    ],
)
def test_bad_parameters_are_refused_by_name(given, kind, words):
    with pytest.raises(kind, match=words):
        Regularized(**given)


def test_bad_problems_are_refused_before_work_starts():
    with pytest.raises(ValueError, match="need the task 'classification'"):
        Regularized(1.0).prepare(Problem([Node([[1.0]], [1.0])], "regression"))
    with pytest.raises(NotSeparableError, match="node 0"):
        Regularized(1.0).prepare(separable([np.array([[1.0], [-1.0]])]))


def test_an_answer_that_is_not_accurate_is_not_given(monkeypatch):
    monkeypatch.setattr("lgd_lib.local_minimum.STEPS", 1)
    with pytest.raises(ArithmeticError, match=r"node 0 in round 0: .* relative residual of"):
        answer(instances()["near duplicates"], np.zeros(9), 3.0, "exponential")


def test_few_steps_are_enough():
    for Z in instances().values():
        for level in (0.1, 5.0, 1e3, 1e6):
            found = minimise(Z, np.zeros(Z.shape[1]), level, "exponential")
            assert found.steps <= 40


@LOSSES
@pytest.mark.parametrize("seed", range(6))
def test_far_centres_and_unequal_rows_are_solved_at_moderate_lambda(seed, loss):
    rng = np.random.default_rng(seed)
    Z = rng.standard_normal((12, 12)) * np.geomspace(1e-2, 1e2, 12)[rng.permutation(12), None]
    for level in (0.5, 2.0, 10.0):
        for centre in (level * rng.standard_normal(12), -1e3 * rng.standard_normal(12)):
            found = minimise(Z, centre, level, loss)
            assert found.residual < 1e-13
            assert found.steps <= 60


def test_the_residual_of_an_unfinished_answer_is_told(monkeypatch):
    monkeypatch.setattr("lgd_lib.local_minimum.STEPS", 3)
    monkeypatch.setattr("lgd_lib.regularized.ACCEPTED", 1.0)
    _, residual = answer(instances()["near duplicates"], np.zeros(9), 3.0, "exponential")
    assert 1e-13 < residual < 1.0
