"""Problems with several classes, separable, each awkward in one way; and the formulas read aloud."""

import numpy as np
import pytest

from lgd_lib import Node, Problem

MAKERS = {}


def maker(function):
    MAKERS[function.__name__.replace("_", " ")] = function
    return function


def _rows(rng, n, d):
    return rng.standard_normal((n, d))


@maker
def three_classes(rng):
    return [Node(_rows(rng, n, 20), rng.integers(0, 3, n)) for n in (4, 4, 5)]


@maker
def one_class_nodes(rng):
    return [Node(_rows(rng, 3, 16), np.full(3, c)) for c in (0, 1, 2, 3)]


@maker
def unequal_sizes(rng):
    return [Node(_rows(rng, n, 25), rng.permutation(np.arange(n) % 4)) for n in (1, 9, 3, 2)]


@maker
def two_classes(rng):
    return [Node(_rows(rng, 4, 12), rng.permutation([0, 1, 1, 0])) for _ in range(2)]


@maker
def one_node(rng):
    return [Node(_rows(rng, 6, 9), np.arange(6) % 3)]


@maker
def a_class_that_nobody_has(rng):
    return [Node(_rows(rng, 3, 12), [0, 3, 0]), Node(_rows(rng, 3, 12), [1, 3, 3])]


@maker
def repeated_samples(rng):
    X, y = _rows(rng, 4, 14), np.array([0, 1, 2, 1])
    return [Node(np.vstack([X, X[:2]]), [*y, *y[:2]]), Node(X[1:], y[1:])]


@maker
def more_samples_than_features(rng):
    centres = 6 * np.eye(3, 4)
    return [Node(centres[y] + 0.3 * _rows(rng, 6, 4), y) for y in (np.arange(6) % 3, np.arange(6) % 2)]


@maker
def scales_1e3_apart(rng):
    return [Node(scale * _rows(rng, 3, 15), [0, 1, 2]) for scale in (1.0, 30.0, 1e3)]


def make(name, seed):
    """The problem and a start."""
    rng = np.random.default_rng([seed, sum(name.encode())])
    problem = Problem(MAKERS[name](rng), "multiclass")
    return problem, 0.3 * rng.standard_normal(problem.size)


def every_kind(test):
    """Parametrise over all makers and two seeds."""
    return pytest.mark.parametrize("seed", range(2))(pytest.mark.parametrize("name", MAKERS)(test))


def tame_kinds(test):
    """As `every_kind`, without the data on which interior points and plain rounds are slow."""
    names = [name for name in MAKERS if name != "scales 1e3 apart"]
    return pytest.mark.parametrize("seed", range(2))(pytest.mark.parametrize("name", names)(test))


def probabilities(W, x):
    """softmax(W x), one sample."""
    scores = W @ x
    powers = np.exp(scores - scores.max())
    return powers / powers.sum()


def gradient(node, W):
    """mean of (q - e_y) x^T, sample by sample."""
    total = np.zeros_like(W)
    for x, y in zip(node.X, node.y, strict=True):
        q = probabilities(W, x)
        q[int(y)] -= 1
        total += np.outer(q, x)
    return total / node.N


def descended(node, W, eta, L):
    """L textbook steps."""
    for _ in range(L):
        W = W - eta * gradient(node, W)
    return W


def close(a, b, relative):
    """Whether a is b to a relative error in norm."""
    return np.linalg.norm(a - b) <= relative * max(np.linalg.norm(b), 1e-300)
