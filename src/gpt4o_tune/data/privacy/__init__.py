"""Find what should not be in training data: secrets, and what tells who a person is.

    >>> from gpt4o_tune import Dataset
    >>> data = Dataset.from_jsonl("tickets.jsonl")
    >>> clean = data.redact()
    >>> print(clean)

Detectors are data: a pattern, a test of what it matched, and the source of the rule. Secrets are looked for
in every check; personal data only on request. `secrets_suspected` tells at little cost that a line, or a
whole block of lines, holds no secret. Patterns take a moment to compile, so names are imported when they are
first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gpt4o_tune.data.privacy.detector import Detector, Kind, Sighting
    from gpt4o_tune.data.privacy.prefilter import secrets_suspected
    from gpt4o_tune.data.privacy.redaction import Redacted, Redaction
    from gpt4o_tune.data.privacy.scanning import DETECTORS, find, sightings

__all__ = [
    "DETECTORS",
    "Detector",
    "Kind",
    "Redacted",
    "Redaction",
    "Sighting",
    "find",
    "secrets_suspected",
    "sightings",
]

_HOME = {
    "DETECTORS": "scanning",
    "Detector": "detector",
    "Kind": "detector",
    "Redacted": "redaction",
    "Redaction": "redaction",
    "Sighting": "detector",
    "find": "scanning",
    "secrets_suspected": "prefilter",
    "sightings": "scanning",
}


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value
