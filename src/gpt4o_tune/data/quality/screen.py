"""Screening: which rows hold, or nearly hold, an item of a benchmark that the model will be judged by.

Every message of every row is compared for itself, system prompts and answers too, by the rules of
`gpt4o_tune.data.similarity`: equal words; nearly the same word 3-grams; or one whole inside the other.
An item of fewer than 8 words is too short to tell by parts: it is found only where a user message has
exactly its words.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, Literal, TypeAlias, overload

from gpt4o_tune._display import html_text, paragraph, plural, shorten
from gpt4o_tune.data import _turns
from gpt4o_tune.data._words import words
from gpt4o_tune.data.quality._benchmarks import read_items
from gpt4o_tune.data.similarity import DEFAULT_THRESHOLD, Kind, overlap

if TYPE_CHECKING:
    from gpt4o_tune.data.quality._benchmarks import Benchmark

__all__ = ["MIN_WORDS", "Direction", "Hit", "ScreenReport", "Screened", "screen"]

Direction: TypeAlias = Literal["same", "row-holds-item", "item-holds-row"]

MIN_WORDS = 8
"""Words from which an item is looked for nearly and inside longer texts too."""

_SHOWN = 5
_ITEM_CHARS = 200
_Record: TypeAlias = "Mapping[str, object]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """A row that holds or nearly holds an item."""

    row: int
    message: int
    """Its message, from 0; in a preference row, input and both outputs count through."""
    role: str
    """Who says it: `user`, `assistant`, `system`, …"""
    kind: Kind
    direction: Direction
    """Which holds which, where `kind` is `contained`; else `same`."""
    item: int
    """Number of the item in its benchmark, from 0."""
    text: str
    """The item, its first 200 characters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Screened:
    """What was found of one benchmark."""

    name: str
    items: int
    short_items: int
    """Of these, items of fewer than 8 words, which are found only where a user message equals them."""
    hits: tuple[Hit, ...]
    """One per message that matches, in the order of the rows."""

    @property
    def rows(self) -> tuple[int, ...]:
        """Numbers of the rows that hold an item, each once."""
        return tuple(dict.fromkeys(hit.row for hit in self.hits))

    @property
    def found_items(self) -> int:
        """How many items were found, at least: a message that matches several is told with one."""
        return len({hit.item for hit in self.hits})


@dataclass(frozen=True, slots=True, kw_only=True)
class ScreenReport:
    """Rows that hold items of benchmarks; `dataset.drop(report.rows)` leaves them out."""

    compared: int
    """Rows that were looked at."""
    threshold: float
    """Jaccard index of word 3-grams from which texts are nearly the same."""
    benchmarks: tuple[Screened, ...]

    @property
    def rows(self) -> tuple[int, ...]:
        """Numbers of the rows that hold an item of any benchmark, ascending."""
        return tuple(sorted({row for each in self.benchmarks for row in each.rows}))

    def __len__(self) -> int:
        return len(self.rows)

    def to_dict(self) -> dict[str, object]:
        """Return the report as plain values, ready for `json.dumps`."""
        return {
            "compared": self.compared,
            "threshold": self.threshold,
            "rows": list(self.rows),
            "benchmarks": [
                {**asdict(each), "found_items": each.found_items, "rows": list(each.rows)}
                for each in self.benchmarks
            ],
        }

    def __str__(self) -> str:
        head = (
            f"{len(self):,} of {plural(self.compared, 'row')} hold a benchmark item "
            f"(exact, near from {self.threshold:g}, contained)"
        )
        return "\n\n".join([head, *map(_block, self.benchmarks)])

    def _repr_html_(self) -> str:
        return html_text(str(self))


def screen(
    rows: Sequence[_Record],
    benchmarks: Mapping[str, Benchmark],
    *,
    fields: Sequence[str] | None = None,
) -> ScreenReport:
    """Compare every message of some rows with the items of benchmarks.

    Args:
        rows: Parsed rows of sound shape.
        benchmarks: By name a path, or an iterable of texts, records or paths.
        fields: The fields of records to compare, each for itself; guessed where None.

    Raises:
        ValueError: No benchmark is given.
        DatasetNotFoundError: A benchmark file is not there.
        DatasetError: A benchmark cannot be read or holds no text.
    """
    if not benchmarks:
        raise ValueError("no benchmark is given; name one at least, such as {'ours': 'eval.jsonl'}")
    fields = (fields,) if isinstance(fields, str) else fields
    # All are read before the first is compared, so that a wrong path costs no wait.
    read = {name: read_items(name, given, fields=fields) for name, given in benchmarks.items()}
    messages = _Messages(rows)
    return ScreenReport(
        compared=len(rows),
        threshold=DEFAULT_THRESHOLD,
        benchmarks=tuple(_screened(messages, name, items) for name, items in read.items()),
    )


class _Messages(Sequence[_Record]):
    """Every message with text of some rows, as a row of its own that holds nothing else.

    A text that stands in several messages, such as a system prompt, is there once. Texts are read from the
    rows each time they are asked for; kept are two numbers and a digest per text.
    """

    def __init__(self, rows: Sequence[_Record]) -> None:
        self._rows = rows
        self._row = array("Q")
        self._message = array("Q")
        self._repeats: dict[int, list[tuple[int, int]]] = {}
        known: dict[bytes, int] = {}
        for row, record in enumerate(rows):
            for place, said in enumerate(_said(record)):
                if not said.strip():
                    continue
                key = blake2b(said.encode("utf-8", "surrogatepass"), digest_size=16).digest()
                number = known.setdefault(key, len(self._row))
                if number < len(self._row):
                    self._repeats.setdefault(number, []).append((row, place))
                else:
                    self._row.append(row)
                    self._message.append(place)

    def __len__(self) -> int:
        return len(self._row)

    @overload
    def __getitem__(self, index: int) -> _Record: ...
    @overload
    def __getitem__(self, index: slice) -> list[_Record]: ...
    def __getitem__(self, index: int | slice) -> _Record | list[_Record]:
        if isinstance(index, slice):
            return [self[number] for number in range(len(self))[index]]
        said = _said(self._rows[self._row[index]])
        return _asked(said[self._message[index]])

    def __iter__(self) -> Iterator[_Record]:
        number = 0
        for row, record in enumerate(self._rows):
            while number < len(self) and self._row[number] == row:
                yield _asked(_said(record)[self._message[number]])
                number += 1

    def text(self, number: int) -> str:
        """Return a text."""
        return _said(self._rows[self._row[number]])[self._message[number]]

    def places(self, number: int) -> Iterator[tuple[int, int, str]]:
        """Yield row, message and role of every message that has a text."""
        first = (self._row[number], self._message[number])
        for row, message in (first, *self._repeats.get(number, ())):
            yield row, message, _turns.turns(self._rows[row])[message].role


def _screened(messages: _Messages, name: str, items: Sequence[str]) -> Screened:
    cut = [words(item) for item in items]
    short = {" ".join(said): item for item, said in enumerate(cut) if 0 < len(said) < MIN_WORDS}
    long = [item for item, said in enumerate(cut) if len(said) >= MIN_WORDS]
    hits = [*_short_hits(messages, short, items)] if short else []
    if long and messages:
        hits += _long_hits(messages, long, items)
    return Screened(
        name=name,
        items=len(items),
        short_items=sum(len(said) < MIN_WORDS for said in cut),
        hits=tuple(sorted(hits, key=lambda hit: (hit.row, hit.message))),
    )


def _short_hits(
    messages: _Messages, short: Mapping[str, int], items: Sequence[str]
) -> Iterator[Hit]:
    for number, record in enumerate(messages):
        item = short.get(" ".join(words(_said(record)[0])))
        if item is not None:
            for row, message, role in messages.places(number):
                if role == "user":
                    yield _hit(row, message, role, "exact", "same", item, items)


def _long_hits(messages: _Messages, long: Sequence[int], items: Sequence[str]) -> Iterator[Hit]:
    found = overlap(messages, [_asked(items[item]) for item in long])
    for number, kind in found.kind.items():
        item = long[found.matches[number]]
        direction: Direction = "same"
        if kind == "contained":
            is_longer = len(words(messages.text(number))) > len(words(items[item]))
            direction = "row-holds-item" if is_longer else "item-holds-row"
        for row, message, role in messages.places(number):
            yield _hit(row, message, role, kind, direction, item, items)


def _hit(
    row: int,
    message: int,
    role: str,
    kind: Kind,
    direction: Direction,
    item: int,
    items: Sequence[str],
) -> Hit:
    return Hit(
        row=row,
        message=message,
        role=role,
        kind=kind,
        direction=direction,
        item=item,
        text=items[item][:_ITEM_CHARS],
    )


def _said(row: _Record) -> list[str]:
    """Return the text of every message of a row."""
    return ["\n".join(filter(None, _turns.texts(turn.message))) for turn in _turns.turns(row)]


def _asked(text: str) -> _Record:
    return {"messages": [{"role": "user", "content": text}]}


_DIRECTIONS: Mapping[Direction, str] = {
    "same": "",
    "row-holds-item": " (the row holds the item)",
    "item-holds-row": " (the item holds the row)",
}


def _block(screened: Screened) -> str:
    rows = (
        f"{plural(len(screened.rows), 'row')} with {plural(screened.found_items, 'item')} at least"
    )
    lines = [
        f"{screened.name}: {rows if screened.hits else 'nothing found'}, "
        f"of {plural(screened.items, 'item')}"
    ]
    lines += [
        f"  row {hit.row:,}, {hit.role}: {hit.kind}{_DIRECTIONS[hit.direction]}, item {hit.item:,}: "
        f"{shorten(hit.text, 48)}"
        for hit in screened.hits[:_SHOWN]
    ]
    if len(screened.hits) > _SHOWN:
        lines.append(f"  and {plural(len(screened.hits) - _SHOWN, 'other match', 'other matches')}")
    if screened.short_items:
        lines.append(
            paragraph(
                f"{plural(screened.short_items, 'item')} of fewer than {MIN_WORDS} words: looked for only "
                "as whole user messages.",
                indent="  ",
            )
        )
    return "\n".join(lines)
