"""Curves of a run as pictures: SVG for notebooks, a matplotlib figure for everything else."""

from __future__ import annotations

import dataclasses
import html
import math
from typing import TYPE_CHECKING, Any

from gpt4o_tune._extras import import_extra

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["Curve", "Panel", "figure", "svg"]

WIDTH, HEIGHT = 420, 230
"""Pixels of one panel, labels included."""
LEFT, RIGHT, TOP, BOTTOM = 46, 12, 28, 34
"""Pixels around the plotted area."""
MOST_POINTS = WIDTH - LEFT - RIGHT
"""A curve with more points than pixels is averaged down to this many."""
COLOURS = ("#3f83d4", "#d4701c")
"""Blue and orange: told apart by colour-blind readers too, and more than 3:1 in contrast to a white as well
as to a black page, as WCAG 2.2 asks of graphics."""
STROKES = (1.5, 2.5)
"""Pixels of the lines, so that the second is told from the first without its colour."""
MOST_MARKS = 40
"""A second curve with so many points or fewer, such as one an epoch, has a mark on each."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Curve:
    """A named series of points `(step, value)`, and the mark that stands for each in text."""

    title: str
    mark: str
    points: tuple[tuple[float, float], ...]


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Panel:
    """Curves over the same axes."""

    title: str
    curves: tuple[Curve, ...]


def svg(panels: Sequence[Panel]) -> str:
    """Draw panels side by side as one SVG element.

    Text and axes take the colour of the text around them, so the picture fits light and dark pages.
    """
    drawn = "".join(
        f'<g transform="translate({number * WIDTH},0)">{"".join(_panel(panel))}</g>'
        for number, panel in enumerate(panels)
    )
    width = WIDTH * len(panels)
    label = html.escape("; ".join(panel.title for panel in panels), quote=True)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label="{label}" '
        f'viewBox="0 0 {width} {HEIGHT}" width="{width}" height="{HEIGHT}" '
        f'style="max-width:100%;height:auto" font-family="sans-serif" font-size="11" '
        f'fill="currentColor">{drawn}</svg>'
    )


def figure(panels: Sequence[Panel]) -> Any:
    """Draw panels above each other as a matplotlib figure, outside pyplot's global state.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    matplotlib = import_extra("matplotlib.figure", extra="plot", feature="Plotting metrics")
    drawn = matplotlib.Figure(figsize=(7, 1 + 2.6 * len(panels)), layout="constrained")
    axes = drawn.subplots(len(panels), 1, sharex=True, squeeze=False)[:, 0]
    for panel, ax in zip(panels, axes, strict=True):
        for number, curve in enumerate(panel.curves):
            x, y = zip(*curve.points, strict=True)
            ax.plot(
                x,
                y,
                label=curve.title,
                color=COLOURS[number],
                linewidth=STROKES[number],
                marker="o" if _is_marked(curve, number) else None,
            )
        ax.set_title(panel.title)
        ax.grid(alpha=0.3)
        if panel.curves:
            ax.legend()
    axes[-1].set_xlabel("step")
    return drawn


@dataclasses.dataclass(frozen=True, slots=True)
class _Scale:
    """A linear axis from values to pixels."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        span = self.high - self.low
        share = (value - self.low) / span if span > 0 else 0.5
        return round(self.start + share * (self.end - self.start), 1)


def _panel(panel: Panel) -> Iterator[str]:
    curves = [
        dataclasses.replace(curve, points=_thinned(_finite(curve.points))) for curve in panel.curves
    ]
    every = [point for curve in curves for point in curve.points]
    yield f'<text x="{LEFT}" y="16" font-weight="bold">{html.escape(panel.title)}</text>'
    if not every:
        yield f'<text x="{LEFT}" y="{HEIGHT / 2}">nothing to draw yet</text>'
        return
    steps, values = [step for step, _ in every], [value for _, value in every]
    x = _Scale(min(steps), max(steps), LEFT, WIDTH - RIGHT)
    y = _Scale(min(0.0, *values), max(values), HEIGHT - BOTTOM, TOP)
    yield from _axes(x, y)
    for number, curve in enumerate(curves):
        yield from _curve(curve, number, x, y)


def _axes(x: _Scale, y: _Scale) -> Iterator[str]:
    for part in range(5):
        value = y.low + (y.high - y.low) * part / 4
        height = y(value)
        yield (
            f'<path d="M{LEFT} {height}H{WIDTH - RIGHT}" stroke="currentColor" '
            f'stroke-opacity="{0.6 if part == 0 else 0.15}"/>'
            f'<text x="{LEFT - 5}" y="{height + 4}" text-anchor="end">{value:.3g}</text>'
        )
    for value, anchor in {x.low: "start", x.high: "end"}.items():
        yield f'<text x="{x(value)}" y="{HEIGHT - BOTTOM + 14}" text-anchor="{anchor}">{value:,.0f}</text>'


def _curve(curve: Curve, number: int, x: _Scale, y: _Scale) -> Iterator[str]:
    colour = COLOURS[number]
    places = [(x(step), y(value)) for step, value in curve.points]
    line = " ".join(f"{left},{top}" for left, top in places)
    pen = f'stroke="{colour}" stroke-width="{STROKES[number]}"'
    yield f'<polyline points="{line}" fill="none" {pen}/>'
    if _is_marked(curve, number):
        for left, top in places:
            yield f'<circle cx="{left}" cy="{top}" r="3" fill="{colour}"/>'
    left, top = LEFT + 60 + number * 140, HEIGHT - 8
    yield (
        f'<path d="M{left} {top - 4}h18" {pen}/>'
        f'<text x="{left + 24}" y="{top}">{html.escape(curve.title)}</text>'
    )


def _is_marked(curve: Curve, number: int) -> bool:
    """Say whether each point shows by itself; a single one has no line to show it."""
    return len(curve.points) == 1 or (number > 0 and len(curve.points) <= MOST_MARKS)


def _finite(points: Sequence[tuple[float, float]]) -> tuple[tuple[float, float], ...]:
    return tuple(point for point in points if math.isfinite(point[1]))


def _thinned(points: tuple[tuple[float, float], ...]) -> tuple[tuple[float, float], ...]:
    """Average neighbours where there are more points than can be told apart."""
    size = math.ceil(len(points) / MOST_POINTS)
    if size <= 1:
        return points
    groups = [points[start : start + size] for start in range(0, len(points), size)]
    return tuple(
        (sum(x for x, _ in group) / len(group), sum(y for _, y in group) / len(group))
        for group in groups
    )
