"""Train it: launch a job once, wait for it, read its events, metrics and checkpoints."""

from gpt4o_tune.jobs.bill import Bill
from gpt4o_tune.jobs.checkpoints import Checkpoint, Checkpoints
from gpt4o_tune.jobs.cleaning import CleanupReport, Leftover, cleanup, cleanup_async
from gpt4o_tune.jobs.diagnosis import Diagnosis, Finding
from gpt4o_tune.jobs.early_stop import EarlyStop
from gpt4o_tune.jobs.events import Event
from gpt4o_tune.jobs.hyperparameters import Hyperparameters
from gpt4o_tune.jobs.integrations import WandbIntegration
from gpt4o_tune.jobs.job import FineTuneJob
from gpt4o_tune.jobs.metrics import MetricRow, Metrics
from gpt4o_tune.jobs.plan import IfExists, LaunchPlan
from gpt4o_tune.jobs.record import RunRecord
from gpt4o_tune.jobs.retraining import (
    CarriedSetting,
    RetrainPlan,
    plan_retrain,
    plan_retrain_async,
    retrain,
    retrain_async,
)
from gpt4o_tune.jobs.stopping import StopRule
from gpt4o_tune.jobs.webhooks import WebhookEvent

__all__ = [
    "Bill",
    "CarriedSetting",
    "Checkpoint",
    "Checkpoints",
    "CleanupReport",
    "Diagnosis",
    "EarlyStop",
    "Event",
    "Finding",
    "FineTuneJob",
    "Hyperparameters",
    "IfExists",
    "LaunchPlan",
    "Leftover",
    "MetricRow",
    "Metrics",
    "RetrainPlan",
    "RunRecord",
    "StopRule",
    "WandbIntegration",
    "WebhookEvent",
    "cleanup",
    "cleanup_async",
    "plan_retrain",
    "plan_retrain_async",
    "retrain",
    "retrain_async",
]
