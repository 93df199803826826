"""What each measure cannot see; every card says so."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

LIMITS: Sequence[tuple[str, str]] = (
    (
        "Tokens and cost",
        "Text is counted exactly; the frame of messages, tools and images follows published formulas, and "
        "prices are those of the catalog on its day.",
    ),
    (
        "Languages",
        "A small detector by script, function words and letters. Short texts, code and labels are often "
        "unknown; a language that it does not know may be taken for a close relative.",
    ),
    (
        "Labels",
        "Found where answers are short and few, or JSON objects with such fields.",
    ),
    (
        "Refusals",
        "Phrases at the start of an answer, in some twenty languages. A polite way round the question is not seen, "
        "and an answer that quotes a refusal is counted.",
    ),
    (
        "Diversity",
        "Of a sample of answers. The figures fall with the length of the text, so compare only like with like.",
    ),
    (
        "Repeats and leakage",
        "By words, not by meaning: a paraphrase or a translation is not seen.",
    ),
    (
        "Outliers",
        "Rows that stand apart by a rule; standing apart is no fault in itself.",
    ),
)
