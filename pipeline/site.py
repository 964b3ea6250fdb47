"""The site: what is known about a build, the staged sources, and Jupyter Book with warnings as errors."""

import json
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pipeline.settings import Settings

SHOWN_VERSIONS = ("numpy", "scipy", "cvxpy", "matplotlib", "torch", "papermill", "jupyter-book")


class SiteError(Exception):
    """Jupyter Book refused the sources; the message holds its warnings."""


def commit() -> str:
    """The commit the working tree is at, with a word when files differ from it."""
    try:
        head = _git("rev-parse", "HEAD")
        changed = _git("status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.CalledProcessError):
        return "unknown (not a git checkout)"
    return f"{head} with changes" if changed else head


def write_run(settings: Settings, chapters: Sequence[str], commit: str) -> None:
    """Write ``<out>/run.json``: settings, commit, machine, versions and the seconds of every chapter."""
    run: dict[str, Any] = {
        "profile": settings.profile,
        "seed": settings.seed,
        "device": settings.device,
        "device_name": _device_name(settings.device),
        "commit": commit,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "versions": {name: version(name) for name in SHOWN_VERSIONS},
        "notebooks": [
            json.loads((settings.out / "runs" / f"{name}.json").read_text(encoding="utf8"))
            for name in chapters
        ],
    }
    write_json(settings.out / "run.json", run)


def write_json(path: Path, value: Any) -> None:
    """Write `value` as JSON that a person can read too."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=1) + "\n", encoding="utf8")


def stage(out: Path, sources: Iterable[Path], notebooks: Iterable[str]) -> Path:
    """Lay prose, static files and executed notebooks beside each other, afresh; nothing deleted survives.

    The library lies beside them as it does in the repository, for the pages that include its source.
    """
    top = out / "stage"
    shutil.rmtree(top, ignore_errors=True)
    for source in sources:
        (top / source).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, top / source)
    for name in notebooks:
        shutil.copy2(out / "notebooks" / f"{name}.ipynb", top / "book" / f"{name}.ipynb")
    shutil.copytree("lgd_lib", top / "lgd_lib", ignore=shutil.ignore_patterns("__pycache__"))
    return top / "book"


def build(out: Path, staged: Path) -> None:
    """Run Jupyter Book on the staged sources; ``<out>/site`` appears only when there was no warning."""
    site, work, log = out / "site", out / "jupyter-book", out / "site.log"
    for old in (site, work):
        shutil.rmtree(old, ignore_errors=True)
    command = [sys.executable, "-c", "from jupyter_book.cli.main import main; main()", "build", str(staged)]
    command += ["--config", "_config.yml", "--path-output", str(work), "-W", "-n", "--keep-going", "--all"]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    text = _readable(done.stdout, staged)
    log.write_text(text, encoding="utf8")
    if done.returncode:
        raise SiteError(f"{_warnings(text)}\nJupyter Book's whole output is {log}")
    (work / "_build" / "html").rename(site)
    shutil.rmtree(work)


def _readable(text: str, staged: Path) -> str:
    text = re.sub(r"\x1b\[[0-9;]*m", "", text).replace("\r", "\n")
    return text.replace(f"{staged.absolute()}/", "book/").replace(f"{Path.cwd()}/", "")


def _warnings(text: str) -> str:
    found = [
        line for line in text.splitlines() if re.search(r"WARNING|ERROR|CRITICAL|[Ee]xception|Error:", line)
    ]
    return "\n".join(dict.fromkeys(found)) or "\n".join(text.splitlines()[-15:])


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def _device_name(device: str) -> str:
    if device == "cpu":
        return platform.processor() or platform.machine()
    import torch

    return str(torch.cuda.get_device_name())
