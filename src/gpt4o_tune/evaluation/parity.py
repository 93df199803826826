"""`Parity`: does the new model answer as the old one did, and is it as good?"""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Literal

from gpt4o_tune._display import plural
from gpt4o_tune.errors import DatasetError
from gpt4o_tune.evaluation import _parity_page
from gpt4o_tune.evaluation._agreement import (
    LogprobAgreement,
    agreement,
    exact,
    kind,
    logprob_agreement,
    meaning,
    own,
    tool_calls,
)
from gpt4o_tune.evaluation._parity_cautions import parity_cautions
from gpt4o_tune.evaluation._parity_scores import scores
from gpt4o_tune.evaluation.bootstrap import bootstrap_mean
from gpt4o_tune.evaluation.drift import FormatDrift, LengthDrift, format_drift, length_drift
from gpt4o_tune.evaluation.equivalence import Equivalence, equivalence
from gpt4o_tune.evaluation.statistics import Interval, wilson

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

    from gpt4o_tune.evaluation._parity_scores import RowScore
    from gpt4o_tune.evaluation.equivalence import EquivalenceOutcome
    from gpt4o_tune.evaluation.graders import Grader
    from gpt4o_tune.evaluation.recording import RecordedAnswer, RecordedPrompt, Recording

__all__ = ["Parity", "ParityBasis", "ParityRow", "ParityShare", "judge"]

ParityBasis = Literal["score", "agreement beyond the old model's own", "agreement"]
"""What the verdict rests on: grades against references, agreement held against how far the old model agrees
with itself, or bare agreement."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ParityShare:
    """The share of rows on which two answers look alike, in one respect."""

    respect: str
    share: float
    """Mean over the rows of the share of pairs of samples that agree."""
    interval: Interval
    rows: int
    """Rows that the respect concerns."""
    own_old: float | None
    """How far the old model agrees with itself; None with one sample a prompt."""
    own_new: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ParityRow:
    """One prompt with both answers."""

    row: int
    """Number of the prompt in the recording, counted from 0."""
    question: str
    reference: str
    """Text of the reference answer; empty where there is none."""
    old: RecordedAnswer
    new: RecordedAnswer
    agreement: float
    """Share of pairs of samples that agree in meaning."""
    own_old: float | None
    old_score: float | None
    """Mean over the samples; None without a reference."""
    new_score: float | None
    reason: str
    """Why the new answer's grade is what it is, in the grader's words."""

    @property
    def loss(self) -> float:
        """How much worse the new answer scores; 0 without scores."""
        if self.old_score is None or self.new_score is None:
            return 0.0
        return self.old_score - self.new_score

    def to_dict(self) -> dict[str, object]:
        """Give everything as plain values that `json.dumps` takes."""
        return {
            "row": self.row,
            "question": self.question,
            "reference": self.reference,
            "old": self.old.to_dict(),
            "new": self.new.to_dict(),
            "agreement": self.agreement,
            "own_old": self.own_old,
            "old_score": self.old_score,
            "new_score": self.new_score,
            "reason": self.reason,
        }


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Parity:
    """A new model held against what the old one answered, row by row."""

    old: str
    new: str
    basis: ParityBasis
    equivalence: Equivalence
    """What the verdict says, on the basis."""
    grader: str | None
    """None where no row has a reference."""
    old_score: float | None
    new_score: float | None
    agreements: tuple[ParityShare, ...]
    """Letter for letter, in meaning, in kind of answer, and in tool calls where there are any."""
    length: LengthDrift | None
    """The new answers against the old ones; None where no row has text from both."""
    format: FormatDrift | None
    """As `length`."""
    logprobs: LogprobAgreement | None
    """None where the services do not both give log-probabilities."""
    rows: tuple[ParityRow, ...]
    left_out: tuple[int, ...]
    """Prompts that the old model did not answer."""
    warnings: tuple[str, ...]

    @property
    def outcome(self) -> EquivalenceOutcome:
        """`equivalent`, `worse`, `better`, or `not shown`."""
        return self.equivalence.outcome

    @property
    def verdict(self) -> str:
        """The outcome with its figures, in one sentence."""
        return f"{self.new} against {self.old}, by {self.basis}: {self.equivalence.verdict}"

    @property
    def rule(self) -> str:
        """The rule that gave the verdict, with its figures."""
        return self.equivalence.rule

    @property
    def worst(self) -> tuple[ParityRow, ...]:
        """The rows that lost most, then those that agree least; none that agree and score as well."""
        poor = [
            each
            for each in self.rows
            if each.loss > 0 or each.agreement < (1 if each.own_old is None else each.own_old)
        ]
        return tuple(sorted(poor, key=lambda each: (-each.loss, each.agreement, each.row)))

    def to_dict(self) -> dict[str, object]:
        """Give everything as plain values that `json.dumps` takes, answers included."""
        return {
            "old": self.old,
            "new": self.new,
            "basis": self.basis,
            "outcome": self.outcome,
            "verdict": self.verdict,
            "rule": self.rule,
            "equivalence": self.equivalence.to_dict(),
            "grader": self.grader,
            "old_score": self.old_score,
            "new_score": self.new_score,
            "agreements": [asdict(each) for each in self.agreements],
            "length": None if self.length is None else self.length.to_dict(),
            "format": None if self.format is None else self.format.to_dict(),
            "logprobs": None if self.logprobs is None else self.logprobs.to_dict(),
            "rows": [each.to_dict() for each in self.rows],
            "left_out": list(self.left_out),
            "warnings": list(self.warnings),
        }

    def __repr__(self) -> str:
        return f"Parity({self.old!r}, {self.new!r}, outcome={self.outcome!r})"

    def __str__(self) -> str:
        return _parity_page.text(self)

    def _repr_html_(self) -> str:
        return _parity_page.page(self)


def judge(
    old: Recording,
    new: Recording,
    *,
    grader: Grader | None,
    margin: float,
    seed: int,
    seen: Collection[int] = (),
) -> Parity:
    """Hold two recordings of the same prompts against each other.

    Args:
        old: What is to be matched.
        new: What should match it.
        grader: Judge of an answer against the reference of its row; the reference itself where none is given.
        margin: The largest difference that does not matter.
        seed: Seed of the resampling.
        seen: Prompts that also stand among the new model's training rows.

    Raises:
        DatasetError: The prompts differ, none was answered by the old model, or a grader has no
            references to judge by.
        GraderError: The grader could judge nothing, or needs something that `equip` gives.
    """
    _require_same_prompts(old, new)
    # What the old model failed to answer says nothing about it.
    given = [[each for each in prompt.answers if each.error is None] for prompt in old.prompts]
    kept = [row for row, answers in enumerate(given) if answers]
    if not kept:
        raise DatasetError(
            f"{old.model!r} answered none of the prompts, so there is nothing to match: "
            f"{old.prompts[0].answers[0].error}"
        )
    pairs = {row: (given[row], new.prompts[row].answers) for row in kept}
    referenced = {row: old.prompts[row] for row in kept if old.prompts[row].reference is not None}
    graded = scores(referenced, pairs, grader)
    rows = tuple(_row(row, old.prompts[row], *pairs[row], graded.rows.get(row)) for row in kept)
    basis, found = _found(rows, margin=margin, seed=seed)
    before = [each.old for each in graded.rows.values()]
    after = [each.new for each in graded.rows.values()]
    texts = [(a[0].text, b[0].text) for a, b in pairs.values()]
    both = [(a, b) for a, b in texts if a and b]
    ours, theirs = [b for _, b in both], [a for a, _ in both]
    return Parity(
        old=old.model,
        new=new.model,
        basis=basis,
        equivalence=found,
        grader=graded.grader if graded.rows else None,
        old_score=_mean(before),
        new_score=_mean(after),
        agreements=tuple(_agreements([*pairs.values()], seed)),
        length=length_drift(ours, theirs, seed=seed) if both else None,
        format=format_drift(ours, theirs) if both else None,
        logprobs=logprob_agreement([(a[0], b[0]) for a, b in pairs.values()]),
        rows=rows,
        left_out=old.failed,
        warnings=tuple(parity_cautions(old, new, rows, graded, found, basis, seen)),
    )


def _require_same_prompts(old: Recording, new: Recording) -> None:
    ours, theirs = ([(each.messages, each.fields) for each in one.prompts] for one in (old, new))
    if ours != theirs:
        raise DatasetError(
            f"the prompts differ: {plural(len(old), 'prompt')} to {old.model!r} and"
            f" {plural(len(new), 'prompt')} to {new.model!r}. Record the new model on the old recording,"
            " with new_model.record(recording)"
        )


def _row(
    row: int,
    prompt: RecordedPrompt,
    old: Sequence[RecordedAnswer],
    new: Sequence[RecordedAnswer],
    score: RowScore | None,
) -> ParityRow:
    return ParityRow(
        row=row,
        question=prompt.question,
        reference=_reference(prompt),
        old=old[0],
        new=new[0],
        agreement=agreement(old, new, meaning),
        own_old=own(old, meaning),
        old_score=None if score is None else score.old,
        new_score=None if score is None else score.new,
        reason="" if score is None else score.reason,
    )


def _reference(prompt: RecordedPrompt) -> str:
    """Write the reference for people."""
    if prompt.reference is None:
        return ""
    content = prompt.reference.get("content")
    shown = content if isinstance(content, str) else prompt.reference.get("tool_calls", content)
    return shown if isinstance(shown, str) else json.dumps(shown, ensure_ascii=False)


def _found(
    rows: Sequence[ParityRow], *, margin: float, seed: int
) -> tuple[ParityBasis, Equivalence]:
    """Test on the best basis that there is."""
    scored = [each for each in rows if each.old_score is not None]
    if scored:
        old = [each.old_score or 0.0 for each in scored]
        new = [each.new_score or 0.0 for each in scored]
        return "score", equivalence(new, old, margin=margin, seed=seed)
    floors = [each for each in rows if each.own_old is not None]
    if floors:
        own_old = [each.own_old or 0.0 for each in floors]
        agreed = [each.agreement for each in floors]
        found = equivalence(agreed, own_old, margin=margin, one_sided=True, seed=seed)
        return "agreement beyond the old model's own", found
    agreed = [each.agreement for each in rows]
    found = equivalence(agreed, [1.0] * len(rows), margin=margin, one_sided=True, seed=seed)
    if found.outcome == "worse":
        # The old model may not agree with itself either.
        found = replace(found, outcome="not shown")
    return "agreement", found


def _agreements(
    pairs: Sequence[tuple[Sequence[RecordedAnswer], Sequence[RecordedAnswer]]], seed: int
) -> Iterator[ParityShare]:
    yield _agreement("letter for letter", pairs, exact, seed)
    yield _agreement("in meaning", pairs, meaning, seed)
    yield _agreement("kind of answer", pairs, kind, seed)
    refusing = [pair for pair in pairs if _any(pair, lambda each: kind(each) == "refusal")]
    calling = [pair for pair in pairs if _any(pair, lambda each: bool(each.tool_calls))]
    if refusing:
        yield _agreement("where either refuses", refusing, kind, seed)
    if calling:
        yield _agreement("tool calls", calling, tool_calls, seed)


def _any(
    pair: tuple[Sequence[RecordedAnswer], Sequence[RecordedAnswer]],
    holds: Callable[[RecordedAnswer], bool],
) -> bool:
    return any(holds(each) for side in pair for each in side)


def _agreement(
    respect: str,
    pairs: Sequence[tuple[Sequence[RecordedAnswer], Sequence[RecordedAnswer]]],
    view: Callable[[RecordedAnswer], str],
    seed: int,
) -> ParityShare:
    shares = [agreement(old, new, view) for old, new in pairs]
    owns = [[share for side in pairs if (share := own(side[n], view)) is not None] for n in (0, 1)]
    if set(shares) <= {0.0, 1.0}:
        interval = wilson(shares.count(1.0), len(shares))
    else:
        interval = bootstrap_mean(shares, seed=seed)
    return ParityShare(
        respect=respect,
        share=math.fsum(shares) / len(shares),
        interval=interval,
        rows=len(shares),
        own_old=_mean(owns[0]),
        own_new=_mean(owns[1]),
    )


def _mean(values: Sequence[float]) -> float | None:
    return math.fsum(values) / len(values) if values else None
