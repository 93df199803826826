"""Grammars of answers: what they take, what they refuse, and that guided answers keep to them."""

from __future__ import annotations

import json
import random

import jsonschema
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from gpt4o_tune.local.engines import Adjustments, AnswerShape, parse_tool_calls
from gpt4o_tune.local.engines.tiny.generation import TinyLanguageModel
from gpt4o_tune.local.engines.tiny.model import TinyModel
from gpt4o_tune.local.engines.tiny.rendering import render
from gpt4o_tune.local.grammar import (
    Grammar,
    OfferedTool,
    SchemaError,
    json_object,
    json_of_schema,
    require_strict,
    tool_calls,
)
from tests.local.conftest import ROWS
from tests.local.schemas import Described, described_answer

ASKED = [{"role": "user", "content": "hello"}]
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**30), 10**30) | st.text(max_size=5)
    | st.floats(-1e307, 1e307),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


def accepts(grammar: Grammar, text: str) -> bool:
    """Whether the whole text matches."""
    state = grammar.read(grammar.start, text.encode())
    return state is not None and state.is_complete


def walk(grammar: Grammar, rng: random.Random, *, most: int) -> str | None:
    """Write random text, byte by byte; None where it does not end in time."""
    state, written = grammar.start, bytearray()
    while not state.is_complete:
        followers = [byte for byte in range(256) if grammar.step(state, byte)]
        assert followers, f"nothing may follow {bytes(written)!r}"
        if len(written) >= most:
            return None
        weights = [20 if byte in b'"]}' else 1 for byte in followers]
        (byte,) = rng.choices(followers, weights)
        written.append(byte)
        after = grammar.step(state, byte)
        assert after
        state = after
    return written.decode()


@pytest.fixture(scope="module")
def untrained() -> TinyLanguageModel:
    """A model with random weights: its tokens are drawn from a distribution that means nothing."""
    model = TinyModel.create([render(row["messages"]) for row in ROWS], seed=[3])
    return TinyLanguageModel(model)


@settings(max_examples=60, deadline=None)
@given(described_answer(), st.data())
def test_every_value_of_a_schema_is_taken(described: Described, data: st.DataObject) -> None:
    """In the usual spellings: with and without blanks, indented, escaped or not."""
    require_strict(described.schema)
    grammar = json_of_schema(described.schema)
    value = data.draw(described.values)
    jsonschema.validate(value, described.schema)
    for spelling in (
        {"ensure_ascii": False},
        {"ensure_ascii": True},
        {"separators": (",", ":")},
        {"indent": 4},
    ):
        assert accepts(grammar, json.dumps(value, **spelling))


@settings(max_examples=60, deadline=None)
@given(described_answer(), st.integers(0, 2**32))
def test_whatever_the_grammar_lets_through_is_valid(described: Described, seed: int) -> None:
    """Random bytes that the grammar allows never get stuck, and validate once they end."""
    grammar = json_of_schema(described.schema)
    for text in (walk(grammar, random.Random(seed), most=400), grammar.example('say "é"')):
        if text is not None:
            jsonschema.validate(json.loads(text), described.schema)


@settings(max_examples=60, deadline=None)
@given(described_answer(), st.data())
def test_no_other_value_is_taken(described: Described, data: st.DataObject) -> None:
    """A value that jsonschema refuses is refused."""
    value = data.draw(st.dictionaries(st.text(max_size=2), JSON_VALUES, max_size=3))
    assume(not jsonschema.Draft202012Validator(described.schema).is_valid(value))
    assert not accepts(json_of_schema(described.schema), json.dumps(value))


@settings(max_examples=25, deadline=None)
@given(described_answer(), st.integers(0, 2**32), st.floats(0.2, 2))
def test_a_model_that_learnt_nothing_keeps_the_schema(
    untrained: TinyLanguageModel, described: Described, seed: int, temperature: float
) -> None:
    """Whatever tokens the model favours, an answer that ends by itself is valid."""
    tokens = [
        *untrained.generate(
            ASKED,
            max_tokens=150,
            temperature=temperature,
            seed=seed,
            shape=AnswerShape(kind="text", text=json_of_schema(described.schema)),
            adjustments=Adjustments(bias={b'"': 6.0, b"}": 6.0, b"]": 6.0}),
        )
    ]
    assert all(token.logprob <= 0 for token in tokens)
    if tokens[-1].finish_reason == "stop":
        answer = json.loads("".join(token.text for token in tokens))
        jsonschema.validate(answer, described.schema)
    else:
        assert len(tokens) == 150


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(st.text(max_size=5), JSON_VALUES, max_size=4))
def test_any_object_is_a_json_object(value: dict[str, object]) -> None:
    """JSON mode takes every object."""
    assert accepts(json_object(), json.dumps(value))
    assert accepts(json_object(), json.dumps(value, ensure_ascii=False, indent=2))


@pytest.mark.parametrize(
    "text",
    ['{"a":01}', '{"a":1,}', "{'a':1}", "[]", '"a"', "{}x", '{"a":+1}', '{"a":.5}', '{"a" 1}',
     '{"a":"\n"}', '{"a":"\\x"}', '{"a":"\\ud83d"}', '{"a":tru}', "", "{", '{"a":1e400}'],
)  # fmt: skip
def test_what_is_no_json_is_refused(text: str) -> None:
    """Broken JSON, and JSON that is no object, does not match."""
    assert not accepts(json_object(), text)


@pytest.mark.parametrize("bad", [b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80"])
def test_strings_are_utf_8(bad: bytes) -> None:
    """Bytes that are no UTF-8 may not follow, not even at first."""
    grammar = json_object()
    assert grammar.read(grammar.start, b'{"' + bad) is None


def test_blanks_digits_and_depth_are_bounded() -> None:
    """What could run on for ever stops."""
    grammar = json_object()
    assert grammar.read(grammar.start, b"{" + b" " * 41)
    assert grammar.read(grammar.start, b"{" + b" " * 100) is None
    assert grammar.read(grammar.start, b'{"a":' + b"1" * 41) is None
    assert grammar.read(grammar.start, b'{"a":' + b"[" * 50)
    assert grammar.read(grammar.start, b'{"a":' + b"[" * 200) is None
    for seed in range(20):
        text = walk(grammar, random.Random(seed), most=5000)
        assert text is None or isinstance(json.loads(text), dict)


def test_what_nests_too_deep_still_ends() -> None:
    """A recursive answer is led to its end, not into a dead end."""
    node = {"type": "object", "properties": {"n": {"anyOf": [{"$ref": "#"}, {"type": "null"}]}}}
    schema = {**node, "required": ["n"], "additionalProperties": False}
    grammar = json_of_schema(schema)
    state = grammar.start
    depth = 0
    while (after := grammar.read(state, b'{"n":')) is not None:
        state, depth = after, depth + 1
    assert depth > 40
    ended = grammar.read(state, b"null" + b"}" * depth)
    assert ended
    assert ended.is_complete


@pytest.mark.parametrize(
    "schema", [{"$ref": "#"}, {"enum": [], "type": "string"}, {"anyOf": [False]}]
)
def test_a_schema_that_nothing_satisfies_has_no_grammar(schema: dict[str, object]) -> None:
    """It is an error at once, not an answer that never ends."""
    with pytest.raises(ValueError, match="no text"):
        json_of_schema({"type": "object", "properties": {"a": schema}, "required": ["a"]}
                       if schema != {"$ref": "#"} else schema)  # fmt: skip


OBJECT = {"type": "object", "additionalProperties": False}


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        ({"type": "array", "items": {"type": "string"}}, "got 'type: \"array\"'"),
        ({}, "schema must be a JSON Schema of 'type: \"object\"'"),
        ({"type": "object"}, "In context=(), 'additionalProperties' is required"),
        ({**OBJECT, "properties": {"a": {"type": "string"}}}, "Missing 'a'"),
        ({**OBJECT, "properties": {}, "required": ["b"]}, "Extra required key 'b'"),
        ({**OBJECT, "patternProperties": {}}, "'patternProperties' is not permitted"),
        ({**OBJECT, "properties": {"a": {}}, "required": ["a"]}, "('properties', 'a'), schema must have a 'type' key"),
        ({**OBJECT, "properties": {"a": {"type": "string", "minLength": 1}}, "required": ["a"]}, "'minLength' is not permitted"),
        ({**OBJECT, "properties": {"a": {"type": "integer", "minimum": 1}}, "required": ["a"]}, "'minimum' is not permitted"),
        ({**OBJECT, "properties": {"a": {"oneOf": []}}, "required": ["a"]}, "schema must have a 'type' key"),
        ({**OBJECT, "properties": {"a": {"type": "string", "allOf": []}}, "required": ["a"]}, "'allOf' is not permitted"),
        ({**OBJECT, "properties": {"a": {"type": "array"}}, "required": ["a"]}, "array schema missing items"),
        ({**OBJECT, "properties": {"a": {"type": "date"}}, "required": ["a"]}, "'date' is not valid"),
        ({**OBJECT, "properties": {"a": {"type": "string", "enum": [1]}}, "required": ["a"]}, "right type"),
        ({**OBJECT, "properties": {"a": {"$ref": "#/$defs/b"}}, "required": ["a"]}, "leads nowhere"),
        ({**OBJECT, "properties": {"a": {"$ref": "#", "title": "x"}}, "required": ["a"]}, "$ref cannot have keywords {'title'}"),
        ({**OBJECT, "$defs": {"b": {"type": "object"}}}, "('$defs', 'b'), 'additionalProperties'"),
    ],
)  # fmt: skip
def test_strict_mode_names_what_it_does_not_take(schema: dict[str, object], message: str) -> None:
    """The message gives the place and the keyword."""
    with pytest.raises(SchemaError) as caught:
        require_strict(schema)
    assert message in str(caught.value)


def test_strict_mode_bounds_the_size() -> None:
    """Levels, properties and constants have limits."""
    deep: dict[str, object] = {"type": "string"}
    for _ in range(11):
        deep = {**OBJECT, "properties": {"a": deep}, "required": ["a"]}
    many = [str(number) for number in range(5001)]
    wide = {**OBJECT, "properties": {name: {"type": "null"} for name in many}, "required": many}
    choice = {**OBJECT, "properties": {"a": {"enum": many[:1001]}}, "required": ["a"]}
    for schema in (deep, wide, choice):
        with pytest.raises(SchemaError, match=r"levels|limit"):
            require_strict(schema)


def test_a_loose_schema_is_followed_as_far_as_it_goes() -> None:
    """Optional members may be left out, unknown names are not added, bounds are not seen."""
    grammar = json_of_schema(
        {
            "type": "object",
            "properties": {"a": {"type": "integer", "minimum": 5}, "b": {"type": "string"}},
            "required": ["b"],
        }
    )
    assert accepts(grammar, '{"b": ""}')
    assert accepts(grammar, '{"a": 1, "b": "x"}')
    for text in ("{}", '{"a": 1}', '{"a": "x", "b": ""}', '{"b": "", "c": 1}'):
        assert not accepts(grammar, text)
    free = json_of_schema({"type": "object", "additionalProperties": {"type": "integer"}})
    assert accepts(free, '{"x": 1, "y": 2}')
    assert not accepts(free, '{"x": "1"}')


@settings(max_examples=30, deadline=None)
@given(described_answer(), st.integers(0, 2**32))
def test_calls_fit_the_functions(
    untrained: TinyLanguageModel, described: Described, seed: int
) -> None:
    """Every call names an offered function, with arguments that its schema describes."""
    tools = [OfferedTool("free", None), OfferedTool("exact", described.schema)]
    grammar = tool_calls(tools, is_parallel=True)
    tokens = [
        *untrained.generate(
            ASKED,
            max_tokens=200,
            seed=seed,
            shape=AnswerShape(kind="calls", calls=grammar),
            adjustments=Adjustments(bias={b'"': 7.0, b"}": 7.0, b"]": 6.0}),
        )
    ]
    assert all(token.is_tool_call for token in tokens)
    calls = parse_tool_calls("".join(token.text for token in tokens))
    if tokens[-1].finish_reason == "stop":
        assert calls
        for call in calls:
            assert call.name in ("free", "exact")
            arguments = json.loads(call.arguments)
            if call.name == "exact":
                jsonschema.validate(arguments, described.schema)


def test_penalties_and_biases_follow_the_formula(untrained: TinyLanguageModel) -> None:
    """Scores fall by count times frequency penalty plus presence penalty, and rise by the bias."""
    plain = [*untrained.generate(ASKED, max_tokens=1, temperature=0, top_logprobs=2)]
    (best, best_logprob), (other, other_logprob) = plain[0].top
    nudge = best_logprob - other_logprob + 0.5
    changed = Adjustments(bias={other.encode(): nudge})
    (token,) = untrained.generate(
        ASKED, max_tokens=1, temperature=0, top_logprobs=2, adjustments=changed
    )
    assert token.text == other
    assert token.top[0][1] - token.top[1][1] == pytest.approx(0.5)

    only = Adjustments(bias={b"a": 100.0, b"b": 99.0})
    repeated = [*untrained.generate(ASKED, max_tokens=6, temperature=0, adjustments=only)]
    assert "".join(token.text for token in repeated) == "aaaaaa"
    varied = Adjustments(frequency_penalty=2, presence_penalty=2, bias={b"a": 100.0, b"b": 97.0})
    text = "".join(
        token.text
        for token in untrained.generate(ASKED, max_tokens=4, temperature=0, adjustments=varied)
    )
    assert text[0] == "a"
    assert "b" in text
    assert best != other
