"""Speed of fine-tuning a last layer: ``python -m benchmarks.last_layer``.

20 clients of 50 samples with 512 features and 10 classes, 50 local full-batch steps on the softmax loss. One
BLAS thread for everybody. With LGD_FLOWER_PYTHON, the Python of an environment that has Flower and torch,
Flower's simulation is measured too (see flower_peer.py); its first round, which starts the actors, is left
out.
"""

import os

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

from itertools import islice

import numpy as np
from tqdm import tqdm

from benchmarks import clock, last_layer_peers
from benchmarks.regression import difference, row
from lgd_lib import Average, GradientSteps, Node, Problem, rounds

M, N_I, D, C, L, ETA, K = 20, 50, 512, 10, 50, 0.1, 20


def clients(seed=0):
    """M clients with samples around C centres, each client with its own shares of the classes."""
    rng = np.random.default_rng(seed)
    centres = rng.standard_normal((C, D))
    nodes = []
    for _ in range(M):
        y = rng.choice(C, N_I, p=rng.dirichlet(np.full(C, 0.5)))
        nodes.append(Node((centres[y] + rng.standard_normal((N_I, D))) / np.sqrt(D), y))
    return Problem(nodes, "multiclass")


def here(problem, K):
    """w^K by the library, in the full space."""
    run = rounds(problem, GradientSteps(ETA, L, loss="softmax"), Average(), np.zeros(problem.size))
    *_, last = islice(run, K)
    return last.w


def against_torch(problem):
    """Rounds beside a plain torch script, and how far the answers agree."""
    import torch

    torch.set_num_threads(1)
    run = rounds(problem, GradientSteps(ETA, L, loss="softmax"), Average(), np.zeros(problem.size))
    t = clock.side_by_side(
        {
            "here": (lambda: next(run), 20),
            "script": (lambda: last_layer_peers.torch_script(problem, ETA, L, 1), 3),
        }
    )
    what = "a round, 20 clients, 512 features, 50 full-batch softmax steps: torch script / here"
    yield row(what, t["here"], t["script"], t["script"] / t["here"], ">= 8")
    other = last_layer_peers.torch_script(problem, ETA, L, 5)
    yield row(
        "the same: relative difference after 5 rounds", "", "", difference(here(problem, 5), other), "<= 1e-6"
    )


def against_flower(problem, python):
    """Rounds beside Flower's simulation."""
    w, seconds, version = last_layer_peers.flower(problem, ETA, L, K, python)
    run = rounds(problem, GradientSteps(ETA, L, loss="softmax"), Average(), np.zeros(problem.size))
    own, best = clock.seconds(lambda: next(run), 60), float(seconds[1:].min())
    yield row(f"the same: Flower {version}, its fastest round / here", own, best, best / own, ">= 30")
    middle = float(np.median(seconds[1:]))
    yield row(f"the same: Flower {version}, its median round / here", own, middle, middle / own, "")
    what = f"the same: relative difference to Flower after {K} rounds"
    yield row(what, "", "", difference(w, here(problem, K)), "<= 1e-6")


def main():
    """Measure, print the table, and keep it."""
    problem, rows = clients(), []
    python = os.environ.get("LGD_FLOWER_PYTHON")
    parts = [against_torch(problem), *([against_flower(problem, python)] if python else [])]
    for part in tqdm(parts, disable=None):
        rows += part
    if not python:
        print("LGD_FLOWER_PYTHON is not set: Flower was not measured (see benchmarks/flower_peer.py)")
    clock.keep("last layer", rows)
    print(clock.table(rows))


if __name__ == "__main__":
    main()
