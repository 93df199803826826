"""`CustomModel.list`: what a service tells of its fine-tuned models, and when they end."""

from __future__ import annotations

import asyncio
import dataclasses
import datetime as dt
import json
import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING

import openai
import pytest

from gpt4o_tune import AzureDeployments, CustomModel, Provider, ProviderError
from gpt4o_tune.inference import NEAR_DAYS
from tests.conftest import VirtualClock
from tests.inference.batch_service import refused
from tests.inference.models_service import ModelsService, job, model
from tests.providers.arm import ArmStub
from tests.providers.stub import StubServer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gpt4o_tune import LocalServer
    from gpt4o_tune.catalog import ProviderKind

TODAY = dt.date(2026, 11, 25)
FT_4O = "ft:gpt-4o-2024-08-06:acme:tickets:a1"
FT_MINI = "ft:gpt-4o-mini-2024-07-18:acme:mini:b2"
AZURE = "gpt-4o-2024-08-06.ft-0123456789abcdef"


@contextmanager
def running(service: ModelsService, kind: ProviderKind) -> Iterator[Provider]:
    """The stub as a place of this kind, whose catalog and dates then hold; waiting is on virtual time."""
    with StubServer(service) as server:
        there = Provider.compatible(f"{server.url}/v1", api_key="sk-test")
        provider = dataclasses.replace(there, kind=kind, clock=VirtualClock(today=TODAY))
        yield provider
        provider.close()


def test_every_fine_tune_is_listed_with_its_origin_and_its_end() -> None:
    """Base, day of creation, job, owner; the service's own date wins over the catalog's."""
    service = ModelsService(
        models=[
            model("gpt-4o-2024-08-06", owned_by="system"),
            model(FT_4O),
            model(FT_MINI, shutdown_date="2026-12-24"),
            model(f"{FT_4O}:ckpt-step-40"),
        ],
        jobs=[
            job(3, FT_4O, None),
            job(2, "gpt-4o-mini-2024-07-18", FT_MINI),
            job(1, "gpt-4o-2024-08-06", FT_4O),
        ],
    )
    with running(service, "openai") as provider:
        inventory = CustomModel.list(provider)

    assert [each.name for each in inventory] == [FT_MINI, FT_4O, f"{FT_4O}:ckpt-step-40"]
    mini, tuned, checkpoint = inventory
    assert mini.end is not None
    assert (mini.end.date, mini.end.source, mini.end.as_of) == (
        dt.date(2026, 12, 24),
        "service",
        None,
    )
    assert mini.days_left == 29
    assert tuned.end is not None
    assert (tuned.end.date, tuned.end.source) == (dt.date(2027, 1, 14), "catalog")
    assert (tuned.base, tuned.job_id, tuned.owner) == ("gpt-4o-2024-08-06", "ftjob-1", "acme")
    assert tuned.created == dt.datetime.fromtimestamp(1_790_000_000, dt.UTC)
    assert checkpoint.job_id == "ftjob-1"
    assert tuned.last_used is tuned.answers is None
    assert inventory.near_end == tuple(inventory)


def test_the_inventory_shows_itself() -> None:
    """Text, HTML and plain values hold the same; names are escaped."""
    odd = "ft:gpt-4o-2024-08-06:acme:<b>:c3"
    with running(ModelsService(models=[model(odd)]), "openai") as provider:
        inventory = CustomModel.list(provider, on=dt.date(2026, 1, 14))
        nothing = CustomModel.list(
            dataclasses.replace(provider, kind="local"), on=dt.date(2026, 1, 14)
        )

    assert inventory[0].days_left == 365
    assert not inventory[0].is_near_end
    assert "2027-01-14        365" in str(inventory)
    assert "&lt;b&gt;" in inventory._repr_html_()
    assert "<b>" not in inventory._repr_html_()
    assert json.loads(json.dumps(inventory.to_dict()))["models"][0]["end"]["source"] == "catalog"
    assert nothing[0].end is None
    assert nothing.to_dict()["on"] == "2026-01-14"


def test_a_service_that_names_models_its_own_way() -> None:
    """`parent` and jobs tell what was tuned; fields that are missing are None, never an error."""
    service = ModelsService(
        models=[
            {"id": "meta-llama/base", "object": "model"},
            {"id": "adapter-7", "object": "model", "parent": "meta-llama/base"},
            {"id": "tuned-9", "object": "model", "last_used_at": 1_795_000_000},
        ],
        jobs=[job(2, "qwen", "unlisted-1", finished_at=None), job(1, "qwen", "tuned-9")],
    )
    with running(service, "compatible") as provider:
        found = {each.name: each for each in CustomModel.list(provider)}

    assert set(found) == {"adapter-7", "tuned-9", "unlisted-1"}
    assert found["adapter-7"].base == "meta-llama/base"
    assert found["adapter-7"].created is found["adapter-7"].owner is None
    assert found["tuned-9"].base == "qwen"
    assert found["tuned-9"].last_used == dt.datetime.fromtimestamp(1_795_000_000, dt.UTC)
    assert found["unlisted-1"].created == dt.datetime.fromtimestamp(1_780_000_000, dt.UTC)


def test_a_deleted_model_is_not_listed_again() -> None:
    """At OpenAI the list of models is the truth: a job outlives its model."""
    service = ModelsService(jobs=[job(1, "gpt-4o-2024-08-06", FT_4O)])
    with running(service, "openai") as provider:
        assert list(CustomModel.list(provider)) == []


def test_lists_that_do_not_exist() -> None:
    """Without jobs, names tell; without models, jobs do; without both, nothing can be said."""
    service = ModelsService(models=[model(FT_4O)], jobs=None)
    with running(service, "compatible") as provider:
        inventory = CustomModel.list(provider)
        assert not inventory.jobs_known
        assert inventory[0].base == "gpt-4o-2024-08-06"
        assert "lists no jobs" in str(inventory)

        service.models, service.jobs = None, [job(1, "qwen", "tuned-9")]
        assert [each.name for each in CustomModel.list(provider)] == ["tuned-9"]

        service.jobs = None
        with pytest.raises(ProviderError, match="neither models nor jobs"):
            CustomModel.list(provider)


def test_a_wrong_key_is_no_empty_inventory() -> None:
    """A refusal is passed on as it is."""
    with StubServer(lambda request: refused(401, "Incorrect API key")) as server:
        provider = Provider.compatible(f"{server.url}/v1", api_key="sk-test")
        with pytest.raises(openai.AuthenticationError):
            CustomModel.list(provider)
        provider.close()


def test_models_are_probed_on_request() -> None:
    """One token each says whether a model answers."""
    service = ModelsService(models=[model(FT_4O), model(FT_MINI)], silent=(FT_MINI,))
    with running(service, "openai") as provider:
        found = {each.name: each.answers for each in CustomModel.list(provider, probe=True)}

    assert found == {FT_4O: True, FT_MINI: False}


def test_azure_shows_deployments_and_its_own_dates() -> None:
    """Which model is served under which name; Azure's catalog dates, not OpenAI's."""
    clock = VirtualClock(today=TODAY)
    service = ModelsService(models=[model(AZURE), model("gpt-4o-2024-08-06.ft-ffff")])
    with StubServer(ArmStub()) as arm, running(service, "azure") as provider:
        deployments = AzureDeployments(
            subscription="sub-1",
            resource_group="ml",
            resource="my-resource",
            token_provider=lambda: "arm-token",
            base_url=arm.url,
            clock=clock,
        )
        deployments.create("tickets", model=AZURE)
        deployments.create("chat", model="gpt-4o-2024-08-06")
        deployments.wait("tickets")
        inventory = CustomModel.list(provider, deployments=deployments, probe=True)

    served = {each.name: [d.name for d in each.deployments] for each in inventory}
    assert served == {AZURE: ["tickets"], "gpt-4o-2024-08-06.ft-ffff": []}
    assert [each.answers for each in inventory] == [True, False]
    assert inventory[0].end is not None
    assert inventory[0].end.date == dt.date(2027, 10, 1)
    assert "tickets (Succeeded)" in str(inventory)


def test_the_local_server_lists_what_was_trained_there(server: LocalServer) -> None:
    """Both faces agree; own hardware has no end."""

    async def listed() -> dict[str, object]:
        inventory = await CustomModel.list_async(server.provider)
        await server.provider.close_async()
        return inventory.to_dict()

    inventory = CustomModel.list(server.provider)

    assert inventory.to_dict() == asyncio.run(listed())
    assert all(each.end is None and each.job_id for each in inventory)


def test_a_near_end_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    """The warning comes when the model is named, and not again in this process."""
    near = dt.date(2027, 1, 14) - dt.timedelta(days=NEAR_DAYS)

    def warnings_on(day: dt.date, name: str) -> list[str]:
        caplog.clear()
        provider = dataclasses.replace(
            Provider.openai(api_key="sk-test"), clock=VirtualClock(today=day)
        )
        for _ in range(2):
            CustomModel(name, provider=provider)
        return [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]

    with caplog.at_level(logging.WARNING, logger="gpt4o_tune"):
        assert warnings_on(near - dt.timedelta(days=1), "ft:gpt-4o-2024-08-06:acme::n1") == []
        (said,) = warnings_on(near, "ft:gpt-4o-2024-08-06:acme::n1")
        (late,) = warnings_on(dt.date(2027, 2, 1), "ft:gpt-4o-2024-08-06:acme::n2")
        assert warnings_on(near, "no-model-of-the-catalog") == []

    assert "switched off on 2027-01-14 (catalog as of" in said
    assert said.endswith("compared")
    assert f"in {NEAR_DAYS} days" in said
    assert "was to be switched off on 2027-01-14" in late


def test_a_model_tells_its_end() -> None:
    """By the catalog, fine-tuned or not, without asking anybody."""
    provider = Provider.openai(api_key="sk-test")

    assert str(CustomModel(FT_4O, provider=provider).end).startswith("2027-01-14 (catalog as of ")
    assert CustomModel("somebody-elses", provider=provider).end is None
