"""What is asked: texts, conversations or training rows, each as the body of one chat request."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, cast

from gpt4o_tune.data import Dataset

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Messages", "Request", "encode", "requests_of"]

Messages = Sequence[Mapping[str, object]]
Request = dict[str, object]
"""Fields of a chat request other than the model and what is the same for all."""

PER_ROW = ("tools", "parallel_tool_calls")
"""Fields of a training row that belong to the question."""
UNFIT = {
    "n": "one answer is kept for each input",
    "stream": "answers are taken whole",
    "stream_options": "answers are taken whole",
    "model": "the model asked is this one",
    "messages": "the messages are the inputs",
}


def requests_of(
    inputs: Iterable[str | Messages] | Dataset,
    *,
    system: str | None,
    parameters: Mapping[str, object],
) -> list[Request]:
    """Make one request of each input.

    Args:
        inputs: Texts, to which the system prompt is added; conversations as they are; or a dataset, of
            whose rows the last answer is left out and the tools are kept.
        system: The system prompt for texts, or None.
        parameters: Fields that all requests share; a row's own ones win.

    Raises:
        ValueError: A parameter does not fit many calls.
        TypeError: An input is neither text nor conversation.
    """
    for name in parameters:
        if name in UNFIT:
            raise ValueError(f"leave out {name!r}: {UNFIT[name]}")
    if isinstance(inputs, Dataset):
        return [{**parameters, **_prompt(row)} for row in inputs.records()]
    if isinstance(inputs, str):
        raise TypeError("inputs is one text; pass a list of texts, or use ask() for a single one")
    opening: list[Mapping[str, object]] = [{"role": "system", "content": system}] if system else []
    requests: list[Request] = []
    for number, entry in enumerate(cast("Iterable[object]", inputs)):
        if isinstance(entry, str):
            messages = [*opening, {"role": "user", "content": entry}]
        elif (
            isinstance(entry, Sequence) and entry and _are_messages(cast("Sequence[object]", entry))
        ):
            messages = list(cast("Messages", entry))
        else:
            raise TypeError(
                f"input {number} is neither a text nor a list of messages with a role: {entry!r:.80}"
            )
        requests.append({**parameters, "messages": messages})
    return requests


def encode(request: Mapping[str, object], *, model: str) -> bytes:
    """Write the body that is sent; equal requests give equal bytes.

    Raises:
        TypeError: A value is no JSON.
    """
    return json.dumps(
        {"model": model, **request}, ensure_ascii=False, separators=(",", ":"), sort_keys=True
    ).encode()


def _prompt(row: Mapping[str, object]) -> Request:
    asked = row.get("input")
    source = cast("Mapping[str, object]", asked if isinstance(asked, Mapping) else row)
    found = source.get("messages")
    messages = list(cast("Messages", found if isinstance(found, list) else []))
    if source is row and messages and messages[-1].get("role") == "assistant":
        del messages[-1]
    own = {name: source[name] for name in PER_ROW if source.get(name) is not None}
    # Weights belong to training alone.
    bare = [{key: value for key, value in m.items() if key != "weight"} for m in messages]
    return {**own, "messages": bare}


def _are_messages(entry: Sequence[object]) -> bool:
    return all(isinstance(message, Mapping) and "role" in message for message in entry)
