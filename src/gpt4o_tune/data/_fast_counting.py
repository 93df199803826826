"""Counting by a faster tokenizer, where the extra `fast` is installed: the same counts, four times as fast.

gigatoken reads the vocabulary that this package carries. Before its counts are used for some rows, those of
the first texts are compared with tiktoken's, which stays the reference; where they differ, tiktoken counts
and a warning says so.
"""

from __future__ import annotations

import importlib.util
import logging
import tempfile
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from gpt4o_tune._extras import import_extra
from gpt4o_tune.data.vocabulary import CARRIED, encoding, ranks

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_WORTH_BYTES = 48 << 20
"""From this size on the faster tokenizer makes up for the second that each process needs to load it."""

_PRETOKENIZERS = {"o200k_base": "o200k", "cl100k_base": "cl100k"}
_COMPARED_TEXTS = 200
_COMPARED_CHARS = 100_000

_log = logging.getLogger("gpt4o_tune")


def is_worth(encoding_name: str, size: int) -> bool:
    """Tell whether the faster tokenizer is there, and pays for rows of so many bytes."""
    return (
        size >= _WORTH_BYTES
        and encoding_name in CARRIED
        and importlib.util.find_spec("gigatoken") is not None
    )


@cache
def fast_encoder(encoding_name: str) -> Callable[[list[str]], list[list[int]]]:
    """Return the function that encodes many texts at once; one per process and encoding.

    Raises:
        MissingExtraError: gigatoken is not installed.
    """
    from gpt4o_tune.data.vocabulary.packing import write_tiktoken

    gigatoken = import_extra("gigatoken", extra="fast", feature="Fast counting")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"{encoding_name}.tiktoken")
        path.write_bytes(write_tiktoken(ranks(encoding_name)))
        # Without special tokens, text that spells one is text, as for `encode_ordinary`.
        tokenizer = gigatoken.Tokenizer.from_tiktoken(path, _PRETOKENIZERS[encoding_name], {})

    def encode(texts: list[str]) -> list[list[int]]:
        encoded: list[list[int]] = tokenizer.encode_batch_list(texts, parallel=False)
        return encoded

    return encode


def agrees(encoding_name: str, texts: Sequence[str]) -> bool:
    """Compare both tokenizers on the first texts; warn where they differ."""
    compared: list[str] = []
    chars = 0
    for text in texts[:_COMPARED_TEXTS]:
        compared.append(text)
        chars += len(text)
        if chars > _COMPARED_CHARS:
            break
    fast = fast_encoder(encoding_name)(compared)
    reference = encoding(encoding_name).encode_ordinary
    for text, ids in zip(compared, fast, strict=True):
        if ids != reference(text):
            _log.warning(
                "gigatoken disagrees with tiktoken on %r (%s); tiktoken counts. Please report this, and "
                "uninstall gigatoken meanwhile.",
                text[:80],
                encoding_name,
            )
            return False
    return True
