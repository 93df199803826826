"""Loggers: every number once, across restarts, and readable by the tool that it was written for."""

from __future__ import annotations

import datetime as dt
import json
import logging
import math
import struct
import sys
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpt4o_tune import FineTuneJob, MissingExtraError
from gpt4o_tune.jobs import Event, MetricRow, Metrics
from gpt4o_tune.jobs.loggers import (
    JsonlLogger,
    MetricsLogger,
    MlflowLogger,
    TensorBoardLogger,
    WandbLogger,
)
from gpt4o_tune.jobs.metrics import from_events, from_records

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from gpt4o_tune import LocalServer

START = dt.datetime(2026, 11, 23, 12, tzinfo=dt.UTC)


def event(step: int | None, **data: object) -> Event:
    """Make a metrics event of one second per step, or a message where there is no step."""
    return Event(
        id=f"e{step}",
        created_at=START + dt.timedelta(seconds=step or 0),
        level="info",
        kind="message" if step is None else "metrics",
        message="Fine-tuning job started",
        data={} if step is None else {"step": step, **data},
    )


EVENTS = [
    event(None),
    event(1, train_loss=2.5, train_mean_token_accuracy=0.25),
    event(2, train_loss=2.0, valid_loss=2.25),
    event(3, train_loss=1.5, full_valid_loss=1.75),
]


def log_all(logger: MetricsLogger, events: Iterable[Event] = EVENTS) -> None:
    """Hand on events, and close, as a wait in a `with` block does."""
    with logger:
        for each in events:
            logger(each)


def lines_of(path: Path) -> list[dict[str, Any]]:
    """Read a file of JSON lines."""
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def test_a_wait_logs_what_the_job_measured(
    finished: FineTuneJob, server: LocalServer, tmp_path: Path
) -> None:
    """A logger is a callback for `wait`; another wait with another logger on the same file adds nothing."""
    path = tmp_path / "logs" / "run.jsonl"
    for _ in range(2):
        with JsonlLogger(path) as logger:
            job = FineTuneJob.get(finished.id, provider=server.provider)
            job.wait(on_event=logger)
            logger.finish(job.status, job.fine_tuned_model)
    *rows, outcome = lines_of(path)

    assert from_records(rows) == from_events(finished.events())
    assert len(rows) == 18
    assert outcome == {"status": "succeeded", "fine_tuned_model": finished.fine_tuned_model}


def test_a_line_holds_the_step_its_time_and_what_was_measured(tmp_path: Path) -> None:
    """Numbers have the names of `MetricRow`; what was not measured is absent."""
    log_all(JsonlLogger(tmp_path / "run.jsonl"))

    assert lines_of(tmp_path / "run.jsonl")[0] == {
        "step": 1,
        "measured_at": "2026-11-23T12:00:01+00:00",
        "train_loss": 2.5,
        "train_accuracy": 0.25,
    }


def test_only_what_is_new_or_different_is_written(tmp_path: Path) -> None:
    """A number that came later to a step is added; one measured anew after a pre-emption is written again."""
    log_all(JsonlLogger(tmp_path / "run.jsonl"))
    again = [*EVENTS, event(2, train_loss=2.0, full_valid_loss=2.1), event(3, train_loss=1.4)]
    log_all(JsonlLogger(tmp_path / "run.jsonl"), again)
    added = [
        {k: v for k, v in line.items() if k != "measured_at"}
        for line in lines_of(tmp_path / "run.jsonl")[3:]
    ]

    assert added == [{"step": 2, "full_valid_loss": 2.1}, {"step": 3, "train_loss": 1.4}]


def test_losses_that_are_no_numbers_are_valid_json_and_read_back(tmp_path: Path) -> None:
    """NaN and infinity are words in the file, and written once like any number."""
    diverged = [event(1, train_loss=math.nan, valid_loss=math.inf)]
    for _ in range(2):
        log_all(JsonlLogger(tmp_path / "run.jsonl"), diverged)
    (line,) = lines_of(tmp_path / "run.jsonl")

    assert (line["train_loss"], line["valid_loss"]) == ("nan", "inf")
    assert repr(from_records([line])) == repr(from_events(diverged))


@given(cut=st.integers(0, 450), events=st.integers(0, 4))
def test_a_log_goes_on_after_a_kill_at_any_byte(
    cut: int, events: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """However the file was cut off, the next logger makes it what one undisturbed run would have."""
    path = tmp_path_factory.mktemp("kill") / "run.jsonl"
    whole = JsonlLogger(path)
    log_all(whole)
    whole.finish("succeeded", "ft:gpt-4o:a")
    complete = path.read_bytes()
    path.write_bytes(complete[:cut])

    with JsonlLogger(path) as resumed:
        for each in (*EVENTS[:events], *EVENTS):
            resumed(each)
        resumed.finish("succeeded", "ft:gpt-4o:a")

    assert path.read_bytes() == complete


@pytest.mark.parametrize(
    "content",
    ['{"messages": []}\n', "hello", '{"step": 1}\n\n{"step": 2}\n', "[1]\n", '{"step": 1\n', "1"],
)
def test_a_file_of_something_else_is_left_alone(tmp_path: Path, content: str) -> None:
    """A training file given by mistake is refused and not touched."""
    path = tmp_path / "tickets.jsonl"
    path.write_text(content)

    with pytest.raises(ValueError, match=r"line \d of .*Choose another path"):
        JsonlLogger(path)

    assert path.read_text() == content


class Unreliable(MetricsLogger):
    """Writes to a list, and fails as often as it is told to."""

    def __init__(self, *, failures: int) -> None:
        super().__init__()
        self.failures = failures
        self.written: list[tuple[int, float]] = []
        self.outcomes: list[tuple[str, str | None]] = []

    def close(self) -> None:
        pass

    def _write(self, step: int, numbers: Mapping[str, float], measured_at: dt.datetime) -> None:
        if self.failures:
            self.failures -= 1
            raise ConnectionError("out of reach")
        self.written.append((step, numbers["train_loss"]))

    def _write_outcome(self, status: str, fine_tuned_model: str | None) -> None:
        self.outcomes.append((status, fine_tuned_model))


@pytest.mark.parametrize("failures", range(5))
def test_a_failing_target_neither_ends_the_wait_nor_loses_a_row(
    failures: int, caplog: pytest.LogCaptureFixture
) -> None:
    """Each failure is a warning that names the step; the rows follow as soon as the target answers."""
    logger = Unreliable(failures=failures)
    for each in EVENTS:
        logger(each)
    if failures > 3:
        with pytest.raises(ConnectionError):
            logger.finish("running")
    for status in ("running", "succeeded", "succeeded"):
        logger.finish(status, "ft:a")

    assert logger.written == [(1, 2.5), (2, 2.0), (3, 1.5)]
    assert logger.outcomes == [("succeeded", "ft:a")]
    warnings = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert len(warnings) == min(failures, 3)
    assert all("step 1" in record.message for record in warnings)


def test_rows_can_be_logged_without_a_wait(tmp_path: Path) -> None:
    """Final metrics of an old job go into a file row by row."""
    metrics = Metrics((MetricRow(step=5, train_loss=1.0), MetricRow(step=10, train_loss=0.5)))
    with JsonlLogger(tmp_path / "old.jsonl") as logger:
        for row in metrics:
            logger.log(row)

    assert from_records(lines_of(tmp_path / "old.jsonl")) == metrics


@pytest.mark.parametrize(
    ("extra", "package", "make"),
    [
        ("tensorboard", "tensorboardX", lambda: TensorBoardLogger("runs")),
        ("mlflow", "mlflow", lambda: MlflowLogger("ftjob-1")),
        ("wandb", "wandb", lambda: WandbLogger("ftjob-1", project="p")),
    ],
)
def test_a_missing_package_is_named_before_the_wait(
    extra: str,
    package: str,
    make: Callable[[], MetricsLogger],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The error comes when the logger is made, with the command that helps."""
    monkeypatch.setitem(sys.modules, package, None)

    with pytest.raises(MissingExtraError, match=rf"gpt4o-tune\[{extra}\]"):
        make()


@pytest.mark.filterwarnings("ignore")  # of packages that are not ours
def test_tensorboard_reads_every_number_once(tmp_path: Path) -> None:
    """Two waits on one folder show as one run in TensorBoard, at the times of measurement."""
    pytest.importorskip("tensorboardX", reason="the extra [tensorboard] is not installed")
    reader = pytest.importorskip(
        "tensorboard.backend.event_processing.event_accumulator",
        reason="tensorboard, which reads the files back, is not installed",
    )
    log_all(TensorBoardLogger(tmp_path), EVENTS[:3])
    second = TensorBoardLogger(tmp_path)
    log_all(second)
    with second:
        second.finish("succeeded", "ft:gpt-4o:a")
    shown = reader.EventAccumulator(str(tmp_path)).Reload()

    assert [(e.step, e.value, e.wall_time) for e in shown.Scalars("train_loss")] == [
        (step, loss, START.timestamp() + step) for step, loss in [(1, 2.5), (2, 2.0), (3, 1.5)]
    ]
    assert [(e.step, e.value) for e in shown.Scalars("full_valid_loss")] == [(3, 1.75)]
    assert b"succeeded ft:gpt-4o:a" in b"".join(path.read_bytes() for path in tmp_path.iterdir())


@pytest.mark.filterwarnings("ignore")  # of packages that are not ours
def test_mlflow_holds_every_number_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The job's run is found again by its id; state and model stand in its tags."""
    mlflow = pytest.importorskip("mlflow", reason="the extra [mlflow] is not installed")
    # The small package of the extra can write to a server or, when told so, to a folder.
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    uri = tmp_path.as_uri()
    first = MlflowLogger("ftjob-1", tracking_uri=uri)
    log_all(first, EVENTS[:3])
    second = MlflowLogger("ftjob-1", tracking_uri=uri)
    log_all(second)
    second.finish("succeeded", "ft:gpt-4o:a")
    other = MlflowLogger("ftjob-2", tracking_uri=uri)
    other.finish("failed")
    client = mlflow.MlflowClient(tracking_uri=uri)
    run = client.get_run(second.run_id)

    assert first.run_id == second.run_id != other.run_id
    assert [
        (m.step, m.value, m.timestamp)
        for m in client.get_metric_history(run.info.run_id, "train_loss")
    ] == [
        (step, loss, round(START.timestamp() + step) * 1000)
        for step, loss in [(1, 2.5), (2, 2.0), (3, 1.5)]
    ]
    assert run.info.run_name == "ftjob-1"
    assert run.info.status == "FINISHED"
    assert run.data.tags["gpt4o_tune.fine_tuned_model"] == "ft:gpt-4o:a"
    assert client.get_run(other.run_id).info.status == "FAILED"


@pytest.mark.filterwarnings("ignore")  # of packages that are not ours
def test_wandb_records_every_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An offline run, whose id is the job's, holds the numbers by step, and the outcome as summary."""
    wandb = pytest.importorskip("wandb", reason="the extra [wandb] is not installed")
    for name, value in {"MODE": "offline", "DIR": str(tmp_path), "SILENT": "true"}.items():
        monkeypatch.setenv(f"WANDB_{name}", value)
    with WandbLogger("ftjob-1", project="tickets") as logger:
        for each in [*EVENTS, *EVENTS]:
            logger(each)
        logger.finish("succeeded", "ft:gpt-4o:a")
    wandb.teardown()  # W&B's own process may still be writing the file
    (path,) = tmp_path.rglob("*.wandb")
    records = wandb_records(path)
    rows = [
        {
            item.key or item.nested_key[0]: json.loads(item.value_json)
            for item in record.history.item
        }
        for record in records
        if record.HasField("history")
    ]
    summary = {
        item.key or item.nested_key[0]: json.loads(item.value_json)
        for record in records
        for item in record.summary.update
    }

    assert path.name == "run-ftjob-1.wandb"
    assert [(row["_step"], row["train_loss"]) for row in rows] == [(1, 2.5), (2, 2.0), (3, 1.5)]
    assert rows[2]["full_valid_loss"] == 1.75
    assert (summary["status"], summary["fine_tuned_model"]) == ("succeeded", "ft:gpt-4o:a")


def wandb_records(path: Path) -> list[Any]:
    """Read W&B's offline file: LevelDB's log format, in blocks of 32 KiB behind 7 bytes of its own."""
    from wandb.proto import wandb_internal_pb2

    content, at, begun, records = path.read_bytes(), 7, b"", []
    while at + 7 <= len(content):
        if 32768 - at % 32768 < 7:
            at += 32768 - at % 32768
            continue
        _, length, kind = struct.unpack_from("<IHB", content, at)
        begun += content[at + 7 : at + 7 + length]
        at += 7 + length
        if kind in (1, 4):  # a whole record, or the last part of one
            records.append(wandb_internal_pb2.Record.FromString(begun))
            begun = b""
    return records
