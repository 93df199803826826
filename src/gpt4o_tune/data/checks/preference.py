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
    """An output of more than one message, which OpenAI's guide does not allow."""
    if _is_output(conversation) and len(conversation.turns) > 1:
        yield Finding(
            f"The output has {len(conversation.turns)} messages; OpenAI documents exactly one.",
            "Keep the one answer to compare; earlier turns belong into 'input.messages'.",
            conversation.path,
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
