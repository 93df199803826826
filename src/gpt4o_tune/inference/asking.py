"""One model asked many prompts, as answers that can be graded and priced."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gpt4o_tune.evaluation import Answer
from gpt4o_tune.inference.mapping import MapOptions, map_requests

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gpt4o_tune._gateway import Gateway
    from gpt4o_tune.catalog import ProviderKind
    from gpt4o_tune.inference.fallback import Route
    from gpt4o_tune.inference.results import MapAnswer
    from gpt4o_tune.inference.usage import Meter

__all__ = ["answer_all"]


async def answer_all(
    gateway: Gateway,
    prompts: Sequence[Sequence[Mapping[str, object]]],
    *,
    route: Route,
    kind: ProviderKind,
    meter: Meter,
    parameters: Mapping[str, object],
    at_once: int,
    progress: bool | None,
) -> list[Answer]:
    """Ask every prompt, in order; a call that fails gives an answer that says why."""
    result = await map_requests(
        gateway,
        [{**parameters, "messages": list(prompt)} for prompt in prompts],
        route=route,
        kind=kind,
        meter=meter,
        options=MapOptions(at_once=at_once, progress=progress),
    )
    return [_answer(answer) for answer in result]


def _answer(answer: MapAnswer) -> Answer:
    if answer.text is None:
        error = answer.error or "no text in the answer"
        if not answer.usage.calls:
            return Answer(error=error)
    else:
        error = None
    return Answer(
        text=answer.text,
        error=error,
        latency_seconds=answer.latency_seconds,
        prompt_tokens=answer.usage.prompt_tokens,
        completion_tokens=answer.usage.completion_tokens,
        usd=answer.usage.usd,
    )
