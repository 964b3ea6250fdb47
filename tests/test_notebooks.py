"""The notebooks as they are stored: stripped, short, captioned, and certified where they claim something."""

import ast
import re
from pathlib import Path

import nbformat
import pytest

from pipeline import notebooks

BOOK = Path(__file__).parents[1] / "book"
FOUND = sorted(BOOK.glob("*.ipynb"))
FORBIDDEN = {
    r"filterwarnings|simplefilter|catch_warnings": "warnings are not filtered",
    r"random\.seed\(|manual_seed\(": "no global seed: random streams are made from the parameter",
    r"^\s*[!%]\s*(pip|conda|apt)": "nothing is installed",
    r"urlopen|urlretrieve|requests\.|http://|https://": "no network",
    r"plt\.title|set_title|suptitle": "no titles in figures: the caption says it",
}
DRAWS = re.compile(r"\bplt\.|\.subplots\(|\bplotting\.\w+\(|\bfrom lgd_lib\.plotting\b.*\bimport\b")


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def in_book(test):
    return pytest.mark.parametrize("path", FOUND, ids=[path.stem for path in FOUND])(test)


def test_there_are_notebooks_and_the_contents_name_every_page():
    contents = (BOOK / "_toc.yml").read_text(encoding="utf8")
    named = re.findall(r"^ *(?:- file|root): *(\S+)$", contents, re.MULTILINE)
    there = [path.relative_to(BOOK) for path in BOOK.rglob("*") if path.suffix in {".md", ".ipynb"}]
    assert FOUND
    assert sorted(named) == sorted(path.with_suffix("").as_posix() for path in there)


def test_every_module_of_the_library_has_its_place_in_the_reference():
    text = "".join(path.read_text(encoding="utf8") for path in (BOOK / "api").glob("*.md"))
    named = re.findall(r"automodule:: lgd_lib\.(\S+)", text)
    library = BOOK.parent / "lgd_lib"
    paths = [path.relative_to(library) for path in library.rglob("*.py") if path.parent.name != "theory"]
    modules = [".".join(path.with_suffix("").parts).removesuffix(".__init__") for path in paths]
    assert sorted(named) == sorted({*modules, "theory"} - {"__init__"})


@in_book
def test_stored_without_outputs_and_with_stable_ids(path):
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    ids = [cell.get("id") for cell in notebook.cells]
    assert all(ids)
    assert len(set(ids)) == len(ids)
    assert all(not cell.outputs and cell.execution_count is None for cell in code_cells(notebook))
    assert notebook.metadata.kernelspec.name == "python3"
    assert "widgets" not in notebook.metadata


@in_book
def test_the_parameters_cell_sets_the_four_defaults(path):
    notebook = nbformat.read(path, as_version=4)
    notebooks.check_parameters(path, notebook)
    (cell,) = (cell for cell in notebook.cells if notebooks.has_tag(cell, "parameters"))
    values = [ast.literal_eval(statement.value) for statement in ast.parse(cell.source).body]
    assert values == ["ci", 0, "cpu", None]
    assert cell is code_cells(notebook)[0], "the parameters come before any other code"


@in_book
def test_cells_are_short_and_code_is_plain(path):
    for number, cell in enumerate(nbformat.read(path, as_version=4).cells, start=1):
        if cell.cell_type != "code":
            continue
        assert len(cell.source.splitlines()) <= 20, f"cell {number} has more than 20 lines"
        for pattern, reason in FORBIDDEN.items():
            assert not re.search(pattern, cell.source, re.MULTILINE), f"cell {number}: {reason}"


@in_book
def test_figures_have_name_caption_and_alternative_text(path):
    for number, cell in enumerate(code_cells(nbformat.read(path, as_version=4)), start=1):
        shown = cell.metadata.get("mystnb", {})
        if "figure" in shown or "image" in shown:
            for part, key in (("figure", "name"), ("figure", "caption"), ("image", "alt")):
                assert shown.get(part, {}).get(key, "").strip(), (
                    f"code cell {number} lacks mystnb.{part}.{key}"
                )
            assert ":" not in shown["figure"]["name"], "the theme's script fails on labels with a colon"
            assert shown["figure"]["caption"].rstrip().endswith("."), "a caption is a sentence"


@in_book
def test_declared_claims_are_named_and_certified(path):
    notebook = nbformat.read(path, as_version=4)
    own = notebook.metadata.get("lgd", {})
    claims = [*own.get("claims", []), *own.get("stored", [])]
    certificates = [cell for cell in code_cells(notebook) if "certify(" in cell.source]
    assert len(certificates) == (1 if claims else 0)
    if not claims:
        return
    assert path.stem not in notebooks.LATE
    (certificate,) = certificates
    assert notebooks.has_tag(certificate, "certificate")
    assert re.search(rf'certify\(\s*"{path.stem}",', certificate.source), "it names this chapter"
    assert re.search(r"certify\([^\0]*\bout\b[^\0]*\)", certificate.source), "it hands on `out`"
    before = notebook.cells[notebook.cells.index(certificate) - 1]
    assert f"(certificate-{path.stem})=" in before.source, "the claims page links to this label"
    made = {i for cell in code_cells(notebook) for i in re.findall(r'Claim\(\s*"([^"]+)"', cell.source)}
    assert made <= set(claims), "the notebook's metadata declare every claim that it makes"
    for claim in claims:
        assert claim in notebook.cells[0].source, f"the title cell names {claim}"


@in_book
def test_the_title_comes_first_and_directives_are_written_with_colons(path):
    notebook = nbformat.read(path, as_version=4)
    assert notebook.cells[0].cell_type == "markdown"
    assert re.match(r"(\([\w-]+\)=\n)?# \S", notebook.cells[0].source)
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            assert not re.search(r"```\{prf:", cell.source), (
                "colons let plain Jupyter show the mathematics inside"
            )
            assert not re.search(r":(label|name): *\S*:", cell.source), "labels have no colon"
