"""The file of a recording: JSON lines, of which the last one seals the rest.

First what was asked of which model, then one line for each prompt, then one for each answer as it came, and
at the end the fingerprint over all of it. A later line about the same answer replaces an earlier one.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import threading
from pathlib import Path
from typing import TYPE_CHECKING, cast

from gpt4o_tune.data._journal import Journal
from gpt4o_tune.data._writing import replace_file
from gpt4o_tune.errors import DatasetError, DatasetNotFoundError
from gpt4o_tune.evaluation.recording import RecordedAnswer, RecordedPrompt, Recording

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Mapping, Sequence

FORMAT = "gpt4o-tune recording 1"
NOT_ASKED = "not asked: the recording was cut off"

_SAME = ("model", "provider", "base_url", "parameters", "samples")
"""What makes two runs the same recording, beside the prompts."""

Place = tuple[int, int]
"""Row number and sample number."""


def write(recording: Recording, path: str | os.PathLike[str]) -> Path:
    """Write a whole recording at once."""
    return replace_file(Path(path), _lines(recording))


def read(path: str | os.PathLike[str], *, unfinished: bool) -> Recording:
    """Read a recording and verify it; see `Recording.load`."""
    found = _read(Path(path))
    recording = found.recording
    if found.seal is None and not unfinished:
        raise DatasetError(
            f"{str(path)!r} was cut off after {len(found.answers)} answers; make the same "
            "model.record(..., path=...) call again to go on with it, or read what there is with "
            "Recording.load(path, unfinished=True)"
        )
    if found.seal is not None and found.seal != recording.fingerprint:
        raise DatasetError(
            f"{str(path)!r} was changed since it was recorded: its fingerprint is "
            f"{recording.fingerprint}, and it was sealed with {found.seal}. Take a copy that is untouched"
        )
    return recording


class OpenRecording:
    """A recording in the making: answers go to disk as they come, where there is a file.

    Attributes:
        empty: The recording without its answers.
    """

    def __init__(self, empty: Recording, path: str | os.PathLike[str] | None) -> None:
        """Begin a recording, or go on with the one at that path.

        Raises:
            DatasetError: The file there is another recording.
        """
        self._lock = threading.Lock()
        self._journal: Journal | None = None
        self.empty, self._answers = empty, dict[Place, RecordedAnswer]()
        self._seal: str | None = None
        if path is None:
            return
        place = Path(path)
        if place.exists():
            found = _read(place)
            _require_same(found.recording, empty, place)
            # What was only refused for a while is asked again.
            kept = {at: each for at, each in found.answers.items() if each.error is None}
            self.empty, self._answers = found.empty, kept
            self._seal = found.seal if len(kept) == len(found.answers) else None
        else:
            replace_file(place, _lines(empty, sealed=False))
        self._journal = Journal(place)

    @property
    def missing(self) -> list[Place]:
        """What is still to be asked, in order."""
        rows, samples = range(len(self.empty)), range(self.empty.samples)
        return [(row, n) for row in rows for n in samples if (row, n) not in self._answers]

    def add(self, place: Place, answer: RecordedAnswer) -> None:
        """Take in one answer, from any thread."""
        if self._journal is not None:
            self._journal.append(_answer_line(place, answer))
        with self._lock:
            self._answers[place] = answer

    def sealed(self) -> Recording:
        """Return the whole recording, and write its fingerprint below it."""
        recording = _filled(self.empty, self._answers)
        if self._journal is not None and recording.fingerprint != self._seal:
            self._journal.append(_line({"sha256": recording.fingerprint}))
        return recording

    def close(self) -> None:
        """Close the file."""
        if self._journal is not None:
            self._journal.close()


@dataclasses.dataclass(frozen=True, slots=True)
class _Found:
    """What a file holds."""

    empty: Recording
    answers: Mapping[Place, RecordedAnswer]
    seal: str | None
    """None where the file ends without one."""

    @property
    def recording(self) -> Recording:
        return _filled(self.empty, self.answers)


def _read(path: Path) -> _Found:
    about: dict[str, object] = {}
    prompts: list[RecordedPrompt] = []
    answers: dict[Place, RecordedAnswer] = {}
    seal: str | None = None
    try:
        for entry in _entries(path):
            # A seal holds only as the last line.
            seal = None
            if "recording" in entry:
                about = dict(entry)
                _require_readable(str(about.pop("recording")), path)
            elif "prompt" in entry:
                prompts.append(_prompt(cast("Mapping[str, object]", entry["prompt"])))
            elif "answer" in entry:
                place = cast("int", entry["row"]), cast("int", entry["sample"])
                values = cast("Mapping[str, object]", entry["answer"])
                answers[place] = RecordedAnswer.from_dict(values)
            else:
                seal = str(entry["sha256"])
        empty = _empty(about, prompts)
    except (KeyError, TypeError, ValueError) as fault:
        if isinstance(fault, DatasetError):
            raise
        raise DatasetError(f"{str(path)!r} is no recording, or is damaged: {fault!r}") from fault
    return _Found(empty, answers, seal)


def _entries(path: Path) -> Iterator[Mapping[str, object]]:
    """Yield what the lines hold; one that a crash tore is left out, and then there is no seal for it."""
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise DatasetNotFoundError(
            f"{str(path)!r} cannot be read: {error.strerror}. Give the path= of model.record.",
            path=str(path),
        ) from None
    for line in lines:
        try:
            yield cast("Mapping[str, object]", json.loads(line))
        except ValueError:
            continue


def _require_readable(written: str, path: Path) -> None:
    if written != FORMAT:
        raise DatasetError(
            f"{str(path)!r} has the format {written!r} and this release reads {FORMAT!r}; upgrade "
            "gpt4o-tune to read it"
        )


def _require_same(found: Recording, wanted: Recording, path: Path) -> None:
    differing = [name for name in _SAME if found.about[name] != wanted.about[name]]
    if [each.asked() for each in found.prompts] != [each.asked() for each in wanted.prompts]:
        differing.append("prompts")
    if differing:
        raise DatasetError(
            f"{str(path)!r} is another recording, of {found.model} on {len(found)} prompts; it differs "
            f"in {', '.join(differing)}. Name another file"
        )


def _prompt(values: Mapping[str, object]) -> RecordedPrompt:
    return RecordedPrompt(
        messages=tuple(cast("Sequence[Mapping[str, object]]", values["messages"])),
        fields=cast("Mapping[str, object]", values.get("fields", {})),
        reference=cast("Mapping[str, object] | None", values.get("reference")),
    )


def _empty(about: Mapping[str, object], prompts: Sequence[RecordedPrompt]) -> Recording:
    if len(prompts) != about["prompts"]:
        raise ValueError(f"it announces {about['prompts']} prompts and holds {len(prompts)}")
    given = {name: value for name, value in about.items() if name != "prompts"}
    return Recording(
        **given | {"recorded_at": dt.datetime.fromisoformat(str(about["recorded_at"]))},  # type: ignore[arg-type]  # what a file holds is known when it runs
        prompts=tuple(prompts),
    )


def _filled(empty: Recording, answers: Mapping[Place, RecordedAnswer]) -> Recording:
    missing = RecordedAnswer(error=NOT_ASKED)
    prompts = tuple(
        dataclasses.replace(
            each,
            answers=tuple(answers.get((row, n), missing) for n in range(empty.samples)),
        )
        for row, each in enumerate(empty.prompts)
    )
    return dataclasses.replace(empty, prompts=prompts)


def _lines(recording: Recording, *, sealed: bool = True) -> Iterator[bytes]:
    yield _line({"recording": FORMAT, **recording.about})
    for each in recording.prompts:
        yield _line({"prompt": each.asked()})
    for row, each in enumerate(recording.prompts):
        for sample, answer in enumerate(each.answers):
            yield _answer_line((row, sample), answer)
    if sealed:
        yield _line({"sha256": recording.fingerprint})


def _answer_line(place: Place, answer: RecordedAnswer) -> bytes:
    return _line({"row": place[0], "sample": place[1], "answer": answer.to_dict()})


def _line(values: Mapping[str, object]) -> bytes:
    text = json.dumps(values, ensure_ascii=False, separators=(",", ":"))
    return text.encode() + b"\n"
