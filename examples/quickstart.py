"""From a file of support tickets to a model that routes them, on your own machine.

No account, no key, no network: the local server trains a small stand-in for GPT-4o. With a key, change one
line (`provider = ...`) and the same program trains the real one.

    pip install 'gpt4o-tune[local]'
    python examples/quickstart.py
"""

from __future__ import annotations

import sys
import textwrap
from pathlib import Path

from gpt4o_tune import CustomModel, Dataset, FineTuneJob, JsonMatch, LocalServer, ValidJson
from gpt4o_tune.evaluation import Item, Sample

DATA = Path(__file__).parent / "data"
BASE = "gpt-4o-2024-08-06"
NEW_QUESTIONS = (
    "Hi, the parcel was supposed to come on Tuesday and the tracking page has not moved since.",
    "There are sparks coming out of the leaf blower whenever I press the button!!",
    "Why did you take 49.90 from my card twice this month? I want one of them back.",
)


def main() -> None:
    heading("1. Check: every fault with its line, before anything is uploaded")
    tickets = Dataset.from_jsonl(DATA / "tickets.jsonl")
    report = tickets.check(model=BASE)
    print(report)

    heading("2. Clean: drop what cannot be used, and rows that say the same twice")
    tickets = clean(tickets)

    heading("3. Count and price: what it would cost, before a cent is spent")
    print(tickets.tokens(model=BASE))
    print(f"\nTraining {BASE} on them at OpenAI:\n{tickets.cost(model=BASE)}")
    print(f"\nA cheaper one:\n{tickets.cost(model='gpt-4o-mini-2024-07-18').summary}")

    heading("4. Split: near-duplicates never stand on both sides")
    train, validation = tickets.split(validation=0.1, seed=7)
    print(f"{len(train)} rows to learn from, {len(validation)} to watch for overfitting.")
    heldout = clean_heldout(Dataset.from_jsonl(DATA / "tickets_heldout.jsonl"), train, validation)

    with LocalServer() as server:
        provider = server.provider  # with an account: provider = Provider.openai()

        heading("5. Train: one job, however the network behaves")
        plan = FineTuneJob.plan(train, validation, provider=provider, suffix="tickets", seed=7)
        print(plan, end="\n\n")
        job = FineTuneJob.launch(plan)
        model = job.wait(progress=True)
        print(f"\nThe job made {model.name}")
        print(textwrap.fill(f"Its log begins: {job.events()[0].message}", 100))

        heading("6. Watch: loss curves, measured and not invented")
        print(job.metrics())

        heading("7. Prove: base and custom model on rows that neither has seen")
        prove(model, heldout)

        heading("8. Use: three new questions")
        for question in NEW_QUESTIONS:
            print(f"\n> {question}\n  {model.ask(question, temperature=0)}")


def clean(tickets: Dataset) -> Dataset:
    """Leave out rows with errors, rows too long to train on whole, contradictions and repetitions."""
    report = tickets.check(model=BASE)
    wrong = [p for p in report.problems if p.code in ("too-long", "conflicting-answers")]
    sound = tickets.drop([*report.errors, *wrong])
    distinct = sound.deduplicate(near=True)
    print(
        f"{len(tickets) - len(sound)} rows with faults and {len(sound) - len(distinct)} repetitions left out."
    )
    print(f"{len(distinct)} of {len(tickets)} rows remain. The file itself is untouched.")
    return distinct


def clean_heldout(heldout: Dataset, *known: Dataset) -> Dataset:
    """Leave out held-out rows that the model will have seen, exactly or nearly."""
    for rows in known:
        seen = heldout.overlap(rows)
        for row in seen.rows:
            print(
                f"Held-out row {row} ({seen.kind[row]} match) also stands among the tickets: left out."
            )
        heldout = heldout.drop(seen.rows)
    print(f"{len(heldout)} held-out rows are truly new.")
    return heldout


def prove(model: CustomModel, heldout: Dataset) -> None:
    """Ask both models all held-out tickets: is the queue right, which decides where a ticket goes?"""
    comparison = model.compare(
        heldout, against=BASE, grader=JsonMatch(fields=["queue"]), progress=True
    )
    print(comparison)
    custom = comparison.candidates[model.name]
    valid = sum(
        ValidJson().grade(Sample(a.text or ""), Item("", {})).passed is True for a in custom.answers
    )
    print(
        f"\n{valid} of {len(heldout)} answers of the custom model are valid JSON. Three that went wrong:"
    )
    wrong = [row for row, grade in enumerate(custom.grades) if not grade.passed]
    for row in wrong[:3]:
        question = heldout[row].messages[1].content
        print(f"\n> {textwrap.shorten(str(question), 96, placeholder=' …')}")
        print(f"  wanted {comparison.references[row]}")
        print(f"  given  {custom.answers[row].text}")
    print()
    print(
        textwrap.fill(
            "A small model learns a format at once and topics in part; what a message means beyond its "
            "words is what the real GPT-4o brings. Give this program a provider with a key to see it.",
            100,
        )
    )


def heading(text: str) -> None:
    print(f"\n\n{text}\n{'═' * len(text)}\n")


if __name__ == "__main__":
    sys.exit(main())
