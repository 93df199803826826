"""Running stubs, and launches against them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pytest

from gpt4o_tune import Dataset, FineTuneJob
from tests.providers.service import FineTuningStub, Service
from tests.providers.services import SERVICES
from tests.providers.stub import StubServer
from tests.rows import routing_rows

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gpt4o_tune import LaunchPlan, Provider
    from tests.conftest import VirtualClock

CHAT_ROWS = Dataset.from_records(routing_rows(20))
PROMPT_ROWS = Dataset.from_records(
    [
        {"messages": [{"role": "user", "content": f"What is {n} plus {n}?"}], "answer": str(2 * n)}
        for n in range(20)
    ]
)


@dataclass
class Place:
    """One provider as the library sees it, and the stub behind."""

    service: Service
    server: StubServer
    provider: Provider

    def plan(self, **changes: Any) -> LaunchPlan:
        """Plan what the service's documents allow, with changes."""
        settings = {**self.service.launch, **changes}
        rows = PROMPT_ROWS if settings.get("method") == "reinforcement" else CHAT_ROWS
        return FineTuneJob.plan(rows, provider=self.provider, **settings)

    def launch(self, **changes: Any) -> FineTuneJob:
        return FineTuneJob.launch(self.plan(**changes))


@pytest.fixture(params=SERVICES, ids=lambda service: service.name)
def place(request: pytest.FixtureRequest, clock: VirtualClock) -> Iterator[Place]:
    """Each provider in turn."""
    yield from running(request.param, clock)


def running(service: Service, clock: VirtualClock) -> Iterator[Place]:
    """Serve one provider's stub, with waiting on virtual time."""
    with StubServer(FineTuningStub(service)) as server:
        provider = replace(service.provider(server.url), clock=clock)
        yield Place(service, server, provider)
        provider.close()
