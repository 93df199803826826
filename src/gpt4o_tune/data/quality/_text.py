"""A profile as text within 100 columns."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gpt4o_tune._display import bar, paragraph, plural, shorten, table, width
from gpt4o_tune.data.quality.findings import named_languages

if TYPE_CHECKING:
    from gpt4o_tune.data.quality.distribution import Distribution
    from gpt4o_tune.data.quality.diversity import Diversity
    from gpt4o_tune.data.quality.pairs import PairBias
    from gpt4o_tune.data.quality.profile import Profile
    from gpt4o_tune.data.quality.shares import Shares

_SHOWN = 6
_VALUE_COLUMNS = 44


def profile_text(profile: Profile) -> str:
    """Write the findings, then every measure that applies."""
    blocks = [
        f"{shorten(profile.source, 60)}: {plural(profile.rows, 'row')}, {profile.format}",
        _findings(profile),
        _lengths(profile),
        *(
            f"{labels.name} (evenness {labels.shares.balance:.2f})\n{shares_text(labels.shares)}"
            for labels in profile.labels
        ),
        f"languages of prompts\n{languages_text(profile.languages.prompts)}",
        f"languages of answers\n{languages_text(profile.languages.answers)}",
        _instructions(profile),
        *(
            [f"first words of answers\n{shares_text(profile.answer_openings.first_words)}"]
            if not profile.labels
            else []
        ),
        f"first words of prompts\n{shares_text(profile.prompt_openings.first_words)}",
        _diversity(profile),
    ]
    if profile.pairs:
        blocks.append(pairs_text(profile.pairs))
    blocks.append(_rest(profile))
    return "\n\n".join(blocks)


def _findings(profile: Profile) -> str:
    if not profile.findings:
        return "nothing stands out"
    return "\n".join(
        paragraph(f"{each.weight}: {each}", columns=94).replace("\n", "\n      ")
        for each in profile.findings
    )


def length_rows(profile: Profile) -> list[tuple[str, str, Distribution]]:
    """Return the distributions of lengths, each behind its title and unit."""
    lengths = profile.lengths
    return [
        ("tokens per row", "tokens", lengths.tokens),
        ("messages per row", "messages", lengths.messages),
        ("prompt words", "words", lengths.prompt_words),
        ("prompt tokens", "tokens", lengths.prompt_tokens),
        ("answer words", "words", lengths.answer_words),
        ("answer tokens", "tokens", lengths.answer_tokens),
    ]


def _lengths(profile: Profile) -> str:
    rows = [
        [title, *(f"{value:,}" for value in (d.min, d.p5, d.median, d.p95, d.max))]
        for title, _, d in length_rows(profile)
    ]
    return table(["lengths", "min", "5 %", "median", "95 %", "max"], rows, align="<>>>>>")


def shares_text(shares: Shares) -> str:
    """Write the commonest values as bars."""
    lines = [
        f"  {_padded(each.value)} {each.count:>7,} "
        f"{shares.part(each):>6.1%}  {bar(shares.part(each))}"
        for each in shares.top[:_SHOWN]
    ]
    others = shares.distinct - len(lines)
    if others > 0:
        lines.append(f"  and {plural(others, 'other')}")
    return "\n".join(lines) or "  none"


def _padded(value: str) -> str:
    short = shorten(value, _VALUE_COLUMNS)
    return short + " " * (_VALUE_COLUMNS - width(short))


def languages_text(shares: Shares) -> str:
    """Write languages by name in one line."""
    named = named_languages(shares).top[:_SHOWN]
    listed = ", ".join(f"{each.value} {shares.part(each):.1%}" for each in named)
    return f"  {listed or 'none'}"


def _instructions(profile: Profile) -> str:
    shares, missing = profile.instructions.shares, len(profile.instructions.missing)
    head = f"system prompts: {shares.distinct:,} distinct, {plural(missing, 'row')} without"
    return f"{head}\n{shares_text(shares)}" if shares.top else head


def _diversity(profile: Profile) -> str:
    it = profile.diversity
    repeats = f"repeated rows: {len(it.exact_repeats):,} exact, {_near(it)}"
    if not it.sample_words:
        return repeats
    return (
        f"diversity of answers, in a sample of {plural(it.sample_words, 'word')}\n"
        f"  distinct words {it.distinct_1:.3f}, pairs {it.distinct_2:.3f}, triples {it.distinct_3:.3f}; "
        f"per 100 words {it.segment_type_token:.2f}; compression {it.compression:.1f}\n"
        f"  {repeats}"
    )


def _near(diversity: Diversity) -> str:
    near = diversity.near_repeats
    return "near ones not searched for" if near is None else f"{len(near):,} exact or near"


def pairs_text(pairs: PairBias) -> str:
    """Write the comparison of preferred and rejected outputs."""
    return (
        f"preference pairs\n"
        f"  preferred longer {pairs.preferred_longer:,}, rejected longer {pairs.rejected_longer:,} "
        f"({pairs.share_longer:.0%} longer; mean difference {pairs.mean_difference:+.1f} tokens; "
        f"p = {pairs.p_value:.2g})\n"
        f"  identical {len(pairs.identical):,}, nearly identical {len(pairs.nearly_identical):,}, "
        f"mean overlap {pairs.mean_overlap:.2f}"
    )


def _rest(profile: Profile) -> str:
    features = profile.features
    counts = [
        ("refusals", profile.refusals.rows),
        ("outliers", profile.outliers.rows),
        ("declare tools", features.tools),
        ("call tools", features.calls),
        ("show images", features.images),
        ("have weight 0", features.ignored),
    ]
    return "rows  " + ", ".join(f"{name} {len(rows):,}" for name, rows in counts)
