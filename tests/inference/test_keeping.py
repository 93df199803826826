"""Deploying, taking down and deleting models, and the form in which they were trained."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
from typing import TYPE_CHECKING

import openai
import pytest

from gpt4o_tune import (
    AzureDeployments,
    CustomModel,
    Dataset,
    FineTuneJob,
    JobError,
    Provider,
    ProviderError,
    RunRecord,
)
from tests.inference.models_service import ModelsService, job, model
from tests.providers.arm import ArmStub
from tests.providers.stub import StubServer
from tests.rows import SYSTEM, routing_rows

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from gpt4o_tune import LocalServer
    from tests.conftest import VirtualClock

FT = "ft:gpt-4o-2024-08-06:acme:tickets:a1"
AZURE = "gpt-4o-2024-08-06.ft-0123456789abcdef"
TOOL = {"type": "function", "function": {"name": "look_up", "parameters": {"type": "object"}}}


@pytest.fixture
def service() -> ModelsService:
    """A service with a base model, a fine-tuned one and one whose name tells nothing."""
    return ModelsService(
        models=[model("gpt-4o-2024-08-06"), model(FT), model("tuned-9"), model("mystery")],
        jobs=[job(1, "qwen", "tuned-9")],
    )


@pytest.fixture
def provider(service: ModelsService, clock: VirtualClock) -> Iterator[Provider]:
    """The service, with waiting on virtual time."""
    with StubServer(service) as server:
        there = Provider.compatible(f"{server.url}/v1", api_key="sk-test")
        yield dataclasses.replace(there, clock=clock)
        there.close()


@pytest.fixture
def deployments(clock: VirtualClock) -> Iterator[AzureDeployments]:
    """The deployments of an Azure resource that has none yet."""
    with StubServer(ArmStub()) as server:
        yield AzureDeployments(
            subscription="sub-1",
            resource_group="ml",
            resource="my-resource",
            token_provider=lambda: "arm-token",
            base_url=server.url,
            clock=clock,
        )


def test_a_model_is_deleted_once_and_for_all(service: ModelsService, provider: Provider) -> None:
    """The name must be given twice; a second deletion finds nothing to do."""
    tuned = CustomModel(FT, provider=provider)

    with pytest.raises(ValueError, match=f"confirm='{FT}'"):
        tuned.delete(confirm="yes")
    assert any(each["id"] == FT for each in service.models or ())
    tuned.delete(confirm=FT)
    tuned.delete(confirm=FT)

    assert [each["id"] for each in service.models or ()] == [
        "gpt-4o-2024-08-06",
        "tuned-9",
        "mystery",
    ]


def test_only_what_was_fine_tuned_is_deleted(service: ModelsService, provider: Provider) -> None:
    """A base model, an alias and a name of unknown origin stay; a job is proof enough."""
    for name in ("gpt-4o-2024-08-06", "GPT-4o", "mystery"):
        with pytest.raises(ProviderError, match="nothing shows"):
            CustomModel(name, provider=provider).delete(confirm=name)
    assert len(service.models or ()) == 4

    asyncio.run(_deleted_without_blocking(CustomModel("tuned-9", provider=provider)))

    assert "tuned-9" not in [each["id"] for each in service.models or ()]


async def _deleted_without_blocking(tuned: CustomModel) -> None:
    await tuned.delete_async(confirm=tuned.name)
    await tuned.provider.close_async()


def test_a_deleted_local_model_answers_no_more(server: LocalServer) -> None:
    """On the real local server, by its real name."""
    launched = FineTuneJob.create(
        Dataset.from_records(routing_rows(10)),
        provider=server.provider,
        suffix="gone",
        hyperparameters={"n_epochs": 1, "batch_size": 8},
    )
    tuned = launched.wait(timeout=120)
    listed = {each.name: each for each in CustomModel.list(server.provider)}
    assert listed[tuned.name].job_id == launched.id
    assert listed[tuned.name].base == "gpt-4o-2024-08-06"

    tuned.delete(confirm=tuned.name)

    assert tuned.name not in [each.name for each in CustomModel.list(server.provider)]
    with pytest.raises(openai.NotFoundError):
        tuned.ask("Hello")


def test_a_model_is_deployed_and_taken_down(
    provider: Provider, deployments: AzureDeployments
) -> None:
    """It comes back under its deployment's name, knows its end, and goes without a trace."""
    azure = dataclasses.replace(provider, kind="azure")
    tuned = CustomModel(AZURE, provider=azure, system="Be brief.")

    served = tuned.deploy(deployments, name="tickets", sku="globalstandard")

    assert (served.name, served.system, served.end) == ("tickets", "Be brief.", tuned.end)
    assert served.end is not None
    assert served.ask("Hello") == "yes"
    assert tuned.deploy(deployments, name="tickets", capacity=2).name == "tickets"
    assert [(d.name, d.model, d.sku) for d in deployments.list()] == [
        ("tickets", AZURE, "standard")
    ]
    assert served.undeploy(deployments) == ("tickets",)
    assert served.undeploy(deployments) == ()
    assert deployments.list() == ()


def test_a_name_that_serves_another_model_is_left_alone(
    provider: Provider, deployments: AzureDeployments
) -> None:
    """Neither is it deployed over, nor taken down by who knew it before."""
    azure = dataclasses.replace(provider, kind="azure")
    served = CustomModel(AZURE, provider=azure).deploy(deployments, name="tickets")
    deployments.create("tickets", model="gpt-4o-2024-08-06.ft-ffff")

    with pytest.raises(ProviderError, match=r"serves .*ft-ffff.*answer no more"):
        CustomModel(AZURE, provider=azure).deploy(deployments, name="tickets")
    with pytest.raises(ProviderError, match="now serves"):
        served.undeploy(deployments)
    assert [each.model for each in deployments.list()] == ["gpt-4o-2024-08-06.ft-ffff"]


def test_a_model_takes_all_its_deployments_down(
    provider: Provider, deployments: AzureDeployments
) -> None:
    """By the model's own name; deployments of other models stay, those of base models always."""
    azure = dataclasses.replace(provider, kind="azure")
    for name, target in (("a", AZURE), ("b", AZURE), ("base", "gpt-4o-2024-08-06")):
        deployments.create(name, model=target)

    async def taken_down() -> tuple[str, ...]:
        return await CustomModel(AZURE, provider=azure).undeploy_async(deployments)

    assert asyncio.run(taken_down()) == ("a", "b")
    with pytest.raises(ProviderError, match="base model"):
        CustomModel("base", provider=azure).undeploy(deployments)
    assert [each.name for each in deployments.list()] == ["base"]


def test_other_places_need_no_deployment(provider: Provider, deployments: AzureDeployments) -> None:
    """They say so instead of doing nothing."""
    with pytest.raises(ProviderError, match="needs no deployment"):
        CustomModel(FT, provider=provider).deploy(deployments, name="tickets")
    with pytest.raises(ProviderError, match="needs no deployment"):
        CustomModel(FT, provider=provider).undeploy(deployments)


def test_prompt_and_tools_travel_with_the_run_record(server: LocalServer, tmp_path: Path) -> None:
    """A long prompt too, which no metadata holds: in this process, and in the next one."""
    long = f"{SYSTEM} {'Read every word twice. ' * 40}"
    rows = [
        {
            "messages": [{"role": "system", "content": long}, *each["messages"][1:]],
            "tools": [TOOL],
        }
        for each in routing_rows(10)
    ]
    path = tmp_path / "run.json"
    launched = FineTuneJob.create(
        Dataset.from_records(rows),
        provider=server.provider,
        suffix="travel",
        hyperparameters={"n_epochs": 1, "batch_size": 8},
        record=path,
    )
    with pytest.raises(JobError, match="names no model"):
        RunRecord.load(path).custom_model(provider=server.provider)
    here = launched.wait(timeout=120)
    there = RunRecord.load(path).custom_model(provider=server.provider)
    found = RunRecord.load(path).job(provider=server.provider).wait(timeout=120)

    assert here.system == there.system == found.system == long
    assert here.name == there.name == found.name
    assert RunRecord.load(path).tools == ("look_up",)


def test_a_call_unlike_the_training_is_logged_once(
    provider: Provider, caplog: pytest.LogCaptureFixture
) -> None:
    """Another system prompt, or no tools: each is said the first time, and the call goes on."""
    tuned = CustomModel(FT, provider=provider, system="Be brief.", trained_tools=["look_up"])
    with caplog.at_level(logging.WARNING, logger="gpt4o_tune"):
        caplog.clear()
        tuned.ask("Hello", tools=[TOOL])
        assert caplog.messages == []
        for _ in range(2):
            tuned.chat([{"role": "user", "content": "Hello"}], tools=[TOOL])
        tuned.ask("Hello")
        tuned.ask("Hello")

    prompt, tools = caplog.messages
    assert "another system prompt" in prompt
    assert "offered look_up" in tools


def test_a_plain_model_is_asked_in_silence(
    provider: Provider, caplog: pytest.LogCaptureFixture
) -> None:
    """Where nothing is known of the training, nothing is compared."""
    with caplog.at_level(logging.WARNING, logger="gpt4o_tune"):
        CustomModel("tuned-9", provider=provider).map(["a"], system="Other", progress=False)
        base = CustomModel("gpt-4.1", provider=provider, system="Be brief.")
        base.chat([{"role": "user", "content": "Hello"}])

    assert caplog.messages == []
