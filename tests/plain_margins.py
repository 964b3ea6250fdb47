"""Plain twins of classification: each is its formula read aloud. Nothing here imports `lgd_lib`."""

import math
from fractions import Fraction
from itertools import combinations

import numpy as np
from plain import _solve
from scipy.optimize import nnls


def signed(node):
    """Rows y_j x_j."""
    return np.array([t * x for x, t in zip(node.X, node.y, strict=True)])


def all_signed(problem):
    return np.vstack([signed(node) for node in problem.nodes])


def project(Z, w):
    """The point of {v : Z v >= 1} nearest to w, by least-distance programming (Lawson and Hanson, ch. 23)."""
    gaps = 1 - Z @ w
    if (gaps <= 0).all():
        return np.array(w, dtype=float)
    norms = np.linalg.norm(Z, axis=1)
    A, b = Z / norms[:, None], gaps / norms
    b = b / (unit := np.abs(b).max())
    E = np.vstack([A.T, b])
    x, _ = nnls(E, np.append(np.zeros(Z.shape[1]), 1.0), maxiter=10_000)
    S = x > 0
    return w + unit * (np.linalg.pinv(A[S], rcond=1e-13) @ b[S])


def worst_violation(Z, w, w0):
    """The largest of the four conditions' violations, each relative, with multipliers by `nnls`."""
    norms = np.linalg.norm(Z, axis=1)
    A, slack = Z / norms[:, None], (Z @ w - 1) / norms
    size = max(np.linalg.norm(w), np.linalg.norm(w0), (1 / norms).max())
    tight = slack <= 1e-8 * size
    off = nnls(A[tight].T, w - w0, maxiter=10_000)[1] if tight.any() else np.linalg.norm(w - w0)
    return max(-slack.min(), off) / size


def dykstra(problem, w0, K, p=None):
    """Dykstra's method in parallel: q_i = P_i(w + s_i), s_i <- w + s_i - q_i, w <- sum p_i q_i."""
    Zs = [signed(node) for node in problem.nodes]
    p = np.full(len(Zs), 1 / len(Zs)) if p is None else np.array(p) / np.sum(p)
    w, s, estimates = w0, [np.zeros(w0.size) for _ in Zs], []
    for _ in range(K):
        q = [project(Z, w + t) for Z, t in zip(Zs, s, strict=True)]
        s = [w + t - v for t, v in zip(s, q, strict=True)]
        w = sum(share * v for share, v in zip(p, q, strict=True))
        estimates.append(w)
    return np.array(estimates)


def outer_approximation(problem, w0, K):
    """Every half-space ever told is kept; the next point is the one nearest to w0 in all of them."""
    Zs, w, cuts, estimates = [signed(node) for node in problem.nodes], w0, [], []
    for _ in range(K):
        for Z in Zs:
            answer = project(Z, w)
            g = answer - w
            if np.linalg.norm(g) > 1e-13 * (1 + np.linalg.norm(w)):
                # <g, v> >= <g, answer>, as a constraint h^T (v - w0) >= 1 where w0 violates it.
                cuts.append((g / np.linalg.norm(g), g @ answer / np.linalg.norm(g)))
        w = nearest_in(cuts, w0)
        estimates.append(w)
    return np.array(estimates)


def nearest_in(cuts, w0):
    """argmin ||v - w0|| subject to <n, v> >= c for all (n, c)."""
    N, c = np.array([n for n, _ in cuts]), np.array([c for _, c in cuts])
    gaps = c - N @ w0
    if (gaps <= 0).all():
        return w0
    x, _ = nnls(np.vstack([N.T, gaps]), np.append(np.zeros(w0.size), 1.0), maxiter=10_000)
    residual = np.append(np.zeros(w0.size), 1.0) - np.vstack([N.T, gaps]) @ x
    return w0 - residual[:-1] / residual[-1]


def onto_two(x, first, second):
    """The projection of x on two half-spaces {v : <n, v> <= c}, by trying which of them are active."""
    for active in ([], [first], [second], [first, second]):
        v = x
        if active:
            N, c = np.array([n for n, _ in active]), np.array([c for _, c in active])
            multipliers = np.linalg.lstsq(N @ N.T, N @ x - c, rcond=None)[0]
            if (multipliers < -1e-12).any():
                continue
            v = x - N.T @ multipliers
        size = 1e-9 * (1 + np.linalg.norm(x))
        if all(n @ v - c <= size * np.linalg.norm(n) for n, c in (first, second)):
            return v
    raise AssertionError("the half-spaces do not meet")


def exact_nearest(Z, w0):
    """The point nearest to w0 with Z v >= 1 in fractions, by trying every set of active constraints."""
    rows = [[Fraction(float(v)) for v in z] for z in Z]
    start = [Fraction(float(v)) for v in w0]
    gaps = [1 - sum(a * b for a, b in zip(z, start, strict=True)) for z in rows]
    gram = [[sum(a * b for a, b in zip(x, z, strict=True)) for z in rows] for x in rows]
    for size in range(min(len(rows), len(start)) + 1):
        for S in combinations(range(len(rows)), size):
            try:
                a = _solve([[gram[i][j] for j in S] for i in S], [gaps[i] for i in S]) if S else []
            except StopIteration:  # dependent rows
                continue
            if all(v >= 0 for v in a) and all(
                sum(m * gram[j][i] for m, i in zip(a, S, strict=True)) >= gaps[j] for j in range(len(rows))
            ):
                return [
                    v + sum(m * rows[i][c] for m, i in zip(a, S, strict=True)) for c, v in enumerate(start)
                ]
    return None


def slope(loss, m):
    """-loss'(m) of one margin."""
    if loss == "exponential":
        return math.exp(-m)
    return 1 / (1 + math.exp(m)) if m < 700 else math.exp(-m)


def gradient_steps(Z, w, eta, L, loss):
    """L steps of gradient descent on the mean of loss(z_j^T w), sample by sample."""
    v = np.array(w, dtype=float)
    for _ in range(L):
        v = v + eta * sum(slope(loss, z @ v) * z for z in Z) / len(Z)
    return v


def stochastic_steps(rows, targets, w, eta, batches, loss):
    """One step of gradient descent a batch, sample by sample; targets only for the squared loss."""
    v = np.array(w, dtype=float)
    for batch in batches:
        step = np.zeros(v.size)
        for j in batch:
            m = rows[j] @ v
            step += (targets[j] - m if loss == "squared" else slope(loss, m)) * rows[j]
        v = v + eta * step / len(batch)
    return v


def epochs(rng, n, b, L):
    """The batches of L steps: fresh permutations, cut into pieces of b, the last of each as it falls."""
    steps = []
    while len(steps) < L:
        order = rng.permutation(n) if b < n else np.arange(n)
        steps += [order[s : s + b] for s in range(0, n, b)]
    return steps[:L]
