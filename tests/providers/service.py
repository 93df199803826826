"""The fine-tuning API as one stub; what providers document differently about it is data."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from tests.providers.stub import Answer, Request

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from gpt4o_tune import Provider

FIRST_SECOND = 1_800_000_000


@dataclass(frozen=True)
class Rule:
    """Why a service refuses a request: it does so where `broken` holds."""

    words: str
    broken: Callable[[Request], bool]
    at: Literal["every request", "create", "jobs"] = "create"


def error_object(status: int, words: str) -> dict[str, object]:
    """OpenAI's shape of an error."""
    return {"error": {"message": words, "type": "invalid_request_error", "code": None}}


@dataclass(frozen=True, kw_only=True)
class Service:
    """What one provider documents about its fine-tuning API; the defaults are OpenAI's."""

    name: str
    provider: Callable[[str], Provider]
    """The library's provider for a stub at this address."""
    path: str = "/v1"
    """Where the API begins."""
    launch: Mapping[str, Any] = field(default_factory=dict)
    """What a launch on this service asks for."""
    creates: Mapping[str, object] = field(default_factory=dict)
    """Fields that its create request must then carry."""
    never_sent: tuple[str, ...] = ()
    """Fields that this service does not know."""
    states: tuple[str, ...] = ("validating_files", "queued", "running", "succeeded")
    """What the job shows at each look."""
    cancelling: tuple[str, ...] = ("cancelled",)
    """What it shows from the cancellation on."""
    file_states: tuple[str, ...] = ("processed",)
    waits_for_files: bool = False
    """Whether a create before a file's last state is refused."""
    missing: frozenset[str] = frozenset()
    """Routes below a job that do not exist."""
    rules: tuple[Rule, ...] = ()
    refusal: int = 400
    error: Callable[[int, str], object] = error_object
    """The body of a refusal, from status and words."""
    timestamp: Callable[[int], object] = int
    unset: object = None
    """How an empty field is written."""
    drops: tuple[str, ...] = ()
    """Fields of a job object that are not there at all."""
    job: Mapping[str, object] = field(default_factory=dict)
    """Further fields of a job object."""
    model: str = "ft:gpt-4o-2024-08-06:acme::stub"
    """The model that comes out."""
    serves_at_once: bool = True
    """Whether the model answers without being deployed first."""
    events: tuple[Mapping[str, object], ...] = ()
    """Oldest first; the list is served the other way round."""
    result_file: bytes | None = None
    checkpoints: tuple[Mapping[str, object], ...] = ()


class FineTuningStub:
    """A service in memory; a job moves on by one state each time that it is looked at."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.files: dict[str, dict[str, Any]] = {}
        self.jobs: dict[str, dict[str, Any]] = {}

    def __call__(self, request: Request) -> Answer:
        if not request.path.startswith(f"{self.service.path}/"):
            return self._refuse(404, f"no route {request.path}")
        route = request.path.removeprefix(self.service.path)
        for rule in self.service.rules:
            if self._concerns(rule, request, route) and rule.broken(request):
                return self._refuse(self.service.refusal, rule.words)
        for method, pattern, serve in (
            ("POST", r"/files", self._upload),
            ("GET", r"/files", self._list_files),
            ("GET", r"/files/([^/]+)", self._file),
            ("GET", r"/files/([^/]+)/content", self._content),
            ("POST", r"/fine_tuning/jobs", self._create),
            ("GET", r"/fine_tuning/jobs", self._list_jobs),
            ("GET", r"/fine_tuning/jobs/([^/]+)", self._look),
            ("POST", r"/fine_tuning/jobs/([^/]+)/cancel", self._cancel),
            ("GET", r"/fine_tuning/jobs/[^/]+/(events|checkpoints)", self._below_job),
            ("POST", r"/chat/completions", self._chat),
        ):
            found = re.fullmatch(pattern, route)
            if method == request.method and found:
                return serve(request, *found.groups())
        return self._refuse(404, f"no route {request.path}")

    def _concerns(self, rule: Rule, request: Request, route: str) -> bool:
        if rule.at == "every request":
            return True
        if rule.at == "jobs":
            return route.startswith("/fine_tuning/jobs")
        return request.method == "POST" and route == "/fine_tuning/jobs"

    def _refuse(self, status: int, words: str) -> Answer:
        return Answer(self.service.error(status, words), status)

    def _upload(self, request: Request) -> Answer:
        name = re.search(rb'filename="([^"]+)"', request.content)
        assert name, "an upload must carry a file name"
        rows = re.search(rb"\r\n\r\n(\{.*\})\s*\r\n--", request.content, re.DOTALL)
        assert rows, "an upload must carry rows"
        file: dict[str, Any] = {
            "id": f"file-{len(self.files) + 1}",
            "object": "file",
            "filename": name[1].decode(),
            "bytes": len(rows[1]) + 1,
            "purpose": "fine-tune",
            "created_at": self.service.timestamp(FIRST_SECOND),
            "states": list(self.service.file_states),
        }
        self.files[file["id"]] = file
        return Answer(self._shown_file(file))

    def _list_files(self, request: Request) -> Answer:
        newest_first = list(self.files.values())[::-1]
        return Answer({"object": "list", "data": [self._shown_file(f) for f in newest_first]})

    def _file(self, request: Request, file_id: str) -> Answer:
        file = self.files.get(file_id)
        if file is None:
            return self._refuse(404, f"no file {file_id}")
        if len(file["states"]) > 1:
            file["states"].pop(0)
        return Answer(self._shown_file(file))

    def _shown_file(self, file: Mapping[str, Any]) -> dict[str, object]:
        rest = {name: value for name, value in file.items() if name != "states"}
        return {**rest, "status": file["states"][0]}

    def _content(self, request: Request, file_id: str) -> Answer:
        return Answer(self.service.result_file or b"")

    def _create(self, request: Request) -> Answer:
        body, service = request.body, self.service
        named = [body[key] for key in ("training_file", "validation_file") if key in body]
        if any(file_id not in self.files for file_id in named):
            return self._refuse(400, f"invalid training_file: {named[0]}")
        if service.waits_for_files and any(len(self.files[f]["states"]) > 1 for f in named):
            words = "The specified file reference must point to a completed file import."
            return self._refuse(400, words)
        number = len(self.jobs) + 1
        self.jobs[f"ftjob-{number}"] = {
            "id": f"ftjob-{number}",
            "object": "fine_tuning.job",
            "created_at": service.timestamp(FIRST_SECOND + number),
            "states": list(service.states),
            **{key: value for key, value in body.items() if key not in service.never_sent},
        }
        return Answer(self._shown_job(f"ftjob-{number}"))

    def _list_jobs(self, request: Request) -> Answer:
        newest_first = list(self.jobs)[::-1]
        return Answer({"object": "list", "data": [self._shown_job(j) for j in newest_first]})

    def _look(self, request: Request, job_id: str) -> Answer:
        if job_id not in self.jobs:
            return self._refuse(404, f"no job {job_id}")
        if len(self.jobs[job_id]["states"]) > 1:
            self.jobs[job_id]["states"].pop(0)
        return Answer(self._shown_job(job_id))

    def _cancel(self, request: Request, job_id: str) -> Answer:
        self.jobs[job_id]["states"] = list(self.service.cancelling)
        return Answer(self._shown_job(job_id))

    def _shown_job(self, job_id: str) -> dict[str, object]:
        job, service = self.jobs[job_id], self.service
        state = job["states"][0]
        done = state == "succeeded"
        shown: dict[str, object] = {
            "status": state,
            "fine_tuned_model": service.model if done else service.unset,
            "finished_at": service.timestamp(FIRST_SECOND + 60) if done else service.unset,
            "trained_tokens": 1_234 if done else None,
            "result_files": ["file-results"] if done and service.result_file else [],
            "error": service.unset,
            "organization_id": "org-stub",
            "validation_file": service.unset,
            **{name: value for name, value in job.items() if name != "states"},
            **service.job,
        }
        return {name: value for name, value in shown.items() if name not in service.drops}

    def _below_job(self, request: Request, what: str) -> Answer:
        if what in self.service.missing:
            return self._refuse(404, f"no route {request.path}")
        entries = self.service.events[::-1] if what == "events" else self.service.checkpoints
        return Answer({"object": "list", "data": list(entries), "has_more": False})

    def _chat(self, request: Request) -> Answer:
        if not self.service.serves_at_once:
            return self._refuse(404, "The API deployment for this resource does not exist.")
        message = {"role": "assistant", "content": "Yes"}
        return Answer(
            {
                "id": "chatcmpl-1",
                "object": "chat.completion",
                "created": FIRST_SECOND,
                "model": request.body["model"],
                "choices": [{"index": 0, "finish_reason": "stop", "message": message}],
            }
        )
