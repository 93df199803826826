"""Equivalence within a margin: the rule holds, and it keeps its word."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpt4o_tune.evaluation import equivalence, tango

SCORES = st.lists(st.sampled_from([0.0, 1.0]), min_size=1, max_size=80)
PAIRS = SCORES.flatmap(
    lambda old: st.tuples(
        st.just(old),
        st.lists(st.sampled_from([0.0, 1.0]), min_size=len(old), max_size=len(old)),
    )
)
MARGINS = st.floats(0.01, 0.9)


@given(PAIRS, MARGINS)
def test_equivalent_exactly_where_the_interval_lies_within(
    pair: tuple[list[float], list[float]], margin: float
) -> None:
    """Two one-sided tests at 5 % are the 90 % interval within the margin."""
    old, new = pair
    wins = sum(a > b for a, b in zip(new, old, strict=True))
    losses = sum(a < b for a, b in zip(new, old, strict=True))
    interval = tango(wins, losses, len(old), confidence=0.9)

    found = equivalence(new, old, margin=margin)

    assert (found.outcome == "equivalent") == (-margin < interval.low and interval.high < margin)
    assert (equivalence(new, old, margin=margin, one_sided=True).outcome == "equivalent") == (
        -margin < interval.low
    )


@given(PAIRS, MARGINS)
def test_the_two_sides_mirror_each_other(
    pair: tuple[list[float], list[float]], margin: float
) -> None:
    """Better one way is worse the other way, and equivalence has no direction."""
    old, new = pair
    mirrored = {"better": "worse", "worse": "better"}

    there, back = equivalence(new, old, margin=margin), equivalence(old, new, margin=margin)

    assert back.outcome == mirrored.get(there.outcome, there.outcome)
    assert back.difference == pytest.approx(-there.difference)


def test_false_claims_stay_near_the_level() -> None:
    """Of pairs whose true difference is the margin itself, about one in twenty is called equivalent."""
    draw = random.Random(5)
    claims = 0
    for _ in range(400):
        pairs = [draw.choices([(1, 0), (0, 1), (1, 1)], [0.05, 0.15, 0.8])[0] for _ in range(150)]
        new, old = ([float(each[n]) for each in pairs] for n in (0, 1))
        claims += equivalence(new, old, margin=0.1).outcome == "equivalent"

    assert 0.01 * 400 <= claims <= 0.08 * 400


def test_the_rows_it_asks_for_are_enough() -> None:
    """With as many rows as named and no true difference, four in five comparisons show it."""
    small = equivalence([1, 0, 1, 1] * 10, [0, 1, 1, 1] * 10, margin=0.1)
    needed = small.rows_needed or 0
    draw = random.Random(6)
    shown = 0
    for _ in range(100):
        pairs = [
            draw.choices([(1, 0), (0, 1), (1, 1)], [0.25, 0.25, 0.5])[0] for _ in range(needed)
        ]
        new, old = ([float(each[n]) for each in pairs] for n in (0, 1))
        shown += equivalence(new, old, margin=0.1).outcome == "equivalent"

    assert small.outcome == "not shown"
    assert shown >= 70


@pytest.mark.parametrize("n", [10, 200])
def test_equal_scores_are_no_proof_by_themselves(n: int) -> None:
    """Without any difference, ten rows show nothing and two hundred do; the sentence says how many."""
    found = equivalence([0.5] * n, [0.5] * n)

    assert found.outcome == ("equivalent" if n == 200 else "not shown")
    assert found.difference == 0
    assert found.interval.low < 0 < found.interval.high
    assert ("need about" in found.verdict) == (n == 10)


def test_few_scores_by_degrees_show_no_equivalence() -> None:
    """A bootstrap over a dozen rows is too narrow to be trusted, and the rule says so."""
    found = equivalence([0.51, 0.49] * 6, [0.5, 0.5] * 6)

    assert found.outcome == "not shown"
    assert "30 rows" in found.rule


def test_a_clear_difference_is_named() -> None:
    """Worse is said with its figures and its rule, as text and as plain values."""
    found = equivalence([0.0] * 30 + [1.0] * 10, [1.0] * 40)

    assert found.outcome == "worse"
    assert "-75.0 points" in str(found)
    assert found.to_dict()["rule"] == found.rule
    assert "p < 0.0001" in found._repr_html_().replace("&lt;", "<")


@pytest.mark.parametrize("margin", [0, 1, -0.1])
def test_a_margin_lies_between_nothing_and_everything(margin: float) -> None:
    """Other margins ask nothing that can be tested."""
    with pytest.raises(ValueError, match="margin"):
        equivalence([1.0], [1.0], margin=margin)


def test_no_rows_no_test() -> None:
    """Nothing can be shown by nothing."""
    with pytest.raises(ValueError, match="no rows"):
        equivalence([], [])
