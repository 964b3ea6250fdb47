"""The build graph on a small copy of the repository: what it runs, refuses and leaves behind."""

import io
import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pytest

from pipeline import notebooks
from pipeline.settings import SettingError, Settings, read_settings
from pipeline.terminal import Line

ROOT = Path(__file__).parents[1]
PARAMETERS = 'profile = "ci"\nseed = 0\ndevice = "cpu"  # or "cuda"\nout = None'


def certificate(*ids):
    claims = ", ".join(f'Claim("{i}", "std", "One is one.", 1, 1, "equal")' for i in ids)
    return f'from lgd_lib.claims import Claim, certify\n\ncertify("one", [{claims}], out)'


PIECES = """
import os, pathlib
from lgd_lib import unfinished

unfinished.SECONDS = 0.0

def make(n):
    with open("made.txt", "a") as file:
        file.write(f"{n} ")
    if n == 2 and not pathlib.Path("go").exists():
        os._exit(1)
    return pathlib.Path(os.environ["LGD_PROGRESS"]).read_text()

print(unfinished.Unfinished(out, "one").each("pieces", make, range(4))[0])
"""


class Copy:
    """A copy of the repository with notebooks of its own."""

    def __init__(self, folder):
        self.folder = folder
        shutil.copy(ROOT / "dodo.py", folder)
        shutil.copy(ROOT / "_config.yml", folder)
        shutil.copy(ROOT / "constraints.txt", folder)
        for name in ("pipeline", "lgd_lib"):
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        (folder / "book").mkdir()

    def write(self, name, *sources, claims=(), parameters=PARAMETERS):
        tagged = nbformat.v4.new_code_cell(parameters, metadata={"tags": ["parameters"]}, id="parameters")
        cells = [nbformat.v4.new_code_cell(text, id=f"cell-{i}") for i, text in enumerate(sources)]
        book = nbformat.v4.new_notebook(
            cells=[nbformat.v4.new_markdown_cell("# One", id="title"), tagged, *cells]
        )
        book.metadata = {
            "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"},
            "lgd": {"claims": list(claims)},
        }
        nbformat.write(book, self.folder / "book" / f"{name}.ipynb")

    def doit(self, *words):
        command = [sys.executable, "-W", "ignore", "-m", "doit", "-n", "2", *words]
        return subprocess.run(
            command, cwd=self.folder, capture_output=True, text=True, timeout=120, check=False
        )

    def built(self, name):
        return self.folder / "_build" / "ci" / name


@pytest.fixture
def copy(tmp_path):
    return Copy(tmp_path)


def test_a_failing_cell_is_named_and_leaves_no_site(copy):
    copy.write("one", "started = True", "x = 3\nraise RuntimeError('the reason')", "never = True")
    copy.built("site").mkdir(parents=True)  # of an earlier build
    done = copy.doit("site")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "book/one.ipynb, cell 4 of 5: x = 3\nRuntimeError: the reason\n" in done.stdout
    assert "_build/ci/failed/one.ipynb" in done.stdout
    assert "started = True" in copy.built("failed/one.ipynb").read_text(encoding="utf8")
    assert not copy.built("site").exists()
    assert not copy.built("notebooks/one.ipynb").exists()


def test_a_notebook_runs_again_only_when_something_changed(copy):
    copy.write("one", certificate("A"), claims=["A"])
    copy.write("two", "import os\nprint(os.environ['OMP_NUM_THREADS'], os.getcwd(), seed, out)")
    first = copy.doit("claims", "seed=7")
    assert first.returncode == 0, first.stdout + first.stderr
    assert [row["id"] for row in json.loads(copy.built("claims.json").read_text(encoding="utf8"))] == ["A"]
    executed = copy.built("notebooks/two.ipynb").read_text(encoding="utf8")
    assert "1 . 7 _build/ci" in executed
    assert "seed = 7\\n" in executed
    assert 'device = \\"cpu\\"  # or' in executed
    assert "out = None" in executed
    for unwanted in ("papermill", "injected", "iopub", str(copy.folder)):
        assert unwanted not in executed

    assert "run   notebook" not in copy.doit("claims", "seed=7").stdout
    copy.write("two", "1 + 1")
    only_two = copy.doit("claims", "seed=7").stdout
    assert "run   notebook:two" in only_two
    assert "same  notebook:one" in only_two
    with (copy.folder / "lgd_lib" / "theory.py").open("a", encoding="utf8") as file:
        file.write("\n# changed\n")
    everything = copy.doit("claims", "seed=7").stdout
    assert "run   notebook:one" in everything
    assert "run   notebook:two" in everything
    assert "run   notebook:one" in copy.doit("claims", "seed=8").stdout

    (copy.folder / "book" / "one.ipynb").unlink()
    assert copy.doit("claims", "seed=8").returncode == 0
    assert not copy.built("claims/one.json").exists()
    assert json.loads(copy.built("claims.json").read_text(encoding="utf8")) == []


def test_a_killed_notebook_goes_on_where_it_was(copy):
    copy.write("one", PIECES)
    assert copy.doit("notebook:one", "profile=full").returncode == 1
    (copy.folder / "go").touch()
    assert copy.doit("notebook:one", "profile=full").returncode == 0
    assert (copy.folder / "made.txt").read_text(encoding="utf8") == "0 1 2 2 3 "
    out = copy.folder / "_build" / "full"
    assert "pieces 0 of 4" in (out / "notebooks" / "one.ipynb").read_text(encoding="utf8")
    assert not list((out / "unfinished").iterdir())
    assert not list((out / "running").iterdir())


def test_what_was_done_is_kept_until_code_data_or_settings_change(copy):
    data = copy.folder / "data.csv"
    data.write_text("1", encoding="utf8")

    def keeps(code="x = 1", **changed):
        """Whether what an earlier try left there is still there."""
        copy.write("one", code)
        given = {"profile": "full", "seed": 0, "device": "cpu", "out": str(copy.folder / "out")} | changed
        left = notebooks.keep_unfinished(copy.folder / "book" / "one.ipynb", given, [data]) / "left.npz"
        there = left.exists()
        if left.parent.exists():
            left.touch()
        return there

    assert [keeps(), keeps()] == [False, True]
    assert [keeps(seed=1), keeps(seed=1)] == [False, True]
    assert [keeps("x = 2", seed=1), keeps("x = 2", seed=1)] == [False, True]
    data.write_text("2", encoding="utf8")
    assert [keeps("x = 2", seed=1), keeps("x = 2", seed=1)] == [False, True]
    assert not keeps(profile="ci", out=str(copy.folder / "ci"))
    assert not (copy.folder / "ci").exists()


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize(("stream", "shown"), [(Terminal(), True), (io.StringIO(), False)])
def test_a_terminal_shows_what_runs_and_how_far_it_is(stream, shown):
    line = Line(stream, lambda name: f"{name} of 9")
    for name in ("one", "two"):
        line.add(name)
    assert line.text() == "one 0:00 one of 9 | two 0:00 two of 9"
    end = time.monotonic() + 5
    while shown and "one of 9" not in stream.getvalue() and time.monotonic() < end:
        time.sleep(0.01)
    line.remove("two")
    line.wipe()
    assert ("\x1b[Kone 0:00 one of 9" in stream.getvalue()) == shown
    assert stream.getvalue().endswith("\r\x1b[K" if shown else "")
    assert line.text().startswith("one 0:0")
    line.remove("one")


@pytest.mark.parametrize(
    ("declared", "checked", "words"),
    [
        (["A", "B"], ["A"], "declares B"),
        (["A"], ["A", "B"], "checks B without declaring it"),
        ([], ["A"], "checks A without declaring it"),
    ],
)
def test_claims_and_declarations_must_agree(copy, declared, checked, words):
    copy.write("one", certificate(*checked), claims=declared)
    done = copy.doit("claims")
    assert done.returncode == 1
    assert words in done.stdout
    assert not copy.built("claims.json").exists()


def test_claims_about_stored_results_count_where_there_are_such(tmp_path, monkeypatch):
    one = nbformat.v4.new_notebook(metadata={"lgd": {"claims": ["A"], "stored": ["B"]}})
    monkeypatch.setattr(notebooks, "RESULTS", tmp_path)
    assert notebooks.declared_claims({"one": one}) == {"one": ["A"]}
    assert notebooks.declared_claims({"one": one}, "full") == {"one": ["A", "B"]}
    (tmp_path / "one.json").write_text("{}")
    assert notebooks.declared_claims({"one": one}) == {"one": ["A", "B"]}
    with pytest.raises(notebooks.NotebookError, match="claim B is declared in one and again in two"):
        notebooks.declared_claims(
            {"one": one, "two": nbformat.v4.new_notebook(metadata={"lgd": {"claims": ["B"]}})}
        )


def test_a_declared_claim_needs_a_certificate_cell(copy):
    copy.write("one", "1 + 1", claims=["A"])
    done = copy.doit("notebook")
    assert done.returncode == 1
    assert "declares A, but its certificate cell wrote no _build/ci/claims/one.json" in done.stdout


def test_a_false_claim_stops_the_build(copy):
    copy.write("one", certificate("A").replace("1, 1", "1, 2"), claims=["A"])
    done = copy.doit("claims")
    assert done.returncode == 1
    assert "ClaimError: A: 'does not hold' where 'holds' was expected" in done.stdout


def test_a_claim_declared_twice_is_refused_before_work_starts(copy):
    copy.write("one", certificate("A"), claims=["A"])
    copy.write("two", certificate("A"), claims=["A"])
    done = copy.doit("claims")
    assert done.returncode == 1
    assert "claim A is declared in one and again in two" in done.stderr
    assert not copy.built("failed").exists()


@pytest.mark.parametrize("change", ["\nextra = 1", "\nseed = 0", "x = 0\n"])
def test_other_parameters_than_the_four_are_refused_before_work_starts(copy, change):
    text = change + PARAMETERS if change.endswith("\n") else PARAMETERS + change
    copy.write("one", "1 + 1", parameters=text)
    done = copy.doit("notebook")
    assert done.returncode == 1
    assert "book/one.ipynb: its parameters cell sets" in done.stderr
    assert "must set exactly profile, seed, device, out" in done.stderr
    assert not copy.built("failed").exists()


def test_a_warning_of_the_site_builder_leaves_no_site(copy):
    copy.write("one", "1 + 1")
    (copy.folder / "book" / "_toc.yml").write_text("format: jb-book\nroot: one\n", encoding="utf8")
    (copy.folder / "book" / "references.bib").touch()
    (copy.folder / "book" / "_static").mkdir()
    config = (copy.folder / "_config.yml").read_text(encoding="utf8")
    kept = [line for line in config.splitlines() if "logo.svg" not in line and "favicon.svg" not in line]
    (copy.folder / "_config.yml").write_text("\n".join(kept) + "\n", encoding="utf8")
    good = copy.doit("site")
    assert good.returncode == 0, good.stdout
    assert copy.built("site/index.html").exists()

    copy.write("one", "import sys\nprint('stray', file=sys.stderr)")
    bad = copy.doit("site")
    assert bad.returncode == 1
    assert "site failed" in bad.stdout
    assert "stderr" in bad.stdout
    assert not copy.built("site").exists()


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"profile": "fast"}, "profile was 'fast'; it must be ci or full"),
        ({"seed": "-1"}, "seed was '-1'; it must be an integer >= 0"),
        ({"seed": "1.5"}, "seed was '1.5'"),
        ({"device": "gpu"}, "device was 'gpu'; it must be cpu or cuda"),
        ({"profil": "ci"}, "profil is not a setting; the settings are profile, seed, device"),
    ],
)
def test_settings_are_refused_in_words(given, words):
    with pytest.raises(SettingError, match="^" + words.replace("'", ".")):
        read_settings(given)


def test_settings_are_read():
    assert read_settings({}) == Settings()
    read = read_settings({"profile": "full", "seed": "12"})
    assert read.parameters() == {"profile": "full", "seed": 12, "device": "cpu", "out": "_build/full"}
    assert tuple(read.parameters()) == notebooks.PARAMETERS


def test_cuda_is_refused_where_there_is_no_gpu():
    torch = pytest.importorskip("torch")
    if torch.cuda.is_available():
        assert read_settings({"device": "cuda"}).device == "cuda"
    else:
        with pytest.raises(SettingError, match="sees no GPU"):
            read_settings({"device": "cuda"})


def test_the_graph_refuses_an_unknown_profile(copy):
    done = copy.doit("site", "profile=fast")
    assert done.returncode == 1
    assert "Refused: profile was 'fast'" in done.stderr
    assert not (copy.folder / "_build").exists()


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("PROFILE=fast", "PROFILE was 'fast'; it must be ci or full"),
        ("DEVICE=gpu", "DEVICE was 'gpu'; it must be cpu or cuda"),
        ("BROWSER=yes", "BROWSER was 'yes'; it must be 0 or 1"),
        ("SEEED=1", "SEEED is not a setting"),
    ],
)
def test_make_refuses_settings_before_it_installs_anything(tmp_path, setting, words):
    shutil.copy(ROOT / "Makefile", tmp_path)
    done = subprocess.run(
        ["make", "book", setting], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert words in done.stderr
    assert not (tmp_path / ".venv").exists()


def test_make_refuses_an_unfit_python(tmp_path):
    shutil.copy(ROOT / "Makefile", tmp_path)
    for name in ("pyproject.toml", "constraints.txt", "requirements-weights.txt"):
        (tmp_path / name).touch()
    python = tmp_path / "python3.9"
    python.write_text("#!/bin/sh\necho 3.9.18\n", encoding="utf8")
    python.chmod(0o755)
    done = subprocess.run(["make", "book", f"PYTHON={python}"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 2
    assert "Python 3.11, 3.12 or 3.13 with venv is needed" in done.stderr
    assert f"{python} is 3.9.18" in done.stderr
    assert not (tmp_path / ".venv").exists()
