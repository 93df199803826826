"""For your own tests: the local server with scripted training, a virtual clock and faults on demand.

    >>> with FakeService(transitions=Transitions.after_seconds(6 * 3600)) as service:
    ...     job = FineTuneJob.create(train, provider=service.provider)
    ...     model = job.wait()                      # six virtual hours, no time at all

With pytest the fixtures `tuning_service` and `tuning_server` are there as soon as the package is
installed; `-p no:gpt4o_tune` takes them away. Needs the extra `local`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gpt4o_tune.testing.clock import VirtualClock
    from gpt4o_tune.testing.faults import Fault, Faults, UnusedFaultWarning
    from gpt4o_tune.testing.recording import RecordedRequest, RecordedRequests
    from gpt4o_tune.testing.service import FakeService
    from gpt4o_tune.testing.transitions import Outcome, Transitions

__all__ = [
    "FakeService",
    "Fault",
    "Faults",
    "Outcome",
    "RecordedRequest",
    "RecordedRequests",
    "Transitions",
    "UnusedFaultWarning",
    "VirtualClock",
]

_HOME = {
    "FakeService": "service",
    "Fault": "faults",
    "Faults": "faults",
    "Outcome": "transitions",
    "RecordedRequest": "recording",
    "RecordedRequests": "recording",
    "Transitions": "transitions",
    "UnusedFaultWarning": "faults",
    "VirtualClock": "clock",
}
"""The module that each name lives in; the plugin of pytest is imported in every test run of a user,
so nothing is loaded before it is asked for."""


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*__all__]
