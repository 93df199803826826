"""Measure how often the intervals hold the true value, and how often the tests cry wolf.

Run with `python benchmarks/interval_coverage.py`; some minutes on one core. Every draw is seeded.
The figures stand on the page docs/design/statistics.md.
"""

import math
import random
import time
from collections.abc import Callable

from gpt4o_tune.evaluation import (
    Interval,
    bootstrap_mean,
    clustered_mean,
    clustered_sign_flip,
    mcnemar_exact,
    mean_interval,
    paired_bootstrap,
    tango,
    wilson,
)

REPEATS = 20_000
BOOTSTRAP_REPEATS = 1_000
CLUSTER_REPEATS = 4_000
BOOTSTRAP_RESAMPLES = 1_000
SIZES = (10, 20, 50, 200)


def normal_share(successes: int, n: int) -> Interval:
    share = successes / n
    spread = 1.959964 * math.sqrt(share * (1 - share) / n)
    return Interval(share - spread, share + spread)


def normal_paired(b: int, c: int, n: int) -> Interval:
    difference = (b - c) / n
    spread = 1.959964 * math.sqrt((b + c) / n - difference**2) / math.sqrt(n)
    return Interval(difference - spread, difference + spread)


def share_coverage(interval: Callable[[int, int], Interval], n: int) -> float:
    """Mean over true shares drawn evenly from 0.5 to 1, where answers of a useful model lie."""
    draw = random.Random(f"share {n}")
    held = 0
    for _ in range(REPEATS):
        truth = draw.uniform(0.5, 1)
        held += truth in interval(sum(draw.random() < truth for _ in range(n)), n)
    return held / REPEATS


def paired_coverage(interval: Callable[[int, int, int], Interval], n: int) -> float:
    """Mean over discordances up to 0.6 and all differences that fit them."""
    draw = random.Random(f"paired {n}")
    held = 0
    for _ in range(REPEATS):
        discordance = draw.uniform(0.02, 0.6)
        only_first = discordance * draw.random()
        b, c = discordant(draw, n, only_first, discordance)
        held += 2 * only_first - discordance in interval(b, c, n)
    return held / REPEATS


def discordant(
    draw: random.Random, n: int, only_first: float, discordance: float
) -> tuple[int, int]:
    draws = [draw.random() for _ in range(n)]
    b = sum(value < only_first for value in draws)
    return b, sum(value < discordance for value in draws) - b


def false_claims(n: int) -> float:
    """How often McNemar's exact test at 0.05 finds a difference between two equally good candidates."""
    draw = random.Random(f"false {n}")
    found = 0
    for _ in range(REPEATS):
        discordance = draw.uniform(0.02, 0.6)
        found += mcnemar_exact(*discordant(draw, n, discordance / 2, discordance)) <= 0.05
    return found / REPEATS


def fields_right(draw: random.Random) -> float:
    return sum(draw.random() < 0.8 for _ in range(5)) / 5


def mostly_perfect(draw: random.Random) -> float:
    return 1.0 if draw.random() < 0.8 else draw.random()


def score_coverage(score: Callable[[random.Random], float], truth: float, n: int) -> float:
    draw = random.Random(f"score {n}")
    held = sum(
        truth in mean_interval([score(draw) for _ in range(n)]) for _ in range(CLUSTER_REPEATS)
    )
    return held / CLUSTER_REPEATS


def difference_coverage(n: int) -> float:
    """Coverage of the t interval of a paired difference, 0.1 in truth, between two kinds of scores."""
    draw = random.Random(f"difference {n}")
    held = 0
    for _ in range(CLUSTER_REPEATS):
        apart = [mostly_perfect(draw) - fields_right(draw) for _ in range(n)]
        held += 0.1 in clustered_mean(apart, range(n)).interval
    return held / CLUSTER_REPEATS


def equal_coverage(n: int) -> float:
    """The same between two of one kind."""
    draw = random.Random(f"equal {n}")
    held = 0
    for _ in range(CLUSTER_REPEATS):
        apart = [mostly_perfect(draw) - mostly_perfect(draw) for _ in range(n)]
        held += 0 in clustered_mean(apart, range(n)).interval
    return held / CLUSTER_REPEATS


def mean_coverage(score: Callable[[random.Random], float], truth: float, n: int) -> float:
    draw = random.Random(f"mean {n}")
    held = 0
    for repeat in range(BOOTSTRAP_REPEATS):
        values = [score(draw) for _ in range(n)]
        held += truth in bootstrap_mean(values, seed=repeat, resamples=BOOTSTRAP_RESAMPLES)
    return held / BOOTSTRAP_REPEATS


def paired_mean(n: int) -> tuple[float, float]:
    """Coverage of the paired interval, and false claims of the sign-flip test, with no difference."""
    draw = random.Random(f"paired mean {n}")
    held = found = 0
    for repeat in range(BOOTSTRAP_REPEATS):
        first = [mostly_perfect(draw) for _ in range(n)]
        second = [mostly_perfect(draw) for _ in range(n)]
        means = paired_bootstrap(first, second, seed=repeat, resamples=BOOTSTRAP_RESAMPLES)
        held += 0 in means.interval
        found += means.p <= 0.05
    return held / BOOTSTRAP_REPEATS, found / BOOTSTRAP_REPEATS


def grouped_shares(
    draw: random.Random, groups: int, truth: float, alikeness: float
) -> tuple[list[bool], list[int]]:
    """Rows of groups of 1 to 8, whose own shares vary so that rows of a group correlate by `alikeness`."""
    spread = (1 - alikeness) / alikeness
    passed: list[bool] = []
    labels: list[int] = []
    for group in range(groups):
        own = draw.betavariate(truth * spread, (1 - truth) * spread)
        size = draw.randint(1, 8)
        passed += [draw.random() < own for _ in range(size)]
        labels += [group] * size
    return passed, labels


def clustered_share_coverage(groups: int) -> tuple[float, float]:
    """Coverage of the clustered interval, and of Wilson's that takes rows for independent."""
    draw = random.Random(f"clustered share {groups}")
    held = naive = 0
    for _ in range(CLUSTER_REPEATS):
        truth = draw.uniform(0.5, 0.95)
        passed, labels = grouped_shares(draw, groups, truth, draw.uniform(0.05, 0.5))
        held += truth in mean_interval(passed, labels)
        naive += truth in wilson(sum(passed), len(passed))
    return held / CLUSTER_REPEATS, naive / CLUSTER_REPEATS


def clustered_difference(groups: int) -> tuple[float, float]:
    """Coverage of the interval of a paired difference, and false claims of the test, rows in groups."""
    draw = random.Random(f"clustered difference {groups}")
    held = found = 0
    for repeat in range(CLUSTER_REPEATS):
        base = draw.uniform(0.5, 0.9)
        lift = draw.choice([0.0, draw.uniform(0, 0.95 - base)])
        alikeness = draw.uniform(0.05, 0.5)
        first, labels = grouped_shares(draw, groups, base + lift, alikeness)
        second: list[bool] = []
        spread = (1 - alikeness) / alikeness
        for group in range(groups):
            own = draw.betavariate(base * spread, (1 - base) * spread)
            second += [draw.random() < own for _ in range(labels.count(group))]
        apart = [float(x) - float(y) for x, y in zip(first, second, strict=True)]
        held += lift in clustered_mean(apart, labels).interval
        found += (
            lift == 0 and clustered_sign_flip(apart, labels, seed=repeat, resamples=500) <= 0.05
        )
    return held / CLUSTER_REPEATS, 2 * found / CLUSTER_REPEATS


def clustered_score_coverage(groups: int) -> float:
    """Coverage of the interval of a mean of five-field scores, rows in groups."""
    draw = random.Random(f"clustered score {groups}")
    held = 0
    for _ in range(CLUSTER_REPEATS):
        values: list[float] = []
        labels: list[int] = []
        spread = (1 - 0.3) / 0.3
        for group in range(groups):
            own = draw.betavariate(0.8 * spread, 0.2 * spread)
            for _ in range(draw.randint(1, 8)):
                values.append(sum(draw.random() < own for _ in range(5)) / 5)
                labels.append(group)
        held += 0.8 in mean_interval(values, labels)
    return held / CLUSTER_REPEATS


def line(title: str, figures: list[float]) -> None:
    print(f"{title:<44}" + "".join(f"{100 * figure:>8.1f}%" for figure in figures))


def main() -> None:
    print(f"{'rows':<44}" + "".join(f"{n:>9}" for n in SIZES))
    line("share: Wilson, coverage", [share_coverage(wilson, n) for n in SIZES])
    line("share: normal, coverage", [share_coverage(normal_share, n) for n in SIZES])
    line("paired shares: Tango, coverage", [paired_coverage(tango, n) for n in SIZES])
    line("paired shares: normal, coverage", [paired_coverage(normal_paired, n) for n in SIZES])
    line("paired shares: McNemar exact, false claims", [false_claims(n) for n in SIZES])
    line(
        "mean of field shares: Wilson's form, coverage",
        [score_coverage(fields_right, 0.8, n) for n in SIZES],
    )
    line(
        "mean, mostly 1: Wilson's form, coverage",
        [score_coverage(mostly_perfect, 0.9, n) for n in SIZES],
    )
    line("paired means: t, coverage", [difference_coverage(n) for n in SIZES])
    line("paired means, no difference: t, coverage", [equal_coverage(n) for n in SIZES])
    line(
        "mean of field shares: BCa, coverage", [mean_coverage(fields_right, 0.8, n) for n in SIZES]
    )
    line("mean, mostly 1: BCa, coverage", [mean_coverage(mostly_perfect, 0.9, n) for n in SIZES])
    paired = [paired_mean(n) for n in SIZES]
    line("paired means: BCa, coverage", [coverage for coverage, _ in paired])
    line("paired means: sign flip, false claims", [claims for _, claims in paired])
    print(f"{'groups of 1 to 8 rows':<44}" + "".join(f"{n:>9}" for n in SIZES))
    shares = [clustered_share_coverage(n) for n in SIZES]
    line("share in groups: clustered, coverage", [clustered for clustered, _ in shares])
    line("share in groups: Wilson, coverage", [naive for _, naive in shares])
    line("scores in groups: Wilson's form, coverage", [clustered_score_coverage(n) for n in SIZES])
    differences = [clustered_difference(n) for n in SIZES]
    line("difference in groups: t, coverage", [coverage for coverage, _ in differences])
    line("difference in groups: sign flip, false", [claims for _, claims in differences])
    print(f"{time.process_time():.0f} CPU seconds")


if __name__ == "__main__":
    main()
