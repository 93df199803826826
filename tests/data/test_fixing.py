"""`fix` repairs what has one repair, says so, and leaves the rest alone."""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpt4o_tune import Dataset
from gpt4o_tune.data.checks.repairs import REPAIRS
from tests.data.cases import CASES, answer, as_bytes, call, calling, chat, many, pair, tool, user
from tests.data.test_checks import mutated_rows

if TYPE_CHECKING:
    from pathlib import Path

    from tests.data.cases import Row


def asking(*calls: Row) -> Row:
    """Make a message that calls tools."""
    return {"role": "assistant", "tool_calls": list(calls)}


def result(identifier: str | None, **more: object) -> Row:
    """Make a tool's result, without the id of the call where it is None."""
    named = {} if identifier is None else {"tool_call_id": identifier}
    return {"role": "tool", "content": "7", **named, **more}


def nameless(**changes: object) -> Row:
    """Make a tool call without an id."""
    return {k: v for k, v in (call() | changes).items() if k != "id"}


def calls(*messages: Row) -> list[Row]:
    """One row in which tools are called."""
    return chat(user(), *messages, answer(), tools=[tool(), tool("clock")])


CLOCK = call(name="clock", id="b")
FIXES: list[tuple[str, list[Row], list[Row]]] = [
    (
        "missing-messages",
        [
            {
                "input": pair()[0]["input"],
                "preferred_completion": [answer("A")],
                "non_preferred_completion": [answer("B")],
            }
        ],
        pair(preferred_output=[answer("A")], non_preferred_output=[answer("B")]),
    ),
    ("unknown-key", chat(id=None), chat()),
    ("unknown-message-key", chat(user(), answer(annotations=None)), chat(user(), answer())),
    (
        "invalid-parallel-tool-calls",
        chat(parallel_tool_calls="False"),
        chat(parallel_tool_calls=False),
    ),
    ("invalid-tool", chat(tools=[{"function": tool()["function"]}]), chat(tools=[tool()])),
    (
        "invalid-tool",
        chat(tools=[{"type": "function", **tool()["function"]}]),
        chat(tools=[tool()]),
    ),
    ("missing-role", chat({"from": "human", "value": "Hi"}, answer()), chat(user("Hi"), answer())),
    ("unknown-role", chat(user(role=" User"), answer(role="gpt")), chat(user(), answer())),
    ("weight-not-allowed", chat(user(weight=0), answer()), chat(user(), answer())),
    *(
        ("invalid-weight", chat(user(), answer(weight=old)), chat(user(), answer(weight=new)))
        for old, new in [("0", 0), ("1", 1), (1.0, 1), (0.0, 0), (True, 1), (False, 0)]
    ),
    (
        "invalid-image-detail",
        chat(
            user(
                [{"type": "image_url", "image_url": {"url": "https://a.b/c.png", "detail": "High"}}]
            ),
            answer(),
        ),
        chat(
            user(
                [{"type": "image_url", "image_url": {"url": "https://a.b/c.png", "detail": "high"}}]
            ),
            answer(),
        ),
    ),
    ("invalid-tool-call", chat(user(), answer(tool_calls=[])), chat(user(), answer())),
    ("invalid-tool-call", calling(call({"city": "Köln"})), calling(call('{"city": "Köln"}'))),
    ("invalid-tool-call", calling(nameless()), calling(call(id="call_1"))),
    (
        "invalid-tool-call",
        calls(asking(nameless()), result("z")),
        calls(asking(call(id="z")), result("z")),
    ),
    (
        "invalid-tool-call",
        calls(asking({"id": "a", "function": call()["function"]}), result("a")),
        calls(asking(call()), result("a")),
    ),
    (
        "missing-tool-call-id",
        calls(asking(call()), result(None)),
        calls(asking(call()), result("a")),
    ),
    (
        "missing-tool-call-id",
        calls(asking(call(), CLOCK), result("a"), result(None)),
        calls(asking(call(), CLOCK), result("a"), result("b")),
    ),
    (
        "missing-tool-call-id",
        calls(asking(call(), CLOCK), result(None, name="clock"), result(None, name="weather")),
        calls(asking(call(), CLOCK), result("b", name="clock"), result("a", name="weather")),
    ),
    (
        "double-encoded-arguments",
        calling(call(json.dumps('{"city": "Bonn"}'))),
        calling(call('{"city": "Bonn"}')),
    ),
]
LEFT: list[list[Row] | bytes] = [
    chat(id=7),
    chat(user(role="customer"), answer()),
    chat(user(), answer(weight=0.5)),
    chat(user(weight=1), answer()),
    chat(tools=[{"type": "web_search"}]),
    chat(tools=[{"name": "f", "strange": 1}]),
    chat(parallel_tool_calls=1),
    calling(call("city=Bonn")),
    calling(call(json.dumps("Bonn"))),
    calls(asking(call(), CLOCK), result(None), result(None)),
    calls(asking(nameless(), nameless()), result("x"), result("y")),
    chat({"from": "stranger", "value": "Hi"}, answer()),
    b'{"messages": [], "messages": [1]}\n',
    b'{"messages": [{"role": "user", "content": NaN}]}\n',
    b'{"messages": [{"role": "user", "content": "a"},]}\n',
    b'{"messages": [{"role": "user", "content": "\\ud83d"}]}\n',
]


def rows_of(data: Dataset) -> list[object]:
    """Read the rows as they are written."""
    return [json.loads(data.raw(number)) for number in range(len(data))]


@pytest.mark.parametrize(("code", "faulty", "sound"), FIXES)
def test_a_fault_with_one_repair_is_repaired_and_told(
    code: str, faulty: list[Row], sound: list[Row]
) -> None:
    """The row becomes the sound one; the change names the rule; a second pass changes nothing."""
    data = Dataset.from_records(faulty)
    assert code in {problem.code for problem in data.check().problems}
    fixed = data.fix()
    assert rows_of(fixed.dataset) == sound
    assert {change.code for change in fixed.changes} == {code}
    assert all(change.done and change.line == 1 for change in fixed.changes)
    assert code not in {problem.code for problem in fixed.dataset.check().problems}
    assert fixed.dataset.fix().changes == ()


def test_every_repair_has_a_case() -> None:
    """No repair goes untested."""
    assert {code for code, _, _ in FIXES} == REPAIRS.keys()


@pytest.mark.parametrize("data", LEFT)
def test_a_fault_with_more_than_one_repair_is_left(data: list[Row] | bytes, tmp_path: Path) -> None:
    """What only its owner can decide keeps its bytes and is listed."""
    path = tmp_path / "data.jsonl"
    path.write_bytes(as_bytes(data))
    fixed = Dataset.from_jsonl(path).fix()
    assert fixed.changes == ()
    assert fixed.left
    assert fixed.dataset.to_jsonl(tmp_path / "out.jsonl").read_bytes() == as_bytes(data)


def test_line_ends_marks_and_equal_keys(tmp_path: Path) -> None:
    """Faults of lines are repaired byte by byte; all line ends are one change."""
    one, two, three = (as_bytes([row]).rstrip() for row in many(3))
    doubled = b'{"messages": 1, ' + three[1:]
    path = tmp_path / "data.jsonl"
    twice = three[:-1] + b", " + three[1:]
    path.write_bytes(
        b"\xef\xbb\xbf"
        + one
        + b"\r\n\n"
        + b"\xef\xbb\xbf"
        + two
        + b"\r\n"
        + twice
        + b"\n"
        + doubled
    )
    fixed = Dataset.from_jsonl(path).fix()
    out = fixed.dataset.to_jsonl(tmp_path / "out.jsonl").read_bytes()
    assert out == one + b"\n" + two + b"\n" + three + b"\n" + doubled
    assert [(change.line, change.code) for change in fixed.changes] == [
        (1, "bom"),
        (1, "crlf"),
        (2, "blank-line"),
        (3, "bom-inside"),
        (4, "duplicate-key"),
    ]
    assert {problem.code for problem in fixed.left} == {"duplicate-key"}


def test_rows_are_left_out_only_where_asked() -> None:
    """Duplicates and rows with errors stay unless the caller says otherwise, and each is told."""
    data = Dataset.from_records([*many(2), *many(1), *chat(user(), answer(weight=5))])
    assert len(data.fix().dataset) == 4
    assert len(data.fix(duplicates=True).dataset) == 3
    fixed = data.fix(duplicates=True, drop=True)
    assert len(fixed.dataset) == 2
    assert [(change.line, change.code) for change in fixed.changes] == [
        (3, "duplicate-row"),
        (4, "invalid-weight"),
    ]
    assert fixed.left == ()


def test_a_repaired_row_is_written_as_it_was(tmp_path: Path) -> None:
    """Spaces after signs and escapes for what is not ASCII stay as the file has them."""
    path = tmp_path / "data.jsonl"
    compact = (
        b'{"messages":[{"role":"User","content":"caf\\u00e9"},{"role":"assistant","content":"b"}]}'
    )
    spaced = (
        '{"messages": [{"role": "User", "content": "café"}, {"role": "assistant", "content": "b"}]}'
    )
    path.write_bytes(compact + b"\n" + spaced.encode())
    out = Dataset.from_jsonl(path).fix().dataset.to_jsonl(tmp_path / "out.jsonl").read_bytes()
    assert out == path.read_bytes().replace(b"User", b"user")


def test_the_result_can_be_read_and_kept() -> None:
    """It prints, goes into JSON and shows in a notebook; a secret in a repaired row stays out."""
    key = "sk-proj-" + "aB3dE5gH7jK9mN1pQ2rS4tU6vW8xY0z"
    fixed = Dataset.from_records(calling(call({"key": key}))).fix()
    assert "wrote the arguments as JSON text" in str(fixed)
    assert json.loads(json.dumps(fixed.to_dict())) == fixed.to_dict()
    for told in (str(fixed), json.dumps(fixed.to_dict()), fixed._repr_html_()):
        assert key[10:] not in told


SOUND_LINES = [as_bytes([row]) for row in many(3)]
FAULTY = [as_bytes(copy.deepcopy(rows)) for _, rows, _ in FIXES]
CASE_LINES = [
    as_bytes(case.fails)[:20_000] for case in CASES if case.format is None and not case.limits
]


@given(
    parts=st.lists(
        st.sampled_from(SOUND_LINES)
        | st.sampled_from(FAULTY)
        | st.sampled_from(CASE_LINES)
        | mutated_rows(),
        max_size=4,
    )
)
def test_fixing_is_done_in_one_pass_and_touches_nothing_else(
    parts: list[bytes], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Any rows: a second pass finds nothing, sound rows keep their bytes, no new kind of error appears."""
    path = tmp_path_factory.getbasetemp() / "fix.jsonl"
    path.write_bytes(b"".join(parts))
    data = Dataset.from_jsonl(path)
    fixed = data.fix()
    assert fixed.dataset.fix().changes == ()
    assert len(fixed.dataset) == len(data)
    changed = {change.line for change in fixed.changes}
    for number, line in enumerate(data.lines):
        if line not in changed:
            assert fixed.dataset.raw(number) == data.raw(number)
