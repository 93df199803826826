"""Images behind addresses are looked at once, within bounds, and never inside the own network unasked."""

from __future__ import annotations

import asyncio
import socketserver
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from gpt4o_tune import Dataset
from gpt4o_tune.data.checks import RULES
from tests.data.cases import PNG, image, jpeg, many, pair, png, showing, user
from tests.providers.stub import Answer, Request, StubServer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gpt4o_tune.data import CheckReport

LARGE = b"\x89PNG" + PNG[4:] + bytes(10_000_000)
CASES = {
    "gone": (Answer(b"", 404), "unreachable-image"),
    "loop": (Answer(b"", 302, {"location": "/loop"}), "unreachable-image"),
    "page": (Answer(b"<html>", headers={"content-type": "text/html"}), "fetched-no-image"),
    "moving": (Answer(b"GIF89a" + bytes(20)), "fetched-no-image"),
    "large": (Answer(LARGE, headers={"content-type": "image/png"}), "fetched-too-large"),
    "unsized": (
        Answer(
            LARGE,
            headers={"content-type": "image/png", "content-length": None, "connection": "close"},
        ),
        "fetched-too-large",
    ),
    "grey": (Answer(png(0), headers={"content-type": "image/png"}), "fetched-wrong-mode"),
    "other": (Answer(PNG, headers={"content-type": "image/jpeg"}), "fetched-wrong-type"),
}
SOUND = {
    "png": Answer(PNG, headers={"content-type": "image/png"}),
    "jpg": Answer(jpeg(), headers={"content-type": "image/jpg; charset=binary"}),
    "plain": Answer(PNG, headers={"content-type": "application/octet-stream"}),
    "moved": Answer(b"", 301, {"location": "/png"}),
}


def gallery(request: Request) -> Answer:
    """Serve every picture of the tables above."""
    name = request.path.removeprefix("/")
    return CASES[name][0] if name in CASES else SOUND[name]


@pytest.fixture
def stub() -> Iterator[StubServer]:
    """A server of pictures."""
    with StubServer(gallery) as server:
        yield server


def rows_at(*urls: str) -> Dataset:
    """Make one row per address."""
    return Dataset.from_records([row for url in urls for row in showing(image(url))])


def both_faces(data: Dataset, **arguments: float) -> CheckReport:
    """Probe by the blocking face and by the other, which must agree."""
    report = data.probe_images(**arguments)  # type: ignore[arg-type]
    assert asyncio.run(data.probe_images_async(**arguments)) == report  # type: ignore[arg-type]
    return report


@pytest.mark.parametrize("name", CASES)
def test_a_fault_behind_an_address_is_named(stub: StubServer, name: str) -> None:
    """The problem stands on the row that shows the image; sound images have none."""
    sound = [f"{stub.url}/{other}" for other in SOUND]
    report = both_faces(rows_at(*sound, f"{stub.url}/{name}"), allow_private=True)

    (problem,) = report.problems
    assert (problem.code, problem.line) == (CASES[name][1], 1 + len(SOUND))
    assert problem.path == "messages[0].content[1].image_url.url"
    assert report.rows == 1 + len(SOUND)


def test_every_rule_on_addresses_has_a_case() -> None:
    """No rule goes untested."""
    assert {code for _, code in CASES.values()} == {
        rule.code for rule in RULES if rule.subject == "fetched"
    }


def test_an_address_is_asked_once_and_without_secrets(stub: StubServer) -> None:
    """However many rows show it; each of them has the problem."""
    data = rows_at(*[f"{stub.url}/gone"] * 3)

    report = data.probe_images(allow_private=True)

    assert [problem.line for problem in report.problems] == [1, 2, 3]
    (request,) = stub.requests
    assert request.method == "GET"
    assert not {"authorization", "cookie"} & set(request.headers)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.1", "[::1]"])
def test_the_own_network_is_not_asked(stub: StubServer, host: str) -> None:
    """Neither by number, nor by name, nor by a name that only resolving shows to be local."""
    port = stub.url.rpartition(":")[2]

    report = both_faces(rows_at(f"http://{host}:{port}/png"))

    assert [problem.code for problem in report.problems] == ["unreachable-image"]
    assert "not fetched" in report.problems[0].message
    assert stub.requests == []


def test_nothing_at_an_address_is_a_problem_and_no_exception() -> None:
    """A closed port, and an address that is none."""
    data = rows_at("http://127.0.0.1:9/a.png", "http://[::1/a.png", "http://a:99999/a.png")

    report = both_faces(data, allow_private=True)

    assert [problem.code for problem in report.problems] == ["unreachable-image"] * 3


def test_a_silent_server_is_given_up(stub: StubServer) -> None:
    """The whole answer has to come within the timeout."""
    released = threading.Event()

    def silent(request: Request) -> Answer:
        released.wait(10)
        return SOUND["png"]

    with StubServer(silent) as server:
        report = rows_at(f"{server.url}/png").probe_images(allow_private=True, timeout=0.1)
        released.set()

    assert "within 0.1 s" in report.problems[0].message


@contextmanager
def pouring(head: bytes) -> Iterator[str]:
    """Serve an image that never ends."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.recv(4096)
            self.request.sendall(b"HTTP/1.1 200 OK\r\ncontent-type: image/jpeg\r\n\r\n" + head)
            try:
                while True:
                    self.request.sendall(bytes(1 << 16))
            except OSError:
                pass

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/a.jpg"
        server.shutdown()
        thread.join()


def test_reading_ends_at_the_limit() -> None:
    """No address can fill the memory or hold the check."""
    with pouring(jpeg()) as url:
        report = both_faces(rows_at(url), allow_private=True)

    assert [problem.code for problem in report.problems] == ["fetched-too-large"]


def test_rows_without_addresses_ask_nobody(stub: StubServer) -> None:
    """Text, data URLs and unreadable lines are nothing to fetch; pairs are looked through too."""
    assert Dataset.from_records(many(3)).probe_images().ok
    data = Dataset.from_records(pair(input={"messages": [user([image(f"{stub.url}/gone")])]}))
    (problem,) = data.probe_images(allow_private=True).problems
    assert problem.path == "input.messages[0].content[0].image_url.url"


@pytest.mark.parametrize("arguments", [{"timeout": 0}, {"at_once": 0}])
def test_a_senseless_setting_is_refused(arguments: dict[str, float]) -> None:
    """Before anything is asked."""
    with pytest.raises(ValueError, match="must be positive"):
        Dataset.from_records(many(1)).probe_images(**arguments)  # type: ignore[arg-type]
