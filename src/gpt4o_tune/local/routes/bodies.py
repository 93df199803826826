"""Reading a request: its JSON body, its query, and OpenAI's wording for what is wrong with them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NoReturn, TypeVar, cast

from pydantic import BaseModel, ConfigDict, ValidationError
from starlette.requests import ClientDisconnect

from gpt4o_tune.local.envelope import ApiError

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails
    from starlette.requests import Request

MAX_JSON_BYTES = 16 * 1024 * 1024

_CODES = {
    "missing": "missing_required_parameter",
    "extra_forbidden": "unknown_parameter",
    "greater_than_equal": "below_min_value",
    "greater_than": "below_min_value",
    "less_than_equal": "above_max_value",
    "less_than": "above_max_value",
    "string_too_short": "string_below_min_length",
    "string_too_long": "string_above_max_length",
    "too_short": "array_below_min_length",
    "too_long": "array_above_max_length",
}
_VAGUE = frozenset({"literal_error", "int_type", "float_type", "string_type"})
_UNION_ARMS = frozenset({"int", "float", "str", "constrained-int", "constrained-float"})


class Body(BaseModel):
    """Base of the request bodies: exact types, and no field that the server does not know."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


B = TypeVar("B", bound=Body)


async def read_json(request: Request, kind: type[B]) -> B:
    """Read and check a JSON body.

    Raises:
        ApiError: The body is too large, is no JSON object, or has a wrong field.
    """
    content, size = bytearray(), 0
    try:
        async for chunk in request.stream():
            size += len(chunk)
            if size <= MAX_JSON_BYTES:
                content += chunk
    except ClientDisconnect as error:
        raise ApiError("The client closed the connection.", status=400) from error
    if size > MAX_JSON_BYTES:
        limit = MAX_JSON_BYTES // 1024**2
        raise ApiError(f"The request body is larger than {limit} MB.", status=413)
    return parse_json(bytes(content), kind)


def parse_json(content: bytes, kind: type[B]) -> B:
    """Check a JSON body that is already in memory.

    Raises:
        ApiError: It is no JSON object, or has a wrong field.
    """
    try:
        value = strict_json(content)
    except (ValueError, RecursionError) as error:
        raise ApiError(
            f"We could not parse the JSON body of your request: {error}", code="invalid_json"
        ) from error
    if not isinstance(value, dict):
        raise ApiError("The request body must be a JSON object.", code="invalid_type")
    return check_value(cast("dict[str, object]", value), kind)


def strict_json(content: bytes) -> object:
    """Parse JSON that has no words such as NaN, and no text that cannot be written again.

    Raises:
        ValueError: It is no such JSON.
        RecursionError: It is nested too deep.
    """
    value: object = json.loads(content, parse_constant=_refuse_constant)
    # Escapes can spell half a surrogate pair, which no answer and no file can hold.
    json.dumps(value, ensure_ascii=False).encode()
    return value


def check_value(value: dict[str, object], kind: type[B]) -> B:
    """Check a body that is already parsed.

    Raises:
        ApiError: It has a wrong field.
    """
    try:
        return kind.model_validate(value)
    except ValidationError as error:
        raise invalid_field(error.errors(include_url=False)) from error


def invalid_field(faults: list[ErrorDetails]) -> ApiError:
    """Put the first fault that pydantic found into OpenAI's words."""
    param = _param(faults[0])
    # Where a field takes one of several kinds of value, pydantic reports a fault for each kind; the
    # fault that names a bound says more than "is not the word auto".
    same_field = [fault for fault in faults if _param(fault) == param]
    fault = min(same_field, key=lambda each: each["type"] in _VAGUE)
    if fault["type"] == "missing":
        message = f"Missing required parameter: '{param}'."
    elif fault["type"] == "extra_forbidden":
        message = f"Unknown parameter: '{param}'."
    else:
        where = f"Invalid value for '{param}'" if param else "Invalid request"
        message = f"{where}: {fault['msg'].removeprefix('Value error, ')}."
    code = _CODES.get(fault["type"])
    if code is None:
        code = "invalid_type" if fault["type"].endswith("_type") else "invalid_value"
    return ApiError(message, param=param or None, code=code)


def _param(fault: ErrorDetails) -> str:
    """Write a place as `messages[0].role`, without pydantic's own names for the arms of a union."""
    text = ""
    for part in fault["loc"]:
        if isinstance(part, int):
            text += f"[{part}]"
        elif not text or (part not in _UNION_ARMS and "[" not in part):
            text += f".{part}" if text else part
    return text


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def page_limit(request: Request, *, default: int, most: int) -> int:
    """Read the query parameter `limit`.

    Raises:
        ApiError: It is no whole number within bounds.
    """
    text = request.query_params.get("limit")
    if text is None:
        return default
    try:
        limit = int(text)
    except ValueError:
        limit = 0
    if not 1 <= limit <= most:
        raise ApiError(
            f"Invalid 'limit': {text!r}. Expected an integer from 1 to {most}.",
            param="limit",
            code="invalid_value",
        )
    return limit
