"""What stands out in a profile, in plain sentences, with what to do."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, TypeAlias

from gpt4o_tune._display import plural, shorten
from gpt4o_tune.data.quality._languages import NAMES
from gpt4o_tune.data.quality.outliers import OUTLIER_KINDS, OutlierKind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from gpt4o_tune.data.quality.profile import Profile
    from gpt4o_tune.data.quality.shares import Shares

__all__ = ["Finding", "Weight"]

Weight: TypeAlias = Literal["act", "look"]

_MIN_OPENING_SHARE = 0.3
_MIN_OPENING_TEXTS = 20
_MIN_ANSWER_WORDS = 5
_MIN_LABEL_ROWS = 10
_MAX_IMBALANCE = 10
_MIN_LONGER_SHARE = 0.6
_MAX_P_VALUE = 0.01
_MIN_NEAR_SHARE = 0.02
_ACT_REFUSAL_SHARE = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that stands out."""

    code: str
    """Stable name."""
    weight: Weight
    """`act`: most likely a fault that changes what is learned. `look`: often meant so, worth a look."""
    message: str
    """What is the case."""
    advice: str
    """What to do."""
    rows: tuple[int, ...]
    """The rows concerned; empty where it concerns the whole."""

    def __str__(self) -> str:
        return f"{self.message} {self.advice}"


def find(profile: Profile, *, over_limit: tuple[int, ...]) -> tuple[Finding, ...]:
    """Return what stands out: what to act on before what to look at, and the more rows the earlier."""
    found = [*_too_long(over_limit, profile.rows)]
    for look in _LOOKS:
        found += look(profile)
    return tuple(sorted(found, key=_place))


def _place(finding: Finding) -> tuple[Weight, bool, int]:
    return finding.weight, bool(finding.rows), -len(finding.rows)


def _too_long(rows: tuple[int, ...], total: int) -> Iterator[Finding]:
    if rows:
        yield Finding(
            code="too-long",
            weight="act",
            message=f"{_of(rows, total)} longer than the model trains on; the answer is cut off.",
            advice="Shorten or drop these rows.",
            rows=rows,
        )


def _refusals(profile: Profile) -> Iterator[Finding]:
    rows = profile.refusals.rows
    if rows:
        is_much = len(rows) >= _ACT_REFUSAL_SHARE * profile.rows
        yield Finding(
            code="refusals",
            weight="act" if is_much else "look",
            message=f"{_of(rows, profile.rows)} taught to refuse.",
            advice="Read them, and drop those that should have been answered: a few teach the model to "
            "refuse more widely.",
            rows=rows,
        )


def _repeats(profile: Profile) -> Iterator[Finding]:
    exact = profile.diversity.exact_repeats
    if exact:
        yield Finding(
            code="repeats",
            weight="act",
            message=f"{_of(exact, profile.rows)} repeated from an earlier row, to the last character.",
            advice="Keep the first of each: dataset.deduplicate().",
            rows=exact,
        )
    near = set(profile.diversity.near_repeats or ()).difference(exact)
    if near and len(near) >= _MIN_NEAR_SHARE * profile.rows:
        rows = tuple(sorted(near))
        yield Finding(
            code="near-repeats",
            weight="look",
            message=f"{_of(rows, profile.rows)} nearly the same as an earlier row.",
            advice="Variants may be meant so; dataset.deduplicate(near=True) keeps one of each cluster.",
            rows=rows,
        )


def _instructions(profile: Profile) -> Iterator[Finding]:
    missing = profile.instructions.missing
    if missing and len(missing) < profile.rows:
        yield Finding(
            code="no-system-prompt",
            weight="act" if len(missing) < profile.rows / 2 else "look",
            message=f"{_of(missing, profile.rows)} without a system prompt; the others have one.",
            advice="Train with the prompt that you will send: add it to these rows, or take it from all.",
            rows=missing,
        )
    rows = tuple(sorted(row for each in profile.instructions.variants for row in each.rows))
    if rows:
        count = plural(len(profile.instructions.variants), "system prompt")
        yield Finding(
            code="system-prompt-variants",
            weight="act",
            message=f"{count} in {plural(len(rows), 'row')} {'differs' if count[:2] == '1 ' else 'differ'} "
            "from a commoner one by a few characters.",
            advice="Choose one spelling; profile.instructions.variants shows them.",
            rows=rows,
        )


def _openings(profile: Profile) -> Iterator[Finding]:
    answers = profile.answer_openings
    is_prose = not profile.labels and profile.lengths.answer_words.median >= _MIN_ANSWER_WORDS
    top = answers.first_words.top[:1] + answers.first_word.top[:1]
    if not is_prose or answers.first_word.total < _MIN_OPENING_TEXTS:
        return
    for opening, shares in zip(top, (answers.first_words, answers.first_word), strict=False):
        if shares.part(opening) >= _MIN_OPENING_SHARE:
            yield Finding(
                code="one-opening",
                weight="look",
                message=f"{shares.part(opening):.0%} of answers begin with {opening.value!r}.",
                advice="The model will begin so too. Reword, or leave the opening out, if you do not want "
                "that.",
                rows=tuple(dict.fromkeys(opening.rows)),
            )
            return


def _labels(profile: Profile) -> Iterator[Finding]:
    for labels in profile.labels:
        top = labels.shares.top
        rare = [each for each in top if each.count < _MIN_LABEL_ROWS]
        if rare and len(top) > 1:
            names = ", ".join(repr(shorten(each.value, 30)) for each in rare[:5])
            more = f" and {len(rare) - 5:,} more" if len(rare) > 5 else ""
            yield Finding(
                code="rare-labels",
                weight="look",
                message=f"{plural(len(rare), 'value')} of {labels.name} in fewer than "
                f"{_MIN_LABEL_ROWS} rows each: {names}{more}.",
                advice="Add examples, or join labels: a handful of rows teach little.",
                rows=tuple(sorted(row for each in rare for row in each.rows)),
            )
        elif top and labels.imbalance > _MAX_IMBALANCE:
            yield Finding(
                code="uneven-labels",
                weight="look",
                message=f"{labels.name}: {top[0].value!r} is {labels.imbalance:.0f} times as frequent "
                f"as {top[-1].value!r}.",
                advice="Hold out with stratify=, and look at the score of each label for itself.",
                rows=top[-1].rows,
            )


def _pairs(profile: Profile) -> Iterator[Finding]:
    pairs = profile.pairs
    if pairs is None:
        return
    if pairs.identical:
        yield Finding(
            code="identical-pairs",
            weight="act",
            message=f"{_of(pairs.identical, pairs.pairs)} without a choice: both outputs are the same.",
            advice="Drop them; they teach nothing and are billed.",
            rows=pairs.identical,
        )
    share = max(pairs.share_longer, 1 - pairs.share_longer)
    if share >= _MIN_LONGER_SHARE and pairs.p_value < _MAX_P_VALUE:
        which = "longer" if pairs.share_longer > 0.5 else "shorter"
        yield Finding(
            code="length-bias",
            weight="act",
            message=f"The preferred output is the {which} one in {share:.0%} of pairs (sign test, "
            f"p = {pairs.p_value:.1g}; {pairs.mean_difference:+.0f} tokens on average).",
            advice=f"The model will learn that {which} is better. Add pairs that go the other way, or "
            "cut outputs to like length.",
            rows=(),
        )


def _languages(profile: Profile) -> Iterator[Finding]:
    rows = profile.languages.differing
    if rows:
        yield Finding(
            code="answer-language",
            weight="look",
            message=f"{_of(rows, profile.rows)} answered in another language than asked.",
            advice="Right for translation; elsewhere the model learns to switch languages.",
            rows=rows,
        )


_OUTLIER_TEXTS: Mapping[OutlierKind, tuple[str, str]] = {
    "length": (
        "far longer or shorter than the rest",
        "Read the extremes: pasted logs, cut-off text.",
    ),
    "answer-length": (
        "answered at far greater or smaller length than the rest",
        "Read them; long answers weigh more in training, token by token.",
    ),
    "language": (
        "in another language than nine tenths of the rows",
        "Drop them if they strayed in.",
    ),
    "symbols": ("mostly symbols", "Look for broken markup and encodings."),
    "repetition": (
        "full of repetition",
        "Look for loops of a generating model, and pasted tables.",
    ),
}


def _outliers(profile: Profile) -> Iterator[Finding]:
    for kind in OUTLIER_KINDS:
        rows = tuple(each.row for each in profile.outliers.of(kind))
        if rows:
            what, advice = _OUTLIER_TEXTS[kind]
            yield Finding(
                code=f"outlier-{kind}",
                weight="look",
                message=f"{_of(rows, profile.rows)} {what}.",
                advice=advice,
                rows=rows,
            )


_LOOKS: tuple[Callable[[Profile], Iterator[Finding]], ...] = (
    _refusals,
    _repeats,
    _instructions,
    _openings,
    _labels,
    _pairs,
    _languages,
    _outliers,
)


def _of(rows: tuple[int, ...], total: int) -> str:
    """Write how many of all rows: `3 of 120 rows (2.5 %) are`."""
    share = len(rows) / total if total else 0.0
    verb = "is" if len(rows) == 1 else "are"
    return f"{len(rows):,} of {plural(total, 'row')} ({share:.1%}) {verb}"


def named_languages(shares: Shares) -> Shares:
    """Return the shares of languages by English name in place of code."""
    named = (replace(each, value=NAMES.get(each.value, each.value)) for each in shares.top)
    return replace(shares, top=tuple(named))
