"""`lgd_lib.theory`: step sizes, spectra and rates against plain matrices."""

import math

import numpy as np
import plain
import pytest
from instances import every_kind, make, step_limits

from lgd_lib import Node, Problem
from lgd_lib.theory import averaged_projector_spectrum, largest_step, regression_rate


@every_kind
def test_the_largest_step_is_that_of_the_steepest_node(name, seed):
    problem, _ = make(name, seed)
    assert largest_step(problem) == pytest.approx(step_limits(problem).min(), rel=1e-12)


@every_kind
@pytest.mark.parametrize("L", [1, 4, math.inf])
@pytest.mark.parametrize("weighted", [False, True])
def test_spectrum_and_rate_are_those_of_the_matrix(name, seed, L, weighted):
    problem, _ = make(name, seed)
    weights = np.linspace(1, 3, problem.M) if weighted else None
    limit = step_limits(problem).min()
    for share in (0.3, 0.5, 0.93):
        found = averaged_projector_spectrum(problem, L, share * limit, weights=weights)
        expected = plain.spectrum(problem, L, share * limit, weights)
        assert found.shape == expected.shape
        assert np.allclose(found, expected, rtol=0, atol=1e-12)
        rate = regression_rate(problem, L, share * limit, weights=weights)
        assert rate == pytest.approx(plain.rate(problem, L, share * limit, weights), abs=1e-12)
        if share == 0.5:
            half = averaged_projector_spectrum(problem, L, weights=weights)
            assert np.allclose(found, half, rtol=0, atol=1e-13)


def test_steps_and_sizes_may_differ_between_nodes():
    problem, _ = make("unequal sizes", 0)
    eta, L = (step_limits(problem) * [0.2, 0.5, 0.9]).tolist(), [3, math.inf, 6]
    found = averaged_projector_spectrum(problem, L, eta)
    assert np.allclose(found, plain.spectrum(problem, L, eta), rtol=0, atol=1e-13)


def test_small_eigenvalues_keep_their_digits():
    a, tiny = np.array([1.0, 0.0]), 1e-7
    problem = Problem([Node([a], [1.0]), Node([[math.cos(tiny), math.sin(tiny)]], [1.0])], "regression")
    found = averaged_projector_spectrum(problem, math.inf)
    assert found == pytest.approx([math.sin(tiny / 2) ** 2, math.cos(tiny / 2) ** 2], rel=1e-8, abs=0)


def test_one_round_is_enough_for_one_node_and_for_identical_ones():
    for name in ("one node", "identical nodes"):
        assert regression_rate(make(name, 0)[0], math.inf) == pytest.approx(0, abs=1e-13)


def test_rows_of_zeros_have_an_empty_spectrum_and_rate_zero():
    problem = Problem([Node([[0.0, 0.0]], [0.0])], "regression")
    assert largest_step(problem) == math.inf
    assert averaged_projector_spectrum(problem, 3).size == 0
    assert regression_rate(problem, math.inf) == 0.0
