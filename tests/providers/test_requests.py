"""What a create request may carry: settings per method and service, grader, integrations, metadata."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpt4o_tune import (
    Dataset,
    DatasetError,
    FineTuneJob,
    Hyperparameters,
    Provider,
    ProviderError,
)
from gpt4o_tune.jobs import WandbIntegration
from gpt4o_tune.providers import profiles
from tests.conftest import VirtualClock
from tests.providers.conftest import CHAT_ROWS, PROMPT_ROWS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gpt4o_tune import LaunchPlan
    from gpt4o_tune.catalog import Method

KEY = "sk-never-sent"
OPENAI = replace(Provider.openai(api_key=KEY), clock=VirtualClock())
AZURE = replace(Provider.azure("https://res.openai.azure.com", api_key=KEY), clock=VirtualClock())
GRADER = {
    "type": "string_check",
    "name": "sum",
    "input": "{{sample.output_text}}",
    "reference": "{{item.answer}}",
    "operation": "eq",
}


def planned(provider: Provider = OPENAI, **changes: Any) -> LaunchPlan:
    """A supervised plan at OpenAI, with changes."""
    rows = PROMPT_ROWS if changes.get("method") == "reinforcement" else CHAT_ROWS
    return FineTuneJob.plan(rows, provider=provider, **changes)


def reinforced(**changes: Any) -> LaunchPlan:
    """A reinforcement plan at Azure, where o4-mini can still be trained."""
    settings: dict[str, Any] = {
        "model": "o4-mini-2025-04-16",
        "method": "reinforcement",
        "validation": PROMPT_ROWS[:10],
        "grader": GRADER,
        "margin_days": 0,
    }
    return planned(AZURE, **{**settings, **changes})


POSITIVE = st.floats(min_value=0, exclude_min=True, allow_infinity=False)
VALID = {
    "n_epochs": st.integers(1, 50),
    "batch_size": st.integers(1, 256),
    "learning_rate_multiplier": POSITIVE,
    "compute_multiplier": st.floats(0.00001, 10, exclude_min=True),
    "eval_interval": st.integers(min_value=1),
    "eval_samples": st.integers(min_value=1),
    "reasoning_effort": st.sampled_from(["low", "medium", "high"]),
}


@given(st.fixed_dictionaries({}, optional=VALID))
def test_what_is_in_range_is_sent_as_given(values: Mapping[str, object]) -> None:
    """Nothing is added, dropped or changed."""
    assert Hyperparameters.of(values).request("reinforcement") == values


REINFORCEMENT_EDGES: list[Mapping[str, object]] = [
    {"compute_multiplier": 0.0001, "eval_interval": 1, "eval_samples": 1},
    {"compute_multiplier": 10, "reasoning_effort": "high"},
]


@pytest.mark.parametrize("values", REINFORCEMENT_EDGES)
def test_reinforcement_has_settings_of_its_own(values: Mapping[str, object]) -> None:
    """The edges of their ranges are sent as given; `default` effort is the service's business."""
    assert Hyperparameters.of(values).request("reinforcement") == values
    assert Hyperparameters(reasoning_effort="default").request("reinforcement") == {}


@pytest.mark.parametrize(
    "values",
    [
        {"compute_multiplier": 0.00001},
        {"compute_multiplier": 10.1},
        {"eval_interval": 0},
        {"eval_samples": 1.5},
        {"reasoning_effort": "huge"},
    ],
)
def test_a_reinforcement_setting_out_of_range_is_refused_by_name(
    values: Mapping[str, object],
) -> None:
    """The error names the setting."""
    with pytest.raises(ValueError, match=next(iter(values))):
        Hyperparameters.of(values)


@pytest.mark.parametrize("method", ["supervised", "dpo"])
def test_settings_of_another_method_are_not_dropped_but_refused(method: Method) -> None:
    """The error names the method that they belong to."""
    with pytest.raises(ValueError, match="eval_samples belongs to method 'reinforcement'"):
        Hyperparameters(eval_samples=2).request(method)


def test_a_service_may_know_other_settings() -> None:
    """Nebius takes LoRA settings, by name, and no others; OpenAI takes none of them."""
    chosen = Hyperparameters.of({"n_epochs": 2, "lora_r": 8}, profile=profiles.NEBIUS)

    assert chosen.extra == {"lora_r": 8}
    assert chosen.request("supervised", profile=profiles.NEBIUS) == {"n_epochs": 2, "lora_r": 8}
    with pytest.raises(ValueError, match="unknown hyperparameter 'lora_r'"):
        chosen.request("supervised")
    with pytest.raises(ValueError, match="unknown hyperparameter 'lora_r'"):
        Hyperparameters.of({"lora_r": 8})
    with pytest.raises(ValueError, match="n_epochs has a field of its own"):
        Hyperparameters(extra={"n_epochs": 99})


def test_reinforcement_carries_its_grader() -> None:
    """Grader and settings stand inside the method, and count for the fingerprint."""
    plan = reinforced(hyperparameters={"eval_samples": 2})

    assert plan.request("file-1", "file-2")["method"] == {
        "type": "reinforcement",
        "reinforcement": {"grader": GRADER, "hyperparameters": {"eval_samples": 2}},
    }
    other = reinforced(hyperparameters={"eval_samples": 2}, grader={**GRADER, "operation": "ilike"})
    assert other.fingerprint != plan.fingerprint


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"grader": None}, "needs grader="),
        ({"grader": {"name": "no type"}}, "needs grader="),
        ({"validation": None}, "needs validation rows"),
    ],
)
def test_reinforcement_lacks_nothing(changes: Mapping[str, object], words: str) -> None:
    """What the service would refuse after an upload is refused before it."""
    with pytest.raises(ValueError, match=words):
        reinforced(**changes)


def test_a_grader_belongs_to_reinforcement() -> None:
    """Elsewhere it is a mistake, not something to drop."""
    with pytest.raises(ValueError, match="belongs to method 'reinforcement', not to 'supervised'"):
        planned(grader=GRADER)


@pytest.mark.parametrize(
    ("grader", "code"),
    [
        ({**GRADER, "operation": "neq"}, "invalid-grader"),
        ({**GRADER, "reference": "{{item.result}}"}, "missing-grader-field"),
    ],
)
def test_a_grader_has_to_fit_the_rows(grader: Mapping[str, object], code: str) -> None:
    """What would fail on the service's side fails before the upload."""
    with pytest.raises(DatasetError) as caught:
        reinforced(grader=grader)
    assert {problem.code for problem in caught.value.problems} == {code}


def test_a_job_beyond_the_limit_of_tokens_is_refused() -> None:
    """Azure counts the tokens of the file times the epochs; images make many in little space."""
    pictures = [
        {"type": "image_url", "image_url": {"url": f"https://example.com/{n}.png"}}
        for n in range(64)
    ]
    row = {
        "messages": [
            {"role": "user", "content": pictures},
            {"role": "assistant", "content": "Clouds."},
        ]
    }
    with pytest.raises(ProviderError, match="fewer rows or epochs"):
        FineTuneJob.plan(
            Dataset.from_records([row] * 850),
            provider=AZURE,
            margin_days=0,
            hyperparameters={"n_epochs": 50},
        )


def test_the_service_can_report_to_weights_and_biases() -> None:
    """What is left open is not sent; who watches a run does not make it another one."""
    wandb = WandbIntegration(project="tickets", name="first", tags=("nightly",))

    plan = planned(integrations=[wandb, WandbIntegration(project="other")])

    assert plan.request("file-1", None)["integrations"] == [
        {"type": "wandb", "wandb": {"project": "tickets", "name": "first", "tags": ["nightly"]}},
        {"type": "wandb", "wandb": {"project": "other"}},
    ]
    assert plan.fingerprint == planned().fingerprint


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"project": " "}, "name of a project"),
        ({"project": "p", "tags": ("t",) * 51}, "at most 50 tags"),
        ({"project": "p", "tags": ("t" * 65,)}, "1 to 64"),
        ({"project": "p", "tags": ("",)}, "1 to 64"),
    ],
)
def test_a_bad_integration_is_refused(settings: Mapping[str, Any], words: str) -> None:
    """Limits are those of the API."""
    with pytest.raises(ValueError, match=words):
        WandbIntegration(**settings)
    with pytest.raises(ValueError, match="at most 5 integrations"):
        planned(integrations=[WandbIntegration(project="p")] * 6)


def test_metadata_of_the_users_own_travels_beside_ours() -> None:
    """It labels a job and does not make it another one."""
    plan = planned(metadata={"team": "support"})

    sent = plan.request("file-1", None)["metadata"]

    assert isinstance(sent, dict)
    assert sent["team"] == "support"
    assert sent["gpt4o_tune_fingerprint"] == plan.fingerprint == planned().fingerprint


@pytest.mark.parametrize(
    ("metadata", "words"),
    [
        ({f"k{n}": "v" for n in range(15)}, "14 are free"),
        ({"k" * 65: "v"}, "has 65 characters; at most 64"),
        ({"k": "v" * 513}, "has 513 characters; at most 512"),
        ({"gpt4o_tune_fingerprint": "mine"}, "keys of this library"),
    ],
)
def test_metadata_that_would_be_refused_or_collide_is_named(
    metadata: Mapping[str, str], words: str
) -> None:
    """The error counts for the user."""
    with pytest.raises(ValueError, match=words):
        planned(metadata=metadata)


def test_metadata_is_not_lost_silently() -> None:
    """A service that keeps none is not given any."""
    mariner = Provider.compatible("http://h:8080/v1", api_key=KEY, profile="llmariner")

    with pytest.raises(ProviderError, match="keep no metadata"):
        planned(mariner, suffix="tickets", metadata={"team": "support"})


def test_a_model_that_only_the_service_knows_is_planned_without_a_price() -> None:
    """Tokens are counted like GPT-4o's and labelled so; a budget cannot be held and says so."""
    nebius = Provider.compatible(api_key=KEY, profile="nebius")
    model = "meta-llama/Meta-Llama-3.1-8B-Instruct"

    plan = planned(nebius, model=model)

    assert plan.estimate.usd is None
    assert plan.estimate.model == model
    assert "not in the catalog" in plan.estimate.basis
    with pytest.raises(ProviderError, match="cannot be held"):
        planned(nebius, model=model, budget_usd=5)


def test_azure_names_the_hosting_cost() -> None:
    """A deployed model costs by the hour, used or not."""
    plan = planned(AZURE)

    assert plan.estimate.hosting_usd_per_hour == 1.7
    assert "$1.70 per hour while it is deployed" in str(plan.estimate)
