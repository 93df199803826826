"""Benchmark files as lists of texts, whatever their format."""

from __future__ import annotations

import csv
import io
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias, cast

from gpt4o_tune.data import _turns
from gpt4o_tune.errors import DatasetError, DatasetNotFoundError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

Benchmark: TypeAlias = (
    "str | os.PathLike[str] | Iterable[str | os.PathLike[str] | Mapping[str, object]]"
)
"""A path; or an iterable of texts, of records, or of `Path` objects. A string alone is a path, strings in
a list are texts."""

QUESTION_FIELDS = (
    "question",
    "prompt",
    "input",
    "problem",
    "text",
    "instruction",
    "query",
    "goal",
    "sentence",
)
"""Fields that are looked for, in this order; the first that a record has is its text."""


def read_items(name: str, benchmark: Benchmark, *, fields: Sequence[str] | None) -> list[str]:
    """Return the texts of a benchmark, those that are empty left out.

    Raises:
        DatasetNotFoundError: A file is not there.
        DatasetError: A file cannot be read, or a record has no field with a text, or there is no text at all.
    """
    if isinstance(benchmark, str | os.PathLike):
        benchmark = [Path(benchmark)]
    items: list[str] = []
    for place, entry in enumerate(benchmark, start=1):
        if isinstance(entry, str):
            items.append(entry)
        elif isinstance(entry, os.PathLike):
            items += _read_file(Path(entry), fields)
        else:
            items += _texts_of(entry, fields, where=f"record {place:,} of benchmark {name!r}")
    texts = [item for item in items if item.strip()]
    if not texts:
        raise DatasetError(f"Benchmark {name!r} holds no text. Look at its file, or leave it out.")
    return texts


def _read_file(path: Path, fields: Sequence[str] | None) -> Iterator[str]:
    try:
        text = path.expanduser().read_text("utf-8-sig")
    except FileNotFoundError:
        raise DatasetNotFoundError(f"There is no file {str(path)!r}.", path=str(path)) from None
    except UnicodeDecodeError:
        raise DatasetError(f"{str(path)!r} is not UTF-8. Save it as UTF-8.") from None
    except OSError as error:
        raise DatasetNotFoundError(
            f"{str(path)!r} cannot be read: {error.strerror}.", path=str(path)
        ) from None
    suffix = path.suffix.lower()
    if suffix in (".jsonl", ".ndjson"):
        entries = _json_lines(path, text)
    elif suffix == ".json":
        entries = _json_entries(path, text)
    elif suffix in (".csv", ".tsv"):
        entries = _table_rows(path, text, delimiter="\t" if suffix == ".tsv" else ",")
    elif suffix == ".txt":
        entries = ((f"line {n:,}", line) for n, line in enumerate(text.splitlines(), start=1))
    else:
        raise DatasetError(
            f"{str(path)!r} is no .jsonl, .json, .csv, .tsv or .txt file. "
            "Read it yourself and give its texts as a list."
        )
    for where, entry in entries:
        yield from _texts_of(entry, fields, where=f"{where} of {str(path)!r}")


def _json_lines(path: Path, text: str) -> Iterator[tuple[str, object]]:
    # Not splitlines: JSON may hold other line ends, such as U+2028, inside its strings.
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            yield f"line {number:,}", _parsed(path, line, where=f"line {number:,} of ")


def _json_entries(path: Path, text: str) -> Iterator[tuple[str, object]]:
    """Yield the entries of a list, or of the first list inside an object."""
    value = _parsed(path, text, where="")
    lists = map(_turns.items, (value, *_turns.mapping(value).values()))
    entries = next((entries for entries in lists if entries), ())
    if not entries:
        raise DatasetError(f"{str(path)!r} holds no list of records. Give its texts as a list.")
    for number, entry in enumerate(entries, start=1):
        yield f"record {number:,}", entry


def _table_rows(path: Path, text: str, *, delimiter: str) -> Iterator[tuple[str, object]]:
    # Cells beyond the header have no name of their own.
    reader = csv.DictReader(
        io.StringIO(text, newline=""), delimiter=delimiter, restkey="(beyond the header)"
    )
    try:
        for number, record in enumerate(reader, start=1):
            yield f"row {number:,}", record
    except csv.Error as error:
        raise DatasetError(f"{str(path)!r} cannot be read as a table: {error}.") from None


def _parsed(path: Path, text: str, *, where: str) -> object:
    try:
        return cast("object", json.loads(text))
    except (ValueError, RecursionError) as error:
        raise DatasetError(f"{where}{str(path)!r} is not JSON: {error}.") from None


def _texts_of(entry: object, fields: Sequence[str] | None, *, where: str) -> list[str]:
    """Return the texts of a record: the fields named, the first known one, or the user's messages."""
    if isinstance(entry, str):
        return [entry]
    record = _turns.mapping(entry)
    if fields is None and ("messages" in record or "preferred_output" in record):
        return [
            "\n".join(filter(None, _turns.texts(message)))
            for message, role, _ in _turns.turns(record)
            if role == "user"
        ]
    known = {key.casefold(): key for key in record}
    asked = fields if fields is not None else QUESTION_FIELDS
    found = [
        text
        for field in asked
        if isinstance(text := record.get(known.get(field.casefold(), field)), str)
    ]
    if found:
        return found if fields is not None else found[:1]
    keys = ", ".join(map(repr, record)) or "none"
    raise DatasetError(
        f"The {where} has no text under {', '.join(map(repr, asked))}. Its keys: {keys}. "
        "Name the fields to compare with fields=."
    )
