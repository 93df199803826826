"""Identifiers in the shapes that the real service uses."""

from __future__ import annotations

import hashlib
import secrets
import string

_ALPHABET = string.ascii_letters + string.digits


def new_id(prefix: str, *, length: int = 24) -> str:
    """Draw a fresh identifier: the prefix, then letters and digits."""
    return prefix + "".join(secrets.choice(_ALPHABET) for _ in range(length))


def derived_id(prefix: str, *parts: str, length: int = 24) -> str:
    """Compute the one identifier that belongs to these parts, the same in every process."""
    digest = int.from_bytes(hashlib.sha256("\0".join(parts).encode()).digest())
    letters: list[str] = []
    for _ in range(length):
        digest, index = divmod(digest, len(_ALPHABET))
        letters.append(_ALPHABET[index])
    return prefix + "".join(letters)


def tuned_model_id(base_model: str, *, suffix: str | None, job_id: str) -> str:
    """Name the model of a job as `ft:BASE:ORGANIZATION:SUFFIX:ID`."""
    return f"ft:{base_model}:local:{suffix or ''}:{derived_id('', job_id, length=8)}"


def checkpoint_model_id(model_id: str, *, step: int) -> str:
    """Name the checkpoint of a model."""
    return f"{model_id}:ckpt-step-{step}"
