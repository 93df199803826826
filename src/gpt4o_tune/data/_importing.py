"""From foreign records to rows: open, tell the form, convert each record, say what is left out."""

from __future__ import annotations

import logging
import os
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from gpt4o_tune._display import plural
from gpt4o_tune.data._files import File, open_file
from gpt4o_tune.data._records import encode_records
from gpt4o_tune.data._store import RowStore
from gpt4o_tune.data._tables import library, records
from gpt4o_tune.data.checks.rule import nearest
from gpt4o_tune.data.forms import (
    Form,
    alpaca,
    anthropic,
    openai,
    openai_batch,
    openai_stored,
    prompt_completion,
    sharegpt,
    trl,
    trl_preference,
)
from gpt4o_tune.data.forms._reading import Reader, Unsayable, without_nulls
from gpt4o_tune.errors import DatasetError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from gpt4o_tune.data._tables import Source
    from gpt4o_tune.data.decode import JsonObject

log = logging.getLogger("gpt4o_tune")

_SAMPLE = 20
_READERS: dict[Form, Reader] = {
    "openai": Reader(openai.matches, openai.read, openai.FIELDS),
    "alpaca": Reader(alpaca.matches, alpaca.read, alpaca.FIELDS),
    "sharegpt": Reader(sharegpt.matches, sharegpt.read, sharegpt.FIELDS),
    "prompt-completion": Reader(
        prompt_completion.matches, prompt_completion.read, prompt_completion.FIELDS
    ),
    "trl": Reader(trl.matches, trl.read, trl.FIELDS),
    "trl-preference": Reader(trl_preference.matches, trl_preference.read, trl_preference.FIELDS),
    "openai-batch": Reader(openai_batch.matches, partial(openai_batch.read, requests={}), None),
    "openai-stored": Reader(openai_stored.matches, openai_stored.read, None),
    "anthropic": Reader(anthropic.matches, anthropic.read, None),
}
_NARROWER: tuple[Form, ...] = ("trl", "openai-stored", "anthropic")
"""Forms that some records of give away, while others of them look like OpenAI's own rows."""


def read(
    source: Source,
    *,
    form: Form | None,
    columns: Mapping[str, str] | None,
    requests: str | os.PathLike[str] | None,
) -> RowStore:
    """Make a store of the rows that a source gives.

    Raises:
        DatasetError: The source has no records, or one that does not become a row.
        ValueError: There is no such form.
    """
    if form is not None and form not in _READERS:
        known = ", ".join(map(repr, get_args(Form)))
        raise ValueError(f"form must be one of {known}, got {form!r}")
    name, file = _open(source)
    if form == "openai" and file.lines and not columns:
        return file.lines
    given = iter(file.records)
    sample = list(islice(given, _SAMPLE))
    if not sample:
        raise DatasetError(f"{name} holds no records. Give at least one.")
    given = chain(sample, given)
    if columns:
        _require_columns(sample[:1] if file.is_table else sample, columns, name)
        sample = [_renamed(record, columns) for record in sample]
        given = (_renamed(record, columns) for record in given)
    if file.is_table:
        sample = [*map(without_nulls, sample)]
        given = map(without_nulls, given)
    chosen = form or _form_of(sample, name)
    if chosen == "openai" and file.lines is not None and not columns:
        log.info("Opened %s as it stands: it has the form 'openai'", name)
        return file.lines
    left_out: dict[str, None] = {}
    rows = _rows(given, chosen, _reader(chosen, requests), name, left_out)
    store = RowStore.from_lines(encode_records(rows))
    log.info("Read %s of %s as %r", plural(len(store), "record"), name, chosen)
    if left_out:
        log.warning(
            "Left out of %s, as %r has no place for it: %s", name, chosen, ", ".join(left_out)
        )
    return store


def _open(source: Source) -> tuple[str, File]:
    """Name a source and open it."""
    if isinstance(source, str | os.PathLike):
        path = Path(source).expanduser()
        return repr(str(path)), open_file(path)
    home = library(source)
    name = f"the {home} {type(source).__name__}" if home else "the records given"
    return name, File(records(source), is_table=home is not None)


def _require_columns(sample: list[JsonObject], columns: Mapping[str, str], name: str) -> None:
    """Raise `DatasetError` where a column named by the user is not there."""
    seen = {key for record in sample for key in record}
    for column in columns.values():
        if column not in seen:
            guess = nearest(column, seen)
            hint = f"Did you mean {guess!r}?" if guess else f"It has {', '.join(sorted(seen))}."
            raise DatasetError(f"{name} has no column {column!r}. {hint}")


def _renamed(record: JsonObject, columns: Mapping[str, str]) -> JsonObject:
    """Give fields the names that a form knows them by."""
    taken = {*columns, *columns.values()}
    mapped = {field: record[column] for field, column in columns.items() if column in record}
    return mapped | {key: value for key, value in record.items() if key not in taken}


def _form_of(sample: list[JsonObject], name: str) -> Form:
    """Tell the form that fits the first records.

    Raises:
        DatasetError: None fits all of them, or several do.
    """
    fitting: set[Form] = {
        form for form, reader in _READERS.items() if all(map(reader.matches, sample))
    }
    given_away: set[Form] = {form for form in _NARROWER if any(map(_READERS[form].matches, sample))}
    if "openai" in fitting and given_away:
        fitting.remove("openai")
        fitting |= given_away
    if len(fitting) == 1:
        return fitting.pop()
    if fitting:
        choices = " or ".join(f"form={form!r}" for form in sorted(fitting))
        raise DatasetError(f"{name} can be read in more than one way. Say {choices}.")
    fields = ", ".join(map(repr, sorted({key for record in sample for key in record})))
    known = ", ".join(map(repr, _READERS))
    raise DatasetError(
        f"The form of {name} cannot be told from its fields {fields}. Say form= ({known}), or name "
        "them: columns={'prompt': ..., 'completion': ...}."
    )


def _reader(form: Form, requests: str | os.PathLike[str] | None) -> Reader:
    reader = _READERS[form]
    if requests is None:
        return reader
    if form != "openai-batch":
        raise ValueError(f"requests= belongs to the form 'openai-batch', not to {form!r}")
    name, file = _open(requests)
    try:
        bodies = openai_batch.index(file.records)
    except Unsayable as fault:
        raise DatasetError(f"{name} is no input file of a batch: {fault}.") from None
    return reader._replace(read=partial(openai_batch.read, requests=bodies))


def _rows(
    given: Iterable[JsonObject],
    form: Form,
    reader: Reader,
    name: str,
    left_out: dict[str, None],
) -> Iterator[JsonObject]:
    """Convert records one at a time, noting the fields that the rows do not have."""
    for number, record in enumerate(given, start=1):
        try:
            row = reader.read(record)
        except Unsayable as fault:
            raise DatasetError(
                f"Record {number:,} of {name} cannot be read as {form!r}: {fault}."
            ) from None
        if reader.fields is not None:
            left_out |= dict.fromkeys(sorted(record.keys() - reader.fields - row.keys()))
        yield row
