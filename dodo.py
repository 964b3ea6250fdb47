"""The build graph, for doit: each notebook -> claims and run record -> claims and status pages -> the site.

`make book` calls it. By hand: ``python -m doit list --all``, ``python -m doit profile=full site``.
"""

import sys
import time
from pathlib import Path

from doit.exceptions import TaskFailed
from doit.reporter import ConsoleReporter
from doit.tools import config_changed

from pipeline import notebooks, site
from pipeline.settings import SettingError, read_settings
from pipeline.terminal import Line

BOOK = Path("book")


class Progress(ConsoleReporter):
    """One line when a task starts, one with its seconds when it ends, and the reason when it fails."""

    def __init__(self, outstream, options):
        super().__init__(outstream, options)
        self.started = {}
        self.line = Line(sys.__stderr__, told)

    def execute_task(self, task):
        self.started[task.name] = time.perf_counter()
        if task.name.startswith(("notebook:", "site")):
            self._line("run", task.name)
            self.line.add(task.name.removeprefix("notebook:"))

    def add_success(self, task):
        self.line.remove(task.name.removeprefix("notebook:"))
        if task.actions:
            self._line("done", f"{task.name:<26}{time.perf_counter() - self.started[task.name]:6.1f} s")

    def skip_uptodate(self, task):
        if task.actions:
            self._line("same", task.name)

    def add_failure(self, task, fail):
        self.line.remove(task.name.removeprefix("notebook:"))
        self._line("FAIL", task.name)
        self.failures.append(f"\n{task.name} failed\n{fail.get_msg()}\n")

    def complete_run(self):
        self.line.wipe()
        self.write("".join(self.failures + self.runtime_errors))
        if self.failures:
            self.write("No site was built.\n")

    def _line(self, word, text):
        self.line.wipe()
        self.write(f"  {word:<5} {text}\n")
        self.outstream.flush()


def told(name):
    """How far a running notebook says that it is."""
    try:
        return notebooks.progress_file(OUT, name).read_text(encoding="utf8")
    except OSError:
        return ""


def in_words(action, *arguments):
    """Call `action`; a failure that is expected now and then becomes a message instead of a traceback."""
    try:
        action(*arguments)
    except (notebooks.NotebookError, site.SiteError) as error:
        return TaskFailed(str(error))
    return True


def collect_claims():
    """Gather all chapters' claims into one file; a missing, undeclared or repeated claim is an error."""
    from lgd_lib import claims

    for ledger in OUT.glob("claims/*.json"):
        if ledger.stem not in CHAPTERS:  # of a chapter that is gone
            ledger.unlink()
    try:
        site.write_json(CLAIMS, list(claims.collect(OUT / "claims", DECLARED)))
    except claims.ClaimError as error:
        raise notebooks.NotebookError(str(error)) from error


try:
    SETTINGS = read_settings(
        dict(word.split("=", 1) for word in sys.argv[1:] if "=" in word and word[0] != "-")
    )
    FOUND = {path.stem: notebooks.read(path) for path in sorted(BOOK.glob("*.ipynb"))}
    for name, notebook in FOUND.items():
        notebooks.check_parameters(BOOK / f"{name}.ipynb", notebook)
    DECLARED = {
        name: ids
        for name, ids in notebooks.declared_claims(FOUND, SETTINGS.profile).items()
        if name not in notebooks.LATE
    }
except (SettingError, notebooks.NotebookError) as error:
    sys.exit(f"Refused: {error}.")

OUT = SETTINGS.out
OUT.mkdir(parents=True, exist_ok=True)
CHAPTERS = sorted(DECLARED)
LATE = [name for name in notebooks.LATE if name in FOUND]
LIBRARY = [
    path
    for folder in ("lgd_lib", "pipeline")
    for path in sorted(Path(folder).rglob("*"))
    if path.suffix in {".py", ".mplstyle"}
]
DATA = [path for path in sorted(Path("data").rglob("*")) if path.is_file()]
CLAIMS, RUN = OUT / "claims.json", OUT / "run.json"
PROSE = [
    path
    for path in sorted(BOOK.rglob("*"))
    if path.is_file() and path.suffix != ".ipynb" and not any(part.startswith(".") for part in path.parts)
]

DOIT_CONFIG = {
    "default_tasks": ["site"],
    "dep_file": str(OUT / ".doit.json"),
    "backend": "json",
    "reporter": Progress,
    "verbosity": 0,
}


def executed(names):
    """Where papermill's notebooks lie."""
    return [OUT / "notebooks" / f"{name}.ipynb" for name in names]


def task_notebook():
    """Execute one notebook with papermill."""
    for name in [*CHAPTERS, *LATE]:
        source, declared = BOOK / f"{name}.ipynb", DECLARED.get(name, [])
        needs = [Path("constraints.txt"), *LIBRARY, *DATA]
        ledgers = [OUT / "claims" / f"{name}.json"] if declared else []
        records = [OUT / "runs" / f"{name}.json"]
        yield {
            "name": name,
            "actions": [(in_words, [notebooks.execute, source, SETTINGS.parameters(), declared, needs])],
            "file_dep": [source, *needs, *([CLAIMS, RUN] if name in LATE else [])],
            "targets": [*executed([name]), *records, *ledgers],
            "uptodate": [config_changed(repr(SETTINGS))],
        }


def task_claims():
    """Collect the claims of all chapters."""
    return {
        "actions": [(in_words, [collect_claims])],
        "file_dep": [*executed(CHAPTERS), *(OUT / "claims" / f"{n}.json" for n in CHAPTERS if DECLARED[n])],
        "targets": [CLAIMS],
        "uptodate": [config_changed(repr(DECLARED))],
    }


def task_run_record():
    """Write down settings, commit, versions and run times."""
    commit = site.commit()
    return {
        "actions": [(in_words, [site.write_run, SETTINGS, CHAPTERS, commit])],
        "file_dep": [OUT / "runs" / f"{name}.json" for name in CHAPTERS],
        "targets": [RUN],
        "uptodate": [config_changed(repr((SETTINGS, CHAPTERS, commit)))],
    }


def task_stage():
    """Lay the sources of the site beside each other."""
    return {
        "actions": [(in_words, [site.stage, OUT, PROSE, [*CHAPTERS, *LATE]])],
        "file_dep": [*PROSE, *LIBRARY, *executed([*CHAPTERS, *LATE])],
        "targets": [OUT / "stage" / path for path in PROSE],
    }


def task_site():
    """Build the site."""
    return {
        "actions": [(in_words, [site.build, OUT, OUT / "stage" / "book"])],
        "file_dep": [Path("_config.yml"), CLAIMS, *PROSE, *LIBRARY, *executed([*CHAPTERS, *LATE])],
        "task_dep": ["stage"],
        "targets": [OUT / "site" / "index.html"],
    }
