"""A small HTTP server for stubs: it records every request and answers what an application says."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Protocol, Self
from urllib.parse import parse_qsl, unquote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType


@dataclass(frozen=True)
class Request:
    """One request as it arrived."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    content: bytes

    @property
    def body(self) -> dict[str, Any]:
        return json.loads(self.content)


@dataclass(frozen=True)
class Answer:
    """One answer: a JSON value, or bytes as they are."""

    content: object = None
    status: int = 200
    headers: Mapping[str, str | None] = field(default_factory=dict)
    """Further headers, or other values for those that go with every answer; None leaves one out."""

    def encoded(self) -> bytes:
        return (
            self.content if isinstance(self.content, bytes) else json.dumps(self.content).encode()
        )


class Application(Protocol):
    """What a stub answers."""

    def __call__(self, request: Request) -> Answer: ...


@dataclass
class StubServer:
    """Serves one application on a free port of the loopback interface."""

    application: Application
    requests: list[Request] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def sent(self, method: str, path_end: str) -> list[Request]:
        """The requests of one method whose path ends so."""
        return [r for r in self.requests if r.method == method and r.path.endswith(path_end)]

    def answer(self, request: Request) -> Answer:
        self.requests.append(request)
        return self.application(request)

    def __enter__(self) -> Self:
        stub = self

        class Handler(_Handler):
            owner = stub

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body in one packet; in two, each answer waits 40 ms for an ACK
    owner: StubServer

    def _serve(self) -> None:
        address = urlsplit(self.path)
        request = Request(
            method=self.command,
            path=unquote(address.path),
            query=dict(parse_qsl(address.query)),
            headers={name.lower(): value for name, value in self.headers.items()},
            content=self.rfile.read(int(self.headers.get("content-length") or 0)),
        )
        answer = self.owner.answer(request)
        content = b"" if answer.status == 204 else answer.encoded()
        usual = {"content-type": "application/json", "content-length": str(len(content))}
        self.send_response(answer.status)
        for name, value in {**usual, **answer.headers}.items():
            if value is not None:
                self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PUT = do_DELETE = _serve

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base's name
        pass
