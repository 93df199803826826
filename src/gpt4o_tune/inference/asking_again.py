"""`parity`: ask the new model what the old one was asked, and hold the answers against each other."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias

from gpt4o_tune._drive import run
from gpt4o_tune.data import Dataset
from gpt4o_tune.evaluation import Parity, Recording
from gpt4o_tune.evaluation.parity import judge
from gpt4o_tune.inference.model import CustomModel

if TYPE_CHECKING:
    import os

    from gpt4o_tune.evaluation import Grader

__all__ = ["Prompts", "parity", "parity_async"]

Prompts: TypeAlias = Dataset | Iterable[str | Sequence[Mapping[str, object]]]
_Ask: TypeAlias = Callable[[CustomModel, Prompts | Recording], Awaitable[Recording]]


def parity(
    old: Recording | CustomModel,
    new: Recording | CustomModel,
    recorded: Recording | Prompts | None = None,
    *,
    grader: Grader | None = None,
    margin: float = 0.05,
    seed: int = 0,
    path: str | os.PathLike[str] | None = None,
    at_once: int = 8,
    progress: bool | None = None,
) -> Parity:
    """Say whether a new model answers as an old one did, and is as good.

    Where the prompts have reference answers, both are graded and the verdict is on the paired difference:
    equivalent where two one-sided tests place it within the margin. Without references it is on agreement, held
    against how far the old model agrees with itself. The page "Statistics" of the documentation says how.

    Args:
        old: What the old model answered; or that model, with its recording or prompts in `recorded`.
        new: The new model, which is asked the same prompts with the same parameters; or what it answered.
        recorded: Needed only where `old` is a model: its recording, or prompts that it still answers.
        grader: Judge of an answer against the reference of its row; the reference itself where none is given.
            One that asks a model or runs a program goes through `equip` first.
        margin: The largest difference that does not matter: 0.05 is five points.
        seed: Seed of the resampling.
        path: A file for the recording of the new model.
        at_once: Calls in flight at the same time.
        progress: False is silent, True always writes, None writes only to a terminal or notebook.

    Example:
        >>> old = Recording.load("old.jsonl")
        >>> print(parity(old, new_model, margin=0.03))

    Raises:
        DatasetError: The prompts differ, or nothing can be compared.
        GraderError: The grader could judge no answer at all, or needs something.
        ValueError: The recording is not the old model's, or a number makes no sense.
    """

    async def ask(model: CustomModel, prompts: Prompts | Recording) -> Recording:
        target = path if model is new else None
        return model.record(prompts, path=target, at_once=at_once, progress=progress)

    return run(_parity(ask, old, new, recorded, grader, margin, seed))


async def parity_async(
    old: Recording | CustomModel,
    new: Recording | CustomModel,
    recorded: Recording | Prompts | None = None,
    *,
    grader: Grader | None = None,
    margin: float = 0.05,
    seed: int = 0,
    path: str | os.PathLike[str] | None = None,
    at_once: int = 8,
    progress: bool | None = None,
) -> Parity:
    """As `parity`, without blocking on the network."""

    async def ask(model: CustomModel, prompts: Prompts | Recording) -> Recording:
        target = path if model is new else None
        return await model.record_async(prompts, path=target, at_once=at_once, progress=progress)

    return await _parity(ask, old, new, recorded, grader, margin, seed)


async def _parity(
    ask: _Ask,
    old: Recording | CustomModel,
    new: Recording | CustomModel,
    recorded: Recording | Prompts | None,
    grader: Grader | None,
    margin: float,
    seed: int,
) -> Parity:
    if not 0 < margin < 1:
        raise ValueError(f"margin must lie between 0 and 1, such as 0.05, not {margin!r}")
    before = await _old(ask, old, recorded)
    after = new if isinstance(new, Recording) else await ask(new, before)
    seen = [] if isinstance(new, Recording) else _seen(before, new)
    return judge(before, after, grader=grader, margin=margin, seed=seed, seen=seen)


async def _old(
    ask: _Ask, old: Recording | CustomModel, recorded: Recording | Prompts | None
) -> Recording:
    if isinstance(old, Recording):
        if recorded is not None:
            raise ValueError("leave recorded out: what the old model answered is given as old")
        return old
    if recorded is None:
        raise ValueError(
            f"pass what {old.name!r} answered: a recording of it, or prompts that it still answers"
        )
    if not isinstance(recorded, Recording):
        return await ask(old, recorded)
    if recorded.model != old.name:
        raise ValueError(f"this is a recording of {recorded.model!r}, not of {old.name!r}")
    return recorded


def _seen(recording: Recording, model: CustomModel) -> list[int]:
    """Find the prompts that the model was trained on, with the reference or the old model's answer."""
    if model.trained_on is None:
        return []
    rows = [each.answered(each.reference or each.answers[0].message) for each in recording.prompts]
    return sorted(Dataset.from_records(rows, format="chat").overlap(model.trained_on).rows)
