"""Answers that are known in full before they begin, given word by word as generated ones are."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from gpt4o_tune.local.engines.protocol import GeneratedToken

if TYPE_CHECKING:
    from collections.abc import Iterator


def recite(
    text: str, *, max_tokens: int, top_logprobs: int = 0, is_tool_call: bool = False
) -> Iterator[GeneratedToken]:
    """Yield a text word by word, each with probability 1, and stop after `max_tokens` words."""
    words = re.findall(r"\s*\S+", text) or [text]
    for place, word in enumerate(words[:max_tokens], start=1):
        is_last = place == min(len(words), max_tokens)
        reason = ("stop" if place == len(words) else "length") if is_last else None
        yield GeneratedToken(
            word,
            0.0,
            ((word, 0.0),) if top_logprobs else (),
            is_tool_call=is_tool_call,
            finish_reason=reason,
        )
