"""How a grader that needs a model gets one: it writes a request, and somebody else sends it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Awaitable, Mapping

__all__ = ["Asker", "ModelRequest"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRequest:
    """A question to a model, in the terms of the chat endpoint."""

    model: str
    messages: tuple[Mapping[str, object], ...]
    schema: Mapping[str, object]
    """JSON schema of the answer that is wanted."""

    settings: Mapping[str, object] = field(default_factory=dict[str, object])
    """Further fields of the request, such as `temperature`."""

    def to_dict(self) -> dict[str, object]:
        """Give the arguments of `client.chat.completions.create`."""
        wanted = {"name": "judgement", "strict": True, "schema": dict(self.schema)}
        return {
            "model": self.model,
            "messages": [dict(message) for message in self.messages],
            "response_format": {"type": "json_schema", "json_schema": wanted},
            **self.settings,
        }


class Asker(Protocol):
    """Sends a request and gives the text of the answer: a function, blocking or asynchronous.

    Graders know nothing of clients and keys. Whoever runs them passes a function in:

        def ask(request):
            completion = client.chat.completions.create(**request.to_dict())
            return completion.choices[0].message.content or ""
    """

    def __call__(self, request: ModelRequest, /) -> str | Awaitable[str]:
        """Ask the model, and return what it wrote."""
        ...
