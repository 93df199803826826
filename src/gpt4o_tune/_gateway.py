"""The only module that imports openai: one gateway, over a blocking or an asynchronous client.

Core code is written once, as coroutines that await the methods below. Over a blocking client a method
never suspends, so `gpt4o_tune._drive.run` finishes such a coroutine without an event loop.

The client's own retries are switched off. Reads are repeated here, by tenacity, with backoff, jitter and
the server's `Retry-After`; a call that can cost money twice (`create_job`) is sent exactly once.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import threading
import time
import weakref
from concurrent.futures import ThreadPoolExecutor
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar, cast

import openai
import tenacity

from gpt4o_tune._drive import run, settle

if TYPE_CHECKING:
    from collections.abc import (
        AsyncIterator,
        Awaitable,
        Callable,
        Coroutine,
        Generator,
        Mapping,
        Sequence,
    )
    from pathlib import Path

    from openai.types import FileObject
    from openai.types.chat import ChatCompletion, ChatCompletionChunk
    from openai.types.fine_tuning import FineTuningJob, FineTuningJobEvent
    from openai.types.fine_tuning.jobs import FineTuningJobCheckpoint

    from gpt4o_tune._connection import Clock, Connection

__all__ = [
    "CALL_ERRORS",
    "Gateway",
    "UnconfirmedError",
    "asynchronous",
    "blocking",
    "forget_asynchronous",
    "forget_blocking",
]

CALL_ERRORS = (openai.OpenAIError,)
"""What a call may raise: passed through to users unchanged, except where one failure is an answer."""

In = TypeVar("In")
Out = TypeVar("Out")

log = logging.getLogger("gpt4o_tune")

CONTROL_TIMEOUT = 60.0
"""Seconds for one call that carries no file and asks for no generation."""
TRANSFER_TIMEOUT = 600.0
"""Seconds for one upload, download or chat completion; the client's own default."""
READ_PATIENCE = 60.0
"""Seconds for which one read is repeated before its error is passed on."""
FIRST_DELAY, LONGEST_DELAY = 0.5, 30.0
"""Seconds between repeats: exponential from the first to the longest, with full jitter on top half."""


class UnconfirmedError(Exception):
    """A call that changes the server failed in a way that leaves open whether it took effect.

    Attributes:
        error: The client's error, to be raised where nothing better can be said.
        server_hint: Seconds to wait that the server asked for, or None.
    """

    def __init__(self, error: openai.APIError, *, server_hint: float | None) -> None:
        super().__init__(str(error))
        self.error = error
        self.server_hint = server_hint


def _doubtful(error: openai.OpenAIError) -> bool:
    """Say whether the server may have acted although the call failed.

    True for lost connections, timeouts, 408, 409 and every 5xx; false where the server has plainly
    refused, such as 400, 401 or 429.
    """
    if isinstance(error, openai.APIConnectionError):
        return True
    return isinstance(error, openai.APIStatusError) and (
        error.status_code in (408, 409) or error.status_code >= 500
    )


def _repeatable(error: BaseException) -> bool:
    if isinstance(error, openai.APIStatusError):
        hint = error.response.headers.get("x-should-retry")
        if hint in ("true", "false"):
            return hint == "true"
        return error.status_code == 429 or _doubtful(error)
    return isinstance(error, openai.APIConnectionError)


@contextlib.contextmanager
def _doubt() -> Generator[None]:
    """Turn failures that leave the outcome open, or ask for a later try, into UnconfirmedError."""
    try:
        yield
    except openai.APIError as error:
        if _repeatable(error) or _doubtful(error):
            raise UnconfirmedError(error, server_hint=_server_hint(error)) from error
        raise


def _server_hint(error: BaseException | None) -> float | None:
    """Return the seconds that the server asks for in Retry-After, however many."""
    if not isinstance(error, openai.APIStatusError):
        return None
    headers = error.response.headers
    try:
        if "retry-after-ms" in headers:
            return max(0.0, float(headers["retry-after-ms"]) / 1000)
        return max(0.0, float(headers["retry-after"]))
    except KeyError:
        return None
    except ValueError:
        return _until(headers["retry-after"])


def _until(http_date: str) -> float | None:
    try:
        return max(0.0, parsedate_to_datetime(http_date).timestamp() - time.time())
    except ValueError:
        return None


def _delay(state: tenacity.RetryCallState) -> float:
    hint = _server_hint(state.outcome.exception() if state.outcome else None)
    if hint is not None:
        return hint
    full = min(LONGEST_DELAY, FIRST_DELAY * 2 ** (state.attempt_number - 1))
    return random.uniform(full / 2, full)  # noqa: S311  # jitter is no secret


def _log_repeat(state: tenacity.RetryCallState) -> None:
    error = state.outcome.exception() if state.outcome else None
    log.info("repeating a read after %s (attempt %d)", type(error).__name__, state.attempt_number)


class _OutOfPatience(tenacity.stop.stop_base):
    """Stops when the next attempt would start after the patience is spent, on the gateway's clock."""

    def __init__(self, clock: Clock, patience: float) -> None:
        self._clock = clock
        self._end = clock.now() + patience

    def __call__(self, retry_state: tenacity.RetryCallState) -> bool:
        return self._clock.now() + retry_state.upcoming_sleep > self._end


class Gateway:
    """The network verbs of this library over one openai client."""

    def __init__(self, client: openai.OpenAI | openai.AsyncOpenAI, clock: Clock) -> None:
        # One annotation for both clients: `settle` awaits what needs awaiting.
        self._client = cast("openai.AsyncOpenAI", client)
        self._blocking = isinstance(client, openai.OpenAI)
        self._clock = clock

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

        return await tenacity.AsyncRetrying(
            retry=tenacity.retry_if_exception(_repeatable),
            wait=_delay,
            stop=_OutOfPatience(self._clock, patience),
            sleep=self.sleep,
            before_sleep=_log_repeat,
            reraise=True,
        )(attempt)

    async def upload_file(self, source: Path | bytes, *, filename: str) -> FileObject:
        """Upload a training file once; `filename` must end in `.jsonl`."""
        if isinstance(source, bytes):
            return await self._send_file((filename, source))
        with source.open("rb") as stream:
            return await self._send_file((filename, stream))

    async def _send_file(self, file: tuple[str, bytes | BinaryIO]) -> FileObject:
        with _doubt():
            return await settle(
                self._client.files.create(file=file, purpose="fine-tune", timeout=TRANSFER_TIMEOUT)
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
        with _doubt():
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
        return await self.read(lambda: self._completion(request))

    async def stream_chat(
        self, request: Mapping[str, object]
    ) -> AsyncIterator[ChatCompletionChunk]:
        """Ask for one completion and yield its chunks as they arrive; opening is repeated, the rest not."""
        stream = await self.read(lambda: self._completion({**request, "stream": True}))
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


_lock = threading.Lock()
_blocking_gateways: dict[Connection, Gateway] = {}
_asynchronous_gateways: weakref.WeakKeyDictionary[
    asyncio.AbstractEventLoop, dict[Connection, Gateway]
] = weakref.WeakKeyDictionary()


def _arguments(connection: Connection) -> dict[str, Any]:
    return {
        "api_key": connection.api_key,
        "base_url": connection.base_url,
        "organization": connection.organization,
        "project": connection.project,
        "default_headers": dict(connection.headers),
        "timeout": CONTROL_TIMEOUT,
        "max_retries": 0,
    }


def blocking(connection: Connection) -> Gateway:
    """Return the process's blocking gateway for a connection; it may be shared by threads."""
    with _lock:
        if connection not in _blocking_gateways:
            client = openai.OpenAI(**_arguments(connection))
            _blocking_gateways[connection] = Gateway(client, connection.clock)
        return _blocking_gateways[connection]


def asynchronous(connection: Connection) -> Gateway:
    """Return the running event loop's gateway for a connection."""
    gateways = _asynchronous_gateways.setdefault(asyncio.get_running_loop(), {})
    if connection not in gateways:
        client = openai.AsyncOpenAI(**_arguments(connection))
        gateways[connection] = Gateway(client, connection.clock)
    return gateways[connection]


def forget_blocking(connection: Connection) -> None:
    """Close the blocking gateway of a connection, if one is open."""
    with _lock:
        gateway = _blocking_gateways.pop(connection, None)
    if gateway is not None:
        run(gateway.close())


async def forget_asynchronous(connection: Connection) -> None:
    """Close the running loop's gateway of a connection, if one is open."""
    gateway = _asynchronous_gateways.get(asyncio.get_running_loop(), {}).pop(connection, None)
    if gateway is not None:
        await gateway.close()
