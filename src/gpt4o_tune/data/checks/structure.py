"""Rules for the shape of a row and of its messages: keys, roles, content, order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gpt4o_tune.data.checks.rule import Finding, kind, nearest, shown
from gpt4o_tune.data.formats import format_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from gpt4o_tune.data.checks.rule import Conversation, Scope, Stray, Turn
    from gpt4o_tune.data.decode import Json, JsonObject

ROLES = ("system", "developer", "user", "assistant", "tool", "function")

ROW_KEYS = {
    "chat": ("messages", "tools", "functions", "parallel_tool_calls"),
    "preference": ("input", "preferred_output", "non_preferred_output"),
}
_INPUT_KEYS = ("messages", "tools", "parallel_tool_calls")
_MESSAGE_KEYS = {
    "system": ("role", "content", "name"),
    "developer": ("role", "content", "name"),
    "user": ("role", "content", "name"),
    "assistant": (
        "role",
        "content",
        "name",
        "weight",
        "tool_calls",
        "function_call",
        "refusal",
        "audio",
    ),
    "tool": ("role", "content", "tool_call_id", "name"),
    "function": ("role", "content", "name"),
}
_MESSAGE_KEY_SETS = {role: frozenset(keys) for role, keys in _MESSAGE_KEYS.items()}
# A weight on another role has a rule of its own.
_KNOWN_ELSEWHERE = {"weight"}


def message_lists(row: JsonObject, scope: Scope) -> Iterator[tuple[str, Json]]:
    """Yield each place in `row` that must hold messages, with what is there."""
    if scope.format == "preference":
        source = row.get("input")
        yield "input.messages", source.get("messages") if isinstance(source, dict) else None
        yield "preferred_output", row.get("preferred_output")
        yield "non_preferred_output", row.get("non_preferred_output")
    else:
        yield "messages", row.get("messages")


def mixed_format(row: JsonObject, scope: Scope) -> Iterable[Finding]:
    """A row of another format than the rest."""
    found = format_of(row)
    if found is None or "preference" not in (found, scope.format) or found == scope.format:
        return
    yield Finding(
        f"The row has the {found} format; the dataset has the {scope.format} format.",
        "Keep one format per file. If the format was guessed wrongly, pass format= when opening.",
    )


def missing_messages(row: JsonObject, scope: Scope) -> Iterable[Finding]:
    """No list of messages where the format wants one."""
    for path, messages in message_lists(row, scope):
        if not isinstance(messages, list):
            found = f"is {kind(messages)}" if messages is not None else "is missing"
            yield Finding(f"{path!r} {found}; it must be a list of messages.", _rename(row, path))


def _rename(row: JsonObject, path: str) -> str:
    if "prompt" in row and "completion" in row:
        return (
            "Rows of prompt and completion trained models that no longer exist. Read the file with "
            'Dataset.read, or write {"messages": [{"role": "user", ...}, ...]}.'
        )
    older = path.replace("_output", "_completion")
    if older != path and older in row:
        return f"Rename {older!r} to {path!r}."
    if "conversations" in row:
        return "Write 'conversations' as 'messages', with 'role' and 'content' in each."
    if "instruction" in row and "output" in row:
        return "Write the instruction as a user message and the output as the assistant's answer."
    guess = nearest(path, row)
    if guess and guess != path:
        return f"Rename {shown(guess)} to {path!r}?"
    return 'Write a list of objects such as {"role": "user", "content": "..."}.'


def empty_messages(row: JsonObject, scope: Scope) -> Iterable[Finding]:
    """A list of messages with none in it."""
    for path, messages in message_lists(row, scope):
        if messages == []:
            yield Finding(
                f"{path!r} is empty.", "Write at least one message, or remove the row.", path
            )


def unknown_key(row: JsonObject, scope: Scope) -> Iterable[Finding]:
    """A key of the row that is not part of the format; reinforcement rows may have any."""
    known = ROW_KEYS.get(scope.format)
    if known is None:
        return
    for key in sorted(row.keys() - set(known)):
        yield _unknown(key, known, "a row", "")
    source = row.get("input")
    if scope.format == "preference" and isinstance(source, dict):
        for key in sorted(source.keys() - set(_INPUT_KEYS)):
            yield _unknown(key, _INPUT_KEYS, "'input'", "input.")


def invalid_parallel_tool_calls(row: JsonObject, scope: Scope) -> Iterable[Finding]:
    """A switch that is neither true nor false."""
    source = row.get("input") if scope.format == "preference" else row
    switch = source.get("parallel_tool_calls") if isinstance(source, dict) else None
    if switch is not None and not isinstance(switch, bool):
        yield Finding(
            f"'parallel_tool_calls' is {kind(switch)}.",
            "Write true or false, without quotes, or leave it out.",
            "parallel_tool_calls" if source is row else "input.parallel_tool_calls",
        )


def unknown_message_key(turn: Turn, scope: Scope) -> Iterable[Finding]:
    """A key of a message that is not part of the format."""
    if turn.body.keys() <= _MESSAGE_KEY_SETS[turn.role]:
        return ()
    known = _MESSAGE_KEYS[turn.role]
    return [
        _unknown(key, known, f"a message of role {turn.role!r}", f"{turn.path}.")
        for key in sorted(turn.body.keys() - {*known, *_KNOWN_ELSEWHERE})
    ]


def _unknown(key: str, known: tuple[str, ...], where: str, prefix: str) -> Finding:
    guess = nearest(key, known)
    fix = f"Did you mean {guess!r}?" if guess else "Remove it; the service may refuse the file."
    return Finding(f"{shown(key)} is not a key of {where}.", fix, prefix + key)


def message_not_object(stray: Stray, scope: Scope) -> Iterable[Finding]:
    """A message that is not an object."""
    if not isinstance(stray.value, dict):
        yield Finding(
            f"The message is {kind(stray.value)}, not an object.",
            'Write {"role": "...", "content": "..."}.',
            stray.path,
        )


def missing_role(stray: Stray, scope: Scope) -> Iterable[Finding]:
    """A message without a role."""
    message = stray.value
    if isinstance(message, dict) and "role" not in message:
        fix = "Add 'role': system, user, assistant or tool."
        if "from" in message and "value" in message:
            fix = "Rename 'from' to 'role' and 'value' to 'content'; human is user, gpt assistant."
        yield Finding("The message has no 'role'.", fix, stray.path)


def unknown_role(stray: Stray, scope: Scope) -> Iterable[Finding]:
    """A role that does not exist."""
    if not isinstance(stray.value, dict) or "role" not in stray.value:
        return
    role = stray.value["role"]
    guess = nearest(role, ROLES) if isinstance(role, str) else None
    yield Finding(
        f"The role {shown(role)} does not exist.",
        f"Did you mean {guess!r}?" if guess else f"Use one of {', '.join(ROLES)}.",
        f"{stray.path}.role",
    )


def developer_role(turn: Turn, scope: Scope) -> Iterable[Finding]:
    """The role developer in data that is not for reinforcement."""
    if turn.role != "developer":
        return ()
    return [
        Finding(
            "The role 'developer' is documented for reinforcement data only.",
            "Write 'system'.",
            f"{turn.path}.role",
        )
    ]


def system_not_first(conversation: Conversation, scope: Scope) -> Iterable[Finding]:
    """Instructions after the conversation has begun."""
    begun = False
    for turn in conversation.turns:
        if turn.role not in ("system", "developer"):
            begun = True
        elif begun:
            yield Finding(
                f"The {turn.role} message comes after the conversation has begun.",
                "Move it to the front, unless your product really sends it there.",
                turn.path,
            )


def consecutive_roles(conversation: Conversation, scope: Scope) -> Iterable[Finding]:
    """Two messages of the user, or two of the assistant, in a row."""
    before = ""
    for turn in conversation.turns:
        if turn.role == before and turn.role in ("user", "assistant"):
            yield Finding(
                f"Two {turn.role} messages follow one another.",
                "Join them, unless your product really sends them apart.",
                turn.path,
            )
        before = turn.role


def no_assistant_message(conversation: Conversation, scope: Scope) -> Iterable[Finding]:
    """A conversation with nothing to learn from."""
    if not conversation.complete or any(turn.role == "assistant" for turn in conversation.turns):
        return
    if conversation.turns:
        yield Finding(
            "No message is the assistant's, so there is no answer to learn.",
            "Add the answer as a message with role 'assistant', or remove the row.",
            conversation.path,
        )


def last_message_not_assistant(conversation: Conversation, scope: Scope) -> Iterable[Finding]:
    """Messages after the last answer, which training does not use."""
    if not conversation.turns or not conversation.complete:
        return
    last = conversation.turns[-1]
    if last.role != "assistant" and any(turn.role == "assistant" for turn in conversation.turns):
        yield Finding(
            f"The last message is the {last.role}'s; nothing after the last answer is learnt.",
            "End with the assistant's answer, or remove what follows it.",
            last.path,
        )


def last_message_not_prompt(conversation: Conversation, scope: Scope) -> Iterable[Finding]:
    """A reinforcement prompt that does not end with what the model is to answer."""
    if not conversation.turns or not conversation.complete:
        return
    last = conversation.turns[-1]
    if last.role not in ("user", "developer"):
        yield Finding(
            f"The last message is the {last.role}'s; the model is to answer the user's or developer's.",
            "End the row with the prompt; the grader scores what the model writes.",
            last.path,
        )
