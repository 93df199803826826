"""`Gateway`: every network verb of the library, over one openai client."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, BinaryIO, Literal, TypeAlias, TypeVar, cast

import openai

from gpt4o_tune._connection import Paced
from gpt4o_tune._drive import run, settle
from gpt4o_tune._gateway.failures import (
    UnreadableAnswerError,
    advised,
    doubt,
    is_repeatable,
    readable,
)
from gpt4o_tune._gateway.lanes import Lanes
from gpt4o_tune._gateway.many import Call, ManyCalls, Traffic, Watcher
from gpt4o_tune._gateway.parallel import in_private_loop, in_running_loop, in_tasks, in_threads
from gpt4o_tune._gateway.retrying import repeating

if TYPE_CHECKING:
    from collections.abc import (
        AsyncIterator,
        Awaitable,
        Callable,
        Coroutine,
        Iterable,
        Mapping,
        Sequence,
    )

    from openai.types import Batch, FileObject, Model, Moderation, Upload
    from openai.types.chat import ChatCompletion, ChatCompletionChunk, ParsedChatCompletion
    from openai.types.fine_tuning import FineTuningJob, FineTuningJobEvent
    from openai.types.fine_tuning.jobs import FineTuningJobCheckpoint

    from gpt4o_tune._connection import Connection

__all__ = ["CONTROL_TIMEOUT", "READ_PATIENCE", "Gateway"]

In = TypeVar("In")
Out = TypeVar("Out")

Purpose: TypeAlias = Literal["fine-tune", "batch"]
"""What a file of ours is for."""

CONTROL_TIMEOUT = 60.0
"""Seconds for one call that carries no file and asks for no generation."""
SHORTEST_TIMEOUT = 5.0
"""Seconds that a call gets even where a deadline is nearer, so that it can be answered at all."""
TRANSFER_TIMEOUT = 600.0
"""Seconds for one upload, download or chat completion; the client's own default."""
PART_TIMEOUT = 120.0
"""Seconds for which the connection may stall while one part of a file is sent."""
PART_PATIENCE = 600.0
"""Seconds for which one part is repeated; the whole upload has an hour."""
READ_PATIENCE = 30.0
"""Seconds for which one read is repeated before its error is passed on."""
CHAT_PATIENCE = 120.0
"""Seconds for which one chat call is repeated; rate limits are counted by the minute."""


class Gateway(Paced):
    """The network verbs of this library over one openai client."""

    def __init__(self, client: openai.OpenAI | openai.AsyncOpenAI, connection: Connection) -> None:
        super().__init__(connection.clock, blocking=isinstance(client, openai.OpenAI))
        self._connection = connection
        # One annotation for both clients: `settle` awaits what needs awaiting.
        self._client = cast("openai.AsyncOpenAI", client)
        self._base_url = str(client.base_url).rstrip("/")

    async def each(
        self,
        verb: Callable[[In], Coroutine[object, None, Out]],
        inputs: Sequence[In],
        *,
        at_once: int,
    ) -> list[Out]:
        """Apply `verb` to every input, at most `at_once` at the same time; results keep the order.

        The first failure ends the rest and is raised as it is.
        """
        if self._blocking:
            return in_threads(lambda item: run(verb(item)), inputs, at_once=at_once)
        return await in_tasks(verb, inputs, at_once=at_once)

    async def read(
        self, call: Callable[[], Out | Awaitable[Out]], *, patience: float = READ_PATIENCE
    ) -> Out:
        """Make a call that changes nothing on the server, repeating it for `patience` seconds."""

        async def attempt() -> Out:
            return await self._answer(call)

        with advised(self._base_url):
            return await repeating(self._clock, patience, self.sleep)(attempt)

    async def _send(self, call: Callable[[], Out | Awaitable[Out]]) -> Out:
        """Make a call that changes the server, once."""
        with doubt(), advised(self._base_url):
            return await self._answer(call)

    async def upload_file(
        self,
        stream: BinaryIO,
        *,
        filename: str,
        expires_after: int | None,
        purpose: Purpose = "fine-tune",
    ) -> FileObject:
        """Send a file once; `filename` must end in `.jsonl`.

        Args:
            stream: The bytes; they are sent as they are read.
            filename: What the service calls the file.
            expires_after: Seconds after which the service deletes it; None keeps it.
            purpose: What it is for.

        Raises:
            UnconfirmedError: The call failed, and the file may be there all the same.
            openai.APIStatusError: The server has plainly refused.
        """
        return await self._send(
            lambda: self._client.files.create(
                file=(filename, stream),
                purpose=purpose,
                expires_after=_lifetime(expires_after),
                timeout=TRANSFER_TIMEOUT,
            )
        )

    async def create_upload(
        self, *, size: int, filename: str, expires_after: int | None
    ) -> Upload | None:
        """Open a chunked upload of a training file; None where the service has no such thing.

        Repeated like a read: an upload that nobody completes expires by itself.
        """
        try:
            return await self.read(
                lambda: self._client.uploads.create(
                    bytes=size,
                    filename=filename,
                    mime_type="text/jsonl",
                    purpose="fine-tune",
                    expires_after=_lifetime(expires_after),
                )
            )
        except openai.NotFoundError:
            return None

    async def add_part(self, upload_id: str, open_part: Callable[[], BinaryIO]) -> str:
        """Send a part of an upload and return its id.

        Repeated like a read, with the stream opened anew: a part that no completion names is dropped.
        """
        part = await self.read(
            lambda: self._client.uploads.parts.create(
                upload_id, data=("part", open_part()), timeout=PART_TIMEOUT
            ),
            patience=PART_PATIENCE,
        )
        return part.id

    async def complete_upload(
        self, upload_id: str, *, part_ids: Sequence[str], md5: str
    ) -> FileObject | None:
        """Join the parts in that order into a file, once.

        Raises:
            UnconfirmedError: The call failed, and the file may be there all the same.
            openai.APIStatusError: The server has plainly refused.
        """
        upload = await self._send(
            lambda: self._client.uploads.complete(
                upload_id, part_ids=list(part_ids), md5=md5, timeout=TRANSFER_TIMEOUT
            )
        )
        return upload.file

    async def cancel_upload(self, upload_id: str) -> None:
        """Drop an upload with its parts; repeated like a read."""
        await self.read(lambda: self._client.uploads.cancel(upload_id))

    async def retrieve_file(self, file_id: str) -> FileObject:
        return await self.read(lambda: self._client.files.retrieve(file_id))

    async def find_files(
        self, filename: str, *, purpose: Purpose = "fine-tune"
    ) -> list[FileObject]:
        """List the files of that name and purpose, newest first."""
        return [file for file in await self.list_files(purpose) if file.filename == filename]

    async def list_files(self, purpose: Purpose = "fine-tune") -> list[FileObject]:
        """List every file of one purpose, newest first."""

        async def pages() -> list[FileObject]:
            return await self._all(self._client.files.list(purpose=purpose, limit=1000))

        return await self.read(pages)

    async def delete_file(self, file_id: str) -> None:
        """Delete a file; one that is gone already is no failure, so the call is repeated like a read."""
        await self._delete(lambda: self._client.files.delete(file_id))

    async def download(self, file_id: str) -> bytes:
        async def whole() -> bytes:
            response = await settle(self._client.files.content(file_id))
            return response.content

        return await self.read(whole)

    async def create_job(self, request: Mapping[str, object]) -> FineTuningJob:
        """Send the create call exactly once, whatever happens to it.

        Raises:
            UnconfirmedError: The call failed, and the job may exist all the same.
            openai.APIStatusError: The server has plainly refused.
        """
        arguments = cast("dict[str, Any]", request)
        return await self._send(lambda: self._client.fine_tuning.jobs.create(**arguments))

    async def retrieve_job(self, job_id: str, *, patience: float = READ_PATIENCE) -> FineTuningJob:
        timeout = self._timeout(patience)
        return await self.read(
            lambda: self._client.fine_tuning.jobs.retrieve(job_id, timeout=timeout()),
            patience=patience,
        )

    async def find_jobs(
        self, metadata: Mapping[str, str] | None, *, most: int, patience: float = READ_PATIENCE
    ) -> list[FineTuningJob]:
        """List up to `most` jobs, newest first, filtered by the server where it knows how."""

        async def pages() -> list[FineTuningJob]:
            jobs = await self._all(
                self._client.fine_tuning.jobs.list(
                    limit=min(most, 100),
                    metadata=openai.omit if metadata is None else dict(metadata),
                ),
                enough=lambda jobs: len(jobs) >= most,
            )
            return jobs[:most]

        return await self.read(pages, patience=patience)

    async def cancel_job(
        self,
        job_id: str,
        *,
        fields: Sequence[tuple[str, str]] = (),
        patience: float = READ_PATIENCE,
    ) -> FineTuningJob:
        """Cancel a job. Cancelling twice changes nothing, so the call is repeated like a read."""
        timeout = self._timeout(patience)
        body = dict(fields) or None
        try:
            return await self.read(
                lambda: self._client.fine_tuning.jobs.cancel(
                    job_id, extra_body=body, timeout=timeout()
                ),
                patience=patience,
            )
        except (openai.BadRequestError, openai.ConflictError):
            # The answer to the first of two requests can be lost, and the second one is refused then.
            job = await self.retrieve_job(job_id)
            if not str(job.status).lower().startswith("cancel"):
                raise
            return job

    async def pause_job(self, job_id: str) -> FineTuningJob:
        """Ask a job to pause; repeated like a read, since a job that pauses twice is paused once."""
        return await self.read(lambda: self._client.fine_tuning.jobs.pause(job_id))

    async def resume_job(self, job_id: str) -> FineTuningJob:
        """Ask a job to go on; repeated like a read, as `pause_job`."""
        return await self.read(lambda: self._client.fine_tuning.jobs.resume(job_id))

    async def list_events(
        self, job_id: str, *, known: frozenset[str] = frozenset(), patience: float = READ_PATIENCE
    ) -> list[FineTuningJobEvent]:
        """List a job's events, newest first, leaving out those whose id is in `known`."""
        timeout = self._timeout(patience)

        async def pages() -> list[FineTuningJobEvent]:
            events = await self._all(
                self._client.fine_tuning.jobs.list_events(job_id, limit=100, timeout=timeout()),
                # Not at the first known one: a server may mix up the order of neighbours.
                enough=lambda events: events[-1].id in known,
            )
            return [event for event in events if event.id not in known]

        return await self.read(pages, patience=patience)

    async def list_checkpoints(
        self, job_id: str, *, patience: float = READ_PATIENCE
    ) -> list[FineTuningJobCheckpoint]:
        timeout = self._timeout(patience)

        async def pages() -> list[FineTuningJobCheckpoint]:
            checkpoints = self._client.fine_tuning.jobs.checkpoints
            return await self._all(checkpoints.list(job_id, limit=100, timeout=timeout()))

        return await self.read(pages, patience=patience)

    async def create_batch(
        self, input_file_id: str, *, endpoint: str, metadata: Mapping[str, str]
    ) -> Batch:
        """Send the create call of a batch exactly once, whatever happens to it.

        Raises:
            UnconfirmedError: The call failed, and the batch may exist all the same.
            openai.APIStatusError: The server has plainly refused.
        """
        create: Any = self._client.batches.create
        return await self._send(
            lambda: create(
                input_file_id=input_file_id,
                endpoint=endpoint,
                completion_window="24h",
                metadata=dict(metadata),
            )
        )

    async def retrieve_batch(self, batch_id: str, *, patience: float = READ_PATIENCE) -> Batch:
        timeout = self._timeout(patience)
        return await self.read(
            lambda: self._client.batches.retrieve(batch_id, timeout=timeout()), patience=patience
        )

    async def list_batches(self, *, most: int, patience: float = READ_PATIENCE) -> list[Batch]:
        """List up to `most` batches, newest first."""

        async def pages() -> list[Batch]:
            batches = await self._all(
                self._client.batches.list(limit=min(most, 100)),
                enough=lambda batches: len(batches) >= most,
            )
            return batches[:most]

        return await self.read(pages, patience=patience)

    async def cancel_batch(self, batch_id: str) -> Batch:
        """Cancel a batch. Cancelling twice changes nothing, so the call is repeated like a read."""
        try:
            return await self.read(lambda: self._client.batches.cancel(batch_id))
        except (openai.BadRequestError, openai.ConflictError):
            # It ended meanwhile, or the answer to a first request was lost.
            batch = await self.retrieve_batch(batch_id)
            if str(batch.status) in ("validating", "in_progress", "finalizing"):
                raise
            return batch

    async def find_model(self, name: str) -> Model | None:
        """Look a model up; None where the service does not know it or does not tell."""
        try:
            return await self.read(lambda: self._client.models.retrieve(name))
        except openai.APIStatusError as error:
            if is_repeatable(error):
                raise
            return None

    async def list_models(self) -> list[Model]:
        async def pages() -> list[Model]:
            return await self._all(self._client.models.list())

        return await self.read(pages)

    async def delete_model(self, name: str) -> None:
        """Delete a fine-tuned model; one that is gone already is no failure."""
        await self._delete(lambda: self._client.models.delete(name))

    async def answers(self, model: str, *, patience: float) -> bool:
        """Ask a model for one token; False where the service does not find it, or does not answer.

        Any other refusal comes from a service that has found the model, and counts as an answer.
        """
        question = [{"role": "user", "content": "ready?"}]
        # Newer models refuse `max_tokens`; every chat model takes this name.
        request = {"model": model, "messages": question, "max_completion_tokens": 1}
        timeout = self._timeout(patience)
        try:
            await self.read(
                lambda: self._completion({**request, "timeout": timeout()}), patience=patience
            )
        except (openai.NotFoundError, openai.APIConnectionError):
            return False
        except openai.APIError:
            return True
        return True

    async def chat(self, request: Mapping[str, object]) -> ChatCompletion:
        """Ask for one completion; repeated like a read, since a lost answer costs a fraction of a cent."""
        return await self.read(lambda: self._completion(request), patience=CHAT_PATIENCE)

    async def moderate(self, texts: Sequence[str], *, model: str) -> list[tuple[str, ...]] | None:
        """Ask which categories each text is flagged for; None where the service screens no texts.

        Repeated like a read, since nothing is changed or billed; rate limits are counted by the minute.
        """
        try:
            answer = await self.read(
                lambda: self._client.moderations.create(input=list(texts), model=model),
                patience=CHAT_PATIENCE,
            )
        except openai.NotFoundError:
            return None
        results = answer.results or []
        if len(results) != len(texts):
            raise UnreadableAnswerError(self._base_url)
        return [_flagged(result) for result in results]

    async def parse_chat(
        self, request: Mapping[str, object], *, response_format: type[Out]
    ) -> ParsedChatCompletion[Out]:
        """Ask for one completion in a format, which the client writes as a strict JSON schema.

        Raises:
            openai.LengthFinishReasonError: The answer was cut off, so it cannot be read.
            openai.ContentFilterFinishReasonError: The service held the answer back.
            ValueError: The text does not follow the format, or the format is no pydantic model.
        """
        arguments = cast("dict[str, Any]", {"timeout": TRANSFER_TIMEOUT, **request})
        parse: Any = self._client.chat.completions.parse
        return await self.read(
            lambda: parse(response_format=response_format, **arguments), patience=CHAT_PATIENCE
        )

    async def chat_many(
        self,
        calls: Iterable[Call],
        watcher: Watcher,
        *,
        at_once: int,
        timeout: float,
        max_attempts: int,
        answer_tokens: int | None = None,
    ) -> Traffic:
        """Make many chat calls at the pace that the service allows, handing over each as it ends.

        Over a blocking client they run on an event loop in a private thread, which no caller sees.

        Args:
            calls: Bodies of chat requests.
            watcher: Takes what each call comes to.
            at_once: Most calls in flight.
            timeout: Seconds for one call, from its first attempt on.
            max_attempts: Attempts of one call; refusals for the rate (429) come on top.
            answer_tokens: The `max_tokens` of the calls, which services count beforehand.
        """

        async def work() -> Traffic:
            async with Lanes(
                self._client,
                "/chat/completions",
                api_key=self._connection.api_key,
                at_once=at_once,
            ) as lanes:
                return await ManyCalls(
                    lanes,
                    self._clock,
                    watcher,
                    base_url=self._base_url,
                    at_once=at_once,
                    timeout=timeout,
                    max_attempts=max_attempts,
                    answer_tokens=answer_tokens,
                ).run(calls)

        if self._blocking:
            return in_private_loop(work, watcher.look)
        return await in_running_loop(work, watcher.look)

    async def open_stream(
        self, request: Mapping[str, object]
    ) -> AsyncIterator[ChatCompletionChunk]:
        """Ask for one completion in chunks, which come as they arrive; opening is repeated, the rest not."""
        stream = await self.read(
            lambda: self._completion({**request, "stream": True}), patience=CHAT_PATIENCE
        )
        return self._chunks(stream)

    async def _chunks(self, stream: Any) -> AsyncIterator[ChatCompletionChunk]:
        try:
            if self._blocking:
                for chunk in stream:
                    yield chunk
            else:
                async for chunk in stream:
                    yield chunk
        finally:
            await settle(stream.close())

    def _completion(self, request: Mapping[str, object]) -> Any:
        arguments = cast("dict[str, Any]", {"timeout": TRANSFER_TIMEOUT, **request})
        create: Any = self._client.chat.completions.create
        return create(**arguments)

    async def _delete(self, call: Callable[[], object]) -> None:
        with contextlib.suppress(openai.NotFoundError):
            await self.read(call)

    async def _answer(self, call: Callable[[], Out | Awaitable[Out]]) -> Out:
        """Make one call and refuse an answer that is none, which the client would pass on."""
        with readable(self._base_url):
            answer = await settle(call())
        # The client returns a body that is no JSON as text, and `null` or `{}` as an empty object.
        if answer is None or isinstance(answer, str) or getattr(answer, "id", "") is None:
            raise UnreadableAnswerError(self._base_url)
        return answer

    async def _all(
        self, first: Any, *, enough: Callable[[Sequence[Any]], bool] = lambda items: False
    ) -> list[Any]:
        """Collect the items of all pages, each once, up to the page with which there are enough."""
        page, items, seen = await settle(first), list[Any](), set[str]()
        while True:
            # A page may be null where there is nothing, and the first one again where a server
            # does not know paging: then there is nothing new on it.
            fresh = [item for item in page.data or () if item.id not in seen]
            items += fresh
            seen.update(item.id for item in fresh)
            if not fresh or enough(items) or not page.has_next_page():
                return items
            page = await settle(page.get_next_page())

    def _timeout(self, patience: float) -> Callable[[], float]:
        """Return what tells how long each call may take, so that none outlasts the patience by much."""
        end = self.now() + patience
        return lambda: min(CONTROL_TIMEOUT, max(SHORTEST_TIMEOUT, end - self.now()))


def _flagged(result: Moderation) -> tuple[str, ...]:
    """Return the names of the categories as the service writes them, those that are new to it too."""
    named = result.categories.model_dump(by_alias=True)
    return tuple(name for name, is_hit in named.items() if is_hit) if result.flagged else ()


def _lifetime(seconds: int | None) -> Any:
    """Write the life of a file as files and uploads both take it."""
    return openai.omit if seconds is None else {"anchor": "created_at", "seconds": seconds}
