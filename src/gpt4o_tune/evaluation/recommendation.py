"""Which candidate is worth it at a number of calls, and from how many calls on its fixed costs are repaid."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Literal

from gpt4o_tune._display import html_text, money, paragraph, table
from gpt4o_tune.evaluation._report import short_name
from gpt4o_tune.evaluation.comparison import Comparison
from gpt4o_tune.evaluation.standing import estimate, standing

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from gpt4o_tune.evaluation.evaluation import Evaluation
    from gpt4o_tune.evaluation.standing import Standing

__all__ = ["Option", "Recommendation", "Verdict", "recommend"]

Verdict = Literal["take it", "as good, dearer", "as good, cost unknown", "measurably worse"]

RULE = (
    "Of the candidates that are not measurably worse than the best, take the one that costs least over the"
    " whole time; of equally dear ones, the one with the best estimate. Where no difference can be shown, the"
    " cheaper one wins."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One candidate at the number of calls asked about. Amounts are US dollars; None is unknown."""

    name: str
    estimate: float
    """Share of right answers, or mean score."""

    verdict: Verdict
    usd_per_1000_calls: float | None
    fixed_usd: float
    """Training, and hosting for all months: what it costs without a single call."""

    total_usd: float | None
    """Fixed costs and all calls."""

    break_even_calls: int | None
    """Calls over the whole time from which its fixed costs are repaid by cheaper calls, against the reference;
    0 where it has nothing to repay, None where its calls are not cheaper or a price is unknown."""

    usd_per_extra_right: float | None
    """What each further right answer (or point of score) costs beyond the reference; None where it is neither
    measurably better nor dearer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recommendation:
    """Which candidate is worth it, why, and what would change the answer."""

    choice: str
    options: tuple[Option, ...]
    """Best estimate first."""

    reference: str
    """What break-even is counted against: the candidate that is cheapest to begin with, among those as good as
    the best, or among all where the best stands alone."""

    grader: str
    calls_per_month: float
    months: float
    reasons: tuple[str, ...]
    """Whole sentences: what speaks for the choice, break-even, and what is not known."""

    rule: str = field(default=RULE)

    @property
    def option(self) -> Option:
        """The figures of the choice."""
        return next(each for each in self.options if each.name == self.choice)

    def to_dict(self) -> dict[str, object]:
        """Give everything as plain values that `json.dumps` takes."""
        return {**asdict(self), "options": [asdict(each) for each in self.options]}

    def to_html(self) -> str:
        """Write a page with the cost of each candidate over the number of calls; it needs no other file."""
        from gpt4o_tune.evaluation._recommendation_page import page

        return page(self)

    def __str__(self) -> str:
        head = (
            f"Take {self.choice}: by {self.grader}, {self.calls_per_month:,.0f} calls a month for"
            f" {self.months:g} months"
        )
        rows = [
            [
                short_name(each.name),
                f"{each.estimate:.3f}",
                _money(each.usd_per_1000_calls),
                money(each.fixed_usd),
                _money(each.total_usd),
                "never" if each.break_even_calls is None else f"{each.break_even_calls:,}",
                each.verdict,
            ]
            for each in self.options
        ]
        headers = ["candidate", "estimate", "$/1,000", "fixed", "total", "break-even", "verdict"]
        return "\n".join(
            [
                paragraph(head),
                "",
                table(headers, rows, align="<>>>>><"),
                "",
                *(paragraph(reason) for reason in self.reasons),
                paragraph(f"Rule: {self.rule}"),
            ]
        )

    def _repr_html_(self) -> str:
        return html_text(str(self))


def recommend(
    evaluation: Evaluation | Comparison,
    *,
    calls_per_month: float,
    months: float = 12,
    training_usd: Mapping[str, float] | None = None,
    hosting_usd_per_month: Mapping[str, float] | None = None,
    grader: str | None = None,
) -> Recommendation:
    """Say which candidate is worth it at a number of calls.

    A candidate that is not measurably worse than the best counts as good as it, so that nobody pays for a
    difference that may be chance. The price of a call is that of the calls of the evaluation, examples in the
    prompt included.

    Args:
        evaluation: What was measured, with prices.
        calls_per_month: How often the winner is going to be asked.
        months: For how long.
        training_usd: By candidate: what its training costs, such as `train.cost().usd`. None is nothing.
        hosting_usd_per_month: By candidate: what it costs per month, used or not.
        grader: The name of the grader that decides; the first where not given.

    Raises:
        ValueError: A figure is negative or not finite, or a name is of no candidate or grader.
    """
    comparison = _deciding(evaluation, grader)
    training, hosting = dict(training_usd or {}), dict(hosting_usd_per_month or {})
    _check(comparison, calls_per_month, months, training, hosting)
    place = standing(comparison)
    calls = calls_per_month * months
    fixed = {
        name: training.get(name, 0.0) + months * hosting.get(name, 0.0) for name in place.ranked
    }
    per_call = {name: _per_call(comparison, name) for name in place.ranked}
    total = {
        name: None if (price := per_call[name]) is None else fixed[name] + price * calls
        for name in place.ranked
    }
    choice = min(place.tied, key=lambda name: math.inf if (t := total[name]) is None else t)
    reference = _reference(place, choice, fixed, per_call)
    options = tuple(
        Option(
            name=name,
            estimate=estimate(comparison, name),
            verdict=_verdict(name, choice, place, total[name]),
            usd_per_1000_calls=None if (price := per_call[name]) is None else 1000 * price,
            fixed_usd=fixed[name],
            total_usd=total[name],
            break_even_calls=_break_even(name, reference, fixed, per_call),
            usd_per_extra_right=_per_extra(name, reference, comparison, total, calls, place),
        )
        for name in place.ranked
    )
    return Recommendation(
        choice=choice,
        options=options,
        reference=reference,
        grader=comparison.grader,
        calls_per_month=calls_per_month,
        months=months,
        reasons=tuple(_reasons(options, choice, reference, place, calls)),
    )


def _deciding(evaluation: Evaluation | Comparison, grader: str | None) -> Comparison:
    if isinstance(evaluation, Comparison):
        if grader not in (None, evaluation.grader):
            raise ValueError(f"the comparison is by {evaluation.grader!r}, not by {grader!r}")
        return evaluation
    if grader is None:
        return evaluation.lead
    if grader not in evaluation.comparisons:
        names = ", ".join(map(repr, evaluation.comparisons))
        raise ValueError(f"{grader!r} is none of the graders: {names}")
    return evaluation.comparisons[grader]


def _check(
    comparison: Comparison,
    calls: float,
    months: float,
    training: Mapping[str, float],
    hosting: Mapping[str, float],
) -> None:
    named = {"calls_per_month": calls, "months": months}
    named |= {f"training_usd[{name!r}]": usd for name, usd in training.items()}
    named |= {f"hosting_usd_per_month[{name!r}]": usd for name, usd in hosting.items()}
    for name, amount in named.items():
        if not 0 <= amount < math.inf:
            raise ValueError(f"{name} must be a number from 0, got {amount!r}")
    if unknown := sorted({*training, *hosting} - set(comparison.candidates)):
        names = ", ".join(map(repr, comparison.candidates))
        raise ValueError(f"{unknown[0]!r} is none of the candidates: {names}")


def _per_call(comparison: Comparison, name: str) -> float | None:
    per_1000 = comparison.candidates[name].usd_per_1000_calls
    return None if per_1000 is None else per_1000 / 1000


def _reference(
    place: Standing,
    choice: str,
    fixed: Mapping[str, float],
    per_call: Mapping[str, float | None],
) -> str:
    """Choose what the fixed costs have to be repaid against."""
    others = [name for name in place.tied if name != choice] or [
        name for name in place.ranked if name != choice
    ]

    def cheapness(name: str) -> tuple[float, float]:
        price = per_call[name]
        return fixed[name], math.inf if price is None else price

    # The choice itself, where it is the one with nothing to repay.
    return min([*others, choice], key=cheapness)


def _verdict(name: str, choice: str, place: Standing, total: float | None) -> Verdict:
    if name == choice:
        return "take it"
    if name not in place.tied:
        return "measurably worse"
    return "as good, cost unknown" if total is None else "as good, dearer"


def _break_even(
    name: str, reference: str, fixed: Mapping[str, float], per_call: Mapping[str, float | None]
) -> int | None:
    more = fixed[name] - fixed[reference]
    if more <= 0:
        return 0
    ours, theirs = per_call[name], per_call[reference]
    if ours is None or theirs is None or ours >= theirs:
        return None
    return math.ceil(more / (theirs - ours))


def _per_extra(
    name: str,
    reference: str,
    comparison: Comparison,
    total: Mapping[str, float | None],
    calls: float,
    place: Standing,
) -> float | None:
    ours, theirs = total[name], total[reference]
    gained = estimate(comparison, name) - estimate(comparison, reference)
    is_better = name in place.tied and reference not in place.tied
    if ours is None or theirs is None or not is_better or ours <= theirs or not calls:
        return None
    return (ours - theirs) / (gained * calls)


def _reasons(
    options: tuple[Option, ...], choice: str, reference: str, place: Standing, calls: float
) -> Iterator[str]:
    by_name = {each.name: each for each in options}
    chosen = by_name[choice]
    others = [name for name in place.tied if name != choice]
    if others:
        yield (
            f"No measurable difference between {_and([choice, *others])}: take the cheaper."
            if chosen.total_usd is not None
            else f"No measurable difference between {_and([choice, *others])}, and no price is known."
        )
    if worse := [name for name in place.ranked if name not in place.tied]:
        yield f"{_and(worse)} {'is' if len(worse) == 1 else 'are'} measurably worse."
    for each in options:
        if each.name != reference and each.fixed_usd > by_name[reference].fixed_usd:
            yield _repaid(each, by_name[reference], calls)
    if chosen.usd_per_extra_right is not None:
        yield (
            f"Each right answer more than with {reference} costs {money(chosen.usd_per_extra_right)};"
            " whether that is worth it, only you can say."
        )
    if unknown := [each.name for each in options if each.total_usd is None]:
        yield f"The price of {_and(unknown)} is not known, so it is not weighed by cost."


def _repaid(option: Option, reference: Option, calls: float) -> str:
    what = f"The fixed costs of {option.name} ({money(option.fixed_usd)})"
    if option.usd_per_1000_calls is None or reference.usd_per_1000_calls is None:
        return f"{what} cannot be weighed: a price is unknown."
    if option.break_even_calls is None:
        return (
            f"{what} are never repaid against {reference.name}, whose calls are no dearer; only better"
            " answers could speak for it."
        )
    reach = "reached" if calls >= option.break_even_calls else "not reached"
    return (
        f"{what} are repaid by cheaper calls after {option.break_even_calls:,} calls against"
        f" {reference.name}: {reach} with {calls:,.0f} calls."
    )


def _and(names: list[str]) -> str:
    quoted = [repr(name) for name in names]
    return quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} and {quoted[-1]}"


def _money(amount: float | None) -> str:
    return "unknown" if amount is None else money(amount)
