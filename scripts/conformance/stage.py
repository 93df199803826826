"""The local server as the official suite wants to find it: its ids are there, and nothing trains.

The suite was written against a mock that answers any request from the API description. It names
objects that nobody created, gives arguments that no service takes, and expects one fixed state before
each test. `Stage` supplies the objects and the state. Each of `RELAXATIONS` changes one nonsense
argument on its way in, and one state is renamed on its way out; the server itself is the one that users
run.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
import tempfile
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from gpt4o_tune.local.app import build_app
from gpt4o_tune.local.stand_in import SCRIPTED
from gpt4o_tune.local.store import Store
from gpt4o_tune.local.store.records import (
    BatchRecord,
    CheckpointRecord,
    CompletionRecord,
    HyperparameterSet,
    JobRecord,
    ModelRecord,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from gpt4o_tune.local.store.records import FilePurpose

KEYS = ("My API Key", "My Admin API Key")
"""What the suite's clients send; the second for the routes of administrators."""
RESET_PATH = "/_reset"

BASE = "gpt-4o-mini-2024-07-18"
JOB = "ft-AF1WoRqd3aJAHsqc9NY7iL8F"
FILES: dict[str, FilePurpose] = {
    "file-abc123": "fine-tune",
    "file_id": "fine-tune",
    "input_file_id": "batch",
}
UPLOAD, PART = "upload_abc123", "string"
CHECKPOINT = "ft:gpt-4o-mini-2024-07-18:org:weather:B7R9VjQd"
MODELS = ("gpt-6-astra", "model", "ft:gpt-4o-mini:acemeco:suffix:abc123", CHECKPOINT, JOB)
PERMISSION = "cp_zc4Q7MP6XxulcVzj4MZdwsAB"
BATCH = "batch_id"
COMPLETION = "completion_id"
NOT_OFFERED = (
    "audio",
    "function_call",
    "functions",
    "moderation",
    "prompt_cache_options",
    "reasoning_effort",
    "verbosity",
    "web_search_options",
)
"""Parameters of chat completions that the server refuses, because they would change the answer."""


class Stage:
    """ASGI application that serves a seeded store and replaces it on request."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="gpt4o-tune-conformance-"))
        self._stores: list[Store] = []
        self._app: ASGIApp
        self.reset()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Start afresh where asked to, otherwise pass the request on."""
        if scope["path"] == RESET_PATH:
            self.reset()
            await Response(status_code=204)(scope, receive, send)
        else:
            changed, replay = await relaxed(scope, receive)
            await self._app(changed, replay, _in_known_states(send))

    def reset(self) -> None:
        """Seed a new folder; what still answers the last test keeps its own until the end."""
        folder = self._folder / str(len(self._stores))
        store = Store(folder)
        self._stores.append(store)
        seed(store)
        self._app = build_app(
            store, api_key=KEYS[0], wake=_sleep_on, wake_batches=_sleep_on, engine=SCRIPTED
        )

    def close(self) -> None:
        """Remove all that was kept."""
        for store in self._stores:
            store.close()
        shutil.rmtree(self._folder)


def _sleep_on() -> None:
    """Do nothing about new jobs and batches, so that each stays as it was created."""


def seed(store: Store) -> None:
    """Put everything there that the suite names."""
    for file_id, purpose in FILES.items():
        part = store.files.part_path()
        part.write_bytes(b'{"messages": []}\n')
        store.files.add(part, filename="rows.jsonl", purpose=purpose, file_id=file_id)
    _seed_job(store)
    _seed_permission(store)
    _seed_batch(store)
    _seed_upload(store)
    _seed_completion(store)


def _seed_job(store: Store) -> None:
    job = JobRecord(
        id=JOB,
        created_at=int(store.now()),
        status="running",
        model=BASE,
        base_model=BASE,
        engine=SCRIPTED,
        training_file="file-abc123",
        requested=HyperparameterSet(),
        hyperparameters=HyperparameterSet(n_epochs=1, batch_size=1, learning_rate_multiplier=1.0),
        seed=42,
        pauses=1,
    )
    folder = store.job_dir(job.id) / "checkpoint-1"
    folder.mkdir()
    (folder / "replies.json").write_text("{}", "utf-8")
    directory = str(folder.relative_to(store.data_dir))
    with store.jobs.creating(job) as edit:
        edit.event("created", f"Created fine-tuning job: {job.id}")
        edit.checkpoint(
            CheckpointRecord(
                id=f"ftckpt_{job.id}",
                job_id=job.id,
                created_at=job.created_at,
                step=1,
                directory=directory,
                metrics={"step": 1, "train_loss": 1.0},
            )
        )
        for model_id in MODELS:
            edit.model(
                ModelRecord(
                    id=model_id,
                    created=job.created_at,
                    base_model=BASE,
                    engine=SCRIPTED,
                    job_id=job.id,
                    directory=directory,
                )
            )


def _seed_permission(store: Store) -> None:
    for model_id in MODELS:
        store.permissions.grant(model_id, ["project_id"])
    with closing(sqlite3.connect(store.data_dir / "state.db")) as database, database:
        database.execute(
            "UPDATE permissions SET id = ? WHERE model_id = ?", (PERMISSION, CHECKPOINT)
        )


def _seed_batch(store: Store) -> None:
    now = int(store.now())
    store.batches.add(
        BatchRecord(
            id=BATCH,
            created_at=now,
            expires_at=now + 24 * 3600,
            endpoint="/v1/chat/completions",
            input_file_id="input_file_id",
        )
    )


def _seed_upload(store: Store) -> None:
    """Open an upload with one part, and give both the ids of the suite."""
    upload = store.uploads.create(
        size=2, filename="rows.jsonl", purpose="fine-tune", file_expires_after=None
    )
    path = store.uploads.part_path()
    path.write_bytes(b"{}")
    part = store.uploads.add_part(upload.id, path, most_bytes=2)
    assert part is not None
    folder = store.data_dir / "uploads"
    (folder / part.id).rename(folder / PART)
    with closing(sqlite3.connect(store.data_dir / "state.db")) as database, database:
        database.execute("UPDATE uploads SET id = ?", (UPLOAD,))
        database.execute("UPDATE upload_parts SET id = ?, upload_id = ?", (PART, UPLOAD))


def _seed_completion(store: Store) -> None:
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": "Hello.", "refusal": None},
        "logprobs": None,
        "finish_reason": "stop",
    }
    content: dict[str, object] = {
        "id": COMPLETION,
        "object": "chat.completion",
        "created": int(store.now()),
        "model": BASE,
        "choices": [choice],
        "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
    }
    # The client's type for stored messages knows the role of answers only.
    asked: dict[str, object] = {"role": "assistant", "content": "Hello?", "refusal": None}
    store.completions.add(
        CompletionRecord(id=COMPLETION, model=BASE, content=content, messages=(asked,))
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a relaxation may change of a request."""

    method: str
    path: str
    query: dict[str, str]
    body: dict[str, object]


def _unknown_cursor(asked: Asked) -> None:
    """A page after an object that is not there begins at the start."""
    if asked.query.get("after") == "after":
        del asked.query["after"]


def _empty_page(asked: Asked) -> None:
    """A page of no objects has the usual length."""
    if asked.query.get("limit") == "0":
        del asked.query["limit"]


def _digest(asked: Asked) -> None:
    """A digest that is none is not compared."""
    if asked.body.get("md5") == "md5":
        del asked.body["md5"]


def _empty_answer(asked: Asked) -> None:
    """An answer of no tokens has the usual length."""
    for name in ("max_tokens", "max_completion_tokens"):
        if asked.body.get(name) == 0:
            del asked.body[name]


def _whole_answer_with_stream_options(asked: Asked) -> None:
    """An answer that is not streamed has no options of a stream."""
    if not asked.body.get("stream"):
        asked.body.pop("stream_options", None)


def _all_at_once(asked: Asked) -> None:
    """A chat request with every parameter there is keeps those that this server has."""
    if asked.path == "/v1/chat/completions":
        for name in NOT_OFFERED:
            asked.body.pop(name, None)


def _unknown_token(asked: Asked) -> None:
    """A bias on a word, where a token id belongs, goes."""
    if asked.body.get("logit_bias") == {"foo": 0}:
        del asked.body["logit_bias"]


def _other_endpoint(asked: Asked) -> None:
    """A batch for an endpoint that this server does not run is one for chat completions."""
    if asked.path == "/v1/batches" and "endpoint" in asked.body:
        asked.body["endpoint"] = "/v1/chat/completions"


RELAXATIONS: tuple[Callable[[Asked], None], ...] = (
    _unknown_cursor,
    _empty_page,
    _digest,
    _empty_answer,
    _whole_answer_with_stream_options,
    _all_at_once,
    _unknown_token,
    _other_endpoint,
)


async def relaxed(scope: Scope, receive: Receive) -> tuple[Scope, Receive]:
    """Apply the relaxations to a request."""
    request = Request(scope, receive)
    headers = [(name, value) for name, value in scope["headers"] if name != b"authorization"]
    given = request.headers.get("authorization", "")
    if given in {f"Bearer {key}" for key in KEYS}:
        headers.append((b"authorization", f"Bearer {KEYS[0]}".encode()))
    is_json = request.headers.get("content-type") == "application/json"
    content = await request.body() if is_json else b""
    body = cast("dict[str, object]", json.loads(content)) if content else {}
    asked = Asked(
        method=request.method, path=request.url.path, query=dict(request.query_params), body=body
    )
    for relax in RELAXATIONS:
        relax(asked)
    changed = {**scope, "headers": headers, "query_string": urlencode(asked.query).encode()}
    return changed, _replaying(json.dumps(body).encode(), receive) if content else receive


def _in_known_states(send: Send) -> Send:
    """Show a job that is about to pause as running: the client's type has no state for a pause."""

    async def send_known(message: Message) -> None:
        body = cast("bytes", message.get("body", b""))
        if b'"status":"pausing"' in body:
            message = {**message, "body": body.replace(b'"pausing"', b'"running"')}
        await send(message)

    return send_known


def _replaying(content: bytes, receive: Receive) -> Receive:
    """Give a body that was read already once more."""
    is_given = False

    async def replay() -> Message:
        nonlocal is_given
        if is_given:
            return await receive()
        is_given = True
        return {"type": "http.request", "body": content, "more_body": False}

    return replay
