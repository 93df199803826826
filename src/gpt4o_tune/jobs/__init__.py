"""Train it: launch a job once, wait for it, read its events, metrics and checkpoints."""

from gpt4o_tune.jobs.checkpoints import Checkpoint
from gpt4o_tune.jobs.diagnosis import Diagnosis, Finding
from gpt4o_tune.jobs.events import Event
from gpt4o_tune.jobs.hyperparameters import Hyperparameters
from gpt4o_tune.jobs.job import FineTuneJob
from gpt4o_tune.jobs.metrics import MetricRow, Metrics
from gpt4o_tune.jobs.plan import IfExists, LaunchPlan

__all__ = [
    "Checkpoint",
    "Diagnosis",
    "Event",
    "Finding",
    "FineTuneJob",
    "Hyperparameters",
    "IfExists",
    "LaunchPlan",
    "MetricRow",
    "Metrics",
]
