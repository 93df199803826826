"""One model asked many prompts, as answers that can be graded and priced."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from gpt4o_tune import catalog
from gpt4o_tune._display import bar, live_line
from gpt4o_tune._gateway import CALL_ERRORS
from gpt4o_tune.evaluation import Answer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from openai.types.chat import ChatCompletion

    from gpt4o_tune._gateway import Gateway
    from gpt4o_tune.catalog import ProviderKind

__all__ = ["answer_all"]

Message = dict[str, object]


async def answer_all(
    gateway: Gateway,
    name: str,
    prompts: Sequence[Sequence[Message]],
    *,
    kind: ProviderKind,
    parameters: Mapping[str, object],
    at_once: int,
    progress: bool | None,
) -> list[Answer]:
    """Ask every prompt, in order; a call that fails gives an answer that says why."""
    line = live_line(progress=progress)
    done = 0

    async def ask(prompt: Sequence[Message]) -> Answer:
        nonlocal done
        started = gateway.now()
        try:
            request = {"model": name, "messages": list(prompt), **parameters}
            completion = await gateway.chat(request)
        except CALL_ERRORS as error:
            answer = Answer(error=f"{type(error).__name__}: {error}")
        else:
            answer = _answer(completion, seconds=gateway.now() - started, name=name, kind=kind)
        done += 1
        line.show(f"asking {name}  {bar(done / len(prompts))}  {done}/{len(prompts)}")
        return answer

    try:
        return await gateway.each(ask, prompts, at_once=at_once)
    finally:
        line.close()


def _answer(completion: ChatCompletion, *, seconds: float, name: str, kind: ProviderKind) -> Answer:
    text = completion.choices[0].message.content if completion.choices else None
    answer = (
        Answer(error="no text in the answer", latency_seconds=seconds)
        if text is None
        else Answer(text=text, latency_seconds=seconds)
    )
    usage = completion.usage
    if usage is None:
        return answer
    return dataclasses.replace(
        answer,
        prompt_tokens=usage.prompt_tokens,
        completion_tokens=usage.completion_tokens,
        usd=_price(name, kind, usage.prompt_tokens, usage.completion_tokens),
    )


def _price(name: str, kind: ProviderKind, prompt: int, completion: int) -> float | None:
    """Price a call in US dollars, without discounts for cached input; None where no price is known."""
    model = catalog.load().find(name)
    offer = model.offer(kind) if model is not None else None
    if model is None or offer is None:
        return None
    tuned = name.casefold() not in {model.name, *model.aliases}
    read = offer.input_usd if tuned else offer.base_input_usd
    write = offer.output_usd if tuned else offer.base_output_usd
    if read is None or write is None:
        return None
    return (prompt * read + completion * write) / 1_000_000
