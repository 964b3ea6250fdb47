"""The last-layer experiment: small, with made-up features; slices, stored results, and no other packages."""

import json
import subprocess
import sys
from dataclasses import replace
from itertools import count, pairwise
from time import sleep

import numpy as np
import pytest

from lgd_lib import Average, ExactProjection, Node, Problem, rounds
from lgd_lib.datasets import load_pictures
from lgd_lib.multiclass import multiclass_margins, predict
from lgd_lib.neural import __main__ as command
from lgd_lib.neural import results as files
from lgd_lib.neural.experiments.last_layer import last_layer
from lgd_lib.neural.experiments.scenes import SCENES, SIZES, Layer, Sizes, methods, spread
from lgd_lib.neural.experiments.work import work_on
from lgd_lib.neural.frozen import Frozen, freeze
from lgd_lib.neural.runs import Deadline
from lgd_lib.plotting.layers import beside_figure
from lgd_lib.references import max_margin

TINY = Sizes({"fashion": (0, 1, 2), "emoji": (0, 1, 2)}, 40, 5, 4, 3, 12, (1, 3), 2, 5)
SEEDS = (0, 1)


def made_up(seed, groups):
    """Features around three centres, more than there are samples to train on."""
    rng = np.random.default_rng(seed)
    y = np.arange(150) % 3
    X = 3 * rng.standard_normal((3, 160))[y] + rng.standard_normal((150, 160))
    rows = np.arange(150)
    splits = {0: (rows[:120], rows[120:135]), 1: (rows[:120], rows[135:])}
    return Frozen(X, y, np.arange(150) % 4 if groups else None, splits)


SETS = {"fashion": made_up(0, False), "emoji": made_up(1, True)}


@pytest.fixture(scope="module")
def whole():
    return last_layer(SETS, TINY, SEEDS)


def test_every_method_runs_on_every_scene(whole):
    assert whole["finished"]
    for name, scene in SCENES:
        for seed in SEEDS:
            for method in ("L=1", "L=3", "sgd", "one-shot", "ppm", "anchored", "bundle"):
                run = whole["runs"][f"{name} / {scene} / {method} / seed {seed}"]
                K = {"one-shot": 1, "ppm": 12, "anchored": 12, "bundle": 12}.get(method, 3)
                assert (run["rounds"][0], run["rounds"][-1]) == (1, K)
                exact = method in ("one-shot", "ppm", "anchored", "bundle")
                assert all((value is None) == exact for value in run["gradients"])
                assert all(0 <= angle <= 180 for angle in run["angle"])
                assert all(margin <= 1 + 1e-6 for margin in run["margin"])
    assert len(whole["runs"]) == 2 * (7 * len(SCENES) + 2)


def test_the_bundle_gets_there_and_its_bounds_hold(whole):
    for key, run in whole["runs"].items():
        if " / bundle / " not in key:
            continue
        name, scene, _, seed = key.split(" / ")
        margin = whole["references"][f"{name} / {seed}"]["margin"]
        upper = [value for value in run["upper"] if value is not None]
        assert min(upper) >= margin * (1 - 1e-7)  # eight digits are kept
        assert ("lower" in run) == (scene != "10 of 100")
        if "lower" in run:
            assert run["margin"][-1] > 0.99
            assert run["angle"][-1] < 1
            assert max(value for value in run["lower"] if value is not None) <= margin * (1 + 1e-7)


def test_bytes_are_those_of_the_whole_layer(whole):
    run = whole["runs"]["fashion / iid / L=1 / seed 0"]
    assert run["megabytes"][0] == pytest.approx(2 * 4 * 8 * 3 * 161 / 1e6)


def test_slices_go_on_with_bit_identical_runs(whole, tmp_path, monkeypatch):
    looks = count(1)

    class Fifth(Deadline):
        passed = property(lambda self: next(looks) % 5 == 0)  # whatever the machine's speed

    path, slices = tmp_path / "results.json", 0
    some = {"emoji": SETS["emoji"]}
    monkeypatch.setattr("lgd_lib.neural.experiments.work.Deadline", Fifth)
    while not (found := last_layer(some, TINY, SEEDS, path=path))["finished"]:
        slices += 1
        assert json.loads(path.read_text()) == found
    monkeypatch.undo()
    assert slices >= 2
    assert found["runs"] == {key: run for key, run in whole["runs"].items() if key[:5] == "emoji"}
    assert all(whole["references"][key] == kept for key, kept in found["references"].items())
    assert len(found["slices"]) == slices + 1
    assert not path.with_name("results.json.runs").exists()
    again = last_layer(some, TINY, SEEDS, path=path)
    assert again["runs"] == found["runs"]
    with pytest.raises(ValueError, match="holds results of other sizes or seeds"):
        last_layer(SETS, replace(TINY, rounds=4), SEEDS, path=path)
    with pytest.raises(ValueError, match=r"^seconds was 1.0; without a path there is nothing"):
        last_layer(SETS, TINY, SEEDS, seconds=1.0)


def test_a_slice_is_written_when_it_begins_at_each_save_and_at_its_end(tmp_path, monkeypatch):
    monkeypatch.setattr("lgd_lib.neural.runs.BETWEEN_SAVES", 1e-9)  # after every round
    path, seen = tmp_path / "results.json", []

    def kept():
        return [slice_["seconds"] for slice_ in json.loads(path.read_text())["slices"]]

    def make(state):
        problem = Problem([Node([[2.0]], [4.0])], "regression")
        return rounds(problem, ExactProjection(), Average(), [0.0], state=state)

    def slow(r):
        seen.append(kept())  # what a process that is killed now leaves
        sleep(0.2)
        if r.k == 3:
            raise KeyboardInterrupt
        return r.w

    def go():
        with work_on({"runs": {}, "slices": [], "finished": False}, path=path) as work:
            assert kept() == []
            work.history("one", 9, make, {"w": slow})

    with pytest.raises(KeyboardInterrupt):
        go()
    assert [len(slices) for slices in seen] == [1, 1, 1, 1]
    assert all(later[0] >= earlier[0] + 0.1 for earlier, later in pairwise(seen))
    assert kept()[0] >= seen[-1][0] + 0.1


def test_a_run_is_gone_on_with_in_the_middle(whole, tmp_path, monkeypatch):
    class Once(Deadline):
        passed = property(lambda self: True)  # after every save

    monkeypatch.setattr("lgd_lib.neural.experiments.work.Deadline", Once)
    path, slices = tmp_path / "results.json", 0
    few = {"fashion": SETS["fashion"]}
    while slices < 15:
        last_layer(few, TINY, SEEDS, path=path)
        slices += 1
    found = json.loads(path.read_text())
    assert 3 <= len(found["runs"]) < 15
    assert all(whole["runs"][key] == run for key, run in found["runs"].items())


def test_results_are_gone_on_with_only_by_what_made_them(tmp_path):
    path, some = tmp_path / "results.json", {"emoji": SETS["emoji"]}
    first = last_layer(some, TINY, (0,), path=path)
    again = last_layer(some, TINY, (0,), path=path)
    assert again["slices"] == first["slices"]  # the second did nothing, and is not named
    wider = replace(SETS["emoji"], X=1.001 * SETS["emoji"].X)
    with pytest.raises(ValueError, match="holds results of other features of 'emoji'"):
        last_layer({"emoji": wider}, TINY, (0,), path=path)
    rounded = replace(SETS["emoji"], X=SETS["emoji"].X * (1 + 1e-6))  # another device, say
    assert last_layer({"emoji": rounded}, TINY, (0,), path=path)["runs"] == first["runs"]
    more = last_layer(SETS, TINY, (0,), path=path, seconds=0.0)
    assert not more["finished"]
    assert not json.loads(path.read_text())["finished"]
    path.write_text('{"experiment": "last_layer"}')
    with pytest.raises(ValueError, match="of other sizes or seeds"):
        last_layer(some, TINY, (0,), path=path)


def test_parts_of_results_that_are_gone_are_not_gone_on_with(whole, tmp_path):
    path, some = tmp_path / "results.json", {"emoji": SETS["emoji"]}
    last_layer({"emoji": made_up(5, True)}, TINY, SEEDS, path=path, seconds=0.0)
    assert list(path.with_name("results.json.runs").iterdir())
    path.unlink()
    while not (found := last_layer(some, TINY, SEEDS, path=path))["finished"]:
        pass
    assert found["runs"] == {key: run for key, run in whole["runs"].items() if key[:5] == "emoji"}


def test_pictures_that_nothing_separates_are_named_and_left_out():
    rows = np.vstack([SETS["fashion"].X[:, :3], SETS["fashion"].X[:, :3]])
    both = np.concatenate([SETS["fashion"].y, (SETS["fashion"].y + 1) % 3])  # each picture in two classes
    rows, both = rows[130:170], both[130:170]
    index = np.arange(40)
    contradicting = Frozen(rows, both, None, {0: (index, index[:9]), 1: (index, index[:9])})
    found = last_layer({"fashion": contradicting, "emoji": SETS["emoji"]}, TINY, (0,))
    assert list(found["not separable"]) == ["fashion / seed 0"]
    assert "their margin is at most" in found["not separable"]["fashion / seed 0"]
    assert found["finished"]
    assert {key.split(" / ")[0] for key in found["runs"]} == {"emoji"}


def test_a_layer_is_the_same_problem_in_fewer_coordinates():
    X, y, X_test, y_test = SETS["emoji"].prepared(1)
    layer = Layer.of(SETS["emoji"], 1)
    full = Problem([Node(X, y)], "multiclass")
    inner = layer.problem(spread("one node", layer, 1, 0))
    a, b = max_margin(multiclass_margins(full)).w, max_margin(multiclass_margins(inner)).w
    assert np.linalg.norm(a) == pytest.approx(np.linalg.norm(b), rel=1e-9)
    assert np.array_equal(predict(X_test, a), predict(layer.X_test, b))
    assert inner.d_sent == full.size == 3 * 161
    assert np.array_equal(layer.y_test, y_test)
    assert np.abs(X[:, :-1].mean(axis=0)).max() < 1e-12
    assert np.linalg.norm(X, axis=1).mean() == pytest.approx(1, rel=0.05)


def test_each_prediction_changes_at_its_angle_and_not_before():
    layer, rng = Layer.of(SETS["fashion"], 0), np.random.default_rng(0)
    w = rng.standard_normal(3 * layer.X.shape[1])
    w /= np.linalg.norm(w)
    before, turning = predict(layer.X_test, w), layer.turning_angles(5 * w)
    assert turning.min() > 0
    for j, x in enumerate(layer.X_test):
        first, second = np.argsort(-(w.reshape(3, -1) @ x))[:2]
        push = np.zeros((3, len(x)))  # straight away from the best class, towards the second
        push[first], push[second] = -x, x
        push = push.ravel() - (push.ravel() @ w) * w
        push /= np.linalg.norm(push)
        for share in (0.999, 1.001):
            t = np.radians(share * turning[j])
            found = predict(layer.X_test[[j]], np.cos(t) * w + np.sin(t) * push)[0]
            assert (found == before[j]) == (share < 1)


def test_natural_nodes_and_those_that_are_not_there():
    emoji, fashion = (Layer.of(SETS[name], 0) for name in ("emoji", "fashion"))
    assert len(spread("vendors", emoji, 9, 0)) == 4
    assert len(spread("10 of 100", emoji, 9, 0)) == 100
    assert len(spread("Dirichlet 0.1", emoji, 9, 0)) == 9
    with pytest.raises(ValueError, match=r"^name was 'vendors'; these pictures have no such nodes"):
        spread("vendors", fashion, 4, 0)
    eta = methods(emoji.problem(spread("iid", emoji, 4, 0)), TINY)["L=1"][0].eta
    assert eta > 0


def test_pictures_are_chosen_class_by_class_and_held_out_ones_never_trained_on():
    pictures = load_pictures("emoji")
    asked = []

    def extract(some):
        asked.append(some)
        return some.images[:, ::16, ::16].reshape(some.N, -1).astype(float)

    found = freeze(pictures, extract, (5, 2), 7, 3, (0, 3))
    assert len(asked) == 1
    for train, test in found.splits.values():
        assert not asked[0].held_out[train].any()
        assert asked[0].held_out[test].all()
        assert np.bincount(found.y[train]).tolist() == [7, 7]
        assert np.bincount(found.y[test]).tolist() == [3, 3]
        assert np.array_equal(asked[0].labels[train], np.where(found.y[train] == 0, 2, 5))
    assert not np.array_equal(found.splits[0][0], found.splits[3][0])
    with pytest.raises(ValueError, match=r"^samples was 5000; class 2 of 'emoji' has \d+ pictures to"):
        freeze(pictures, extract, (2,), 5000, 3, (0,))
    with pytest.raises(ValueError, match=r"^tests was 5000; class 2 of 'emoji' has \d+ held-out pictures"):
        freeze(pictures, extract, (2,), 5, 5000, (0,))


@pytest.mark.parametrize("profile", sorted(SIZES))
def test_every_profile_finds_the_pictures_it_asks_for(profile):
    sizes = SIZES[profile]
    for name, classes in sizes.classes.items():
        pictures = load_pictures(name)
        rows = freeze(
            pictures, lambda some: np.zeros((some.N, 1)), classes, sizes.samples, sizes.tests, range(5)
        )
        for train, test in rows.splits.values():
            assert np.bincount(rows.y[train]).tolist() == [sizes.samples] * len(classes)
            assert np.bincount(rows.y[test]).tolist() == [sizes.tests] * len(classes)
        assert len(classes) * sizes.samples < 1280  # so that some layer separates them


def test_stored_results_are_shown_only_when_they_are_there_and_whole(whole, tmp_path):
    assert files.stored("last_layer", TINY, tmp_path) is None
    files.write(tmp_path / "last_layer.json", whole | {"finished": False})
    assert files.stored("last_layer", TINY, tmp_path) is None
    files.write(tmp_path / "last_layer.json", whole)
    assert files.stored("last_layer", TINY, tmp_path)["runs"] == whole["runs"]
    assert files.stored("last_layer", SIZES["full"], tmp_path) is None  # not what a chapter would call full
    with pytest.raises(ValueError, match="holds no results of 'other'"):
        files.read(tmp_path / "last_layer.json", "other")
    (tmp_path / "last_layer.json").write_text("{")
    with pytest.raises(ValueError, match="is damaged"):
        files.stored("last_layer", TINY, tmp_path)
    with pytest.raises(ValueError, match="not JSON compliant"):
        files.write(tmp_path / "bad.json", {"value": float("nan")})
    assert list(tmp_path.iterdir()) == [tmp_path / "last_layer.json"]


def test_results_say_where_and_with_what_they_were_made(whole):
    kept = whole["slices"][-1]
    assert {"python", "numpy", "scipy", "torch", "lgd-lib"} == set(kept["versions"])
    assert kept["device"].startswith("cpu")
    assert kept["seconds"] > 0
    assert kept["date"][:2] == "20"
    assert whole["seeds"] == list(SEEDS)


def test_the_command_runs_in_slices(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("lgd_lib.neural.experiments.last_layer.pictures_of", lambda *_: SETS)
    monkeypatch.setitem(SIZES, "ci", TINY)
    words = ["last_layer", "--profile", "ci", "--seeds", "2", "--out", str(tmp_path / "r.json")]
    assert command.main([*words, "--seconds", "0.1"]) == 3
    assert "run again to go on" in capsys.readouterr().out
    assert command.main(words) == 0
    assert "finished: " in capsys.readouterr().out


def test_the_command_ends_in_words_before_it_works(tmp_path, monkeypatch, capsys):
    started = lambda *_: pytest.fail("work has started")  # noqa: E731
    monkeypatch.setattr("lgd_lib.neural.experiments.last_layer.pictures_of", started)
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    (tmp_path / "file").write_text("no folder, and no results")
    out = ["--out", str(tmp_path / "new" / "r.json")]
    for words, said in (
        ([*out, "--device", "cuda"], "finds no GPU here"),
        ([*out, "--seeds", "0"], "--seeds was 0; it must be at least 1"),
        ([*out, "--seconds", "nan"], "--seconds was nan"),
        (["--out", str(tmp_path / "file" / "r.json")], "file"),
        (["--out", str(tmp_path / "file")], "is damaged"),
        (["--out", str(tmp_path)], "s a directory"),
    ):
        with pytest.raises(SystemExit, match="2"):
            command.main(["last_layer", *words])
        assert said in capsys.readouterr().err


ALONE = """
import importlib.abc, sys

class Nothing(importlib.abc.MetaPathFinder):
    refused = {"daqp", "tqdm", "cvxpy", "matplotlib", "numba", "sklearn", "pandas", "IPython", "myst_nb"}
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in self.refused:
            raise ModuleNotFoundError(name, name=name)

sys.meta_path.insert(0, Nothing())
import numpy as np
from lgd_lib.neural import __main__ as command
from lgd_lib.neural.experiments.work import work_on
from lgd_lib.neural.frozen import Frozen
from lgd_lib.neural.experiments.last_layer import last_layer
from lgd_lib.neural.experiments.scenes import Sizes
rng, y, rows = np.random.default_rng(1), np.arange(150) % 3, np.arange(150)
X = 3 * rng.standard_normal((3, 160))[y] + rng.standard_normal((150, 160))
frozen = Frozen(X, y, rows % 4, {0: (rows[:120], rows[120:])})
sizes = Sizes({"emoji": (0, 1, 2)}, 40, 10, 4, 3, 12, (1, 3), 2, 5)
found = last_layer({"emoji": frozen}, sizes, [0])
assert found["finished"]
assert found["runs"]["emoji / vendors / bundle / seed 0"]["margin"][-1] > 0.99
command.main(["last_layer", "--help"])
"""


def test_numpy_scipy_and_torch_are_enough():
    done = subprocess.run([sys.executable, "-c", ALONE], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "python -m lgd_lib.neural" in done.stdout


def test_stored_results_are_drawn_beside_the_own_run_and_never_in_its_panel(whole):
    own = {"bundle": whole["runs"]["emoji / vendors / bundle / seed 0"]}
    rounds, mean = [1, 2, 4], np.array([9.0, 3.0, 1.0])
    for stored in (None, {"ppm": (rounds, mean, mean / 2, 2 * mean)}):
        left, right = beside_figure(own, stored, ylabel="angle").axes
        assert [text.get_text() for text in left.get_legend().get_texts()] == ["bundle"]
        assert left.get_legend().get_title().get_text() == "this run"
        assert len(left.lines) == 1
        if stored is None:
            assert right.get_legend() is None
            assert right.texts[0].get_text() == "no stored results"
        else:
            assert right.get_legend().get_title().get_text() == "stored results, full size"
            assert [text.get_text() for text in right.get_legend().get_texts()] == ["parallel projections"]
