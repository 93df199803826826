"""Answers that are known in full before they begin, given word by word as generated ones are."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from gpt4o_tune.local.engines.protocol import GeneratedToken

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gpt4o_tune.local.engines.protocol import AnswerShape


def recite(
    text: str,
    *,
    max_tokens: int,
    top_logprobs: int = 0,
    is_tool_call: bool = False,
    shape: AnswerShape | None = None,
) -> Iterator[GeneratedToken]:
    """Yield a text word by word, each with probability 1, and stop after `max_tokens` words.

    Where the answer must have a form, it is the shortest of that form, with the text wherever a string is
    free.
    """
    must_call = shape is not None and shape.kind == "calls"
    grammar = shape and (shape.calls if must_call else shape.text)
    if grammar is not None:
        text, is_tool_call = grammar.example(text), must_call
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
