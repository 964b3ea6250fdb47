"""The public face: names, signatures, docstrings, and an import that is light and silent."""

import ast
import inspect
import pkgutil
import re
import subprocess
import sys
from dataclasses import fields, is_dataclass
from importlib import import_module
from pathlib import Path

import pytest

import lgd_lib
from lgd_lib import certificates, claims, datasets, references, theory
from lgd_lib.neural import features, weights

MODULES = [import_module(found.name) for found in pkgutil.walk_packages(lgd_lib.__path__, "lgd_lib.")]
ORDER = ["Parameters", "Returns", "Yields", "Raises", "Notes", "Examples"]
MATHEMATICS = {
    "aggregation",
    "certificates",
    "local_solvers",
    "active_set",
    "doubled",
    "least_distance",
    "losses",
    "multiclass",
    "margin_bounds",
    "projections",
    "refinement",
    "separability",
    "references",
    "row_space",
    "regression",
    "spectra",
}


def public(module):
    for name, thing in vars(module).items():
        own = getattr(thing, "__module__", None) == module.__name__
        if own and not name.startswith("_") and (inspect.isclass(thing) or inspect.isfunction(thing)):
            yield f"{module.__name__}.{name}", thing
            if inspect.isclass(thing):
                for label, member in vars(thing).items():
                    member = getattr(member, "__func__", member)
                    if inspect.isfunction(member) and not label.startswith("_"):
                        yield f"{module.__name__}.{name}.{label}", member


THINGS = dict(found for module in MODULES for found in public(module))
TOP = {
    name: thing
    for name, thing in THINGS.items()
    if inspect.isfunction(thing) and thing.__qualname__ == thing.__name__
}
CLASSES = {
    name: thing
    for name, thing in THINGS.items()
    if inspect.isclass(thing)
    and not issubclass(thing, BaseException)
    and not getattr(thing, "_is_protocol", False)
}


def sections(thing):
    """Section titles in order, and the lines of each."""
    lines = (inspect.getdoc(thing) or "").splitlines()
    titles, content = [], {}
    for title, rule in zip(lines, [*lines[1:], ""], strict=True):
        if rule and set(rule) == {"-"} and len(rule) == len(title):
            titles.append(title)
            content[title] = []
        elif titles and set(title) != {"-"}:
            content[titles[-1]].append(title)
    return titles, {title: "\n".join(text) for title, text in content.items()}


def documented(text):
    """Names of a Parameters section: 'a, b : kind' gives a and b."""
    heads = [line.split(" : ")[0] for line in text.splitlines() if line and not line.startswith(" ")]
    return [name.strip().lstrip("*") for head in heads for name in head.split(",")]


def test_the_names_of_the_library_are_those_it_lists():
    assert lgd_lib.__all__ == sorted(lgd_lib.__all__)
    assert all(hasattr(lgd_lib, name) for name in lgd_lib.__all__)
    modules = {module.__name__.split(".")[1] for module in MODULES}
    visible = {name for name in vars(lgd_lib) if not name.startswith("_")}
    assert visible - modules <= set(lgd_lib.__all__)
    for module in MODULES:
        assert all(hasattr(module, name) for name in getattr(module, "__all__", []))


@pytest.mark.parametrize(
    ("function", "signature"),
    [
        (lgd_lib.Node, "(X, y)"),
        (lgd_lib.Problem, "(nodes, task, d_sent=0)"),
        (lgd_lib.Problem.row_space, "(self, w0=None)"),
        (lgd_lib.Problem.split, "(X, y, parts, task)"),
        (lgd_lib.GradientSteps, "(eta, L, loss='squared')"),
        (lgd_lib.SGDSteps, "(eta, L, batch_size, replace=False, loss='squared')"),
        (lgd_lib.ExactProjection, "()"),
        (lgd_lib.Average, "()"),
        (
            lgd_lib.rounds,
            "(problem, local_solver, aggregation, w0, *, "
            "weights=None, participation=None, seed=0, state=None)",
        ),
        (lgd_lib.record, "(iterator, metrics, K, *, path=None, every=100, bar=None)"),
        (lgd_lib.History.save, "(self, path)"),
        (lgd_lib.History.load, "(path)"),
        (references.min_norm, "(problem, w0=None, method='closed')"),
        (certificates.check_min_norm, "(problem, w, w0=None, *, tolerance=1e-08)"),
        (references.max_margin, "(problem, method='closed')"),
        (references.project_feasible, "(problem, w0=None, method='closed')"),
        (certificates.check_projection, "(problem, w, w0=None, multipliers=None, *, tolerance=1e-08)"),
        (lgd_lib.ExactMargin, "(worst_margin=False)"),
        (lgd_lib.DualMargin, "()"),
        (lgd_lib.Haugazeau, "()"),
        (lgd_lib.Bundle, "(slack=None)"),
        (theory.regression_rate, "(problem, L, eta=None, *, weights=None)"),
        (claims.certify, "(chapter, claims, out=None)"),
        (claims.collect, "(folder, declared)"),
        (datasets.load, "(name, root=None)"),
        (datasets.load_pictures, "(name, root=None)"),
        (datasets.fashion_mnist, "(folder)"),
        (datasets.cifar10, "(folder)"),
        (weights.efficientnet_lite0, "()"),
        (weights.local_backbone, "(path, network, extract, mean, std, sha256=None, name=None)"),
        (
            features.features,
            "(backbone, pictures, size=64, batch_size=16, device='cpu', cache=None, dtype='float32')",
        ),
    ],
)
def test_signatures_are_kept(function, signature):
    found = inspect.signature(function)
    plain = [p.replace(annotation=inspect.Parameter.empty) for p in found.parameters.values()]
    assert str(found.replace(parameters=plain, return_annotation=inspect.Signature.empty)) == signature


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        (lgd_lib.Round, "k w sent W active local_steps bytes_up bytes_down state"),
        (lgd_lib.Reference, "w multipliers certificate"),
        (lgd_lib.Certificate, "residuals error_bound tolerance ok"),
        (lgd_lib.Problem, "nodes task M d N sizes pooled d_sent"),
        (lgd_lib.Node, "X y N d"),
        (claims.Claim, "id label statement measured predicted relation expected verdict"),
        (lgd_lib.History, "meta"),
        (
            datasets.Pictures,
            "name images labels class_names groups group_names names held_out licence source N",
        ),
        (weights.Backbone, "name sha256 network extract mean std"),
    ],
)
def test_promised_attributes_exist(kind, names):
    there = {field.name for field in fields(kind)} | set(vars(kind))
    assert set(names.split()) <= there
    assert kind.__dataclass_params__.frozen


@pytest.mark.parametrize("name", THINGS)
def test_everything_public_begins_with_one_sentence(name):
    text = inspect.getdoc(THINGS[name])
    assert text
    first = text.split("\n\n")[0]
    assert first.endswith((".", "from.")) or ": " in first or first.endswith(")")
    assert "Parameters" not in first


@pytest.mark.parametrize("name", TOP | CLASSES)
def test_sections_come_in_one_order(name):
    titles, content = sections(THINGS[name])
    assert titles == [title for title in ORDER if title in titles]
    assert all(text.strip() for text in content.values())


@pytest.mark.parametrize("name", TOP)
def test_functions_say_what_goes_in_what_comes_out_and_what_it_costs(name):
    function = THINGS[name]
    _, content = sections(function)
    signature = inspect.signature(function)
    assert sorted(documented(content.get("Parameters", ""))) == sorted(signature.parameters)
    gives = {"Returns", "Yields"} & set(content)
    assert bool(gives) == (str(signature.return_annotation) not in ("None", "<class 'NoneType'>"))
    assert "Cost: " in content["Notes"]
    assert ">>> " in content["Examples"]
    if function.__module__.split(".")[-1] in MATHEMATICS:
        assert "Source: " in content["Notes"]


@pytest.mark.parametrize("name", CLASSES)
def test_classes_describe_their_fields_and_show_themselves(name):
    kind = THINGS[name]
    _, content = sections(kind)
    if is_dataclass(kind):
        own = [field.name for field in fields(kind) if field.init and not field.name.startswith("_")]
        assert documented(content.get("Parameters", "")) == own
    assert ">>> " in content["Examples"]


@pytest.mark.parametrize("name", TOP)
def test_what_is_raised_is_documented(name):
    function = inspect.unwrap(THINGS[name])
    tree = ast.parse(inspect.getsource(function))
    raised = {
        node.exc.func.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Raise)
        and isinstance(node.exc, ast.Call)
        and isinstance(node.exc.func, ast.Name)
    }
    text = sections(function)[1].get("Raises", "")
    assert all(kind in text for kind in raised)


def test_the_import_is_light_and_silent():
    heavy = {"torch", "cvxpy", "matplotlib", "numba", "pandas", "sklearn", "IPython"}
    code = f"import sys, lgd_lib; print(sorted({heavy!r} & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True
    )
    assert (done.stdout, done.stderr) == ("[]\n", "")


def test_the_global_random_state_is_not_touched():
    for module in MODULES:
        text = Path(module.__file__).read_text(encoding="utf-8")
        assert not re.search(r"np\.random\.(?!default_rng|Generator)", text)
        assert text.isascii()


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_no_module_grows_past_what_one_can_hold_in_the_head(module):
    lines = inspect.getsource(module).count("\n")
    assert lines <= 300, f"{module.__name__} has {lines} lines; split it"
