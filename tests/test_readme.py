"""The README and CONTRIBUTING keep their word: the example runs, commands and files that they name exist."""

import re
from pathlib import Path

import numpy as np
import pytest

from lgd_lib import references, theory

ROOT = Path(__file__).parents[1]


def text_of(page):
    return (ROOT / page).read_text(encoding="utf-8")


def only_python_block(page):
    (block,) = re.findall(r"```python\n(.*?)```", text_of(page), re.DOTALL)
    return block


def test_the_example_of_the_readme_reaches_the_centralised_model_no_slower_than_it_says(capsys):
    code = only_python_block("README.md")
    assert len([line for line in code.splitlines() if line.strip()]) <= 10
    names = {}
    exec(compile(code, "README.md", "exec"), names)
    problem, history = names["problem"], names["history"]
    size = np.linalg.norm(references.min_norm(problem).w)
    bound = theory.regression_rate(problem, L=100, eta=names["eta"]) ** len(history) * size
    assert history["distance"][-1] <= bound + 1e-12 * size
    assert history["distance"][-1] <= 1e-6 * size, "far enough to be worth showing"
    shown = capsys.readouterr().out
    assert str(history["distance"][-1]) in shown


def test_the_committed_picture_is_what_the_lines_in_contributing_draw(tmp_path, monkeypatch):
    (tmp_path / "book" / "_static").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    exec(compile(only_python_block("CONTRIBUTING.md"), "CONTRIBUTING.md", "exec"), {})
    drawn = (tmp_path / "book" / "_static" / "plane.svg").read_text(encoding="utf-8")
    committed = text_of("book/_static/plane.svg")
    maker = re.compile(r"Matplotlib v[\d.]+")
    if maker.search(drawn).group() != maker.search(committed).group():
        pytest.skip("drawn with another version of Matplotlib than the one that is locked")
    assert drawn == committed


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"])
def test_links_and_paths_lead_somewhere(page):
    text = text_of(page)
    linked = [target for target in re.findall(r"\]\(([^)]+)\)", text) if "://" not in target]
    named = [
        path for path in re.findall(r"`([\w.]+/[\w./]*|[\w-]+\.\w+)`", text) if not path.startswith("_build")
    ]
    named = [path for path in named if "/" in path or (ROOT / path).suffix in {".py", ".cff", ".yml", ".txt"}]
    missing = [path for path in {*linked, *named} if not (ROOT / path).exists()]
    assert not missing


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md"])
def test_the_make_targets_exist(page):
    targets = set(re.findall(r"(?m)^([a-z]+):", text_of("Makefile")))
    used = set(re.findall(r"(?m)(?:^|`)make ([a-z]+)", text_of(page)))
    assert used
    assert used <= targets


def test_the_picture_has_a_text_for_those_who_cannot_see_it():
    ((alternative, target),) = re.findall(r"!\[([^\]]*)\]\(([^)]+)\)", text_of("README.md"))
    assert len(alternative) > 20
    assert (ROOT / target).suffix == ".svg"
