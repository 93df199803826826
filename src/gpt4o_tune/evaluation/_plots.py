"""Plots as inline SVG: readable without colour, by a screen reader, on paper, in light and dark.

Colours come from the page's style sheet. Every plot has a label in words, and every mark a title with its
figures.
"""

from __future__ import annotations

import html
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gpt4o_tune.evaluation._report import short_name

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_WIDTH = 760
_LABEL = 250
_ROW = 30
_FOOT = 34
_LABEL_COLUMNS = 32
_END_COLUMNS = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """An estimate with its interval."""

    label: str
    low: float
    value: float
    high: float
    words: str
    """The figures, for the title."""

    kind: str = ""
    """A class of the style sheet: better, worse, or nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A straight line over the number of calls."""

    label: str
    start: float
    slope: float
    is_chosen: bool = False


def intervals(
    ranges: Sequence[Range], *, title: str, write: Callable[[float], str], zero: bool = False
) -> str:
    """Draw a row with a dot and its interval for each range, over one axis.

    Args:
        ranges: What to draw, from above.
        title: What is shown, in words.
        write: Writes a value of the axis.
        zero: Mark zero, and have it on the axis.
    """
    ends = [end for each in ranges for end in (each.low, each.high, each.value)]
    axis = Axis.over([*ends, 0.0] if zero else ends, left=_LABEL, right=_WIDTH - 26)
    height = _ROW * len(ranges) + _FOOT
    floor = _ROW * len(ranges) + 4
    marks: list[str] = _grid(axis, floor, write)
    if zero:
        marks.append(
            f'<line class="mark" x1="{axis.at(0):.1f}" y1="0" x2="{axis.at(0):.1f}" y2="{floor}"/>'
        )
    for place, each in enumerate(ranges):
        y = _ROW * place + _ROW / 2
        marks.append(
            f'<g class="range {each.kind}"><title>{html.escape(f"{each.label}: {each.words}")}</title>'
            f'<rect x="0" y="{y - _ROW / 2:.1f}" width="{_WIDTH}" height="{_ROW}" fill="transparent"/>'
            f'<line x1="{axis.at(each.low):.1f}" y1="{y}" x2="{axis.at(each.high):.1f}" y2="{y}"/>'
            f'<line x1="{axis.at(each.low):.1f}" y1="{y - 5}" x2="{axis.at(each.low):.1f}" y2="{y + 5}"/>'
            f'<line x1="{axis.at(each.high):.1f}" y1="{y - 5}" x2="{axis.at(each.high):.1f}" y2="{y + 5}"/>'
            f'<circle cx="{axis.at(each.value):.1f}" cy="{y}" r="5"/></g>'
        )
        marks.append(
            _text(_LABEL - 14, y + 4, short_name(each.label, _LABEL_COLUMNS), "end", "name")
        )
    return _svg(
        f"{title}. {'; '.join(f'{each.label} {each.words}' for each in ranges)}", height, marks
    )


def scatter(
    points: Sequence[Range],
    across: Sequence[float],
    *,
    title: str,
    x_title: str,
    write_x: Callable[[float], str],
    write_y: Callable[[float], str],
) -> str:
    """Draw estimates with their intervals over another figure, such as cost."""
    left, right, top, floor = 64, _WIDTH - 190, 12, 250
    axis = Axis.over([0.0, *across], left=left, right=right)
    ends = [end for each in points for end in (each.low, each.high, each.value)]
    upright = Axis.over(ends, left=floor, right=top)
    marks = _grid(axis, floor, write_x, top=top)
    for tick in upright.ticks:
        y = upright.at(tick)
        marks.append(f'<line class="grid" x1="{left}" y1="{y:.1f}" x2="{right}" y2="{y:.1f}"/>')
        marks.append(_text(left - 8, y + 4, write_y(tick), "end"))
    names: list[tuple[float, float, str]] = []
    for x, each in zip(across, points, strict=True):
        place, y = axis.at(x), upright.at(each.value)
        names.append((place, y, each.label))
        marks.append(
            f'<g class="range {each.kind}"><title>{html.escape(f"{each.label}: {each.words}, {write_x(x)}")}'
            f'</title><line x1="{place:.1f}" y1="{upright.at(each.low):.1f}" x2="{place:.1f}" '
            f'y2="{upright.at(each.high):.1f}"/><circle cx="{place:.1f}" cy="{y:.1f}" r="5"/></g>'
        )
    marks += _apart(names, right=right)
    marks.append(_text((left + right) / 2, floor + 38, x_title, "middle"))
    words = "; ".join(
        f"{each.label} {each.words} at {write_x(x)}" for x, each in zip(across, points, strict=True)
    )
    return _svg(f"{title}. {words}", floor + 48, marks)


def lines(
    drawn: Sequence[Line],
    *,
    until: float,
    title: str,
    x_title: str,
    write_x: Callable[[float], str],
    write_y: Callable[[float], str],
) -> str:
    """Draw straight lines from 0 to `until`, each named at its right end."""
    left, right, top, floor = 76, _WIDTH - 240, 12, 270
    axis = Axis.over([0.0, until], left=left, right=right)
    end = axis.ticks[-1] if axis.ticks[-1] >= until else until
    highest = max(each.start + each.slope * end for each in drawn)
    upright = Axis.over([0.0, highest], left=floor, right=top)
    marks = _grid(axis, floor, write_x, top=top)
    for tick in upright.ticks:
        y = upright.at(tick)
        marks.append(f'<line class="grid" x1="{left}" y1="{y:.1f}" x2="{right}" y2="{y:.1f}"/>')
        marks.append(_text(left - 8, y + 4, write_y(tick), "end"))
    names: list[tuple[float, float, str]] = []
    for each in drawn:
        final = each.start + each.slope * end
        words = f"{each.label}: {write_y(each.start)} without a call, {write_y(final)} at {write_x(end)}"
        kind = "chosen" if each.is_chosen else ""
        marks.append(
            f'<g class="line {kind}"><title>{html.escape(words)}</title>'
            f'<line x1="{axis.at(0):.1f}" y1="{upright.at(each.start):.1f}" x2="{axis.at(end):.1f}" '
            f'y2="{upright.at(final):.1f}"/></g>'
        )
        names.append((axis.at(end), upright.at(final), each.label))
    marks += _apart(names, right=right)
    marks.append(_text((left + right) / 2, floor + 38, x_title, "middle"))
    return _svg(f"{title}: {', '.join(each.label for each in drawn)}", floor + 48, marks)


@dataclass(frozen=True, slots=True)
class Axis:
    """A linear scale with round ticks, from one pixel to another."""

    low: float
    high: float
    left: float
    right: float
    ticks: tuple[float, ...]

    @classmethod
    def over(cls, values: Sequence[float], *, left: float, right: float) -> Axis:
        """Take in all values, from one round tick to another."""
        low, high = min(values), max(values)
        if high - low < 1e-12:
            low, high = low - 0.05 * (abs(low) or 1), high + 0.05 * (abs(high) or 1)
        step = _round_step((high - low) / 5)
        first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
        ticks = tuple(round(count * step, 12) for count in range(first, last + 1))
        return cls(ticks[0], ticks[-1], left, right, ticks)

    def at(self, value: float) -> float:
        """Give the pixel of a value."""
        return self.left + (self.right - self.left) * (value - self.low) / (self.high - self.low)


def _round_step(rough: float) -> float:
    size = 10 ** math.floor(math.log10(rough))
    return next(size * factor for factor in (1, 2, 2.5, 5, 10) if size * factor >= rough * 0.999)


def _grid(axis: Axis, floor: float, write: Callable[[float], str], *, top: float = 0) -> list[str]:
    marks: list[str] = []
    for tick in axis.ticks:
        x = axis.at(tick)
        marks.append(f'<line class="grid" x1="{x:.1f}" y1="{top}" x2="{x:.1f}" y2="{floor}"/>')
        # No sign before zero.
        marks.append(
            _text(x, floor + 18, write(tick) if tick else write(tick).lstrip("+"), "middle")
        )
    return marks


def _apart(names: Sequence[tuple[float, float, str]], *, right: float) -> list[str]:
    """Write names beside their points at the right edge, none over another, each with a thin leader."""
    marks: list[str] = []
    last = -math.inf
    for x, y, name in sorted(names, key=lambda each: each[1]):
        place = max(y, last + 16)
        last = place
        marks.append(
            f'<polyline class="leader" points="{x + 7:.1f},{y:.1f} {right + 6:.1f},{place:.1f} '
            f'{right + 12:.1f},{place:.1f}"/>'
        )
        marks.append(_text(right + 16, place + 4, short_name(name, _END_COLUMNS), "start", "name"))
    return marks


def _svg(words: str, height: float, inside: Sequence[str]) -> str:
    label = html.escape(words)
    return (
        f'<svg class="plot" viewBox="0 0 {_WIDTH} {height:.0f}" role="img" aria-label="{label}">'
        f"{''.join(inside)}</svg>"
    )


def _text(x: float, y: float, text: str, anchor: str, kind: str = "") -> str:
    about = f' class="{kind}"' if kind else ""
    return f'<text{about} x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{html.escape(text)}</text>'
