"""Rows go to Argilla as plain values, and reviewers' answers come back as decisions."""

from __future__ import annotations

import json
import threading
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import parse_qs, urlsplit

import pytest

from gpt4o_tune import Dataset, MissingExtraError
from tests.data.cases import answer, as_bytes, calling, chat, many, pair, user

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ANN, BOB = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"
DATES = {"inserted_at": "2026-11-25T10:00:00", "updated_at": "2026-11-25T10:00:00"}
REINFORCEMENT = {"messages": [user("2 + 2?")], "reference": "4"}


def answered(record: Any, user_id: str, **answers: str) -> dict[str, Any]:
    """A record as its `to_dict` gives it, with one user's answers."""
    responses = {name: [{"value": value, "user_id": user_id}] for name, value in answers.items()}
    return {**record, "responses": responses}


def test_a_record_shows_conversation_and_answer(tmp_path: Path) -> None:
    """The last answer stands apart and is offered for correction; problems and line go along."""
    path = tmp_path / "rows.jsonl"
    picture = {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}
    seen = chat({"role": "system", "content": "Be kind."}, user([picture]), answer("A cat."))
    path.write_bytes(as_bytes([*seen, *calling()]) + b"{broken\n")
    data = Dataset.from_jsonl(path)

    export = data.to_argilla(problems=data.check())
    first, called, broken = export.records

    assert first["fields"] == {
        "prompt": [
            {"role": "system", "content": "Be kind."},
            {"role": "user", "content": "[image: https://example.com/a.png]"},
        ],
        "answer": "A cat.",
    }
    assert first["metadata"] == {"line": 1}
    assert first["suggestions"] == {"correction": {"value": "A cat."}}
    assert called["fields"]["answer"] == '[calls weather with {"city": "Bonn"}]'
    assert "suggestions" not in called
    assert broken["fields"]["prompt"] == [{"role": "line", "content": "{broken"}]
    assert broken["metadata"] == {"line": 3, "codes": ["invalid-json"]}
    assert json.loads(json.dumps([export.settings, *export.records]))


def test_other_formats_have_fields_of_their_own() -> None:
    """Both answers of a pair; what the grader gets, and nothing to correct, without an answer."""
    pairs = Dataset.from_records(pair()).to_argilla()
    tasks = Dataset.from_records([REINFORCEMENT]).to_argilla()

    assert pairs.records[0]["fields"] == {
        "prompt": [{"role": "user", "content": "Where is it?"}],
        "answer": "On its way.",
        "worse": "No idea.",
    }
    assert json.loads(tasks.records[0]["fields"]["grader"]) == {"reference": "4"}
    assert [question["name"] for question in tasks.settings["questions"]] == ["decision", "note"]


def test_answers_come_back_as_decisions() -> None:
    """Keep, drop, a correction, and a correction of what is no text, which becomes a note."""
    data = Dataset.from_records([*many(3), *calling()])
    export = data.to_argilla()
    first, second, third, called = export.records
    records = [
        answered(first, ANN, decision="keep", correction="Answer 0"),
        answered(second, ANN, decision="drop", note="wrong"),
        answered(third, ANN, decision="fix", correction="Better"),
        answered(called, ANN, decision="fix", correction="Call me"),
    ]

    decisions = export.decisions(records, names={ANN: "Ann"})
    review = data.apply_review(decisions)

    assert [one["reviewer"] for one in decisions] == ["Ann"]
    assert (review.kept, review.dropped, review.fixed, review.undecided) == ((0,), (1,), (2,), (3,))
    assert review.dataset[1].messages[1].content == "Better"
    assert decisions[0]["decisions"][3]["note"] == "Correction: Call me"
    assert review.changes[0].note == "wrong"


def test_a_corrected_pair_keeps_its_other_side() -> None:
    """Only the preferred answer changes."""
    data = Dataset.from_records(pair())
    export = data.to_argilla()
    decisions = export.decisions(
        [answered(export.records[0], ANN, decision="fix", correction="Now.")]
    )

    assert list(data.apply_review(decisions).dataset.records()) == pair(
        preferred_output=[answer("Now.")]
    )


def test_rows_that_are_shown_can_be_chosen() -> None:
    """As for the page; the ids are the same."""
    data = Dataset.from_records(many(4))

    assert [record["id"] for record in data.to_argilla(rows=[2]).records] == [
        data.to_argilla().records[2]["id"]
    ]
    with pytest.raises(ValueError, match="reviewers must be at least 1"):
        data.to_argilla(reviewers=0)


def test_pushing_without_argilla_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """The records are there without the package; only sending them needs it."""
    monkeypatch.setitem(__import__("sys").modules, "argilla", None)

    with pytest.raises(MissingExtraError, match=r"gpt4o-tune\[argilla\]"):
        Dataset.from_records(many(1)).to_argilla().push("tickets")


class Desk(BaseHTTPRequestHandler):
    """What an Argilla server stores and gives back, as far as Argilla's own client asks for it."""

    kept: ClassVar[dict[str, list[dict[str, Any]]]] = {}

    def respond(self) -> None:
        size = int(self.headers.get("Content-Length", 0))
        body = json.loads(self.rfile.read(size) or b"{}")
        what = urlsplit(self.path).path.removeprefix("/api/v1/").split("/")[-1]
        if what == "me":
            answer: Any = {
                "id": ANN,
                "username": "ann",
                "first_name": "Ann",
                "role": "owner",
                **DATES,
            }
        elif what == "workspaces":
            answer = {"items": [{"id": BOB, "name": "support", **DATES}]}
        elif what == "bulk":
            answer = {"items": [{**item, "id": str(uuid.uuid4())} for item in body["items"]]}
            self.kept["records"] = answer["items"]
        elif self.command == "POST":
            answer = {**body, "id": str(uuid.uuid4()), **DATES}
            self.kept.setdefault(what, []).append(answer)
        elif what == "records":
            start = int(parse_qs(urlsplit(self.path).query)["offset"][0])
            answer = {"items": self.kept["records"][start:]}
        elif what in self.kept or what == "vectors-settings":
            answer = {"items": self.kept.get(what, [])}
        else:
            answer = {**self.kept["datasets"][0], "status": "ready"}
        content = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PUT = do_PATCH = respond

    def log_message(self, *message: object) -> None:
        pass


@pytest.fixture
def desk() -> Iterator[Any]:
    """Argilla's own client, and a server of the test's own behind it."""
    argilla = pytest.importorskip("argilla")
    Desk.kept.clear()
    with ThreadingHTTPServer(("127.0.0.1", 0), Desk) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield argilla.Argilla(api_url=f"http://127.0.0.1:{server.server_port}", api_key="k")
        server.shutdown()
        thread.join()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("rows", [many(3) + calling(), pair(), [REINFORCEMENT]])
def test_argilla_takes_the_rows_and_gives_answers_back(rows: list[Any], desk: Any) -> None:
    """Its own models read settings and records; submitted answers alone become decisions."""
    data = Dataset.from_records(rows)
    export = data.to_argilla(problems=data.check(), reviewers=2)

    remote = export.push("tickets", workspace="support", client=desk)

    assert remote.settings.distribution.min_submitted == 2
    assert Desk.kept["fields"][0]["name"] == "prompt"
    sent = Desk.kept["records"]
    assert [record["external_id"] for record in sent] == [one["id"] for one in export.records]
    assert [record["fields"] for record in sent] == [one["fields"] for one in export.records]
    assert [record["metadata"] for record in sent] == [one["metadata"] for one in export.records]
    for record, status in zip(sent, ("submitted", "draft", "discarded", "submitted"), strict=False):
        record["responses"] = [
            {"user_id": who, "status": status, "values": {"decision": {"value": choice}}}
            for who, choice in ((ANN, "drop"), (BOB, "keep"))
        ]
    ann, bob = export.decisions(remote.records, names={ANN: "Ann"})
    assert (ann["reviewer"], bob["reviewer"]) == ("Ann", BOB)
    review = data.apply_review([ann, bob], conflicts="first")
    assert review.dropped == ((0, 3) if len(rows) == 4 else (0,))
