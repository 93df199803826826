"""Rules that only preference pairs have."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gpt4o_tune.data.checks.rule import Finding

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gpt4o_tune.data.checks.rule import Conversation, Scope
    from gpt4o_tune.data.decode import JsonObject


def _is_output(conversation: Conversation) -> bool:
    return conversation.path.endswith("_output") and conversation.complete


def output_without_answer(conversation: Conversation, scope: Scope) -> Iterable[Finding]:
    """An output that holds no assistant message."""
    roles = [turn.role for turn in conversation.turns]
    if _is_output(conversation) and roles and "assistant" not in roles:
        yield Finding(
            "The output holds no assistant message.",
            'Write [{"role": "assistant", "content": "..."}].',
            conversation.path,
        )


def several_output_messages(conversation: Conversation, scope: Scope) -> Iterable[Finding]:
    """An output of more messages than the provider takes."""
    count, limit = len(conversation.turns), scope.limits.max_preference_messages
    if limit is not None and _is_output(conversation) and count > limit:
        yield Finding(
            f"The output has {count} messages; {scope.service} takes {limit}.",
            "Keep the one answer to compare; earlier turns belong into 'input.messages'.",
            conversation.path,
        )


def wrong_output_role(conversation: Conversation, scope: Scope) -> Iterable[Finding]:
    """A message of an output whose role has no place there."""
    if not _is_output(conversation):
        return
    allowed = scope.limits.preference_roles
    for turn in conversation.turns:
        if turn.role not in allowed:
            yield Finding(
                f"A {turn.role} message stands in an output; {scope.service} takes there only "
                f"{' and '.join(allowed)} messages.",
                "Move what comes before the answer into 'input.messages'.",
                f"{turn.path}.role",
            )


def earlier_answer_in_input(conversation: Conversation, scope: Scope) -> Iterable[Finding]:
    """A conversation of several turns where the provider documents one."""
    if not scope.limits.one_turn_preference or conversation.path != "input.messages":
        return
    earlier = next((turn for turn in conversation.turns[:-1] if turn.role == "assistant"), None)
    if earlier is not None:
        yield Finding(
            f"The input holds an earlier answer; {scope.service} documents pairs of one turn.",
            "Leave earlier turns out, or tell them in the user's message.",
            earlier.path,
        )


def input_ends_with_answer(conversation: Conversation, scope: Scope) -> Iterable[Finding]:
    """An input that ends with an answer, so that the outputs answer nobody."""
    if conversation.path != "input.messages" or not conversation.turns:
        return
    last = conversation.turns[-1]
    if conversation.complete and last.role == "assistant":
        yield Finding(
            "The input ends with an answer, so the two outputs have no question to answer.",
            "End 'input.messages' with the user's message; put the answers into the outputs.",
            last.path,
        )


def identical_outputs(row: JsonObject, scope: Scope) -> Iterable[Finding]:
    """A pair whose two sides are the same, so that there is nothing to prefer."""
    output = row.get("preferred_output")
    if output and output == row.get("non_preferred_output"):
        yield Finding(
            "The preferred and the non-preferred output are the same.",
            "Write the worse answer as 'non_preferred_output', or remove the row.",
            "non_preferred_output",
        )
