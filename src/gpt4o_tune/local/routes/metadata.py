"""The limits of `metadata`, which are the same for every object that carries it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gpt4o_tune.local.envelope import ApiError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gpt4o_tune.catalog import Limits


def require_metadata(metadata: Mapping[str, str], limits: Limits) -> None:
    """Refuse too many pairs, and keys and values that are too long.

    Raises:
        ApiError: The metadata is beyond the limits of the catalog.
    """
    if len(metadata) > limits.metadata_max_pairs:
        message = f"Invalid 'metadata': more than {limits.metadata_max_pairs} pairs."
        raise ApiError(message, param="metadata", code="object_above_max_properties")
    for key, value in metadata.items():
        if len(key) > limits.metadata_key_max_chars:
            most = limits.metadata_key_max_chars
            message = f"Invalid 'metadata': the key {key!r} has more than {most} characters."
        elif len(value) > limits.metadata_value_max_chars:
            most = limits.metadata_value_max_chars
            message = f"Invalid 'metadata': the value of {key!r} has more than {most} characters."
        else:
            continue
        raise ApiError(message, param="metadata", code="string_above_max_length")
