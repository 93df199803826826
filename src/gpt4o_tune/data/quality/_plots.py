"""Plots as inline SVG: readable without colour, by a screen reader, on paper, in light and dark.

Colours come from the page's style sheet. Every plot has a label in words, and every bar a title with its
figures.
"""

from __future__ import annotations

import html
import math
from typing import TYPE_CHECKING

from gpt4o_tune._display import shorten

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gpt4o_tune.data.quality.distribution import Distribution
    from gpt4o_tune.data.quality.shares import Shares

_WIDTH, _HEIGHT = 480, 150
_LEFT, _BOTTOM, _TOP = 4, 22, 16
_VALUE_COLUMNS = 90
_POINTS = 600
_WIDEST_BAR = 44
_FULL_STRIP = 0.2
"""Share that fills the strip beside a value at least, so that small shares look small."""


def histogram(distribution: Distribution, *, unit: str) -> str:
    """Draw a distribution: a bar per bin, with the median marked and the ends of the axis written."""
    bins = distribution.bins
    if not bins:
        return "<p>No values.</p>"
    most = max(each.count for each in bins)
    wide = min(_WIDEST_BAR, (_WIDTH - 2 * _LEFT) / len(bins))
    start = (_WIDTH - wide * len(bins)) / 2
    room = _HEIGHT - _BOTTOM - _TOP
    bars: list[str] = []
    for place, each in enumerate(bins):
        tall = max(1.5, room * each.count / most) if each.count else 0.0
        span = f"{each.low:,}" if each.low == each.high else f"{each.low:,} to {each.high:,}"
        bars.append(
            f'<rect class="bar" x="{start + place * wide:.1f}" y="{_HEIGHT - _BOTTOM - tall:.1f}" '
            f'width="{max(1.0, wide - 1.5):.1f}" height="{tall:.1f}">'
            f"<title>{span} {html.escape(unit)}: {each.count:,}</title></rect>"
        )
    middle = next(p for p, each in enumerate(bins) if distribution.median <= each.high)
    at = start + (middle + 0.5) * wide
    anchor = "start" if at < _WIDTH * 0.2 else "end" if at > _WIDTH * 0.8 else "middle"
    words = (
        f"{distribution.count:,} values from {distribution.min:,} to {distribution.max:,} {unit}, "
        f"median {distribution.median:,}"
    )
    base = _HEIGHT - _BOTTOM
    return _svg(
        words,
        _HEIGHT,
        [
            *bars,
            f'<line class="axis" x1="{_LEFT}" y1="{base}" x2="{_WIDTH - _LEFT}" y2="{base}"/>',
            f'<line class="mark" x1="{at:.1f}" y1="{_TOP}" x2="{at:.1f}" y2="{base}"/>',
            _text(at, _TOP - 5, f"median {distribution.median:,}", anchor),
            *_ends(distribution, start=start, unit=unit),
        ],
    )


def bars(shares: Shares, *, title: str, shown: int = 10) -> str:
    """Draw the commonest values as a table with a bar per row, so that labels may be long."""
    if not shares.top:
        return "<p>None.</p>"
    most = max(_FULL_STRIP, shares.part(shares.top[0]))
    rows = [
        f'<tr><th scope="row" dir="auto">{html.escape(shorten(each.value, _VALUE_COLUMNS) or "(empty)")}</th>'
        f"<td class=number>{each.count:,}</td><td class=number>{shares.part(each):.1%}</td>"
        f"<td class=strip>{_strip(shares.part(each) / most)}</td></tr>"
        for each in shares.top[:shown]
    ]
    others = shares.distinct - len(rows)
    if others > 0:
        count = shares.total - sum(each.count for each in shares.top[:shown])
        rows.append(
            f'<tr><th scope="row">{others:,} {"other" if others == 1 else "others"}</th>'
            f"<td class=number>{count:,}</td><td class=number>{count / shares.total:.1%}</td><td></td></tr>"
        )
    return (
        f"<table class=bars><caption>{html.escape(title)}</caption><thead class=quiet><tr>"
        "<th scope=col>Value</th><th scope=col>Count</th><th scope=col>Share</th>"
        f"<th scope=col>Bar</th></tr></thead><tbody>{''.join(rows)}</tbody></table>"
    )


def scatter(across: Sequence[int], up: Sequence[int], *, x_title: str, y_title: str) -> str:
    """Draw pairs of whole numbers on two logarithmic axes of one scale, with the line where both are equal.

    Of more than 600 pairs, every so many is drawn.
    """
    tall, left, foot = 300, 44, 34
    every = max(1, math.ceil(len(across) / _POINTS))
    pairs = list(zip(across, up, strict=True))[::every]
    low = max(1, min(min(pair) for pair in pairs))
    top = max(low + 1, max(max(pair) for pair in pairs))
    side_x, side_y = _WIDTH - left - 8, tall - foot - 8

    def place(value: int) -> float:
        return math.log(max(value, low) / low) / math.log(top / low)

    dots = "".join(
        f'<circle class="dot" cx="{left + side_x * place(x):.1f}" cy="{8 + side_y * (1 - place(y)):.1f}" r="2.6"/>'
        for x, y in pairs
    )
    words = f"{len(pairs):,} pairs: {x_title} across, {y_title} up, both from {low:,} to {top:,}, logarithmic"
    return _svg(
        words,
        tall,
        [
            f'<line class="axis" x1="{left}" y1="{8 + side_y}" x2="{_WIDTH - 8}" y2="{8 + side_y}"/>',
            f'<line class="axis" x1="{left}" y1="8" x2="{left}" y2="{8 + side_y}"/>',
            f'<line class="mark" x1="{left}" y1="{8 + side_y}" x2="{_WIDTH - 8}" y2="8"/>',
            dots,
            _text(left, tall - 18, f"{low:,}", "start"),
            _text(_WIDTH - 8, tall - 18, f"{top:,}", "end"),
            _text(left + side_x / 2, tall - 4, x_title, "middle"),
            _text(left - 5, 18, f"{top:,}", "end"),
            _text(left - 5, 8 + side_y, f"{low:,}", "end"),
            f'<text x="0" y="0" text-anchor="middle" transform="translate(12 {8 + side_y / 2:.0f}) '
            f'rotate(-90)">{html.escape(y_title)}</text>',
        ],
    )


def _ends(distribution: Distribution, *, start: float, unit: str) -> list[str]:
    """Write the smallest and the largest value below the first and the last bar, and the unit."""
    low, high, y = f"{distribution.min:,}", f"{distribution.max:,}", _HEIGHT - 6
    if len(distribution.bins) == 1:
        return [_text(_WIDTH / 2, y, f"{low} {unit}", "middle")]
    ends = [_text(start, y, low, "start"), _text(_WIDTH - start, y, high, "end")]
    has_room = _WIDTH - 2 * start > _WIDTH / 2
    place = (_WIDTH / 2, "middle") if has_room else (_WIDTH - _LEFT, "end")
    return [*ends, _text(place[0], y, unit, place[1])]


def _strip(share: float) -> str:
    return (
        '<svg viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">'
        f'<rect class="bar" width="{max(0.5, 100 * share):.1f}" height="10"/></svg>'
    )


def _svg(words: str, height: float, inside: Sequence[str]) -> str:
    label = html.escape(words)
    return (
        f'<svg class="plot" viewBox="0 0 {_WIDTH} {height}" role="img" aria-label="{label}">'
        f"<title>{label}</title>{''.join(inside)}</svg>"
    )


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{html.escape(text)}</text>'
