"""From the TOML document to the values of the catalog."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, cast, get_args

from gpt4o_tune.catalog._reading import Table
from gpt4o_tune.catalog.images import ImageTokens, PatchTokens, TileTokens
from gpt4o_tune.catalog.models import (
    Limits,
    MessageTokens,
    Method,
    Model,
    Offer,
    ProviderKind,
    Service,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

METHODS: tuple[Method, ...] = get_args(Method)
PROVIDER_KINDS: tuple[ProviderKind, ...] = get_args(ProviderKind)


@dataclass(frozen=True, slots=True)
class Parsed:
    """Everything that one document states."""

    as_of: date
    models: tuple[Model, ...]
    services: Mapping[ProviderKind, Service]


@dataclass(frozen=True, slots=True)
class _Shared:
    """Tables that models refer to by name."""

    sources: Mapping[str, str]
    counting: Mapping[str, MessageTokens]
    tile: Mapping[str, int]
    patch: Mapping[str, int]


def parse(document: Mapping[str, object]) -> Parsed:
    """Read a stamped document (see `_layers.stamp`).

    Raises:
        CatalogError: A key is unknown, missing or of the wrong type, or two tables contradict.
    """
    root = Table(document, "")
    sources = root.table("sources").strings()
    counting = {name: _counting(t, sources) for name, t in root.table("counting").tables()}
    images = root.table("images")
    shared = _Shared(
        sources=sources,
        counting=counting,
        tile=_pixels(images.table("tile"), "fit_px", "shortest_px", "tile_px"),
        patch=_pixels(images.table("patch"), "patch_px", "max_patches"),
    )
    images.finish()
    parsed = Parsed(
        as_of=root.require("as_of", date),
        services=_services(root.table("providers"), sources),
        models=tuple(_model(name, t, shared) for name, t in root.table("models").tables()),
    )
    root.finish()
    return parsed


def _source(table: Table, sources: Mapping[str, str]) -> str:
    keys = table.texts("sources")
    for key in keys:
        if key not in sources:
            raise table.error(f"'sources' names {key!r}, which [sources] does not define")
    if not keys:
        raise table.error("'sources' is missing; name at least one key of [sources]")
    return "; ".join(sources[key] for key in keys)


def _counting(table: Table, sources: Mapping[str, str]) -> MessageTokens:
    tokens = MessageTokens(
        tokens_per_message=table.require("tokens_per_message", int),
        tokens_per_name=table.require("tokens_per_name", int),
        reply_priming=table.require("reply_priming", int),
        func_init=table.require("func_init", int),
        prop_init=table.require("prop_init", int),
        prop_key=table.require("prop_key", int),
        enum_init=table.require("enum_init", int),
        enum_item=table.require("enum_item", int),
        func_end=table.require("func_end", int),
        note=table.get("note", str, ""),
        source=_source(table, sources),
        as_of=table.require("as_of", date),
    )
    table.finish()
    return tokens


def _pixels(table: Table, *keys: str) -> dict[str, int]:
    sizes = {key: table.require(key, int) for key in keys}
    table.get("note", str)
    table.texts("sources")
    table.get("as_of", date)
    table.finish()
    return sizes


def _services(table: Table, sources: Mapping[str, str]) -> dict[ProviderKind, Service]:
    services: dict[ProviderKind, Service] = {}
    for kind in PROVIDER_KINDS:
        provider = table.table(kind)
        services[kind] = Service(
            kind=kind,
            title=provider.require("title", str),
            eligibility=provider.get("eligibility", str),
            limits=_limits(provider.table("limits"), sources),
        )
        provider.finish()
    table.finish()
    return services


def _limits(table: Table, sources: Mapping[str, str]) -> Limits:
    limits = Limits(
        min_examples=table.require("min_examples", int),
        max_file_bytes=table.require("max_file_bytes", int),
        chunk_above_bytes=table.require("chunk_above_bytes", int),
        max_upload_bytes=table.require("max_upload_bytes", int),
        max_images_per_example=table.require("max_images_per_example", int),
        max_image_examples=table.require("max_image_examples", int),
        max_image_bytes=table.require("max_image_bytes", int),
        preference_roles=table.texts("preference_roles"),
        max_preference_messages=table.get("max_preference_messages", int),
        one_turn_preference=table.get("one_turn_preference", bool, False),
        reaches_private=table.get("reaches_private", bool, False),
        asks_for_bom=table.get("asks_for_bom", bool, False),
        max_job_tokens=table.get("max_job_tokens", int),
        suffix_max_chars=table.require("suffix_max_chars", int),
        suffix_warn_chars=table.require("suffix_warn_chars", int),
        suffix_pattern=table.require("suffix_pattern", str),
        metadata_max_pairs=table.require("metadata_max_pairs", int),
        metadata_key_max_chars=table.require("metadata_key_max_chars", int),
        metadata_value_max_chars=table.require("metadata_value_max_chars", int),
        file_expiry_seconds=(
            table.require("file_expiry_min_seconds", int),
            table.require("file_expiry_max_seconds", int),
        ),
        needs_processed_file=table.require("needs_processed_file", bool),
        note=table.get("note", str, ""),
        source=_source(table, sources),
        as_of=table.require("as_of", date),
    )
    table.finish()
    return limits


def _model(name: str, table: Table, shared: _Shared) -> Model:
    counting = table.require("counting", str)
    if counting not in shared.counting:
        raise table.error(f"'counting' names {counting!r}, which [counting] does not define")
    offers = table.table("offers")
    model = Model(
        name=name,
        aliases=table.texts("aliases"),
        encoding=table.require("encoding", str),
        encoding_is_exact=table.get("encoding_is_exact", bool, True),
        takes_chats=table.get("takes_chats", bool, True),
        training_context=table.get("training_context", int),
        context=table.get("context", int),
        max_output=table.get("max_output", int),
        image_tokens=_image_tokens(table, shared),
        message_tokens=shared.counting[counting],
        shutdown=table.get("shutdown", date),
        replacement=table.get("replacement", str),
        note=table.get("note", str, ""),
        source=_source(table, shared.sources),
        as_of=table.require("as_of", date),
        offers=_offers(offers, shared.sources),
    )
    table.finish()
    return model


def _offers(table: Table, sources: Mapping[str, str]) -> dict[ProviderKind, Offer]:
    stated = dict(table.tables())
    for name in stated:
        if name not in PROVIDER_KINDS:
            raise table.error(f"takes tables named {PROVIDER_KINDS}, found {name!r}")
    return {kind: _offer(stated[kind], sources) for kind in PROVIDER_KINDS if kind in stated}


def _image_tokens(table: Table, shared: _Shared) -> ImageTokens | None:
    prices = table.table("image_tokens")
    multiplier = prices.get("multiplier", float)
    base, tile = prices.get("base", int), prices.get("tile", int)
    prices.finish()
    if multiplier is not None and base is None and tile is None:
        return PatchTokens(multiplier=multiplier, **shared.patch)
    if multiplier is None and base is not None and tile is not None:
        return TileTokens(base=base, tile=tile, **shared.tile)
    if multiplier is None and base is None and tile is None:
        return None
    raise prices.error("takes either 'base' and 'tile', or 'multiplier' alone")


def _offer(table: Table, sources: Mapping[str, str]) -> Offer:
    # The casts are sound: `subset` has compared every word with METHODS.
    offer = Offer(
        methods=cast("frozenset[Method]", table.subset("methods", METHODS)),
        unconfirmed=cast("frozenset[Method]", table.subset("unconfirmed", METHODS)),
        vision=table.get("vision", bool, False),
        eligibility=table.get("eligibility", str),
        training_usd=table.price("training_usd"),
        training_price_note=table.get("training_price_note", str),
        training_usd_per_hour=table.price("training_usd_per_hour"),
        hosting_usd_per_hour=table.price("hosting_usd_per_hour"),
        input_usd=table.price("input_usd"),
        cached_input_usd=table.price("cached_input_usd"),
        output_usd=table.price("output_usd"),
        batch_input_usd=table.price("batch_input_usd"),
        batch_cached_input_usd=table.price("batch_cached_input_usd"),
        batch_output_usd=table.price("batch_output_usd"),
        base_input_usd=table.price("base_input_usd"),
        base_output_usd=table.price("base_output_usd"),
        base_retires=table.get("base_retires", date),
        training_ends=table.get("training_ends", date),
        serving_ends=table.get("serving_ends", date),
        note=table.get("note", str, ""),
        source=_source(table, sources),
        as_of=table.require("as_of", date),
    )
    table.finish()
    _check_offer(table, offer)
    return offer


def _check_offer(table: Table, offer: Offer) -> None:
    if not offer.unconfirmed <= offer.methods:
        raise table.error("'unconfirmed' names a method that 'methods' does not")
    training, serving = offer.training_ends, offer.serving_ends
    if training and serving and training > serving:
        raise table.error(f"'training_ends' {training} is after 'serving_ends' {serving}")
