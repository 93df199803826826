"""What makes two rows the same: a key of 128 bits, equal in every process.

Its first half stands for what comes before the answer and the second for the answer, so that rows can be
compared by either. Among a million rows, two different texts share 64 bits with a chance of 3e-8.
"""

from __future__ import annotations

import json
from hashlib import blake2b
from typing import TYPE_CHECKING

from gpt4o_tune.data._turns import items, mapping

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gpt4o_tune.data._plain import Message

HALF = 8
"""Bytes of each half."""
KEY = 2 * HALF
"""Bytes of a key."""

# Escaping to ASCII lets half a surrogate pair through, which has no UTF-8 form.
_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"))


def row_key(row: Mapping[str, object]) -> bytes:
    """Return the key of the messages of a row, to the last character.

    The answer of a chat row begins at the last message of the assistant. The answer half of a preference
    pair is the better output less the worse, so that the pair turned round has the negative.
    """
    if "messages" in row:
        return _message_key(items(row["messages"]))
    context = _digest(_CANONICAL.encode(mapping(row.get("input")).get("messages")))
    better, worse = (
        value_key(row.get("preferred_output")),
        value_key(row.get("non_preferred_output")),
    )
    answer = (better - worse) % 2**64 if better != worse else better
    return context + answer.to_bytes(HALF)


def plain_key(messages: Sequence[Message]) -> bytes:
    """Return what `row_key` does for a row of plain messages, see `_plain`."""
    written: list[str] = []
    for message in messages:
        role, content = message["role"], message["content"]
        if len(message) != 2:
            return _message_key(messages)
        # A length before each text keeps two texts from running into one another.
        written.append(f"{len(content)}{role}:{content}")
    if messages[-1]["role"] != "assistant":
        return _message_key(messages)
    answer = written.pop()
    # Reading makes sure that the text has no half of a surrogate pair.
    return (
        blake2b("".join(written).encode(), digest_size=HALF).digest()
        + blake2b(answer.encode(), digest_size=HALF).digest()
    )


def value_key(value: object) -> int:
    """Return the half key of any JSON value as a number; the order of keys in objects does not count."""
    return int.from_bytes(_digest(_CANONICAL.encode(value)))


def _message_key(messages: Sequence[object]) -> bytes:
    roles = [mapping(message).get("role") for message in messages]
    answer = len(roles) - 1 - roles[::-1].index("assistant") if "assistant" in roles else len(roles)
    written = [*map(_written, messages)]
    return _digest("".join(written[:answer])) + _digest("".join(written[answer:]))


def _written(message: object) -> str:
    """Write a message so that different messages, one after the other, give different text."""
    match message:
        case {"role": str(role), "content": str(content)} if len(mapping(message)) == 2:
            return f"{len(content)}{role}:{content}"
        case _:
            return _CANONICAL.encode(message)


def _digest(text: str) -> bytes:
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=HALF).digest()
