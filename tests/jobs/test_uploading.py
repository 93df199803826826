"""Uploading: the same bytes once and whole, in one request or in parts, whatever the network does."""

from __future__ import annotations

import asyncio
import dataclasses
import http.server
import json
import sqlite3
import tempfile
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import openai
import pytest

from gpt4o_tune import Dataset, DatasetError, Provider, ProviderError
from gpt4o_tune._drive import run
from gpt4o_tune.jobs.uploading import Chunking, check_expiry, ensure_file
from tests.faults import Fault, FaultyProxy, Rule
from tests.rows import routing_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from openai.types import FileObject

    from gpt4o_tune import LocalServer
    from tests.conftest import VirtualClock

IN_PARTS = Chunking(above=1000, part=1500)
WHOLE = Chunking(above=10**9)
WAYS = pytest.mark.parametrize("chunking", [WHOLE, IN_PARTS], ids=["whole", "in parts"])
UPLOADS, PARTS, COMPLETE, CANCEL = "/uploads", "/parts", "/complete", "/cancel"
FAILURES: list[Fault] = ["drop before", "drop after", "500 after", "refuse", "429", "cut body"]


@pytest.fixture
def proxy(server: LocalServer) -> Iterator[FaultyProxy]:
    """A proxy before the shared server."""
    with FaultyProxy(server.base_url) as running:
        yield running


@pytest.fixture
def behind(proxy: FaultyProxy, server: LocalServer, clock: VirtualClock) -> Provider:
    """The shared server as seen through the proxy, waiting on virtual time."""
    return dataclasses.replace(server.provider, base_url=proxy.base_url, clock=clock)


@pytest.fixture
def direct(server: LocalServer, clock: VirtualClock) -> Provider:
    """The shared server without the proxy, which hides it when a client hangs up."""
    return dataclasses.replace(server.provider, clock=clock)


@pytest.fixture
def client(server: LocalServer) -> Iterator[openai.OpenAI]:
    """An eye on the server that bypasses the proxy."""
    with openai.OpenAI(base_url=server.base_url, api_key=server.api_key) as running:
        yield running


def rows_of(name: str) -> Dataset:
    """About 10 kB that no other test uploads."""
    rows = routing_rows()
    words = [{"role": "user", "content": name}, {"role": "assistant", "content": "billing"}]
    return Dataset.from_records([{"messages": words}, *rows])


def file_of(name: str, folder: Path) -> Path:
    """The same rows as a file."""
    return rows_of(name).to_jsonl(folder / "rows.jsonl")


def upload(rows: Dataset, provider: Provider, **options: object) -> FileObject:
    """Upload through the blocking face; in parts, unless the options say otherwise."""
    options = {"chunking": IN_PARTS, **options}
    return run(ensure_file(provider.blocking(), rows, provider=provider, **options))


def copies(rows: Dataset, client: openai.OpenAI) -> list[FileObject]:
    """The files on the server with the name that these rows get."""
    return [file for file in client.files.list() if rows.fingerprint[:24] in file.filename]


def only_copy(rows: Dataset, client: openai.OpenAI, folder: Path) -> FileObject:
    """Assert that the server has the rows once, whole, and under a proper name."""
    (file,) = copies(rows, client)
    expected = rows.to_jsonl(folder / "expected.jsonl").read_bytes()
    assert client.files.content(file.id).content == expected
    assert file.filename == f"gpt4o-tune-{rows.fingerprint[:24]}-{len(expected)}.jsonl"
    return file


def parts_of(file: FileObject) -> int:
    """How many parts a file of this size has."""
    return -(-file.bytes // IN_PARTS.part)


def test_small_files_go_in_one_request_and_large_ones_in_parts(
    proxy: FaultyProxy, behind: Provider, client: openai.OpenAI, tmp_path: Path
) -> None:
    """The limit decides; either way the server has the very bytes under a name that ends in .jsonl."""
    small, large = rows_of("one request"), rows_of("in parts")
    upload(small, behind, chunking=None)
    assert proxy.count("POST", UPLOADS) == 0
    upload(large, behind)
    only_copy(small, client, tmp_path)
    assert proxy.count("POST", PARTS) == parts_of(only_copy(large, client, tmp_path)) > 4
    assert proxy.count("POST", COMPLETE) == proxy.count("POST", "/files") == 1


def test_the_same_bytes_are_sent_once(proxy: FaultyProxy, behind: Provider) -> None:
    """Rows that are there are found, in whichever way they were sent and would be sent."""
    rows = rows_of("once")
    first = upload(rows, behind)
    again = upload(Dataset.from_records(rows.records()), behind, chunking=WHOLE)
    assert first.id == again.id
    assert proxy.count("POST", COMPLETE) == 1
    assert proxy.count("POST", "/files") == 0


@WAYS
def test_the_asynchronous_face_does_the_same(
    proxy: FaultyProxy,
    behind: Provider,
    client: openai.OpenAI,
    tmp_path: Path,
    chunking: Chunking,
) -> None:
    """One coroutine serves both faces: same bytes, same repeats, and the same errors, not in groups."""
    rows, refused = rows_of(f"async {chunking.above}"), rows_of(f"async refused {chunking.above}")

    async def both() -> None:
        gateway = behind.asynchronous()
        proxy.rules += [Rule("POST", end, ["drop after"]) for end in (PARTS, COMPLETE, "/files")]
        await ensure_file(gateway, rows, provider=behind, chunking=chunking)
        proxy.rules += [Rule("POST", end, ["refuse"] * 1000) for end in (PARTS, "/files")]
        with pytest.raises(openai.InternalServerError):
            await ensure_file(gateway, refused, provider=behind, chunking=chunking)
        await behind.close_async()

    asyncio.run(both())
    only_copy(rows, client, tmp_path)
    assert copies(refused, client) == []


@pytest.mark.parametrize("fault", FAILURES)
@pytest.mark.parametrize("path_end", [UPLOADS, PARTS, COMPLETE])
def test_a_failing_request_of_an_upload_makes_one_file(
    proxy: FaultyProxy,
    behind: Provider,
    client: openai.OpenAI,
    tmp_path: Path,
    path_end: str,
    fault: Fault,
) -> None:
    """Whether or not the server had acted, there is one file with the right bytes afterwards."""
    proxy.rules.append(Rule("POST", path_end, [fault, fault]))
    rows = rows_of(f"{path_end} {fault}")

    file = upload(rows, behind)

    assert only_copy(rows, client, tmp_path).id == file.id
    again = 2 if path_end == PARTS else 0
    assert proxy.count("POST", PARTS) == parts_of(file) + again, "only lost parts are sent again"
    assert proxy.count("POST", CANCEL) == 0


@pytest.mark.parametrize("path_end", [PARTS, COMPLETE])
def test_an_upload_that_cannot_be_finished_is_cancelled(
    proxy: FaultyProxy, behind: Provider, server: LocalServer, client: openai.OpenAI, path_end: str
) -> None:
    """The client's error comes through after bounded patience, and the server keeps nothing."""
    proxy.rules.append(Rule("POST", path_end, ["drop before"] * 1000))
    rows = rows_of(f"unfinished {path_end}")
    before = set((server.data_dir / "uploads").iterdir())

    with pytest.raises(openai.APIConnectionError):
        upload(rows, behind)

    assert proxy.count("POST", CANCEL) == 1
    assert copies(rows, client) == []
    assert set((server.data_dir / "uploads").iterdir()) == before


def test_a_server_that_is_gone_leaves_the_first_error(proxy: FaultyProxy, behind: Provider) -> None:
    """Where even the cancellation fails, what is raised is why the upload failed."""
    proxy.rules.append(Rule("POST", COMPLETE, ["429"] * 1000))
    proxy.rules.append(Rule("POST", CANCEL, ["drop before"] * 1000))
    with pytest.raises(openai.RateLimitError):
        upload(rows_of("gone"), behind)


@WAYS
def test_a_file_that_holds_just_the_rows_is_not_copied(
    server: LocalServer,
    client: openai.OpenAI,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    chunking: Chunking,
) -> None:
    """The rows are read from their own file; no room for a copy is needed."""
    rows = Dataset.from_jsonl(file_of(f"no copy {chunking.above}", tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "there is no such folder"))
    upload(rows, server.provider, chunking=chunking)
    only_copy(rows, client, tmp_path)
    with pytest.raises(FileNotFoundError):
        upload(rows[1:], server.provider, chunking=chunking)


@pytest.mark.parametrize("shape", ["bom", "blank", "unended", "slice", "moved", "replaced", "gone"])
def test_what_is_sent_is_what_to_jsonl_writes(
    server: LocalServer, client: openai.OpenAI, tmp_path: Path, shape: str
) -> None:
    """Byte order marks and blank lines stay out, chosen rows keep their order, a new file is not taken."""
    path = file_of(f"exact {shape}", tmp_path)
    content = path.read_bytes()
    if shape == "bom":
        path.write_bytes(b"\xef\xbb\xbf" + content)
    elif shape == "blank":
        path.write_bytes(content.replace(b"\n", b"\n\n", 3))
    elif shape == "unended":
        path.write_bytes(content[:-1])
    rows = Dataset.from_jsonl(path)
    if shape == "slice":
        rows = rows[:20]
    elif shape == "moved":
        rows = rows.select([*range(len(rows) - 2, -1, -1), len(rows) - 1])
    elif shape == "replaced":
        rows_of("of the new file").to_jsonl(path)
    elif shape == "gone":
        path.unlink()
    upload(rows, server.provider)
    only_copy(rows, client, tmp_path)


@WAYS
def test_rows_written_to_while_they_are_sent_are_not_sent(
    direct: Provider, client: openai.OpenAI, tmp_path: Path, chunking: Chunking
) -> None:
    """No file appears under a hash that is not its own, and the message says what happened."""
    path = file_of(f"written to {chunking.above}", tmp_path)
    rows = Dataset.from_jsonl(path)
    fingerprint = rows.fingerprint

    def spoil(sent: int, total: int) -> None:
        with path.open("ab") as file:
            file.write(b"{}\n")

    with pytest.raises(DatasetError, match="written to while it was sent"):
        upload(rows, direct, chunking=chunking, on_progress=spoil)
    assert [file for file in client.files.list() if fingerprint[:24] in file.filename] == []


@WAYS
def test_progress_never_falls_and_ends_at_the_whole(
    proxy: FaultyProxy, behind: Provider, chunking: Chunking
) -> None:
    """Bytes that were sent twice count once; a file that is there already needs no progress."""
    proxy.rules.append(Rule("POST", PARTS, ["drop before"]))
    calls: list[tuple[int, int]] = []
    rows = rows_of(f"progress {chunking.above}")

    def record(sent: int, total: int) -> None:
        calls.append((sent, total))

    file = upload(rows, behind, chunking=chunking, on_progress=record)
    sent = [each for each, _ in calls]
    assert sent == sorted(set(sent))
    assert calls[-1] == (file.bytes, file.bytes)
    assert len(calls) == (1 if chunking is WHOLE else parts_of(file))
    calls.clear()
    upload(rows, behind, chunking=chunking, on_progress=record)
    assert calls == []


@WAYS
@pytest.mark.parametrize("kind", [LookupError, KeyboardInterrupt])
def test_what_the_callback_raises_comes_through(
    direct: Provider,
    clock: VirtualClock,
    client: openai.OpenAI,
    kind: type[BaseException],
    chunking: Chunking,
) -> None:
    """A fault of the caller is not taken for one of the network, and nothing goes on behind it."""
    rows = rows_of(f"callback {kind} {chunking.above}")

    def fail(sent: int, total: int) -> None:
        raise kind("in the callback")

    with pytest.raises(kind, match="in the callback"):
        upload(rows, direct, chunking=chunking, on_progress=fail)
    for thread in threading.enumerate():
        if thread.name.startswith("gpt4o-tune_"):
            thread.join(10)
            assert not thread.is_alive()
    assert clock.seconds < 5, "a fault of our own is not waited for as if it were the network's"
    assert copies(rows, client) == []


@WAYS
def test_a_file_can_be_given_an_end(server: LocalServer, chunking: Chunking) -> None:
    """`expires_after` reaches the service."""
    rows = rows_of(f"expiry {chunking.above}")
    file = upload(rows, server.provider, chunking=chunking, expires_after=86_400)
    assert file.expires_at == file.created_at + 86_400


def test_an_end_out_of_range_is_refused_before_any_request(
    proxy: FaultyProxy, behind: Provider
) -> None:
    """OpenAI keeps files for an hour to 30 days, Azure for 14 to 30 days."""
    with pytest.raises(ValueError, match="3600 to 2592000 seconds"):
        upload(rows_of("expiry"), behind, expires_after=60)
    azure = Provider.azure("https://example.openai.azure.com", api_key="k")
    with pytest.raises(ValueError, match="14 to 30 days"):
        check_expiry(86_400, provider=azure)
    check_expiry(14 * 86_400, provider=azure)
    check_expiry(None, provider=azure)
    assert proxy.requests == []


def test_a_file_that_is_about_to_expire_is_not_taken_again(server: LocalServer) -> None:
    """A job might find it gone, so the rows are sent once more."""
    rows = rows_of("expiring")
    first = upload(rows, server.provider, expires_after=3600)
    assert upload(rows, server.provider).id == first.id
    with sqlite3.connect(server.data_dir / "state.db") as connection:
        soon = int(time.time()) + 600
        connection.execute("UPDATE files SET expires_at = ? WHERE id = ?", (soon, first.id))
    connection.close()
    assert upload(rows, server.provider).id != first.id


@contextmanager
def serving(answer: Callable[[str, str], dict[str, object] | int | None]) -> Iterator[str]:
    """A service that answers each method and path with fields, with a status, or by hanging up."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def serve(self) -> None:
            self.rfile.read(int(self.headers.get("content-length") or 0))
            given = answer(self.command, self.path.split("?")[0].removeprefix("/v1"))
            if given is None:
                return
            fields = given if isinstance(given, dict) else {"error": {"message": "no"}}
            body = json.dumps(fields).encode()
            self.send_response(given if isinstance(given, int) else 200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = serve

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base's name
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/v1"
        finally:
            server.shutdown()
            thread.join()


def listing(*files: dict[str, object]) -> dict[str, object]:
    """A page of files."""
    return {"object": "list", "data": [*files], "has_more": False}


def passing_through(*states: dict[str, object]) -> AbstractContextManager[str]:
    """A service without uploads whose one file takes these states, one more with every look."""
    left = [*states]
    file = {"id": "file-1", "object": "file", "created_at": 1, "purpose": "fine-tune"}

    def answer(method: str, path: str) -> dict[str, object] | int | None:
        if path == "/uploads":
            return 404
        if (method, path) == ("GET", "/files"):
            return listing()
        looked = method == "GET" and len(left) > 1
        return {**file, **(left.pop(0) if looked else left[0])}

    return serving(answer)


def needing(base_url: str, clock: VirtualClock) -> Provider:
    """A service whose jobs need processed files."""
    provider = Provider.compatible(base_url, api_key="k")
    profile = dataclasses.replace(provider.profile, needs_processed_file=True)
    return dataclasses.replace(provider, profile=profile, clock=clock)


def test_the_wait_for_processing_ends_well_or_with_the_services_reason(
    clock: VirtualClock,
) -> None:
    """Unknown states keep waiting; `error` raises with the detail; a deadline bounds the wait."""
    unknown = {"status": "pending"}
    with passing_through(*[unknown] * 5, {"status": "processed"}) as base_url:
        file = upload(rows_of("fine"), needing(base_url, clock), chunking=WHOLE)
        assert (file.status, len(clock.sleeps)) == ("processed", 6)
    rejected = passing_through(unknown, {"status": "error", "status_details": "line 7 is odd"})
    with rejected as base_url, pytest.raises(DatasetError, match="line 7 is odd"):
        upload(rows_of("odd"), needing(base_url, clock), chunking=WHOLE)
    began = clock.now()
    with passing_through(unknown) as base_url, pytest.raises(ProviderError, match="after 1800 s"):
        upload(rows_of("stuck"), needing(base_url, clock), chunking=WHOLE)
    assert 1800 <= clock.now() - began < 1830


def test_a_service_without_uploads_says_so(clock: VirtualClock) -> None:
    """Rows that would have to go in parts are refused with a reason and a way out."""
    with passing_through({"status": "processed"}) as base_url:
        provider = needing(base_url, clock)
        with pytest.raises(ProviderError, match=r"no Uploads API.*fewer rows"):
            upload(rows_of("no uploads"), provider)


def test_a_completion_that_shows_late_is_found_where_the_second_is_refused(
    clock: VirtualClock,
) -> None:
    """The first completion was lost but took effect; the list lags behind; no second file is made."""
    rows = rows_of("late")
    size = sum(len(rows.raw(number)) + 1 for number in range(len(rows)))
    file = {
        "id": "file-1",
        "object": "file",
        "bytes": size,
        "created_at": 1,
        "filename": f"gpt4o-tune-{rows.fingerprint[:24]}-{size}.jsonl",
        "purpose": "fine-tune",
        "status": "processed",
    }
    completions: list[str] = []

    def answer(method: str, path: str) -> dict[str, object] | int | None:
        if path == "/files":
            return listing(file) if len(completions) == 2 else listing()
        if path.endswith(COMPLETE):
            completions.append(path)
            return None if len(completions) == 1 else 400
        return {"id": "part_1" if path.endswith(PARTS) else "upload_1", "created_at": 1}

    with serving(answer) as base_url:
        assert upload(rows, needing(base_url, clock)).id == "file-1"
    assert len(completions) == 2
