"""Every rule finds its fault, says where, and leaves sound data alone."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpt4o_tune.data import Dataset
from gpt4o_tune.data.checks import RULES, Source, check, scope_for
from gpt4o_tune.errors import DatasetError, ProviderError
from tests.data.cases import (
    CASES,
    SOUND,
    Case,
    Row,
    answer,
    as_bytes,
    call,
    calling,
    chat,
    many,
    pair,
    tool,
    user,
)

if TYPE_CHECKING:
    from gpt4o_tune.data import CheckReport, Problem
    from gpt4o_tune.data.formats import Format

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "checks.md"


def report_on(data: bytes, folder: Path, **arguments: str) -> CheckReport:
    """Check a file with these bytes."""
    path = folder / "data.jsonl"
    path.write_bytes(data)
    return Dataset.from_jsonl(path).check(**arguments)  # type: ignore[arg-type]


def problems_of(
    case: Case, data: bytes, folder: Path, *, arguments: dict[str, Any], name: str = "data.jsonl"
) -> list[Problem]:
    """Check a file as a case asks for it."""
    if not case.limits:
        path = folder / name
        path.write_bytes(data)
        dataset = Dataset.from_jsonl(path, format=case.format)
        return [*dataset.check(**arguments).problems]
    scope = scope_for("gpt-4o", provider="openai", method="supervised", format="chat")
    return check(
        enumerate(data.splitlines(keepends=True), start=1),
        source=Source(head=data[:4096], size=len(data), has_bom=False, blank_lines=()),
        scope=replace(scope, limits=replace(scope.limits, **case.limits)),
    )


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_rule_finds_its_fault_and_nothing_else(case: Case, tmp_path: Path) -> None:
    """The faulty file has the code, with a message and a next step; its sound neighbour has it not."""
    problems = problems_of(
        case, as_bytes(case.fails), tmp_path, arguments=case.arguments, name=case.name
    )
    found = [problem for problem in problems if problem.code == case.code]
    assert found
    for problem in found:
        assert problem.message.endswith(".")
        assert problem.fix.endswith((".", "?", "}", ">"))
    sound = case.arguments if case.passing_arguments is None else case.passing_arguments
    neighbour = problems_of(case, as_bytes(case.passes), tmp_path, arguments=sound)
    assert case.code not in {problem.code for problem in neighbour}


def test_every_rule_has_a_case() -> None:
    """No rule goes untested, and no case names a rule that is gone.

    Rules on what the network answers have their cases in `test_probing` and `test_moderation`.
    """
    offline = {rule.code for rule in RULES if rule.subject not in ("fetched", "verdict")}
    assert {case.code for case in CASES} == offline


def test_every_rule_is_documented_once() -> None:
    """The page has one heading per code, in the order of the table, with the right severity."""
    headings = re.findall(r"^### `([a-z0-9-]+)` \((error|warning)\)$", PAGE.read_text(), re.M)
    assert headings == [(rule.code, rule.severity) for rule in RULES]


def test_a_row_with_everything_the_format_allows_is_sound() -> None:
    """Tools, results, names, weights, images and nulls that the API itself writes raise nothing."""
    rows = []
    for n in range(10):
        asks = {"role": "assistant", "content": None, "refusal": None, "tool_calls": [call()]}
        (row,) = calling(call())
        row["messages"] = [
            {"role": "system", "content": [{"type": "text", "text": "Be brief."}]},
            user(f"Weather {n}?", name="ann"),
            asks | {"weight": 0},
            {"role": "tool", "tool_call_id": "a", "content": ""},
            answer(f"Sunny, {n} degrees.", weight=1, name="bot"),
            user(
                [
                    {
                        "type": "image_url",
                        "image_url": {"url": "https://a.b/c.png", "detail": "low"},
                    }
                ]
            ),
            answer(f"A cloud {n}."),
        ]
        rows.append(row | {"parallel_tool_calls": False})

    report = Dataset.from_records(rows).check()

    assert report.problems == ()
    assert report.ok


@pytest.mark.parametrize(
    ("data", "line", "path"),
    [
        (as_bytes(many(3)) + b"\n" + b"{\n", 5, ""),
        (as_bytes(many(3) + chat(user(), answer(weight=2))), 4, "messages[1].weight"),
        (as_bytes(many(1) + calling(call({}))), 2, "messages[1].tool_calls[0]"),
        (as_bytes(pair() + pair(preferred_output=[user(role="x")])), 2, "preferred_output[0].role"),
    ],
)
def test_a_problem_says_where_it_is(data: bytes, line: int, path: str, tmp_path: Path) -> None:
    """Lines count from 1 with blank ones, and the path leads to the value at fault."""
    (problem,) = [p for p in report_on(data, tmp_path).errors if p.line]
    assert (problem.line, problem.path) == (line, path)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"{\"messages\": [{'role': 1}]}\n", ["Column 16", "a key in double quotes", "json.dumps"]),
        (b'{"a": None}\n', ["Column 7", "null, true and false"]),
        (b'{"a": 1}{"b": 2}\n', ["Column 9", "more after the row", "one object per line"]),
        (b'{"a": "x\n', ["not complete at the end of the line"]),
        (b'{"a": "\xe4"}', ["Byte 8", "0xE4", "'ä'", "iconv"]),
        (b'{"messages": [{"role": "assisstant", "content": "a"}]}', ["Did you mean 'assistant'?"]),
        (b'{"prompt": "a", "completion": "b"}', ["prompt and completion"]),
    ],
)
def test_a_message_says_what_to_do(data: bytes, words: list[str], tmp_path: Path) -> None:
    """Where the fault is one that people often make, the advice is for that fault."""
    text = " ".join(f"{p.message} {p.fix}" for p in report_on(data, tmp_path).errors if p.line)
    for word in words:
        assert word in text


def test_nine_examples_are_one_short() -> None:
    """The message counts for the user."""
    (problem,) = Dataset.from_records(many(9)).check().errors
    assert problem.code == "too-few-examples"
    assert problem.line == 0
    assert "1 short of the 10" in problem.message


def test_a_file_in_utf16_is_one_problem(tmp_path: Path) -> None:
    """A wrong encoding is a fault of the file and not of each of its lines."""
    report = report_on(as_bytes(many(50)).decode().encode("utf-16"), tmp_path)
    assert [problem.code for problem in report.problems] == ["wrong-encoding"]


def test_duplicates_name_the_first_line() -> None:
    """Rows that differ in white space or in the order of keys only are the same."""
    row = many(1)[0]
    turned = {"messages": [dict(reversed(message.items())) for message in row["messages"]]}
    report = Dataset.from_records([*many(12), turned]).check()
    (problem,) = report.problems
    assert (problem.code, problem.line) == ("duplicate-row", 13)
    assert "line 1" in problem.message


def test_too_long_says_how_much_is_cut() -> None:
    """The count comes from the tokenizer, the limit from the model."""
    data = Dataset.from_records(chat(user("word " * 66_000), answer("yes")))
    tokens = data.tokens().total
    (problem,) = [p for p in data.check().problems if p.code == "too-long"]
    assert f"{tokens:,} tokens" in problem.message
    assert f"{tokens - 65_536:,} at the end" in problem.message


@pytest.mark.parametrize(
    ("messages", "path", "words"),
    [
        ([user("a"), answer("word " * 66_000)], "messages[1]", " of the assistant message."),
        (
            [user("word " * 66_000), answer("yes"), user("b"), answer("c")],
            "messages[0]",
            " of the user message and the 3 messages after it, so no answer is left to learn.",
        ),
        (
            [user("a"), answer("b"), user("word " * 66_000), answer("c")],
            "messages[2]",
            " of the user message and the message after it.",
        ),
    ],
)
def test_too_long_says_what_is_cut(messages: list[Row], path: str, words: str) -> None:
    """The message that the limit falls into, how much of it goes, and what goes with it."""
    data = Dataset.from_records(chat(*messages))
    place = int(path[-2])
    before = Dataset.from_records(chat(*messages[:place])).tokens().total if place else 3
    through = Dataset.from_records(chat(*messages[: place + 1])).tokens().total

    (problem,) = [p for p in data.check().problems if p.code == "too-long"]

    assert problem.path == path
    lost = f"{through - 65_536:,} of the {through - before:,}"
    assert f"cut off: {lost}{words}" in problem.message


def test_too_long_by_tools_alone() -> None:
    """Tools stand before all messages."""
    rows = chat(tools=[tool(description="word " * 66_000)])
    (problem,) = [p for p in Dataset.from_records(rows).check().problems if p.code == "too-long"]
    assert "the tools alone fill the context" in problem.message


def test_an_unknown_model_is_refused_at_once() -> None:
    """A misspelt model is the caller's mistake and no fault of the data."""
    with pytest.raises(ProviderError, match="gpt-4o"):
        Dataset.from_records(many()).check(model="gpt-4oo")


def test_a_compatible_service_may_serve_any_model() -> None:
    """Rules that need to know the model keep silent where nobody knows it."""
    report = Dataset.from_records(many()).check(model="llama-x", provider="compatible")
    assert report.ok
    assert report.model is None


def test_a_provider_object_stands_for_its_kind() -> None:
    """Whatever has a `kind` can be passed as the provider."""

    class Place:
        kind = "azure"

    assert Dataset.from_records(many()).check(provider=Place()).provider == "azure"  # type: ignore[arg-type]


@pytest.mark.parametrize("format", ["preference", "reinforcement"])
def test_other_formats_are_sound_too(format: Format) -> None:  # noqa: A002
    """Preference pairs and reinforcement prompts are recognised and pass."""
    rows = {
        "preference": [pair(input={"messages": [user(f"Question {n}")]})[0] for n in range(10)],
        "reinforcement": [chat(user(f"Question {n}"), reference=n)[0] for n in range(10)],
    }
    data = Dataset.from_records(rows[format])
    assert data.format == format
    assert data.check().problems == ()


def test_a_report_without_errors_raises_nothing() -> None:
    """Warnings never stop anybody."""
    report = Dataset.from_records(many(10) + many(1)).check()
    report.raise_for_errors()
    assert report.ok
    assert report.warnings


def test_an_error_shows_the_first_problems_and_carries_all() -> None:
    """The exception is short to read and complete to work with."""
    data = Dataset.from_records(chat(user(), answer(weight=2)) * 12)
    with pytest.raises(DatasetError, match="12 errors") as caught:
        data.check().raise_for_errors()
    assert len(caught.value.problems) == 12
    assert str(caught.value).count("line ") == 5
    assert "7 more" in str(caught.value)


def test_a_rule_can_be_left_out() -> None:
    """The rest of the report stays; a misspelt code is refused."""
    report = Dataset.from_records([*many(3), *many(1)]).check()
    assert [problem.code for problem in report.without("too-few-examples").problems] == [
        "duplicate-row"
    ]
    assert not report.ok
    assert report.without("too-few-examples").ok
    with pytest.raises(ValueError, match="'too-few'"):
        report.without("too-few")


def test_a_report_fits_a_terminal_and_loses_nothing(tmp_path: Path) -> None:
    """The text groups by code with counts and fixes, in 100 columns; the dict has every problem."""
    rows = [chat(user("x" * 500, name="a b" * 90), answer(weight=n))[0] for n in range(2, 1000)]
    report = report_on(as_bytes(rows), tmp_path)
    text = str(report)
    assert max(map(len, text.splitlines())) <= 100
    assert "error[invalid-weight]  x 998" in text
    assert "995 more" in text
    assert "= fix: " in text
    assert len(report.to_dict()["problems"]) == 2 * 998  # type: ignore[arg-type]
    assert json.loads(json.dumps(report.to_dict())) == report.to_dict()
    assert "<code>invalid-weight</code>" in report._repr_html_()


def test_a_part_of_a_file_is_checked_as_what_it_is(tmp_path: Path) -> None:
    """A slice keeps its lines; what stands between rows of the file is not its concern."""
    path = tmp_path / "data.jsonl"
    path.write_bytes(b"\xef\xbb\xbf" + as_bytes(many(11)) + b"\n[1]\n")
    data = Dataset.from_jsonl(path)
    assert {problem.code for problem in data.check().problems} == {
        "bom",
        "blank-line",
        "not-an-object",
    }
    assert data[:11].check().problems == ()
    assert [problem.line for problem in data[11:].check().errors if problem.line] == [13]


# Fuzzing

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=6,
)


@st.composite
def mutated_rows(draw: st.DrawFn) -> bytes:
    """A sound row of the table with one value somewhere in it replaced, removed or renamed."""
    data = draw(st.sampled_from([case.passes for case in CASES if isinstance(case.passes, list)]))
    row = json.loads(json.dumps(data[0]))
    holder = row
    while True:
        key = draw(st.sampled_from(range(len(holder)) if isinstance(holder, list) else [*holder]))
        if isinstance(holder[key], dict | list) and holder[key] and draw(st.booleans()):
            holder = holder[key]
            continue
        break
    if draw(st.booleans()):
        holder[key] = draw(json_values)
    else:
        del holder[key]
    return json.dumps(row).encode() + b"\n"


def dataset_of(data: bytes, factory: pytest.TempPathFactory) -> Dataset:
    """Open a file with these bytes."""
    path = factory.getbasetemp() / "fuzz.jsonl"
    path.write_bytes(data)
    return Dataset.from_jsonl(path)


def reading_error(dataset: Dataset) -> DatasetError | None:
    """Read every row into its model and return the error that stops it."""
    try:
        for _ in dataset:
            pass
    except DatasetError as error:
        return error
    return None


def faults(dataset: Dataset) -> list[Problem]:
    """Return the errors of a check but for the one on the number of rows."""
    return [p for p in dataset.check().errors if p.code != "too-few-examples"]


@given(data=st.binary(max_size=200) | st.lists(mutated_rows(), max_size=3).map(b"".join))
def test_a_check_never_fails_and_never_changes_its_mind(
    data: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Any bytes give a report, twice the same and sorted by line."""
    dataset = dataset_of(data, tmp_path_factory)

    problems = dataset.check().problems

    assert dataset.check().problems == problems
    assert list(problems) == sorted(problems, key=lambda problem: problem.line)


@given(data=st.binary(max_size=200) | st.lists(mutated_rows(), max_size=3).map(b"".join))
def test_what_cannot_be_read_has_an_error(
    data: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A row that has no model is an error of the check, and reading it raises with its problems."""
    dataset = dataset_of(data, tmp_path_factory)

    stopped = reading_error(dataset)

    if stopped is not None:
        assert stopped.problems
        assert faults(dataset)


@given(cuts=st.lists(st.tuples(st.integers(0, len(SOUND)), st.binary(max_size=3)), max_size=4))
def test_damaged_bytes_are_named(
    cuts: list[tuple[int, bytes]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Bytes put anywhere into sound rows either leave them readable or give an error."""
    data = bytearray(SOUND * 2)
    for place, inserted in cuts:
        data[place:place] = inserted
    dataset = dataset_of(bytes(data), tmp_path_factory)

    assert reading_error(dataset) is None or faults(dataset)
