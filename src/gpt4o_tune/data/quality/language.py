"""Which language a text is in: a small detector for forty languages of everyday use.

The script settles Greek, Hebrew, Thai, Korean, Japanese (kana) and Chinese (Han without kana). Among
languages that share a script, function words, telling letters and word endings give points, less for a
sign that several languages share; a letter that a language is not written with takes points away. The best
language is named only where it has enough points for the length of the text and clearly more than the
next; anything else is `unknown`. Names, code, labels and other texts of a few words are therefore often
unknown. How often it is right is measured in `docs/reference/quality.md`.
"""

from __future__ import annotations

import re
from collections import Counter
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from gpt4o_tune.data.quality._languages import (
    ENDINGS,
    LANGUAGE_OF_SCRIPT,
    LETTERS,
    SCRIPTS,
    WORDS,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

__all__ = ["UNKNOWN", "detect"]

UNKNOWN = "unknown"

_LOOKED_AT_CHARS = 500
_MIN_LETTERS = 4
_MIN_SCRIPT_SHARE = 0.6
_MIN_KANA_SHARE = 0.1
"""Of kana and Han together: Japanese prose has far more, Chinese none."""
_MIN_POINTS = 1.0
_MIN_POINTS_PER_WORD = 0.08
_TELLING_LETTER_LANGUAGES = 5
_REMEMBERED_WORDS = 50_000
_MIN_LEAD_POINTS = 0.5
_MIN_LEAD_SHARE = 0.06
"""Of the best language's points: siblings such as Danish and Norwegian share most of theirs."""

_WORD = re.compile(r"[^\W\d_]+(?:['-][^\W\d_]+)*")
_NOISE = re.compile(r"https?://\S+|\S+@\S+|```.*?```|<[^>\n]{1,80}>|%[^\s%]*|\{\w*\}", re.DOTALL)
# Its vowel signs are no letters to `\w`.
_DEVANAGARI_WORD = re.compile(r"[\u0900-\u0963]+")


def detect(text: str) -> str:
    """Name the language of a text by its ISO 639-1 code, or say `unknown`.

    Web addresses, mail addresses, fenced code, tags and placeholders are passed over; the first 500
    characters decide.

    Example:
        >>> detect("Wo ist mein Paket geblieben?")
        'de'
    """
    prose = _NOISE.sub(" ", text[:_LOOKED_AT_CHARS])
    script = _script(prose)
    if script is None or script in LANGUAGE_OF_SCRIPT:
        return LANGUAGE_OF_SCRIPT.get(script or "", UNKNOWN)
    pattern = _DEVANAGARI_WORD if script == "devanagari" else _WORD
    return _by_words(pattern.findall(prose.casefold().replace("\u2019", "'")))


def _script(text: str) -> str | None:
    """Return the script that most letters are in; None where none has a clear majority."""
    if text.isascii():
        letters = sum(map(str.isalpha, text))
        return "latin" if letters >= _MIN_LETTERS else None
    counts: Counter[str] = Counter()
    for char, times in Counter(text).items():
        if char.isalpha() and (script := _script_of(ord(char))):
            # A Han character or a syllable says as much as a few letters.
            counts[script] += times * (3 if script in ("han", "kana", "hangul") else 1)
    if counts["kana"] and counts["kana"] >= _MIN_KANA_SHARE * (counts["kana"] + counts["han"]):
        counts["kana"] += counts.pop("han", 0)
    if not counts:
        return None
    script, letters = counts.most_common(1)[0]
    total = counts.total()
    return script if letters >= max(_MIN_LETTERS, _MIN_SCRIPT_SHARE * total) else None


@cache
def _script_of(code_point: int) -> str | None:
    return next((name for low, high, name in SCRIPTS if low <= code_point <= high), None)


def _by_words(words: list[str]) -> str:
    """Return the language with the most points for its words, letters and endings."""
    points: dict[str, float] = {}
    signs = _signs()
    for word in words:
        for language, worth in signs.of(word):
            points[language] = points.get(language, 0.0) + worth
    ranked = sorted(points.items(), key=lambda item: (-item[1], item[0]))
    if not ranked:
        return UNKNOWN
    best, most = ranked[0]
    second = ranked[1][1] if len(ranked) > 1 else 0.0
    enough = most >= max(_MIN_POINTS, _MIN_POINTS_PER_WORD * len(words))
    ahead = most - second >= max(_MIN_LEAD_POINTS, _MIN_LEAD_SHARE * most)
    return best if enough and ahead else UNKNOWN


class _Sign(NamedTuple):
    """What speaks for some languages, or with negative points against them."""

    languages: tuple[str, ...]
    points: float


class _Signs:
    """The languages that words speak for or against, and how strongly."""

    def __init__(self) -> None:
        self._words = _speakers({code: line.split() for code, line in WORDS.items()})
        self._endings = _speakers({code: line.split() for code, line in ENDINGS.items()})
        self._letters: dict[str, tuple[str, ...]] = {}
        self._strangers: dict[str, set[str]] = {}
        for alphabets in LETTERS.values():
            users = _speakers(alphabets)
            self._letters |= users
            self._strangers |= {letter: alphabets.keys() - own for letter, own in users.items()}
        self._known: dict[str, tuple[tuple[str, float], ...]] = {}

    def of(self, word: str) -> tuple[tuple[str, float], ...]:
        """Return the points that a word has for each language that it speaks for or against."""
        found = self._known.get(word)
        if found is None:
            points: dict[str, float] = {}
            for sign in self._read(word):
                for language in sign.languages:
                    points[language] = points.get(language, 0.0) + sign.points
            # In one order in every process, as sums of floats depend on it.
            found = tuple(sorted(points.items()))
            if len(self._known) < _REMEMBERED_WORDS:
                self._known[word] = found
        return found

    def _read(self, word: str) -> Iterator[_Sign]:
        if languages := self._words.get(word):
            # A lone letter is a word in some languages and a unit, a name or a flag in all.
            yield _Sign(languages, (1.0 if len(word) > 1 else 0.4) / len(languages) ** 0.5)
        if not word.isascii():
            letters = sorted(self._letters.keys() & set(word))
            for letter in letters:
                if len(languages := self._letters[letter]) <= _TELLING_LETTER_LANGUAGES:
                    yield _Sign(languages, 0.5 / len(languages) ** 0.5)
            strangers = set[str]().union(*(self._strangers[letter] for letter in letters))
            yield _Sign(tuple(strangers), -0.4)
        if len(word) >= 5:
            for size in (6, 5, 4, 3, 2):
                if languages := self._endings.get(word[-size:]):
                    yield _Sign(languages, 0.35 / len(languages) ** 0.5)
                    break


@cache
def _signs() -> _Signs:
    return _Signs()


def _speakers(signs: Mapping[str, Iterable[str]]) -> dict[str, tuple[str, ...]]:
    """Turn signs by language into languages by sign."""
    found: dict[str, list[str]] = {}
    for language, own in signs.items():
        for sign in dict.fromkeys(own):
            found.setdefault(sign, []).append(language)
    return {sign: tuple(languages) for sign, languages in found.items()}
