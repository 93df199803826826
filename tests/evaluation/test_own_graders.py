"""Our own graders: schema, pattern, label, tool calls and refusal, and what is counted over a corpus."""

import itertools
import json
import math
import pickle
import re
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpt4o_tune.errors import GraderError
from gpt4o_tune.evaluation import (
    Grade,
    Grader,
    Item,
    JsonSchema,
    Label,
    Refusal,
    Regex,
    Sample,
    ToolCallMatch,
    confusion,
    format_drift,
    grade_all,
    length_drift,
    refusal_judge,
    refusal_rate,
    refuses,
)


def grade(grader: Grader, answer: str, reference: str = "") -> Grade:
    """Judge one answer against one reference answer."""
    return grader.grade(Sample(answer), Item(reference, {}))


SCHEMA = {
    "type": "object",
    "properties": {
        "status": {"enum": ["open", "closed"]},
        "days": {"type": "integer", "minimum": 0},
    },
    "required": ["status"],
    "additionalProperties": False,
}


def test_json_schema() -> None:
    """An answer fits the whole schema, ranges included, or the reason says where it does not."""
    pytest.importorskip("jsonschema")
    grader = JsonSchema(SCHEMA)

    assert grade(grader, '{"status": "open", "days": 3}').passed
    assert (
        "$.days: -1 is less than the minimum"
        in grade(grader, '{"status": "open", "days": -1}').reason
    )
    assert "'status' is a required property" in grade(grader, "{}").reason
    assert "; and 1 more" in grade(grader, '{"days": -0.5, "a": 1}').reason
    assert "not JSON" in grade(grader, "Sure: {}").reason
    assert hash(grader) == hash(JsonSchema(dict(SCHEMA)))


def test_json_schema_is_itself_checked_and_fetches_nothing() -> None:
    """A schema that is none is refused at once; a reference out of it is an error, not a request."""
    pytest.importorskip("jsonschema")
    with pytest.raises(ValueError, match=r"not valid at \$.type: 'objekt'"):
        JsonSchema({"type": "objekt"})
    with pytest.raises(
        ValueError, match=r"refers to 'http://127.0.0.1:9/s', which it does not hold"
    ):
        grade(JsonSchema({"$ref": "http://127.0.0.1:9/s"}), "{}")
    local = JsonSchema({"$ref": "#/$defs/n", "$defs": {"n": {"type": "number"}}})
    assert grade(local, "1").passed


def test_regex() -> None:
    """A pattern is looked for anywhere, over the whole answer, or as what must not be there."""
    assert grade(Regex(r"#\d{4}"), "order #1234 left").passed
    assert not grade(Regex(r"#\d{4}", whole=True), "order #1234").passed
    unwanted = grade(Regex(r"(?i)as an ai", wanted=False), "As an AI, I ...")
    assert (unwanted.passed, unwanted.reason) == (False, "holds 'As an AI'")
    with pytest.raises(ValueError, match="no regular expression"):
        Regex("(")


def test_labels_are_normalised() -> None:
    """Capitals, quotes, full stops, white space and forms of a character make no difference."""
    grader = Label(labels=["Billing", "Late parcel", "Straße"])

    assert grade(grader, ' "billing." ', "Billing").passed
    assert grade(grader, "LATE\n parcel!", "Late parcel").passed
    assert grade(grader, "STRASSE", "straße").passed
    assert grade(grader, "\uff22illing", "Billing").passed
    assert "'Billing' in place of 'Late parcel'" in grade(grader, "billing", "late parcel").reason
    assert "is no label" in grade(grader, "It is billing", "Billing").reason
    assert grader.read("**billing**") == "Billing"
    assert Label().read("?!") == "?!"
    assert not grade(Label(normalised=False), "billing", "Billing").passed
    with pytest.raises(ValueError, match="none of the labels"):
        grade(grader, "billing", "refund")
    with pytest.raises(ValueError, match="same once normalised"):
        Label(labels=["A", "a."])
    with pytest.raises(ValueError, match="list of labels"):
        Label(labels="A")


labels = st.sampled_from("abcd")


@given(st.lists(st.tuples(labels, labels), min_size=1, max_size=40))
def test_confusion_agrees_with_scikit_learn(pairs: list[tuple[str, str]]) -> None:
    """Counts, accuracy, macro-F1 and the scores of each label are scikit-learn's."""
    metrics = pytest.importorskip("sklearn.metrics")
    wanted, found = zip(*pairs, strict=True)
    names = list("abcd")
    matrix = confusion(found, wanted, labels=names)
    precision, recall, f1, support = metrics.precision_recall_fscore_support(
        wanted, found, labels=names, zero_division=0
    )

    assert [list(row[:-1]) for row in matrix.counts] == metrics.confusion_matrix(
        wanted, found, labels=names
    ).tolist()
    assert matrix.accuracy == pytest.approx(metrics.accuracy_score(wanted, found))
    assert matrix.macro_f1 == pytest.approx(
        metrics.f1_score(wanted, found, labels=names, average="macro", zero_division=0)
    )
    for place, each in enumerate(matrix.classes.values()):
        assert (each.precision, each.recall, each.f1, each.support) == pytest.approx(
            (precision[place], recall[place], f1[place], support[place])
        )


def test_confusion_by_hand() -> None:
    """Answers that are no label have a column of their own and count against recall."""
    matrix = confusion(["a", "b", None, "c", "a"], ["a", "a", "b", "b", "a"], labels=["a", "b"])

    assert matrix.counts == ((2, 1, 0), (0, 0, 2))
    assert (matrix.rows, matrix.accuracy) == (5, 0.4)
    assert matrix.classes["a"].recall == pytest.approx(2 / 3)
    assert matrix.macro_f1 == pytest.approx(0.4)
    assert str(matrix).splitlines()[0] == "5 answers: accuracy 0.400, macro-F1 0.400"
    assert "no label" in str(matrix)
    assert json.loads(json.dumps(matrix.to_dict()))["classes"]["b"]["f1"] == 0
    with pytest.raises(ValueError, match="'c' is none of the labels; add it"):
        confusion(["a"], ["c"], labels=["a"])
    with pytest.raises(ValueError, match="no answers"):
        confusion([], [])


def test_confusion_escapes_labels() -> None:
    """A label from the data cannot break out of the HTML table."""
    assert "<script>" not in confusion(["<script>"], ["<script>"])._repr_html_()


def calls(*pairs: tuple[str, object]) -> list[dict[str, object]]:
    """Write tool calls from names and arguments."""
    return [
        {
            "id": f"call_{number}",
            "type": "function",
            "function": {
                "name": name,
                "arguments": given if isinstance(given, str) else json.dumps(given),
            },
        }
        for number, (name, given) in enumerate(pairs)
    ]


def match(
    grader: ToolCallMatch, have: Sequence[tuple[str, object]], want: Sequence[tuple[str, object]]
) -> Grade:
    """Judge calls against those of a row's last message."""
    row = {"messages": [{"role": "user"}, {"role": "assistant", "tool_calls": calls(*want)}]}
    return grader.grade(Sample("", calls(*have)), Item.from_row(row))


TRACK, HOLD = ("track", {"id": 7, "fast": True}), ("hold", {"id": 7})


def test_tool_calls_match_by_name_and_arguments_as_json() -> None:
    """Order of calls and of keys, spaces and 7.0 for 7 make no difference; true for 1 does."""
    assert match(ToolCallMatch(), [("track", '{"fast":true, "id":7.0}')], [TRACK]).passed
    assert match(ToolCallMatch(), [HOLD, TRACK], [TRACK, HOLD]).passed
    assert match(ToolCallMatch(), [], []).passed
    assert match(ToolCallMatch(), [("now", "")], [("now", {})]).passed
    assert not match(ToolCallMatch(), [("track", {"id": 7, "fast": 1})], [TRACK]).passed


def test_tool_calls_earn_credit_in_part() -> None:
    """A right name earns a half, equal arguments the rest; what is missing or too much lowers the score."""
    half = match(ToolCallMatch(), [("track", {"id": 7, "fast": False})], [TRACK])
    assert (half.score, half.passed, half.reason) == (0.75, False, "other arguments: track")
    assert match(ToolCallMatch(arguments=False), [("track", {})], [TRACK]).passed
    extra = match(ToolCallMatch(), [TRACK, HOLD], [TRACK])
    assert (extra.score, extra.reason) == (0.5, "not wanted: hold")
    assert match(ToolCallMatch(), [], [TRACK]).reason == "missing: track"
    assert match(ToolCallMatch(), [("track", "{broken")], [TRACK]).score == 0.5
    assert match(ToolCallMatch(), [TRACK], []).score == 0


def test_tool_calls_in_order() -> None:
    """Where order counts, the longest agreement without crossing earns the credit."""
    ordered = ToolCallMatch(in_order=True)

    assert match(ordered, [TRACK, HOLD], [TRACK, HOLD]).passed
    assert match(ordered, [HOLD, TRACK], [TRACK, HOLD]).score == 0.5
    assert match(ordered, [("other", {}), TRACK, HOLD], [TRACK, HOLD]).score == pytest.approx(2 / 3)


some_calls = st.lists(
    st.tuples(
        st.sampled_from(["f", "g"]), st.dictionaries(st.sampled_from("xy"), st.integers(0, 1))
    ),
    max_size=4,
)


@given(some_calls, some_calls, st.booleans())
def test_tool_calls_are_paired_as_well_as_can_be(
    have: list[tuple[str, object]], want: list[tuple[str, object]], in_order: bool
) -> None:
    """The score is that of the best pairing among all there are; a match is a full score without reason."""

    def credit(a: tuple[str, object], b: tuple[str, object]) -> float:
        return match(ToolCallMatch(), [a], [b]).score

    short, long = sorted([have, want], key=len)
    choose = itertools.combinations if in_order else itertools.permutations
    best = max(
        math.fsum(credit(a, b) for a, b in zip(short, chosen, strict=True))
        for chosen in choose(long, len(short))
    )
    if in_order:  # leaving calls unpaired on both sides can be better than pairing them askew
        best = max(
            math.fsum(credit(have[i], want[j]) for i, j in zip(rows, columns, strict=True))
            for size in range(len(short) + 1)
            for rows in itertools.combinations(range(len(have)), size)
            for columns in itertools.combinations(range(len(want)), size)
        )
    judged = match(ToolCallMatch(in_order=in_order), have, want)

    assert judged.score == pytest.approx(best / len(long) if long else 1)
    assert judged.passed is (judged.score == 1) is (judged.reason == "")


def test_many_tool_calls_are_paired_too() -> None:
    """Beyond what is searched through, equal calls still find one another."""
    many = [("f", {"n": number}) for number in range(14)]

    assert match(ToolCallMatch(), many[::-1], many).passed


def test_wanted_tool_calls_may_stand_in_a_field() -> None:
    """Rows for reinforcement hold the wanted calls in a field, arguments written out if one likes."""
    row = {"wanted": [{"name": "track", "arguments": {"id": 7, "fast": True}}]}
    judged = ToolCallMatch(field="wanted").grade(Sample("", calls(TRACK)), Item("", row))

    assert judged.passed
    with pytest.raises(ValueError, match="no field 'calls'"):
        ToolCallMatch(field="calls").grade(Sample(""), Item("", row))
    with pytest.raises(ValueError, match="name the field"):
        ToolCallMatch().grade(Sample(""), Item("", row))
    with pytest.raises(ValueError, match="a function with a name"):
        ToolCallMatch(field="w").grade(Sample(""), Item("", {"w": [{}]}))


REFUSALS = [
    "I'm sorry, but I can't help with that.",
    "I\u2019m unable to assist with this request.",
    "I must decline.",
    "I won't provide instructions for that.",
    "Dabei kann ich leider nicht helfen.",
    "Ich bin leider nicht in der Lage, das zu tun.",
    "Je ne peux pas vous aider avec cette demande.",
    "Lo siento, no puedo ayudarte con eso.",
    "Mi dispiace, non posso aiutarti.",
    "Desculpe, não posso ajudar com isso.",
    "Sorry, ik kan je daar niet mee helpen.",
    "Przykro mi, nie mogę w tym pomóc.",
    "Извините, но я не могу с этим помочь.",  # noqa: RUF001 - Russian
    "抱歉,我无法提供这方面的帮助。",
    "申し訳ありませんが、お答えすることはできません。",
    "죄송하지만 도와드릴 수 없습니다.",
]
ANSWERS = [
    "Your parcel left on Monday.",
    "I can't find order 7; could you give me the number again?",
    "You can't return opened items, but we can repair them.",
    "Das kann ich gern für Sie erledigen.",
    "Je ne sais pas encore quand il arrive.",
    "No puedo encontrar el pedido; ¿me da el número?",
    "",
]


def test_refusals_show_in_twelve_languages() -> None:
    """The usual phrases are known; answers about what cannot be done are no refusals."""
    assert [text for text in REFUSALS if not refuses(text)] == []
    assert [text for text in ANSWERS if refuses(text)] == []


def test_refusal_rate_counts_them() -> None:
    """The rate has its rows and an interval."""
    rate = refusal_rate([*REFUSALS[:4], *ANSWERS, *ANSWERS])

    assert (rate.rate, rate.rows) == (4 / 18, (0, 1, 2, 3))
    assert str(rate).startswith("4 refusals in 18 answers: 0.22 (95% CI")
    assert json.loads(json.dumps(rate.to_dict()))["rows"] == [0, 1, 2, 3]
    with pytest.raises(ValueError, match="no answers"):
        refusal_rate([])


def test_refusal_as_a_grader() -> None:
    """An answer refuses never, always, or where the reference answer does."""
    refusal, answer = REFUSALS[0], ANSWERS[0]

    assert grade(Refusal(), answer).passed
    assert grade(Refusal(), refusal).reason == "refuses"
    assert grade(Refusal(wanted="always"), answer).reason == "does not refuse"
    assert grade(Refusal(wanted="as the reference"), refusal, REFUSALS[1]).passed
    assert not grade(Refusal(wanted="as the reference"), refusal, answer).passed


def test_refusal_can_be_judged_by_a_model() -> None:
    """The judge is a published label grader, so the service can run it as well."""
    grading = grade_all(
        refusal_judge("m"),
        ["no", "yes"],
        [{}, {}],
        asker=lambda request: json.dumps(
            {
                "reason": "",
                "label": "refuses"
                if "\nno\n" in str(request.messages[0]["content"])
                else "answers",
            }
        ),
    )

    assert grading.accuracy == 0.5
    assert refusal_judge("m").to_dict()["type"] == "label_model"


@pytest.mark.parametrize(
    "grader", [Regex("a"), Label(labels=("a",)), ToolCallMatch(), Refusal(wanted="always")]
)
def test_graders_are_values(grader: Grader) -> None:
    """Graders satisfy the protocol, compare by value and survive pickling."""
    assert isinstance(grader, Grader)
    assert pickle.loads(pickle.dumps(grader)) == grader  # noqa: S301 - our own bytes


def test_length_drift() -> None:
    """The ratio is the geometric mean over rows, with an interval that decides the verdict."""
    references = [f"{'word ' * (4 + number % 3)}" for number in range(40)]
    longer = length_drift([text * 2 for text in references], references)
    same = length_drift(references, references[1:] + references[:1])

    assert longer.ratio == pytest.approx(
        math.exp(math.fsum(math.log((2 * n + 1) / (n + 1)) for n in (4, 5, 6, 4)) / 4), rel=0.01
    )
    assert longer.verdict.startswith("answers are 83% longer")
    assert same.verdict.startswith("no drift in length can be shown")
    assert longer.answers == (8, 10, 12)
    assert length_drift(["猫が座る"], ["猫"]).answers == (4, 4, 4)
    assert length_drift(["abcd"], ["ab"], unit="characters").ratio == pytest.approx(5 / 3)
    assert re.search(r"references +4 +5 +6", str(longer))
    with pytest.raises(ValueError, match="one answer per reference"):
        length_drift([], [])


def test_format_drift() -> None:
    """Marks that come or go beyond chance are named, with the counts of both sides."""
    plain = ["It left on Monday."] * 20
    fancy = [
        "## Status\n\n- **left**: Monday\n- [track](https://x)\n\nAnything else?"
    ] * 15 + plain[:5]
    found = format_drift(fancy, plain)

    assert {each.mark for each in found.drifted} == {
        "heading",
        "bullet list",
        "bold",
        "link",
        "several paragraphs",
        "question at the end",
    }
    assert "heading more often (0 to 15)" in found.verdict
    assert "bold less often (15 to 0)" in format_drift(plain, fancy).verdict
    assert format_drift(plain, plain).verdict == "no drift in format can be shown over 20 rows"
    assert max(len(line) for line in str(found).splitlines()) <= 100
    assert "<table>" in found._repr_html_()
    assert json.loads(json.dumps(found.to_dict()))["rows"] == 20


@pytest.mark.parametrize(
    ("mark", "text"),
    [
        ("JSON", '{"a": 1}'),
        ("numbered list", "1. one\n2. two"),
        ("code block", "See\n```\nx\n```"),
        ("table", "| a | b |\n|---|---|"),
        ("emoji", "Done 🎉"),
        ("exclamation mark", "Done!"),
        ("empty", " \n"),
    ],
)
def test_format_marks(mark: str, text: str) -> None:
    """Each mark is found where it stands, and not in a plain sentence."""
    (share,) = [each for each in format_drift([text], ["Plain."]).shares if each.mark == mark]

    assert (share.answers, share.references) == (1, 0)


def test_a_grader_that_raises_loses_its_row_alone() -> None:
    """A reference that cannot be read is a fault of its row; the rest is graded."""
    rows = [
        {"messages": [{"role": "user"}, {"role": "assistant", "content": text}]}
        for text in ("a", "z")
    ]
    grading = grade_all(Label(labels=["a", "b"]), ["a", "a"], rows)

    assert grading.accuracy == 1
    assert isinstance(grading.faults[1], GraderError)
    assert grading.faults[1].code == "grader_failed"
    assert str(grading).splitlines()[1] == "not judged, and left out: 1 row"
    assert json.loads(json.dumps(grading.to_dict()))["faults"]["1"]["code"] == "grader_failed"
    assert "not judged" in grading._repr_html_()


def test_drifts_and_rates_show_everywhere() -> None:
    """Each result is text, HTML and plain values."""
    drift, rate = length_drift(["a b"] * 3, ["a"] * 3), refusal_rate(["Fine."])

    assert json.loads(json.dumps(drift.to_dict()))["verdict"] == drift.verdict
    assert "median" in drift._repr_html_()
    assert "0 refusals in 1 answer" in rate._repr_html_()
