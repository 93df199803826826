"""Intervals and tests, held against scipy, closed forms and simulation."""

import math
import pickle
import random
from itertools import product

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scipy import optimize, stats

from gpt4o_tune.evaluation import (
    Interval,
    bootstrap_mean,
    holm,
    mcnemar_exact,
    minimum_detectable_difference,
    paired_bootstrap,
    rows_needed,
    tango,
    wilson,
)

confidences = st.sampled_from([0.5, 0.8, 0.9, 0.95, 0.99, 0.9999])
scores = st.lists(st.floats(0, 1), min_size=1, max_size=25)


@st.composite
def shares(draw: st.DrawFn) -> tuple[int, int]:
    """Successes and trials."""
    n = draw(st.integers(1, 5000))
    return draw(st.integers(0, n)), n


@st.composite
def discordant(draw: st.DrawFn) -> tuple[int, int, int]:
    """Rows on which only the first, only the second is right, and all rows."""
    n = draw(st.integers(1, 400))
    b = draw(st.integers(0, n))
    return b, draw(st.integers(0, n - b)), n


def test_interval_reads_as_a_sentence() -> None:
    """An interval prints with its level, and with the estimate in front where one is given."""
    interval = Interval(0.72, 0.88)

    assert str(interval) == "95% CI 0.72 to 0.88"
    assert interval.around(0.81) == "0.81 (95% CI 0.72 to 0.88)"
    assert 0.72 in interval
    assert 0.89 not in interval
    assert pickle.loads(pickle.dumps(interval)) == interval  # noqa: S301 - our own bytes


@given(shares(), confidences)
def test_wilson_equals_scipy(counts: tuple[int, int], confidence: float) -> None:
    """Wilson's interval agrees with scipy's for every count and level."""
    successes, n = counts

    ours = wilson(successes, n, confidence=confidence)

    theirs = stats.binomtest(successes, n).proportion_ci(confidence, method="wilson")
    assert ours.low == pytest.approx(theirs.low, abs=1e-12)
    assert ours.high == pytest.approx(theirs.high, abs=1e-12)


def test_wilson_at_the_ends() -> None:
    """Nothing tried says nothing; all right and all wrong keep a width and reach the end exactly."""
    z2 = stats.norm.ppf(0.975) ** 2

    assert wilson(0, 0) == Interval(0.0, 1.0)
    assert wilson(0, 12).low == 0.0
    assert wilson(0, 12).high == pytest.approx(z2 / (12 + z2))
    assert wilson(12, 12).high == 1.0
    assert wilson(12, 12).low == pytest.approx(12 / (12 + z2))
    assert wilson(1, 10**12).low > 0


@pytest.mark.parametrize(("successes", "n"), [(-1, 3), (4, 3), (0, -1)])
def test_wilson_refuses_impossible_counts(successes: int, n: int) -> None:
    """Counts that cannot be are refused with the counts in the message."""
    with pytest.raises(ValueError, match=f"got {successes} of {n}"):
        wilson(successes, n)


@pytest.mark.parametrize("confidence", [0, 1, 95, -0.5, math.nan])
def test_confidence_must_be_a_share(confidence: float) -> None:
    """A level of 95, or one that would give an infinite interval, is refused."""
    with pytest.raises(ValueError, match="strictly between 0 and 1"):
        wilson(1, 2, confidence=confidence)


def test_wilson_covers_the_truth_as_announced() -> None:
    """Over true shares of all sizes, 95 % intervals hold the truth 95 times in 100."""
    draw = random.Random(11)
    for n in (10, 40):
        truths = [draw.random() for _ in range(4000)]

        held = sum(t in wilson(sum(draw.random() < t for _ in range(n)), n) for t in truths)

        assert 0.93 < held / len(truths) < 0.97


@given(st.integers(0, 3000), st.integers(0, 3000))
def test_mcnemar_equals_scipy(b: int, c: int) -> None:
    """The exact test agrees with scipy's two-sided binomial test to nine digits."""
    expected = stats.binomtest(b, b + c, 0.5).pvalue if b + c else 1.0

    assert mcnemar_exact(b, c) == pytest.approx(expected, rel=1e-9, abs=1e-200)


def test_mcnemar_is_careful_with_large_counts() -> None:
    """A million disagreements neither overflow nor lose the digits that matter."""
    exact = stats.binom.cdf(498_500, 1_000_000, 0.5) * 2

    assert mcnemar_exact(498_500, 501_500) == pytest.approx(exact, rel=1e-7)
    assert mcnemar_exact(0, 1_000_000) == 0.0
    assert mcnemar_exact(0, 52) == pytest.approx(2 * 0.5**52, rel=1e-12)
    assert mcnemar_exact(7, 7) == 1.0
    with pytest.raises(ValueError, match="negative"):
        mcnemar_exact(-1, 3)


@given(discordant(), confidences)
def test_tango_limits_are_where_the_score_test_turns(
    counts: tuple[int, int, int], confidence: float
) -> None:
    """At a limit, the score statistic with numerically fitted shares equals the normal quantile."""
    b, c, n = counts
    z = stats.norm.ppf(0.5 + confidence / 2)

    interval = tango(b, c, n, confidence=confidence)

    assert -1 <= interval.low <= (b - c) / n <= interval.high <= 1
    for limit in (interval.low, interval.high):
        if abs(limit) < 1 - 1e-9 and abs(limit - (b - c) / n) > 1e-9:
            assert score_statistic(b, c, n, limit) == pytest.approx(z, rel=2e-3)


def score_statistic(b: int, c: int, n: int, difference: float) -> float:
    """Distance in standard errors, the share of c fitted by maximising the likelihood directly."""

    def loss(only_second: float) -> float:
        cells = (b, only_second + difference), (c, only_second)
        agree = 1 - 2 * only_second - difference
        every = [*cells, (n - b - c, agree)]
        return -sum(count * math.log(max(share, 1e-300)) for count, share in every if count)

    low, high = max(0.0, -difference), (1 - difference) / 2
    fit = optimize.minimize_scalar(
        loss, bounds=(low, high), method="bounded", options={"xatol": 1e-13}
    )
    variance = 2 * fit.x + difference - difference**2
    return abs(b - c - n * difference) / math.sqrt(n * variance)


def test_tango_known_values() -> None:
    """Closed forms at the ends, and the published airway example of Fagerland et al. (2014)."""
    z2 = stats.norm.ppf(0.975) ** 2

    assert tango(0, 0, 30).high == pytest.approx(z2 / (30 + z2))
    assert tango(30, 0, 30).low == pytest.approx((30 - z2) / (30 + z2))
    assert tango(30, 0, 30).high == 1.0
    assert tango(0, 0, 0) == Interval(-1.0, 1.0)
    airway = tango(1, 7, 21)
    assert (round(airway.low, 3), round(airway.high, 3)) == (-0.517, -0.026)
    with pytest.raises(ValueError, match=r"b \+ c <= n"):
        tango(2, 2, 3)


@given(discordant())
def test_tango_is_symmetric(counts: tuple[int, int, int]) -> None:
    """Swapping the two candidates mirrors the interval."""
    b, c, n = counts

    there, back = tango(b, c, n), tango(c, b, n)

    assert (there.low, there.high) == (-back.high, -back.low)


def test_tango_covers_the_truth_as_announced() -> None:
    """Over many discordances, 95 % intervals hold the true difference about 95 times in 100."""
    draw = random.Random(12)
    held, n, repeats = 0, 40, 3000
    for _ in range(repeats):
        discordance = draw.uniform(0.05, 0.6)
        only_first = discordance * draw.random()
        draws = [draw.random() for _ in range(n)]
        b = sum(value < only_first for value in draws)
        c = sum(value < discordance for value in draws) - b
        held += 2 * only_first - discordance in tango(b, c, n)

    assert 0.93 < held / repeats < 0.97


def test_holm_by_hand() -> None:
    """The smallest p value is multiplied most, and the order of sizes is kept."""
    assert holm([0.04, 0.01, 0.03]) == pytest.approx([0.06, 0.03, 0.06])
    assert holm([0.7, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), max_size=8))
def test_holm_never_lowers_a_p_value(p_values: list[float]) -> None:
    """Adjusted values stay probabilities, no smaller than before, in the same order of size."""
    adjusted = holm(p_values)

    assert all(p <= q <= 1 for p, q in zip(p_values, adjusted, strict=True))
    assert [q for _, q in sorted(zip(p_values, adjusted, strict=True))] == sorted(adjusted)


def test_bootstrap_equals_scipy() -> None:
    """BCa limits agree with scipy's on skewed scores, up to the noise of resampling."""
    draw = random.Random(3)
    values = [draw.betavariate(5, 1) for _ in range(60)]

    ours = bootstrap_mean(values, seed=1, resamples=20_000)

    theirs = stats.bootstrap(
        (values,), lambda x, axis: x.mean(axis=axis), n_resamples=20_000, rng=1
    ).confidence_interval
    assert ours.low == pytest.approx(theirs.low, abs=2e-3)
    assert ours.high == pytest.approx(theirs.high, abs=2e-3)


@given(scores, st.integers(0, 5), confidences)
@example([0.0, 1e-200], 0, 0.95)
def test_bootstrap_is_repeatable_and_stays_inside(
    values: list[float], seed: int, confidence: float
) -> None:
    """Equal seeds give equal limits, between the smallest and the largest score."""
    first = bootstrap_mean(values, seed=seed, resamples=50, confidence=confidence)

    again = bootstrap_mean(values, seed=seed, resamples=50, confidence=confidence)
    assert first == again
    assert min(values) - 1e-12 <= first.low <= first.high <= max(values) + 1e-12


def test_bootstrap_refuses_nothing() -> None:
    """No scores, or no resamples, cannot give an interval."""
    with pytest.raises(ValueError, match="0 values"):
        bootstrap_mean([], seed=0)
    with pytest.raises(ValueError, match="resamples=0"):
        bootstrap_mean([1.0], seed=0, resamples=0)


@given(st.integers(0, 6), st.integers(0, 6), st.integers(0, 20))
def test_sign_flip_is_mcnemar_on_yes_and_no(b: int, c: int, agree: int) -> None:
    """On scores of 0 and 1 the test of mean scores is McNemar's exact test."""
    first = [1.0] * b + [0.0] * c + [1.0] * (agree + 1)
    second = [0.0] * b + [1.0] * c + [1.0] * (agree + 1)

    means = paired_bootstrap(first, second, seed=0, resamples=4096)

    assert means.p == pytest.approx(mcnemar_exact(b, c))
    assert means.difference == pytest.approx((b - c) / len(first))


def test_sign_flip_equals_the_exact_distribution() -> None:
    """With many rows the drawn p value agrees with the whole distribution of flipped sums."""
    draw = random.Random(5)
    tenths = [round(draw.gauss(0.5, 3)) for _ in range(80)]
    chances = {0: 1.0}
    for size in tenths:
        moved: dict[int, float] = {}
        for total, chance in chances.items():
            for flipped in (total + size, total - size):
                moved[flipped] = moved.get(flipped, 0.0) + chance / 2
        chances = moved
    exact = sum(chance for total, chance in chances.items() if abs(total) >= abs(sum(tenths)))

    drawn = paired_bootstrap([size / 10 for size in tenths], [0.0] * 80, seed=1, resamples=20_000).p

    assert 0.01 < exact < 0.9
    assert drawn == pytest.approx(exact, abs=0.012)


def test_sign_flip_counts_every_pattern_when_few() -> None:
    """With few rows every sign pattern is weighed, so the p value is a count over a power of two."""
    sizes = [0.5, 0.3, 0.2, 0.1]
    sums = [
        sum(s * x for s, x in zip(signs, sizes, strict=True))
        for signs in product((1, -1), repeat=4)
    ]
    expected = sum(abs(value) >= sum(sizes) - 1e-9 for value in sums) / 16

    assert paired_bootstrap(sizes, [0.0] * 4, seed=0).p == expected == 2 / 16


def test_paired_bootstrap_refuses_unequal_lengths() -> None:
    """Scores that do not pair row by row are refused."""
    with pytest.raises(ValueError, match="shorter"):
        paired_bootstrap([1.0, 0.0], [1.0], seed=0)


@pytest.mark.parametrize(("n", "discordance"), [(12, 0.2), (60, 0.3), (150, 0.1)])
def test_detectable_difference_is_found_four_times_in_five(n: int, discordance: float) -> None:
    """Simulated with the difference that is called detectable, the exact test shows it in 80 %."""
    difference = minimum_detectable_difference(n, discordance=discordance)
    assert difference is not None
    spread = max(discordance, difference)
    draw = random.Random(n)
    repeats, found = 3000, 0
    for _ in range(repeats):
        draws = [draw.random() for _ in range(n)]
        c = sum(value < (spread - difference) / 2 for value in draws)
        b = sum(value < spread for value in draws) - c
        found += b > c and mcnemar_exact(b, c) <= 0.05

    assert found / repeats == pytest.approx(0.8, abs=0.03)


@given(st.integers(6, 400), st.floats(0, 1))
def test_detectable_difference_shrinks_with_rows(n: int, discordance: float) -> None:
    """Four times the rows never show less."""
    few = minimum_detectable_difference(n, discordance=discordance)
    many = minimum_detectable_difference(4 * n, discordance=discordance)

    assert few is not None
    assert many is not None
    assert 0 < many <= few + 1e-4 <= 1 + 1e-4


def test_too_few_rows_show_nothing() -> None:
    """Five rows, even if all favoured one side, stay above the level of the test."""
    assert mcnemar_exact(5, 0) > 0.05
    assert minimum_detectable_difference(5, discordance=1.0) is None
    assert minimum_detectable_difference(0, discordance=0.0) is None
    with pytest.raises(ValueError, match="discordance"):
        minimum_detectable_difference(10, discordance=1.5)


def test_exact_power_meets_the_formula() -> None:
    """Where exact summation ends, the formula takes over without a visible step."""
    for discordance in (0.0, 0.05, 0.3, 1.0):
        below = minimum_detectable_difference(1000, discordance=discordance)
        above = minimum_detectable_difference(1001, discordance=discordance)

        assert below == pytest.approx(above, abs=0.002)


def test_rows_needed_turns_the_detectable_difference_round() -> None:
    """As many rows as are said to be needed for a difference do detect it, and no more."""
    needed = rows_needed(-0.05, discordance=0.3)

    assert needed == rows_needed(0.05, discordance=0.3) > 900
    difference = minimum_detectable_difference(needed, discordance=0.3)
    assert difference == pytest.approx(0.05, abs=0.001)
    assert rows_needed(0.3, discordance=0.1) == rows_needed(0.3, discordance=0.3)
    with pytest.raises(ValueError, match="difference"):
        rows_needed(0.0, discordance=0.3)
    with pytest.raises(ValueError, match="power"):
        rows_needed(0.1, discordance=0.3, power=1.0)
