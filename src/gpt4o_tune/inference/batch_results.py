"""What batches came to: an answer or an error for each input, in the order of the inputs."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, cast

from gpt4o_tune import catalog
from gpt4o_tune._gateway import CALL_ERRORS
from gpt4o_tune.errors import ProviderError
from gpt4o_tune.inference.batch_files import row_of
from gpt4o_tune.inference.batch_submitting import ENDED, FIRST_KEY, ROWS_KEY
from gpt4o_tune.inference.end_dates import is_base
from gpt4o_tune.inference.results import MapAnswer, MapResult
from gpt4o_tune.inference.usage import Tariff, tariff

if TYPE_CHECKING:
    from collections.abc import Iterator

    from openai.types import Batch

    from gpt4o_tune._gateway import Gateway
    from gpt4o_tune.catalog import Offer, ProviderKind

__all__ = ["batch_tariff", "read_results"]

log = logging.getLogger("gpt4o_tune")


def batch_tariff(name: str, kind: ProviderKind) -> Tariff:
    """Return the prices of a model through the Batch API; None where no source gives one."""
    if kind == "local":
        return tariff(name, kind)
    model = catalog.load().find(name)
    offer = model.offer(kind) if model is not None else None
    if (
        offer is None
        or is_base(name)
        or offer.batch_input_usd is None
        or offer.batch_output_usd is None
    ):
        return Tariff(
            input_usd=None,
            cached_input_usd=None,
            output_usd=None,
            as_of=None if offer is None else offer.as_of,
            basis=f"The catalog has no batch price of {name!r} for provider {kind!r}.",
        )
    return Tariff(
        input_usd=offer.batch_input_usd,
        cached_input_usd=offer.batch_cached_input_usd,
        output_usd=offer.batch_output_usd,
        as_of=offer.as_of,
        basis=(
            f"Batch price of {name}: list of {catalog.load().service(kind).title} as of "
            f"{offer.as_of}, per 1M tokens ${offer.batch_input_usd:g} input, {_cached(offer)}, "
            f"${offer.batch_output_usd:g} output."
        ),
    )


def _cached(offer: Offer) -> str:
    price = offer.batch_cached_input_usd
    return "cached input counted in full" if price is None else f"${price:g} cached input"


async def read_results(
    gateway: Gateway, batches: Sequence[Batch], *, model: str, kind: ProviderKind
) -> MapResult:
    """Read the output and error files of batches; what is not answered says why.

    Raises:
        ProviderError: A batch was not made by this library.
        openai.APIError: A file could not be read.
    """
    prices = batch_tariff(model, kind)
    answers: dict[int, MapAnswer] = {}
    for batch in batches:
        found: dict[int, MapAnswer] = {}
        gone = is_foreign = False
        # Answers last, so that one counts where a row stands in both files.
        for file_id in (batch.error_file_id, batch.output_file_id):
            if not file_id:
                continue
            content = await _content(gateway, file_id)
            gone = gone or content is None
            for line in _lines(content or b"", batch.id):
                answer = _answer(line, model=model, prices=prices)
                if answer is not None:
                    found[answer.row] = answer
                is_foreign = is_foreign or answer is None
        if is_foreign:
            raise ProviderError(
                f"batch {batch.id!r} holds requests that this library did not name, so their order is "
                "not known; Dataset.read reads its files as rows"
            )
        for row in _rows(batch, found, first=max(answers, default=-1) + 1):
            answers[row] = found.get(row) or MapAnswer(row=row, error=_reason(batch, gone=gone))
    return MapResult(
        answers=tuple(answers[row] for row in sorted(answers)),
        model=model,
        seconds=_seconds(batches),
        refused_requests=0,
        stopped="; ".join(f"{b.id} {b.status}" for b in batches if b.status != "completed") or None,
    )


async def _content(gateway: Gateway, file_id: str) -> bytes | None:
    try:
        return await gateway.download(file_id)
    except CALL_ERRORS as error:
        if getattr(error, "status_code", None) == 404:
            return None
        raise


def _lines(content: bytes, batch_id: str) -> Iterator[Mapping[str, object]]:
    for number, line in enumerate(content.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            entry: object = json.loads(line)
        except ValueError:
            entry = None
        if isinstance(entry, dict):
            yield cast("Mapping[str, object]", entry)
        else:
            log.warning(
                "line %d of a file of batch %s is no JSON object; left out", number, batch_id
            )


def _rows(batch: Batch, found: Mapping[int, MapAnswer], *, first: int) -> Sequence[int]:
    """Return the numbers of the batch's inputs: from `first` on, where its metadata was not kept."""
    told = batch.metadata or {}
    begin, rows = told.get(FIRST_KEY, ""), told.get(ROWS_KEY, "")
    if begin.isdecimal() and rows.isdecimal():
        return range(int(begin), int(begin) + int(rows))
    total = (batch.request_counts.total if batch.request_counts else 0) or 0
    return sorted({*found, *range(first, first + total)})


def _answer(line: Mapping[str, object], *, model: str, prices: Tariff) -> MapAnswer | None:
    row = row_of(line.get("custom_id"))
    if row is None:
        return None
    response = _object(line.get("response"))
    body = _object(response.get("body"))
    status = response.get("status_code")
    choices = body.get("choices")
    if status != 200 or not isinstance(choices, list) or not choices:
        return MapAnswer(row=row, error=_fault(line, body, status), attempts=1)
    choice = _object(cast("Sequence[object]", choices)[0])
    message = _object(choice.get("message"))
    text, reason = message.get("content"), choice.get("finish_reason")
    return MapAnswer(
        row=row,
        text=text if isinstance(text, str) else None,
        message=message,
        finish_reason=reason if isinstance(reason, str) else None,
        model=model,
        usage=prices.usage(body.get("usage")),
        attempts=1,
    )


def _fault(line: Mapping[str, object], body: Mapping[str, object], status: object) -> str:
    """Return the service's reason from wherever it stands."""
    for place in (line.get("error"), body.get("error")):
        error = _object(place)
        words = [str(error[key]) for key in ("code", "message") if error.get(key)]
        if words:
            return ": ".join(words)
    return f"the request failed with status {status}" if status else "the service gave no reason"


def _reason(batch: Batch, *, gone: bool) -> str:
    """Say why a row stands in no file of its batch."""
    if gone:
        return (
            f"a file of batch {batch.id} is gone, deleted or expired; batch(..., if_exists='new') "
            "asks again"
        )
    if batch.status == "failed":
        errors = (batch.errors.data if batch.errors else None) or []
        words = [f"{e.code or 'error'}: {e.message}" for e in errors]
        return "; ".join(words[:3]) or f"batch {batch.id} failed without a reason"
    if batch.status in ENDED:
        return f"batch {batch.id} is {batch.status}, and this input was not answered in it"
    return f"not answered yet: batch {batch.id} is {batch.status}"


def _seconds(batches: Sequence[Batch]) -> float:
    """Return the seconds from the first creation to the last end, 0 where the service tells none."""
    ends = [
        b.completed_at or b.expired_at or b.cancelled_at or b.failed_at or b.created_at or 0
        for b in batches
    ]
    return float(
        max(0, max(ends, default=0) - min((b.created_at or 0 for b in batches), default=0))
    )


def _object(value: object) -> Mapping[str, object]:
    return cast("Mapping[str, object]", value if isinstance(value, Mapping) else {})
