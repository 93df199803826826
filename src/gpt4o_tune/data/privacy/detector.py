"""What a detector is, and what it reports."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

if TYPE_CHECKING:
    import re
    from collections.abc import Callable

Kind: TypeAlias = Literal[
    "secret", "password", "iban", "card", "ip", "email", "national-id", "phone"
]
"""What is looked for. Where two kinds claim the same characters, the one named first here has them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Detector:
    """One form of one kind, as data."""

    name: str
    """Stable name, such as `openai-key`."""
    kind: Kind
    title: str
    """With its article, as messages call it."""
    pattern: re.Pattern[str]
    """Matches the value; its group `value` where the match is longer than that."""
    source: str
    """Where the form or the check digits are described."""
    hints: tuple[str, ...] = ()
    """Texts one of which stands in whatever the pattern matches, in this case; empty where none does."""
    accepts: Callable[[str], bool] | None = None
    """Further test of the value: a checksum, a range, a length."""
    words: re.Pattern[str] | None = None
    """What must stand shortly before the value, or name its field, for the form alone says too little."""
    shown: int = 0
    """Leading characters that are the same for everyone, and so may be shown."""


class Sighting(NamedTuple):
    """Something found in a text."""

    start: int
    end: int
    """Past the last character."""
    detector: Detector
    value: str

    @property
    def masked(self) -> str:
        """The value as a report may show it: never enough to use it, or to know whose it is."""
        return mask(self.detector, self.value)


def mask(detector: Detector, value: str) -> str:
    """Write a value so that it can be recognised by who knows it and by nobody else."""
    if detector.kind == "email":
        return f"{value[0]}…@…{value[value.rfind('.') :]}"
    if detector.kind == "card":
        return f"…{value[-4:]}"
    if detector.kind in ("secret", "password"):
        return f"{value[: detector.shown]}… ({len(value)} characters)"
    return f"{value[:2]}…"


def entropy(text: str) -> float:
    """Return Shannon's entropy of the characters of a text, in bits for each."""
    counts = Counter(text).values()
    return -sum(count / len(text) * math.log2(count / len(text)) for count in counts)
