"""One of the answers to a request, as it grows: the whole of it, and its pieces for a stream."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gpt4o_tune.local.answer_parts import CallArguments, CallStart, End, Part, Text
from gpt4o_tune.local.ids import new_id

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gpt4o_tune.local.engines import GeneratedToken


class Choice:
    """An answer.

    Args:
        index: Its number among the answers to the request.
        has_logprobs: Whether to tell the tokens' log-probabilities.
        is_named_call: Whether the request named the function to call.

    Attributes:
        index: Its number.
        written: All that the model wrote, calls included, for counting.
    """

    def __init__(self, index: int, *, has_logprobs: bool, is_named_call: bool) -> None:
        self.index = index
        self.written = ""
        self._has_logprobs = has_logprobs
        self._is_named_call = is_named_call
        self._text = ""
        self._tokens: list[GeneratedToken] = []
        self._calls: list[_Call] = []
        self._reason = "stop"

    def add(self, part: Part) -> None:
        """Take in the next part."""
        match part:
            case Text():
                self.written += part.text
                self._text += part.text
                self._tokens += part.tokens
            case CallStart():
                self.written += "\n" if self._calls else ""
                self.written += f"{part.name} "
                self._calls.append(_Call(part.name))
            case CallArguments():
                self.written += part.text
                self._calls[-1].arguments += part.text
            case End():
                is_named = part.reason == "tool_calls" and self._is_named_call
                self._reason = "stop" if is_named else part.reason

    def rendered(self) -> dict[str, object]:
        """Render the answer so far."""
        message: dict[str, object] = {
            "role": "assistant",
            "content": self._text or None if self._calls else self._text,
            "refusal": None,
        }
        if self._calls:
            message["tool_calls"] = [call.rendered() for call in self._calls]
        return {
            "index": self.index,
            "message": message,
            "logprobs": self._logprobs(self._tokens),
            "finish_reason": self._reason,
        }

    def piece_of(self, part: Part) -> dict[str, object] | None:
        """Render the part that was taken in last; None where a stream has nothing to say of it."""
        match part:
            case Text():
                logprobs = self._logprobs(part.tokens)
                return self.piece({"content": part.text}, logprobs) if part.text else None
            case CallStart():
                call = self._calls[-1].rendered()
            case CallArguments():
                call = {"function": {"arguments": part.text}}
            case End():
                return self.piece({}, reason=self._reason)
        return self.piece({"tool_calls": [{"index": len(self._calls) - 1, **call}]})

    def piece(
        self,
        delta: dict[str, object],
        logprobs: dict[str, object] | None = None,
        *,
        reason: str | None = None,
    ) -> dict[str, object]:
        """Render a piece of a stream."""
        return {
            "index": self.index,
            "delta": delta,
            "logprobs": logprobs,
            "finish_reason": reason,
        }

    def _logprobs(self, tokens: Sequence[GeneratedToken]) -> dict[str, object] | None:
        if not self._has_logprobs:
            return None
        content = [
            {
                **_token_object(token.text, token.logprob),
                "top_logprobs": [_token_object(text, logprob) for text, logprob in token.top],
            }
            for token in tokens
        ]
        return {"content": content, "refusal": None}


class _Call:
    """A tool call, as it grows."""

    def __init__(self, name: str) -> None:
        self.arguments = ""
        self._id = new_id("call_")
        self._name = name

    def rendered(self) -> dict[str, object]:
        return {
            "id": self._id,
            "type": "function",
            "function": {"name": self._name, "arguments": self.arguments},
        }


def _token_object(text: str, logprob: float) -> dict[str, object]:
    return {"token": text, "logprob": logprob, "bytes": [*text.encode("utf-8", "replace")]}
