"""Random schemas of the strict subset, each with the values that it describes."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import strategies as st

WORDS = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=8)
SCALARS: dict[str, st.SearchStrategy[object]] = {
    "string": WORDS,
    "integer": st.integers(-(10**12), 10**12),
    "number": st.floats(allow_nan=False, allow_infinity=False, max_value=1e307, min_value=-1e307),
    "boolean": st.booleans(),
    "null": st.none(),
}


@dataclass(frozen=True)
class Described:
    """A schema and its values."""

    schema: dict[str, object]
    values: st.SearchStrategy[object]


@st.composite
def described(draw: st.DrawFn, levels: int = 2) -> Described:
    """A schema of any kind, nested so many levels deep at most."""
    kinds = ["scalar", "union", "enum", "const"]
    if levels:
        kinds += ["object", "array", "anyOf", "ref"]
    kind = draw(st.sampled_from(kinds))
    if kind == "object":
        return draw(described_object(levels))
    if kind == "array":
        item = draw(described(levels - 1))
        return Described({"type": "array", "items": item.schema}, st.lists(item.values, max_size=3))
    if kind == "anyOf":
        options = draw(st.lists(described(levels - 1), min_size=1, max_size=3))
        return Described(
            {"anyOf": [option.schema for option in options]},
            st.one_of([option.values for option in options]),
        )
    if kind == "ref":
        return Described({"$ref": "#/$defs/node"}, nodes())
    if kind == "enum":
        values = draw(st.lists(st.one_of(*SCALARS.values()), min_size=1, max_size=4))
        return Described({"enum": values}, st.sampled_from(values))
    if kind == "const":
        value = draw(st.one_of(WORDS, st.integers(-99, 99)))
        return Described({"const": value}, st.just(value))
    names = draw(st.lists(st.sampled_from([*SCALARS]), min_size=1, max_size=2, unique=True))
    schema = {"type": names if kind == "union" else names[0]}
    kept = names if kind == "union" else names[:1]
    return Described(schema, st.one_of([SCALARS[name] for name in kept]))


@st.composite
def described_object(draw: st.DrawFn, levels: int = 2) -> Described:
    """An object with up to three members."""
    members = draw(st.dictionaries(WORDS, described(levels - 1), max_size=3))
    return Described(
        {
            "type": "object",
            "properties": {name: member.schema for name, member in members.items()},
            "required": [*members],
            "additionalProperties": False,
        },
        _in_order({name: member.values for name, member in members.items()}),
    )


def _in_order(members: dict[str, st.SearchStrategy[object]]) -> st.SearchStrategy[object]:
    """Objects whose members stand as in the schema, which is how answers are written."""
    return st.tuples(*members.values()).map(lambda values: dict(zip(members, values, strict=True)))


@st.composite
def described_answer(draw: st.DrawFn) -> Described:
    """A whole schema: an object at the root, and a recursive definition to refer to."""
    root = draw(described_object())
    return Described({**root.schema, "$defs": {"node": NODE}}, root.values)


NODE: dict[str, object] = {
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "next": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]},
    },
    "required": ["name", "next"],
    "additionalProperties": False,
}


def nodes() -> st.SearchStrategy[object]:
    """Chains of nodes, as `NODE` describes them."""
    return st.lists(WORDS, min_size=1, max_size=5).map(_chain)


def _chain(names: list[str]) -> object:
    node = None
    for name in names:
        node = {"name": name, "next": node}
    return node
