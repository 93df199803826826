"""`evaluate`, `compare`, checkpoints and the guard, on the real local server and on both faces."""

from __future__ import annotations

import asyncio
import dataclasses
import inspect
import json
from typing import TYPE_CHECKING

import pytest

import gpt4o_tune
from gpt4o_tune import (
    CustomModel,
    Dataset,
    DatasetError,
    ExactMatch,
    FewShot,
    FineTuneJob,
    GraderError,
    Pipeline,
    Prompted,
    Retrieved,
)
from gpt4o_tune.evaluation import (
    AREAS,
    Item,
    Label,
    ProbeGrader,
    Regex,
    Sample,
    ScoreModel,
    forgetting,
    general_probe,
)
from tests.faults import FaultyProxy, Rule
from tests.rows import SYSTEM, TOPICS, routing_rows, row

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from gpt4o_tune import LocalServer, Provider

BASE = "gpt-4o-2024-08-06"
SHORT = {"max_tokens": 6}
TRAIN = Dataset.from_records(routing_rows(27))
UNSEEN = Dataset.from_records(
    {**row(f"Could you look at this, {text}?", label), "topic": label}
    for label, texts in TOPICS.items()
    for text in texts
)
WORDS = {word: label for label, texts in TOPICS.items() for text in texts for word in text.split()}


def by_words(messages: list[dict[str, object]]) -> str:
    """A pipeline without a model."""
    asked = str(messages[-1]["content"]).replace(",", " ").replace("?", " ").split()
    return next((WORDS[word] for word in reversed(asked) if word in WORDS), "none")


@pytest.fixture(scope="module")
def job(server: LocalServer) -> FineTuneJob:
    """One short training for the whole module."""
    job = FineTuneJob.create(
        TRAIN,
        provider=server.provider,
        suffix="short",
        hyperparameters={"n_epochs": 3, "batch_size": 9},
    )
    job.wait(timeout=120)
    return job


@pytest.fixture
def proxy(server: LocalServer) -> Iterator[FaultyProxy]:
    """Counts the requests."""
    with FaultyProxy(server.base_url) as running:
        yield running


@pytest.fixture
def place(server: LocalServer, proxy: FaultyProxy) -> Provider:
    """The server behind the proxy."""
    return dataclasses.replace(server.provider, base_url=proxy.base_url)


def asked(proxy: FaultyProxy) -> int:
    """How many chat calls there were."""
    return proxy.count("POST", "/chat/completions")


def test_every_candidate_answers_the_same_rows(proxy: FaultyProxy, place: Provider) -> None:
    """Plain, prompted, with examples, with retrieved ones, and any function; each sends what it says."""
    candidates = [
        BASE,
        Prompted(BASE, system="Say one word."),
        FewShot(BASE, examples=TRAIN, k=2),
        Retrieved(BASE, examples=TRAIN, k=2),
        by_words,
    ]

    found = gpt4o_tune.compare(
        candidates, UNSEEN, [Label(), Regex("^[a-z]+$")], provider=place, **SHORT
    )

    names = [BASE, f"{BASE} + prompt", f"{BASE} + 2 examples", f"{BASE} + 2 retrieved", "by_words"]
    assert list(found.candidates) == names
    assert found.baseline == BASE
    assert found.candidates["by_words"].accuracy == 1.0
    assert found.comparisons["label"].differences["by_words"].outcome == "better"
    assert asked(proxy) == 4 * len(UNSEEN)
    tokens = [found.candidates[name].prompt_tokens or 0 for name in names[:4]]
    assert tokens[2] > tokens[0] + 9 * 20
    assert tokens[3] > tokens[0] + 9 * 20
    sent = [json.loads(body)["messages"] for body in proxy.bodies]
    assert sum(each[0]["content"] == "Say one word." for each in sent) == len(UNSEEN)
    assert [each["role"] for each in sent[-1]] == ["system", *["user", "assistant"] * 2, "user"]
    assert "2 examples" in found.descriptions[names[2]]


def test_retrieval_finds_the_rows_that_share_words() -> None:
    """The example most like the question stands last, and its answer is the one to follow."""
    shown = Retrieved(BASE, examples=TRAIN, k=3)

    messages = shown.messages([{"role": "user", "content": "somebody declined my card"}])

    assert messages[-2]["content"] == "billing"
    assert "my card was declined" in str(messages[-3]["content"])
    assert messages[-1]["content"] == "somebody declined my card"


def test_fixed_examples_are_drawn_by_seed() -> None:
    """Equal seeds show equal examples; another seed shows others; a given system prompt replaces that of rows."""
    prompt = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": "hi"}]
    first = FewShot(BASE, examples=TRAIN, k=4).messages(prompt)

    assert first == FewShot(BASE, examples=TRAIN, k=4).messages(prompt)
    assert first != FewShot(BASE, examples=TRAIN, k=4, seed=1).messages(prompt)
    assert len(first) == 2 + 2 * 4
    other = FewShot(BASE, examples=TRAIN, k=4, system="Other.").messages(prompt)
    assert [each["content"] for each in other if each["role"] == "system"] == ["Other."]
    with pytest.raises(ValueError, match="at least 1"):
        FewShot(BASE, examples=TRAIN, k=0)


def test_examples_never_give_an_answer_away(place: Provider) -> None:
    """An example that is an evaluated row, or nearly, is left out and said so."""
    held_out = Dataset.from_records(routing_rows(27)[:5])
    shown = Retrieved(BASE, examples=TRAIN, k=1).without(held_out)

    assert shown.left_out >= 5
    for kept in shown.examples.records():
        assert kept not in list(held_out.records())
    found = gpt4o_tune.evaluate(
        Retrieved(BASE, examples=TRAIN, k=1), held_out, provider=place, **SHORT
    )
    assert "like an evaluated row left out" in found.descriptions[f"{BASE} + 1 retrieved"]
    with pytest.raises(DatasetError, match="shown the answers"):
        FewShot(BASE, examples=held_out, k=1).without(held_out)


def test_rows_of_the_training_set_are_refused(place: Provider, proxy: FaultyProxy) -> None:
    """Before anything is asked; what a model knows of its own training counts too."""
    tuned = CustomModel(BASE, provider=place, trained_on=TRAIN)

    with pytest.raises(DatasetError, match="training set"):
        gpt4o_tune.evaluate(BASE, TRAIN, provider=place, trained_on=TRAIN)
    with pytest.raises(DatasetError, match="training set"):
        gpt4o_tune.evaluate(tuned, TRAIN.select(range(3)))
    assert asked(proxy) == 0
    found = gpt4o_tune.evaluate(tuned, TRAIN.select(range(3)), allow_seen=True, **SHORT)
    assert found.lead.seen == dict.fromkeys(range(3), "exact")


def test_a_cache_asks_nothing_twice(place: Provider, proxy: FaultyProxy, tmp_path: Path) -> None:
    """A second run asks nothing and says the same; calls that failed are asked again, and torn lines."""
    file = tmp_path / "answers.jsonl"
    proxy.rules.append(Rule("POST", "/chat/completions", ["404", "404"]))

    def run() -> gpt4o_tune.Evaluation:
        return gpt4o_tune.compare(
            [BASE, Pipeline(by_words, name="rules", version="1")],
            UNSEEN,
            provider=place,
            cache=file,
            at_once=1,
            **SHORT,
        )

    first = run()
    assert (len(first.candidates[BASE].failed), asked(proxy)) == (2, 9)
    second = run()
    assert (len(second.candidates[BASE].failed), asked(proxy)) == (0, 11)
    assert run().to_dict() == second.to_dict()
    assert asked(proxy) == 11

    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(b"".join(lines[:-1]) + lines[-1][:40])
    with_torn_line = run()
    assert asked(proxy) == 12
    assert with_torn_line.verdict == second.verdict
    gpt4o_tune.evaluate(BASE, UNSEEN, provider=place, cache=file, max_tokens=5)
    assert asked(proxy) == 21


@pytest.mark.parametrize(
    "content", [b"a,b\n1,2\n", b'{"messages": []}\n', b'{"key": "x", "other": 1}\n']
)
def test_a_file_that_is_no_cache_is_left_alone(tmp_path: Path, content: bytes) -> None:
    """Answers are never written into a file that holds something else, such as the training rows."""
    file = tmp_path / "train.jsonl"
    file.write_bytes(content)

    with pytest.raises(DatasetError, match="something else"):
        gpt4o_tune.evaluate(by_words, UNSEEN, cache=file)
    assert file.read_bytes() == content


def test_an_interrupted_run_goes_on(place: Provider, proxy: FaultyProxy, tmp_path: Path) -> None:
    """What was answered before Ctrl-C is not asked again."""
    file = tmp_path / "answers.jsonl"

    def interrupted(messages: list[dict[str, object]]) -> str:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        gpt4o_tune.compare([BASE, interrupted], UNSEEN, provider=place, cache=file, **SHORT)
    assert asked(proxy) == 9
    gpt4o_tune.compare([BASE, by_words], UNSEEN, provider=place, cache=file, **SHORT)
    assert asked(proxy) == 9


def test_a_pipeline_that_raises_costs_its_row_alone() -> None:
    """The error is in the row's place; nothing needs a provider where no model is asked."""

    def fragile(messages: list[dict[str, object]]) -> str:
        if "card" in str(messages):
            raise RuntimeError("no card")
        return by_words(messages)

    found = gpt4o_tune.compare(
        [by_words, Pipeline(fragile, name="fragile", usd_per_call=0.01)], UNSEEN
    )

    assert list(found.lead.failures["fragile"].values()) == ["RuntimeError: no card"]
    assert found.candidates["fragile"].usd_per_1000_calls is not None


def test_errors_are_clustered_by_a_key() -> None:
    """Rows of a group are named by a key of the rows or by a function of a row."""
    by_key = gpt4o_tune.evaluate(by_words, UNSEEN, by="topic")
    by_function = gpt4o_tune.evaluate(by_words, UNSEEN, by=lambda each: each.model_extra["topic"])

    assert by_key.lead.groups == by_function.lead.groups
    assert len(set(by_key.lead.groups or ())) == 3
    with pytest.raises(DatasetError, match="topics"):
        gpt4o_tune.evaluate(by_words, UNSEEN, by="topics")


def test_a_judge_is_asked_where_the_model_is(
    place: Provider, proxy: FaultyProxy, tmp_path: Path
) -> None:
    """A grader that needs a model asks the provider given, and its judgements are kept too."""
    judge = ScoreModel(
        name="judge", model=BASE, input=[{"role": "user", "content": "{{sample.output_text}}"}]
    )
    answer = {
        "id": "c", "object": "chat.completion", "created": 1, "model": BASE,
        "choices": [{"index": 0, "finish_reason": "stop",
                     "message": {"role": "assistant", "content": '{"score": 0.5, "reason": ""}'}}],
    }  # fmt: skip
    body = json.dumps(answer).encode()
    proxy.rules.append(Rule("POST", "/chat/completions", ["answer"] * 9, answer=body))
    file = tmp_path / "judged.jsonl"

    first = gpt4o_tune.evaluate(by_words, UNSEEN, judge, judge=place, cache=file)
    again = gpt4o_tune.evaluate(by_words, UNSEEN, judge, judge=place, cache=file)

    assert first.lead.candidates["by_words"].mean_score == 0.5
    assert asked(proxy) <= 9
    assert again.lead.candidates["by_words"].mean_score == 0.5
    with pytest.raises(GraderError, match="asks a model"):
        gpt4o_tune.evaluate(by_words, UNSEEN, judge)


def test_the_asynchronous_faces_give_the_same(server: LocalServer) -> None:
    """Models, functions of both kinds and graders, without blocking."""

    async def gentle(messages: list[dict[str, object]]) -> str:
        await asyncio.sleep(0)
        return by_words(messages)

    async def both() -> list[list[str | None]]:
        found = await gpt4o_tune.compare_async(
            [BASE, by_words, Pipeline(gentle, name="gentle")],
            UNSEEN,
            provider=server.provider,
            **SHORT,
        )
        alone = await gpt4o_tune.evaluate_async(BASE, UNSEEN, provider=server.provider, **SHORT)
        await server.provider.close_async()
        every = [*found.candidates.values(), *alone.candidates.values()]
        return [[answer.text for answer in each.answers] for each in every]

    base, function, coroutine, alone = asyncio.run(both())
    blocking = gpt4o_tune.compare([BASE, by_words], UNSEEN, provider=server.provider, **SHORT)

    assert base == alone == [each.text for each in blocking.candidates[BASE].answers]
    assert function == coroutine == [each.text for each in blocking.candidates["by_words"].answers]
    with pytest.raises(TypeError, match="_async"):
        gpt4o_tune.evaluate(gentle, UNSEEN)


@pytest.mark.parametrize(
    ("candidates", "options", "words"),
    [
        ([], {}, "no candidates"),
        ([by_words, by_words], {}, "two candidates"),
        ([lambda messages: ""], {}, "has no name"),
        ([by_words], {"baseline": "other"}, "not among"),
        ([by_words], {"at_once": 0}, "at least 1"),
    ],
)
def test_candidates_must_make_sense(
    candidates: list[object], options: dict[str, object], words: str
) -> None:
    """Faults are found before anything is asked."""
    with pytest.raises(ValueError, match=words):
        gpt4o_tune.compare(candidates, UNSEEN, **options)  # type: ignore[arg-type]  # wrong on purpose


def test_checkpoints_are_ranked(job: FineTuneJob) -> None:
    """All checkpoints of a job on the same rows; of those that tie, the earliest is to be used."""
    found = gpt4o_tune.evaluate_checkpoints(job, UNSEEN, ExactMatch(), **SHORT)
    names = [each.name for each in job.checkpoints()]

    assert set(found.ranked) == set(names)
    assert set(found.steps.values()) == {each.step for each in job.checkpoints()}
    assert found.best in found.tied
    assert found.steps[found.best] == min(found.steps[name] for name in found.tied)
    assert found.best in str(found)
    assert json.loads(json.dumps(found.to_dict()))["best"] == found.best

    async def by_name() -> list[str]:
        ranking = await gpt4o_tune.evaluate_checkpoints_async(
            names, UNSEEN, ExactMatch(), provider=job.provider, **SHORT
        )
        await job.provider.close_async()
        return [ranking.best, *ranking.ranked]

    assert set(asyncio.run(by_name())) == set(names)
    with pytest.raises(ValueError, match="no checkpoints"):
        gpt4o_tune.evaluate_checkpoints([], UNSEEN)


@pytest.mark.parametrize(
    ("name", "positional"),
    [
        ("compare", ["candidates", "dataset", "graders"]),
        ("evaluate", ["model", "dataset", "graders"]),
        ("evaluate_checkpoints", ["checkpoints", "dataset", "graders"]),
        ("guard", ["model"]),
    ],
)
def test_the_faces_take_the_same_arguments(name: str, positional: list[str]) -> None:
    """Both faces of each function have one signature, keyword-only behind the obvious arguments."""
    blocking = inspect.signature(getattr(gpt4o_tune, name))
    suspending = inspect.signature(getattr(gpt4o_tune, f"{name}_async"))
    kinds = blocking.parameters.values()

    assert blocking.parameters == suspending.parameters
    assert [p.name for p in kinds if p.kind is p.POSITIONAL_OR_KEYWORD] == positional
    assert str(inspect.getdoc(getattr(gpt4o_tune, f"{name}_async"))).startswith(f"As `{name}`")


@pytest.mark.parametrize("probe", list(general_probe().records()), ids=lambda row: row["area"])
def test_every_probe_tells_right_from_wrong(probe: dict[str, object]) -> None:
    """The reference answer of a probe passes its checks, and the wrong answer beside it does not."""
    item = Item.from_row(probe)

    assert ProbeGrader().grade(Sample(item.reference), item).passed
    assert not ProbeGrader().grade(Sample(str(probe["wrong"])), item).passed
    assert probe["area"] in AREAS


def test_forgetting_is_reported_by_area() -> None:
    """A model that answers everything with a label has lost every area; one that answers all has lost none."""
    references = {
        str(each["messages"][0]["content"]): str(each["messages"][-1]["content"])  # type: ignore[index]  # our rows
        for each in general_probe().records()
    }

    def base(messages: list[dict[str, object]]) -> str:
        return references[str(messages[-1]["content"])]

    def narrow(messages: list[dict[str, object]]) -> str:
        return "delivery"

    found = gpt4o_tune.compare([base, narrow], general_probe(), ProbeGrader())
    areas = [str(each["area"]) for each in general_probe().records()]
    report = forgetting(found.lead, areas)

    assert not report.ok
    assert set(report.forgotten) == set(AREAS)
    assert "has forgotten" in report.summary
    assert "mix(general" in report.summary
    same = forgetting(
        gpt4o_tune.compare(
            [base, Pipeline(base, name="same")], general_probe(), ProbeGrader()
        ).lead,
        areas,
    )
    assert same.ok
    assert "No forgetting can be shown" in same.summary
    assert json.loads(json.dumps(report.to_dict()))["ok"] is False
    assert max(map(len, str(report).splitlines())) <= 100


def test_the_guard_asks_both_models(job: FineTuneJob, server: LocalServer) -> None:
    """A custom model and its base are asked the probe, on both faces."""
    tuned = CustomModel(str(job.fine_tuned_model), provider=server.provider)
    few = general_probe().select(range(0, 72, 9))

    report = gpt4o_tune.guard(tuned, against=BASE, probe=few, **SHORT)

    async def suspending() -> str:
        found = await gpt4o_tune.guard_async(tuned, against=BASE, probe=few, **SHORT)
        await server.provider.close_async()
        return found.summary

    assert (report.model, report.base) == (tuned.name, BASE)
    assert sum(area.rows for area in report.areas.values()) == len(few)
    assert asyncio.run(suspending()) == report.summary
