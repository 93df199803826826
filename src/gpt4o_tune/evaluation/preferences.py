"""Which of two models' answers a judge prefers, over many prompts, free of the order they were shown in."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from gpt4o_tune._display import html_text, paragraph, plural, shorten
from gpt4o_tune._drive import run
from gpt4o_tune.errors import GraderError
from gpt4o_tune.evaluation.graders.means import Means
from gpt4o_tune.evaluation.statistics import Interval, mcnemar_exact, tango

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gpt4o_tune.evaluation.graders.asking import Asker
    from gpt4o_tune.evaluation.graders.llm_judge import AnswerPair, LlmJudge, Preference

__all__ = ["Preferences", "judge_pairs", "judge_pairs_async"]

_FAULTS_SHOWN = 5
_COLUMNS = 100
_MUCH = 0.2
"""Share of changed verdicts from which the text warns; our own working value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preferences:
    """A judge's preferences over many pairs of answers, in their order."""

    judge: str
    names: tuple[str, str]
    """Who gave the first and who the second answers."""

    pairs: tuple[Preference | None, ...]
    """None where no judgement came about; `faults` says why."""

    faults: Mapping[int, GraderError]
    """By the number of the pair, counted from 0. These pairs are left out of the figures below."""

    confidence: float = 0.95

    @property
    def judged(self) -> int:
        """How many pairs were judged."""
        return len(self._given())

    @property
    def wins(self) -> tuple[int, int]:
        """Pairs in which the first and in which the second answer is better, in both orders."""
        better = [each.better for each in self._given()]
        return better.count("first"), better.count("second")

    @property
    def ties(self) -> int:
        """Pairs without a winner, those with changed verdicts included."""
        return self.judged - sum(self.wins)

    @property
    def inconsistent(self) -> tuple[int, ...]:
        """Numbers of the pairs whose verdict changed with the order; each counts as a tie."""
        return tuple(
            number
            for number, each in enumerate(self.pairs)
            if each is not None and not each.is_consistent
        )

    @property
    def lean(self) -> float:
        """From -1, always for the answer shown second, to 1, always for the one shown first; 0 is fair."""
        ahead = sum(
            (each.verdicts[0] == "first")
            - (each.verdicts[0] == "second")
            + (each.verdicts[1] == "second")
            - (each.verdicts[1] == "first")
            for each in self._given()
        )
        return ahead / (2 * self.judged)

    @property
    def difference(self) -> float:
        """Share of pairs won by the first minus share won by the second."""
        first, second = self.wins
        return (first - second) / self.judged

    @property
    def interval(self) -> Interval:
        """Tango's interval around `difference`."""
        return tango(*self.wins, self.judged, confidence=self.confidence)

    @property
    def p(self) -> float:
        """Two-sided p value of the sign test over the pairs that have a winner."""
        return mcnemar_exact(*self.wins)

    @property
    def verdict(self) -> str:
        """One sentence: who is preferred, and how surely."""
        (first, second), (a, b) = self.wins, self.names
        counts = f"{first} to {second} with {plural(self.ties, 'tie')}"
        if self.p > 1 - self.confidence:
            return f"no preference between {a} and {b} can be shown: {counts}, p = {self.p:.2g}"
        ahead, behind = (a, b) if first > second else (b, a)
        return f"{ahead} is preferred to {behind}: {counts}, p = {self.p:.2g}"

    def to_dict(self) -> dict[str, object]:
        """Give everything as plain values that `json.dumps` takes."""
        return {
            "judge": self.judge,
            "names": list(self.names),
            "judged": self.judged,
            "wins": list(self.wins),
            "ties": self.ties,
            "inconsistent": list(self.inconsistent),
            "lean": self.lean,
            "difference": self.difference,
            "interval": asdict(self.interval),
            "p": self.p,
            "verdict": self.verdict,
            "pairs": [None if each is None else asdict(each) for each in self.pairs],
            "faults": {
                str(number): {"code": fault.code, "message": str(fault)}
                for number, fault in self.faults.items()
            },
        }

    def _given(self) -> list[Preference]:
        return [each for each in self.pairs if each is not None]

    def __str__(self) -> str:
        lines = [paragraph(f"{self.judge}: {self.verdict}")]
        lines.append(paragraph(f"difference {self.interval.around(self.difference)}"))
        changed = len(self.inconsistent)
        lines.append(
            paragraph(
                f"{changed} of {plural(self.judged, 'verdict')} changed with the order and count as"
                f" ties; lean to what is shown first {self.lean:+.2f}"
            )
        )
        if changed > _MUCH * self.judged:
            lines.append(
                "warning: so many changed verdicts say more about the judge than the answers"
            )
        shown = list(self.faults.items())[:_FAULTS_SHOWN]
        if shown:
            lines.append(f"not judged, and left out: {plural(len(self.faults), 'pair')}")
            lines += [shorten(f"  pair {number}: {fault}", _COLUMNS) for number, fault in shown]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        return html_text(str(self))


def judge_pairs(
    judge: LlmJudge,
    pairs: Sequence[AnswerPair],
    *,
    asker: Asker,
    names: tuple[str, str] = ("first", "second"),
    at_once: int = 8,
    confidence: float = 0.95,
) -> Preferences:
    """Let a judge compare the answers of every pair, in both orders: two calls to the model a pair.

    Args:
        judge: The model and what makes an answer better.
        pairs: Prompts with the two answers.
        asker: Sends the requests; here a blocking function.
        names: Who gave the first and who the second answers.
        at_once: Pairs judged at the same time.
        confidence: Two-sided confidence level of the interval; one minus the level of the test.

    Raises:
        ValueError: There are no pairs.
        GraderError: No pair could be judged at all.
    """
    means = Means(asker=asker, at_once=at_once)
    return run(_judge_pairs(judge, pairs, means, names, confidence))


async def judge_pairs_async(
    judge: LlmJudge,
    pairs: Sequence[AnswerPair],
    *,
    asker: Asker,
    names: tuple[str, str] = ("first", "second"),
    at_once: int = 8,
    confidence: float = 0.95,
) -> Preferences:
    """As `judge_pairs`, without blocking; the asker may be asynchronous."""
    means = Means(asker=asker, at_once=at_once, blocking=False)
    return await _judge_pairs(judge, pairs, means, names, confidence)


async def _judge_pairs(
    judge: LlmJudge,
    pairs: Sequence[AnswerPair],
    means: Means,
    names: tuple[str, str],
    confidence: float,
) -> Preferences:
    if not pairs:
        raise ValueError("there are no pairs of answers to judge")
    judged = await judge.prefer_each(pairs, means)
    faults = {place: each for place, each in enumerate(judged) if isinstance(each, GraderError)}
    if len(faults) == len(pairs):
        raise GraderError(
            f"{judge.model!r} could judge none of {plural(len(pairs), 'pair')}: {faults[0]}",
            code=faults[0].code,
        ) from next(iter(means.failures), None)
    return Preferences(
        judge=judge.model,
        names=names,
        pairs=tuple(None if isinstance(each, GraderError) else each for each in judged),
        faults=faults,
        confidence=confidence,
    )
