"""Answers that are asked for with `store`: kept, listed, relabelled and deleted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import openai
import pytest

from gpt4o_tune.local import LocalServer
from tests.local.conftest import MODEL, desk_at

if TYPE_CHECKING:
    from pathlib import Path

    from tests.local.conftest import Desk

QUESTION = [
    {"role": "system", "content": "be brief"},
    {"role": "user", "content": [{"type": "text", "text": "hello"}]},
]


def test_a_stored_answer_can_be_found_again(desk: Desk) -> None:
    """The completion comes back as it was, with its settings, labels and conversation."""
    completions = desk.client.chat.completions
    made = completions.create(
        model=MODEL, messages=QUESTION, store=True, metadata={"run": "1"}, seed=4, temperature=0.5
    )
    found = completions.retrieve(made.id)
    assert found.choices == made.choices
    assert found.usage == made.usage
    assert found.metadata == {"run": "1"}
    assert found.model_extra
    assert (found.model_extra["seed"], found.model_extra["temperature"]) == (4, 0.5)

    messages = completions.messages.list(made.id).data
    assert [message.id for message in messages] == [f"{made.id}-0", f"{made.id}-1"]
    assert messages[0].content == "be brief"
    assert messages[1].content_parts
    assert messages[1].content_parts[0].text == "hello"
    backwards = [*completions.messages.list(made.id, order="desc", limit=1)]
    assert [message.id for message in backwards] == [f"{made.id}-1", f"{made.id}-0"]

    assert completions.update(made.id, metadata={"run": "2"}).metadata == {"run": "2"}
    assert completions.retrieve(made.id).metadata == {"run": "2"}

    deleted = completions.delete(made.id)
    assert (deleted.id, deleted.deleted, deleted.object) == (
        made.id,
        True,
        "chat.completion.deleted",
    )
    with pytest.raises(openai.NotFoundError):
        completions.retrieve(made.id)


def test_only_what_is_to_be_stored_is_stored(desk: Desk) -> None:
    """Without `store` nothing is kept, metadata or not."""
    completions = desk.client.chat.completions
    for store in (None, False):
        made = completions.create(model=MODEL, messages=QUESTION, store=store, metadata={"a": "b"})
        with pytest.raises(openai.NotFoundError):
            completions.retrieve(made.id)


def test_a_streamed_answer_is_stored_whole(desk: Desk) -> None:
    """After its last chunk a stream is a completion like any other."""
    completions = desk.client.chat.completions
    with completions.create(model=MODEL, messages=QUESTION, store=True, stream=True) as stream:
        chunks = [*stream]
    found = completions.retrieve(chunks[0].id)
    assert found.choices[0].message.content == "".join(
        chunk.choices[0].delta.content or "" for chunk in chunks
    )
    assert found.choices[0].finish_reason == "stop"


def test_lists_are_filtered_and_paged(desk: Desk) -> None:
    """By model and metadata, oldest first unless asked otherwise, page by page."""
    completions = desk.client.chat.completions
    labels = {"case": "paging"}
    ids = [
        completions.create(model=MODEL, messages=QUESTION, store=True, metadata=labels).id
        for _ in range(3)
    ]
    other = completions.create(model="gpt-4o-mini", messages=QUESTION, store=True, metadata=labels)
    assert [each.id for each in completions.list(metadata=labels, limit=2)] == [*ids, other.id]
    assert [each.id for each in completions.list(metadata=labels, order="desc")] == [
        other.id,
        *reversed(ids),
    ]
    assert [each.id for each in completions.list(metadata=labels, model=other.model)] == [other.id]
    assert not completions.list(metadata={"case": "other"}).data
    with pytest.raises(openai.BadRequestError):
        completions.list(after="chatcmpl-nobody")


def test_stored_answers_outlive_the_server(tmp_path: Path) -> None:
    """A server on the same folder knows them."""
    with LocalServer(tmp_path) as server, desk_at(server.base_url, server.api_key).client as client:
        made = client.chat.completions.create(model=MODEL, messages=QUESTION, store=True)
    with LocalServer(tmp_path) as server, desk_at(server.base_url, server.api_key).client as client:
        assert client.chat.completions.retrieve(made.id).choices == made.choices
