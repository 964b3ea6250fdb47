"""`lgd_lib.origin`: a saved run is gone on with by the run that made it, and by no other."""

import os
import subprocess
import sys
from dataclasses import dataclass

import numpy as np
import pytest

from lgd_lib import (
    Anchored,
    Average,
    GradientSteps,
    History,
    Problem,
    Subset,
    record,
    rounds,
    saved_state,
    storage,
)
from lgd_lib.origin import described
from lgd_lib.synthetic import gaussian_regression

W0 = np.zeros(20)
POINT = {"w": lambda r: r.w}


def start(seed=0, solver=None, server=None, **options):
    problem = gaussian_regression(3, 4, 20, seed=seed)
    return rounds(problem, solver or GradientSteps(0.1, 5), server or Average(), W0, **options)


OTHERS = {
    "problem": {"seed": 1},
    "local_solver": {"solver": GradientSteps(0.1, 6)},
    "aggregation": {"server": Anchored()},
    "weights": {"weights": [1, 2, 3]},
    "participation": {"participation": Subset(2)},
}


@pytest.mark.parametrize("name", OTHERS)
def test_another_run_is_refused_by_what_differs_and_the_file_is_kept(tmp_path, name):
    path = tmp_path / "run.npz"
    record(start(), POINT, 3, path=path)
    kept = path.read_bytes()
    state = saved_state(path)
    if name == "aggregation":
        state.aggregation["anchor"] = W0
    with pytest.raises(
        ValueError, match=rf"run\.npz' holds a run with another {name}: it was .*; pass the same"
    ):
        record(start(state=state, **OTHERS[name]), POINT, 5, path=path)
    assert path.read_bytes() == kept
    record(start(state=saved_state(path)), POINT, 5, path=path)
    assert np.array_equal(History.load(path)["w"], record(start(), POINT, 5)["w"])


def test_in_memory_a_run_may_go_on_otherwise_and_says_what_it_is_then(tmp_path):
    first = record(start(), POINT, 3)
    second = record(start(state=first.state, participation=Subset(2)), POINT, 5)
    assert first.state.origin["participation"] == "None"
    assert second.state.origin["participation"] == "Subset(m=2)"


def test_a_file_that_does_not_say_what_it_holds_is_refused_in_words(tmp_path):
    path, other = tmp_path / "old.npz", tmp_path / "new.npz"
    record(start(), POINT, 3, path=path)
    arrays, note = storage.read(path)
    del note["state"]["origin"]
    storage.write(path, arrays, note)
    assert len(History.load(path)) == 3
    with pytest.raises(ValueError, match=r"old\.npz' holds a run of an earlier version"):
        record(start(state=saved_state(path)), POINT, 5, path=path)
    rest = record(start(state=saved_state(path)), POINT, 5, path=other)  # the way out that it names
    assert np.array_equal(rest["w"], record(start(), POINT, 5)["w"][3:])


def test_the_description_is_the_same_in_every_process():
    problem, solver = gaussian_regression(3, 4, 20, seed=0), GradientSteps([0.1, 0.2, 0.3], 5, "squared")
    code = (
        "from lgd_lib import GradientSteps; from lgd_lib.origin import described;"
        "from lgd_lib.synthetic import gaussian_regression as g;"
        "print(described(g(3, 4, 20, seed=0)), described(GradientSteps([0.1, 0.2, 0.3], 5, 'squared')))"
    )
    for hash_seed in "12":
        run = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=True,
            env=os.environ | {"PYTHONHASHSEED": hash_seed},
        )
        assert run.stdout.split("\n")[0] == f"{described(problem)} {described(solver)}"


def test_rounding_is_no_difference_and_scale_and_type_are():
    X = np.random.default_rng(0).standard_normal((50, 40))
    assert described(X) == described(X * (1 + 1e-14)) == described(np.asfortranarray(X))
    for other in (2 * X, -X, X.astype(np.float32), X[:40], X.T, X + 0.1, np.roll(X, 1)):
        assert described(other) != described(X)
    for entry in (0.0, 1e-300, np.nan, np.inf):
        assert described(np.array([entry])) == described(np.array([entry]))
    assert len({described(np.array(x)) for x in ([], 3.0, [3.0], ["a"], ["b"], [True], [1])}) == 7


def test_parts_of_parts_count_and_functions_do_not():
    @dataclass(frozen=True)
    class Part:
        inner: object

    def same(a, b):
        return described(Part(a)) == described(Part(b))

    assert same(lambda k: 1, lambda k: 2)
    assert same({"a": [1, (2, None)]}, {"a": [1, (2, None)]})
    for a, b in [
        (1, 2),
        (1, 1.0),
        ("x", "y"),
        ([1], [2]),
        ({"a": 1}, {"a": 2}),
        (Part(1), Part(2)),
        (set(), {1}),
    ]:
        assert not same(a, b)
    many = Problem(gaussian_regression(200, 1, 5, seed=0).nodes, "regression")
    assert not same(many, Problem(many.nodes[:-1], "regression"))
    assert len(described(many)) < 120
