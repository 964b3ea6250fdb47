"""`lgd_lib.plotting`: figures show the numbers they are given, in one style, the same bytes every time."""

import matplotlib
import numpy as np
import pytest
from instances import make

from lgd_lib import Average, ExactProjection, GradientSteps, History, record, rounds
from lgd_lib.plotting import CLOCK_LABELS, METHODS, THEORY, distance_figure, new_figure, plane_figure


def history(values):
    n = len(values)
    columns = {"k": np.arange(n), "bytes_up": np.full(n, 10), "bytes_down": np.full(n, 20)}
    return History(columns | {"gradients": np.full(n, 3.0), "error": np.array(values)})


@pytest.fixture
def histories():
    return {"L=1": history([1.0, 0.5, 0.25]), "my own": history([1.0, 0.1])}


@pytest.mark.parametrize("clock", CLOCK_LABELS)
def test_every_history_is_drawn_against_its_clock(histories, clock):
    axes = distance_figure(histories, "error", clock=clock).axes[0]
    for line, run in zip(axes.lines, histories.values(), strict=True):
        assert np.array_equal(line.get_xdata(), run.clock(clock))
        assert np.array_equal(line.get_ydata(), run["error"])
    assert (axes.get_yscale(), axes.get_xscale()) == ("log", "linear")
    assert axes.get_xlabel() == CLOCK_LABELS[clock]
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["L = 1", "my own"]


def test_theory_is_drawn_first_dashed_and_named_once(histories):
    predicted = {"L=1": [1, 0.6, 0.3], "my own": [1, 0.2]}
    axes = distance_figure(histories, "error", predicted=predicted, logx=True).axes[0]
    first, second, *data = axes.lines
    assert np.array_equal(second.get_ydata(), predicted["my own"])
    assert [line.get_color() for line in (first, second)] == [THEORY["color"]] * 2
    assert [line.get_linestyle() for line in axes.lines] == ["--", "--", "-", "-"]
    assert max(first.get_zorder(), second.get_zorder()) < min(line.get_zorder() for line in data)
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert labels == ["predicted", "L = 1", "my own"]
    assert axes.get_xscale() == "log"


def test_every_method_has_a_look_and_a_label_of_its_own():
    looks = {(look.color, look.marker, look.linestyle) for look in METHODS.values()}
    assert len(looks) == len({look.label for look in METHODS.values()}) == len(METHODS)


def test_a_method_looks_the_same_in_every_figure(histories):
    for key in ("L=1", "L=inf"):
        line = distance_figure({key: history([1.0, 0.5])}, "error").axes[0].lines[0]
        look = METHODS[key]
        assert (line.get_color(), line.get_marker(), line.get_label()) == (
            look.color,
            look.marker,
            look.label,
        )


def test_the_plane_shows_the_iterates_it_is_given():
    lines = [([1.0, 2.0], 3.0), ([2.0, -1.0], 1.0)]
    sent = np.array([[0.0, 0.0], [0.8, 0.4], [0.9, 0.8]])
    answers = [np.array([[0.6, 1.2], [0.4, -0.2]]), np.array([[1.0, 1.0], [0.8, 0.6]])]
    axes = plane_figure(lines, sent, answers, [1.0, 1.0]).axes[0]
    drawn = {line.get_label(): line for line in axes.lines}
    for i, (x, y) in enumerate(lines):
        assert drawn[f"solutions of node {i + 1}"].get_xydata() @ x == pytest.approx([y, y])
    assert np.array_equal(drawn["averages"].get_xydata(), sent)
    assert drawn["centralised model"].get_xydata().tolist() == [[1.0, 1.0]]
    trips = [
        line.get_xydata()
        for line in axes.lines
        if len(line.get_xydata()) == 3 and line.get_linestyle() == ":"
    ]
    expected = [[sent[k], w, sent[k + 1]] for k in range(2) for w in answers[k]]
    assert np.array_equal(trips, expected)
    (left, right), (low, high) = axes.get_xlim(), axes.get_ylim()
    for point in (*sent, *np.vstack(answers)):
        assert left < point[0] < right
        assert low < point[1] < high
    assert axes.get_aspect() == 1


def test_figures_have_no_titles_and_leave_the_outer_style_alone(histories):
    before = dict(matplotlib.rcParams)
    axes = distance_figure(histories, "error").axes[0]
    assert axes.get_title() == ""
    assert axes.get_ylabel() == axes.get_ylabel().lower()
    assert dict(matplotlib.rcParams) == before


def test_panels():
    assert len(new_figure(rows=2, columns=3).axes) == 6
    assert new_figure(size=(3.0, 2.0)).get_size_inches().tolist() == [3.0, 2.0]


def test_the_picture_is_the_same_bytes_every_time():
    def picture():
        problem, w0 = make("plain", 0)
        runs = {
            name: record(rounds(problem, solver, Average(), w0), {"error": lambda r: np.linalg.norm(r.w)}, 5)
            for name, solver in {"L=1": GradientSteps(0.01, 1), "L=inf": ExactProjection()}.items()
        }
        return distance_figure(runs, "error")._repr_svg_()

    first = picture()
    assert "<svg" in first
    assert first == picture()


def test_a_prediction_without_its_history_is_named(histories):
    with pytest.raises(ValueError, match=r"^predicted has the key 'L=5'; it must be one of .*'L=1'"):
        distance_figure(histories, "error", predicted={"L=5": [1.0]})


def test_an_unknown_clock_is_named(histories):
    with pytest.raises(ValueError, match=r"^name was 'hours'|^clock was 'hours'"):
        distance_figure(histories, "error", clock="hours")
