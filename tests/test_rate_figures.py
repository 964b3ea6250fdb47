"""The figures of rates and spectra show the numbers that they are given, with the theory dashed and first."""

import numpy as np
import pytest

from lgd_lib.plotting import METHODS, THEORY
from lgd_lib.plotting.rates import histogram_figure, line_figure, paths_figure, rounds_figure, spectra_figure


def test_line_figure_draws_the_prediction_first_and_the_data_as_given():
    axes = line_figure([1, 2, 3], {"a": [3.0, 1.0, 2.0]}, xlabel="x", ylabel="y", predicted=[[1, 1, 1]]).axes[
        0
    ]
    theory, data = axes.get_lines()
    assert theory.get_color() == THEORY["color"]
    assert data.get_ydata().tolist() == [3.0, 1.0, 2.0]
    assert data.get_zorder() > theory.get_zorder()


@pytest.mark.parametrize("panels", [1, 2, 3, 4])
def test_histogram_figure_has_one_panel_for_each_entry_and_areas_of_one(panels):
    values = np.linspace(0, 1, 50)
    figure = histogram_figure(
        {str(n): (values, [0, 1], [1, 1]) for n in range(panels)}, xlabel="value", bins=5
    )
    assert len(figure.axes) == panels
    for axes in figure.axes:
        assert sum(bar.get_width() * bar.get_height() for bar in axes.patches) == pytest.approx(1)


def test_spectra_figure_sorts():
    (line,) = spectra_figure({"L=1": [0.3, 0.1, 0.2]}).axes[0].get_lines()
    assert line.get_ydata().tolist() == [0.1, 0.2, 0.3]
    assert line.get_color() == METHODS["L=1"].color


def test_paths_figure_shows_every_path_inside_its_window():
    path = [[0.0, 0.0], [3.0, -2.0], [1.0, 1.0]]
    axes = paths_figure([([0.0, 1.0], 1.0)], {"cg": path}, [1.0, 1.0]).axes[0]
    (line,) = (line for line in axes.get_lines() if line.get_label() == METHODS["cg"].label)
    assert np.column_stack(line.get_data()).tolist() == path
    assert axes.get_xlim()[0] < 0
    assert axes.get_xlim()[1] > 3
    assert axes.get_ylim()[0] < -2


def test_rounds_figure_has_a_row_for_each_method():
    axes = rounds_figure({"L=1": {"average": 90.0, "cg": 9.0}, "L=inf": {"cg": 5.0}}).axes[0]
    first, second = axes.get_lines()
    assert np.column_stack(first.get_data()).tolist() == [[90.0, 0.0], [9.0, 1.0]]
    assert np.column_stack(second.get_data()).tolist() == [[5.0, 1.0]]


def test_every_server_method_has_a_look_of_its_own():
    looks = [
        METHODS[name]
        for name in ("average", "server-step", "heavy-ball", "nesterov", "nesterov-classic", "cg")
    ]
    assert len({look.color for look in METHODS.values()}) == len(METHODS)
    assert len({look.marker for look in looks}) == len(looks)
