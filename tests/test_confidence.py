"""`lgd_lib.confidence`: intervals that cover as often as they say, and refuse what has no interval."""

import numpy as np
import pytest
import scipy.stats

from lgd_lib.confidence import mean_interval


@pytest.mark.parametrize("level", [0.5, 0.95])
def test_an_interval_covers_the_expectation_as_often_as_its_level(level):
    draws = np.random.default_rng(3).normal(7, 2, (5, 20_000))
    mean, low, high = mean_interval(draws, level)
    assert np.allclose(mean, draws.mean(axis=0))
    covered = ((low <= 7) & (high >= 7)).mean()
    assert abs(covered - level) < 5 * np.sqrt(level * (1 - level) / draws.shape[1])


def test_it_is_that_of_scipy():
    values = [3.0, 1.0, 4.0, 1.5]
    interval = scipy.stats.ttest_1samp(values, 0).confidence_interval(0.9)
    assert mean_interval(values, 0.9) == pytest.approx((2.375, *interval), rel=1e-12)
    assert all(type(end) is float for end in mean_interval(values))


def test_one_repetition_tells_nothing_of_the_spread():
    assert mean_interval([2.5]) == (2.5, 2.5, 2.5)
    mean, low, high = mean_interval([[1.0, 2.0]])
    assert low.tolist() == high.tolist() == mean.tolist() == [1.0, 2.0]


@pytest.mark.parametrize(
    ("values", "level", "words"),
    [
        ([], 0.95, r"^values had shape \(0,\); it must have an entry for each repetition"),
        (1.0, 0.95, r"^values had shape \(\); it must"),
        ([1.0, np.nan], 0.95, "^values holds NaN or infinity"),
        ([1.0, 2.0], 95, "^level was 95; it must be between 0 and 1"),
    ],
)
def test_what_has_no_interval_is_refused(values, level, words):
    with pytest.raises(ValueError, match=words):
        mean_interval(values, level)
