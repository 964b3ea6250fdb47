"""Speed of gradient steps on the logistic loss, and of millions: ``python -m benchmarks.finite_steps``.

Each ratio is taken in this one run, one BLAS thread for everybody.
"""

import os

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

from itertools import islice
from unittest.mock import patch

import numpy as np
import torch
from tqdm import tqdm

from benchmarks import clock, step_peers
from benchmarks.classification import clustered
from benchmarks.regression import difference, row
from lgd_lib import (
    Average,
    Bundle,
    GradientSteps,
    Node,
    NormalisedSteps,
    Problem,
    SGDSteps,
    partition,
    record,
    references,
    rounds,
)
from lgd_lib.descent import compiled_descent
from lgd_lib.descent.long_descent import descend_long
from lgd_lib.descent.margin_descent import descend

M, N_I, D, L, FAR = 10, 50, 1000, 1000, 10**7
torch.set_num_threads(1)


def without_numba(work):
    """Do the work as where numba is not installed."""
    with patch.object(compiled_descent, "available", lambda: False):
        return work()


def the_problem():
    """M nodes of one class each, N_i samples in D dimensions, and the smallest 4 N_i / sigma_max(X_i)^2."""
    rng = np.random.default_rng(0)
    mean = rng.standard_normal(D)
    nodes = []
    for i in range(M):
        y = np.full(N_I, (-1.0) ** i)
        nodes.append(Node(rng.standard_normal((N_I, D)) + 3 * y[:, None] * mean / np.linalg.norm(mean), y))
    return Problem(nodes, "classification"), min(4 * N_I / np.linalg.norm(n.X, 2) ** 2 for n in nodes)


def speed_of_rounds():
    """Rounds of 1,000 steps against the loops of a script."""
    problem, eta = the_problem()
    w0 = np.zeros(D)

    def run(K):
        return list(islice(rounds(problem, GradientSteps(eta, L, "logistic"), Average(), w0), K))

    here = rounds(problem, GradientSteps(eta, L, "logistic"), Average(), w0)
    next(here)
    t = clock.side_by_side(
        {
            "numpy": (lambda: without_numba(lambda: list(islice(here, 3))), 2),
            "numba": (lambda: list(islice(here, 3)), 2),
            "loop": (lambda: step_peers.numpy_rounds(problem, eta, L, 1, w0), 1),
            "torch": (lambda: step_peers.torch_rounds(problem, eta, L, 1, w0), 1),
        }
    )
    alone, compiled = t["numpy"] / 3, t["numba"] / 3
    what = "a round of logistic loss, L = 1,000, d = 1,000"
    yield row(f"{what}: numpy loop / here", alone, t["loop"], t["loop"] / alone, ">= 20")
    yield row("the same: torch autograd / here", alone, t["torch"], t["torch"] / alone, ">= 80")
    yield row("the same: numpy loop / here with numba", compiled, t["loop"], t["loop"] / compiled, ">= 35")
    yield row(
        "the same: torch autograd / here with numba", compiled, t["torch"], t["torch"] / compiled, ">= 140"
    )
    yield row("the same: one step of one node, with numba", compiled / L / M, "", 1.0, "")
    twin = step_peers.numpy_rounds(problem, eta, L, 3, w0)
    yield row("relative difference after 3 rounds", "", "", difference(run(3)[-1].w, twin), "<= 1e-9")
    bare = difference(without_numba(lambda: run(3))[-1].w, twin)
    yield row("the same without numba", "", "", bare, "<= 1e-9")


def speed_of_sgd():
    """A round of Local-SGD."""
    problem, eta = the_problem()
    solver, w0 = SGDSteps(eta / 4, L, 10, loss="logistic"), np.zeros(D)
    here = rounds(problem, solver, Average(), w0)
    first = next(here).w
    t = clock.side_by_side(
        {
            "here": (lambda: next(here), 2),
            "loop": (lambda: step_peers.numpy_sgd(problem, eta / 4, L, 10, 0), 1),
        }
    )
    what = "a round of Local-SGD, L = 1,000, 10 samples a batch: numpy loop / here"
    yield row(what, t["here"], t["loop"], t["loop"] / t["here"], "")
    twin = step_peers.numpy_sgd(problem, eta / 4, L, 10, 0)
    yield row("the same: relative difference", "", "", difference(first, twin), "<= 1e-9")


def millions_of_steps():
    """Ten million steps in a round against all of them, one by one."""
    problem, eta = the_problem()
    for name, warm in (("from zero", 0), ("after 3 rounds", 3)):
        w = np.zeros(D)
        for r in islice(rounds(problem, GradientSteps(eta, FAR, "logistic"), Average(), w), warm):
            w = r.w
        Z = np.array([node.y[:, None] * node.X for node in problem.nodes])
        G, m0, h = Z @ Z.transpose(0, 2, 1), Z @ w, np.full(M, eta / N_I)
        own = {}
        fast = clock.seconds(lambda d=(G, m0, h), o=own: o.update(a=descend_long(*d, FAR, "logistic")), 5)
        bare = clock.seconds(lambda d=(G, m0, h): without_numba(lambda: descend_long(*d, FAR, "logistic")), 3)
        slow = clock.seconds(lambda d=(G, m0, h), o=own: o.update(b=descend(*d, FAR, "logistic")), 1)
        (a, _, estimate), (b, _) = own["a"], own["b"]
        what = f"10 nodes, L = 10,000,000 {name}"
        yield row(f"{what}: all steps with numba / here", fast, slow, slow / fast, ">= 100")
        yield row("the same without numba here", bare, slow, slow / bare, ">= 100")
        gap = (a - b)[:, None, :] @ Z
        moved = b[:, None, :] @ Z
        error = float((np.linalg.norm(gap, axis=2) / np.linalg.norm(moved, axis=2)).max())
        yield row("the same: relative error of the models", "", "", error, "<= 1e-9")
        yield row("the same: its estimate", "", "", float(estimate.max()), "")


def rounds_needed():
    """Rounds to the max-margin direction of the bundle, fed by finitely many steps."""
    X, y, cluster = clustered()
    clusters = Problem.split(X, y, partition.by_group(cluster), "classification")
    X, y, _ = clustered(rank=20)
    low = Problem.split(X, y, partition.iid(y.size, M, seed=0), "classification")
    for pair, problem in (("clusters, by cluster", clusters), ("low rank, iid", low)):
        small, u0, _ = problem.row_space()
        w = references.max_margin(small).w
        aim = w / np.linalg.norm(w)
        error = {"e": lambda r, aim=aim: float(np.linalg.norm(r.w / np.linalg.norm(r.w) - aim))}
        etas = [1 / float((node.X**2).sum(axis=1).max()) for node in small.nodes]
        for steps in (1, 10, 100):
            iterator = rounds(small, NormalisedSteps(etas, steps), Bundle(60), u0)
            history = record(iterator, error, 60)
            reached = [np.flatnonzero(history["e"] <= aimed) for aimed in (1e-1, 1e-2, 1e-3)]
            counts = " / ".join(str(k[0] + 1) if k.size else "-" for k in reached)
            what = f"{pair}: bundle, normalised steps, L = {steps}: rounds to 0.1 / 0.01 / 0.001; error at 60"
            yield row(what, counts, "", float(history["e"][-1]), "")


def main():
    """Measure, print the table, and keep it."""
    rows = []
    for part in tqdm((speed_of_rounds, speed_of_sgd, millions_of_steps, rounds_needed), disable=None):
        rows += part()
    clock.keep("finite steps", rows, ("numba",))
    print(clock.table(rows))


if __name__ == "__main__":
    main()
