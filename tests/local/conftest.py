"""A client of the shared server, small data, and models that several tests look at."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import openai
import pytest
import tenacity

from tests.conformance.document import document_from_environment
from tests.conformance.watching import watch

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from openai.types import FileObject
    from openai.types.fine_tuning import FineTuningJob

    from gpt4o_tune import LocalServer
    from tests.conformance.document import ApiDocument

MODEL = "gpt-4o-2024-08-06"
SUMMARY = pytest.StashKey[str]()
_DEADLINE_S = 60.0
_ASKED = {
    "refund": ["money back", "want a refund", "pay me back", "return the payment"],
    "parcel": ["where is my parcel", "track the parcel", "parcel is late", "lost my parcel"],
    "account": ["reset password", "cannot log in", "delete my account", "change my email"],
}


def example(question: str, answer: str) -> dict[str, object]:
    """One chat row."""
    return {
        "messages": [
            {"role": "user", "content": question},
            {"role": "assistant", "content": answer},
        ]
    }


def jsonl(rows: Sequence[object]) -> bytes:
    """Rows as the bytes of a file."""
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


ROWS = [
    example(f"{opening} {words}", label)
    for label, questions in _ASKED.items()
    for words in questions
    for opening in ("please,", "hello,")
]


@dataclass(frozen=True)
class Desk:
    """A client, and what tests do with it over and over."""

    client: openai.OpenAI

    def upload(self, content: bytes, *, name: str = "rows.jsonl") -> FileObject:
        return self.client.files.create(file=(name, content), purpose="fine-tune")

    def create(self, file_id: str, *, n_epochs: int = 3, **options: object) -> FineTuningJob:
        settings = {"n_epochs": n_epochs, "batch_size": 8}
        method = {"type": "supervised", "supervised": {"hyperparameters": settings}}
        return self.client.fine_tuning.jobs.create(
            **{
                "model": MODEL,
                "training_file": file_id,
                "method": method,
                "seed": 7,
                **options,
            }
        )

    def finished(self, job_id: str) -> FineTuningJob:
        """Look at a job until it is in a final state."""
        return self.until(job_id, {"succeeded", "failed", "cancelled"})

    def until(self, job_id: str, statuses: set[str]) -> FineTuningJob:
        look = tenacity.Retrying(
            retry=tenacity.retry_if_result(lambda job: job.status not in statuses),
            wait=tenacity.wait_fixed(0.02),
            stop=tenacity.stop_after_delay(_DEADLINE_S),
        )
        return look(self.client.fine_tuning.jobs.retrieve, job_id)

    def steps(self, job_id: str) -> list[dict[str, float]]:
        """The measurements of a job, oldest first."""
        events = [*self.client.fine_tuning.jobs.list_events(job_id, limit=100)]
        return [event.data for event in reversed(events) if event.type == "metrics"]

    def answer(self, model: str, question: str, **options: object) -> str | None:
        """One answer at temperature 0."""
        messages = [{"role": "user", "content": question}]
        completion = self.client.chat.completions.create(
            model=model, messages=messages, temperature=0, **options
        )
        return completion.choices[0].message.content


def desk_at(base_url: str, api_key: str) -> Desk:
    """A desk at a server, without retries that would hide an error."""
    return Desk(openai.OpenAI(base_url=base_url, api_key=api_key, max_retries=0))


@pytest.fixture(scope="session")
def desk(server: LocalServer) -> Iterator[Desk]:
    """A desk at the shared server."""
    desk = desk_at(server.base_url, server.api_key)
    with desk.client:
        yield desk


@pytest.fixture(scope="session")
def training_file(desk: Desk) -> FileObject:
    """The uploaded rows."""
    return desk.upload(jsonl(ROWS))


@pytest.fixture(scope="session")
def trained(desk: Desk, training_file: FileObject) -> FineTuningJob:
    """A succeeded job of 20 epochs with a validation file."""
    validation = desk.upload(jsonl(ROWS[::5]))
    job = desk.create(
        training_file.id,
        n_epochs=20,
        validation_file=validation.id,
        suffix="tickets",
        metadata={"team": "support"},
    )
    finished = desk.finished(job.id)
    assert finished.status == "succeeded", finished.error
    return finished


@pytest.fixture(scope="session")
def api_document(pytestconfig: pytest.Config) -> Iterator[ApiDocument | None]:
    """The API description that the environment names, which sees each response of the session."""
    document = document_from_environment()
    if document is None:
        yield None
        return
    with pytest.MonkeyPatch.context() as patch:
        watch(document, patch)
        yield document
    pytestconfig.stash[SUMMARY] = document.summary()


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Say how much was compared."""
    if SUMMARY in config.stash:
        terminalreporter.section("API description")
        terminalreporter.write_line(config.stash[SUMMARY])


@pytest.fixture(autouse=True)
def _as_described(api_document: ApiDocument | None) -> Iterator[None]:
    """Fail a test in which a response did not fit the description."""
    yield
    if api_document is not None:
        assert not api_document.take_faults()
