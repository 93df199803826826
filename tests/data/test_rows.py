"""Row models say what sound rows look like, and lose nothing."""

from __future__ import annotations

import json

import pytest
from pydantic import ValidationError

from gpt4o_tune.data import Dataset
from gpt4o_tune.data.rows import (
    AssistantMessage,
    ChatRow,
    ImagePart,
    PreferenceRow,
    ReinforcementRow,
    ToolMessage,
    UserMessage,
)
from tests.data.cases import CASES, answer, chat, exchange, image, pair, result, showing, user


def test_a_row_is_typed_by_role() -> None:
    """Each message is of the class of its role, with calls and results as values."""
    row = Dataset.from_records(exchange(result(), answer(weight=0)))[0]
    assert isinstance(row, ChatRow)
    question, asks, tells, last = row.messages
    assert isinstance(question, UserMessage)
    assert isinstance(asks, AssistantMessage)
    assert isinstance(tells, ToolMessage)
    assert isinstance(last, AssistantMessage)
    assert asks.tool_calls is not None
    assert json.loads(asks.tool_calls[0].function.arguments) == {"city": "Bonn"}
    assert tells.tool_call_id == asks.tool_calls[0].id
    assert last.weight == 0
    assert row.tools is not None
    assert row.tools[0].function.name == "weather"


def test_images_are_parts() -> None:
    """Content may be text or a tuple of parts."""
    message = Dataset.from_records(showing(image(detail="low")))[0].messages[0]
    part = message.content[1]
    assert isinstance(part, ImagePart)
    assert part.image_url.detail == "low"


def test_the_other_formats_have_models() -> None:
    """Preference pairs, and reinforcement prompts with the grader's fields."""
    preferred = Dataset.from_records(pair())[0]
    assert isinstance(preferred, PreferenceRow)
    assert preferred.preferred_output[0].content == "On its way."
    prompt = Dataset.from_records(chat(user(), reference="42"))[0]
    assert isinstance(prompt, ReinforcementRow)
    assert prompt.reference == "42"  # type: ignore[attr-defined]  # a field of the user's own


def test_rows_are_frozen() -> None:
    """A row is a value."""
    row = Dataset.from_records(chat())[0]
    with pytest.raises(ValidationError, match="frozen"):
        row.messages = ()  # type: ignore[misc]


def test_unknown_keys_stay() -> None:
    """Reading loses nothing; `check` is where unknown keys are reported."""
    row = Dataset.from_records(chat(user(mood="calm"), answer(), customer=7))[0]
    assert row.customer == 7  # type: ignore[union-attr]  # as above
    assert row.messages[0].mood == "calm"  # type: ignore[union-attr]  # as above


@pytest.mark.parametrize("case", [case for case in CASES if isinstance(case.passes, list)], ids=str)
def test_models_write_what_they_read(case: object) -> None:
    """Every sound row of the table goes through its model and comes back equal."""
    rows = case.passes  # type: ignore[attr-defined]  # a `Case`
    data = Dataset.from_records(rows, format=case.format)  # type: ignore[attr-defined]  # as above
    assert list(Dataset.from_records(data).records()) == json.loads(json.dumps(rows))
