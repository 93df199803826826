"""Files and batches as OpenAI's reference describes them, in memory; a batch moves on as it is looked at."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.providers.stub import Answer, Request

if TYPE_CHECKING:
    from collections.abc import Callable

FIRST_SECOND = 1_800_000_000
USAGE = {
    "prompt_tokens": 1000,
    "completion_tokens": 100,
    "total_tokens": 1100,
    "prompt_tokens_details": {"cached_tokens": 400},
}


@dataclass
class Fault:
    """What goes wrong once: a request of this kind is refused, acted upon first or not."""

    method: str
    path_end: str
    acts: bool = True
    status: int = 500


@dataclass
class BatchService:
    """Answers each question with its last message in capitals; one that says `fail` is refused."""

    looks: int = 2
    """How often a batch is looked at before it ends."""
    ending: str = "completed"
    """The state in which batches end; in every state but these two the first half is answered."""
    keeps_metadata: bool = True
    page: int = 100
    faults: list[Fault] = field(default_factory=list)
    files: dict[str, tuple[dict[str, Any], bytes]] = field(default_factory=dict)
    batches: dict[str, dict[str, Any]] = field(default_factory=dict)
    order: Callable[[list[bytes]], list[bytes]] = reversed  # type: ignore[assignment]  # the API promises none
    seen: dict[str, int] = field(default_factory=dict)

    def __call__(self, request: Request) -> Answer:
        for fault in self.faults:
            if request.method == fault.method and request.path.endswith(fault.path_end):
                self.faults.remove(fault)
                if fault.acts:
                    self._serve(request)
                return refused(fault.status, "the fault of a test")
        return self._serve(request)

    def _serve(self, request: Request) -> Answer:
        method, path = request.method, request.path.removeprefix("/v1")
        if path == "/files":
            return self._upload(request) if method == "POST" else self._files(request)
        if found := re.fullmatch(r"/files/([^/]+)/content", path):
            kept = self.files.get(found[1])
            return refused(404, "No such file") if kept is None else Answer(kept[1])
        if path == "/batches":
            return self._create(request.body) if method == "POST" else self._batches(request)
        if found := re.fullmatch(r"/batches/([^/]+)(/cancel)?", path):
            batch = self.batches.get(found[1])
            if batch is None:
                return refused(404, f"No batch {found[1]}")
            return self._cancel(batch) if found[2] else self._look(batch)
        return refused(404, f"no route {method} {path}")

    def _upload(self, request: Request) -> Answer:
        name = re.search(rb'name="file"; filename="([^"]+)".*?\r\n\r\n', request.content, re.DOTALL)
        purpose = re.search(rb'name="purpose"\r\n\r\n([^\r]+)', request.content)
        assert name is not None
        assert purpose is not None
        end = request.content.index(b"\r\n--", name.end())
        return Answer(
            self.keep(request.content[name.end() : end], name[1].decode(), purpose[1].decode())
        )

    def keep(self, content: bytes, name: str, purpose: str) -> dict[str, Any]:
        """Keep a file and return its object."""
        file = {
            "id": f"file-{len(self.files) + 1}",
            "object": "file",
            "bytes": len(content),
            "created_at": FIRST_SECOND + len(self.files),
            "filename": name,
            "purpose": purpose,
            "status": "processed",
        }
        self.files[file["id"]] = (file, content)
        return file

    def _files(self, request: Request) -> Answer:
        found = [file for file, _ in self.files.values()]
        return self._page(request, [f for f in found if f["purpose"] == request.query["purpose"]])

    def _create(self, body: dict[str, Any]) -> Answer:
        assert body["completion_window"] == "24h"
        _, content = self.files[body["input_file_id"]]
        batch = {
            "id": f"batch_{len(self.batches) + 1}",
            "object": "batch",
            "endpoint": body["endpoint"],
            "input_file_id": body["input_file_id"],
            "completion_window": "24h",
            "status": "validating",
            "created_at": FIRST_SECOND + len(self.batches),
            "metadata": body.get("metadata") if self.keeps_metadata else None,
            "request_counts": {"total": len(content.splitlines()), "completed": 0, "failed": 0},
            "output_file_id": None,
            "error_file_id": None,
            "errors": None,
        }
        self.batches[batch["id"]] = batch
        return Answer(batch)

    def _batches(self, request: Request) -> Answer:
        return self._page(request, list(self.batches.values()))

    def _page(self, request: Request, oldest_first: list[dict[str, Any]]) -> Answer:
        newest_first = oldest_first[::-1]
        ids = [each["id"] for each in newest_first]
        after = request.query.get("after")
        start = 0 if after is None else ids.index(after) + 1
        data = newest_first[start : start + self.page]
        more = start + self.page < len(ids)
        return Answer({"object": "list", "data": data, "has_more": more})

    def _look(self, batch: dict[str, Any]) -> Answer:
        seen = self.seen[batch["id"]] = self.seen.get(batch["id"], 0) + 1
        if batch["status"] in ("validating", "in_progress"):
            batch["status"] = "in_progress"
            if seen >= self.looks:
                self._end(batch, self.ending)
        return Answer(batch)

    def _cancel(self, batch: dict[str, Any]) -> Answer:
        if batch["status"] in ("completed", "expired", "failed", "cancelled"):
            return refused(409, "Cannot cancel a batch that has ended")
        self._end(batch, "cancelled")
        return Answer(batch)

    def _end(self, batch: dict[str, Any], ending: str) -> None:
        batch["status"] = ending
        batch[f"{ending}_at"] = batch["created_at"] + 60
        if ending == "failed":
            fault = {"code": "model_not_found", "message": "The model is gone.", "line": 1}
            batch["errors"] = {"object": "list", "data": [fault]}
            return
        lines = [json.loads(line) for line in self.files[batch["input_file_id"]][1].splitlines()]
        reached = lines if ending == "completed" else lines[: len(lines) // 2]
        answers = [_answered(line) for line in reached]
        answers += [_unreached(line, ending) for line in lines[len(reached) :]]
        for purpose, is_good in (("output", True), ("error", False)):
            chosen = [json.dumps(a).encode() for a in answers if (a["error"] is None) == is_good]
            if chosen:
                content = b"\n".join(self.order(chosen)) + b"\n"
                file = self.keep(content, f"{batch['id']}_{purpose}.jsonl", "batch_output")
                batch[f"{purpose}_file_id"] = file["id"]
        good = sum(a["error"] is None for a in answers)
        batch["request_counts"] |= {"completed": good, "failed": len(answers) - good}


def _answered(line: dict[str, Any]) -> dict[str, Any]:
    text = line["body"]["messages"][-1]["content"]
    if text == "fail":
        error = {"code": "content_filter", "message": "This one is refused."}
        return {"custom_id": line["custom_id"], "response": None, "error": error}
    choice = {
        "index": 0,
        "finish_reason": "stop",
        "message": {"role": "assistant", "content": text.upper()},
    }
    body = {"id": "chatcmpl-1", "model": line["body"]["model"], "choices": [choice], "usage": USAGE}
    response = {"status_code": 200, "request_id": "req-1", "body": body}
    return {"custom_id": line["custom_id"], "response": response, "error": None}


def _unreached(line: dict[str, Any], ending: str) -> dict[str, Any]:
    error = {"code": f"batch_{ending}", "message": "This request was not reached."}
    return {"custom_id": line["custom_id"], "response": None, "error": error}


def refused(status: int, words: str) -> Answer:
    """OpenAI's shape of an error."""
    body = {"error": {"message": words, "type": "invalid_request_error", "code": None}}
    return Answer(body, status)
