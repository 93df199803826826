"""Records to JSONL bytes, refusing what JSON would change on the way."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Protocol, cast, runtime_checkable

from gpt4o_tune.errors import DatasetError


@runtime_checkable
class _Dumpable(Protocol):
    """A pydantic model, recognised without importing pydantic."""

    def model_dump(self, *, mode: str, exclude_unset: bool) -> dict[str, object]: ...


def encode_records(rows: object) -> Iterator[bytes]:
    """Write each record as one line of compact JSON in UTF-8.

    Args:
        rows: An iterable of mappings or row models; anything else is refused.

    Raises:
        DatasetError: A record is no mapping, or holds what JSON cannot hold; its number is in the
            message.
    """
    if isinstance(rows, Mapping | str | bytes) or not isinstance(rows, Iterable):
        name = type(cast("object", rows)).__name__
        raise DatasetError(
            f"from_records takes an iterable of rows, not a {name}. "
            "Put the row into a list; for a file, call Dataset.from_jsonl."
        )
    given = cast("Iterable[object]", rows)
    return (_encode(number, row) for number, row in enumerate(given, start=1))


def encode_record(row: object) -> bytes:
    """Write one record as a line, as `encode_records` does.

    Raises:
        DatasetError: The record is no mapping, or holds what JSON cannot hold.
    """
    return _encode(1, row)


def _encode(number: int, row: object) -> bytes:
    if not isinstance(row, Mapping | _Dumpable):
        raise DatasetError(
            f"Record {number:,} is a {type(row).__name__}. Give mappings or row models; "
            "Dataset.read takes a table as it is."
        )
    try:
        text = json.dumps(
            _plain(cast("object", row), ""),
            ensure_ascii=False,
            allow_nan=False,
            separators=(",", ":"),
        )
        return text.encode() + b"\n"
    except UnicodeEncodeError:
        fault = "it holds half of a surrogate pair, which UTF-8 cannot write; cut no text inside an emoji"
    except RecursionError:
        fault = "it is nested too deeply, or contains itself"
    except (TypeError, ValueError) as error:
        fault = str(error)
    raise DatasetError(f"Record {number:,} cannot be written as JSON: {fault}.")


def _plain(value: object, path: str) -> object:
    """Turn mappings, sequences and models into what `json` writes, and refuse what it would change."""
    if value is None or isinstance(value, str | int):
        return value
    if isinstance(value, float):
        if value != value or value in (float("inf"), float("-inf")):
            raise ValueError(f"{path} is {value}, which JSON does not have; write None or text")
        return value
    if isinstance(value, Mapping):
        return _plain_mapping(cast("Mapping[object, object]", value), path)
    if isinstance(value, list | tuple):
        items = cast("list[object]", value)
        return [_plain(item, f"{path}[{place}]") for place, item in enumerate(items)]
    if isinstance(value, _Dumpable):
        return value.model_dump(mode="json", exclude_unset=True)
    raise TypeError(f"{path} is a {type(value).__name__}; write text, a number, a list or a dict")


def _plain_mapping(value: Mapping[object, object], path: str) -> dict[str, object]:
    plain: dict[str, object] = {}
    for key, item in value.items():
        if not isinstance(key, str):
            place = f" in {path}" if path else ""
            raise TypeError(f"the key {key!r}{place} is a {type(key).__name__}; keys must be str")
        plain[key] = _plain(item, f"{path}.{key}" if path else key)
    return plain
