"""Whether two rows are alike, by the rules of `similarity`, looking at the two alone.

What is common to many rows, and therefore does not count, is known beforehand from a sample.
"""

from __future__ import annotations

from collections import Counter
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from gpt4o_tune.data._joining import CONTAINED_SHINGLES, jaccard
from gpt4o_tune.data._words import SHINGLE_WORDS, all_words, repeated_words, row_texts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from gpt4o_tune.data._words import RowTexts

_KEPT = 1_024


class Common:
    """Shingles that are common among the rows of a sample and do not count."""

    def __init__(
        self,
        rows: Iterable[Mapping[str, object]],
        *,
        template_limit: Callable[[int], float],
        stock_limit: Callable[[int], float],
    ) -> None:
        """Read a sample.

        Args:
            rows: The sample: rows that differ in instructions and prompt together.
            template_limit: Gives, for a number of texts, how many may share a shingle of a prompt that
                still counts.
            stock_limit: The same for shingles of prompt and answer.
        """
        said = list(map(row_texts, rows))
        self._bare_template = _above(
            [_shingles(all_words(one.prompt), one.images) for one in said], template_limit
        )
        prompts: dict[tuple[int, tuple[str, ...]], frozenset[int]] = {}
        wholes: dict[tuple[int, tuple[str, ...], tuple[str, ...]], frozenset[int]] = {}
        for one in said:
            words, shingles = self.compared(one)
            answer = all_words(one.answer)
            prompts[one.images, words] = shingles
            whole = _shingles(all_words(one.prompt) + answer, one.images)
            wholes[one.images, words, answer] = whole
        self.template = _above(prompts.values(), template_limit)
        self.stock = _above(wholes.values(), stock_limit)

    def is_said_by_template_alone(self, row: Mapping[str, object]) -> bool:
        """Tell whether nothing in a prompt counts, so that the instructions are compared with it."""
        said = row_texts(row)
        return self._bare_template.issuperset(_shingles(all_words(said.prompt), said.images))

    def compared(self, said: RowTexts) -> tuple[tuple[str, ...], frozenset[int]]:
        """Return words and shingles of a prompt, with the instructions before it where these count."""
        words = all_words(said.prompt)
        shingles = _shingles(words, said.images)
        if said.instructions and self._bare_template.issuperset(shingles):
            words = repeated_words(said.instructions) + words
            return words, _shingles(words, said.images)
        return words, shingles


class Prompt(NamedTuple):
    """The prompt of a row as the rules see it."""

    text: str
    """All words, each between blanks; empty where nothing is said or shown."""
    images: int
    telling: frozenset[int]
    """The shingles that count."""
    is_long_enough: bool
    """Whether the prompt means something where it stands in another."""
    said: RowTexts

    def is_like(self, other: Prompt) -> float:
        """Return the Jaccard index; without a telling shingle only equal prompts are alike."""
        if self.telling or other.telling:
            return jaccard(self.telling, other.telling)
        return float(self.key == other.key)

    @property
    def key(self) -> tuple[int, str]:
        """What makes two prompts equal."""
        return self.images, self.text

    def stands_in(self, other: Prompt) -> bool:
        """Tell whether the whole prompt is part of a longer one."""
        return (
            bool(self.telling)
            and self.is_long_enough
            and self.images == other.images
            and len(self.text) < len(other.text)
            and self.text in other.text
        )


class Judge:
    """Compares rows by number and reads each only when it is needed."""

    def __init__(self, read: Callable[[int], Mapping[str, object]], common: Common) -> None:
        self._read = read
        self._common = common
        self.prompt = lru_cache(_KEPT)(self._prompt)
        self._whole = lru_cache(_KEPT)(self._shingles_of_whole)

    def are_near(self, row: int, other: int, *, threshold: float) -> bool:
        """Tell whether two rows with different prompts are near-duplicates."""
        one, two = self.prompt(row), self.prompt(other)
        alike = one.is_like(two)
        if one.telling and alike >= threshold:
            return True
        return alike >= threshold / 2 and self._wholes_alike(row, other) >= threshold

    def is_contained(self, row: int, other: int) -> bool:
        """Tell whether the prompt of one of two rows stands whole in that of the other."""
        one, two = self.prompt(row), self.prompt(other)
        return one.stands_in(two) or two.stands_in(one)

    def _wholes_alike(self, row: int, other: int) -> float:
        one, two = self._whole(row), self._whole(other)
        return jaccard(one, two) if one or two else 0.0

    def _prompt(self, row: int) -> Prompt:
        said = row_texts(self._read(row))
        words, shingles = self._common.compared(said)
        return Prompt(
            " ".join(["", *words, ""]),
            said.images,
            shingles - self._common.template,
            len(words) - SHINGLE_WORDS + 1 >= CONTAINED_SHINGLES,
            said,
        )

    def _shingles_of_whole(self, row: int) -> frozenset[int]:
        said = self.prompt(row).said
        words = all_words(said.prompt + said.answer)
        return _shingles(words, said.images) - self._common.stock


def _shingles(words: Sequence[str], images: int) -> frozenset[int]:
    """Return the distinct shingles of a text; the images take part in each, as in `_words.shingles`.

    They are hashes that hold in this process alone.
    """
    if len(words) < SHINGLE_WORDS:
        return frozenset([hash((images, *words))] if words or images else ())
    runs = map(hash, zip(words, words[1:], words[2:], strict=False))
    return frozenset(run ^ images for run in runs) if images else frozenset(runs)


def _above(texts: Iterable[frozenset[int]], limit: Callable[[int], float]) -> frozenset[int]:
    counts = Counter[int]()
    number = 0
    for shingles in texts:
        counts.update(shingles)
        number += 1
    most = limit(number)
    return frozenset(shingle for shingle, count in counts.items() if count > most)
