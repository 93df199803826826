"""A proxy that puts network faults between the real client and the real local server."""

from __future__ import annotations

import http.client
import socket
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Literal, Self
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from types import TracebackType

Fault = Literal[
    "refuse", "drop before", "drop after", "500 after", "429", "cut body", "404", "answer"
]
"""What happens to one request, and whether the server behind has acted on it by then."""


@dataclass
class Rule:
    """Faults for the requests of one method whose path ends so, used up one by one."""

    method: str
    path_end: str
    faults: list[Fault]
    retry_after: str | None = None
    answer: bytes = b""
    """What the fault `answer` says with status 200 in the server's place."""


@dataclass
class FaultyProxy:
    """Forwards requests to `target` (`http://host:port/v1`), applying each rule's faults in turn."""

    target: str
    rules: list[Rule] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    """Of the same requests, in the same order as they were read."""

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/v1"

    def count(self, method: str, path_end: str) -> int:
        return sum(
            line.startswith(method) and line.split("?")[0].endswith(path_end)
            for line in self.requests
        )

    def __enter__(self) -> Self:
        proxy = self

        class Handler(_Handler):
            owner = proxy

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

    def next_fault(self, method: str, path: str) -> tuple[Fault | None, Rule | None]:
        self.requests.append(f"{method} {path}")
        for rule in self.rules:
            if rule.method == method and path.split("?")[0].endswith(rule.path_end) and rule.faults:
                return rule.faults.pop(0), rule
        return None, None


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    owner: FaultyProxy

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        self.owner.bodies.append(body)
        fault, rule = self.owner.next_fault(self.command, self.path)
        if fault == "drop before":
            return self._drop()
        if fault in ("refuse", "429"):
            code = 429 if fault == "429" else 503
            return self._answer(code, b'{"error": {"message": "busy"}}', rule)
        if fault == "404":
            return self._answer(404, b'{"error": {"message": "not found yet"}}', rule)
        if fault == "answer" and rule is not None:
            return self._answer(200, rule.answer, rule)
        status, content, content_type = self._forward(body)
        if fault == "drop after":
            return self._drop()
        if fault == "500 after":
            return self._answer(500, b'{"error": {"message": "lost after commit"}}', rule)
        self.send_response(status)
        self.send_header("content-type", content_type)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        if fault == "cut body":
            self.wfile.write(content[: len(content) // 2])
            return self._drop()
        self.wfile.write(content)
        return None

    do_GET = do_POST = do_DELETE = _serve

    def _forward(self, body: bytes) -> tuple[int, bytes, str]:
        place = urlsplit(self.owner.target)
        onward = http.client.HTTPConnection(place.hostname or "", place.port or 80, timeout=30)
        try:
            headers = {
                name: value
                for name, value in self.headers.items()
                if name.lower() not in ("host", "connection", "accept-encoding")
            }
            onward.request(self.command, self.path, body or None, headers)
            response = onward.getresponse()
            kind = response.headers.get("content-type", "application/json")
            return response.status, response.read(), kind
        finally:
            onward.close()

    def _answer(self, code: int, content: bytes, rule: Rule | None) -> None:
        self.send_response(code)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(content)))
        if rule is not None and rule.retry_after is not None:
            self.send_header("retry-after", rule.retry_after)
        self.end_headers()
        self.wfile.write(content)

    def _drop(self) -> None:
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base's name
        pass
