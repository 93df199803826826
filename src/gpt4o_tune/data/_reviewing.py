"""Decisions applied to rows: nothing is decided that nobody decided."""

from __future__ import annotations

from collections import Counter
from itertools import combinations
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

from gpt4o_tune._display import plural
from gpt4o_tune.catalog import DEFAULT_MODEL
from gpt4o_tune.data._decisions import read_decisions, row_ids
from gpt4o_tune.data._records import encode_record
from gpt4o_tune.data.checks import USUAL_RULES, RowRules, scope_for
from gpt4o_tune.data.formats import METHOD_OF_FORMAT
from gpt4o_tune.data.report import broken
from gpt4o_tune.data.review import (
    Agreement,
    Conflict,
    DatasetT,
    Review,
    StaleDecision,
    Verdict,
    listed,
)
from gpt4o_tune.errors import DatasetError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from gpt4o_tune.data._decisions import Decision, DecisionsLike, Reviewer
    from gpt4o_tune.data._selection import Selection
    from gpt4o_tune.data.decode import Json, JsonObject
    from gpt4o_tune.data.report import Problem
    from gpt4o_tune.data.review import Choice

OnUndecided: TypeAlias = Literal["keep", "drop", "error"]
OnConflict: TypeAlias = Literal["error", "drop", "keep", "first"]


class _Settled(NamedTuple):
    """What reviewers together decided on a row."""

    choice: Choice
    edited: JsonObject | None


class _Judged(NamedTuple):
    """What becomes of a row."""

    verdict: Verdict | None
    conflict: Conflict | None
    edited: JsonObject | None


def apply_review(
    data: Selection,
    given: DecisionsLike | Sequence[DecisionsLike],
    *,
    undecided: OnUndecided,
    conflicts: OnConflict,
    replace: Callable[[Sequence[int], Mapping[int, bytes]], DatasetT],
) -> Review[DatasetT]:
    """Apply decisions; `Dataset.apply_review` says how.

    Args:
        data: The rows.
        given: The decisions.
        undecided: What becomes of rows without a decision.
        conflicts: What becomes of rows on which reviewers differ.
        replace: Makes the new dataset of the rows to take, with some of them written anew.
    """
    _require("undecided", undecided, ("keep", "drop", "error"))
    _require("conflicts", conflicts, ("error", "drop", "keep", "first"))
    reviewers = read_decisions(given)
    lines = data.lines
    ids = list(row_ids(map(data.raw, range(len(data)))))
    judged = [
        _judge(row, lines[row], _said(row_id, reviewers), conflicts)
        for row, row_id in enumerate(ids)
    ]
    differing = [one.conflict for one in judged if one.conflict]
    if differing and conflicts == "error":
        raise DatasetError(
            f"Reviewers differ on {plural(len(differing), 'row')}: "
            f"{listed(conflict.line for conflict in differing)}. Let them agree, or pass "
            "conflicts='first', 'keep' or 'drop'.",
            problems=differing,
        )
    verdicts = [one.verdict for one in judged if one.verdict]
    open_rows = [row for row, one in enumerate(judged) if one.verdict is None]
    if open_rows and undecided == "error":
        raise DatasetError(
            f"{plural(len(open_rows), 'row')} without a decision: "
            f"{listed(lines[row] for row in open_rows)}. Decide on them in the review page, or pass "
            "undecided='keep' or 'drop'."
        )
    left_out = {verdict.row for verdict in verdicts if verdict.decision == "drop"}
    if undecided == "drop":
        left_out.update(open_rows)
    taken = [row for row in range(len(data)) if row not in left_out]
    edited = {row: one.edited for row, one in enumerate(judged) if one.edited is not None}
    return Review(
        dataset=replace(taken, _written(data, edited)),
        verdicts=tuple(verdicts),
        undecided=tuple(open_rows),
        conflicts=tuple(differing),
        stale=_stale(reviewers, set(ids)),
        agreement=tuple(_agreement(one, other) for one, other in combinations(reviewers, 2)),
    )


def _require(name: str, value: str, known: Sequence[str]) -> None:
    if value not in known:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, known))}, got {value!r}")


def _said(row_id: str, reviewers: Sequence[Reviewer]) -> list[tuple[str, Decision]]:
    return [(who.name, who.decisions[row_id]) for who in reviewers if row_id in who.decisions]


def _judge(
    row: int, line: int, said: Sequence[tuple[str, Decision]], conflicts: OnConflict
) -> _Judged:
    """Return what becomes of a row after all that was said of it; no verdict where it stays open."""
    settled = _settle([decision for _, decision in said])
    conflict = None
    if said and settled is None:
        by_name: tuple[tuple[str, Choice], ...] = tuple((name, one.decision) for name, one in said)
        conflict = Conflict(row=row, line=line, decisions=by_name)
        settled = _resolve([decision for _, decision in said], conflicts)
    if settled is None or (settled.choice == "fix" and settled.edited is None):
        return _Judged(None, conflict, None)
    verdict = Verdict(
        row=row,
        line=line,
        decision=settled.choice,
        reviewers=tuple(name for name, _ in said),
        note="\n".join(decision.note for _, decision in said if decision.note),
    )
    return _Judged(verdict, conflict, settled.edited)


def _settle(decisions: Sequence[Decision]) -> _Settled | None:
    """Return what all decisions say, or None where there are none or they differ."""
    if len({decision.decision for decision in decisions}) != 1:
        return None
    corrected = [row for row in map(_edit, decisions) if row is not None]
    if any(row != corrected[0] for row in corrected):
        return None
    return _Settled(decisions[0].decision, corrected[0] if corrected else None)


def _resolve(decisions: Sequence[Decision], conflicts: OnConflict) -> _Settled | None:
    match conflicts:
        case "first":
            return _Settled(decisions[0].decision, _edit(decisions[0]))
        case "keep" | "drop":
            return _Settled(conflicts, None)
        case "error":
            return None


def _edit(decision: Decision) -> JsonObject | None:
    # A row beside another decision is left over from an earlier one.
    return decision.row if decision.decision == "fix" else None


def _stale(reviewers: Sequence[Reviewer], ids: set[str]) -> tuple[StaleDecision, ...]:
    found = [
        StaleDecision(line=decision.line, decision=decision.decision, reviewer=reviewer.name)
        for reviewer in reviewers
        for row_id, decision in reviewer.decisions.items()
        if row_id not in ids
    ]
    return tuple(sorted(found, key=lambda decision: decision.line))


def _agreement(one: Reviewer, other: Reviewer) -> Agreement:
    both = [
        (decision.decision, other.decisions[row_id].decision)
        for row_id, decision in one.decisions.items()
        if row_id in other.decisions
    ]
    agreed = sum(first == second for first, second in both)
    return Agreement(
        reviewers=(one.name, other.name), rows=len(both), agreed=agreed, kappa=_kappa(both)
    )


def _kappa(pairs: Sequence[tuple[str, str]]) -> float | None:
    """Return Cohen's kappa, or None where agreement by chance would be complete already."""
    if not pairs:
        return None
    first, second = Counter(one for one, _ in pairs), Counter(other for _, other in pairs)
    count = len(pairs)
    # In whole numbers, so that a kappa of exactly 0 or 1 is one.
    by_chance = sum(first[choice] * second[choice] for choice in first)
    if by_chance == count**2:
        return None
    agreed = sum(one == other for one, other in pairs) * count
    return (agreed - by_chance) / (count**2 - by_chance)


def _written(data: Selection, edited: Mapping[int, JsonObject]) -> dict[int, bytes]:
    """Write corrected rows as compact JSON; one that says the same as before keeps its bytes.

    Raises:
        DatasetError: A correction brought in an error; all of them are in `.problems`.
    """
    rules = RowRules(
        scope_for(
            DEFAULT_MODEL,
            provider="openai",
            method=METHOD_OF_FORMAT[data.format],
            format=data.format,
        ),
        USUAL_RULES,
    )
    written: dict[int, bytes] = {}
    problems: list[Problem] = []
    lines = data.lines
    for row, value in edited.items():
        raw = data.raw(row)
        before = rules.examine(lines[row], raw)
        known = {(problem.code, problem.path) for problem in before.problems}
        wanted = value if before.row is None else _in_form_of(before.row, value)
        if wanted == before.row:
            continue
        content = encode_record(wanted)
        problems += [
            problem
            for problem in rules.examine(lines[row], content).problems
            if problem.severity == "error" and (problem.code, problem.path) not in known
        ]
        written[row] = content
    if problems:
        raise broken("the corrected rows", problems, doing="apply the review")
    return written


def _in_form_of(original: Json, edited: Json) -> Json:
    """Give numbers and the order of keys their form before a browser rewrote them.

    JavaScript writes 1.0 as 1, rounds integers beyond 2**53, and moves keys that look like numbers.
    """
    if isinstance(original, dict) and isinstance(edited, dict):
        ordered = [key for key in original if key in edited] + [
            key for key in edited if key not in original
        ]
        return {key: _in_form_of(original.get(key), edited[key]) for key in ordered}
    if isinstance(original, list) and isinstance(edited, list) and len(original) == len(edited):
        return [_in_form_of(one, other) for one, other in zip(original, edited, strict=True)]
    return original if _is_same_number(original, edited) else edited


def _is_same_number(one: Json, other: Json) -> bool:
    if isinstance(one, bool) or isinstance(other, bool):
        return False
    if not isinstance(one, int | float) or not isinstance(other, int | float):
        return False
    try:
        return float(one) == float(other)
    except OverflowError:
        return one == other
