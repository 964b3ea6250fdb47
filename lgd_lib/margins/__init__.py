"""Margins of a classification problem: the rows z_j = y_j x_j, and what they must satisfy."""

from __future__ import annotations

import numpy as np

from lgd_lib.problems import Node, Problem
from lgd_lib.validation import Array


def signed_rows(node: Node) -> Array:
    """Return Z, the rows z_j = y_j x_j of a node, shape (N, d).

    Parameters
    ----------
    node : Node
        With labels -1 and +1.

    Returns
    -------
    ndarray

    Notes
    -----
    Cost: one pass over X.

    Examples
    --------
    >>> signed_rows(Node([[1.0, 2.0]], [-1.0]))
    array([[-1., -2.]])
    """
    return node.y[:, None] * node.X


def require_classification(problem: Problem) -> None:
    """Raise unless the problem has labels -1 and +1 and no sample is zero.

    Parameters
    ----------
    problem : Problem

    Raises
    ------
    ValueError

    Notes
    -----
    Cost: one pass over the data.

    Examples
    --------
    >>> require_classification(Problem([Node([[1.0]], [1.0])], "classification"))
    """
    if problem.task != "classification":
        hint = ": use multiclass_margins(problem)" if problem.task == "multiclass" else ""
        raise ValueError(
            f"problem has the task {problem.task!r}; margins need the task 'classification'{hint}"
        )
    require_no_zeros(problem)


def require_no_zeros(problem: Problem) -> None:
    """Raise if a sample is zero: it has the margin 0 under every model.

    Parameters
    ----------
    problem : Problem

    Raises
    ------
    ValueError

    Notes
    -----
    Cost: one pass over the data.

    Examples
    --------
    >>> require_no_zeros(Problem([Node([[1.0]], [1.0])], "classification"))
    """
    for i, node in enumerate(problem.nodes):
        zero = ~node.X.any(axis=1)
        if zero.any():
            j = int(np.argmax(zero))
            raise ValueError(f"nodes[{i}].X has the zero row {j}; a sample of zeros can have no margin")


def unit_rows(Z: Array) -> tuple[Array, Array]:
    """Return the rows scaled to norm 1, and their norms.

    Parameters
    ----------
    Z : ndarray, shape (N, d)
        No row is zero.

    Returns
    -------
    rows : ndarray, shape (N, d)
    norms : ndarray, shape (N,)

    Notes
    -----
    Entries as small as 1e-300 or as large as 1e300 neither vanish nor overflow. Cost: two passes over Z.

    Examples
    --------
    >>> unit_rows(np.array([[3e200, 4e200]]))[0]
    array([[0.6, 0.8]])
    """
    largest = np.abs(Z).max(axis=1, keepdims=True)
    rows = Z / largest
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / lengths, (largest * lengths)[:, 0]
