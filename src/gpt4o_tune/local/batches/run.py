"""One batch from the check of its file to the files of its results."""

from __future__ import annotations

import json
import logging
import shutil
from collections import deque
from typing import TYPE_CHECKING, cast

from gpt4o_tune.local.batches.requests import read_requests, survey
from gpt4o_tune.local.batches.results import write_results
from gpt4o_tune.local.completions import Completion
from gpt4o_tune.local.envelope import ApiError, envelope
from gpt4o_tune.local.ids import new_id
from gpt4o_tune.local.routes.bodies import check_value
from gpt4o_tune.local.routes.chat_bodies import ChatBody

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from gpt4o_tune.local.answering import Answering
    from gpt4o_tune.local.batches.requests import Request
    from gpt4o_tune.local.store import Store
    from gpt4o_tune.local.store.records import BatchRecord

logger = logging.getLogger("gpt4o_tune.local")

INPUT = "input.jsonl"


class BatchRun:
    """Runs a batch, or continues one that was cut off.

    Each result is written in one transaction with the counts; a request that has a result is not
    answered again.
    """

    def __init__(self, store: Store, batch_id: str, answering: Answering) -> None:
        self._store = store
        self._batch_id = batch_id
        self._answering = answering
        self._folder = store.batch_dir(batch_id)

    def steps(self) -> Iterator[None]:
        """Work to the end, and yield after each request; the caller may stop in between."""
        batch = self._store.batches.get(self._batch_id)
        if batch.status == "validating":
            self._validate(batch)
        for request in self._unanswered():
            batch = self._store.batches.get(self._batch_id)
            if batch.status != "in_progress":
                break
            self._answer(request, is_late=self._store.now() >= batch.expires_at)
            yield
        self._close()

    def _validate(self, batch: BatchRecord) -> None:
        found = survey(self._folder / INPUT, endpoint=batch.endpoint)
        now = int(self._store.now())
        with self._store.batches.editing(self._batch_id) as edit:
            if edit.batch.status != "validating":
                return
            edit.change(model=found.model)
            if found.faults:
                edit.finish(status="failed", faults=found.faults, failed_at=now)
            else:
                edit.change(status="in_progress", total=found.total, in_progress_at=now)

    def _unanswered(self) -> Iterator[Request]:
        if self._store.batches.get(self._batch_id).status != "in_progress":
            return
        answered = self._store.batches.answered(self._batch_id)
        for request in read_requests(self._folder / INPUT):
            if request.line not in answered:
                yield request

    def _answer(self, request: Request, *, is_late: bool) -> None:
        result: dict[str, object] = {"id": new_id("batch_req_"), "custom_id": request.custom_id}
        usage: Mapping[str, int] = {}
        if is_late:
            message = "The completion window ended before this request had its turn."
            result |= {"response": None, "error": {"code": "batch_expired", "message": message}}
            is_error = True
        else:
            status, body = self._respond(request)
            response = {"status_code": status, "request_id": new_id("req_"), "body": body}
            result |= {"response": response, "error": None}
            is_error = status != 200
            usage = cast("Mapping[str, int]", body.get("usage") or {})
        with self._store.batches.editing(self._batch_id) as edit:
            edit.result(request.line, json.dumps(result, ensure_ascii=False), is_error=is_error)
            if is_late and edit.batch.expired_at is None:
                edit.change(expired_at=int(self._store.now()))
            edit.change(
                input_tokens=edit.batch.input_tokens + usage.get("prompt_tokens", 0),
                output_tokens=edit.batch.output_tokens + usage.get("completion_tokens", 0),
            )

    def _respond(self, request: Request) -> tuple[int, Mapping[str, object]]:
        """Answer as `POST /v1/chat/completions` would."""
        try:
            body = check_value(request.body, ChatBody)
            body.require_offered()
            if body.stream:
                raise ApiError("Requests of a batch cannot stream.", param="stream")
            answerer = self._answering.choose(body.model)
            completion = Completion(answerer, body, now=self._store.now())
            deque(completion.chunks(), maxlen=0)
            if body.store:
                self._store.completions.add(completion.record())
            return 200, completion.rendered()
        except ApiError as error:
            refusal = envelope(str(error), status=error.status, code=error.code, param=error.param)
            return error.status, refusal
        except Exception:
            logger.exception("line %s of batch %s failed", request.line, self._batch_id)
            message = "The local server had an error while answering."
            return 500, envelope(message, status=500, code="server_error")

    def _close(self) -> None:
        """Write the files and give the batch its final state; beginning again replaces the files."""
        with self._store.batches.editing(self._batch_id) as edit:
            if edit.batch.status == "in_progress":
                edit.change(status="finalizing", finalizing_at=int(self._store.now()))
        batch = edit.batch
        if batch.status in ("finalizing", "cancelling"):
            files = write_results(self._store, batch)
            now = int(self._store.now())
            with self._store.batches.editing(self._batch_id) as edit:
                edit.change(**files)
                if batch.status == "cancelling":
                    edit.finish(status="cancelled", cancelled_at=now)
                elif batch.expired_at is not None:
                    edit.finish(status="expired")
                else:
                    edit.finish(status="completed", completed_at=now)
        shutil.rmtree(self._folder, ignore_errors=True)
