"""Rows that stand apart: in length, language, symbols or repetition."""

from __future__ import annotations

import math
import statistics
import string
import zlib
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["OUTLIER_KINDS", "Outlier", "OutlierKind", "Outliers"]

OutlierKind: TypeAlias = Literal["length", "answer-length", "language", "symbols", "repetition"]
OUTLIER_KINDS: tuple[OutlierKind, ...] = get_args(OutlierKind)

MAX_SCORE = 3.5
"""Modified z-score above which a value is an outlier (Iglewicz and Hoaglin, 1993)."""
MAX_SHARE = 0.05
"""Where more rows than this stand apart in the same way, they are a second kind of row, not outliers."""
MIN_MAJORITY = 0.9
"""Share of a language above which rows in another one stand apart."""
MIN_COMPRESSED = 0.2
"""Compressed size by size below which a text of 200 bytes and more repeats itself; prose has 0.4 to 0.7."""
MAX_SYMBOLS = 0.5
"""Share of ASCII marks and symbols, white space aside, above which a text is mostly symbols."""

_MIN_FACTOR = math.log(2)
_MIN_TOKENS_APART = 10
_MIN_REPETITION_BYTES = 200
_MIN_SYMBOL_CHARS = 20
_LOOKED_AT_CHARS = 20_000
_ASCII_SYMBOLS = string.punctuation.encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlier:
    """A row that stands apart, and in what."""

    row: int
    kind: OutlierKind
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Outliers:
    """All rows that stand apart; `dataset.select(profile.outliers.rows)` shows them."""

    items: tuple[Outlier, ...]

    @property
    def rows(self) -> tuple[int, ...]:
        """Numbers of the rows, each once."""
        return tuple(sorted({each.row for each in self.items}))

    def of(self, kind: OutlierKind) -> tuple[Outlier, ...]:
        """Return the outliers of a kind."""
        return tuple(each for each in self.items if each.kind == kind)

    def __len__(self) -> int:
        return len(self.rows)

    def to_dict(self) -> dict[str, object]:
        """Return the outliers as plain values."""
        return {"rows": len(self), "items": [asdict(each) for each in self.items]}


def repeats_itself(text: str) -> bool:
    """Tell whether a text of some length is mostly repetition."""
    raw = text[:_LOOKED_AT_CHARS].encode("utf-8", "surrogatepass")
    return len(raw) >= _MIN_REPETITION_BYTES and len(zlib.compress(raw, 1)) < MIN_COMPRESSED * len(
        raw
    )


def is_mostly_symbols(text: str) -> bool:
    """Tell whether a text of some length is mostly neither letters, digits nor white space."""
    seen = len("".join(text[:_LOOKED_AT_CHARS].split()))
    raw = text[:_LOOKED_AT_CHARS].encode("utf-8", "surrogatepass")
    # ASCII only: vowel signs, which words of many scripts are full of, are no letters to `isalnum`.
    symbols = len(raw) - len(raw.translate(None, _ASCII_SYMBOLS))
    return seen >= _MIN_SYMBOL_CHARS and symbols > MAX_SYMBOLS * seen


def modified_scores(values: Sequence[int]) -> list[float]:
    """Return the modified z-score of the logarithm of each value.

    The score is 0.6745 times the distance from the median, by the median absolute deviation; where that
    is 0, the distance by 1.2533 times the mean absolute deviation (Iglewicz and Hoaglin, 1993).
    """
    logs = [math.log(max(value, 1)) for value in values]
    if not logs:
        return []
    middle = statistics.median(logs)
    apart = [abs(value - middle) for value in logs]
    scale = statistics.median(apart) / 0.6745 or 1.2533 * statistics.fmean(apart)
    return [(value - middle) / scale if scale else 0.0 for value in logs]


def odd_lengths(values: Sequence[int], kind: OutlierKind, noun: str) -> list[Outlier]:
    """Find values that are far longer or shorter than the others: by score, factor and tokens."""
    if not values:
        return []
    middle = statistics.median_low(values)
    found = [
        Outlier(row=row, kind=kind, detail=f"{noun}: {value:,} tokens, median {middle:,}")
        for row, (value, score) in enumerate(zip(values, modified_scores(values), strict=True))
        if abs(score) > MAX_SCORE
        and abs(value - middle) >= _MIN_TOKENS_APART
        and abs(math.log(max(value, 1) / max(middle, 1))) >= _MIN_FACTOR
    ]
    return found if _are_few(found, len(values)) else []


def odd_languages(languages: Sequence[str], *, unknown: str) -> list[Outlier]:
    """Find rows in another language than nine tenths of the rows whose language is known."""
    known = [language for language in languages if language != unknown]
    if not known:
        return []
    main = statistics.mode(known)
    if known.count(main) < MIN_MAJORITY * len(known):
        return []
    return [
        Outlier(row=row, kind="language", detail=f"{language}, where most rows are {main}")
        for row, language in enumerate(languages)
        if language not in (main, unknown)
    ]


def odd_texts(symbols: Sequence[int], repeating: Sequence[int], *, rows: int) -> Iterator[Outlier]:
    """Yield rows that are mostly symbols, and rows that repeat themselves, where these are few."""
    details: tuple[tuple[OutlierKind, Sequence[int], str], ...] = (
        ("symbols", symbols, "a text that is mostly symbols"),
        ("repetition", repeating, "a text that repeats itself"),
    )
    for kind, found, detail in details:
        if _are_few(found, rows):
            yield from (Outlier(row=row, kind=kind, detail=detail) for row in found)


def _are_few(found: Sequence[object], rows: int) -> bool:
    return len(found) <= max(1, MAX_SHARE * rows)
