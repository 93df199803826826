"""Rows for review in Argilla 2, as plain values, and the answers back as decisions."""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, get_args

from gpt4o_tune._display import html_text, plural
from gpt4o_tune._extras import import_extra
from gpt4o_tune.data._answers import field
from gpt4o_tune.data._decisions import SCHEMA, VERSION
from gpt4o_tune.data._shown import shown_rows
from gpt4o_tune.data._turns import calls, images, items, mapping, text, texts
from gpt4o_tune.data.review import Choice

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from gpt4o_tune.data._selection import Selection
    from gpt4o_tune.data._shown import ShownRow
    from gpt4o_tune.data.decode import JsonObject
    from gpt4o_tune.data.formats import Format
    from gpt4o_tune.data.report import Problem

__all__ = ["ArgillaRecords"]

_KNOWN_KEYS: Final = frozenset({"messages", "tools", "functions", "parallel_tool_calls"})
_GUIDELINES: Final = """\
Keep the row if you would be glad to see this answer in production.
Fix it if a better answer is easy to write: choose "fix" and edit the answer.
Drop it if it teaches something wrong, or nothing.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ArgillaRecords:
    """Rows as Argilla takes them: settings of a dataset, and its records.

    Example:
        >>> export = data.to_argilla(problems=data.check())
        >>> remote = export.push("tickets", workspace="support")
        >>> review = data.apply_review(export.decisions(remote.records))
    """

    settings: Mapping[str, object]
    """What `argilla.Settings.from_json` reads."""
    records: tuple[Mapping[str, object], ...]
    """What `argilla.Record.from_dict` takes, one for each row; the id is the row's, by its content."""
    rows: Mapping[str, JsonObject]
    """The rows whose answer can be corrected, by id."""
    format: Format

    def push(
        self, name: str, *, workspace: str | None = None, client: object = None
    ) -> Any:  # an argilla.Dataset
        """Create the dataset on an Argilla server and send the records.

        Args:
            name: The name of the dataset there; it must not exist.
            workspace: The workspace; Argilla's own choice where none is given.
            client: An `argilla.Argilla`; the one that was made last, or from Argilla's environment
                variables, where none is given.

        Returns:
            The `argilla.Dataset`.

        Raises:
            MissingExtraError: argilla is not installed.
        """
        argilla = import_extra("argilla", extra="argilla", feature="Sending rows to Argilla")
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "settings.json"
            path.write_text(json.dumps(self.settings), encoding="utf-8")
            settings = argilla.Settings.from_json(path)
        remote = argilla.Dataset(name=name, workspace=workspace, settings=settings, client=client)
        remote.create()
        remote.records.log([argilla.Record.from_dict(dict(record)) for record in self.records])
        return remote

    def decisions(
        self, records: Iterable[object], *, names: Mapping[str, str] | None = None
    ) -> list[dict[str, object]]:
        """Read the answers of reviewers, for `Dataset.apply_review`.

        Only answers that were submitted count. A correction of an answer that is no text, such as a tool
        call, cannot be applied; it becomes a note.

        Args:
            records: `argilla.Record` objects, such as `remote.records`, or what their `to_dict` gives; as
                that leaves out whether an answer was submitted, all of those count.
            names: What to call the reviewers, by user id.

        Returns:
            The decisions of each reviewer, as the review page exports them.
        """
        by_user: dict[str, list[dict[str, object]]] = {}
        for record in records:
            for user, answers in _answers(field(record, "responses")).items():
                if (decision := self._decision(record, answers)) is not None:
                    by_user.setdefault(user, []).append(decision)
        return [
            {
                "schema": SCHEMA,
                "version": VERSION,
                "reviewer": (names or {}).get(user, user),
                "decisions": decisions,
            }
            for user, decisions in by_user.items()
        ]

    def _decision(self, record: object, answers: Mapping[str, object]) -> dict[str, object] | None:
        choice = answers.get("decision")
        if choice not in get_args(Choice):
            return None
        row_id = str(field(record, "id"))
        note = text(answers.get("note"))
        decision: dict[str, object] = {"id": row_id, "decision": choice}
        line = field(field(record, "metadata"), "line")
        if isinstance(line, int):
            decision["line"] = line
        correction = answers.get("correction")
        if choice == "fix" and isinstance(correction, str):
            row = self.rows.get(row_id)
            if row is None:
                note = "\n".join(filter(None, [note, f"Correction: {correction}"]))
            elif correction != _answer(row, self.format):
                decision["row"] = _corrected(row, correction, self.format)
        return {**decision, "note": note}

    def __repr__(self) -> str:
        return f"ArgillaRecords({plural(len(self.records), 'record')}, {self.format})"

    def _repr_html_(self) -> str:
        return html_text(repr(self))


def to_argilla(
    data: Selection,
    *,
    rows: Iterable[int | Problem] | None,
    problems: Iterable[Problem] | None,
    reviewers: int,
) -> ArgillaRecords:
    """Make settings and records; `Dataset.to_argilla` says of what."""
    if reviewers < 1:
        raise ValueError(f"reviewers must be at least 1, got {reviewers!r}")
    shown = list(shown_rows(data, rows, problems))
    return ArgillaRecords(
        settings=_settings(data.format, reviewers),
        records=tuple(_record(one, data.format) for one in shown),
        rows={
            one.id: one.row
            for one in shown
            if one.row is not None and _answer(one.row, data.format) is not None
        },
        format=data.format,
    )


def _settings(format: Format, reviewers: int) -> dict[str, object]:  # noqa: A002  # as in Dataset
    titles = {
        "chat": {"answer": "Answer"},
        "preference": {"answer": "Preferred answer", "worse": "Answer that is not preferred"},
        "reinforcement": {"grader": "For the grader"},
    }[format]
    plain = {"type": "text", "use_markdown": False}
    optional = [
        {"name": name, "title": title, "required": False, "settings": plain}
        for name, title in {**titles, "problems": "Problems"}.items()
    ]
    chat = {"type": "chat", "use_markdown": False}
    options = [
        {"value": choice, "text": choice, "description": None} for choice in get_args(Choice)
    ]
    questions: list[dict[str, object]] = [
        {
            "name": "decision",
            "title": "Decision",
            "required": True,
            "settings": {"type": "label_selection", "options": options},
        },
        {"name": "correction", "title": "Corrected answer", "required": False, "settings": plain},
        {"name": "note", "title": "Note", "required": False, "settings": plain},
    ]
    return {
        "guidelines": _GUIDELINES,
        "fields": [
            {"name": "prompt", "title": "Conversation", "required": True, "settings": chat},
            *optional,
        ],
        "questions": [q for q in questions if "answer" in titles or q["name"] != "correction"],
        "vectors": [],
        "metadata": [
            {"name": "line", "title": "Line", "settings": {"type": "integer"}},
            {"name": "codes", "title": "Problems", "settings": {"type": "terms"}},
        ],
        "allow_extra_metadata": False,
        "distribution": {"strategy": "overlap", "min_submitted": reviewers},
        "mapping": None,
    }


def _record(one: ShownRow, format: Format) -> dict[str, object]:  # noqa: A002  # as in Dataset
    if one.row is None:
        fields: dict[str, object] = {
            "prompt": [{"role": "line", "content": one.raw.decode(errors="replace")}]
        }
    else:
        fields = _fields(one.row, format)
    metadata: dict[str, object] = {"line": one.line}
    if one.problems:
        fields["problems"] = "\n".join(map(str, one.problems))
        metadata["codes"] = sorted({problem.code for problem in one.problems})
    record: dict[str, object] = {"id": one.id, "fields": fields, "metadata": metadata}
    if one.row is not None and (answer := _answer(one.row, format)):
        # So that the reviewer edits the answer instead of writing it anew.
        record["suggestions"] = {"correction": {"value": answer}}
    return record


def _fields(row: JsonObject, format: Format) -> dict[str, object]:  # noqa: A002  # as in Dataset
    if format == "preference":
        prompt = items(mapping(row.get("input")).get("messages"))
        return {
            "prompt": _chat(prompt),
            "answer": _said(items(row.get("preferred_output"))),
            "worse": _said(items(row.get("non_preferred_output"))),
        }
    messages = items(row.get("messages"))
    if format == "reinforcement":
        extra = {key: value for key, value in row.items() if key not in _KNOWN_KEYS}
        grader = json.dumps(extra, ensure_ascii=False, indent=2)
        return {"prompt": _chat(messages), "grader": grader}
    place = _answer_place(messages)
    if place is None or place == 0:
        return {"prompt": _chat(messages)}
    return {"prompt": _chat(messages[:place]), "answer": _said(messages[place:])}


def _chat(messages: Sequence[object]) -> list[dict[str, str]]:
    """Return messages as a chat field takes them: a role and a text that is not empty."""
    told = [
        {"role": text(mapping(message).get("role")) or "unknown", "content": _said([message])}
        for message in messages
    ]
    return told or [{"role": "unknown", "content": _said([])}]


def _said(messages: Sequence[object]) -> str:
    """Write messages as text; calls and images, which a text field cannot hold, by name and address."""
    return (
        "\n\n".join(line for message in messages for line in _lines(mapping(message))) or "(empty)"
    )


def _lines(message: Mapping[str, object]) -> Iterator[str]:
    yield from filter(None, texts(message))
    for image in images(message):
        url = text(image.get("url"))
        yield f"[image: {'in the row' if url.startswith('data:') else url}]"
    called = list(calls(message))
    for name, arguments in zip(called[::2], called[1::2], strict=True):
        if name or arguments:
            yield f"[calls {name} with {arguments}]"


def _answer_place(messages: Sequence[object]) -> int | None:
    """Return where the last assistant message is."""
    for place in reversed(range(len(messages))):
        if mapping(messages[place]).get("role") == "assistant":
            return place
    return None


def _outputs(row: Mapping[str, object], format: Format) -> Sequence[object]:  # noqa: A002  # as in Dataset
    if format == "reinforcement":
        return ()
    return items(row.get("messages" if format == "chat" else "preferred_output"))


def _answer(row: Mapping[str, object], format: Format) -> str | None:  # noqa: A002  # as in Dataset
    """Return the text that a reviewer may correct; None where the answer is no text."""
    messages = _outputs(row, format)
    place = _answer_place(messages)
    content = None if place is None else mapping(messages[place]).get("content")
    return content if isinstance(content, str) else None


def _corrected(row: JsonObject, answer: str, format: Format) -> dict[str, object]:  # noqa: A002  # as in Dataset
    messages = list(_outputs(row, format))
    place = _answer_place(messages)
    if place is not None:
        messages[place] = {**mapping(messages[place]), "content": answer}
    return {**row, "messages" if format == "chat" else "preferred_output": messages}


def _answers(responses: object) -> dict[str, dict[str, object]]:
    """Return by user what was answered to each question, from either form of a record's responses."""
    by_user: dict[str, dict[str, object]] = {}
    for question, response in _each(responses):
        status = field(response, "status")
        if status is None or getattr(status, "value", status) == "submitted":
            user = str(field(response, "user_id"))
            by_user.setdefault(user, {})[question] = field(response, "value")
    return by_user


def _each(responses: Any) -> Iterator[tuple[str, object]]:  # argilla is untyped here
    as_dict = mapping(responses)
    for question, given in as_dict.items():
        for response in items(given):
            yield question, response
    if not as_dict:
        for response in responses or ():
            yield text(field(response, "question_name")), response
