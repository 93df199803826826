"""One pass over many rows gives what looking at one row after the other gives, in however many processes."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpt4o_tune.catalog import DEFAULT_MODEL, load
from gpt4o_tune.data import Dataset
from gpt4o_tune.data._keys import row_key
from gpt4o_tune.data._survey import Wanted, survey
from gpt4o_tune.data.checks import check, describe_whole, scope_for
from gpt4o_tune.data.tokens import count_row
from gpt4o_tune.errors import DatasetError
from tests.data.cases import CASES, as_bytes, chat, many

if TYPE_CHECKING:
    from pathlib import Path

TEXTS = st.text(max_size=12) | st.sampled_from(["", " ", "\n", "Hi", 'a": "b', "\\", '\\"', "ſ"])
ROLES = st.sampled_from(["system", "user", "assistant", "tool", "developer", "System", "x"])
MESSAGES = st.fixed_dictionaries(
    {"role": ROLES, "content": TEXTS | st.none()},
    optional={"weight": st.sampled_from([0, 1, 2, True, 1.0, None, "1"]), "name": TEXTS},
)
ROWS = st.fixed_dictionaries(
    {"messages": st.lists(MESSAGES, max_size=5)},
    optional={"tools": st.just([]), "id": st.integers()},
)
PLAIN = st.lists(TEXTS, min_size=1, max_size=4).map(
    lambda texts: {
        "messages": [
            {"role": "user" if place % 2 else "assistant", "content": text}
            for place, text in enumerate(texts, start=1)
        ]
    }
)


@st.composite
def lines(draw: st.DrawFn) -> bytes:
    """A row as some program may have written it, often damaged in a byte or two."""
    row = draw(ROWS | PLAIN)
    line = json.dumps(row, ensure_ascii=draw(st.booleans())).encode("utf-8", "surrogatepass")
    for _ in range(draw(st.sampled_from([0, 0, 0, 1, 2]))):
        place = draw(st.integers(0, len(line)))
        cut = draw(st.integers(0, 2))
        put = draw(st.sampled_from([b"", b'"', b"\\", b",", b" ", b"\x01", b"\xff", b"\\ud800", b"}"]))
        line = line[:place] + put + line[place + cut :]
    return line.replace(b"\n", b"") + draw(st.sampled_from([b"\n", b"\r\n"]))


@settings(max_examples=150)
@given(st.lists(lines(), min_size=1, max_size=12))
def test_the_short_way_finds_what_the_long_way_finds(
    tmp_path_factory: pytest.TempPathFactory, rows: list[bytes]
) -> None:
    """A check of a file reports exactly what every rule, applied to every row, reports."""
    path = tmp_path_factory.mktemp("rows") / "data.jsonl"
    path.write_bytes(b"".join(rows))
    data = Dataset.from_jsonl(path, format="chat")
    scope = scope_for(DEFAULT_MODEL, provider="openai", method="supervised", format="chat")

    report = data.check()

    reference = check(data.numbered(), source=describe_whole(data), scope=scope)
    assert list(report.problems) == reference
