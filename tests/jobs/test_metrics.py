"""Metrics: every form in which services deliver them, and what the curves say."""

from __future__ import annotations

import base64
import datetime as dt
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpt4o_tune.jobs import Event, Finding, MetricRow, Metrics
from gpt4o_tune.jobs.metrics import combine, from_events, from_result_file

OPENAI = b"step,train_loss,train_accuracy,valid_loss,valid_mean_token_accuracy\n1,2.5,0.4,2.6,0.3\n2,2.0,0.5,,\n"
AZURE = (
    b"step,train_loss,train_mean_token_accuracy,valid_loss,validation_mean_token_accuracy,"
    b"full_valid_loss,full_valid_mean_token_accuracy\n1,2.5,0.4,2.6,0.3,,\n2,2.0,0.5,,,2.4,0.35\n"
)


def event(step: int, **data: object) -> Event:
    """Make a metrics event."""
    return Event(
        id=f"e{step}",
        created_at=dt.datetime(2026, 11, 23, tzinfo=dt.UTC),
        level="info",
        kind="metrics",
        message="",
        data={"step": step, **data},
    )


@pytest.mark.parametrize("content", [OPENAI, base64.b64encode(OPENAI)], ids=["plain", "base64"])
def test_the_result_file_is_read_plain_and_encoded(content: bytes) -> None:
    """Both deliveries give the same rows; blank cells are not measured, not zero."""
    metrics = from_result_file(content)

    assert metrics.rows == (
        MetricRow(step=1, train_loss=2.5, train_accuracy=0.4, valid_loss=2.6, valid_accuracy=0.3),
        MetricRow(step=2, train_loss=2.0, train_accuracy=0.5),
    )


def test_the_second_header_variant_is_read() -> None:
    """Azure's column names mean the same numbers."""
    last = from_result_file(AZURE).rows[-1]

    assert (last.full_valid_loss, last.full_valid_accuracy) == (2.4, 0.35)
    assert from_result_file(AZURE).rows[0].valid_accuracy == 0.3


def test_an_empty_or_foreign_result_file_gives_no_rows() -> None:
    """A file that is no metrics table loses nothing else."""
    assert len(from_result_file(b"")) == 0
    assert len(from_result_file(b'{"steps": []}')) == 0


def test_events_and_file_are_joined_by_step() -> None:
    """What only one of the two knows is kept; where both know, the file is final."""
    live = from_events([event(1, train_loss=9.0), event(2, full_valid_loss=1.5)])

    joined = combine(live, from_result_file(OPENAI))

    assert [row.step for row in joined] == [1, 2]
    assert joined.rows[0].train_loss == 2.5
    assert joined.rows[1].full_valid_loss == 1.5


@given(st.lists(st.integers(1, 50), unique=True), st.randoms())
def test_rows_stand_in_step_order_however_events_arrive(steps: list[int], random: object) -> None:
    """Order of arrival plays no part."""
    events = [event(step, train_loss=float(step)) for step in steps]
    random.shuffle(events)  # type: ignore[attr-defined]

    assert [row.step for row in from_events(events)] == sorted(steps)


def run_of(training: list[float], validation: dict[int, float] | None = None) -> Metrics:
    """Make the metrics of a run from its losses."""
    known = validation or {}
    return Metrics(
        tuple(
            MetricRow(step=step, train_loss=loss, full_valid_loss=known.get(step))
            for step, loss in enumerate(training, start=1)
        )
    )


FALLING = [3.0 * 0.8**step + 0.2 for step in range(30)]


@pytest.mark.parametrize(
    ("metrics", "finding", "best_step"),
    [
        (run_of([1.0] * 9), Finding.TOO_FEW_POINTS, None),
        (run_of([1.0 + step for step in range(30)]), Finding.DIVERGED, None),
        (run_of([2.0] * 20 + [math.nan] * 10), Finding.DIVERGED, None),
        (run_of(FALLING, {10: 1.0, 20: 0.8, 30: 1.1}), Finding.OVERFITTING, 20),
        (run_of(FALLING, {10: 1.0, 20: 0.8, 30: 0.79}), Finding.SOUND, 30),
        (run_of(FALLING, {10: 1.0, 20: 0.80, 30: 0.81}), Finding.SOUND, 20),
        (run_of(FALLING), Finding.SOUND, None),
        (run_of([5.0 - step / 10 for step in range(40)]), Finding.UNDERFITTING, None),
    ],
)
def test_the_diagnosis_follows_its_rules(
    metrics: Metrics, finding: Finding, best_step: int | None
) -> None:
    """Each rule names its finding; the sentence says why."""
    diagnosis = metrics.diagnosis

    assert (diagnosis.finding, diagnosis.best_step) == (finding, best_step)
    assert str(finding) in str(diagnosis)


def test_the_text_shows_both_curves_and_the_diagnosis() -> None:
    """Printing metrics shows a chart with its legend and the finding below."""
    text = str(run_of(FALLING, {10: 1.0, 20: 0.8, 30: 1.1}))

    assert "· training loss" in text
    assert "● validation loss" in text
    assert "Diagnosis: overfitting" in text
    assert max(map(len, text.splitlines()[:-1])) <= 80


def test_no_metrics_yet_says_so() -> None:
    """A job that has not started training prints a sentence, not an empty chart."""
    assert "No metrics yet" in str(Metrics(()))
    assert Metrics(()).diagnosis.finding is Finding.TOO_FEW_POINTS
