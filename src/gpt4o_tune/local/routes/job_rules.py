"""What must hold before a job is created, and what a job takes with it."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from gpt4o_tune.catalog import base_id, load
from gpt4o_tune.local.envelope import ApiError
from gpt4o_tune.local.rewards import UnsupportedGraderError, make_grading
from gpt4o_tune.local.routes.job_bodies import (
    HyperparameterBody,
    JobBody,
    PreferenceHyperparameterBody,
    RewardHyperparameterBody,
)
from gpt4o_tune.local.routes.metadata import require_metadata
from gpt4o_tune.local.stand_in import SCRIPTED

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gpt4o_tune.catalog import Method
    from gpt4o_tune.local.store import Store
    from gpt4o_tune.local.store.records import JobRecord

_KINDS: Mapping[Method, type[HyperparameterBody]] = {
    "supervised": HyperparameterBody,
    "dpo": PreferenceHyperparameterBody,
    "reinforcement": RewardHyperparameterBody,
}


@dataclass(frozen=True, slots=True)
class Trainable:
    """A model that a job can start from."""

    name: str
    """The snapshot, or the `ft:` id of a model of this server."""
    base: str
    """The snapshot at its root."""
    engine: str


class JobRules:
    """Judges the body of a new job by the catalog and by what the store holds."""

    def __init__(self, store: Store, *, engine: str) -> None:
        self._store = store
        self._engine = engine
        self._catalog = load()
        self._limits = self._catalog.limits("local")

    def require_method(self, body: JobBody, model: Trainable) -> None:
        """Check that the engine of the model to start from trains by the method.

        Raises:
            ApiError: It does not.
        """
        if body.method_name != "supervised" and model.engine == SCRIPTED:
            raise ApiError(
                f"Scripted jobs know the method 'supervised' only, not {body.method_name!r}.",
                param="method.type",
                code="unsupported_method",
            )

    def require_valid(self, body: JobBody) -> None:
        """Check the method, the suffix, the metadata and that the files are there.

        Raises:
            ApiError: One of them is refused.
        """
        if body.method_name == "reinforcement":
            _require_rewards(body)
        self._require_suffix(body.suffix)
        require_metadata(body.metadata or {}, self._limits)
        self._require_file(body.training_file, "training_file")
        if body.validation_file is not None:
            self._require_file(body.validation_file, "validation_file")

    def trainable(self, model_id: str) -> Trainable:
        """Find the model to start from, a base of the catalog or an earlier model of this server.

        Raises:
            ApiError: There is no such model, or it was never trainable.
        """
        if tuned := self._store.models.find(model_id):
            return Trainable(name=tuned.id, base=tuned.base_model, engine=tuned.engine)
        model = self._catalog.find(model_id) if base_id(model_id) == model_id else None
        offer = model and model.offer("local")
        if model and offer and offer.methods:
            return Trainable(name=model.name, base=model.name, engine=self._engine)
        reason = f" {model.note}" if model else ""
        raise ApiError(
            f"Model {model_id} is not available for fine-tuning or does not exist.{reason}",
            param="model",
            code="model_not_available",
        )

    def hyperparameters(self, body: JobBody) -> HyperparameterBody:
        """Take the hyperparameters from the method, or from their deprecated place.

        Raises:
            ApiError: Both places are filled, and differently.
        """
        nested = body.method and body.method.hyperparameters
        top = body.hyperparameters
        shared = nested and nested.model_dump(include={*HyperparameterBody.model_fields})
        if shared and top and shared != top.model_dump():
            raise ApiError(
                "Give hyperparameters in 'method' or at the top level, not different ones in both.",
                param="hyperparameters",
                code="invalid_value",
            )
        given = nested or top or HyperparameterBody()
        return _KINDS[body.method_name].model_validate(given.model_dump())

    def keep_files(self, job: JobRecord) -> None:
        """Give the job its own hold on its files, so that deleting them does not harm it.

        Raises:
            ApiError: A file was deleted in this moment.
        """
        folder = self._store.job_dir(job.id)
        try:
            self._store.files.hold(job.training_file, folder / "training.jsonl")
            if job.validation_file is not None:
                self._store.files.hold(job.validation_file, folder / "validation.jsonl")
        except FileNotFoundError as error:
            shutil.rmtree(folder)
            raise ApiError("A file was deleted while the job was being created.") from error

    def _require_suffix(self, suffix: str | None) -> None:
        if not suffix:
            return
        limits = self._limits
        if len(suffix) > limits.suffix_max_chars or not re.fullmatch(limits.suffix_pattern, suffix):
            raise ApiError(
                f"Invalid 'suffix': {suffix!r}. It must have at most {limits.suffix_max_chars} "
                f"characters and match {limits.suffix_pattern}.",
                param="suffix",
                code="invalid_value",
            )

    def _require_file(
        self, file_id: str, param: Literal["training_file", "validation_file"]
    ) -> None:
        record = self._store.files.find(file_id)
        if record is None:
            raise ApiError(f"invalid {param}: {file_id}", param=param, code=f"invalid_{param}")
        if record.purpose != "fine-tune":
            raise ApiError(
                f"invalid {param}: {file_id} has the purpose {record.purpose!r}; "
                "upload it with the purpose 'fine-tune'.",
                param=param,
                code=f"invalid_{param}",
            )


def _require_rewards(body: JobBody) -> None:
    """Check what only reinforcement needs.

    Raises:
        ApiError: The grader or the validation file is missing, or something is asked for that is not done
            here.
    """
    settings = body.method and body.method.reinforcement
    place = "method.reinforcement"
    if settings is None:
        raise ApiError(
            f"Missing required parameter: '{place}.grader'.",
            param=f"{place}.grader",
            code="missing_required_parameter",
        )
    if body.validation_file is None:
        raise ApiError(
            "Missing required parameter: 'validation_file'. The method 'reinforcement' needs one.",
            param="validation_file",
            code="missing_required_parameter",
        )
    try:
        make_grading(settings.grader, has_json=settings.response_format is not None)
    except UnsupportedGraderError as error:
        raise ApiError(str(error), param=f"{place}.grader", code="unsupported_grader") from error
    if settings.hyperparameters and settings.hyperparameters.reasoning_effort != "default":
        raise ApiError(
            "The stand-in writes its answer without reasoning; leave 'reasoning_effort' out.",
            param=f"{place}.hyperparameters.reasoning_effort",
            code="unsupported_value",
        )
