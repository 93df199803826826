"""The open clients of this process: one per connection, and per event loop on the asynchronous side."""

from __future__ import annotations

import asyncio
import threading
import weakref
from typing import TYPE_CHECKING, Any

import openai

from gpt4o_tune._gateway.gateway import CONTROL_TIMEOUT, Gateway

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from gpt4o_tune._connection import Connection

__all__ = ["asynchronous", "blocking", "forget_asynchronous", "forget_blocking"]

_lock = threading.Lock()
_blocking: dict[Connection, openai.OpenAI] = {}
_asynchronous: weakref.WeakKeyDictionary[
    asyncio.AbstractEventLoop, dict[Connection, openai.AsyncOpenAI]
] = weakref.WeakKeyDictionary()


def blocking(connection: Connection) -> Gateway:
    """Return the process's blocking gateway for a connection; it may be shared by threads."""
    with _lock:
        if connection not in _blocking:
            _blocking[connection] = openai.OpenAI(**_arguments(connection))
        # Connections that differ in their clock alone are equal: they share the client, not the gateway.
        return Gateway(_blocking[connection], connection)


def asynchronous(connection: Connection) -> Gateway:
    """Return the running event loop's gateway for a connection."""
    clients = _asynchronous.setdefault(asyncio.get_running_loop(), {})
    if connection not in clients:
        arguments = _arguments(connection)
        if callable(connection.api_key):
            arguments["api_key"] = _off_the_loop(connection.api_key)
        clients[connection] = openai.AsyncOpenAI(**arguments)
    return Gateway(clients[connection], connection)


def _off_the_loop(fresh_key: Callable[[], str]) -> Callable[[], Awaitable[str]]:
    """Return what the asynchronous client awaits for a key; fetching one may use the network."""

    async def key() -> str:
        return await asyncio.to_thread(fresh_key)

    return key


def forget_blocking(connection: Connection) -> None:
    """Close the blocking client of a connection, if one is open."""
    with _lock:
        client = _blocking.pop(connection, None)
    if client is not None:
        client.close()


async def forget_asynchronous(connection: Connection) -> None:
    """Close the running loop's client of a connection, if one is open."""
    client = _asynchronous.get(asyncio.get_running_loop(), {}).pop(connection, None)
    if client is not None:
        await client.close()


def _arguments(connection: Connection) -> dict[str, Any]:
    return {
        "api_key": connection.api_key,
        "base_url": connection.base_url,
        "organization": connection.organization,
        "project": connection.project,
        "default_headers": dict(connection.headers),
        "default_query": dict(connection.query),
        "timeout": CONTROL_TIMEOUT,
        "max_retries": 0,
    }
