"""Lists of models and jobs, and deletion, in memory: what a service tells of what it holds."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from tests.inference.batch_service import refused
from tests.providers.stub import Answer, Request


@dataclass
class ModelsService:
    """Holds models and jobs as objects of the API; None stands for a list that does not exist."""

    models: list[dict[str, Any]] | None = field(default_factory=list)
    jobs: list[dict[str, Any]] | None = field(default_factory=list)
    silent: tuple[str, ...] = ()
    """Models that are not found when they are asked."""

    def __call__(self, request: Request) -> Answer:
        path = re.sub(r"^.*?/v1", "", request.path)
        if path == "/models":
            return _listed(self.models)
        if path == "/fine_tuning/jobs":
            return _listed(self.jobs)
        if path == "/chat/completions":
            return self._chat(request.body["model"])
        found = re.fullmatch(r"/models/(.+)", path)
        assert found is not None
        model = next((m for m in self.models or () if m["id"] == found[1]), None)
        if model is None:
            return refused(404, f"The model {found[1]} does not exist")
        if request.method == "DELETE":
            assert self.models is not None
            self.models.remove(model)
            return Answer({"id": model["id"], "object": "model", "deleted": True})
        return Answer(model)

    def _chat(self, name: str) -> Answer:
        if name in self.silent:
            return refused(404, "The model does not exist")
        choice = {"index": 0, "message": {"role": "assistant", "content": "yes"}}
        return Answer({"id": "chatcmpl-1", "model": name, "choices": [choice]})


def model(name: str, **fields: object) -> dict[str, Any]:
    """A model as OpenAI lists it."""
    return {"id": name, "object": "model", "created": 1_790_000_000, "owned_by": "acme", **fields}


def job(number: int, base: str, name: str | None, **fields: object) -> dict[str, Any]:
    """A job as OpenAI lists it."""
    return {
        "id": f"ftjob-{number}",
        "object": "fine_tuning.job",
        "model": base,
        "fine_tuned_model": name,
        "status": "succeeded" if name else "failed",
        "created_at": 1_780_000_000,
        "finished_at": 1_780_003_600,
        **fields,
    }


def _listed(entries: list[dict[str, Any]] | None) -> Answer:
    if entries is None:
        return refused(404, "Not found")
    return Answer({"object": "list", "data": entries, "has_more": False})
