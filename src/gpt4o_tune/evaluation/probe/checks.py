"""Judging an answer by the checks that stand in its row."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias, cast

from gpt4o_tune.evaluation.graders import Grade, JsonMatch, Label, Refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from gpt4o_tune.evaluation.graders import Grader, Item, Sample

__all__ = ["ProbeGrader"]

Check: TypeAlias = "Mapping[str, object]"

_NUMBER = re.compile(r"-?\d+(?:,\d{3})*(?:\.\d+)?")


@dataclass(frozen=True)
class ProbeGrader:
    """Right where the answer passes every check of its row; the score is the share of them that it passes.

    A row has a list `checks` of objects with a `kind`: `label` and `json` compare with the reference answer,
    `number` wants one number as the last of the answer, `regex` a match of the whole answer, `words` and
    `lines` count, `contains` looks for words whatever their capitals, `refusal` wants one `always` or
    `never`.
    """

    @property
    def name(self) -> str:
        """Short name for tables."""
        return "probe"

    def grade(self, sample: Sample, item: Item) -> Grade:
        """Make every check of the row.

        Raises:
            ValueError: The row has no checks, or one of a kind that is not known.
        """
        checks = item.row.get("checks")
        if not isinstance(checks, list) or not checks:
            raise ValueError("the row has no list of checks")
        failed: list[str] = []
        for check in cast("list[Check]", checks):
            kind = str(check.get("kind"))
            if kind not in _KINDS:
                raise ValueError(f"{kind!r} is no kind of check; known are {', '.join(_KINDS)}")
            if not _KINDS[kind](check, sample, item):
                failed.append(kind)
        score = 1 - len(failed) / len(cast("list[Check]", checks))
        return Grade(
            score, passed=not failed, reason=f"fails: {', '.join(failed)}" if failed else ""
        )


def _by(grader: Grader) -> Callable[[Check, Sample, Item], bool]:
    return lambda check, sample, item: grader.grade(sample, item).passed is True


def _refusal(check: Check, sample: Sample, item: Item) -> bool:
    grader = Refusal(wanted="always" if check["wanted"] == "always" else "never")
    return grader.grade(sample, item).passed is True


def _number(check: Check, sample: Sample, item: Item) -> bool:
    found = _NUMBER.findall(sample.output_text.replace("\u2212", "-"))
    wanted = float(cast("float", check["value"]))
    return bool(found) and abs(float(found[-1].replace(",", "")) - wanted) < 1e-9


def _regex(check: Check, sample: Sample, item: Item) -> bool:
    return re.fullmatch(str(check["pattern"]), sample.output_text.strip()) is not None


def _words(check: Check, sample: Sample, item: Item) -> bool:
    count = len(sample.output_text.split())
    least, most = cast("int", check.get("at_least", 0)), cast("int | None", check.get("at_most"))
    return least <= count and (most is None or count <= most)


def _lines(check: Check, sample: Sample, item: Item) -> bool:
    lines = [line.strip() for line in sample.output_text.strip().splitlines() if line.strip()]
    pattern = str(check.get("pattern", ".*"))
    return len(lines) == check["count"] and all(re.fullmatch(pattern, line) for line in lines)


def _contains(check: Check, sample: Sample, item: Item) -> bool:
    text = sample.output_text.casefold()
    wanted = cast("Sequence[str]", check.get("all", ()))
    unwanted = cast("Sequence[str]", check.get("none", ()))
    return all(word.casefold() in text for word in wanted) and not any(
        word.casefold() in text for word in unwanted
    )


_KINDS: Mapping[str, Callable[[Check, Sample, Item], bool]] = {
    "label": _by(Label()),
    "json": _by(JsonMatch()),
    "number": _number,
    "regex": _regex,
    "words": _words,
    "lines": _lines,
    "contains": _contains,
    "refusal": _refusal,
}
