"""Synthetic problems whose difficulty is set by their arguments."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from lgd_lib.problems import Node, Problem
from lgd_lib.validation import Array, as_real, is_count


def gaussian_regression(
    M: int,
    N_i: int | Sequence[int],
    d: int,
    *,
    seed: int,
    noise: float = 0.0,
    heterogeneity: float = 1.0,
    mean_shift: float = 0.0,
    model_shift: float = 0.0,
    condition: float | None = None,
) -> Problem:
    """Return a regression problem with Gaussian samples and a linear model.

    X_i = sqrt(1 - h) C + sqrt(h) G_i + s 1 m_i^T and y_i = X_i (w + t v_i) + noise e_i, with C (shared by the
    nodes), G_i, m_i and e_i standard Gaussian, w and v_i uniform on the unit sphere.

    Parameters
    ----------
    M : int
        Number of nodes.
    N_i : int or sequence of M ints
        Samples of each node.
    d : int
        Number of features.
    seed : int
        At least 0. Node i draws from a stream of its own, which does not depend on M or the parameters below.
    noise : float, optional
        Standard deviation of the noise; that of a clean target is 1 for independent rows.
    heterogeneity : float in [0, 1], optional
        h: 1 (default) gives independent rows, so for d much larger than N nearly orthogonal row spaces; 0
        gives nodes of equal size the same rows. In between rows of two nodes have correlation 1 - h.
    mean_shift : float, optional
        s: how far each node's own mean lies from the origin, in units of the length of a row.
    model_shift : float, optional
        t: distance of each node's own true model from the shared one, which has length 1.
    condition : float, optional
        Condition number of each X_i, at least 1: its singular values are replaced by a geometric sequence
        down from the largest, its row space is kept. None leaves X_i as it is.

    Returns
    -------
    Problem
        With task "regression".

    Raises
    ------
    ValueError
        If an argument is outside the range given above; a node with one sample allows no condition above 1.

    Notes
    -----
    The targets can be interpolated when the pooled X has rank N, whatever the noise and the shifts.
    Cost: O(N d), with a condition number also M singular value decompositions.

    Examples
    --------
    >>> problem = gaussian_regression(3, 4, 50, seed=0, condition=10.0)
    >>> problem.sizes, f"{np.linalg.cond(problem.nodes[0].X):.6f}"
    (array([4, 4, 4]), '10.000000')
    """
    sizes = _sizes(M, N_i)
    _check_generator(d, seed, noise, heterogeneity, mean_shift, model_shift)
    _check_condition(condition, min(*sizes, d))
    shared = np.random.default_rng([seed, 0])
    w = _unit(shared.standard_normal(d))
    common = shared.standard_normal((max(sizes), d)) if heterogeneity < 1 else None
    nodes = []
    for i, size in enumerate(sizes):
        rng = np.random.default_rng([seed, 1 + i])
        m, v, e = rng.standard_normal(d), _unit(rng.standard_normal(d)), rng.standard_normal(size)
        X = rng.standard_normal((size, d))
        if common is not None:
            X = math.sqrt(1 - heterogeneity) * common[:size] + math.sqrt(heterogeneity) * X
        X = _conditioned(X + mean_shift * m, condition)
        nodes.append(Node(X, X @ (w + model_shift * v) + noise * e))
    return Problem(tuple(nodes), "regression")


def two_affine_sets(angle: float, point: Sequence[float] = (2.0, 1.0)) -> Problem:
    """Return two nodes with one sample each in the plane: two lines that meet in `point` at `angle`.

    Node i's sample is the unit normal x_i of its line, its target x_i^T point.

    Parameters
    ----------
    angle : float
        Between the lines, in radians, in (0, pi/2].
    point : pair of floats, optional
        The only model that interpolates both samples.

    Returns
    -------
    Problem
        With task "regression", M = 2 and d = 2.

    Raises
    ------
    TypeError, ValueError
        If the angle is outside (0, pi/2] or the point is not a finite vector of length 2.

    Notes
    -----
    A round of exact projections and averaging contracts the distance to `point` by cos(angle/2)^2 along the
    bisector of the angle and by sin(angle/2)^2 across it. Cost: none.

    Examples
    --------
    >>> X = two_affine_sets(np.pi / 3).pooled.X
    >>> f"{np.degrees(np.arccos(X[0] @ X[1])):.6f}"
    '60.000000'
    """
    if not 0 < angle <= math.pi / 2:
        raise ValueError(f"angle was {angle}; it must be in (0, pi/2] radians")
    meet = as_real("point", point, ndim=1)
    if meet.size != 2:
        raise ValueError(f"point has length {meet.size}; it must have length 2")
    c, s = math.cos(angle / 2), math.sin(angle / 2)
    normals = np.array([[-s, c], [s, c]])
    return Problem(tuple(Node(x[None], x[None] @ meet) for x in normals), "regression")


def _sizes(M: int, N_i: int | Sequence[int]) -> list[int]:
    if not is_count(M):
        raise ValueError(f"M was {M!r}; it must be a whole number of at least 1")
    sizes = list(N_i) if isinstance(N_i, Sequence | np.ndarray) else [N_i] * int(M)
    if len(sizes) != M or not all(map(is_count, sizes)):
        raise ValueError(
            f"N_i was {N_i!r}; it must be a whole number of at least 1, or one for each of the {M} nodes"
        )
    return [int(size) for size in sizes]


def _check_generator(
    d: int, seed: int, noise: float, heterogeneity: float, mean_shift: float, model_shift: float
) -> None:
    if not is_count(d):
        raise ValueError(f"d was {d!r}; it must be a whole number of at least 1")
    if not (seed == 0 or is_count(seed)):
        raise ValueError(f"seed was {seed!r}; it must be a whole number of at least 0")
    if not 0 <= heterogeneity <= 1:
        raise ValueError(f"heterogeneity was {heterogeneity}; it must be in [0, 1]")
    for label, value in (("noise", noise), ("mean_shift", mean_shift), ("model_shift", model_shift)):
        if not (math.isfinite(value) and value >= 0):
            raise ValueError(f"{label} was {value}; it must be a finite number of at least 0")


def _check_condition(condition: float | None, rank: int) -> None:
    if condition is None:
        return
    if not (math.isfinite(condition) and condition >= 1):
        raise ValueError(f"condition was {condition}; it must be a finite number of at least 1")
    if rank == 1 and condition > 1:
        raise ValueError(
            f"condition was {condition}; it must be 1 or None where a node has one sample or d is 1"
        )


def _conditioned(X: Array, condition: float | None) -> Array:
    if condition is None:
        return X
    U, s, Vt = np.linalg.svd(X, full_matrices=False)
    singular_values: Array = np.geomspace(s[0], s[0] / condition, s.size)
    conditioned: Array = (U * singular_values) @ Vt
    return conditioned


def _unit(v: Array) -> Array:
    unit: Array = v / np.linalg.norm(v)
    return unit
