"""Rules for tool calls: their form, their arguments, and that each result answers a call."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple, cast

from gpt4o_tune.data.checks.arguments import schema_faults
from gpt4o_tune.data.checks.rule import Finding, kind, nearest, shown
from gpt4o_tune.data.checks.structure import message_lists
from gpt4o_tune.data.checks.tools import FUNCTION_NAME

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from gpt4o_tune.data.checks.rule import Conversation, Scope, Turn
    from gpt4o_tune.data.decode import Json, JsonObject

_CALL_FIX = (
    'Write {"id": "call_1", "type": "function", "function": {"name": "...", "arguments": "{...}"}}.'
)


class _Call(NamedTuple):
    """The name and arguments of a call, in the present or the older form."""

    path: str
    body: JsonObject


def _calls(turn: Turn) -> Iterator[_Call]:
    if turn.role != "assistant":
        return
    listed = turn.body.get("tool_calls")
    if isinstance(listed, list):
        for place, call in enumerate(listed):
            function = call.get("function") if isinstance(call, dict) else None
            if isinstance(function, dict):
                yield _Call(f"{turn.path}.tool_calls[{place}].function", function)
    older = turn.body.get("function_call")
    if isinstance(older, dict):
        yield _Call(f"{turn.path}.function_call", older)


def invalid_tool_call(turn: Turn, scope: Scope) -> Iterable[Finding]:
    """A call that is not in the form that the API takes."""
    if turn.role != "assistant":
        return
    listed, older = turn.body.get("tool_calls"), turn.body.get("function_call")
    path = f"{turn.path}.tool_calls"
    if listed is not None and not isinstance(listed, list):
        yield Finding(f"'tool_calls' is {kind(listed)}, not a list.", _CALL_FIX, path)
    elif listed == []:
        yield Finding("'tool_calls' is empty.", "Remove the key where nothing is called.", path)
    elif listed is not None:
        for place, call in enumerate(listed):
            if fault := _call_fault(call):
                yield Finding(fault, _CALL_FIX, f"{path}[{place}]")
    if older is not None and (fault := _function_fault(older)):
        yield Finding(fault, _CALL_FIX, f"{turn.path}.function_call")


def _call_fault(call: Json) -> str | None:
    if not isinstance(call, dict):
        return f"The call is {kind(call)}, not an object."
    if not isinstance(call.get("id"), str) or not call["id"]:
        return "The call has no 'id', which its result refers to."
    if call.get("type") != "function":
        return "The call's 'type' must be 'function'."
    return _function_fault(call.get("function"))


def _function_fault(function: Json) -> str | None:
    if not isinstance(function, dict):
        return f"The called function is {kind(function)}, not an object."
    name = function.get("name")
    if not isinstance(name, str) or not FUNCTION_NAME.fullmatch(name):
        return f"The called function's name is {shown(name)}."
    if not isinstance(function.get("arguments"), str):
        found = kind(function.get("arguments"))
        return f"'arguments' is {found}; it must be a string with JSON in it (json.dumps)."
    return None


def invalid_arguments(turn: Turn, scope: Scope) -> Iterable[Finding]:
    """Arguments that are not the JSON text of an object."""
    for call in _calls(turn):
        text = call.body.get("arguments")
        if isinstance(text, str) and not isinstance(value := _parsed(text), dict | str):
            found = "not JSON" if isinstance(value, _NotJson) else f"{kind(value)}, not an object"
            yield Finding(
                f"The arguments are {found}: {shown(text)}.",
                "Write the JSON text of an object, {} where there are none.",
                f"{call.path}.arguments",
            )


def double_encoded_arguments(turn: Turn, scope: Scope) -> Iterable[Finding]:
    """Arguments that went through `json.dumps` twice."""
    for call in _calls(turn):
        text = call.body.get("arguments")
        if isinstance(text, str) and isinstance(_parsed(text), str):
            yield Finding(
                f"The arguments are JSON text inside JSON text: {shown(text)}.",
                "Call json.dumps on the arguments once, not twice.",
                f"{call.path}.arguments",
            )


class _NotJson:
    """Stands for the value of text that is not JSON."""


def _parsed(text: str) -> Json | _NotJson:
    try:
        return cast("Json", json.loads(text))
    except (ValueError, RecursionError):
        return _NotJson()


def two_call_forms(turn: Turn, scope: Scope) -> Iterable[Finding]:
    """Both forms of calling in one message."""
    if turn.body.get("tool_calls") and turn.body.get("function_call"):
        yield Finding(
            "The message calls by 'tool_calls' and by the older 'function_call'.",
            "Keep 'tool_calls'.",
            f"{turn.path}.function_call",
        )


def parallel_calls(row: JsonObject, scope: Scope) -> Iterable[Finding]:
    """Several calls at once in a row that switches them off."""
    source = row.get("input") if scope.format == "preference" else row
    if not isinstance(source, dict) or source.get("parallel_tool_calls") is not False:
        return
    for path, messages in message_lists(row, scope):
        for place, message in enumerate(messages if isinstance(messages, list) else ()):
            listed = message.get("tool_calls") if isinstance(message, dict) else None
            if isinstance(listed, list) and len(listed) > 1:
                yield Finding(
                    f"{len(listed)} tools are called at once, yet 'parallel_tool_calls' is false.",
                    "Call them one after another, or remove the switch.",
                    f"{path}[{place}].tool_calls",
                )


def undeclared_tool(conversation: Conversation, scope: Scope) -> Iterable[Finding]:
    """A call to a function that the row's tools do not have."""
    if not conversation.tools:
        return
    for turn in conversation.turns:
        for call in _calls(turn):
            name = call.body.get("name")
            if isinstance(name, str) and name not in conversation.tools:
                guess = nearest(name, conversation.tools)
                yield Finding(
                    f"The function {shown(name)} is called, yet not among the row's tools.",
                    f"Did you mean {guess!r}?" if guess else "Declare it in 'tools'.",
                    f"{call.path}.name",
                )


def no_tools_declared(conversation: Conversation, scope: Scope) -> Iterable[Finding]:
    """Calls in a row that declares no tools at all."""
    if conversation.tools:
        return
    for turn in conversation.turns:
        for call in _calls(turn):
            yield Finding(
                "A function is called, yet the row declares no tools.",
                "Declare the same 'tools' that your product sends with its requests.",
                call.path,
            )
            return


def mismatched_arguments(conversation: Conversation, scope: Scope) -> Iterable[Finding]:
    """Arguments that the declared parameters do not allow."""
    if not conversation.tools:
        return
    for turn in conversation.turns:
        for call in _calls(turn):
            name, text = call.body.get("name"), call.body.get("arguments")
            if isinstance(name, str) and isinstance(text, str) and name in conversation.tools:
                arguments = _parsed(text)
                if isinstance(arguments, dict):
                    for fault in schema_faults(arguments, conversation.tools[name]):
                        yield Finding(
                            f"Call of {shown(name)}: {fault}.",
                            "Correct the call, or the declared parameters.",
                            f"{call.path}.arguments",
                        )


def duplicate_call_id(conversation: Conversation, scope: Scope) -> Iterable[Finding]:
    """Two calls of one message under one id."""
    for turn in conversation.turns:
        seen: set[str] = set()
        for place, identifier in enumerate(call_ids(turn)):
            if identifier in seen:
                yield Finding(
                    f"The call id {shown(identifier)} stands twice in one message.",
                    "Give each call an id of its own.",
                    f"{turn.path}.tool_calls[{place}].id",
                )
            seen.add(identifier)


def call_ids(turn: Turn) -> Iterator[str]:
    """Yield the ids of a message's tool calls."""
    listed = turn.body.get("tool_calls") if turn.role == "assistant" else None
    if isinstance(listed, list):
        for call in listed:
            if isinstance(call, dict) and isinstance(identifier := call.get("id"), str):
                yield identifier


def missing_tool_call_id(turn: Turn, scope: Scope) -> Iterable[Finding]:
    """A tool's result that does not say which call it answers."""
    if turn.role != "tool" or isinstance(turn.body.get("tool_call_id"), str):
        return ()
    return [
        Finding(
            "The tool message has no 'tool_call_id'.",
            "Add the id of the call that it answers.",
            f"{turn.path}.tool_call_id",
        )
    ]


def unmatched_tool_result(conversation: Conversation, scope: Scope) -> Iterable[Finding]:
    """A tool's result that answers no call of the assistant's message before it."""
    if not conversation.complete:
        return
    waiting: set[str] = set()
    for turn in conversation.turns:
        if turn.role != "tool":
            waiting = set(call_ids(turn))
            continue
        identifier = turn.body.get("tool_call_id")
        if isinstance(identifier, str):
            if identifier not in waiting:
                yield Finding(
                    f"The result for {shown(identifier)} answers no open call right before it.",
                    "Put each result after the assistant message that calls, once, with its id.",
                    f"{turn.path}.tool_call_id",
                )
            waiting.discard(identifier)


def unanswered_call(conversation: Conversation, scope: Scope) -> Iterable[Finding]:
    """A call without a result, although the conversation goes on."""
    if not conversation.complete:
        return
    asked: Turn | None = None
    waiting: dict[str, None] = {}
    for turn in conversation.turns:
        if turn.role == "tool":
            waiting.pop(str(turn.body.get("tool_call_id")), None)
            continue
        if asked is not None and waiting:
            named = ", ".join(shown(identifier) for identifier in waiting)
            yield Finding(
                f"No result for {named}, although the conversation goes on.",
                "Add a tool message for each call, right after the message that calls.",
                f"{asked.path}.tool_calls",
            )
        asked, waiting = turn, dict.fromkeys(call_ids(turn))


def unmatched_function_result(conversation: Conversation, scope: Scope) -> Iterable[Finding]:
    """A function's result, in the older form, that answers no call right before it."""
    if not conversation.complete:
        return
    called: Json = None
    for turn in conversation.turns:
        name = turn.body.get("name")
        if turn.role == "function" and isinstance(name, str) and name != called:
            yield Finding(
                f"The result of {shown(name)} follows no call of it.",
                "Put it right after the message whose 'function_call' has that name.",
                f"{turn.path}.name",
            )
        older = turn.body.get("function_call") if turn.role == "assistant" else None
        called = older.get("name") if isinstance(older, dict) else None
