"""The body of `POST /v1/chat/completions`: what is honoured, what is harmless, what is refused."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from gpt4o_tune.local.envelope import ApiError
from gpt4o_tune.local.routes.bodies import Body

Role = Literal["system", "developer", "user", "assistant", "tool", "function"]


class PartBody(Body, extra="allow"):
    """One part of a message's content; what is not text is passed on unread."""

    type: str
    text: str | None = None


class CalledFunction(Body, extra="allow"):
    """The function that an earlier assistant message called."""

    name: str
    arguments: str


class CallBody(Body, extra="allow"):
    """A tool call of an earlier assistant message."""

    id: str
    type: Literal["function"]
    function: CalledFunction


class MessageBody(Body, extra="allow"):
    """A message of the conversation."""

    role: Role
    content: str | list[PartBody] | None = None
    name: str | None = None
    tool_calls: list[CallBody] | None = None
    tool_call_id: str | None = None
    function_call: CalledFunction | None = None
    refusal: str | None = None


class FunctionBody(Body, extra="allow"):
    """A function that the model may call."""

    name: str
    description: str | None = None
    parameters: dict[str, object] | None = None


class ToolBody(Body, extra="allow"):
    """A tool that the model may use."""

    type: Literal["function"]
    function: FunctionBody


class StreamOptions(Body):
    """Options of a streamed answer."""

    include_usage: bool | None = None
    include_obfuscation: bool | None = None


class ResponseFormat(Body, extra="allow"):
    """The format that the answer should have."""

    type: Literal["text", "json_object", "json_schema"]


class ChatBody(Body):
    """A conversation to answer, and how."""

    model: str
    messages: Annotated[list[MessageBody], Field(min_length=1)]
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(ge=0, le=1)] | None = None
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    max_completion_tokens: Annotated[int, Field(ge=1)] | None = None
    n: Annotated[int, Field(ge=1, le=128)] | None = None
    stop: str | Annotated[list[str], Field(max_length=4)] | None = None
    seed: Annotated[int, Field(ge=-(2**63), lt=2**63)] | None = None
    logprobs: bool | None = None
    top_logprobs: Annotated[int, Field(ge=0, le=20)] | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    response_format: ResponseFormat | None = None
    tools: list[ToolBody] | None = None
    tool_choice: str | dict[str, object] | None = None
    parallel_tool_calls: bool | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    logit_bias: dict[str, float] | None = None
    modalities: list[str] | None = None
    store: bool | None = None

    metadata: dict[str, str] | None = None
    """This and the fields below change no answer; they are accepted and not used."""
    user: str | None = None
    safety_identifier: str | None = None
    prompt_cache_key: str | None = None
    service_tier: str | None = None

    @field_validator("stop")
    @classmethod
    def _stops_hold_text(cls, stop: str | list[str] | None) -> str | list[str] | None:
        if "" in ([stop] if isinstance(stop, str) else stop or []):
            raise ValueError("a stop sequence must not be empty")
        return stop

    @model_validator(mode="after")
    def _fields_agree(self) -> ChatBody:
        if self.top_logprobs and not self.logprobs:
            raise ValueError("top_logprobs needs logprobs=true")
        if self.stream_options and not self.stream:
            raise ValueError("stream_options needs stream=true")
        return self

    @property
    def stops(self) -> tuple[str, ...]:
        """The stop sequences."""
        return (self.stop,) if isinstance(self.stop, str) else tuple(self.stop or ())

    @property
    def token_limit(self) -> int | None:
        """Most tokens of one answer."""
        return self.max_completion_tokens or self.max_tokens

    def require_offered(self) -> None:
        """Refuse what would change the answer and is not done here, rather than ignore it.

        Raises:
            ApiError: The body asks for something that this server does not offer.
        """
        demands = {
            "response_format": self.response_format and self.response_format.type != "text",
            "tool_choice": self.tool_choice not in (None, "auto", "none"),
            "frequency_penalty": self.frequency_penalty,
            "presence_penalty": self.presence_penalty,
            "logit_bias": self.logit_bias,
            "modalities": self.modalities not in (None, ["text"]),
            "store": self.store,
        }
        for name, is_demanded in demands.items():
            if is_demanded:
                raise ApiError(
                    f"The local server does not offer this setting of '{name}'; leave it out.",
                    param=name,
                    code="unsupported_parameter",
                )
