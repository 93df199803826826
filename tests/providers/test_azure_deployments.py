"""Deploying at Azure: create, wait, probe, list and delete, on both faces."""

from __future__ import annotations

import asyncio
import inspect
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import openai
import pytest

from gpt4o_tune import Provider, ProviderError
from gpt4o_tune.providers import AzureDeployments
from tests.providers.arm import ROOT, ArmStub, refused
from tests.providers.stub import Answer, Request, StubServer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import VirtualClock

MODEL = "gpt-4o-2024-08-06.ft-0123456789abcdef"


@dataclass
class Resource:
    """One Azure resource: the stub, and the library's view of it."""

    arm: ArmStub
    server: StubServer
    deployments: AzureDeployments


@pytest.fixture
def resource(clock: VirtualClock) -> Iterator[Resource]:
    """A resource without deployments."""
    arm = ArmStub()
    with StubServer(arm) as server:
        yield Resource(
            arm,
            server,
            AzureDeployments(
                subscription="sub-1",
                resource_group="ml",
                resource="my-resource",
                token_provider=lambda: "arm-token",
                base_url=server.url,
                clock=clock,
            ),
        )


def test_a_deployment_is_created_awaited_listed_and_deleted(resource: Resource) -> None:
    """The whole life of a deployment, from the PUT to the 404 that ends its bill."""
    deployments = resource.deployments

    asked = deployments.create("tickets", model=MODEL, sku="globalstandard", capacity=5)
    ready = deployments.wait("tickets")

    assert asked.state == "Accepted"
    assert (ready.state, ready.model, ready.sku, ready.capacity) == (
        "Succeeded",
        MODEL,
        "globalstandard",
        5,
    )
    (put,) = resource.server.sent("PUT", f"{ROOT}/tickets")
    assert put.body == {
        "sku": {"name": "globalstandard", "capacity": 5},
        "properties": {"model": {"format": "OpenAI", "name": MODEL, "version": "1"}},
    }
    assert deployments.list() == (ready,)

    deployments.delete("tickets")
    deployments.delete("tickets")

    assert deployments.list() == ()


def test_the_asynchronous_face_does_the_same(resource: Resource) -> None:
    """Both faces make the same requests."""

    async def whole_life() -> str:
        await resource.deployments.create_async("tickets", model=MODEL)
        ready = await resource.deployments.wait_async("tickets")
        assert await resource.deployments.list_async() == (ready,)
        await resource.deployments.delete_async("tickets")
        return ready.state

    assert asyncio.run(whole_life()) == "Succeeded"
    assert resource.arm.deployments == {}


def test_faces_have_one_signature() -> None:
    """A verb and its asynchronous face take the same arguments, all but the name by keyword."""
    verbs = [name for name in vars(AzureDeployments) if name.endswith("_async")]

    assert len(verbs) == 5
    for name in verbs:
        face = getattr(AzureDeployments, name.removesuffix("_async"))
        twin = getattr(AzureDeployments, name)
        assert inspect.signature(face).parameters == inspect.signature(twin).parameters
        assert inspect.getdoc(twin).startswith("As `")
        kinds = list(inspect.signature(face).parameters.values())[2:]
        assert all(parameter.kind is parameter.KEYWORD_ONLY for parameter in kinds)


def test_waiting_goes_by_azures_hint(resource: Resource, clock: VirtualClock) -> None:
    """Retry-After of each look is the pause before the next one."""
    resource.arm.retry_after = "17"
    resource.deployments.create("tickets", model=MODEL)

    resource.deployments.wait("tickets")

    assert clock.sleeps == [17.0]


def test_a_list_runs_over_all_pages_of_this_host_only(resource: Resource) -> None:
    """Next pages are followed; an address elsewhere never gets the token."""
    for number in range(5):
        resource.deployments.create(f"d{number}", model=MODEL)

    assert [d.name for d in resource.deployments.list()] == ["d0", "d1", "d2", "d3", "d4"]

    elsewhere = {"value": [], "nextLink": "https://evil.example.com/next"}
    resource.arm.faults.append(Answer(elsewhere))
    assert resource.deployments.list() == ()


def test_a_failed_deployment_is_an_error(resource: Resource) -> None:
    """The message says what to do next."""
    resource.arm.states = ("Creating", "Failed")
    resource.deployments.create("tickets", model=MODEL)

    with pytest.raises(ProviderError, match=r"ended as 'Failed'.*Delete it"):
        resource.deployments.wait("tickets")


def test_waits_have_an_end(resource: Resource, clock: VirtualClock) -> None:
    """Neither a creation nor a deletion is waited for longer than was asked."""
    resource.arm.states = ("Creating",)
    resource.deployments.create("tickets", model=MODEL)

    with pytest.raises(ProviderError, match=r"still 'Creating' after 100 s"):
        resource.deployments.wait("tickets", timeout=100)

    assert clock.seconds == 100
    with pytest.raises(ProviderError, match="not gone after 0 s"):
        resource.deployments.delete("tickets", timeout=0)


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (refused(403, "AuthorizationFailed", "No permission."), "AuthorizationFailed: No perm"),
        (refused(400, "InvalidModel", "Unknown model."), "InvalidModel: Unknown model"),
        (refused(409, "RequestConflict", "Another operation runs."), "RequestConflict"),
        (Answer(b"<html>", 400), "400: Bad Request"),
        (Answer({"error": "plain"}, 400), "400: Bad Request"),
    ],
)
def test_a_refusal_carries_azures_code_and_message(
    resource: Resource, fault: Answer, words: str
) -> None:
    """What Azure said reaches the user, and is not sent again."""
    resource.arm.faults.append(fault)

    with pytest.raises(ProviderError, match=words):
        resource.deployments.create("tickets", model=MODEL)

    assert len(resource.server.requests) == 1


def test_a_wrong_token_is_named_but_not_shown(resource: Resource) -> None:
    """The error says which scope the token needs; neither it nor any repr holds the token."""
    stranger = replace(resource.deployments, token_provider=lambda: "secret-token")

    with pytest.raises(ProviderError, match="scope of Azure Resource Manager") as caught:
        stranger.list()

    assert "secret-token" not in str(caught.value)
    assert "token" not in repr(stranger)


@pytest.mark.parametrize("status", [408, 429, 500, 503])
def test_a_short_outage_is_waited_out(resource: Resource, clock: VirtualClock, status: int) -> None:
    """Every call can be repeated without harm, after the pause that Azure asks for."""
    resource.arm.faults += [refused(status, "Busy", "busy", **{"retry-after": "9"})] * 3

    resource.deployments.create("tickets", model=MODEL)

    assert clock.sleeps == [9.0, 9.0, 9.0]
    assert len(resource.arm.deployments) == 1


def test_a_long_outage_ends_in_azures_words(resource: Resource, clock: VirtualClock) -> None:
    """Patience is bounded, also with a host that does not answer at all."""
    resource.arm.faults += [refused(503, "Busy", "Try later.")] * 1000

    with pytest.raises(ProviderError, match="Busy: Try later"):
        resource.deployments.list()
    assert 60 < clock.seconds <= 120

    nowhere = replace(resource.deployments, base_url="http://127.0.0.1:9")
    with pytest.raises(ProviderError, match="could not be reached"):
        nowhere.list()


@pytest.mark.parametrize(
    ("name", "capacity", "words"),
    [("", 1, "1 to 64"), ("x" * 65, 1, "1 to 64"), ("tickets", 0, "capacity must be")],
)
def test_bad_settings_are_refused_before_any_request(
    resource: Resource, name: str, capacity: int, words: str
) -> None:
    """Nothing is sent."""
    with pytest.raises(ValueError, match=words):
        resource.deployments.create(name, model=MODEL, capacity=capacity)

    assert resource.server.requests == []


@dataclass
class DataPlane:
    """Chat completions that become ready after some looks."""

    not_ready: list[Answer]

    def __call__(self, request: Request) -> Answer:
        if self.not_ready:
            return self.not_ready.pop(0)
        message = {"role": "assistant", "content": "Yes"}
        return Answer(
            {
                "id": "chatcmpl-1",
                "object": "chat.completion",
                "created": 1,
                "model": request.body["model"],
                "choices": [{"index": 0, "finish_reason": "length", "message": message}],
            }
        )


LATE = [
    refused(404, "DeploymentNotFound", "The API deployment does not exist."),
    refused(400, "DeploymentNotReady", "The deployment is not ready."),
]


def data_plane(server: StubServer, clock: VirtualClock) -> Provider:
    """The stub as an Azure provider."""
    provider = Provider.azure("https://stub.openai.azure.com", api_key="sk-stub")
    return replace(provider, base_url=f"{server.url}/openai/v1", clock=clock)


def test_a_probe_waits_until_the_data_plane_answers(
    resource: Resource, clock: VirtualClock
) -> None:
    """`Succeeded` may still give DeploymentNotReady; each look asks for one token."""
    with StubServer(DataPlane(list(LATE))) as server:
        provider = data_plane(server, clock)

        resource.deployments.probe("tickets", provider=provider)

        assert [r.body["model"] for r in server.requests] == ["tickets"] * 3
        assert server.requests[0].body["max_completion_tokens"] == 1
        provider.close()


def test_an_asynchronous_probe_gives_up_in_time(resource: Resource, clock: VirtualClock) -> None:
    """The error says how such a deployment is repaired."""

    async def probe(provider: Provider) -> None:
        try:
            await resource.deployments.probe_async("tickets", provider=provider, timeout=60)
        finally:
            await provider.close_async()

    with StubServer(DataPlane(LATE * 100)) as server:
        provider = data_plane(server, clock)
        with pytest.raises(ProviderError, match=r"Delete it, create it again"):
            asyncio.run(probe(provider))
    assert clock.seconds == 60


def test_a_probe_passes_other_refusals_on(resource: Resource, clock: VirtualClock) -> None:
    """A wrong key is not waited out."""
    fault = refused(401, "401", "Access denied due to invalid subscription key.")
    with StubServer(DataPlane([fault])) as server:
        provider = data_plane(server, clock)
        with pytest.raises(openai.AuthenticationError):
            resource.deployments.probe("tickets", provider=provider)
        provider.close()
    assert clock.sleeps == []
