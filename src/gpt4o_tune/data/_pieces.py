"""A text cut where its tokens end."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from gpt4o_tune.data.tokens import count_text
from gpt4o_tune.data.vocabulary import encoding

if TYPE_CHECKING:
    from collections.abc import Iterator

# tiktoken's regular expression engine gives up on longer runs; a text with one is given in one piece.
_LONG_RUN_CHARS = 250_000
_BLANKS = re.compile(r"\s+")


def pieces(text: str, *, encoding_name: str) -> Iterator[tuple[str, int]]:
    """Yield whole characters and the tokens that they take, as few at a time as tokens allow.

    Where a token ends inside a character, the following ones are added until a character ends too.
    """
    if len(text) >= _LONG_RUN_CHARS and any(
        len(run) >= _LONG_RUN_CHARS for run in _BLANKS.findall(text)
    ):
        yield text, count_text(text, encoding=encoding_name)
        return
    known = encoding(encoding_name)
    held, size = b"", 0
    for token in known.encode_ordinary(text):
        held += known.decode_single_token_bytes(token)
        size += 1
        try:
            piece = held.decode()
        except UnicodeDecodeError:
            continue
        yield piece, size
        held, size = b"", 0
