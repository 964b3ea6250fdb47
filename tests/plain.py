"""The plain twins: each function is its formula read aloud, with loops and nothing clever.

Nothing here imports `lgd_lib`.
"""

import math
from fractions import Fraction

import numpy as np


def loss(X, y, w):
    """The mean over samples of (x^T w - y)^2 / 2."""
    return sum((x @ w - t) ** 2 / 2 for x, t in zip(X, y, strict=True)) / len(y)


def gradient(X, y, w):
    """The mean over samples of (x^T w - y) x."""
    return sum((x @ w - t) * x for x, t in zip(X, y, strict=True)) / len(y)


def gradient_steps(X, y, w, eta, L):
    """L steps of gradient descent on one node's mean loss; the projection for L = infinity."""
    if math.isinf(L):
        return project(X, y, w)
    v = np.array(w, dtype=float)
    for _ in range(int(L)):
        v = v - eta * gradient(X, y, v)
    return v


def project(X, y, w):
    """The point of argmin f_i nearest to w."""
    return w + np.linalg.pinv(X, rcond=1e-12) @ (y - X @ w)


def stacked(problem):
    """All rows and all targets."""
    return np.vstack([node.X for node in problem.nodes]), np.hstack([node.y for node in problem.nodes])


def nearest_interpolator(problem, w0):
    """w0 + the least-norm solution of X v = y - X w0."""
    X, y = stacked(problem)
    return w0 + np.linalg.lstsq(X, y - X @ w0, rcond=1e-12)[0]


def local_gd(problem, w0, K, eta, L, weights=None, actives=None):
    """w^1..w^K and the local models of each round; eta, L and weights one per node, actives one per round."""
    M = len(problem.nodes)
    eta, L = np.broadcast_to(eta, M), np.broadcast_to(L, M)
    weights = [1.0] * M if weights is None else weights
    w, estimates, locals_ = np.array(w0, dtype=float), [], []
    for k in range(K):
        active = range(M) if actives is None else actives[k]
        models = [gradient_steps(problem.nodes[i].X, problem.nodes[i].y, w, eta[i], L[i]) for i in active]
        total = sum(weights[i] for i in active)
        if models:
            w = sum(weights[i] / total * v for i, v in zip(active, models, strict=True))
        estimates.append(w)
        locals_.append(models)
    return np.array(estimates), locals_


def averaged_projector(problem, L, eta=None, weights=None):
    """sum_i p_i (I - (I - eta X_i^T X_i / N_i)^L), a d x d matrix."""
    M, d = len(problem.nodes), problem.nodes[0].X.shape[1]
    L = np.broadcast_to(L, M)
    eta = np.broadcast_to(0.0 if eta is None else eta, M)
    p = np.ones(M) / M if weights is None else np.array(weights) / np.sum(weights)
    total = np.zeros((d, d))
    for i, node in enumerate(problem.nodes):
        if math.isinf(L[i]):
            total += p[i] * np.linalg.pinv(node.X, rcond=1e-12) @ node.X
        else:
            step = np.eye(d) - eta[i] * node.X.T @ node.X / len(node.y)
            total += p[i] * (np.eye(d) - np.linalg.matrix_power(step, int(L[i])))
    return total


def spectrum(problem, L, eta=None, weights=None):
    """The eigenvalues of the averaged projector on the span of the rows, ascending."""
    values = np.linalg.eigvalsh(averaged_projector(problem, L, eta, weights))
    return values[values.size - np.linalg.matrix_rank(stacked(problem)[0], rtol=1e-11) :]


def rate(problem, L, eta=None, weights=None):
    """max |1 - eigenvalue| over the span of the rows."""
    return np.abs(1 - spectrum(problem, L, eta, weights)).max()


def exact_nearest_interpolator(X, y, w0):
    """w0 + X^T (X X^T)^{-1} (y - X w0) in exact fractions; X of full row rank."""
    rows = [[Fraction(float(v)) for v in x] for x in X]
    start = [Fraction(float(v)) for v in w0]
    gaps = [
        Fraction(float(t)) - sum(a * b for a, b in zip(x, start, strict=True))
        for x, t in zip(rows, y, strict=True)
    ]
    gram = [[sum(a * b for a, b in zip(x, z, strict=True)) for z in rows] for x in rows]
    multipliers = _solve(gram, gaps)
    return [v + sum(m * x[j] for m, x in zip(multipliers, rows, strict=True)) for j, v in enumerate(start)]


def exact_distance(w, exact):
    """||w - exact||, w in floats and exact in fractions."""
    return math.sqrt(sum((Fraction(float(a)) - b) ** 2 for a, b in zip(w, exact, strict=True)))


def _solve(A, b):
    """Gauss-Jordan elimination."""
    table = [[*row, value] for row, value in zip(A, b, strict=True)]
    for c in range(len(table)):
        pivot = next(r for r in range(c, len(table)) if table[r][c])
        table[c], table[pivot] = table[pivot], table[c]
        table[c] = [value / table[c][c] for value in table[c]]
        for r in range(len(table)):
            if r != c:
                table[r] = [a - table[r][c] * z for a, z in zip(table[r], table[c], strict=True)]
    return [row[-1] for row in table]
