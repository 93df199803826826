"""From a chat request and its answer to a training row, whatever objects they came as.

Requests hold mappings and models mixed, answers are models of `openai`, mappings or text. All are read by
the names of their fields, so that `openai` need not be imported.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, Literal, TypeAlias, cast

from gpt4o_tune.data._turns import items, text

SkipReason: TypeAlias = Literal[
    "length",
    "content_filter",
    "incomplete",
    "error",
    "no messages",
    "no answer",
    "empty answer",
    "custom tool",
    "not kept",
    "not recorded",
]
"""Why a call gives no row; `CallRecorder.skip_counts` says what each means."""

_SETTINGS: Final = ("tools", "functions", "parallel_tool_calls")
_CUT_OFF: Final[Mapping[str, SkipReason]] = {
    "length": "length",
    "content_filter": "content_filter",
}
_ANSWERED: Final = frozenset({"stop", "tool_calls", "function_call"})


class NotARowError(Exception):
    """The call gives no training row."""

    def __init__(self, reason: SkipReason) -> None:
        super().__init__(reason)
        self.reason: SkipReason = reason


def request_row(request: Mapping[str, object]) -> dict[str, object]:
    """Take from a request what a training row keeps, apart from whatever the caller changes later.

    Raises:
        NotARowError: The request holds no messages.
    """
    messages = items(request.get("messages"))
    if not messages:
        raise NotARowError("no messages")
    row: dict[str, object] = {"messages": [_message(message) for message in messages]}
    for name in _SETTINGS:
        value = request.get(name)
        # Anything else is how a client says that it was not given.
        if isinstance(value, bool) or items(value):
            row[name] = plain(value)
    return row


def plain(value: object) -> object:
    """Copy a value, models as mappings."""
    if isinstance(value, Mapping):
        pairs = cast("Mapping[str, object]", value)
        return {key: plain(item) for key, item in pairs.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in cast("Sequence[object]", value)]
    dump = getattr(value, "model_dump", None)
    return dump(mode="json", exclude_none=True) if callable(dump) else value


def answer_message(answer: object) -> tuple[dict[str, object], str]:
    """Return the first choice's message as a training row has it, and why it ended.

    Raises:
        NotARowError: There is no whole answer.
    """
    if isinstance(answer, str):
        return {"role": "assistant", "content": answer}, "stop"
    choices = items(field(answer, "choices"))
    if not choices:
        raise NotARowError("no answer")
    reason = text(field(choices[0], "finish_reason"))
    require_whole(reason)
    return assistant_message(field(choices[0], "message")), reason


def require_whole(finish_reason: str) -> None:
    """Refuse an answer that was cut off.

    Raises:
        NotARowError: It was.
    """
    if finish_reason not in _ANSWERED:
        raise NotARowError(_CUT_OFF.get(finish_reason, "incomplete"))


def assistant_message(message: object) -> dict[str, object]:
    """Return an assistant message with the keys that training knows.

    A refusal becomes the content: training has no field for it.

    Raises:
        NotARowError: It says nothing, or calls a tool that is not a function.
    """
    content = field(message, "content")
    if content is None or content == "":
        content = field(message, "refusal") or None
    row: dict[str, object] = {"role": "assistant"}
    calls = [_call(call) for call in items(field(message, "tool_calls"))]
    function = field(message, "function_call")
    if content is None and not calls and function is None:
        raise NotARowError("empty answer")
    row["content"] = plain(content)
    for name in ("name", "weight"):
        if (value := field(message, name)) is not None:
            row[name] = value
    if calls:
        row["tool_calls"] = calls
    if function is not None:
        row["function_call"] = _called(function)
    return row


def field(value: object, name: str) -> object:
    """Read a field of a mapping or an object; None where it has none."""
    if isinstance(value, Mapping):
        return cast("Mapping[str, object]", value).get(name)
    return getattr(value, name, None)


def _message(message: object) -> object:
    if field(message, "role") == "assistant":
        return assistant_message(message)
    return plain(message)


def _call(call: object) -> dict[str, object]:
    function = field(call, "function")
    if function is None:
        raise NotARowError("custom tool")
    return {"id": field(call, "id"), "type": "function", "function": _called(function)}


def _called(function: object) -> dict[str, object]:
    return {"name": field(function, "name"), "arguments": field(function, "arguments")}


class StreamedAnswer:
    """The first choice of a streamed answer, put together from its chunks."""

    def __init__(self) -> None:
        self.finish_reason = ""
        """Empty until the answer is whole."""
        self._texts: dict[str, list[str]] = {"content": [], "refusal": []}
        self._calls: dict[int, dict[str, list[str]]] = {}
        self._function: dict[str, list[str]] = {}

    def add(self, chunk: object) -> None:
        """Take in a chunk."""
        for choice in items(field(chunk, "choices")):
            if field(choice, "index"):
                continue
            self._add_delta(field(choice, "delta"))
            self.finish_reason = text(field(choice, "finish_reason")) or self.finish_reason

    def _add_delta(self, delta: object) -> None:
        for name, pieces in self._texts.items():
            pieces.append(text(field(delta, name)))
        for call in items(field(delta, "tool_calls")):
            place = field(call, "index")
            known = self._calls.setdefault(place if isinstance(place, int) else 0, {})
            known.setdefault("id", []).append(text(field(call, "id")))
            _add_function(known, field(call, "function"))
        function = field(delta, "function_call")
        if function is not None:
            _add_function(self._function, function)

    def message(self) -> dict[str, object]:
        """Return the message as a training row has it.

        Raises:
            NotARowError: It is not whole, or says nothing.
        """
        require_whole(self.finish_reason)
        message: dict[str, object] = {
            name: "".join(pieces) or None for name, pieces in self._texts.items()
        }
        message["tool_calls"] = [
            {"id": "".join(call["id"]), "function": _joined(call)}
            for _, call in sorted(self._calls.items())
        ]
        message["function_call"] = _joined(self._function) if self._function else None
        return assistant_message(message)


def _add_function(known: dict[str, list[str]], function: object) -> None:
    for name in ("name", "arguments"):
        known.setdefault(name, []).append(text(field(function, name)))


def _joined(known: Mapping[str, Sequence[str]]) -> dict[str, str]:
    return {name: "".join(known[name]) for name in ("name", "arguments")}
