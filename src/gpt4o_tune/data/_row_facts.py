"""What a survey says of one row: a flat record that any engine can carry, and the way back from it."""

from __future__ import annotations

import json
from array import array
from dataclasses import asdict, replace
from operator import gt
from typing import TYPE_CHECKING, TypedDict, cast

from gpt4o_tune.data._keys import HALF
from gpt4o_tune.data.checks.corpus import COUNTABLE, SOUND, Corpus
from gpt4o_tune.data.report import Problem
from gpt4o_tune.errors import DatasetError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from gpt4o_tune.data._survey import Gathered
    from gpt4o_tune.data._tally import Tally
    from gpt4o_tune.data.report import Severity

_HALF = 2 * HALF
"""Hexadecimal digits of half a key."""


class RowFacts(TypedDict):
    """What is known of one row: the columns that a batch comes back with."""

    line: int
    """As it was given; 0 where it was not."""
    errors: int
    warnings: int
    problems: str
    """A JSON list of objects with the fields of `Problem`."""
    tokens: int
    """0 where the row cannot be read, or the catalog does not know the model."""
    trained_tokens: int
    guessed_images: int
    """Images of unknown size, counted as 1024 x 1024."""
    bytes: int
    """With the line end; 0 for a blank line, which is no row."""
    key: str
    """32 hexadecimal digits, the same for rows that differ in formatting alone. Tools and other fields
    count too, unless the row has errors. Empty where the row cannot be read."""
    prompt: str
    """16 hexadecimal digits for the messages before the answer; empty where the row cannot be read."""
    marks: int
    """For `combine`."""


COLUMNS = tuple(RowFacts.__annotations__)
NO_ROW: RowFacts = {
    "line": 0,
    "errors": 0,
    "warnings": 0,
    "problems": "[]",
    "tokens": 0,
    "trained_tokens": 0,
    "guessed_images": 0,
    "bytes": 0,
    "key": "",
    "prompt": "",
    "marks": 0,
}


def facts_of(gathered: Gathered, places: Sequence[int]) -> Iterator[RowFacts]:
    """Turn what was gathered of rows into records, but for line, size and problems."""
    corpus = gathered.corpus(places)
    keys = gathered.keys.hex()
    unknown = array("i", bytes(4 * len(places)))
    columns = (
        gathered.totals or unknown,
        gathered.trained or unknown,
        gathered.guessed_images or unknown,
    )
    counts = zip(*columns, strict=True)
    for row, (marks, count) in enumerate(zip(gathered.marks, counts, strict=True)):
        one = NO_ROW.copy()
        one["marks"] = marks
        if marks & COUNTABLE:
            one["tokens"], one["trained_tokens"], one["guessed_images"] = count
            one["key"] = f"{corpus.prompts[row]:016x}{corpus.answers[row]:016x}"
            start = 2 * _HALF * row
            one["prompt"] = keys[start : start + _HALF]
        yield one


def checked(record: Mapping[str, object]) -> RowFacts:
    """Take a record for what a survey gave.

    Raises:
        DatasetError: It lacks a column.
    """
    if missing := [name for name in COLUMNS if name not in record]:
        raise DatasetError(
            f"A record has no {missing[0]!r}. Give what a survey returned, with all its columns."
        )
    return cast("RowFacts", record)


def problems_of(one: RowFacts, *, line: int) -> Iterator[Problem]:
    """Yield the problems of a row, on a line."""
    if one["errors"] or one["warnings"]:
        for problem in cast("list[dict[str, str]]", json.loads(one["problems"])):
            yield Problem(
                line=line,
                path=problem["path"],
                code=problem["code"],
                severity=cast("Severity", problem["severity"]),
                message=problem["message"],
                fix=problem["fix"],
            )


def put_problems(one: RowFacts, problems: Iterable[Problem]) -> None:
    """Write the problems of a row into its record."""
    found = [asdict(replace(problem, line=one["line"])) for problem in problems]
    errors = sum(problem["severity"] == "error" for problem in found)
    one["errors"], one["warnings"] = errors, len(found) - errors
    one["problems"] = json.dumps(found, ensure_ascii=False)


def add_up(tally: Tally, one: RowFacts, *, line: int) -> None:
    """Add a row to the sums."""
    answer = int(one["key"][_HALF:] or "0", 16)
    tally.note(int(one["marks"]), line=line, answer=answer, size=one["bytes"])
    tally.note_tokens(
        one["tokens"], trained=one["trained_tokens"], guessed_images=one["guessed_images"]
    )


class Compared:
    """The sound rows that are to be compared with one another: 25 bytes a row."""

    def __init__(self) -> None:
        self._lines = array("Q")
        self._corpus = Corpus(self._lines)

    def add(self, one: RowFacts, *, line: int) -> None:
        """Remember a row, unless it has errors."""
        if one["marks"] & SOUND:
            key = one["key"]
            self._lines.append(line)
            self._corpus.note(one["marks"], int(key[:_HALF], 16), int(key[_HALF:], 16))

    def in_order(self) -> Corpus:
        """Return the rows by their lines."""
        lines, corpus = self._lines, self._corpus
        if not any(map(gt, lines, lines[1:])):
            return corpus
        order = sorted(range(len(lines)), key=lines.__getitem__)
        return Corpus(
            array("Q", map(lines.__getitem__, order)),
            bytearray(map(corpus.marks.__getitem__, order)),
            array("Q", map(corpus.prompts.__getitem__, order)),
            array("Q", map(corpus.answers.__getitem__, order)),
        )
