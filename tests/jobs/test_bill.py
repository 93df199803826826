"""The estimate beside the bill, and the best of the checkpoints."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
from typing import TYPE_CHECKING

import pytest

from gpt4o_tune import FineTuneJob
from gpt4o_tune.jobs import Bill
from gpt4o_tune.jobs.bill import Expected
from tests.jobs.conftest import LONG

if TYPE_CHECKING:
    from gpt4o_tune import Dataset, LocalServer


def test_the_bill_of_a_launched_job_meets_its_estimate(finished: FineTuneJob) -> None:
    """What was foreseen is what the server counts; own hardware costs nothing per token."""
    bill = finished.bill()

    assert bill.tokens == finished.trained_tokens
    assert bill.estimated_tokens == bill.tokens
    assert bill.difference_tokens == 0
    assert "difference  none" in str(bill)
    assert json.loads(json.dumps(bill.to_dict()))["tokens"] == bill.tokens


def test_a_job_taken_by_id_knows_no_estimate(finished: FineTuneJob, server: LocalServer) -> None:
    """The bill stands alone, and says where an estimate would have been kept."""
    bill = FineTuneJob.get(finished.id, provider=server.provider).bill()

    assert bill.tokens == finished.trained_tokens
    assert bill.estimated_tokens is None
    assert bill.difference_tokens is None
    assert "run record keeps the estimate" in str(bill)


def test_a_running_job_has_no_bill_yet(rows: Dataset, server: LocalServer) -> None:
    """The bill looks again, without blocking too, and says that nothing is reported."""
    job = FineTuneJob.create(
        rows, provider=server.provider, suffix="unbilled", hyperparameters=LONG
    )

    async def billed() -> Bill:
        try:
            return await job.bill_async()
        finally:
            await server.provider.close_async()

    bill = asyncio.run(billed())
    job.cancel()

    assert bill.tokens is None
    assert bill.usd is None
    assert bill.difference_usd is None
    assert "has not reported trained tokens" in str(bill)


@pytest.mark.parametrize(
    ("estimated", "usd", "words"),
    [
        (1_000_000, 25.0, "difference  none"),
        (800_000, 20.0, "+200,000 tokens (+25.0%), +$5.00"),
        (1_250_000, 31.25, "-250,000 tokens (-20.0%), -$6.25"),
    ],
)
def test_a_difference_is_told_in_tokens_share_and_dollars(
    estimated: int, usd: float, words: str
) -> None:
    """A price per token and two counts make a sentence."""
    bill = Bill(
        job_id="ftjob-1",
        tokens=1_000_000,
        usd=25.0,
        training_usd=25.0,
        as_of=dt.date(2026, 11, 1),
        estimated_tokens=estimated,
        estimated_usd=usd,
    )

    assert words in str(bill)
    assert "1,000,000 tokens, $25.00 at $25.00 per 1M (list price as of 2026-11-01)" in str(bill)


def test_the_catalogs_price_makes_the_amount(finished: FineTuneJob) -> None:
    """The same job at OpenAI would be billed by OpenAI's price per million tokens."""
    tokens = finished.trained_tokens
    assert tokens

    bill = Bill.of(finished.raw, kind="openai", expected=Expected(tokens=tokens, usd=None))

    assert bill.training_usd
    assert bill.usd == pytest.approx(tokens * bill.training_usd / 1e6)
    assert bill.difference_usd is None


def test_the_best_checkpoint_has_the_lowest_full_validation_loss(finished: FineTuneJob) -> None:
    """It is the first of the ranked list, on both faces."""
    best = finished.best_checkpoint()
    measured = [row for row in finished.metrics() if row.full_valid_loss is not None]

    async def again() -> object:
        try:
            return await finished.best_checkpoint_async()
        finally:
            await finished.provider.close_async()

    assert best is not None
    assert best == finished.checkpoints()[0] == asyncio.run(again())
    assert best.step == min(measured, key=lambda row: row.full_valid_loss or 0.0).step


def test_a_job_without_checkpoints_has_no_best(rows: Dataset, server: LocalServer) -> None:
    """None, not an error."""
    job = FineTuneJob.create(rows, provider=server.provider, suffix="no-best", hyperparameters=LONG)

    assert job.cancel().best_checkpoint() is None
