"""What readers of foreign records share: fields of the right type, calls with ids, plain messages."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

from gpt4o_tune.data.checks.rule import kind, shown
from gpt4o_tune.data.decode import decode_value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from gpt4o_tune.data.decode import Json, JsonObject


class Unsayable(ValueError):  # noqa: N818  # says what happened, not that it is an error
    """A record that does not become a row, or a row that a form has no place for."""


class Reader(NamedTuple):
    """How a form is recognised and read."""

    matches: Callable[[JsonObject], bool]
    """Whether a record has the fields of the form."""
    read: Callable[[JsonObject], JsonObject]
    """The row of a record."""
    fields: frozenset[str] | None
    """What of a record may reach the row; None where the rest is an API's own and not worth a word."""


def text(record: JsonObject, key: str) -> str:
    """Return a field that must be text.

    Raises:
        Unsayable: It is not there, or is not text.
    """
    value = record.get(key)
    if isinstance(value, str):
        return value
    if value is None:
        raise Unsayable(f"{key!r} is missing or empty")
    raise Unsayable(f"{key!r} is {kind(value)}, not text")


def optional_text(record: JsonObject, key: str) -> str | None:
    """Return a field that may be missing; text that is empty counts as missing.

    Raises:
        Unsayable: It is not text.
    """
    return None if record.get(key) is None else text(record, key) or None


def require_unjudged(record: JsonObject) -> None:
    """Refuse TRL's unpaired preference, whose answer may be a bad one.

    Raises:
        Unsayable: The record says whether its answer is good.
    """
    if isinstance(record.get("label"), bool):
        raise Unsayable(
            "it has a 'label' that judges the completion; keep the records whose label is true, and "
            "leave 'label' out"
        )


def objects(value: Json, path: str) -> list[JsonObject]:
    """Return a list of objects, which may be given as JSON text.

    Raises:
        Unsayable: It is something else.
    """
    if isinstance(value, str):
        value = parsed(value, path)
    if not isinstance(value, list):
        what = "missing" if value is None else kind(value)
        raise Unsayable(f"{path!r} is {what}; it must be a list of objects")
    found: list[JsonObject] = []
    for place, item in enumerate(value):
        if not isinstance(item, dict):
            raise Unsayable(f"{path}[{place}] is {kind(item)}, not an object")
        found.append(item)
    return found


def an_object(value: Json, path: str) -> JsonObject:
    """Return an object.

    Raises:
        Unsayable: It is something else.
    """
    if not isinstance(value, dict):
        found = "missing" if value is None else kind(value)
        raise Unsayable(f"{path!r} is {found}; it must be an object")
    return value


def parsed(source: str, path: str) -> Json:
    """Read JSON text inside a field.

    Raises:
        Unsayable: It is not JSON.
    """
    try:
        return decode_value(source.encode())
    except ValueError:
        raise Unsayable(f"{path!r} holds {shown(source)}, which is not JSON") from None


def without_nulls(value: JsonObject) -> JsonObject:
    """Leave out the keys of an object that are null, not those inside it."""
    return {key: item for key, item in value.items() if item is not None}


def message(role: str, content: Json) -> JsonObject:
    """Make a message."""
    return {"role": role, "content": content}


def conversation(system: str | None, *turns: tuple[str, str]) -> list[JsonObject]:
    """Make messages of text, with instructions before them where there are some."""
    opening = [message("system", system)] if system else []
    return [*opening, *(message(role, content) for role, content in turns)]


def tools(value: Json, path: str = "tools") -> list[JsonObject]:
    """Return declared tools in the form of the API; bare functions are wrapped.

    Raises:
        Unsayable: They are not a list of objects, nor JSON text of one.
    """
    if value is None or value == "":
        return []
    return [
        tool if "function" in tool else {"type": "function", "function": tool}
        for tool in objects(value, path)
    ]


def chat(messages: Iterable[JsonObject], declared: list[JsonObject]) -> JsonObject:
    """Make a chat row."""
    return with_tools({"messages": listed(messages)}, declared)


def with_tools(record: JsonObject, declared: Iterable[JsonObject]) -> JsonObject:
    """Add declared tools, where there are some."""
    return {**record, "tools": given} if (given := listed(declared)) else record


def listed(items: Iterable[JsonObject]) -> list[Json]:
    """Make a list of objects that may stand in an object."""
    return [*items]


def preference(
    messages: Iterable[JsonObject],
    preferred: Iterable[JsonObject],
    other: Iterable[JsonObject],
    declared: list[JsonObject],
) -> JsonObject:
    """Make a preference row."""
    return {
        "input": chat(messages, declared),
        "preferred_output": listed(preferred),
        "non_preferred_output": listed(other),
    }


def call(identifier: str, name: str, arguments: Json) -> JsonObject:
    """Make a tool call; arguments that are an object become compact JSON text."""
    given = (
        arguments
        if isinstance(arguments, str)
        else json.dumps(arguments, ensure_ascii=False, separators=(",", ":"))
    )
    return {
        "id": identifier,
        "type": "function",
        "function": {"name": name, "arguments": given},
    }


class CallIds:
    """Gives ids to calls that have none, and to results the id of the first call not yet answered."""

    def __init__(self) -> None:
        self._given = 0
        self._waiting: list[str] = []

    def called(self, identifier: Json = None) -> str:
        """Note a call, and return its id."""
        if not isinstance(identifier, str) or not identifier:
            self._given += 1
            identifier = f"call_{self._given}"
        self._waiting.append(identifier)
        return identifier

    def answered(self, identifier: Json = None) -> str:
        """Note a result, and return the id of the call that it answers.

        Raises:
            Unsayable: No call waits for a result, or none has the id.
        """
        if identifier is None and self._waiting:
            return self._waiting.pop(0)
        if isinstance(identifier, str) and identifier in self._waiting:
            self._waiting.remove(identifier)
            return identifier
        raise Unsayable("a tool's result answers no call before it")
