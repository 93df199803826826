"""How well the local server's built-in engine learns, at what cost, and when it overfits.

    python benchmarks/tiny_engine.py --seeds 0 1 2

About four CPU minutes. Every training run has a process of its own, so that its CPU seconds and
peak memory are its own too. The baseline needs scikit-learn, everything else the extra `local`.
The figures stand on the page docs/design/tiny-engine.md.
"""

from __future__ import annotations

import argparse
import json
import math
import multiprocessing
import os
import statistics
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # read when numpy is imported; children inherit it

from gpt4o_tune import Dataset
from gpt4o_tune.evaluation import ExactMatch, Grader, Item, JsonMatch, Sample, ValidJson

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from gpt4o_tune.local.engines import Step, Update

Value = TypeVar("Value")

HERE = Path(__file__).parent
TICKETS = HERE.parent / "examples" / "data"
BASE = "gpt-4o-2024-08-06"
SMALL = 30
"""Rows of the run that is meant to overfit; of the intents, three of each."""
SMALL_EPOCHS = 30
SHOWN_EPOCHS = (1, 2, 4, 6, 8, 10, 15, 20, 30)


@dataclass(frozen=True)
class Task:
    """Rows to learn, rows to ask, and what counts as right."""

    name: str
    train: Dataset
    heldout: Dataset
    grader: Grader
    json: bool


@dataclass(frozen=True)
class Result:
    """One training run and its answers to the held-out rows."""

    steps: int
    weights: int
    right: float
    """Share of the held-out rows."""
    valid_json: float
    """Share of the held-out rows."""
    cpu_s: float
    wall_s: float
    answer_ms: float
    """CPU milliseconds an answer."""
    peak_mib: float


@dataclass(frozen=True)
class Epoch:
    """Losses in nats per token, and the share of answers' tokens that come out right."""

    train_loss: float
    valid_loss: float
    valid_accuracy: float

    @classmethod
    def of(cls, losses: Sequence[float], end: Step) -> Epoch:
        """Sum up the training losses of an epoch and the full validation at its end."""
        return cls(
            train_loss=statistics.mean(losses),
            valid_loss=end.full_valid_loss or math.nan,
            valid_accuracy=end.full_valid_mean_token_accuracy or math.nan,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the built-in engine.")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    seeds: list[int] = parser.parse_args().seeds
    tasks = [intents(), intents_as_json(), tickets()]
    print("Tiny engine, every hyperparameter left to auto")
    print_results(tasks, seeds)
    print("\nTF-IDF and logistic regression, shares right")
    print_baseline(tasks)
    print(
        f"\n{SMALL} rows for {SMALL_EPOCHS} epochs: mean training loss / validation loss / token accuracy"
    )
    for task in (tasks[0], tasks[2]):
        print_overfitting(task, seeds)
    print("\nThrough the local server, with FineTuneJob and CustomModel")
    print_served(tasks[0], seeds[0])


def intents() -> Task:
    """Ten intents of a mobile wallet: the answer is a label."""
    return Task(
        "intent",
        Dataset.from_jsonl(HERE / "data" / "intents.jsonl"),
        Dataset.from_jsonl(HERE / "data" / "intents_heldout.jsonl"),
        ExactMatch(),
        json=False,
    )


def intents_as_json() -> Task:
    """The same messages: the answer is a JSON object that names intent, team and urgency."""
    teams = json.loads((HERE / "data" / "teams.json").read_text())

    def reworded(labels: Dataset) -> Dataset:
        records: list[dict[str, object]] = []
        for asked, label in exchanges(labels):
            answer = json.dumps({"intent": label, **teams[label]})
            records.append({"messages": [*asked, {"role": "assistant", "content": answer}]})
        return Dataset.from_records(records)

    plain = intents()
    return Task(
        "intent, as JSON", reworded(plain.train), reworded(plain.heldout), JsonMatch(), json=True
    )


def tickets() -> Task:
    """The tickets of the quickstart, cleaned as there: JSON, of which the queue has to be right."""
    rows = Dataset.from_jsonl(TICKETS / "tickets.jsonl")
    report = rows.check(model=BASE)
    wrong = [p for p in report.problems if p.code in ("too-long", "conflicting-answers")]
    train = rows.drop([*report.errors, *wrong]).deduplicate(near=True)
    heldout = Dataset.from_jsonl(TICKETS / "tickets_heldout.jsonl")
    heldout = heldout.drop(heldout.overlap(train).rows)
    return Task("ticket queue, in JSON", train, heldout, JsonMatch(fields=["queue"]), json=True)


def exchanges(dataset: Dataset) -> Iterator[tuple[list[dict[str, Any]], str]]:
    """Yield the messages of each row that ask, and the text that answers."""
    for record in dataset.records():
        messages: Any = record["messages"]
        yield messages[:-1], messages[-1]["content"]


def print_results(tasks: list[Task], seeds: list[int]) -> None:
    print(
        f"{'task':22} {'rows':>5} {'asked':>5} {'seed':>4} {'right':>6} {'valid JSON':>10} {'steps':>6} "
        f"{'weights':>9} {'CPU s':>6} {'wall s':>6} {'ms/answer':>9} {'peak MiB':>8}"
    )
    for task in tasks:
        shares: list[float] = []
        for seed in seeds:
            result = in_new_process(learn_and_answer, task, seed)
            shares.append(result.right)
            valid = f"{result.valid_json:10.1%}" if task.json else f"{'':10}"
            print(
                f"{task.name:22} {len(task.train):5} {len(task.heldout):5} {seed:4} {result.right:6.1%} "
                f"{valid} {result.steps:6} {result.weights:9,} {result.cpu_s:6.1f} {result.wall_s:6.1f} "
                f"{result.answer_ms:9.1f} {result.peak_mib:8.0f}",
                flush=True,
            )
        print(f"{task.name:22} mean of {len(seeds)}: {statistics.mean(shares):.1%}")


def learn_and_answer(task: Task, seed: int) -> Result:
    from gpt4o_tune.local.engines import Checkpoint, Resolved
    from gpt4o_tune.local.engines.tiny import TinyEngine

    with tempfile.TemporaryDirectory() as folder:
        cpu, wall = time.process_time(), time.perf_counter()
        updates = list(updates_of(task.train, None, Path(folder), seed=seed, epochs="auto"))
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
        plan = next(update for update in updates if isinstance(update, Resolved))
        last = [update for update in updates if isinstance(update, Checkpoint)][-1]
        model = TinyEngine().load(last.directory)
    begun = time.process_time()
    passed: list[bool] = []
    valid: list[bool] = []
    for asked, wanted in exchanges(task.heldout):
        text = "".join(token.text for token in model.generate(asked, temperature=0))
        item = Item(wanted, row={})
        passed.append(task.grader.grade(Sample(text), item).passed is True)
        valid.append(ValidJson().grade(Sample(text), item).passed is True)
    return Result(
        steps=plan.total_steps,
        weights=plan.parameters,
        right=statistics.mean(passed),
        valid_json=statistics.mean(valid),
        cpu_s=cpu,
        wall_s=wall,
        answer_ms=1000 * (time.process_time() - begun) / len(passed),
        peak_mib=peak_mib(),
    )


def peak_mib() -> float:
    """Largest resident size of this process so far; not a number where the system is not Linux.

    `resource.getrusage` would do on every Unix, but counts the parent's size before the spawn too.
    """
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.exists() else []
    return next((int(line.split()[1]) / 2**10 for line in lines if "VmHWM" in line), math.nan)


def print_overfitting(task: Task, seeds: list[int]) -> None:
    print(f"{task.name:22}", *(f"{f'epoch {epoch}':^18}" for epoch in SHOWN_EPOCHS))
    for seed in seeds:
        curve = in_new_process(overfit, task, seed)
        cells = [curve[epoch - 1] for epoch in SHOWN_EPOCHS]
        row = (f"{c.train_loss:5.3f}/{c.valid_loss:5.3f}/{c.valid_accuracy:6.1%}" for c in cells)
        print(f"{f'seed {seed}':22}", *row)
        losses = [epoch.valid_loss for epoch in curve]
        low = min(losses)
        print(
            f"{'':22} lowest {low:.3f} after epoch {losses.index(low) + 1}, at the end {losses[-1]:.3f}: "
            f"{losses[-1] / low:.2f} times as high"
        )


def overfit(task: Task, seed: int) -> list[Epoch]:
    from gpt4o_tune.local.engines import Checkpoint, Step

    curve: list[Epoch] = []
    losses: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        for update in updates_of(
            task.train[:SMALL], task.heldout, Path(folder), seed=seed, epochs=SMALL_EPOCHS
        ):
            match update:
                case Step():
                    losses.append(update.train_loss)
                case Checkpoint():
                    curve.append(Epoch.of(losses, update.metrics))
                    losses = []
                case _:
                    pass
    return curve


def updates_of(
    train: Dataset,
    validation: Dataset | None,
    folder: Path,
    *,
    seed: int,
    epochs: int | Literal["auto"],
) -> Iterator[Update]:
    from gpt4o_tune.local.engines import Hyperparameters, TrainingSpec
    from gpt4o_tune.local.engines.tiny import TinyEngine

    spec = TrainingSpec(
        training_file=train.to_jsonl(folder / "train.jsonl"),
        validation_file=validation.to_jsonl(folder / "valid.jsonl") if validation else None,
        output_dir=folder / "out",
        hyperparameters=Hyperparameters(n_epochs=epochs),
        seed=seed,
    )
    return TinyEngine().train(spec)


def print_baseline(tasks: list[Task]) -> None:
    try:
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline, make_union
    except ImportError:
        print("not installed: pip install scikit-learn")
        return
    words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)
    pieces = TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 5), sublinear_tf=True)
    features = {"words": words, "words and pieces of them": make_union(words, pieces)}
    print(f"{'task':22} {'features':26} {'right':>6} {'CPU s':>6}")
    for task in tasks:
        for name, vectors in features.items():
            classifier = make_pipeline(vectors, LogisticRegression(C=10, max_iter=1000))
            begun = time.process_time()
            classifier.fit(*questions_and_labels(task.train))
            cpu = time.process_time() - begun
            right = classifier.score(*questions_and_labels(task.heldout))
            print(f"{task.name:22} {name:26} {right:6.1%} {cpu:6.1f}")


def questions_and_labels(dataset: Dataset) -> tuple[list[str], list[str]]:
    """What the baseline sees: the last question, and the one field that has to be right."""
    questions: list[str] = []
    labels: list[str] = []
    for asked, answer in exchanges(dataset):
        questions.append(asked[-1]["content"])
        fields = json.loads(answer) if answer.startswith("{") else {"intent": answer}
        labels.append(fields.get("intent") or fields["queue"])
    return questions, labels


def print_served(task: Task, seed: int) -> None:
    from gpt4o_tune import FineTuneJob, LocalServer

    with LocalServer() as server:
        begun = time.perf_counter()
        job = FineTuneJob.create(task.train, provider=server.provider, model=BASE, seed=seed)
        model = job.wait(progress=False)
        trained = time.perf_counter() - begun
        comparison = model.compare(task.heldout, against=BASE, grader=task.grader, progress=False)
        asked = time.perf_counter() - begun - trained
    right = comparison.candidates[model.name].accuracy
    print(
        f"{task.name}, seed {seed}: {right:.1%} right; {trained:.1f} s wall from upload to model, "
        f"{asked:.1f} s for {2 * len(task.heldout)} answers of custom and base model"
    )


def in_new_process(function: Callable[[Task, int], Value], task: Task, seed: int) -> Value:
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(max_workers=1, mp_context=context) as process:
        return process.submit(function, task, seed).result()


if __name__ == "__main__":
    main()
