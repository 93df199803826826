"""A preview takes a row apart without losing a token, and shows it without harm."""

from __future__ import annotations

import dataclasses
import html
import json
import re
import unicodedata
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpt4o_tune.catalog import load
from gpt4o_tune.data import Dataset
from gpt4o_tune.data.preview import Preview, preview
from gpt4o_tune.data.tokens import count_row, count_rows, count_text
from gpt4o_tune.errors import DatasetError, ProviderError
from tests.data.cases import answer, chat, pair, tool, user
from tests.data.test_tokens import image, png

if TYPE_CHECKING:
    from gpt4o_tune.catalog import Model

MODELS = [load().get(name) for name in ("gpt-4o", "gpt-4o-mini", "gpt-4.1-mini", "gpt-3.5-turbo")]

texts = st.text(st.characters(exclude_categories=("Cs",)), max_size=30)
names = st.sampled_from(["Ann", "bot_7", "Zoë"])
image_parts = st.builds(
    image,
    st.sampled_from([png(10, 10), png(3000, 900), "https://example.com/cat.png"]),
    st.sampled_from([None, "low", "high", "auto"]),
)
text_parts = st.fixed_dictionaries({"type": st.just("text"), "text": texts})
calls = st.fixed_dictionaries(
    {
        "id": st.just("a"),
        "type": st.just("function"),
        "function": st.fixed_dictionaries({"name": names, "arguments": texts}),
    }
)
inputs = st.fixed_dictionaries(
    {
        "role": st.sampled_from(["system", "user", "developer"]),
        "content": texts | st.lists(text_parts | image_parts, max_size=3),
    },
    optional={"name": names},
)
answers = st.fixed_dictionaries(
    {"role": st.just("assistant"), "content": texts | st.none()},
    optional={
        "name": names,
        "weight": st.sampled_from([0, 1]),
        "tool_calls": st.lists(calls, max_size=2),
        "refusal": texts,
    },
)
functions = st.lists(
    st.sampled_from([tool(), tool("stop", None), tool("go", {"properties": {"x": {"enum": [1]}}})]),
    max_size=3,
)
conversations = st.lists(inputs | answers, max_size=4)
chats = st.builds(
    lambda before, last, tools: {"messages": [*before, last], "tools": tools},
    conversations,
    answers,
    functions,
)
preferences = st.builds(
    lambda before, good, bad, tools: {
        "input": {"messages": before, "tools": tools},
        "preferred_output": [good],
        "non_preferred_output": [bad],
    },
    conversations,
    answers,
    answers,
    functions,
)
reinforcements = st.builds(
    lambda before, last: {"messages": [*before, last], "answer": "4"}, conversations, inputs
)


@settings(max_examples=150)
@given(chats | preferences | reinforcements, st.sampled_from(MODELS))
def test_the_parts_of_a_row_add_up_to_its_count(row: dict[str, Any], model: Model) -> None:
    """Tools, messages and priming give the row's tokens; trained, context and cut give them too."""
    shown = preview(row, model=model)
    counted = count_rows([row], model=model)

    whole = shown.tool_tokens + shown.priming_tokens + sum(m.tokens for m in shown.messages)
    assert whole == shown.total == counted.per_row[0]
    # Two large images fill the training context, and what is cut off is not trained.
    lost = counted.trained_per_row[0] - shown.trained
    assert 0 <= lost <= shown.cut
    assert shown.trained + shown.context + shown.cut == shown.total
    for message in shown.messages:
        assert sum(tokens for _, tokens in message.counts) == message.tokens
    once = model.message_tokens.func_end if shown.tools else 0
    assert sum(tool.tokens for tool in shown.tools) + once == shown.tool_tokens


@given(chats | preferences, st.integers(1, 150))
def test_a_cut_takes_the_end_and_nothing_else(row: dict[str, Any], limit: int) -> None:
    """Whatever the training context, exactly the tokens beyond it are cut, wherever it falls."""
    whole = preview(row, model=MODELS[0])
    shown = preview(row, model=dataclasses.replace(MODELS[0], training_context=limit))

    assert (shown.total, shown.cut) == (whole.total, max(0, whole.total - limit))
    assert shown.trained + shown.context + shown.cut == shown.total
    parts = [part for message in shown.messages for part in message.parts]
    states = [piece.is_cut for part in parts for piece in part.pieces]
    assert states == sorted(states)
    cuts = [message.cut for message in shown.messages]
    behind = min(shown.cut, shown.priming_tokens)
    before = max(0, shown.tool_tokens - limit)
    assert sum(cuts) + behind + before == shown.cut


@given(texts, st.sampled_from(MODELS))
def test_pieces_spell_the_text_in_whole_characters(text: str, model: Model) -> None:
    """Tokens that divide a character stand together, and nothing is lost or counted twice."""
    (message,) = preview({"messages": [answer(text)]}, model=model).messages

    pieces = [piece for part in message.parts for piece in part.pieces]
    assert "".join(piece.text for piece in pieces) == text
    assert sum(piece.tokens for piece in pieces) == count_text(text, encoding=model.encoding)


def test_a_character_of_several_tokens_is_one_piece() -> None:
    """An Egyptian hieroglyph takes four tokens of o200k_base and is shown once, with four ends."""
    shown = Dataset.from_records(chat(user("𓀀"), answer("ok"))).preview(0)

    (piece,) = shown.messages[0].parts[0].pieces
    assert (piece.text, piece.tokens) == ("𓀀", count_text("𓀀"))
    assert "𓀀" + "¦" * piece.tokens in str(shown)


def test_only_what_is_trained_is_marked() -> None:
    """Answers carry the mark; questions, instructions and answers of weight 0 do not."""
    row = chat(user("question"), answer("old", weight=0), user("again"), answer("new"))
    shown = Dataset.from_records(row).preview(0)

    marked = [line for line in str(shown).splitlines() if line.startswith("▌ ")]
    assert marked[:-1] == ["▌ new¦"]
    assert [message.is_trained for message in shown.messages] == [False, False, False, True]
    assert shown.trained == count_text("new")


def test_what_lies_beyond_the_training_context_is_cut_off() -> None:
    """A row that is too long loses its end; answer tokens there are not trained."""
    row = chat(user("word " * 16_000), answer("first " * 500))
    shown = Dataset.from_records(row).preview(0, model="gpt-3.5-turbo-0125")
    last = shown.messages[-1]

    assert shown.total - shown.cut == 16_385
    assert shown.trained == last.text_tokens - last.parts[0].cut
    assert shown.cut == last.cut + shown.priming_tokens
    kept = [piece for piece in last.parts[0].pieces if not piece.is_cut]
    assert sum(piece.tokens for piece in kept) == shown.trained
    text = str(shown)
    assert f"{shown.cut:,} cut off beyond 16,385" in text.replace("\n", " ")
    assert any(line.startswith("✗ first¦") or "✗  first¦" in line for line in text.splitlines())
    assert "<s> first</s>" in shown.to_html()
    assert "tokens not shown" in text


def test_a_cut_can_take_everything_behind_it() -> None:
    """Where the first message fills the context, the answer's frame and text are all cut."""
    row = chat(user("word " * 17_000), answer("late"))
    shown = Dataset.from_records(row).preview(0, model="gpt-3.5-turbo-0125")

    assert shown.trained == 0
    assert shown.messages[-1].cut == shown.messages[-1].tokens
    assert shown.context == 16_385


def test_calls_tools_and_images_are_shown_with_their_tokens() -> None:
    """Every kind of content stands in both renderings, each with its cost."""
    call = {"id": "a", "type": "function", "function": {"name": "weather", "arguments": "{}"}}
    content = [{"type": "text", "text": "What is it?"}, image(png(1024, 1024), "high")]
    row = {
        "messages": [
            user(content, name="Ann"),
            {"role": "assistant", "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "a", "content": "sunny"},
            answer("Sun."),
        ],
        "tools": [tool()],
    }
    shown = Dataset.from_records([row]).preview(0)

    asked, called, *_ = shown.messages
    assert (asked.text_tokens, asked.image_tokens) == (count_text("What is it?"), 765)
    assert asked.name_tokens == 1 + count_text("Ann")
    assert called.call_tokens == count_text("weather") + count_text("{}")
    for text in (str(shown), re.sub("<[^>]+>", "", html.unescape(shown.to_html()))):
        assert "1024 x 1024, detail high, PNG in the row: 765 tokens" in text
        assert '"name": "weather"' in text
        assert "'Ann'" in text


def test_preference_rows_show_both_outputs() -> None:
    """Each output is labelled, and both are trained."""
    shown = Dataset.from_records(pair()).preview(0)

    assert [message.output for message in shown.messages] == [None, "preferred", "non_preferred"]
    text = str(shown)
    assert text.index("preferred output, assistant") < text.index("non-preferred output, assistant")
    assert shown.trained == count_text("On its way.") + count_text("No idea.")


def test_ids_of_fine_tuned_models_show_their_base() -> None:
    """`ft:` ids, which tiktoken resolves wrongly, use the base's own tokenizer."""
    data = Dataset.from_records(chat())
    tuned = data.preview(0, model="ft:gpt-4.1-mini-2025-04-14:acme::x")

    assert tuned == data.preview(0, model="gpt-4.1-mini")
    assert tuned.encoding == "o200k_base"


@given(st.text(st.characters(exclude_categories=("Cs",)), max_size=60))
def test_no_row_can_steer_a_terminal_or_a_page(text: str) -> None:
    """Control, format and separator characters are shown as signs, and markup is escaped."""
    row = chat(user(text, name="n\x1b[2J"), answer("ok"))
    shown = Dataset.from_records(row).preview(0)

    for line in (str(shown), shown.to_html()):
        harmful = {char for char in line if unicodedata.category(char) in ("Cc", "Cf", "Zl", "Zp")}
        assert harmful <= {"\n", "\u200d"}
    plain = re.sub("\x1b\\[[0-9;]*m", "", shown.to_text(color=True))
    assert not any(unicodedata.category(char) == "Cc" for char in plain.replace("\n", ""))


def test_markup_in_a_row_stays_text() -> None:
    """A row cannot put an element into the page."""
    row = chat(user("<script>alert(1)</script>", name="<b>"), answer("</div>"))
    row[0]["tools"] = [tool(description="<img src=x>")]
    page = Dataset.from_records(row).preview(0).to_html()

    assert not re.search("<(script|img|b>alert)", page)
    assert page.count("<div") == page.count("</div>")
    assert not re.search(r"(src|href)=|@import|url\(", re.sub("&lt;.*?&gt;", "", page))


@pytest.mark.parametrize("color", [False, True])
def test_lines_fit_a_terminal(color: bool) -> None:
    """No line is wider than 100 columns, wide characters and long words included."""
    row = chat(user("x" * 500 + " 好" * 200), answer("word " * 300), tools=[tool()])
    text = Dataset.from_records(row).preview(0).to_text(color=color)

    for line in re.sub("\x1b\\[[0-9;]*m", "", text).splitlines():
        assert sum(1 + (unicodedata.east_asian_width(char) in "WF") for char in line) <= 100


def test_colours_are_given_on_request_only() -> None:
    """Without colour there is no escape sequence; with it, every one that opens is closed."""
    shown = Dataset.from_records(chat(user("a b c d"), answer("e f g"))).preview(0)

    assert "\x1b" not in str(shown)
    colored = shown.to_text(color=True)
    assert "\x1b[30;42me\x1b[0m\x1b[30;102m f\x1b[0m" in colored
    assert "a\x1b[2m b\x1b[0m c" in colored
    assert all(line.count("\x1b[0m") * 2 == line.count("\x1b[") for line in colored.splitlines())


def test_a_million_blanks_are_shown_in_one_piece() -> None:
    """A text on which the tokenizer's own cutting fails is counted and abridged."""
    row = chat(user(" " * 1_000_001 + "x"), answer("ok"))
    shown = preview(row[0], model=MODELS[0])

    assert shown.total == count_row(row[0], model=MODELS[0])
    assert len(shown.messages[0].parts[0].pieces) == 1


def test_a_preview_is_plain_data() -> None:
    """It can be written as JSON, with the counts of each message."""
    shown = Dataset.from_records(chat(user("hi", name="Ann"), answer("hello"))).preview(0)
    written = json.loads(json.dumps(shown.to_dict()))

    assert written["total"] == shown.total
    assert written["messages"][0]["name"] == "Ann"
    assert [message["trained"] for message in written["messages"]] == [0, count_text("hello")]
    assert isinstance(shown, Preview)
    assert shown._repr_html_() in shown.to_html()


def test_the_heading_names_file_and_line(tmp_path: Any) -> None:
    """A row of a part is found in the file: by its line there, not its number here."""
    path = tmp_path / "rows.jsonl"
    path.write_text("\n" + json.dumps(chat()[0]) + "\n" + json.dumps(chat(user("b"))[0]) + "\n")
    shown = Dataset.from_jsonl(path)[1:].preview(0)

    assert (shown.line, shown.source) == (3, str(path))
    assert "rows.jsonl, line 3 for gpt-4o" in str(shown).replace("\n", " ")


def test_rows_and_models_that_are_not_there_are_refused() -> None:
    """Numbers out of range, broken rows and unknown models are errors of their own kinds."""
    data = Dataset.from_records([*chat(), {"messages": "no list"}])

    with pytest.raises(IndexError):
        data.preview(2)
    with pytest.raises(DatasetError, match="preview the row"):
        data.preview(1)
    with pytest.raises(ProviderError):
        data.preview(0, model="gpt-9")
    assert data.preview(-2) == data.preview(0)
