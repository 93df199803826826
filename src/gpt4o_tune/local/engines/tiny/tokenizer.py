"""Byte-level byte-pair encoding, learnt from the rows of one training file."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

from gpt4o_tune.local.engines.tiny.rendering import INSTRUCTION_ROLES, ROLES, Turn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

END = 0
"""Ends every message; the model stops an answer with it."""
TOOL_CALL = 1
"""Stands between the text of an assistant message and its tool calls."""
UNKNOWN = 2
"""Stands for a prompt token that training left out, and for what the model was never shown."""
_FIRST_ROLE = 3
FIRST_BYTE = _FIRST_ROLE + len(ROLES)
_FIRST_MERGE = FIRST_BYTE + 256

MERGES = 768
PHRASES = 64
DISTINCT_WORDS = 20_000
"""Most words that merges are learnt from, and that a tokenizer remembers the tokens of."""
REPLY_WEIGHT = 8
"""A word in a reply counts this often, so that labels become single tokens early."""

_WORD = re.compile(r" ?[^\W\d]{1,32}| ?\d| ?[^\w\s]{1,32}|\s")
"""Words, single digits, runs of punctuation, single spaces; longer runs are cut, which bounds the
time to encode one."""


@dataclass(frozen=True)
class Tokenizer:
    """Encodes turns as token ids.

    Ids run: special tokens, roles, the 256 bytes, one per merge, one per phrase. A phrase is the
    whole text of an instruction (system or developer message) that several training rows share.
    """

    merges: tuple[tuple[int, int], ...]
    phrases: tuple[str, ...]
    _ranks: dict[tuple[int, int], int] = field(init=False, repr=False, compare=False)
    _bytes: list[bytes] = field(init=False, repr=False, compare=False)
    _encode_word: Callable[[str], list[int]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        pieces = [b""] * FIRST_BYTE + [bytes([byte]) for byte in range(256)]
        for left, right in self.merges:
            pieces.append(pieces[left] + pieces[right])
        object.__setattr__(self, "_bytes", pieces + [b""] * len(self.phrases))
        object.__setattr__(self, "_ranks", {pair: i for i, pair in enumerate(self.merges)})
        object.__setattr__(self, "_encode_word", lru_cache(DISTINCT_WORDS)(self._merge))

    @classmethod
    def learn(cls, conversations: Iterable[Sequence[Turn]]) -> Tokenizer:
        """Learn merges and phrases; each distinct turn counts once, so repetition adds nothing."""
        instructions: Counter[str] = Counter()
        turns: dict[Turn, None] = {}
        for conversation in conversations:
            turns.update(dict.fromkeys(conversation))
            instructions.update({t.text: 1 for t in conversation if t.role in INSTRUCTION_ROLES})
        words: Counter[str] = Counter()
        for turn in turns:
            weight = REPLY_WEIGHT if turn.role == "assistant" else 1
            for word in _WORD.findall(f"{turn.text}\n{turn.tool_calls}"):
                words[word] += weight
        shared = tuple(text for text, n in instructions.most_common(PHRASES) if n > 1)
        return cls(merges=_learn_merges(words), phrases=shared)

    @property
    def size(self) -> int:
        """Number of token ids."""
        return len(self._bytes)

    def bytes_of(self, token: int) -> bytes:
        """Give the text of a token; special tokens, roles and phrases have none."""
        return self._bytes[token]

    def encode(self, text: str) -> list[int]:
        """Encode text without any special token, whatever it contains."""
        return [token for word in _WORD.findall(text) for token in self._encode_word(word)]

    def encode_turn(self, turn: Turn) -> list[int]:
        """Encode a message with its role before and its end after it."""
        return [self.role(turn.role), *self.encode_body(turn)]

    def encode_body(self, turn: Turn) -> list[int]:
        """Encode what follows the role: for an assistant message, what the model is to write."""
        if turn.role in INSTRUCTION_ROLES and turn.text in self.phrases:
            return [self.size - len(self.phrases) + self.phrases.index(turn.text), END]
        calls = [TOOL_CALL, *self.encode(turn.tool_calls)] if turn.tool_calls else []
        return [*self.encode(turn.text), *calls, END]

    @staticmethod
    def role(role: str) -> int:
        """Give the token that begins a message of this role."""
        return _FIRST_ROLE + ROLES.index(role)

    def _merge(self, word: str) -> list[int]:
        """Apply the merges to a word, the earliest learnt first."""
        symbols = [FIRST_BYTE + byte for byte in word.encode("utf-8", "replace")]
        while len(symbols) > 1:
            pairs = list(itertools.pairwise(symbols))
            best = min(pairs, key=lambda pair: self._ranks.get(pair, MERGES))
            if best not in self._ranks:
                break
            symbols = _replace(symbols, best, _FIRST_MERGE + self._ranks[best])
        return symbols


def _learn_merges(words: Counter[str]) -> tuple[tuple[int, int], ...]:
    """Merge the most frequent pair, up to `MERGES` times; equal counts go by the lower ids."""
    frequent = words.most_common(DISTINCT_WORDS)
    counts = [n for _, n in frequent]
    spelled = [[FIRST_BYTE + byte for byte in w.encode("utf-8", "replace")] for w, _ in frequent]
    totals: Counter[tuple[int, int]] = Counter()
    places: dict[tuple[int, int], set[int]] = {}

    def count(index: int, sign: int) -> None:
        symbols = spelled[index]
        for pair in itertools.pairwise(symbols):
            totals[pair] += sign * counts[index]
            places.setdefault(pair, set()).add(index)

    for index in range(len(spelled)):
        count(index, 1)
    merges: list[tuple[int, int]] = []
    while len(merges) < MERGES and totals:
        pair = min(totals, key=lambda pair: (-totals[pair], pair))
        if totals[pair] < 2:
            break
        for index in places.pop(pair):
            count(index, -1)
            spelled[index] = _replace(spelled[index], pair, _FIRST_MERGE + len(merges))
            count(index, 1)
        del totals[pair]
        merges.append(pair)
    return tuple(merges)


def _replace(symbols: list[int], pair: tuple[int, int], merged: int) -> list[int]:
    replaced: list[int] = []
    for symbol in symbols:
        if replaced and (replaced[-1], symbol) == pair:
            replaced[-1] = merged
        else:
            replaced.append(symbol)
    return replaced
