"""For every code of a check: data that has the fault, and the nearest data that does not."""

from __future__ import annotations

import base64
import json
import struct
import zlib
from dataclasses import dataclass, field
from typing import Any, Literal

Row = dict[str, Any]


@dataclass(frozen=True)
class Case:
    """Two files, as rows or as bytes, that differ in one fault."""

    code: str
    fails: list[Row] | bytes
    passes: list[Row] | bytes
    arguments: dict[str, Any] = field(default_factory=dict)
    """Of `Dataset.check`."""
    passing_arguments: dict[str, Any] | None = None
    """Of the sound neighbour, where they differ."""
    format: Literal["chat", "preference", "reinforcement"] | None = None
    limits: dict[str, int] = field(default_factory=dict)
    """Limits to check with instead of the provider's, where those would need gigabytes."""
    name: str = "data.jsonl"
    """Of the file that has the fault."""

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


PII = {"pii": True}

# Put together here, so that no scanner of this repository takes it for a leak.
SECRET = "sk-proj-" + "aB3dE5gH7jK9mN1pQ2rS4tU6vW8xY0z"


def saying(text: str) -> list[Row]:
    """One row whose user says a text."""
    return chat(user(text), answer())


PARAMETERS = {
    "type": "object",
    "properties": {
        "city": {"type": "string"},
        "days": {"type": "integer"},
        "unit": {"type": "string", "enum": ["C", "F"]},
    },
    "required": ["city"],
}


ENDLESS = {"anyOf": [{"allOf": [{"$ref": "#"}, {"$ref": "#"}]}] * 2}
CLOSED = PARAMETERS | {"required": ["city", "days", "unit"], "additionalProperties": False}


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


def legacy(*, called: str, answered: str) -> list[Row]:
    """One row in which a function is called in the older form, and one answers."""
    asks = answer(None, function_call={"name": called, "arguments": "{}"})
    replies = {"role": "function", "name": answered, "content": "sunny"}
    return chat(user(), asks, replies, answer(), functions=[{"name": "weather"}, {"name": "time"}])


def result(call_id: object = "a") -> Row:
    """Make the message with which a tool answers."""
    return {"role": "tool", "tool_call_id": call_id, "content": "sunny"}


def png(colour: int = 2, *, depth: int = 8, extra: tuple[bytes, bytes] | None = None) -> bytes:
    """Make a picture of one pixel, of a colour type, and with one more chunk before the pixels."""
    pixel = bytes({0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour] * depth // 8)
    palette = [(b"PLTE", bytes(3))] if colour == 3 else []
    chunks = [
        (b"IHDR", struct.pack(">IIBBBBB", 1, 1, depth, colour, 0, 0, 0)),
        *([extra] if extra else []),
        *palette,
        (b"IDAT", zlib.compress(b"\0" + pixel)),
        (b"IEND", b""),
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        for name, body in chunks
    )


def jpeg(channels: int = 3) -> bytes:
    """Make the frame of a picture of so many channels, with a start of pixels and an end."""
    frame = b"\xff\xc0" + struct.pack(">HBHHB", 8 + 3 * channels, 8, 1, 1, channels)
    return b"\xff\xd8" + frame + bytes(3 * channels) + b"\xff\xda\0\2" + bytes(9) + b"\xff\xd9"


def webp(flags: int = 0) -> bytes:
    """Make the head of an extended WEBP, and as many bytes as it claims to have."""
    body = b"WEBPVP8X" + struct.pack("<IB", 10, flags) + bytes(9)
    return b"RIFF" + struct.pack("<I", len(body)) + body


PNG = png()


def data_url(data: bytes = PNG, kind: str = "image/png") -> str:
    """Put an image into a URL."""
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


def image(url: object = "https://example.com/a.png", **more: object) -> Row:
    """Make an image part."""
    return {"type": "image_url", "image_url": {"url": url, **more}}


def showing(*images: Row) -> list[Row]:
    """Make one chat row whose user shows images."""
    return chat(user([{"type": "text", "text": "What is this?"}, *images]), answer())


STRING_CHECK = {
    "type": "string_check",
    "name": "sum",
    "input": "{{sample.output_text}}",
    "reference": "{{item.answer}}",
    "operation": "eq",
}
JUDGE = {
    "type": "score_model",
    "name": "tone",
    "model": "gpt-4o-2024-08-06",
    "input": [{"role": "user", "content": "Rate {{sample.output_text}}"}],
    "range": [0, 5],
}
SIMILARITY = {
    "type": "text_similarity",
    "name": "near",
    "input": "{{sample.output_text}}",
    "reference": "{{item.answer}}",
    "evaluation_metric": "rouge_l",
}
LABELS = {**JUDGE, "type": "label_model", "labels": ["a", "b"], "passing_labels": ["a"]}
PYTHON = {"type": "python", "name": "own", "source": "def grade(sample, item):\n    return 1.0\n"}
MULTI = {
    "type": "multi",
    "graders": {"right": STRING_CHECK, "tone": JUDGE, "near": SIMILARITY, "label": LABELS},
    "calculate_output": "0.5 * right + max(tone, near) ^ 2 - label / 4",
}


def prompts(**fields: object) -> list[Row]:
    """Make reinforcement rows with these fields for a grader."""
    return [
        chat(user(f"What is {n} plus {n}?"), **{"answer": str(2 * n), **fields})[0] for n in (1, 2)
    ]


def graded(code: str, fails: Row, passes: Row = STRING_CHECK) -> Case:
    """Check prompts with an unsound grader, and with a sound one."""
    return Case(code, prompts(), prompts(), {"grader": fails}, passing_arguments={"grader": passes})


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
    Case(
        "bom",
        b"\xef\xbb\xbf" + SOUND,
        b"\xef\xbb\xbf" + SOUND,
        passing_arguments={"provider": "azure"},
    ),
    Case("wrong-extension", SOUND, SOUND, name="data.json"),
    Case(
        "private-image-url",
        showing(image("http://localhost/a.png")),
        showing(image("http://localhost/a.png")),
        passing_arguments={"provider": "compatible"},
    ),
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
    # The grader
    graded("invalid-grader", STRING_CHECK | {"operation": "neq"}),
    graded("invalid-grader", {"type": "string_chek"}),
    graded("invalid-grader", {"name": "no type"}),
    graded("invalid-grader", {**STRING_CHECK, "reference": 7}),
    graded("invalid-grader", SIMILARITY | {"evaluation_metric": "cosine"}, SIMILARITY),
    graded("invalid-grader", JUDGE | {"range": [1, 0]}, JUDGE),
    graded("invalid-grader", JUDGE | {"range": [0]}, JUDGE),
    graded("invalid-grader", JUDGE | {"input": "text"}, JUDGE),
    graded("invalid-grader", JUDGE | {"sampling_params": 1}, JUDGE),
    graded("invalid-grader", LABELS, MULTI),
    graded(
        "invalid-grader", MULTI | {"graders": {"l": {**LABELS, "passing_labels": ["c"]}}}, MULTI
    ),
    graded("invalid-grader", PYTHON | {"source": "def grade(sample):\n    return 1"}, PYTHON),
    graded("invalid-grader", PYTHON | {"source": "def grade(sample, item:"}, PYTHON),
    graded("invalid-grader", PYTHON | {"source": PYTHON["source"] + "#" * 256_000}, PYTHON),
    graded("invalid-grader", MULTI | {"graders": {}}, MULTI),
    graded("invalid-grader", MULTI | {"graders": {"right": MULTI}}, MULTI),
    graded(
        "invalid-grader",
        MULTI | {"graders": [7]},
        MULTI | {"graders": [STRING_CHECK], "calculate_output": "sum"},
    ),
    graded("invalid-grader", MULTI | {"calculate_output": "rigth + 1"}, MULTI),
    graded("invalid-grader", MULTI | {"calculate_output": "right +"}, MULTI),
    graded(
        "invalid-grader",
        MULTI | {"calculate_output": "open(right)"},
        MULTI | {"calculate_output": "abs(right)"},
    ),
    graded("invalid-grader", MULTI | {"calculate_output": "right if tone else 0"}, MULTI),
    graded("invalid-grader", MULTI | {"calculate_output": "(" * 3_000}, {"type": "lambda"}),
    graded("unknown-grader-variable", STRING_CHECK | {"input": "{{sample.text}}"}),
    graded("unknown-grader-variable", STRING_CHECK | {"reference": "{{row.answer}}"}),
    graded("unknown-grader-variable", STRING_CHECK | {"reference": "{{item.answer"}),
    graded(
        "unknown-grader-variable",
        JUDGE
        | {
            "input": [
                {"role": "user", "content": [{"type": "input_text", "text": "{{sample.answer}}"}]}
            ]
        },
        JUDGE,
    ),
    graded("grader-ignores-answer", STRING_CHECK | {"input": "yes"}),
    graded("grader-needs-response-format", STRING_CHECK | {"input": "{{sample.output_json.sum}}"}),
    Case("missing-grader-field", chat(user(), anwser="1"), prompts(), {"grader": STRING_CHECK}),
    Case(
        "missing-grader-field",
        prompts(answer={"unit": "m"}),
        prompts(answer={"sum": [{"value": 1}]}),
        {"grader": STRING_CHECK | {"reference": "{{ item.answer.sum[0].value }}"}},
    ),
    Case(
        "unusable-grader-field", prompts(answer=None), prompts(answer=0), {"grader": STRING_CHECK}
    ),
    Case(
        "unusable-grader-field",
        prompts(answer=["a"]),
        prompts(answer="a"),
        {"grader": STRING_CHECK},
    ),
    Case(
        "unusable-grader-field", prompts(answer=""), prompts(answer=False), {"grader": STRING_CHECK}
    ),
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
    Case("empty-functions", chat(functions=[]), chat(tools=[])),
    Case(
        "mixed-tools-and-functions",
        chat(tools=[tool()], functions=[FUNCTION]),
        chat(tools=[], functions=[FUNCTION]),
    ),
    Case(
        "open-strict-tool", calling(tools=[tool(strict=True)]), calling(tools=[tool(strict=False)])
    ),
    Case(
        "open-strict-tool",
        calling(tools=[tool(strict=True, parameters=PARAMETERS | {"additionalProperties": False})]),
        calling(tools=[tool(strict=True, parameters=CLOSED)]),
    ),
    Case(
        "parallel-calls",
        [row | {"parallel_tool_calls": False} for row in calling(call(), call(id="b"))],
        [row | {"parallel_tool_calls": False} for row in calling(call())],
    ),
    Case(
        "parallel-calls",
        [row | {"parallel_tool_calls": False} for row in calling(call(), call(id="b"))],
        calling(call(), call(id="b")),
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
    Case(
        "role-not-in-reinforcement",
        chat({"role": "system", "content": "Add."}, user(), answer="1"),
        chat({"role": "developer", "content": "Add."}, user(), answer="1"),
    ),
    Case("weight-without-effect", pair(preferred_output=[answer(weight=1)]), pair()),
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
        "invalid-image-data",
        showing(image(data_url(kind="image/jpg"))),
        showing(image(data_url(jpeg(), "image/jpg"))),
    ),
    Case("damaged-image", showing(image(data_url(PNG[:-20]))), showing(image(data_url()))),
    Case(
        "damaged-image",
        showing(image(data_url(PNG[:20]))),
        showing(image(data_url(PNG + bytes(99)))),
    ),
    Case(
        "damaged-image",
        showing(image(data_url(jpeg()[:-2], "image/jpeg"))),
        showing(image(data_url(jpeg(), "image/jpeg"))),
    ),
    Case(
        "damaged-image",
        showing(image(data_url(webp()[:-1], "image/webp"))),
        showing(image(data_url(webp(), "image/webp"))),
    ),
    *(
        Case(
            "image-mode",
            showing(image(data_url(wrong, kind))),
            showing(image(data_url(right, kind))),
        )
        for wrong, right, kind in (
            (png(0), png(2), "image/png"),
            (png(3), png(6), "image/png"),
            (png(4), png(2, depth=16), "image/png"),
            (jpeg(1), jpeg(3), "image/jpeg"),
            (jpeg(4), jpeg(3), "image/jpeg"),
        )
    ),
    Case(
        "animated-image",
        showing(image(data_url(webp(0x02), "image/webp"))),
        showing(image(data_url(webp(0x10), "image/webp"))),
    ),
    Case(
        "animated-image",
        showing(image(data_url(png(extra=(b"acTL", bytes(8)))))),
        showing(image(data_url(png(extra=(b"tEXt", b"acTL"))))),
    ),
    Case(
        "private-image-url",
        showing(image("http://192.168.0.7/a.png")),
        showing(image("http://8.8.8.8/a.png")),
    ),
    Case(
        "private-image-url",
        showing(image("http://files/a.png")),
        showing(image("http://files.example.com/a.png")),
    ),
    Case(
        "private-image-url",
        showing(image("https://[::1]/a.png")),
        showing(image("https://[2606:4700::1111]/a.png")),
    ),
    Case(
        "private-image-url",
        showing(image("https://nas.local/a.png")),
        showing(image("https://nas.local.example.com/a.png")),
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
    Case(
        "two-call-forms",
        chat(
            user(),
            answer(tool_calls=[call()], function_call={"name": "weather", "arguments": "{}"}),
        ),
        calling(),
    ),
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
    Case(
        "several-output-messages",
        pair(preferred_output=[answer(), answer()]),
        pair(preferred_output=[answer(), answer()]),
        passing_arguments={"provider": "azure"},
    ),
    Case(
        "wrong-output-role",
        pair(preferred_output=[user(), answer()]),
        pair(),
        {"provider": "azure"},
    ),
    Case(
        "wrong-output-role",
        pair(preferred_output=[answer(tool_calls=[call()]), result()]),
        pair(preferred_output=[answer(tool_calls=[call()]), result()]),
        passing_arguments={"provider": "azure"},
    ),
    Case(
        "earlier-answer-in-input",
        pair(input={"messages": [user(), answer(), user()]}),
        pair(input={"messages": [{"role": "system", "content": "Be brief."}, user()]}),
    ),
    Case(
        "earlier-answer-in-input",
        pair(input={"messages": [user(), answer(), user()]}),
        pair(input={"messages": [user(), answer(), user()]}),
        passing_arguments={"provider": "azure"},
    ),
    Case("input-ends-with-answer", pair(input={"messages": [user(), answer()]}), pair()),
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
    *(
        Case(
            "mismatched-arguments",
            *(
                calling(call(json.dumps({"x": x})), tools=[tool(parameters=schema)])
                for x in (wrong, right)
            ),
        )
        for schema, wrong, right in (
            ({"properties": {"x": {"anyOf": [{"type": "string"}, {"type": "null"}]}}}, 1, None),
            (
                {"properties": {"x": {"$ref": "#/$defs/day"}}, "$defs": {"day": {"maximum": 31}}},
                32,
                31,
            ),
            ({"properties": {"x": {"allOf": [{"minLength": 1}, {"maxLength": 2}]}}}, "abc", "ab"),
            ({"properties": {"x": {"const": "a"}}}, "b", "a"),
            ({"properties": {"x": {"type": "string"}}, "allOf": [ENDLESS]}, 1, "a"),
            ({"properties": {"x": {"items": {"exclusiveMinimum": 0}, "minItems": 1}}}, [0], [1]),
            ({"properties": {"x": {"prefixItems": [{"type": "string"}]}}}, [1], ["a", 1]),
            ({"properties": {}, "additionalProperties": {"type": "integer"}}, "a", 1),
            (
                {"properties": {"x": {"$ref": "#"}}, "additionalProperties": False},
                {"y": 1},
                {"x": {}},
            ),
        )
    ),
    Case(
        "unmatched-function-result",
        legacy(called="weather", answered="time"),
        legacy(called="weather", answered="weather"),
    ),
    # Secrets and personal data
    Case("secret", saying(f"Use {SECRET}, please."), saying("Use sk-..., please.")),
    Case("password", saying('password = "Q7x!vT2mK9pL"'), saying("password = get_it()"), PII),
    Case("pii-email", saying("To ann.lee@acme.com"), saying("pip install a@b"), PII),
    Case("pii-phone", saying("Call +49 30 901820"), saying("Version 30.901.820"), PII),
    Case("pii-card", saying("4111 1111 1111 1111"), saying("4111 1111 1111 1112"), PII),
    Case("pii-iban", saying("DE89370400440532013000"), saying("DE88370400440532013000"), PII),
    Case("pii-national-id", saying("SSN 123-45-6789"), saying("Part 123-45-6789"), PII),
    Case("pii-ip", saying("From 93.184.216.34"), saying("From 192.168.216.34"), PII),
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
    Case(
        "contradicting-preference",
        pair() + pair(preferred_output=[answer("No idea.")], non_preferred_output=[answer()]),
        pair() + pair(preferred_output=[answer("In Bonn.")]),
    ),
)
