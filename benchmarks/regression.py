"""Speed of regression rounds: ``make bench`` or ``python -m benchmarks.regression``.

Each ratio is taken in this one run, one BLAS thread for everybody. Long loops are extrapolated from a few of
their rounds, which all cost the same.
"""

import os

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

import math
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
from tqdm import tqdm

from benchmarks import clock, peers
from lgd_lib import (
    Average,
    ConjugateGradient,
    GradientSteps,
    Node,
    Problem,
    record,
    references,
    rounds,
    theory,
)

M, N_I, L, K = 10, 50, 100, 1000


def problem_of(d, condition=1.0, seed=0):
    """M Gaussian nodes, their rows scaled so that cond(X) is about `condition`; consistent targets."""
    rng = np.random.default_rng(seed)
    truth = rng.standard_normal(d)
    nodes = []
    for _ in range(M):
        scale = np.logspace(0, -np.log10(condition), N_I)[:, None] if condition > 1 else 1.0
        X = rng.standard_normal((N_I, d)) * scale
        nodes.append(Node(X, X @ truth))
    return Problem(nodes, "regression")


def row(what, here, against, ratio, asked):
    """One line of the table; `here` and `against` are seconds."""
    return {
        "what": what,
        "here": seconds_text(here),
        "against": seconds_text(against),
        "ratio": ratio,
        "asked": asked,
    }


def seconds_text(value):
    """Seconds in a readable unit."""
    if not isinstance(value, float):
        return str(value)
    return (
        f"{value:.3g} s"
        if value >= 1
        else f"{value * 1e3:.3g} ms"
        if value >= 1e-3
        else f"{value * 1e6:.3g} us"
    )


def one_round():
    """A round at d = 1,000 against the loops, and against the memory floor."""
    problem = problem_of(1000)
    small, u0, _ = problem.row_space()
    eta, w0 = theory.largest_step(problem) / 2, np.zeros(problem.d)
    runs = {steps: rounds(problem, GradientSteps(eta, steps), Average(), w0) for steps in (1, L, 1000)}
    inside = rounds(small, GradientSteps(eta, L), Average(), u0)
    next(inside)
    works = {steps: (lambda run=run: next(run), 200) for steps, run in runs.items()}
    works["row space"] = (lambda: next(inside), 200)
    works["numpy"] = (lambda: peers.numpy_rounds(problem, eta, L, 1, w0), 3)
    works["torch"] = (lambda: peers.torch_rounds(problem, eta, L, 1, w0), 2)
    t = clock.side_by_side(works)
    rows = M * N_I
    floor = 2 * rows * problem.d * 8 / clock.bandwidth(rows, problem.d)
    floor_small = rows * rows * 8 / clock.bandwidth(rows, rows)
    yield row("round, d = 1,000, L = 100: numpy loop / filter", t[L], t["numpy"], t["numpy"] / t[L], ">= 100")
    yield row("the same: torch autograd / filter", t[L], t["torch"], t["torch"] / t[L], "")
    yield row("the same: numpy loop / row space", t["row space"], t["numpy"], t["numpy"] / t["row space"], "")
    yield row("filter, L = 100 / L = 1", t[L], t[1], t[L] / t[1], "<= 1.2")
    yield row("filter, L = 1,000 / L = 1", t[1000], t[1], t[1000] / t[1], "<= 1.2")
    yield row("filter / floor of two passes over V", t[L], floor, t[L] / floor, "<= 1.5")
    yield row(
        "row space / floor of one pass over A",
        t["row space"],
        floor_small,
        t["row space"] / floor_small,
        "<= 2",
    )
    setup = clock.seconds(lambda: set_up(problem, eta), 5)
    gained = t["numpy"] - t["row space"]
    yield row(
        "set-up of the row space, in rounds until it has paid", setup, gained, math.ceil(setup / gained), ""
    )
    gained = t[L] - t["row space"]
    yield row("the same, compared with the filter", setup, gained, math.ceil(setup / gained), "")


def set_up(problem, eta):
    """Row space, decomposition of every node and the averaged map: everything before the second round."""
    small, u0, _ = problem.row_space()
    next(rounds(small, GradientSteps(eta, L), Average(), u0)).w.sum()


def run_to(problem, eta, steps):
    """Set-up, rounds in the row space, and the answer in the original coordinates."""
    small, u0, lift = problem.row_space()
    run = rounds(small, GradientSteps(eta, L), Average(), u0)
    for _ in range(steps):
        last = next(run)
    return lift(last.w)


def whole_runs():
    """1,000 rounds of L = 100, set-up included, at d = 1,000 and 100,000, by both ways into the row space."""
    for d, condition, path, loop_rounds, asked in (
        (1000, 1.0, "Gram", 5, ">= 200"),
        (100_000, 1.0, "Gram", 1, ">= 3,000"),
        (100_000, 1e4, "two Gram passes", 1, ">= 1,500"),
    ):
        problem = problem_of(d, condition)
        eta = theory.largest_step(problem) / 2
        work = partial(run_to, problem, eta, K)
        loop = partial(peers.numpy_rounds, problem, eta, L, loop_rounds, np.zeros(d))
        t = clock.side_by_side({"here": (work, 1), "loop": (loop, 1)}, rounds=5 if d == 1000 else 2)
        whole = t["loop"] * K / loop_rounds
        what = f"1,000 rounds, d = {d:,}, by {path}: numpy loop / whole run"
        yield row(what, t["here"], whole, whole / t["here"], asked)
        gap = difference(run_to(problem, eta, loop_rounds), loop())
        yield row(f"the same: relative difference after {loop_rounds} rounds", "", "", gap, "<= 1e-9")


def accuracy():
    """The answers agree with the loop's where X is badly conditioned."""
    problem = problem_of(1000, 1e6)
    eta, w0 = theory.largest_step(problem) / 2, np.zeros(problem.d)
    loop = peers.numpy_rounds(problem, eta, L, 20, w0)
    gap = difference(run_to(problem, eta, 20), loop)
    yield row("relative difference after 20 rounds, cond(X) = 1e6", "", "", gap, "<= 1e-9")
    run = rounds(problem, GradientSteps(eta, L), Average(), w0)
    for _ in range(20):
        last = next(run)
    yield row("the same, filter in full space", "", "", difference(last.w, loop), "<= 1e-9")


def difference(a, b):
    """||a - b|| / ||b||."""
    return float(np.linalg.norm(a - b) / np.linalg.norm(b))


def conjugate_gradient_rounds():
    """Rounds to a relative distance of 1e-6, plain averaging against conjugate gradients."""
    rng = np.random.default_rng(0)
    shared, truth = rng.standard_normal((5, 1000)), rng.standard_normal(1000)
    rows = [rng.standard_normal((N_I, 1000)) + 0.1 * rng.standard_normal((N_I, 5)) @ shared for _ in range(M)]
    small, u0, _ = Problem([Node(X, X @ truth) for X in rows], "regression").row_space()
    w_c = references.min_norm(small).w
    error = {"e": lambda r: difference(r.w, w_c)}
    found = {}
    for name, aggregation in (("plain", Average()), ("conjugate", ConjugateGradient())):
        history = record(rounds(small, GradientSteps(1.0 / 1e3, math.inf), aggregation, u0), error, K=20_000)
        found[name] = int(np.argmax(history["e"] < 1e-6)) + 1
    spectrum = theory.averaged_projector_spectrum(small, math.inf)
    what = f"rounds to 1e-6, kappa = {spectrum[-1] / spectrum[0]:.0f}: plain / conjugate gradients"
    yield row(what, found["conjugate"], found["plain"], found["plain"] / found["conjugate"], ">= 20")


def peak_memory():
    """Peak memory of 1,000 rounds at d = 100,000 over the size of the data, in a process of its own."""
    for condition, path in ((1.0, "Gram"), (1e4, "two Gram passes"), (1e6, "reflections")):
        words = [sys.executable, "-m", "benchmarks.regression", "memory", str(condition)]
        used = subprocess.run(words, capture_output=True, text=True, check=True).stdout.split()
        peak, data = int(used[-2]), int(used[-1])
        yield row(
            f"peak memory / data, d = 100,000, by {path}",
            f"{peak / 1e6:.0f} MB",
            f"{data / 1e6:.0f} MB",
            peak / data,
            "<= 3",
        )


def measure_memory(condition):
    """Print the peak memory above that of an empty run, and the size of the data, in bytes."""
    tiny = problem_of(1000)
    run_to(tiny, theory.largest_step(tiny) / 2, 2)
    before = peak_bytes()
    problem = problem_of(100_000, condition)
    data = sum(node.X.nbytes for node in problem.nodes)
    small, u0, lift = problem.row_space()
    run = rounds(small, GradientSteps(theory.largest_step(small) / 2, L), Average(), u0)
    for _ in range(K):
        last = next(run)
    lift(last.w)
    print(peak_bytes() - before, data)


def peak_bytes():
    """The most memory this process has held, in bytes (Linux; getrusage would count the parent's too)."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


def main():
    """Measure, print the table, and keep it."""
    rows = []
    for part in tqdm((one_round, whole_runs, accuracy, conjugate_gradient_rounds, peak_memory), disable=None):
        rows += part()
    clock.keep("regression", rows)
    print(clock.table(rows))


if __name__ == "__main__":
    if sys.argv[1:2] == ["memory"]:
        measure_memory(float(sys.argv[2]))
    else:
        main()
