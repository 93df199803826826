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


class PreferenceHyperparameterBody(HyperparameterBody):
    """Hyperparameters of the method `dpo`."""

    beta: Auto | Annotated[float, Field(gt=0, le=2)] = "auto"


class RewardHyperparameterBody(HyperparameterBody):
    """Hyperparameters of the method `reinforcement`."""

    compute_multiplier: Auto | Annotated[float, Field(gt=0.00001, le=10)] = "auto"
    eval_interval: Auto | Annotated[int, Field(ge=1)] = "auto"
    eval_samples: Auto | Annotated[int, Field(ge=1)] = "auto"
    reasoning_effort: Literal["default", "low", "medium", "high"] = "default"


class SupervisedBody(Body):
    """Settings of the method `supervised`."""

    hyperparameters: HyperparameterBody | None = None


class PreferenceBody(Body):
    """Settings of the method `dpo`."""

    hyperparameters: PreferenceHyperparameterBody | None = None


class RewardBody(Body):
    """Settings of the method `reinforcement`."""

    grader: dict[str, object]
    hyperparameters: RewardHyperparameterBody | None = None
    response_format: dict[str, object] | None = None
    """In OpenAI's guide on reinforcement, though not in its API description."""


class MethodBody(Body):
    """The training method; only the settings of the one that `type` names count."""

    type: MethodName
    supervised: SupervisedBody | None = None
    dpo: PreferenceBody | None = None
    reinforcement: RewardBody | None = None

    @property
    def hyperparameters(self) -> HyperparameterBody | None:
        """Those of the method that `type` names."""
        settings = {
            "supervised": self.supervised,
            "dpo": self.dpo,
            "reinforcement": self.reinforcement,
        }
        chosen = settings[self.type]
        return chosen and chosen.hyperparameters


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

    @property
    def method_name(self) -> MethodName:
        """The method by which the job trains."""
        return "supervised" if self.method is None else self.method.type
