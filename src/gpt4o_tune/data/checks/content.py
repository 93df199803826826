"""Rules for what a message holds: text, parts, names and weights."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from gpt4o_tune.data.checks.rule import Finding, kind, nearest, shown

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gpt4o_tune.data.checks.rule import Conversation, Scope, Turn
    from gpt4o_tune.data.decode import Json, JsonObject

_PART_TYPES = ("text", "image_url")
# The Chat Completions API refuses other names by this pattern.
_NAME = re.compile(r"[^\s<|\\/>]{1,64}")
_NAMED_ROLES = ("system", "developer", "user", "assistant", "function")


def has_calls(message: JsonObject) -> bool:
    """Tell whether a message calls tools or a function, so that it needs no text."""
    return bool(message.get("tool_calls") or message.get("function_call"))


def missing_content(turn: Turn, scope: Scope) -> Iterable[Finding]:
    """No content where the role needs some."""
    if turn.body.get("content") is not None or (turn.role == "assistant" and has_calls(turn.body)):
        return ()
    if turn.role == "function" and "content" in turn.body:
        return ()
    found = "is null" if "content" in turn.body else "is missing"
    guess = None if "content" in turn.body else nearest("content", turn.body)
    fix = f"Rename {guess!r} to 'content'." if guess else "Write the text of the message."
    if turn.role == "assistant":
        found += ", which is right only beside 'tool_calls' or 'function_call'"
    return [Finding(f"'content' {found}.", fix, f"{turn.path}.content")]


def wrong_content_type(turn: Turn, scope: Scope) -> Iterable[Finding]:
    """Content that is neither text nor a list of parts."""
    content = turn.body.get("content")
    if content is None or isinstance(content, str):
        return ()
    if isinstance(content, list) and turn.role != "function":
        return ()
    return [
        Finding(
            f"'content' is {kind(content)}, not text.",
            "Write text; structured data goes in as JSON text, with json.dumps.",
            f"{turn.path}.content",
        )
    ]


def wrong_part(turn: Turn, scope: Scope) -> Iterable[Finding]:
    """An item of a content list that is not a part of a known type."""
    content = turn.body.get("content")
    if not isinstance(content, list) or turn.role == "function":
        return
    for place, part in enumerate(content):
        path = f"{turn.path}.content[{place}]"
        if not isinstance(part, dict):
            yield Finding(f"The part is {kind(part)}, not an object.", _PART_FIX, path)
        elif part.get("type") not in _PART_TYPES:
            found = shown(part["type"]) if "type" in part else "missing"
            yield Finding(f"The part's type is {found}.", _PART_FIX, f"{path}.type")
        elif part["type"] == "text" and not isinstance(part.get("text"), str):
            yield Finding("The part has no text.", _PART_FIX, f"{path}.text")


_PART_FIX = (
    'Write {"type": "text", "text": "..."} or {"type": "image_url", "image_url": {"url": ...}}.'
)


def is_blank(content: Json) -> bool:
    """Tell whether content is there and says nothing."""
    if isinstance(content, str):
        return not content or content.isspace()
    if isinstance(content, list):
        return all(
            isinstance(part, dict) and part.get("type") == "text" and is_blank(part.get("text"))
            for part in content
        )
    return False


def empty_content(turn: Turn, scope: Scope) -> Iterable[Finding]:
    """A message of the prompt that says nothing; a tool's result may be empty."""
    if turn.role in ("assistant", "tool", "function") or not is_blank(turn.body.get("content")):
        return ()
    return [
        Finding(
            f"The {turn.role} message says nothing.",
            "Write its text, or remove the message.",
            f"{turn.path}.content",
        )
    ]


def empty_answer(turn: Turn, scope: Scope) -> Iterable[Finding]:
    """An answer that teaches the model to say nothing."""
    if turn.role != "assistant" or not is_blank(turn.body.get("content")) or has_calls(turn.body):
        return ()
    return [
        Finding(
            "The answer is empty; the model learns to say nothing.",
            "Write the answer, or remove the row; weight 0 leaves the message out of training.",
            f"{turn.path}.content",
        )
    ]


def name_not_text(turn: Turn, scope: Scope) -> Iterable[Finding]:
    """A name that is no text, or none where the role needs one."""
    name = turn.body.get("name")
    if isinstance(name, str) or (name is None and turn.role != "function"):
        return ()
    return [
        Finding(
            f"'name' is {kind(name)}, not text.",
            "Write the name of the function."
            if turn.role == "function"
            else "Write text, or nothing.",
            f"{turn.path}.name",
        )
    ]


def invalid_name(turn: Turn, scope: Scope) -> Iterable[Finding]:
    """A name that the API refuses."""
    name = turn.body.get("name")
    if not isinstance(name, str) or _NAME.fullmatch(name):
        return ()
    return [
        Finding(
            f"The name {shown(name)} is not allowed.",
            r"Use 1 to 64 characters without white space and < | \ / >.",
            f"{turn.path}.name",
        )
    ]


def name_not_allowed(turn: Turn, scope: Scope) -> Iterable[Finding]:
    """A name on a role that has none."""
    if turn.body.get("name") is None or turn.role in _NAMED_ROLES:
        return ()
    return [
        Finding(
            f"A message of role {turn.role!r} has no name in today's format.",
            "Remove 'name'; 'tool_call_id' says which call is answered.",
            f"{turn.path}.name",
        )
    ]


def weight_not_allowed(turn: Turn, scope: Scope) -> Iterable[Finding]:
    """A weight on a message that is not an answer."""
    if turn.role == "assistant" or "weight" not in turn.body:
        return ()
    return [
        Finding(
            f"A message of role {turn.role!r} cannot have a weight; only answers are trained on.",
            "Remove 'weight'.",
            f"{turn.path}.weight",
        )
    ]


def invalid_weight(turn: Turn, scope: Scope) -> Iterable[Finding]:
    """A weight other than 0 or 1."""
    weight = turn.body.get("weight")
    if turn.role != "assistant" or weight is None or (type(weight) is int and weight in (0, 1)):
        return ()
    return [
        Finding(
            f"The weight is {shown(weight)}; only the whole numbers 0 and 1 exist.",
            "Write 1 to train on the message, 0 to show it only.",
            f"{turn.path}.weight",
        )
    ]


def weight_without_effect(turn: Turn, scope: Scope) -> Iterable[Finding]:
    """A weight in a format that has none."""
    if turn.role != "assistant" or "weight" not in turn.body:
        return ()
    return [
        Finding(
            f"Weights are documented for chat rows, not for the {scope.format} format.",
            "Remove 'weight'; the service may refuse the file.",
            f"{turn.path}.weight",
        )
    ]


def all_weights_zero(conversation: Conversation, scope: Scope) -> Iterable[Finding]:
    """A row none of whose answers is trained on."""
    weights = [turn.body.get("weight") for turn in conversation.turns if turn.role == "assistant"]
    if weights and all(type(weight) is int and weight == 0 for weight in weights):
        yield Finding(
            "Every answer has weight 0, so the row trains nothing and still costs its tokens.",
            "Give the answer to learn weight 1, or remove the row.",
            conversation.path,
        )
