"""Stand-ins that pass everything on and let chat calls be recorded on the way."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, ParamSpec, Self, TypeAlias, TypeVar, cast

from gpt4o_tune.data._answers import NotARowError

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from gpt4o_tune.data._recording import Recording

Begin: TypeAlias = "Callable[[Mapping[str, object]], Recording]"
Client = TypeVar("Client")
Arguments = ParamSpec("Arguments")
Answer = TypeVar("Answer")


def wrapped(client: Client, begin: Begin) -> Client:
    """Return a stand-in for a client whose chat calls are recorded."""
    return cast("Client", _Client(client, begin))


def recorded(function: Callable[Arguments, Answer], begin: Begin) -> Callable[Arguments, Answer]:
    """Return a function whose calls are recorded.

    Raises:
        TypeError: No parameter is called `messages`.
    """
    signature = inspect.signature(function)
    takes_any = any(p.kind is p.VAR_KEYWORD for p in signature.parameters.values())
    if "messages" not in signature.parameters and not takes_any:
        raise TypeError(
            f"{getattr(function, '__name__', function)!r} has no parameter 'messages'. Name the "
            "parameter that takes the conversation so."
        )

    @functools.wraps(function)
    def recording(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Answer:
        call = begin(_named(signature, args, kwargs))
        return cast("Answer", _follow(lambda: function(*args, **kwargs), call))

    @functools.wraps(function)
    async def recording_async(*args: Arguments.args, **kwargs: Arguments.kwargs) -> object:
        return await cast("Awaitable[object]", recording(*args, **kwargs))

    if inspect.iscoroutinefunction(function):
        return cast("Callable[Arguments, Answer]", recording_async)
    return recording


def _named(
    signature: inspect.Signature, args: tuple[object, ...], kwargs: Mapping[str, object]
) -> dict[str, object]:
    """Return the arguments of a call by name; none where the call itself will fail."""
    try:
        named = signature.bind(*args, **kwargs).arguments
    except TypeError:
        return {}
    extra = [
        named.get(name)
        for name, parameter in signature.parameters.items()
        if parameter.kind is parameter.VAR_KEYWORD
    ]
    return {**named, **(extra[0] if extra and extra[0] else {})}


class _Proxy:
    """Stands in for an object; whatever it does not change goes to that object."""

    _inner: Any

    def __init__(self, inner: object) -> None:
        object.__setattr__(self, "_inner", inner)

    @property
    def __class__(self) -> type[Any]:  # pyright: ignore[reportIncompatibleMethodOverride]  # other libraries ask isinstance(client, OpenAI)
        return cast("type[Any]", type(self._inner))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def __setattr__(self, name: str, value: object) -> None:
        setattr(self._inner, name, value)

    def __repr__(self) -> str:
        return repr(self._inner)

    def __enter__(self) -> Self:
        self._inner.__enter__()
        return self

    def __exit__(self, *exception: object) -> None:
        self._inner.__exit__(*exception)

    async def __aenter__(self) -> Self:
        await self._inner.__aenter__()
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self._inner.__aexit__(*exception)


class _Part(_Proxy):
    """A client, or a part of one, that leads to calls."""

    _begin: Begin

    def __init__(self, inner: object, begin: Begin) -> None:
        super().__init__(inner)
        object.__setattr__(self, "_begin", begin)


class _Client(_Part):
    """A client, or what stands under `beta`."""

    @property
    def chat(self) -> _Chat:
        return _Chat(self._inner.chat, self._begin)

    @property
    def beta(self) -> _Client:
        return _Client(self._inner.beta, self._begin)

    def with_options(self, **options: object) -> _Client:
        return _Client(self._inner.with_options(**options), self._begin)

    def copy(self, **options: object) -> _Client:
        return _Client(self._inner.copy(**options), self._begin)


class _Chat(_Part):
    @property
    def completions(self) -> _Completions:
        return _Completions(self._inner.completions, self._begin)


class _Completions(_Part):
    def create(self, **request: object) -> object:
        request = _readable(request)
        return _follow(lambda: self._inner.create(**request), self._begin(request))

    def parse(self, **request: object) -> object:
        request = _readable(request)
        return _follow(lambda: self._inner.parse(**request), self._begin(request))

    def stream(self, **request: object) -> _StreamManager:
        request = _readable(request)
        return _StreamManager(self._inner.stream(**request), self._begin(request))


def _readable(request: Mapping[str, object]) -> dict[str, object]:
    """Turn what can be read only once into lists, as the request is read twice."""
    return {
        name: list(cast("Iterator[object]", value)) if isinstance(value, Iterator) else value
        for name, value in request.items()
    }


def _follow(send: Callable[[], object], recording: Recording) -> object:
    """Make a call and record what comes of it; gives what the call gives."""
    try:
        answer = send()
    except BaseException as error:
        recording.failed(error)
        raise
    if inspect.isawaitable(answer):
        return _follow_awaited(answer, recording)
    return _seen(answer, recording)


async def _follow_awaited(answer: Awaitable[object], recording: Recording) -> object:
    try:
        value = await answer
    except BaseException as error:
        recording.failed(error)
        raise
    return _seen(value, recording)


def _seen(answer: object, recording: Recording) -> object:
    if not recording.is_open:
        return answer
    is_generator = inspect.isgenerator(answer) or inspect.isasyncgen(answer)
    if hasattr(answer, "__next__") and not is_generator:
        return _Stream(answer, recording)
    if hasattr(answer, "__anext__") and not is_generator:
        return _AsyncStream(answer, recording)
    recording.answered(lambda: answer)
    return answer


class _Followed(_Proxy):
    """Stands in for what gives one answer by and by."""

    _recording: Recording

    def __init__(self, inner: object, recording: Recording) -> None:
        super().__init__(inner)
        object.__setattr__(self, "_recording", recording)


class _Stream(_Followed):
    """A blocking stream of chunks."""

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> object:
        try:
            chunk = next(self._inner)
        except StopIteration:
            self._recording.left()
            raise
        except BaseException as error:
            self._recording.failed(error)
            raise
        self._recording.take(chunk)
        return chunk

    def __exit__(self, *exception: object) -> None:
        self._recording.left()
        self._inner.__exit__(*exception)

    def close(self) -> None:
        self._recording.left()
        self._inner.close()


class _AsyncStream(_Followed):
    """An asynchronous stream of chunks."""

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> object:
        try:
            chunk = await self._inner.__anext__()
        except StopAsyncIteration:
            self._recording.left()
            raise
        except BaseException as error:
            self._recording.failed(error)
            raise
        self._recording.take(chunk)
        return chunk

    async def __aexit__(self, *exception: object) -> None:
        self._recording.left()
        await self._inner.__aexit__(*exception)

    async def close(self) -> None:
        self._recording.left()
        await self._inner.close()

    async def aclose(self) -> None:
        await self.close()


class _StreamManager(_Followed):
    """What `.stream` gives, of either face; its stream is handed out as it is and read when it is left."""

    _stream: Any

    def __enter__(self) -> Any:
        try:
            stream = self._inner.__enter__()
        except BaseException as error:
            self._recording.failed(error)
            raise
        object.__setattr__(self, "_stream", stream)
        return stream

    def __exit__(self, *exception: object) -> None:
        self._recording.answered(self._snapshot)
        self._inner.__exit__(*exception)

    async def __aenter__(self) -> Any:
        try:
            stream = await self._inner.__aenter__()
        except BaseException as error:
            self._recording.failed(error)
            raise
        object.__setattr__(self, "_stream", stream)
        return stream

    async def __aexit__(self, *exception: object) -> None:
        self._recording.answered(self._snapshot)
        await self._inner.__aexit__(*exception)

    def _snapshot(self) -> object:
        try:
            return self._stream.current_completion_snapshot
        except AssertionError:
            # No chunk has come.
            raise NotARowError("incomplete") from None
