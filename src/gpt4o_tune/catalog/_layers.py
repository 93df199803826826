"""Documents on top of each other: dates and inherited limits filled in, overrides laid over."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from typing import TypeAlias, cast

from gpt4o_tune.errors import CatalogError

Document: TypeAlias = Mapping[str, object]


def stamp(document: Document) -> Document:
    """Give every table that states facts the `as_of` of its own file.

    So that laying one file over another keeps the age of each figure, and no override can pass
    under the sources of the figure that it replaces.

    Raises:
        CatalogError: The file has no `as_of`, or a table that states facts names no `sources`.
    """
    as_of = document.get("as_of")
    if type(as_of) is not date:
        message = f"'as_of' must be a date such as 2027-01-14, found {as_of!r}"
        raise CatalogError(message, table="")
    stamped = overlay(document, {})
    for name, table in _fact_tables(stamped):
        if not table.get("sources"):
            raise CatalogError(
                "'sources' is missing; name at least one key of [sources]", table=name
            )
        table.setdefault("as_of", as_of)
    return stamped


def overlay(base: Document, top: Document) -> dict[str, object]:
    """Return a copy of `base` with the values of `top` in place; tables are merged key by key."""
    merged: dict[str, object] = {key: _copied(value) for key, value in base.items()}
    for key, value in top.items():
        below = merged.get(key)
        if isinstance(below, dict) and isinstance(value, Mapping):
            merged[key] = overlay(cast("Document", below), cast("Document", value))
        else:
            merged[key] = _copied(value)
    return merged


def resolve_limits(document: Document) -> Document:
    """Replace `like = KIND` in the limits of a provider by that other provider's limits."""
    resolved = overlay(document, {})
    providers = _subtables(resolved, "providers")
    limits = {kind: provider.get("limits") for kind, provider in providers.items()}
    for kind, own in limits.items():
        if not isinstance(own, dict) or "like" not in own:
            continue
        own = cast("dict[str, object]", own)
        like = own.pop("like")
        other = limits.get(like) if isinstance(like, str) else None
        if not isinstance(other, dict) or "like" in other or other is own:
            message = f"'like' must name a provider with limits of its own, found {like!r}"
            raise CatalogError(message, table=f"providers.{kind}.limits")
        providers[kind]["limits"] = overlay(cast("Document", other), own)
    return resolved


def _copied(value: object) -> object:
    return overlay(cast("Document", value), {}) if isinstance(value, Mapping) else value


def _subtables(table: Document, key: str) -> dict[str, dict[str, object]]:
    below = table.get(key)
    if not isinstance(below, dict):
        return {}
    children = cast("dict[str, object]", below)
    return {
        name: cast("dict[str, object]", child)
        for name, child in children.items()
        if isinstance(child, dict)
    }


def _fact_tables(document: Document) -> Iterator[tuple[str, dict[str, object]]]:
    for group in ("counting", "images"):
        for name, table in _subtables(document, group).items():
            yield f"{group}.{name}", table
    for kind, provider in _subtables(document, "providers").items():
        limits = provider.get("limits")
        if isinstance(limits, dict):
            yield f"providers.{kind}.limits", cast("dict[str, object]", limits)
    for name, model in _subtables(document, "models").items():
        if set(model) - {"offers"}:
            yield f'models."{name}"', model
        for kind, offer in _subtables(model, "offers").items():
            yield f'models."{name}".offers.{kind}', offer
