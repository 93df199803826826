"""Rules for the tools and functions that a row declares."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from gpt4o_tune.data.checks.rule import Finding, kind, shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from gpt4o_tune.data.checks.rule import Scope
    from gpt4o_tune.data.decode import Json, JsonObject

MAX_FUNCTIONS = 128
"""Per row; from the API specification of 2025-05-20."""

FUNCTION_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
"""From the docstring of function definitions in openai 3.54."""

_JSON_TYPES = ("object", "array", "string", "number", "integer", "boolean", "null")
_TOOL_FIX = 'Write {"type": "function", "function": {"name": "...", "parameters": {...}}}.'


class _Declared(NamedTuple):
    """A function as declared, in the present or the older form."""

    path: str
    body: JsonObject


def _holder(row: JsonObject) -> tuple[str, JsonObject]:
    """Return where a row declares tools: in itself, or in the input of a preference pair."""
    source = row.get("input")
    if isinstance(source, dict) and "messages" not in row:
        return "input.", source
    return "", row


def _functions(row: JsonObject) -> Iterator[_Declared]:
    prefix, holder = _holder(row)
    tools, functions = holder.get("tools"), holder.get("functions")
    if isinstance(tools, list):
        for place, tool in enumerate(tools):
            function = tool.get("function") if isinstance(tool, dict) else None
            if isinstance(function, dict):
                yield _Declared(f"{prefix}tools[{place}].function", function)
    if isinstance(functions, list):
        for place, function in enumerate(functions):
            if isinstance(function, dict):
                yield _Declared(f"{prefix}functions[{place}]", function)


def declared_tools(row: JsonObject) -> dict[str, JsonObject] | None:
    """Return the parameters of each function that the row declares, by name; None if it has no list."""
    _, holder = _holder(row)
    if "tools" not in holder and "functions" not in holder:
        return None
    tools: dict[str, JsonObject] = {}
    for function in _functions(row):
        name, parameters = function.body.get("name"), function.body.get("parameters")
        if isinstance(name, str):
            tools[name] = parameters if isinstance(parameters, dict) else {}
    return tools


def invalid_tool(row: JsonObject, scope: Scope) -> Iterable[Finding]:
    """A tool or function that is not declared in the form that the API takes."""
    prefix, holder = _holder(row)
    for key in ("tools", "functions"):
        listed = holder.get(key)
        if listed is None:
            continue
        if not isinstance(listed, list):
            yield Finding(f"{key!r} is {kind(listed)}, not a list.", _TOOL_FIX, prefix + key)
            continue
        for place, tool in enumerate(listed):
            path = f"{prefix}{key}[{place}]"
            fault = _tool_fault(tool) if key == "tools" else _function_fault(tool)
            if fault:
                yield Finding(fault, _TOOL_FIX, path)


def _tool_fault(tool: Json) -> str | None:
    if not isinstance(tool, dict):
        return f"The tool is {kind(tool)}, not an object."
    if tool.get("type") != "function":
        found = f"is {shown(tool['type'])}" if "type" in tool else "is missing"
        return f"The tool's 'type' {found}; fine-tuning knows only 'function'."
    return _function_fault(tool.get("function"))


def _function_fault(function: Json) -> str | None:
    if not isinstance(function, dict):
        return f"The function is {kind(function)}, not an object."
    if not isinstance(function.get("name"), str):
        return "The function has no name."
    if not isinstance(function.get("description"), str | None):
        return f"The function's 'description' is {kind(function.get('description'))}."
    if not isinstance(function.get("parameters"), dict | None):
        return f"The function's 'parameters' is {kind(function.get('parameters'))}, not a schema."
    if not isinstance(function.get("strict"), bool | None):
        return f"The function's 'strict' is {kind(function.get('strict'))}, not true or false."
    return None


def invalid_function_name(row: JsonObject, scope: Scope) -> Iterable[Finding]:
    """A function name that the API refuses."""
    for function in _functions(row):
        name = function.body.get("name")
        if isinstance(name, str) and not FUNCTION_NAME.fullmatch(name):
            yield Finding(
                f"The function name {shown(name)} is not allowed.",
                "Use 1 to 64 letters, digits, underscores and dashes.",
                f"{function.path}.name",
            )


def duplicate_tool(row: JsonObject, scope: Scope) -> Iterable[Finding]:
    """Two tools of one name."""
    seen: set[str] = set()
    for function in _functions(row):
        name = function.body.get("name")
        if isinstance(name, str):
            if name in seen:
                yield Finding(
                    f"The function {shown(name)} is declared twice.",
                    "Remove one, or rename it.",
                    f"{function.path}.name",
                )
            seen.add(name)


def too_many_functions(row: JsonObject, scope: Scope) -> Iterable[Finding]:
    """More functions than a request may have."""
    count = sum(1 for _ in _functions(row))
    if count > MAX_FUNCTIONS:
        yield Finding(
            f"The row declares {count} functions; the API takes at most {MAX_FUNCTIONS}.",
            "Leave out the tools that this example does not need.",
            "tools",
        )


def deprecated_functions(row: JsonObject, scope: Scope) -> Iterable[Finding]:
    """The older form of tools."""
    prefix, holder = _holder(row)
    if holder.get("functions"):
        yield Finding(
            "'functions' is the older form of 'tools', without ids that pair calls with results.",
            "Declare 'tools', and call with 'tool_calls'.",
            f"{prefix}functions",
        )


def empty_functions(row: JsonObject, scope: Scope) -> Iterable[Finding]:
    """A list of functions with none in it; a list of tools may be empty."""
    prefix, holder = _holder(row)
    if holder.get("functions") == []:
        yield Finding(
            "'functions' is empty; the API takes 1 to 128.",
            "Remove the key where no function is declared.",
            f"{prefix}functions",
        )


def mixed_tools_and_functions(row: JsonObject, scope: Scope) -> Iterable[Finding]:
    """Both forms of declaring functions in one row."""
    prefix, holder = _holder(row)
    if holder.get("tools") and holder.get("functions"):
        yield Finding(
            "The row declares 'tools' and 'functions', two forms of the same thing.",
            "Declare everything in 'tools'.",
            f"{prefix}functions",
        )


def open_strict_tool(row: JsonObject, scope: Scope) -> Iterable[Finding]:
    """A strict function whose parameters are not closed and all required, as strictness needs."""
    for function in _functions(row):
        schema = function.body.get("parameters")
        if function.body.get("strict") is not True or not isinstance(schema, dict):
            continue
        properties, required = schema.get("properties"), schema.get("required")
        names = list(properties) if isinstance(properties, dict) else []
        optional = [
            name for name in names if not isinstance(required, list) or name not in required
        ]
        if schema.get("additionalProperties") is not False or optional:
            listed = f", and {', '.join(map(shown, optional))} not required" if optional else ""
            is_open = schema.get("additionalProperties") is not False
            yield Finding(
                "The function is strict, yet its parameters are "
                f"{'open' if is_open else 'closed'}{listed}.",
                "Set 'additionalProperties' to false and list every property in 'required'.",
                f"{function.path}.parameters",
            )


def invalid_parameters(row: JsonObject, scope: Scope) -> Iterable[Finding]:
    """Parameters that are not a JSON schema of an object."""
    for function in _functions(row):
        parameters = function.body.get("parameters")
        if isinstance(parameters, dict):
            yield from _schema_faults(parameters, f"{function.path}.parameters", top=True)


def _schema_faults(schema: Json, path: str, *, top: bool = False) -> Iterator[Finding]:
    if isinstance(schema, bool) and not top:
        return
    if not isinstance(schema, dict):
        yield Finding(f"The schema is {kind(schema)}, not an object.", _SCHEMA_FIX, path)
        return
    yield from _type_faults(schema.get("type"), path, top=top and bool(schema))
    properties, required = schema.get("properties"), schema.get("required")
    if properties is not None and not isinstance(properties, dict):
        found = kind(properties)
        yield Finding(f"'properties' is {found}, not an object.", _SCHEMA_FIX, f"{path}.properties")
    elif properties is not None:
        for name, inner in properties.items():
            yield from _schema_faults(inner, f"{path}.properties.{name}")
    if required is not None:
        yield from _required_faults(required, properties, path)
    if "enum" in schema and not (isinstance(schema["enum"], list) and schema["enum"]):
        yield Finding("'enum' is not a list with values.", _SCHEMA_FIX, f"{path}.enum")
    if isinstance(items := schema.get("items"), dict):
        yield from _schema_faults(items, f"{path}.items")


def _type_faults(declared: Json, path: str, *, top: bool) -> Iterator[Finding]:
    if top and declared != "object":
        yield Finding(
            f"The parameters' 'type' is {shown(declared)}; arguments are always an object.",
            _SCHEMA_FIX,
            f"{path}.type",
        )
        return
    names = declared if isinstance(declared, list) else [declared]
    for name in names:
        if name is not None and name not in _JSON_TYPES:
            yield Finding(
                f"The type {shown(name)} does not exist in JSON schema.",
                f"Use one of {', '.join(_JSON_TYPES)}.",
                f"{path}.type",
            )


def _required_faults(required: Json, properties: Json, path: str) -> Iterator[Finding]:
    if not isinstance(required, list) or not all(isinstance(name, str) for name in required):
        yield Finding("'required' is not a list of names.", _SCHEMA_FIX, f"{path}.required")
        return
    if isinstance(properties, dict):
        for name in required:
            if name not in properties:
                yield Finding(
                    f"'required' names {shown(name)}, which 'properties' does not declare.",
                    "Declare the property, or correct the name.",
                    f"{path}.required",
                )


_SCHEMA_FIX = (
    'Write {"type": "object", "properties": {"city": {"type": "string"}}, "required": [...]}.'
)
