"""`lgd_lib.projections`: decompositions, the filter of L steps, and nearest points."""

import math
from fractions import Fraction

import numpy as np
import plain
import pytest
from hypothesis import given
from hypothesis import strategies as st
from instances import close, every_kind, make

from lgd_lib import Node
from lgd_lib.projections import factor, onto_interpolators, step_filter


@every_kind
def test_factors_are_orthonormal_descending_and_give_back_the_rows(name, seed):
    for node in make(name, seed)[0].nodes:
        f = factor(node)
        r = np.linalg.matrix_rank(node.X)
        assert (f.U.shape, f.s.shape, f.Vt.shape) == ((node.N, r), (r,), (r, node.d))
        assert np.allclose(f.U.T @ f.U, np.eye(r), atol=1e-13)
        assert np.allclose(f.Vt @ f.Vt.T, np.eye(r), atol=1e-13)
        assert (f.s > 0).all()
        assert (np.diff(f.s) <= 0).all()
        assert close(f.U * f.s @ f.Vt, node.X, 1e-13)


@given(st.floats(1e-12, 1.9), st.integers(1, 12), st.integers(1, 9))
def test_the_filter_is_the_power_in_exact_arithmetic(x, L, N):
    s = math.sqrt(x * N)
    exact = 1 - (1 - Fraction(s) ** 2 / N) ** L
    assert step_filter(np.array([s]), N, 1.0, L)[0] == pytest.approx(float(exact), rel=1e-13, abs=2e-15)


def test_the_filter_keeps_the_digits_of_small_shares():
    s = np.array([1e-9])
    exact = float(1 - (1 - Fraction(s[0]) ** 2 * Fraction(0.5) / 3) ** 7)
    assert step_filter(s, 3, 0.5, 7)[0] == pytest.approx(exact, rel=1e-14, abs=0)


def test_the_filter_of_infinitely_many_steps_is_one_and_of_many_nearly():
    s = np.array([3.0, 1.0, 1e-8])
    assert step_filter(s, 2, 0.1, math.inf).tolist() == [1.0, 1.0, 1.0]
    assert step_filter(s[:2], 2, 0.1, 10**12).tolist() == [1.0, 1.0]


@every_kind
def test_the_nearest_interpolator_of_a_node(name, seed):
    problem, w = make(name, seed)
    for node in problem.nodes:
        v = onto_interpolators(node, w)
        assert close(v, plain.project(node.X, node.y, w))
        assert np.linalg.norm(node.X @ v - node.y) <= 1e-12 * np.linalg.norm(node.X) * np.linalg.norm(w) * 10
        assert close(onto_interpolators(node, v), v)


def test_contradicting_equations_give_the_least_squares_point_nearest_to_w():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((6, 2)) @ rng.standard_normal((2, 5))
    y, w = rng.standard_normal(6), rng.standard_normal(5)
    v = onto_interpolators(Node(X, y), w)
    assert np.linalg.norm(X.T @ (X @ v - y)) < 1e-12
    null = np.linalg.svd(X)[2][2:]
    assert np.linalg.norm(null @ (v - w)) < 1e-13
