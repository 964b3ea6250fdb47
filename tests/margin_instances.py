"""Separable classification problems, each awkward in one way."""

import numpy as np
import pytest

from lgd_lib import Node, Problem

MAKERS = {}


def maker(function):
    MAKERS[function.__name__.replace("_", " ")] = function
    return function


def labelled(rng, n, d, mu, labels=None):
    y = np.where(rng.random(n) < 0.5, 1.0, -1.0) if labels is None else np.full(n, labels)
    return rng.standard_normal((n, d)) + y[:, None] * mu, y


@maker
def plain(rng):
    return [labelled(rng, n, 30, np.eye(30)[0]) for n in (5, 5, 5)]


@maker
def one_class_nodes(rng):
    return [labelled(rng, 6, 25, np.eye(25)[0], label) for label in (1.0, -1.0, 1.0, -1.0)]


@maker
def one_node(rng):
    return [labelled(rng, 8, 12, np.eye(12)[0])]


@maker
def more_samples_than_features(rng):
    return [labelled(rng, 12, 5, 8 * np.eye(5)[0]) for _ in range(3)]


@maker
def rank_deficient_nodes(rng):
    blocks = []
    for r in (2, 3):
        basis = rng.standard_normal((r, 14))
        direction = basis[0] * 3
        X = rng.standard_normal((6, r)) @ basis * 0.3
        y = np.where(rng.random(6) < 0.5, 1.0, -1.0)
        blocks.append((X + y[:, None] * direction, y))
    return blocks


@maker
def duplicated_points(rng):
    (a, y), (b, z) = (labelled(rng, 4, 15, np.eye(15)[0]) for _ in range(2))
    return [
        (np.vstack([a, a[:2]]), np.append(y, y[:2])),
        (np.vstack([b, b, a[:1]]), np.concatenate([z, z, y[:1]])),
    ]


@maker
def near_duplicates(rng):
    blocks = []
    for size in (1e-9, 1e-7, 1e-12):
        X, y = labelled(rng, 4, 16, np.eye(16)[0])
        blocks.append((np.vstack([X, X + size * rng.standard_normal(X.shape)]), np.append(y, y)))
    return blocks


@maker
def points_scaled_by_1e4(rng):
    blocks = [labelled(rng, 5, 18, np.eye(18)[0]) for _ in range(3)]
    return [(X * np.geomspace(1, 1e4, 5)[:, None], y) for X, y in blocks]


@maker
def tiny_margin(rng):
    blocks = []
    for _ in range(2):
        X, y = rng.standard_normal((6, 4)), np.array([1.0, -1, 1, -1, 1, -1])
        X[:, 0] = y * 1e-6 * (1 + rng.random(6))
        blocks.append((np.vstack([X, -X * [-1, 1, 1, 1]]), np.append(y, y)))
    return blocks


@maker
def active_by_chance(rng):
    # Many points share the margin of w_mm exactly; most carry no multiplier.
    X = np.array([[1.0, 0, 0], [1, 1, 0], [1, -1, 0], [1, 0, 2], [1, 0, -2], [2, 1, 1]])
    return [(X[:3], np.ones(3)), (-X[3:], -np.ones(3))]


@maker
def one_feature(rng):
    return [(np.array([[2.0], [-1.0]]), np.array([1.0, -1.0])), (np.array([[3.0]]), np.ones(1))]


def make(name, seed):
    """A problem of that kind, and a start that is not zero."""
    rng = np.random.default_rng([seed, sorted(MAKERS).index(name)])
    nodes = [Node(X, y) for X, y in MAKERS[name](rng)]
    return Problem(nodes, "classification"), 2 * rng.standard_normal(nodes[0].d)


TAME = [name for name in MAKERS if name not in ("near duplicates", "tiny margin", "points scaled by 1e4")]
every_kind = pytest.mark.parametrize(("name", "seed"), [(n, s) for n in MAKERS for s in (0, 1)])
tame_kinds = pytest.mark.parametrize(("name", "seed"), [(n, s) for n in TAME for s in (0, 1)])
