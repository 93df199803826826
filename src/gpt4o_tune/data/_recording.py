"""One chat call on its way to become a row."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from gpt4o_tune.data._answers import NotARowError, StreamedAnswer, answer_message, request_row
from gpt4o_tune.data._turns import items

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from gpt4o_tune.data._answers import SkipReason

log = logging.getLogger("gpt4o_tune")

_RAISED_FOR: Final[Mapping[str, SkipReason]] = {
    "LengthFinishReasonError": "length",
    "ContentFilterFinishReasonError": "content_filter",
}
"""Errors of `openai` that `parse` raises over a cut answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One answered call, as `keep` sees it."""

    row: Mapping[str, object]
    """The training row, before `transform`."""
    model: str
    """The model that was asked; empty where the call named none."""
    finish_reason: str
    """`stop`, `tool_calls` or `function_call`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SkippedCall:
    """One call that gave no row."""

    reason: SkipReason
    """As listed at `CallRecorder.skip_counts`."""
    detail: str
    """The type of the error where the call, or a hook, raised; else empty."""
    model: str


class Recording:
    """One call on its way; whatever happens first settles it, and nothing here ever raises."""

    def __init__(
        self,
        request: Mapping[str, object],
        *,
        is_drawn: bool,
        add: Callable[[Call], None],
        skip: Callable[[SkippedCall], None],
    ) -> None:
        """Take from a request what the row needs.

        Args:
            request: The fields of the chat request.
            is_drawn: Whether the call is part of the sample.
            add: Takes the call where it gives a row.
            skip: Takes it where it gives none.
        """
        self._add = add
        self._skip = skip
        self._is_open = is_drawn
        self._streamed = StreamedAnswer()
        self._row: dict[str, object] = {}
        model = request.get("model")
        self._model = model if isinstance(model, str) else ""
        self._try(lambda: self._row.update(request_row(request)))

    @property
    def is_open(self) -> bool:
        """Whether the call may still give a row."""
        return self._is_open

    def answered(self, read: Callable[[], object]) -> None:
        """Record an answer: a completion, in whatever form, or text; `read` gives it."""
        self._try(lambda: self._finish(*answer_message(read())))

    def take(self, chunk: object) -> None:
        """Take in a chunk of a streamed answer, and record the answer once it is whole."""
        self._try(lambda: self._take(chunk))

    def failed(self, error: BaseException) -> None:
        """Take note that the call raised."""
        kind = type(error).__name__
        self._close(_RAISED_FOR.get(kind, "error"), detail=kind)

    def left(self) -> None:
        """Take note that a stream was closed; nothing where its answer was whole by then."""
        self._close("incomplete")

    def _take(self, chunk: object) -> None:
        self._streamed.add(chunk)
        if reason := self._streamed.finish_reason:
            self._finish(self._streamed.message(), reason)

    def _finish(self, message: dict[str, object], finish_reason: str) -> None:
        row = {**self._row, "messages": [*items(self._row.get("messages")), message]}
        self._add(Call(row=row, model=self._model, finish_reason=finish_reason))
        self._is_open = False

    def _try(self, do: Callable[[], None]) -> None:
        if not self._is_open:
            return
        try:
            do()
        except NotARowError as error:
            self._close(error.reason)
        except Exception as error:
            kind = type(error).__name__
            # The message of an error may hold what was said.
            log.warning(
                "a chat call was not recorded: %s", kind, exc_info=log.isEnabledFor(logging.DEBUG)
            )
            self._close("not recorded", detail=kind)

    def _close(self, reason: SkipReason, *, detail: str = "") -> None:
        if self._is_open:
            self._is_open = False
            self._skip(SkippedCall(reason=reason, detail=detail, model=self._model))
