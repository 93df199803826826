"""Parity of two models: what agrees, what is as good, and which rule says so."""

from __future__ import annotations

import asyncio
import dataclasses
import datetime as dt
import json
from typing import TYPE_CHECKING

import pytest

from gpt4o_tune import CustomModel, Dataset, DatasetError, JsonMatch, Recording, parity
from gpt4o_tune.evaluation import RecordedAnswer, RecordedPrompt, TokenLogprob
from gpt4o_tune.inference import parity_async
from gpt4o_tune.testing import FakeService
from tests.rows import routing_rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gpt4o_tune import LocalServer


def recording(
    answers: Sequence[Sequence[str | RecordedAnswer]],
    *,
    references: Sequence[str] | None = None,
    model: str = "old",
) -> Recording:
    """Make a recording of given samples for each prompt."""
    prompts = tuple(
        RecordedPrompt(
            messages=({"role": "user", "content": f"question {row}"},),
            reference=None
            if references is None
            else {"role": "assistant", "content": references[row]},
            answers=tuple(
                each if isinstance(each, RecordedAnswer) else RecordedAnswer(text=each)
                for each in samples
            ),
        )
        for row, samples in enumerate(answers)
    )
    return Recording(
        model=model,
        provider="openai",
        base_url="https://api.openai.com/v1",
        recorded_at=dt.datetime(2026, 12, 1, tzinfo=dt.UTC),
        parameters={"temperature": 0},
        samples=len(answers[0]),
        prompts=prompts,
        library="0",
    )


def shares(found: object) -> dict[str, float]:
    """Give the agreements by respect."""
    return {each.respect: each.share for each in found.agreements}  # type: ignore[attr-defined]


def call(name: str, arguments: str, call_id: str) -> RecordedAnswer:
    """Make an answer that calls one tool."""
    function = {"name": name, "arguments": arguments}
    return RecordedAnswer(tool_calls=({"id": call_id, "type": "function", "function": function},))


def test_as_good_on_enough_rows_is_equivalent() -> None:
    """A hundred rows with two losses and two wins lie within ten points, and the rule is shown."""
    right = ["yes"] * 100
    old = recording([["no"]] * 2 + [["yes"]] * 98, references=right)
    new = recording([["yes"]] * 98 + [["no"]] * 2, references=right, model="new")

    found = parity(old, new, margin=0.1)

    assert (found.basis, found.outcome) == ("score", "equivalent")
    assert (found.old_score, found.new_score) == (0.98, 0.98)
    assert "two one-sided tests at 5%" in found.rule
    assert "within +/-10 points" in str(found)
    assert parity(old, new, margin=0.01).outcome == "not shown"


@pytest.mark.parametrize(("swapped", "outcome"), [(False, "worse"), (True, "better")])
def test_a_clear_difference_is_worse_or_better(swapped: bool, outcome: str) -> None:
    """A third of sixty rows lost is no matter of chance, and the lost rows come first."""
    right = ["yes"] * 60
    whole = recording([["yes"]] * 60, references=right)
    poor = recording([["yes"]] * 40 + [["no"]] * 20, references=right)

    found = parity(poor, whole) if swapped else parity(whole, poor)

    assert found.outcome == outcome
    assert [each.row for each in found.worst] == list(range(40, 60))
    assert found.worst[0].loss == (-1 if swapped else 1)


def test_too_few_rows_say_how_many_it_takes() -> None:
    """Twelve equal rows show nothing at five points."""
    old = recording([["yes"]] * 12, references=["yes"] * 12)

    found = parity(old, dataclasses.replace(old, model="new"))

    assert found.outcome == "not shown"
    assert "with 12 rows (need about 52)" in found.verdict
    assert any("few" in each for each in found.warnings)


def test_without_references_the_old_models_own_noise_is_the_measure() -> None:
    """A model that agrees with itself on half of the pairs cannot ask for more from another."""
    unsteady = recording([["a", "b", "b"], ["b", "a", "a"]] * 100)
    other = recording([["b", "a", "b"], ["a", "b", "a"]] * 100, model="new")

    found = parity(unsteady, other)

    own = next(each for each in found.agreements if each.respect == "in meaning")
    assert own.own_old == pytest.approx(1 / 3)
    assert own.share == pytest.approx(5 / 9)
    assert found.basis == "agreement beyond the old model's own"
    assert found.outcome == "equivalent"
    assert "no worse within 5 points" in found.verdict


def test_a_steady_model_shows_every_deviation() -> None:
    """The same disagreement is worse where the old model always says the same."""
    steady = recording([["a", "a"]] * 200)
    other = recording([["a", "a"]] * 160 + [["b", "b"]] * 40, model="new")

    found = parity(steady, other)

    assert found.outcome == "worse"
    assert len(found.worst) == 40


def test_bare_disagreement_is_never_called_worse() -> None:
    """With one sample and no reference nobody knows the noise; the warning says what to do."""
    found = parity(recording([["a"]] * 50), recording([["b"]] * 50, model="new"))

    assert (found.basis, found.outcome) == ("agreement", "not shown")
    assert any("samples=3" in each for each in found.warnings)


@pytest.mark.parametrize(
    ("old", "new", "letter", "meaning"),
    [
        ("Yes.", "yes", 0, 1),
        ("a  b\n", "A b", 0, 1),
        ('{"a": 1, "b": [2]}', '{"b":[2],"a":1}', 0, 1),
        ('{"a": 1}', '{"a": 2}', 0, 0),
        ("\ufb01t", "fit", 0, 1),
        ("!", "?", 0, 0),
        ("same", "same", 1, 1),
    ],
)
def test_what_counts_as_the_same(old: str, new: str, letter: int, meaning: int) -> None:
    """Capitals, white space, punctuation at the ends and the order of keys do not count."""
    found = shares(parity(recording([[old]]), recording([[new]], model="new")))

    assert (found["letter for letter"], found["in meaning"]) == (letter, meaning)


def test_tool_calls_agree_by_name_and_arguments() -> None:
    """Ids and the layout of arguments play no part; another argument does."""
    old = recording([[call("find", '{"id": 1}', "x")], [call("find", '{"id": 1}', "x")]])
    new = recording([[call("find", '{"id":1}', "y")], [call("find", '{"id":2}', "y")]], model="n")

    assert shares(parity(old, new))["tool calls"] == 0.5


def test_references_that_call_tools_are_graded_as_such() -> None:
    """An empty text is no right answer where a call was wanted."""
    wanted = call("find", '{"id": 1}', "x")
    base = recording([[wanted]] * 60)
    prompts = tuple(dataclasses.replace(p, reference=wanted.message) for p in base.prompts)
    old = dataclasses.replace(base, prompts=prompts)
    silent = tuple(dataclasses.replace(p, answers=(RecordedAnswer(text=""),)) for p in old.prompts)

    found = parity(old, dataclasses.replace(old, model="new", prompts=silent))

    assert (found.old_score, found.new_score) == (1, 0)


def test_refusals_and_kinds_are_compared() -> None:
    """A refusal in the service's own field and one in words are both refusals."""
    old = recording([[RecordedAnswer(refusal="No.")], ["I'm unable to help with that."], ["ok"]])
    new = recording([["I cannot help with that."], ["Sure."], ["ok"]], model="new")

    found = shares(parity(old, new))
    turned = parity(new, old)

    assert found["where either refuses"] == 0.5
    assert found["kind of answer"] == pytest.approx(2 / 3)
    assert any("refuses 1 prompt" in each and "(row 1)" in each for each in turned.warnings)


def test_logprobs_are_compared_along_common_tokens() -> None:
    """Up to the first token that differs; what comes after has another context."""
    ours = tuple(TokenLogprob(t, p) for t, p in (("a", -0.1), ("b", -0.5), ("c", -0.1)))
    theirs = tuple(TokenLogprob(t, p) for t, p in (("a", -0.3), ("b", -0.5), ("x", -9.0)))
    old = recording([[RecordedAnswer(text="abc", logprobs=ours)], ["no logprobs"]])
    new = recording([[RecordedAnswer(text="abx", logprobs=theirs)], ["none"]], model="new")

    found = parity(old, new).logprobs

    assert found is not None
    assert (found.rows, found.tokens) == (1, 2)
    assert found.share == pytest.approx(2 / 3)
    assert found.mean_difference == pytest.approx(0.1)


def test_failures_count_against_the_new_model_only() -> None:
    """What the old one did not answer is left out; what the new one did not answer is wrong."""
    right = ["yes"] * 3
    failed = RecordedAnswer(error="RateLimitError: slow down")
    old = recording([["yes"], ["yes"], [failed]], references=right)
    new = recording([["yes"], [failed], ["yes"]], references=right, model="new")

    found = parity(old, new)

    assert found.left_out == (2,)
    assert (found.old_score, found.new_score) == (1, 0.5)
    assert sum("failed on 1 prompt" in each for each in found.warnings) == 2


def test_equally_good_is_not_alike() -> None:
    """Two models that are wrong in different ways score alike; the warnings say what that hides."""
    right = ["yes"] * 200
    old = recording([["no"]] * 200, references=right)
    new = recording([["maybe"]] * 200, references=right, model="new")

    found = parity(old, new)

    assert found.outcome == "equivalent"
    assert any("Neither is right" in each for each in found.warnings)
    assert any("say the same on 0%" in each for each in found.warnings)


def test_other_prompts_cannot_be_compared() -> None:
    """Parity is row by row."""
    with pytest.raises(DatasetError, match=r"new_model\.record\(recording\)"):
        parity(recording([["a"]] * 2), recording([["a"]] * 3, model="new"))


def test_a_grader_needs_references() -> None:
    """It is refused, not ignored."""
    with pytest.raises(DatasetError, match="reference"):
        parity(recording([["a"]]), recording([["a"]], model="new"), grader=JsonMatch())


def test_nothing_answered_is_nothing_to_match() -> None:
    """A recording of failures alone says why."""
    failed = recording([[RecordedAnswer(error="NotFoundError: gone")]])

    with pytest.raises(DatasetError, match="NotFoundError: gone"):
        parity(failed, recording([["a"]], model="new"))


def test_a_parity_shows_itself_and_becomes_plain_values() -> None:
    """Within 100 columns, escaped in HTML, and as JSON with every row."""
    old = recording([["<b>yes</b>"]] * 5, references=["yes"] * 5)
    new = recording([["no " * 80]] * 5, references=["yes"] * 5, model="ft:new")

    found = parity(old, new)

    assert all(len(line) <= 100 for line in str(found).splitlines())
    assert "&lt;b&gt;yes" in found._repr_html_()
    assert "<b>" not in found._repr_html_()
    assert len(json.loads(json.dumps(found.to_dict()))["rows"]) == 5


def test_the_new_model_is_asked_as_the_old_one_was(server: LocalServer) -> None:
    """Same prompts, parameters and samples, on both faces, through models and recordings alike."""
    rows = Dataset.from_records(routing_rows(4))
    old, new = (
        CustomModel(name, provider=server.provider)
        for name in ("gpt-4o-2024-08-06", "gpt-4o-mini-2024-07-18")
    )
    kept = old.record(rows, samples=2, max_tokens=6)

    async def both() -> tuple[object, object]:
        try:
            return (
                (await parity_async(kept, new)).to_dict(),
                (await parity_async(old, new, rows)).outcome,
            )
        finally:
            await server.provider.close_async()

    found = parity(kept, new)
    asked, outcome = asyncio.run(both())

    assert {len(each.new.logprobs or ()) for each in found.rows} == {6}
    assert found.agreements[0].own_new == 1
    assert asked["agreements"] == found.to_dict()["agreements"]  # type: ignore[index]
    assert outcome == parity(old, new, kept).outcome == "not shown"
    with pytest.raises(ValueError, match="not of"):
        parity(new, old, kept)
    with pytest.raises(ValueError, match="pass what"):
        parity(old, new)
    with pytest.raises(ValueError, match="leave recorded out"):
        parity(kept, new, kept)


def test_prompts_that_the_new_model_learnt_are_named() -> None:
    """What it remembers is no proof of what it can do."""
    rows = Dataset.from_records(routing_rows(12))
    with FakeService() as service:
        old = CustomModel("gpt-4o-2024-08-06", provider=service.provider)
        new = CustomModel("gpt-4o-mini-2024-07-18", provider=service.provider, trained_on=rows[:4])

        found = parity(old.record(rows), new)

    assert any("4 prompts also stand among the rows" in each for each in found.warnings)
