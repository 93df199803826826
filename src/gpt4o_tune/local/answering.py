"""Which model answers: a fine-tuned one from disk, or the stand-in of a base that learnt nothing."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gpt4o_tune.catalog import base_id, load
from gpt4o_tune.local.engines import UNCHANGED, recite
from gpt4o_tune.local.envelope import ApiError
from gpt4o_tune.local.stand_in import load_engine, untrained_answer

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from gpt4o_tune.catalog import Model
    from gpt4o_tune.local.engines import (
        Adjustments,
        AnswerShape,
        GeneratedToken,
        LanguageModel,
        Message,
    )
    from gpt4o_tune.local.store import Store

_LOADED_MODELS = 4


@dataclass(frozen=True, slots=True)
class Answerer:
    """A model that is ready to answer."""

    name: str
    """The id to report: a snapshot for an alias, otherwise as asked."""
    base: Model
    """The catalog's entry, by which tokens are counted."""
    language_model: LanguageModel
    engine: str


class Answering:
    """Finds models by id, and keeps the ones used last in memory.

    Attributes:
        engine: What stands in for the base models.
    """

    def __init__(self, store: Store, *, engine: str) -> None:
        self.engine = engine
        self._store = store
        self._catalog = load()
        self._loaded: OrderedDict[str, LanguageModel] = OrderedDict()
        self._lock = threading.Lock()

    def base_models(self) -> list[Model]:
        """The models of the catalog that have a stand-in here."""
        return [model for model in self._catalog.models if model.offer("local")]

    def require_base(self, model_id: str) -> Model:
        """Find a base model by its id or alias.

        Raises:
            ApiError: There is none, with status 404.
        """
        model = self._catalog.find(model_id) if base_id(model_id) == model_id else None
        if model is None or model.offer("local") is None:
            raise ApiError(
                f"The model `{model_id}` does not exist on this local server. "
                "GET /v1/models lists those that do.",
                status=404,
                code="model_not_found",
                param="model",
            )
        return model

    def choose(self, model_id: str) -> Answerer:
        """Find the model that answers under an id.

        Raises:
            ApiError: There is none, with status 404.
        """
        if tuned := self._store.models.find(model_id):
            language_model = self._load(self._store.models.directory(tuned), tuned.engine)
            base = self._catalog.get(tuned.base_model)
            return Answerer(
                name=tuned.id, base=base, language_model=language_model, engine=tuned.engine
            )
        base = self.require_base(model_id)
        return Answerer(
            name=base.name,
            base=base,
            language_model=Untrained(base.name),
            engine=self.engine,
        )

    def _load(self, directory: Path, engine: str) -> LanguageModel:
        key = str(directory)
        with self._lock:
            if key not in self._loaded:
                self._loaded[key] = load_engine(engine).load(directory)
                if len(self._loaded) > _LOADED_MODELS:
                    self._loaded.popitem(last=False)
            self._loaded.move_to_end(key)
            return self._loaded[key]


class Untrained:
    """Stands in for a base model: it answers everything with one sentence that says what it is.

    Where the answer has a format, it is the shortest of that format, with the sentence wherever a
    string is free.
    """

    def __init__(self, model: str) -> None:
        self._sentence = untrained_answer(model)

    def generate(
        self,
        messages: Sequence[Message],
        *,
        max_tokens: int = 256,
        temperature: float = 1.0,
        top_p: float = 1.0,
        seed: int | None = None,
        top_logprobs: int = 0,
        shape: AnswerShape | None = None,
        adjustments: Adjustments = UNCHANGED,
    ) -> Iterator[GeneratedToken]:
        """Yield the answer word by word; only `max_tokens` and `shape` change anything."""
        return recite(self._sentence, max_tokens=max_tokens, top_logprobs=top_logprobs, shape=shape)
