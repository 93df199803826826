"""Rows as the verbs that go over the network see them: readable objects, and the messages in them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gpt4o_tune.data.checks.rule import Turn
from gpt4o_tune.data.checks.structure import ROLES, message_lists
from gpt4o_tune.data.decode import decode

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from gpt4o_tune.data.checks import Scope
    from gpt4o_tune.data.decode import JsonObject


def readable(lines: Iterable[tuple[int, bytes]]) -> Iterator[tuple[int, JsonObject]]:
    """Yield line and object of each row that is one; what is wrong with the others, `check` says."""
    for line, raw in lines:
        try:
            yield line, decode(raw)
        except ValueError:
            continue


def listed_turns(row: JsonObject, scope: Scope) -> Iterator[Turn]:
    """Yield the messages of a row that have a role that exists."""
    for path, messages in message_lists(row, scope):
        for place, message in enumerate(messages if isinstance(messages, list) else ()):
            role = message.get("role") if isinstance(message, dict) else None
            if isinstance(message, dict) and isinstance(role, str) and role in ROLES:
                yield Turn(f"{path}[{place}]", role, message)
