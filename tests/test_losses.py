"""`lgd_lib.losses`: value, gradient and smoothness against sums over samples and differences."""

import numpy as np
import plain
import pytest
from instances import close, every_kind, make

from lgd_lib.losses import squared


@every_kind
def test_value_and_gradient_are_sums_over_samples(name, seed):
    problem, w = make(name, seed)
    for node in problem.nodes:
        assert squared.value(node, w) == pytest.approx(plain.loss(node.X, node.y, w), rel=1e-12)
        assert close(squared.gradient(node, w), plain.gradient(node.X, node.y, w), 1e-12)


@every_kind
def test_the_gradient_is_the_slope_of_the_value(name, seed):
    problem, w = make(name, seed)
    v = np.random.default_rng(seed).standard_normal(problem.d)
    for node in problem.nodes:
        slope = (squared.value(node, w + v) - squared.value(node, w - v)) / 2  # exact for a quadratic
        assert slope == pytest.approx(squared.gradient(node, w) @ v, rel=1e-9, abs=1e-12)


@every_kind
def test_the_smoothness_is_attained_and_never_exceeded(name, seed):
    problem, w = make(name, seed)
    rng = np.random.default_rng(seed)
    for node in problem.nodes:
        steepest = np.linalg.svd(node.X)[2][0]
        for v in (steepest, *rng.standard_normal((5, problem.d))):
            change = np.linalg.norm(squared.gradient(node, w + v) - squared.gradient(node, w))
            bound = squared.smoothness(node) * np.linalg.norm(v)
            assert change <= bound * (1 + 1e-9) + 1e-12
            if v is steepest:
                assert change == pytest.approx(bound, rel=1e-9)
