"""The body of `POST /v1/chat/completions`: what is honoured, what is harmless, what is refused."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from gpt4o_tune.local.envelope import ApiError
from gpt4o_tune.local.routes.bodies import Body

_NAME = r"^[a-zA-Z0-9_-]{1,64}$"

_INSTEAD = {"functions": "use 'tools'", "function_call": "use 'tool_choice'"}
Metadata = Annotated[
    dict[
        Annotated[str, Field(max_length=64)],
        Annotated[str, Field(max_length=512)],
    ],
    Field(max_length=16),
]
"""Pairs that callers attach, within OpenAI's bounds."""

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


class MetadataBody(Body):
    """The body of an update of a stored answer."""

    metadata: Metadata | None


class FunctionBody(Body, extra="allow"):
    """A function that the model may call."""

    name: Annotated[str, Field(pattern=_NAME)]
    description: str | None = None
    parameters: dict[str, object] | None = None
    strict: bool | None = None


class ToolBody(Body, extra="allow"):
    """A tool that the model may use."""

    type: Literal["function"]
    function: FunctionBody


class StreamOptions(Body):
    """Options of a streamed answer."""

    include_usage: bool | None = None
    include_obfuscation: bool | None = None


class JsonSchemaBody(Body):
    """A schema that the answer should follow."""

    name: Annotated[str, Field(pattern=_NAME)]
    description: str | None = None
    schema_: Annotated[dict[str, object] | None, Field(alias="schema")] = None
    strict: bool | None = None


class ResponseFormat(Body):
    """The format that the answer should have."""

    type: Literal["text", "json_object", "json_schema"]
    json_schema: JsonSchemaBody | None = None

    @model_validator(mode="after")
    def _has_schema(self) -> ResponseFormat:
        if self.type == "json_schema" and self.json_schema is None:
            raise ValueError("type json_schema needs the field json_schema")
        return self


class FunctionName(Body):
    """The name of a function."""

    name: str


class NamedTool(Body):
    """The one tool that the model has to call."""

    type: Literal["function"]
    function: FunctionName


class Prediction(Body):
    """What the answer is expected to be; makes the real service quicker."""

    type: Literal["content"]
    content: str | list[PartBody]


class ChatBody(Body):
    """A conversation to answer, and how."""

    model: str
    messages: Annotated[list[MessageBody], Field(min_length=1)]
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(ge=0, le=1)] | None = None
    frequency_penalty: Annotated[float, Field(ge=-2, le=2)] | None = None
    presence_penalty: Annotated[float, Field(ge=-2, le=2)] | None = None
    logit_bias: dict[str, Annotated[float, Field(ge=-100, le=100)]] | None = None
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
    tools: Annotated[list[ToolBody], Field(min_length=1, max_length=128)] | None = None
    tool_choice: Literal["none", "auto", "required"] | NamedTool | None = None
    parallel_tool_calls: bool | None = None
    store: bool | None = None
    metadata: Metadata | None = None

    modalities: list[str] | None = None
    """Of this and the fields down to `web_search_options`, only the value that changes nothing is
    taken."""
    verbosity: str | None = None
    reasoning_effort: str | None = None
    audio: dict[str, object] | None = None
    functions: list[object] | None = None
    function_call: str | dict[str, object] | None = None
    moderation: dict[str, object] | None = None
    prompt_cache_options: dict[str, object] | None = None
    web_search_options: dict[str, object] | None = None

    prediction: Prediction | None = None
    """This and the fields below change no answer; they are accepted and not used."""
    user: str | None = None
    safety_identifier: str | None = None
    prompt_cache_key: str | None = None
    prompt_cache_retention: Literal["in_memory", "24h"] | None = None
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

    @property
    def named_function(self) -> str | None:
        """The one function that the model has to call."""
        return self.tool_choice.function.name if isinstance(self.tool_choice, NamedTool) else None

    def require_offered(self) -> None:
        """Refuse what would change the answer and is not done here, rather than ignore it.

        Raises:
            ApiError: The body asks for something that this server does not offer.
        """
        demands = {
            "modalities": self.modalities not in (None, ["text"]),
            "verbosity": self.verbosity not in (None, "medium"),
            "reasoning_effort": self.reasoning_effort is not None,
            "audio": self.audio is not None,
            "functions": self.functions is not None,
            "function_call": self.function_call is not None,
            "moderation": self.moderation is not None,
            "prompt_cache_options": self.prompt_cache_options is not None,
            "web_search_options": self.web_search_options is not None,
        }
        for name, is_demanded in demands.items():
            if is_demanded:
                instead = _INSTEAD.get(name, "leave it out")
                raise ApiError(
                    f"Unsupported parameter: '{name}' is not supported in this way with this "
                    f"model; {instead}.",
                    param=name,
                    code="unsupported_parameter",
                )
        if self.tools is None:
            for name in ("tool_choice", "parallel_tool_calls"):
                if getattr(self, name) is not None:
                    raise ApiError(
                        f"Invalid value for '{name}': '{name}' is only allowed when 'tools' are "
                        "specified.",
                        param=name,
                    )
