"""Files: what goes up comes down, is listed, and goes."""

from __future__ import annotations

import io
import itertools
from typing import TYPE_CHECKING

import httpx
import openai
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openai.types import FileDeleted, FileObject

from tests.local.conftest import ROWS, jsonl

if TYPE_CHECKING:
    from gpt4o_tune import LocalServer
    from tests.local.conftest import Desk


def test_a_file_object_is_what_the_client_expects(desk: Desk) -> None:
    """Each answer of the resource passes openai's own models strictly."""
    files = desk.client.files.with_raw_response
    created = files.create(file=("rows.jsonl", jsonl(ROWS)), purpose="fine-tune")
    file = FileObject.model_validate_json(created.text, strict=True)
    assert file.bytes == len(jsonl(ROWS))
    assert (file.filename, file.purpose, file.status) == ("rows.jsonl", "fine-tune", "processed")
    retrieved = FileObject.model_validate_json(files.retrieve(file.id).text, strict=True)
    assert retrieved == file
    deleted = FileDeleted.model_validate_json(files.delete(file.id).text, strict=True)
    assert deleted.deleted
    with pytest.raises(openai.NotFoundError, match=file.id):
        desk.client.files.retrieve(file.id)
    with pytest.raises(openai.NotFoundError):
        desk.client.files.content(file.id)
    with pytest.raises(openai.NotFoundError):
        desk.client.files.delete(file.id)


@settings(
    deadline=None, max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    content=st.binary(max_size=3_000),
    name=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20),
)
def test_any_bytes_come_back_as_they_went(desk: Desk, content: bytes, name: str) -> None:
    """Upload and download are exact, whatever the bytes and the name are."""
    file = desk.client.files.create(file=(name, io.BytesIO(content)), purpose="user_data")
    assert file.bytes == len(content)
    assert desk.client.files.content(file.id).content == content


def test_content_with_the_boundary_inside_is_exact(server: LocalServer) -> None:
    """Lines that look like the form's own are content."""
    content = b"--frontier\r\n\r\n--frontie\r\n--frontier-\r" * 5_000
    body = (
        b"--frontier2\r\nContent-Disposition: form-data; name=purpose\r\n\r\nuser_data\r\n"
        b'--frontier2\r\nContent-Disposition: form-data; name="file"; filename="a b.txt"\r\n'
        b"Content-Type: text/plain\r\n\r\n" + content + b"\r\n--frontier2--\r\n"
    )
    headers = {
        "authorization": f"Bearer {server.api_key}",
        "content-type": "multipart/form-data; boundary=frontier2",
    }
    response = httpx.post(f"{server.base_url}/files", headers=headers, content=body)
    assert response.json()["filename"] == "a b.txt"
    url = f"{server.base_url}/files/{response.json()['id']}/content"
    assert httpx.get(url, headers=headers).content == content


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"", "multipart/form-data; boundary=x"),
        (b"--x\r\n", "multipart/form-data; boundary=x"),
        (b"no boundary at all", "multipart/form-data; boundary=x"),
        (b"{}", "application/json"),
        (b"--x--", "multipart/form-data"),
        (
            b'--x\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nvision\r\n--x--\r\n',
            "multipart/form-data; boundary=x",
        ),
        (
            b'--x\r\nContent-Disposition: form-data; name="purpose"\r\n\r\n'
            + b"p" * 70_000
            + b"\r\n--x--\r\n",
            "multipart/form-data; boundary=x",
        ),
    ],
    ids=["empty", "cut", "garbage", "json", "no-boundary", "no-file", "long-field"],
)
def test_a_malformed_upload_is_refused_and_leaves_nothing(
    server: LocalServer, body: bytes, kind: str
) -> None:
    """Bad forms get a 400 and no file on disk."""
    headers = {"authorization": f"Bearer {server.api_key}", "content-type": kind}
    response = httpx.post(f"{server.base_url}/files", headers=headers, content=body)
    assert response.status_code == 400
    assert response.json()["error"]["message"]
    assert not [*(server.data_dir / "files").glob("*.part")]


@pytest.mark.slow
def test_a_file_beyond_the_limit_is_refused_in_the_envelope(server: LocalServer) -> None:
    """The client hears of the limit although it is still sending, and nothing is kept."""
    parts = [b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.bin"\r\n\r\n']
    headers = {
        "authorization": f"Bearer {server.api_key}",
        "content-type": "multipart/form-data; boundary=x",
    }
    body = itertools.chain(parts, itertools.repeat(bytes(2**20), 513), [b"\r\n--x--\r\n"])
    url = f"{server.base_url}/files"
    response = httpx.post(url, headers=headers, content=body, timeout=120)
    assert response.status_code == 413
    assert "512 MB" in response.json()["error"]["message"]
    assert not [*(server.data_dir / "files").glob("*.part")]


def test_fine_tuning_files_must_be_jsonl(desk: Desk) -> None:
    """The name and the first line are looked at, as on the real service."""
    with pytest.raises(openai.BadRequestError, match=r"Must be \.jsonl"):
        desk.upload(jsonl(ROWS), name="rows.csv")
    with pytest.raises(openai.BadRequestError, match="every line is a JSON dictionary"):
        desk.upload(b"prompt,completion\n")
    with pytest.raises(openai.BadRequestError, match="every line is a JSON dictionary"):
        desk.upload(b"[1, 2]\n")
    with pytest.raises(openai.BadRequestError, match="purpose"):
        desk.client.files.create(file=("a.jsonl", b"{}"), purpose="knitting")


def test_the_expiry_is_kept_and_bounded(desk: Desk) -> None:
    """`expires_after` counts from the creation, within the range of the catalog."""
    create = desk.client.files.create
    anchor = {"anchor": "created_at", "seconds": 3_600}
    file = create(file=("a.txt", b"x"), purpose="user_data", expires_after=anchor)
    assert file.expires_at == file.created_at + 3_600
    with pytest.raises(openai.BadRequestError, match="3600"):
        create(file=("a.txt", b"x"), purpose="user_data", expires_after={**anchor, "seconds": 1})


def test_pages_cover_each_file_once_in_order(desk: Desk) -> None:
    """Paging in both directions finds the same files, whatever the size of a page."""
    made = [
        desk.client.files.create(file=(f"{number}.txt", b"x"), purpose="vision").id
        for number in range(5)
    ]
    for limit in (1, 2, 5, 100):
        newest_first = [file.id for file in desk.client.files.list(purpose="vision", limit=limit)]
        assert newest_first == made[::-1]
    oldest_first = desk.client.files.list(purpose="vision", order="asc", limit=2)
    assert [file.id for file in oldest_first] == made
    page = desk.client.files.list(purpose="vision", limit=2)
    assert page.has_more
    assert len(page.data) == 2
    with pytest.raises(openai.BadRequestError):
        desk.client.files.list(after="file-unknown")


@pytest.mark.parametrize("purpose", ["assistants", "batch", "vision", "user_data", "evals"])
def test_every_purpose_of_a_client_is_taken(desk: Desk, purpose: str) -> None:
    """The file is listed under its purpose; those of the server's own files are not for clients."""
    file = desk.client.files.create(file=("a.jsonl", b"{}"), purpose=purpose)
    assert file.purpose == purpose
    assert desk.client.files.list(purpose=purpose, limit=1).data == [file]
    for own in ("batch_output", "fine-tune-results"):
        with pytest.raises(openai.BadRequestError, match=purpose):
            desk.client.files.create(file=("a.jsonl", b"{}"), purpose=own)
