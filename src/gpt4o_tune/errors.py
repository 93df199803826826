"""Every error that this library raises, in one tree.

    TuneError
    |- DatasetError (ValueError)                    .problems
    |  `- DatasetNotFoundError (FileNotFoundError)  .path
    |- CatalogError (ValueError)                    .table
    |- GraderError (ValueError)                     .code
    |- BatchTimeoutError (TimeoutError)             .batch_ids
    |- BudgetError                                  .estimate_usd .budget_usd
    |- ModelRetiredError                            .model .date .replacement
    |- JobError                                     .job_id
    |  |- JobFailedError                            .code .param .job
    |  |- JobCancelledError                         .reason .checkpoint
    |  `- JobTimeoutError (TimeoutError)
    |- ModelNotReadyError (TimeoutError)            .model
    |- JournalError (ValueError)                    .path
    |- WebhookError (ValueError)                    a webhook that is not to be trusted
    |- ProviderError                                what the provider cannot do, and what to use instead
    |- VocabularyError                              a tokenizer's vocabulary is damaged or missing
    `- MissingExtraError (ImportError)              .extra .command

A subclass also inherits the builtin that it stands in for. Errors carry data beside prose, survive
pickling and copying, and hold no secret. Errors of the `openai` client pass through unchanged.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import datetime
    from collections.abc import Sequence

__all__ = [
    "BatchTimeoutError",
    "BudgetError",
    "CatalogError",
    "DatasetError",
    "DatasetNotFoundError",
    "GraderError",
    "JobCancelledError",
    "JobError",
    "JobFailedError",
    "JobTimeoutError",
    "JournalError",
    "MissingExtraError",
    "ModelNotReadyError",
    "ModelRetiredError",
    "ProviderError",
    "TuneError",
    "VocabularyError",
    "WebhookError",
]


class TuneError(Exception):
    """Base of every error that originates in this library."""

    def __reduce__(self) -> tuple[object, ...]:
        # Keyword-only constructors cannot be replayed by pickle's default.
        return _rebuild, (type(self), self.args, self.__dict__.copy())


def _rebuild(
    kind: type[TuneError], args: tuple[object, ...], state: dict[str, object]
) -> TuneError:
    # An OSError has a memory layout of its own, which only its own constructor knows.
    error = (OSError.__new__ if issubclass(kind, OSError) else kind.__new__)(kind, *args)
    super(TuneError, error).__init__(*args)
    error.__dict__.update(state)
    return error


class DatasetError(TuneError, ValueError):
    """The rows cannot be used as they are.

    Attributes:
        problems: The faults found, in file order; empty where the fault is not in a row.
    """

    def __init__(self, message: str, *, problems: Sequence[object] = ()) -> None:
        super().__init__(message)
        self.problems = tuple(problems)


class DatasetNotFoundError(DatasetError, FileNotFoundError):
    """There is no readable file at the path given.

    Attributes:
        path: The path as it was given.
    """

    def __init__(self, message: str, *, path: str) -> None:
        super().__init__(message)
        self.path = path

    def __str__(self) -> str:
        return str(self.args[0])


class CatalogError(TuneError, ValueError):
    """A catalog file does not follow the schema.

    Attributes:
        table: The table at fault, such as `models."gpt-4o-2024-08-06".offers.openai`.
    """

    def __init__(self, message: str, *, table: str) -> None:
        super().__init__(f"[{table}] {message}" if table else message)
        self.table = table


class GraderError(TuneError, ValueError):
    """A grader could not judge an answer.

    Attributes:
        code: What was in the way, such as `python_failed`, `model_failed` or `invalid_variable`.
    """

    def __init__(self, message: str, *, code: str) -> None:
        super().__init__(message)
        self.code = code


class BatchTimeoutError(TuneError, TimeoutError):
    """The wait for batches reached its deadline; the batches themselves go on.

    Attributes:
        batch_ids: The provider's ids of the batches, enough to reattach with `BatchRun.get`.
    """

    def __init__(self, message: str, *, batch_ids: Sequence[str]) -> None:
        super().__init__(message)
        self.batch_ids = tuple(batch_ids)


class BudgetError(TuneError):
    """The estimate exceeds the budget; nothing was uploaded or started.

    Attributes:
        estimate_usd: What the job is estimated to cost, in US dollars.
        budget_usd: The ceiling that was given, in US dollars.
    """

    def __init__(self, message: str, *, estimate_usd: float, budget_usd: float) -> None:
        super().__init__(message)
        self.estimate_usd = estimate_usd
        self.budget_usd = budget_usd


class ModelRetiredError(TuneError):
    """The model is switched off, or no longer trainable, at this provider.

    Attributes:
        model: The model id as it was given.
        date: The day it ended, or None where it was never offered.
        replacement: What to use instead, or None where nothing takes its place.
    """

    def __init__(
        self,
        message: str,
        *,
        model: str,
        date: datetime.date | None = None,
        replacement: str | None = None,
    ) -> None:
        super().__init__(message)
        self.model = model
        self.date = date
        self.replacement = replacement


class JobError(TuneError):
    """A fine-tuning job did not give a model.

    Attributes:
        job_id: The provider's id of the job, enough to reattach with `FineTuneJob.get`.
    """

    def __init__(self, message: str, *, job_id: str) -> None:
        super().__init__(message)
        self.job_id = job_id


class JobFailedError(JobError):
    """The provider ended the job as failed.

    Attributes:
        code: The provider's error code, such as `invalid_training_file`, or None.
        param: The request field at fault, or None.
        job: The job as last seen.
    """

    def __init__(
        self,
        message: str,
        *,
        job_id: str,
        code: str | None = None,
        param: str | None = None,
        job: object = None,
    ) -> None:
        super().__init__(message, job_id=job_id)
        self.code = code
        self.param = param
        self.job = job


class JobCancelledError(JobError):
    """The job was cancelled, here or elsewhere.

    Attributes:
        reason: Why the wait cancelled it, or None where somebody else did.
        checkpoint: The name of the best checkpoint, or None where the service lists none.
    """

    def __init__(
        self,
        message: str,
        *,
        job_id: str,
        reason: str | None = None,
        checkpoint: str | None = None,
    ) -> None:
        super().__init__(message, job_id=job_id)
        self.reason = reason
        self.checkpoint = checkpoint


class JobTimeoutError(JobError, TimeoutError):
    """The wait reached its deadline; the job itself goes on."""


class ModelNotReadyError(TuneError, TimeoutError):
    """The model did not answer in time; it may yet.

    Attributes:
        model: The model id as it was given.
    """

    def __init__(self, message: str, *, model: str) -> None:
        super().__init__(message)
        self.model = model


class JournalError(TuneError, ValueError):
    """The journal of many calls is of other inputs, damaged, or in use by another run.

    Attributes:
        path: The file.
    """

    def __init__(self, message: str, *, path: str) -> None:
        super().__init__(message)
        self.path = path


class WebhookError(TuneError, ValueError):
    """The signature of a webhook does not match, or its body cannot be read; answer it with status 400."""


class ProviderError(TuneError):
    """The provider cannot do what was asked; the message names what to use instead."""


class VocabularyError(TuneError):
    """The vocabulary of an encoding is damaged, or is neither carried nor to be had."""


class MissingExtraError(TuneError, ImportError):
    """An optional part of the library is not installed.

    Attributes:
        extra: The name of the extra.
        command: The command that installs it.
    """

    def __init__(self, feature: str, *, extra: str) -> None:
        self.extra = extra
        self.command = f"pip install 'gpt4o-tune[{extra}]'"
        super().__init__(f"{feature} needs the extra {extra!r}. Install it with: {self.command}")
