"""What a request allows an answer to be: its format, the tools that it may call, the tokens it favours."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import TYPE_CHECKING

from gpt4o_tune.data.vocabulary import encoding
from gpt4o_tune.local.engines import Adjustments, AnswerShape
from gpt4o_tune.local.envelope import ApiError
from gpt4o_tune.local.grammar import (
    Grammar,
    OfferedTool,
    SchemaError,
    json_object,
    json_of_schema,
    require_strict,
    tool_calls,
)

if TYPE_CHECKING:
    from gpt4o_tune.local.routes.chat_bodies import ChatBody, JsonSchemaBody, ToolBody

_REMEMBERED = 64
"""Grammars kept, so that programs which send one schema over and over pay for its masks once."""


def shape_of(body: ChatBody) -> AnswerShape | None:
    """Give the shape that a request asks for; None where it sets no limits.

    Raises:
        ApiError: A schema or the choice of a tool is unsound.
    """
    text = _text_grammar(body)
    calls = _calls_grammar(body)
    if body.tools and body.tool_choice not in (None, "auto", "none"):
        return AnswerShape(kind="calls", calls=calls)
    if calls is not None:
        return AnswerShape(text=text, calls=calls)
    return None if text is None else AnswerShape(kind="text", text=text)


def adjustments_of(body: ChatBody, *, encoding_name: str) -> Adjustments:
    """Give the penalties and biases that a request asks for.

    Raises:
        ApiError: A key of `logit_bias` is no token of the model.
    """
    bias: dict[bytes, float] = {}
    for key, value in (body.logit_bias or {}).items():
        try:
            bias[encoding(encoding_name).decode_single_token_bytes(int(key))] = value
        except (ValueError, KeyError, OverflowError):
            raise ApiError(
                f"Invalid key in 'logit_bias': {key!r} is no token id of {encoding_name}.",
                param="logit_bias",
                code="invalid_value",
            ) from None
    return Adjustments(
        frequency_penalty=body.frequency_penalty or 0.0,
        presence_penalty=body.presence_penalty or 0.0,
        bias=bias,
    )


def _text_grammar(body: ChatBody) -> Grammar | None:
    wanted = body.response_format
    if wanted is None or wanted.type == "text":
        return None
    if wanted.json_schema is not None and wanted.type == "json_schema":
        return _schema_grammar(wanted.json_schema)
    if "json" not in json.dumps([message.model_dump() for message in body.messages]).lower():
        raise ApiError(
            "'messages' must contain the word 'json' in some form, to use 'response_format' of "
            "type 'json_object'.",
            param="messages",
        )
    return json_object()


def _schema_grammar(wanted: JsonSchemaBody) -> Grammar:
    schema = wanted.schema_ or {}
    try:
        if wanted.strict:
            require_strict(schema)
        return _grammar_of_schema(json.dumps(schema))
    except (ValueError, RecursionError) as error:
        raise ApiError(
            f"Invalid schema for response_format '{wanted.name}': {_reason(error)}",
            param="response_format",
        ) from error


def _calls_grammar(body: ChatBody) -> Grammar | None:
    if not body.tools or body.tool_choice == "none":
        return None
    for index, tool in enumerate(body.tools):
        _require_sound(tool, index)
    is_open = body.tool_choice in (None, "auto")
    is_parallel = body.parallel_tool_calls is not False
    tools = body.tools
    if body.named_function is not None:
        is_parallel = False
        tools = [tool for tool in tools if tool.function.name == body.named_function]
        if not tools:
            raise ApiError(
                f"Invalid value for 'tool_choice': the function {body.named_function!r} is not in "
                "'tools'.",
                param="tool_choice",
            )
    offered = [
        {
            "name": tool.function.name,
            # Arguments that the model chose to write were never promised to fit a loose schema,
            # and those that it learnt may name their members in another order.
            "parameters": None
            if is_open and not tool.function.strict
            else tool.function.parameters,
        }
        for tool in tools
    ]
    return _grammar_of_tools(json.dumps(offered), is_parallel=is_parallel)


def _require_sound(tool: ToolBody, index: int) -> None:
    """Check a function's schema, so that no answer depends on whether the model calls it."""
    schema = tool.function.parameters or {}
    try:
        if tool.function.strict:
            require_strict(schema)
        _grammar_of_tools(
            json.dumps([{"name": tool.function.name, "parameters": schema}]), is_parallel=False
        )
    except (ValueError, RecursionError) as error:
        raise ApiError(
            f"Invalid schema for function '{tool.function.name}': {_reason(error)}",
            param=f"tools[{index}].function.parameters",
            code="invalid_function_parameters",
        ) from error


def _reason(error: Exception) -> str:
    if isinstance(error, SchemaError):
        return str(error)
    return "it nests too deep." if isinstance(error, RecursionError) else "no value satisfies it."


@lru_cache(_REMEMBERED)
def _grammar_of_schema(schema: str) -> Grammar:
    return json_of_schema(json.loads(schema))


@lru_cache(_REMEMBERED)
def _grammar_of_tools(tools: str, *, is_parallel: bool) -> Grammar:
    offered = [OfferedTool(**tool) for tool in json.loads(tools)]
    return tool_calls(offered, is_parallel=is_parallel)
