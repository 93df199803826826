"""Metrics of a job where you look at your other runs: a file, TensorBoard, MLflow, Weights & Biases.

A logger is a callback for `FineTuneJob.wait(on_event=...)`. It writes each number once, also when the wait
is begun again in another process and hands on every event from the start.
"""

from gpt4o_tune.jobs.loggers.jsonl import JsonlLogger
from gpt4o_tune.jobs.loggers.logger import MetricsLogger
from gpt4o_tune.jobs.loggers.mlflow import MlflowLogger
from gpt4o_tune.jobs.loggers.tensorboard import TensorBoardLogger
from gpt4o_tune.jobs.loggers.wandb import WandbLogger

__all__ = ["JsonlLogger", "MetricsLogger", "MlflowLogger", "TensorBoardLogger", "WandbLogger"]
