"""Sums over rows that are read elsewhere: a few numbers, however many rows there are."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gpt4o_tune.data.checks.corpus import COUNTABLE, SOUND
from gpt4o_tune.data.cost import Billed
from gpt4o_tune.data.tokens import counting_basis

if TYPE_CHECKING:
    from gpt4o_tune.catalog import Model

_ENOUGH_ANSWERS = 2


@dataclass(slots=True, kw_only=True)
class Tally:
    """What rules that only count ask of all rows (see `checks.corpus.Counted`), and what is billed."""

    training_context: int | None
    """Tokens of a row that the model trains on."""
    rows: int = 0
    size: int = 0
    """Bytes."""
    tokens: int = 0
    trained: int = 0
    guessed_images: int = 0
    billed: int = 0
    """Tokens as far as the model trains on them."""
    over: int = 0
    """Rows that have more."""
    _marks: Counter[int] = field(default_factory=Counter[int])
    _first: dict[int, int] = field(default_factory=dict[int, int])
    """The lowest line by the marks of its row."""
    _answers: set[int] = field(default_factory=set[int])
    """Of sound rows; no more than it takes to see that they differ."""

    def note(self, marks: int, *, line: int, answer: int, size: int) -> None:
        """Add a row."""
        self.rows += 1
        self.size += size
        self._marks[marks] += 1
        self._first[marks] = min(line, self._first.get(marks, line))
        if marks & SOUND and len(self._answers) < _ENOUGH_ANSWERS:
            self._answers.add(answer)

    def note_tokens(self, tokens: int, *, trained: int, guessed_images: int) -> None:
        """Add the tokens of a row."""
        self.tokens += tokens
        self.trained += trained
        self.guessed_images += guessed_images
        limit = self.training_context
        self.billed += min(tokens, limit) if limit else tokens
        self.over += bool(limit and tokens > limit)

    @property
    def unreadable(self) -> int:
        """How many rows do not have the shape of their format."""
        return self.rows - self.count(COUNTABLE)

    @property
    def has_one_answer(self) -> bool:
        """Whether all sound rows have the same answer."""
        return len(self._answers) == 1

    def count(self, marks: int) -> int:
        """Count the rows that have all of some marks."""
        return sum(rows for mark, rows in self._marks.items() if mark & marks == marks)

    def first_line(self, mark: int) -> int:
        """Return the line of the first row that has a mark; one must."""
        return min(line for marks, line in self._first.items() if marks & mark)

    def bill(self, model: Model) -> Billed:
        """Return what is billed for one pass over the rows."""
        return Billed(
            rows=self.rows,
            tokens=self.billed,
            is_cut=self.over > 0,
            basis=counting_basis(model, guessed=self.guessed_images),
        )
