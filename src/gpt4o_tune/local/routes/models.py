"""`/v1/models`: list, look up and delete."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from starlette.responses import JSONResponse
from starlette.routing import Route

from gpt4o_tune.local.envelope import ApiError
from gpt4o_tune.local.routes.objects import base_model_object, listing, model_object

if TYPE_CHECKING:
    from starlette.requests import Request

    from gpt4o_tune.local.answering import Answering
    from gpt4o_tune.local.store import Store


class ModelRoutes:
    """Serves the fine-tuned models of this server, and the stand-ins of the catalog's models."""

    def __init__(self, store: Store, answering: Answering) -> None:
        self._store = store
        self._answering = answering

    def routes(self) -> list[Route]:
        """The resource's routes."""
        return [
            Route("/models", self._list, methods=["GET"]),
            Route("/models/{model_id:path}", self._retrieve, methods=["GET"]),
            Route("/models/{model_id:path}", self._delete, methods=["DELETE"]),
        ]

    def _list(self, _: Request) -> JSONResponse:
        tuned = [model_object(model) for model in self._store.models.all()]
        bases = [
            base_model_object(model, engine=self._answering.engine)
            for model in self._answering.base_models()
        ]
        return JSONResponse(listing([*tuned, *bases]))

    def _retrieve(self, request: Request) -> JSONResponse:
        model_id = cast("str", request.path_params["model_id"])
        if tuned := self._store.models.find(model_id):
            return JSONResponse(model_object(tuned))
        base = self._answering.require_base(model_id)
        return JSONResponse(base_model_object(base, engine=self._answering.engine))

    def _delete(self, request: Request) -> JSONResponse:
        model_id = cast("str", request.path_params["model_id"])
        tuned = self._store.models.find(model_id)
        if tuned is None:
            base = self._answering.require_base(model_id)
            raise ApiError(
                f"Only fine-tuned models can be deleted, and {base.name} is a base model.",
                status=403,
                param="model",
            )
        self._store.models.delete(tuned)
        return JSONResponse({"object": "model", "id": tuned.id, "deleted": True})
