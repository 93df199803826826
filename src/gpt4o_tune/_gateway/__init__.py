"""The only package that imports openai and tenacity: network verbs over a blocking or an async client.

Core code is written once, as coroutines that await a `Gateway`'s methods. Over a blocking client a method
never suspends, so `gpt4o_tune._drive.run` finishes such a coroutine without an event loop.

The client's own retries are switched off. Reads are repeated by tenacity; a call that can cost money
twice is sent exactly once and, where its outcome stays open, raises `UnconfirmedError`.
"""

from gpt4o_tune._gateway.clients import (
    asynchronous,
    blocking,
    forget_asynchronous,
    forget_blocking,
)
from gpt4o_tune._gateway.failures import (
    CALL_ERRORS,
    UnconfirmedError,
    is_absent,
    is_refusal,
    is_repeatable,
)
from gpt4o_tune._gateway.gateway import READ_PATIENCE, Gateway
from gpt4o_tune._gateway.many import Call, Outcome, Traffic, Watcher
from gpt4o_tune._gateway.sending import LOOK_UP_PATIENCE, send_once
from gpt4o_tune._gateway.signatures import signed_payload

__all__ = [
    "CALL_ERRORS",
    "LOOK_UP_PATIENCE",
    "READ_PATIENCE",
    "Call",
    "Gateway",
    "Outcome",
    "Traffic",
    "UnconfirmedError",
    "Watcher",
    "asynchronous",
    "blocking",
    "forget_asynchronous",
    "forget_blocking",
    "is_absent",
    "is_refusal",
    "is_repeatable",
    "send_once",
    "signed_payload",
]
