"""Plans: everything that can be checked is checked before anything is sent."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from gpt4o_tune import (
    BudgetError,
    Dataset,
    DatasetError,
    FineTuneJob,
    ModelRetiredError,
    Provider,
    ProviderError,
)
from tests.conftest import VirtualClock
from tests.rows import routing_rows, row

if TYPE_CHECKING:
    from collections.abc import Mapping

ROWS = Dataset.from_records(routing_rows())
BEFORE_THE_END = VirtualClock(today=dt.date(2026, 11, 23))
OPENAI = replace(Provider.openai(api_key="sk-never-sent"), clock=BEFORE_THE_END)


def test_a_plan_prices_the_job_and_sends_nothing() -> None:
    """The estimate stands in the plan; the key and address are never used."""
    plan = FineTuneJob.plan(ROWS, provider=OPENAI, hyperparameters={"n_epochs": 3})

    assert plan.estimate == ROWS.cost(epochs=3)
    assert plan.estimate.usd
    assert "54 rows" in str(plan)
    assert "n_epochs 3" in str(plan)


def test_equal_plans_have_equal_fingerprints_and_no_others() -> None:
    """Data and every setting count; where the rows came from does not."""

    def fingerprint(rows: Dataset = ROWS, **settings: object) -> str:
        return FineTuneJob.plan(rows, provider=OPENAI, **settings).fingerprint  # type: ignore[arg-type]

    same = {fingerprint(), fingerprint(Dataset.from_records(routing_rows()))}
    different = {
        fingerprint(ROWS[:50]),
        fingerprint(validation=ROWS[:5]),
        fingerprint(suffix="a"),
        fingerprint(seed=1),
        fingerprint(model="gpt-4o-mini-2024-07-18"),
        fingerprint(hyperparameters={"n_epochs": 3}),
    }

    assert len(same) == 1
    assert len(different - same) == 6


def test_hyperparameters_stand_where_the_service_looks() -> None:
    """OpenAI nests them in the method; a profile can put them at the top level."""
    nested = FineTuneJob.plan(ROWS, provider=OPENAI, hyperparameters={"n_epochs": 2})
    flat_profile = replace(OPENAI.profile, hyperparameters_in="request", keeps_metadata=False)
    flat = FineTuneJob.plan(
        ROWS, provider=replace(OPENAI, profile=flat_profile), hyperparameters={"n_epochs": 2}
    )

    assert nested.request("file-1", None)["method"] == {
        "type": "supervised",
        "supervised": {"hyperparameters": {"n_epochs": 2}},
    }
    assert flat.request("file-1", "file-2") == {
        "model": "gpt-4o-2024-08-06",
        "training_file": "file-1",
        "validation_file": "file-2",
        "hyperparameters": {"n_epochs": 2},
    }


def test_a_budget_below_the_estimate_stops_the_launch() -> None:
    """The error carries both amounts and says that nothing was started."""
    with pytest.raises(BudgetError, match="nothing was uploaded or started") as caught:
        FineTuneJob.create(ROWS, provider=OPENAI, budget_usd=0.0001)

    assert caught.value.estimate_usd > caught.value.budget_usd == 0.0001


def test_a_budget_without_a_known_price_is_refused() -> None:
    """A ceiling that cannot be held is not silently dropped."""
    unknown = replace(OPENAI, kind="compatible")

    with pytest.raises(ProviderError, match="cannot be held"):
        FineTuneJob.plan(ROWS, provider=unknown, budget_usd=5)


@pytest.mark.parametrize(
    ("settings", "error", "words"),
    [
        ({"model": "gpt-4oo"}, ProviderError, "gpt-4o"),
        ({"model": "gpt-4o-2024-05-13"}, (ModelRetiredError, ProviderError), "2024-08-06"),
        ({"model": "gpt-3.5-turbo-0125"}, ModelRetiredError, "2026-10-23"),
        ({"hyperparameters": {"n_epochs": 51}}, ValueError, "1 to 50"),
        ({"hyperparameters": {"beta": 0.1}}, ValueError, "dpo"),
        ({"suffix": ""}, ValueError, "1 to 64"),
        ({"suffix": "x" * 65}, ValueError, "1 to 64"),
        ({"suffix": "no spaces"}, ValueError, "no spaces"),
        ({"seed": -1}, ValueError, "seed"),
        ({"seed": 2**31}, ValueError, "seed"),
    ],
)
def test_bad_settings_are_refused_before_any_request(
    settings: Mapping[str, object], error: type[Exception], words: str
) -> None:
    """Each fault is named with what would be right."""
    with pytest.raises(error, match=words):
        FineTuneJob.plan(ROWS, provider=OPENAI, **settings)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("today", "words"), [("2026-12-20", "2027-01-14"), ("2027-01-07", "2027-01-06")]
)
def test_a_model_near_or_past_its_end_is_refused_with_dates(today: str, words: str) -> None:
    """Fine-tunes that go dark within the margin are not worth paying for unless asked for."""
    late = replace(OPENAI, clock=VirtualClock(today=dt.date.fromisoformat(today)))

    with pytest.raises(ModelRetiredError, match=words):
        FineTuneJob.plan(ROWS, provider=late)


def test_the_margin_can_be_lifted() -> None:
    """Who wants the model for its last days says so."""
    late = replace(OPENAI, clock=VirtualClock(today=dt.date(2026, 12, 20)))

    plan = FineTuneJob.plan(ROWS, provider=late, margin_days=0)

    assert any("2027-01-14" in warning for warning in plan.warnings)


def test_contaminated_validation_is_pointed_out(caplog: pytest.LogCaptureFixture) -> None:
    """Validation rows that also stand in training are counted in a warning."""
    plan = FineTuneJob.plan(ROWS, ROWS[:5], provider=OPENAI)

    assert any("5 validation rows of 5" in warning for warning in plan.warnings)
    assert "drop them" in caplog.text


def test_validation_in_another_format_is_refused() -> None:
    """Training and validation rows must be of one kind."""
    pair = {
        "input": {"messages": [{"role": "user", "content": "hello"}]},
        "preferred_output": [{"role": "assistant", "content": "a"}],
        "non_preferred_output": [{"role": "assistant", "content": "b"}],
    }

    with pytest.raises(DatasetError, match="both must be in one"):
        FineTuneJob.plan(ROWS, Dataset.from_records([pair] * 10), provider=OPENAI)


def test_a_small_validation_set_is_fine_but_a_broken_one_is_not() -> None:
    """The minimum number of examples is a rule for training rows; all others hold for both."""
    unseen = Dataset.from_records([row("Where can I see my bonus points?", "account")])
    broken = Dataset.from_records([{"messages": [{"role": "user", "content": "no answer"}]}])

    assert FineTuneJob.plan(ROWS, unseen, provider=OPENAI).warnings is not None
    with pytest.raises(DatasetError, match="assistant"):
        FineTuneJob.plan(ROWS, broken, provider=OPENAI)


def test_the_system_prompt_travels_only_if_all_rows_share_it() -> None:
    """Rows with different prompts have none in common."""
    mixed = Dataset.from_records([*routing_rows(20), row("hello", "account", system="Other.")])

    assert FineTuneJob.plan(ROWS, provider=OPENAI).system is not None
    assert FineTuneJob.plan(mixed, provider=OPENAI).system is None
