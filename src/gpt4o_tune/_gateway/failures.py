"""What a failed call means: may it be repeated, may it have taken effect, and what should the user do?"""

from __future__ import annotations

import contextlib
import json
import time
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, cast

import httpx2
import openai

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping, Sequence

__all__ = [
    "CALL_ERRORS",
    "UnconfirmedError",
    "UnreadableAnswerError",
    "advised",
    "doubt",
    "is_absent",
    "is_refusal",
    "is_repeatable",
    "readable",
    "server_hint",
    "status_error",
]

CALL_ERRORS = (openai.OpenAIError,)
"""What a call may raise: passed through to users unchanged, except where one failure is an answer."""


class UnconfirmedError(Exception):
    """A call that changes the server failed in a way that leaves open whether it took effect.

    Attributes:
        error: The client's error, to be raised where nothing better can be said.
        server_hint: Seconds to wait that the server asked for, or None.
        may_have_taken_effect: False where the server refused for now, as with 429.
    """

    def __init__(self, error: openai.APIError) -> None:
        super().__init__(str(error))
        self.error = error
        self.server_hint = server_hint(error)
        self.may_have_taken_effect = _may_have_taken_effect(error)


class UnreadableAnswerError(openai.APIConnectionError):
    """The answer came, but it is none to this call: cut off, empty, or a page of some proxy.

    Its `request` tells the address only; the client has thrown the call away by then.
    """

    def __init__(self, base_url: str) -> None:
        super().__init__(
            message="The answer could not be read.", request=httpx2.Request("GET", base_url)
        )


_STATUS_ERRORS: Mapping[int, type[openai.APIStatusError]] = {
    400: openai.BadRequestError,
    401: openai.AuthenticationError,
    403: openai.PermissionDeniedError,
    404: openai.NotFoundError,
    409: openai.ConflictError,
    422: openai.UnprocessableEntityError,
    429: openai.RateLimitError,
}


def status_error(response: httpx2.Response) -> openai.APIStatusError:
    """Make of a refusal the error that the client itself raises on it."""
    content: object = response.text
    with contextlib.suppress(ValueError):
        content = response.json()
    body = cast(
        "Mapping[str, object]", content if isinstance(content, dict) else {"error": content}
    )
    other = openai.InternalServerError if response.status_code >= 500 else openai.APIStatusError
    return _STATUS_ERRORS.get(response.status_code, other)(
        f"Error code: {response.status_code} - {content}",
        response=response,
        body=body.get("error", body),
    )


def is_repeatable(error: BaseException) -> bool:
    """Say whether the same call may go through later; the server's own word comes first."""
    if isinstance(error, openai.APIStatusError):
        word = error.response.headers.get("x-should-retry")
        if word in ("true", "false"):
            return word == "true"
        return error.status_code == 429 or _may_have_taken_effect(error)
    return isinstance(error, openai.APIConnectionError)


def is_absent(error: BaseException) -> bool:
    """Say whether the model does not answer, while another one may: not found, or a failing service."""
    return isinstance(error, openai.NotFoundError | openai.InternalServerError)


def is_refusal(error: BaseException) -> bool:
    """Say whether the service has read the request and takes issue with something in it."""
    return isinstance(error, openai.BadRequestError | openai.UnprocessableEntityError)


def _may_have_taken_effect(error: openai.APIError) -> bool:
    """True for lost connections, timeouts, 408, 409 and 5xx; false for plain refusals such as 400."""
    if isinstance(error, openai.APIConnectionError):
        return True
    return isinstance(error, openai.APIStatusError) and (
        error.status_code in (408, 409) or error.status_code >= 500
    )


@contextlib.contextmanager
def doubt() -> Generator[None]:
    """Turn failures that leave the outcome open, or ask for a later try, into UnconfirmedError."""
    try:
        yield
    except openai.APIError as error:
        if is_repeatable(error) or _may_have_taken_effect(error):
            raise UnconfirmedError(error) from error
        raise


@contextlib.contextmanager
def readable(base_url: str) -> Generator[None]:
    """Turn what the client lets slip on a body that is no JSON into UnreadableAnswerError."""
    try:
        yield
    except json.JSONDecodeError as error:
        raise UnreadableAnswerError(base_url) from error
    except AttributeError as error:
        # What openai 3.54 trips over when a page of a list is text.
        if error.name != "_set_private_attributes":
            raise
        raise UnreadableAnswerError(base_url) from error


def server_hint(error: BaseException | None) -> float | None:
    """Return the seconds that the server asks for in Retry-After, however many."""
    if not isinstance(error, openai.APIStatusError):
        return None
    headers = error.response.headers
    try:
        if "retry-after-ms" in headers:
            return max(0.0, float(headers["retry-after-ms"]) / 1000)
        return max(0.0, float(headers["retry-after"]))
    except KeyError:
        return None
    except ValueError:
        return _seconds_until(headers["retry-after"])


def _seconds_until(http_date: str) -> float | None:
    try:
        return max(0.0, parsedate_to_datetime(http_date).timestamp() - time.time())
    except ValueError:
        return None


@contextlib.contextmanager
def advised(base_url: str) -> Generator[None]:
    """Add to a client's error, which passes through unchanged, what it leaves out and what to do next."""
    try:
        yield
    except openai.OpenAIError as error:
        for note in (_left_out(error), _advice(error, base_url)):
            if note and note not in getattr(error, "__notes__", ()):
                error.add_note(note)
        raise


def _left_out(error: openai.OpenAIError) -> str | None:
    """Return the server's words where the client's message lacks them: FastAPI's `detail`, bare text."""
    body: object = getattr(error, "body", None)
    if isinstance(body, dict):
        body = cast("Mapping[str, object]", body).get("detail")
    if isinstance(body, list):
        faults = cast("Sequence[object]", body)
        body = "; ".join(_fault(fault) for fault in faults)
    if not isinstance(body, str) or not body.strip() or body in str(error):
        return None
    return f"The server said: {body}"


def _fault(fault: object) -> str:
    """Write one entry of FastAPI's list of validation errors as `body.suffix: Field required`."""
    if not isinstance(fault, dict):
        return str(fault)
    entry = cast("Mapping[str, object]", fault)
    place = cast("Sequence[object]", entry.get("loc") or ())
    return f"{'.'.join(map(str, place))}: {entry.get('msg')}"


def _advice(error: openai.OpenAIError, base_url: str) -> str | None:
    if isinstance(error, UnreadableAnswerError):
        return (
            f"{base_url} answers, but not as an OpenAI-compatible service does. Check that the address "
            "ends in /v1 and that no proxy stands in between."
        )
    if isinstance(error, openai.APITimeoutError):
        return f"{base_url} did not answer in time. Nothing was lost: run the same call again."
    if isinstance(error, openai.APIConnectionError):
        return (
            f"Nothing answers at {base_url}. Check the address and the network; a local server is "
            "started with `python -m gpt4o_tune.local`."
        )
    if isinstance(error, openai.AuthenticationError):
        return (
            f"{base_url} did not accept the key. Pass the right one as api_key= to the provider, or "
            "set the environment variable that holds it."
        )
    if isinstance(error, openai.PermissionDeniedError):
        return (
            f"The key is known at {base_url}, but may not do this. OpenAI closes fine-tuning step by "
            "step until 2027-01-06: organisations new to it, or idle for 60 days, are refused. Azure "
            "OpenAI and the local server go on."
        )
    if isinstance(error, openai.NotFoundError):
        return (
            f"Looked at {base_url}. A fresh model can take minutes to answer; otherwise another "
            "provider, project or key holds it."
        )
    return None
