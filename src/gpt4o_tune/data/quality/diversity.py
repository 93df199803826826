"""How varied answers are: distinct n-grams, vocabulary, compression and repeats."""

from __future__ import annotations

import random
import zlib
from dataclasses import asdict, dataclass
from itertools import islice
from typing import TYPE_CHECKING

from gpt4o_tune.data._words import exact_key, words
from gpt4o_tune.data.similarity import clusters

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

__all__ = ["NEAR_SEARCH_ROWS", "Diversity"]

NEAR_SEARCH_ROWS = 20_000
"""Rows up to which a profile looks for near-duplicates, which takes most of its time."""

SAMPLE_WORDS = 50_000
SEGMENT_WORDS = 100

_SAMPLE_ROWS = 2_000
_SAMPLE_CHARS = 4_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Diversity:
    """How varied the answers of a dataset are, and how many rows repeat others.

    The first five figures are of a seeded sample of at most 2,000 answers, cut after 50,000 words, because
    they fall with the length of the text: compare datasets only where `sample_words` is about the same.
    """

    sample_words: int
    distinct_1: float
    """Different words by words (distinct-n of Li et al., 2016)."""
    distinct_2: float
    distinct_3: float
    segment_type_token: float
    """Mean share of different words in segments of 100 words (Johnson, 1944); 0 for less than one."""
    compression: float
    """Size of the sample by its size compressed with zlib at level 6: the higher, the more repeats."""
    exact_repeats: tuple[int, ...]
    """Rows whose messages an earlier row has too, to the last character."""
    near_repeats: tuple[int, ...] | None
    """Rows that are alike to an earlier row by the rules of `duplicates`, or through others; None above
    20,000 rows, where they are not searched for."""

    def to_dict(self) -> dict[str, object]:
        """Return the figures as plain values."""
        return asdict(self)


class AnswerSample:
    """A fair sample of texts of unknown number, the same for the same texts (reservoir, algorithm R)."""

    def __init__(self) -> None:
        self._draw = random.Random(0)  # noqa: S311  # no secret
        self._seen = 0
        self._kept: list[str] = []

    def add(self, text: str) -> None:
        """Offer a text; its first 4,000 characters may be kept."""
        self._seen += 1
        if len(self._kept) < _SAMPLE_ROWS:
            self._kept.append(text[:_SAMPLE_CHARS])
        elif (place := self._draw.randrange(self._seen)) < _SAMPLE_ROWS:
            self._kept[place] = text[:_SAMPLE_CHARS]

    def texts(self) -> list[str]:
        """Return the sample."""
        return self._kept


def measure(
    sample: Sequence[str], rows: Sequence[Mapping[str, object]], *, exact_repeats: tuple[int, ...]
) -> Diversity:
    """Measure a sample of answers, and look for near-duplicates among all rows."""
    # Shuffled, so that the cut after so many words leaves no part of the file out.
    order = random.Random(0).sample(sample, len(sample))  # noqa: S311  # no secret
    spoken = list(islice((word for text in order for word in words(text)), SAMPLE_WORDS))
    raw = " ".join(spoken).encode()
    segments = [
        len(set(spoken[start : start + SEGMENT_WORDS])) / SEGMENT_WORDS
        for start in range(0, len(spoken) - SEGMENT_WORDS + 1, SEGMENT_WORDS)
    ]
    return Diversity(
        sample_words=len(spoken),
        distinct_1=_distinct(spoken, 1),
        distinct_2=_distinct(spoken, 2),
        distinct_3=_distinct(spoken, 3),
        segment_type_token=sum(segments) / len(segments) if segments else 0.0,
        compression=len(raw) / len(zlib.compress(raw, 6)) if raw else 0.0,
        exact_repeats=exact_repeats,
        near_repeats=_near_repeats(rows) if len(rows) <= NEAR_SEARCH_ROWS else None,
    )


class Repeats:
    """Notices rows whose messages were there before."""

    def __init__(self) -> None:
        self._keys: set[bytes] = set()
        self._rows: list[int] = []

    def add(self, number: int, row: Mapping[str, object]) -> None:
        """Look at a row."""
        key = exact_key(row)
        if key in self._keys:
            self._rows.append(number)
        self._keys.add(key)

    def rows(self) -> tuple[int, ...]:
        """Return the rows that repeat an earlier one."""
        return tuple(self._rows)


def _near_repeats(rows: Sequence[Mapping[str, object]]) -> tuple[int, ...]:
    return tuple(sorted(row for group in clusters(rows, near=True) for row in group[1:]))


def _distinct(spoken: Sequence[str], size: int) -> float:
    grams = list(_grams(spoken, size))
    return len(set(grams)) / len(grams) if grams else 0.0


def _grams(spoken: Sequence[str], size: int) -> Iterator[tuple[str, ...]]:
    return zip(*(spoken[start:] for start in range(size)), strict=False)
