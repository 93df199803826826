"""`/v1/fine_tuning/model_limits`: how many jobs a model may have.

OpenAI's guide names the route and shows no answer. The fields are those that a third party reads there,
so take the shape for a guess.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import JSONResponse
from starlette.routing import Route

from gpt4o_tune.local.routes.objects import listing

if TYPE_CHECKING:
    from starlette.requests import Request

    from gpt4o_tune.local.answering import Answering
    from gpt4o_tune.local.store import Store


class LimitRoutes:
    """Serves the limits of fine-tuning.

    Args:
        store: Where jobs are kept.
        answering: Knows the models.
        slots: How many jobs train at the same time.
    """

    def __init__(self, store: Store, answering: Answering, *, slots: int) -> None:
        self._store = store
        self._answering = answering
        self._slots = slots

    def routes(self) -> list[Route]:
        """The resource's routes."""
        return [Route("/fine_tuning/model_limits", self._list, methods=["GET"])]

    def _list(self, _: Request) -> JSONResponse:
        active = self._store.jobs.count_open()
        objects: list[dict[str, object]] = [
            {
                "object": "fine_tuning.model_limits",
                "id": model.name,
                "model": model.name,
                "max_total_jobs": None,
                "max_concurrent_jobs": self._slots,
                "active_jobs": active.get(model.name, 0),
            }
            for model in self._answering.base_models()
        ]
        return JSONResponse(listing(objects))
