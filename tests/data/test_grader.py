"""A grader is judged by its published form and by the rows that it reads, without running any of it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpt4o_tune import Dataset
from gpt4o_tune.data import validate_grader
from tests.data.cases import (
    JUDGE,
    LABELS,
    MULTI,
    PYTHON,
    SIMILARITY,
    STRING_CHECK,
    Row,
    many,
    prompts,
)

SOUND = (
    STRING_CHECK,
    SIMILARITY,
    JUDGE,
    PYTHON,
    MULTI,
    {**MULTI, "graders": [STRING_CHECK, JUDGE], "calculate_output": "sum * tone"},
    {**MULTI, "graders": STRING_CHECK, "calculate_output": "floor(sum)"},
    {**PYTHON, "source": "import re\n\ndef grade(sample, item, *, strict=True):\n    return 0.5\n"},
    {"type": "lambda", "lambda": {"function": "arn"}},
    {"type": "endpoint", "url": "https://example.com"},
)


@pytest.mark.parametrize("grader", SOUND, ids=lambda grader: grader["type"])
def test_published_forms_are_sound(grader: Row) -> None:
    """Each type, and each of the three ways to write the parts of a `multi`."""
    assert validate_grader(grader) == ()
    assert Dataset.from_records(prompts() * 5).check(grader=grader).ok


def test_a_problem_leads_to_its_place() -> None:
    """Inside the part of a grader, inside a message of its prompt."""
    asks = {"role": "user", "content": [{"type": "input_text", "text": "Is {{sample.txt}} right?"}]}
    grader = {
        **MULTI,
        "graders": {"right": LABELS | {"input": [asks]}},
        "calculate_output": "right",
    }

    (problem,) = validate_grader(grader)

    assert problem.path == "grader.graders.right.input[0].content[0].text"
    assert (problem.line, problem.code) == (0, "unknown-grader-variable")
    assert str(problem).startswith("the whole file, grader.graders.right")


def test_json_answers_need_a_response_format() -> None:
    """The warning goes once the format is known."""
    grader = STRING_CHECK | {"input": "{{sample.output_json.total}}"}

    assert [p.code for p in validate_grader(grader)] == ["grader-needs-response-format"]
    assert validate_grader(grader, response_format={"type": "json_object"}) == ()


def test_rows_are_searched_for_every_field() -> None:
    """Each row that lacks one is named; a near name is offered."""
    rows = [*prompts(), *prompts(), {**prompts()[0], "anwser": "1"}]
    del rows[-1]["answer"]

    report = Dataset.from_records(rows).check(grader=MULTI)

    (problem,) = [p for p in report.errors if p.code != "too-few-examples"]
    assert (problem.line, problem.path, problem.code) == (5, "answer", "missing-grader-field")
    assert problem.fix == "Is it 'anwser'?"


def test_a_grader_belongs_to_reinforcement() -> None:
    """With other rows it is the caller's mistake and no fault of the data."""
    with pytest.raises(ValueError, match="belongs to method 'reinforcement'"):
        Dataset.from_records(many()).check(grader=STRING_CHECK)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=6,
)


@given(
    grader=st.sampled_from(SOUND),
    key=st.sampled_from([*{key for grader in SOUND for key in grader}]),
    value=json_values | st.sampled_from(["{{item.answer}}" * 50, "(" * 1_000, "a^" * 900 + "a"]),
)
def test_no_grader_stops_a_check(grader: Row, key: str, value: object) -> None:
    """Whatever stands in it, there is a verdict, and the same one twice."""
    mended = {**grader, key: value}
    data = Dataset.from_records(prompts())

    problems = data.check(grader=mended, method="reinforcement").problems

    assert data.check(grader=mended, method="reinforcement").problems == problems
    assert all(problem.message.endswith(".") for problem in problems)
