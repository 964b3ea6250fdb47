"""The exponential and the logistic loss: against sixty-digit formulas, differences, and far margins."""

import math
from decimal import Decimal, getcontext

import numpy as np
import pytest

from lgd_lib import Node
from lgd_lib.losses import exponential, logistic

getcontext().prec = 60
FAR = [-1e6, -745.0, -700.0, -40.0, -1.0, 0.0, 1e-9, 1.0, 20.5, 35.9, 36.1, 40.0, 700.0, 745.0, 1e6]
both = pytest.mark.parametrize("loss", [exponential, logistic], ids=["exponential", "logistic"])


def exact(loss, m):
    """ln loss(m) and ln(-loss'(m)), in sixty digits."""
    m = Decimal(m)
    if loss is exponential:
        return -m, -m
    tail = (-abs(m)).exp()
    value = (1 + tail).ln() + max(-m, Decimal(0)) if abs(m) < 100 or m < 0 else tail
    return value.ln(), -(max(m, Decimal(0)) + (1 + tail).ln())


@both
@pytest.mark.parametrize("m", FAR)
def test_logarithms_are_right_at_every_margin(loss, m):
    value, slope = exact(loss, m)
    found = loss.log_loss(np.array([m]))[0], loss.log_slope(np.array([m]))[0]
    assert found[0] == pytest.approx(float(value), rel=1e-14, abs=1e-15)
    assert found[1] == pytest.approx(float(slope), rel=1e-14, abs=1e-15)


@both
@pytest.mark.parametrize("m", FAR)
def test_values_and_gradients_at_far_margins(loss, m):
    node = Node([[2.0, 0.0]], [-1.0])  # m = -2 w_1
    w = np.array([-m / 2, 3.0])
    value, slope = (float(x.exp()) if x < 709 else math.inf for x in exact(loss, m))
    assert loss.value(node, w) == pytest.approx(value, rel=1e-12, abs=1e-310)
    assert loss.gradient(node, w) == pytest.approx([2 * slope, 0.0], rel=1e-12, abs=1e-310)
    assert loss.log_value(node, w) == pytest.approx(float(exact(loss, m)[0]), rel=1e-14, abs=1e-15)


@both
def test_mean_over_samples_and_slope_of_the_value(loss):
    rng = np.random.default_rng(0)
    node = Node(rng.standard_normal((5, 3)), np.array([1.0, -1, 1, -1, -1]))
    w, v = rng.standard_normal((2, 3))
    m = node.y * (node.X @ w)
    plain = np.mean([math.exp(-x) if loss is exponential else math.log1p(math.exp(-x)) for x in m])
    assert loss.value(node, w) == pytest.approx(plain, rel=1e-14)
    h = 1e-6
    slope = (loss.value(node, w + h * v) - loss.value(node, w - h * v)) / (2 * h)
    assert slope == pytest.approx(loss.gradient(node, w) @ v, rel=1e-8)


def test_smoothness_where_it_exists():
    rng = np.random.default_rng(1)
    node = Node(rng.standard_normal((4, 3)), np.ones(4))
    assert exponential.smoothness(node) == math.inf
    assert exponential.smoothness(Node([[0.0]], [1.0])) == 0.0
    constant, steepest = logistic.smoothness(node), np.linalg.svd(node.X)[2][0]
    for w, v in rng.standard_normal((20, 2, 3)):
        change = np.linalg.norm(logistic.gradient(node, w + v) - logistic.gradient(node, w))
        assert change <= constant * np.linalg.norm(v) * (1 + 1e-12)
    h = 1e-5 * steepest
    change = np.linalg.norm(logistic.gradient(node, h) - logistic.gradient(node, -h))
    assert change == pytest.approx(2e-5 * constant, rel=1e-8)
