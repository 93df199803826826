"""Foreign records become rows, or the error says which does not and why."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any

import pytest

from gpt4o_tune.data import Dataset
from gpt4o_tune.errors import DatasetError, DatasetNotFoundError
from tests.data.cases import PARAMETERS, answer, as_bytes, call, chat, many, pair, tool, user

if TYPE_CHECKING:
    from pathlib import Path

    from gpt4o_tune.data.forms import Form

Row = dict[str, Any]

SYSTEM = {"role": "system", "content": "Be brief."}
WEATHER = '{"city":"Bonn"}'


def calls(*identifiers: str) -> Row:
    """A message that calls the weather."""
    asked = [call(WEATHER, id=identifier) for identifier in identifiers]
    return {"role": "assistant", "tool_calls": asked}


def given(identifier: str, content: str = "sunny") -> Row:
    """What the weather is."""
    return {"role": "tool", "tool_call_id": identifier, "content": content}


def turn(role: str, content: object) -> Row:
    """A turn of ShareGPT."""
    return {"from": role, "value": content}


COMPLETION = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "model": "gpt-4o-2024-08-06",
    "choices": [
        {
            "index": 0,
            "finish_reason": "stop",
            "message": answer("On its way.", refusal=None, annotations=[]),
        }
    ],
    "usage": {"total_tokens": 9},
}
LINE = {
    "id": "batch_req_1",
    "custom_id": "one",
    "response": {"status_code": 200, "request_id": "r", "body": COMPLETION},
    "error": None,
}
REQUEST = {
    "custom_id": "one",
    "method": "POST",
    "url": "/v1/chat/completions",
    "body": {"model": "gpt-4o", "temperature": 0, "messages": [SYSTEM, user()], "tools": [tool()]},
}
CLAUDE = {
    "model": "claude",
    "max_tokens": 100,
    "system": [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}],
    "tools": [{"name": "weather", "description": "Tell it.", "input_schema": PARAMETERS}],
    "messages": [
        {"role": "user", "content": "Weather?"},
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "Bonn, then.", "signature": "x"},
                {"type": "text", "text": "I look."},
                {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"city": "Bonn"}},
            ],
        },
        {
            "role": "user",
            "content": [
                {
                    "type": "tool_result",
                    "tool_use_id": "toolu_1",
                    "content": [{"type": "text", "text": "sunny"}],
                },
                {
                    "type": "image",
                    "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw=="},
                },
                {"type": "text", "text": "And this?"},
            ],
        },
    ],
}
CLAUDE_ROW = {
    "messages": [
        SYSTEM,
        user("Weather?"),
        {"role": "assistant", "tool_calls": [call(WEATHER, id="toolu_1")], "content": "I look."},
        given("toolu_1"),
        user(
            [
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw=="}},
                {"type": "text", "text": "And this?"},
            ]
        ),
        answer("A parcel."),
    ],
    "tools": [tool(description="Tell it.")],
}
CLAUDE_ANSWER = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "content": [{"type": "text", "text": "A parcel."}],
    "stop_reason": "end_turn",
    "usage": {"output_tokens": 3},
}

READ: list[tuple[Form, Row, Row]] = [
    ("openai", {"messages": [user(), answer()], "id": 7}, chat()[0]),
    ("openai", pair()[0], pair()[0]),
    ("openai", {"messages": [user()], "reference": "x"}, {"messages": [user()], "reference": "x"}),
    (
        "alpaca",
        {"instruction": "Translate.", "input": "Hut", "output": "hat", "text": "### ..."},
        chat(user("Translate.\nHut"), answer("hat"))[0],
    ),
    (
        "alpaca",
        {
            "instruction": "And now?",
            "input": "",
            "output": "Later.",
            "system": "Be brief.",
            "history": [["Where is it?", "On its way."]],
        },
        chat(SYSTEM, user(), answer(), user("And now?"), answer("Later."))[0],
    ),
    (
        "alpaca",
        {"instruction": "Where is it?", "chosen": "On its way.", "rejected": "No idea."},
        pair()[0],
    ),
    (
        "sharegpt",
        {
            "id": "x1",
            "conversations": [
                turn("system", "Be brief."),
                turn("human", "Where is it?"),
                turn("gpt", "On its way."),
            ],
        },
        chat(SYSTEM, user(), answer())[0],
    ),
    (
        "sharegpt",
        {"conversations": [user(), answer()], "system": "Be brief."},
        chat(SYSTEM, user(), answer())[0],
    ),
    (
        "sharegpt",
        {
            "conversations": [
                turn("human", "Weather?"),
                turn("function_call", '{"name": "weather", "arguments": {"city": "Bonn"}}'),
                turn("observation", "sunny"),
                turn("gpt", "Sunny."),
            ],
            "tools": json.dumps([tool()["function"]]),
        },
        chat(user("Weather?"), calls("call_1"), given("call_1"), answer("Sunny."), tools=[tool()])[
            0
        ],
    ),
    (
        "prompt-completion",
        {"prompt": "Where is it?\n\n###\n\n", "completion": " On its way."},
        chat(user("Where is it?\n\n###\n\n"), answer(" On its way."))[0],
    ),
    (
        "trl",
        {
            "messages": [
                user("Weather?"),
                {
                    "role": "assistant",
                    "tool_calls": [
                        {
                            "type": "function",
                            "function": {"name": "weather", "arguments": {"city": "Bonn"}},
                        }
                    ],
                },
                {"role": "tool", "name": "weather", "content": "sunny"},
                answer("Sunny."),
            ],
        },
        chat(user("Weather?"), calls("call_1"), given("call_1"), answer("Sunny."))[0],
    ),
    (
        "trl",
        {"prompt": [user("a"), answer("b"), user("c")], "completion": [answer("d")]},
        chat(user("a"), answer("b", weight=0), user("c"), answer("d"))[0],
    ),
    ("trl", {"prompt": [user()], "solution": "4"}, {"messages": [user()], "solution": "4"}),
    (
        "trl-preference",
        {"prompt": "Where is it?", "chosen": "On its way.", "rejected": "No idea.", "score": 1},
        pair()[0],
    ),
    (
        "trl-preference",
        {"chosen": [user(), answer("On its way.")], "rejected": [user(), answer("No idea.")]},
        pair()[0],
    ),
    (
        "trl-preference",
        {
            "system": "Be brief.",
            "prompt": "Where is it?",
            "chosen": "On its way.",
            "rejected": "No.",
        },
        pair(input={"messages": [SYSTEM, user()]}, non_preferred_output=[answer("No.")])[0],
    ),
    (
        "trl-preference",
        {
            "prompt": "Where is it?",
            "chosen": [user(), answer("On its way.")],
            "rejected": [user(), answer("No idea.")],
        },
        pair()[0],
    ),
    ("openai-batch", LINE | {"body": {"messages": [user()]}}, chat()[0]),
    (
        "openai-stored",
        COMPLETION
        | {
            "messages": {
                "object": "list",
                "data": [
                    {
                        "id": "chatcmpl-1-0",
                        "role": "user",
                        "content": "Where is it?",
                        "content_parts": None,
                        "name": None,
                    }
                ],
            }
        },
        chat()[0],
    ),
    ("anthropic", {"request": CLAUDE, "response": CLAUDE_ANSWER}, CLAUDE_ROW),
    ("anthropic", CLAUDE | {"response": CLAUDE_ANSWER}, CLAUDE_ROW),
]


@pytest.mark.parametrize("found", [False, True])
@pytest.mark.parametrize(("form", "record", "row"), READ)
def test_a_record_becomes_a_row(
    form: Form, record: Row, row: Row, found: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """Whether the form is given or found; what was found is logged."""
    with caplog.at_level(logging.INFO, "gpt4o_tune"):
        data = Dataset.read([record], form=None if found else form)

    assert list(data.records()) == [row]
    assert f"as {form!r}" in caplog.text


def test_what_is_left_out_is_named(caplog: pytest.LogCaptureFixture) -> None:
    """Once for all records, as a warning."""
    Dataset.read([{"prompt": "a", "completion": "b", "id": n} for n in range(3)])

    warnings = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert len(warnings) == 1
    assert warnings[0].endswith("has no place for it: id")


REFUSED: list[tuple[Form, Row, str]] = [
    ("openai", {"prompt": "a"}, "neither 'messages' nor"),
    ("alpaca", {"instruction": "a"}, "'chosen' is missing"),
    ("alpaca", {"instruction": 3, "output": "b"}, "'instruction' is a number"),
    ("alpaca", {"instruction": "a", "output": "b", "history": [["x"]]}, r"history\[0\] is not"),
    ("sharegpt", {"conversations": [turn("narrator", "x")]}, "from 'narrator'"),
    ("sharegpt", {"conversations": [turn("gpt", "x") | {"loss": 1}]}, "the field 'loss'"),
    ("sharegpt", {"conversations": "hello"}, "not JSON"),
    ("sharegpt", {"conversations": [turn("observation", "x")]}, "answers no call"),
    ("sharegpt", {"conversations": [turn("function_call", "f(1)")]}, "not JSON"),
    ("prompt-completion", {"prompt": "a", "completion": None}, "'completion' is missing or empty"),
    ("prompt-completion", {"prompt": "a", "completion": "b", "label": False}, "judges"),
    ("trl", {"messages": [user(), {"role": "tool", "content": "x"}]}, "answers no call"),
    ("trl-preference", {"chosen": "It is blue.", "rejected": "It is green."}, "no 'prompt'"),
    ("trl-preference", {"chosen": [user()], "rejected": [user()]}, "are the same"),
    (
        "trl-preference",
        {"chosen": [user("a"), answer()], "rejected": [user("b"), answer()]},
        "none can be told",
    ),
    (
        "trl-preference",
        {"prompt": "a", "chosen": [user("b"), answer()], "rejected": "no"},
        "do not both go on from the prompt",
    ),
    (
        "alpaca",
        {"instruction": "a", "output": "b", "chosen": "c", "rejected": "d"},
        "both 'output'",
    ),
    ("trl", {"messages": [user()], "prompt": [user()]}, "both 'messages' and 'prompt'"),
    ("trl", {"prompt": [user()], "completion": [answer()], "label": False}, "judges"),
    ("trl", {"messages": '[{"role": "user"}], "x": []'}, "not JSON"),
    ("openai-batch", LINE, "requests="),
    (
        "openai-batch",
        REQUEST | {"response": None, "error": {"code": "batch_expired"}},
        "the request failed: an object; leave out",
    ),
    (
        "openai-batch",
        {"body": {"messages": []}, "custom_id": "a", "response": {"status_code": 400}},
        "failed with status 400; leave out",
    ),
    ("openai-stored", COMPLETION | {"messages": [], "choices": []}, "0 choices"),
    (
        "openai-stored",
        COMPLETION | {"messages": [], "choices": [{"message": answer(reasoning="x")}]},
        "'reasoning', which no row can hold",
    ),
    ("anthropic", {"messages": [{"role": "user", "content": [{"type": "document"}]}]}, "document"),
    (
        "anthropic",
        {"messages": [user()], "tools": [{"type": "web_search_20250305", "name": "web_search"}]},
        "runs on the server",
    ),
    (
        "anthropic",
        {
            "messages": [
                {
                    "role": "assistant",
                    "content": [
                        {"type": "tool_use", "id": "a", "name": "f", "input": {}},
                        {"type": "text", "text": "x"},
                    ],
                }
            ]
        },
        "after a call",
    ),
]


@pytest.mark.parametrize(("form", "record", "words"), REFUSED)
def test_a_record_that_becomes_no_row_is_an_error(form: Form, record: Row, words: str) -> None:
    """With its number, and never skipped."""
    with pytest.raises(DatasetError, match=rf"Record 1 of .* as '{form}': .*({words})"):
        Dataset.read([record], form=form)


def test_the_answers_of_a_batch_find_their_requests(tmp_path: Path) -> None:
    """In whatever order the service answered."""
    output, requests = tmp_path / "output.jsonl", tmp_path / "input.jsonl"
    output.write_bytes(as_bytes([LINE | {"custom_id": "two"}, LINE]))
    requests.write_bytes(as_bytes([REQUEST, REQUEST | {"custom_id": "two"}]))

    data = Dataset.read(output, requests=requests)

    assert list(data.records()) == chat(SYSTEM, user(), answer(), tools=[tool()]) * 2

    requests.write_bytes(as_bytes([REQUEST, REQUEST]))
    with pytest.raises(DatasetError, match="'one' of request 2 stands twice"):
        Dataset.read(output, requests=requests)
    with pytest.raises(ValueError, match="belongs to the form 'openai-batch'"):
        Dataset.read(output, form="alpaca", requests=requests)


def test_one_record_may_give_the_form_of_all_away() -> None:
    """Anthropic's plain turns look like OpenAI's; a later one with blocks tells them apart."""
    records = [{"messages": [user(), answer()]}, {"request": CLAUDE, "response": CLAUDE_ANSWER}]
    with_blocks = [records[0], CLAUDE | {"response": CLAUDE_ANSWER}]

    assert list(Dataset.read(with_blocks).records()) == [*chat(), CLAUDE_ROW]
    assert len(Dataset.read(records, form="anthropic")) == 2


@pytest.mark.parametrize(
    ("record", "words"),
    [
        (
            {"prompt": "a", "messages": [user(), answer()], "chosen": "b", "rejected": "c"},
            "Say form='openai' or form='trl-preference'",
        ),
        (
            {"instruction": "a", "output": "b", "prompt": "c", "completion": "d"},
            "Say form='alpaca' or form='prompt-completion'",
        ),
        ({"question": "a", "answer": "b"}, "fields 'answer', 'question'. Say form="),
    ],
)
def test_a_form_that_cannot_be_told_is_asked_for(record: Row, words: str) -> None:
    """The error names the choices."""
    with pytest.raises(DatasetError, match=words):
        Dataset.read([record])
    with pytest.raises(ValueError, match="form must be one of 'openai'"):
        Dataset.read([record], form="chatml")  # type: ignore[arg-type]  # what is tested


# Files


def test_json_lines_of_openai_are_opened_as_they_stand(tmp_path: Path) -> None:
    """Byte for byte, spaces and line ends included."""
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b'{"messages" : [{"role":"user","content":"\\u00fc"}]}\r\n')

    assert Dataset.read(path) == Dataset.from_jsonl(path)
    assert Dataset.read(path).source == str(path)

    path.write_bytes(b"no row\n")
    assert Dataset.read(path, form="openai") == Dataset.from_jsonl(path)


def test_an_array_is_read(tmp_path: Path) -> None:
    """A file called .json may also be JSON Lines."""
    array, lines = tmp_path / "array.json", tmp_path / "lines.json"
    array.write_bytes(b"\xef\xbb\xbf" + json.dumps(many(3), indent=2).encode())
    lines.write_bytes(as_bytes(many(3)))

    assert list(Dataset.read(array).records()) == many(3)
    assert list(Dataset.read(array.rename(tmp_path / "array.jsonl")).records()) == many(3)
    assert list(Dataset.read(lines).records()) == many(3)


CSV = b'\xef\xbb\xbfquestion,answer,role\r\n"Where, then?","On its\nway.",Be brief.\r\nWhy?,"""So.""",\r\n'
COLUMNS = {"prompt": "question", "completion": "answer", "system": "role"}


def test_columns_give_fields_their_names(tmp_path: Path) -> None:
    """Excel's mark, quotes and line breaks in cells are read; an empty cell is a missing one."""
    path = tmp_path / "faq.csv"
    path.write_bytes(CSV)

    assert list(Dataset.read(path, columns=COLUMNS).records()) == chat(
        SYSTEM, user("Where, then?"), answer("On its\nway.")
    ) + chat(user("Why?"), answer('"So."'))


def test_cells_may_be_long_and_may_hold_json(tmp_path: Path) -> None:
    """A conversation in a cell is JSON text; Python's limit of 131,072 characters does not count."""
    path = tmp_path / "rows.tsv"
    messages = [user("x" * 200_000), answer()]
    cell = json.dumps(messages).replace('"', '""')
    path.write_text(f'messages\tid\n"{cell}"\t1\n', "utf-8")

    assert list(Dataset.read(path).records()) == chat(*messages)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.csv", b"", "holds no records"),
        ("a.csv", b"prompt,completion\n", "holds no records"),
        ("a.csv", b"prompt;completion\na;b\n", "is one column, 'prompt;completion', which ';'"),
        ("a.tsv", b"prompt,completion\na,b\n", r"Save the file with '\\t'"),
        ("a.csv", b"prompt,prompt\na,b\n", "the column 'prompt' twice"),
        ("a.csv", b"prompt,completion\na,b,c\n", "Line 2 of .* has 3 cells"),
        ("a.csv", b"prompt,completion\na,\n", "Record 1 .*: 'completion' is missing or empty"),
        ("a.csv", b"prompt,completion\n\xfc,b\n", "is not UTF-8"),
        ("a.csv", b'prompt,completion\n"a"b,c\n', "Line 2 of .* not well-formed"),
        ("a.jsonl", b'{"prompt": "a", "completion": "b"}\n{"a": NaN}\n', "Line 2 of .* NaN"),
        ("a.jsonl", b"", "holds no records"),
        ("a.json", b"[]", "holds no records"),
        ("a.json", b"[{]", "cannot be read as a JSON array"),
        ("a.json", b"[1]", "Record 1 of .* is no object"),
        ("a.json", b'[{}], "x": [{}]', "cannot be read as a JSON array"),
        ("a.xlsx", b"PK", "has no known ending"),
        ("a.csv.gz", b"\x1f\x8b\x08", "damaged or cut short"),
    ],
)
def test_a_file_that_cannot_be_read_says_why(
    name: str, content: bytes, words: str, tmp_path: Path
) -> None:
    """And where."""
    path = tmp_path / name
    path.write_bytes(content)

    with pytest.raises(DatasetError, match=words):
        Dataset.read(path, form="prompt-completion")


def test_a_column_that_is_not_there_is_named(tmp_path: Path) -> None:
    """With the one that was meant, or with all that there are."""
    path = tmp_path / "faq.csv"
    path.write_bytes(CSV)

    with pytest.raises(DatasetError, match=r"no column 'questoin'. Did you mean 'question'?"):
        Dataset.read(path, columns=COLUMNS | {"prompt": "questoin"})
    with pytest.raises(DatasetError, match="It has answer, question, role"):
        Dataset.read(path, columns={"prompt": "xyz"})
    with pytest.raises(DatasetNotFoundError, match="Did you mean"):
        Dataset.read(tmp_path / "faqs.csv")


def test_only_rows_are_read() -> None:
    """A single row, a path as bytes or a number is a mistake."""
    for source in (chat()[0], b"rows.jsonl", 3, ["text"]):
        with pytest.raises(DatasetError, match="read takes a path, a table or"):
            Dataset.read(source)  # type: ignore[arg-type]  # what is tested
