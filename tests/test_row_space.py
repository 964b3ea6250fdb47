"""`lgd_lib.row_space` and `Problem.row_space`: a change of coordinates that loses nothing."""

import numpy as np
import pytest
from instances import close, every_kind, make
from plain import stacked

from lgd_lib import Node, Problem
from lgd_lib.row_space import coordinates, numerical_rank


def conditioned(N, d, condition, seed=0):
    rng = np.random.default_rng(seed)
    U, _, Vt = np.linalg.svd(rng.standard_normal((N, d)), full_matrices=False)
    return U * np.geomspace(1, 1 / condition, min(N, d)) @ Vt


@every_kind
def test_margins_distances_and_targets_are_unchanged(name, seed):
    problem, w0 = make(name, seed)
    small, u0, lift = problem.row_space(w0)
    X, _ = stacked(problem)
    assert small.d == np.linalg.matrix_rank(X, rtol=1e-11)
    assert small.sizes.tolist() == problem.sizes.tolist()
    assert small.task == problem.task
    assert close(lift(u0), w0, 1e-14)
    rng = np.random.default_rng(seed)
    u, v = rng.standard_normal((2, small.d))
    for node, image in zip(problem.nodes, small.nodes, strict=True):
        assert np.array_equal(node.y, image.y)
        assert close(image.X @ (u - u0), node.X @ (lift(u) - w0))
        assert close(image.X @ u0, node.X @ w0)
    assert np.linalg.norm(lift(u) - lift(v)) == pytest.approx(np.linalg.norm(u - v), rel=1e-9)
    moved = lift(u) - w0
    assert close(np.linalg.pinv(X, rcond=1e-12) @ (X @ moved), moved)


@every_kind
def test_points_are_lifted_row_by_row(name, seed):
    problem, w0 = make(name, seed)
    small, _, lift = problem.row_space(w0)
    U = np.random.default_rng(seed).standard_normal((5, small.d))
    assert close(lift(U), [lift(u) for u in U], 1e-13)
    assert lift(U).shape == (5, problem.d)


def test_zero_is_the_start_by_default_and_bytes_stay_those_of_the_original():
    problem, _ = make("plain", 0)
    small, u0, lift = problem.row_space()
    assert (small.d, small.d_sent, small.row_space()[0].d_sent) == (9, 12, 12)
    assert not u0.any()
    assert not lift(u0).any()


@pytest.mark.parametrize("condition", [1.0, 5e2, 2e3, 1e5, 1e8, 1e11])
@pytest.mark.parametrize("shape", [(6, 30), (6, 6), (9, 4), (6, 2500)])
def test_distances_keep_nine_digits_whatever_the_condition_number(condition, shape):
    X = conditioned(*shape, condition)
    small, down, up = coordinates([X[:2], X[2:]])
    u = np.random.default_rng(1).standard_normal(small.shape[1])
    assert np.linalg.norm(up(u)) == pytest.approx(np.linalg.norm(u), rel=1e-9)
    assert close(down(up(u)), u)
    assert np.linalg.norm(small - down(X)) <= 1e-9 * np.linalg.norm(X)
    assert np.linalg.norm(up(small) - X) <= 1e-9 * np.linalg.norm(X)


@pytest.mark.parametrize("rank", [1, 3, 5])
@pytest.mark.parametrize("d", [8, 2500])
def test_dependent_rows_have_as_many_coordinates_as_their_rank(rank, d):
    rng = np.random.default_rng(rank)
    X = rng.standard_normal((5, rank)) @ rng.standard_normal((rank, d))
    small, down, up = coordinates([X[:1], X[1:]])
    assert small.shape == (5, rank)
    assert close(up(small), X, 1e-12)
    assert close(up(down(X)), X, 1e-12)
    w = rng.standard_normal((3, d))
    inside = up(down(w))
    assert close(up(down(inside)), inside, 1e-12)
    assert np.linalg.norm((w - inside) @ X.T) <= 1e-11 * np.linalg.norm(w) * np.linalg.norm(X)


def test_the_data_are_left_alone():
    X = conditioned(4, 9, 1e6)
    kept = X.copy()
    for problem in (Problem([Node(X, np.ones(4))], "regression"), make("duplicated rows", 0)[0]):
        before = [node.X.copy() for node in problem.nodes]
        problem.row_space()[2](problem.row_space()[1])
        assert all(np.array_equal(a, node.X) for a, node in zip(before, problem.nodes, strict=True))
    assert np.array_equal(X, kept)


def test_the_start_is_kept_even_if_its_array_is_changed_later():
    problem, w0 = make("plain", 0)
    kept = w0.copy()
    _, u0, lift = problem.row_space(w0)
    w0[:] = 7.0
    assert close(lift(u0), kept, 1e-14)


def test_the_rank_counts_what_rounding_leaves():
    eps = np.finfo(float).eps
    assert numerical_rank(np.array([2.0, 2.1 * 5 * eps, 1.9 * 5 * eps]), (3, 5)) == 2
    assert numerical_rank(np.zeros(2), (2, 5)) == 0
    assert numerical_rank(np.zeros(0), (0, 5)) == 0


def test_a_problem_of_zeros_has_no_row_space():
    with pytest.raises(ValueError, match=r"^problem has only rows of zeros; row_space needs"):
        Problem([Node([[0.0, 0.0]], [0.0])], "regression").row_space()
