"""JSON as a grammar, in the spellings that programs write.

Three bounds keep an answer from running on for ever where the model is unsure: blanks in a row,
digits of a number, and depth. Half surrogate pairs, which no UTF-8 text can hold, are left out.
"""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING, Final, cast

from gpt4o_tune.local.grammar.grammar import Grammar
from gpt4o_tune.local.grammar.nodes import (
    NOTHING,
    FreeText,
    Node,
    Repeated,
    Rule,
    at_most,
    either,
    joined,
    literal,
    one_of,
    optional,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_BLANKS = 41
"""Most blanks in a row: a line break and ten levels of four, the deepest that strict schemas nest."""
_DIGITS = 40
ANY: Final = Rule("any JSON value")
"""A value without limits, by the rule among `json_rules`."""
BLANK: Final = Rule("blanks between JSON's signs")
"""What it stands for is among `json_rules`: one grammar may break lines, another may not."""


def member(key: Node, value: Node) -> Node:
    """A member of an object."""
    return joined(key, BLANK, literal(":"), BLANK, value)


def in_braces(members: Node) -> Node:
    """An object of these members, which begin and end without blanks."""
    return joined(literal("{"), BLANK, members, BLANK, literal("}"))


def array_of(item: Node) -> Node:
    """An array of any length."""
    more = Repeated(joined(BLANK, literal(","), BLANK, item))
    return joined(literal("["), BLANK, either(NOTHING, joined(item, more, BLANK)), literal("]"))


def object_of(properties: Sequence[tuple[str, Node, bool]]) -> Node:
    """An object of named members in this order.

    Args:
        properties: For each member its name, its value, and whether it must be there.
    """
    # Built from the back: what may follow depends on whether a member stands before it.
    first: Node = NOTHING
    later: Node = NOTHING
    for name, value, is_required in reversed(properties):
        one = member(constant(name), value)
        here = joined(one, later)
        after = joined(BLANK, literal(","), BLANK, one, later)
        first = here if is_required else either(first, here)
        later = after if is_required else either(later, after)
    return in_braces(first)


def map_of(value: Node) -> Node:
    """An object of members with any names."""
    one = member(string(), value)
    more = Repeated(joined(BLANK, literal(","), BLANK, one))
    return in_braces(either(NOTHING, joined(one, more)))


def constant(value: object) -> Node:
    """One value; a string may have its characters beyond ASCII escaped or not."""
    if isinstance(value, dict):
        items = cast("Mapping[str, object]", value)
        return object_of([(name, constant(each), True) for name, each in items.items()])
    if isinstance(value, list):
        values = cast("Sequence[object]", value)
        comma = joined(BLANK, literal(","), BLANK)
        parts = [part for each in values for part in (comma, constant(each))][1:]
        return joined(literal("["), BLANK, *parts, BLANK, literal("]"))
    spellings = {json.dumps(value, ensure_ascii=False): None, json.dumps(value): None}
    return either(*map(literal, spellings))


@cache
def string() -> Node:
    """A string of any length."""
    digit, low = [(0x30, 0x39)], (0x80, 0xBF)
    letters = [(0x41, 0x46), (0x61, 0x66)]
    hexadecimal = one_of(*digit, *letters)
    character = either(
        one_of((0x20, 0x21), (0x23, 0x5B), (0x5D, 0x7F)),
        joined(one_of((0xC2, 0xDF)), one_of(low)),
        joined(one_of((0xE0, 0xE0)), one_of((0xA0, 0xBF)), one_of(low)),
        joined(one_of((0xE1, 0xEC), (0xEE, 0xEF)), one_of(low), one_of(low)),
        joined(one_of((0xED, 0xED)), one_of((0x80, 0x9F)), one_of(low)),
        joined(one_of((0xF0, 0xF0)), one_of((0x90, 0xBF)), one_of(low), one_of(low)),
        joined(one_of((0xF1, 0xF3)), one_of(low), one_of(low), one_of(low)),
        joined(one_of((0xF4, 0xF4)), one_of((0x80, 0x8F)), one_of(low), one_of(low)),
    )
    last_two = joined(hexadecimal, hexadecimal)
    d = one_of((0x44, 0x44), (0x64, 0x64))
    not_d = one_of(*digit, (0x41, 0x43), (0x45, 0x46), (0x61, 0x63), (0x65, 0x66))
    high_half = one_of((0x38, 0x39), (0x41, 0x42), (0x61, 0x62))
    low_half = one_of((0x43, 0x46), (0x63, 0x66))
    unit = either(
        joined(not_d, hexadecimal, last_two),
        joined(d, one_of((0x30, 0x37)), last_two),
        joined(d, high_half, last_two, literal("\\u"), d, low_half, last_two),
    )
    escape = either(
        one_of(*((ord(each), ord(each)) for each in '"\\/bfnrt')), joined(literal("u"), unit)
    )
    content = Repeated(either(character, joined(literal("\\"), escape)))
    return joined(literal('"'), FreeText(content), literal('"'))


@cache
def integer() -> Node:
    """A whole number of up to 40 digits, without fraction or exponent."""
    return joined(optional(literal("-")), _whole())


@cache
def number() -> Node:
    """A number of up to 40 digits before and after the point, or one digit and an exponent.

    The exponent stays where a float neither overflows nor needs more digits: from -999 to 307.
    """
    digit = one_of((0x30, 0x39))
    fraction = optional(joined(literal("."), digit, at_most(digit, _DIGITS - 1)))
    upwards = either(
        joined(digit, optional(digit)),
        joined(one_of((0x31, 0x32)), digit, digit),
        joined(literal("30"), one_of((0x30, 0x37))),
    )
    exponent = either(
        joined(literal("-"), digit, at_most(digit, 2)),
        joined(optional(literal("+")), upwards),
    )
    scientific = joined(digit, fraction, one_of((0x45, 0x45), (0x65, 0x65)), exponent)
    return joined(optional(literal("-")), either(joined(_whole(), fraction), scientific))


@cache
def _whole() -> Node:
    digit = one_of((0x30, 0x39))
    return either(literal("0"), joined(one_of((0x31, 0x39)), at_most(digit, _DIGITS - 1)))


@cache
def scalars() -> dict[str, Node]:
    """The scalar types of JSON Schema."""
    return {
        "string": string(),
        "number": number(),
        "integer": integer(),
        "boolean": either(literal("true"), literal("false")),
        "null": literal("null"),
    }


@cache
def _any_value() -> Node:
    kinds = scalars()
    plain = (kinds[name] for name in ("string", "number", "boolean", "null"))
    return either(*plain, map_of(ANY), array_of(ANY))


def json_rules(*, may_break_lines: bool = True) -> dict[str, Node]:
    """The rules that JSON's own parts refer to by name.

    Args:
        may_break_lines: Whether blanks may be line breaks and tabs; otherwise one space at most.
    """
    space = one_of((0x20, 0x20))
    wide = at_most(one_of((0x20, 0x20), (0x09, 0x0A), (0x0D, 0x0D)), _BLANKS)
    return {ANY.name: _any_value(), BLANK.name: wide if may_break_lines else optional(space)}


class _JsonObject(Grammar):
    """Any object. Its shortest example would be empty and could not say what the stand-in is."""

    def example(self, words: str) -> str:
        return json.dumps({"message": words}, ensure_ascii=False)


@cache
def json_object() -> Grammar:
    """Any JSON object."""
    return _JsonObject(map_of(ANY), json_rules())
