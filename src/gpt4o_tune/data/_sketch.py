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
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import blake2b
from typing import TYPE_CHECKING, NamedTuple, Self
from zlib import crc32

from gpt4o_tune.data import _turns
from gpt4o_tune.data._words import (
    DROPPED,
    INSTRUCTIONS,
    SHINGLE_WORDS,
    UNSPACED,
    exact_key,
    images_number,
    said,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

EXACT_BYTES = 16

FIRST_PLAIN = 1 << 31
"""Marks at anchors are smaller, all others are not, so that sorting puts anchors first."""

_ANCHORS_ENOUGH = 12
MARKS_KEPT = 32

_SPREAD = 0x9E3779B1
_64_BITS = (1 << 64) - 1

_ASCII = "".join(map(chr, range(128)))
_WORDS_ALONE = re.sub(r"\W", " ", _ASCII).lower().encode().ljust(256)
_ASCII_NOT_COMPARED = "".join(re.findall(rf"[\s{DROPPED}]", _ASCII)).encode()
_NOT_COMPARED = re.compile(rf"[\s{DROPPED}]+")
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
            instructions.extend(_turns.texts(message))
            continue
        (answer if is_target else prompt).append(_compared(message))
        if not isinstance(message.get("content"), str):
            urls.extend(_turns.text(image.get("url")) for image in _turns.images(message))
    images = images_number(urls)
    frame = 0
    for text in instructions:
        frame = (frame * _SPREAD ^ _remembered_key(text)) & _64_BITS
    if with_instructions:
        prompt = instructions + prompt
    tight = list(map(_tight, prompt))
    whole = b"".join(tight)
    key = _key(whole, images) if whole or images else 0
    if not key and instructions and not with_instructions:
        return sketch(row, with_instructions=True)
    parts = list(_parts(tight, images)) if len(tight) > 1 and key else []
    marks = _marks("\n".join(prompt if key else answer), images & FIRST_PLAIN - 1)
    return Sketch(key, key ^ frame, marks, parts)


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

    def extend(self, others: Sketches) -> None:
        """Append the sketches of further rows."""
        rows, marks = len(self), len(self.marks)
        self.exact += others.exact
        self.keys += others.keys
        self.contexts += others.contexts
        self.ends.extend(marks + end for end in others.ends)
        self.marks += others.marks
        self.parts += others.parts
        self.part_rows.extend(rows + row for row in others.part_rows)

    def take(self, rows: Iterable[int]) -> Sketches:
        """Return the sketches of some rows, in the order given."""
        parts = self._parts_by_row()
        taken = Sketches()
        for row in rows:
            taken._append(self.exact_of(row), self._sketch_of(row, parts))
        return taken

    def replace(self, sketched: Iterable[tuple[int, Sketch]]) -> Sketches:
        """Return the same with other sketches for some rows, given in ascending order."""
        parts = self._parts_by_row()
        others = iter(sketched)
        other = next(others, None)
        replaced = Sketches()
        for row in range(len(self)):
            if other is not None and other[0] == row:
                replaced._append(self.exact_of(row), other[1])
                other = next(others, None)
            else:
                replaced._append(self.exact_of(row), self._sketch_of(row, parts))
        return replaced

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


def _tight(text: str) -> bytes:
    """Return a text without what the rules do not compare; texts of equal words give equal bytes."""
    if text.isascii():
        return text.encode().lower().translate(None, _ASCII_NOT_COMPARED)
    folded = unicodedata.normalize("NFKC", text).casefold()
    return _NOT_COMPARED.sub("", folded).encode("utf-8", "surrogatepass")


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
    return _key(_tight(text), 0)


def _marks(text: str, images: int) -> list[int]:
    """Hash shingles of a text: those at anchors and, where these are few, the smallest of the others."""
    words = _words(text)
    at_anchors = set(map(crc32, _ANCHOR.findall(b" ".join([b"", *words]))))
    if len(at_anchors) >= _ANCHORS_ENOUGH:
        return sorted({mark >> 1 ^ images for mark in at_anchors})
    # Fewer words than three are one shingle.
    runs = (
        zip(words, words[1:], words[2:], strict=False) if len(words) >= SHINGLE_WORDS else [words]
    )
    plain = set(map(crc32, map(b" ".join, runs))) - at_anchors
    kept = sorted(plain)[: MARKS_KEPT - len(at_anchors)] if words else ()
    marks = {mark >> 1 ^ images for mark in at_anchors}
    return sorted(marks.union(mark >> 1 ^ images | FIRST_PLAIN for mark in kept))


def _words(text: str) -> list[bytes]:
    if text.isascii():
        return text.encode().translate(_WORDS_ALONE).split()
    runs = _RUN.findall(unicodedata.normalize("NFKC", text).casefold())
    return " ".join(runs).encode("utf-8", "surrogatepass").split(b" ") if runs else []
