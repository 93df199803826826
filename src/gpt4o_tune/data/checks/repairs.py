"""What `Dataset.fix` does about a fault: one small function per code, where there is one way only.

A repair changes the row that it is given and returns what it did, or returns None and changes nothing. None
touches a text that somebody wrote.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, NamedTuple, TypeAlias, cast

from gpt4o_tune.data.checks.calls import call_ids
from gpt4o_tune.data.checks.rule import Turn
from gpt4o_tune.data.checks.structure import ROLES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from gpt4o_tune.data.decode import Json, JsonObject

Repair: TypeAlias = "Callable[[JsonObject, str], str | None]"
"""From a row and the path of a problem to what was done."""

_ALIASES = {
    "human": "user",
    "gpt": "assistant",
    "bot": "assistant",
    "chatgpt": "assistant",
    "ai": "assistant",
}
"""Roles as ShareGPT, LangChain and their followers write them."""
_WEIGHTS = {"0": 0, "1": 1, "0.0": 0, "1.0": 1, "False": 0, "True": 1}
_FUNCTION_KEYS = frozenset({"name", "description", "parameters", "strict"})
_INDEX = re.compile(r"\[(\d+)\]\.?")


class Spot(NamedTuple):
    """A place in a row that something can be put into."""

    holder: JsonObject
    key: str

    @property
    def value(self) -> Json:
        """What is there; None also where nothing is."""
        return self.holder.get(self.key)


def value_at(row: JsonObject, path: str) -> Json:
    """Return what a path leads to, None where that is nothing."""
    value: Json = row
    while path:
        if isinstance(value, list):
            index = _INDEX.match(path)
            if index is None or int(index[1]) >= len(value):
                return None
            value, path = value[int(index[1])], path[index.end() :]
        elif isinstance(value, dict):
            key = _first_key(value, path)
            if key is None:
                return None
            value, path = value[key], path[len(key) :].removeprefix(".")
        else:
            return None
    return value


def _first_key(holder: JsonObject, path: str) -> str | None:
    """Return the longest key that a path can begin with: keys may hold dots and brackets themselves."""
    fits = [key for key in holder if path == key or path.startswith((f"{key}.", f"{key}["))]
    return max(fits, key=len, default=None)


def spot(row: JsonObject, path: str) -> Spot | None:
    """Return the place of a key that a path ends in."""
    parent, _, key = path.rpartition(".")
    holder = value_at(row, parent)
    return Spot(holder, key) if isinstance(holder, dict) else None


def rename_keys(holder: JsonObject, names: Mapping[str, str]) -> None:
    """Give keys other names, in their place."""
    items = [(names.get(key, key), value) for key, value in holder.items()]
    holder.clear()
    holder.update(items)


def remove_null(row: JsonObject, path: str) -> str | None:
    """Remove a key that the format does not have and that says nothing."""
    place = spot(row, path)
    if place is None or place.key not in place.holder or place.value is not None:
        return None
    del place.holder[place.key]
    return "removed the key, which was null"


def rename_outputs(row: JsonObject, path: str) -> str | None:
    """Rename the older names of the answers of a preference pair."""
    older = {
        "preferred_completion": "preferred_output",
        "non_preferred_completion": "non_preferred_output",
    }
    names = {old: new for old, new in older.items() if old in row and new not in row}
    if not names:
        return None
    rename_keys(row, names)
    return f"renamed {' and '.join(map(repr, names))}"


def rename_speaker(row: JsonObject, path: str) -> str | None:
    """Turn a message of `from` and `value` into one of `role` and `content`."""
    message = value_at(row, path)
    if not isinstance(message, dict) or message.keys() != {"from", "value"}:
        return None
    role = message["from"]
    if not isinstance(role, str) or _role(role) is None:
        return None
    rename_keys(message, {"from": "role", "value": "content"})
    message["role"] = _role(role)
    return "renamed 'from' to 'role' and 'value' to 'content'"


def correct_role(row: JsonObject, path: str) -> str | None:
    """Write a role in small letters, or by the name that it has here."""
    place = spot(row, path)
    if place is None or not isinstance(place.value, str):
        return None
    role = _role(place.value)
    if role is None:
        return None
    place.holder[place.key] = role
    return "wrote the role as the format does"


def _role(name: str) -> str | None:
    plain = name.strip().lower()
    return plain if plain in ROLES else _ALIASES.get(plain)


def whole_weight(row: JsonObject, path: str) -> str | None:
    """Write a weight of 0 or 1 as a whole number."""
    place = spot(row, path)
    weight = None if place is None else _WEIGHTS.get(str(place.value))
    if place is None or weight is None:
        return None
    place.holder[place.key] = weight
    return "wrote the weight as a whole number"


def remove_idle_weight(row: JsonObject, path: str) -> str | None:
    """Remove a weight of null or 0 from a message that is never trained on."""
    place = spot(row, path)
    if place is None or not (place.value is None or _WEIGHTS.get(str(place.value)) == 0):
        return None
    del place.holder[place.key]
    return "removed the weight; the message is not trained on anyhow"


def true_or_false(row: JsonObject, path: str) -> str | None:
    """Take the quotes off a switch."""
    place = spot(row, path)
    text = place.value if place is not None else None
    if place is None or not isinstance(text, str) or text.lower() not in ("true", "false"):
        return None
    place.holder[place.key] = text.lower() == "true"
    return "took the quotes off"


def complete_tool(row: JsonObject, path: str) -> str | None:
    """Add the type of a tool, or put a function that lies open into `function`."""
    tool = value_at(row, path)
    if not isinstance(tool, dict) or tool.get("type", "function") != "function":
        return None
    if isinstance(tool.get("function"), dict):
        if "type" in tool:
            return None
        _put_first(tool, "type", "function")
        return "added 'type'"
    inner = {key: value for key, value in tool.items() if key != "type"}
    if (
        not isinstance(inner.get("name"), str)
        or not inner.keys() <= _FUNCTION_KEYS
        or ".functions" in f".{path}"
    ):
        return None
    tool.clear()
    tool.update({"type": "function", "function": inner})
    return "put the function into 'function'"


def complete_call(row: JsonObject, path: str) -> str | None:
    """Remove an empty list of calls; give a call its type, its id, and its arguments as text."""
    value = value_at(row, path)
    place = spot(row, path)
    if value == [] and place is not None:
        del place.holder[place.key]
        return "removed the empty list"
    if not isinstance(value, dict):
        return None
    if path.endswith("function_call"):
        return _arguments_as_text(value)
    done = [step for step in (_add_type(value), _add_id(row, path, value)) if step]
    function = value.get("function")
    if isinstance(function, dict) and (step := _arguments_as_text(function)):
        done.append(step)
    return ", ".join(done) or None


def _add_type(call: JsonObject) -> str | None:
    if "type" in call or not isinstance(call.get("function"), dict):
        return None
    call["type"] = "function"
    return "added 'type'"


def _arguments_as_text(function: JsonObject) -> str | None:
    if not isinstance(function.get("arguments"), dict):
        return None
    function["arguments"] = json.dumps(function["arguments"], ensure_ascii=False)
    return "wrote the arguments as JSON text"


def _add_id(row: JsonObject, path: str, call: JsonObject) -> str | None:
    """Give a call the one id that its results leave over, or a new one where no result follows."""
    if call.get("id") not in (None, ""):
        return None
    asks, results = _exchange(row, path.rpartition(".tool_calls")[0])
    if asks is None:
        return None
    nameless = [other for other in _calls(asks) if other.get("id") in (None, "")]
    taken = [*call_ids(Turn("", "assistant", asks))]
    waiting = [message.get("tool_call_id") for message in results]
    free = [identifier for identifier in waiting if identifier not in taken]
    if not results:
        _put_first(call, "id", _new_id(row))
    elif len(nameless) == len(free) == 1:
        _put_first(call, "id", free[0] if isinstance(free[0], str) else _new_id(row))
    else:
        return None
    return "added 'id'"


def answer_call(row: JsonObject, path: str) -> str | None:
    """Give a result the id of the one call that it can answer."""
    at, _, _ = path.rpartition(".tool_call_id")
    before, _, place = at.rpartition("[")
    messages = value_at(row, before)
    if not isinstance(messages, list):
        return None
    number = int(place.rstrip("]"))
    first = number
    while first > 0 and _is_result(messages[first - 1]):
        first -= 1
    asks, results = _exchange(row, f"{before}[{first - 1}]")
    if asks is None:
        return None
    answered = [message.get("tool_call_id") for message in results]
    open_calls = [call for call in _calls(asks) if call.get("id") not in answered]
    nameless = [message for message in results if not isinstance(message.get("tool_call_id"), str)]
    result = cast("JsonObject", messages[number])
    named = [call for call in open_calls if "name" in result and _called(call) == result["name"]]
    twins = [message for message in nameless if message.get("name") == result.get("name")]
    if len(open_calls) == len(nameless) == 1:
        (call,) = open_calls
    elif len(named) == len(twins) == 1:
        (call,) = named
    else:
        return None
    if not isinstance(call.get("id"), str) or not call["id"]:
        return None
    result["tool_call_id"] = call["id"]
    return "added 'tool_call_id'"


def _exchange(row: JsonObject, path: str) -> tuple[JsonObject | None, list[JsonObject]]:
    """Return a message that calls, and the results right after it."""
    before, _, place = path.rpartition("[")
    messages, number = value_at(row, before), int(place.rstrip("]") or -1)
    if not isinstance(messages, list) or not 0 <= number < len(messages):
        return None, []
    asks = messages[number]
    results: list[JsonObject] = []
    for message in messages[number + 1 :]:
        if not isinstance(message, dict) or message.get("role") != "tool":
            break
        results.append(message)
    return (asks, results) if isinstance(asks, dict) else (None, [])


def _is_result(message: Json) -> bool:
    return isinstance(message, dict) and message.get("role") == "tool"


def _calls(message: JsonObject) -> list[JsonObject]:
    listed = message.get("tool_calls")
    return [call for call in listed if isinstance(call, dict)] if isinstance(listed, list) else []


def _called(call: JsonObject) -> Json:
    function = call.get("function")
    return function.get("name") if isinstance(function, dict) else None


def _new_id(row: JsonObject) -> str:
    """Return an id that stands nowhere in the row."""
    text = json.dumps(row)
    number = 1
    while f'"call_{number}"' in text:
        number += 1
    return f"call_{number}"


def decode_once_more(row: JsonObject, path: str) -> str | None:
    """Undo what `json.dumps` did once too often to the arguments of a call."""
    place = spot(row, path)
    text = place.value if place is not None else None
    while isinstance(text, str):
        try:
            inner = cast("Json", json.loads(text))
        except (ValueError, RecursionError):
            return None
        if isinstance(inner, dict) and place is not None:
            place.holder[place.key] = text
            return "decoded the text once more"
        text = inner
    return None


def small_letters(row: JsonObject, path: str) -> str | None:
    """Write the detail of an image in small letters."""
    place = spot(row, path)
    detail = place.value if place is not None else None
    if (
        place is None
        or not isinstance(detail, str)
        or detail.strip().lower() not in ("low", "high", "auto")
    ):
        return None
    place.holder[place.key] = detail.strip().lower()
    return "wrote it in small letters"


def _put_first(holder: JsonObject, key: str, value: Json) -> None:
    rest = {name: item for name, item in holder.items() if name != key}
    holder.clear()
    holder.update({key: value, **rest})


REPAIRS: Mapping[str, Repair] = {
    "missing-messages": rename_outputs,
    "unknown-key": remove_null,
    "invalid-parallel-tool-calls": true_or_false,
    "invalid-tool": complete_tool,
    "missing-role": rename_speaker,
    "unknown-role": correct_role,
    "unknown-message-key": remove_null,
    "weight-not-allowed": remove_idle_weight,
    "invalid-weight": whole_weight,
    "missing-tool-call-id": answer_call,
    "invalid-image-detail": small_letters,
    "invalid-tool-call": complete_call,
    "double-encoded-arguments": decode_once_more,
}
"""By code. Faults of a line, and of all rows together, are mended in `gpt4o_tune.data.fixing`."""
