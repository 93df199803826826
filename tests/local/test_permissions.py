"""Permissions of checkpoints, and the limits of models."""

from __future__ import annotations

from typing import TYPE_CHECKING

import openai
import pytest
from openai.types.fine_tuning.checkpoints import (
    PermissionCreateResponse,
    PermissionDeleteResponse,
    PermissionListResponse,
)

from gpt4o_tune import LocalServer
from tests.local.conftest import MODEL, ROWS, desk_at, jsonl

if TYPE_CHECKING:
    from openai.types.fine_tuning import FineTuningJob

    from tests.local.conftest import Desk


def test_permissions_are_granted_listed_and_revoked(desk: Desk, trained: FineTuningJob) -> None:
    """Each answer passes openai's own models strictly, and pages cover each permission once."""
    permissions = desk.client.fine_tuning.checkpoints.permissions
    checkpoint = desk.client.fine_tuning.jobs.checkpoints.list(trained.id).data[0]
    model = checkpoint.fine_tuned_model_checkpoint
    projects = [f"proj_{number}" for number in range(5)]
    granted = permissions.create(model, project_ids=projects).data
    for each in granted:
        PermissionCreateResponse.model_validate(each.model_dump(), strict=True)
    assert [each.project_id for each in granted] == projects
    again = permissions.create(model, project_ids=projects[:1]).data
    assert again == granted[:1]

    newest_first = [*permissions.list(model, limit=2)]
    PermissionListResponse.model_validate(newest_first[0].model_dump(), strict=True)
    assert [each.project_id for each in newest_first] == projects[::-1]
    oldest_first = [*permissions.list(model, limit=2, order="ascending")]
    assert oldest_first == newest_first[::-1]
    (only,) = permissions.list(model, project_id="proj_3")
    assert only.project_id == "proj_3"
    with pytest.warns(DeprecationWarning, match="list method"):
        page = permissions.retrieve(model, limit=1)
    assert (page.has_more, page.data[0].project_id) == (True, "proj_4")

    gone = permissions.delete(only.id, fine_tuned_model_checkpoint=model)
    PermissionDeleteResponse.model_validate(gone.model_dump(), strict=True)
    assert [*permissions.list(model, project_id="proj_3")] == []
    with pytest.raises(openai.NotFoundError):
        permissions.delete(only.id, fine_tuned_model_checkpoint=model)


def test_what_cannot_be_permitted_is_refused(desk: Desk, trained: FineTuningJob) -> None:
    """An unknown checkpoint, an unknown order and an empty list are the caller's fault."""
    permissions = desk.client.fine_tuning.checkpoints.permissions
    assert trained.fine_tuned_model
    for call in (
        lambda: permissions.create("ft:unknown", project_ids=["p"]),
        lambda: permissions.list("ft:unknown"),
    ):
        with pytest.raises(openai.NotFoundError, match="ft:unknown"):
            call()
    for wrong in ([], [""], ["p" * 300]):
        with pytest.raises(openai.BadRequestError):
            permissions.create(trained.fine_tuned_model, project_ids=wrong)
    with pytest.raises(openai.BadRequestError, match="ascending"):
        permissions.list(trained.fine_tuned_model, order="asc")
    with pytest.raises(openai.BadRequestError, match="after"):
        permissions.list(trained.fine_tuned_model, after="cp_unknown")


def test_the_limits_name_every_model(desk: Desk) -> None:
    """Each base model is listed with its slots and its open jobs."""
    page = desk.client.get("/fine_tuning/model_limits", cast_to=object)
    (limits,) = [each for each in page["data"] if each["model"] == MODEL]
    assert limits["max_concurrent_jobs"] == 1
    with LocalServer(slots=2) as server, desk_at(server.base_url, server.api_key).client as client:
        busy = type(desk)(client)
        file = busy.upload(jsonl(ROWS))
        job = busy.until(busy.create(file.id, n_epochs=50).id, {"running"})
        page = client.get("/fine_tuning/model_limits", cast_to=object)
        (limits,) = [each for each in page["data"] if each["model"] == MODEL]
        assert (limits["max_concurrent_jobs"], limits["active_jobs"]) == (2, 1)
        client.fine_tuning.jobs.cancel(job.id)


def test_a_model_object_has_a_shutdown_date(desk: Desk, trained: FineTuningJob) -> None:
    """The field is there; the stand-in of a model is not switched off with it."""
    assert trained.fine_tuned_model
    for name in (MODEL, trained.fine_tuned_model):
        model = desk.client.models.retrieve(name)
        assert "shutdown_date" in model.model_fields_set
        assert model.shutdown_date is None
