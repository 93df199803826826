"""`CallRecorder`: chat calls of a running program as training rows."""

from __future__ import annotations

import random
import threading
from collections import Counter, deque
from typing import TYPE_CHECKING, ParamSpec, Self, TypeVar

from gpt4o_tune._display import html_text, plural
from gpt4o_tune.data._answers import NotARowError
from gpt4o_tune.data._journal import Journal
from gpt4o_tune.data._recording import Call, Recording, SkippedCall
from gpt4o_tune.data._records import encode_record

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Mapping
    from pathlib import Path

__all__ = ["Call", "CallRecorder", "SkippedCall"]

Client = TypeVar("Client")
Arguments = ParamSpec("Arguments")
Answer = TypeVar("Answer")

_REMEMBERED_SKIPS = 1000


class CallRecorder:
    """Records chat calls as rows, beside whatever the program does with the answers.

    The caller gets the same answers and errors as without it. What goes wrong while recording is logged
    as a warning under `gpt4o_tune` and counted, never raised. It may be used by many threads and tasks at
    once.

    A row holds the messages of the request, the answer after them, and `tools`, `functions` and
    `parallel_tool_calls` where the request gave any. Of several choices (`n`), the first is recorded.

    Example:
        >>> recorder = CallRecorder(path="calls.jsonl")
        >>> client = recorder.wrap(OpenAI())
        >>> data = Dataset.from_calls(recorder)
    """

    def __init__(
        self,
        *,
        path: str | os.PathLike[str] | None = None,
        keep: Callable[[Call], bool] | None = None,
        transform: Callable[[dict[str, object]], Mapping[str, object]] | None = None,
        share: float = 1.0,
        seed: int = 0,
        most: int = 10_000,
    ) -> None:
        """Prepare to record; the file is opened, and created where it does not exist.

        Args:
            path: A file to append the rows to, line by line, as readable as any JSONL file; none keeps
                them in memory.
            keep: Tells whether a call becomes a row.
            transform: Gives the row to write, with what is private taken out.
            share: Share of the calls to record, drawn in the order in which they begin.
            seed: Another seed gives another draw.
            most: Rows to hold in memory where there is no file; the oldest go first.

        Raises:
            DatasetNotFoundError: The file cannot be opened for writing.
            ValueError: `share` is not between 0 and 1, or `most` is below 1.
        """
        if not 0 <= share <= 1:
            raise ValueError(f"share must be between 0 and 1, got {share!r}")
        if most < 1:
            raise ValueError(f"most must be at least 1, got {most!r}")
        self._keep = keep
        self._transform = transform
        self._share = share
        self._random = random.Random(seed)  # noqa: S311  # a sample, no secret
        self._lock = threading.Lock()
        self._journal = Journal(path) if path is not None else None
        self._rows: deque[bytes] = deque(maxlen=most)
        self._skips: deque[SkippedCall] = deque(maxlen=_REMEMBERED_SKIPS)
        self._counts = Counter[str]()
        self._recorded = 0

    def wrap(self, client: Client) -> Client:
        """Return a stand-in for an `openai` client, of either face, that records its chat calls.

        Recorded are `chat.completions.create`, streamed or not, `.parse` and `.stream`, also after
        `with_options` and under `beta`. All else, `with_raw_response` included, goes to the client
        unseen.
        """
        from gpt4o_tune.data._client_proxy import wrapped

        return wrapped(client, self._begin)

    def record(self, function: Callable[Arguments, Answer]) -> Callable[Arguments, Answer]:
        """Decorate a function that takes `messages` and returns a completion or the answer's text.

        The function may be asynchronous, may take `tools`, `functions`, `parallel_tool_calls` and `model`,
        and may be a method, such as `CustomModel.chat`. The messages are a list.

        Raises:
            TypeError: No parameter is called `messages`.
        """
        from gpt4o_tune.data._client_proxy import recorded

        return recorded(function, self._begin)

    @property
    def path(self) -> Path | None:
        """The file that rows are appended to."""
        return self._journal.path if self._journal else None

    @property
    def recorded(self) -> int:
        """Rows recorded by this recorder, those included that went out of memory."""
        return self._recorded

    @property
    def skipped(self) -> tuple[SkippedCall, ...]:
        """The last 1,000 calls that gave no row, oldest first."""
        with self._lock:
            return tuple(self._skips)

    @property
    def skip_counts(self) -> dict[str, int]:
        """How many calls gave no row, by reason; calls outside the sample do not count.

        The reasons: `length` and `content_filter` (the answer was cut off), `incomplete` (a stream was left
        before its end), `error` (the call raised), `no messages`, `no answer`, `empty answer`,
        `custom tool` (a call of a tool that is no function), `not kept` (by `keep`), and `not recorded`
        (a hook raised, or the row could not be written; a warning says so).
        """
        with self._lock:
            return dict(self._counts)

    @property
    def lines(self) -> tuple[bytes, ...]:
        """The rows in memory as JSON lines; none where there is a file."""
        with self._lock:
            return tuple(self._rows)

    def close(self) -> None:
        """Close the file; calls that end later are counted as not recorded."""
        if self._journal:
            self._journal.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __repr__(self) -> str:
        where = f", {str(self.path)!r}" if self.path else ""
        skipped = sum(self._counts.values())
        return f"CallRecorder({plural(self._recorded, 'row')}, {skipped:,} skipped{where})"

    def _repr_html_(self) -> str:
        return html_text(repr(self))

    def _begin(self, request: Mapping[str, object]) -> Recording:
        with self._lock:
            is_drawn = self._random.random() < self._share
        return Recording(request, is_drawn=is_drawn, add=self._add, skip=self._skip)

    def _add(self, call: Call) -> None:
        """Pass a row through the hooks and write it.

        Raises:
            NotARowError: `keep` said no.
            Exception: A hook raised, or the row cannot be written.
        """
        if self._keep is not None and not self._keep(call):
            raise NotARowError("not kept")
        row = dict(call.row)
        line = encode_record(self._transform(row) if self._transform is not None else row)
        if self._journal:
            self._journal.append(line)
        with self._lock:
            if self._journal is None:
                self._rows.append(line)
            self._recorded += 1

    def _skip(self, call: SkippedCall) -> None:
        with self._lock:
            self._counts[call.reason] += 1
            self._skips.append(call)
