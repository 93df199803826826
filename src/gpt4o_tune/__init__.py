"""Fine-tune GPT-4o and its relatives: prepare the data, know the cost, train, and prove that it is better.

    from gpt4o_tune import Dataset, FineTuneJob, CustomModel

Names are imported when they are first used, so that importing the package costs next to nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gpt4o_tune.data import (
        CallRecorder,
        CheckReport,
        CostEstimate,
        Dataset,
        OverlapReport,
        Problem,
        Review,
        Split,
        TokenReport,
    )
    from gpt4o_tune.errors import (
        BudgetError,
        CatalogError,
        DatasetError,
        DatasetNotFoundError,
        GraderError,
        JobCancelledError,
        JobError,
        JobFailedError,
        JobTimeoutError,
        MissingExtraError,
        ModelRetiredError,
        ProviderError,
        TuneError,
        VocabularyError,
        WebhookError,
    )
    from gpt4o_tune.evaluation import (
        Comparison,
        ExactMatch,
        JsonMatch,
        Parity,
        Recording,
        ValidJson,
    )
    from gpt4o_tune.inference import CustomModel, parity
    from gpt4o_tune.jobs import (
        EarlyStop,
        FineTuneJob,
        Hyperparameters,
        LaunchPlan,
        Metrics,
        RetrainPlan,
        RunRecord,
        WandbIntegration,
        plan_retrain,
        retrain,
    )
    from gpt4o_tune.local import LocalServer
    from gpt4o_tune.providers import AzureDeployments, Profile, Provider

__version__ = "0.1.0"

__all__ = [
    "AzureDeployments",
    "BudgetError",
    "CallRecorder",
    "CatalogError",
    "CheckReport",
    "Comparison",
    "CostEstimate",
    "CustomModel",
    "Dataset",
    "DatasetError",
    "DatasetNotFoundError",
    "EarlyStop",
    "ExactMatch",
    "FineTuneJob",
    "GraderError",
    "Hyperparameters",
    "JobCancelledError",
    "JobError",
    "JobFailedError",
    "JobTimeoutError",
    "JsonMatch",
    "LaunchPlan",
    "LocalServer",
    "Metrics",
    "MissingExtraError",
    "ModelRetiredError",
    "OverlapReport",
    "Parity",
    "Problem",
    "Profile",
    "Provider",
    "ProviderError",
    "Recording",
    "RetrainPlan",
    "Review",
    "RunRecord",
    "Split",
    "TokenReport",
    "TuneError",
    "ValidJson",
    "VocabularyError",
    "WandbIntegration",
    "WebhookError",
    "__version__",
    "parity",
    "plan_retrain",
    "retrain",
]

_HOME = {
    "AzureDeployments": "providers",
    "BudgetError": "errors",
    "CallRecorder": "data",
    "CatalogError": "errors",
    "CheckReport": "data",
    "Comparison": "evaluation",
    "CostEstimate": "data",
    "CustomModel": "inference",
    "Dataset": "data",
    "DatasetError": "errors",
    "DatasetNotFoundError": "errors",
    "EarlyStop": "jobs",
    "ExactMatch": "evaluation",
    "FineTuneJob": "jobs",
    "GraderError": "errors",
    "Hyperparameters": "jobs",
    "JobCancelledError": "errors",
    "JobError": "errors",
    "JobFailedError": "errors",
    "JobTimeoutError": "errors",
    "JsonMatch": "evaluation",
    "LaunchPlan": "jobs",
    "LocalServer": "local",
    "Metrics": "jobs",
    "MissingExtraError": "errors",
    "ModelRetiredError": "errors",
    "OverlapReport": "data",
    "Parity": "evaluation",
    "Problem": "data",
    "Profile": "providers",
    "Provider": "providers",
    "ProviderError": "errors",
    "Recording": "evaluation",
    "RetrainPlan": "jobs",
    "Review": "data",
    "RunRecord": "jobs",
    "Split": "data",
    "TokenReport": "data",
    "TuneError": "errors",
    "ValidJson": "evaluation",
    "VocabularyError": "errors",
    "WandbIntegration": "jobs",
    "WebhookError": "errors",
    "parity": "inference",
    "plan_retrain": "jobs",
    "retrain": "jobs",
}
"""The room that each name lives in."""


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
