"""A fine-tuning service in memory: the documented shapes, a life cycle that reads move on, and a till.

Jobs advance by one state each time somebody looks at them, so nothing here depends on time. The service
charges every job that reaches training, as the real ones do. `tests/jobs/wire.py` puts it on a socket.
"""

from __future__ import annotations

import email
import email.policy
import itertools
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl, urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

FINAL: Final = {"succeeded", "failed", "cancelled"}
FREE: Final = {"validating_files", "queued", "pending", "created", "creating", "cancelled"}
"""States before training; a job that is cancelled in one of them costs nothing."""

LIVES: Final[Mapping[str, Sequence[str]]] = {
    "openai": ("validating_files", "queued", "running", "running", "succeeded"),
    "short": ("queued", "succeeded"),
    "long": ("validating_files", "queued", *["running"] * 9, "succeeded"),
    "azure": ("pending", "created", "running", "running", "succeeded"),
    "paused": (
        "queued",
        "running",
        "pausing",
        "paused",
        "paused",
        "resuming",
        "running",
        "succeeded",
    ),
    "unheard of": ("queued", "warming_up", "running", "moderating", "succeeded"),
    "shouting": ("QUEUED", "RUNNING", "SUCCEEDED"),
    "failing": ("validating_files", "queued", "running", "failed"),
}
"""The states that a job passes through, one a look."""


@dataclass(frozen=True)
class Request:
    """One request as it came off the wire."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def path(self) -> str:
        """The path below `/v1`."""
        return urlsplit(self.target).path.removeprefix("/v1")

    @property
    def query(self) -> dict[str, str]:
        return dict(parse_qsl(urlsplit(self.target).query))

    @property
    def creates(self) -> bool:
        """Whether it makes something that must not be made twice."""
        return self.method == "POST" and self.path in ("/files", "/fine_tuning/jobs")


@dataclass(frozen=True)
class Answer:
    """What the service says, before the wire does its worst to it."""

    body: Mapping[str, object]
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Job:
    """A job and everything that has happened in it."""

    id: str
    created_at: int
    request: Mapping[str, object]
    life: Sequence[str]
    step: int = 0
    was_cancelled: bool = False
    was_charged: bool = False
    events: list[dict[str, object]] = field(default_factory=list)

    @property
    def status(self) -> str:
        return "cancelled" if self.was_cancelled else self.life[self.step]

    @property
    def failed(self) -> bool:
        return self.status == "failed"

    @property
    def is_live(self) -> bool:
        return self.status.lower() not in FINAL

    @property
    def metadata(self) -> Mapping[str, str]:
        return self.request.get("metadata") or {}  # type: ignore[return-value]  # as the client sent it


@dataclass
class Service:
    """The state of one service, and its switches."""

    life: Sequence[str] = LIVES["openai"]
    filters_by_metadata: bool = True
    """Off: the list of jobs ignores the metadata filter, as some servers do."""
    is_sparse: bool = False
    """On: what is optional is null, absent, or an empty object."""
    ids_ascend: bool = True
    """Off: ids of later jobs sort before those of earlier ones."""
    events_per_second: int = 1
    """How many events carry the same time."""
    largest_page: int = 100
    """The most items of one page, whatever the client asks for."""
    knows_paging: bool = True
    """Off: every page is the first one, and there are always more."""
    moves_on: Callable[[], bool] = lambda: True
    """Whether a look moves a job on; time can be the judge of it."""
    jobs: list[Job] = field(default_factory=list)
    files: list[dict[str, object]] = field(default_factory=list)
    second: int = 1_790_000_000

    def __post_init__(self) -> None:
        self._serial = itertools.count(1)
        self._ticks = itertools.count()

    @property
    def charges(self) -> int:
        """How many jobs have been charged; those that failed cost nothing."""
        return sum(job.was_charged and not job.failed for job in self.jobs)

    def run_out(self) -> None:
        """Let every job that still lives train to its end, as it would with nobody looking."""
        for job in self.jobs:
            while job.is_live:
                self._advance(job)

    def answer(self, request: Request) -> Answer:
        """Act on a request, as documented."""
        parts = request.path.strip("/").split("/")
        match request.method, parts:
            case "POST", ["files"]:
                return self._upload(request)
            case "GET", ["files"]:
                return self._page(self.files[::-1], request.query)
            case "GET", ["files", file_id]:
                return _one(file for file in self.files if file["id"] == file_id)
            case "GET", ["models", name]:
                return Answer({"id": name, "object": "model", "created": 0, "owned_by": "service"})
            case "POST", ["chat", "completions"]:
                return Answer({"id": "chat-1", "object": "chat.completion", "choices": []})
            case "POST", ["fine_tuning", "jobs"]:
                return Answer(self._object(self.add_job(json.loads(request.body))))
            case "GET", ["fine_tuning", "jobs"]:
                return self._list(request.query)
            case _, ["fine_tuning", "jobs", job_id, *verb]:
                found = [job for job in self.jobs if job.id == job_id]
                return self._job_verb(found[0], verb, request) if found else _one(())
            case _:
                return _one(())

    def _upload(self, request: Request) -> Answer:
        filename, content = _multipart_file(request)
        file: dict[str, object] = {
            "id": f"file-{next(self._serial)}",
            "object": "file",
            "bytes": len(content),
            "created_at": self.second,
            "filename": filename,
            "purpose": "fine-tune",
            "status": "processed",
        }
        self.files.append(file)
        return Answer(file)

    def add_job(self, request: Mapping[str, object]) -> Job:
        """Create a job without anybody asking over the wire."""
        number = next(self._serial)
        job_id = f"ftjob-{number if self.ids_ascend else 9999 - number:04d}"
        job = Job(job_id, self.second, request, self.life)
        self.jobs.append(job)
        self._event(job, f"Created fine-tuning job: {job.id}")
        return job

    def _list(self, query: Mapping[str, str]) -> Answer:
        wanted = {
            name.removeprefix("metadata[").removesuffix("]"): value
            for name, value in query.items()
            if name.startswith("metadata[") and self.filters_by_metadata
        }
        found = [job for job in self.jobs[::-1] if wanted.items() <= job.metadata.items()]
        return self._page([self._object(job) for job in found], query)

    def _job_verb(self, job: Job, verb: list[str], request: Request) -> Answer:
        match request.method, verb:
            case "GET", []:
                if job.is_live and self.moves_on():
                    self._advance(job)
                return Answer(self._object(job))
            case "POST", ["cancel"]:
                if not job.is_live:
                    return _refusal(400, "Job has already completed or been cancelled")
                job.was_cancelled = True
                self._event(job, "Fine-tuning job cancelled")
                return Answer(self._object(job))
            case "GET", ["events"]:
                return self._page(job.events[::-1], request.query)
            case _:
                return _one(())

    def _advance(self, job: Job) -> None:
        before, job.step = job.status, job.step + 1
        job.was_charged |= job.status.lower() not in FREE
        if job.status != before:
            self._event(job, f"Job is now {job.status}")
        if job.status == "running":
            for _ in range(self.events_per_second):
                self._event(job, f"Step {job.step}", {"step": job.step, "train_loss": 1 / job.step})

    def _event(self, job: Job, message: str, data: Mapping[str, object] | None = None) -> None:
        tick = next(self._ticks)
        event: dict[str, object] = {
            "id": f"ftevent-{tick}",
            "object": "fine_tuning.job.event",
            "created_at": self.second + tick // self.events_per_second,
            "level": None if self.is_sparse else "info",
            "message": message,
            "type": "metrics" if data else "message",
            "data": data or (None if self.is_sparse else {}),
        }
        job.events.append(event)

    def _page(
        self, newest_first: Sequence[Mapping[str, object]], query: Mapping[str, str]
    ) -> Answer:
        if not self.knows_paging:
            return Answer({"object": "list", "data": list(newest_first)})
        ids = [item["id"] for item in newest_first]
        start = ids.index(query["after"]) + 1 if query.get("after") in ids else 0
        length = min(int(query.get("limit", 20)), self.largest_page)
        items = newest_first[start : start + length]
        more = start + len(items) < len(newest_first)
        return Answer({"object": "list", "data": list(items), "has_more": more})

    def _object(self, job: Job) -> dict[str, object]:
        succeeded, failed = job.status.lower() == "succeeded", job.status == "failed"
        reason = {"code": "server_error", "message": "The worker was lost", "param": None}
        always: dict[str, object] = {
            "id": job.id,
            "object": "fine_tuning.job",
            "created_at": job.created_at,
            "model": job.request["model"],
            "status": job.status,
            "training_file": job.request["training_file"],
            "fine_tuned_model": f"ft:{job.request['model']}:org::{job.id[6:]}"
            if succeeded
            else None,
            "metadata": job.metadata,
        }
        if self.is_sparse:
            return {**always, "error": reason if failed else {}, "hyperparameters": None}
        return {
            **always,
            "error": reason if failed else None,
            "finished_at": None if job.is_live else self.second,
            "hyperparameters": {"n_epochs": "auto"},
            "method": job.request.get("method"),
            "organization_id": "org-1",
            "result_files": [],
            "seed": 0,
            "trained_tokens": 100 if succeeded else None,
            "validation_file": job.request.get("validation_file"),
        }


def _one(found: object) -> Answer:
    for item in found:  # type: ignore[attr-defined]  # an iterable of objects
        return Answer(item)
    return _refusal(404, "There is no such thing here")


def _refusal(status: int, message: str) -> Answer:
    return Answer({"error": {"message": message, "type": "invalid_request_error"}}, status)


def _multipart_file(request: Request) -> tuple[str, bytes]:
    """Return name and content of the one file in a form."""
    head = f"content-type: {request.headers['content-type']}\r\n\r\n".encode()
    form = email.message_from_bytes(head + request.body, policy=email.policy.HTTP)
    for part in form.iter_parts():  # type: ignore[attr-defined]  # a message of the new kind
        if part.get_filename():
            return part.get_filename(), part.get_payload(decode=True)
    raise ValueError("the form holds no file")
