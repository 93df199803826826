"""Uploads: parts in any order become one file, and nothing else does."""

from __future__ import annotations

import contextlib
import hashlib
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import httpx
import openai
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openai.types import FileObject, Upload
from openai.types.uploads import UploadPart

from gpt4o_tune import LocalServer
from gpt4o_tune.local.store import Store
from tests.local.conftest import ROWS, desk_at, jsonl
from tests.local.test_recovery import served

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tests.local.conftest import Desk

CONTENT = jsonl(ROWS)


def open_upload(desk: Desk, size: int = len(CONTENT), **options: object) -> Upload:
    """A pending upload of a training file."""
    return desk.client.uploads.create(
        **{
            "bytes": size,
            "filename": "rows.jsonl",
            "mime_type": "text/jsonl",
            "purpose": "fine-tune",
            **options,
        }
    )


def send(desk: Desk, upload: Upload, pieces: Sequence[bytes]) -> list[str]:
    """Add parts one after the other and return their ids."""
    return [desk.client.uploads.parts.create(upload.id, data=piece).id for piece in pieces]


def halves() -> list[bytes]:
    """The content in two pieces."""
    return [CONTENT[:1000], CONTENT[1000:]]


def stored(server: LocalServer) -> set[str]:
    """The names of what lies in the folder of parts."""
    return {path.name for path in (server.data_dir / "uploads").iterdir()}


def test_objects_are_what_the_client_expects(desk: Desk) -> None:
    """Each answer of the resource passes openai's own models strictly."""
    uploads = desk.client.uploads.with_raw_response
    described = {"bytes": len(CONTENT), "filename": "rows.jsonl", "mime_type": "text/jsonl"}
    created = uploads.create(**described, purpose="fine-tune")
    upload = Upload.model_validate_json(created.text, strict=True)
    assert (upload.status, upload.bytes, upload.file) == ("pending", len(CONTENT), None)
    assert upload.expires_at == upload.created_at + 3600
    added = uploads.parts.create(upload.id, data=CONTENT)
    part = UploadPart.model_validate_json(added.text, strict=True)
    assert part.upload_id == upload.id
    done = uploads.complete(upload.id, part_ids=[part.id])
    completed = Upload.model_validate_json(done.text, strict=True)
    assert completed.status == "completed"
    retrieved = desk.client.files.with_raw_response.retrieve(completed.file.id)
    assert completed.file == FileObject.model_validate_json(retrieved.text, strict=True)
    assert (completed.file.filename, completed.file.purpose) == ("rows.jsonl", "fine-tune")
    other = open_upload(desk)
    cancelled = Upload.model_validate_json(uploads.cancel(other.id).text, strict=True)
    assert (cancelled.id, cancelled.status) == (other.id, "cancelled")


def test_the_official_chunked_upload_works(desk: Desk, tmp_path: Path) -> None:
    """The client's own `upload_file_chunked` sends a file that a job then trains on."""
    path = tmp_path / "rows.jsonl"
    path.write_bytes(CONTENT)
    upload = desk.client.uploads.upload_file_chunked(
        file=path,
        mime_type="text/jsonl",
        purpose="fine-tune",
        part_size=700,
        md5=hashlib.md5(CONTENT, usedforsecurity=False).hexdigest(),
    )
    assert upload.file
    assert desk.client.files.content(upload.file.id).content == CONTENT
    job = desk.finished(desk.create(upload.file.id, n_epochs=1).id)
    assert job.status == "succeeded"


@settings(
    deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(pieces=st.lists(st.binary(max_size=500), min_size=1, max_size=6), draw=st.data())
def test_any_parts_in_any_order_become_the_bytes_named(
    desk: Desk, server: LocalServer, pieces: list[bytes], draw: st.DataObject
) -> None:
    """Parts sent at the same time are joined in the order of the completion."""
    content = b"".join(pieces)
    upload = open_upload(desk, len(content), filename="a.bin", purpose="user_data")
    arrival = draw.draw(st.permutations(range(len(pieces))))
    with ThreadPoolExecutor(4) as pool:
        added = pool.map(lambda index: send(desk, upload, [pieces[index]])[0], arrival)
    ids = dict(zip(arrival, added, strict=True))
    done = desk.client.uploads.complete(upload.id, part_ids=[ids[i] for i in range(len(pieces))])
    assert done.file
    assert done.file.bytes == len(content)
    assert desk.client.files.content(done.file.id).content == content
    assert not stored(server) & set(ids.values())


def test_a_completion_that_does_not_add_up_changes_nothing(desk: Desk) -> None:
    """Each fault is a 400 that names the field; the upload stays open and can still be completed."""
    upload = open_upload(desk)
    first, second = send(desk, upload, halves())
    (foreign,) = send(desk, open_upload(desk), [CONTENT])
    complete = desk.client.uploads.complete
    cases = {
        "unknown": [first, "part_unknown"],
        "of another upload": [foreign],
        "twice": [first, first],
        "incomplete": [first],
        "nothing": [],
    }
    for name, part_ids in cases.items():
        with pytest.raises(openai.BadRequestError) as refused:
            complete(upload.id, part_ids=part_ids)
        assert (refused.value.param or "").startswith("part_ids"), name
    for md5 in ("0" * 32, "not hexadecimal"):
        with pytest.raises(openai.BadRequestError) as refused:
            complete(upload.id, part_ids=[first, second], md5=md5)
        assert refused.value.param == "md5"
    with pytest.raises(openai.BadRequestError, match="every line is a JSON dictionary"):
        complete(upload.id, part_ids=[second, first])
    md5 = hashlib.md5(CONTENT, usedforsecurity=False).hexdigest().upper()
    assert complete(upload.id, part_ids=[first, second], md5=md5).status == "completed"


def test_parts_that_are_not_named_are_left_out(desk: Desk, server: LocalServer) -> None:
    """A part sent twice counts once; the other copy goes."""
    upload = open_upload(desk)
    first, _, second = send(desk, upload, [CONTENT[:1000], CONTENT[:1000], CONTENT[1000:]])
    done = desk.client.uploads.complete(upload.id, part_ids=[first, second])
    assert done.file
    assert desk.client.files.content(done.file.id).content == CONTENT
    assert not [name for name in stored(server) if name in (first, second)]


@pytest.mark.parametrize("end", ["completed", "cancelled", "expired"])
def test_a_closed_upload_takes_nothing_more(desk: Desk, server: LocalServer, end: str) -> None:
    """After the end, parts, completion and cancellation are refused, and no part stays on disk."""
    uploads = desk.client.uploads
    upload = open_upload(desk)
    ids = send(desk, upload, halves())
    if end == "completed":
        uploads.complete(upload.id, part_ids=ids)
    elif end == "cancelled":
        uploads.cancel(upload.id)
    else:
        let_expire(server, upload.id)
    for request in (
        lambda: send(desk, upload, [b"x"]),
        lambda: uploads.complete(upload.id, part_ids=ids),
        lambda: uploads.cancel(upload.id),
    ):
        with pytest.raises(openai.BadRequestError, match=end):
            request()
    assert not stored(server) & set(ids)


def let_expire(server: LocalServer, object_id: str) -> None:
    """Put the end of the life of an upload or file, as the server keeps it, into the past."""
    with sqlite3.connect(server.data_dir / "state.db") as connection:
        for statement in (
            "UPDATE uploads SET expires_at = 1 WHERE id = ?",
            "UPDATE files SET expires_at = 1 WHERE id = ?",
        ):
            connection.execute(statement, (object_id,))
    connection.close()


def test_an_expired_upload_makes_room_for_the_next(desk: Desk, server: LocalServer) -> None:
    """Parts of uploads that nobody completed go when another upload begins."""
    upload = open_upload(desk)
    ids = send(desk, upload, halves())
    let_expire(server, upload.id)
    open_upload(desk)
    assert not stored(server) & set(ids)


def test_a_file_expires_as_the_upload_said(desk: Desk, server: LocalServer) -> None:
    """`expires_after` counts from the completion; afterwards the file and its bytes are gone."""
    expiry = {"anchor": "created_at", "seconds": 7200}
    upload = open_upload(desk, expires_after=expiry)
    file = desk.client.uploads.complete(upload.id, part_ids=send(desk, upload, [CONTENT])).file
    assert file
    assert file.expires_at == file.created_at + 7200
    let_expire(server, file.id)
    with pytest.raises(openai.NotFoundError):
        desk.client.files.retrieve(file.id)
    assert file.id not in [each.id for each in desk.client.files.list()]
    desk.upload(CONTENT)
    assert not (server.data_dir / "files" / file.id).exists()


def test_what_cannot_be_an_upload_is_refused(desk: Desk) -> None:
    """Sizes, names, purposes and expiries are checked before a byte is sent."""
    with pytest.raises(openai.BadRequestError, match="at most"):
        open_upload(desk, 8 * 1024**3 + 1)
    with pytest.raises(openai.BadRequestError, match="bytes"):
        open_upload(desk, -1)
    with pytest.raises(openai.BadRequestError, match=r"Must be \.jsonl"):
        open_upload(desk, filename="rows.csv")
    with pytest.raises(openai.BadRequestError, match="purpose"):
        open_upload(desk, purpose="knitting")
    with pytest.raises(openai.BadRequestError, match="3600"):
        open_upload(desk, expires_after={"anchor": "created_at", "seconds": 5})
    with pytest.raises(openai.NotFoundError, match="upload_unknown"):
        desk.client.uploads.cancel("upload_unknown")


def test_a_part_needs_its_bytes(desk: Desk, server: LocalServer) -> None:
    """A form without the field `data` adds no part."""
    upload = open_upload(desk)
    url = f"{server.base_url}/uploads/{upload.id}/parts"
    headers = {"authorization": f"Bearer {server.api_key}"}
    response = httpx.post(url, headers=headers, files={"file": ("a", b"x")})
    assert response.status_code == 400
    assert response.json()["error"]["param"] == "data"


def test_a_part_beyond_the_limit_is_refused(desk: Desk, server: LocalServer) -> None:
    """A part has at most 64 MB; nothing of a larger one is kept."""
    upload = open_upload(desk, 2**27)
    before = stored(server)
    with pytest.raises(openai.APIStatusError, match="64 MB") as refused:
        send(desk, upload, [bytes(64 * 1024**2 + 1)])
    assert refused.value.status_code == 413
    assert stored(server) == before


def test_the_parts_of_an_upload_have_a_limit_together(tmp_path: Path) -> None:
    """Parts that nobody will name cannot fill the disk."""
    store = Store(tmp_path)
    upload = store.uploads.create(
        size=9, filename="a.bin", purpose="user_data", file_expires_after=None
    )
    fates = []
    for _ in range(3):
        path = store.uploads.part_path()
        path.write_bytes(b"four")
        fates.append(store.uploads.add_part(upload.id, path, most_bytes=9))
    store.close()
    assert [fate is not None for fate in fates] == [True, True, False]


def test_an_upload_outlives_its_server(tmp_path: Path) -> None:
    """Parts that were acknowledged are there after kill -9; the upload goes on with the rest."""
    with served(tmp_path) as (desk, process):
        upload = open_upload(desk)
        (first,) = send(desk, upload, [CONTENT[:1000]])
        process.kill()
    (tmp_path / "uploads" / "incoming-cut-off.part").write_bytes(b"half a part")
    with LocalServer(tmp_path) as server, desk_at(server.base_url, server.api_key).client as client:
        desk = type(desk)(client)
        assert stored(server) == {first}
        (second,) = send(desk, upload, [CONTENT[1000:]])
        file = client.uploads.complete(upload.id, part_ids=[first, second]).file
        assert file
        assert client.files.content(file.id).content == CONTENT


def test_kill_9_during_a_completion_leaves_all_or_nothing(tmp_path: Path) -> None:
    """Afterwards the file is there whole, or the upload is open and can be completed."""
    content = CONTENT * 4000
    with served(tmp_path) as (desk, process):
        upload = open_upload(desk, len(content))
        ids = send(desk, upload, [content[:5_000_000], content[5_000_000:]])
        completion = threading.Thread(target=_complete_unanswered, args=(desk, upload, ids))
        completion.start()
        while completion.is_alive() and not [*(tmp_path / "files").iterdir()]:
            pass
        process.kill()
        completion.join()
    with LocalServer(tmp_path) as server, desk_at(server.base_url, server.api_key).client as client:
        files = [*client.files.list()]
        if not files:
            file = client.uploads.complete(upload.id, part_ids=ids).file
            files = [file] if file else []
        assert [client.files.content(file.id).content == content for file in files] == [True]
        assert stored(server) == set()
        assert len([*(tmp_path / "files").iterdir()]) == 1


def _complete_unanswered(desk: Desk, upload: Upload, ids: list[str]) -> None:
    with contextlib.suppress(openai.APIConnectionError):
        desk.client.uploads.complete(upload.id, part_ids=ids)
