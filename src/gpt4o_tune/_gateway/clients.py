"""The open gateways of this process: one per connection, and per event loop on the asynchronous side."""

from __future__ import annotations

import asyncio
import threading
import weakref
from typing import TYPE_CHECKING, Any

import openai

from gpt4o_tune._drive import run
from gpt4o_tune._gateway.gateway import CONTROL_TIMEOUT, Gateway

if TYPE_CHECKING:
    from gpt4o_tune._connection import Connection

__all__ = ["asynchronous", "blocking", "forget_asynchronous", "forget_blocking"]

_lock = threading.Lock()
_blocking: dict[Connection, Gateway] = {}
_asynchronous: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, dict[Connection, Gateway]] = (
    weakref.WeakKeyDictionary()
)


def blocking(connection: Connection) -> Gateway:
    """Return the process's blocking gateway for a connection; it may be shared by threads."""
    with _lock:
        if connection not in _blocking:
            client = openai.OpenAI(**_arguments(connection))
            _blocking[connection] = Gateway(client, connection.clock)
        return _blocking[connection]


def asynchronous(connection: Connection) -> Gateway:
    """Return the running event loop's gateway for a connection."""
    gateways = _asynchronous.setdefault(asyncio.get_running_loop(), {})
    if connection not in gateways:
        client = openai.AsyncOpenAI(**_arguments(connection))
        gateways[connection] = Gateway(client, connection.clock)
    return gateways[connection]


def forget_blocking(connection: Connection) -> None:
    """Close the blocking gateway of a connection, if one is open."""
    with _lock:
        gateway = _blocking.pop(connection, None)
    if gateway is not None:
        run(gateway.close())


async def forget_asynchronous(connection: Connection) -> None:
    """Close the running loop's gateway of a connection, if one is open."""
    gateway = _asynchronous.get(asyncio.get_running_loop(), {}).pop(connection, None)
    if gateway is not None:
        await gateway.close()


def _arguments(connection: Connection) -> dict[str, Any]:
    return {
        "api_key": connection.api_key,
        "base_url": connection.base_url,
        "organization": connection.organization,
        "project": connection.project,
        "default_headers": dict(connection.headers),
        "timeout": CONTROL_TIMEOUT,
        "max_retries": 0,
    }
