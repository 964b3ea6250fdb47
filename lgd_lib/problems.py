"""What data each node holds: `Node` and `Problem`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lgd_lib.row_space import coordinates
from lgd_lib.validation import Array, as_point, as_real, check_labels, is_count

Lift = Callable[[Array], Array]
TASKS = ("regression", "classification", "multiclass")


def _read_only(array: Array) -> Array:
    view = array.view()
    view.flags.writeable = False
    return view


@dataclass(frozen=True, eq=False, repr=False)
class Node:
    """The samples of one node: rows x_j of X and targets or labels y_j.

    Parameters
    ----------
    X : array_like, shape (N, d)
        One sample a row. A contiguous float64 array is used in place, not copied: leave it unchanged.
    y : array_like, shape (N,)
        Targets, or labels: -1 and +1, or 0, 1, 2, ... for several classes.

    Raises
    ------
    TypeError
        If X or y does not hold real numbers.
    ValueError
        If a shape is wrong, an entry is not finite, or there is no sample or no feature.

    Notes
    -----
    Cost: one pass over X to look for NaN.

    Examples
    --------
    >>> node = Node([[1.0, 0.0, 2.0]], [3.0])
    >>> node.N, node.d
    (1, 3)
    """

    X: Array
    y: Array

    def __post_init__(self) -> None:
        X, y = as_real("X", self.X, ndim=2), as_real("y", self.y, ndim=1)
        if 0 in X.shape:
            raise ValueError(f"X has shape {X.shape}; a node must have at least one sample and one feature")
        if y.size != X.shape[0]:
            raise ValueError(
                f"y has length {y.size}; it must have one entry for each of the {X.shape[0]} rows of X"
            )
        object.__setattr__(self, "X", _read_only(X))
        object.__setattr__(self, "y", _read_only(y))

    def __repr__(self) -> str:
        return f"Node(N={self.N}, d={self.d})"

    @property
    def N(self) -> int:
        """Number of samples."""
        return int(self.X.shape[0])

    @property
    def d(self) -> int:
        """Number of features."""
        return int(self.X.shape[1])


@dataclass(frozen=True, eq=False, repr=False)
class Problem:
    """What each of the M nodes holds, and whether it is to be interpolated or separated.

    With several classes the model is W, one row w_c for each class c; it travels, and every method sees it,
    as the vector of its rows one after the other, of length C d.

    Parameters
    ----------
    nodes : sequence of Node
        At least one, all with the same d. They may hold different numbers of samples.
    task : {"regression", "classification", "multiclass"}
        With "classification" every label is -1 or +1, with "multiclass" one of 0..C-1.
    d_sent : int, optional
        How many numbers a vector has when it travels. It is `size`, except in a problem made by `row_space`,
        where it stays the original one, so that bytes are counted for the vectors that would really be sent.

    Raises
    ------
    TypeError
        If `nodes` is no sequence, or holds something that is not a `Node`.
    ValueError
        If there is no node, nodes differ in d, the task is unknown, a label is not one of the task, all
        samples of all nodes have one class ("multiclass"; a node may), or `d_sent` is no whole number of at
        least 1.

    Notes
    -----
    Cost: none; `pooled` copies the data once, when it is first asked for.

    Examples
    --------
    >>> problem = Problem([Node([[1.0, 0.0]], [1.0]), Node([[1.0, 1.0]], [0.0])], "regression")
    >>> problem.M, problem.N, problem.d
    (2, 2, 2)
    """

    nodes: tuple[Node, ...]
    task: str
    d_sent: int = 0

    def __post_init__(self) -> None:
        if not isinstance(self.nodes, Iterable):
            raise TypeError(f"nodes is a {type(self.nodes).__name__}; it must be a sequence of Node")
        nodes = tuple(self.nodes)
        if self.task not in TASKS:
            raise ValueError(f"task was {self.task!r}; it must be one of {', '.join(map(repr, TASKS))}")
        if not nodes:
            raise ValueError("nodes is empty; a problem needs at least one node")
        for i, node in enumerate(nodes):
            if not isinstance(node, Node):
                raise TypeError(f"nodes[{i}] is a {type(node).__name__}; it must be a Node")
            if node.d != nodes[0].d:
                raise ValueError(
                    f"nodes[{i}] has d = {node.d} features; it must have {nodes[0].d} like nodes[0]"
                )
            check_labels(f"nodes[{i}].y", node.y, self.task)
        if self.task == "multiclass" and all((node.y == nodes[0].y[0]).all() for node in nodes):
            raise ValueError(
                f"every label is {nodes[0].y[0]:g}; with the task 'multiclass' there must be two classes"
            )
        if self.d_sent != 0 and not is_count(self.d_sent):
            raise ValueError(f"d_sent was {self.d_sent!r}; it must be a whole number of at least 1")
        object.__setattr__(self, "nodes", nodes)
        object.__setattr__(self, "d_sent", self.d_sent or self.size)

    def __repr__(self) -> str:
        return f"Problem({self.task}, M={self.M}, N={self.N}, d={self.d})"

    @classmethod
    def split(cls, X: ArrayLike, y: ArrayLike, parts: Sequence[ArrayLike], task: str) -> Problem:
        """Return the problem whose node i holds the rows `parts[i]` of X and y.

        Parameters
        ----------
        X : array_like, shape (N, d)
        y : array_like, shape (N,)
        parts : sequence of index arrays
            One for each node, as the functions of `lgd_lib.partition` return them.
        task : {"regression", "classification", "multiclass"}

        Returns
        -------
        Problem

        Raises
        ------
        IndexError
            If an index is outside 0..N-1.
        TypeError, ValueError
            As `Node` and `Problem`; an empty part is refused.

        Notes
        -----
        Cost: one copy of the rows taken.

        Examples
        --------
        >>> Problem.split([[1.0], [2.0], [3.0]], [1, 2, 3], [[0, 2], [1]], "regression").sizes
        array([2, 1])
        """
        whole = Node(as_real("X", X, ndim=2), as_real("y", y, ndim=1))
        nodes = []
        for i, part in enumerate(parts):
            rows = np.asarray(part)
            if rows.size == 0:
                raise ValueError(f"parts[{i}] is empty; every node needs at least one sample")
            if rows.dtype.kind not in "iu" or rows.ndim != 1:
                raise TypeError(
                    f"parts[{i}] has dtype {rows.dtype} and shape {rows.shape}; "
                    "it must be a vector of row numbers"
                )
            if rows.min() < 0 or rows.max() >= whole.N:
                wrong = rows[(rows < 0) | (rows >= whole.N)][0]
                raise IndexError(f"parts[{i}] has the row number {wrong}; it must be in 0..{whole.N - 1}")
            nodes.append(Node(whole.X[rows], whole.y[rows]))
        return cls(tuple(nodes), task)

    @property
    def M(self) -> int:
        """Number of nodes."""
        return len(self.nodes)

    @property
    def d(self) -> int:
        """Number of features."""
        return self.nodes[0].d

    @property
    def classes(self) -> int:
        """Number C of classes, one more than the largest label of all nodes; 1 unless there are several."""
        return 1 + int(max(node.y.max() for node in self.nodes)) if self.task == "multiclass" else 1

    @property
    def size(self) -> int:
        """How many numbers the model has: C d with several classes, otherwise d."""
        return self.classes * self.d

    @property
    def N(self) -> int:
        """Number of samples of all nodes together."""
        return sum(node.N for node in self.nodes)

    @property
    def sizes(self) -> NDArray[np.int64]:
        """Samples of each node, shape (M,)."""
        return np.array([node.N for node in self.nodes])

    @cached_property
    def pooled(self) -> Node:
        """All samples in one node, in the order of the nodes: what a central machine would hold."""
        if self.M == 1:
            return self.nodes[0]
        return Node(np.concatenate([n.X for n in self.nodes]), np.concatenate([n.y for n in self.nodes]))

    def row_space(self, w0: ArrayLike | None = None) -> tuple[Problem, Array, Lift]:
        """Return the same problem in orthonormal coordinates of the span of its rows.

        With Q (d x r, orthonormal columns) spanning the rows, a point w = w0 + Q (u - u0), u0 = Q^T w0, has
        X w = (X Q) u; with several classes so for each row of W. No method of this library leaves w0 + span
        of the rows, so it may run on the small problem (d = r <= N) untouched; margins and distances are the
        same.

        Parameters
        ----------
        w0 : array_like, shape (size,), optional
            Where the run starts; zero by default.

        Returns
        -------
        small : Problem
            The nodes' samples X_i Q; its `d_sent` is still the original d.
        u0 : ndarray, shape (small.size,)
            Q^T w0.
        lift : callable
            u of the shape of u0 to w0 + Q (u - u0) of that of w0; also m of them, row by row.

        Raises
        ------
        TypeError, ValueError
            If w0 is not a finite vector of length `size`, or all rows are zero.

        Notes
        -----
        Norms and angles are unchanged too when w0 lies in the span of the rows.
        Source: standard. Cost: a Cholesky factor of X X^T, N^2 d operations, where its condition number shows
        that squaring loses nothing that matters; otherwise reflections of X^T, about three times slower, with
        memory for one more copy of the data.

        Examples
        --------
        >>> problem = Problem([Node([[3.0, 4.0, 0.0]], [5.0])], "regression")
        >>> small, u0, lift = problem.row_space()
        >>> small.d, lift(u0)
        (1, array([0., 0., 0.]))
        """
        start = np.zeros(self.size) if w0 is None else as_point("w0", w0, self.size).copy()
        if not any(node.X.any() for node in self.nodes):
            raise ValueError("problem has only rows of zeros; row_space needs a row that is not zero")
        X, down, up = coordinates([node.X for node in self.nodes])
        rows = np.split(X, np.cumsum(self.sizes)[:-1])
        nodes = tuple(Node(part, node.y) for part, node in zip(rows, self.nodes, strict=True))
        small = Problem(nodes, self.task, self.d_sent)
        u0 = down(start.reshape(self.classes, self.d)).ravel()

        def lift(u: Array) -> Array:
            moves = up((np.asarray(u) - u0).reshape(-1, small.d))
            return start + moves.reshape(*np.shape(u)[:-1], start.size)

        return small, u0, lift
