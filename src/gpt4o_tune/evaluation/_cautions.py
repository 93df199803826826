"""What speaks against trusting a comparison's figures."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from gpt4o_tune._display import plural
from gpt4o_tune.evaluation.difference import Difference, differences
from gpt4o_tune.evaluation.power import rows_needed

if TYPE_CHECKING:
    from collections.abc import Collection, Hashable, Mapping, Sequence

    from gpt4o_tune.evaluation.answers import CandidateResult, Measure

FEW_ROWS = 30
"""Below, at best a difference of 25 points shows, and bootstrap intervals come out too short."""

FEW_GROUPS = 10
"""Below, errors clustered by group are rough."""


def cautions(
    results: Mapping[str, CandidateResult],
    found: Sequence[Difference],
    *,
    measure: Measure,
    seen: Collection[int],
    groups: Sequence[Hashable] | None = None,
) -> tuple[str, ...]:
    """Say in whole sentences what a reader should know before trusting the figures."""
    n = len(next(iter(results.values())).grades)
    said: list[str] = []
    if seen:
        said.append(
            f"{len(seen)} of {n} rows also stand in the training set ({name_rows(seen)}): this does"
            " not show how the model does on new inputs."
        )
    if n < FEW_ROWS:
        said.append(_few_rows(n, found, measure))
    if groups is not None and len(set(groups)) < FEW_GROUPS:
        said.append(
            f"The rows come from {len(set(groups))} groups only, so how much groups vary is itself known"
            f" roughly; take rows of at least {FEW_GROUPS} groups."
        )
    for each in results.values():
        if each.failed:
            said.append(
                f"{len(each.failed)} of {plural(n, 'call')} to {each.name!r} failed and"
                f" {'count' if len(each.failed) > 1 else 'counts'} as wrong; repeat them before you"
                " trust its figures."
            )
        unjudged = [row for row, grade in enumerate(each.grades) if grade.fault]
        if unjudged:
            said.append(
                f"{len(unjudged)} of {plural(n, 'answer')} of {each.name!r} could not be judged"
                f" ({name_rows(unjudged)}) and"
                f" {'count' if len(unjudged) > 1 else 'counts'} as wrong; judge them again before you"
                " trust its figures."
            )
        if (each.failed or unjudged) and any(grade.score < 0 for grade in each.grades):
            said.append(
                f"Scores of {each.name!r} go below 0, and what failed counts as 0, which is better"
                " than the worst answer."
            )
        if each.interval.low == each.interval.high:
            said.append(
                f"All scores of {each.name!r} are equal, so its interval has no width and says"
                " nothing about new rows."
            )
    said += [
        f"{each.candidate!r} and {each.baseline!r} are equally far apart in every row, so the interval"
        " of their difference has no width and says nothing about new rows."
        for each in found
        if each.interval.low == each.interval.high
    ]
    said += [
        sentence
        for each in found
        if (sentence := _hangs_on_failures(each, results, measure, groups))
    ]
    return tuple(said)


def name_rows(rows: Collection[int], *, limit: int = 10) -> str:
    """Write row numbers, counted from 0, as `row 3` or `rows 3, 7 and 12 more`."""
    shown = ", ".join(map(str, sorted(rows)[:limit]))
    more = f" and {len(rows) - limit} more" if len(rows) > limit else ""
    return f"{'row' if len(rows) == 1 else 'rows'} {shown}{more}"


def _few_rows(n: int, found: Sequence[Difference], measure: Measure) -> str:
    sentence = f"{plural(n, 'row')} {'is' if n == 1 else 'are'} few, so every interval is wide"
    open_questions = [each for each in found if each.outcome == "undecided"]
    if measure == "score":
        return f"{sentence}, and a bootstrap interval still too narrow; take at least {FEW_ROWS}."
    if not open_questions:
        return f"{sentence}; take at least {FEW_ROWS}, better some hundreds."
    discordance = max((each.wins + each.losses) / n for each in open_questions)
    needed = rows_needed(0.1, discordance=discordance)
    return f"{sentence}; a true difference of 10 points takes about {needed:,} rows like these."


def _hangs_on_failures(
    difference: Difference,
    results: Mapping[str, CandidateResult],
    measure: Measure,
    groups: Sequence[Hashable] | None,
) -> str | None:
    """Judge the pair again without the rows that failed, and say so where the outcome changes."""
    pair = results[difference.candidate], results[difference.baseline]
    failed = {row for each in pair for row in each.failed}
    if not failed or difference.outcome == "undecided" or len(failed) == len(pair[0].grades):
        return None
    candidate, baseline = (_without(each, failed) for each in pair)
    kept = groups and [group for row, group in enumerate(groups) if row not in failed]
    if kept and len(set(kept)) < 2:
        return None
    again = differences(
        [candidate],
        baseline,
        measure=measure,
        confidence=difference.interval.confidence,
        seed=0,
        groups=kept,
    )[0]
    if again.outcome == difference.outcome:
        return None
    return (
        f"That {difference.candidate!r} is {difference.outcome} hangs on failed calls: on the"
        f" {plural(len(candidate.grades), 'row')} without a failure the outcome is"
        f" {again.outcome!r}."
    )


def _without(result: CandidateResult, rows: set[int]) -> CandidateResult:
    kept = [row for row in range(len(result.grades)) if row not in rows]
    return replace(
        result,
        answers=tuple(result.answers[row] for row in kept),
        grades=tuple(result.grades[row] for row in kept),
    )
