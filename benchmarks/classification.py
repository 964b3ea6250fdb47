"""Speed and rounds of the margin methods: ``python -m benchmarks.classification``.

Each ratio is taken in this one run, one BLAS thread for everybody. Long loops are extrapolated from a few of
their rounds, which all cost the same. With LGD_SKLEARN_PYTHON, the Python of an environment with
scikit-learn, its SVC is measured too (see svc_peer.py).
"""

import os

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

import warnings
from itertools import islice

import cvxpy as cp
import numpy as np
from tqdm import tqdm

from benchmarks import clock, margin_peers
from benchmarks.regression import difference, row
from lgd_lib import (
    AcceleratedDual,
    AcceleratedDualMargin,
    Anchored,
    Average,
    Bundle,
    Consensus,
    ConsensusMargin,
    DualMargin,
    ExactMargin,
    Haugazeau,
    Problem,
    partition,
    record,
    references,
    rounds,
)
from lgd_lib.certificates import check_projection
from lgd_lib.margins import signed_rows

M, N_I, D, K = 10, 50, 1000, 1000
METHODS = {
    "parallel projections": (ExactMargin(), Average(), 300),
    "anchored average": (ExactMargin(), Anchored(), 3000),
    "Haugazeau": (ExactMargin(), Haugazeau(), 1000),
    "dual": (DualMargin(), Average(), 1500),
    "accelerated dual": (AcceleratedDualMargin(), AcceleratedDual(), 800),
    "consensus ADMM, rho = 0.3": (ConsensusMargin(1.8), Consensus(0.3), 800),
    "bundle": (ExactMargin(), Bundle(), 90),
    "bundle, slack = 30": (ExactMargin(), Bundle(30), 90),
}


def gaussian(seed=0, d=D):
    """N points around two means at a distance of 6, and their labels."""
    rng = np.random.default_rng(seed)
    mean = rng.standard_normal(d)
    y = np.where(rng.random(M * N_I) < 0.5, 1.0, -1.0)
    return rng.standard_normal((M * N_I, d)) + 3 * y[:, None] * mean / np.linalg.norm(mean), y


def clustered(seed=0, rank=None):
    """N points in M clusters, labelled by a teacher; of a low rank, with a little noise, or of full rank."""
    rng = np.random.default_rng(seed)
    r = rank or D
    centres, teacher = 2 * rng.standard_normal((M, r)), rng.standard_normal(r)
    cluster = np.repeat(np.arange(M), N_I)
    inner = centres[cluster] + rng.standard_normal((M * N_I, r))
    y = np.where(inner @ teacher > 0, 1.0, -1.0)
    if rank is None:
        return inner, y, cluster
    frame = np.linalg.qr(rng.standard_normal((D, r)))[0].T
    return inner @ frame + 0.05 * rng.standard_normal((M * N_I, D)), y, cluster


def by_class(y):
    """Parts of one class each: the first nodes hold the positive samples."""
    order = np.argsort(-y, kind="stable")
    positive = int((y > 0).sum())
    m = max(1, min(M - 1, round(M * positive / y.size)))
    return [*np.array_split(order[:positive], m), *np.array_split(order[positive:], M - m)]


def pairs():
    """The five pairs of data and partition."""
    X, y = gaussian()
    yield "Gaussian, iid", Problem.split(X, y, partition.iid(y.size, M, seed=0), "classification")
    yield "Gaussian, one class per node", Problem.split(X, y, by_class(y), "classification")
    X, y, cluster = clustered()
    yield "clusters, by cluster", Problem.split(X, y, partition.by_group(cluster), "classification")
    X, y, cluster = clustered(rank=20)
    yield "low rank, iid", Problem.split(X, y, partition.iid(y.size, M, seed=0), "classification")
    yield "low rank, by cluster", Problem.split(X, y, partition.by_group(cluster), "classification")


def speed_of_rounds():
    """Anchored rounds against cvxpy, as a script and at its fastest; cost in d."""
    X, y = gaussian()
    problem = Problem.split(X, y, by_class(y), "classification")
    w0 = np.zeros(D)
    full = rounds(problem, ExactMargin(), Anchored(), w0)
    fastest = margin_peers.CvxpyReduced(problem)
    fastest.run(w0, 1)
    works = {"full": (lambda: list(islice(full, 20)), 3)}
    for d in (D, 10 * D):
        X, y = gaussian(d=d)
        small, u0, _ = Problem.split(X, y, by_class(y), "classification").row_space()
        inside = rounds(small, ExactMargin(), Anchored(), u0)
        works[d] = (lambda inside=inside: list(islice(inside, 20)), 3)
    works["fastest"] = (lambda: fastest.run(w0, 5), 1)
    works["script"] = (lambda: margin_peers.cvxpy_script(problem, w0, 1), 1)
    t = clock.side_by_side(works)
    here, script, best = t[D] / 20 * K, t["script"] * K, t["fastest"] / 5 * K
    yield row(
        "1,000 anchored rounds, d = 1,000: cvxpy script / row space", here, script, script / here, ">= 300"
    )
    yield row("the same: cvxpy reduced, parametrised, DAQP / row space", here, best, best / here, ">= 5")
    whole = t["full"] / 20 * K
    yield row("the same: cvxpy reduced, parametrised, DAQP / full space", whole, best, best / whole, "")
    what = "a round in row-space coordinates, d = 10,000 / d = 1,000"
    yield row(what, t[10 * D] / 20, t[D] / 20, t[10 * D] / t[D], "<= 1.5")
    *_, last = islice(rounds(problem, ExactMargin(), Anchored(), w0), 10)
    yield row(
        "relative difference to cvxpy with DAQP after 10 rounds",
        "",
        "",
        difference(last.w, fastest.run(w0, 10)),
        "",
    )


def centralised():
    """The reference against peers, with the KKT residual of each."""
    X, y = gaussian()
    problem = Problem.split(X, y, by_class(y), "classification")
    Z = signed_rows(problem.pooled)
    reference = references.max_margin(problem)
    t = clock.side_by_side(
        {
            "here": (lambda: references.max_margin(problem), 3),
            "Clarabel": (lambda: margin_peers.cvxpy_max_margin(Z, cp.CLARABEL), 1),
            "DAQP": (lambda: margin_peers.cvxpy_max_margin(Z, cp.DAQP), 1),
        },
        rounds=2,
    )
    bound = reference.certificate.error_bound / reference.certificate.scale
    yield row("max-margin, N = 500, d = 1,000: certified relative error", "", "", bound, "<= 1e-10")
    own = margin_peers.kkt_residual(Z, reference.w, reference.multipliers)
    yield row("the same: KKT residual", t["here"], "", own, "<= 1e-10")
    peers = {
        name: (margin_peers.cvxpy_max_margin(Z, solver), t[name])
        for name, solver in (("Clarabel", cp.CLARABEL), ("DAQP", cp.DAQP))
    }
    python = os.environ.get("LGD_SKLEARN_PYTHON")
    if python:
        peers["scikit-learn SVC"] = margin_peers.svc_max_margin(Z, python)
    for name, (w, seconds) in peers.items():
        label = name if "SVC" in name else f"cvxpy with {name}"
        asked = ">= 20" if name == "Clarabel" else ""
        yield row(f"the same: {label} / here", t["here"], seconds, seconds / t["here"], asked)
        certificate = check_projection(problem, w)
        residual = max(certificate.residuals.values())
        yield row(f"the same: KKT residual of {label}", "", seconds, residual, "")
        yield row(f"the same: relative error of {label}", "", "", difference(w, reference.w), "")


def rounds_needed():
    """Rounds and megabytes to a direction error, for all methods on five pairs."""
    for pair, problem in pairs():
        small, u0, _ = problem.row_space()
        w = references.max_margin(small).w
        aim = w / np.linalg.norm(w)
        error = {"e": lambda r, aim=aim: float(np.linalg.norm(r.w / np.linalg.norm(r.w) - aim))}
        for name, (solver, aggregation, most) in METHODS.items():
            history = record(rounds(small, solver, aggregation, u0), error, most)
            sent = np.cumsum(history["bytes_up"] + history["bytes_down"]) / 1e6
            reached = [np.flatnonzero(history["e"] <= aimed) for aimed in (1e-3, 1e-6, 1e-9)]
            counts = " / ".join(str(k[0] + 1) if k.size else "-" for k in reached)
            megabytes = " / ".join(f"{sent[k[0]]:.3g}" if k.size else "-" for k in reached) + " MB"
            what = f"{pair}: {name}, rounds and megabytes to 1e-3 / 1e-6 / 1e-9; error after {most:,}"
            yield row(what, counts, megabytes, float(history["e"][-1]), "")
            first = float(reached[0][0] + 1) if reached[0].size else most * float(history["e"][-1]) / 1e-3
            if name == "anchored average":
                slow = first
            elif name == "bundle":
                what = (
                    f"{pair}: rounds to 1e-3, anchored average (by its 1/k law if above {K * 3:,}) / bundle"
                )
                yield row(what, f"{first:.0f}", f"{slow:.0f}", slow / first, ">= 100")


def main():
    """Measure, print the table, and keep it."""
    rows = []
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", UserWarning
        )  # cvxpy's "may be inaccurate": its residual is in the table
        for part in tqdm((speed_of_rounds, centralised, rounds_needed), disable=None):
            rows += part()
    clock.keep("classification", rows, ("cvxpy", "clarabel", "daqp"))
    print(clock.table(rows))


if __name__ == "__main__":
    main()
