"""Two-layer networks: homogeneity, the pairs, the tangent features, and the report on the margin problem."""

import numpy as np
import pytest
import torch
from scipy.optimize import minimize

from lgd_lib.neural.networks import NetworkProblem, Samples
from lgd_lib.neural.two_layer import TwoLayer, logistic, margin_report, squared, tangents, two_layer


def problem(scale=1.0, width=8, seed=0, N=5, d=3, loss=logistic):
    rng = np.random.default_rng(seed)
    nodes = [Samples(rng.standard_normal((N, d)), np.sign(rng.standard_normal(N))) for _ in range(2)]
    return NetworkProblem(nodes, two_layer(d, width, scale), loss, seed=seed)


def plain(w, X, width):
    d = X.shape[1]
    u, a = w[: width * d].reshape(width, d), w[width * d :]
    return np.maximum(X @ u.T, 0) ** 2 @ a


def test_it_is_the_formula_and_zero_at_the_start():
    some, rng = problem(), np.random.default_rng(1)
    X, w = np.asarray(some.pooled.X), rng.standard_normal(some.initial.size)
    assert np.allclose(some.outputs(w, some.pooled.X), plain(w, X, 8), rtol=1e-13)
    assert np.abs(some.outputs(some.initial, some.pooled.X)).max() < 1e-14
    assert np.allclose(some.outputs(2 * w, some.pooled.X), 8 * plain(w, X, 8), rtol=1e-13)
    assert np.allclose(problem(scale=3.0).initial, 3 * some.initial, rtol=1e-14)


def test_tangents_are_difference_quotients():
    some, rng = problem(), np.random.default_rng(1)
    X, w = np.asarray(some.pooled.X), rng.standard_normal(some.initial.size)
    J, e = tangents(some, w, some.pooled.X), 1e-6
    quotients = [(plain(w + e * r, X, 8) - plain(w - e * r, X, 8)) / (2 * e) for r in np.eye(w.size)]
    assert np.allclose(J, np.transpose(quotients), rtol=0, atol=1e-7)
    assert np.allclose(J @ w, 3 * plain(w, X, 8), rtol=1e-12), "Euler's identity for degree 3"


def test_losses_are_their_formulas():
    f, y = torch.tensor([0.3, -2.0]), torch.tensor([1.0, -1.0])
    assert np.allclose(logistic(f, y), np.log1p(np.exp(-np.array([0.3, 2.0]))))
    assert np.allclose(squared(f, y), np.array([0.7, 1.0]) ** 2 / 2)


def test_the_residual_is_the_minimum_that_it_says():
    some, rng = problem(N=2, width=4), np.random.default_rng(3)
    y, X = np.asarray(some.pooled.y), np.asarray(some.pooled.X)
    w = next(w for w in rng.standard_normal((10_000, some.initial.size)) if (y * plain(w, X, 4)).min() > 0.1)
    report = margin_report(some, w)
    assert report.margin == pytest.approx((y * plain(w, X, 4)).min() / np.linalg.norm(w) ** 3)
    v = w / (y * plain(w, X, 4)).min() ** (1 / 3)
    h, s, n = y[:, None] * tangents(some, v, some.pooled.X), y * plain(v, X, 4) - 1, np.linalg.norm(v)

    def objective(mu):
        return (np.sum((v - mu @ h) ** 2) + np.sum((mu * s) ** 2) / n**2) / n**2

    best = minimize(objective, np.ones(y.size), bounds=[(0, None)] * y.size, options={"ftol": 1e-15})
    assert report.residual**2 == pytest.approx(objective(report.multipliers), rel=1e-9)
    assert report.residual**2 == pytest.approx(best.fun, rel=1e-5)
    assert margin_report(some, 3 * w).residual == pytest.approx(report.residual)
    assert margin_report(some, 3 * w).margin == pytest.approx(report.margin)


def test_the_residual_vanishes_at_a_stationary_point_only():
    """One sample x, one pair of units: the largest margin has u along x and ||u||^2 = 2 a^2."""
    x = np.array([[0.6, 0.8]])
    one = NetworkProblem([Samples(x, np.ones(1))], two_layer(2, 2, 1.0), logistic)
    w = np.concatenate([np.sqrt(2) * x[0], [0.0, 0.0], [1.0, 0.0]])
    assert margin_report(one, w).residual < 1e-12
    for change in np.eye(6)[[0, 1, 4]]:
        assert margin_report(one, w + 1e-3 * change).residual > 1e-5
    wrong = w * [1, 1, 1, 1, -1, 1]
    assert margin_report(one, wrong).residual == np.inf
    assert margin_report(one, wrong).margin < 0
    assert margin_report(one, 0 * w).margin == 0


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ((0, 2, 1.0), "^d was 0"),
        ((2, 3, 1.0), "^width was 3; it must be an even"),
        ((2, 2, 0.0), "^scale was 0.0"),
    ],
)
def test_sizes_that_make_no_sense_are_refused(given, message):
    with pytest.raises(ValueError, match=message):
        TwoLayer(*given)
