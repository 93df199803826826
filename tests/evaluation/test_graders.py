"""Graders judge answers, and rows split into prompt and reference."""

import json
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpt4o_tune.errors import DatasetError
from gpt4o_tune.evaluation import (
    ExactMatch,
    Grade,
    Grader,
    Item,
    JsonMatch,
    Sample,
    ValidJson,
    split_row,
)

values = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner),
    max_leaves=6,
)
objects = st.dictionaries(st.text(max_size=3), values, max_size=4)


def grade(grader: Grader, answer: str, reference: str) -> Grade:
    """Judge one answer against one reference answer."""
    return grader.grade(Sample(answer), Item(reference, {}))


def test_exact_match_ignores_outer_white_space_only() -> None:
    """White space at the ends is forgiven by default, capitals on request, nothing else."""
    assert grade(ExactMatch(), " parcel\n", "parcel").passed
    assert not grade(ExactMatch(strip=False), " parcel", "parcel").passed
    assert not grade(ExactMatch(), "Parcel", "parcel").passed
    assert grade(ExactMatch(casefold=True), "STRASSE", "straße").passed
    assert not grade(ExactMatch(), "par cel", "parcel").passed


def test_json_match_scores_the_share_of_equal_fields() -> None:
    """The score is the share of equal fields and the reason names the others."""
    judged = grade(
        JsonMatch(), '{"a": 1, "b": 2, "c": 3, "d": 5}', '{"a": 1, "b": 2, "c": 4, "d": 5}'
    )

    assert (judged.score, judged.passed, judged.reason) == (0.75, False, "differs in 'c'")


def test_json_match_counts_missing_and_extra_fields() -> None:
    """A field on one side only differs, unless the fields to compare leave it out."""
    assert grade(JsonMatch(), '{"a": 1, "x": 0}', '{"a": 1, "b": null}').score == pytest.approx(
        1 / 3
    )
    assert grade(JsonMatch(["a"]), '{"a": 1, "x": 0}', '{"a": 1, "b": null}').passed


def test_json_match_compares_by_value() -> None:
    """1 equals 1.0, but true is not 1, however deep it lies."""
    assert grade(JsonMatch(), '{"a": [1, {"b": 2.0}]}', '{"a": [1.0, {"b": 2}]}').passed
    assert not grade(JsonMatch(), '{"a": [true]}', '{"a": [1]}').passed
    assert not grade(JsonMatch(), '{"a": {"b": 0}}', '{"a": {"b": false}}').passed
    assert not grade(JsonMatch(), '{"a": [1]}', '{"a": [1, 2]}').passed


@given(objects, objects)
def test_json_match_passes_exactly_where_all_fields_are_equal(
    given_fields: dict[str, object], wanted: dict[str, object]
) -> None:
    """A passed grade, a full score and an empty reason come together; an object matches itself."""
    judged = grade(JsonMatch(), json.dumps(given_fields), json.dumps(wanted))

    assert judged.passed is (judged.score == 1) is (judged.reason == "")
    assert grade(JsonMatch(), json.dumps(wanted, indent=1), json.dumps(wanted)).passed


@pytest.mark.parametrize(
    ("answer", "reason"),
    [("Sure! {}", "not JSON"), ("[1]", "not an object"), ("", "not JSON"), ("NaN", "NaN")],
)
def test_json_match_grades_other_answers_as_wrong(answer: str, reason: str) -> None:
    """An answer that is no JSON object scores 0 with the reason, and raises nothing."""
    judged = grade(JsonMatch(), answer, "{}")

    assert (judged.score, judged.passed) == (0.0, False)
    assert reason in judged.reason


@pytest.mark.parametrize("reference", ["shipped", "[1]"])
def test_json_match_refuses_a_reference_that_is_no_object(reference: str) -> None:
    """A reference that cannot be compared is the data's fault, not the model's."""
    with pytest.raises(ValueError, match="not a JSON object; JsonMatch"):
        grade(JsonMatch(), "{}", reference)


@pytest.mark.parametrize("fields", [[], "status"])
def test_json_match_refuses_fields_that_name_nothing(fields: list[str] | str) -> None:
    """No fields, or a bare string in place of a list, are refused."""
    with pytest.raises(ValueError, match="list of names"):
        JsonMatch(fields)


def test_valid_json_takes_any_json_value() -> None:
    """JSON of any kind is right; fences, NaN and bottomless nesting are not."""
    assert grade(ValidJson(), ' [1, "two", null] ', "").passed
    assert not grade(ValidJson(), "```json\n{}\n```", "").passed
    assert not grade(ValidJson(), "[NaN]", "").passed
    assert not grade(ValidJson(), "[" * 100_000, "").passed


def test_scores_are_finite() -> None:
    """A score may leave 0 to 1, as published graders may; one that is no number is caught where it arises."""
    assert Grade(5.0, passed=None).score == 5
    with pytest.raises(ValueError, match="finite number, got nan"):
        Grade(float("nan"), passed=True)


@pytest.mark.parametrize("grader", [ExactMatch(), JsonMatch(("a",)), ValidJson()])
def test_graders_are_values(grader: Grader) -> None:
    """Graders satisfy the protocol, compare by value and survive pickling."""
    assert isinstance(grader, Grader)
    assert pickle.loads(pickle.dumps(grader)) == grader  # noqa: S301 - our own bytes


def row(*messages: tuple[str, object], **more: object) -> dict[str, object]:
    """Write a chat row from roles and contents."""
    return {"messages": [{"role": role, "content": text} for role, text in messages], **more}


def test_the_last_assistant_message_is_the_reference() -> None:
    """All earlier messages, earlier answers included, are the prompt."""
    prompt, reference = split_row(
        row(("system", "s"), ("user", "1"), ("assistant", "a"), ("user", "2"), ("assistant", "b"))
    )

    assert [message["content"] for message in prompt] == ["s", "1", "a", "2"]
    assert reference == "b"


def test_the_prompt_is_fit_to_send() -> None:
    """The training weight is left out, all else kept, and the row itself is not touched."""
    earlier = {"role": "assistant", "content": None, "tool_calls": [{"id": "c"}], "weight": 0}
    original = {"messages": [earlier, {"role": "assistant", "content": "done"}]}

    prompt, _ = split_row(original)

    assert prompt == [{"role": "assistant", "content": None, "tool_calls": [{"id": "c"}]}]
    assert earlier["weight"] == 0


def test_text_parts_are_joined() -> None:
    """A reference given in content parts is their text."""
    parts = [{"type": "text", "text": "in "}, {"type": "text", "text": "parts"}]

    assert split_row(row(("user", "q"), ("assistant", parts))).reference == "in parts"


def test_the_preferred_output_is_the_reference() -> None:
    """Of a preference row, the input is the prompt and the preferred output the reference."""
    preference = {
        "input": row(("user", "q")),
        "preferred_output": [{"role": "assistant", "content": "good"}],
        "non_preferred_output": [{"role": "assistant", "content": "bad"}],
    }

    assert split_row(preference) == ([{"role": "user", "content": "q"}], "good")


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        ({}, "no messages"),
        (row(("user", "q")), "from 'user'"),
        (row(("assistant", "a")), "nothing to ask"),
        (row(("user", "q"), ("assistant", None)), "no text"),
        (row(("user", "q"), ("assistant", [{"type": "refusal"}])), "no text"),
        (
            {"messages": [{"role": "user"}, {"role": "assistant", "tool_calls": []}]},
            "a tool call",
        ),
        ({"preferred_output": [{"role": "assistant", "content": "a"}]}, "nothing to ask"),
    ],
)
def test_rows_without_a_reference_are_refused(broken: dict[str, object], reason: str) -> None:
    """Each kind of row that cannot be compared is refused with its own reason."""
    with pytest.raises(DatasetError, match=reason):
        split_row(broken)
