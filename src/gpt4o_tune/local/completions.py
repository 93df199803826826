"""Chat completions: the parts of answers as the JSON objects of the API, whole or streamed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gpt4o_tune.data.tokens import count_row, count_text
from gpt4o_tune.local.answer_parts import Calls, End, Part, Text, read_parts
from gpt4o_tune.local.envelope import ApiError
from gpt4o_tune.local.ids import new_id

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence

    from gpt4o_tune.local.answering import Answerer
    from gpt4o_tune.local.engines import GeneratedToken, ToolCall
    from gpt4o_tune.local.routes.chat_bodies import ChatBody

_DEFAULT_MAX_TOKENS = 1024
"""Ends an answer that a barely trained model would never end by itself."""


class Completion:
    """One request for answers to a conversation.

    Raises:
        ApiError: The conversation or the answer asked for is too long for the model.
    """

    def __init__(self, answerer: Answerer, body: ChatBody, *, now: float) -> None:
        self._answerer = answerer
        self._body = body
        self._messages = [message.model_dump(exclude_unset=True) for message in body.messages]
        self._prompt_tokens = self._count_prompt()
        self._completion_tokens = 0
        self._head: dict[str, object] = {
            "id": new_id("chatcmpl-", length=29),
            "created": int(now),
            "model": answerer.name,
            "system_fingerprint": f"fp_stand_in_{answerer.engine}",
            "service_tier": "default",
        }

    def whole(self) -> dict[str, object]:
        """Generate all answers and render them as one object."""
        choices = [self._choice(index) for index in range(self._body.n or 1)]
        return {
            **self._head,
            "object": "chat.completion",
            "choices": choices,
            "usage": self._usage(),
        }

    def chunks(self) -> Generator[dict[str, object]]:
        """Generate all answers, one after the other, and render each part as it comes."""
        options = self._body.stream_options
        has_usage = options is not None and bool(options.include_usage)
        for index in range(self._body.n or 1):
            for delta, logprobs, reason in self._deltas(index):
                choice: dict[str, object] = {
                    "index": index,
                    "delta": delta,
                    "logprobs": logprobs,
                    "finish_reason": reason,
                }
                yield self._chunk([choice], {"usage": None} if has_usage else {})
        if has_usage:
            yield self._chunk([], {"usage": self._usage()})

    def _chunk(
        self, choices: list[dict[str, object]], usage: dict[str, object]
    ) -> dict[str, object]:
        return {**self._head, "object": "chat.completion.chunk", "choices": choices, **usage}

    def _choice(self, index: int) -> dict[str, object]:
        text = ""
        tokens: list[GeneratedToken] = []
        calls: list[dict[str, object]] = []
        reason = "stop"
        for part in self._parts(index):
            match part:
                case Text():
                    text += part.text
                    tokens += part.tokens
                case Calls():
                    calls = [_call_object(call) for call in part.calls]
                case End():
                    reason = part.reason
        message: dict[str, object] = {
            "role": "assistant",
            "content": None if calls else text,
            "refusal": None,
        }
        if calls:
            message["tool_calls"] = calls
        return {
            "index": index,
            "message": message,
            "logprobs": self._logprobs(tokens),
            "finish_reason": reason,
        }

    def _deltas(
        self, index: int
    ) -> Iterator[tuple[dict[str, object], dict[str, object] | None, str | None]]:
        yield {"role": "assistant", "content": "", "refusal": None}, None, None
        for part in self._parts(index):
            match part:
                case Text():
                    if part.text:
                        yield {"content": part.text}, self._logprobs(part.tokens), None
                case Calls():
                    calls = [
                        {"index": place, **_call_object(call)}
                        for place, call in enumerate(part.calls)
                    ]
                    yield {"tool_calls": calls}, None, None
                case End():
                    yield {}, None, part.reason

    def _parts(self, index: int) -> Iterator[Part]:
        """Generate one answer and count its tokens once it is complete."""
        body = self._body
        tokens = self._answerer.language_model.generate(
            self._messages,
            max_tokens=body.token_limit or _DEFAULT_MAX_TOKENS,
            temperature=1.0 if body.temperature is None else body.temperature,
            top_p=1.0 if body.top_p is None else body.top_p,
            seed=None if body.seed is None else body.seed + index,
            top_logprobs=body.top_logprobs or 0,
        )
        written = ""
        for part in read_parts(tokens, stops=body.stops, takes_calls=body.tool_choice != "none"):
            if not isinstance(part, End):
                written += part.text
            yield part
        self._completion_tokens += count_text(written, encoding=self._answerer.base.encoding)

    def _count_prompt(self) -> int:
        base = self._answerer.base
        row: dict[str, object] = {"messages": self._messages}
        if self._body.tools:
            row["tools"] = [tool.model_dump(exclude_unset=True) for tool in self._body.tools]
        count = count_row(row, model=base)
        if base.context is not None and count > base.context:
            raise ApiError(
                f"This model's maximum context length is {base.context} tokens. However, your "
                f"messages resulted in {count} tokens. Please reduce the length of the messages.",
                param="messages",
                code="context_length_exceeded",
            )
        limit = self._body.token_limit
        if limit and base.max_output is not None and limit > base.max_output:
            raise ApiError(
                f"max_tokens is too large: {limit}. This model supports at most "
                f"{base.max_output} completion tokens.",
                param="max_tokens",
                code="invalid_value",
            )
        return count

    def _usage(self) -> dict[str, object]:
        return {
            "prompt_tokens": self._prompt_tokens,
            "completion_tokens": self._completion_tokens,
            "total_tokens": self._prompt_tokens + self._completion_tokens,
        }

    def _logprobs(self, tokens: Sequence[GeneratedToken]) -> dict[str, object] | None:
        if not self._body.logprobs:
            return None
        content = [
            {
                **_token_object(token.text, token.logprob),
                "top_logprobs": [_token_object(text, logprob) for text, logprob in token.top],
            }
            for token in tokens
        ]
        return {"content": content, "refusal": None}


def _token_object(text: str, logprob: float) -> dict[str, object]:
    return {"token": text, "logprob": logprob, "bytes": [*text.encode("utf-8", "replace")]}


def _call_object(call: ToolCall) -> dict[str, object]:
    return {
        "id": new_id("call_"),
        "type": "function",
        "function": {"name": call.name, "arguments": call.arguments},
    }
