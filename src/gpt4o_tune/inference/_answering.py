"""Candidates asked for answers, each question once: what a cache holds is not asked again."""

from __future__ import annotations

import contextlib
import inspect
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from gpt4o_tune._connection import SYSTEM_CLOCK
from gpt4o_tune._display import bar, live_line
from gpt4o_tune._drive import run, settle
from gpt4o_tune._gateway import CALL_ERRORS
from gpt4o_tune.evaluation import Answer
from gpt4o_tune.inference.answer_cache import Kept, cache_key
from gpt4o_tune.inference.usage import tariff

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Generator, Mapping, Sequence

    from openai.types.chat import ChatCompletion

    from gpt4o_tune._gateway import Gateway
    from gpt4o_tune.evaluation import Asker, ModelRequest
    from gpt4o_tune.evaluation.graders.means import Means
    from gpt4o_tune.inference.answer_cache import AnswerCache
    from gpt4o_tune.inference.candidates import Pipeline
    from gpt4o_tune.inference.model import CustomModel
    from gpt4o_tune.providers import Provider

Messages: TypeAlias = "list[dict[str, object]]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """How all candidates of an evaluation are asked."""

    parameters: Mapping[str, object]
    cache: AnswerCache
    means: Means
    at_once: int
    progress: bool | None

    @property
    def blocking(self) -> bool:
        """Whether nothing may suspend."""
        return self.means.blocking


async def ask_model(
    name: str, model: CustomModel, prompts: Sequence[Messages], how: Asking
) -> list[Answer]:
    """Ask a model every prompt, in order; a call that fails gives an answer that says why."""
    place, prices = model.provider, tariff(model.name, model.provider.kind)
    gateway = gateway_of(place, blocking=how.blocking)

    async def ask(messages: Messages) -> Answer:
        key = cache_key(place.base_url, model.name, messages, how.parameters)
        kept = how.cache.get(key)
        if kept is None:
            started = gateway.now()
            try:
                request = {"model": model.name, "messages": messages, **how.parameters}
                completion = await gateway.chat(request)
            except CALL_ERRORS as error:
                return Answer(error=f"{type(error).__name__}: {error}")
            kept = _kept(completion, seconds=gateway.now() - started)
            if kept.text is not None:
                how.cache.keep(key, model.name, kept)
        return Answer(
            text=kept.text,
            error=None if kept.text is not None else "no text in the answer",
            latency_seconds=kept.latency_seconds,
            prompt_tokens=kept.prompt_tokens,
            completion_tokens=kept.completion_tokens,
            usd=None if kept.counts is None else prices.usage(kept.counts).usd,
        )

    with _counting(name, len(prompts), how.progress) as counted:
        return await gateway.each(counted(ask), prompts, at_once=how.at_once)


def _kept(completion: ChatCompletion, *, seconds: float) -> Kept:
    used = completion.usage
    details = used.prompt_tokens_details if used else None
    return Kept(
        text=completion.choices[0].message.content if completion.choices else None,
        latency_seconds=seconds,
        prompt_tokens=used.prompt_tokens if used else None,
        cached_tokens=details.cached_tokens if details else None,
        completion_tokens=used.completion_tokens if used else None,
    )


async def ask_pipeline(
    pipeline: Pipeline, prompts: Sequence[Messages], how: Asking
) -> list[Answer]:
    """Run a pipeline over every prompt, in order; one that raises gives an answer that says why."""

    async def ask(messages: Messages) -> Answer:
        key = cache_key("pipeline", f"{pipeline.name} {pipeline.version}", messages, how.parameters)
        kept = how.cache.get(key) if pipeline.version is not None else None
        if kept is None:
            started = SYSTEM_CLOCK.now()
            try:
                given = await how.means.apart(lambda: pipeline.call(messages))
                text = await settle(_settled_if_blocking(given, how))
            except _AsynchronousPipelineError:
                raise
            except Exception as error:
                # A pipeline may raise anything, and the other rows were paid for.
                return Answer(error=f"{type(error).__name__}: {error}")
            kept = Kept(text=text, latency_seconds=SYSTEM_CLOCK.now() - started)
            if pipeline.version is not None:
                how.cache.keep(key, pipeline.name, kept)
        return Answer(
            text=kept.text, latency_seconds=kept.latency_seconds, usd=pipeline.usd_per_call
        )

    with _counting(pipeline.name, len(prompts), how.progress) as counted:
        return await how.means.each(counted(ask), prompts)


def asker_of(place: Provider, cache: AnswerCache, *, blocking: bool) -> Asker:
    """Return what sends the requests of graders that ask a model, each once."""
    gateway = gateway_of(place, blocking=blocking)

    async def ask(request: ModelRequest) -> str:
        fields = request.to_dict()
        key = cache_key(place.base_url, request.model, fields.pop("messages"), fields)
        kept = cache.get(key)
        if kept is None:
            completion = await gateway.chat(request.to_dict())
            kept = Kept(text=completion.choices[0].message.content or "")
            cache.keep(key, request.model, kept)
        return kept.text or ""

    if blocking:
        return lambda request: run(ask(request))
    return ask


def gateway_of(place: Provider, *, blocking: bool) -> Gateway:
    """Return the gateway of the face that is being used."""
    return place.blocking() if blocking else place.asynchronous()


class _AsynchronousPipelineError(TypeError):
    """Told apart from what goes wrong inside a pipeline."""


def _settled_if_blocking(given: str | Awaitable[str], how: Asking) -> str | Awaitable[str]:
    if how.blocking and not isinstance(given, str):
        if inspect.iscoroutine(given):
            given.close()
        raise _AsynchronousPipelineError(
            "the pipeline is asynchronous or gives no text; use the face that ends in _async, and return a str"
        )
    return given


Ask: TypeAlias = "Callable[[Messages], Coroutine[object, None, Answer]]"


@contextlib.contextmanager
def _counting(name: str, total: int, progress: bool | None) -> Generator[Callable[[Ask], Ask]]:
    """Show how many answers there are, while they are asked for."""
    line, done = live_line(progress=progress), 0

    def counted(ask: Ask) -> Ask:
        async def ask_and_count(messages: Messages) -> Answer:
            nonlocal done
            answer = await ask(messages)
            done += 1
            line.show(f"asking {name}  {bar(done / total)}  {done}/{total}")
            return answer

        return ask_and_count

    try:
        yield counted
    finally:
        line.close()
