"""From rows to the forms of other tools."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeAlias, get_args

from gpt4o_tune.data._compression import named_packing, packed
from gpt4o_tune.data._writing import replace_file
from gpt4o_tune.data.decode import JsonObject, decode
from gpt4o_tune.data.forms import (
    Target,
    alpaca,
    axolotl,
    llama_factory,
    mistral,
    sharegpt,
    together,
    trl,
    trl_preference,
)
from gpt4o_tune.data.forms._reading import Unsayable
from gpt4o_tune.errors import DatasetError

if TYPE_CHECKING:
    import os

    from gpt4o_tune.data.formats import Format

Writer: TypeAlias = Callable[[JsonObject], JsonObject]
_Weighted: TypeAlias = "Callable[[bool], Writer]"


class _Writers(NamedTuple):
    """How a tool takes rows of each format; None where it does not."""

    chat: _Weighted | None = None
    """Given whether some row of the dataset has an answer of weight 0."""
    preference: Writer | None = None
    reinforcement: Writer | None = None


def _always(writer: Writer) -> _Weighted:
    return lambda weighted: writer


def _knowing(writer: Callable[..., JsonObject]) -> _Weighted:
    return lambda weighted: partial(writer, weighted=weighted)


_WRITERS: Mapping[Target, _Writers] = {
    "trl": _Writers(_knowing(trl.write), trl_preference.write, trl.write_prompt),
    "trl-preference": _Writers(preference=trl_preference.write),
    "axolotl": _Writers(_always(axolotl.write), axolotl.write_preference),
    "llama-factory": _Writers(_always(llama_factory.write), llama_factory.write),
    "mistral": _Writers(_always(mistral.write)),
    "together": _Writers(_knowing(together.write), together.write_preference),
    "alpaca": _Writers(_always(alpaca.write), alpaca.write),
    "sharegpt": _Writers(_always(sharegpt.write), sharegpt.write),
}


def writer_for(form: Target, *, format: Format, weighted: bool) -> Writer:  # noqa: A002  # as in Dataset
    """Return what makes a record of a row.

    Raises:
        DatasetError: The tool has no form for rows of that format.
        ValueError: There is no such form.
    """
    if form not in _WRITERS:
        known = ", ".join(map(repr, get_args(Target)))
        raise ValueError(f"form must be one of {known}, got {form!r}")
    writers = _WRITERS[form]
    chat = writers.chat(weighted) if writers.chat else None
    writer = {
        "chat": chat,
        "preference": writers.preference,
        "reinforcement": writers.reinforcement,
    }[format]
    if writer is None:
        able = [repr(other) for other, its in _WRITERS.items() if getattr(its, format) is not None]
        raise DatasetError(
            f"The form {form!r} has no place for {format} rows. Use {' or '.join(able)}."
        )
    return writer


def exported(
    rows: Iterable[tuple[int, JsonObject]], writer: Writer, *, form: Target
) -> Iterator[JsonObject]:
    """Make a record of each row.

    Args:
        rows: Line numbers with rows.
        writer: As `writer_for` returns it.
        form: For the message of an error.

    Raises:
        DatasetError: A row holds what the form has no place for; its line is in the message.
    """
    for line, row in rows:
        try:
            yield writer(row)
        except Unsayable as fault:
            raise DatasetError(f"Line {line:,} cannot be written as {form!r}: {fault}.") from None


def has_weights(lines: Iterable[bytes]) -> bool:
    """Tell whether some row has an answer of weight 0."""
    # A key may be written with escapes.
    return any((b"weight" in line or b"\\u00" in line) and _has_weight(line) for line in lines)


def _has_weight(line: bytes) -> bool:
    try:
        messages = decode(line).get("messages")
    except ValueError:
        # The export itself reports what is wrong with the row.
        return False
    return isinstance(messages, list) and any(
        isinstance(turn, dict) and turn.get("weight") == 0 for turn in messages
    )


def write(records: Iterable[JsonObject], path: str | os.PathLike[str]) -> Path:
    """Write records as JSON Lines, or as one array where the name says `.json`.

    Raises:
        DatasetNotFoundError: The folder does not exist.
    """
    place = Path(path).expanduser()
    packing = named_packing(place)
    is_array = (place.with_suffix("") if packing else place).suffix.lower() == ".json"
    lines = (json.dumps(record, ensure_ascii=False).encode() for record in records)
    pieces = _array(lines) if is_array else (line + b"\n" for line in lines)
    return replace_file(place, packed(pieces, packing))


def _array(lines: Iterable[bytes]) -> Iterator[bytes]:
    before = b"[\n"
    for line in lines:
        yield before + line
        before = b",\n"
    yield b"\n]\n" if before != b"[\n" else b"[]\n"


def settings(
    form: Target,
    path: str | os.PathLike[str],
    *,
    format: Format,  # noqa: A002  # as in Dataset
    weighted: bool,
) -> JsonObject:
    """Return what the tool's own configuration must say of the file.

    Raises:
        ValueError: The tool needs none.
    """
    is_preference = format == "preference"
    match form:
        case "llama-factory":
            return llama_factory.settings(Path(path), is_preference=is_preference)
        case "axolotl":
            return axolotl.settings(Path(path), is_preference=is_preference, weighted=weighted)
        case "trl" if format == "chat":
            return trl.settings(weighted=weighted)
        case _:
            raise ValueError(f"The form {form!r} needs no settings for {format} rows.")
