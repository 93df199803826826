"""Metrics in an MLflow run."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from gpt4o_tune._extras import import_extra
from gpt4o_tune.jobs.loggers.logger import MetricsLogger
from gpt4o_tune.jobs.metrics import MetricRow

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping

__all__ = ["MlflowLogger"]

JOB_TAG = "gpt4o_tune.job_id"
"""The tag by which a run is found again."""
_RUN_STATES = {"succeeded": "FINISHED", "cancelled": "KILLED"}


class MlflowLogger(MetricsLogger):
    """Writes to one MLflow run per job; a run that this job has already is taken up again.

    It stands beside MLflow's active run and changes nothing about it.

    Args:
        job_id: The job's id, which names the run.
        experiment: The experiment to put a new run into; made where it does not exist.
        tracking_uri: Where to write; None is MLflow's own choice (`MLFLOW_TRACKING_URI`).

    Raises:
        MissingExtraError: MLflow is not installed.
        mlflow.MlflowException: The tracking server refused, or cannot be reached.
    """

    def __init__(
        self, job_id: str, *, experiment: str = "fine-tuning", tracking_uri: str | None = None
    ) -> None:
        super().__init__()
        library = import_extra("mlflow", extra="mlflow", feature="Logging to MLflow")
        self._metric: Any = library.entities.Metric
        self._client: Any = library.MlflowClient(tracking_uri=tracking_uri)
        self.run_id: str = self._take_up(job_id, experiment)
        """MLflow's id of the run."""

    def close(self) -> None:
        """Do nothing: every call to MLflow is complete in itself."""

    def _write(self, step: int, numbers: Mapping[str, float], measured_at: dt.datetime) -> None:
        milliseconds = round(measured_at.timestamp() * 1000)
        metrics = [self._metric(name, value, milliseconds, step) for name, value in numbers.items()]
        self._client.log_batch(self.run_id, metrics=metrics)

    def _write_outcome(self, status: str, fine_tuned_model: str | None) -> None:
        self._client.set_tag(self.run_id, "gpt4o_tune.status", status)
        if fine_tuned_model is not None:
            self._client.set_tag(self.run_id, "gpt4o_tune.fine_tuned_model", fine_tuned_model)
        self._client.set_terminated(self.run_id, status=_RUN_STATES.get(status, "FAILED"))

    def _take_up(self, job_id: str, experiment: str) -> str:
        known = self._client.get_experiment_by_name(experiment)
        place = known.experiment_id if known else self._client.create_experiment(experiment)
        wanted = f"tags.`{JOB_TAG}` = '{job_id}'"
        runs = self._client.search_runs([place], filter_string=wanted, max_results=1)
        if not runs:
            run = self._client.create_run(place, run_name=job_id, tags={JOB_TAG: job_id})
            return run.info.run_id
        run_id: str = runs[0].info.run_id
        for field in dataclasses.fields(MetricRow):
            if field.name != "step":
                for metric in self._client.get_metric_history(run_id, field.name):
                    self._remember(metric.step, {field.name: metric.value})
        return run_id
