"""`lgd_lib.synthetic`: streams, conditioning, and what makes nodes differ."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lgd_lib.synthetic import gaussian_regression, two_affine_sets


def same(a, b):
    return all(
        np.array_equal(s.X, t.X) and np.array_equal(s.y, t.y) for s, t in zip(a.nodes, b.nodes, strict=True)
    )


def cosines(A, B):
    """Cosines of the principal angles between the row spaces."""
    Q, R = np.linalg.qr(A.T)[0], np.linalg.qr(B.T)[0]
    return np.linalg.svd(Q.T @ R, compute_uv=False)


@given(st.integers(0, 2**32), st.integers(1, 5), st.integers(1, 6), st.integers(1, 30))
@settings(max_examples=30)
def test_the_seed_and_nothing_else_decides(seed, M, N_i, d):
    a = gaussian_regression(M, N_i, d, seed=seed)
    assert (a.M, a.d, a.sizes.tolist()) == (M, d, [N_i] * M)
    assert same(a, gaussian_regression(M, [N_i] * M, d, seed=seed))
    assert not same(a, gaussian_regression(M, N_i, d, seed=seed + 1))


def test_nodes_draw_from_streams_of_their_own():
    few, many = gaussian_regression(2, 3, 20, seed=4), gaussian_regression(5, 3, 20, seed=4)
    assert same(few, type(few)(many.nodes[:2], "regression"))
    resized = gaussian_regression(2, [7, 3], 20, seed=4)
    assert np.array_equal(resized.nodes[1].X, few.nodes[1].X)
    assert np.array_equal(resized.nodes[1].y, few.nodes[1].y)
    X = [node.X for node in many.nodes]
    assert all(not np.array_equal(X[i], X[j]) for i in range(5) for j in range(i))


def test_parameters_change_only_what_they_are_about():
    plain = gaussian_regression(3, 4, 30, seed=1)
    noisy = gaussian_regression(3, 4, 30, seed=1, noise=0.5)
    shifted = gaussian_regression(3, 4, 30, seed=1, model_shift=2.0)
    for a, b, c in zip(plain.nodes, noisy.nodes, shifted.nodes, strict=True):
        assert np.array_equal(a.X, b.X)
        assert np.array_equal(a.X, c.X)
        assert np.abs(a.y - b.y).min() > 0
        assert np.abs(a.y - c.y).min() > 0


def test_sizes_may_differ():
    assert gaussian_regression(3, (1, 5, 2), 10, seed=0).sizes.tolist() == [1, 5, 2]
    assert gaussian_regression(2, np.array([1, 5]), 10, seed=0).sizes.tolist() == [1, 5]


@pytest.mark.parametrize("condition", [1.0, 30.0, 1e6])
@pytest.mark.parametrize("N_i", [6, 60])
def test_the_condition_number_is_the_one_asked_for_and_row_spaces_stay(condition, N_i):
    plain = gaussian_regression(3, N_i, 40, seed=2, mean_shift=0.5)
    hard = gaussian_regression(3, N_i, 40, seed=2, mean_shift=0.5, condition=condition)
    for a, b in zip(plain.nodes, hard.nodes, strict=True):
        assert np.linalg.cond(b.X) == pytest.approx(condition, rel=1e-8)
        assert np.linalg.norm(a.X, 2) == pytest.approx(np.linalg.norm(b.X, 2), rel=1e-10)
        assert cosines(a.X, b.X).min() > 1 - 1e-8
    assert np.linalg.cond(hard.pooled.X) >= condition * (1 - 1e-8) or N_i * 3 > 40


def test_targets_are_those_of_one_linear_model_unless_noise_or_shifts_say_otherwise():
    def residual(**options):
        pooled = gaussian_regression(4, 20, 30, seed=3, **options).pooled
        return np.linalg.norm(pooled.X @ np.linalg.lstsq(pooled.X, pooled.y)[0] - pooled.y)

    assert residual() < 1e-10
    assert residual(mean_shift=2.0, heterogeneity=0.4, condition=5.0) < 1e-10
    assert residual(noise=0.1) > 0.1
    assert residual(model_shift=0.5) > 0.1


def test_the_true_model_has_length_one():
    pooled = gaussian_regression(4, 20, 30, seed=3).pooled
    assert np.linalg.norm(np.linalg.lstsq(pooled.X, pooled.y)[0]) == pytest.approx(1.0, rel=1e-10)


def test_heterogeneity_sets_the_angle_between_row_spaces():
    mean_cosine = []
    for h in (0.0, 0.5, 1.0):
        problem = gaussian_regression(2, 5, 20_000, seed=5, heterogeneity=h)
        mean_cosine.append(cosines(problem.nodes[0].X, problem.nodes[1].X).mean())
    assert np.allclose(mean_cosine, [1.0, 0.5, 0.0], atol=0.05)


def test_a_mean_shift_moves_each_node_its_own_way():
    problem = gaussian_regression(2, 400, 50, seed=6, mean_shift=3.0)
    a, b = (node.X.mean(axis=0) for node in problem.nodes)
    assert np.linalg.norm(a) == pytest.approx(3 * np.sqrt(50), rel=0.3)
    assert abs(a @ b) < 0.5 * np.linalg.norm(a) * np.linalg.norm(b)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("M", 0),
        ("M", 2.5),
        ("N_i", 0),
        ("N_i", [3, 0]),
        ("N_i", [3, 3, 3]),
        ("d", 0),
        ("seed", -1),
        ("seed", 0.5),
        ("noise", -1.0),
        ("noise", float("nan")),
        ("heterogeneity", 1.1),
        ("heterogeneity", float("nan")),
        ("mean_shift", -0.1),
        ("model_shift", float("inf")),
        ("condition", 0.5),
        ("condition", float("inf")),
    ],
)
def test_wrong_arguments_are_named(name, value):
    arguments = {"M": 2, "N_i": 3, "d": 10, "seed": 0, name: value}
    with pytest.raises(ValueError, match=f"^{name} was"):
        gaussian_regression(**arguments)


def test_one_sample_has_condition_one():
    with pytest.raises(ValueError, match=r"^condition was 10"):
        gaussian_regression(2, [1, 3], 10, seed=0, condition=10)
    assert gaussian_regression(2, 1, 10, seed=0, condition=1).N == 2


@given(st.floats(0.01, np.pi / 2), st.floats(-5, 5), st.floats(-5, 5))
def test_two_lines_meet_at_the_point_and_the_angle(angle, a, b):
    problem = two_affine_sets(angle, (a, b))
    X, y = problem.pooled.X, problem.pooled.y
    assert np.allclose(X @ [a, b], y, atol=1e-12)
    assert np.allclose(np.linalg.norm(X, axis=1), 1)
    assert abs(X[0] @ X[1]) == pytest.approx(np.cos(angle), abs=1e-12)


def test_averaged_projections_contract_by_the_half_angle():
    angle, point = np.pi / 5, np.array([2.0, 1.0])
    problem = two_affine_sets(angle, point)
    for offset, factor in (([1, 0], np.cos(angle / 2) ** 2), ([0, 1], np.sin(angle / 2) ** 2)):
        w = point + offset
        answers = [w - node.X[0] * (node.X[0] @ w - node.y[0]) for node in problem.nodes]
        assert np.allclose(np.mean(answers, axis=0) - point, factor * np.array(offset), atol=1e-12)


@pytest.mark.parametrize("angle", [0.0, -1.0, 2.0, float("nan")])
def test_an_angle_outside_its_range_is_named(angle):
    with pytest.raises(ValueError, match=r"^angle was"):
        two_affine_sets(angle)


def test_a_point_outside_the_plane_is_named():
    with pytest.raises(ValueError, match=r"^point has length 3"):
        two_affine_sets(1.0, (1, 2, 3))
