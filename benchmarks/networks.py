"""Speed of clients that train whole networks: ``python -m benchmarks.networks``.

One client after the other, beside a bare training loop in torch with the same batches; clients side by side,
beside one after the other, on a GPU where there is one; and the memory that the loop needs for few and for
many clients, each in a process of its own. One thread for everybody. Before anything is timed, the models of
the first rounds are compared.
"""

import os

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

import re
import subprocess
import sys
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional
from tqdm import tqdm

from benchmarks import clock
from benchmarks.network_peers import bare_loop
from benchmarks.regression import difference, row
from lgd_lib import Average, rounds
from lgd_lib.neural.network_steps import NetworkSteps
from lgd_lib.neural.networks import NetworkProblem, Samples
from lgd_lib.neural.optimisers import SGD

cross_entropy = partial(functional.cross_entropy, reduction="none")
CLIENTS = (10, 100, 1000)


def mlp():
    """50,890 parameters."""
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 64), nn.ReLU(), nn.Linear(64, 10))


def cnn():
    """Two convolutions and a linear layer, 28 x 28 pixels."""
    first, second = nn.Conv2d(1, 8, 5, stride=2), nn.Conv2d(8, 16, 3, stride=2)
    return nn.Sequential(first, nn.ReLU(), second, nn.ReLU(), nn.Flatten(), nn.Linear(400, 10))


def lite0():
    """EfficientNet-Lite0 with ImageNet weights, all of them trained."""
    from lgd_lib.neural.weights import efficientnet_lite0

    return efficientnet_lite0().network(64).requires_grad_(True)


def made_up(build, M, N, shape, device="cpu"):
    """M clients with N Gaussian inputs and random classes each."""
    rng = np.random.default_rng(0)
    nodes = [
        Samples(rng.standard_normal((N, *shape), dtype=np.float32), rng.integers(10, size=N))
        for _ in range(M)
    ]
    return NetworkProblem(nodes, build, cross_entropy, device=device)


def run_of(problem, solver):
    """Rounds of the library, without end."""
    return rounds(problem, solver, Average(), problem.initial)


def agree(problem, own, other, name):
    """How far two models differ, relative to the way from the start; an error if it is more than rounding."""
    gap = difference(own - problem.initial, other - problem.initial)
    if not gap < 1e-3:
        raise RuntimeError(f"{name}: the models differ by {gap:.1e} of their way from the start")
    return row("the same: difference of the models, relative to their way", "", "", gap, "<= 1e-3")


def against_bare_loop(name, problem, eta, L, batch_size, repeats):
    """One round beside the bare loop's."""
    solver = NetworkSteps(SGD(eta), L, batch_size=batch_size)
    own, other = run_of(problem, solver), bare_loop(problem, eta, L, batch_size)
    next(own), next(other)
    agreed = agree(problem, next(own).w, next(other), name)
    t = clock.side_by_side({"here": (lambda: next(own), repeats), "bare": (lambda: next(other), repeats)}, 5)
    what = f"{name}, {problem.M} clients, {L} steps of {batch_size}: a round / a bare training loop"
    yield row(what, t["here"], t["bare"], t["here"] / t["bare"], "<= 1.2")
    yield agreed


def side_by_side(name, build, shape, M, device):
    """Clients side by side beside one after the other."""
    problem = made_up(build, M, 32, shape, device)
    steps = {n: NetworkSteps(SGD(1e-2), 10, batch_size=16, together=n) for n in (1, 32)}
    runs = {n: run_of(problem, solver) for n, solver in steps.items()}
    wait = torch.cuda.synchronize if device == "cuda" else lambda: None
    agreed = agree(problem, *(next(run).w for run in runs.values()), name)
    works = {n: (lambda run=run: (next(run), wait()), max(1, 100 // M)) for n, run in runs.items()}
    t = clock.side_by_side(works, 2)
    what = f"{name}, {M:,} clients on {device}, 10 steps of 16: one by one / 32 side by side"
    yield row(what, t[32], t[1], t[1] / t[32], "" if device == "cpu" else ">= 1")
    yield agreed


def memory():
    """Peak memory of two rounds of the loop, by the number of clients."""
    script = [sys.executable, "-m", "benchmarks.networks", "memory"]
    peaks = {
        M: float(subprocess.run([*script, str(M)], check=True, capture_output=True, text=True).stdout)
        for M in CLIENTS
    }
    few, *more = CLIENTS
    for M in more:
        what = f"peak memory, 4,002,000 parameters: {M:,} clients / {few} clients"
        found = row(what, "", "", peaks[M] / peaks[few], "<= 1.1")
        yield found | {"here": f"{peaks[M]:.0f} MB", "against": f"{peaks[few]:.0f} MB"}


def peak_memory(M):
    """Megabytes that two rounds with M clients need at most, all told; Linux only.

    What `getrusage` says would not do: it never falls below what the parent had.
    """
    one = Samples(torch.ones(1, 2000), torch.zeros(1, dtype=torch.int64))
    problem = NetworkProblem([one] * M, partial(nn.Linear, 2000, 2000), cross_entropy)
    list(islice(run_of(problem, NetworkSteps(SGD(1e-3), 1)), 2))
    told = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(re.search(r"VmHWM:\s+(\d+) kB", told)[1]) * 1024 / 1e6


def main():
    """Measure, print the table, and keep it."""
    torch.set_num_threads(1)
    rows, device = [], "cuda" if torch.cuda.is_available() else "cpu"
    grey, colour = (1, 28, 28), (3, 64, 64)
    parts = [
        against_bare_loop("MLP", made_up(mlp, 10, 64, (784,)), 0.05, 20, 16, 5),
        against_bare_loop("small CNN", made_up(cnn, 10, 64, grey), 0.05, 20, 16, 3),
        against_bare_loop("EfficientNet-Lite0, 64 pixels", made_up(lite0, 4, 8, colour), 1e-3, 2, 8, 3),
        *(side_by_side("MLP", mlp, (784,), M, device) for M in CLIENTS),
        *(side_by_side("small CNN", cnn, grey, M, device) for M in CLIENTS),
        memory(),
    ]
    for part in tqdm(parts, disable=None):
        rows += part
    if device == "cpu":
        print("No GPU was found: clients side by side, which is meant for one, were measured on the CPU")
    clock.keep("networks", rows)
    print(clock.table(rows))


if __name__ == "__main__":
    if sys.argv[1:2] == ["memory"]:
        print(peak_memory(int(sys.argv[2])))
    else:
        main()
