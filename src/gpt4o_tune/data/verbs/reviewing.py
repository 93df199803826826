"""Let people judge the rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Self

from gpt4o_tune.data._selection import Selection
from gpt4o_tune.data.report import CheckReport, Problem

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from gpt4o_tune.data._decisions import DecisionsLike
    from gpt4o_tune.data.argilla import ArgillaRecords
    from gpt4o_tune.data.review import Review


class Reviewing(Selection):
    """Let people judge the rows."""

    __slots__ = ()

    def review(
        self,
        path: str | os.PathLike[str] = "review.html",
        *,
        rows: Iterable[int | Problem] | None = None,
        problems: CheckReport | Iterable[Problem] | None = None,
        duplicates: Iterable[Sequence[int]] | None = None,
        title: str | None = None,
        reviewer: str | None = None,
    ) -> Path:
        """Write one HTML page on which a person keeps, corrects or drops each row.

        The page holds the rows and needs no network. It exports a file for `apply_review`.

        Args:
            path: Where to write the page.
            rows: The rows to show, by number or because a problem stands on their line; all of them
                where none are given.
            problems: What to show beside the messages: a report of `check`, or some of its problems.
            duplicates: Clusters of row numbers, as `duplicates` gives them.
            title: The heading; the name of the file where none is given.
            reviewer: The name to fill in; the reviewer may change it.

        Raises:
            DatasetNotFoundError: The folder does not exist.
            IndexError: There is no such row.
        """
        from gpt4o_tune.data._review_page import write_page

        return write_page(
            self,
            path,
            rows=rows,
            problems=problems.problems if isinstance(problems, CheckReport) else problems,
            duplicates=duplicates,
            title=title,
            reviewer=reviewer,
        )

    def apply_review(
        self,
        decisions: DecisionsLike | Sequence[DecisionsLike],
        *,
        undecided: Literal["keep", "drop", "error"] = "keep",
        conflicts: Literal["error", "drop", "keep", "first"] = "error",
    ) -> Review[Self]:
        """Apply what reviewers decided; rows that nobody touched keep their bytes.

        A decision finds its row by content, wherever it stands now. Corrected rows are written as
        compact JSON and, with the rows beside them, held in memory.

        Args:
            decisions: A file that the page exported, what is in one, or several of them: files of one
                reviewer are taken together, the later decision counts; reviewers are compared.
            undecided: What becomes of rows that nobody decided on, that changed since, or that are to be
                fixed and nobody corrected.
            conflicts: What becomes of rows on which reviewers differ; `first` follows the one whose
                decisions were given first.

        Raises:
            DatasetError: A file holds no decisions; a corrected row has an error that it did not have
                before; or there are undecided rows, or conflicts (then in `.problems`), where `"error"` was
                asked for.
        """
        from gpt4o_tune.data._reviewing import apply_review

        return apply_review(
            self, decisions, undecided=undecided, conflicts=conflicts, replace=self._rewritten
        )

    def to_argilla(
        self,
        *,
        rows: Iterable[int | Problem] | None = None,
        problems: CheckReport | Iterable[Problem] | None = None,
        reviewers: int = 1,
    ) -> ArgillaRecords:
        """Make a dataset for review in Argilla 2, as plain values that need no package.

        A record shows the conversation and the answer, asks to keep, fix or drop the row, and offers the
        answer for correction. Its `decisions` reads the answers back for `apply_review`.

        Args:
            rows: The rows to show, as for `review`.
            problems: What to show beside them, as for `review`.
            reviewers: How many people are to answer each record.

        Raises:
            IndexError: There is no such row.
            ValueError: `reviewers` is below 1.
        """
        from gpt4o_tune.data.argilla import to_argilla

        found = problems.problems if isinstance(problems, CheckReport) else problems
        return to_argilla(self, rows=rows, problems=found, reviewers=reviewers)
