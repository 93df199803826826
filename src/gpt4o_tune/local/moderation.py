"""A stand-in for the moderation model: a few mild patterns, so that what handles flags can be tried.

It reads English, knows a handful of phrases and no context. What it leaves unflagged is not thereby safe.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

MODELS: Final = (
    "omni-moderation-latest",
    "omni-moderation-2024-09-26",
    "text-moderation-latest",
    "text-moderation-stable",
)
"""The names under which it answers."""

MATCH_SCORE: Final = 0.9
"""Score of a category one of whose patterns matches; every other category has 0."""

_PERSON = r"(?:him|her|them|people|someone|somebody|everyone)"
_GROUP = r"(?:foreigners|immigrants|women|men|believers|unbelievers)"
_SELF = r"(?:myself|yourself)"

_PATTERNS: Final[Mapping[str, str]] = {
    "harassment": r"\byou(?:'re| are) (?:an? |such an? )?(?:idiot|moron|loser|stupid|worthless|pathetic)\b",
    "harassment/threatening": r"\bi(?:'ll| will|'m going to| am going to) (?:hurt|beat up|come after) you\b",
    "hate": rf"\b{_GROUP} are (?:all )?(?:inferior|vermin|subhuman)\b",
    "hate/threatening": rf"\b{_GROUP} (?:should|must) (?:all )?be (?:hurt|beaten|wiped out)\b",
    "illicit": r"\bhow to (?:shoplift|launder money|forge an? \w+|pick (?:a|someone's) lock)\b",
    "illicit/violent": r"\bhow to (?:build|make|buy) an? (?:illegal )?(?:bomb|gun|weapon)\b",
    "self-harm": rf"\b(?:self-harm|hurting {_SELF})\b",
    "self-harm/instructions": rf"\bhow to (?:hurt|harm) {_SELF}\b",
    "self-harm/intent": r"\bi (?:want|am going|'m going) to (?:hurt|harm|kill) myself\b",
    "sexual": r"\b(?:pornograph(?:y|ic)|explicit sex(?:ual)?)\b",
    "sexual/minors": r"\bsexual(?:ized)? (?:content|images?) of (?:minors?|children)\b",
    "violence": rf"\b(?:kill|murder|stab|strangle)(?:s|ed|ing)? {_PERSON}\b",
    "violence/graphic": r"\b(?:blood splattered|splattered (?:with|in) blood|dismembered)\b",
}
CATEGORIES: Final = tuple(_PATTERNS)
"""The categories of the real service, each of which has a pattern."""

_MARK = r"\[flag:{}\]"
"""A text may ask for a flag by name, such as `[flag:hate]`: for tests that need one without the words."""
_COMPILED = {
    category: re.compile(f"{pattern}|{_MARK.format(re.escape(category))}", re.IGNORECASE)
    for category, pattern in _PATTERNS.items()
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a text was flagged for."""

    categories: frozenset[str]

    def scores(self) -> dict[str, float]:
        """A score for each category, in the order of the service."""
        return {each: MATCH_SCORE if each in self.categories else 0.0 for each in CATEGORIES}


def judge(texts: Iterable[str]) -> Verdict:
    """Flag texts together; a category below another, such as `hate/threatening`, flags both."""
    found = {
        category
        for text in texts
        for category, pattern in _COMPILED.items()
        if pattern.search(text)
    }
    return Verdict(frozenset(found | {each.partition("/")[0] for each in found}))
