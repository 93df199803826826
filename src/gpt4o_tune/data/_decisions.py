"""What reviewers decided: files read strictly, and rows known by their content.

A row goes by the hash of its content, so a decision finds its row after others were added, removed or
moved. Copies of one content are told apart by their order: the second goes by the hash and `-2`.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, JsonValue, ValidationError

from gpt4o_tune.data.decode import decode
from gpt4o_tune.data.review import Choice  # noqa: TC001  # pydantic reads it
from gpt4o_tune.errors import DatasetError, DatasetNotFoundError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

SCHEMA = "gpt4o-tune/review"
VERSION = 1

DecisionsLike: TypeAlias = "str | os.PathLike[str] | Mapping[str, object]"
"""A file that the page exported, or what is in one."""


class Decision(BaseModel):
    """What one reviewer decided on one row."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: str
    line: int = 0
    """Where the row was when it was reviewed, from 1; for messages only."""
    decision: Choice
    note: str = ""
    row: dict[str, JsonValue] | None = None
    """The row as the reviewer wrote it; only beside `fix`."""
    time: AwareDatetime | None = None


class _File(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    schema_name: Literal["gpt4o-tune/review"] = Field(alias="schema")
    version: int
    reviewer: str = ""
    decisions: tuple[Decision, ...]


class Reviewer(NamedTuple):
    """One reviewer's decisions by row id."""

    name: str
    decisions: dict[str, Decision]


def row_ids(rows: Iterable[bytes]) -> Iterator[str]:
    """Yield what each row goes by."""
    copies = Counter[str]()
    for raw in rows:
        content = _content_hash(raw)
        copies[content] += 1
        yield content if copies[content] == 1 else f"{content}-{copies[content]}"


def _content_hash(raw: bytes) -> str:
    """Return the SHA-256, in hex, of what a row says; white space and the order of keys say nothing."""
    try:
        content = json.dumps(
            decode(raw), sort_keys=True, ensure_ascii=False, separators=(",", ":")
        ).encode()
    except ValueError:
        content = raw.strip()
    return hashlib.sha256(content).hexdigest()


def read_decisions(given: DecisionsLike | Sequence[DecisionsLike]) -> list[Reviewer]:
    """Read decisions, one reviewer after the other in the order given.

    Several files of one name are one reviewer, whose later decision on a row counts.

    Raises:
        DatasetNotFoundError: There is no such file.
        DatasetError: A file holds no decisions, or a later release wrote it.
    """
    several = [given] if isinstance(given, str | os.PathLike | Mapping) else given
    reviewers: dict[str, dict[str, Decision]] = {}
    for number, one in enumerate(several, start=1):
        file = _read(one)
        known = reviewers.setdefault(file.reviewer or f"reviewer {number}", {})
        for decision in file.decisions:
            if decision.id not in known or not _is_older(decision, known[decision.id]):
                known[decision.id] = decision
    return [Reviewer(name, decisions) for name, decisions in reviewers.items()]


def _is_older(decision: Decision, other: Decision) -> bool:
    return bool(decision.time and other.time and decision.time < other.time)


def _read(given: DecisionsLike) -> _File:
    if isinstance(given, Mapping):
        name, content = "the decisions", given
    else:
        name = repr(str(given))
        try:
            content = decode(Path(given).expanduser().read_bytes())
        except OSError as error:
            raise DatasetNotFoundError(
                f"{name} cannot be read: {error.strerror}. Export the decisions from the review page.",
                path=str(given),
            ) from None
        except ValueError as error:
            raise DatasetError(
                f"{name} is no JSON object: {error}. Export the decisions from the page again."
            ) from None
    try:
        file = _File.model_validate(content)
    except ValidationError as error:
        fault = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, fault["loc"]))
        raise DatasetError(
            f"{name}: {where + ': ' if where else ''}{fault['msg']}. "
            "Give what the review page exports, whose 'schema' is 'gpt4o-tune/review'."
        ) from None
    if file.version > VERSION:
        raise DatasetError(
            f"{name} has version {file.version}; this release reads up to {VERSION}. "
            "Upgrade gpt4o-tune to read it."
        )
    return file
