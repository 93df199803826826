"""JSON Schema as a grammar, and the rules for schemas that are to be kept to the letter.

A schema that passes `require_strict` is enforced completely. Of any other schema the types, names,
constants and alternatives are enforced, and what a grammar of bytes cannot see (bounds, patterns,
counts, combinations) is not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias, cast

from gpt4o_tune.local.grammar.grammar import Grammar
from gpt4o_tune.local.grammar.json_text import (
    ANY,
    array_of,
    constant,
    json_rules,
    map_of,
    object_of,
    scalars,
)
from gpt4o_tune.local.grammar.nodes import Either, Node, Rule, either

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

Schema: TypeAlias = "Mapping[str, object]"
Place: TypeAlias = tuple[str, ...]

_NOTES = frozenset(
    {"title", "description", "$schema", "$id", "$comment", "$defs", "definitions", "examples"}
)
_KEYWORDS = {
    "object": frozenset({"properties", "required", "additionalProperties"}),
    "array": frozenset({"items"}),
}
_TYPES = ("object", "array", "string", "number", "integer", "boolean", "null")
_MOST_PROPERTIES = 5000
_MOST_LEVELS = 10
_MOST_CONSTANTS = 1000


class SchemaError(ValueError):
    """A schema that strict mode does not take; the message names place and keyword."""


def json_of_schema(schema: Schema) -> Grammar:
    """Build the grammar of the JSON texts that a schema describes.

    Raises:
        ValueError: No value satisfies the schema.
    """
    reader = SchemaReader(schema)
    root = reader.root()
    return Grammar(root, json_rules() | reader.rules)


class SchemaReader:
    """Turns a schema into parts of a grammar.

    Args:
        schema: The whole schema, which references point into.
        prefix: Begins the names of its rules, so that several schemas can share a grammar.

    Attributes:
        rules: The rules that the parts refer to.
    """

    def __init__(self, schema: Schema, *, prefix: str = "") -> None:
        self._schema = schema
        self._prefix = prefix
        self.rules: dict[str, Node] = {}

    def root(self) -> Node:
        """The values that the schema describes."""
        return self._value(self._schema)

    def object_value(self) -> Node:
        """The objects that the schema describes; any object where it speaks of none."""
        if self._schema.keys() & {"$ref", "anyOf", "oneOf"}:
            return self._value(self._schema)
        return self._object(self._schema)

    def _value(self, schema: object) -> Node:
        if not isinstance(schema, dict):
            return Either(()) if schema is False else ANY
        schema = cast("Schema", schema)
        if "$ref" in schema:
            return self._referred(str(schema["$ref"]))
        if "const" in schema or "enum" in schema:
            return _choice_of(constant(value) for value in _constants(schema))
        for name in ("anyOf", "oneOf"):
            if options := _list(schema.get(name)):
                return _choice_of(self._value(option) for option in options)
        types = _types(schema)
        return _choice_of(self._typed(name, schema) for name in types) if types else ANY

    def _typed(self, name: str, schema: Schema) -> Node:
        if name == "object":
            return self._object(schema)
        if name == "array":
            return array_of(self._value(schema.get("items")))
        return scalars().get(name, ANY)

    def _object(self, schema: Schema) -> Node:
        properties = _mapping(schema.get("properties"))
        required = [str(name) for name in _list(schema.get("required"))]
        if not properties and not required:
            others = schema.get("additionalProperties")
            return object_of([]) if others is False else map_of(self._value(others))
        named = {**properties, **dict.fromkeys(name for name in required if name not in properties)}
        return object_of(
            [(name, self._value(value), name in required) for name, value in named.items()]
        )

    def _referred(self, pointer: str) -> Node:
        name = self._prefix + pointer
        if name not in self.rules:
            self.rules[name] = Either(())  # holds the place while the target refers back to it
            self.rules[name] = self._value(resolve(self._schema, pointer))
        return Rule(name)


def resolve(schema: Schema, pointer: str) -> object:
    """Follow a reference inside the schema; None where it leads nowhere."""
    if not pointer.startswith("#"):
        return None
    target: object = schema
    for part in pointer[1:].split("/")[1:]:
        key = part.replace("~1", "/").replace("~0", "~")
        items = _list(target)
        if key.isdecimal() and int(key) < len(items):
            target = items[int(key)]
        else:
            target = _mapping(target).get(key)
    return target


def require_strict(schema: Schema) -> None:
    """Check that a schema keeps the rules of strict mode for fine-tuned models.

    The rules are those of OpenAI's guide to structured outputs, read in 2026: objects close
    themselves with `additionalProperties: false` and require every property, the root is an object,
    and bounds, patterns and combinations other than `anyOf` are not to be had.

    Raises:
        SchemaError: It does not.
    """
    if schema.get("type") != "object" or "anyOf" in schema:
        kind = schema.get("type")
        raise SchemaError(
            f"schema must be a JSON Schema of 'type: \"object\"', got 'type: \"{kind}\"'."
        )
    _Strictness(schema).check()


class _Strictness:
    """Checks one schema, and counts what there may only be so much of."""

    def __init__(self, schema: Schema) -> None:
        self._schema = schema
        self._properties = 0
        self._constants = 0

    def check(self) -> None:
        self._value(self._schema, (), levels=1)
        for home in ("$defs", "definitions"):
            for name, target in _mapping(self._schema.get(home)).items():
                self._value(target, (home, name), levels=1)
        if self._properties > _MOST_PROPERTIES:
            raise SchemaError(
                f"Exceeded the limit of {_MOST_PROPERTIES} object properties in total."
            )
        if self._constants > _MOST_CONSTANTS:
            raise SchemaError(f"Exceeded the limit of {_MOST_CONSTANTS} enum values in total.")

    def _value(self, value: object, place: Place, *, levels: int) -> None:
        if not isinstance(value, dict):
            raise _fault(place, "schema must be an object.")
        if levels > _MOST_LEVELS:
            raise _fault(place, f"schema nests deeper than {_MOST_LEVELS} levels.")
        schema = cast("Schema", value)
        if "$ref" in schema:
            self._reference(schema, place)
        elif "anyOf" in schema:
            _permit(schema, {"anyOf"}, place)
            options = _list(schema["anyOf"])
            if not options:
                raise _fault(place, "'anyOf' must be an array with at least one schema.")
            for index, option in enumerate(options):
                self._value(option, (*place, "anyOf", str(index)), levels=levels)
        else:
            self._typed(schema, place, levels=levels)

    def _reference(self, schema: Schema, place: Place) -> None:
        if others := sorted(schema.keys() - {"$ref"}):
            raise _fault(place, f"$ref cannot have keywords {{{', '.join(map(repr, others))}}}.")
        if not isinstance(resolve(self._schema, str(schema["$ref"])), dict):
            raise _fault(place, f"reference {schema['$ref']!r} leads nowhere in the schema.")

    def _typed(self, schema: Schema, place: Place, *, levels: int) -> None:
        has_constants = bool(schema.keys() & {"const", "enum"})
        types = _types(schema)
        if not types and not has_constants:
            raise _fault(place, "schema must have a 'type' key.")
        if unknown := [name for name in types if name not in _TYPES]:
            raise _fault(place, f"{unknown[0]!r} is not valid as 'type'.")
        allowed = {"type", "const", "enum"}.union(*(_KEYWORDS.get(name, ()) for name in types))
        _permit(schema, allowed, place)
        if has_constants:
            values = [*_constants(schema)]
            self._constants += len(values)
            if not values:
                raise _fault(place, "no value of 'enum' or 'const' has the right type.")
        if "object" in types:
            self._object(schema, place, levels=levels)
        if "array" in types:
            if "items" not in schema:
                raise _fault(place, "array schema missing items.")
            self._value(schema["items"], (*place, "items"), levels=levels + 1)

    def _object(self, schema: Schema, place: Place, *, levels: int) -> None:
        if schema.get("additionalProperties") is not False:
            raise _fault(
                place, "'additionalProperties' is required to be supplied and to be false."
            )
        properties = _mapping(schema.get("properties"))
        required = _list(schema.get("required"))
        rule = (
            "'required' is required to be supplied and to be an array including every key in "
            "properties."
        )
        if missing := [name for name in properties if name not in required]:
            raise _fault(place, f"{rule} Missing {missing[0]!r}.")
        if extra := [name for name in required if name not in properties]:
            raise _fault(place, f"{rule} Extra required key {extra[0]!r} supplied.")
        self._properties += len(properties)
        for name, value in properties.items():
            self._value(value, (*place, "properties", name), levels=levels + 1)


def _fault(place: Place, what: str) -> SchemaError:
    return SchemaError(f"In context={place!r}, {what}")


def _permit(schema: Schema, keywords: set[str], place: Place) -> None:
    for keyword in schema:
        if keyword not in keywords and keyword not in _NOTES:
            raise _fault(place, f"'{keyword}' is not permitted.")


def _constants(schema: Schema) -> Iterator[object]:
    """The values of `const` or `enum` that have one of the schema's types."""
    types = _types(schema)
    values = [schema["const"]] if "const" in schema else _list(schema["enum"])
    return (value for value in values if not types or _type_of(value) & {*types})


def _type_of(value: object) -> set[str]:
    match value:
        case None:
            return {"null"}
        case bool():
            return {"boolean"}
        case int():
            return {"integer", "number"}
        case float():
            return {"number", "integer"} if value.is_integer() else {"number"}
        case str():
            return {"string"}
        case list():
            return {"array"}
        case _:
            return {"object"}


def _types(schema: Schema) -> list[str]:
    kind = schema.get("type")
    if isinstance(kind, str):
        return [kind]
    if kind is None and schema.keys() & {"properties", "required", "additionalProperties"}:
        return ["object"]
    return [str(name) for name in _list(kind)]


def _choice_of(options: Iterator[Node]) -> Node:
    return either(*options)


def _mapping(value: object) -> Schema:
    return cast("Schema", value) if isinstance(value, dict) else {}


def _list(value: object) -> Sequence[object]:
    return cast("Sequence[object]", value) if isinstance(value, list) else []
