"""The catalog itself: find a model, read a provider's limits, ask what can be trained on a day."""

from __future__ import annotations

from datetime import date
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from gpt4o_tune.catalog import _layers, _parsing, _trainability
from gpt4o_tune.catalog._identifiers import base_id
from gpt4o_tune.errors import CatalogError, ProviderError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gpt4o_tune.catalog.models import Limits, Method, Model, ProviderKind, Service

DEFAULT_MODEL: Final = "gpt-4o-2024-08-06"
"""The base model where none is named."""


def load(path: str | Path | None = None) -> Catalog:
    """Return the catalog of this release, with a file of your own laid over it where one is given.

    Without a path the catalog is parsed once per process.

    Raises:
        CatalogError: The file does not follow the schema.
        OSError: The file cannot be read.
    """
    return _built_in() if path is None else _built_in().merged(path)


class Catalog:
    """Every model that the library knows, with offers and limits of the providers. Immutable."""

    __slots__ = ("_by_id", "_document", "_parsed")

    def __init__(self, document: Mapping[str, object]) -> None:
        """Read a document of the schema that heads `catalog.toml`.

        Raises:
            CatalogError: The document does not follow the schema.
        """
        self._document = _layers.stamp(document)
        self._parsed = _parsing.parse(_layers.resolve_limits(self._document))
        self._by_id = _index(self._parsed.models)

    def __repr__(self) -> str:
        return f"Catalog({len(self.models)} models, as of {self.as_of})"

    @property
    def models(self) -> tuple[Model, ...]:
        """Every model, retired ones included, in the order of the file."""
        return self._parsed.models

    @property
    def as_of(self) -> date:
        """Day on which the file was last compared with its sources."""
        return self._parsed.as_of

    def find(self, model_id: str) -> Model | None:
        """Return the model behind an id, or None where it is unknown.

        Takes a snapshot, an alias, or the id of a fine-tuned model (`ft:BASE:ORG:SUFFIX:ID`, with or
        without a checkpoint; Azure's `BASE.ft-HEX`) whose base it then returns. Case is ignored.
        """
        return self._by_id.get(base_id(model_id).casefold())

    def get(self, model_id: str) -> Model:
        """Return the model behind an id; see `find`.

        Raises:
            ProviderError: The id is unknown; the message names the nearest ids and what can be trained.
        """
        model = self.find(model_id)
        if model is None:
            raise ProviderError(self._unknown(model_id))
        return model

    def service(self, provider: ProviderKind) -> Service:
        """Return what is known of a kind of provider."""
        return self._parsed.services[provider]

    def limits(self, provider: ProviderKind) -> Limits:
        """Return what a provider accepts; `compatible` and `local` follow OpenAI."""
        return self.service(provider).limits

    def trainable(
        self, provider: ProviderKind, *, method: Method = "supervised", on: date
    ) -> tuple[Model, ...]:
        """Return the models for which a job can be created there on that day."""
        return tuple(
            model
            for model in self.models
            if (offer := model.offer(provider)) and offer.trains(method, on=on)
        )

    def check_trainable(
        self,
        model_id: str,
        *,
        provider: ProviderKind,
        method: Method,
        on: date,
        margin_days: int = 30,
        shutdown_date: date | None = None,
    ) -> tuple[str, ...]:
        """Refuse a model that cannot, or should no longer, be trained; return warnings otherwise.

        Args:
            model_id: The base model, an alias, or a fine-tuned model to continue from.
            provider: Where the job would run. A compatible service decides for itself: for
                `compatible` nothing is refused, not even an unknown model.
            method: The training method.
            on: The day on which the job would be created.
            margin_days: Refuse where fine-tunes are switched off in fewer days than this.
            shutdown_date: When the service itself switches the model off; wins over the catalog.

        Returns:
            Sentences on what the user should know: ends within `NOTICE_DAYS`, methods on which
            sources disagree, who may create jobs.

        Raises:
            ProviderError: The model is unknown, or was never trainable there by this method.
            ModelRetiredError: Training has ended, or fine-tunes are switched off within the margin.
            ValueError: The margin is negative.
        """
        if margin_days < 0:
            raise ValueError(f"margin_days must be 0 or more, got {margin_days}")
        if provider == "compatible":
            return ()
        request = _trainability.Request(
            model_id=model_id,
            provider=provider,
            method=method,
            on=on,
            margin_days=margin_days,
            shutdown_date=shutdown_date,
        )
        return _trainability.check(self, self.get(model_id), request)

    def merged(self, path: str | Path) -> Catalog:
        """Return a new catalog with a TOML file of the same schema laid over this one.

        Tables are merged key by key, so a file may change one price and leave all else. Each table
        that states facts must name its `sources`, and the file its `as_of`.

        Raises:
            CatalogError: The file is not TOML or does not follow the schema.
            OSError: The file cannot be read.
        """
        own = _layers.stamp(_read_toml(Path(path).read_bytes(), str(path)))
        below = {key: value for key, value in own.items() if key != "as_of"}
        return Catalog(_layers.overlay(self._document, below))

    def _unknown(self, model_id: str) -> str:
        from difflib import get_close_matches

        known = {word.casefold(): word for m in self.models for word in (m.name, *m.aliases)}
        nearest = get_close_matches(base_id(model_id).casefold(), known, n=3)
        today = date.today()
        hosted = {
            model.name: None
            for service in self._parsed.services.values()
            if service.kind != "local"
            for model in self.trainable(service.kind, on=today)
        }
        hint = f" Nearest: {', '.join(repr(known[word]) for word in nearest)}." if nearest else ""
        choice = ", ".join(repr(name) for name in hosted) or "none at a hosted provider"
        return (
            f"{model_id!r} is not in the model catalog (as of {self.as_of}).{hint} "
            f"Trainable today: {choice}. A model that the catalog lacks can be added in a file for "
            "Catalog.merged()."
        )


@cache
def _built_in() -> Catalog:
    from importlib import resources

    content = resources.files("gpt4o_tune.catalog").joinpath("catalog.toml").read_bytes()
    return Catalog(_read_toml(content, "catalog.toml"))


def _read_toml(content: bytes, name: str) -> dict[str, object]:
    import tomllib

    try:
        return tomllib.loads(content.decode("utf-8-sig"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise CatalogError(f"{name!r} is not a TOML file: {error}", table="") from error


def _index(models: tuple[Model, ...]) -> dict[str, Model]:
    by_id: dict[str, Model] = {}
    for model in models:
        for word in (model.name, *model.aliases):
            other = by_id.setdefault(word.casefold(), model)
            if other is not model:
                message = f"{word!r} already stands for {other.name!r}"
                raise CatalogError(message, table=f'models."{model.name}"')
    return by_id
