"""`lgd_lib.problems`: what nodes and problems hold, and that it cannot be changed."""

from dataclasses import FrozenInstanceError

import numpy as np
import pytest
from instances import every_kind, make

from lgd_lib import Node, Problem

ROWS = [Node([[1.0, 2.0], [3.0, 4.0]], [5.0, 6.0]), Node([[7.0, 8.0]], [9.0])]


def test_a_node_holds_its_samples_as_floats():
    node = Node([[1, 2, 3], [4, 5, 6]], [True, False])
    assert (node.N, node.d) == (2, 3)
    assert (node.X.dtype, node.y.dtype) == (np.float64, np.float64)
    assert node.X.tolist() == [[1, 2, 3], [4, 5, 6]]
    assert node.y.tolist() == [1, 0]


def test_a_contiguous_float_array_is_not_copied_and_stays_writable_for_its_owner():
    X = np.ones((2, 3))
    node = Node(X, [1, 2])
    assert np.shares_memory(node.X, X)
    assert X.flags.writeable


@pytest.mark.parametrize("name", ["X", "y"])
def test_a_node_is_read_only(name):
    node = Node([[1.0]], [2.0])
    with pytest.raises(ValueError, match="read-only"):
        getattr(node, name)[0] = 7.0
    with pytest.raises(FrozenInstanceError):
        setattr(node, name, np.zeros(1))


def test_a_problem_counts_and_pools_in_the_order_of_the_nodes():
    problem = Problem(ROWS, "regression")
    assert (problem.M, problem.d, problem.N, problem.sizes.tolist()) == (2, 2, 3, [2, 1])
    assert (problem.task, problem.d_sent) == ("regression", 2)
    assert problem.pooled.X.tolist() == [[1, 2], [3, 4], [7, 8]]
    assert problem.pooled.y.tolist() == [5, 6, 9]
    assert problem.pooled is problem.pooled
    assert repr(problem) == "Problem(regression, M=2, N=3, d=2)"
    assert repr(problem.nodes[0]) == "Node(N=2, d=2)"


def test_a_problem_is_frozen_and_does_not_follow_the_list_it_was_made_from():
    nodes = list(ROWS)
    problem = Problem(nodes, "regression")
    nodes.clear()
    assert problem.M == 2
    with pytest.raises(FrozenInstanceError):
        problem.task = "classification"


def test_one_node_is_its_own_pool():
    assert Problem(ROWS[:1], "regression").pooled is ROWS[0]


def test_labels_are_signs():
    assert Problem([Node([[1.0], [2.0]], [-1, 1])], "classification").task == "classification"
    assert Problem([Node([[1.0], [2.0]], [0, 1])], "regression").task == "regression"


@every_kind
def test_split_undoes_pooled(name, seed):
    problem, _ = make(name, seed)
    parts = np.split(np.arange(problem.N), np.cumsum(problem.sizes)[:-1])
    again = Problem.split(problem.pooled.X, problem.pooled.y, parts, "regression")
    for a, b in zip(problem.nodes, again.nodes, strict=True):
        assert np.array_equal(a.X, b.X)
        assert np.array_equal(a.y, b.y)


def test_split_takes_rows_in_the_order_given():
    node = Problem.split([[1.0], [2.0], [3.0]], [10, 20, 30], [[2, 0]], "regression").nodes[0]
    assert node.X.ravel().tolist() == [3, 1]
    assert node.y.tolist() == [30, 10]
