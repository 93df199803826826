"""Answers that refuse: phrases in some twenty languages, looked for where an answer begins."""

from __future__ import annotations

import re

__all__ = ["is_refusal"]

_LOOKED_AT_CHARS = 250
"""A refusal comes first; further on, the same words are often part of an answer."""

_PHRASES: tuple[tuple[tuple[str, ...], str], ...] = (
    # English
    (
        ("sorry",),
        r"\bsorry,? (?:but )?(?:i|we) (?:can(?:no|')t|am (?:not able|unable)|won't|do not|don't)",
    ),
    (
        ("able to",),
        r"\bi(?:'m| am) (?:not able|unable) to (?:help|assist|provide|comply|fulfil|answer|discuss|share|create|do)",
    ),
    (
        ("i can't", "i cannot", "i won't", "i will not"),
        r"\bi (?:can(?:no|')t|won't|will not) (?:help|assist|provide|comply|fulfil|answer|discuss|share|create|do that|support|engage)",
    ),
    (("decline",), r"\bi (?:must|have to) (?:respectfully )?decline\b"),
    (("as a",), r"\bas an? (?:ai|artificial intelligence|(?:large )?language model)\b"),
    (("against my",), r"\bagainst my (?:guidelines|programming|policy|policies)\b"),
    # German, Dutch
    (
        ("nicht",),
        r"\b(?:tut mir (?:sehr )?leid|leider|entschuldigung),? (?:aber |da )?(?:kann ich|ich kann|dabei kann ich|das kann ich)\b[^.]{0,60}\bnicht\b",
    ),
    (
        ("ich kann",),
        r"\bich kann (?:ihnen |dir |euch )?(?:dabei|damit|das|diese anfrage|diesbezüglich)? ?(?:leider )?nicht (?:helfen|weiterhelfen|beantworten|erfüllen)",
    ),
    (("als ",), r"\bals (?:ki|künstliche intelligenz|sprachmodell)\b"),
    (
        ("sorry", "spijt", "helaas"),
        r"\b(?:het spijt me|sorry|helaas),? (?:maar )?(?:ik kan|kan ik|dat kan ik|daar kan ik)\b[^.]{0,60}\b(?:niet|geen)\b",
    ),
    # French, Spanish, Italian, Portuguese, Romanian
    (("désolé",), r"\bdésolée?,? (?:mais )?je ne (?:peux|suis) pas\b"),
    (
        ("je ne ",),
        r"\bje ne (?:peux pas|suis pas en mesure de?) (?:vous |t')?(?:aider|répondre|fournir|satisfaire)",
    ),
    (
        ("en tant qu'",),
        r"\ben tant qu'(?:ia|intelligence artificielle|assistant ia|modèle de langage)\b",
    ),
    (
        ("no puedo", "no me es posible"),
        r"\b(?:lo siento|lo lamento|disculpa|disculpe),? (?:pero )?no (?:puedo|me es posible)\b",
    ),
    (("no puedo",), r"\bno puedo (?:ayudar|proporcionar|responder|cumplir|asistir)"),
    (
        ("como ",),
        r"\bcomo (?:una? )?(?:ia|inteligencia artificial|modelo de lenguaje|modelo de linguagem|inteligência artificial)\b",
    ),
    (
        ("non posso", "non sono"),
        r"\b(?:mi dispiace|mi spiace|purtroppo),? (?:ma )?non (?:posso|sono in grado)\b",
    ),
    (("non posso",), r"\bnon posso (?:aiutar|fornire|rispondere a questa|soddisfare)"),
    (
        ("não ",),
        r"\b(?:desculpe|sinto muito|lamento|infelizmente),? (?:mas )?(?:eu )?não (?:posso|consigo)\b",
    ),
    (("nu ",), r"\b(?:îmi pare rău|scuze),? (?:dar )?nu (?:pot|vă pot|te pot)\b"),
    # Nordic languages
    (
        ("inte", "ikke"),
        r"\b(?:tyvärr|jag är ledsen|beklager|desværre|dessverre|jeg beklager|undskyld),? (?:men )?(?:kan jag|jag kan|kan jeg|jeg kan)\b[^.]{0,60}\b(?:inte|ikke)\b",
    ),
    # Polish, Czech, Russian, Ukrainian
    (("nie mogę",), r"\b(?:przykro mi|przepraszam|niestety),? (?:ale )?nie mogę\b"),
    (("nemohu",), r"\b(?:omlouvám se|je mi líto|bohužel),? (?:ale )?(?:s tím |vám )?nemohu\b"),
    (("не могу",), r"\b(?:извините|простите|к сожалению|мне жаль),? (?:но )?(?:я )?не могу\b"),
    (("не можу",), r"\b(?:вибачте|на жаль|перепрошую),? (?:але )?(?:я )?не можу\b"),
    # Turkish, Vietnamese, Indonesian
    (("üzgünüm",), r"\büzgünüm,?[^.]{0,60}\b(?:yardımcı olamam|yapamam|veremem|edemem)"),
    (("xin lỗi",), r"\bxin lỗi,?[^.]{0,40}không thể\b"),
    (("maaf",), r"\bmaaf,?[^.]{0,40}\btidak (?:dapat|bisa)\b"),
    # Chinese, Japanese, Korean, Arabic
    (("抱歉", "对不起", "對不起"), r"(?:抱歉|对不起|對不起)[^。]{0,12}(?:无法|不能|無法)"),
    (
        ("我无法", "我不能", "我無法"),
        r"我(?:无法|不能|無法)(?:提供|协助|协作|帮助|满足|回答|協助|幫助)",
    ),
    (
        ("申し訳",),
        r"申し訳(?:ありません|ございません)[^。]{0,40}(?:できません|できかねます|いたしかねます)",
    ),
    (("죄송",), r"죄송(?:하지만|합니다)[^.]{0,40}(?:수 없습니다|어렵습니다)"),
    (("عذر", "آسف", "أعتذر"), r"(?:عذرا|عذرًا|آسف|أعتذر)[^.]{0,30}(?:لا أستطيع|لا يمكنني)"),
)
"""Per phrase, words of which its text holds at least one, as these are quick to look for; and the phrase."""

_COMPILED = tuple((hints, re.compile(phrase)) for hints, phrase in _PHRASES)


def is_refusal(text: str) -> bool:
    """Tell whether a text begins with a refusal.

    Example:
        >>> is_refusal("I'm sorry, but I can't help with that.")
        True
    """
    head = text[:_LOOKED_AT_CHARS].casefold().replace("\u2019", "'")
    return any(
        any(hint in head for hint in hints) and phrase.search(head) for hints, phrase in _COMPILED
    )
