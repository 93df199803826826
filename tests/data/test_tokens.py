"""Token counts equal tiktoken's for text, and the published formula for rows."""

from __future__ import annotations

import base64
import json
import struct
import time
from typing import Any

import pytest
import tiktoken
from hypothesis import given, settings
from hypothesis import strategies as st

from gpt4o_tune.catalog import load
from gpt4o_tune.data.tokens import TokenReport, count_row, count_rows, count_text
from gpt4o_tune.data.vocabulary import encoding, ranks

GPT_4O = load().get("gpt-4o")
MINI = load().get("gpt-4o-mini")
GPT_35 = load().get("gpt-3.5-turbo-0125")
ENCODINGS = ["o200k_base", "cl100k_base"]

TEXTS = [
    "",
    "Where is my parcel?",
    "Größenwahn, naïveté, Žluťoučký kůň; Съешь ещё этих мягких булок",
    "我想退货,但是找不到订单。 注文した商品が届きません。 배송이 언제 오나요?",
    "كيف يمكنني استرجاع أموالي؟ मेरा ऑर्डर कहाँ है? สินค้าของฉันอยู่ที่ไหน",
    "👍🏽 👩‍👩‍👧‍👦 🏳️‍🌈 e\u0301\u0301\u0301",
    "def f(x):\n\treturn {k: v**2 for k, v in x.items()}  # squares\n\n\n",
    '{"a": [1, 2.5e-3, null], "b": "\\u00e9"}\r\n\r\n',
    "\x00\x01\x1b[0m\x7f\u2028\u2029\ufeff\u200b\x85\xa0",
    "<|endoftext|><|im_start|>system<|endofprompt|>",
    "it's '\u017fhe'll I'M don'T 12345678901234567890 3.14159",
    "   leading,  double  and trailing   \n \n\t\n   ",
    "a" * 5_000 + "A" * 5_000 + "aA" * 5_000,
    "=-" * 3_000 + "/" * 3_000 + "\n/" * 3_000,
]


def chat(*messages: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """Make a chat row."""
    return {"messages": list(messages), **fields}


def message(role: str, content: Any = "hello there", **fields: Any) -> dict[str, Any]:
    """Make a message."""
    return {"role": role, "content": content, **fields}


def image(url: str, detail: str | None = None) -> dict[str, Any]:
    """Make an image part."""
    return {
        "type": "image_url",
        "image_url": {"url": url} | ({"detail": detail} if detail else {}),
    }


def png(width: int, height: int) -> str:
    """Make the head of a PNG file as a data URL."""
    head = b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sII", 13, b"IHDR", width, height)
    return "data:image/png;base64," + base64.b64encode(head).decode()


@pytest.mark.parametrize("name", ENCODINGS)
@pytest.mark.parametrize("text", TEXTS)
def test_text_counts_equal_tiktoken(text: str, name: str) -> None:
    """Every kind of text counts as tiktoken's plain encoding of the whole string."""
    assert count_text(text, encoding=name) == len(encoding(name).encode_ordinary(text))


@given(st.text(max_size=200), st.sampled_from(ENCODINGS))
def test_any_text_counts_as_in_tiktoken(text: str, name: str) -> None:
    """No string of characters is counted otherwise than by tiktoken."""
    assert count_text(text, encoding=name) == len(encoding(name).encode_ordinary(text))


BLANKS = 260_000


@pytest.mark.parametrize("name", ENCODINGS)
@pytest.mark.parametrize(
    "text",
    [
        " " * BLANKS,
        "x" + " " * BLANKS + "x",
        "x." + "\t" * BLANKS + "?",
        "x\n" + "\xa0" * BLANKS + "9",
        "x.\r\n" + " \t\u3000" * BLANKS + "\nend",
        "/\n" + " " * BLANKS + "\u2028" + " " * BLANKS + "'s",
        ("word " * 10 + " " * 20) * 9_000,
        "a" * BLANKS + " " * BLANKS + "b " + " " * BLANKS + "!\n",
    ],
)
def test_long_runs_of_blanks_are_cut_where_the_encoding_cuts(text: str, name: str) -> None:
    """A text that is cut into parts for safety counts as the whole does."""
    assert count_text(text, encoding=name) == len(encoding(name).encode_ordinary(text))


@pytest.mark.parametrize(("name", "blank"), [("o200k_base", " "), ("cl100k_base", "\xa0")])
def test_a_million_blanks_are_counted(blank: str, name: str) -> None:
    """Runs on which tiktoken panics count as the one piece that the pattern would make of them."""
    whole = tiktoken.Encoding(
        "reference", pat_str=r"\s+", mergeable_ranks=ranks(name), special_tokens={}
    )
    run = blank * 1_100_000
    expected = len(whole.encode_ordinary(run))
    assert count_text(run, encoding=name) == expected
    # The blank before a word belongs to the word; `blank + "9"` is two pieces in both encodings.
    assert count_text(f"{run}{blank}9", encoding=name) == expected + count_text(
        f"{blank}9", encoding=name
    )


@pytest.mark.parametrize("unit", ["a", " ", "👍", "👩‍👩‍👧", "\n", "好"])
def test_a_megabyte_of_repetition_takes_no_quadratic_time(unit: str) -> None:
    """A single huge message of any repetition is counted within two CPU seconds."""
    count_text("the vocabulary is loaded")
    count_text(" " * 1_000_000 + "x")
    text = unit * (1_000_000 // len(unit.encode()))
    start = time.process_time()
    assert count_text(text) > 0
    assert time.process_time() - start < 2


def test_half_a_surrogate_pair_counts_as_the_replacement_character() -> None:
    """A string that has no UTF-8 form is counted as tiktoken counts it."""
    assert count_text("a\ud800b") == count_text("a\ufffdb")
    assert count_text("\ud83d\udc4d") == count_text("👍")


def test_messages_follow_the_published_formula() -> None:
    """3 per message, role and content, 1 and the text per name, 3 per example."""
    row = chat(message("system"), message("user", name="Ann"), message("assistant"))
    said = count_text("hello there")
    roles = sum(map(count_text, ("system", "user", "assistant")))
    assert count_row(row, model=GPT_4O) == 3 + 3 * 3 + roles + 3 * said + 1 + count_text("Ann")


def test_tools_give_the_counts_that_the_service_reported() -> None:
    """The example that OpenAI published with the service's own figures: 101 and 105 tokens."""
    location = {"type": "string", "description": "The city and state, e.g. San Francisco, CA"}
    unit = {
        "type": "string",
        "description": "The unit of temperature to return",
        "enum": ["celsius", "fahrenheit"],
    }
    function = {
        "name": "get_current_weather",
        "description": "Get the current weather in a given location",
        "parameters": {"type": "object", "properties": {"location": location, "unit": unit}},
    }
    row = chat(
        message(
            "system",
            "You are a helpful assistant that can answer to questions about the weather.",
        ),
        message("user", "What's the weather like in San Francisco?"),
        tools=[{"type": "function", "function": function}],
    )
    assert [count_row(row, model=model) for model in (GPT_4O, MINI, GPT_35)] == [101, 101, 105]
    older = {"messages": row["messages"], "functions": [function]}
    assert count_row(older, model=GPT_4O) == 101


def test_nested_parameters_count_like_flat_ones() -> None:
    """Objects inside parameters, items, alternatives and definitions are counted by the same rule."""
    inner = {"type": "object", "properties": {"zip": {"type": "string", "description": "Code."}}}

    def tokens(address: dict[str, Any], **schema: Any) -> int:
        parameters = {"type": "object", "properties": {"address": address}, **schema}
        tool = {"type": "function", "function": {"name": "send", "parameters": parameters}}
        return count_row(chat(message("user"), tools=[tool]), model=GPT_4O)

    flat = tokens({"type": "object"})
    added = 3 + 3 + count_text("zip:string:Code")
    assert tokens(inner) == flat + added
    assert tokens({"type": "object", "anyOf": [inner]}) == flat + added
    assert tokens({"type": "object", "items": inner}) == flat + added
    assert tokens({"type": "object"}, **{"$defs": {"inner": inner}}) == flat + added


def test_deep_schemas_do_not_exhaust_the_stack() -> None:
    """A schema as deep as JSON can be read is counted."""
    schema: dict[str, Any] = {"type": "object"}
    for _ in range(5_000):
        schema = {"type": "object", "properties": {"next": schema}}
    tool = {"type": "function", "function": {"name": "f", "parameters": schema}}
    level = 3 + 3 + count_text("next:object:")
    bare = count_row(
        chat(message("user"), tools=[{"function": {"name": "f", "parameters": {}}}]), model=GPT_4O
    )
    assert count_row(chat(message("user"), tools=[tool]), model=GPT_4O) == bare + 5_000 * level


def test_calls_count_name_and_arguments() -> None:
    """Tool calls and the older function call add name and arguments; ids add nothing."""
    function = {"name": "lookup", "arguments": '{"order": 12}'}
    call = {"id": "call_1", "type": "function", "function": function}
    called = count_text("lookup") + count_text('{"order": 12}')
    silent = count_row(chat(message("assistant", None)), model=GPT_4O)
    for fields in ({"tool_calls": [call]}, {"function_call": function}):
        row = chat(message("assistant", None, **fields))
        assert count_row(row, model=GPT_4O) == silent + called
        assert count_rows([row], model=GPT_4O).trained == called


@pytest.mark.parametrize(
    ("model", "part", "tokens"),
    [
        (GPT_4O, image(png(1024, 1024), "high"), 765),
        (GPT_4O, image(png(1024, 1024)), 765),
        (GPT_4O, image(png(4096, 8192), "low"), 85),
        (GPT_4O, image("https://example.com/cat.png"), 765),
        (GPT_4O, image(png(512, 512), "auto"), 85 + 170),
        (MINI, image(png(512, 512), "high"), 2_833 + 5_667),
    ],
)
def test_images_count_by_size_and_detail(model: Any, part: dict[str, Any], tokens: int) -> None:
    """Images cost what the guide says for their size, 1024 x 1024 where the size is unknown."""
    without = count_row(chat(message("user", [])), model=model)
    assert count_row(chat(message("user", [part])), model=model) == without + tokens


def test_unknown_image_sizes_are_owned_up_to() -> None:
    """The basis says how many images were guessed, and nothing where none was."""
    known = count_rows([chat(message("user", [image(png(10, 10))]))], model=GPT_4O)
    guessed = count_rows([chat(message("user", [image("https://x.org/a.png")]))], model=GPT_4O)
    assert "unknown size" not in known.basis
    assert "1 image of unknown size" in guessed.basis
    assert guessed.guessed_images_per_row == (1,)


def test_only_answers_with_weight_are_trained() -> None:
    """Assistant text counts as trained unless its weight is 0."""
    row = chat(
        message("user"),
        message("assistant", "not this", weight=0),
        message("user"),
        message("assistant", "but this", weight=1),
    )
    assert count_rows([row], model=GPT_4O).trained_per_row == (count_text("but this"),)


def test_preference_rows_count_input_and_both_outputs() -> None:
    """The input counts once; both outputs are what the model learns from."""
    row = {
        "input": {"messages": [message("user", "question")]},
        "preferred_output": [message("assistant", "good answer")],
        "non_preferred_output": [message("assistant", "bad")],
    }
    flat = chat(
        message("user", "question"),
        message("assistant", "good answer"),
        message("assistant", "bad"),
    )
    report = count_rows([row], model=GPT_4O)
    assert report.total == count_row(flat, model=GPT_4O)
    assert report.trained == count_text("good answer") + count_text("bad")


@settings(max_examples=50)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["messages", "role", "content", "tools", "function", "tool_calls"]),
                inner,
                max_size=4,
            )
        ),
        max_leaves=20,
    )
)
def test_faulty_rows_are_counted_without_an_error(value: object) -> None:
    """Whatever a row holds, counting gives a number: faults are for the check to report."""
    row = value if isinstance(value, dict) else {"messages": value}
    assert count_row(row, model=GPT_4O) >= 3


def test_report_sums_up_rows() -> None:
    """Totals, the longest row and rows over the limit follow from the counts per row."""
    long = chat(message("user", "word " * 20_000), message("assistant"))
    short = chat(message("user"), message("assistant"))
    report = count_rows([short, long, short], model=GPT_35)
    assert (
        report.total
        == sum(report.per_row)
        == sum(count_row(r, model=GPT_35) for r in (short, long, short))
    )
    assert report.longest == report.per_row[1]
    assert report.over_limit == (1,)
    assert report.encoding == "cl100k_base"
    text = str(report)
    assert f"{report.total:,} tokens in 3 rows" in text
    assert "1 row above 16,385 tokens" in text
    assert report._repr_html_().startswith("<pre")
    assert json.loads(json.dumps(report.to_dict()))["over_limit"] == [1]


def test_report_without_rows_renders() -> None:
    """An empty dataset has 0 tokens and says so."""
    report = TokenReport.of([], model=GPT_4O)
    assert (report.total, report.longest, report.over_limit) == (0, 0, ())
    assert str(report).startswith("no rows, 0 tokens")
