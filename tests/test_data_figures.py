"""The figures about data show every sample, every class and every repetition that they are given."""

import numpy as np
import pytest

from lgd_lib.plotting.data import held_out_figure, nodes_figure, partition_picture
from lgd_lib.problems import Problem

POINTS = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 2.0], [3.0, 1.0]])
NODES, LABELS = np.array([0, 0, 1, 1]), np.array([1.0, -1.0, 1.0, 1.0])
COUNTS = {"yes": [1, 2], "no": [1, 0]}


def drawn(axes):
    """All points that are drawn as markers, without the empty lines of the legend."""
    lines = [line for line in axes.lines if line.get_marker() not in ("None", None)]
    return np.concatenate([line.get_xydata() for line in lines])


def test_every_sample_is_drawn_once_and_the_marker_is_its_class():
    _, plane = nodes_figure(["a", "b"], COUNTS, POINTS, NODES, LABELS).axes
    assert sorted(map(tuple, drawn(plane))) == sorted(map(tuple, POINTS))
    crosses = np.concatenate([line.get_xydata() for line in plane.lines if line.get_marker() == "x"])
    assert crosses.tolist() == [[1.0, 0.0]]


def test_bars_are_as_long_as_the_counts_and_stacked():
    bars, _ = nodes_figure(["a", "b"], COUNTS, POINTS, NODES, LABELS).axes
    spans = [(patch.get_x(), patch.get_width()) for patch in bars.patches]
    assert spans == [(0, 1), (0, 2), (1, 1), (2, 0)]


def test_nodes_of_the_same_colour_do_not_occur():
    _, plane = nodes_figure(["a", "b"], COUNTS, POINTS, NODES, LABELS).axes
    colours = {line.get_color() for line in plane.lines if line.get_marker() == "o" and len(line.get_xdata())}
    assert len(colours) == 2


def test_two_classes_are_needed():
    with pytest.raises(ValueError, match="counts has 3 classes"):
        nodes_figure(["a", "b"], {"yes": [1, 2], "no": [1, 0], "maybe": [0, 0]}, POINTS, NODES, LABELS)


def test_every_repetition_and_its_mean_are_drawn_in_the_row_of_the_model():
    axes = held_out_figure({"one": [1.0, 2.0], "two": [5.0]}, xlabel="error", level=("base", 4.0)).axes[0]
    assert sorted(map(tuple, drawn(axes))) == [(1.0, 0.0), (1.5, 0.0), (2.0, 0.0), (5.0, 1.0), (5.0, 1.0)]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["one", "two"]
    assert any(set(line.get_xdata()) == {4.0} and line.get_linestyle() == "--" for line in axes.lines)


def test_a_partition_picture_has_a_bar_for_each_class_and_node():
    problem = Problem.split(np.eye(4), [1, -1, 1, 1], [[0, 1], [2, 3]], "classification")
    (axes,) = partition_picture(problem).axes
    spans = [
        (patch.get_y() + patch.get_height() / 2, patch.get_x(), patch.get_width()) for patch in axes.patches
    ]
    assert spans == [(1, 0, 1), (2, 0, 2), (1, 1, 1), (2, 2, 0)]


def test_a_partition_picture_shows_every_target_at_its_node():
    problem = Problem.split(np.eye(4), [0.5, -1.5, 2.0, 3.0], [[0, 3], [1, 2]], "regression")
    (axes,) = partition_picture(problem).axes
    assert sorted(map(tuple, drawn(axes))) == [(-1.5, 2), (0.5, 1), (2.0, 2), (3.0, 1)]
