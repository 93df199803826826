"""What several verbs take."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeAlias, get_args

from gpt4o_tune.catalog import ProviderKind
from gpt4o_tune.errors import ProviderError

if TYPE_CHECKING:
    from collections.abc import Callable

    from gpt4o_tune.data.rows import Row

__all__ = ["Group", "ProviderLike", "kind_of"]


class _HasKind(Protocol):
    @property
    def kind(self) -> ProviderKind: ...


ProviderLike: TypeAlias = "ProviderKind | _HasKind"
Group: TypeAlias = "str | Callable[[Row], object]"
"""The name of a row's field, or a function from the row to what it belongs to."""


def kind_of(provider: ProviderLike) -> ProviderKind:
    """Return the kind of a provider, given by name or as a value.

    Raises:
        ProviderError: There is no such kind.
    """
    kind = provider if isinstance(provider, str) else provider.kind
    if kind not in get_args(ProviderKind):
        known = ", ".join(map(repr, get_args(ProviderKind)))
        raise ProviderError(f"There is no provider {kind!r}. Use one of {known}.")
    return kind
