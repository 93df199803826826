"""What the world does to a server: full disks, closed folders, endless bodies, odd identifiers."""

from __future__ import annotations

import contextlib
import os
import resource
import subprocess
import sys
from typing import TYPE_CHECKING
from urllib.parse import quote

import httpx
import openai
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gpt4o_tune import LocalServer
from tests.local.conftest import ROWS, desk_at, jsonl
from tests.local.test_recovery import served

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MB = 1024 * 1024


@contextlib.contextmanager
def files_at_most(size: int, pid: int) -> Iterator[None]:
    """Let a process write no file beyond a size: the nearest thing to a full disk that needs no disk."""
    before = resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, before)


def test_a_full_disk_is_told_and_nothing_is_half_kept(tmp_path: Path) -> None:
    """The answer is 507 with advice; afterwards the same request succeeds."""
    content = jsonl(ROWS) * 1_500
    assert len(content) > 2 * MB
    with served(tmp_path) as (desk, process):
        files, uploads = desk.client.files, desk.client.uploads
        upload = uploads.create(
            bytes=len(content), filename="a.bin", mime_type="x/y", purpose="user_data"
        )
        with files_at_most(2 * MB, process.pid):
            with pytest.raises(
                openai.InternalServerError, match="disk of the local server is full"
            ):
                desk.upload(content)
            halves = [content[:MB], content[MB : 2 * MB], content[2 * MB :]]
            parts = [uploads.parts.create(upload.id, data=half).id for half in halves]
            with pytest.raises(openai.InternalServerError) as caught:
                uploads.complete(upload.id, part_ids=parts)
            assert (caught.value.status_code, caught.value.code) == (507, "insufficient_storage")
            assert [*files.list()] == []
            assert [*(tmp_path / "files").iterdir()] == []
            assert {path.name for path in (tmp_path / "uploads").iterdir()} == {*parts}
            small = files.create(file=("a.txt", b"small"), purpose="user_data")
        file = uploads.complete(upload.id, part_ids=parts).file
        assert file
        assert files.content(file.id).content == content
        assert {each.id for each in files.list()} == {small.id, file.id}


def test_a_database_that_cannot_grow_is_told(tmp_path: Path) -> None:
    """What the database refuses is an error in the envelope, and the server goes on."""
    with served(tmp_path) as (desk, process):
        with files_at_most(0, process.pid), pytest.raises(openai.InternalServerError) as caught:
            desk.client.uploads.create(bytes=1, filename="a", mime_type="x/y", purpose="user_data")
        assert caught.value.code in ("insufficient_storage", "storage_not_writable")
        assert desk.client.files.create(file=("a.txt", b"x"), purpose="user_data").id


def test_a_folder_that_is_none_is_told(tmp_path: Path) -> None:
    """The command and the class say which folder it is and what to do."""
    path = tmp_path / "file"
    path.write_text("not a folder")
    with pytest.raises(OSError, match=r"cannot use the data folder .*file"):
        LocalServer(path / "below").start()
    command = [sys.executable, "-m", "gpt4o_tune.local", "--data-dir", str(path)]
    refused = subprocess.run(command, capture_output=True, text=True)
    assert refused.returncode == 2
    assert "cannot use the data folder" in refused.stderr
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "state.db").write_bytes(b"no database at all" * 100)
    with pytest.raises(OSError, match="cannot use the data folder"):
        LocalServer(tmp_path / "data").start()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_the_right_to_write_is_told(tmp_path: Path) -> None:
    """At the start as an error of the call, later as an error of the request."""
    with LocalServer(tmp_path) as server, desk_at(server.base_url, server.api_key).client as client:
        (tmp_path / "files").chmod(0o500)
        with pytest.raises(openai.InternalServerError, match="cannot write to its data folder"):
            client.files.create(file=("a.txt", b"x"), purpose="user_data")
        (tmp_path / "files").chmod(0o700)
        assert client.files.create(file=("a.txt", b"x"), purpose="user_data").id
    tmp_path.chmod(0o500)
    with pytest.raises(OSError, match="Choose a folder that can be written to"):
        LocalServer(tmp_path / "new").start()
    tmp_path.chmod(0o700)


@pytest.mark.parametrize(
    "path",
    [
        "/chat/completions",
        "/fine_tuning/jobs",
        "/fine_tuning/alpha/graders/run",
        "/fine_tuning/alpha/graders/validate",
        "/fine_tuning/checkpoints/x/permissions",
        "/uploads",
        "/uploads/x/complete",
        "/batches",
        "/moderations",
    ],
)
def test_no_json_body_is_endless(server: LocalServer, path: str) -> None:
    """17 MB are refused whatever the route, without being kept."""
    headers = {"authorization": f"Bearer {server.api_key}"}
    body = b'{"a": "' + b" " * (17 * MB) + b'"}'
    response = httpx.post(server.base_url + path, headers=headers, content=body, timeout=30)
    assert response.status_code == 413
    assert "16 MB" in response.json()["error"]["message"]


ODD = [
    "..",
    "../../state.db",
    "/etc/passwd",
    "\0",
    "a\0b",
    "%2e%2e",
    "x" * 3_000,
    "'; DROP TABLE jobs",
    "🦊",
    " ",
    "~",
]
IDS = st.sampled_from(ODD) | st.text(
    st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30
)
ROUTES = [
    ("GET", "/files/{}"),
    ("GET", "/files/{}/content"),
    ("DELETE", "/files/{}"),
    ("GET", "/files?after={}"),
    ("POST", "/uploads/{}/cancel"),
    ("GET", "/fine_tuning/jobs/{}"),
    ("GET", "/fine_tuning/jobs?after={}"),
    ("POST", "/fine_tuning/jobs/{}/cancel"),
    ("POST", "/fine_tuning/jobs/{}/resume"),
    ("GET", "/fine_tuning/jobs/{}/events"),
    ("GET", "/fine_tuning/jobs/{}/checkpoints"),
    ("GET", "/fine_tuning/checkpoints/{}/permissions"),
    ("DELETE", "/fine_tuning/checkpoints/x/permissions/{}"),
    ("GET", "/models/{}"),
    ("DELETE", "/models/{}"),
    ("GET", "/batches/{}"),
    ("GET", "/batches?after={}"),
    ("POST", "/batches/{}/cancel"),
]
BODIES = [
    ("/fine_tuning/jobs", {"model": "gpt-4o-2024-08-06", "training_file": None}),
    ("/fine_tuning/jobs", {"model": None, "training_file": "file-x"}),
    (
        "/batches",
        {
            "input_file_id": None,
            "endpoint": "/v1/chat/completions",
            "completion_window": "24h",
        },
    ),
    ("/chat/completions", {"model": None, "messages": [{"role": "user", "content": "a"}]}),
    ("/moderations", {"model": None, "input": "a"}),
]


def laid_out(folder: Path) -> set[Path]:
    """Everything below a folder and beside it, the database's own files apart."""
    return {
        path for path in folder.parent.glob(f"{folder.name}*/**/*") if "state.db" not in path.name
    }


@settings(
    deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(odd=IDS)
def test_no_identifier_reaches_the_disk(server: LocalServer, odd: str) -> None:
    """Every route that takes an id refuses an unknown one, and no file comes, goes or is shown."""
    headers = {"authorization": f"Bearer {server.api_key}"}
    before = laid_out(server.data_dir)
    with httpx.Client(headers=headers, timeout=30) as client:
        for method, path in ROUTES:
            for written in {quote(odd, safe=""), quote(odd, safe="/.")}:
                # Written by hand, so that the client does not resolve the dots.
                target = f"{httpx.URL(server.base_url).raw_path.decode()}{path.format(written)}"
                url = httpx.URL(server.base_url).copy_with(raw_path=target.encode())
                response = client.request(method, url)
                if response.status_code != 200:
                    assert response.status_code in (400, 404, 405, 403), (method, path, odd)
                    assert response.json()["error"]["message"]
                else:  # A path without its last part is a listing, or `?after=` was left empty.
                    assert response.json()["object"] == "list"
        for path, body in BODIES:
            filled = {key: odd if value is None else value for key, value in body.items()}
            response = client.post(server.base_url + path, json=filled)
            assert response.status_code in (400, 404), (path, odd)
    assert laid_out(server.data_dir) == before
