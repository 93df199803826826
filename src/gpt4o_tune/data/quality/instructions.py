"""System prompts: how many there are, which rows have none, and which differ by a slip."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gpt4o_tune.data.quality.shares import Share, Shares

__all__ = ["Instructions", "Variant"]

_MAX_EDIT_CHARS = 12
_MAX_EDIT_WORDS = 2
_MIN_CHARS = 20
_MIN_TIMES_COMMONER = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """A system prompt that differs from a commoner one by a few characters or words."""

    text: str
    like: str
    """The commoner prompt."""
    rows: tuple[int, ...]
    """Rows that have the rarer one."""

    @property
    def added(self) -> tuple[str, ...]:
        """Words that it has and the commoner one lacks, or has fewer times; empty where spacing differs."""
        return tuple((Counter(self.text.split()) - Counter(self.like.split())).elements())

    @property
    def lacking(self) -> tuple[str, ...]:
        """Words that the commoner one has and it lacks, or has fewer times."""
        return tuple((Counter(self.like.split()) - Counter(self.text.split())).elements())


@dataclass(frozen=True, slots=True, kw_only=True)
class Instructions:
    """The system and developer messages of a dataset; several in one row are taken together."""

    shares: Shares
    """Prompts by frequency, in full."""
    missing: tuple[int, ...]
    """Rows without any."""
    variants: tuple[Variant, ...]
    """Prompts that look like slips of a commoner one, three times as frequent at least."""

    def to_dict(self) -> dict[str, object]:
        """Return the figures as plain values."""
        return {
            **self.shares.to_dict(),
            "missing": list(self.missing),
            "variants": [
                {
                    "text": each.text,
                    "like": each.like,
                    "added": list(each.added),
                    "lacking": list(each.lacking),
                    "rows": list(each.rows),
                }
                for each in self.variants
            ],
        }


def instructions_of(shares: Shares, missing: tuple[int, ...]) -> Instructions:
    """Look for slips among the commonest prompts.

    Prompts that nearly every row has its own of are filled-in templates, and no slips are looked for.
    """
    templated = shares.distinct > max(len(shares.top), shares.total / 2)
    variants = () if templated else tuple(_variants(shares.top))
    return Instructions(shares=shares, missing=missing, variants=variants)


def _variants(prompts: tuple[Share, ...]) -> list[Variant]:
    found: dict[str, Variant] = {}
    for common, rare in combinations(prompts, 2):
        if (
            rare.value not in found
            and common.count >= _MIN_TIMES_COMMONER * rare.count
            and differ_by_a_slip(common.value, rare.value)
        ):
            found[rare.value] = Variant(text=rare.value, like=common.value, rows=rare.rows)
    return list(found.values())


def differ_by_a_slip(one: str, other: str) -> bool:
    """Tell whether two prompts differ at one place by up to 12 characters, or by a word or two anywhere."""
    if min(len(one), len(other)) < _MIN_CHARS:
        return False
    head = _common_start(one, other)
    tail = _common_start(one[head:][::-1], other[head:][::-1])
    if max(len(one), len(other)) - head - tail <= _MAX_EDIT_CHARS:
        return True
    ours, theirs = Counter(one.split()), Counter(other.split())
    return max((ours - theirs).total(), (theirs - ours).total()) <= _MAX_EDIT_WORDS


def _common_start(one: str, other: str) -> int:
    pairs = enumerate(zip(one, other, strict=False))
    return next((at for at, (ours, theirs) in pairs if ours != theirs), min(len(one), len(other)))
