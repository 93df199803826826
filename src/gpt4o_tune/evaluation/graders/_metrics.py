"""Similarity of two texts, each metric by the library that the field uses for it.

The service does not publish its settings. These are the plain ones of each library, given on the page
"Graders", so that a score here can be repeated elsewhere.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, cast

from gpt4o_tune._extras import import_extra

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["similarity", "words"]

_WORDS = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]|[^\W_]+")


def similarity(text: str, reference: str, metric: str) -> float:
    """Give how alike two texts are, from 0 to 1.

    Args:
        text: The text that is looked at.
        reference: What it is held against.
        metric: One of the published metrics but `cosine`.

    Raises:
        MissingExtraError: The extra `[graders]` is not installed.
    """
    measure: Callable[[str, str], float]
    match metric:
        case "fuzzy_match":
            measure = _fuzzy_match
        case "bleu":
            measure = _bleu
        case "gleu":
            measure = _gleu
        case "meteor":
            measure = _meteor
        case _:
            return _rouge(text, reference, metric.removeprefix("rouge_").upper())
    return min(1.0, max(0.0, measure(text, reference)))


def _fuzzy_match(text: str, reference: str) -> float:
    fuzz = import_extra("rapidfuzz.fuzz", extra="graders", feature="The metric fuzzy_match")
    return fuzz.ratio(text, reference) / 100


def _bleu(text: str, reference: str) -> float:
    sacrebleu = import_extra("sacrebleu", extra="graders", feature="The metric bleu")
    return sacrebleu.sentence_bleu(text, [reference]).score / 100


def _gleu(text: str, reference: str) -> float:
    gleu = import_extra("nltk.translate.gleu_score", extra="graders", feature="The metric gleu")
    given, wanted = words(text), words(reference)
    return gleu.sentence_gleu([wanted], given) if given and wanted else 0.0


def _meteor(text: str, reference: str) -> float:
    meteor = import_extra(
        "nltk.translate.meteor_score", extra="graders", feature="The metric meteor"
    )
    given, wanted = words(text), words(reference)
    if not given or not wanted:
        return 0.0
    return meteor.single_meteor_score(wanted, given, wordnet=_NoSynonyms())


class _NoSynonyms:
    """Stands in for WordNet, whose data is a download, so that every machine gives the same score."""

    def synsets(self, _word: str) -> Sequence[object]:
        return ()


def _rouge(text: str, reference: str, kind: str) -> float:
    rouge = import_extra("rouge_score.rouge_scorer", extra="graders", feature="The metric rouge")
    name = f"rouge{kind}"
    scorer = rouge.RougeScorer([name], tokenizer=_Tokenizer())
    return cast("float", scorer.score(reference, text)[name].fmeasure)


class _Tokenizer:
    """What `rouge_score` does by default, which drops every letter outside ASCII, for all scripts."""

    def tokenize(self, text: str) -> list[str]:
        return words(text)


def words(text: str) -> list[str]:
    """Cut a text into words in small letters; of Chinese and Japanese, each character is a word."""
    return _WORDS.findall(text.lower())
