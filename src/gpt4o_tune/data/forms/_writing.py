"""What writers of foreign records share: the parts of a row, and what a tool has no place for."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from gpt4o_tune.data.checks.rule import shown
from gpt4o_tune.data.decode import decode
from gpt4o_tune.data.forms._reading import Unsayable, an_object, objects

if TYPE_CHECKING:
    from gpt4o_tune.data.decode import JsonObject

_LEFT_OUT = frozenset({"parallel_tool_calls"})
"""A switch of OpenAI's requests, which no other tool's training data has."""


class Parts(NamedTuple):
    """A row as a prompt with the outputs to learn from it."""

    prompt: list[JsonObject]
    outputs: tuple[list[JsonObject], ...]
    """The last message of a chat row, or the better and the worse output of a preference row."""
    tools: list[JsonObject]


def is_preference(row: JsonObject) -> bool:
    """Tell whether a row is a preference row."""
    return "input" in row


def pair_of(row: JsonObject, tool: str) -> Parts:
    """Divide a row into prompt and outputs.

    Raises:
        Unsayable: The row has a field that the tool has no place for.
    """
    if not is_preference(row):
        messages, declared = parts_of(row, tool)
        return Parts(messages[:-1], (messages[-1:],), declared)
    require_fields(row, {"input", "preferred_output", "non_preferred_output"}, "the row", tool)
    messages, declared = parts_of(an_object(row["input"], "input"), tool)
    outputs = (
        objects(row["preferred_output"], "preferred_output"),
        objects(row["non_preferred_output"], "non_preferred_output"),
    )
    return Parts(messages, outputs, declared)


def parts_of(row: JsonObject, tool: str) -> tuple[list[JsonObject], list[JsonObject]]:
    """Return the messages and the tools of a chat row, or of the input of a preference row.

    Raises:
        Unsayable: The row has a field that the tool has no place for.
    """
    require_fields(row, {"messages", "tools", *_LEFT_OUT}, "the row", tool)
    messages = objects(row.get("messages"), "messages")
    return messages, objects(row["tools"], "tools") if row.get("tools") is not None else []


def single(output: list[JsonObject], tool: str) -> JsonObject:
    """Return the only message of an output.

    Raises:
        Unsayable: There are more.
    """
    if len(output) != 1:
        raise Unsayable(f"{tool} takes outputs of one message, not of {len(output)}")
    return output[0]


def require_fields(value: JsonObject, known: set[str], where: str, tool: str) -> None:
    """Refuse fields that hold something and that a tool has no place for."""
    for key, item in value.items():
        if item is not None and key not in known:
            raise Unsayable(f"{shown(key)} of {where} has no place in {tool}")


def plain_text(turn: JsonObject, tool: str) -> tuple[str, str]:
    """Return role and text of a message that has nothing else.

    Raises:
        Unsayable: It has parts, calls, a name or the like.
    """
    require_weight(turn, tool)
    role = role_of(turn, tool)
    require_fields(turn, {"role", "content", "weight"}, f"a message of role {role!r}", tool)
    return role, text_of(turn, tool)


def text_of(turn: JsonObject, tool: str) -> str:
    """Return the text of a message, none as empty.

    Raises:
        Unsayable: The content is a list of parts.
    """
    content = turn.get("content")
    if content is None:
        return ""
    if not isinstance(content, str):
        raise Unsayable(f"{tool} takes messages of text, not of parts; write the text as a string")
    return content


def role_of(turn: JsonObject, tool: str) -> str:
    """Return the role of a message.

    Raises:
        Unsayable: It is one that only OpenAI knows.
    """
    role = turn.get("role")
    if role not in ("system", "user", "assistant", "tool"):
        raise Unsayable(
            f"the role {shown(role)} has no place in {tool}; write 'system' for 'developer', and "
            "'tool' for 'function'"
        )
    return str(role)


def require_weight(turn: JsonObject, tool: str) -> None:
    """Refuse a weight of 0 where a tool trains on every answer."""
    if turn.get("weight") == 0:
        raise Unsayable(
            f"{tool} trains on every answer and cannot leave out one of weight 0; "
            "end the row before it, or export for a tool that can (axolotl, mistral, together)"
        )


def arguments_of(called: JsonObject, tool: str) -> JsonObject:
    """Return the arguments of a called function as an object.

    Raises:
        Unsayable: They are not the JSON text of one.
    """
    arguments = called.get("arguments")
    try:
        return decode(str(arguments).encode())
    except ValueError:
        raise Unsayable(
            f"{tool} takes arguments as an object, and {shown(arguments)} is not the text of one"
        ) from None


def calls_of(turn: JsonObject) -> list[JsonObject]:
    """Return the tool calls of a message."""
    listed = turn.get("tool_calls")
    return objects(listed, "tool_calls") if listed is not None else []


def function_of(called: JsonObject) -> JsonObject:
    """Return the function that a call is of."""
    return an_object(called.get("function"), "function")
