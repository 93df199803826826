"""Thousands of seeded schedules of faults, each a whole life of a job, on virtual time.

`tests/jobs/schedules.py` says what a schedule is and checks what must hold in each: at most one live job and
one charge, never a lost job, no upload twice, every event once and in order, no wait past its deadline.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

from tests.jobs.schedules import KILLED, Bench, Tally
from tests.jobs.wire import FAULTS

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    """One socket for all schedules."""
    with Bench() as running:
        yield running


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    """A million lines of log would be kept for a report that nobody reads."""
    caplog.set_level(logging.CRITICAL, logger="gpt4o_tune")


def hold(bench: Bench, numbers: range, capsys: pytest.CaptureFixture[str]) -> Tally:
    """Run schedules by their numbers and print what was done."""
    bench.tally = Tally()
    for number in numbers:
        bench.run(number)
    with capsys.disabled():
        print(f"\n{bench.tally}")  # noqa: T201  # the counts are part of what is shown
    return bench.tally


def test_two_thousand_schedules(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    """All invariants hold in every schedule, and every kind of fault occurred in them."""
    tally = hold(bench, range(2000), capsys)

    assert tally.schedules == 2000
    assert set(tally.injected) == {*FAULTS, KILLED}
    assert min(tally.injected.values()) > 50
    assert tally.unread_logs < 60


@pytest.mark.slow
def test_ten_thousand_schedules(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    """As above, with numbers that the quick run does not use."""
    assert hold(bench, range(10_000, 20_000), capsys).schedules == 10_000


def test_a_schedule_is_repeatable(bench: Bench) -> None:
    """The same number gives the same requests and the same faults, so a failure can be replayed."""

    def traces() -> list[tuple[int, Counter[str]]]:
        found: list[tuple[int, Counter[str]]] = []
        for number in range(60, 80):
            bench.tally = Tally()
            bench.run(number)
            found.append((bench.tally.requests, bench.tally.injected))
        return found

    assert traces() == traces()
