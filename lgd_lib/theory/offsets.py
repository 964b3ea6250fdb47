"""What weights, unequal work and absent nodes leave behind in classification: constants."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, product

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lgd_lib.margins import signed_rows
from lgd_lib.participation import Bernoulli, Subset
from lgd_lib.problems import Problem
from lgd_lib.references import max_margin
from lgd_lib.theory.limits import SUPPORT, late_offset
from lgd_lib.validation import Array, as_weights, is_count, per_node

MOST_SETS = 200_000


@dataclass(frozen=True, eq=False)
class Offsets:
    """What the margins of the support vectors tend to, less ln k.

    Parameters
    ----------
    w_mm : ndarray, shape (d,)
        The max-margin solution of the pooled data.
    support : ndarray of bool, shape (N,)
        The samples with a positive multiplier.
    values : ndarray, shape (N,)
        lim z_j^T w^k - ln k of the support vectors; NaN for other samples.
    remainder : ndarray, shape (d,)
        The least-norm u with z_j^T u = values_j on the support: w^k is near ln(k) w_mm + u.
    exponent : float
        What is left of a deviation falls like k^-exponent.

    Examples
    --------
    >>> Offsets(np.ones(1), np.array([True]), np.zeros(1), np.zeros(1), 1.0).exponent
    1.0
    """

    w_mm: Array
    support: NDArray[np.bool_]
    values: Array
    remainder: Array
    exponent: float


def mean_shares(
    M: int, weights: ArrayLike | None = None, participation: Subset | Bernoulli | None = None
) -> Array:
    """Return the mean share of each node in a round's average over those present.

    s_i = E[p_i 1(i in S) / sum_{j in S} p_j], over the random set S of a round; 0 in a round with nobody.

    Parameters
    ----------
    M : int
        Number of nodes.
    weights : sequence of M positive numbers, optional
        p_i; equal by default.
    participation : Subset or Bernoulli, optional
        Who takes part; all nodes by default.

    Returns
    -------
    ndarray, shape (M,)

    Raises
    ------
    TypeError
        If participation is another rule: its probabilities are not known.
    ValueError
        If M is no number of nodes, there are more than 200,000 sets to go through, or the weights do not fit.

    Notes
    -----
    Source: elementary. Cost: one pass over all sets, 2^M of them for `Bernoulli`.

    Examples
    --------
    >>> mean_shares(2, (1, 3)), mean_shares(2, (1, 3), Subset(1))
    (array([0.25, 0.75]), array([0.5, 0.5]))
    """
    if not is_count(M):
        raise ValueError(f"M was {M!r}; it must be a whole number of at least 1")
    p = as_weights(weights, M)
    if participation is None:
        return p
    if not isinstance(participation, Subset | Bernoulli):
        raise TypeError(f"participation was {participation!r}; it must be a Subset, a Bernoulli or None")
    count = math.comb(M, participation.m) if isinstance(participation, Subset) else 2**M
    if count > MOST_SETS:
        raise ValueError(f"M was {M}: there are {count} sets of nodes; there must be at most {MOST_SETS}")
    shares = np.zeros(M)
    for members, probability in _sets(M, participation):
        if members:
            present = list(members)
            shares[present] += probability * p[present] / p[present].sum()
    return shares


def margin_offsets(
    problem: Problem,
    L: float | Sequence[float],
    eta: float | Sequence[float],
    shares: ArrayLike | None = None,
) -> Offsets:
    """Return what Local-GD's margins tend to, less ln k, at fixed L and step sizes. (V8-offsets)

    z_j^T w^k - ln k -> ln(s_i eta_i L_i / (N_i mu_j)) for a support vector j of node i, with s_i the node's
    mean share and w_mm = sum_j mu_j z_j.

    Parameters
    ----------
    problem : Problem
        For classification.
    L : int, or one for each node
    eta : float, or one for each node
    shares : sequence of M positive numbers, optional
        From `mean_shares`; equal by default.

    Returns
    -------
    Offsets

    Raises
    ------
    NotSeparableError, UndecidedError, ValueError
        As `references.max_margin`; if L, eta or the shares do not fit.

    Notes
    -----
    Source: ours, for data that are separable; for one node it is the limit of Soudry et al. (2018). The
    support vectors must be independent, and every tight sample must have a positive multiplier; then a
    deviation d of their margins obeys d' = -G diag(mu) d / k, and a sample with z^T w_mm = 1 + g disturbs
    like k^-g. For the exponential and the logistic loss. Cost: as `references.max_margin`.

    Examples
    --------
    >>> from lgd_lib.problems import Node
    >>> problem = Problem([Node([[1.0, 0.0]], [1.0]), Node([[0.0, 2.0]], [1.0])], "classification")
    >>> margin_offsets(problem, L=4, eta=0.5).values
    array([0.        , 1.38629436])
    """
    M, given = problem.M, {"L": L, "eta": eta, "shares": 1 / problem.M if shares is None else shares}
    each = {name: per_node(name, value, M) for name, value in given.items()}
    for name, values in each.items():
        if not ((values > 0) & np.isfinite(values)).all() or (name == "L" and (values % 1 != 0).any()):
            kind = "whole numbers of steps" if name == "L" else "positive and finite"
            raise ValueError(f"{name} was {given[name]}; for every node it must be {kind}, above 0")
    work = each["shares"] * each["L"] * each["eta"]
    reference = max_margin(problem)
    mu, Z = reference.multipliers, np.concatenate([signed_rows(node) for node in problem.nodes])
    support = mu > SUPPORT * mu.max()
    rows, heavy = Z[support], mu[support]
    remainder = late_offset(problem, work) + math.log(work.sum()) * reference.w
    values = np.full(mu.size, np.nan)
    values[support] = rows @ remainder
    root = np.sqrt(heavy)[:, None]
    slowest = float(np.linalg.eigvalsh(root * (rows @ rows.T) * root.T)[0])
    gap = float(np.min(Z[~support] @ reference.w - 1, initial=math.inf))
    return Offsets(reference.w, support, values, remainder, max(0.0, min(slowest, gap, 1.0)))


def _sets(M: int, rule: Subset | Bernoulli) -> Iterator[tuple[tuple[int, ...], float]]:
    """Every set of nodes with its probability."""
    if isinstance(rule, Subset):
        each = 1 / math.comb(M, rule.m)
        yield from ((members, each) for members in combinations(range(M), rule.m))
        return
    q = per_node("q", rule.q, M)
    for there in product((False, True), repeat=M):
        chosen = np.array(there)
        yield tuple(np.flatnonzero(chosen)), float(np.prod(np.where(chosen, q, 1 - q)))
