"""`/v1/fine_tuning/jobs`: create, list, look up, cancel, pause, resume, events and checkpoints."""

from __future__ import annotations

import secrets
import shutil
from typing import TYPE_CHECKING, cast

from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse
from starlette.routing import Route

from gpt4o_tune.local.envelope import ApiError
from gpt4o_tune.local.ids import new_id
from gpt4o_tune.local.routes.bodies import page_limit, read_json
from gpt4o_tune.local.routes.job_bodies import JobBody
from gpt4o_tune.local.routes.job_rules import JobRules
from gpt4o_tune.local.routes.objects import (
    checkpoint_object,
    event_object,
    job_object,
    listing,
)
from gpt4o_tune.local.stand_in import training_notice
from gpt4o_tune.local.store import UnknownCursorError
from gpt4o_tune.local.store.records import HyperparameterSet, JobRecord

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request

    from gpt4o_tune.local.store import Store

_LARGEST_SEED = 2_147_483_647


class JobRoutes:
    """Serves fine-tuning jobs.

    Args:
        store: Where jobs are kept.
        wake: Called when there is new work, or less of it.
        engine: What trains new jobs.
    """

    def __init__(self, store: Store, *, wake: Callable[[], None], engine: str) -> None:
        self._store = store
        self._wake = wake
        self._rules = JobRules(store, engine=engine)

    def routes(self) -> list[Route]:
        """The resource's routes."""
        jobs = "/fine_tuning/jobs"
        return [
            Route(jobs, self._create, methods=["POST"]),
            Route(jobs, self._list, methods=["GET"]),
            Route(f"{jobs}/{{job_id}}", self._retrieve, methods=["GET"]),
            Route(f"{jobs}/{{job_id}}/cancel", self._cancel, methods=["POST"]),
            Route(f"{jobs}/{{job_id}}/events", self._events, methods=["GET"]),
            Route(f"{jobs}/{{job_id}}/checkpoints", self._checkpoints, methods=["GET"]),
            Route(f"{jobs}/{{job_id}}/pause", self._pause, methods=["POST"]),
            Route(f"{jobs}/{{job_id}}/resume", self._resume, methods=["POST"]),
        ]

    async def _create(self, request: Request) -> JSONResponse:
        body = await read_json(request, JobBody)
        return await run_in_threadpool(self._add, body)

    def _add(self, body: JobBody) -> JSONResponse:
        self._rules.require_valid(body)
        model = self._rules.trainable(body.model)
        self._rules.require_method(body, model)
        asked = self._rules.hyperparameters(body).model_dump()
        hyperparameters = HyperparameterSet.model_validate(asked)
        by_rewards = body.method if body.method_name == "reinforcement" else None
        rewards = by_rewards and by_rewards.reinforcement
        integrations = [each.model_dump(exclude_none=True) for each in body.integrations or []]
        job = JobRecord(
            id=new_id("ftjob-"),
            created_at=int(self._store.now()),
            model=model.name,
            base_model=model.base,
            engine=model.engine,
            training_file=body.training_file,
            validation_file=body.validation_file,
            requested=hyperparameters,
            hyperparameters=hyperparameters,
            seed=secrets.randbelow(_LARGEST_SEED) if body.seed is None else body.seed,
            method=body.method_name,
            grader=rewards and rewards.grader,
            response_format=rewards and rewards.response_format,
            suffix=body.suffix or None,
            metadata=body.metadata,
            integrations=integrations or None,
        )
        self._rules.keep_files(job)
        with self._store.jobs.creating(job) as edit:
            edit.event("stand-in", training_notice(job.model, job.engine))
            edit.event("created", f"Created fine-tuning job: {job.id}")
        self._wake()
        return JSONResponse(job_object(job))

    def _list(self, request: Request) -> JSONResponse:
        query = request.query_params
        metadata = {
            key.removeprefix("metadata[").removesuffix("]"): value
            for key, value in query.items()
            if key.startswith("metadata[") and key.endswith("]")
        }
        try:
            page = self._store.jobs.page(
                after=query.get("after"),
                limit=page_limit(request, default=20, most=100),
                metadata=metadata,
                is_without_metadata=query.get("metadata") == "null",
            )
        except UnknownCursorError as error:
            raise _unknown_cursor(error) from error
        objects = [job_object(job) for job in page.items]
        return JSONResponse(listing(objects, has_more=page.has_more))

    def _retrieve(self, request: Request) -> JSONResponse:
        return JSONResponse(job_object(self._find(request)))

    def _cancel(self, request: Request) -> JSONResponse:
        job_id = self._find(request).id
        with self._store.jobs.editing(job_id) as edit:
            if not edit.is_open:
                raise _wrong_state(
                    f"Job has already completed: {job_id} is {edit.job.status} and cannot be "
                    "cancelled."
                )
            if edit.job.status == "paused":
                # No worker is there to clear the saved state away.
                shutil.rmtree(self._store.job_dir(job_id) / "output", ignore_errors=True)
            edit.finish("cancelled")
            edit.event("cancelled", "Fine-tuning job cancelled")
        self._wake()
        return JSONResponse(job_object(edit.job))

    def _pause(self, request: Request) -> JSONResponse:
        """Ask a running job to pause at its next saved state; asking again changes nothing."""
        job_id = self._find(request).id
        with self._store.jobs.editing(job_id) as edit:
            if edit.job.status == "running":
                edit.change(status="pausing", pauses=edit.job.pauses + 1)
                edit.event(f"pausing-{edit.job.pauses}", "Pausing at the next saved state")
            elif edit.job.status not in ("pausing", "paused"):
                raise _wrong_state(
                    f"Only a running job can be paused, and {job_id} is {edit.job.status}."
                )
        return JSONResponse(job_object(edit.job))

    def _resume(self, request: Request) -> JSONResponse:
        """Queue a paused job again, to go on where it stopped; asking again changes nothing."""
        job_id = self._find(request).id
        with self._store.jobs.editing(job_id) as edit:
            goes_on = edit.job.pauses and edit.job.status in ("queued", "running")
            if edit.job.status in ("pausing", "paused"):
                edit.change(status="queued" if edit.job.status == "paused" else "running")
                edit.event(f"resumed-{edit.job.pauses}", "Fine-tuning job resumed")
            elif not goes_on:
                raise _wrong_state(
                    f"Only a paused job can be resumed, and {job_id} is {edit.job.status}."
                )
        self._wake()
        return JSONResponse(job_object(edit.job))

    def _events(self, request: Request) -> JSONResponse:
        job = self._find(request)
        try:
            page = self._store.events.page(
                job.id,
                after=request.query_params.get("after"),
                limit=page_limit(request, default=20, most=1_000),
            )
        except UnknownCursorError as error:
            raise _unknown_cursor(error) from error
        objects = [event_object(event) for event in page.items]
        return JSONResponse(listing(objects, has_more=page.has_more))

    def _checkpoints(self, request: Request) -> JSONResponse:
        job = self._find(request)
        if job.status != "succeeded":
            return JSONResponse(listing([]))
        try:
            page = self._store.jobs.checkpoints(
                job.id,
                after=request.query_params.get("after"),
                limit=page_limit(request, default=10, most=100),
            )
        except UnknownCursorError as error:
            raise _unknown_cursor(error) from error
        objects = [checkpoint_object(checkpoint, job) for checkpoint in page.items]
        return JSONResponse(listing(objects, has_more=page.has_more))

    def _find(self, request: Request) -> JobRecord:
        job_id = cast("str", request.path_params["job_id"])
        try:
            return self._store.jobs.get(job_id)
        except KeyError as error:
            raise ApiError(
                f"Could not find fine tune: {job_id}",
                status=404,
                code="fine_tune_not_found",
                param="fine_tune_id",
            ) from error


def _wrong_state(message: str) -> ApiError:
    return ApiError(message, code="invalid_job_state")


def _unknown_cursor(error: UnknownCursorError) -> ApiError:
    return ApiError(f"No object with id {str(error)!r} to list after.", param="after")
