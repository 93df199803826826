"""Text, HTML and progress for every noun: plain functions from values to strings.

Nothing here prints on its own account. `live_line` gives a writer for one line that changes in place, and
only where somebody watches: a terminal or a notebook.
"""

from __future__ import annotations

import dataclasses
import html
import math
import sys
import textwrap
import unicodedata
from typing import TYPE_CHECKING, Protocol, TextIO

if TYPE_CHECKING:
    from collections.abc import Sequence


def money(usd: float | None) -> str:
    """Write an amount in US dollars; amounts under a cent keep two significant digits."""
    if usd is None:
        return "no price known"
    if usd == 0 or abs(usd) >= 0.01:
        return f"${usd:,.2f}"
    return f"${usd:.{1 - math.floor(math.log10(abs(usd)))}f}"


def duration(seconds: float) -> str:
    """Write a length of time as `42 s`, `3:07 min` or `6:20:00 h`."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes}:{rest:02d} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d} h"


def plural(count: int, noun: str, nouns: str | None = None) -> str:
    """Write a count with its noun: `1 row`, `1,200 rows`."""
    return f"{count:,} {noun if count == 1 else nouns or noun + 's'}"


def width(text: str) -> int:
    """Count the terminal columns that `text` takes: wide East Asian characters take two."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(char) else 1 + (unicodedata.east_asian_width(char) in "WF")
        for char in text
    )


def shorten(text: str, limit: int) -> str:
    """Fold white space and cut `text` to `limit` columns, marking the cut with an ellipsis."""
    line = " ".join(text.split())
    if width(line) <= limit:
        return line
    while line and width(line) > limit - 1:
        line = line[:-1]
    return line + "…"


def paragraph(text: str, *, columns: int = 100, indent: str = "") -> str:
    """Wrap a text to lines of at most `columns` columns, each begun with `indent`."""
    return textwrap.fill(
        text, columns, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False
    )


def table(headers: Sequence[str], rows: Sequence[Sequence[str]], *, align: str = "") -> str:
    """Lay out rows in columns under a ruled header.

    Args:
        headers: One title per column.
        rows: Cells as text, as many per row as there are headers.
        align: One of `<` or `>` per column; columns left over are `<`.
    """
    sides = align.ljust(len(headers), "<")
    widths = [max(width(cell) for cell in column) for column in zip(headers, *rows, strict=True)]

    def line(cells: Sequence[str]) -> str:
        padded = (
            " " * (size - width(cell)) + cell if side == ">" else cell + " " * (size - width(cell))
            for cell, size, side in zip(cells, widths, sides, strict=True)
        )
        return "  ".join(padded).rstrip()

    rule = "  ".join("─" * size for size in widths)
    return "\n".join([line(headers), rule, *(line(row) for row in rows)])


def html_table(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Write the same table as HTML, escaped and without styles of its own."""
    head = "".join(f"<th>{html.escape(cell)}</th>" for cell in headers)
    body = "".join(
        "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def html_text(text: str) -> str:
    """Wrap a text rendering so that a notebook shows it in fixed width, exactly as written."""
    return f'<pre style="line-height:1.25">{html.escape(text)}</pre>'


def bar(share: float, *, columns: int = 20) -> str:
    """Draw a share between 0 and 1 as a bar."""
    filled = round(max(0.0, min(1.0, share)) * columns)
    return "━" * filled + "─" * (columns - filled)


class Curve(Protocol):
    """A named series of points to draw: `(x, y)` pairs and the mark that stands for each."""

    @property
    def title(self) -> str: ...
    @property
    def mark(self) -> str: ...
    @property
    def points(self) -> Sequence[tuple[float, float]]: ...


def chart(curves: Sequence[Curve], *, x_title: str, columns: int = 64, lines: int = 12) -> str:
    """Draw curves as text with labelled axes; later curves lie on top of earlier ones.

    The vertical axis is logarithmic where all values are positive and span more than a factor of ten,
    as losses do: a rise from 0.1 to 0.2 is then as visible as the fall from 6 to 3. Points that fall
    into the same column of one curve are averaged, so a thousand noisy steps stay readable.
    """
    drawn = [curve for curve in curves if any(math.isfinite(y) for _, y in curve.points)]
    if not drawn:
        return "nothing to draw yet"
    every = [(x, y) for curve in drawn for x, y in curve.points if math.isfinite(y)]
    left, right = min(x for x, _ in every), max(x for x, _ in every)
    axis = _Axis.over([y for _, y in every], lines)
    grid = [[" "] * columns for _ in range(lines)]
    for curve in drawn:
        for column, value in _columns(curve.points, left, right, columns):
            grid[axis.line(value)][column] = curve.mark
    body = [
        f"{f'{axis.value(row):.3g}' if row % 3 == 0 or row == lines - 1 else '':>7} │"
        f"{''.join(cells).rstrip()}"
        for row, cells in enumerate(grid)
    ]
    ends = f"{left:,.0f}".ljust(columns - len(f"{right:,.0f}")) + f"{right:,.0f}"
    legend = "   ".join(f"{curve.mark} {curve.title}" for curve in drawn)
    scale = ", logarithmic scale" if axis.logarithmic else ""
    return "\n".join(
        [
            *body,
            " " * 8 + "└" + "─" * columns,
            " " * 9 + ends,
            f"{'':9}{x_title}    {legend}{scale}",
        ]
    )


@dataclasses.dataclass(frozen=True)
class _Axis:
    """A vertical axis of so many lines, the highest value on line 0."""

    low: float
    high: float
    lines: int
    logarithmic: bool

    @classmethod
    def over(cls, values: Sequence[float], lines: int) -> _Axis:
        low, high = min(values), max(values)
        if low > 0 and high > 10 * low:
            return cls(math.log(low), math.log(high), lines, logarithmic=True)
        return cls(min(0.0, low), high, lines, logarithmic=False)

    def line(self, value: float) -> int:
        place = math.log(value) if self.logarithmic else value
        span = self.high - self.low
        share = (place - self.low) / span if span else 0.0
        return self.lines - 1 - round(share * (self.lines - 1))

    def value(self, line: int) -> float:
        place = self.high - (self.high - self.low) * line / (self.lines - 1)
        return math.exp(place) if self.logarithmic else place


def _columns(
    points: Sequence[tuple[float, float]], left: float, right: float, columns: int
) -> list[tuple[int, float]]:
    buckets: dict[int, list[float]] = {}
    for x, y in points:
        if math.isfinite(y):
            place = (x - left) / (right - left) if right > left else 0.0
            buckets.setdefault(round(place * (columns - 1)), []).append(y)
    return [(column, sum(values) / len(values)) for column, values in sorted(buckets.items())]


class LiveLine(Protocol):
    """One line of progress that changes in place."""

    is_seen: bool
    """Whether it goes anywhere."""

    def show(self, text: str) -> None:
        """Replace the line."""

    def close(self) -> None:
        """Leave the last text standing and end the line."""


class _Silent:
    is_seen = False

    def show(self, text: str) -> None:
        pass

    def close(self) -> None:
        pass


class _TerminalLine:
    is_seen = True

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._shown = 0

    def show(self, text: str) -> None:
        columns = _terminal_columns()
        line = shorten(text, columns - 1)
        self._stream.write("\r" + line + " " * max(0, self._shown - width(line)))
        self._stream.flush()
        self._shown = width(line)

    def close(self) -> None:
        if self._shown:
            self._stream.write("\n")
            self._stream.flush()
            self._shown = 0


class _NotebookLine:
    is_seen = True

    def __init__(self, display: object) -> None:
        self._display = display
        self._handle: object = None

    def show(self, text: str) -> None:
        bundle = {"text/plain": text, "text/html": html_text(text)}
        if self._handle is None:
            self._handle = self._display(bundle, raw=True, display_id=True)  # type: ignore[operator]  # IPython is untyped here
        else:
            self._handle.update(bundle, raw=True)  # type: ignore[attr-defined]  # as above

    def close(self) -> None:
        self._handle = None


def _terminal_columns() -> int:
    import shutil

    return max(20, shutil.get_terminal_size().columns)


def _in_notebook() -> bool:
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return shell is not None and "IPKernelApp" in getattr(shell, "config", {})


def live_line(*, progress: bool | None) -> LiveLine:
    """Choose where progress goes: a notebook cell, the terminal's error stream, or nowhere.

    Args:
        progress: False is silent, True always writes, None writes only where somebody watches.
    """
    if progress is False:
        return _Silent()
    if _in_notebook():
        return _NotebookLine(sys.modules["IPython"].display.display)
    if progress or sys.stderr.isatty():
        return _TerminalLine(sys.stderr)
    return _Silent()
