"""The explaining figures show the points they are given."""

import numpy as np

from lgd_lib.plotting import THEORY
from lgd_lib.plotting.sketches import curve_figure, starts_figure


def test_starts_figure_draws_the_line_of_solutions_and_every_path():
    x, y = np.array([1.0, 2.0]), 3.0
    paths = [np.array([[0.0, 0.0], [0.6, 1.2]]), np.array([[2.0, -1.0], [2.6, 0.2]])]
    solutions, *drawn = starts_figure((x, y), paths).axes[0].lines
    np.testing.assert_allclose(solutions.get_xydata() @ x, y, rtol=0, atol=1e-9)
    for n, path in enumerate(paths):
        walk, start, limit = drawn[3 * n : 3 * n + 3]
        np.testing.assert_array_equal(walk.get_xydata(), path)
        np.testing.assert_array_equal(start.get_xydata(), path[:1])
        np.testing.assert_array_equal(limit.get_xydata(), path[-1:])


def test_curve_figure_draws_the_prediction_first_dashed_and_in_grey():
    curves = {"measured": [0.5, 0.2], "again": [0.4, 0.1]}
    axes = curve_figure([1, 2], curves, xlabel="L", ylabel="gap", predicted=[[0.6, 0.3]]).axes[0]
    theory, *data = axes.lines
    assert (theory.get_color(), theory.get_linestyle()) == (THEORY["color"], "--")
    np.testing.assert_array_equal(theory.get_ydata(), [0.6, 0.3])
    assert [line.get_label() for line in data] == list(curves)
    for line, values in zip(data, curves.values(), strict=True):
        np.testing.assert_array_equal(line.get_ydata(), values)
    assert theory.get_zorder() < min(line.get_zorder() for line in data)
