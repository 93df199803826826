"""What `Dataset.fix` returns, and the pass over the rows that makes it."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Generic, TypeVar, cast

from gpt4o_tune._display import html_table, plural, shorten, table
from gpt4o_tune.data._store import BOM
from gpt4o_tune.data.checks import USUAL_RULES, RowRules
from gpt4o_tune.data.checks.privacy import concealed
from gpt4o_tune.data.checks.repairs import REPAIRS, value_at
from gpt4o_tune.data.decode import decode

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from gpt4o_tune.data.checks.rule import Scope, Source
    from gpt4o_tune.data.decode import Json, JsonObject
    from gpt4o_tune.data.report import Problem

__all__ = ["Change", "Fixed"]

_RULES = tuple(rule for rule in USUAL_RULES if rule.subject not in ("size", "text"))
"""Those on the form of a row; what it says, and how long it is, nobody can repair for its owner."""
_ROUNDS = 8
"""A repair can bring the next fault to light, such as a weight under a role that had to be renamed."""
_SHOWN_CHARS = 60
_COLUMNS = 60
_SHOWN = 12

DatasetT = TypeVar("DatasetT")


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One repair."""

    line: int
    """Line of the dataset that was repaired, or number of the record, from 1."""
    path: str
    """Place inside the row; empty where the line itself is meant."""
    code: str
    """The rule whose fault was repaired."""
    done: str
    """What was done."""
    before: str
    """What stood there, shortened and without secrets."""
    after: str
    """What stands there now, likewise."""

    def __str__(self) -> str:
        where = f"line {self.line:,}" + (f", {self.path}" if self.path else "")
        turned = f": {self.before} -> {self.after}" if self.before or self.after else ""
        return f"{where}: {self.code}: {self.done}{turned}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fixed(Generic[DatasetT]):
    """A repaired dataset, every change to it, and what only its owner can repair.

    Example:
        >>> fixed = data.fix()
        >>> print(fixed)
        >>> fixed.dataset.to_jsonl("fixed.jsonl")
    """

    dataset: DatasetT
    """The new rows; those that had no fault to repair have their bytes."""
    changes: tuple[Change, ...]
    left: tuple[Problem, ...]
    """Faults of rows that stay, with the lines of the old dataset."""

    def to_dict(self) -> dict[str, object]:
        """Return the changes and what is left as plain values, ready for `json.dumps`."""
        return {
            "changes": [asdict(change) for change in self.changes],
            "left": [asdict(problem) for problem in self.left],
        }

    def __str__(self) -> str:
        lines = [self._headline()]
        if self.changes:
            lines += [
                "",
                table(_HEADERS, self._cells(), align=">"),
                *_more(self.changes, "changes"),
            ]
        if self.left:
            lines += ["", "Left:", *map(str, self.left[:_SHOWN]), *_more(self.left, "left")]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        body = html_table(_HEADERS, self._cells()) if self.changes else ""
        return f"<p>{self._headline()}</p>{body}"

    def _headline(self) -> str:
        return f"{plural(len(self.changes), 'change')}, {plural(len(self.left), 'problem')} left."

    def _cells(self) -> list[list[str]]:
        return [
            [f"{change.line:,}", change.path, change.code, shorten(_told(change), _COLUMNS)]
            for change in self.changes[:_SHOWN]
        ]


def _told(change: Change) -> str:
    return f"{change.done}: {change.before} -> {change.after}" if change.after else change.done


def _more(items: Sequence[object], name: str) -> list[str]:
    rest = len(items) - _SHOWN
    return [f"… and {rest:,} more in .{name}"] if rest > 0 else []


_HEADERS = ["line", "path", "code", "done"]


class Fixer:
    """Repairs row by row, and keeps what it did and what it could not do."""

    def __init__(self, scope: Scope, *, duplicates: bool, drop: bool) -> None:
        """Choose what to do beyond the repairs that are always done.

        Args:
            scope: What the rows are checked for.
            duplicates: Whether to leave out rows that say the same as an earlier one.
            drop: Whether to leave out rows that still have errors.
        """
        self._rules = RowRules(scope, _RULES)
        self._duplicates = duplicates
        self._drop = drop
        self._seen: dict[bytes, int] = {}
        self._crlf_lines: list[int] = []
        self._changes: list[Change] = []
        self.left: list[Problem] = []

    @property
    def changes(self) -> tuple[Change, ...]:
        """Everything that was done, sorted by line; line ends are one change, however many."""
        if not self._crlf_lines:
            return tuple(sorted(self._changes, key=lambda change: change.line))
        ends = Change(
            line=self._crlf_lines[0],
            path="",
            code="crlf",
            done=f"wrote {plural(len(self._crlf_lines), 'line end')} of Windows as \\n",
            before="",
            after="",
        )
        return tuple(sorted([*self._changes, ends], key=lambda change: change.line))

    def note_source(self, source: Source) -> None:
        """Note what is left out of the file because it stands between the rows."""
        if source.has_bom:
            self._note(1, "", "bom", "left the byte order mark out")
        for line in source.blank_lines:
            self._note(line, "", "blank-line", "left the blank line out")

    def fix(self, lines: Iterable[tuple[int, bytes]]) -> Iterator[bytes]:
        """Yield the rows that stay, repaired."""
        for line, raw in lines:
            examined = self._rules.examine(
                line, fixed := self._fix_row(line, self._fix_line(line, raw))
            )
            errors = [problem for problem in examined.problems if problem.severity == "error"]
            if self._drop and errors:
                self._note(
                    line, errors[0].path, errors[0].code, "left the row out: " + errors[0].message
                )
            elif not (self._duplicates and examined.row and self._repeats(line, examined.row)):
                self.left += examined.problems
                yield fixed

    def _fix_line(self, line: int, raw: bytes) -> bytes:
        if raw.startswith(BOM):
            self._note(line, "", "bom-inside", "left the byte order mark out")
            raw = raw.removeprefix(BOM)
        if raw.endswith(b"\r\n"):
            self._crlf_lines.append(line)
            raw = raw[:-2] + b"\n"
        return raw

    def _fix_row(self, line: int, raw: bytes) -> bytes:
        raw = self._fix_repeated_keys(line, raw)
        for _ in range(_ROUNDS):
            examined = self._rules.examine(line, raw)
            found = [problem for problem in examined.problems if problem.code in REPAIRS]
            if not found or examined.row is None:
                break
            changes = [
                change for problem in found if (change := _repair(examined.row, problem, raw))
            ]
            new = _encode(examined.row, like=raw)
            if not changes or new is None:
                break
            self._changes += changes
            raw = new
        return raw

    def _fix_repeated_keys(self, line: int, raw: bytes) -> bytes:
        """Keep one of two equal keys with equal values."""
        repeated: dict[str, None] = {}

        def once(pairs: list[tuple[str, Json]]) -> JsonObject:
            value: JsonObject = {}
            for key, item in pairs:
                if key in value and json.dumps(value[key]) != json.dumps(item):
                    raise ValueError("different values")
                if key in value:
                    repeated[key] = None
                value[key] = item
            return value

        try:
            decode(raw)
        except ValueError:
            try:
                row = cast("Json", json.loads(raw, object_pairs_hook=once))
            except (ValueError, RecursionError):
                return raw
            new = _encode(row, like=raw) if repeated and isinstance(row, dict) else None
            if new is not None:
                for key in concealed(repeated, raw, None):
                    self._note(line, key, "duplicate-key", "kept one of the two, which were equal")
                return new
        return raw

    def _repeats(self, line: int, row: JsonObject) -> bool:
        text = json.dumps(row, sort_keys=True)
        first = self._seen.setdefault(hashlib.blake2b(text.encode(), digest_size=16).digest(), line)
        if first == line:
            return False
        self._note(
            line, "", "duplicate-row", f"left the row out, which says the same as line {first:,}"
        )
        return True

    def _note(self, line: int, path: str, code: str, done: str) -> None:
        self._changes.append(
            Change(line=line, path=path, code=code, done=done, before="", after="")
        )


def _repair(row: JsonObject, problem: Problem, raw: bytes) -> Change | None:
    before = _short(value_at(row, problem.path)) if problem.path else ""
    done = REPAIRS[problem.code](row, problem.path)
    if done is None:
        return None
    after = _short(value_at(row, problem.path)) if problem.path else ""
    change = Change(
        line=problem.line,
        path=problem.path,
        code=problem.code,
        done=done,
        before=before,
        after="" if done.startswith("removed") else after,
    )
    before, after = concealed((change.before, change.after), raw, row)
    return replace(change, before=before, after=after)


def _short(value: Json) -> str:
    return shorten(json.dumps(value, ensure_ascii=False), _SHOWN_CHARS)


def _encode(row: JsonObject, *, like: bytes) -> bytes | None:
    """Write a row as its line was written; None where it would not say the same."""
    is_spaced = re.match(rb'\s*\{\s*"[^"]*": ', like)
    text = json.dumps(
        row,
        ensure_ascii=like.isascii() and b"\\u" in like,
        separators=None if is_spaced else (",", ":"),
    )
    try:
        line = text.encode()
        if decode(line) != row:
            return None
    except ValueError:
        return None
    return line + (b"\n" if like.endswith(b"\n") else b"")
