"""One pass over many rows that gathers what several questions need: faults, keys and token counts.

Rows are read in blocks, large files in several processes; what comes back is a few bytes a row. Plain rows
take a short way (`_plain`) that gives the same as the rules would, which a test holds on random files.
"""

from __future__ import annotations

import json
import sys
from array import array
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from gpt4o_tune.data._counting import RowCounter
from gpt4o_tune.data._crew import processes, share_out
from gpt4o_tune.data._fast_counting import agrees, is_worth
from gpt4o_tune.data._keys import KEY, plain_key, row_key
from gpt4o_tune.data._plain import PlainReader
from gpt4o_tune.data._sketch import Sketches
from gpt4o_tune.data._token_counts import CountColumns
from gpt4o_tune.data._turns import texts as texts_of
from gpt4o_tune.data._turns import turns
from gpt4o_tune.data.checks import RULES, USUAL_RULES, RowRules, scope_for
from gpt4o_tune.data.checks.corpus import COUNTABLE, CRLF, Corpus, corpus_keys, marks_of
from gpt4o_tune.data.decode import decode
from gpt4o_tune.data.privacy.prefilter import secrets_suspected

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from gpt4o_tune.catalog import Method, ProviderKind
    from gpt4o_tune.data._counting import RowTokens
    from gpt4o_tune.data._plain import Message
    from gpt4o_tune.data._store import Place, RowStore
    from gpt4o_tune.data.checks import Scope
    from gpt4o_tune.data.decode import JsonObject
    from gpt4o_tune.data.formats import Format
    from gpt4o_tune.data.report import Problem

_BLOCK_BYTES = 1 << 20
_SHARED_BYTES = 12 << 20
"""From this size on, helpers save more time than the third of a second that each takes to start."""

_COMPARED_ROWS = 100

_SHAPE_RULES = tuple(rule for rule in RULES if rule.is_shape)
_SHAPES = frozenset(rule.code for rule in _SHAPE_RULES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a pass over rows is for; plain values, as other processes must be told."""

    format: Format
    model: str
    provider: ProviderKind
    method: Method
    grader: Mapping[str, object] | None = field(default=None, hash=False)
    judge: bool
    """Whether to apply all rules, or only those on the shape of a row."""
    count: bool = False
    """Whether to count tokens; the catalog must know the model."""
    pii: bool = False
    """Whether to look for personal data too."""
    sketch: bool = False
    """Whether to sketch the rows for the search for near-duplicates."""
    fast: bool = False
    """Whether to count them with the tokenizer of the extra `fast`."""

    @property
    def question(self) -> tuple[str, ...]:
        """What the problems found depend on."""
        grader = json.dumps(self.grader, sort_keys=True) if self.grader else ""
        pii = "pii" if self.pii else ""
        return self.format, self.model, self.provider, self.method, grader, pii

    def scope(self) -> Scope:
        """Look up what the rules depend on."""
        return scope_for(
            self.model,
            provider=self.provider,
            method=self.method,
            format=self.format,
            grader=self.grader,
        )


class Block(NamedTuple):
    """Rows to read, by their places in the store's bytes."""

    starts: array[int]
    ends: array[int]
    lines: Sequence[int]


@dataclass(slots=True)
class Gathered:
    """What a pass found, row by row: 29 bytes a row, and the problems."""

    marks: bytearray = field(default_factory=bytearray)
    """See `checks.corpus`."""
    keys: bytearray = field(default_factory=bytearray)
    """Sixteen bytes a row, see `_keys`; zeros where the row is not countable."""
    others: dict[int, tuple[int, int]] = field(default_factory=dict[int, tuple[int, int]])
    """By place of the row: keys for the rules over all rows, where they are not those above."""
    totals: array[int] = field(default_factory=lambda: array("i"))
    trained: array[int] = field(default_factory=lambda: array("i"))
    guessed_images: array[int] = field(default_factory=lambda: array("i"))
    problems: list[Problem] = field(default_factory=list["Problem"])
    sketches: Sketches = field(default_factory=Sketches)

    def add_counts(self, counts: Sequence[RowTokens]) -> None:
        """Add the token counts of rows."""
        totals, trained, guessed_images = CountColumns.of(counts)
        self.totals += totals
        self.trained += trained
        self.guessed_images += guessed_images

    def corpus(self, lines: Sequence[int]) -> Corpus:
        """Return what the rules over all rows need, for rows with these line numbers."""
        halves = array("Q", bytes(self.keys))
        if sys.byteorder == "little":
            halves.byteswap()
        prompts, answers = halves[::2], halves[1::2]
        for place, keys in self.others.items():
            prompts[place], answers[place] = keys
        return Corpus(lines, self.marks, prompts, answers)

    def extend(self, more: Gathered) -> None:
        """Add what was gathered from the rows that follow."""
        before = len(self.marks)
        self.others.update((before + place, keys) for place, keys in more.others.items())
        self.marks += more.marks
        self.keys += more.keys
        self.totals += more.totals
        self.trained += more.trained
        self.guessed_images += more.guessed_images
        self.problems += more.problems
        self.sketches.extend(more.sketches)


def survey(
    store: RowStore, numbers: Sequence[int], wanted: Wanted, *, helpers: int | None = None
) -> Gathered:
    """Read rows of a store and gather what is wanted of each, in order.

    Args:
        store: Where the rows are.
        numbers: Which rows.
        wanted: What to gather.
        helpers: Processes to work beside this one; as many as pay where left out. Rows that are in no
            file are always read here.
    """
    blocks = list(_blocks(store, numbers))
    size = store.size_of(numbers)
    if helpers is None:
        helpers = min(processes() - 1, size // _SHARED_BYTES)
    if wanted.count and _counts_faster(store, numbers, wanted, size=size):
        wanted = replace(wanted, fast=True)
    gathered = Gathered()
    if helpers and (place := store.place):
        for part in share_out(partial(_gatherer, place, wanted), blocks, helpers=helpers):
            gathered.extend(part)
        store.verify()
    else:
        gather = Gatherer(wanted).gather
        for block in blocks:
            gathered.extend(gather(block.lines, store.spans(block.starts, block.ends)))
    return gathered


def _counts_faster(store: RowStore, numbers: Sequence[int], wanted: Wanted, *, size: int) -> bool:
    """Tell whether the faster tokenizer is there, pays, and is right about the first rows."""
    model = wanted.scope().model
    if model is None or not is_worth(model.encoding, size):
        return False
    texts: list[str] = []
    for raw in store.iterate(numbers[:_COMPARED_ROWS]):
        with suppress(ValueError):
            texts += (text for turn in turns(decode(raw)) for text in texts_of(turn.message))
    return agrees(model.encoding, texts)


def _gatherer(place: Place, wanted: Wanted) -> Callable[[Block], Gathered]:
    """Open the store's file once for a process that gathers."""
    gather = Gatherer(wanted).gather
    file = place.open()

    def work(block: Block) -> Gathered:
        return gather(block.lines, file.spans(block.starts, block.ends))

    return work


def _blocks(store: RowStore, numbers: Sequence[int]) -> Iterator[Block]:
    """Cut rows into blocks of about a megabyte."""
    if not numbers:
        return
    sampled = numbers[:: max(1, len(numbers) // 1_000)]
    mean = store.size_of(sampled) // len(sampled) + 1
    rows = max(1, _BLOCK_BYTES // mean)
    for first in range(0, len(numbers), rows):
        yield Block(*store.bounds(numbers[first : first + rows]))


class Gatherer:
    """Gathers what is wanted of rows; keeps tokenizer and caches from block to block."""

    def __init__(self, wanted: Wanted) -> None:
        scope = wanted.scope()
        judged = RULES if wanted.pii else USUAL_RULES
        self._rules = RowRules(scope, judged if wanted.judge else _SHAPE_RULES)
        self._judges = wanted.judge
        may_be_plain = wanted.format == "chat" and not (wanted.judge and wanted.pii)
        self._plain = PlainReader(self._marks_if_faultless) if may_be_plain else None
        self._sketches = wanted.sketch
        # Longer rows may have to be counted before they are judged.
        limit = scope.model.training_context if scope.model else None
        self._plain_bytes = sys.maxsize if limit is None else limit
        self._counter = (
            RowCounter(scope.model, fast=wanted.fast) if wanted.count and scope.model else None
        )

    def gather(self, lines: Iterable[int], raws: Iterable[bytes]) -> Gathered:
        """Read rows, given with their line numbers."""
        out = Gathered()
        rows: list[list[Message] | JsonObject | None] = []
        for line, raw in zip(lines, raws, strict=True):
            if (
                self._plain
                and len(raw) <= self._plain_bytes
                and (read := self._plain.read(raw))
                and not (self._judges and secrets_suspected(raw))
            ):
                messages, marks = read
                rows.append(messages)
                out.marks.append(marks | CRLF if raw.endswith(b"\r\n") else marks)
                out.keys += plain_key(messages)
            else:
                rows.append(self._examine(line, raw, out))
        if self._counter is not None:
            out.add_counts(self._counter.count_all(rows))
        if self._sketches:
            for place, row in enumerate(rows):
                exact = bytes(out.keys[KEY * place : KEY * (place + 1)])
                if isinstance(row, list):
                    out.sketches.add_plain(row, exact=exact)
                else:
                    out.sketches.add(row or {}, exact=exact)
        return out

    def _examine(self, line: int, raw: bytes, out: Gathered) -> JsonObject | None:
        """Go the long way with a row; return it where it can be counted."""
        examined = self._rules.examine(line, raw)
        out.problems += examined.problems
        marks = examined.marks(raw)
        if examined.row is None or any(problem.code in _SHAPES for problem in examined.problems):
            out.marks.append(marks)
            out.keys += bytes(KEY)
            return None
        key = row_key(examined.row)
        if examined.is_sound:
            out.others[len(out.marks)] = corpus_keys(examined.row, key)
        out.marks.append(marks | COUNTABLE)
        out.keys += key
        return examined.row

    def _marks_if_faultless(self, row: JsonObject) -> int:
        examined = self._rules.examine(0, json.dumps(row).encode())
        return 0 if examined.problems else marks_of(examined.conversations) | COUNTABLE
