"""`lgd_lib.origin`: a saved run is gone on with by the run that made it, and by no other."""

import os
import subprocess
import sys
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import pytest
import torch
from torch import nn

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
from lgd_lib.origin import COUNTS, described, difference, origin_of
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


SAID = {
    "problem": r"nodes\[0\]\.X = float64 \(4, 20\) \w{6}, the iterator's is float64 \(4, 20\) \w{6};",
    "local_solver": "L = 5, the iterator's is 6;",
    "aggregation": r"Average\(\), the iterator's is Anchored\(.*\);",
    "participation": r"None, the iterator's is Subset\(m=2\);",
}


@pytest.mark.parametrize("name", SAID)
def test_what_differs_is_named_with_both_values(tmp_path, name):
    path = tmp_path / "run.npz"
    record(start(), POINT, 3, path=path)
    state = saved_state(path)
    if name == "aggregation":
        state.aggregation["anchor"] = W0
    with pytest.raises(ValueError, match=f"another {name}: it was {SAID[name]}"):
        record(start(state=state, **OTHERS[name]), POINT, 5, path=path)


def test_the_first_difference_is_found_as_far_inside_as_it_can_be():
    nodes = gaussian_regression(200, 2, 5, seed=0).nodes

    def between(a, b):
        return difference(origin_of({"part": a}), origin_of({"part": b}))

    assert between({"a": 1}, {"a": 1}) is None
    assert between(Problem(nodes, "regression"), Problem(nodes, "regression")) is None
    changed = (*nodes[:196], nodes[0], *nodes[197:])
    assert between(Problem(nodes, "regression"), Problem(changed, "regression")) == "part.nodes[196].X"
    assert between(list(nodes[:3]), list(nodes[:2])) == "part[2]"
    assert between(GradientSteps([0.1, 0.2], 5), GradientSteps([0.1, 0.3], 5)) == "part.eta[1]"
    assert between(GradientSteps(0.1, 5), GradientSteps([0.1], 5)) == "part.eta"
    assert between(Average(), GradientSteps(0.1, 5)) == "part"


def test_a_file_that_names_whole_parts_only_is_gone_on_with(tmp_path):
    path = tmp_path / "old.npz"
    record(start(), POINT, 3, path=path)
    arrays, note = storage.read(path)
    note["state"]["origin"] = {name: note["state"]["origin"][name] for name in OTHERS}
    storage.write(path, arrays, note)
    with pytest.raises(ValueError, match=r"another local_solver: it was GradientSteps\(.*L=5.*L=6"):
        record(start(state=saved_state(path), solver=GradientSteps(0.1, 6)), POINT, 5, path=path)
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


@dataclass(frozen=True)
class Part:
    inner: object
    shown: bool = field(default=False, compare=False)
    batch: int = field(default=1, metadata={COUNTS: lambda part: str(part.inner) == "counted"})


def same(a, b):
    return described(Part(a)) == described(Part(b))


def test_some_fields_do_not_count():
    for inner in ("counted", "not counted"):
        assert described(Part(inner)) == described(Part(inner, shown=True))
    assert described(Part("counted")) != described(Part("counted", batch=2))
    assert described(Part("not counted")) == described(Part("not counted", batch=2))


def test_parts_of_parts_count():
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


X = torch.arange(12.0).reshape(3, 4)


@pytest.mark.parametrize("other", [X * 100, X + 1, X[:2], X.T, X.double(), X.half(), X.numpy(), -X])
def test_tensors_count_as_arrays_do(other):
    assert same(X, X.clone())
    assert same(X, X.clone().requires_grad_())
    assert same(X.T, X.T.contiguous())
    assert not same(X, other)


def test_tensors_of_all_types_are_described():
    some = [
        torch.ones(3, dtype=getattr(torch, t)) for t in ("bfloat16", "bool", "int8", "float16", "complex64")
    ]
    assert len({described(t) for t in [*some, torch.ones(()), torch.empty(0)]}) == 7
    assert not same(torch.tensor([0, 1, 2]), torch.tensor([1, 2, 0]))


def scaled(c, kept=None, *, shift=0.0):
    def loss(x):
        return c * x + shift + (kept or 0)

    return loss


def recursive(n):
    def inner(k):
        return 1 if k < n else inner(k - 1)

    return inner


def test_functions_count_by_what_they_do_and_hold_on_to():
    def tanh():
        return nn.Sequential(nn.Linear(2, 2), nn.Tanh())

    def relu():
        return nn.Sequential(nn.Linear(2, 2), nn.ReLU())

    relu.__qualname__ = tanh.__qualname__
    mean, summed = nn.MSELoss(), nn.MSELoss(reduction="sum")
    for a, b in [
        (lambda k: 1, lambda k: 2),
        (tanh, relu),
        (scaled(1), scaled(2)),
        (scaled(X), scaled(2 * X)),
        (scaled(np.tanh), scaled(np.exp)),
        (partial(scaled, 1), partial(scaled, 2)),
        (partial(scaled, 1), partial(scaled, 1, shift=1.0)),
        (partial(scaled, 1, shift=2.0), partial(scaled, 1, shift=1.0)),
        (lambda k=1: k, lambda k=2: k),
        (lambda *, k=1: k, lambda *, k=2: k),
        (lambda k: k in {"a", "b"}, lambda k: k in {"a", "c"}),
        (lambda k: lambda: 1, lambda k: lambda: 2),
        (recursive(1), recursive(2)),
        (Part(1).__eq__, Part(2).__eq__),
        (mean, summed),
        (nn.CrossEntropyLoss(weight=torch.ones(2)), nn.CrossEntropyLoss(weight=torch.zeros(2))),
        (torch.tanh, torch.relu),
        (Part, Problem),
        (scaled(nn.Tanh()), scaled(nn.ReLU())),
    ]:
        assert same(a, a)
        assert not same(a, b)
    assert same(scaled(1), scaled(1))
    assert same(scaled(1, kept=[1]), scaled(1, kept=[2]))  # it may change while the run goes on
    assert same(partial(scaled, 1, shift=1.0), partial(scaled, 1, shift=1.0))


FUNCTIONS = """
from functools import partial
from lgd_lib.origin import described
def outer(c):
    def inner(k, some=("a", 1)):
        return k in {"a", "b", "c", "d", c}
    return inner
print(described((outer(1.0), partial(outer(2), "b"), lambda k: k)))
"""


def test_functions_are_described_the_same_in_every_process():
    runs = [
        subprocess.run(
            [sys.executable, "-c", FUNCTIONS],
            capture_output=True,
            text=True,
            check=True,
            env=os.environ | {"PYTHONHASHSEED": hash_seed},
        ).stdout
        for hash_seed in "12"
    ]
    assert runs[0] == runs[1] != ""
