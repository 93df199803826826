"""The body of `POST /v1/fine_tuning/jobs`, with the ranges that OpenAI's API description gives."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from gpt4o_tune.catalog import Method as MethodName  # noqa: TC001 - pydantic reads it
from gpt4o_tune.local.routes.bodies import Body

Auto = Literal["auto"]


class HyperparameterBody(Body):
    """Hyperparameters of supervised training."""

    n_epochs: Auto | Annotated[int, Field(ge=1, le=50)] = "auto"
    batch_size: Auto | Annotated[int, Field(ge=1, le=256)] = "auto"
    learning_rate_multiplier: Auto | Annotated[float, Field(gt=0, allow_inf_nan=False)] = "auto"


class SupervisedBody(Body):
    """Settings of the method `supervised`."""

    hyperparameters: HyperparameterBody | None = None


class MethodBody(Body):
    """The training method; the settings of methods that are not offered are not read."""

    type: MethodName
    supervised: SupervisedBody | None = None
    dpo: dict[str, object] | None = None
    reinforcement: dict[str, object] | None = None


class WandbBody(Body):
    """Settings of the Weights and Biases integration."""

    project: str
    name: str | None = None
    entity: str | None = None
    tags: Annotated[list[Annotated[str, Field(max_length=64)]], Field(max_length=50)] | None = None


class IntegrationBody(Body):
    """An integration; it is kept with the job and nothing is sent anywhere."""

    type: Literal["wandb"]
    wandb: WandbBody


class JobBody(Body):
    """What a job is created from."""

    model: str
    training_file: str
    validation_file: str | None = None
    method: MethodBody | None = None
    hyperparameters: HyperparameterBody | None = None
    """The deprecated place of the hyperparameters."""
    suffix: str | None = None
    seed: Annotated[int, Field(ge=0, le=2_147_483_647)] | None = None
    metadata: dict[str, str] | None = None
    integrations: Annotated[list[IntegrationBody], Field(max_length=5)] | None = None
