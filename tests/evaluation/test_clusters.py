"""Groups of rows, Student's t and effect sizes, held against scipy, statsmodels and brute force."""

from __future__ import annotations

import itertools
import math
import random
from statistics import fmean

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from gpt4o_tune.evaluation import (
    clustered_mean,
    clustered_sign_flip,
    cohens_h,
    mcnemar_exact,
    mean_interval,
    paired_bootstrap,
    standardised_difference,
    wilson,
)

CASES = 300
confidences = st.sampled_from([0.5, 0.8, 0.9, 0.95, 0.99])
scores = st.lists(st.floats(0, 1, width=16), min_size=2, max_size=40)


def drawn(seed: int, *, size: int | None = None) -> tuple[list[float], list[int]]:
    """Scores in groups that are alike, of one size or of several."""
    draw = random.Random(seed)
    values: list[float] = []
    groups: list[int] = []
    for group in range(draw.randint(2, 12)):
        own = draw.random()
        rows = size or draw.randint(1, 6)
        values += [0.7 * own + 0.3 * draw.random() for _ in range(rows)]
        groups += [group] * rows
    return values, groups


@given(scores, confidences)
def test_one_row_in_each_group_is_students_t(values: list[float], confidence: float) -> None:
    """Without groups of more than one row, mean, error and interval are scipy's for one sample."""
    found = clustered_mean(values, range(len(values)), confidence=confidence)
    theirs = stats.ttest_1samp(values, 0) if max(values) > min(values) else None

    assert found.mean == pytest.approx(fmean(values))
    assert found.standard_error == pytest.approx(stats.sem(values), abs=1e-12)
    if theirs is not None:
        limits = theirs.confidence_interval(confidence)
        assert (found.interval.low, found.interval.high) == pytest.approx(tuple(limits), abs=1e-9)


def test_groups_of_one_size_have_the_error_of_statsmodels() -> None:
    """On 300 random cases the error is that of a regression on a constant with clustered errors."""
    api = pytest.importorskip("statsmodels.api")
    for seed in range(CASES):
        values, groups = drawn(seed, size=1 + seed % 5)
        fit = api.OLS(values, [1.0] * len(values)).fit(
            cov_type="cluster", cov_kwds={"groups": groups}, use_t=True
        )
        found = clustered_mean(values, groups)

        assert found.standard_error == pytest.approx(fit.bse[0], rel=1e-9)
        limits = stats.t.interval(0.95, found.groups - 1, fit.params[0], fit.bse[0])
        assert (found.interval.low, found.interval.high) == pytest.approx(limits, rel=1e-9)


def test_groups_of_several_sizes_have_the_jackknife_error() -> None:
    """On 300 random cases the error is what leaving out one group after the other gives."""
    for seed in range(CASES):
        values, groups = drawn(seed)
        labels = sorted(set(groups))
        left = [
            fmean(value for value, group in zip(values, groups, strict=True) if group != out)
            for out in labels
        ]
        spread = sum((each - fmean(values)) ** 2 for each in left)

        assert clustered_mean(values, groups).standard_error == pytest.approx(
            math.sqrt(spread * (len(labels) - 1) / len(labels)), rel=1e-9
        )


@given(scores, confidences)
def test_intervals_of_scores_stay_within_their_range(
    values: list[float], confidence: float
) -> None:
    """Scores between 0 and 1 have intervals within 0 and 1 that hold the mean."""
    found = mean_interval(values, confidence=confidence)

    assert 0 <= found.low <= found.high <= 1
    assert found.low - 1e-9 <= fmean(values) <= found.high + 1e-9


@given(st.lists(st.booleans(), min_size=2, max_size=60))
def test_shares_without_groups_are_nearly_wilsons(passed: list[bool]) -> None:
    """With Student's t for the normal, the interval holds Wilson's and comes close to it with many rows."""
    ours, theirs = mean_interval(passed), wilson(sum(passed), len(passed))

    assert ours.low <= theirs.low + 1e-12
    assert ours.high >= theirs.high - 1e-12
    if len(passed) > 40:
        assert ours.high - ours.low <= 1.1 * (theirs.high - theirs.low)


def test_rows_of_a_group_are_worth_less() -> None:
    """Ten copies of every row do not make the interval shorter than the rows themselves do."""
    passed = [True] * 14 + [False] * 6
    copies = [each for each in passed for _ in range(10)]
    groups = [number for number in range(20) for _ in range(10)]

    once, grouped = mean_interval(passed), mean_interval(copies, groups)

    assert (grouped.low, grouped.high) == pytest.approx((once.low, once.high))
    assert mean_interval(copies).high - mean_interval(copies).low < 0.5 * (once.high - once.low)


@given(st.lists(st.sampled_from([-1.0, 0.0, 1.0]), min_size=2, max_size=11))
def test_the_grouped_test_without_groups_is_mcnemars(apart: list[float]) -> None:
    """With a row in each group, flipping groups is McNemar's exact test."""
    p = clustered_sign_flip(apart, range(len(apart)), seed=0)

    assert p == pytest.approx(mcnemar_exact(apart.count(1.0), apart.count(-1.0)))


def test_the_grouped_test_weighs_every_pattern() -> None:
    """On 200 random cases p is the share of sign patterns, whole groups flipped, that are as extreme."""
    for seed in range(200):
        draw = random.Random(seed)
        groups = [draw.randrange(6) for _ in range(14)]
        apart = [draw.choice([-1.0, 0.0, 1.0]) for _ in groups]
        if len(set(groups)) < 2:
            continue
        sums = [
            sum(x for x, g in zip(apart, groups, strict=True) if g == group)
            for group in sorted(set(groups))
        ]
        patterns = list(itertools.product((1, -1), repeat=len(sums)))
        extreme = sum(
            abs(sum(s * x for s, x in zip(signs, sums, strict=True))) >= abs(sum(sums))
            for signs in patterns
        )

        assert clustered_sign_flip(apart, groups, seed=0) == pytest.approx(extreme / len(patterns))


@pytest.mark.parametrize("groups", [["a", "a", "a"], ["a", "b"]])
def test_groups_must_fit(groups: list[str]) -> None:
    """One group says nothing of how groups vary, and every row needs one."""
    with pytest.raises(ValueError, match=r"groups|argument 2"):
        clustered_mean([0.0, 1.0, 1.0], groups)


@given(st.floats(0, 1), st.floats(0, 1))
def test_cohens_h_is_statsmodels(first: float, second: float) -> None:
    """Effect sizes of shares agree with statsmodels, sign included."""
    proportion = pytest.importorskip("statsmodels.stats.proportion")

    assert cohens_h(first, second) == pytest.approx(
        float(proportion.proportion_effectsize(first, second)), abs=1e-12
    )


def test_standardised_differences() -> None:
    """A difference of one mean standard deviation is 1, whatever the scale; no spread has none."""
    assert standardised_difference([1.0, 2.0, 3.0], [0.0, 1.0, 2.0]) == pytest.approx(1.0)
    assert standardised_difference([10.0, 20.0], [10.0, 20.0]) == 0.0
    assert standardised_difference([1.0, 1.0], [0.0, 0.0]) is None
    assert standardised_difference([1.0], [0.0]) is None
    with pytest.raises(ValueError, match="no values"):
        standardised_difference([], [])
    with pytest.raises(ValueError, match="between 0 and 1"):
        cohens_h(1.2, 0.5)


def test_paired_means_agree_with_the_bootstrap_where_both_are_good() -> None:
    """With many rows the t interval and the bootstrap's are nearly the same."""
    draw = random.Random(5)
    first = [draw.random() for _ in range(400)]
    second = [0.8 * x + 0.2 * draw.random() for x in first]
    apart = [x - y for x, y in zip(first, second, strict=True)]

    ours = clustered_mean(apart, range(400)).interval
    theirs = paired_bootstrap(first, second, seed=0, resamples=1000).interval

    assert ours.low == pytest.approx(theirs.low, abs=0.002)
    assert ours.high == pytest.approx(theirs.high, abs=0.002)
