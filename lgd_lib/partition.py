"""Which samples go to which node: at random, by shards, by Dirichlet class shares, by group.

Every function returns one sorted index array for each node; together they hold every sample exactly once.
None of them redraws until a condition is met, so all of them end. `Problem.split` makes a problem of the
arrays, `report` says what each node got.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lgd_lib.partition_report import PartitionReport as PartitionReport
from lgd_lib.partition_report import report as report
from lgd_lib.validation import is_count

Indices = NDArray[np.intp]
Parts = tuple[Indices, ...]


def iid(N: int, M: int, *, seed: int, sizes: Sequence[int] | None = None, allow_empty: bool = False) -> Parts:
    """Deal N samples to M nodes at random, whatever their labels are.

    Parameters
    ----------
    N : int
        Number of samples.
    M : int
        Number of nodes.
    seed : int
        At least 0.
    sizes : sequence of M ints, optional
        Samples of each node; they must sum to N. By default they differ by one at most.
    allow_empty : bool
        Whether a node may get no sample.

    Returns
    -------
    tuple of M index arrays

    Raises
    ------
    ValueError
        If an argument is outside its range, or a node would be empty without being allowed to.

    Notes
    -----
    Source: standard. Cost: O(N log N).

    Examples
    --------
    >>> [part.size for part in iid(7, 3, seed=0)]
    [3, 2, 2]
    """
    rng = _stream(seed)
    quota = _quota(N, M, sizes, allow_empty)
    return _sorted(np.split(rng.permutation(N), np.cumsum(quota)[:-1]))


def shards(y: ArrayLike, M: int, *, shards_per_node: int, seed: int) -> Parts:
    """Sort the samples by label, cut them into equal shards, and deal each node the same number of shards.

    The fewer shards a node gets, the fewer labels it sees. Shards differ by one sample at most; samples
    with equal labels are in random order. A continuous y is taken too: a shard is then an interval of
    targets.

    Parameters
    ----------
    y : array_like, shape (N,)
        Labels or targets.
    M : int
        Number of nodes.
    shards_per_node : int
    seed : int
        At least 0.

    Returns
    -------
    tuple of M index arrays

    Raises
    ------
    ValueError
        If an argument is outside its range, or there are more shards than samples.

    Notes
    -----
    Source: McMahan et al. 2017. Cost: O(N log N).

    Examples
    --------
    >>> labels = np.array([0, 1, 0, 1, 0, 1, 0, 1])
    >>> [sorted(set(labels[part].tolist())) for part in shards(labels, 2, shards_per_node=1, seed=0)]
    [[0], [1]]
    """
    labels, rng = _labels("y", y), _stream(seed)
    _need_count("M", M)
    _need_count("shards_per_node", shards_per_node)
    cuts = int(M) * int(shards_per_node)
    if cuts > labels.size:
        raise ValueError(
            f"shards_per_node was {shards_per_node}: with M = {M} nodes that makes {cuts} shards of "
            f"{labels.size} samples; M times shards_per_node must not exceed the number of samples"
        )
    shuffled = rng.permutation(labels.size)
    in_order = shuffled[np.argsort(labels[shuffled], kind="stable")]
    pieces = np.array_split(in_order, cuts)
    dealt = rng.permutation(cuts).reshape(int(M), -1)
    return _sorted([np.concatenate([pieces[j] for j in row]) for row in dealt])


def dirichlet(
    y: ArrayLike,
    M: int,
    *,
    concentration: float,
    seed: int,
    sizes: Sequence[int] | None = None,
    allow_empty: bool = False,
) -> Parts:
    """Give each node its own class shares, drawn from a Dirichlet distribution around those of the whole.

    q_i ~ Dirichlet(concentration p) for every node i, p the class shares of all samples. Node i then draws
    its samples without replacement, the class of each from q_i.

    Parameters
    ----------
    y : array_like, shape (N,)
        Class labels: whole numbers or strings.
    M : int
        Number of nodes.
    concentration : float
        Positive. Small: nearly one class a node. Large: nearly the shares of the whole. It is the sum of the
        distribution's parameters: with C equal classes, C times what others call alpha in Dirichlet(alpha 1).
    seed : int
        At least 0.
    sizes : sequence of M ints, optional
        Samples of each node; they must sum to N. By default they differ by one at most.
    allow_empty : bool
        Whether a node may get no sample.

    Returns
    -------
    tuple of M index arrays

    Raises
    ------
    ValueError
        If an argument is outside its range, y does not hold classes, or a node would be empty without being
        allowed to.

    Notes
    -----
    Source: Hsu, Qi & Brown 2019, with nodes of equal size as there. (Many programs draw for each class the
    nodes' shares of it instead, which makes sizes random and leaves nodes empty.) Sizes are fixed here
    before anything is drawn, so no node has to be repaired and the function always ends: the nodes draw one
    sample each in turn, and where a class has run out, among the classes left, in proportion to q_i. The
    q_i are kept as logarithms, so that small concentrations do not underflow. Each node's shares are
    therefore q_i only as far as the supply lasts. Cost: O(N C) for C classes.

    Examples
    --------
    >>> parts = dirichlet([0] * 60 + [1] * 60, 100, concentration=0.01, seed=0)
    >>> len(parts), min(part.size for part in parts), sum(part.size for part in parts)
    (100, 1, 120)
    """
    labels, rng = _labels("y", y), _stream(seed)
    if labels.dtype.kind == "f" and not np.array_equal(labels, np.rint(labels)):
        raise ValueError(
            "y is continuous; it must hold classes: bin the targets first, with numpy.digitize say"
        )
    if not (math.isfinite(concentration) and concentration > 0):
        raise ValueError(f"concentration was {concentration}; it must be a finite number above 0")
    quota = _quota(labels.size, M, sizes, allow_empty)
    of_class, counts = np.unique(labels, return_inverse=True, return_counts=True)[1:]
    log_q = _log_dirichlet(concentration * counts / labels.size, quota.size, rng)
    gumbel = iter(rng.gumbel(size=(labels.size, counts.size)))
    shuffled = rng.permutation(labels.size)
    supply = [shuffled[of_class[shuffled] == c].tolist() for c in range(counts.size)]
    gone = np.zeros(counts.size)
    parts: list[list[int]] = [[] for _ in quota]
    for turn in range(int(quota.max())):
        for i in np.flatnonzero(quota > turn):
            c = int(
                np.argmax(log_q[i] + next(gumbel) + gone)
            )  # class c with probability in proportion to q_ic
            parts[i].append(supply[c].pop())
            if not supply[c]:
                gone[c] = -np.inf
    return _sorted([np.array(part, dtype=np.intp) for part in parts])


def by_group(groups: ArrayLike) -> Parts:
    """Make a node of every group: a laboratory, a writer, a hospital.

    Parameters
    ----------
    groups : array_like, shape (N,)
        The group of each sample: whole numbers or strings.

    Returns
    -------
    tuple of index arrays
        One for each value that occurs, in ascending order of the values.

    Raises
    ------
    ValueError
        If groups is empty, not a vector, or has missing values.

    Notes
    -----
    Source: standard. Cost: O(N log N).

    Examples
    --------
    >>> [part.tolist() for part in by_group(["b", "a", "b"])]
    [[1], [0, 2]]
    """
    of_group = np.unique(_labels("groups", groups), return_inverse=True)[1]
    return tuple(np.flatnonzero(of_group == g) for g in range(of_group.max() + 1))


def _log_dirichlet(parameters: NDArray[np.float64], M: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Logarithms, up to one constant a row, of M Dirichlet draws: a Gamma(a) draw is Gamma(a + 1) U^(1/a)."""
    shape = (M, parameters.size)
    with np.errstate(over="ignore", divide="ignore"):
        log_power = -rng.standard_exponential(shape) / parameters
    log_gamma: NDArray[np.float64] = np.log(rng.standard_gamma(parameters + 1, shape)) + log_power
    return np.maximum(log_gamma, -1e300)


def _quota(N: int, M: int, sizes: Sequence[int] | None, allow_empty: bool) -> NDArray[np.int64]:
    _need_count("N", N)
    _need_count("M", M)
    if sizes is None:
        quota = np.full(int(M), N // M) + (np.arange(int(M)) < N % M)
        if N < M and not allow_empty:
            raise ValueError(
                f"M was {M}, more than the {N} samples: {M - N} nodes would be empty. Lower M, or pass "
                "allow_empty=True"
            )
        return quota
    if len(sizes) != M or not all(size == 0 or is_count(size) for size in sizes) or sum(sizes) != N:
        raise ValueError(f"sizes was {list(sizes)}; it must be M = {M} whole numbers with sum {N}")
    if not allow_empty and 0 in sizes:
        raise ValueError(f"sizes was {list(sizes)}; a node may have 0 samples only with allow_empty=True")
    return np.array(sizes, dtype=np.int64)


def _labels(name: str, value: ArrayLike) -> NDArray[np.generic]:
    array: NDArray[np.generic] = np.asarray(value)
    if array.ndim != 1 or array.size == 0:
        raise ValueError(f"{name} has shape {array.shape}; it must be a vector with at least one entry")
    if array.dtype.kind not in "biufUS":
        raise ValueError(f"{name} has dtype {array.dtype}; it must hold numbers or strings")
    if array.dtype.kind == "f" and not np.isfinite(array.astype(np.float64)).all():
        raise ValueError(f"{name} has missing or infinite entries; every entry must be finite")
    return array


def _stream(seed: int) -> np.random.Generator:
    if not (seed == 0 or is_count(seed)):
        raise ValueError(f"seed was {seed!r}; it must be a whole number of at least 0")
    return np.random.default_rng(int(seed))


def _need_count(name: str, value: int) -> None:
    if not is_count(value):
        raise ValueError(f"{name} was {value!r}; it must be a whole number of at least 1")


def _sorted(parts: Sequence[Indices]) -> Parts:
    return tuple(np.sort(part) for part in parts)
