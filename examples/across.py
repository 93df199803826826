"""From one provider to another before the old one ends: record, train again, and show how close it comes.

No account, no key, no network: two local servers stand for the old and the new provider, and each trains a
small stand-in for GPT-4o. With keys, change two lines (`old_place = ...`, `new_place = ...`) and the same
program moves a real model.

    pip install 'gpt4o-tune[local]'
    python examples/across.py
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from gpt4o_tune import (
    Dataset,
    FineTuneJob,
    JsonMatch,
    LocalServer,
    Parity,
    Recording,
    parity,
    plan_retrain,
    retrain,
)

DATA = Path(__file__).parent / "data"
BASE = "gpt-4o-2024-08-06"
GRADER = JsonMatch(fields=["queue"])


def main(*, rows: int | None = None, asked: int | None = None, epochs: int = 4) -> Parity:
    """Go the whole way, and return how close the new model comes.

    Args:
        rows: How many tickets to train on; all that are sound where none is given.
        asked: How many held-out tickets to ask; all where none is given.
        epochs: Passes over the rows.
    """
    began = time.monotonic()
    with (
        tempfile.TemporaryDirectory() as folder,
        LocalServer() as old_server,
        LocalServer() as new_server,
    ):
        old_place = old_server.provider  # with an account: Provider.openai()
        new_place = new_server.provider  # with an account: Provider.azure(...)
        train, heldout = sound_rows(rows)
        # The rows as a file: what a run record can find again.
        train = Dataset.from_jsonl(train.to_jsonl(Path(folder, "train.jsonl")))

        heading("1. The old model, as it was trained once")
        record = Path(folder, "old.json")
        job = FineTuneJob.create(
            train,
            provider=old_place,
            model=BASE,
            suffix="tickets",
            seed=7,
            hyperparameters={"n_epochs": epochs, "batch_size": 8},
            record=record,
        )
        old = job.wait()
        print(f"{len(train)} rows made {old.name}")

        heading("2. Record it, while it still answers")
        old.record(heldout[:asked], path=Path(folder, "old.jsonl"), samples=3, max_tokens=60)
        recorded = Recording.load(Path(folder, "old.jsonl"))
        print(recorded)

        heading("3. Train the same again elsewhere: what is carried over, and the price")
        # Another service shares no randomness with the old one; another seed stands for that here.
        print(plan_retrain(record, provider=new_place, seed=8))
        new = retrain(record, provider=new_place, seed=8, record=Path(folder, "new.json")).wait()
        print(f"\nThe new model: {new.name}")

        heading("4. How close does it come?")
        found = parity(recorded, new, grader=GRADER, margin=0.1)
        print(found)

        heading("5. The control: the same seed on the same kind of server")
        twin = retrain(record, provider=new_place).wait()
        print(parity(recorded, twin, grader=GRADER, margin=0.1))
        print(f"\nall of it in {time.monotonic() - began:.0f} s")
        for place in (old_place, new_place):
            place.close()
        return found


def sound_rows(most: int | None) -> tuple[Dataset, Dataset]:
    """Leave out tickets with faults and repetitions, and held-out rows that stand among them."""
    tickets = Dataset.from_jsonl(DATA / "tickets.jsonl")
    report = tickets.check(model=BASE)
    wrong = [p for p in report.problems if p.code in ("too-long", "conflicting-answers")]
    train = tickets.drop([*report.errors, *wrong]).deduplicate(near=True)[:most]
    heldout = Dataset.from_jsonl(DATA / "tickets_heldout.jsonl")
    return train, heldout.drop(heldout.overlap(train).rows)


def heading(text: str) -> None:
    print(f"\n\n{text}\n{'═' * len(text)}\n")


if __name__ == "__main__":
    main()
