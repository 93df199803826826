"""uvicorn in a thread of the calling process."""

from __future__ import annotations

import socket
import threading
from typing import TYPE_CHECKING

import uvicorn

if TYPE_CHECKING:
    from starlette.types import ASGIApp

_START_TIMEOUT_S = 10.0
_GRACE_S = 2


class HttpThread:
    """Runs uvicorn beside the caller's own threads.

    Args:
        app: What answers.
        listener: Where requests come in; it stays the caller's to close.
    """

    def __init__(self, app: ASGIApp, listener: socket.socket) -> None:
        config = uvicorn.Config(
            app,
            log_config=None,
            log_level="warning",
            access_log=False,
            lifespan="off",
            ws="none",
            timeout_graceful_shutdown=_GRACE_S,
        )
        self._listener = listener
        self._server = _Announcing(config)
        self._thread = threading.Thread(target=self._run, name="gpt4o-tune-http", daemon=True)

    def start(self) -> None:
        """Begin, and return once requests are answered.

        Raises:
            OSError: uvicorn did not come up.
        """
        self._thread.start()
        if not self._server.is_up.wait(_START_TIMEOUT_S):
            raise OSError("the local server did not start; its log says why")

    def stop(self) -> None:
        """Let requests under way end, for two seconds at most, and stop."""
        self._server.should_exit = True
        self._thread.join()

    def _run(self) -> None:
        self._server.run(sockets=[self._listener])


class _Announcing(uvicorn.Server):
    """Tells when it answers requests."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.is_up = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.is_up.set()


def listen(host: str, port: int) -> socket.socket:
    """Bind a socket for `HttpThread`; port 0 lets the system choose a free one.

    Raises:
        OSError: The address is taken or not this machine's.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio switches Nagle's delay off only on sockets whose protocol is spelt out.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise OSError(
            error.errno, f"cannot listen on {host}:{port}: {error.strerror}. Try port 0."
        ) from error
    return listener
