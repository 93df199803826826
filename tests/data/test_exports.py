"""What is exported can be read back, or is refused: nothing is lost without a word."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpt4o_tune.data import Dataset
from gpt4o_tune.data.forms import Form, Target
from gpt4o_tune.errors import DatasetError
from tests.data.cases import answer, call, chat, many, pair, result, showing, tool, user

if TYPE_CHECKING:
    from pathlib import Path

Row = dict[str, Any]

words = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=12)
arguments = st.dictionaries(words, words | st.integers() | st.booleans(), max_size=3).map(
    lambda value: json.dumps(value, ensure_ascii=False, separators=(",", ":"))
)


@st.composite
def conversations(draw: st.DrawFn) -> list[Row]:
    """Some turns of text, perhaps after instructions."""
    opening = [{"role": "system", "content": draw(words)}] if draw(st.booleans()) else []
    turns = draw(st.lists(st.tuples(words, words), min_size=1, max_size=3))
    said = [message for asked, given in turns for message in (user(asked), answer(given))]
    return [*opening, *said]


@st.composite
def exchanges(draw: st.DrawFn) -> Row:
    """A row with calls of a tool, each followed by its result, ids as reading numbers them."""
    messages = [user(draw(words))]
    for number in range(1, draw(st.integers(1, 3)) + 1):
        asks = call(draw(arguments), id=f"call_{number}")
        messages += {"role": "assistant", "tool_calls": [asks]}, result(f"call_{number}")
    return {"messages": [*messages, answer(draw(words))], "tools": [tool()]}


chats = st.lists(conversations().map(lambda messages: {"messages": messages}), min_size=1)
calls = st.lists(exchanges(), min_size=1, max_size=3)
weighted = st.lists(
    conversations().map(
        lambda messages: {
            "messages": [
                turn | {"weight": 0} if turn["role"] == "assistant" else turn
                for turn in messages[:-1]
            ]
            + messages[-1:]
        }
    ),
    min_size=1,
)
single_turns = st.lists(st.tuples(words, words), min_size=1).map(
    lambda turns: [chat(user(asked), answer(given))[0] for asked, given in turns]
)
preferences = st.lists(
    st.tuples(conversations(), words, words).filter(lambda drawn: drawn[1] != drawn[2]), min_size=1
).map(
    lambda drawn: [
        pair(
            input={"messages": messages[:-1]},
            preferred_output=[answer(better)],
            non_preferred_output=[answer(worse)],
        )[0]
        for messages, better, worse in drawn
    ]
)


def back(rows: list[Row], target: Target, form: Form | None = None) -> list[Row]:
    """Export rows, and read what comes out."""
    return list(Dataset.read(Dataset.from_records(rows).export(target), form=form).records())


@settings(max_examples=25)
@given(rows=chats | calls)
@pytest.mark.parametrize("target", ["trl", "axolotl", "llama-factory", "together", "sharegpt"])
def test_conversations_come_back_as_they_were(target: Target, rows: list[Row]) -> None:
    """With tools and without, and with the form found from the records."""
    assert back(rows, target) == rows


@settings(max_examples=25)
@given(rows=chats)
def test_mistral_keeps_all_but_call_ids(rows: list[Row]) -> None:
    """Conversations without calls are the same there."""
    assert back(rows, "mistral") == rows


@settings(max_examples=25)
@given(rows=single_turns)
def test_single_turns_come_back_from_alpaca(rows: list[Row]) -> None:
    """The whole question goes into `instruction`."""
    assert back(rows, "alpaca") == rows


@settings(max_examples=25)
@given(rows=weighted)
def test_weights_come_back_from_trl(rows: list[Row]) -> None:
    """TRL trains a completion and not its prompt, which is what weights of 0 before the last say."""
    assert back(rows, "trl") == rows


@settings(max_examples=25)
@given(rows=preferences)
@pytest.mark.parametrize(
    "target", ["trl", "trl-preference", "llama-factory", "together", "sharegpt"]
)
def test_preferences_come_back_as_they_were(target: Target, rows: list[Row]) -> None:
    """In the tool's own form for preferences."""
    assert back(rows, target) == rows


def test_weights_are_written_as_each_tool_says_them() -> None:
    """Together needs one on every message, or it would train on the user's as well."""
    rows = chat(user("a"), answer("b", weight=0), user("c"), answer("d", weight=1)) + chat()
    data = Dataset.from_records(rows)

    assert [turn.get("train") for turn in records(data, "axolotl")[0]["messages"]] == [
        None,
        False,
        None,
        True,
    ]
    assert records(data, "mistral")[0]["messages"] == rows[0]["messages"]
    assert [[turn["weight"] for turn in row["messages"]] for row in records(data, "together")] == [
        [0, 0, 0, 1],
        [0, 1],
    ]
    assert "weight" not in json.dumps([*Dataset.from_records(chat()).export("together")])


def records(data: Dataset, target: Target) -> list[Any]:
    """Export to a list."""
    return list(data.export(target))


def test_trl_leaves_out_all_answers_before_the_last_or_none() -> None:
    """A file of TRL has one kind of record, so rows without weights are refused beside such."""
    some = chat(user(), answer(weight=0), user(), answer())

    with pytest.raises(DatasetError, match="Line 2 cannot be written as 'trl'"):
        records(Dataset.from_records(some + chat(user(), answer(), user(), answer())), "trl")


def test_mistral_wants_ids_of_nine_signs() -> None:
    """Others are replaced, the same in a call and in its result; such as fit stay."""
    made = chat(
        user(),
        {"role": "assistant", "tool_calls": [call(id="call_abc"), call(id="Ab3456789")]},
        result("call_abc"),
        result("Ab3456789"),
        answer(),
    )
    asks, first, second = records(Dataset.from_records(made), "mistral")[0]["messages"][1:4]

    assert asks["tool_calls"][1]["id"] == second["tool_call_id"] == "Ab3456789"
    assert asks["tool_calls"][0]["id"] == first["tool_call_id"]
    assert len(first["tool_call_id"]) == 9
    assert first["tool_call_id"].isalnum()


def test_mistral_s_own_validator_takes_the_rows() -> None:
    """In its mode for fine-tuning, which is the strictest of the open rules."""
    messages = pytest.importorskip("mistral_common.protocol.instruct.messages")
    request = pytest.importorskip("mistral_common.protocol.instruct.request")
    rules = pytest.importorskip("mistral_common.protocol.instruct.validator")
    validator = rules.MistralRequestValidatorV3(rules.ValidationMode.finetuning)
    kinds = (
        messages.UserMessage
        | messages.SystemMessage
        | messages.ToolMessage
        | messages.FinetuningAssistantMessage
    )
    rows = chat(
        user(), {"role": "assistant", "tool_calls": [call()]}, result(), answer(), tools=[tool()]
    ) + chat(user(), answer(weight=0), user(), answer())

    for record in records(Dataset.from_records(rows), "mistral"):
        asked = request.ChatCompletionRequest[kinds](model="any", **record)
        assert len(validator.validate_request(asked).messages) == 4


def test_trl_takes_arguments_as_objects_and_names_of_tools() -> None:
    """As chat templates want them."""
    made = chat(user(), {"role": "assistant", "tool_calls": [call()]}, result(), answer())

    _, asks, given, _ = records(Dataset.from_records(made), "trl")[0]["messages"]

    assert asks["tool_calls"][0]["function"]["arguments"] == {"city": "Bonn"}
    assert given["name"] == "weather"


def test_reinforcement_rows_are_prompts_of_trl() -> None:
    """What the grader needs stays beside the prompt, there and back."""
    rows: list[Row] = [{"messages": [user()], "reference": "blue"}]

    assert records(Dataset.from_records(rows), "trl") == [{"prompt": [user()], "reference": "blue"}]
    assert back(rows, "trl") == rows
    with pytest.raises(DatasetError, match=r"no place for reinforcement rows. Use 'trl'"):
        records(Dataset.from_records(rows), "axolotl")


PARALLEL = chat(
    user(),
    {"role": "assistant", "tool_calls": [call(id="a"), call(id="b")]},
    result("b"),
    result("a"),
    answer(),
)
UNSAYABLE: list[tuple[Target, list[Row], str]] = [
    ("trl-preference", chat(), "no place for chat rows"),
    ("mistral", pair(), "no place for preference rows"),
    ("alpaca", chat(user(), answer(), user(), answer()), "one question and one answer"),
    ("alpaca", chat(user(), answer(weight=0)), "weight 0"),
    ("sharegpt", chat(user(), answer(weight=0)), "weight 0"),
    ("llama-factory", chat(user(), answer(weight=0)), "weight 0"),
    ("llama-factory", chat(user(), user(), answer()), "turn 2 is of 'human'"),
    ("llama-factory", chat(user(), answer(), user()), "ends with the answer"),
    ("sharegpt", PARALLEL, "order of the calls"),
    ("sharegpt", chat(user(name="Ann"), answer()), "'name' of a message of role 'user'"),
    ("trl", showing(), "not of parts"),
    ("trl", chat({"role": "developer", "content": "x"}, user(), answer()), "'developer'"),
    ("trl", chat(user(), answer(refusal="No.")), "'refusal'"),
    ("axolotl", pair(input={"messages": [user()], "tools": [tool()]}), "tools in preference rows"),
    ("together", pair(preferred_output=[answer(), answer()]), "outputs of one message, not of 2"),
    ("mistral", chat(functions=[{"name": "f"}]), "'functions' of the row"),
    (
        "trl",
        chat(user(), {"role": "assistant", "tool_calls": [call('{"a":1,"a":2}')]}),
        "as an object",
    ),
]


@pytest.mark.parametrize(("target", "rows", "words"), UNSAYABLE)
def test_what_a_form_cannot_hold_is_refused(
    target: Target, rows: list[Row], words: str, tmp_path: Path
) -> None:
    """The error names the line and the reason, and no half of a file is left."""
    data = Dataset.from_records(rows, format="preference" if "input" in rows[0] else "chat")

    with pytest.raises(DatasetError, match=words):
        data.export(target, tmp_path / "out.jsonl")
    assert list(tmp_path.iterdir()) == []


def test_together_and_mistral_take_images() -> None:
    """Parts go through as they stand."""
    for target in ("together", "mistral"):
        assert records(Dataset.from_records(showing()), target) == showing()


@pytest.mark.parametrize("name", ["out.jsonl", "out.json", "out.jsonl.gz", "out.json.gz"])
def test_the_name_says_how_a_file_is_written(name: str, tmp_path: Path) -> None:
    """Lines or one array, packed or not; either can be read back."""
    data = Dataset.from_records(many(3))

    path = data.export("sharegpt", tmp_path / name)

    assert path == tmp_path / name
    assert list(Dataset.read(path).records()) == many(3)
    if name == "out.json":
        assert len(json.loads(path.read_text("utf-8"))) == 3


def test_settings_say_what_the_tool_must_know() -> None:
    """LLaMA-Factory's entry, axolotl's entry, and the loss of TRL."""
    plain = Dataset.from_records(chat())
    some = Dataset.from_records(chat(user(), answer(weight=0), user(), answer()))
    pairs = Dataset.from_records(pair())

    assert plain.export_settings("llama-factory", "data/tickets.json") == {
        "tickets": {
            "file_name": "tickets.json",
            "formatting": "sharegpt",
            "columns": {"messages": "conversations", "tools": "tools"},
        }
    }
    ranking: Any = pairs.export_settings("llama-factory", "pairs.json")["pairs"]
    assert ranking["ranking"] is True
    assert ranking["columns"]["rejected"] == "rejected"
    assert "message_field_training" not in plain.export_settings("axolotl", "a.jsonl")
    assert some.export_settings("axolotl", "a.jsonl")["message_field_training"] == "train"
    assert pairs.export_settings("axolotl", "a.jsonl")["type"] == "chat_template.default"
    assert plain.export_settings("trl", "a.jsonl") == {"assistant_only_loss": True}
    assert some.export_settings("trl", "a.jsonl") == {"completion_only_loss": True}
    with pytest.raises(ValueError, match="needs no settings"):
        plain.export_settings("together", "a.jsonl")


def test_an_unknown_target_names_the_known_ones() -> None:
    """As an unknown format does."""
    with pytest.raises(ValueError, match="form must be one of 'trl'") as caught:
        Dataset.from_records(chat()).export("tlr")  # type: ignore[call-overload]  # what is tested
    assert all(repr(target) in str(caught.value) for target in get_args(Target))


def test_rows_that_cannot_be_read_are_not_exported(tmp_path: Path) -> None:
    """All faults are in the error, as with every other verb."""
    path = tmp_path / "rows.jsonl"
    path.write_text('{"messages": [{"role": "usr", "weight": 0}]}\n{"weight": \n')

    with pytest.raises(DatasetError) as caught:
        list(Dataset.from_jsonl(path).export("trl"))
    assert {problem.line for problem in caught.value.problems} == {1, 2}
