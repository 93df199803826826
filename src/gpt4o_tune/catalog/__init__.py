"""What is on offer: models, training methods, limits, prices and end dates, as data with sources.

The facts live in `catalog.toml`; this package only reads them. Nothing here touches the network, and
importing it costs no more than the standard library.

    >>> from datetime import date
    >>> from gpt4o_tune.catalog import load
    >>> catalog = load()
    >>> catalog.get("ft:gpt-4o-mini-2024-07-18:acme::abc123").offer("openai").training_usd
    3.0
    >>> catalog.limits("azure").min_examples
    10
"""

from gpt4o_tune.catalog._identifiers import base_id
from gpt4o_tune.catalog._trainability import NOTICE_DAYS
from gpt4o_tune.catalog.catalog import DEFAULT_MODEL, Catalog, load
from gpt4o_tune.catalog.images import Detail, ImageTokens, PatchTokens, TileTokens
from gpt4o_tune.catalog.models import (
    Limits,
    MessageTokens,
    Method,
    Model,
    Offer,
    ProviderKind,
    Service,
)

__all__ = [
    "DEFAULT_MODEL",
    "NOTICE_DAYS",
    "Catalog",
    "Detail",
    "ImageTokens",
    "Limits",
    "MessageTokens",
    "Method",
    "Model",
    "Offer",
    "PatchTokens",
    "ProviderKind",
    "Service",
    "TileTokens",
    "base_id",
    "load",
]
