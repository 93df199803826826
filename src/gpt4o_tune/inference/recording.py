"""Ask a model prompts and keep all that it gives: answers, reasons, token counts, log-probabilities."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, cast

from gpt4o_tune._display import bar, live_line
from gpt4o_tune._gateway import CALL_ERRORS, is_refusal
from gpt4o_tune.data import Dataset
from gpt4o_tune.errors import DatasetError
from gpt4o_tune.evaluation._recording_file import OpenRecording
from gpt4o_tune.evaluation.recording import (
    RecordedAnswer,
    RecordedPrompt,
    Recording,
    TokenLogprob,
)

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable

    from openai.types.chat import ChatCompletion

    from gpt4o_tune._gateway import Gateway
    from gpt4o_tune.providers import Provider

__all__ = ["OpenRecording", "begin", "finish"]

REPEATABLE: Mapping[str, object] = {"temperature": 0, "seed": 0}
"""Parameters of a recording, so that it gives the same answers again as far as the service can."""
_OWN = ("model", "messages", "n", "stream", "stream_options", "logprobs", "top_logprobs")
"""Fields of the request that a recording sets itself."""
_ROW_FIELDS = ("tools", "parallel_tool_calls", "functions")
"""Fields of a row that belong to the question."""


def begin(
    name: str,
    provider: Provider,
    prompts: Dataset | Recording | Iterable[str | Sequence[Mapping[str, object]]],
    *,
    system: str | None,
    path: str | os.PathLike[str] | None,
    samples: int | None,
    at_once: int,
    parameters: Mapping[str, object],
) -> OpenRecording:
    """Settle what is asked and how, and begin or go on with the file.

    Raises:
        DatasetError: There is nothing to ask, or the file is another recording.
        ValueError: A number or a parameter makes no sense.
        TypeError: A prompt is neither a text nor a list of messages.
    """
    from gpt4o_tune import __version__

    earlier = prompts if isinstance(prompts, Recording) else None
    drawn = samples if samples is not None else earlier.samples if earlier else 1
    if drawn < 1 or at_once < 1:
        raise ValueError(f"samples and at_once must be at least 1, not {samples!r} and {at_once!r}")
    if taken := sorted(set(parameters) & set(_OWN)):
        raise ValueError(f"leave out {taken[0]!r}: a recording sets it itself")
    standing = REPEATABLE if earlier is None else earlier.parameters
    # None takes a parameter back that a model refuses, such as a temperature.
    chosen = {k: v for k, v in {**standing, **parameters}.items() if v is not None}
    rows = tuple(_prompts(prompts, system=system))
    if not rows:
        raise DatasetError("there are no prompts to record")
    empty = Recording(
        model=name,
        provider=provider.kind,
        base_url=provider.address,
        recorded_at=dt.datetime.now(dt.UTC).replace(microsecond=0),
        parameters=chosen,
        samples=drawn,
        prompts=rows,
        library=__version__,
    )
    return OpenRecording(empty, path)


async def finish(
    gateway: Gateway,
    recording: OpenRecording,
    *,
    logprobs: bool,
    at_once: int,
    progress: bool | None,
) -> Recording:
    """Ask what is missing, give each answer to the file as it comes, and seal the whole."""
    missing, asked = recording.missing, recording.empty
    line = live_line(progress=progress)
    wants_logprobs, done = logprobs, 0

    async def ask(place: tuple[int, int]) -> None:
        nonlocal wants_logprobs, done
        request = _request(asked, place)
        started = gateway.now()
        try:
            completion, offers = await _complete(gateway, request, logprobs=wants_logprobs)
        except CALL_ERRORS as error:
            answer = RecordedAnswer(error=f"{type(error).__name__}: {error}")
        else:
            wants_logprobs = wants_logprobs and offers
            answer = _answer(completion, seconds=gateway.now() - started)
        recording.add(place, answer)
        done += 1
        line.show(f"recording {asked.model}  {bar(done / len(missing))}  {done}/{len(missing)}")

    try:
        await gateway.each(ask, missing, at_once=at_once)
        return recording.sealed()
    finally:
        recording.close()
        line.close()


async def _complete(
    gateway: Gateway, request: Mapping[str, object], *, logprobs: bool
) -> tuple[ChatCompletion, bool]:
    """Ask once, and again without log-probabilities where the service refuses the request with them."""
    if logprobs:
        try:
            return await gateway.chat({**request, "logprobs": True}), True
        except CALL_ERRORS as error:
            if not is_refusal(error):
                raise
    return await gateway.chat(request), False


def _request(recording: Recording, place: tuple[int, int]) -> dict[str, object]:
    row, sample = place
    prompt = recording.prompts[row]
    request = {**recording.parameters, **prompt.fields}
    seed = request.get("seed")
    if isinstance(seed, int):
        request["seed"] = seed + sample
    return {"model": recording.model, "messages": list(prompt.messages), **request}


def _answer(completion: ChatCompletion, *, seconds: float) -> RecordedAnswer:
    if not completion.choices:
        return RecordedAnswer(error="the service sent no answer", latency_seconds=seconds)
    choice, usage = completion.choices[0], completion.usage
    scored = choice.logprobs.content if choice.logprobs else None
    calls = [call.to_dict() for call in choice.message.tool_calls or ()]
    return RecordedAnswer(
        text=None if choice.message.content is None else _writable(choice.message.content),
        tool_calls=tuple(calls),
        refusal=choice.message.refusal or None,
        finish_reason=choice.finish_reason,
        system_fingerprint=completion.system_fingerprint,
        prompt_tokens=usage.prompt_tokens if usage else None,
        completion_tokens=usage.completion_tokens if usage else None,
        logprobs=tuple(TokenLogprob(_writable(t.token), t.logprob) for t in scored)
        if scored
        else None,
        latency_seconds=round(seconds, 4),
    )


def _writable(text: str) -> str:
    """Replace halves of surrogate pairs, which a token that ends inside a character may hold."""
    return text.encode("utf-8", "replace").decode()


def _prompts(
    prompts: Dataset | Recording | Iterable[str | Sequence[Mapping[str, object]]],
    *,
    system: str | None,
) -> Iterable[RecordedPrompt]:
    if isinstance(prompts, Recording):
        for each in prompts.prompts:
            yield RecordedPrompt(
                messages=each.messages, fields=each.fields, reference=each.reference
            )
        return
    if isinstance(prompts, Dataset):
        for number, row in enumerate(prompts.records()):
            yield _of_row(row, number)
        return
    if isinstance(prompts, str):
        raise TypeError("prompts is one text; pass a list of texts")
    opening = [{"role": "system", "content": system}] if system else []
    for number, entry in enumerate(cast("Iterable[object]", prompts)):
        if isinstance(entry, str):
            yield RecordedPrompt(messages=(*opening, {"role": "user", "content": entry}))
        else:
            yield RecordedPrompt(messages=tuple(_messages(entry, number)))


def _of_row(row: Mapping[str, object], number: int) -> RecordedPrompt:
    messages = _messages(row.get("messages"), number)
    reference = None
    if messages[-1].get("role") == "assistant":
        reference = messages.pop()
    if not messages:
        raise DatasetError(
            f"row {number} holds nothing before its answer, so there is nothing to ask"
        )
    fields = {name: row[name] for name in _ROW_FIELDS if row.get(name) is not None}
    return RecordedPrompt(messages=tuple(messages), fields=fields, reference=reference)


def _messages(entry: object, number: int) -> list[dict[str, object]]:
    found = cast("Sequence[object]", entry) if isinstance(entry, Sequence) else ()
    messages = [dict(cast("Mapping[str, object]", m)) for m in found if isinstance(m, Mapping)]
    if not messages or len(messages) != len(found):
        raise TypeError(
            f"prompt {number} is neither a text nor a list of messages; rows of a dataset must be in "
            "chat format"
        )
    # Weights belong to training alone.
    return [{name: part for name, part in m.items() if name != "weight"} for m in messages]
