"""What speaks against trusting the verdict of a parity."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from gpt4o_tune._display import plural
from gpt4o_tune.evaluation._agreement import kind
from gpt4o_tune.evaluation._cautions import FEW_ROWS, name_rows

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from gpt4o_tune.evaluation._parity_scores import Scores
    from gpt4o_tune.evaluation.equivalence import Equivalence
    from gpt4o_tune.evaluation.parity import ParityBasis, ParityRow
    from gpt4o_tune.evaluation.recording import Recording


def parity_cautions(
    old: Recording,
    new: Recording,
    rows: Sequence[ParityRow],
    graded: Scores,
    found: Equivalence,
    basis: ParityBasis,
    seen: Collection[int],
) -> Iterator[str]:
    """Say in whole sentences what a reader should know before trusting the verdict."""
    if len(rows) < FEW_ROWS:
        yield f"{plural(len(rows), 'row')} {'is' if len(rows) == 1 else 'are'} few, so every interval is wide."
    if old.failed:
        yield (
            f"{old.model!r} failed on {plural(len(old.failed), 'prompt')} ({name_rows(old.failed)}), which"
            " are left out."
        )
    failed = [each.row for each in rows if each.new.error is not None]
    if failed:
        yield (
            f"{new.model!r} failed on {plural(len(failed), 'prompt')} ({name_rows(failed)}), which count as"
            " wrong and as disagreement; record them again before you trust the figures."
        )
    if graded.faults:
        yield (
            f"{plural(len(graded.faults), 'row')} could not be graded ({name_rows(graded.faults)}):"
            f" {next(iter(graded.faults.values()))}"
        )
    if graded.rows and len(graded.rows) + len(graded.faults) < len(rows):
        count = len(rows) - len(graded.rows) - len(graded.faults)
        yield f"{plural(count, 'row')} without a reference play no part in the verdict."
    if basis == "agreement":
        yield (
            "How far the old model agrees with itself is not known, so a difference cannot be told from its"
            " own noise; record it with samples=3, or on rows with reference answers."
        )
    if old.parameters != new.parameters:
        yield f"The two were asked with other parameters: {old.parameters} and {new.parameters}."
    if seen:
        yield (
            f"{plural(len(seen), 'prompt')} also {'stands' if len(seen) == 1 else 'stand'} among the rows that"
            f" {new.model!r} was trained on ({name_rows(seen)}): this shows what it remembers."
        )
    refused = [each.row for each in rows if kind(each.new) == "refusal" != kind(each.old)]
    if refused:
        yield (
            f"{new.model!r} refuses {plural(len(refused), 'prompt')} that {old.model!r} answers"
            f" ({name_rows(refused)})."
        )
    if basis == "score" and found.outcome == "equivalent":
        yield from _left_open(rows, found)


def _left_open(rows: Sequence[ParityRow], found: Equivalence) -> Iterator[str]:
    """Say what equal scores leave open."""
    if not any(each.old_score or each.new_score for each in rows):
        yield "Neither is right on any row, so equal scores show nothing; look at the grader."
    agreed = math.fsum(each.agreement for each in rows) / len(rows)
    owns = [each.own_old for each in rows if each.own_old is not None]
    floor = math.fsum(owns) / len(owns) if owns else None
    if agreed < (1.0 if floor is None else floor) - found.margin:
        itself = "" if floor is None else f", and the old model with itself on {100 * floor:.0f}%"
        yield (
            f"As good does not mean alike: they say the same on {100 * agreed:.0f}% of the rows{itself}. Read"
            " .worst before you switch."
        )
