"""What is in a dataset: `Dataset.profile` returns a `Profile`.

Rows are read once, one in memory at a time; kept are a few whole numbers and a digest per row, capped counts
and a seeded sample of answers. Near-duplicates are looked for as `Dataset.duplicates` does. Each measure has a
module of its own, which says what it means; `docs/reference/quality.md` has them all.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from gpt4o_tune._display import html_text

if TYPE_CHECKING:
    from gpt4o_tune.data.formats import Format
    from gpt4o_tune.data.quality.distribution import Distribution
    from gpt4o_tune.data.quality.diversity import Diversity
    from gpt4o_tune.data.quality.findings import Finding
    from gpt4o_tune.data.quality.instructions import Instructions
    from gpt4o_tune.data.quality.labels import Labels
    from gpt4o_tune.data.quality.outliers import Outliers
    from gpt4o_tune.data.quality.pairs import PairBias
    from gpt4o_tune.data.quality.shares import Shares

__all__ = ["Features", "Languages", "Lengths", "Openings", "Profile", "Refusals"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lengths:
    """How long rows, prompts and answers are."""

    tokens: Distribution
    """Per row, as `Dataset.tokens` counts them."""
    messages: Distribution
    """Per row; of a preference row, the input and the preferred output."""
    prompt_words: Distribution
    """In the user messages of a row. A character is a word in scripts without spaces."""
    prompt_tokens: Distribution
    """In all of a row that is not learned: instructions, tools and frames too."""
    answer_words: Distribution
    """In what is learned of a row; of a preference row, in the preferred output."""
    answer_tokens: Distribution
    """In what is learned of a row; of a preference row, in both outputs."""

    def to_dict(self) -> dict[str, object]:
        """Return all figures as plain values."""
        return {
            "tokens": self.tokens.to_dict(),
            "messages": self.messages.to_dict(),
            "prompt_words": self.prompt_words.to_dict(),
            "prompt_tokens": self.prompt_tokens.to_dict(),
            "answer_words": self.answer_words.to_dict(),
            "answer_tokens": self.answer_tokens.to_dict(),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Languages:
    """Languages by ISO 639-1 code; see `language.detect` for what `unknown` means."""

    prompts: Shares
    answers: Shares
    differing: tuple[int, ...]
    """Rows whose prompt and answer are in different languages, where both are known."""

    def to_dict(self) -> dict[str, object]:
        """Return shares and rows as plain values."""
        return {
            "prompts": self.prompts.to_dict(),
            "answers": self.answers.to_dict(),
            "differing": list(self.differing),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Openings:
    """How texts begin: their first words in lower case, marks left out."""

    first_word: Shares
    first_words: Shares
    """The first three; a shorter text as a whole."""

    def to_dict(self) -> dict[str, object]:
        """Return the shares as plain values."""
        return {"first_word": self.first_word.to_dict(), "first_words": self.first_words.to_dict()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusals:
    """Rows with a learned answer that begins with a refusal, or with text in the field `refusal`."""

    rows: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Features:
    """Rows that hold more than text."""

    tools: tuple[int, ...]
    """Rows that declare tools."""
    calls: tuple[int, ...]
    """Rows with a learned message that calls one."""
    images: tuple[int, ...]
    """Rows with images."""
    ignored: tuple[int, ...]
    """Rows with an assistant message of `weight` 0, which is not learned."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What is in a dataset, measure by measure, and what to do about it.

    Example:
        >>> profile = data.profile()
        >>> print(profile)
        >>> doubtful = data.select(profile.outliers.rows)
    """

    source: str
    format: Format
    model: str
    """The model that tokens were counted for."""
    rows: int
    lengths: Lengths
    languages: Languages
    labels: tuple[Labels, ...]
    """Empty where answers are free text."""
    instructions: Instructions
    answer_openings: Openings
    prompt_openings: Openings
    diversity: Diversity
    pairs: PairBias | None
    """None where rows are no preference rows."""
    refusals: Refusals
    outliers: Outliers
    features: Features
    findings: tuple[Finding, ...]
    """What stands out, the most important first."""

    def to_dict(self) -> dict[str, object]:
        """Return everything as plain values, ready for `json.dumps`."""
        return {
            "source": self.source,
            "format": self.format,
            "model": self.model,
            "rows": self.rows,
            "findings": [asdict(each) for each in self.findings],
            "lengths": self.lengths.to_dict(),
            "languages": self.languages.to_dict(),
            "labels": [each.to_dict() for each in self.labels],
            "instructions": self.instructions.to_dict(),
            "answer_openings": self.answer_openings.to_dict(),
            "prompt_openings": self.prompt_openings.to_dict(),
            "diversity": self.diversity.to_dict(),
            "pairs": self.pairs.to_dict() if self.pairs else None,
            "refusals": asdict(self.refusals),
            "outliers": self.outliers.to_dict(),
            "features": asdict(self.features),
        }

    def __str__(self) -> str:
        from gpt4o_tune.data.quality._text import profile_text

        return profile_text(self)

    def _repr_html_(self) -> str:
        return html_text(str(self))
