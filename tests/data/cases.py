"""For every code of a check: data that has the fault, and the nearest data that does not."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from typing import Any, Literal

Row = dict[str, Any]


@dataclass(frozen=True)
class Case:
    """Two files, as rows or as bytes, that differ in one fault."""

    code: str
    fails: list[Row] | bytes
    passes: list[Row] | bytes
    arguments: dict[str, str] = field(default_factory=dict)
    """Of `Dataset.check`."""
    format: Literal["chat", "preference", "reinforcement"] | None = None
    limits: dict[str, int] = field(default_factory=dict)
    """Limits to check with instead of the provider's, where those would need gigabytes."""

    def __str__(self) -> str:
        return self.code


def as_bytes(data: list[Row] | bytes) -> bytes:
    """Write rows as JSON Lines; bytes are a file already."""
    if isinstance(data, bytes):
        return data
    return "".join(json.dumps(row) + "\n" for row in data).encode()


def user(content: object = "Where is it?", **more: object) -> Row:
    """Make a message of the user."""
    return {"role": "user", "content": content, **more}


def answer(content: object = "On its way.", **more: object) -> Row:
    """Make a message of the assistant."""
    return {"role": "assistant", "content": content, **more}


def chat(*messages: Row, **more: object) -> list[Row]:
    """Make one chat row; a question and its answer where no messages are given."""
    return [{"messages": list(messages or (user(), answer())), **more}]


def many(count: int = 10, *, answers: int = 10) -> list[Row]:
    """Make chat rows with different questions."""
    return [chat(user(f"Question {n}"), answer(f"Answer {n % answers}"))[0] for n in range(count)]


def pair(**changes: object) -> list[Row]:
    """Make one preference row."""
    row = {
        "input": {"messages": [user()]},
        "preferred_output": [answer("On its way.")],
        "non_preferred_output": [answer("No idea.")],
    }
    return [row | changes]


PARAMETERS = {
    "type": "object",
    "properties": {
        "city": {"type": "string"},
        "days": {"type": "integer"},
        "unit": {"type": "string", "enum": ["C", "F"]},
    },
    "required": ["city"],
}


def tool(name: object = "weather", parameters: object = PARAMETERS, **more: object) -> Row:
    """Declare a tool."""
    return {"type": "function", "function": {"name": name, "parameters": parameters, **more}}


def call(arguments: object = '{"city": "Bonn"}', *, name: object = "weather", id: str = "a") -> Row:  # noqa: A002
    """Make a tool call."""
    return {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}


def calling(*calls: Row, tools: list[Row] | None = None) -> list[Row]:
    """One row whose answer calls tools."""
    asks = {"role": "assistant", "tool_calls": list(calls or (call(),))}
    return chat(user(), asks, tools=[tool()] if tools is None else tools)


def exchange(*after: Row) -> list[Row]:
    """One row in which a tool is called, and what comes after the call."""
    asks = {"role": "assistant", "tool_calls": [call()]}
    return chat(user(), asks, *after, tools=[tool()])


def result(call_id: object = "a") -> Row:
    """Make the message with which a tool answers."""
    return {"role": "tool", "tool_call_id": call_id, "content": "sunny"}


PNG = b"\x89PNG\r\n\x1a\n" + bytes(40)


def data_url(data: bytes = PNG, kind: str = "image/png") -> str:
    """Put an image into a URL."""
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


def image(url: object = "https://example.com/a.png", **more: object) -> Row:
    """Make an image part."""
    return {"type": "image_url", "image_url": {"url": url, **more}}


def showing(*images: Row) -> list[Row]:
    """Make one chat row whose user shows images."""
    return chat(user([{"type": "text", "text": "What is this?"}, *images]), answer())


SOUND = as_bytes(chat())
FUNCTION = {"name": "weather", "parameters": PARAMETERS}

CASES = (
    # The file as a whole
    Case("wrong-encoding", SOUND.decode().encode("utf-16"), SOUND),
    Case("wrong-encoding", SOUND.decode().encode("utf-16-be"), SOUND),
    Case("wrong-encoding", SOUND.decode().encode("utf-32-le"), SOUND),
    Case("compressed-file", b"PK\x03\x04" + SOUND, SOUND),
    Case("not-json-lines", json.dumps(many()).encode(), as_bytes(many())),
    Case("not-json-lines", json.dumps(many(), indent=2).encode(), as_bytes(many())),
    Case("not-json-lines", json.dumps(many()[0], indent=2).encode(), SOUND),
    Case("empty-file", b"", SOUND),
    Case("empty-file", b"\n \r\n", SOUND),
    Case("file-too-large", SOUND * 2, SOUND, limits={"max_upload_bytes": len(SOUND)}),
    Case("bom", b"\xef\xbb\xbf" + SOUND, SOUND),
    Case("blank-line", SOUND + b" \t\n" + SOUND, SOUND * 2),
    Case("crlf", SOUND.replace(b"\n", b"\r\n"), SOUND),
    # One line
    Case("not-utf8", SOUND.replace(b"On", b"\xdcber"), SOUND.replace(b"On", "Über".encode())),
    Case("bom-inside", SOUND + b"\xef\xbb\xbf" + SOUND, SOUND * 2),
    Case("truncated-line", SOUND + SOUND[:40], SOUND + SOUND[:-1]),
    Case("truncated-line", SOUND + SOUND[:-2], SOUND + SOUND[:-1]),
    Case("invalid-json", SOUND.replace(b'"', b"'"), SOUND),
    Case("invalid-json", SOUND.replace(b"}]}", b"},]}"), SOUND),
    Case("invalid-json", SOUND[:-1] + b",\n" + SOUND, SOUND * 2),
    Case("invalid-json", SOUND[:40] + b"\n" + SOUND[40:], SOUND),
    Case("invalid-json", SOUND.replace(b"is", b"\t"), SOUND.replace(b"is", b"\\t")),
    Case("invalid-json", SOUND.replace(b"is", b"\\d"), SOUND.replace(b"is", b"\\\\d")),
    Case("nested-too-deeply", b'{"a":' + b"[" * 200 + b"]" * 200 + b"}\n", b'{"a":[[]]}\n'),
    Case("nested-too-deeply", b'{"a":' * 200_000 + b"1" + b"}" * 200_000 + b"\n", b'{"a":1}\n'),
    Case("oversized-number", b'{"a":' + b"1" * 5000 + b"}\n", b'{"a":' + b"1" * 4000 + b"}\n"),
    Case("not-an-object", b'["messages"]\n', SOUND),
    Case("duplicate-key", b'{"a":1,"a":2}\n', b'{"a":1,"b":2}\n'),
    Case("nan-or-infinity", b'{"a":[-Infinity,NaN]}\n', b'{"a":[0,null]}\n'),
    Case("lone-surrogate", chat(user("cut \ud83d")), chat(user("whole 😀"))),
    # Shape of a row
    Case("mixed-format", many(3) + pair(), many(3)),
    Case("mixed-format", pair() * 3 + many(1), pair() * 3),
    Case("missing-messages", [{"prompt": "a", "completion": "b"}], chat()),
    Case("missing-messages", [{"message": [user(), answer()]}], chat()),
    Case("missing-messages", [{"messages": "text"}], chat()),
    Case("missing-messages", pair(input={"messages": None}), pair()),
    Case(
        "missing-messages",
        [
            {
                "input": {"messages": [user()]},
                "preferred_completion": [answer("a")],
                "non_preferred_completion": [answer("b")],
            }
        ],
        pair(),
    ),
    Case("empty-messages", [{"messages": []}], chat()),
    Case("empty-messages", pair(preferred_output=[]), pair()),
    Case("unknown-key", chat(customer=7), chat(parallel_tool_calls=True)),
    Case("unknown-key", pair(input={"messages": [user()], "tool": []}), pair()),
    Case("message-not-object", [{"messages": ["Hello", answer()]}], chat()),
    Case("missing-role", [{"messages": [{"from": "human", "value": "a"}]}], chat()),
    Case("unknown-role", chat(user(role="human"), answer()), chat()),
    Case("unknown-role", chat(user(role=["user"]), answer()), chat()),
    Case("identical-outputs", pair(non_preferred_output=[answer("On its way.")]), pair()),
    # Tools that a row declares
    Case("invalid-tool", calling(tools=[FUNCTION]), calling()),
    Case("invalid-tool", chat(tools={}), chat(tools=[])),
    Case("invalid-tool", calling(tools=[{"type": "function"}]), calling()),
    Case("invalid-tool", calling(tools=[tool(name=None)]), calling()),
    Case("invalid-tool", calling(tools=[tool(strict="yes")]), calling(tools=[tool(strict=True)])),
    Case("invalid-tool", calling(tools=[tool(description=1)]), calling(tools=[tool()])),
    Case("invalid-function-name", calling(tools=[tool("the weather")]), calling()),
    Case("invalid-tool", calling(tools=[tool(parameters=[])]), calling()),
    Case("invalid-parameters", calling(tools=[tool(parameters={"type": "string"})]), calling()),
    Case(
        "invalid-parameters",
        calling(tools=[tool(parameters={"type": "object", "properties": {"a": {"type": "str"}}})]),
        calling(tools=[tool(parameters={"type": "object", "properties": {"a": {}}})]),
    ),
    Case(
        "invalid-parameters",
        calling(tools=[tool(parameters=PARAMETERS | {"required": ["town"]})]),
        calling(tools=[tool(parameters={})]),
    ),
    Case("invalid-parameters", calling(tools=[tool(parameters=PARAMETERS | {"enum": []})]), chat()),
    Case("duplicate-tool", calling(tools=[tool(), tool()]), calling(tools=[tool(), tool("time")])),
    Case(
        "too-many-functions",
        chat(tools=[tool(f"f{n}") for n in range(129)]),
        chat(tools=[tool(f"f{n}") for n in range(128)]),
    ),
    Case("deprecated-functions", chat(functions=[FUNCTION]), chat(tools=[tool()])),
    Case(
        "invalid-parallel-tool-calls",
        chat(parallel_tool_calls="false"),
        chat(parallel_tool_calls=False),
    ),
    # One message
    Case("unknown-message-key", chat(user(), answer(wieght=1)), chat(user(), answer(weight=1))),
    Case(
        "developer-role",
        chat({"role": "developer", "content": "Be brief."}, user(), answer()),
        chat({"role": "system", "content": "Be brief."}, user(), answer()),
    ),
    Case("missing-content", chat(user(), {"role": "assistant"}), chat()),
    Case("missing-content", chat(user(None), answer()), chat()),
    Case("missing-content", chat({"role": "user", "contents": "a"}, answer()), chat()),
    Case("wrong-content-type", chat(user(), answer({"label": 1})), chat(user(), answer('{"a":1}'))),
    Case("wrong-part", chat(user(["text"]), answer()), chat()),
    Case("wrong-part", chat(user([{"type": "input_text", "text": "a"}]), answer()), showing()),
    Case("wrong-part", chat(user([{"type": "text"}]), answer()), showing()),
    Case("empty-content", chat(user(" "), answer()), chat()),
    Case("empty-content", chat(user([{"type": "text", "text": ""}]), answer()), showing(image())),
    Case("empty-answer", chat(user(), answer("\n")), calling()),
    Case("invalid-name", chat(user(name="Ann Lee"), answer()), chat(user(name="Ann"), answer())),
    Case("name-not-text", chat(user(name=7), answer()), chat(user(name=None), answer())),
    Case(
        "name-not-text",
        chat(user(), {"role": "function", "content": "1"}, answer()),
        chat(user(), {"role": "function", "content": "1", "name": "f"}, answer()),
    ),
    Case("name-not-allowed", exchange(result() | {"name": "weather"}), exchange(result())),
    Case("weight-not-allowed", chat(user(weight=1), answer()), chat(user(), answer(weight=1))),
    Case("invalid-weight", chat(user(), answer(weight=0.5)), chat(user(), answer(weight=1))),
    Case("invalid-weight", chat(user(), answer(weight=True)), chat(user(), answer(weight=None))),
    Case("misplaced-image", chat(user(), answer([image()])), showing(image())),
    Case("image-in-preference", pair(input={"messages": [user([image()])]}), pair()),
    Case("model-without-vision", showing(image()), chat(), {"model": "gpt-4o-mini-2024-07-18"}),
    Case("model-without-vision", showing(image()), chat(), {"model": "gpt-4.1-2025-04-14"}),
    Case("invalid-image-url", showing(image("a.png")), showing(image("https://a.b/c"))),
    Case("invalid-image-url", showing(image("https://")), showing(image())),
    Case("invalid-image-url", showing(image(None)), showing(image())),
    Case("invalid-image-url", showing({"type": "image_url", "image_url": "a"}), showing(image())),
    Case("invalid-image-detail", showing(image(detail="max")), showing(image(detail="low"))),
    Case("invalid-image-data", showing(image(data_url() + "*")), showing(image(data_url()))),
    Case("invalid-image-data", showing(image(data_url(b"GIF89a"))), showing(image(data_url()))),
    Case("invalid-image-data", showing(image(data_url(b"text"))), showing(image(data_url()))),
    Case(
        "invalid-image-data",
        showing(image(data_url(kind="image/webp"))),
        showing(image(data_url(b"RIFF____WEBP", "image/webp"))),
    ),
    Case(
        "image-too-large",
        showing(image(data_url(PNG + b"."))),
        showing(image(data_url())),
        limits={"max_image_bytes": len(PNG)},
    ),
    Case("invalid-tool-call", calling(call({"city": "Bonn"})), calling()),
    Case("invalid-tool-call", calling({"id": "a", "type": "function"}), calling()),
    Case("invalid-tool-call", calling(call(name=None)), calling()),
    Case("invalid-tool-call", calling(call(id="")), calling()),
    Case("invalid-tool-call", chat(user(), answer(tool_calls=[])), chat()),
    Case("invalid-tool-call", chat(user(), answer(tool_calls={})), chat()),
    Case("invalid-tool-call", chat(user(), answer(function_call="weather")), chat()),
    Case("invalid-arguments", calling(call("city=Bonn")), calling()),
    Case("invalid-arguments", calling(call('["Bonn"]')), calling()),
    Case("double-encoded-arguments", calling(call('"{\\"city\\": 1}"')), calling()),
    Case("missing-tool-call-id", exchange(result(None)), exchange(result())),
    # One list of messages
    Case("no-assistant-message", chat(user()), chat()),
    Case("last-message-not-assistant", chat(user(), answer(), user()), chat()),
    Case(
        "last-message-not-prompt",
        [chat(user(), answer())[0] | {"reference": 1}],
        [chat(user())[0] | {"reference": 1}],
        format="reinforcement",
    ),
    Case("output-without-answer", pair(preferred_output=[user()]), pair()),
    Case("several-output-messages", pair(preferred_output=[answer(), answer()]), pair()),
    Case("system-not-first", chat(user(), {"role": "system", "content": "a"}, answer()), chat()),
    Case("consecutive-roles", chat(user(), user(), answer()), chat(user(), answer(), user())),
    Case("all-weights-zero", chat(user(), answer(weight=0)), chat(user(), answer(weight=1))),
    Case("too-many-images", showing(*[image()] * 11), showing(*[image()] * 10)),
    Case(
        "too-many-images",
        showing(*[image()] * 65),
        showing(*[image()] * 64),
        {"provider": "azure"},
    ),
    Case("undeclared-tool", calling(call(name="wether")), calling()),
    Case("no-tools-declared", calling(tools=[]), calling()),
    Case("mismatched-arguments", calling(call("{}")), calling()),
    Case("mismatched-arguments", calling(call('{"city": 1}')), calling()),
    Case("mismatched-arguments", calling(call('{"city": "a", "unit": "K"}')), calling()),
    Case("mismatched-arguments", calling(call('{"city": "a", "days": true}')), calling()),
    Case("duplicate-call-id", calling(call(), call()), calling(call(), call(id="b"))),
    Case("unmatched-tool-result", exchange(result("b")), exchange(result())),
    Case("unmatched-tool-result", exchange(result(), result()), exchange(result(), answer())),
    Case("unanswered-call", exchange(user()), exchange(result(), user())),
    # All rows together
    Case("too-long", chat(user("word " * 66_000)), chat(user("word " * 65_000))),
    Case(
        "too-long",
        chat(user("word " * 16_500)),
        chat(user("word " * 16_000)),
        {"model": "gpt-3.5-turbo-0125"},
    ),
    Case("method-mismatch", chat(), pair(), {"method": "dpo"}),
    Case("too-few-examples", many(9), many(10)),
    Case(
        "too-many-image-examples",
        showing(image()) * 3,
        showing(image()) * 2,
        limits={"max_image_examples": 2},
    ),
    Case("nothing-to-train", chat(user(), answer(weight=0)), chat(user(), answer(weight=1))),
    Case("duplicate-row", many(2) + many(1), many(3)),
    Case("conflicting-answers", many(1) + chat(user("Question 0"), answer("No.")), many(2)),
    Case("identical-answers", many(answers=1), many(answers=2)),
)
