"""How alike two answers are: letter for letter, by what they say, in their tool calls, token by token."""

from __future__ import annotations

import json
import math
import re
import unicodedata
from dataclasses import asdict, dataclass
from itertools import combinations, product
from typing import TYPE_CHECKING, cast

from gpt4o_tune.evaluation.graders.grader import parse_json
from gpt4o_tune.evaluation.graders.refusal import refuses

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from gpt4o_tune.evaluation.recording import RecordedAnswer

__all__ = [
    "LogprobAgreement",
    "agreement",
    "exact",
    "kind",
    "logprob_agreement",
    "meaning",
    "own",
    "tool_calls",
]

_EDGES = re.compile(r"^[\W_]+|[\W_]+$")


@dataclass(frozen=True, slots=True, kw_only=True)
class LogprobAgreement:
    """How close the probabilities of two models are, where both wrote the same tokens.

    Answers are followed token by token for as long as the texts of the tokens are equal, since what comes
    after a difference has another context. Two models with different tokenizers share few tokens or none.
    """

    rows: int
    """Rows on which both give log-probabilities."""
    tokens: int
    """Tokens that were compared."""
    share: float
    """Of the old model's tokens."""
    mean_difference: float
    """Mean absolute difference of the log-probabilities, in nats; 0.1 is about 10 % in probability."""

    def to_dict(self) -> dict[str, object]:
        """Give everything as plain values that `json.dumps` takes."""
        return asdict(self)

    def __str__(self) -> str:
        return (
            f"log-probabilities of {self.tokens:,} common tokens ({100 * self.share:.0f}%) differ by"
            f" {self.mean_difference:.3f} nats in the mean"
        )


def exact(answer: RecordedAnswer) -> str:
    """Give what two answers share that agree letter for letter; call ids play no part."""
    return json.dumps([answer.text or "", answer.refusal, _calls(answer, as_text=True)])


def meaning(answer: RecordedAnswer) -> str:
    """Give what two answers share that differ in nothing that counts.

    Of JSON, the order of keys and the white space do not count; of other text, neither do capitals, white
    space, forms of the same letter (Unicode NFKC), and punctuation at both ends.
    """
    text = answer.text or answer.refusal or ""
    try:
        value = parse_json(text)
    except ValueError:
        value = None
    if not isinstance(value, dict | list):
        plain = " ".join(unicodedata.normalize("NFKC", text).casefold().split())
        value = _EDGES.sub("", plain) or plain
    return json.dumps([value, _calls(answer, as_text=False)], sort_keys=True)


def tool_calls(answer: RecordedAnswer) -> str:
    """Give the names and arguments of the calls, in order."""
    return json.dumps(_calls(answer, as_text=False), sort_keys=True)


def kind(answer: RecordedAnswer) -> str:
    """Say what an answer is: a failure, a refusal, tool calls, JSON, nothing, or text."""
    if answer.error is not None:
        return "failed"
    if answer.refusal or refuses(answer.text or ""):
        return "refusal"
    if answer.tool_calls:
        return "tool calls"
    try:
        value = parse_json(answer.text or "")
    except ValueError:
        return "text" if (answer.text or "").strip() else "empty"
    return "JSON" if isinstance(value, dict | list) else "text"


def agreement(
    old: Sequence[RecordedAnswer],
    new: Sequence[RecordedAnswer],
    view: Callable[[RecordedAnswer], str],
) -> float:
    """Give the share of pairs, one sample of each, that look alike; a failed call agrees with nothing."""
    pairs = [
        a.error is None and b.error is None and view(a) == view(b) for a, b in product(old, new)
    ]
    return sum(pairs) / len(pairs)


def own(answers: Sequence[RecordedAnswer], view: Callable[[RecordedAnswer], str]) -> float | None:
    """Give the share of pairs of one model's samples that look alike; None for fewer than two."""
    pairs = [view(a) == view(b) for a, b in combinations(answers, 2)]
    return sum(pairs) / len(pairs) if pairs else None


def logprob_agreement(
    pairs: Sequence[tuple[RecordedAnswer, RecordedAnswer]],
) -> LogprobAgreement | None:
    """Compare log-probabilities along the tokens that both wrote; None where nothing can be compared."""
    gaps: list[float] = []
    rows = whole = 0
    for old, new in pairs:
        if not old.logprobs or not new.logprobs:
            continue
        rows += 1
        whole += len(old.logprobs)
        for one, other in zip(old.logprobs, new.logprobs, strict=False):
            if one.token != other.token:
                break
            gaps.append(abs(one.logprob - other.logprob))
    if not gaps:
        return None
    return LogprobAgreement(
        rows=rows,
        tokens=len(gaps),
        share=len(gaps) / whole,
        mean_difference=math.fsum(gaps) / len(gaps),
    )


def _calls(answer: RecordedAnswer, *, as_text: bool) -> list[list[object]]:
    found: list[list[object]] = []
    for call in answer.tool_calls:
        function = cast("Mapping[str, object]", call.get("function") or {})
        arguments: object = function.get("arguments")
        if not as_text and isinstance(arguments, str):
            try:
                arguments = parse_json(arguments)
            except ValueError:
                arguments = arguments.strip()
        found.append([function.get("name"), arguments])
    return found
