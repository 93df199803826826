"""`Gateway`: every network verb of the library, over one openai client."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar, cast

import openai

from gpt4o_tune._drive import run, settle
from gpt4o_tune._gateway.failures import advised, doubt
from gpt4o_tune._gateway.retrying import repeating

if TYPE_CHECKING:
    from collections.abc import (
        AsyncIterator,
        Awaitable,
        Callable,
        Coroutine,
        Mapping,
        Sequence,
    )
    from pathlib import Path

    from openai.types import FileObject
    from openai.types.chat import ChatCompletion, ChatCompletionChunk
    from openai.types.fine_tuning import FineTuningJob, FineTuningJobEvent
    from openai.types.fine_tuning.jobs import FineTuningJobCheckpoint

    from gpt4o_tune._connection import Clock

__all__ = ["CONTROL_TIMEOUT", "Gateway"]

In = TypeVar("In")
Out = TypeVar("Out")

CONTROL_TIMEOUT = 60.0
"""Seconds for one call that carries no file and asks for no generation."""
TRANSFER_TIMEOUT = 600.0
"""Seconds for one upload, download or chat completion; the client's own default."""
READ_PATIENCE = 30.0
"""Seconds for which one read is repeated before its error is passed on."""
CHAT_PATIENCE = 120.0
"""Seconds for which one chat call is repeated; rate limits are counted by the minute."""


class Gateway:
    """The network verbs of this library over one openai client."""

    def __init__(self, client: openai.OpenAI | openai.AsyncOpenAI, clock: Clock) -> None:
        # One annotation for both clients: `settle` awaits what needs awaiting.
        self._client = cast("openai.AsyncOpenAI", client)
        self._blocking = isinstance(client, openai.OpenAI)
        self._clock = clock
        self._base_url = str(client.base_url).rstrip("/")

    def now(self) -> float:
        """Return monotonic seconds."""
        return self._clock.now()

    async def sleep(self, seconds: float) -> None:
        """Wait, without blocking a running event loop."""
        if self._blocking:
            self._clock.sleep(seconds)
        else:
            await self._clock.sleep_async(seconds)

    async def each(
        self,
        verb: Callable[[In], Coroutine[object, None, Out]],
        inputs: Sequence[In],
        *,
        at_once: int,
    ) -> list[Out]:
        """Apply `verb` to every input, at most `at_once` at the same time; results keep the order."""
        if self._blocking:

            def finish(item: In) -> Out:
                return run(verb(item))

            with ThreadPoolExecutor(max_workers=at_once, thread_name_prefix="gpt4o-tune") as pool:
                return list(pool.map(finish, inputs))
        gate = asyncio.Semaphore(at_once)

        async def guarded(item: In) -> Out:
            async with gate:
                return await verb(item)

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(guarded(item)) for item in inputs]
        return [task.result() for task in tasks]

    async def read(
        self, call: Callable[[], Out | Awaitable[Out]], *, patience: float = READ_PATIENCE
    ) -> Out:
        """Make a call that changes nothing on the server, repeating it for `patience` seconds."""

        async def attempt() -> Out:
            return await settle(call())

        with advised(self._base_url):
            return await repeating(self._clock, patience, self.sleep)(attempt)

    async def upload_file(self, path: Path, *, filename: str) -> FileObject:
        """Send a training file once; `filename` must end in `.jsonl`.

        Raises:
            UnconfirmedError: The call failed, and the file may be there all the same.
            openai.APIStatusError: The server has plainly refused.
        """
        with path.open("rb") as stream, advised(self._base_url), doubt():
            return await settle(
                self._client.files.create(
                    file=(filename, stream), purpose="fine-tune", timeout=TRANSFER_TIMEOUT
                )
            )

    async def retrieve_file(self, file_id: str) -> FileObject:
        return await self.read(lambda: self._client.files.retrieve(file_id))

    async def find_files(self, filename: str) -> list[FileObject]:
        """List the training files of that name, newest first."""

        async def pages() -> list[FileObject]:
            page = await settle(self._client.files.list(purpose="fine-tune", limit=1000))
            return [item for item in await self._rest(page) if item.filename == filename]

        return await self.read(pages)

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
        with advised(self._base_url), doubt():
            return await settle(self._client.fine_tuning.jobs.create(**arguments))

    async def retrieve_job(self, job_id: str, *, patience: float = READ_PATIENCE) -> FineTuningJob:
        return await self.read(
            lambda: self._client.fine_tuning.jobs.retrieve(job_id), patience=patience
        )

    async def find_jobs(
        self, metadata: Mapping[str, str] | None, *, most: int
    ) -> list[FineTuningJob]:
        """List up to `most` jobs, newest first, filtered by the server where it knows how."""

        async def pages() -> list[FineTuningJob]:
            page = await settle(
                self._client.fine_tuning.jobs.list(
                    limit=min(most, 100),
                    metadata=openai.omit if metadata is None else dict(metadata),
                )
            )
            return await self._rest(page, most=most)

        return await self.read(pages)

    async def cancel_job(self, job_id: str) -> FineTuningJob:
        """Cancel a job. Cancelling twice changes nothing, so the call is repeated like a read."""
        return await self.read(lambda: self._client.fine_tuning.jobs.cancel(job_id))

    async def list_events(
        self, job_id: str, *, known: frozenset[str] = frozenset(), patience: float = READ_PATIENCE
    ) -> list[FineTuningJobEvent]:
        """List a job's events, newest first, back to the first one whose id is in `known`."""

        async def pages() -> list[FineTuningJobEvent]:
            page = await settle(self._client.fine_tuning.jobs.list_events(job_id, limit=100))
            fresh: list[FineTuningJobEvent] = []
            while True:
                for event in page.data:
                    if event.id in known:
                        return fresh
                    fresh.append(event)
                if not page.has_next_page():
                    return fresh
                page = await settle(page.get_next_page())

        return await self.read(pages, patience=patience)

    async def list_checkpoints(self, job_id: str) -> list[FineTuningJobCheckpoint]:
        async def pages() -> list[FineTuningJobCheckpoint]:
            checkpoints = self._client.fine_tuning.jobs.checkpoints
            return await self._rest(await settle(checkpoints.list(job_id, limit=100)))

        return await self.read(pages)

    async def chat(self, request: Mapping[str, object]) -> ChatCompletion:
        """Ask for one completion; repeated like a read, since a lost answer costs a fraction of a cent."""
        return await self.read(lambda: self._completion(request), patience=CHAT_PATIENCE)

    async def stream_chat(
        self, request: Mapping[str, object]
    ) -> AsyncIterator[ChatCompletionChunk]:
        """Ask for one completion and yield its chunks as they arrive; opening is repeated, the rest not."""
        stream = await self.read(
            lambda: self._completion({**request, "stream": True}), patience=CHAT_PATIENCE
        )
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

    async def _rest(self, page: Any, *, most: int | None = None) -> list[Any]:
        items = list(page.data)
        while page.has_next_page() and (most is None or len(items) < most):
            page = await settle(page.get_next_page())
            items.extend(page.data)
        return items if most is None else items[:most]

    async def close(self) -> None:
        """Close the client's connections."""
        await settle(cast("Awaitable[None] | None", self._client.close()))
