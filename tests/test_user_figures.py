"""`lgd_lib.plotting.users` and `.networks`: figures show the numbers they are given."""

import numpy as np

from lgd_lib.plotting import METHODS, THEORY
from lgd_lib.plotting.networks import bands_figure
from lgd_lib.plotting.users import amounts_figure, by_amount_figure, shares_figure

RUN = {
    "rounds": [1, 2, 4],
    "megabytes": [None] * 3,
    "gradients": [10, 20, 40],
    "mean": [3.0, 2.5, 2.0],
    "low": [2.9, 2.4, 1.9],
    "high": [3.1, 2.6, 2.1],
}


def test_runs_lie_over_the_levels_on_every_clock():
    figure = bands_figure({"L=10": RUN}, ylabel="loss", levels={"pairs, counted": 2.4})
    for axes, clock in zip(figure.axes, ("rounds", None, "gradients"), strict=True):
        level, line = axes.lines
        assert list(level.get_ydata()) == [2.4, 2.4]
        assert level.get_color() == THEORY["color"]
        assert level.get_zorder() < line.get_zorder()
        if clock is None:  # nothing is sent: a level line at the last value
            assert list(line.get_ydata()) == [2.0, 2.0]
            assert not axes.collections
            continue
        assert list(line.get_xdata()) == RUN[clock]
        assert list(line.get_ydata()) == RUN["mean"]
        (band,) = axes.collections
        edges = band.get_paths()[0].vertices[:, 1]
        assert (edges.min(), edges.max()) == (1.9, 3.1)
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["pairs, counted", "L = 10"]


def test_a_single_point_has_a_bar_and_the_clock_says_what_it_counts():
    one = {name: values[-1:] for name, values in RUN.items()}
    figure = bands_figure({"one-shot": one}, ylabel="loss", gradients="gradients of pictures")
    (bar,) = figure.axes[0].collections
    assert bar.get_segments()[0].tolist() == [[4, 1.9], [4, 2.1]]
    assert figure.axes[2].get_xlabel() == "gradients of pictures"


def test_amounts_fall_and_their_mean_is_dotted():
    points, mean = amounts_figure([1, 100, 10], ylabel="characters").axes[0].lines
    assert points.get_ydata().tolist() == [100, 10, 1]
    assert list(mean.get_ydata()) == [37, 37]


def test_shares_of_users_rise_to_one_at_the_largest_loss():
    axes = shares_figure({"L=1": [3.0, 1.0, 2.0, 4.0]}, {"counted": 2.4}).axes[0]
    level, line = axes.lines
    assert list(level.get_xdata()) == [2.4, 2.4]
    assert line.get_xdata().tolist() == [1, 2, 3, 4]
    assert line.get_ydata().tolist() == [0.25, 0.5, 0.75, 1]


def test_each_user_is_a_dot_in_the_look_of_the_method():
    losses = {"local": np.array([3.0, 2.0]), "centralised": np.array([1.0, 1.5])}
    for line, name in zip(
        by_amount_figure([10, 20], losses, xlabel="characters").axes[0].lines, losses, strict=True
    ):
        assert list(line.get_xdata()) == [10, 20]
        assert np.array_equal(line.get_ydata(), losses[name])
        assert (line.get_marker(), line.get_color()) == (METHODS[name].marker, METHODS[name].color)
