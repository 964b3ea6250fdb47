"""Gradient steps on the exponential and logistic losses, prepared for a problem."""

from __future__ import annotations

from functools import partial

import numpy as np

from lgd_lib.descent.gram_steps import GramSteps, Walkers, gram_steps
from lgd_lib.descent.long_descent import LONG, descend_long
from lgd_lib.descent.margin_descent import descend
from lgd_lib.margins import signed_rows
from lgd_lib.problems import Problem
from lgd_lib.validation import Array


def margin_steps(problem: Problem, eta: Array, L: Array, loss: str) -> GramSteps:
    """Return gradient steps on the exponential or logistic loss, prepared for a problem.

    Parameters
    ----------
    problem : Problem
    eta, L : ndarray, shape (M,)
        Step size and local steps of each node.
    loss : {"exponential", "logistic"}

    Returns
    -------
    GramSteps

    Raises
    ------
    ValueError
        If the task is not "classification" or L is infinite.

    Notes
    -----
    Cost: one Gram matrix a node, N_i^2 d operations.

    Examples
    --------
    >>> from lgd_lib.problems import Node
    >>> problem = Problem([Node([[2.0, 0.0]], [1.0])], "classification")
    >>> margin_steps(problem, np.ones(1), np.ones(1), "logistic").answer(0, np.zeros(2))
    array([1., 0.])
    """
    rows = labelled_rows(problem, loss)
    if np.isinf(L).any():
        raise ValueError(
            f"L was inf; it must be finite for loss={loss!r}, whose minimum lies at infinity: "
            "use ExactMargin for the limit of the directions, or LocalFlow for a very long time"
        )
    return gram_steps(problem, rows, eta, L, partial(full_batches, loss), loss)


def labelled_rows(problem: Problem, loss: str) -> list[Array]:
    """Return each node's rows z_j = y_j x_j, or refuse a problem without labels.

    Parameters
    ----------
    problem : Problem
    loss : str
        For the error message.

    Returns
    -------
    list of ndarray, shapes (N_i, d)

    Raises
    ------
    ValueError
        If the task is not "classification".

    Notes
    -----
    Cost: one copy of the data.

    Examples
    --------
    >>> from lgd_lib.problems import Node
    >>> labelled_rows(Problem([Node([[2.0]], [-1.0])], "classification"), "logistic")
    [array([[-2.]])]
    """
    if problem.task != "classification":
        raise ValueError(
            f"loss was {loss!r} and the problem's task {problem.task!r}; it must be 'classification', "
            "with labels -1 and +1"
        )
    return [signed_rows(node) for node in problem.nodes]


def full_batches(loss: str, walkers: Walkers) -> tuple[Array, Array]:
    """Return the coefficients and the margins after gradient steps with all of a node's samples.

    Parameters
    ----------
    loss : {"exponential", "logistic"}
    walkers : Walkers

    Returns
    -------
    a, margins : ndarray, shape (m, n)

    Notes
    -----
    From `LONG` steps on by `descend_long`, whose answers are accepted at an estimated relative error of
    1e-10. Cost: as `descend`, or as `descend_long`.

    Examples
    --------
    >>> walkers = Walkers(np.ones((1, 1, 1)), np.zeros((1, 1)), np.ones(1), 1, 0, [])
    >>> full_batches("logistic", walkers)[0]
    array([[0.5]])
    """
    h = walkers.eta / walkers.m0.shape[1]
    if walkers.L >= LONG:
        return descend_long(walkers.gram, walkers.m0, h, walkers.L, loss)[:2]
    return descend(walkers.gram, walkers.m0, h, walkers.L, loss)
