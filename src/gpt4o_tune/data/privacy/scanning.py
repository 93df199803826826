"""Look for secrets and personal data in texts and in rows."""

from __future__ import annotations

import re
from functools import cached_property
from typing import TYPE_CHECKING

from gpt4o_tune.data.privacy.credentials import SECRETS
from gpt4o_tune.data.privacy.detector import Detector, Kind, Sighting
from gpt4o_tune.data.privacy.leaves import leaves
from gpt4o_tune.data.privacy.national_ids import NATIONAL_IDS
from gpt4o_tune.data.privacy.personal import PERSONAL
from gpt4o_tune.data.privacy.prefilter import passwords_suspected, secrets_suspected

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from gpt4o_tune.data.decode import JsonObject

DETECTORS: tuple[Detector, ...] = (*SECRETS, *PERSONAL, *NATIONAL_IDS)
"""In the order in which they claim characters."""

KINDS: tuple[Kind, ...] = (
    "secret",
    "password",
    "iban",
    "card",
    "ip",
    "email",
    "national-id",
    "phone",
)
_OF_KIND = {kind: tuple(d for d in DETECTORS if d.kind == kind) for kind in KINDS}
_DIGITS = re.compile(r"\d(?:[^\n\d]{0,4}\d){5,}")
_LIKE_IP = re.compile(r"\d\.\d{1,3}\.\d|[23][0-9A-Fa-f]{3}:")
_FIELD_NAME = re.compile(r"[\w .-]*")
_SHORTEST, _SHORTEST_SECRET = 6, 12
_AT = re.compile("@")
_LONGEST_LOCAL, _LONGEST_DOMAIN = 80, 260
_AROUND_DIGITS = 24
_WORD_BEFORE = 40
_WORD_AFTER = 12


def find(text: str, kinds: Collection[Kind] = KINDS, *, label: str = "") -> list[Sighting]:
    """Find what stands in a text, in order and without overlaps.

    Args:
        text: The text, decoded.
        kinds: What to look for. What else would claim the same characters is looked at all the same, so
            that fewer kinds give a part of what all give.
        label: The name of the field that holds the text, such as `phone`, which counts as a word before it.
    """
    if len(text) < _SHORTEST or text.isalpha():
        return []
    seen = _Places(text, label)
    likely = [kind for kind in KINDS if seen.spans(kind)]
    wanted = [detector for kind in likely if kind in kinds for detector in _OF_KIND[kind]]
    if not any(True for detector in wanted for _ in seen.all(detector)):
        return []
    taken: list[Sighting] = []
    for kind in likely:
        for detector in _OF_KIND[kind]:
            taken += [
                found
                for found in seen.all(detector)
                if all(found.end <= other.start or other.end <= found.start for other in taken)
            ]
    return sorted(found for found in taken if found.detector.kind in kinds)


def sightings(
    raw: bytes, row: JsonObject | None, kinds: Collection[Kind] = KINDS
) -> Iterator[tuple[str, Sighting]]:
    """Yield the path and what was found, for each place of a row.

    Args:
        raw: The line as it stands.
        row: What the line says; None where it cannot be read, and is looked at as text.
        kinds: What to look for. Secrets and passwords are only looked for where the quick test suspects them.
    """
    tests = {"secret": secrets_suspected, "password": passwords_suspected}
    kinds = [kind for kind in kinds if kind not in tests or tests[kind](raw)]
    if not kinds:
        return
    if row is None:
        for found in find(unescaped(raw.decode(errors="replace")), kinds):
            yield "", found
        return
    for leaf in leaves(row):
        for found in find(leaf.text, kinds, label=leaf.label):
            yield leaf.path, found


def unescaped(text: str) -> str:
    """Blank the escapes of broken JSON, so that words behind them start where they start."""
    return re.sub(r"\\[nrt]", "  ", text)


class _Places:
    """A text, and where in it each kind is worth looking for."""

    def __init__(self, text: str, label: str) -> None:
        self._text = text
        self._label = label

    @cached_property
    def _near_digits(self) -> list[tuple[int, int]]:
        return _merged(
            (found.start() - _AROUND_DIGITS, found.end() + _AROUND_DIGITS)
            for found in _DIGITS.finditer(self._text)
        )

    @cached_property
    def _near_at(self) -> list[tuple[int, int]]:
        return _merged(
            (found.start() - _LONGEST_LOCAL, found.end() + _LONGEST_DOMAIN)
            for found in _AT.finditer(self._text)
        )

    def spans(self, kind: Kind) -> list[tuple[int, int]]:
        """Return the parts to look at, from and to; none where the kind cannot be."""
        match kind:
            case "email":
                return self._near_at
            case "secret" | "password":
                return self._whole if len(self._text) >= _SHORTEST_SECRET else []
            case "ip":
                return self._whole if _LIKE_IP.search(self._text) else []
            case _:
                return self._near_digits

    @property
    def _whole(self) -> list[tuple[int, int]]:
        return [(0, len(self._text))]

    def all(self, detector: Detector) -> Iterator[Sighting]:
        """Yield whatever a detector finds."""
        text = self._text
        if detector.hints and not any(hint in text for hint in detector.hints):
            return
        group = "value" if "value" in detector.pattern.groupindex else 0
        for first, last in self.spans(detector.kind):
            for match in detector.pattern.finditer(text, first, last):
                value, (start, end) = match[group], match.span(group)
                accepted = detector.accepts is None or detector.accepts(value)
                if accepted and self._has_word(detector.words, start, end):
                    yield Sighting(start, end, detector, value)

    def _has_word(self, words: re.Pattern[str] | None, start: int, end: int) -> bool:
        if words is None:
            return True
        before = self._text[max(0, start - _WORD_BEFORE) : start].rsplit("\n\n", 1)[-1]
        after = self._text[end : end + _WORD_AFTER]
        # A placeholder that stands for a key is no name.
        label = self._label.replace("_", " ") if _FIELD_NAME.fullmatch(self._label) else ""
        return any(words.search(place) for place in (before, after, label))


def _merged(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Join spans that overlap; they come in order."""
    joined: list[tuple[int, int]] = []
    for start, end in spans:
        if joined and start <= joined[-1][1]:
            joined[-1] = joined[-1][0], end
        else:
            joined.append((max(0, start), end))
    return joined
