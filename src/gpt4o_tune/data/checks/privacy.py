"""Rules for secrets and personal data, and the care that no message tells one."""

from __future__ import annotations

from dataclasses import replace
from difflib import SequenceMatcher
from functools import lru_cache
from typing import TYPE_CHECKING

from gpt4o_tune.data.checks.rule import Finding
from gpt4o_tune.data.decode import decode
from gpt4o_tune.data.privacy.prefilter import secrets_suspected

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from gpt4o_tune.data.checks.rule import Scope
    from gpt4o_tune.data.decode import JsonObject
    from gpt4o_tune.data.privacy.detector import Kind, Sighting
    from gpt4o_tune.data.report import Problem

_LONGEST_SHOWN = 6
"""Characters of a secret in a row that a message may show by chance."""


def secret(raw: bytes, row: JsonObject | None, scope: Scope) -> Iterable[Finding]:
    """A key or token, which everyone who gets the file or the model could use."""
    if not secrets_suspected(raw):
        return ()
    # The patterns take longer to compile than most files to check, and few files need them.
    from gpt4o_tune.data.privacy.scanning import sightings

    fix = (
        "Revoke it where it was issued; then call redact(), which puts a placeholder in its place."
    )
    return [_finding(path, found, fix) for path, found in sightings(raw, row, ("secret",))]


def password(raw: bytes, row: JsonObject | None, scope: Scope) -> Iterable[Finding]:
    """A password, or a token without a form of its own, beside its name."""
    fix = "Change it where it is used; then call redact(), which puts a placeholder in its place."
    return [
        _finding(path, found, fix)
        for path, found in _people(raw)
        if found.detector.kind == "password"
    ]


def pii_email(raw: bytes, row: JsonObject | None, scope: Scope) -> Iterable[Finding]:
    """An e-mail address."""
    return _personal(raw, "email")


def pii_phone(raw: bytes, row: JsonObject | None, scope: Scope) -> Iterable[Finding]:
    """A phone number."""
    return _personal(raw, "phone")


def pii_card(raw: bytes, row: JsonObject | None, scope: Scope) -> Iterable[Finding]:
    """The number of a payment card."""
    return _personal(raw, "card")


def pii_iban(raw: bytes, row: JsonObject | None, scope: Scope) -> Iterable[Finding]:
    """The number of a bank account."""
    return _personal(raw, "iban")


def pii_national_id(raw: bytes, row: JsonObject | None, scope: Scope) -> Iterable[Finding]:
    """A number that a state gives to a person."""
    return _personal(raw, "national-id")


def pii_ip(raw: bytes, row: JsonObject | None, scope: Scope) -> Iterable[Finding]:
    """A public IP address."""
    return _personal(raw, "ip")


def _personal(raw: bytes, kind: Kind) -> Iterator[Finding]:
    fix = "Call redact(), which puts the same placeholder for the same value, or write an invented one."
    return (
        _finding(path, found, fix) for path, found in _people(raw) if found.detector.kind == kind
    )


@lru_cache(maxsize=1)
def _people(raw: bytes) -> tuple[tuple[str, Sighting], ...]:
    """Find all that is looked for on request at once; the rules ask for it one after the other."""
    from gpt4o_tune.data.privacy.scanning import KINDS, sightings

    try:
        row = decode(raw)
    except ValueError:
        row = None
    return tuple(sightings(raw, row, [kind for kind in KINDS if kind != "secret"]))


def _finding(path: str, found: Sighting, fix: str) -> Finding:
    return Finding(f"{found.detector.title} stands in the text: {found.masked}.", fix, path)


def conceal(problems: Sequence[Problem], raw: bytes, row: JsonObject | None) -> list[Problem]:
    """Return problems of a row whose words hold no part of a secret of the row."""
    values = _secrets(raw, row)
    return [
        replace(
            problem,
            path=_without(problem.path, values),
            message=_without(problem.message, values),
            fix=_without(problem.fix, values),
        )
        for problem in problems
    ]


def concealed(texts: Iterable[str], raw: bytes, row: JsonObject | None) -> list[str]:
    """Return texts about a row without any part of a secret of the row."""
    values = _secrets(raw, row)
    return [_without(text, values) for text in texts]


def _secrets(raw: bytes, row: JsonObject | None) -> list[str]:
    from gpt4o_tune.data.privacy.scanning import sightings

    return [found.value for _, found in sightings(raw, row, ("secret", "password"))]


def _without(text: str, values: Iterable[str]) -> str:
    for value in values:
        while True:
            match = SequenceMatcher(None, text, value, autojunk=False).find_longest_match()
            if match.size <= _LONGEST_SHOWN:
                break
            text = f"{text[: match.a]}…{text[match.a + match.size :]}"
    return text
