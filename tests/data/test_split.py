"""A split is a partition that keeps groups whole, is the same every time and has the size asked for."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpt4o_tune.data.similarity import straddling
from gpt4o_tune.data.split import TEST, TRAIN, VALIDATION, Split, assign

if TYPE_CHECKING:
    import random

SHARES = st.floats(min_value=0, max_value=0.45)
GROUPS = st.lists(st.integers(min_value=0, max_value=30), min_size=1, max_size=80)


def keys(count: int) -> list[bytes]:
    """Make a key per row."""
    return [b"row %d" % number for number in range(count)]


def single(count: int) -> range:
    """Make groups of one row each."""
    return range(count)


@given(GROUPS, SHARES, SHARES, st.integers(min_value=-5, max_value=5))
def test_groups_stay_whole_and_every_part_gets_rows(
    groups: list[int], validation: float, test: float, seed: int
) -> None:
    """No group is divided; asked parts are empty only where there are too few groups."""
    parts = assign(groups, keys(len(groups)), validation=validation, test=test, seed=seed)
    by_group = {group: set[int]() for group in groups}
    for group, part in zip(groups, parts, strict=True):
        by_group[group].add(part)
    assert all(len(its_parts) == 1 for its_parts in by_group.values())
    assert TRAIN in parts
    assert (VALIDATION in parts) == (validation > 0 and len(by_group) >= 2)
    assert (TEST in parts) == (test > 0 and len(by_group) >= 2 + (validation > 0))


@given(GROUPS, SHARES)
def test_size_is_within_the_bounds_stated(groups: list[int], validation: float) -> None:
    """Never above the size asked for but for one group; below it only where no group fits."""
    parts = assign(groups, keys(len(groups)), validation=validation, seed=1)
    sizes = Counter(groups)
    held_out = {group for group, part in zip(groups, parts, strict=True) if part == VALIDATION}
    size = sum(sizes[group] for group in held_out)
    target = int(validation * len(groups) + 0.5)
    assert size <= target or len(held_out) == 1
    left = [sizes[group] for group in sizes if group not in held_out]
    if size < target and len(left) > 1:
        assert min(left) > target - size


@pytest.mark.parametrize(
    ("count", "validation", "test"), [(50, 0.1, 0.0), (1_000, 0.1, 0.2), (13, 0.1, 0.1)]
)
def test_single_rows_give_the_exact_size(count: int, validation: float, test: float) -> None:
    """Without groups each part has the rounded size that was asked for."""
    parts = assign(single(count), keys(count), validation=validation, test=test)
    assert parts.count(VALIDATION) == int(validation * count + 0.5)
    assert parts.count(TEST) == int(test * count + 0.5)


@given(GROUPS, SHARES, st.randoms(use_true_random=False))
def test_order_of_rows_does_not_matter(
    groups: list[int], share: float, draw: random.Random
) -> None:
    """Shuffled rows, with their groups renumbered, keep their parts."""
    rows = keys(len(groups))
    order = list(range(len(groups)))
    draw.shuffle(order)
    parts = assign(groups, rows, validation=share, test=share)
    shuffled = assign(
        [100 - groups[row] for row in order],
        [rows[row] for row in order],
        validation=share,
        test=share,
    )
    assert shuffled == [parts[row] for row in order]


def test_seed_changes_the_draw() -> None:
    """The same seed gives the same parts, another seed others."""
    first, again, other = (
        assign(single(100), keys(100), validation=0.2, seed=seed) for seed in (1, 1, 2)
    )
    assert first == again
    assert first != other


@given(
    st.integers(min_value=20, max_value=200),
    st.integers(min_value=1, max_value=60),
    st.integers(min_value=0, max_value=1_000),
)
def test_added_rows_move_old_ones_only_across_the_borders(
    count: int, added: int, seed: int
) -> None:
    """An old row leaves a held-out part only for a new one, and none goes from one to the other."""
    options = {"validation": 0.2, "test": 0.1, "seed": seed}
    before = assign(single(count), keys(count), **options)
    after = assign(single(count + added), keys(count + added), **options)
    for part in (VALIDATION, TEST):
        left = sum(
            old == part and new != part for old, new in zip(before, after[:count], strict=True)
        )
        entered = sum(
            old != part and new == part for old, new in zip(before, after[:count], strict=True)
        )
        grew = after.count(part) - before.count(part)
        newcomers = after[count:].count(part)
        assert left == max(0, newcomers - grew)
        assert entered == max(0, grew - newcomers)
    assert not any(
        {old, new} == {VALIDATION, TEST} for old, new in zip(before, after[:count], strict=True)
    )


def test_a_tenth_more_rows_move_few_old_ones() -> None:
    """Adding 100 rows to 1,000 moves a handful, where a fresh draw would move 180."""
    before = assign(single(1_000), keys(1_000), validation=0.1)
    after = assign(single(1_100), keys(1_100), validation=0.1)
    assert sum(old != new for old, new in zip(before, after[:1_000], strict=True)) <= 10


def test_strata_keep_their_shares() -> None:
    """Each class has its share of the held-out part, to the row."""
    strata = ["common"] * 900 + ["rare"] * 100
    parts = assign(single(1_000), keys(1_000), validation=0.1, test=0.2, strata=strata)
    for part, share in ((VALIDATION, 0.1), (TEST, 0.2)):
        held_out = Counter(
            stratum for stratum, its_part in zip(strata, parts, strict=True) if its_part == part
        )
        assert held_out == {"common": 900 * share, "rare": 100 * share}


@given(st.lists(st.sampled_from("abc"), min_size=2, max_size=60), SHARES)
def test_strata_are_within_a_row_of_their_shares(strata: list[str], share: float) -> None:
    """No class is off its share by a whole row, and the total is as without classes."""
    parts = assign(single(len(strata)), keys(len(strata)), validation=share, strata=strata)
    target = int(share * len(strata) + 0.5)
    if share == 0 or target == 0:
        assert parts.count(VALIDATION) == (share > 0)
        return
    assert parts.count(VALIDATION) == target
    for stratum, size in Counter(strata).items():
        held_out = [part for part, its in zip(parts, strata, strict=True) if its == stratum].count(
            VALIDATION
        )
        assert abs(held_out - share * size) < 1


def test_large_group_goes_to_training() -> None:
    """A group too large for the held-out part is trained on; single rows fill the part."""
    groups = [0] * 60 + list(range(1, 41))
    parts = assign(groups, keys(100), validation=0.1)
    assert parts[:60] == [TRAIN] * 60
    assert parts.count(VALIDATION) == 10


def test_equal_groups_share_evenly() -> None:
    """Where all groups are too large, the part gets the one group that it must have."""
    parts = assign([0] * 5 + [1] * 5, keys(10), validation=0.1)
    assert Counter(parts) == {TRAIN: 5, VALIDATION: 5}


@pytest.mark.parametrize(
    ("validation", "test", "message"),
    [
        (-0.1, 0, "validation must be a share"),
        (0.1, -0.1, "test must be a share"),
        (1.0, 0, "validation must be a share"),
        (10, 0, "validation must be a share"),
        (float("nan"), 0, "validation must be a share"),
        (0.5, 0.5, "leave nothing to train on"),
    ],
)
def test_impossible_shares_are_refused(validation: float, test: float, message: str) -> None:
    """Shares are from 0 to below 1 and leave something to train on."""
    with pytest.raises(ValueError, match=message):
        assign(single(10), keys(10), validation=validation, test=test)


def test_sequences_of_different_length_are_refused() -> None:
    """Groups, keys and strata describe the same rows."""
    with pytest.raises(ValueError, match="one entry per row"):
        assign(single(3), keys(2), validation=0.1)
    with pytest.raises(ValueError, match="one entry per row"):
        assign(single(3), keys(3), validation=0.1, strata=["a"])


def test_no_rows_give_no_parts() -> None:
    """An empty dataset is divided into nothing."""
    assert assign([], [], validation=0.1, test=0.1) == []


def test_split_unpacks_in_order() -> None:
    """A split unpacks into two parts, or three where a test part was asked for."""
    leakage = straddling([], [])
    train, validation = Split(train="t", validation="v", test=None, leakage=leakage)
    assert (train, validation) == ("t", "v")
    assert list(Split(train="t", validation="v", test="x", leakage=leakage)) == ["t", "v", "x"]
