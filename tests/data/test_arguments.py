"""Arguments are compared with their schema as a full validator would, and never blamed wrongly."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpt4o_tune import Dataset
from tests.data.cases import call, calling, tool

jsonschema = pytest.importorskip("jsonschema", reason="jsonschema is the oracle")

names = st.sampled_from("abc")
scalars = st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from(["", "a", "abc"])
values = st.recursive(
    scalars | st.just(1.5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=6,
)
numbers = st.integers(-2, 3)
types = st.sampled_from(["object", "array", "string", "number", "integer", "boolean", "null"])


def schemas() -> st.SearchStrategy[object]:
    """Make schemas of every keyword that is looked at, and of some that are not."""
    words = {
        "type": types | st.lists(types, min_size=1, max_size=2, unique=True),
        "enum": st.lists(scalars, min_size=1, max_size=3),
        "const": scalars,
        "minimum": numbers,
        "maximum": numbers,
        "exclusiveMinimum": numbers,
        "exclusiveMaximum": numbers,
        "pattern": st.just("^a"),
        "required": st.lists(names, max_size=2, unique=True),
        "$ref": st.sampled_from(["#", "#/$defs/a", "#/properties/a"]),
    }
    words |= {
        f"{bound}{what}": st.integers(0, 3)
        for bound in ("min", "max")
        for what in ("Length", "Items", "Properties")
    }
    flat = st.fixed_dictionaries({}, optional=words)

    def nested(inner: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
        some = st.lists(inner, min_size=1, max_size=2)
        by_name = st.dictionaries(names, inner, max_size=2)
        deeper = {
            "properties": by_name,
            "additionalProperties": inner,
            "patternProperties": st.dictionaries(st.just("^b"), inner, max_size=1),
            "items": inner,
            "prefixItems": some,
            "anyOf": some,
            "oneOf": some,
            "allOf": some,
            "not": inner,
            "$defs": st.fixed_dictionaries({"a": inner}),
        }
        return st.fixed_dictionaries({}, optional={**words, **deeper})

    return st.recursive(flat | st.booleans(), nested, max_leaves=5)


def is_blamed(arguments: object, parameters: object) -> bool:
    """Tell whether a check finds that the arguments do not fit."""
    rows = calling(call(json.dumps(arguments)), tools=[tool(parameters=parameters)])
    report = Dataset.from_records(rows).check()
    return any(problem.code == "mismatched-arguments" for problem in report.problems)


@given(
    arguments=st.dictionaries(names, values, max_size=3),
    properties=st.dictionaries(names, schemas(), max_size=3),
    rest=schemas(),
)
def test_nothing_sound_is_blamed(
    arguments: dict[str, object], properties: dict[str, object], rest: object
) -> None:
    """Every fault that is reported is one to jsonschema as well."""
    schema = {"type": "object", "properties": properties, "additionalProperties": rest}
    try:
        fits = jsonschema.Draft202012Validator(schema).is_valid(arguments)
    except (RecursionError, jsonschema.exceptions._WrappedReferencingError):
        return
    if is_blamed(arguments, schema):
        assert not fits


@given(
    arguments=st.dictionaries(names, scalars, max_size=3),
    properties=st.dictionaries(names, st.fixed_dictionaries({"type": types}), max_size=3),
    required=st.lists(names, max_size=2, unique=True),
)
def test_plain_schemas_are_judged_completely(
    arguments: dict[str, object], properties: dict[str, object], required: list[str]
) -> None:
    """Where a schema has types and names only, the verdicts are the same."""
    schema = {"type": "object", "properties": properties, "required": required}
    schema |= {"additionalProperties": False}

    assert is_blamed(arguments, schema) == (
        not jsonschema.Draft202012Validator(schema).is_valid(arguments)
    )
