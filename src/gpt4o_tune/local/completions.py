"""Chat completions: the parts of answers as the JSON objects of the API, whole or streamed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gpt4o_tune.data.tokens import count_row, count_text
from gpt4o_tune.local.answer_parts import CallReading, Part, read_parts
from gpt4o_tune.local.answer_shape import adjustments_of, shape_of
from gpt4o_tune.local.choices import Choice
from gpt4o_tune.local.envelope import ApiError
from gpt4o_tune.local.ids import new_id
from gpt4o_tune.local.store.records import CompletionRecord

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from gpt4o_tune.local.answering import Answerer
    from gpt4o_tune.local.routes.chat_bodies import ChatBody

_DEFAULT_MAX_TOKENS = 1024
"""Ends an answer that a barely trained model would never end by itself."""


class Completion:
    """One request for answers to a conversation.

    Raises:
        ApiError: The conversation or the answer asked for is too long for the model, or what the
            answer should be is unsound.
    """

    def __init__(self, answerer: Answerer, body: ChatBody, *, now: float) -> None:
        self._answerer = answerer
        self._body = body
        self._messages = [message.model_dump(exclude_unset=True) for message in body.messages]
        self._prompt_tokens = self._count_prompt()
        self._completion_tokens = 0
        self._shape = shape_of(body)
        self._adjustments = adjustments_of(body, encoding_name=answerer.base.encoding)
        # A call of the one function that was named ends as any answer does, as OpenAI's guide says.
        is_named = body.named_function is not None
        self._choices = [
            Choice(index, has_logprobs=bool(body.logprobs), is_named_call=is_named)
            for index in range(body.n or 1)
        ]
        self._head: dict[str, object] = {
            "id": new_id("chatcmpl-", length=29),
            "created": int(now),
            "model": answerer.name,
            "system_fingerprint": f"fp_stand_in_{answerer.engine}",
            "service_tier": "default",
        }

    def rendered(self) -> dict[str, object]:
        """Render the answers as one object, once `chunks` has come to its end."""
        return {
            **self._head,
            "object": "chat.completion",
            "choices": [choice.rendered() for choice in self._choices],
            "usage": self._usage(),
        }

    def record(self) -> CompletionRecord:
        """Give the answers, and what was asked, as they are stored."""
        body = self._body
        rendered = self.rendered()
        asked = body.model_dump(
            include={
                "temperature",
                "top_p",
                "seed",
                "presence_penalty",
                "frequency_penalty",
                "response_format",
                "tools",
                "tool_choice",
            },
            by_alias=True,
        )
        return CompletionRecord(
            id=str(rendered["id"]),
            model=str(rendered["model"]),
            content={**rendered, **asked, "input_user": body.user},
            messages=tuple(self._messages),
            metadata=body.metadata,
        )

    def chunks(self) -> Generator[dict[str, object]]:
        """Generate all answers, one after the other, and render each part as it comes."""
        options = self._body.stream_options
        has_usage = options is not None and bool(options.include_usage)
        usage: dict[str, object] = {"usage": None} if has_usage else {}
        for choice in self._choices:
            start: dict[str, object] = {"role": "assistant", "content": "", "refusal": None}
            yield self._chunk([choice.piece(start)], usage)
            for part in self._parts(choice):
                if (piece := choice.piece_of(part)) is not None:
                    yield self._chunk([piece], usage)
        if has_usage:
            yield self._chunk([], {"usage": self._usage()})

    def _chunk(
        self, choices: list[dict[str, object]], usage: dict[str, object]
    ) -> dict[str, object]:
        return {**self._head, "object": "chat.completion.chunk", "choices": choices, **usage}

    def _parts(self, choice: Choice) -> Iterator[Part]:
        """Generate one answer and count its tokens once it is complete."""
        body = self._body
        tokens = self._answerer.language_model.generate(
            self._messages,
            max_tokens=body.token_limit or _DEFAULT_MAX_TOKENS,
            temperature=1.0 if body.temperature is None else body.temperature,
            top_p=1.0 if body.top_p is None else body.top_p,
            seed=None if body.seed is None else body.seed + choice.index,
            top_logprobs=body.top_logprobs or 0,
            shape=self._shape,
            adjustments=self._adjustments,
        )
        for part in read_parts(tokens, stops=body.stops, calls=self._call_reading()):
            choice.add(part)
            yield part
        self._completion_tokens += count_text(choice.written, encoding=self._answerer.base.encoding)

    def _call_reading(self) -> CallReading:
        if self._body.tool_choice == "none":
            return "as text"
        return "guided" if self._shape is not None and self._shape.calls else "checked"

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
