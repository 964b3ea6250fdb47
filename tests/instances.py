"""Regression problems on which theorems are tested: consistent, and awkward in one way each."""

import math
from itertools import islice

import numpy as np
import pytest

from lgd_lib import Node, Problem

MAKERS = {}


def maker(function):
    MAKERS[function.__name__.replace("_", " ")] = function
    return function


@maker
def plain(rng):
    return [rng.standard_normal((n, 12)) for n in (3, 3, 3)]


@maker
def unequal_sizes(rng):
    return [rng.standard_normal((n, 15)) for n in (1, 6, 3)]


@maker
def one_node(rng):
    return [rng.standard_normal((4, 9))]


@maker
def rank_deficient_nodes(rng):
    return [rng.standard_normal((5, r)) @ rng.standard_normal((r, 14)) for r in (2, 4, 1)]


@maker
def duplicated_rows(rng):
    a, b = rng.standard_normal((3, 11)), rng.standard_normal((2, 11))
    return [np.vstack([a, a[:2]]), np.vstack([b, b, b]), np.vstack([a[1:], b[:1]])]


@maker
def scales_1e3_apart(rng):
    return [scale * rng.standard_normal((3, 13)) for scale in (1.0, 30.0, 1e3)]


@maker
def rows_with_scales_1e3_apart(rng):
    return [rng.standard_normal((3, 14)) * np.array([[1.0], [30.0], [1e3]]) for _ in range(3)]


@maker
def fewer_features_than_samples(rng):
    return [rng.standard_normal((n, 6)) for n in (4, 7, 2)]


@maker
def fewer_features_than_a_node_has_samples(rng):
    return [rng.standard_normal((n, 3)) for n in (5, 1)]


@maker
def identical_nodes(rng):
    X = rng.standard_normal((3, 8))
    return [X, X.copy()]


@maker
def orthogonal_nodes(rng):
    Q = np.linalg.qr(rng.standard_normal((10, 6)))[0].T
    return [rng.standard_normal((3, 3)) @ Q[:3], rng.standard_normal((3, 3)) @ Q[3:]]


@maker
def zero_rows(rng):
    X = rng.standard_normal((3, 8))
    X[1] = 0.0
    return [X, np.zeros((2, 8)), rng.standard_normal((1, 8))]


@maker
def one_feature(rng):
    return [rng.uniform(1, 2, (n, 1)) for n in (1, 3)]


def make(name, seed):
    """A problem of that kind, consistent, and a starting point that is not zero."""
    rng = np.random.default_rng([seed, sorted(MAKERS).index(name)])
    rows = MAKERS[name](rng)
    d = rows[0].shape[1]
    truth = rng.standard_normal(d)
    return Problem([Node(X, X @ truth) for X in rows], "regression"), rng.standard_normal(d)


def close(a, b, tolerance=1e-9):
    """Whether a and b agree to a relative tolerance in norm."""
    a, b = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    return bool(np.linalg.norm(a - b) <= tolerance * max(np.linalg.norm(a), np.linalg.norm(b), 1e-300))


def iterates(iterator, K):
    """w^1..w^K of an iterator of rounds."""
    return np.array([r.w for r in islice(iterator, K)])


def step_limits(problem):
    """2 N_i / sigma_max(X_i)^2 by the eigenvalues of X_i X_i^T; infinite for rows of zeros."""
    largest = [np.linalg.eigvalsh(node.X @ node.X.T)[-1] for node in problem.nodes]
    return np.array([2 * n / v if v else math.inf for n, v in zip(problem.sizes, largest, strict=True)])


every_kind = pytest.mark.parametrize(("name", "seed"), [(name, seed) for name in MAKERS for seed in (0, 1)])
few_kinds = pytest.mark.parametrize(
    ("name", "seed"),
    [
        ("unequal sizes", 2),
        ("rank deficient nodes", 3),
        ("duplicated rows", 4),
        ("one node", 5),
        ("fewer features than samples", 6),
    ],
)
