"""Sketches of rows: what tells cheaply which rows may be alike, made in one pass over the rows.

A sketch stands for the prompt of a row, as `similarity` defines it. It holds keys, which are equal wherever
the rules call two prompts equal, and *marks*, which are hashes of some of the prompt's shingles. A long prompt
is marked at its *anchors* alone, words chosen by two of their letters, about one in three; so what stands inside
another text has its marks there too. A short prompt is marked at every word. Symbols such as + count in the
keys and not in the marks.

All hashes are the same in every process and on every platform.
"""

from __future__ import annotations

import re
import unicodedata
from array import array
from bisect import bisect_left
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import blake2b
from typing import TYPE_CHECKING, NamedTuple, Self
from zlib import crc32

from gpt4o_tune.data import _turns
from gpt4o_tune.data._words import (
    DROPPED,
    DROPPED_BEYOND_ASCII,
    INSTRUCTIONS,
    SHINGLE_WORDS,
    UNSPACED,
    exact_key,
    images_number,
    said,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from gpt4o_tune.data._plain import Message

EXACT_BYTES = 16

FIRST_PLAIN = 1 << 31
"""Marks at anchors are smaller, all others are not, so that sorting puts anchors first."""

_ANCHORS_ENOUGH = 12
MARKS_KEPT = 32

_SPREAD = 0x9E3779B1
_64_BITS = (1 << 64) - 1

_ASCII = "".join(map(chr, range(128)))
_WORDS_ALONE = re.sub(r"\W", " ", _ASCII).encode() + bytes(range(128, 256))
_ASCII_NOT_COMPARED = "".join(re.findall(rf"[\s{DROPPED}]", _ASCII)).encode()
# Regular expressions look for what is rare, and leave the rest to faster means.
_DROPPED_BEYOND_ASCII = re.compile(f"[{DROPPED_BEYOND_ASCII}]")
_NO_WORD_BEYOND_ASCII = re.compile(r"[^\x00-\x7f\w]")
_UNSPACED = re.compile(rf"[{UNSPACED}]")
_RUN = re.compile(rf"[{UNSPACED}]|[^\W{UNSPACED}]+")


def _anchor_pattern() -> re.Pattern[bytes]:
    """Find anchors, with the two words behind each, by the third and the last byte of a word in UTF-8.

    The third byte may begin a character, which tells nothing; the last never does but in ASCII.
    """

    def of(share: int, shift: int) -> bytes:
        chosen = (byte for byte in range(0x30, 0xC0) if (byte * _SPREAD >> shift) % 8 < share)
        return re.escape(bytes(chosen))

    third, last = of(5, 21) + bytes(range(0xC0, 0xF8)), of(4, 18)
    return re.compile(rb" (?=([^ ]{2}[%b][^ ]*+(?<=[%b]) [^ ]+ [^ ]+))" % (third, last))


_ANCHOR = _anchor_pattern()


class Sketch(NamedTuple):
    """What the prompt of one row comes to."""

    key: int
    """64 bits, equal where the rules call prompts equal; 0 where there is nothing to compare."""
    context: int
    """The same of instructions and prompt together."""
    marks: Sequence[int]
    """Ascending, each once."""
    parts: Sequence[int]
    """Keys of what the messages of a longer prompt say, one by one and all up to each."""


def sketch(row: Mapping[str, object], *, with_instructions: bool = False) -> Sketch:
    """Sketch the prompt of a row.

    Where there is no prompt, the instructions stand in for it, and where there are none, the answer, whose
    key is then 0.

    Args:
        row: A row of sound shape.
        with_instructions: Whether the instructions belong to the prompt, as they do where that is nothing
            but template.
    """
    instructions: list[str] = []
    prompt: list[str] = []
    answer: list[str] = []
    urls: list[str] = []
    for message, role, is_target in _turns.turns(row):
        if role in INSTRUCTIONS:
            instructions.extend(filter(None, _turns.texts(message)))
            continue
        (answer if is_target else prompt).append(_compared(message))
        if not isinstance(message.get("content"), str):
            urls.extend(_turns.text(image.get("url")) for image in _turns.images(message))
    said = _Said(instructions, prompt, answer, images_number(urls))
    return _sketch(said, with_instructions=with_instructions)


def plain_sketch(messages: Sequence[Message]) -> Sketch:
    """Return what `sketch` does for a chat row of plain messages, see `_plain`."""
    said = _Said([], [], [], 0)
    has_answer = messages[-1]["role"] == "assistant"
    for message in messages:
        role = message["role"]
        if role in INSTRUCTIONS:
            said.instructions.append(message["content"])
        elif has_answer and role == "assistant" and message.get("weight") != 0:
            said.answer.append(message["content"])
        else:
            said.prompt.append(message["content"])
    return _sketch(said)


class _Said(NamedTuple):
    instructions: list[str]
    prompt: list[str]
    answer: list[str]
    images: int


def _sketch(said: _Said, *, with_instructions: bool = False) -> Sketch:
    frame = 0
    for text in said.instructions:
        frame = (frame * _SPREAD ^ _remembered_key(text)) & _64_BITS
    prompt = list(
        map(_folded, said.instructions + said.prompt if with_instructions else said.prompt)
    )
    images = said.images
    tight = list(map(_tight, prompt))
    whole = b"".join(tight)
    key = _key(whole, images) if whole or images else 0
    if not key and said.instructions and not with_instructions:
        return _sketch(said, with_instructions=True)
    parts = list(_parts(tight, images)) if len(tight) > 1 and key else ()
    text = "\n".join(prompt if key else map(_folded, said.answer))
    return Sketch(key, key ^ frame, _marks(text, images & FIRST_PLAIN - 1), parts)


@dataclass(slots=True)
class Sketches:
    """Sketches of rows in order: 40 bytes a row, 4 for each of its marks, 12 for each of its parts."""

    exact: bytearray = field(default_factory=bytearray)
    """16 bytes per row, as `exact_key` gives them."""
    keys: array[int] = field(default_factory=lambda: array("Q"))
    contexts: array[int] = field(default_factory=lambda: array("Q"))
    ends: array[int] = field(default_factory=lambda: array("Q"))
    """Per row where its marks end."""
    marks: array[int] = field(default_factory=lambda: array("I"))
    parts: array[int] = field(default_factory=lambda: array("Q"))
    part_rows: array[int] = field(default_factory=lambda: array("I"))
    """Per part the row that it is a part of."""

    @classmethod
    def of(cls, rows: Iterable[Mapping[str, object]]) -> Self:
        """Sketch rows in one pass."""
        sketches = cls()
        for row in rows:
            sketches.add(row)
        return sketches

    def __len__(self) -> int:
        return len(self.keys)

    def add(self, row: Mapping[str, object], *, exact: bytes | None = None) -> None:
        """Append the sketch of a row.

        Args:
            row: A row of sound shape.
            exact: Its `exact_key`, where it is known.
        """
        self._append(exact or exact_key(row), sketch(row))

    def add_plain(self, messages: Sequence[Message], *, exact: bytes) -> None:
        """Append the sketch of a chat row of plain messages, see `_plain`."""
        self._append(exact, plain_sketch(messages))

    def extend(self, others: Sketches) -> None:
        """Append the sketches of further rows."""
        self._extend(others, 0, len(others))

    def take(self, rows: Iterable[int]) -> Sketches:
        """Return the sketches of some rows, in the order given."""
        parts = self._parts_by_row()
        taken = Sketches()
        for row in rows:
            taken._append(self.exact_of(row), self._sketch_of(row, parts))
        return taken

    def replace(self, sketched: Iterable[tuple[int, Sketch]]) -> Sketches:
        """Return the same with other sketches for some rows, given in ascending order."""
        replaced = Sketches()
        start = 0
        for row, other in sketched:
            replaced._extend(self, start, row)
            replaced._append(self.exact_of(row), other)
            start = row + 1
        replaced._extend(self, start, len(self))
        return replaced

    def _extend(self, others: Sketches, start: int, end: int) -> None:
        """Append the sketches of rows that follow one another."""
        if start >= end:
            return
        first = others.ends[start - 1] if start else 0
        shift = len(self.marks) - first
        part, last = (bisect_left(others.part_rows, row) for row in (start, end))
        moved = len(self) - start
        self.exact += others.exact[start * EXACT_BYTES : end * EXACT_BYTES]
        self.keys += others.keys[start:end]
        self.contexts += others.contexts[start:end]
        self.marks += others.marks[first : others.ends[end - 1]]
        self.ends.extend(shift + mark for mark in others.ends[start:end])
        self.parts += others.parts[part:last]
        self.part_rows.extend(moved + row for row in others.part_rows[part:last])

    def exact_of(self, row: int) -> bytes:
        """Return the key of a row's messages."""
        return bytes(self.exact[row * EXACT_BYTES : (row + 1) * EXACT_BYTES])

    def marks_of(self, row: int) -> array[int]:
        """Return the marks of a row, ascending."""
        return self.marks[self.ends[row - 1] if row else 0 : self.ends[row]]

    def _parts_by_row(self) -> dict[int, list[int]]:
        parts: dict[int, list[int]] = {}
        for row, part in zip(self.part_rows, self.parts, strict=True):
            parts.setdefault(row, []).append(part)
        return parts

    def _sketch_of(self, row: int, parts: Mapping[int, Sequence[int]]) -> Sketch:
        return Sketch(self.keys[row], self.contexts[row], self.marks_of(row), parts.get(row, ()))

    def _append(self, exact: bytes, one: Sketch) -> None:
        self.exact += exact
        self.part_rows.extend([len(self.keys)] * len(one.parts))
        self.parts.extend(one.parts)
        self.keys.append(one.key)
        self.contexts.append(one.context or int.from_bytes(exact[:8], "little"))
        self.marks.extend(one.marks)
        self.ends.append(len(self.marks))


def _compared(message: Mapping[str, object]) -> str:
    """Return what a message says and calls as one text."""
    content = message.get("content")
    if isinstance(content, str) and len(message) == len(("role", "content")):
        return content
    return "\n".join(said(message))


def _folded(text: str) -> str:
    """Return a text as it is compared, whatever its case and width."""
    return text.lower() if text.isascii() else unicodedata.normalize("NFKC", text).casefold()


def _tight(folded: str) -> bytes:
    """Return a text without what the rules do not compare; texts of equal words give equal bytes."""
    if not folded.isascii():
        folded = _DROPPED_BEYOND_ASCII.sub("", "".join(folded.split()))
    return folded.encode("utf-8", "surrogatepass").translate(None, _ASCII_NOT_COMPARED)


def _key(tight: bytes, images: int) -> int:
    return int.from_bytes(blake2b(tight, digest_size=8).digest(), "little") ^ images


def _parts(messages: Sequence[bytes], images: int) -> Iterator[int]:
    """Yield the key of every message of a prompt, and of all messages up to each but the last."""
    so_far = blake2b(digest_size=8)
    for message in messages[:-1]:
        so_far.update(message)
        yield int.from_bytes(so_far.digest(), "little") ^ images
    for message in filter(None, messages):
        yield _key(message, images)


@lru_cache(1 << 10)
def _remembered_key(text: str) -> int:
    return _key(_tight(_folded(text)), 0)


def _marks(folded: str, images: int) -> list[int]:
    """Hash shingles of a text: those at anchors and, where these are few, the smallest of the others."""
    words = _words(folded)
    at_anchors = set(map(crc32, _ANCHOR.findall(b" " + b" ".join(words))))
    if len(at_anchors) >= _ANCHORS_ENOUGH:
        marks = [mark >> 1 for mark in at_anchors]
    else:
        # Fewer words than three are one shingle.
        are_enough = len(words) >= SHINGLE_WORDS
        runs = zip(words, words[1:], words[2:], strict=False) if are_enough else [words]
        plain = set(map(crc32, map(b" ".join, runs))) - at_anchors
        kept = sorted(plain)[: MARKS_KEPT - len(at_anchors)] if words else ()
        marks = [mark >> 1 for mark in at_anchors]
        marks += [mark >> 1 | FIRST_PLAIN for mark in kept]
    if images:
        marks = [mark ^ images for mark in marks]
    return sorted(set(marks))


def _words(folded: str) -> list[bytes]:
    if not folded.isascii():
        if _UNSPACED.search(folded):
            folded = " ".join(_RUN.findall(folded))
        else:
            folded = _NO_WORD_BEYOND_ASCII.sub(" ", folded)
    return folded.encode("utf-8", "surrogatepass").translate(_WORDS_ALONE).split()
