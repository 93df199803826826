"""Rows as normalised words and hashed word 3-grams: what similarity compares."""

from __future__ import annotations

import re
import unicodedata
from array import array
from functools import lru_cache
from hashlib import blake2b
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

from gpt4o_tune.data import _turns
from gpt4o_tune.data._keys import row_key

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

SHINGLE_WORDS = 3

# Scripts written without spaces: Thai, Lao, Myanmar, Khmer, kana, Han.
UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u31f0-\u31ff"
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
)
# Marks of prose, and characters that cannot be seen. Other symbols tell texts apart: 2 + 3 is not 2 - 3.
DROPPED_BEYOND_ASCII = (
    r"\u2026\u00b7\u2018-\u201f\u00ab\u00bb\u2039\u203a\u00bf\u00a1"
    r"\u3001\u3002\u3008-\u3011\u00ad\u200b-\u200f\u2060\ufe0e\ufe0f\ufeff"
)
DROPPED = r""".,;:!?'"()\[\]{}`""" + DROPPED_BEYOND_ASCII
_WORD = re.compile(rf"[{UNSPACED}]|[^\W{UNSPACED}]+|[^\w\s{DROPPED}]")
# The same for text in ASCII, five times as fast.
_ASCII_WORD = re.compile(r"""\w+|[^\w\s\x1c-\x1f.,;:!?'"()\[\]{}`]""", re.ASCII)

INSTRUCTIONS = frozenset({"system", "developer"})


def words(text: str) -> list[str]:
    """Cut a text into words, the same for spellings that differ in case, width, spacing or prose marks.

    In scripts that are written without spaces every character is a word.
    """
    if text.isascii():
        return _ASCII_WORD.findall(text.lower())
    return _WORD.findall(unicodedata.normalize("NFKC", text).casefold())


class RowWords(NamedTuple):
    """The words of a row, by the part that they play."""

    instructions: tuple[str, ...]
    """System and developer messages."""
    prompt: tuple[str, ...]
    """All other messages that are not learned: user, tools, earlier answers of `weight` 0."""
    answer: tuple[str, ...]
    """What the model learns to write, or to prefer or avoid."""
    images: int
    """Hash of the images that the row shows; 0 where it shows none."""


class RowTexts(NamedTuple):
    """What is said and called in a row, by the part that it plays; see `RowWords`."""

    instructions: list[str]
    prompt: list[str]
    answer: list[str]
    images: int


def row_texts(row: Mapping[str, object]) -> RowTexts:
    """Take a row apart, leaving out what says nothing."""
    instructions: list[str] = []
    prompt: list[str] = []
    answer: list[str] = []
    urls: list[str] = []
    for message, role, is_target in _turns.turns(row):
        is_instruction = role in INSTRUCTIONS
        part = instructions if is_instruction else answer if is_target else prompt
        content = message.get("content")
        if isinstance(content, str) and len(message) == len(("role", "content")):
            if content:
                part.append(content)
            continue
        part += filter(None, _turns.texts(message) if is_instruction else said(message))
        if is_instruction:
            continue
        urls += (_turns.text(image.get("url")) for image in _turns.images(message))
    return RowTexts(instructions, prompt, answer, images_number(urls))


def row_words(row: Mapping[str, object]) -> RowWords:
    """Cut a row into words."""
    instructions, prompt, answer, images = row_texts(row)
    return RowWords(repeated_words(instructions), all_words(prompt), all_words(answer), images)


def all_words(texts: Iterable[str]) -> tuple[str, ...]:
    """Cut texts into words, one after the other."""
    return tuple(chain.from_iterable(map(words, texts)))


def repeated_words(texts: Iterable[str]) -> tuple[str, ...]:
    """Cut texts that many rows share into words."""
    return tuple(chain.from_iterable(map(_repeated_words, texts)))


def exact_key(row: Mapping[str, object]) -> bytes:
    """Return 16 bytes that are equal for rows with the same messages, to the last character."""
    return row_key(row)


def shingles(text: Iterable[str], *, images: int = 0) -> array[int]:
    """Hash every run of 3 words, in the order of the text; a shorter text is one shingle.

    The images take part in every hash, so that no text is alike beside different pictures. The hashes are
    64 bits wide and the same in every process.
    """
    numbers = list(map(_word_number, text))
    if images:
        numbers = [number ^ images for number in numbers]
    if len(numbers) >= SHINGLE_WORDS:
        return array("q", map(hash, zip(numbers, numbers[1:], numbers[2:], strict=False)))
    if numbers or images:
        return array("q", [hash((images, *numbers))])
    return array("q")


def images_number(urls: Sequence[str]) -> int:
    """Return a number of 56 bits for the images that a row shows; 0 where it shows none."""
    return _number(*urls) if urls else 0


def said(message: Mapping[str, object]) -> Iterator[str]:
    """Yield what a message says and what it calls, text by text."""
    yield from _turns.texts(message)
    yield from _turns.calls(message)


@lru_cache(256)
def _repeated_words(text: str) -> tuple[str, ...]:
    return tuple(words(text))


# Hashes of strings differ from process to process, those of numbers do not.
@lru_cache(1 << 18)
def _word_number(word: str) -> int:
    return _number(word)


def _number(*texts: str) -> int:
    digest = blake2b(digest_size=7)
    for text in texts:
        digest.update(text.encode("utf-8", "surrogatepass") + b"\0")
    return int.from_bytes(digest.digest(), "little")
