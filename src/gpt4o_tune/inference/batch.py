"""`BatchRun`: many inputs asked through the Batch API, followed from any process."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self, cast
from urllib.parse import urlsplit

from gpt4o_tune._display import bar, html_text, live_line
from gpt4o_tune._drive import run
from gpt4o_tune._gateway import CALL_ERRORS, READ_PATIENCE, is_repeatable
from gpt4o_tune.errors import BatchTimeoutError, ProviderError
from gpt4o_tune.inference.batch_results import read_results
from gpt4o_tune.inference.batch_submitting import ENDED, MODEL_KEY
from gpt4o_tune.providers import Provider

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Mapping, Sequence

    from openai.types import Batch

    from gpt4o_tune._gateway import Gateway
    from gpt4o_tune.inference.results import MapResult

__all__ = ["BatchCounts", "BatchRun"]

POLL_SHARE = 0.05
"""The pause between two looks, as a share of the time waited so far."""
SHORTEST_POLL, LONGEST_POLL = 1.0, 60.0
"""Bounds of that pause in seconds; a batch may take 24 hours."""
OUTAGE_PATIENCE = 3900.0
"""Seconds for which a service may be out of reach: an hour, and time to be found back after it."""
RECORD_VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchCounts:
    """How far a run is, in inputs, as the service last told."""

    total: int
    completed: int
    failed: int

    def __str__(self) -> str:
        failed = f", {self.failed:,} failed" if self.failed else ""
        return f"{self.completed:,} of {self.total:,} answered{failed}"


class BatchRun:
    """The batches that ask one list of inputs. `CustomModel.batch` makes one; ids alone do as well.

    The server is the memory: properties tell what was last seen; `refresh`, `wait` and `results` look
    again. Every network verb has an asynchronous face whose name ends in `_async`.

    Example:
        >>> run = model.batch(questions, record="run.json")
        >>> result = BatchRun.load("run.json").wait()
        >>> result.texts, result.errors, result.usd
    """

    def __init__(self, batches: Sequence[Batch], *, model: str, provider: Provider) -> None:
        """Wrap batches as the client gave them; `CustomModel.batch`, `get` and `load` do this for you."""
        self.raw = tuple(batches)
        """The batches as last seen, in the order of the inputs."""
        self.model = model
        """The model that is asked."""
        self.provider = provider
        """Where they run."""

    @classmethod
    def get(cls, ids: str | Sequence[str], *, provider: Provider | None = None) -> Self:
        """Take hold of a run by the ids of all its batches, in the order of the inputs.

        Raises:
            openai.NotFoundError: This provider (with this key) has no such batch.
        """
        place = provider or Provider.from_environment()
        return run(cls._get(place.blocking(), ids, place))

    @classmethod
    async def get_async(cls, ids: str | Sequence[str], *, provider: Provider | None = None) -> Self:
        """As `get`, without blocking."""
        place = provider or Provider.from_environment()
        return await cls._get(place.asynchronous(), ids, place)

    @classmethod
    async def _get(cls, gateway: Gateway, ids: str | Sequence[str], place: Provider) -> Self:
        wanted = [ids] if isinstance(ids, str) else list(ids)
        if not wanted:
            raise ValueError("there are no ids; pass those of the run's batches")
        batches = [await gateway.retrieve_batch(batch_id) for batch_id in wanted]
        told: object = (batches[0].metadata or {}).get(MODEL_KEY) or getattr(
            batches[0], "model", None
        )
        return cls(batches, model=str(told or "unknown"), provider=place)

    @classmethod
    def load(cls, path: str | os.PathLike[str], *, provider: Provider | None = None) -> Self:
        """Take hold of the run that `CustomModel.batch(..., record=path)` wrote down.

        Raises:
            FileNotFoundError: There is no such file.
            ValueError: The file is no record of a batch, or a later release wrote it.
            ProviderError: The run is at another place than this provider.
            openai.NotFoundError: This provider (with this key) has no such batch.
        """
        place = provider or Provider.from_environment()
        return run(cls._get(place.blocking(), _recorded_ids(path, place), place))

    @classmethod
    async def load_async(
        cls, path: str | os.PathLike[str], *, provider: Provider | None = None
    ) -> Self:
        """As `load`, without blocking."""
        place = provider or Provider.from_environment()
        return await cls._get(place.asynchronous(), _recorded_ids(path, place), place)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write down where the run is and its ids, whole or not at all; no key and no input is in it.

        Raises:
            OSError: The file cannot be written.
        """
        target = Path(path)
        content = {
            "batch_record": RECORD_VERSION,
            "provider": self.provider.kind,
            "base_url": _address(self.provider),
            "model": self.model,
            "ids": list(self.ids),
        }
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_name(f".{target.name}.part")
        part.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
        part.replace(target)

    @property
    def ids(self) -> tuple[str, ...]:
        """The provider's ids of the batches."""
        return tuple(batch.id for batch in self.raw)

    @property
    def status(self) -> str:
        """The state that all batches share, else `in_progress` until all have ended, then `mixed`."""
        states = {str(batch.status) for batch in self.raw}
        if len(states) == 1:
            return states.pop()
        return "mixed" if self.is_final else "in_progress"

    @property
    def is_final(self) -> bool:
        """Whether no batch will change any more."""
        return all(batch.status in ENDED for batch in self.raw)

    @property
    def counts(self) -> BatchCounts:
        """How many inputs are answered and have failed, as last seen."""
        counts = [batch.request_counts for batch in self.raw if batch.request_counts]
        return BatchCounts(
            total=sum(count.total or 0 for count in counts),
            completed=sum(count.completed or 0 for count in counts),
            failed=sum(count.failed or 0 for count in counts),
        )

    def refresh(self) -> Self:
        """Look at the batches again and return the run."""
        return run(self._refresh(self.provider.blocking()))

    async def refresh_async(self) -> Self:
        """As `refresh`, without blocking."""
        return await self._refresh(self.provider.asynchronous())

    async def _refresh(
        self, gateway: Gateway, *, patience: Callable[[], float] = lambda: READ_PATIENCE
    ) -> Self:
        self.raw = tuple(
            [
                batch
                if batch.status in ENDED
                else await gateway.retrieve_batch(batch.id, patience=patience())
                for batch in self.raw
            ]
        )
        return self

    def wait(
        self,
        *,
        timeout: float | None = None,
        poll_interval: float | None = None,
        progress: bool | None = None,
    ) -> MapResult:
        """Wait until every batch has ended and return the answers, in the order of the inputs.

        Inputs that failed, or that an expired or cancelled batch did not reach, are errors in their
        place; what was answered is kept. Outages of up to an hour are waited out. Ctrl-C and the
        deadline stop the wait, never the batches.

        Args:
            timeout: Seconds until the wait gives up; None waits as long as it takes.
            poll_interval: Seconds between two looks; None adapts, from a second to a minute.
            progress: False is silent, True always writes, None writes only to a terminal or notebook.

        Raises:
            BatchTimeoutError: The deadline passed; the batches go on.
            ValueError: A time makes no sense.
            openai.APIError: The service refused, or stayed out of reach for an hour.
        """
        return run(self._wait(self.provider.blocking(), timeout, poll_interval, progress))

    async def wait_async(
        self,
        *,
        timeout: float | None = None,
        poll_interval: float | None = None,
        progress: bool | None = None,
    ) -> MapResult:
        """As `wait`, without blocking."""
        return await self._wait(self.provider.asynchronous(), timeout, poll_interval, progress)

    async def _wait(
        self,
        gateway: Gateway,
        timeout: float | None,  # a deadline on the gateway's clock
        poll_interval: float | None,
        progress: bool | None,
    ) -> MapResult:
        if timeout is not None and not timeout >= 0:
            raise ValueError(f"timeout must be seconds from 0 upwards or None, not {timeout!r}")
        if poll_interval is not None and not 0 < poll_interval < float("inf"):
            raise ValueError(
                f"poll_interval must be seconds above 0 or None, not {poll_interval!r}"
            )
        start = gateway.now()
        end = float("inf") if timeout is None else start + timeout
        line = live_line(progress=progress)
        try:
            while True:
                await self._look(gateway, end, timeout)
                line.show(self._progress)
                if self.is_final:
                    return await self._results(gateway)
                left = end - gateway.now()
                if left <= 0:
                    raise self._late(timeout)
                pause = _pause(gateway.now() - start) if poll_interval is None else poll_interval
                await gateway.sleep(min(pause, left))
        except KeyboardInterrupt as interrupt:
            interrupt.add_note(f"Only the wait was interrupted. {self._way_back}")
            raise
        finally:
            line.close()

    async def _look(self, gateway: Gateway, end: float, timeout: float | None) -> None:
        def patience() -> float:
            return min(OUTAGE_PATIENCE, max(0.0, end - gateway.now()))

        try:
            await self._refresh(gateway, patience=patience)
        except CALL_ERRORS as error:
            if is_repeatable(error) and patience() < OUTAGE_PATIENCE:
                raise self._late(timeout) from error
            error.add_note(f"Only the wait has ended. {self._way_back}")
            raise

    def results(self) -> MapResult:
        """Look again and return what is answered so far; the rest are errors that say so."""
        return run(self._results_now(self.provider.blocking()))

    async def results_async(self) -> MapResult:
        """As `results`, without blocking."""
        return await self._results_now(self.provider.asynchronous())

    async def _results_now(self, gateway: Gateway) -> MapResult:
        await self._refresh(gateway)
        return await self._results(gateway)

    async def _results(self, gateway: Gateway) -> MapResult:
        return await read_results(gateway, self.raw, model=self.model, kind=self.provider.kind)

    def cancel(self) -> Self:
        """Stop every batch that has not ended and return the run.

        What was answered by then is billed, and `wait` gives it.
        """
        return run(self._cancel(self.provider.blocking()))

    async def cancel_async(self) -> Self:
        """As `cancel`, without blocking."""
        return await self._cancel(self.provider.asynchronous())

    async def _cancel(self, gateway: Gateway) -> Self:
        self.raw = tuple(
            [
                batch if batch.status in ENDED else await gateway.cancel_batch(batch.id)
                for batch in self.raw
            ]
        )
        return self

    @property
    def _progress(self) -> str:
        counts = self.counts
        done = counts.completed + counts.failed
        share = done / counts.total if counts.total else 0.0
        return f"{self.status}  {bar(share)}  {counts}"

    @property
    def _way_back(self) -> str:
        ids = repr(self.ids[0] if len(self.ids) == 1 else list(self.ids))
        return f"The batches go on; reattach with BatchRun.get({ids}).wait(), or stop them with .cancel()."

    def _late(self, timeout: float | None) -> BatchTimeoutError:
        return BatchTimeoutError(
            f"the run is still {self.status!r} after {timeout:g} s ({self.counts}). {self._way_back}",
            batch_ids=self.ids,
        )

    def __repr__(self) -> str:
        return f"BatchRun({list(self.ids)!r}, status={self.status!r}, model={self.model!r})"

    def _repr_html_(self) -> str:
        return html_text(f"{self!r}\n{self.counts}")


def _pause(waited: float) -> float:
    # A tenth of jitter keeps many waiting processes from asking in step.
    jitter = random.uniform(0.9, 1.1)  # noqa: S311
    return jitter * min(LONGEST_POLL, max(SHORTEST_POLL, POLL_SHARE * waited))


def _recorded_ids(path: str | os.PathLike[str], provider: Provider) -> list[str]:
    try:
        content: object = json.loads(Path(path).read_bytes())
    except ValueError:
        content = None
    record = cast("Mapping[str, object]", content if isinstance(content, dict) else {})
    version, ids = record.get("batch_record"), record.get("ids")
    if not isinstance(version, int) or not isinstance(ids, list):
        raise ValueError(f"{str(path)!r} is no record of a batch; batch(record=...) writes one")
    if version > RECORD_VERSION:
        raise ValueError(
            f"{str(path)!r} has version {version}; this release reads up to {RECORD_VERSION}. "
            "Upgrade gpt4o-tune to read it"
        )
    if (record.get("provider"), record.get("base_url")) != (provider.kind, _address(provider)):
        raise ProviderError(
            f"this run is at {record.get('base_url')} ({record.get('provider')}), not at "
            f"{provider.base_url} ({provider.kind}); pass that provider"
        )
    return [str(batch_id) for batch_id in cast("list[object]", ids)]


def _address(provider: Provider) -> str:
    """Return the address without what may stand before its host or in its query."""
    address = urlsplit(provider.base_url)
    return f"{address.scheme}://{address.netloc.rpartition('@')[2]}{address.path}"
