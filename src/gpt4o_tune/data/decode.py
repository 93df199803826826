"""Strict JSON: one line to one object, refusing whatever two parsers could read differently."""

from __future__ import annotations

import json
from typing import NoReturn, TypeAlias, cast

__all__ = [
    "MAX_DEPTH",
    "Json",
    "JsonObject",
    "decode",
    "decode_value",
    "has_lone_surrogate",
    "is_too_deep",
]

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
JsonObject: TypeAlias = "dict[str, Json]"


MAX_DEPTH = 100
"""Objects and lists inside one another; no real row comes near, and deeper ones exhaust the stack."""


def _once_each(pairs: list[tuple[str, Json]]) -> JsonObject:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("an object holds the same key twice")
    return value


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


_DECODER = json.JSONDecoder(object_pairs_hook=_once_each, parse_constant=_refuse)
_ENCODER = json.JSONEncoder(ensure_ascii=False)


def decode(line: bytes) -> JsonObject:
    """Read one line as a JSON object.

    Raises:
        ValueError: The line is not UTF-8, not JSON, not an object, repeats a key, or holds NaN,
            infinity or half of a surrogate pair. Which of these, `gpt4o_tune.data.checks.lines` says.
    """
    value = decode_value(line)
    if not isinstance(value, dict):
        raise ValueError("not an object")
    return value


def decode_value(data: bytes) -> Json:
    """Read JSON of any kind, as strictly as `decode` reads an object.

    Raises:
        ValueError: As `decode` raises it.
    """
    text = data.decode()
    try:
        value = cast("Json", _DECODER.decode(text))
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if text.count("{") + text.count("[") > MAX_DEPTH and is_too_deep(value):
        raise ValueError("nested too deeply")
    if ("\\ud" in text or "\\uD" in text) and has_lone_surrogate(value):
        raise ValueError("half of a surrogate pair")
    return value


def is_too_deep(value: Json) -> bool:
    """Tell whether objects and lists are nested more than `MAX_DEPTH` levels."""
    level = [value]
    for _ in range(MAX_DEPTH + 1):
        inner: list[Json] = []
        for item in level:
            if isinstance(item, dict):
                inner += item.values()
            elif isinstance(item, list):
                inner += item
        if not inner:
            return False
        level = inner
    return True


def has_lone_surrogate(value: Json) -> bool:
    """Tell whether some string or key in `value` cannot be written as UTF-8."""
    try:
        _ENCODER.encode(value).encode()
    except UnicodeEncodeError:
        return True
    return False
