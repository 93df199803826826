"""Lines of OpenAI's Batch API: a request's `body.messages` and the answer in `response.body`.

The output file holds answers alone; the requests come from the input file by `custom_id`, or stand in
the line itself as `body`. Left out: settings of the request (model, temperature and so on), usage, and
annotations of the answer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gpt4o_tune.data.checks.rule import shown
from gpt4o_tune.data.forms._reading import Unsayable, an_object, listed, objects, without_nulls

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from gpt4o_tune.data.decode import JsonObject

_ASKED = ("messages", "tools", "functions", "parallel_tool_calls")
_ANSWERED = ("role", "content", "refusal", "tool_calls", "function_call", "annotations")


def matches(record: JsonObject) -> bool:
    """Tell whether a record has the fields of the form."""
    return "custom_id" in record and "response" in record


def index(requests: Iterable[JsonObject]) -> dict[str, JsonObject]:
    """Return the bodies of the input file by `custom_id`.

    Raises:
        Unsayable: A line has no `custom_id`, or one that another has, or no body.
    """
    bodies: dict[str, JsonObject] = {}
    for number, line in enumerate(requests, start=1):
        name = line.get("custom_id")
        if not isinstance(name, str) or name in bodies:
            fault = "stands twice" if isinstance(name, str) else "is missing"
            raise Unsayable(f"the custom_id {shown(name)} of request {number:,} {fault}")
        bodies[name] = an_object(line.get("body"), "body")
    return bodies


def read(record: JsonObject, requests: Mapping[str, JsonObject]) -> JsonObject:
    """Make a row of a line of the output file.

    Raises:
        Unsayable: The request failed or is not known, or its answer is no single message.
    """
    completion = _completion(record)
    name = record.get("custom_id")
    body = record.get("body", requests.get(str(name)))
    if body is None:
        raise Unsayable(
            f"the request {shown(name)} is not known, and with it the prompt; "
            "give the batch's input file as requests="
        )
    asked = {
        key: value
        for key, value in an_object(body, "body").items()
        if key in _ASKED and value is not None
    }
    messages = objects(asked.get("messages"), "body.messages")
    return {**asked, "messages": listed([*messages, answer(completion)])}


def _completion(record: JsonObject) -> JsonObject:
    response = record.get("response")
    if record.get("error") is not None or not isinstance(response, dict):
        raise Unsayable(f"the request failed: {shown(record.get('error'))}; {_SKIP}")
    if response.get("status_code") not in (None, 200):
        raise Unsayable(f"the request failed with status {shown(response['status_code'])}; {_SKIP}")
    return an_object(response.get("body"), "response.body")


_SKIP = "leave out the lines that failed, and read again"


def answer(completion: JsonObject) -> JsonObject:
    """Return the message of a chat completion.

    Raises:
        Unsayable: There is not just one choice, or the answer has what no row can hold.
    """
    choices = objects(completion.get("choices"), "choices")
    if len(choices) != 1:
        raise Unsayable(f"it has {len(choices)} choices; a row holds one answer")
    message = without_nulls(an_object(choices[0].get("message"), "message"))
    for key in message:
        if key not in _ANSWERED:
            raise Unsayable(f"the answer has the field {shown(key)}, which no row can hold")
    message.pop("annotations", None)
    if message.get("tool_calls") == []:
        del message["tool_calls"]
    return message
