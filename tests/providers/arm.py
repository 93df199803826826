"""Azure Resource Manager's deployments of one resource, as its REST reference describes them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from tests.providers.stub import Answer, Request

ROOT = (
    "/subscriptions/sub-1/resourceGroups/ml/providers/Microsoft.CognitiveServices"
    "/accounts/my-resource/deployments"
)
SKUS = ("standard", "globalstandard", "developertier")
PAGE = 2


@dataclass
class ArmStub:
    """Deployments in memory; one moves on by one state each time that it is looked at."""

    states: tuple[str, ...] = ("Accepted", "Creating", "Succeeded")
    retry_after: str | None = None
    faults: list[Answer] = field(default_factory=list)
    """Answered before anything else, one by one."""
    deployments: dict[str, dict[str, Any]] = field(default_factory=dict)

    def __call__(self, request: Request) -> Answer:
        if self.faults:
            return self.faults.pop(0)
        if request.headers.get("authorization") != "Bearer arm-token":
            return refused(401, "InvalidAuthenticationToken", "The access token is invalid.")
        if request.query.get("api-version") != "2024-10-01":
            return refused(400, "MissingApiVersionParameter", "api-version is required")
        found = re.fullmatch(f"{ROOT}(?:/([^/]+))?", request.path)
        if found is None:
            return refused(404, "ResourceGroupNotFound", "Resource group could not be found.")
        if found[1] is None:
            return self._page(request)
        serve = {"PUT": self._put, "GET": self._get, "DELETE": self._delete}[request.method]
        return serve(request, found[1])

    def _put(self, request: Request, name: str) -> Answer:
        body = request.body
        if body["sku"]["name"].lower() not in SKUS:
            return refused(400, "InvalidResourceProperties", "The specified SKU is not supported.")
        self.deployments[name] = {**body, "states": list(self.states)}
        return Answer(self._shown(name), 201, self._hint())

    def _get(self, request: Request, name: str) -> Answer:
        if name not in self.deployments:
            return refused(404, "ResourceNotFound", f"The deployment {name} was not found.")
        states = self.deployments[name]["states"]
        if len(states) > 1:
            states.pop(0)
        if states[0] == "Gone":
            del self.deployments[name]
            return refused(404, "ResourceNotFound", f"The deployment {name} was not found.")
        return Answer(self._shown(name), 200, self._hint())

    def _delete(self, request: Request, name: str) -> Answer:
        if name not in self.deployments:
            return Answer(None, 204)
        self.deployments[name]["states"] = ["Deleting", "Deleting", "Gone"]
        return Answer(None, 202, self._hint())

    def _page(self, request: Request) -> Answer:
        start = int(request.query.get("skip", 0))
        names = list(self.deployments)[start : start + PAGE]
        page: dict[str, object] = {"value": [self._shown(name) for name in names]}
        if start + PAGE < len(self.deployments):
            address = f"http://{request.headers['host']}{ROOT}"
            page["nextLink"] = f"{address}?api-version=2024-10-01&skip={start + PAGE}"
        return Answer(page)

    def _shown(self, name: str) -> dict[str, object]:
        kept = self.deployments[name]
        properties = {**kept["properties"], "provisioningState": kept["states"][0]}
        return {"id": f"{ROOT}/{name}", "name": name, "sku": kept["sku"], "properties": properties}

    def _hint(self) -> dict[str, str]:
        return {} if self.retry_after is None else {"retry-after": self.retry_after}


def refused(status: int, code: str, message: str, **headers: str) -> Answer:
    """Azure's shape of an error."""
    return Answer({"error": {"code": code, "message": message}}, status, headers)
