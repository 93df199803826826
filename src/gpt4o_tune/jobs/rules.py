"""What a provider takes in a create request, checked before anything is sent."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from gpt4o_tune import catalog
from gpt4o_tune.errors import ProviderError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gpt4o_tune.catalog import Method
    from gpt4o_tune.providers import Provider

__all__ = [
    "OWN_KEYS",
    "check_grader",
    "check_integrations",
    "check_metadata",
    "check_method",
    "check_seed",
    "check_suffix",
]

HIGHEST_SEED = 2**31 - 1
OWN_KEYS = "gpt4o_tune_"
"""How the keys of the metadata begin that this library writes."""
OWN_PAIRS = 2
"""How many of them it writes at most."""
MOST_INTEGRATIONS = 5


def check_method(method: Method, provider: Provider, *, validated: bool) -> None:
    """Refuse a method that the service cannot be asked for, or not without validation rows.

    Raises:
        ProviderError: The service does not train by this method.
        ValueError: The method needs validation rows and there are none.
    """
    profile = provider.profile
    if method not in profile.methods:
        known = " and ".join(sorted(profile.methods))
        raise ProviderError(
            f"{profile.name} does not train by method {method!r}, only by {known}; "
            "choose another method or provider"
        )
    if method in profile.needs_validation and not validated:
        raise ValueError(f"method {method!r} needs validation rows: pass validation=")


def check_grader(grader: Mapping[str, object] | None, method: Method) -> None:
    """Refuse a missing or misplaced grader.

    Raises:
        ValueError: Reinforcement lacks a grader with a type, or another method has one.
    """
    if method != "reinforcement":
        if grader is not None:
            raise ValueError(f"a grader belongs to method 'reinforcement', not to {method!r}")
        return
    if grader is None or not isinstance(grader.get("type"), str):
        raise ValueError(
            "method 'reinforcement' needs grader=, a mapping with a 'type' such as 'string_check', "
            "'text_similarity', 'score_model', 'python' or 'multi'"
        )


def check_suffix(suffix: str | None, provider: Provider) -> None:
    """Refuse a suffix that the provider would refuse, or the lack of one.

    Raises:
        ValueError: The suffix is missing, unwanted, too long, or holds a character that is not taken.
    """
    profile, limits = provider.profile, catalog.load().limits(provider.kind)
    longest = profile.suffix_max_chars or limits.suffix_max_chars
    if suffix is None:
        if profile.suffix == "required":
            raise ValueError(
                f"{profile.name} needs a suffix of 1 to {longest} characters: pass suffix="
            )
        return
    if profile.suffix == "refused":
        raise ValueError(f"{profile.name} takes no suffix; leave it out")
    if not 1 <= len(suffix) <= longest:
        raise ValueError(
            f"suffix {suffix!r} has {len(suffix)} characters; {profile.name} takes 1 to {longest}"
        )
    if limits.suffix_pattern and not re.fullmatch(limits.suffix_pattern, suffix):
        raise ValueError(
            f"suffix {suffix!r} must match {limits.suffix_pattern}; letters, digits and hyphens are safe"
        )


def check_seed(seed: int | None) -> None:
    """Refuse a seed outside the range that all services share.

    Raises:
        ValueError: The seed is negative or does not fit 31 bits.
    """
    if seed is not None and not 0 <= seed <= HIGHEST_SEED:
        raise ValueError(f"seed must be from 0 to {HIGHEST_SEED}, not {seed!r}")


def check_integrations(integrations: Sequence[object]) -> None:
    """Refuse more integrations than a job can have.

    Raises:
        ValueError: There are too many.
    """
    if len(integrations) > MOST_INTEGRATIONS:
        raise ValueError(f"at most {MOST_INTEGRATIONS} integrations, not {len(integrations)}")


def check_metadata(metadata: Mapping[str, str], provider: Provider) -> None:
    """Refuse metadata of the user's own that the provider would refuse or lose.

    Raises:
        ProviderError: Jobs keep no metadata there.
        ValueError: There are too many pairs, or one is too long or uses a key of this library.
    """
    if not metadata:
        return
    if not provider.profile.keeps_metadata:
        raise ProviderError(f"jobs at {provider.profile.name} keep no metadata; leave it out")
    limits = catalog.load().limits(provider.kind)
    most = limits.metadata_max_pairs - OWN_PAIRS
    if len(metadata) > most:
        raise ValueError(
            f"metadata has {len(metadata)} pairs; {most} are free, as this library needs "
            f"{OWN_PAIRS} of {limits.metadata_max_pairs}"
        )
    for key, value in metadata.items():
        if key.startswith(OWN_KEYS):
            raise ValueError(f"metadata key {key!r} begins like the keys of this library")
        for what, text, longest in (
            ("key", key, limits.metadata_key_max_chars),
            ("value of key", value, limits.metadata_value_max_chars),
        ):
            if len(text) > longest:
                raise ValueError(
                    f"metadata {what} {key!r} has {len(text)} characters; at most {longest} are taken"
                )
