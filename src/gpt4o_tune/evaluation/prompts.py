"""Split a training row into what is asked and what should be answered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, TypeGuard, cast

from gpt4o_tune.errors import DatasetError

__all__ = ["SplitRow", "split_row"]


class SplitRow(NamedTuple):
    """A row as a question with its answer."""

    prompt: list[dict[str, object]]
    """The messages before the reference answer, ready to send."""

    reference: str
    """The text of the reference answer."""


def split_row(row: Mapping[str, object]) -> SplitRow:
    """Take the last assistant message as the reference answer and all before it as the prompt.

    Of a preference row, the preferred output is the reference. The `weight` of a message, which belongs
    to training alone, is left out of the prompt.

    Args:
        row: A chat or preference row as parsed from its line.

    Raises:
        DatasetError: The row does not end in an assistant's text, or nothing stands before it.
    """
    messages = _messages(row)
    if not messages:
        raise DatasetError("it has no messages")
    *prompt, last = messages
    if last.get("role") != "assistant":
        raise DatasetError(f"its last message is from {last.get('role')!r}, not from the assistant")
    reference = _text(last.get("content"))
    if reference is None:
        calls = "tool_calls" in last or "function_call" in last
        kind = "a tool call" if calls else "no text"
        raise DatasetError(f"its last message holds {kind}, and only text can be compared")
    if not prompt:
        raise DatasetError("nothing stands before its reference answer, so there is nothing to ask")
    return SplitRow([_without_weight(message) for message in prompt], reference)


def _messages(row: Mapping[str, object]) -> list[Mapping[str, object]]:
    if "preferred_output" in row:
        asked = row.get("input")
        before = _objects(asked.get("messages")) if _is_object(asked) else []
        return [*before, *_objects(row["preferred_output"])]
    return _objects(row.get("messages"))


def _objects(value: object) -> list[Mapping[str, object]]:
    if not isinstance(value, Sequence) or isinstance(value, str):
        return []
    return [entry for entry in cast("Sequence[object]", value) if _is_object(entry)]


def _is_object(value: object) -> TypeGuard[Mapping[str, object]]:
    return isinstance(value, Mapping)


def _text(content: object) -> str | None:
    if isinstance(content, str):
        return content
    texts = [part.get("text") for part in _objects(content) if part.get("type") == "text"]
    return "".join(text for text in texts if isinstance(text, str)) if texts else None


def _without_weight(message: Mapping[str, object]) -> dict[str, object]:
    return {key: value for key, value in message.items() if key != "weight"}
