"""Does a value fit a JSON schema? The part of the question that can be answered surely and simply.

Types, required names, enums, nested properties and items, and names that a closed schema lacks. Whatever
else a schema says (references, alternatives, patterns, ranges) is left to the user's own validator: a
check must not cry wolf.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gpt4o_tune.data.checks.rule import kind, shown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gpt4o_tune.data.decode import Json, JsonObject

_OPEN_KEYS = ("$ref", "anyOf", "oneOf", "allOf", "not", "if")


def schema_faults(value: Json, schema: JsonObject, path: str = "") -> Iterator[str]:
    """Yield a sentence, without a full stop, for each way in which `value` does not fit `schema`."""
    if any(key in schema for key in _OPEN_KEYS):
        return
    place = shown(path) if path else "the arguments"
    declared = schema.get("type")
    names = declared if isinstance(declared, list) else [declared]
    if declared is not None and not any(_has_type(value, name) for name in names):
        wanted = " or ".join(str(name) for name in names)
        yield f"{place}: expected {wanted}, found {kind(value)}"
        return
    choices = schema.get("enum")
    if isinstance(choices, list) and value not in choices:
        yield f"{place}: {shown(value)} is not one of {', '.join(map(shown, choices[:8]))}"
    if isinstance(value, dict):
        yield from _object_faults(value, schema, path)
    items = schema.get("items")
    if isinstance(value, list) and isinstance(items, dict):
        for number, item in enumerate(value):
            yield from schema_faults(item, items, f"{path}[{number}]")


def _object_faults(value: JsonObject, schema: JsonObject, path: str) -> Iterator[str]:
    required, properties = schema.get("required"), schema.get("properties")
    prefix = f"{path}." if path else ""
    if isinstance(required, list):
        for name in required:
            if isinstance(name, str) and name not in value:
                yield f"{shown(prefix + name)} is required and missing"
    if not isinstance(properties, dict):
        return
    for name, item in value.items():
        inner = properties.get(name)
        if isinstance(inner, dict):
            yield from schema_faults(item, inner, prefix + name)
        elif name not in properties and schema.get("additionalProperties") is False:
            yield f"{shown(prefix + name)} is not a declared parameter"


def _has_type(value: Json, name: Json) -> bool:
    match name:
        case "object":
            return isinstance(value, dict)
        case "array":
            return isinstance(value, list)
        case "string":
            return isinstance(value, str)
        case "boolean":
            return isinstance(value, bool)
        case "null":
            return value is None
        case "number":
            return isinstance(value, int | float) and not isinstance(value, bool)
        case "integer":
            whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
            return whole and not isinstance(value, bool)
        case _:
            return True
