"""`lgd_lib.partition`: every sample once, no empty node unasked, always an end; and what the report says."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lgd_lib import partition
from lgd_lib.datasets import gaussian_regression, load, two_affine_sets
from lgd_lib.problems import Node, Problem

SEEDS = st.integers(0, 2**63)


def check(parts, N, M, *, may_be_empty=False):
    """Disjoint, covering, sorted, one array for each node."""
    assert isinstance(parts, tuple)
    assert len(parts) == M
    assert sorted(np.concatenate(parts).tolist()) == list(range(N))
    for part in parts:
        assert part.dtype.kind == "i"
        assert (np.diff(part) > 0).all()
        assert may_be_empty or part.size > 0


@st.composite
def labels_and_nodes(draw):
    y = np.array(draw(st.lists(st.integers(-2, 4), min_size=1, max_size=60)))
    return y, draw(st.integers(1, y.size))


@given(labels_and_nodes(), SEEDS, st.floats(1e-320, 1e300))
@settings(max_examples=200)
def test_dirichlet_deals_every_sample_once_at_any_concentration(case, seed, concentration):
    y, M = case
    check(partition.dirichlet(y, M, concentration=concentration, seed=seed), y.size, M)


@given(labels_and_nodes(), SEEDS)
def test_iid_deals_every_sample_once_in_equal_numbers(case, seed):
    y, M = case
    parts = partition.iid(y.size, M, seed=seed)
    check(parts, y.size, M)
    assert np.ptp([part.size for part in parts]) <= 1


@given(labels_and_nodes(), SEEDS, st.data())
def test_shards_deal_every_sample_once_and_few_labels_to_a_node(case, seed, data):
    y, M = case
    s = data.draw(st.integers(1, y.size // M))
    parts = partition.shards(y, M, shards_per_node=s, seed=seed)
    check(parts, y.size, M)
    shard = -(-y.size // (M * s))  # samples of the largest shard
    smallest_class = np.unique(y, return_counts=True)[1].min()
    if shard <= smallest_class:  # then a shard meets at most two classes
        assert max(np.unique(y[part]).size for part in parts) <= 2 * s


def test_shards_that_fit_into_classes_have_one_label_each():
    y = np.random.default_rng(0).permutation(np.arange(1000) % 10)
    parts = partition.shards(y, 50, shards_per_node=2, seed=0)
    assert {part.size for part in parts} == {20}
    assert max(np.unique(y[part]).size for part in parts) == 2
    assert max(np.unique(y[part]).size for part in partition.shards(y, 10, shards_per_node=1, seed=0)) == 1


@given(st.lists(st.integers(-3, 3), min_size=1, max_size=40))
def test_groups_become_nodes_in_ascending_order(groups):
    parts = partition.by_group(groups)
    values = sorted(set(groups))
    check(parts, len(groups), len(values))
    for value, part in zip(values, parts, strict=True):
        assert set(np.array(groups)[part].tolist()) == {value}


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("classes", [2, 3, 10, 120])
def test_a_hundred_nodes_of_120_samples_at_concentration_one_hundredth(seed, classes):
    check(partition.dirichlet(np.arange(120) % classes, 100, concentration=0.01, seed=seed), 120, 100)


def test_the_seed_decides():
    y = np.arange(60) % 3
    for deal in (
        lambda seed: partition.iid(60, 5, seed=seed),
        lambda seed: partition.shards(y, 5, shards_per_node=2, seed=seed),
        lambda seed: partition.dirichlet(y, 5, concentration=0.5, seed=seed),
    ):
        first, again, other = deal(7), deal(7), deal(8)
        assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
        assert any(not np.array_equal(a, b) for a, b in zip(first, other, strict=True))


@pytest.mark.parametrize("parameters", [[0.2, 0.3, 0.5], [2.0, 1.0, 4.0]])
def test_shares_have_the_means_and_variances_of_the_dirichlet_distribution(parameters):
    a = np.array(parameters)
    q = np.exp(partition._log_dirichlet(a, 40_000, np.random.default_rng(0)))
    q /= q.sum(axis=1, keepdims=True)
    p = a / a.sum()
    assert np.allclose(q.mean(axis=0), p, atol=0.01)
    assert np.allclose(q.var(axis=0), p * (1 - p) / (a.sum() + 1), rtol=0.03)


def test_class_shares_follow_the_dirichlet_distribution():
    """With supply in plenty a node's first sample is of class c with probability p_c, and its second of the
    same class with probability (a p_c + 1) / (a + 1): Polya's urn, which defines the distribution."""
    y = np.repeat([0, 1, 2], [2000, 3000, 5000])
    p, a, M = np.array([0.2, 0.3, 0.5]), 1.5, 1000
    sizes = [2] * M + [10_000 - 2 * M]
    parts = partition.dirichlet(y, M + 1, concentration=a, seed=3, sizes=sizes)
    pairs = np.array([y[part] for part in parts[:M]])
    assert np.allclose(np.bincount(pairs.ravel(), minlength=3) / (2 * M), p, atol=0.04)
    same = (p * (a * p + 1) / (a + 1)).sum()
    assert (pairs[:, 0] == pairs[:, 1]).mean() == pytest.approx(same, abs=0.05)


def test_small_concentrations_separate_the_classes_and_large_ones_mix_them():
    y = np.arange(1000) % 10

    def distance(concentration):
        parts = partition.dirichlet(y, 20, concentration=concentration, seed=0)
        return np.mean([0.5 * np.abs(np.bincount(y[i], minlength=10) / i.size - 0.1).sum() for i in parts])

    apart, between, mixed = distance(0.01), distance(10.0), distance(1e6)
    assert apart > 0.6 > between > 0.25 > mixed
    iid = [
        0.5 * np.abs(np.bincount(y[i], minlength=10) / i.size - 0.1).sum()
        for i in partition.iid(1000, 20, seed=0)
    ]
    assert mixed == pytest.approx(np.mean(iid), abs=0.05)


def test_sizes_may_be_given():
    sizes = [1, 40, 19]
    for parts in (
        partition.iid(60, 3, seed=0, sizes=sizes),
        partition.dirichlet(np.arange(60) % 4, 3, concentration=0.1, seed=0, sizes=sizes),
    ):
        check(parts, 60, 3)
        assert [part.size for part in parts] == sizes


def test_nodes_are_empty_only_when_asked():
    with pytest.raises(ValueError, match="M was 5, more than the 3 samples: 2 nodes would be empty"):
        partition.iid(3, 5, seed=0)
    with pytest.raises(ValueError, match="allow_empty=True"):
        partition.dirichlet([0, 1, 1], 5, concentration=1.0, seed=0)
    with pytest.raises(ValueError, match="allow_empty=True"):
        partition.iid(3, 2, seed=0, sizes=[3, 0])
    for parts in (
        partition.iid(3, 5, seed=0, allow_empty=True),
        partition.dirichlet([0, 1, 1], 5, concentration=1.0, seed=0, allow_empty=True),
        partition.iid(3, 5, seed=0, sizes=[0, 3, 0, 0, 0], allow_empty=True),
    ):
        check(parts, 3, 5, may_be_empty=True)
        assert min(part.size for part in parts) == 0


def test_more_shards_than_samples_are_refused_in_words():
    with pytest.raises(
        ValueError, match="shards_per_node was 3: with M = 4 nodes that makes 12 shards of 10"
    ):
        partition.shards(np.arange(10), 4, shards_per_node=3, seed=0)


@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("M", lambda: partition.iid(3, 0, seed=0)),
        ("M", lambda: partition.dirichlet([0, 1], 1.5, concentration=1, seed=0)),
        ("N", lambda: partition.iid(0, 1, seed=0)),
        ("seed", lambda: partition.iid(3, 1, seed=-1)),
        ("seed", lambda: partition.iid(3, 1, seed=0.5)),
        ("sizes", lambda: partition.iid(3, 2, seed=0, sizes=[1, 1])),
        ("sizes", lambda: partition.iid(3, 2, seed=0, sizes=[4, -1])),
        ("sizes", lambda: partition.iid(3, 2, seed=0, sizes=[3])),
        ("concentration", lambda: partition.dirichlet([0, 1], 1, concentration=0.0, seed=0)),
        ("concentration", lambda: partition.dirichlet([0, 1], 1, concentration=np.inf, seed=0)),
        ("concentration", lambda: partition.dirichlet([0, 1], 1, concentration=np.nan, seed=0)),
        ("y", lambda: partition.dirichlet([0.5, 1], 1, concentration=1.0, seed=0)),
        ("y", lambda: partition.dirichlet([], 1, concentration=1.0, seed=0)),
        ("y", lambda: partition.shards([[0, 1]], 1, shards_per_node=1, seed=0)),
        ("y", lambda: partition.shards([np.nan, 1.0], 1, shards_per_node=1, seed=0)),
        ("shards_per_node", lambda: partition.shards([0, 1], 1, shards_per_node=0, seed=0)),
        ("groups", lambda: partition.by_group([])),
        ("groups", lambda: partition.by_group([1.0, np.nan])),
        ("groups", lambda: partition.by_group([None, "a"])),
    ],
)
def test_wrong_arguments_are_named(name, call):
    with pytest.raises(ValueError, match=f"^{name} "):
        call()


def test_batches_of_the_bladder_set():
    bladder = load("bladder")
    parts = partition.by_group(bladder.groups)
    check(parts, 57, 5)
    problem = Problem.split(bladder.X, bladder.y, parts, bladder.task)
    assert problem.sizes.tolist() == [11, 18, 4, 5, 19]
    distance = partition.report(problem).label_distance
    shares = np.array([1, 14 / 18, 0, 0, 15 / 19])
    assert np.allclose(distance, np.abs(shares - 40 / 57), atol=1e-14)


# The report


def test_two_lines_meet_at_the_angle_they_were_given():
    said = partition.report(two_affine_sets(np.radians(30.0)))
    assert np.allclose(said.smallest_angle, [[0, 30], [30, 0]], atol=1e-10)
    assert np.array_equal(said.smallest_angle, said.mean_angle)


def test_angles_agree_with_another_way_to_compute_them():
    from scipy.linalg import subspace_angles

    problem = gaussian_regression(3, [2, 5, 4], 12, seed=1, mean_shift=1.0)
    said = partition.report(problem)
    for i in range(3):
        for j in range(i):
            angles = np.degrees(subspace_angles(problem.nodes[i].X.T, problem.nodes[j].X.T))
            assert said.smallest_angle[i, j] == pytest.approx(angles.min(), abs=1e-6)
            assert said.mean_angle[i, j] == said.mean_angle[j, i] == pytest.approx(angles.mean(), abs=1e-6)


def test_identical_and_orthogonal_nodes_are_the_two_ends():
    same = gaussian_regression(3, 4, 50, seed=2, heterogeneity=0.0)
    assert partition.report(same).mean_angle.max() < 1e-4
    assert partition.report(same).gradient_diversity == pytest.approx(1 / 3, rel=1e-10)
    apart = partition.report(Problem([Node(row[None], [1.0]) for row in np.eye(4)], "regression"))
    assert np.allclose(apart.smallest_angle, 90 * (1 - np.eye(4)))
    assert apart.gradient_diversity == pytest.approx(1.0)


@given(st.integers(0, 1000), st.booleans())
@settings(max_examples=25)
def test_gradient_diversity_is_its_definition_at_any_point(seed, classification):
    rng = np.random.default_rng(seed)
    X, w0 = rng.standard_normal((9, 14)), rng.standard_normal(14)
    y = np.where(rng.random(9) < 0.5, 1.0, -1.0) if classification else rng.standard_normal(9)
    task = "classification" if classification else "regression"
    problem = Problem.split(X, y, partition.iid(9, 3, seed=seed, sizes=[2, 3, 4]), task)
    gradients = []
    for node in problem.nodes:
        margins = node.y * (node.X @ w0)
        pull = -node.y / (1 + np.exp(margins)) if classification else node.X @ w0 - node.y
        gradients.append((pull[:, None] * node.X).mean(axis=0))
    expected = sum(g @ g for g in gradients) / (sum(gradients) @ sum(gradients))
    assert partition.report(problem, w0).gradient_diversity == pytest.approx(expected, rel=1e-9)


def test_gradients_that_cancel_have_infinite_diversity_and_none_has_none():
    row = np.array([[0.3, 0.7, 0.1]])
    cancel = Problem([Node(row, [1.0]), Node(row, [-1.0])], "regression")
    assert partition.report(cancel).gradient_diversity == np.inf
    assert np.isnan(partition.report(Problem([Node(row, [0.0])], "regression")).gradient_diversity)


def test_label_distance_of_a_continuous_target_is_the_kolmogorov_smirnov_statistic():
    from scipy.stats import ks_2samp

    gasoline = load("gasoline")
    parts = partition.shards(gasoline.y, 4, shards_per_node=1, seed=0)
    problem = Problem.split(gasoline.X, gasoline.y, parts, "regression")
    expected = [ks_2samp(gasoline.y[part], gasoline.y).statistic for part in parts]
    assert np.allclose(partition.report(problem).label_distance, expected, atol=1e-14)


def test_the_summary_names_what_it_says():
    text = str(partition.report(gaussian_regression(3, [2, 5, 4], 30, seed=0)))
    assert text.startswith(
        "3 nodes, 11 samples, 30 features, regression\nsamples of a node: 2 to 5, median 4\n"
    )
    assert "(0.333 if all gradients agree)" in text
    assert max(map(len, text.splitlines())) < 90
    alone = str(partition.report(gaussian_regression(1, 3, 5, seed=0)))
    assert alone.splitlines()[0] == "1 node, 3 samples, 5 features, regression"


def test_a_start_of_the_wrong_length_is_refused():
    with pytest.raises(ValueError, match="w0"):
        partition.report(two_affine_sets(1.0), w0=np.zeros(3))
