"""Rows as pydantic models: what `dataset[i]` gives.

The models say what a sound row looks like. They are frozen and keep keys that they do not know, because
reading must not lose data; `Dataset.check` is where unknown keys are reported.
"""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, JsonValue, StrictBool

__all__ = [
    "AssistantMessage",
    "ChatRow",
    "DeveloperMessage",
    "Function",
    "FunctionCall",
    "FunctionMessage",
    "ImagePart",
    "ImageUrl",
    "Message",
    "PreferenceInput",
    "PreferenceRow",
    "ReinforcementRow",
    "Row",
    "SystemMessage",
    "TextPart",
    "Tool",
    "ToolCall",
    "ToolMessage",
    "UserMessage",
]


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="allow")


class TextPart(_Value):
    """A piece of text inside a message."""

    type: Literal["text"]
    text: str


class ImageUrl(_Value):
    """Where an image is."""

    url: str
    """An `https` address, or a `data:` URL with the image in base64."""
    detail: Literal["low", "high", "auto"] | None = None


class ImagePart(_Value):
    """An image inside a user message."""

    type: Literal["image_url"]
    image_url: ImageUrl


Part: TypeAlias = Annotated[TextPart | ImagePart, Field(discriminator="type")]
Text: TypeAlias = str | tuple[TextPart, ...]


class FunctionCall(_Value):
    """What an assistant calls, and with what."""

    name: str
    arguments: str
    """JSON text of an object, not the object itself."""


class ToolCall(_Value):
    """One call that an assistant asks for."""

    id: str
    type: Literal["function"]
    function: FunctionCall


class SystemMessage(_Value):
    """Instructions that hold for the whole conversation."""

    role: Literal["system"]
    content: Text
    name: str | None = None


class DeveloperMessage(_Value):
    """Instructions, under the name that newer models use for them."""

    role: Literal["developer"]
    content: Text
    name: str | None = None


class UserMessage(_Value):
    """What the user says or shows."""

    role: Literal["user"]
    content: str | tuple[Part, ...]
    name: str | None = None


class AssistantMessage(_Value):
    """What the model is to answer: the target of training unless `weight` is 0."""

    role: Literal["assistant"]
    content: Text | None = None
    """Null only beside `tool_calls` or `function_call`."""
    name: str | None = None
    weight: Literal[0, 1] | None = None
    tool_calls: tuple[ToolCall, ...] | None = None
    function_call: FunctionCall | None = None


class ToolMessage(_Value):
    """What a tool gave back."""

    role: Literal["tool"]
    content: Text
    tool_call_id: str


class FunctionMessage(_Value):
    """What a function gave back, in the older form."""

    role: Literal["function"]
    content: str | None
    name: str


Message: TypeAlias = Annotated[
    SystemMessage
    | DeveloperMessage
    | UserMessage
    | AssistantMessage
    | ToolMessage
    | FunctionMessage,
    Field(discriminator="role"),
]


class Function(_Value):
    """A function that the model may call."""

    name: str
    description: str | None = None
    parameters: dict[str, JsonValue] | None = None
    """JSON schema of the arguments; none means no arguments."""
    strict: StrictBool | None = None


class Tool(_Value):
    """A tool that the model may call."""

    type: Literal["function"]
    function: Function


class ChatRow(_Value):
    """An example for supervised training: a conversation with the answers to learn."""

    messages: tuple[Message, ...] = Field(min_length=1)
    tools: tuple[Tool, ...] | None = None
    functions: tuple[Function, ...] | None = None
    parallel_tool_calls: StrictBool | None = None


class PreferenceInput(_Value):
    """What both outputs of a preference pair answer."""

    messages: tuple[Message, ...] = Field(min_length=1)
    tools: tuple[Tool, ...] | None = None
    parallel_tool_calls: StrictBool | None = None


class PreferenceRow(_Value):
    """An example for direct preference optimisation: one input, a better and a worse output."""

    input: PreferenceInput
    preferred_output: tuple[Message, ...] = Field(min_length=1)
    non_preferred_output: tuple[Message, ...] = Field(min_length=1)


class ReinforcementRow(_Value):
    """A prompt for reinforcement training; further fields of the row are for the grader."""

    messages: tuple[Message, ...] = Field(min_length=1)
    tools: tuple[Tool, ...] | None = None
    parallel_tool_calls: StrictBool | None = None


Row: TypeAlias = ChatRow | PreferenceRow | ReinforcementRow
