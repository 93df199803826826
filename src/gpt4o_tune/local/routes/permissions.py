"""`/v1/fine_tuning/checkpoints/ID/permissions`: which projects may use a checkpoint.

The real service wants an administrator's key here. This server has one key, which may do everything, and
no projects: permissions are kept and shown, and nothing depends on them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, cast

from pydantic import Field
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse
from starlette.routing import Route

from gpt4o_tune.local.envelope import ApiError
from gpt4o_tune.local.routes.bodies import Body, page_limit, read_json
from gpt4o_tune.local.routes.objects import listing, permission_object
from gpt4o_tune.local.store import UnknownCursorError

if TYPE_CHECKING:
    from starlette.requests import Request

    from gpt4o_tune.local.store import Order, Store

_ORDERS: dict[str, Order] = {"ascending": "asc", "descending": "desc"}
ProjectId = Annotated[str, Field(min_length=1, max_length=256)]


class PermissionBody(Body):
    """Which projects get the permission."""

    project_ids: Annotated[list[ProjectId], Field(min_length=1, max_length=1_000)]


class PermissionRoutes:
    """Serves the permissions of checkpoints."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def routes(self) -> list[Route]:
        """The resource's routes."""
        all_ = "/fine_tuning/checkpoints/{checkpoint}/permissions"
        return [
            Route(all_, self._create, methods=["POST"]),
            Route(all_, self._list, methods=["GET"]),
            Route(f"{all_}/{{permission_id}}", self._delete, methods=["DELETE"]),
        ]

    async def _create(self, request: Request) -> JSONResponse:
        body = await read_json(request, PermissionBody)
        return await run_in_threadpool(self._grant, _checkpoint(request), body)

    def _grant(self, checkpoint: str, body: PermissionBody) -> JSONResponse:
        self._require(checkpoint)
        granted = self._store.permissions.grant(checkpoint, body.project_ids)
        return JSONResponse(listing([permission_object(each) for each in granted]))

    def _list(self, request: Request) -> JSONResponse:
        checkpoint, query = _checkpoint(request), request.query_params
        self._require(checkpoint)
        order = _ORDERS.get(query.get("order", "descending"))
        if order is None:
            raise ApiError(
                f"Invalid 'order': {query['order']!r}. Expected 'ascending' or 'descending'.",
                param="order",
                code="invalid_value",
            )
        try:
            page = self._store.permissions.page(
                checkpoint,
                after=query.get("after"),
                limit=page_limit(request, default=10, most=100),
                order=order,
                project_id=query.get("project_id"),
            )
        except UnknownCursorError as error:
            raise ApiError(
                f"No permission with id {str(error)!r} to list after.", param="after"
            ) from error
        objects = [permission_object(each) for each in page.items]
        return JSONResponse(listing(objects, has_more=page.has_more))

    def _delete(self, request: Request) -> JSONResponse:
        permission_id = cast("str", request.path_params["permission_id"])
        if not self._store.permissions.revoke(_checkpoint(request), permission_id):
            raise ApiError(
                f"No permission with id {permission_id!r} for this checkpoint.",
                status=404,
                param="permission_id",
            )
        return JSONResponse(
            {"object": "checkpoint.permission", "id": permission_id, "deleted": True}
        )

    def _require(self, checkpoint: str) -> None:
        if self._store.models.find(checkpoint) is None:
            raise ApiError(
                f"The model `{checkpoint}` does not exist on this local server.",
                status=404,
                code="model_not_found",
                param="fine_tuned_model_checkpoint",
            )


def _checkpoint(request: Request) -> str:
    return cast("str", request.path_params["checkpoint"])
