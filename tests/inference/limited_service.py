"""A chat service with rate limits, in a process of its own: it answers after a while, or refuses with 429.

    python tests/inference/limited_service.py --latency 0.05 --requests-per-minute 60000

It prints its address and then serves until its standard input ends. The limits are token buckets as
OpenAI describes its own: checked when a request arrives, told in `x-ratelimit-*` headers of every answer. A
plain asyncio protocol keeps it far faster than any client.
"""

from __future__ import annotations

import argparse
import asyncio
import collections
import json
import sys
import threading
import time
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import PIPE, Popen
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from types import TracebackType


@dataclass
class Bucket:
    """So many units a minute, with a reserve for bursts; 0 a minute is no limit."""

    per_minute: float
    burst: float
    level: float = field(init=False)
    filled: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self.level = self.burst

    def refill(self) -> None:
        now = time.monotonic()
        self.level = min(self.burst, self.level + (now - self.filled) * self.per_minute / 60)
        self.filled = now

    def headers(self, kind: str) -> str:
        reset = (self.burst - self.level) * 60 / self.per_minute
        return (
            f"x-ratelimit-limit-{kind}: {int(self.burst)}\r\n"
            f"x-ratelimit-remaining-{kind}: {max(0, int(self.level))}\r\n"
            f"x-ratelimit-reset-{kind}: {reset:.3f}s\r\n"
        )


@dataclass
class Service:
    """What is counted and limited, over all connections."""

    latency: float
    requests: Bucket
    tokens: Bucket
    asked: collections.Counter[str] = field(default_factory=collections.Counter)
    answered: int = 0
    refused: int = 0
    in_flight: int = 0
    most_in_flight: int = 0

    def admit(self, cost: float) -> float:
        """Take one request off the buckets, or return the seconds after which it would fit."""
        waits = [0.0]
        for bucket, units in ((self.requests, 1.0), (self.tokens, cost)):
            if bucket.per_minute:
                bucket.refill()
                waits.append((units - bucket.level) * 60 / bucket.per_minute)
        if max(waits) <= 0:
            self.requests.level -= 1
            self.tokens.level -= cost
        return max(waits)

    def limits(self) -> str:
        kinds = (("requests", self.requests), ("tokens", self.tokens))
        return "".join(bucket.headers(kind) for kind, bucket in kinds if bucket.per_minute)

    def stats(self) -> dict[str, object]:
        return {
            "answered": self.answered,
            "refused": self.refused,
            "most_in_flight": self.most_in_flight,
            "asked": dict(self.asked),
        }


class Connection(asyncio.Protocol):
    """One connection, kept open from request to request."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, found, rest = self._received.partition(b"\r\n\r\n")
        if not found:
            return
        _, _, after = head.lower().partition(b"content-length:")
        length = int(after.split(b"\r\n")[0] or 0)
        if len(rest) < length:
            return
        self._received = rest[length:]
        if head.startswith(b"GET"):
            self._send(200, self._service.stats())
        else:
            self._chat(rest[:length])

    def _chat(self, content: bytes) -> None:
        service = self._service
        request = json.loads(content)
        text = request["messages"][-1]["content"]
        prompt = len(content) // 8
        wait = service.admit(prompt + request.get("max_tokens", 16))
        if wait > 0:
            service.refused += 1
            self._send(429, _refusal(), f"retry-after-ms: {wait * 1000:.0f}\r\n")
            return
        service.asked[text] += 1
        service.in_flight += 1
        service.most_in_flight = max(service.most_in_flight, service.in_flight)
        head = service.limits()
        asyncio.get_running_loop().call_later(
            service.latency, self._answer, _completion(request["model"], text, prompt), head
        )

    def _answer(self, completion: dict[str, object], head: str) -> None:
        self._service.in_flight -= 1
        self._service.answered += 1
        self._send(200, completion, head)

    def _send(self, status: int, content: object, head: str = "") -> None:
        body = json.dumps(content).encode()
        opening = (
            f"HTTP/1.1 {status} X\r\ncontent-type: application/json\r\n{head}"
            f"content-length: {len(body)}\r\n\r\n"
        )
        self._transport.write(opening.encode() + body)  # type: ignore[attr-defined]  # a TCP transport


def _completion(model: str, text: str, prompt: int) -> dict[str, object]:
    message = {"role": "assistant", "content": f"answer to {text}", "refusal": None}
    return {
        "id": "chatcmpl-limited0000000000000000000",
        "object": "chat.completion",
        "created": 1_790_000_000,
        "model": model,
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}],
        "usage": {
            "prompt_tokens": prompt,
            "completion_tokens": 8,
            "total_tokens": prompt + 8,
            "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        },
        "service_tier": "default",
        "system_fingerprint": "fp_limited",
    }


def _refusal() -> dict[str, object]:
    return {"error": {"message": "Rate limit reached", "type": "requests", "code": "rate_limit"}}


@dataclass
class LimitedService:
    """The service as a child process; use it as a context manager."""

    latency: float = 0.05
    requests_per_minute: float = 0
    tokens_per_minute: float = 0
    burst_seconds: float = 60
    """How much of a minute's allowance may be spent at once."""

    def __enter__(self) -> Self:
        arguments = [f"--{name.replace('_', '-')}={value}" for name, value in vars(self).items()]
        self._process = Popen([sys.executable, Path(__file__), *arguments], stdin=PIPE, stdout=PIPE)
        assert self._process.stdout is not None
        self.base_url = self._process.stdout.readline().decode().strip()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.communicate()

    def stats(self) -> dict[str, object]:
        """What the service has counted so far."""
        with urllib.request.urlopen(f"{self.base_url}/stats") as response:  # noqa: S310  # loopback
            return json.load(response)


async def _serve(arguments: argparse.Namespace) -> None:
    share = arguments.burst_seconds / 60
    requests, tokens = arguments.requests_per_minute, arguments.tokens_per_minute
    service = Service(
        arguments.latency, Bucket(requests, requests * share), Bucket(tokens, tokens * share)
    )
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(service), "127.0.0.1", 0, backlog=1024)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1", flush=True)  # noqa: T201  # a command prints
    ended = asyncio.Event()

    def until_input_ends() -> None:
        sys.stdin.read()
        loop.call_soon_threadsafe(ended.set)

    threading.Thread(target=until_input_ends, daemon=True).start()
    await ended.wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--latency", type=float)
    parser.add_argument("--requests-per-minute", type=float)
    parser.add_argument("--tokens-per-minute", type=float)
    parser.add_argument("--burst-seconds", type=float, default=60)
    asyncio.run(_serve(parser.parse_args()))
