"""Rows that are alike: duplicates inside a dataset, and rows of one dataset that stand in another.

What is compared
    A text is cut into normalised words (NFKC, case folded, without white space and the marks of prose; a
    character each in scripts without spaces) and these into runs of three, *shingles*; a shorter text is
    one shingle. Two texts are as alike as their sets of shingles (Jaccard index).

When two rows are alike
    - *exact*: the prompts, or all messages, are equal. The prompt is everything that is neither
      instruction (system, developer) nor learned: a question that was answered in training must not be
      asked again in validation, whatever the answer there.
    - *near*: the prompts reach the threshold; or prompt and answer together reach it and the prompts reach
      half of it. Answers alone never make rows alike: thousands of rows share a label or a stock phrase.
    - *contained*: the whole prompt, at least 8 words, stands inside the other prompt, as when a conversation
      was cut into rows that grow turn by turn.

What does not count
    Instructions, as a system prompt shared by all rows would make all rows alike.

    Templates: a shingle of a prompt that more than a tenth of the distinct prompts share (and more than 10
    of them; in datasets below 20, more than half) tells rows as little apart as a system prompt. So a
    dataset made from a handful of templates can still be divided, and a family of variants that makes up
    more than a tenth of the prompts is taken for a template. Where nothing else is left of a prompt
    ("Summarise this.", with the document in the system message), the instructions are compared with it.

    Labels and stock phrases: where answers count too, a shingle that more than 10 distinct rows share.

    What 3 texts or fewer share always counts.

Rows with different images are never alike.

What is found
    The order of the rows has no influence. Up to 4,000 rows and 8 million characters everything is found: the
    search leaves out only pairs that provably miss the threshold (`_joining`).

    Beyond that, sketches propose which rows may be alike (`_sketch`, `_sketched`). Every proposed pair is read
    and judged by the rules above, so nothing is reported that they do not say, with one difference: what is
    common is judged on a sample of 1,024 rows, drawn by their content, and a stock phrase is one that more
    than 3 of the sample share and, by their share, more than 10 of all.

    - Certain: rows with equal prompts or equal messages, and prompts that stand in another as one of
      its messages or as its first ones.
    - Nearly certain: prompts that reach the threshold, 99 of 100 and more (measured in
      `docs/design/near-duplicates.md`).
    - Less certain: rows that are near by prompt and answer together while their prompts miss the
      threshold, and prompts that stand in the middle of a message; short ones in long ones are mostly missed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import accumulate, chain
from typing import TYPE_CHECKING, TypeAlias

from gpt4o_tune._display import html_text, plural
from gpt4o_tune.data._corpus import DEFAULT_THRESHOLD, Corpus, Kind, Match, SameMessages
from gpt4o_tune.data._sketched import SketchedCorpus
from gpt4o_tune.data._turns import texts, turns
from gpt4o_tune.data._words import exact_key, row_words

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gpt4o_tune.data._sketch import Sketches

__all__ = [
    "DEFAULT_THRESHOLD",
    "EXACT_CHARS",
    "EXACT_ROWS",
    "Kind",
    "OverlapReport",
    "clusters",
    "exact_key",
    "overlap",
    "prompt_text",
    "row_text",
    "straddling",
]

Row: TypeAlias = "Mapping[str, object]"
AnyCorpus: TypeAlias = Corpus | SketchedCorpus | SameMessages

EXACT_ROWS = 4_000
"""Rows up to which every pair that is alike is found."""
EXACT_CHARS = 8_000_000
"""Characters of text up to which the same holds."""

_SHOWN = 5


def row_text(row: Row) -> str:
    """Return prompt and answer as normalised words, without instructions."""
    cut = row_words(row)
    return " ".join(cut.prompt + cut.answer)


def prompt_text(row: Row) -> str:
    """Return what the model is given, without instructions, as normalised words."""
    return " ".join(row_words(row).prompt)


def compare(
    *sources: Sequence[Row],
    near: bool = True,
    threshold: float = DEFAULT_THRESHOLD,
    exact_rows: int = EXACT_ROWS,
    sketches: Sketches | None = None,
) -> AnyCorpus:
    """Make rows ready to be compared, by a search that suits their number.

    Args:
        sources: The rows, numbered through all sources.
        near: Whether rows that are alike in any way count; else only rows with the same messages.
        threshold: The lowest Jaccard index that will be asked for; below the default, all rows are compared
            by the search that finds everything.
        exact_rows: Rows up to which everything is found.
        sketches: The sketches of all rows, where they are known.
    """
    if not near:
        return SameMessages(map(exact_key, chain.from_iterable(sources)))
    if threshold < DEFAULT_THRESHOLD or _is_small(sources, rows=exact_rows):
        return Corpus(*sources)
    return SketchedCorpus(*sources, sketches=sketches)


def clusters(
    rows: Sequence[Row],
    *,
    near: bool,
    threshold: float = DEFAULT_THRESHOLD,
    exact_rows: int = EXACT_ROWS,
) -> list[tuple[int, ...]]:
    """Group rows that are alike, directly or through others.

    Args:
        rows: Parsed rows; some are read several times.
        near: Whether rows that are alike in any way belong together; else only rows with the same messages.
        threshold: Jaccard index from which texts are near-duplicates, above 0 and at most 1.
        exact_rows: Rows up to which everything is found.

    Returns:
        The groups of two rows and more: row numbers in ascending order, groups by their first row.

    Raises:
        ValueError: The threshold is out of range.
    """
    _check(threshold)
    corpus = compare(rows, near=near, threshold=threshold, exact_rows=exact_rows)
    return corpus.groups(threshold=threshold).several()


@dataclass(frozen=True, slots=True, kw_only=True)
class OverlapReport:
    """Rows of one set that also stand in another."""

    compared: tuple[int, int]
    """How many rows were looked up, and among how many others."""
    threshold: float | None
    """Jaccard index from which texts counted as near-duplicates; None where only equal messages counted."""
    kind: Mapping[int, Kind] = field(hash=False)
    """By row number: exact, near or contained, the first of these that holds."""
    matches: Mapping[int, int] = field(hash=False)
    """By row number: a row of the other set that it is like."""

    @property
    def rows(self) -> tuple[int, ...]:
        """Numbers of the rows that stand in the other set."""
        return tuple(self.kind)

    def __len__(self) -> int:
        return len(self.kind)

    def to_dict(self) -> dict[str, object]:
        """Return the report as plain values, ready for `json.dumps`."""
        return {
            "compared": list(self.compared),
            "threshold": self.threshold,
            "rows": [
                {"row": row, "kind": kind, "match": self.matches[row]}
                for row, kind in self.kind.items()
            ],
        }

    def __str__(self) -> str:
        ours, theirs = self.compared
        against = f"{plural(ours, 'row')} against {theirs:,}"
        method = (
            "same messages"
            if self.threshold is None
            else f"exact, near from {self.threshold:g}, contained"
        )
        if not self.kind:
            return f"no overlap: {against} ({method})"
        lines = [f"{len(self)} of {against} overlap ({method})"]
        for kind in ("exact", "near", "contained"):
            rows = [row for row in self.rows if self.kind[row] == kind]
            listed = ", ".join(f"{row:,} = {self.matches[row]:,}" for row in rows[:_SHOWN])
            more = f" and {len(rows) - _SHOWN:,} more" if len(rows) > _SHOWN else ""
            if rows:
                lines.append(f"  {kind:<9} {plural(len(rows), 'row')}: {listed}{more}")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        return html_text(str(self))


def overlap(
    rows: Sequence[Row],
    others: Sequence[Row],
    *,
    threshold: float = DEFAULT_THRESHOLD,
    exact_rows: int = EXACT_ROWS,
    sketches: Sketches | None = None,
) -> OverlapReport:
    """Find the rows that are like a row of another set.

    Templates are what many rows of both sets together share.

    Args:
        rows: The rows to look up.
        others: The set to look in.
        threshold: Jaccard index from which texts are near-duplicates.
        exact_rows: Rows of both sets up to which everything is found.
        sketches: The sketches of the rows of both sets, where they are known.

    Raises:
        ValueError: The threshold is out of range.
    """
    _check(threshold)
    ours, total = len(rows), len(rows) + len(others)
    corpus = compare(rows, others, threshold=threshold, exact_rows=exact_rows, sketches=sketches)
    found = corpus.matches(range(ours), range(ours, total), threshold=threshold)
    return OverlapReport(
        compared=(ours, len(others)),
        threshold=threshold,
        kind={row: match.kind for row, match in found.items()},
        matches={row: match.row - ours for row, match in found.items()},
    )


def straddling(
    rows: Sequence[Row],
    parts: Sequence[int],
    *,
    threshold: float = DEFAULT_THRESHOLD,
    exact_rows: int = EXACT_ROWS,
) -> OverlapReport:
    """Find the rows of one part of a dataset that are like a row of another part.

    Args:
        rows: All rows of the dataset.
        parts: The part that each row is in: 0 for training, higher numbers for what is held out.
        threshold: Jaccard index from which texts are near-duplicates.
        exact_rows: Rows up to which everything is found.

    Returns:
        The rows that are held out although a row of a part with a lower number is like them. Both
        numbers of a match count from the first of all rows.

    Raises:
        ValueError: The threshold is out of range.
    """
    _check(threshold)
    corpus = compare(rows, threshold=threshold, exact_rows=exact_rows)
    return leakage(corpus, parts, threshold=threshold)


def leakage(
    corpus: AnyCorpus,
    parts: Sequence[int],
    *,
    threshold: float = DEFAULT_THRESHOLD,
) -> OverlapReport:
    """Find what `straddling` finds among rows that are ready to be compared.

    Every held-out row is looked up among the rows before it; that they were grouped plays no part.

    Args:
        corpus: All rows of the dataset.
        parts: The part that each row is in, as in `straddling`.
        threshold: Jaccard index from which texts are near-duplicates.
    """
    found: dict[int, Match] = {}
    for part in sorted({part for part in parts if part > 0}):
        held_out = [row for row, its_part in enumerate(parts) if its_part == part]
        before = [row for row, its_part in enumerate(parts) if its_part < part]
        found |= corpus.matches(held_out, before, threshold=threshold)
    found = dict(sorted(found.items()))
    held_out_rows = sum(part > 0 for part in parts)
    return OverlapReport(
        compared=(held_out_rows, len(parts) - held_out_rows),
        threshold=None if isinstance(corpus, SameMessages) else threshold,
        kind={row: match.kind for row, match in found.items()},
        matches={row: match.row for row, match in found.items()},
    )


def _is_small(sources: Sequence[Sequence[Row]], *, rows: int) -> bool:
    """Tell whether all pairs can be looked for in a second or two."""
    if sum(map(len, sources)) > rows:
        return False
    said = (
        len(text) for row in chain(*sources) for turn in turns(row) for text in texts(turn.message)
    )
    return all(total <= EXACT_CHARS for total in accumulate(said))


def _check(threshold: float) -> None:
    if not 0 < threshold <= 1:
        raise ValueError(f"threshold must be above 0 and at most 1, got {threshold!r}")
