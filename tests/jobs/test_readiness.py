"""A model that its service does not find yet, and a service that knows of an end date."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import logging
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from gpt4o_tune import FineTuneJob, ModelRetiredError
from gpt4o_tune.inference.readiness import READY_TIMEOUT
from gpt4o_tune.providers.profiles import OPENAI
from tests.conftest import VirtualClock
from tests.faults import FaultyProxy, Rule
from tests.jobs.conftest import LONG

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gpt4o_tune import Dataset, LocalServer, Provider

CHAT = "/chat/completions"
MODEL = "gpt-4o-2024-08-06"


@pytest.fixture
def proxy(server: LocalServer) -> Iterator[FaultyProxy]:
    """The shared server behind a proxy."""
    with FaultyProxy(server.base_url.removesuffix("/v1")) as running:
        yield running


@pytest.fixture
def late(server: LocalServer, proxy: FaultyProxy, clock: VirtualClock) -> Provider:
    """A service whose new models may answer late, in virtual time."""
    return replace(server.provider, base_url=proxy.base_url, profile=OPENAI, clock=clock)


def test_wait_returns_once_the_model_is_found(
    finished: FineTuneJob, proxy: FaultyProxy, late: Provider, clock: VirtualClock
) -> None:
    """404 is asked again at growing distances; the first answer ends it."""
    proxy.rules = [Rule("POST", CHAT, ["404"] * 5)]

    model = FineTuneJob.get(finished.id, provider=late).wait()

    assert model.name == finished.fine_tuned_model
    assert proxy.count("POST", CHAT) == 6
    assert {json.loads(body)["max_completion_tokens"] for body in proxy.bodies if body} == {1}
    assert clock.sleeps == sorted(clock.sleeps)
    assert len(clock.sleeps) == 5


def test_a_model_that_is_never_found_is_returned_with_a_warning(
    finished: FineTuneJob,
    proxy: FaultyProxy,
    late: Provider,
    clock: VirtualClock,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The job has succeeded, so the wait does not fail; the log names what else 404 can mean."""
    proxy.rules = [Rule("POST", CHAT, ["404"] * 1000)]

    with caplog.at_level(logging.WARNING, logger="gpt4o_tune"):
        model = FineTuneJob.get(finished.id, provider=late).wait()

    assert model.name == finished.fine_tuned_model
    assert clock.seconds == pytest.approx(READY_TIMEOUT)
    assert "project or organisation" in caplog.text


@pytest.mark.parametrize("knobs", [{"ready_timeout": 0.0}, {"timeout": 0.0}])
def test_a_probe_can_be_left_out(
    finished: FineTuneJob, proxy: FaultyProxy, late: Provider, knobs: dict[str, float]
) -> None:
    """No token is spent where no time is given for it."""
    FineTuneJob.get(finished.id, provider=late).wait(**knobs)

    assert proxy.count("POST", CHAT) == 0


def test_the_deadline_holds_for_the_probe_too(
    finished: FineTuneJob, proxy: FaultyProxy, late: Provider, clock: VirtualClock
) -> None:
    """A wait of ten seconds asks for ten seconds."""
    proxy.rules = [Rule("POST", CHAT, ["404"] * 1000)]

    FineTuneJob.get(finished.id, provider=late).wait(timeout=10)

    assert clock.seconds == pytest.approx(10)


def test_any_other_refusal_counts_as_found(
    finished: FineTuneJob, proxy: FaultyProxy, late: Provider
) -> None:
    """A key that may train but not chat does not keep the wait from its model."""
    proxy.rules = [Rule("POST", CHAT, ["refuse"] * 100)]

    model = FineTuneJob.get(finished.id, provider=late).wait()

    assert model.name == finished.fine_tuned_model


def test_services_without_the_delay_are_not_asked(
    finished: FineTuneJob, proxy: FaultyProxy, late: Provider
) -> None:
    """The local server's own profile needs no probe, on either face."""
    prompt = replace(late, profile=finished.provider.profile)

    async def waited() -> None:
        job = await FineTuneJob.get_async(finished.id, provider=prompt)
        await job.wait_async()
        await prompt.close_async()

    FineTuneJob.get(finished.id, provider=prompt).wait()
    asyncio.run(waited())

    assert proxy.count("POST", CHAT) == 0


def test_the_asynchronous_face_asks_as_well(
    finished: FineTuneJob, proxy: FaultyProxy, late: Provider
) -> None:
    """One 404, one answer."""
    proxy.rules = [Rule("POST", CHAT, ["404"])]

    async def waited() -> None:
        job = await FineTuneJob.get_async(finished.id, provider=late)
        await job.wait_async()
        await late.close_async()

    asyncio.run(waited())

    assert proxy.count("POST", CHAT) == 2


def says(shutdown_date: str | None) -> Rule:
    """The service's own word on the base model."""
    model = {"id": MODEL, "object": "model", "created": 0, "owned_by": "system"}
    answer = json.dumps({**model, "shutdown_date": shutdown_date}).encode()
    return Rule("GET", f"/models/{MODEL}", ["answer"] * 9, answer=answer)


@pytest.mark.parametrize(
    ("date", "margin_days", "words"),
    [
        ("2026-12-01", 30, "in 8 days, and margin_days is 30"),
        ("2026-11-23", 30, "which has come"),
        ("2026-11-23", 0, "which has come"),
    ],
)
def test_the_services_own_end_date_stops_the_launch(
    rows: Dataset, proxy: FaultyProxy, late: Provider, date: str, margin_days: int, words: str
) -> None:
    """A date within the margin wins over the catalog, before anything is uploaded."""
    proxy.rules = [says(date)]

    with pytest.raises(ModelRetiredError, match=words) as caught:
        FineTuneJob.create(rows, provider=late, suffix="ending", margin_days=margin_days)

    assert caught.value.date is not None
    assert caught.value.date.isoformat() == date
    assert proxy.count("POST", "/files") == 0
    assert proxy.count("POST", "/jobs") == 0


@pytest.mark.parametrize(
    ("rule", "margin_days"),
    [
        (says("2026-12-01"), 0),
        (says("2028-01-01"), 30),
        (says(None), 30),
        (says("some day"), 30),
        (Rule("GET", f"/models/{MODEL}", ["404"]), 30),
    ],
    ids=["no margin", "far away", "none announced", "no date", "not told"],
)
def test_a_date_that_is_absent_or_far_stops_nothing(
    rows: Dataset, proxy: FaultyProxy, late: Provider, rule: Rule, margin_days: int
) -> None:
    """The launch goes on as without the question."""
    proxy.rules = [replace(rule, faults=[*rule.faults])]

    job = FineTuneJob.create(
        rows,
        provider=late,
        suffix="going-on",
        hyperparameters=LONG,
        margin_days=margin_days,
        if_exists="new",
    )

    assert proxy.count("GET", f"/models/{MODEL}") == 1
    job.cancel()


@pytest.mark.parametrize("face", ["blocking", "async"])
def test_an_end_that_the_service_has_postponed_no_longer_stops_the_launch(
    rows: Dataset,
    proxy: FaultyProxy,
    late: Provider,
    face: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """After the catalog's last day the service's own, later date decides, on both faces."""
    after = replace(late, kind="openai", clock=VirtualClock(today=dt.date(2027, 2, 1)))
    settings = {"provider": after, "suffix": f"postponed-{face}", "hyperparameters": LONG}

    async def created() -> FineTuneJob:
        job = await FineTuneJob.create_async(rows, **settings)
        await after.close_async()
        return job

    proxy.rules = [says("2027-01-14")]
    with pytest.raises(ModelRetiredError, match="2027-01-06"):
        FineTuneJob.create(rows, **settings)
    assert proxy.count("POST", "/files") == 0

    proxy.rules = [says("2027-12-31")]
    job = asyncio.run(created()) if face == "async" else FineTuneJob.create(rows, **settings)

    assert "2027-12-31, later than" in caplog.text
    job.cancel()


def test_an_outage_does_not_outlast_the_deadline(
    finished: FineTuneJob,
    proxy: FaultyProxy,
    late: Provider,
    clock: VirtualClock,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A service that is gone once the job is seen to have ended is given up on in time."""
    proxy.rules = [Rule("POST", CHAT, ["drop before"] * 1000)]

    model = FineTuneJob.get(finished.id, provider=late).wait(timeout=20)

    assert model.name == finished.fine_tuned_model
    assert clock.seconds <= 20 + 1e-9
    assert "does not answer" in caplog.text
