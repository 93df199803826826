"""The run that is to be repeated: its rows and settings, from a record, a job or a recording."""

from __future__ import annotations

import dataclasses
import logging
import re
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias, cast

from gpt4o_tune import catalog
from gpt4o_tune._display import plural
from gpt4o_tune._gateway import CALL_ERRORS
from gpt4o_tune.data import Dataset
from gpt4o_tune.data._store import RowStore
from gpt4o_tune.errors import DatasetError, ProviderError
from gpt4o_tune.evaluation import Recording
from gpt4o_tune.jobs.hyperparameters import settings_of
from gpt4o_tune.jobs.job import FineTuneJob
from gpt4o_tune.jobs.record import Place, Rows, RunRecord, require_same

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from openai.types.fine_tuning import FineTuningJob

    from gpt4o_tune._gateway import Gateway
    from gpt4o_tune.catalog import Method, ProviderKind
    from gpt4o_tune.providers import Provider

__all__ = ["Origin", "Source", "family_of", "origin_of"]

log = logging.getLogger("gpt4o_tune")

Source: TypeAlias = RunRecord | Recording | FineTuneJob | str | PathLike[str]
"""What names an old run."""
_Open: TypeAlias = "Callable[[], Gateway] | None"

_OWN_NAME = re.compile(r"gpt4o-tune-([0-9a-f]{24})-\d+\.jsonl")
"""What this library calls the files that it uploads: the beginning of their fingerprint, and their size."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """An old run, as far as it can be repeated."""

    title: str
    kind: ProviderKind
    address: str
    model: str
    method: Method
    hyperparameters: Mapping[str, object]
    suffix: str | None
    seed: int | None
    grader: Mapping[str, object] | None
    training: Dataset
    validation: Dataset | None
    unsettled: str = ""
    """What to add where a setting was left open and this source does not say what came of it."""

    @property
    def family(self) -> str:
        """The family of services that it was trained by."""
        return family_of(self.kind, self.address)


def family_of(kind: ProviderKind, address: str) -> str:
    """Name the services that share a trainer: OpenAI's also runs at Azure; each compatible one is alone."""
    return {"openai": "openai", "azure": "openai", "local": "local"}.get(kind, address)


async def origin_of(
    source: Source,
    train: Dataset | None,
    validation: Dataset | None,
    provider: Provider | None,
    gateway: _Open,
) -> Origin:
    """Find the old run and its rows.

    Args:
        source: What names it.
        train: Its training rows, where the caller has them.
        validation: Its validation rows, likewise.
        provider: Where it was, where the caller says so.
        gateway: Opens the way to that place, only where it is asked.

    Raises:
        DatasetError: The rows are others, or cannot be found.
        ProviderError: A job was given by its id, and no place to read it from.
    """
    if isinstance(source, str | PathLike):
        source = _opened(source)
    if isinstance(source, Recording):
        return _of_recording(source, train, validation)
    if isinstance(source, RunRecord):
        return await _of_record(source, provider, train, validation, gateway)
    if isinstance(source, FineTuneJob):
        return await _of_job(source.raw, source.provider, train, validation, gateway)
    if provider is None or gateway is None:
        raise ProviderError(
            f"to read job {source!r}, pass source_provider=, the provider that ran it; a file is named by "
            "a path that ends in .json (run record) or .jsonl (recording)"
        )
    job = await gateway().retrieve_job(source)
    return await _of_job(job, provider, train, validation, gateway)


def _opened(source: str | PathLike[str]) -> RunRecord | Recording | str:
    """Read the file that a path names; text that is no path is the id of a job."""
    suffix = Path(source).suffix
    if suffix == ".json":
        return RunRecord.load(source)
    if suffix == ".jsonl" or not isinstance(source, str):
        return Recording.load(source)
    return source


def _of_recording(
    recording: Recording, train: Dataset | None, validation: Dataset | None
) -> Origin:
    if train is not None:
        raise DatasetError(
            "the rows of a recording are its own; leave train out, or call FineTuneJob.create with yours"
        )
    known = catalog.load().find(recording.model)
    return Origin(
        title=f"the answers of {recording.model} to {plural(len(recording), 'prompt')}, recorded on "
        f"{recording.recorded_at:%Y-%m-%d}",
        kind=recording.provider,
        address=recording.base_url,
        model=recording.model if known is None else known.name,
        method="supervised",
        hyperparameters={},
        suffix=None,
        seed=None,
        grader=None,
        training=recording.to_dataset(),
        validation=validation,
    )


async def _of_record(
    record: RunRecord,
    provider: Provider | None,
    train: Dataset | None,
    validation: Dataset | None,
    gateway: _Open,
) -> Origin:
    if provider is not None and Place.of(provider) != record.provider:
        raise ProviderError(
            f"the run was at {record.provider.base_url}, not at {provider.address}; pass that provider as "
            "source_provider=, or leave it out"
        )
    job = None
    if record.job_id is not None and gateway is not None:
        job = await gateway().retrieve_job(record.job_id)
    files = (job.training_file, job.validation_file) if job else (None, None)
    rows = [
        await _recorded_rows(side, recorded, given, file, gateway)
        for side, recorded, given, file in (
            ("training", record.training, train, files[0]),
            ("validation", record.validation, validation, files[1]),
        )
    ]
    return Origin(
        title=f"the run of {record.written_at:%Y-%m-%d} at {record.provider.kind} that made "
        f"{record.fine_tuned_model or 'no model yet'}",
        kind=record.provider.kind,
        address=record.provider.base_url,
        model=record.model,
        method=record.method,
        hyperparameters=record.hyperparameters if job is None else settings_of(job),
        suffix=record.suffix,
        seed=record.seed,
        grader=record.grader,
        training=cast("Dataset", rows[0]),
        validation=rows[1],
        unsettled="; source_provider= would tell what it chose" if job is None else "",
    )


async def _recorded_rows(
    side: str, recorded: Rows | None, given: Dataset | None, file: str | None, gateway: _Open
) -> Dataset | None:
    """Return the rows that a record names: those given, those in its file, or those that were uploaded."""
    if recorded is None or given is not None:
        require_same(side, recorded, given)
        return given
    if Path(recorded.source).is_file():
        found = Dataset.from_jsonl(recorded.source)
        if found.fingerprint == recorded.fingerprint:
            return found
    if file is not None and gateway is not None:
        found = await _downloaded(gateway(), file)
        require_same(side, recorded, found)
        return found
    verb = "train" if side == "training" else "validation"
    raise DatasetError(
        f"the {side} rows of the run ({plural(recorded.rows, 'row')} from {recorded.source!r}, fingerprint "
        f"{recorded.fingerprint}) are not to be found as they were: pass {verb}=, made as then, or "
        "source_provider= to fetch what was uploaded"
    )


async def _of_job(
    job: FineTuningJob,
    provider: Provider,
    train: Dataset | None,
    validation: Dataset | None,
    gateway: _Open,
) -> Origin:
    opened = (gateway or provider.blocking)()
    raw = job.to_dict()
    method = cast("Mapping[str, object]", raw.get("method") or {})
    inner = cast("Mapping[str, object]", method.get(str(method.get("type"))) or {})
    return Origin(
        title=f"job {job.id} at {provider.kind} that made {job.fine_tuned_model or 'no model yet'}",
        kind=provider.kind,
        address=provider.address,
        model=job.model,
        method=cast("Method", method.get("type") or "supervised"),
        hyperparameters=settings_of(job),
        suffix=_suffix(job),
        seed=job.seed,
        grader=cast("Mapping[str, object] | None", inner.get("grader")),
        training=await _uploaded("training", opened, job.training_file, train),
        validation=await _uploaded("validation", opened, job.validation_file, validation)
        if job.validation_file
        else validation,
    )


async def _uploaded(side: str, gateway: Gateway, file_id: str, given: Dataset | None) -> Dataset:
    """Return the rows that a job was trained on: those given, checked where that is possible, or the file."""
    if given is None:
        return await _downloaded(gateway, file_id)
    try:
        file = await gateway.retrieve_file(file_id)
    except CALL_ERRORS as error:
        log.warning("the %s rows could not be compared with those of the job: %s", side, error)
        return given
    named = _OWN_NAME.fullmatch(file.filename or "")
    if named and not given.fingerprint.startswith(named[1]):
        raise DatasetError(
            f"these are not the {side} rows of the job: it had a file whose fingerprint begins with "
            f"{named[1]}, and these {plural(len(given), 'row')} have {given.fingerprint}"
        )
    return given


async def _downloaded(gateway: Gateway, file_id: str) -> Dataset:
    content = await gateway.download(file_id)
    store = RowStore.from_lines(content.splitlines(keepends=True))
    return Dataset(store, range(len(store)), format=None)


def _suffix(job: FineTuningJob) -> str | None:
    """Read the suffix, which OpenAI reports outside its own schema, or from the name of the model."""
    given = job.to_dict().get("user_provided_suffix")
    if isinstance(given, str) and given:
        return given
    parts = (job.fine_tuned_model or "").split(":")
    return parts[3] or None if parts[0] == "ft" and len(parts) > 4 else None
