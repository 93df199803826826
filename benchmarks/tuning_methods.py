"""What the built-in engine learns from preferences and from rewards, beside where it started.

    python benchmarks/tuning_methods.py --seeds 0 1 2

About three CPU minutes. Every question of the intents is answered by naming the team that it goes to, in
one of two ways, and one of the ways, the house voice, is preferred or rewarded. Every seed has a process of
its own. The figures stand on the page docs/design/tiny-engine.md.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # read when numpy is imported; children inherit it

from gpt4o_tune import Dataset

if TYPE_CHECKING:
    from gpt4o_tune.catalog import Method
    from gpt4o_tune.local.engines import Hyperparameters, Step

DATA = Path(__file__).parent / "data"
GRADER = {
    "type": "string_check",
    "name": "voice",
    "input": "{{sample.output_text}}",
    "reference": "{{item.wanted}}",
    "operation": "eq",
}


@dataclass(frozen=True)
class Question:
    """A customer's message and the team that it goes to."""

    text: str
    team: str

    @property
    def preferred(self) -> str:
        """The answer in the house voice."""
        return f"Thanks for reaching out! The {self.team} team will gladly help."

    @property
    def other(self) -> str:
        """The answer without it."""
        return f"This is a case for the {self.team} team."

    @property
    def prompt(self) -> list[dict[str, str]]:
        """The conversation to answer."""
        return [{"role": "user", "content": self.text}]

    def chat(self, answer: str) -> dict[str, object]:
        """A supervised row."""
        return {"messages": [*self.prompt, {"role": "assistant", "content": answer}]}

    def pair(self) -> dict[str, object]:
        """A preference row."""
        return {
            "input": {"messages": self.prompt},
            "preferred_output": [{"role": "assistant", "content": self.preferred}],
            "non_preferred_output": [{"role": "assistant", "content": self.other}],
        }

    def rewarded(self) -> dict[str, object]:
        """A reinforcement row."""
        return {"messages": self.prompt, "wanted": self.preferred}


@dataclass(frozen=True)
class Trained:
    """A model on disk, the first and the last step of its run, and what it cost."""

    directory: Path
    first: Step
    last: Step
    steps: int
    cpu_s: float


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure preferences and rewards.")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    seeds: list[int] = parser.parse_args().seeds
    print(
        f"{'model':34} {'seed':>4} {'steps':>5} {'CPU s':>6} {'voice':>7} {'right':>7} "
        f"{'voice, t 0':>10} {'right, t 0':>10}  measured on held-out rows"
    )
    context = multiprocessing.get_context("spawn")
    for seed in seeds:
        with ProcessPoolExecutor(max_workers=1, mp_context=context) as process:
            process.submit(measure, seed).result()


def measure(seed: int) -> None:
    """Train every way with a seed, on thirds of the questions, and ask the held-out ones."""
    rows, heldout = read("intents.jsonl"), read("intents_heldout.jsonl")
    first, second = rows[::3], rows[1::3]
    both = [row.chat(answer) for row in first for answer in (row.preferred, row.other)]
    pairs = [row.pair() for row in second]
    valid = [row.pair() for row in heldout]
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        start = train(place / "start", "supervised", both, seed=seed)
        show("start: supervised, either way", seed, start, heldout)
        for name, settings in {
            "dpo from the start": {},
            "the same, ten epochs": {"n_epochs": 10},
            "dpo from an untrained base": {"base": None},
        }.items():
            model = train(
                place / name,
                "dpo",
                pairs,
                valid,
                **{"seed": seed, "base": start.directory, **settings},
            )
            show(name, seed, model, heldout)
        model = train(
            place / "rewards",
            "reinforcement",
            [row.rewarded() for row in second],
            [row.rewarded() for row in heldout],
            seed=seed,
            base=start.directory,
        )
        show("reinforcement from the start", seed, model, heldout)


def read(name: str) -> list[Question]:
    teams = json.loads((DATA / "teams.json").read_text())
    records: list[Any] = [*Dataset.from_jsonl(DATA / name).records()]
    return [
        Question(
            record["messages"][-2]["content"], teams[record["messages"][-1]["content"]]["team"]
        )
        for record in records
    ]


def train(
    folder: Path,
    method: Method,
    rows: list[dict[str, object]],
    valid: list[dict[str, object]] | None = None,
    *,
    seed: int,
    base: Path | None = None,
    n_epochs: int | None = None,
) -> Trained:
    from gpt4o_tune.local.engines import Checkpoint, Hyperparameters, Step, TrainingSpec
    from gpt4o_tune.local.engines.tiny import TinyEngine
    from gpt4o_tune.local.rewards import make_grading

    folder.mkdir()
    hyperparameters: Hyperparameters = Hyperparameters(n_epochs=n_epochs or "auto")
    spec = TrainingSpec(
        training_file=Dataset.from_records(rows).to_jsonl(folder / "train.jsonl"),
        validation_file=Dataset.from_records(valid).to_jsonl(folder / "valid.jsonl")
        if valid
        else None,
        output_dir=folder / "out",
        hyperparameters=hyperparameters,
        seed=seed,
        base_dir=base,
        method=method,
        grading=make_grading(GRADER, has_json=False) if method == "reinforcement" else None,
    )
    begun = time.process_time()
    updates = [*TinyEngine().train(spec)]
    steps = [update for update in updates if isinstance(update, Step)]
    last = [update for update in updates if isinstance(update, Checkpoint)][-1]
    return Trained(last.directory, steps[0], steps[-1], len(steps), time.process_time() - begun)


def show(name: str, seed: int, trained: Trained, heldout: list[Question]) -> None:
    from gpt4o_tune.local.engines.tiny import TinyEngine

    model = TinyEngine().load(trained.directory)
    cells: list[str] = []
    for temperature in (1.0, 0.0):
        voice = right = 0
        for number, row in enumerate(heldout):
            tokens = model.generate(row.prompt, temperature=temperature, seed=number, max_tokens=60)
            answer = "".join(token.text for token in tokens)
            voice += answer.startswith("Thanks for reaching out!")
            right += answer in (row.preferred, row.other)
        cells += [f"{voice / len(heldout):7.1%}", f"{right / len(heldout):7.1%}"]
    measured = {
        name.removeprefix("full_valid_"): round(value, 2)
        for name, value in trained.last.rewards.items()
        if name.startswith("full_valid")
    }
    print(
        f"{name:34} {seed:4} {trained.steps:5} {trained.cpu_s:6.1f} {cells[0]} {cells[1]} "
        f"{cells[2]:>10} {cells[3]:>10}  {measured or ''}",
        flush=True,
    )


if __name__ == "__main__":
    main()
