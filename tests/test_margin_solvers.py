"""`ExactMargin` and `DualMargin`: projections as the plain twin computes them, and what travels."""

from itertools import islice

import numpy as np
import plain_margins
import pytest
from instances import close, iterates
from margin_instances import MAKERS, every_kind, make, tame_kinds

from lgd_lib import (
    AcceleratedDual,
    AcceleratedDualMargin,
    Anchored,
    AndersonConsensus,
    AndersonConsensusMargin,
    Average,
    Bundle,
    Consensus,
    ConsensusMargin,
    DualAverage,
    DualMargin,
    ExactMargin,
    Haugazeau,
    History,
    Node,
    NotSeparableError,
    Problem,
    State,
    Subset,
    record,
    rounds,
    saved_state,
)
from lgd_lib.margins import nodes

PAIRS = {
    "ppm": (ExactMargin(), Average()),
    "anchored": (ExactMargin(), Anchored()),
    "haugazeau": (ExactMargin(), Haugazeau()),
    "bundle": (ExactMargin(), Bundle()),
    "bundle, margins": (ExactMargin(worst_margin=True), Bundle()),
    "bundle, slack": (ExactMargin(), Bundle(slack=3)),
    "dual": (DualMargin(), Average()),
    "dual average": (DualMargin(), DualAverage((1, 2, 3))),
    "accelerated": (AcceleratedDualMargin(), AcceleratedDual()),
    "consensus": (ConsensusMargin(1.8), Consensus(0.5)),
    "anderson": (AndersonConsensusMargin(3), AndersonConsensus()),
}
every_pair = pytest.mark.parametrize("pair", PAIRS)


@every_kind
def test_answers_are_projections_on_the_nodes_constraints(name, seed):
    problem, w0 = make(name, seed)
    first = next(rounds(problem, ExactMargin(), Average(), w0))
    for node, answer in zip(problem.nodes, first.W, strict=True):
        assert plain_margins.worst_violation(plain_margins.signed(node), answer, w0) < 1e-8
    assert close(first.w, first.W.mean(axis=0), 1e-14)


@tame_kinds
def test_the_parallel_projection_method_is_its_formula(name, seed):
    problem, w = make(name, seed)
    p = np.arange(1.0, problem.M + 1)
    run = rounds(problem, ExactMargin(), Average(), w, weights=p)
    for r in islice(run, 15):
        answers = [plain_margins.project(plain_margins.signed(node), w) for node in problem.nodes]
        assert close(r.W, answers)
        w = sum(share * v for share, v in zip(p / p.sum(), answers, strict=True))
        assert close(r.w, w)


@every_kind
def test_answers_carry_the_multipliers_that_prove_them(name, seed):
    problem, w0 = make(name, seed)
    answers = next(rounds(problem, ExactMargin(), Average(), w0)).answers
    for node, answer, a in zip(problem.nodes, answers.points, answers.multipliers, strict=True):
        assert a.shape == (node.N,)
        assert a.min() >= 0
        assert close(w0 + a @ plain_margins.signed(node), answer, 1e-8)


def test_a_point_that_separates_stays():
    problem, w0 = make("plain", 0)
    far = 1e3 * plain_margins.project(plain_margins.all_signed(problem), 0 * w0)
    first = next(rounds(problem, ExactMargin(), Average(), far))
    assert np.abs(first.W - far).max() == 0


def test_the_worst_margin_is_that_of_the_model_received():
    problem, w0 = make("plain", 0)
    r = next(rounds(problem, ExactMargin(worst_margin=True), Average(), w0))
    expected = [(plain_margins.signed(node) @ w0).min() for node in problem.nodes]
    assert r.answers.scalars["worst_margin"] == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    ("pair", "up", "down"),
    [
        ("ppm", 0, 0),
        ("anchored", 0, 0),
        ("bundle", 0, 0),
        ("bundle, margins", 1, 0),
        ("dual", 0, 0),
        ("accelerated", 0, 1),
        ("consensus", 0, 0),
    ],
)
def test_bytes_are_the_vectors_and_numbers_that_travel(pair, up, down):
    problem, w0 = make("plain", 0)
    for space, start in ((problem, w0), problem.row_space(w0)[:2]):
        *_, r = islice(rounds(space, *PAIRS[pair], start), 3)
        assert r.bytes_up == 8 * problem.M * (problem.d + up)
        assert r.bytes_down == 8 * problem.M * (problem.d + down)
        assert np.isinf(r.local_steps).all()


@every_pair
@pytest.mark.parametrize("name", ["plain", "rank deficient nodes", "duplicated points"])
def test_the_row_space_is_the_full_space(pair, name):
    problem, w0 = make(name, 1)
    if pair == "dual average":
        problem = Problem((*problem.nodes, *problem.nodes)[:3], "classification")
    small, u0, lift = problem.row_space(w0)
    run = zip(rounds(problem, *PAIRS[pair], w0), rounds(small, *PAIRS[pair], u0), strict=True)
    # Haugazeau's method doubles rounding errors in each round.
    for full, inside in islice(run, 12 if pair == "haugazeau" else 25):
        assert close(lift(inside.w), full.w)
        assert close(lift(inside.sent), full.sent)


@every_pair
@pytest.mark.parametrize("partial", [False, True])
def test_a_continued_run_has_the_same_bits(pair, partial, tmp_path):
    problem, w0 = make("plain", 0)
    options = {"participation": Subset(2), "seed": 3} if partial and pair in ("ppm", "dual average") else {}
    whole = list(islice(rounds(problem, *PAIRS[pair], w0, **options), 14))
    path = tmp_path / "run"
    record(rounds(problem, *PAIRS[pair], w0, **options), {"w": lambda r: r.w}, 6, path=path)
    state = saved_state(path)
    assert isinstance(state, State)
    assert isinstance(History.load(path), History)
    for r, expected in zip(
        islice(rounds(problem, *PAIRS[pair], w0, **options, state=state), 8), whole[6:], strict=True
    ):
        assert r.k == expected.k
        assert np.array_equal(r.w, expected.w)
        assert np.array_equal(r.sent, expected.sent)


@every_pair
def test_a_round_changes_nothing_it_was_given(pair):
    problem, w0 = make("plain", 0)
    first = next(rounds(problem, *PAIRS[pair], w0))
    arrays = [
        *first.state.aggregation.values(),
        *first.state.memory.values(),
        first.w,
        first.state.message.point,
    ]
    copies = [a.copy() for a in arrays]
    next(rounds(problem, *PAIRS[pair], w0, state=first.state))
    assert all(np.array_equal(a, b, equal_nan=True) for a, b in zip(arrays, copies, strict=True))


@every_pair
@pytest.mark.parametrize("change", ["order", "rotation", "labels", "mirror"])
def test_what_must_not_matter_does_not(pair, change):
    if pair == "dual average" and change == "order":
        return  # its weights belong to the nodes
    problem, w0 = make("plain", 2)
    Q = np.linalg.qr(np.random.default_rng(0).standard_normal((problem.d, problem.d)))[0]
    expected = iterates(rounds(problem, *PAIRS[pair], w0), 12)
    if change == "order":
        nodes, back = problem.nodes[::-1], lambda W: W
    elif change == "rotation":
        nodes, w0, back = [Node(n.X @ Q.T, n.y) for n in problem.nodes], Q @ w0, lambda W: W @ Q
    elif change == "labels":
        nodes, w0, back = [Node(n.X, -n.y) for n in problem.nodes], -w0, lambda W: -W
    else:
        nodes, back = [Node(-n.X, -n.y) for n in problem.nodes], lambda W: W
    found = back(iterates(rounds(Problem(nodes, "classification"), *PAIRS[pair], w0), 12))
    assert close(found, expected, 1e-8)


def test_one_node_is_done_in_one_round():
    problem, w0 = make("one node", 0)
    truth = plain_margins.project(plain_margins.all_signed(problem), w0)
    for pair in ("ppm", "dual", "bundle", "haugazeau"):
        assert close(next(rounds(problem, *PAIRS[pair], w0)).w, truth)


@pytest.mark.parametrize("solver", [ExactMargin(), DualMargin(), AcceleratedDualMargin(), ConsensusMargin()])
def test_what_cannot_be_is_refused_before_any_round(solver):
    rng = np.random.default_rng(0)
    good = Node(rng.standard_normal((3, 2)) + np.array([9.0, 0.0]), np.ones(3))
    bad = Node(rng.standard_normal((30, 2)), np.where(rng.random(30) < 0.5, 1.0, -1.0))
    with pytest.raises(NotSeparableError, match="the data of node 1 is not separable") as refusal:
        rounds(Problem([good, bad], "classification"), solver, Average(), [0.0, 0.0])
    Z = plain_margins.signed(bad)
    share = refusal.value.combination
    assert np.linalg.norm(share @ Z) <= 1e-12 * (share @ np.linalg.norm(Z, axis=1))
    with pytest.raises(ValueError, match="task 'regression'"):
        rounds(Problem([good], "regression"), solver, Average(), [0.0, 0.0])
    with pytest.raises(ValueError, match="zero row 0"):
        rounds(Problem([Node([[0.0]], [1.0])], "classification"), solver, Average(), [0.0])
    with pytest.raises(ValueError, match="w0 has length 3"):
        rounds(Problem([good], "classification"), solver, Average(), [0.0, 0.0, 0.0])


def test_rows_of_very_different_lengths_all_count():
    X = np.array([[1e12, 0.0, 0.0], [0.0, 1e-6, 0.0], [0.0, 0.0, 1.0]])
    w = next(
        rounds(Problem([Node(X, np.ones(3))], "classification"), ExactMargin(), Average(), np.zeros(3))
    ).w
    assert w == pytest.approx([1e-12, 1e6, 1.0], rel=1e-12)


def test_large_nodes_do_without_a_gram_matrix(monkeypatch):
    problem, w0 = make("plain", 0)
    expected = iterates(rounds(problem, ExactMargin(), Anchored(), w0), 6)
    monkeypatch.setattr(nodes, "GRAM_ROWS", 2)
    shapes = ExactMargin().prepare(problem).shapes
    assert all(s.unit.gram is None for s in shapes)
    assert close(iterates(rounds(problem, ExactMargin(), Anchored(), w0), 6), expected, 1e-12)


def test_every_kind_of_data_is_tried():
    assert len(MAKERS) >= 11
