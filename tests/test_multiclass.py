"""Several classes as margins: rows read aloud, an independent multi-class SVM, every method unchanged."""

import math
from itertools import islice

import numpy as np
import pytest
from class_instances import close, every_kind, make, tame_kinds

from lgd_lib import (
    Anchored,
    Average,
    Bundle,
    DualMargin,
    ExactMargin,
    Node,
    NotSeparableError,
    Problem,
    UndecidedError,
    rounds,
)
from lgd_lib.certificates import check_projection
from lgd_lib.multiclass import multiclass_margins, predict, worst_margin
from lgd_lib.multiclass_reference import multiclass_max_margin
from lgd_lib.partition_report import report
from lgd_lib.references import max_margin


def independent(problem):
    """The multi-class hard-margin machine on W itself, written sample by sample, by cvxpy and Clarabel."""
    cp = pytest.importorskip("cvxpy")
    W = cp.Variable((problem.classes, problem.d))
    conditions = [
        (W[int(y)] - W[c]) @ x >= 1
        for node in problem.nodes
        for x, y in zip(node.X, node.y, strict=True)
        for c in range(problem.classes)
        if c != y
    ]
    cp.Problem(cp.Minimize(cp.sum_squares(W)), conditions).solve(
        solver=cp.CLARABEL, tol_gap_abs=1e-12, tol_gap_rel=1e-12, tol_feas=1e-12
    )
    return W.value


@every_kind
def test_the_rows_are_the_conditions_read_aloud(name, seed):
    problem, w = make(name, seed)
    W = w.reshape(problem.classes, problem.d)
    margins = multiclass_margins(problem.nodes)
    assert (margins.task, margins.M, margins.d) == ("classification", problem.M, problem.size)
    assert margins.d_sent == problem.d_sent == problem.classes * problem.d
    for node, rows in zip(problem.nodes, margins.nodes, strict=True):
        aloud = [
            (W[int(y)] - W[c]) @ x
            for x, y in zip(node.X, node.y, strict=True)
            for c in range(problem.classes)
            if c != y
        ]
        assert close(rows.y * (rows.X @ w), np.array(aloud), 1e-12)


@tame_kinds
def test_the_largest_margin_is_that_of_an_independent_machine(name, seed):
    problem, _ = make(name, seed)
    reference = max_margin(multiclass_margins(problem))
    assert reference.certificate.ok
    assert close(reference.w, independent(problem).ravel(), 1e-6)


@every_kind
def test_the_answer_satisfies_the_conditions_that_only_it_satisfies(name, seed):
    problem, _ = make(name, seed)
    reference = max_margin(multiclass_margins(problem))
    assert reference.certificate.ok
    W, C = reference.w.reshape(problem.classes, -1), problem.classes
    a = iter(reference.multipliers)
    made, size = np.zeros_like(W), np.linalg.norm(W)
    for x, y in zip(problem.pooled.X, problem.pooled.y.astype(int), strict=True):
        for c in set(range(C)) - {int(y)}:
            weight, margin = next(a), (W[y] - W[c]) @ x
            assert weight >= 0
            assert margin >= 1 - 1e-9 * size * np.linalg.norm(x)
            assert weight * (margin - 1) <= 1e-9 * size**2
            made[y] += weight * x
            made[c] -= weight * x
    assert close(made, W, 1e-9)
    assert worst_margin(problem, reference.w) == pytest.approx(1 / size, rel=1e-9)
    assert np.array_equal(predict(problem.pooled.X, reference.w), problem.pooled.y)
    assert np.abs(W.sum(axis=0)).max() <= 1e-9 * size  # no class is favoured


@every_kind
def test_the_answer_from_the_gram_matrix_is_the_same(name, seed):
    problem, _ = make(name, seed)
    found, goal = multiclass_max_margin(problem), max_margin(multiclass_margins(problem))
    assert close(found.w, goal.w, 1e-9)
    assert found.certificate.error_bound >= np.linalg.norm(found.w - goal.w)
    Z = multiclass_margins(problem).pooled.X
    assert close(found.multipliers @ Z, goal.w, 1e-9)
    assert found.multipliers.min() >= 0
    if name != "scales 1e3 apart":
        assert found.certificate.ok


def test_the_gram_matrix_shows_that_nothing_separates():
    problem = Problem([Node([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]], [0, 1, 1])], "multiclass")
    with pytest.raises(UndecidedError, match="the pooled data: no solver found") as caught:
        multiclass_max_margin(problem)
    assert caught.value.margin < 1e-3


@every_kind
def test_the_row_space_commutes(name, seed):
    problem, _ = make(name, seed)
    small, _, lift = problem.row_space()
    inner, outer = max_margin(multiclass_margins(small)), max_margin(multiclass_margins(problem))
    assert close(lift(inner.w), outer.w, 1e-8)
    assert multiclass_margins(small).d_sent == problem.size


def test_two_classes_are_the_usual_margin():
    problem, _ = make("two classes", 1)
    signed = Problem([Node(node.X, 2 * node.y - 1) for node in problem.nodes], "classification")
    w = max_margin(signed).w
    assert close(max_margin(multiclass_margins(problem)).w, np.concatenate([-w, w]) / 2, 1e-10)


@tame_kinds
@pytest.mark.parametrize("pair", ["anchored", "dual", "bundle"])
def test_every_method_of_classification_serves(name, seed, pair):
    problem, _ = make(name, seed)
    margins = multiclass_margins(problem.row_space()[0])
    goal = max_margin(margins).w
    solver, aggregation, K, most = {
        "anchored": (ExactMargin(), Anchored(), 600, 0.2),
        "dual": (DualMargin(), Average(), 1500, 1e-3),
        "bundle": (ExactMargin(), Bundle(), 120, 1e-6),
    }[pair]
    *_, last = islice(rounds(margins, solver, aggregation, np.zeros(margins.d)), K)
    assert np.linalg.norm(last.w - goal) <= most * np.linalg.norm(goal)
    if pair == "bundle":
        assert check_projection(margins, last.w, tolerance=1e-5).ok


def test_contradicting_samples_are_refused_in_words():
    problem = Problem([Node([[1.0, 0.0], [1.0, 0.0]], [0, 1])], "multiclass")
    with pytest.raises(NotSeparableError, match="not separable through the origin"):
        max_margin(multiclass_margins(problem))


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([0, 0.5], r"^nodes\[0\].y has the label 0.5; every label must be a whole number from 0"),
        ([-1, 1], r"^nodes\[0\].y has the label -1; every label must be a whole number from 0"),
        ([0, 1e6], r"^nodes\[0\].y has the label 1e\+06; every label must be"),
        ([2, 2], r"^every label is 2; with the task 'multiclass' there must be two classes"),
    ],
)
def test_labels_that_are_no_classes(labels, message):
    with pytest.raises(ValueError, match=message):
        multiclass_margins([Node(np.eye(2), labels)])


def test_a_sample_of_zeros_is_named():
    nodes = [Node([[1.0, 0.0]], [0.0]), Node([[0.0, 1.0], [0.0, 0.0]], [1.0, 2.0])]
    with pytest.raises(
        ValueError, match=r"^nodes\[1\]\.X has the zero row 1; a sample of zeros can have no marg"
    ):
        multiclass_max_margin(Problem(nodes, "multiclass"))


def test_a_problem_of_another_task_is_refused():
    problem = Problem([Node([[1.0]], [1.0])], "classification")
    with pytest.raises(
        ValueError, match=r"^nodes has the task 'classification'; it must have the task 'multi"
    ):
        multiclass_margins(problem)
    with pytest.raises(
        ValueError, match=r"^problem has the task 'classification'; it must have the task 'mu"
    ):
        multiclass_max_margin(problem)


@pytest.mark.parametrize("w", [np.zeros(0), np.zeros(5), [[1.0, 2.0]]])
def test_a_model_of_the_wrong_shape(w):
    with pytest.raises(ValueError, match=r"^w has (length|shape)"):
        predict(np.eye(2), w)


def test_no_model_has_no_margin():
    problem, _ = make("three classes", 0)
    assert math.isnan(worst_margin(problem, np.zeros(problem.size)))


def test_the_partition_report_counts_classes_and_softmax_gradients():
    nodes = [Node(np.eye(4)[:2], [0, 0]), Node(np.eye(4)[2:], [1, 2])]
    found = report(Problem(nodes, "multiclass"))
    assert found.label_distance == pytest.approx([0.5, 0.5])
    assert found.gradient_diversity == pytest.approx(1.0)  # orthogonal rows, orthogonal gradients
