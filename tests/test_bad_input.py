"""Bad input: refused before work starts, in words that name the argument, what it was and what it must be."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from instances import close, make

from lgd_lib import Average, ExactProjection, GradientSteps, Node, Problem, record, rounds
from lgd_lib.certificates import check_min_norm
from lgd_lib.references import min_norm
from lgd_lib.theory import averaged_projector_spectrum, regression_rate
from lgd_lib.validation import as_weights, is_count

PROBLEM, W0 = make("unequal sizes", 0)  # M = 3, d = 15
REFUSED = (ValueError, TypeError, IndexError)
X, Y = np.ones((2, 3)), np.ones(2)


def run(w0=W0, problem=PROBLEM, solver=None, **options):
    return rounds(problem, solver or ExactProjection(), Average(), w0, **options)


@pytest.mark.parametrize(
    ("X", "y", "message"),
    [
        ([[1, math.nan, 0]], [1], r"^X has the entry nan at index \(0, 1\); every entry must be finite"),
        ([[1, 2], [3, -math.inf]], [1, 2], r"^X has the entry -inf at index \(1, 1\)"),
        (X, [1, math.inf], r"^y has the entry inf at index \(1,\)"),
        ([1, 2, 3], [1], r"^X has shape \(3,\); it must have 2 axes"),
        (np.ones((2, 3, 1)), Y, r"^X has shape \(2, 3, 1\); it must have 2 axes"),
        (X, np.ones((2, 1)), r"^y has shape \(2, 1\); it must have 1 axes"),
        (X, 1.0, r"^y has shape \(\); it must have 1 axes"),
        (X, [1, 2, 3], r"^y has length 3; it must have one entry for each of the 2 rows"),
        (X, [], r"^y has length 0; it must"),
        (np.ones((0, 3)), [], r"^X has shape \(0, 3\); a node must have at least one sample"),
        (np.ones((2, 0)), Y, r"^X has shape \(2, 0\); a node must have .* one feature"),
        ([[1, 2], [3]], [1, 2], r"^X must be an array with 2 axes; its rows have unequal lengths"),
        ([["a", "b"]], [1], r"^X has dtype <U1; it must hold real numbers"),
        (X, ["1", "2"], r"^y has dtype <U1; it must hold real numbers"),
        (X * 1j, Y, r"^X has dtype complex128; it must hold real numbers"),
        (X, [None, 1], r"^y has dtype object; it must hold real numbers"),
        (X.astype(object), Y, r"^X has dtype object; it must hold real numbers"),
        (X, np.array(["2020-01-01"] * 2, dtype="datetime64[D]"), r"^y has dtype datetime64"),
        (None, Y, r"^X has dtype object"),
        (np.ma.masked_array(X, X > 0), Y, r"^X is a masked array; it must hold a number in every place"),
    ],
)
def test_samples_of_a_node(X, y, message):
    with pytest.raises((ValueError, TypeError), match=message):
        Node(X, y)


@pytest.mark.parametrize(
    ("nodes", "task", "message"),
    [
        ([], "regression", r"^nodes is empty; a problem needs at least one"),
        (Node(X, Y), "regression", r"^nodes is a Node; it must be a sequence of Node"),
        (None, "regression", r"^nodes is a NoneType; it must be"),
        ([(X, Y)], "regression", r"^nodes\[0\] is a tuple; it must be a Node"),
        ([Node(X, Y), Node([[1.0]], [1.0])], "regression", r"^nodes\[1\] has d = 1 features; it must have 3"),
        ([Node(X, Y)], "ranking", r"^task was 'ranking'; it must be one of 'regression', 'classification'"),
        ([Node(X, Y)], None, r"^task was None; it must be"),
        ([Node(X, Y), Node(X, [1, 0])], "classification", r"^nodes\[1\].y has the label 0; every label must"),
    ],
)
def test_nodes_of_a_problem(nodes, task, message):
    with pytest.raises((ValueError, TypeError), match=message):
        Problem(nodes, task)


@pytest.mark.parametrize("d_sent", [-1, 0.5, "12", math.inf])
def test_numbers_sent(d_sent):
    with pytest.raises(ValueError, match=r"^d_sent was .*; it must be a whole number of at least 1"):
        Problem([Node(X, Y)], "regression", d_sent)


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ([[0], []], r"^parts\[1\] is empty; every node needs"),
        ([[0], [2]], r"^parts\[1\] has the row number 2; it must be in 0\.\.1"),
        ([[-1]], r"^parts\[0\] has the row number -1; it must be in 0\.\.1"),
        ([[0.0, 1.0]], r"^parts\[0\] has dtype float64 .*; it must be a vector of row numbers"),
        ([[True, False]], r"^parts\[0\] has dtype bool .*; it must be a vector of row numbers"),
        ([[[0], [1]]], r"^parts\[0\] has dtype int64 and shape \(2, 1\); it must be a vector"),
        ([], r"^nodes is empty"),
    ],
)
def test_parts_of_a_split(parts, message):
    with pytest.raises(REFUSED, match=message):
        Problem.split(X, Y, parts, "regression")


@pytest.mark.parametrize("L", [0, -1, 2.5, math.nan, -math.inf, "3", None, True, [1, 0, 2], [1, 2.5, 3]])
def test_local_steps(L):
    with pytest.raises(ValueError, match=r"^L was .*; it must be a whole number of at least 1, or math\.inf"):
        GradientSteps(0.1, L)


@pytest.mark.parametrize(
    "eta", [0, -0.1, math.nan, math.inf, "0.1", None, True, [0.1, -0.1, 0.1], [0.1, math.nan]]
)
def test_step_sizes(eta):
    with pytest.raises(ValueError, match=r"^eta was .*; a step size must be positive and finite"):
        GradientSteps(eta, 1)


@pytest.mark.parametrize("field", ["eta", "L"])
@pytest.mark.parametrize("value", [[1], [1, 1], [1, 1, 1, 1], [[1, 1, 1]]])
def test_one_step_size_for_each_node(field, value):
    with pytest.raises(ValueError, match=rf"^{field} (has shape .*M = 3 nodes|was )"):
        run(solver=GradientSteps(**({"eta": 1e-3, "L": 2} | {field: value})))


@pytest.mark.parametrize("field", ["eta", "L"])
@pytest.mark.parametrize("value", [[], [[1], [1, 2]]])
def test_lists_that_are_no_vectors(field, value):
    with pytest.raises(ValueError, match=rf"^{field} "):
        run(solver=GradientSteps(**({"eta": 1e-3, "L": 2} | {field: value})))


def test_losses():
    with pytest.raises(ValueError, match=r"^loss was 'hinge'; it must be one of 'squared'"):
        GradientSteps(0.1, 1, loss="hinge")


BAD_POINTS = [
    (np.ones(14), r" has length 14; it must have length d = 15"),
    (np.ones(16), r" has length 16; it must have length d = 15"),
    (np.ones((15, 1)), r" has shape \(15, 1\); it must have 1 axes"),
    (np.full(15, math.nan), r" has the entry nan at index \(0,\)"),
    (np.ones(15) * 1j, r" has dtype complex128"),
    (["a"] * 15, r" has dtype <U1"),
    (0.0, r" has shape \(\)"),
]


@pytest.mark.parametrize(("point", "message"), BAD_POINTS)
def test_points(point, message):
    for name, call in {
        "w0": lambda: run(point),
        "w0 ": lambda: min_norm(PROBLEM, point),
        "w0  ": lambda: PROBLEM.row_space(point),
        "w0   ": lambda: check_min_norm(PROBLEM, W0, point),
        "w": lambda: check_min_norm(PROBLEM, point, W0),
    }.items():
        with pytest.raises((ValueError, TypeError), match=rf"^{name.strip()}{message}"):
            call()


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([1, 2], r"^weights was \[1\.0, 2\.0\]; it must be M = 3 positive numbers"),
        ([1, 0, 1], r"^weights was .*; it must be M = 3 positive"),
        ([1, -1, 1], r"^weights was .*; it must be M = 3 positive"),
        ([1, math.nan, 1], r"^weights has the entry nan"),
        ([1, math.inf, 1], r"^weights has the entry inf"),
        ("abc", r"^weights has dtype"),
        (1.0, r"^weights has shape \(\)"),
        ([1e-320, 1e308, 1], r"^weights was .*; the smallest must not vanish"),
    ],
)
def test_weights(weights, message):
    for call in (
        lambda: run(weights=weights),
        lambda: averaged_projector_spectrum(PROBLEM, 2, weights=weights),
        lambda: regression_rate(PROBLEM, 2, weights=weights),
    ):
        with pytest.raises((ValueError, TypeError), match=message):
            call()


@pytest.mark.parametrize("seed", [-1, 0.5, "1", None, True, math.nan])
def test_seeds(seed):
    with pytest.raises(ValueError, match=r"^seed was .*; it must be a whole number of at least 0"):
        run(seed=seed)


def test_participation_must_be_a_function_and_is_refused_before_the_first_round():
    with pytest.raises(TypeError, match=r"^participation was \[0, 1\]; it must be a function"):
        run(participation=[0, 1])


@pytest.mark.parametrize(
    "active", [[0, 3], [-1, 0], [1, 0], [1, 1], [[0, 1]], 1, [0.0, 1.0], [False, True], ["0"], None]
)
def test_what_participation_gives_must_be_ascending_node_numbers(active):
    with pytest.raises((ValueError, TypeError), match=r"^participation gave .*; it must give "):
        next(run(participation=lambda k, M, rng: active))


def test_a_state_of_another_problem_is_refused():
    state = next(run()).state
    other, w0 = make("plain", 0)
    with pytest.raises(
        ValueError, match=r"^state holds a point of shape \(15,\); this problem needs \(12,\)"
    ):
        run(w0, other, state=state)


def test_step_sizes_too_large_are_refused_by_everything_that_uses_them():
    for call in (lambda: run(solver=GradientSteps(1e6, 1)), lambda: regression_rate(PROBLEM, 1, 1e6)):
        with pytest.raises(ValueError, match=r"^eta was 1000000; node \d diverges unless eta < 2 N_i"):
            call()


@pytest.mark.parametrize("method", ["svd", None, ""])
def test_methods(method):
    with pytest.raises(ValueError, match=r"^method was .*; it must be one of 'closed', 'cvxpy'"):
        min_norm(PROBLEM, method=method)


@pytest.mark.parametrize("value", [0, -1, 1.5, math.inf, math.nan, "3", None, True])
def test_counts_of_rounds(value):
    def never(r):
        raise AssertionError("work has started")

    for options in ({"K": value}, {"K": 3, "every": value}):
        name = next(reversed(options))
        with pytest.raises(ValueError, match=rf"^{name} was .*; it must be a whole number of at least 1"):
            record(run(), {"a": never}, **options)


def test_metrics():
    with pytest.raises(ValueError, match=r"^metrics holds 'k', a column that every history has"):
        record(run(), {"k": lambda r: 0}, 3)
    with pytest.raises(TypeError, match=r"^metrics\['a'\] was 3; it must be a function of a Round"):
        record(run(), {"a": 3}, 3)


shapes = array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4)
anything = st.one_of(
    arrays(st.sampled_from([float, int, bool, complex, "U2", object, np.float32]), shapes),
    st.lists(st.floats(), max_size=5),
    st.lists(st.lists(st.floats(-1e3, 1e3), max_size=3), max_size=3),
    st.none(),
    st.text(max_size=3),
    st.integers(),
)


def valid(value, ndim):
    """Whether this is a finite real array of that many axes, decided without the library."""
    try:
        array = np.asarray(value)
    except ValueError:
        return False
    return array.ndim == ndim and array.dtype.kind in "biuf" and bool(np.isfinite(array).all())


@given(anything, anything)
def test_any_samples_are_taken_or_refused_in_words(X, y):
    good = valid(X, 2) and valid(y, 1) and 0 not in np.shape(X) and len(X) == len(y)
    if good:
        node = Node(X, y)
        assert np.array_equal(node.X, np.asarray(X, dtype=float))
        assert np.array_equal(node.y, np.asarray(y, dtype=float))
        return
    with pytest.raises((ValueError, TypeError), match=r"^(X|y) (has|must)"):
        Node(X, y)


@given(anything)
def test_any_start_is_taken_or_refused_in_words(w0):
    if valid(w0, 1) and np.shape(w0) == (15,):
        assert np.isfinite(next(run(w0)).w).all()
        return
    with pytest.raises((ValueError, TypeError), match=r"^w0 (has|must)"):
        run(w0)


@given(st.one_of(st.integers(-3, 60), st.floats(), st.just(math.inf)), st.floats())
def test_any_pair_of_steps_is_taken_or_refused_in_words(L, eta):
    limit = min(2 * node.N / np.linalg.norm(node.X, 2) ** 2 for node in PROBLEM.nodes)
    good_L = (math.isinf(L) and L > 0) or (math.isfinite(L) and L >= 1 and int(L) == L)
    if good_L and 0 < eta < limit * (1 - 1e-12):
        assert np.isfinite(next(run(solver=GradientSteps(eta, L))).w).all()
        return
    with pytest.raises(ValueError, match=r"^(L|eta) was .*"):
        run(solver=GradientSteps(eta, L))


@given(arrays(float, st.integers(1, 6), elements=st.floats(1e-12, 1e12)))
def test_positive_weights_are_scaled_to_sum_one(weights):
    p = as_weights(weights, weights.size)
    assert abs(p.sum() - 1) < 1e-14
    assert close(p * weights.sum(), weights, 1e-13)


@given(
    arrays(float, st.tuples(st.integers(1, 4), st.just(3)), elements=st.floats(-1e6, 1e6)),
    arrays(float, 3, elements=st.floats(-1e6, 1e6)),
)
def test_any_consistent_problem_can_be_run_and_answered(X, truth):
    X = np.where(np.abs(X) < 1e-3, 0, X)
    problem = Problem([Node(X, X @ truth)], "regression")
    reference = min_norm(problem, truth)
    moved = np.linalg.norm(reference.w - truth)
    assert moved <= reference.certificate.error_bound
    w = next(rounds(problem, ExactProjection(), Average(), truth)).w
    assert np.linalg.norm(w - truth) <= reference.certificate.error_bound


@pytest.mark.parametrize("value", [1, 10.0, np.int64(3), np.float64(2), 10**300])
def test_whole_numbers(value):
    assert is_count(value)


@pytest.mark.parametrize("value", [0, -1, 0.5, math.inf, math.nan, True, "1", None, np.bool_(True), 1j])
def test_what_is_no_whole_number(value):
    assert not is_count(value)
