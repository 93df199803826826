"""Mixing blends in a share of general rows: chosen by content, evenly spread, byte for byte."""

from __future__ import annotations

import os
import pickle
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpt4o_tune.data import Dataset
from gpt4o_tune.errors import DatasetError
from tests.data.cases import Row, answer, chat, many, pair, user

if TYPE_CHECKING:
    from pathlib import Path


def general_rows(count: int) -> list[Row]:
    """Make rows of general conversation, no two equal."""
    return [chat(user(f"Tell me about {n}."), answer(f"It is {n}."))[0] for n in range(count)]


TASK = Dataset.from_records(many(40))
GENERAL = Dataset.from_records(general_rows(200))


def raws(data: Dataset) -> list[bytes]:
    """Return all rows as bytes."""
    return [data.raw(number) for number in range(len(data))]


def taken(mixed: Dataset) -> set[bytes]:
    """Return the general rows in a blend."""
    return set(raws(mixed)) & set(raws(GENERAL))


@given(
    own=st.integers(1, 40),
    ratio=st.floats(0.01, 0.8),
    seed=st.integers(0, 100),
)
def test_the_blend_has_the_share_and_every_own_row(own: int, ratio: float, seed: int) -> None:
    """Own rows all stay, in order; general ones are distinct, in order, and make up the share."""
    data = TASK[:own]
    mixed = raws(data.mix(GENERAL, ratio, seed=seed))

    general = [raw for raw in mixed if raw in set(raws(GENERAL))]
    assert [raw for raw in mixed if raw not in set(raws(GENERAL))] == raws(data)
    assert general == [raw for raw in raws(GENERAL) if raw in set(general)]
    assert len(general) == max(1, round(own * ratio / (1 - ratio)))


@pytest.mark.parametrize("ratio", [0.05, 0.2, 0.5, 0.8])
def test_general_rows_stand_evenly(ratio: float) -> None:
    """Every stretch of the blend has about the same share."""
    is_general = [raw in set(raws(GENERAL)) for raw in raws(TASK.mix(GENERAL, ratio))]

    share = sum(is_general) / len(is_general)
    for end in range(len(is_general) + 1):
        assert abs(sum(is_general[:end]) - share * end) <= 1


def test_the_draw_depends_on_content_and_seed_alone() -> None:
    """Order of the general rows does not matter; another seed draws others."""
    backwards = GENERAL[::-1]

    assert taken(TASK.mix(GENERAL, 0.3)) == taken(TASK.mix(backwards, 0.3))
    assert TASK.mix(GENERAL, 0.3) == TASK.mix(GENERAL, 0.3)
    assert taken(TASK.mix(GENERAL, 0.3, seed=1)) != taken(TASK.mix(GENERAL, 0.3, seed=2))


def test_a_larger_share_or_set_keeps_what_was_drawn() -> None:
    """A smaller share is part of a larger one, and added rows displace few."""
    small, large = taken(TASK.mix(GENERAL, 0.2)), taken(TASK.mix(GENERAL, 0.4))
    fewer = taken(TASK.mix(GENERAL[:150], 0.4))

    assert small < large
    assert fewer & set(raws(GENERAL[:150])) >= large & set(raws(GENERAL[:150]))


def test_rows_keep_their_bytes_and_line_ends(tmp_path: Path) -> None:
    """Spacing, escapes and line ends come through; a last line without an end gets one."""
    own, other = tmp_path / "own.jsonl", tmp_path / "other.jsonl"
    own.write_bytes(b'{ "messages": [{"role":"user","content":"\\u00e9"}] }\r\n')
    other.write_bytes(b'\xef\xbb\xbf\n{"messages":[{"role": "user",  "content":"b"}]}')
    mixed = Dataset.from_jsonl(own, format="chat").mix(Dataset.from_jsonl(other), 0.5)

    path = mixed.to_jsonl(tmp_path / "mixed.jsonl")
    rows = sorted(path.read_bytes().splitlines(keepends=True))
    assert rows == sorted([own.read_bytes(), b'{"messages":[{"role": "user",  "content":"b"}]}\n'])


def test_the_blend_is_a_dataset_like_any_other() -> None:
    """It can be split, pickled, counted and written; lines are numbered from 1."""
    mixed = TASK.mix(GENERAL, 0.2, seed=3)

    assert mixed.source == "records"
    assert list(mixed.lines) == list(range(1, 51))
    assert pickle.loads(pickle.dumps(mixed)) == mixed  # noqa: S301
    assert mixed.tokens().total == TASK.tokens().total + sum(
        Dataset.from_records([row.model_dump(exclude_unset=True)]).tokens().total
        for row in mixed.filter(lambda row: "Tell me" in str(row.messages))
    )


def test_large_blends_lie_in_a_file_without_a_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Above 16 MiB nothing stays in memory or on the disk, and the rows are the same."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    path = tmp_path / "large.jsonl"
    with path.open("wb") as file:
        for number in range(40):
            row = f'{{"messages": [{{"role": "user", "content": "{number} {"x" * 450_000}"}}]}}\n'
            file.write(row.encode())
    data = Dataset.from_jsonl(path, format="chat")
    mixed = data.mix(GENERAL, 0.1)

    assert os.listdir(tmp_path) == ["large.jsonl"]
    assert [raw for raw in raws(mixed) if len(raw) > 1000] == raws(data)
    assert pickle.loads(pickle.dumps(mixed)) == mixed  # noqa: S301


def test_too_few_general_rows_are_refused_with_the_numbers() -> None:
    """The message says how many are needed, how many there are, and which ratio would do."""
    with pytest.raises(
        DatasetError, match=r"takes 40 general rows, and there are 10.* at most 0.2"
    ):
        TASK.mix(GENERAL[:10], 0.5)
    assert len(TASK.mix(GENERAL[:10], 0.2)) == 50


def test_general_rows_that_stand_in_the_data_are_refused() -> None:
    """The same messages on both sides are an error that says how to leave them out."""
    general = Dataset.from_records([*general_rows(20), *many(2)])

    with pytest.raises(DatasetError, match=r"2 general rows of 22 .*general\.overlap\(data\)"):
        TASK.mix(general, 0.1)
    assert len(TASK.mix(general.drop(general.overlap(TASK).rows), 0.1)) == 44


def test_formats_must_match() -> None:
    """Chat and preference rows make no training file together."""
    with pytest.raises(DatasetError, match="chat rows cannot be mixed with preference rows"):
        TASK.mix(Dataset.from_records(pair()), 0.1)


@pytest.mark.parametrize("ratio", [0, 1, -0.1, 1.5, float("nan")])
def test_a_ratio_out_of_range_is_refused(ratio: float) -> None:
    """A share lies between 0 and 1, both excluded."""
    with pytest.raises(ValueError, match="above 0 and below 1"):
        TASK.mix(GENERAL, ratio)


def test_broken_rows_are_refused_with_their_lines() -> None:
    """Rows that cannot be compared are named, whichever side they are on."""
    broken = Dataset.from_records([*many(3), {"messages": 1}])

    for data, general in ((broken, GENERAL), (TASK, broken)):
        with pytest.raises(DatasetError, match="mix rows") as error:
            data.mix(general, 0.1)
        assert error.value.problems
    with pytest.raises(DatasetError):
        TASK.mix(Dataset.from_records([]), 0.1)
