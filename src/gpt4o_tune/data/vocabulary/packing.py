"""The packed form of a vocabulary, and the `.tiktoken` text that it stands for.

A `.tiktoken` file has one line per token: its bytes in base64, a space and its rank. Ranks count up from 0
and no token is longer than 255 bytes, so the packed form needs no ranks and no separators: the number of
tokens (4 bytes, little-endian), one length byte per token, then the bytes of all tokens.
"""

from __future__ import annotations

import base64
from itertools import accumulate, pairwise

_COUNT_BYTES = 4


def pack(tokens: list[bytes]) -> bytes:
    """Pack tokens that stand in the order of their ranks.

    Raises:
        ValueError: A token is empty or longer than 255 bytes.
    """
    if not all(1 <= len(token) <= 255 for token in tokens):
        raise ValueError("cannot pack a token of no bytes or of more than 255")
    return b"".join(
        [len(tokens).to_bytes(_COUNT_BYTES, "little"), bytes(map(len, tokens)), *tokens]
    )


def unpack(packed: bytes) -> dict[bytes, int]:
    """Return the rank of every token, in ascending order of ranks."""
    count = int.from_bytes(packed[:_COUNT_BYTES], "little")
    body = _COUNT_BYTES + count
    bounds = accumulate(packed[_COUNT_BYTES:body], initial=body)
    return {packed[start:end]: rank for rank, (start, end) in enumerate(pairwise(bounds))}


def parse_tiktoken(text: bytes) -> list[bytes]:
    """Return the tokens of a `.tiktoken` file in the order of their ranks.

    Raises:
        ValueError: The ranks do not count up from 0 line by line.
    """
    tokens: list[bytes] = []
    for line in text.splitlines():
        encoded, rank = line.split()
        if int(rank) != len(tokens):
            raise ValueError(f"expected rank {len(tokens)}, found {int(rank)}")
        tokens.append(base64.b64decode(encoded, validate=True))
    return tokens


def write_tiktoken(ranks: dict[bytes, int]) -> bytes:
    """Return the `.tiktoken` file of a vocabulary, byte for byte as it is published."""
    lines = (base64.b64encode(token) + b" %d\n" % rank for token, rank in ranks.items())
    return b"".join(lines)
