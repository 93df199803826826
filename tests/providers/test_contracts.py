"""The same launch, wait, metrics and cancel against every provider, as its documents describe it."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import openai
import pytest

from gpt4o_tune import CustomModel, FineTuneJob, JobCancelledError, JobError, ProviderError
from gpt4o_tune.jobs.hyperparameters import settings_of
from tests.providers.conftest import Place, running
from tests.providers.services import AZURE, BEDROCK, LLMARINER, NEBIUS, OPENAI

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import VirtualClock
    from tests.providers.service import Service

CREATE = "/fine_tuning/jobs"


@contextmanager
def place_of(service: Service, clock: VirtualClock) -> Iterator[Place]:
    """One provider of the test's choice."""
    yield from running(service, clock)


def created(place: Place) -> dict[str, Any]:
    """The one create request that the stub received."""
    (request,) = place.server.sent("POST", CREATE)
    return request.body


def test_a_launch_sends_what_the_service_documents(place: Place) -> None:
    """Each quirk decides where a setting stands; what a service does not know is not sent."""
    job = place.launch()

    body = created(place)
    assert {key: body.get(key) for key in place.service.creates} == place.service.creates
    assert not set(place.service.never_sent) & set(body)
    assert body["training_file"] == "file-1"
    assert "auto" not in str(body)
    assert job.id == "ftjob-1"
    assert job.created_at.year == 2027


def test_a_wait_ends_in_the_model(place: Place, clock: VirtualClock) -> None:
    """Every state on the way is taken as one, however it is spelled."""
    job = place.launch()

    if place.service.model:
        model = job.wait(timeout=3600)
        assert isinstance(model, CustomModel)
        assert model.name == place.service.model
    else:
        with pytest.raises(JobError):  # the service deploys by other means and names no model
            job.wait(timeout=3600)

    assert job.status == "succeeded"
    assert job.trained_tokens == 1_234
    assert clock.seconds < 600


async def launched_and_awaited(place: Place) -> FineTuneJob:
    """Launch, and wait where a model comes out, on the asynchronous face."""
    job = await FineTuneJob.launch_async(place.plan())
    if place.service.model:
        await job.wait_async(timeout=3600)
    await place.provider.close_async()
    return job


def test_the_asynchronous_face_does_the_same(place: Place) -> None:
    """Both faces speak to a provider alike."""
    job = asyncio.run(launched_and_awaited(place))

    assert job.id == "ftjob-1"
    assert {key: created(place).get(key) for key in place.service.creates} == place.service.creates


def test_events_metrics_and_checkpoints_are_read_where_they_exist(place: Place) -> None:
    """A route that a service lacks is never asked for; what there is is read in either format."""
    job = place.launch()
    while not job.is_final:
        job.refresh()

    assert [event.message for event in job.events()] == [
        event["message"] for event in place.service.events
    ]
    metrics, checkpoints = job.metrics(), job.checkpoints()

    assert len(checkpoints) == len(place.service.checkpoints)
    steps = {event["data"]["step"] for event in place.service.events if event["data"]}  # type: ignore[index,call-overload]
    assert steps <= {row.step for row in metrics}
    assert not any(place.server.sent("GET", route) for route in place.service.missing)
    if place.service.result_file:
        assert metrics.rows[-1].step == 2
        assert metrics.rows[-1].train_accuracy == 0.75


def test_a_cancelled_job_is_cancelled_in_every_spelling(place: Place) -> None:
    """`canceled` and `cancelling` are what they look like."""
    job = place.launch()
    job.cancel()

    with pytest.raises(JobCancelledError):
        job.wait(timeout=3600)
    assert job.status == "cancelled"


def test_a_refusal_reaches_the_user_in_the_services_words(place: Place) -> None:
    """Whatever shape an error has, its message or a note of it carries what the service said."""
    with pytest.raises(openai.NotFoundError) as caught:
        FineTuneJob.get("ftjob-99", provider=place.provider)

    notes = getattr(caught.value, "__notes__", [])
    assert "no job ftjob-99" in " ".join([str(caught.value), *notes])


@pytest.mark.parametrize("body", [{"detail": "no such thing"}, {"error": "no such thing"}])
def test_words_that_the_client_leaves_out_are_noted(
    body: dict[str, str], clock: VirtualClock
) -> None:
    """Two shapes of an error whose text the client's message does not hold."""
    with place_of(replace(OPENAI, error=lambda status, words: body), clock) as place:
        with pytest.raises(openai.NotFoundError) as caught:
            FineTuneJob.get("ftjob-99", provider=place.provider)

        assert "The server said: no such thing" in caught.value.__notes__


def test_an_equal_job_is_adopted_where_metadata_is_kept(place: Place) -> None:
    """Without metadata a service cannot tell, so a second launch is a second job."""
    first, second = place.launch(), place.launch()

    assert second.adopted == place.provider.profile.keeps_metadata
    assert (first.id == second.id) == place.provider.profile.keeps_metadata
    assert len(place.server.sent("POST", "/files")) == 1


def test_azure_gets_no_job_before_its_files_are_processed(clock: VirtualClock) -> None:
    """The create waits for the file's last state, and carries the training type."""
    with place_of(AZURE, clock) as azure:
        job = azure.launch()

        assert len(azure.server.sent("GET", "/files/file-1")) == 2
        assert settings_of(job.raw) == {
            "n_epochs": 2,
            "batch_size": "auto",
            "learning_rate_multiplier": 1.0,
        }


def test_azure_refuses_what_it_does_not_know(clock: VirtualClock) -> None:
    """An unknown training type is passed on, and Azure's refusal comes back unchanged."""
    with place_of(AZURE, clock) as azure:
        fields = replace(azure.provider.profile, create_fields=(("trainingType", "turbo"),))
        azure.provider = replace(azure.provider, profile=fields)

        with pytest.raises(openai.BadRequestError, match="fineTuningJob field is required"):
            azure.launch()
        with pytest.raises(ValueError, match="must match"):
            azure.plan(suffix="v1.2")
        with pytest.raises(ValueError, match="azure takes 1 to 40"):
            azure.plan(suffix="x" * 41)


def test_llmariner_refuses_a_missing_suffix_and_so_does_the_plan(clock: VirtualClock) -> None:
    """The library knows the rule, and the service's own refusal would be readable too."""
    with place_of(LLMARINER, clock) as place:
        for suffix, words in ((None, "llmariner needs a suffix"), ("x" * 19, "takes 1 to 18")):
            with pytest.raises(ValueError, match=words):
                place.plan(suffix=suffix)

        plan = place.plan()
        careless = replace(plan, provider=replace(plan.provider, profile=OPENAI_LIKE), suffix=None)
        with pytest.raises(openai.BadRequestError, match="suffix is required"):
            FineTuneJob.launch(careless)


OPENAI_LIKE = replace(OPENAI.provider("http://localhost").profile, keeps_metadata=False)


def test_nebius_refuses_a_method_beside_hyperparameters(clock: VirtualClock) -> None:
    """So the profile leaves `method` out; a list of faults comes back in a note."""
    with place_of(NEBIUS, clock) as place:
        with pytest.raises(ValueError, match="1 to 20 at nebius"):
            place.plan(hyperparameters={"n_epochs": 21})
        with pytest.raises(ValueError, match="unknown hyperparameter 'lora_rank'"):
            place.plan(hyperparameters={"lora_rank": 8})
        with pytest.raises(ProviderError, match="only by supervised"):
            place.plan(method="dpo")

        plan = place.plan()
        lax = replace(plan.provider.profile, max_epochs=50)
        careless = replace(
            plan,
            provider=replace(plan.provider, profile=lax),
            hyperparameters=replace(plan.hyperparameters, n_epochs=21),
        )
        with pytest.raises(openai.UnprocessableEntityError) as caught:
            FineTuneJob.launch(careless)

    assert "The server said: body: n_epochs must be from 1 to 20" in caught.value.__notes__


def test_bedrock_takes_reinforcement_only(clock: VirtualClock) -> None:
    """Another method, a suffix or a missing grader is refused before any request."""
    with place_of(BEDROCK, clock) as place:
        with pytest.raises(ProviderError, match="only by reinforcement"):
            place.plan(method="supervised", grader=None)
        with pytest.raises(ValueError, match="bedrock takes no suffix"):
            place.plan(suffix="tickets")
        with pytest.raises(ValueError, match="needs grader="):
            place.plan(grader=None)

        assert place.server.requests == []
