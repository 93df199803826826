"""A data card as one self-contained HTML page."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from gpt4o_tune._display import money, plural, shorten
from gpt4o_tune.data.quality._limits import LIMITS
from gpt4o_tune.data.quality._plots import bars, histogram, scatter
from gpt4o_tune.data.quality._style import STYLE
from gpt4o_tune.data.quality._text import length_rows
from gpt4o_tune.data.quality.findings import named_languages

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from gpt4o_tune.data.quality.card import DataCard
    from gpt4o_tune.data.quality.distribution import Distribution
    from gpt4o_tune.data.quality.findings import Finding
    from gpt4o_tune.data.quality.pairs import PairBias
    from gpt4o_tune.data.quality.profile import Profile
    from gpt4o_tune.data.quality.samples import SampleMessage

_ROWS_SHOWN = 12
_FOLDED_FROM_CHARS = 500


def page(card: DataCard) -> str:
    """Write the whole page."""
    sections = [
        _head(card),
        _section("What stands out", _findings(card.profile.findings)),
        _section("Checks", _checks(card)),
        _section("Lengths", _lengths(card.profile)),
        _section("Labels", _labels(card.profile)),
        _section("Preference pairs", _pairs(card.profile.pairs)),
        _section("Languages", _languages(card.profile)),
        _section("System prompts", _instructions(card.profile)),
        _section("How texts begin", _openings(card.profile)),
        _section("Diversity", _diversity(card.profile)),
        _section("Repeats and leakage", _leakage(card)),
        _section("Benchmarks", _screening(card)),
        _section("Other facts", _features(card.profile)),
        _section("Sample rows", _samples(card)),
        _section("What these measures cannot see", _limits()),
    ]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; style-src '
        "'unsafe-inline'\">"
        f"<title>{escape(card.title)}</title><style>{STYLE}</style></head>\n"
        f"<body><main>{''.join(sections)}<footer>Made on {card.date.isoformat()} with gpt4o-tune "
        f"{escape(card.version)}.</footer></main></body></html>\n"
    )


def _section(title: str, body: str) -> str:
    return f"<section><h2>{escape(title)}</h2>{body}</section>\n" if body else ""


def _head(card: DataCard) -> str:
    tokens, cost = card.tokens, card.cost
    share = tokens.trained / tokens.total if tokens.total else 0.0
    facts = [
        ("Rows", f"{card.profile.rows:,}"),
        ("Format", card.profile.format),
        ("Tokens", f"{tokens.total:,}"),
        ("Learned", f"{tokens.trained:,} ({share:.0%})"),
        (f"Training, {plural(cost.epochs, 'epoch')}", money(cost.usd)),
        ("For", f"{cost.model} at {cost.provider}"),
    ]
    boxes = "".join(_fact(name, value) for name, value in facts)
    return (
        f'<header><p class="lead">Data card, {card.date.isoformat()}</p><h1 dir="auto">{escape(card.title)}</h1>'
        f'<dl class="facts">{boxes}{_fact("Source", card.source, long=True)}'
        f"{_fact('SHA-256 of the rows', card.fingerprint, long=True)}</dl>"
        f'<p class="note">{escape(cost.summary)}. {escape(cost.basis)}</p></header>'
    )


def _fact(name: str, value: str, *, long: bool = False) -> str:
    kind = ' class="long"' if long else ""
    return f"<div{kind}><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>"


def _findings(findings: Sequence[Finding]) -> str:
    if not findings:
        return "<p>Nothing.</p>"
    lines = "".join(
        f'<li><span class="weight {each.weight}">{each.weight}</span><div>'
        f'<p dir="auto"><strong>{escape(each.message)}</strong> {escape(each.advice)}</p>'
        f"{_row_numbers(each.rows)}</div></li>"
        for each in findings
    )
    return (
        '<p class="note"><b>act</b>: most likely a fault that changes what is learned. '
        f'<b>look</b>: often meant so.</p><ol class="findings">{lines}</ol>'
    )


def _row_numbers(rows: Sequence[int]) -> str:
    if not rows:
        return ""
    listed = ", ".join(f"{row:,}" for row in rows[:_ROWS_SHOWN])
    more = f" and {len(rows) - _ROWS_SHOWN:,} more" if len(rows) > _ROWS_SHOWN else ""
    noun = "Row" if len(rows) == 1 else "Rows"
    return f'<p class="note">{noun} {listed}{more} (from 0)</p>'


def _checks(card: DataCard) -> str:
    if not card.checks:
        return f"<p>No problems, for {escape(card.cost.model)} at {escape(card.provider)}.</p>"
    rows = [
        [each.code, each.severity, f"{each.count:,}", shorten(each.message, 160)]
        for each in card.checks
    ]
    return _table(["Code", "Severity", "Count", "First"], rows, numbers={2})


def _lengths(profile: Profile) -> str:
    figures = [
        _figure(title.capitalize(), histogram(d, unit=unit), _quantiles(d))
        for title, unit, d in length_rows(profile)
    ]
    return f'<div class="grid">{"".join(figures)}</div>'


def _quantiles(d: Distribution) -> str:
    growing = ""
    if len(d.bins) > 1 and d.bins[-1].high - d.bins[-1].low > d.bins[0].high - d.bins[0].low + 1:
        growing = "; bars grow wider to the right"
    return (
        f"5 % at most {d.p5:,}, half {d.median:,}, 95 % {d.p95:,}, 99 % {d.p99:,}; "
        f"mean {d.mean:,.1f}{growing}"
    )


def _figure(title: str, plot: str, caption: str) -> str:
    head = f"<h3>{escape(title)}</h3>" if title else ""
    return f"<figure>{head}{plot}<figcaption>{escape(caption)}</figcaption></figure>"


def _labels(profile: Profile) -> str:
    figures = [
        _figure(
            "",
            bars(each.shares, title=each.name, shown=20),
            f"evenness {each.shares.balance:.2f} of 1; commonest by rarest {each.imbalance:,.1f}",
        )
        for each in profile.labels
    ]
    return f'<div class="grid">{"".join(figures)}</div>' if figures else ""


def _pairs(pairs: PairBias | None) -> str:
    if pairs is None:
        return ""
    plot = scatter(
        pairs.rejected_tokens,
        pairs.preferred_tokens,
        x_title="tokens rejected",
        y_title="tokens preferred",
    )
    rows = [
        ["Preferred output is longer", f"{pairs.preferred_longer:,}"],
        ["Rejected output is longer", f"{pairs.rejected_longer:,}"],
        ["Longer preferred, of unequal pairs", f"{pairs.share_longer:.1%}"],
        ["p-value of the sign test", f"{pairs.p_value:.2g}"],
        ["Mean difference in tokens", f"{pairs.mean_difference:+,.1f}"],
        ["Identical pairs", f"{len(pairs.identical):,}"],
        ["Nearly identical pairs", f"{len(pairs.nearly_identical):,}"],
        ["Mean overlap of word triples", f"{pairs.mean_overlap:.2f}"],
    ]
    figure = _figure(
        "Tokens of both outputs", plot, "Above the dashed line the preferred is longer."
    )
    return f'<div class="grid">{figure}{_table(["Measure", "Value"], rows, numbers={1})}</div>'


def _languages(profile: Profile) -> str:
    languages = profile.languages
    differing = (
        f"<p>{plural(len(languages.differing), 'row')} answered in another language than asked.</p>"
        if languages.differing
        else ""
    )
    return (
        f'<div class="grid">{bars(named_languages(languages.prompts), title="Prompts")}'
        f"{bars(named_languages(languages.answers), title='Answers')}</div>{differing}"
    )


def _instructions(profile: Profile) -> str:
    instructions = profile.instructions
    head = (
        f"<p>{instructions.shares.distinct:,} distinct; "
        f"{plural(len(instructions.missing), 'row')} without.</p>"
    )
    if not instructions.shares.top:
        return head
    rows = [
        [
            shorten(each.text, 80),
            shorten(" ".join(each.added), 60) or "spacing",
            shorten(" ".join(each.lacking), 60),
            f"{len(each.rows):,}",
        ]
        for each in instructions.variants[:_ROWS_SHOWN]
    ]
    slips = (
        "<p>Prompts that differ from a commoner one by a few characters:</p>"
        + _table(["Prompt", "It has", "In place of", "Rows"], rows, numbers={3})
        if rows
        else ""
    )
    return head + bars(instructions.shares, title="Commonest", shown=6) + slips


def _openings(profile: Profile) -> str:
    tables = [bars(profile.prompt_openings.first_words, title="First three words of prompts")]
    if not profile.labels:
        answers = profile.answer_openings
        tables = [
            bars(answers.first_word, title="First word of answers"),
            bars(answers.first_words, title="First three words of answers"),
            *tables,
        ]
    return f'<div class="grid">{"".join(tables)}</div>'


def _diversity(profile: Profile) -> str:
    it = profile.diversity
    if not it.sample_words:
        return ""
    rows = [
        ["Different words by words (distinct-1)", f"{it.distinct_1:.3f}"],
        ["Different word pairs (distinct-2)", f"{it.distinct_2:.3f}"],
        ["Different word triples (distinct-3)", f"{it.distinct_3:.3f}"],
        ["Different words per 100 words", f"{100 * it.segment_type_token:.0f}"],
        ["Compression by zlib", f"{it.compression:.1f} to 1"],
    ]
    note = f"<p>Of answers, in a sample of {plural(it.sample_words, 'word')}.</p>"
    return note + _table(["Measure", "Value"], rows, numbers={1})


def _leakage(card: DataCard) -> str:
    it = card.profile.diversity
    near = (
        "were not searched for in so many rows"
        if it.near_repeats is None
        else f"are {len(it.near_repeats):,}"
    )
    lines = [
        f"Rows that repeat an earlier one exactly: {len(it.exact_repeats):,}. Rows that are alike to an "
        f"earlier one, exactly or nearly, {near}."
    ]
    if split := card.split:
        test = f", {split.test:,} for testing" if split.test is not None else ""
        lines.append(
            f"Split: {split.train:,} rows for training, {split.validation:,} for validation{test}. "
            f"Held-out rows that are like a row of another part: {len(split.leakage):,}."
        )
    return "".join(f"<p>{escape(line)}</p>" for line in lines)


def _screening(card: DataCard) -> str:
    if card.screening is None:
        return ""
    rows = [
        [each.name, f"{each.items:,}", f"{each.found_items:,}", f"{len(each.rows):,}"]
        for each in card.screening.benchmarks
    ]
    headers = ["Benchmark", "Items", "Found, at least", "Rows that hold one"]
    return _table(headers, rows, numbers={1, 2, 3})


def _features(profile: Profile) -> str:
    features = profile.features
    counts = {
        "Refuse": profile.refusals.rows,
        "Stand apart": profile.outliers.rows,
        "Declare tools": features.tools,
        "Call tools": features.calls,
        "Show images": features.images,
        "Hold answers of weight 0": features.ignored,
    }
    cells = [[name, f"{len(rows):,}"] for name, rows in counts.items()]
    return _table(["Rows that", "Count"], cells, numbers={1})


def _samples(card: DataCard) -> str:
    blocks = [
        f'<article class="row"><h3>Row {sample.row:,}</h3>'
        f"{''.join(map(_said, sample.messages))}</article>"
        for sample in card.samples
    ]
    return "".join(blocks)


def _said(message: SampleMessage) -> str:
    more = f"\n… {message.left_out:,} more characters" if message.left_out else ""
    text = f'<div class="text" dir="auto">{escape(message.text + more)}</div>'
    if len(message.text) > _FOLDED_FROM_CHARS:
        text = f'<details><summary dir="auto">{escape(shorten(message.text, 160))}</summary>{text}</details>'
    return f'<div class="said"><b>{escape(message.role or "?")}</b><div>{text}</div></div>'


def _limits() -> str:
    return _table(["Measure", "Limit"], [list(each) for each in LIMITS])


def _table(
    headers: Sequence[str], rows: Iterable[Sequence[str]], *, numbers: Iterable[int] = ()
) -> str:
    right = set(numbers)

    def kind(column: int) -> str:
        return ' class="number"' if column in right else ""

    head = "".join(f"<th scope=col{kind(n)}>{escape(cell)}</th>" for n, cell in enumerate(headers))
    body = "".join(
        "<tr>"
        + "".join(f"<td{kind(n)}>{escape(cell)}</td>" for n, cell in enumerate(row))
        + "</tr>"
        for row in rows
    )
    small = ' class="small"' if len(headers) == 2 and right else ""
    return f'<div class="wide"><table{small}><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'
