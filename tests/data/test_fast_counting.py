"""Counts of the extra `fast` are tiktoken's, text for text; without it nothing changes but the time."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpt4o_tune.catalog import DEFAULT_MODEL
from gpt4o_tune.data._fast_counting import agrees, fast_encoder, is_worth
from gpt4o_tune.data._store import RowStore
from gpt4o_tune.data._survey import Wanted, survey
from gpt4o_tune.data.vocabulary import encoding
from tests.data.cases import as_bytes, call, calling, chat, many, result, user

if TYPE_CHECKING:
    from pathlib import Path

pytest.importorskip("gigatoken", reason="the extra 'fast' is not installed")

ADVERSARIAL = [
    "<|endoftext|> is text here, and so is <|endofprompt|>",
    "' \u017f'\u017f '\u017fT don't DON'T we'Ll",
    "a" * 20_000,
    " " * 20_000 + "end",
    "\n" * 5_000,
    "\t \u00a0\u3000" * 1_000,
    "ab" * 10_000 + "é" * 3_000,
    "👩‍👩‍👧‍👦🏳️‍🌈" * 500,
    "नमस्ते दुनिया สวัสดีชาวโลก こんにちは世界 مرحبا بالعالم" * 50,
    "\x00\x01\x7f\u0085\u2028\ufeff" * 200,
    "def f(x):\n\treturn {**x, 'k': [1_000, 0x1F, 3.14e-10]}\r\n" * 100,
    "0123456789" * 500,
    "é e\u0301 \ufb01 Ǆ ǅ ǆ İ \u0131 ß ẞ",
]


@pytest.mark.parametrize("name", ["o200k_base", "cl100k_base"])
def test_ids_are_those_of_tiktoken(name: str) -> None:
    """Both tokenizers give the same ids for texts made to part them."""
    reference = encoding(name).encode_ordinary

    assert fast_encoder(name)(ADVERSARIAL) == [reference(text) for text in ADVERSARIAL]
    assert agrees(name, ADVERSARIAL)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.text(max_size=60), min_size=1, max_size=20))
def test_any_text_has_the_same_ids(texts: list[str]) -> None:
    """No text of hypothesis parts them either."""
    reference = encoding("o200k_base").encode_ordinary
    writable = [text for text in texts if text.isprintable() or text.isascii()]

    assert fast_encoder("o200k_base")(writable) == [reference(text) for text in writable]


def test_rows_have_the_same_counts(tmp_path: Path) -> None:
    """Chats, tools, calls and repeated texts count the same, alone and with a helper."""
    rows = many(200) + calling(call()) + chat(user("a"), *calling()[0]["messages"][1:], result())
    rows += [chat(user(text))[0] for text in ADVERSARIAL]
    random.Random(3).shuffle(rows)
    path = tmp_path / "data.jsonl"
    path.write_bytes(as_bytes(rows) * 2)
    store = RowStore.from_file(path)
    wanted = Wanted(
        format="chat",
        model=DEFAULT_MODEL,
        provider="openai",
        method="supervised",
        judge=True,
        count=True,
    )

    slow = survey(store, range(len(store)), wanted, helpers=0)

    for helpers in (0, 1):
        assert survey(store, range(len(store)), replace(wanted, fast=True), helpers=helpers) == slow


def test_small_files_are_left_to_tiktoken() -> None:
    """Loading a second tokenizer pays only where there is much to count."""
    assert not is_worth("o200k_base", 100_000)
    assert is_worth("o200k_base", 100_000_000)
    assert not is_worth("p50k_base", 100_000_000)
