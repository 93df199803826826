"""Does a value fit a JSON schema? The part of the question that can be answered surely and simply.

Types, enums, constants, ranges, lengths, required and undeclared names, nested properties and items,
alternatives, and references inside the schema. Whatever else a schema says (patterns, formats, negations,
conditions) is left to the user's own validator: a check must not cry wolf.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from gpt4o_tune.data.checks.rule import kind, shown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gpt4o_tune.data.decode import Json, JsonObject

_MAX_DEPTH = 64
_MAX_SCHEMAS = 5_000
"""A schema may refer to itself and need not come to an end, or branch at every step; what is left then
counts as fitting."""


class _Place(NamedTuple):
    """Where in the value a schema is applied, and what its references are looked up in."""

    root: JsonObject
    schemas: Iterator[int]
    """Runs out when more schemas have been applied than is reasonable."""
    path: str = ""
    depth: int = 0

    @property
    def shown(self) -> str:
        return shown(self.path) if self.path else "the arguments"

    def inside(self, step: str) -> _Place:
        joined = step if not self.path or step.startswith("[") else f".{step}"
        return self._replace(path=self.path + joined, depth=self.depth + 1)

    def again(self) -> _Place:
        return self._replace(depth=self.depth + 1)


def schema_faults(value: Json, schema: JsonObject) -> Iterator[str]:
    """Yield a sentence, without a full stop, for each way in which `value` does not fit `schema`."""
    return _faults(value, schema, _Place(schema, iter(range(_MAX_SCHEMAS))))


def _faults(value: Json, schema: Json, place: _Place) -> Iterator[str]:
    if schema is False:
        yield f"{place.shown} is not allowed"
    if not isinstance(schema, dict):
        return
    if place.depth > _MAX_DEPTH or next(place.schemas, None) is None:
        return
    declared = schema.get("type")
    names = declared if isinstance(declared, list) else [declared]
    if declared is not None and not any(_has_type(value, name) for name in names):
        wanted = " or ".join(str(name) for name in names)
        yield f"{place.shown}: expected {wanted}, found {kind(value)}"
        return
    yield from _choice_faults(value, schema, place)
    match value:
        case bool() | None:
            pass
        case str():
            yield from _count_faults(len(value), schema, "Length", "characters", place)
        case int() | float():
            yield from _range_faults(value, schema, place)
        case list():
            yield from _list_faults(value, schema, place)
        case dict():
            yield from _object_faults(value, schema, place)
    yield from _joined_faults(value, schema, place)


def _choice_faults(value: Json, schema: JsonObject, place: _Place) -> Iterator[str]:
    choices = schema.get("enum")
    if isinstance(choices, list) and value not in choices:
        yield f"{place.shown}: {shown(value)} is not one of {', '.join(map(shown, choices[:8]))}"
    if "const" in schema and value != schema["const"]:
        yield f"{place.shown}: expected {shown(schema['const'])}, found {shown(value)}"


def _joined_faults(value: Json, schema: JsonObject, place: _Place) -> Iterator[str]:
    """Apply the schemas that the same value has to fit as well."""
    if isinstance(schema.get("$ref"), str):
        yield from _faults(value, _referred(str(schema["$ref"]), place.root), place.again())
    for key in ("anyOf", "oneOf"):
        alternatives = schema.get(key)
        if not isinstance(alternatives, list) or not alternatives:
            continue
        if all(any(_faults(value, one, place.again())) for one in alternatives):
            yield f"{place.shown}: {kind(value)} fits none of the alternatives of the schema"
    every = schema.get("allOf")
    for one in every if isinstance(every, list) else ():
        yield from _faults(value, one, place.again())


def _referred(reference: str, root: JsonObject) -> Json:
    """Look up `#/...`; a reference that leads nowhere, or elsewhere, allows anything."""
    if not reference.startswith("#"):
        return True
    schema: Json = root
    for step in reference[1:].split("/")[1:]:
        name = step.replace("~1", "/").replace("~0", "~")
        schema = schema.get(name, True) if isinstance(schema, dict) else True
    return schema


def _range_faults(value: float, schema: JsonObject, place: _Place) -> Iterator[str]:
    low, high = _number(schema, "minimum"), _number(schema, "maximum")
    above, below = _number(schema, "exclusiveMinimum"), _number(schema, "exclusiveMaximum")
    if low is not None and value < low:
        yield f"{place.shown}: {shown(value)} is less than {low}"
    if high is not None and value > high:
        yield f"{place.shown}: {shown(value)} is more than {high}"
    if above is not None and value <= above:
        yield f"{place.shown}: {shown(value)} is not more than {above}"
    if below is not None and value >= below:
        yield f"{place.shown}: {shown(value)} is not less than {below}"


def _count_faults(
    count: int, schema: JsonObject, suffix: str, noun: str, place: _Place
) -> Iterator[str]:
    least, most = _number(schema, f"min{suffix}"), _number(schema, f"max{suffix}")
    if least is not None and count < least:
        yield f"{place.shown}: {count:,} {noun} are fewer than {least}"
    if most is not None and count > most:
        yield f"{place.shown}: {count:,} {noun} are more than {most}"


def _list_faults(value: list[Json], schema: JsonObject, place: _Place) -> Iterator[str]:
    yield from _count_faults(len(value), schema, "Items", "items", place)
    first = schema.get("prefixItems")
    leading = first if isinstance(first, list) else []
    rest = schema.get("items", True)
    for number, item in enumerate(value):
        # A list of schemas under `items` is the older form of `prefixItems`: left alone.
        inner = leading[number] if number < len(leading) else rest
        yield from _faults(item, inner, place.inside(f"[{number}]"))


def _object_faults(value: JsonObject, schema: JsonObject, place: _Place) -> Iterator[str]:
    yield from _count_faults(len(value), schema, "Properties", "properties", place)
    required, declared = schema.get("required"), schema.get("properties")
    properties = declared if isinstance(declared, dict) else {}
    for name in required if isinstance(required, list) else ():
        if isinstance(name, str) and name not in value:
            yield f"{place.inside(name).shown} is required and missing"
    others = True if "patternProperties" in schema else schema.get("additionalProperties", True)
    for name, item in value.items():
        if name in properties:
            yield from _faults(item, properties[name], place.inside(name))
        elif others is False:
            yield f"{place.inside(name).shown} is not a declared parameter"
        else:
            yield from _faults(item, others, place.inside(name))


def _number(schema: JsonObject, key: str) -> int | float | None:
    value = schema.get(key)
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


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
