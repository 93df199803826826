"""A data card as Markdown: figures and findings, and no rows of the data."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from gpt4o_tune._display import money, plural, shorten
from gpt4o_tune.data.quality._limits import LIMITS
from gpt4o_tune.data.quality._text import length_rows
from gpt4o_tune.data.quality.findings import named_languages

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from gpt4o_tune.data.quality.card import DataCard
    from gpt4o_tune.data.quality.pairs import PairBias
    from gpt4o_tune.data.quality.shares import Shares

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~!&])")
_SHOWN = 10
_VALUE_COLUMNS = 60


def markdown(card: DataCard) -> str:
    """Write the card."""
    profile = card.profile
    blocks = [
        f"# {_plain(card.title)}",
        _facts(card),
        "## What stands out",
        "\n".join(f"- **{each.weight}**: {_plain(str(each))}" for each in profile.findings)
        or "Nothing.",
        "## Lengths",
        _table(
            ["Per row", "Min", "5 %", "Median", "95 %", "Max"],
            [
                [title, *(f"{value:,}" for value in (d.min, d.p5, d.median, d.p95, d.max))]
                for title, _, d in length_rows(profile)
            ],
            right={1, 2, 3, 4, 5},
        ),
    ]
    for labels in profile.labels:
        blocks += [f"## Labels: {_plain(labels.name)}", _shares(labels.shares, shown=50)]
    if profile.pairs:
        blocks += ["## Preference pairs", _pairs(profile.pairs)]
    blocks += ["## Languages of prompts", _shares(named_languages(profile.languages.prompts))]
    blocks += ["## Repeats and leakage", _leakage(card)]
    if card.checks:
        rows = [[each.code, each.severity, f"{each.count:,}"] for each in card.checks]
        blocks += ["## Checks", _table(["Code", "Severity", "Count"], rows, right={2})]
    limits = "\n".join(f"- {name}: {_plain(limit)}" for name, limit in LIMITS)
    blocks += ["## What these measures cannot see", limits]
    return "\n\n".join(blocks) + "\n"


def _facts(card: DataCard) -> str:
    cost = card.cost
    rows = [
        ["Source", _plain(card.source)],
        ["Rows", f"{card.profile.rows:,} ({card.profile.format})"],
        ["Tokens", f"{card.tokens.total:,}, of which {card.tokens.trained:,} are learned"],
        ["Training", f"{money(cost.usd)}, {plural(cost.epochs, 'epoch')} on {_plain(cost.model)}"],
        ["SHA-256", f"`{card.fingerprint}`"],
        ["Made", f"{card.date.isoformat()} with gpt4o-tune {card.version}"],
    ]
    return _table(["Fact", "Value"], rows)


def _shares(shares: Shares, *, shown: int = _SHOWN) -> str:
    rows = [
        [
            _plain(shorten(each.value, _VALUE_COLUMNS)),
            f"{each.count:,}",
            f"{shares.part(each):.1%}",
        ]
        for each in shares.top[:shown]
    ]
    return _table(["Value", "Count", "Share"], rows, right={1, 2})


def _pairs(pairs: PairBias) -> str:
    return (
        f"The preferred output is longer in {pairs.preferred_longer:,} of {pairs.pairs:,} pairs and "
        f"shorter in {pairs.rejected_longer:,} (sign test, p = {pairs.p_value:.2g}; "
        f"{pairs.mean_difference:+.1f} tokens on average). "
        f"{plural(len(pairs.identical), 'pair')} identical."
    )


def _leakage(card: DataCard) -> str:
    it = card.profile.diversity
    lines = [f"- Exact repeats: {len(it.exact_repeats):,}"]
    if it.near_repeats is not None:
        lines.append(f"- Exact and near repeats: {len(it.near_repeats):,}")
    if card.split:
        lines.append(f"- Held-out rows like a row of another part: {len(card.split.leakage):,}")
    for each in card.screening.benchmarks if card.screening else ():
        lines.append(
            f"- Rows that hold an item of {_plain(each.name)}: {len(each.rows):,} "
            f"({each.found_items:,} of {each.items:,} items at least)"
        )
    return "\n".join(lines)


def _table(
    headers: Sequence[str], rows: Iterable[Sequence[str]], *, right: Iterable[int] = ()
) -> str:
    sides = set(right)
    rule = "|".join("--:" if place in sides else "---" for place in range(len(headers)))
    lines = [f"| {' | '.join(headers)} |", f"|{rule}|"]
    return "\n".join(lines + [f"| {' | '.join(row)} |" for row in rows])


def _plain(text: str) -> str:
    """Write a text on one line so that Markdown shows it as it is."""
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))
