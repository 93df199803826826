"""Graders of the published schema: their shape, their scores, and their templates."""

import asyncio
import inspect
import json
import pickle
import threading
from collections.abc import Callable, Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.graders import (
    LabelModelGrader,
    ScoreModelGrader,
    StringCheckGrader,
    TextSimilarityGrader,
)
from openai.types.graders import (
    MultiGrader as OpenAIMultiGrader,
)
from openai.types.graders import (
    PythonGrader as OpenAIPythonGrader,
)

from gpt4o_tune.errors import DatasetError, GraderError, MissingExtraError
from gpt4o_tune.evaluation import (
    Answer,
    Grader,
    Item,
    LabelModel,
    ModelRequest,
    MultiGrader,
    PublishedGrader,
    PythonGrader,
    Sample,
    ScoreModel,
    StringCheck,
    TextSimilarity,
    check_templates,
    comparable,
    compare,
    equip,
    grade_all,
    grade_all_async,
    judge_pairs,
    judge_pairs_async,
    parse_grader,
)

THEIRS = {
    "string_check": StringCheckGrader,
    "text_similarity": TextSimilarityGrader,
    "score_model": ScoreModelGrader,
    "label_model": LabelModelGrader,
    "python": OpenAIPythonGrader,
    "multi": OpenAIMultiGrader,
}

names = st.from_regex(r"[a-z][a-z_0-9]{0,6}", fullmatch=True).filter(
    lambda name: name not in {"min", "max", "abs", "floor", "ceil", "exp", "sqrt", "log"}
)
texts = st.sampled_from(["{{sample.output_text}}", "{{ item.a.b[0] }} and more", "plain"])
contents = texts | st.builds(lambda text: [{"type": "input_text", "text": text}], texts)
inputs = st.lists(
    st.builds(
        lambda role, content: {"role": role, "content": content},
        st.sampled_from(["user", "system", "developer", "assistant"]),
        contents,
    ),
    min_size=1,
    max_size=3,
)


def optional(**fields: st.SearchStrategy[object]) -> st.SearchStrategy[dict[str, object]]:
    """Any selection of fields that may be left out."""
    return st.fixed_dictionaries({}, optional=fields)


singles = st.one_of(
    st.fixed_dictionaries(
        {
            "type": st.just("string_check"),
            "name": names,
            "input": texts,
            "reference": texts,
            "operation": st.sampled_from(["eq", "ne", "like", "ilike"]),
        }
    ),
    st.fixed_dictionaries(
        {
            "type": st.just("text_similarity"),
            "name": names,
            "input": texts,
            "reference": texts,
            "evaluation_metric": st.sampled_from(["cosine", "fuzzy_match", "rouge_5", "rouge_l"]),
        }
    ),
    st.builds(
        lambda fields, more: {"type": "score_model", **fields, **more},
        st.fixed_dictionaries({"name": names, "model": names, "input": inputs}),
        optional(
            range=st.sampled_from([[0, 1], [1.0, 7.0], [-1, 1]]),
            sampling_params=optional(
                temperature=st.floats(0, 2),
                seed=st.integers(0, 9),
                max_completions_tokens=st.just(99),
                reasoning_effort=st.just("low"),
            ),
        ),
    ),
    st.builds(
        lambda fields: {
            "type": "label_model",
            **fields,
            "labels": ["good", "bad", "ugly"],
            "passing_labels": ["good"],
        },
        st.fixed_dictionaries({"name": names, "model": names, "input": inputs}),
    ),
    st.builds(
        lambda fields, more: {"type": "python", **fields, **more},
        st.fixed_dictionaries({"name": names, "source": st.just("def grade(s, i): return 1.0")}),
        optional(image_tag=st.just("2025-05-08")),
    ),
)


def joined(graders: list[dict[str, object]], form: str) -> dict[str, object]:
    """Write a multi grader in one of the three forms in which its parts may come."""
    by_name = {str(grader["name"]): grader for grader in graders}
    parts: dict[str, object] = {
        "mapping": by_name,
        "list": list(by_name.values()),
        "single": graders[0],
    }
    used = [str(graders[0]["name"])] if form == "single" else list(by_name)
    return {
        "type": "multi",
        "name": "all",
        "graders": parts[form],
        "calculate_output": " + ".join(used) + " - 0.5",
    }


multis = st.builds(
    joined,
    st.lists(singles, min_size=1, max_size=3),
    st.sampled_from(["mapping", "list", "single"]),
)


@given(singles | multis)
def test_graders_survive_a_round_trip_in_the_published_shape(shape: dict[str, object]) -> None:
    """What is read is written back the same, survives JSON and pickling, and openai's models take it."""
    grader = parse_grader(json.loads(json.dumps(shape)))

    assert grader.to_dict() == shape
    assert parse_grader(grader.to_dict()) == grader
    assert pickle.loads(pickle.dumps(grader)) == grader  # noqa: S301 - our own bytes
    assert isinstance(grader, Grader)
    # Their model of a multi grader declares a single part; clients send the other forms unread.
    parts = shape.get("graders")
    if parts is None or (isinstance(parts, dict) and isinstance(parts.get("type"), str)):
        theirs = THEIRS[str(shape["type"])].model_validate(grader.to_dict())
        assert theirs.model_dump(exclude_unset=True, mode="json") == shape


def string_check(**fields: object) -> dict[str, object]:
    """Write a string check, some fields replaced."""
    return {
        "type": "string_check",
        "name": "label",
        "input": "{{sample.output_text}}",
        "reference": "{{item.label}}",
        "operation": "eq",
        **fields,
    }


def python(source: str, **fields: object) -> dict[str, object]:
    """Write a python grader."""
    return {"type": "python", "name": "code", "source": source, **fields}


MESSAGES = [{"role": "user", "content": "Rate {{sample.output_text}} for {{item.label}}"}]


@pytest.mark.parametrize(
    ("shape", "reason"),
    [
        ({}, "has a 'type' such as"),
        (string_check(type="string_chek"), "did you mean 'string_check'"),
        (string_check(operation="neq"), "did you mean 'ne'"),
        (string_check(refrence="x"), "did you mean 'reference'"),
        (string_check(pass_threshold=1), "has no field 'pass_threshold'"),
        (string_check(input=3), "'input' of the string_check grader 'label' must be text, got 3"),
        (string_check(input="{{item.label"), "does not close it"),
        (string_check(input="{{item label}}"), "is no path"),
        ({"type": "string_check", "name": "n"}, "needs the field 'input'"),
        (python("def grade("), "is not Python"),
        (python("#" * 256_000), "must stay below 256,000"),
        (
            {"type": "score_model", "name": "n", "model": "m", "input": MESSAGES, "range": [1, 0]},
            "lower to a higher",
        ),
        (
            {"type": "score_model", "name": "n", "model": "m", "input": MESSAGES, "range": [1]},
            "two numbers",
        ),
        ({"type": "score_model", "name": "n", "model": "m", "input": []}, "at least one message"),
        (
            {"type": "score_model", "name": "n", "model": "m", "input": [{"role": "tool"}]},
            "one of the roles",
        ),
        (
            {
                "type": "label_model",
                "name": "n",
                "model": "m",
                "input": MESSAGES,
                "labels": ["good"],
                "passing_labels": ["godo"],
            },
            "did you mean 'good'",
        ),
        (joined([joined([string_check()], "mapping") | {"name": "a"}], "mapping"), "put its parts"),
        (joined([string_check(name="min")], "mapping"), "function of formulas; rename"),
        (joined([string_check()], "list") | {"calculate_output": "lable"}, "did you mean 'label'"),
        (joined([string_check()], "list") | {"graders": "label"}, "an object of graders by name"),
        (
            joined([string_check()], "list") | {"graders": [string_check(), string_check()]},
            "a name of its own",
        ),
        (joined([string_check()], "mapping") | {"graders": {}}, "at least one grader"),
        (
            joined([string_check()], "list") | {"graders": ["label"]},
            "must be an object, got 'label'",
        ),
        ({"type": "score_model", "name": "n", "model": "m", "input": "hi"}, "a list of objects"),
        (
            {
                "type": "score_model",
                "name": "n",
                "model": "m",
                "input": MESSAGES,
                "sampling_params": {"temprature": 1},
            },
            "no sampling parameter 'temprature'; did you mean 'temperature'",
        ),
        (
            {
                "type": "score_model",
                "name": "n",
                "model": "m",
                "input": MESSAGES,
                "sampling_params": 1,
            },
            "'sampling_params' of the score_model grader 'n' must be an object",
        ),
        (
            {
                "type": "label_model",
                "name": "n",
                "model": "m",
                "input": MESSAGES,
                "labels": "good",
                "passing_labels": [],
            },
            "a list of texts",
        ),
    ],
)
def test_malformed_graders_are_refused(shape: dict[str, object], reason: str) -> None:
    """Each fault is named, with what to write in its place."""
    with pytest.raises(ValueError, match=reason):
        parse_grader(shape)


@pytest.mark.parametrize(
    ("operation", "answer", "score"),
    [
        ("eq", "Shipped", 1),
        ("eq", "shipped", 0),
        ("ne", "shipped", 1),
        ("ne", "Shipped", 0),
        ("like", "It has Shipped.", 1),
        ("like", "it has shipped", 0),
        ("ilike", "it has SHIPPED", 1),
        ("ilike", "waiting", 0),
    ],
)
def test_string_check(operation: str, answer: str, score: float) -> None:
    """Equal and not equal look at the whole text, like and ilike for the reference inside it."""
    grader = parse_grader(string_check(operation=operation))
    assert isinstance(grader, StringCheck)
    judged = grader.grade(Sample(answer), Item("", {"label": "Shipped"}))

    assert (judged.score, judged.passed, judged.reason == "") == (score, bool(score), bool(score))


def filled(template: str, sample: Sample, row: Mapping[str, object]) -> str:
    """Fill in a template by way of a check that fails and shows it."""
    grader = StringCheck(name="n", input=template, reference="", operation="eq")
    return grader.grade(sample, Item.from_row(row)).reason


def test_templates_reach_into_rows_and_samples() -> None:
    """Paths of names and numbers lead to the value; what is no text is written as JSON."""
    call = {"id": "c", "type": "function", "function": {"name": "track", "arguments": "{}"}}
    sample = Sample('{"x": {"y": [1, true]}}', output_tools=[call])
    row = {"a": {"b": ["zero", {"c": "deep"}]}}
    chat = {
        "messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "so be it"}]
    }

    assert filled("{{ item.a.b[1].c }}!", sample, row).startswith("'deep!'")
    assert filled("{{item.a}}", sample, row).startswith("""'{"b": ["zero", {"c": "deep"}]}'""")
    assert filled("{{sample.output_json.x.y[1]}}", sample, row).startswith("'true'")
    assert filled("{{sample.output_tools[0].function.name}}", sample, row).startswith("'track'")
    assert filled("{{sample.choices[0].message.role}}", sample, row).startswith("'assistant'")
    assert filled("{{item.reference}}", sample, chat).startswith("'so be it'")


def test_an_answer_that_lacks_what_is_judged_scores_0() -> None:
    """No JSON, no such field, no tool call: the answer's fault, so the lowest grade and no error."""
    for path in ("output_json.x", "output_json.y.z", "output_tools[0].function.name"):
        grader = StringCheck(
            name="n", input=f"{{{{sample.{path}}}}}", reference="x", operation="ne"
        )
        judged = grader.grade(Sample('{"y": 1}'), Item("", {}))
        assert (judged.score, judged.passed) == (0, False)
        assert f"the answer has no {{{{sample.{path}}}}}" in judged.reason


def similarity(metric: str, text: str, reference: str) -> float:
    """Score two texts by one metric."""
    grader = TextSimilarity.from_dict(
        {
            "type": "text_similarity",
            "name": "n",
            "input": "{{sample.output_text}}",
            "reference": "{{item.wanted}}",
            "evaluation_metric": metric,
        }
    )
    return grader.grade(Sample(text), Item("", {"wanted": reference})).score


PAIRS = [
    ("the cat sat on the mat", "a cat was sitting on the mat today"),
    ("Your parcel left on Monday, at 9:30.", "Your parcel left Berlin on Monday at 9:30."),
    ("completely different words here", "nothing is shared at all"),
]


@pytest.mark.parametrize(("text", "reference"), PAIRS)
def test_similarity_is_that_of_the_reference_libraries(text: str, reference: str) -> None:
    """Each metric gives what its library gives when called by hand."""
    rapidfuzz = pytest.importorskip("rapidfuzz")
    sacrebleu = pytest.importorskip("sacrebleu")
    rouge_scorer = pytest.importorskip("rouge_score.rouge_scorer")
    kinds = {f"rouge_{n}": f"rouge{n.upper()}" for n in ("1", "2", "3", "4", "5", "l")}
    scores = rouge_scorer.RougeScorer(list(kinds.values())).score(reference, text)

    assert similarity("fuzzy_match", text, reference) == rapidfuzz.fuzz.ratio(text, reference) / 100
    assert similarity("bleu", text, reference) == pytest.approx(
        sacrebleu.sentence_bleu(text, [reference]).score / 100
    )
    for ours, theirs in kinds.items():
        assert similarity(ours, text, reference) == pytest.approx(scores[theirs].fmeasure)


def test_gleu_and_meteor_follow_their_definitions() -> None:
    """GLEU is the smaller of precision and recall over n-grams to 4; METEOR weighs recall and order."""
    pytest.importorskip("nltk")
    # 4 of 6 words, 2 of 5 pairs, 1 of 4 threes and 0 of 3 fours are shared: 7 of 18.
    assert similarity("gleu", "one two three four x y", "one two z three four w") == pytest.approx(
        6 / 18
    )
    # All 4 words match in 2 chunks: 1 - 0.5 * (2 / 4) ^ 3.
    assert similarity("meteor", "c d a b", "a b c d") == pytest.approx(1 - 0.5 * (2 / 4) ** 3)
    # Stems match, synonyms do not, whether or not WordNet is installed.
    assert similarity("meteor", "parcels arrived", "parcel arrives") > 0.9
    assert similarity("meteor", "automobile", "car") == 0


def test_similarity_knows_all_scripts() -> None:
    """Words outside ASCII count; of Chinese and Japanese, each character is a word."""
    pytest.importorskip("rouge_score")
    assert similarity("rouge_1", "größer als über", "größer als unter") == pytest.approx(2 / 3)
    assert similarity("rouge_2", "猫が座る", "猫が立つ") == pytest.approx(1 / 3)
    assert similarity("rouge_l", "", "") == 0


def test_cosine_can_be_sent_but_not_worked_out() -> None:
    """The service's embedding metric is read and written; grading by it says what to take here."""
    with pytest.raises(GraderError, match="use fuzzy_match or rouge_l for local runs"):
        similarity("cosine", "a", "a")


class Judge:
    """Answers requests by a function of the last message, and keeps them."""

    def __init__(self, answer: Callable[[str], object]) -> None:
        self._answer = answer
        self.requests: list[ModelRequest] = []

    def __call__(self, request: ModelRequest) -> str:
        self.requests.append(request)
        answer = self._answer(str(request.messages[-1]["content"]))
        return answer if isinstance(answer, str) else json.dumps(answer)


SCORE = ScoreModel(
    name="rating",
    model="gpt-4o-2024-08-06",
    input=MESSAGES,
    range=(1, 5),
    sampling_params={"temperature": 0, "max_completions_tokens": 100},
)
LABEL = LabelModel(
    name="tone", model="m", input=MESSAGES, labels=("kind", "rude"), passing_labels=("kind",)
)
ROWS = [{"label": "x"}, {"label": "y"}]


def test_score_models_ask_and_give_their_own_range() -> None:
    """The request has filled messages, a closed schema and the chat endpoint's names; the score is as given."""
    judge = Judge(lambda text: {"reason": "fine", "score": 5 if "good" in text else 2})
    grading = grade_all(SCORE, ["good", "poor"], ROWS, asker=judge)
    sent = next(request for request in judge.requests if "good" in str(request.messages)).to_dict()

    assert grading.scores == (5, 2)
    assert grading.mean_score == 3.5
    assert grading.accuracy is None
    assert sent["messages"] == [{"role": "user", "content": "Rate good for x"}]
    assert (sent["temperature"], sent["max_completion_tokens"]) == (0, 100)
    assert sent["response_format"]["json_schema"]["schema"]["required"] == ["reason", "score"]  # type: ignore[index]


def test_label_models_pass_by_label() -> None:
    """A passing label scores 1, another 0, with the label as the reason."""
    judge = Judge(lambda text: {"reason": "r", "label": "kind" if "good" in text else "rude"})
    grading = grade_all(LABEL, ["good", "poor"], ROWS, asker=judge)

    assert [grade and (grade.score, grade.passed) for grade in grading.grades] == [
        (1, True),
        (0, False),
    ]
    assert grading.accuracy == 0.5
    assert "rude: r" in str(grading.to_dict())


def test_contents_are_written_as_the_chat_endpoint_takes_them() -> None:
    """Parts of the published input become parts of a chat message, templates filled in."""
    parts = [
        {"type": "input_text", "text": "Rate {{sample.output_text}}"},
        {"type": "input_image", "image_url": "{{item.label}}", "detail": "low"},
        {"type": "input_audio", "input_audio": {"data": "", "format": "wav"}},
    ]
    judge = Judge(lambda _: {"score": 0.5})
    grader = ScoreModel(name="n", model="m", input=[{"role": "user", "content": parts}])
    grade_all(grader, ["it"], [{"label": "https://x/y.png"}], asker=judge)

    assert judge.requests[0].messages[0]["content"] == [
        {"type": "text", "text": "Rate it"},
        {"type": "image_url", "image_url": {"url": "https://x/y.png", "detail": "low"}},
        parts[2],
    ]


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("Four stars!", "was asked for JSON and wrote 'Four stars!'"),
        ({"score": "4"}, "gave no number"),
        ({"score": True}, "gave no number"),
        ({"score": 9}, "gave 9, outside 1 to 5"),
    ],
)
def test_unreadable_judgements_lose_their_row_alone(answer: object, reason: str) -> None:
    """A row whose judgement cannot be read is left out of the figures and listed with the reason."""
    judge = Judge(lambda text: {"score": 3} if "good" in text else answer)
    grading = grade_all(SCORE, ["good", "poor"], ROWS, asker=judge)

    assert grading.scores == (3,)
    assert list(grading.faults) == [1]
    assert reason in str(grading.faults[1])
    assert reason[:20] in str(grading)


def test_failed_calls_lose_their_row_alone_unless_all_fail() -> None:
    """One failed call is a fault of its row; where every call fails, the cause is raised."""

    def flaky(request: ModelRequest) -> str:
        if "poor" in str(request.messages):
            raise ConnectionError("no route")
        return '{"score": 3}'

    assert grade_all(SCORE, ["good", "poor"], ROWS, asker=flaky).faults[1].code == "model_failed"
    with pytest.raises(
        GraderError, match=r"none of 2 answers.*ConnectionError: no route"
    ) as caught:
        grade_all(SCORE, ["poor", "poor"], ROWS, asker=flaky)
    assert isinstance(caught.value.__cause__, ConnectionError)


def test_asynchronous_askers_are_awaited_several_at_a_time() -> None:
    """The asynchronous face asks at most `at_once` at a time, and gives what the blocking one gives."""
    running = peak = 0

    async def ask(request: ModelRequest) -> str:
        nonlocal running, peak
        running += 1
        peak = max(peak, running)
        for _ in range(3):
            await asyncio.sleep(0)
        running -= 1
        return json.dumps({"score": 1 + len(str(request.messages[0]["content"])) % 5})

    samples, rows = ["x" * n for n in range(9)], [{"label": "y"}] * 9
    found = asyncio.run(grade_all_async(SCORE, samples, rows, asker=ask, at_once=4))

    assert peak == 4
    assert found == grade_all(
        SCORE, samples, rows, asker=Judge(lambda text: {"score": 1 + len(text) % 5})
    )


def test_blocking_askers_are_called_several_at_a_time() -> None:
    """The blocking face calls from threads: two calls meet at a barrier that one alone would not pass."""
    barrier = threading.Barrier(2, timeout=10)

    def ask(_: ModelRequest) -> str:
        barrier.wait()
        return '{"score": 2}'

    assert grade_all(SCORE, ["a", "b"], ROWS, asker=ask, at_once=2).scores == (2, 2)


def test_what_a_grader_needs_is_asked_for_before_anything_runs() -> None:
    """Without an asker, or leave to run a program, nothing runs; the error says what to pass."""
    multi = MultiGrader(
        name="both",
        graders=[SCORE, PythonGrader(name="code", source="def grade(s, i): return 1.0")],
        calculate_output="rating + code",
    )
    judge = Judge(lambda _: {"score": 1})

    with pytest.raises(GraderError, match="asks a model; give grade_all or equip asker="):
        grade_all(multi, ["a"], [{"label": "x"}], allow_python=True)
    with pytest.raises(GraderError, match="allow_python=True"):
        grade_all(multi, ["a"], [{"label": "x"}], asker=judge)
    with pytest.raises(GraderError, match="asks a model"):
        multi.grade(Sample("a"), Item("", {"label": "x"}))
    with pytest.raises(GraderError, match="asks a model"):
        equip(LABEL)
    with pytest.raises(ValueError, match="at_once must be at least 1"):
        grade_all(SCORE, ["a"], [{"label": "x"}], asker=judge, at_once=0)
    assert judge.requests == []


def test_multi_joins_all_kinds_of_graders() -> None:
    """Scores of parts go into the formula, by the names of the mapping; a part that fails fails the row."""
    parts: dict[str, StringCheck | ScoreModel | PythonGrader] = {
        "exact": StringCheck.from_dict(string_check()),
        "rating": SCORE,
        "length": PythonGrader(
            name="other", source="def grade(s, i): return 1 / len(s['output_text'])"
        ),
    }
    multi = MultiGrader(
        name="all", graders=parts, calculate_output="(exact + (rating - 1) / 4 + length) / 3"
    )
    judge = Judge(lambda _: {"score": 5})
    grading = grade_all(
        multi, ["x", "ab", ""], [{"label": "x"}] * 3, asker=judge, allow_python=True
    )

    assert grading.scores == (1, 0.5)
    assert grading.grades[1] is not None
    assert grading.grades[1].reason == "exact 0, rating 5, length 0.5"
    assert grading.grades[1].parts == {"exact": 0, "rating": 5, "length": 0.5}
    assert str(grading.faults[2]).startswith("length: 'other' gave no grade")
    assert "ZeroDivisionError" in str(grading.faults[2])


def test_a_division_by_zero_is_the_rows_fault() -> None:
    """A formula without a value leaves its row out and says why."""
    multi = parse_grader(joined([string_check()], "list") | {"calculate_output": "1 / label"})

    assert grade_all(multi, ["x", "x"], ROWS).faults[1].code == "formula_failed"


def chat(n: int) -> list[dict[str, object]]:
    """Rows that end in a reference answer."""
    return [
        {
            "label": "x",
            "messages": [
                {"role": "user", "content": f"q{number}"},
                {"role": "assistant", "content": "x"},
            ],
        }
        for number in range(n)
    ]


def test_published_graders_serve_comparisons() -> None:
    """A pure grader goes into `compare` as it is; one that asks goes in equipped, and asks once an answer."""
    answers = {
        "base": [Answer(text="y")] * 6 + [Answer(error="late")],
        "tuned": [Answer(text="x")] * 7,
    }
    judge = Judge(lambda text: {"label": "kind" if "Rate x" in text else "rude"})
    pure: PublishedGrader = parse_grader(joined([string_check()], "mapping"))

    by_check = compare(chat(7), answers, baseline="base", grader=pure)
    by_model = compare(chat(7), answers, baseline="base", grader=equip(LABEL, asker=judge))

    assert by_check.candidates["tuned"].mean_score == 0.5
    assert by_model.candidates["tuned"].right == 7
    assert by_model.candidates["base"].right == 0
    assert len(judge.requests) == 13
    with pytest.raises(GraderError, match="'tone' asks a model"):
        compare(chat(7), answers, baseline="base", grader=LABEL)
    with pytest.raises(DatasetError, match="'tone' asks a model"):
        comparable(chat(7), grader=LABEL)
    comparable(chat(7), grader=equip(LABEL, asker=judge))
    with pytest.raises(DatasetError, match="has no value in any row"):
        comparable([{"messages": chat(1)[0]["messages"]}], grader=equip(LABEL, asker=judge))
    assert len(judge.requests) == 13


def test_judgements_that_fail_do_not_sink_a_comparison() -> None:
    """An answer that could not be judged counts as wrong with a warning; the others are kept."""
    source = "def grade(sample, item): return {'x': 1.0, 'y': -1.0}[sample['output_text']]"
    grader = equip(PythonGrader(name="code", source=source), allow_python=True)
    answers = {
        "base": [Answer(text="y")] * 30,
        "tuned": [Answer(text="x")] * 28 + [Answer(text="?"), Answer(text="y")],
    }
    found = compare(chat(30), answers, baseline="base", grader=grader)
    grade = found.candidates["tuned"].grades[28]

    assert (grade.score, grade.passed, grade.fault) == (0, False, "python_failed")
    assert "KeyError: '?'" in grade.reason
    assert "1 of 30 answers of 'tuned' could not be judged (row 28)" in str(found.warnings)
    assert "better than the worst answer" in str(found.warnings)
    assert found.candidates["tuned"].mean_score == pytest.approx((28 - 1) / 30)
    with pytest.raises(GraderError, match="KeyError"):
        compare(chat(2), {"base": [Answer(text="?")] * 2}, baseline="base", grader=grader)


def test_an_asynchronous_asker_needs_the_asynchronous_face() -> None:
    """Passed to the blocking face, it is refused with the name of the other, and nothing is left pending."""

    async def ask(_: ModelRequest) -> str:
        return '{"score": 1}'

    with pytest.raises(TypeError, match="ends in _async"):
        grade_all(SCORE, ["a"], [{"label": "x"}], asker=ask)


def test_templates_are_checked_before_anything_runs() -> None:
    """Unknown names get a guess, rows that lack a field are named, and no call is made."""
    judge = Judge(lambda _: {"score": 1})
    multi = MultiGrader(
        name="all",
        graders={
            "a": SCORE,
            "b": StringCheck(
                name="check",
                input="{{sample.output_txt}}{{row.label}}{{item}}",
                reference="{{item.lable}}{{item.extra}}",
                operation="eq",
            ),
        },
        calculate_output="a + b",
    )
    rows: list[dict[str, object]] = [{"label": "x"}, {"extra": 1, "label": "y"}, {"extra": 2}]
    found = {problem.variable: problem for problem in check_templates(multi, rows).problems}

    assert found["{{item.label}}"].rows == (2,)
    assert found["{{item.label}}"].grader == "rating"
    assert found["{{item.extra}}"].rows == (0,)
    assert "Add it to row 0, counted from 0" in found["{{item.extra}}"].fix
    assert found["{{item.lable}}"].fix == "Did you mean 'label'?"
    assert found["{{sample.output_txt}}"].fix == "Did you mean 'output_text'?"
    assert "Begin with item or sample" in found["{{row.label}}"].fix
    assert "names no field" in found["{{item}}"].message
    with pytest.raises(DatasetError, match="6 template variables cannot be filled in") as caught:
        grade_all(multi, ["a"] * 3, rows, asker=judge)
    assert len(caught.value.problems) == 6
    assert judge.requests == []


def test_output_json_needs_a_response_format() -> None:
    """Where nothing makes the model write JSON, a template that needs it is a problem."""
    grader = StringCheck(name="n", input="{{sample.output_json.a}}", reference="1", operation="eq")
    report = check_templates(grader, [{}])

    assert not report.ok
    assert "Pass response_format=" in str(report)
    assert check_templates(grader, [{}], response_format={"type": "json_object"}).ok
    assert json.loads(json.dumps(report.to_dict()))["problems"][0]["grader"] == "n"
    assert "every template variable has a value in 1 row" in str(
        check_templates(grader, [{}], response_format={"type": "json_object"})
    )


def test_answers_and_rows_must_fit() -> None:
    """No rows, or not one answer per row, is refused."""
    grader = StringCheck.from_dict(string_check())
    with pytest.raises(DatasetError, match="no rows to grade"):
        grade_all(grader, [], [])
    with pytest.raises(DatasetError, match="1 answer for 2 rows"):
        grade_all(grader, ["x"], ROWS)


def test_a_missing_extra_names_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without its library a metric says what to install, and the grader can still be read and written."""
    monkeypatch.setitem(__import__("sys").modules, "rapidfuzz", None)
    monkeypatch.setitem(__import__("sys").modules, "rapidfuzz.fuzz", None)

    with pytest.raises(MissingExtraError, match=r"pip install 'gpt4o-tune\[graders\]'"):
        similarity("fuzzy_match", "a", "b")


def test_graders_that_need_nothing_judge_by_themselves() -> None:
    """A multi grader of pure parts is a grader as it stands; an equipped one judges one at a time as well."""
    multi = parse_grader(joined([string_check()], "mapping"))
    item = Item("", {"label": "x"})
    equipped = equip(SCORE, asker=Judge(lambda text: {"score": 4} if "Rate x" in text else "?"))

    assert multi.grade(Sample("x"), item).score == 0.5
    assert equipped.grade(Sample("x"), item).score == 4
    with pytest.raises(GraderError, match="was asked for JSON"):
        equipped.grade(Sample("y"), item)
    with pytest.raises(GraderError, match=r"\{\{item.label\}\} has no value in this row"):
        multi.grade(Sample("x"), Item("", {}))


def test_samples_come_from_messages() -> None:
    """An assistant's message gives text and calls; python graders and templates see them by name."""
    call = {"id": "c", "type": "function", "function": {"name": "track", "arguments": "{}"}}
    sample = Sample.from_message({"role": "assistant", "content": None, "tool_calls": [call]})

    assert (sample.output_text, list(sample.output_tools)) == ("", [call])
    assert sample.to_dict() == {
        "output_text": "",
        "output_tools": [call],
        "choices": [
            {"index": 0, "message": {"role": "assistant", "content": None, "tool_calls": [call]}}
        ],
    }
    assert Sample("[1]").output_json == [1]
    assert Sample("one").output_json is None


@pytest.mark.parametrize(
    ("blocking", "suspending"), [(grade_all, grade_all_async), (judge_pairs, judge_pairs_async)]
)
def test_twin_faces_have_one_signature(
    blocking: Callable[..., object], suspending: Callable[..., object]
) -> None:
    """A verb and its asynchronous face take the same arguments."""
    assert inspect.signature(blocking).parameters == inspect.signature(suspending).parameters
    assert (inspect.getdoc(suspending) or "").startswith("As `")
