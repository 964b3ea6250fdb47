"""Timing side by side, the memory floor, and where and when a measurement was made."""

import json
import os
import platform
import subprocess
import time
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import numpy as np

RESULTS = Path(__file__).with_name("results.json")
INTRODUCTION = """# Speed

`make bench` measures this again: the library beside the scripts that a paper would ship, in one run, one
thread for everybody. Times depend on the machine and on what else it does; the ratios are what counts. The
last column is what was asked of the ratio. Long loops are extrapolated from a few of their rounds, which all
cost the same. This file is written by the benchmarks from `results.json`.
"""


def seconds(work, repeats):
    """The shortest of `repeats` runs: the one that the rest of the machine disturbed least."""
    best = np.inf
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - start)
    return best


def side_by_side(works, rounds=3):
    """Time several pieces of work in turn, so that a busy moment hits all; name -> seconds."""
    best = dict.fromkeys(works, np.inf)
    for _ in range(rounds):
        for name, (work, repeats) in works.items():
            best[name] = min(best[name], seconds(work, repeats))
    return best


def bandwidth(rows, columns):
    """Bytes a second of a matrix-vector product of this size: what a round cannot beat."""
    A, x = np.ones((rows, columns)), np.ones(columns)
    return A.nbytes / seconds(lambda: A @ x, max(3, int(2e8 / A.nbytes)))


def provenance(peers=()):
    """Machine, versions, commit and date."""
    packages = ("lgd-lib", "numpy", "scipy", "torch", *peers)
    return {
        "machine": f"{_processor()}, {os.cpu_count()} cores",
        "threads": 1,
        "python": platform.python_version(),
        "versions": {name: version(name) for name in packages},
        "commit": _git("rev-parse", "--short", "HEAD")
        + ("+" if _git("status", "--porcelain", "lgd_lib") else ""),
        "date": datetime.now(UTC).date().isoformat(),
    }


def keep(name, rows, peers=()):
    """Write the rows of one benchmark, and the versions of peers, into results.json beside the others."""
    results = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
    results[name] = {"provenance": provenance(peers), "rows": rows}
    RESULTS.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    write_report()


def write_report():
    """Write README.md beside results.json: the tables of all benchmarks, and where they were measured."""
    results = json.loads(RESULTS.read_text(encoding="utf-8"))
    parts = [INTRODUCTION]
    for name, kept in results.items():
        p = kept["provenance"]
        versions = ", ".join(f"{package} {number}" for package, number in p["versions"].items())
        where = f"{p['machine']}, one thread; Python {p['python']}, {versions}; "
        where += f"commit {p['commit']}, {p['date']}."
        parts.append(f"## {name.capitalize()}\n\n{where}\n\n{table(kept['rows'])}\n")
    RESULTS.with_name("README.md").write_text("\n".join(parts), encoding="utf-8")


def table(rows):
    """The rows as Markdown."""
    lines = ["| what | here | measured against | ratio | asked |", "|---|---|---|---|---|"]
    lines += [
        f"| {r['what']} | {r['here']} | {r['against']} | {r['ratio']:.4g} | {r['asked']} |" for r in rows
    ]
    return "\n".join(lines)


def _processor():
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.machine()


def _git(*words):
    return subprocess.run(["git", *words], capture_output=True, text=True, check=False).stdout.strip()
