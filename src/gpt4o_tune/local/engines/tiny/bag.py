"""A bag of hashed features: what a conversation is about, wherever in it the words stand.

A small transformer trained on a few hundred rows learns the form of the answers well and the
meaning of the questions badly. Words, pairs of neighbouring words and pieces of words, weighted by
how rare they are, carry the meaning from few examples, as they do in a linear text classifier.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING
from zlib import crc32

import numpy as np

from gpt4o_tune.local.engines.tiny.rendering import INSTRUCTION_ROLES, Turn

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

BUCKETS = 1 << 17
SLOTS = 8192
"""Most features that the model learns: those that the most replies share."""
LEAST_REPLIES = 2
"""A feature of a single reply only serves to learn that reply by heart."""
WORDS = 400
"""Most words of a group that are read, half of them at its beginning and half at its end."""
LONGEST_WORD = 40

_WORD = re.compile(r"\w+")
_DIGIT = re.compile(r"\d")


@dataclass(frozen=True, slots=True)
class SparseVector:
    """Slots with a feature, and their values."""

    slots: NDArray[np.int32]
    values: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Bag:
    """Turns the conversation before a reply into a sparse vector.

    Features come in four groups: word pieces and words of the latest messages, words of earlier
    ones and of instructions. Each group is scaled to length 1/2, so that a long history does not
    drown the latest message and the whole is never longer than 1.
    """

    buckets: NDArray[np.int32]
    """Hash of each slot's feature, ascending."""
    rarities: NDArray[np.float32]
    """Inverse document frequency of each slot's feature: 0 if every reply shares it."""

    @classmethod
    def learn(cls, histories: Iterable[Sequence[Turn]]) -> Bag:
        """Choose slots from the conversations before the replies of a training file."""
        counts = np.zeros(BUCKETS, dtype=np.int64)
        replies = 0
        for history in histories:
            replies += 1
            for group in _feature_groups(history):
                counts[group] += 1
        frequent = np.argsort(-counts, kind="stable")[:SLOTS]
        buckets = np.sort(frequent[counts[frequent] >= LEAST_REPLIES])
        rarities = np.log((replies + 1) / (counts[buckets] + 1))
        return cls(buckets=buckets.astype(np.int32), rarities=rarities.astype(np.float32))

    def vector(self, history: Sequence[Turn]) -> SparseVector:
        """Describe the conversation before a reply; features without a slot are left out."""
        slots: list[NDArray[np.int64]] = []
        values: list[NDArray[np.float32]] = []
        ended = np.append(self.buckets, -1)
        for group in _feature_groups(history):
            places = np.searchsorted(self.buckets, group)
            places = places[ended[places] == group]
            weights = self.rarities[places]
            slots.append(places)
            values.append(weights / np.float32(max(2 * np.linalg.norm(weights), 1e-6)))
        return SparseVector(
            slots=np.concatenate(slots).astype(np.int32), values=np.concatenate(values)
        )


def _feature_groups(history: Sequence[Turn]) -> Iterator[NDArray[np.int64]]:
    """Yield the distinct hashed features of each group.

    The latest messages are those after the last assistant message. Pieces of words only pay there,
    where a question may be misspelt or inflected.
    """
    replies = [index for index, turn in enumerate(history) if turn.role == "assistant"]
    start = replies[-1] + 1 if replies else 0
    latest = _words(turn for turn in history[start:] if turn.role not in INSTRUCTION_ROLES)
    earlier = _words(turn for turn in history[:start] if turn.role not in INSTRUCTION_ROLES)
    instructions = _words(turn for turn in history if turn.role in INSTRUCTION_ROLES)
    yield _hashed("piece", [piece for word in latest for piece in _pieces(word)])
    for place, words in (("latest", latest), ("earlier", earlier), ("told", instructions)):
        yield _hashed(place, [*words, *(f"{a} {b}" for a, b in pairwise(words))])


def _words(turns: Iterable[Turn]) -> list[str]:
    text = " ".join(f"{turn.text} {turn.tool_calls}" for turn in turns)
    words = _WORD.findall(_DIGIT.sub("0", text.lower()))
    return words if len(words) <= WORDS else [*words[: WORDS // 2], *words[-WORDS // 2 :]]


def _pieces(word: str) -> Iterator[str]:
    """Yield the runs of 3 to 5 characters of a word with its edges marked."""
    marked = f"<{word[:LONGEST_WORD]}>"
    for length in (3, 4, 5):
        for start in range(len(marked) - length + 1):
            yield marked[start : start + length]


def _hashed(place: str, features: list[str]) -> NDArray[np.int64]:
    hashes = [crc32(f"{place} {feature}".encode("utf-8", "replace")) for feature in features]
    return np.unique(np.array(hashes, dtype=np.int64) % BUCKETS)
