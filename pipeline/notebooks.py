"""The notebooks of the book: what they declare, and executing one of them with papermill."""

import ast
import hashlib
import json
import os
import re
import shutil
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import nbformat

PARAMETERS = ("profile", "seed", "device", "out")
LATE = ("claims", "status", "versions")  # these read what the chapters left behind, so they run after them
RESULTS = Path("data/results")  # of experiments at full size, one file each
ONE_THREAD = {f"{library}_NUM_THREADS": "1" for library in ("OMP", "OPENBLAS", "MKL")}


class NotebookError(Exception):
    """A notebook that cannot be run, or failed while it ran; the message says which and why."""


def read(path: Path) -> Any:
    """The notebook at `path`."""
    try:
        return nbformat.read(path, as_version=4)
    except Exception as error:  # nbformat raises whatever its parsers do
        raise NotebookError(f"{path} is not a notebook that can be read: {error}") from error


def has_tag(cell: Any, tag: str) -> bool:
    """Whether the cell carries the tag."""
    return tag in cell.metadata.get("tags", [])


def check_parameters(path: Path, notebook: Any) -> None:
    """Raise unless one cell is tagged ``parameters`` and assigns exactly the four names, in their order."""
    cells = [cell for cell in notebook.cells if has_tag(cell, "parameters")]
    if len(cells) != 1:
        raise NotebookError(f"{path} has {len(cells)} cells tagged 'parameters'; it must have one")
    statements = ast.parse(cells[0].source).body
    names = [ast.unparse(s.targets[0]) if isinstance(s, ast.Assign) else ast.unparse(s) for s in statements]
    if tuple(names) != PARAMETERS:
        raise NotebookError(
            f"{path}: its parameters cell sets {', '.join(names) or 'nothing'}; "
            f"it must set exactly {', '.join(PARAMETERS)}"
        )


def declared_claims(notebooks: Mapping[str, Any], profile: str = "ci") -> dict[str, list[str]]:
    """The claim ids that each notebook declares in its metadata; raises when one is there twice.

    Those that it declares under "stored" are about results of the full size. They count where there are such:
    in the profile `full`, and where ``data/results/<chapter>.json`` is there.
    """
    declared = {}
    for name, notebook in notebooks.items():
        own = notebook.metadata.get("lgd", {})
        there = profile == "full" or (RESULTS / f"{name}.json").is_file()
        declared[name] = [*own.get("claims", []), *(own.get("stored", []) if there else [])]
    owner: dict[str, str] = {}
    for name, ids in declared.items():
        for claim in ids:
            if claim in owner:
                raise NotebookError(f"claim {claim} is declared in {owner[claim]} and again in {name}")
            owner[claim] = name
    return declared


def execute(
    source: Path, parameters: Mapping[str, Any], claims: Sequence[str], needs: Iterable[Path] = ()
) -> None:
    """Run the notebook `source` into ``<out>/notebooks/``; until it ended well it is in ``<out>/failed/``.

    The kernel starts in the current folder, which must be the root of the repository. What it has done so far
    is kept in ``<out>/unfinished/`` for the next try, if it has the profile `full`; not if one of the files
    in `needs` has changed.
    """
    import papermill  # takes a second, which a build with nothing to do need not wait

    out = Path(parameters["out"])
    unfinished = keep_unfinished(source, parameters, needs)
    told = progress_file(out, source.stem)
    partial, target = out / "failed" / source.name, out / "notebooks" / source.name
    record, ledger = out / "runs" / f"{source.stem}.json", out / "claims" / f"{source.stem}.json"
    for old in (target, record, ledger):
        old.unlink(missing_ok=True)
    withdraw(out / "site")
    for folder in (partial.parent, target.parent, record.parent, ledger.parent, told.parent):
        folder.mkdir(parents=True, exist_ok=True)
    os.environ.update(ONE_THREAD, JUPYTER_PREFER_ENV_PATH="1", LGD_PROGRESS=str(told.resolve()))
    start = time.perf_counter()
    try:
        _run(source, partial, parameters)
    except papermill.PapermillExecutionError as error:
        raise NotebookError(_failure(source, partial, error)) from error
    except Exception as error:  # a kernel that dies or does not start
        raise NotebookError(f"{source}: {type(error).__name__}: {error}") from error
    finally:
        told.unlink(missing_ok=True)
    seconds = round(time.perf_counter() - start, 1)
    if claims and not ledger.exists():
        raise NotebookError(
            f"{source} declares {', '.join(claims)}, but its certificate cell wrote no {ledger}"
        )
    publish(partial, target, parameters)
    partial.unlink()
    shutil.rmtree(unfinished, ignore_errors=True)
    record.write_text(json.dumps({"notebook": source.stem, "seconds": seconds}) + "\n", encoding="utf8")


def keep_unfinished(source: Path, parameters: Mapping[str, Any], needs: Iterable[Path]) -> Path:
    """Make the folder in which a notebook of the profile `full` keeps what it has done; return its path.

    What an earlier try left there stays only if it was made by the same code, data, versions and settings.
    """
    folder = Path(parameters["out"]) / "unfinished" / source.stem
    if parameters["profile"] != "full":
        return folder
    digest = hashlib.sha256()
    for cell in read(source).cells:
        if cell.cell_type == "code":
            digest.update(cell.source.encode() + b"\0")
    for path in needs:
        digest.update(path.as_posix().encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    made_by = json.dumps({**parameters, "sha256": digest.hexdigest()})
    note = folder / "made_by.json"
    if not note.exists() or note.read_text(encoding="utf8") != made_by:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        note.write_text(made_by, encoding="utf8")
    return folder


def progress_file(out: Path, name: str) -> Path:
    """Where a running notebook says how far it is."""
    return out / "running" / f"{name}.txt"


def _run(source: Path, target: Path, parameters: Mapping[str, Any]) -> None:
    """Execute with papermill; a second time if two kernels that started at once wanted the same port."""
    import papermill

    for last in (False, True):
        try:
            papermill.execute_notebook(
                source,
                target,
                dict(parameters),
                kernel_name="python3",
                cwd=".",
                progress_bar=False,
                extra_arguments=["--log-level=CRITICAL"],  # the kernel's own words: TCP, shutting down
            )
            return
        except RuntimeError as error:
            if last or "Kernel died before replying" not in str(error):
                raise


def withdraw(site: Path) -> None:
    """Take an earlier site away, at once and as a whole: another notebook may be doing the same."""
    old = site.with_name(f"{site.name}-withdrawn-{os.getpid()}")
    try:
        site.rename(old)
    except FileNotFoundError:
        return
    shutil.rmtree(old)


def publish(partial: Path, target: Path, parameters: Mapping[str, Any]) -> None:
    """Write the executed notebook as readers get it: no paths or clock times of this machine.

    The parameters cell shows the values that were used, except `out`: run by hand, a notebook writes nothing.
    """
    notebook = nbformat.read(partial, as_version=4)
    notebook.metadata.pop("papermill", None)
    notebook.cells = [cell for cell in notebook.cells if not has_tag(cell, "injected-parameters")]
    for cell in notebook.cells:
        cell.metadata.pop("papermill", None)
        cell.metadata.pop("execution", None)
        if has_tag(cell, "parameters"):
            for name in ("profile", "seed", "device"):
                value = json.dumps(parameters[name])
                cell.source = re.sub(rf"(?m)^{name} = [^\s#]+", f"{name} = {value}", cell.source)
    here = r"(?<![\w./-])" + re.escape(json.dumps(str(Path.cwd()))[1:-1])
    text = re.sub(here + r"(?![\w/-])", ".", re.sub(here + "/", "", nbformat.writes(notebook)))
    target.write_text(text + "\n", encoding="utf8")


def _failure(source: Path, partial: Path, error: Any) -> str:
    ids = [cell.get("id") for cell in read(source).cells]
    failed = [
        cell
        for cell in read(partial).cells
        if any(output.output_type == "error" for output in cell.get("outputs", []))
    ]
    number = ids.index(failed[0].get("id")) + 1 if failed and failed[0].get("id") in ids else error.cell_index
    first_line = next((line for line in error.source.splitlines() if line.strip()), "")
    return (
        f"{source}, cell {number} of {len(ids)}: {first_line}\n"
        f"{error.ename}: {error.evalue}\n"
        f"The notebook as far as it ran is {partial}"
    )
