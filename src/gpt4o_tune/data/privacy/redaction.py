"""Put placeholders in the place of secrets and personal data, and list every change."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from gpt4o_tune._display import html_table, plural, table
from gpt4o_tune.data.decode import decode
from gpt4o_tune.data.privacy.leaves import Leaf, rewrite
from gpt4o_tune.data.privacy.prefilter import secrets_suspected
from gpt4o_tune.data.privacy.scanning import KINDS, find, unescaped

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from gpt4o_tune.data.privacy.detector import Kind, Sighting

DEFAULT_REPLACEMENT = "[{kind}_{number}]"
_SHOWN = 12
_ROUNDS = 8
"""A value may come to light when its neighbour is gone; more than two rounds were never needed."""

DatasetT = TypeVar("DatasetT")


@dataclass(frozen=True, slots=True, kw_only=True)
class Redaction:
    """One value that was replaced."""

    line: int
    """Line of the dataset that was redacted, or number of the record, from 1."""
    path: str
    """Place inside the row, such as `messages[2].content`; empty in a line that cannot be read."""
    kind: Kind
    detector: str
    """Which form it had, such as `openai-key`."""
    masked: str
    """The old value, as far as it may be shown."""
    replacement: str

    def __str__(self) -> str:
        where = f"line {self.line:,}" + (f", {self.path}" if self.path else "")
        return f"{where}: {self.detector} {self.masked} -> {self.replacement}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Redacted(Generic[DatasetT]):
    """A dataset without secrets and personal data, and what was replaced.

    Example:
        >>> clean = data.redact(kinds=["email", "phone"])
        >>> clean.dataset.to_jsonl("clean.jsonl")
    """

    dataset: DatasetT
    """The new rows; those in which nothing was found have their bytes."""
    changes: tuple[Redaction, ...]

    def to_dict(self) -> dict[str, object]:
        """Return the changes as plain values, ready for `json.dumps`."""
        return {"changes": [asdict(change) for change in self.changes]}

    def __str__(self) -> str:
        if not self.changes:
            return "Nothing was found that would have to be replaced."
        rows = len({change.line for change in self.changes})
        told = f"{plural(len(self.changes), 'value')} replaced in {plural(rows, 'row')}."
        more = len(self.changes) - _SHOWN
        rest = f"\n… and {more:,} more in .changes" if more > 0 else ""
        return f"{told}\n\n{table(_HEADERS, self._cells(), align='>')}{rest}"

    def _repr_html_(self) -> str:
        if not self.changes:
            return f"<p>{self}</p>"
        return f"<p>{plural(len(self.changes), 'value')} replaced</p>{html_table(_HEADERS, self._cells())}"

    def _cells(self) -> list[list[str]]:
        return [
            [f"{change.line:,}", change.path, change.detector, change.masked, change.replacement]
            for change in self.changes[:_SHOWN]
        ]


_HEADERS = ["line", "path", "form", "was", "is"]


class Redactor:
    """Replaces values row by row, and remembers which placeholder stands for which value."""

    def __init__(
        self, kinds: Collection[Kind] | None, replacement: str, rows: Iterable[bytes]
    ) -> None:
        """Choose what to replace by what.

        Args:
            kinds: What to look for; everything where None.
            replacement: The placeholder, with `{kind}` and `{number}` where those shall stand.
            rows: All rows, read once to find placeholders that stand there already.

        Raises:
            ValueError: There is no such kind, or the placeholder is no good.
        """
        unknown = [kind for kind in kinds or () if kind not in KINDS]
        if unknown:
            raise ValueError(f"there is no kind {unknown[0]!r}; use some of {', '.join(KINDS)}")
        self._kinds: Collection[Kind] = KINDS if kinds is None else frozenset(kinds)
        self._template = _checked(replacement)
        self._known: dict[tuple[Kind, str], str] = {}
        self._numbers = _used_numbers(self._template, rows)
        self.changes: list[Redaction] = []

    def redact(self, line: int, raw: bytes) -> bytes:
        """Return a row with its values replaced, the very same bytes where there are none."""
        kinds = self._kinds
        if "secret" in kinds and not secrets_suspected(raw):
            kinds = frozenset(kinds) - {"secret"}
        if not kinds:
            return raw
        try:
            row = decode(raw)
        except ValueError:
            return self._redact_broken(line, raw, kinds)
        text = raw.decode()
        new = rewrite(text, row, lambda leaf: self._redact_leaf(line, leaf, kinds))
        return raw if new == text else new.encode()

    def _redact_leaf(self, line: int, leaf: Leaf, kinds: Collection[Kind]) -> str:
        text = leaf.text
        for _ in range(_ROUNDS):
            found = find(text, kinds, label=leaf.label)
            if not found:
                break
            text = self._replaced(line, leaf.path, text, found)
        return text

    def _redact_broken(self, line: int, raw: bytes, kinds: Collection[Kind]) -> bytes:
        """Replace values in a line that is not sound JSON, as if it were plain text."""
        text = raw.decode(errors="surrogateescape")
        for _ in range(_ROUNDS):
            found = find(unescaped(text), kinds)
            if not found:
                break
            text = self._replaced(line, "", text, found)
        return text.encode(errors="surrogateescape")

    def _replaced(self, line: int, path: str, text: str, found: list[Sighting]) -> str:
        pieces: list[str] = []
        position = 0
        for sighting in found:
            placeholder = self._placeholder(sighting)
            self.changes.append(
                Redaction(
                    line=line,
                    path=path,
                    kind=sighting.detector.kind,
                    detector=sighting.detector.name,
                    masked=sighting.masked,
                    replacement=placeholder,
                )
            )
            pieces += [text[position : sighting.start], placeholder]
            position = sighting.end
        return "".join([*pieces, text[position:]])

    def _placeholder(self, sighting: Sighting) -> str:
        kind = sighting.detector.kind
        key = kind, _same(kind, sighting.value)
        if key not in self._known:
            self._numbers[kind] = self._numbers.get(kind, 0) + 1
            self._known[key] = _filled(self._template, kind, self._numbers[kind])
        return self._known[key]


def _same(kind: Kind, value: str) -> str:
    """Write a value so that its spellings are equal."""
    if kind in ("secret", "ip"):
        return value
    if kind == "email":
        return value.lower()
    return re.sub(r"[^0-9A-Za-z]", "", value).upper()


def _filled(template: str, kind: Kind, number: object) -> str:
    return template.format(kind=kind.replace("-", "_").upper(), number=number)


def _checked(template: str) -> str:
    """Return a placeholder that can be written and is not itself something to replace."""
    try:
        filled = [_filled(template, kind, 1) for kind in KINDS]
    except (LookupError, ValueError) as error:
        raise ValueError(
            f"replacement {template!r} cannot be filled in ({error}); only {{kind}} and {{number}} may stand in it"
        ) from None
    if any(find(text, label="phone password ssn") for text in filled):
        raise ValueError(
            f"replacement {template!r} looks like a value that would be replaced itself"
        )
    return template


def _used_numbers(template: str, rows: Iterable[bytes]) -> dict[Kind, int]:
    """Return the highest number that each kind's placeholders have in the rows already."""
    if "{number}" not in template:
        return {}
    mark = "\x00"
    patterns: dict[Kind, re.Pattern[bytes]] = {
        kind: re.compile(
            re.escape(_filled(template, kind, mark)).replace(re.escape(mark), r"(\d{1,9})").encode()
        )
        for kind in KINDS
    }
    highest: dict[Kind, int] = {}
    for raw in rows:
        for kind, pattern in patterns.items():
            for found in pattern.finditer(raw):
                highest[kind] = max(highest.get(kind, 0), int(found[1]))
    return highest
