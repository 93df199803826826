"""What graders are lent while they run: a model to ask, leave to run programs, and several calls at once."""

from __future__ import annotations

import asyncio
import inspect
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeVar

from gpt4o_tune._drive import run, settle
from gpt4o_tune.errors import GraderError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence

    from gpt4o_tune.evaluation.graders._sandbox import PythonLimits
    from gpt4o_tune.evaluation.graders.asking import Asker, ModelRequest

__all__ = ["Means", "Need"]

Need = Literal["model", "python"]
"""What a grader may need: a model to ask, or leave to run a program."""

In = TypeVar("In")
Out = TypeVar("Out")


class _AsynchronousAskerError(TypeError):
    """Told apart from what goes wrong inside an asker."""


@dataclass(frozen=True, kw_only=True)
class Means:
    """Lent to graders for one run; with `blocking`, nothing here ever suspends."""

    asker: Asker | None = None
    python: PythonLimits | Literal[False] = False
    at_once: int = 8
    blocking: bool = True
    failures: list[Exception] = field(default_factory=list[Exception])
    """What asking raised, so that the cause of an error is not lost."""

    def __post_init__(self) -> None:
        if self.at_once < 1:
            raise ValueError(f"at_once must be at least 1, not {self.at_once!r}")

    def require(self, needs: Iterable[Need], name: str) -> None:
        """Refuse to begin what could not be finished.

        Raises:
            GraderError: Something needed was not passed; the message says how to.
        """
        needed = set(needs)
        if "model" in needed and self.asker is None:
            raise GraderError(
                f"{name!r} asks a model; give grade_all or equip asker=, a function that sends a"
                " request and returns the text of the answer",
                code="needs_model",
            )
        if "python" in needed and self.python is False:
            raise GraderError(
                f"{name!r} runs a program of its own; read its source, then give grade_all"
                " or equip allow_python=True",
                code="needs_python",
            )

    def limits(self) -> PythonLimits:
        """Give the limits of python graders, where these are allowed at all."""
        self.require(["python"], "a python grader")
        assert self.python is not False  # noqa: S101 - just required
        return self.python

    async def ask(self, request: ModelRequest) -> str:
        """Ask the model.

        Raises:
            GraderError: The call failed, or there is nobody to ask.
        """
        self.require(["model"], request.model)
        assert self.asker is not None  # noqa: S101 - just required
        try:
            return await settle(self._settled_if_blocking(self.asker(request)))
        except (GraderError, _AsynchronousAskerError):
            raise
        except Exception as failure:  # one failed call must not lose the others that were paid for
            self.failures.append(failure)
            raise GraderError(
                f"the call to {request.model!r} failed: {type(failure).__name__}: {failure}",
                code="model_failed",
            ) from failure

    def _settled_if_blocking(self, answer: str | Awaitable[str]) -> str | Awaitable[str]:
        if self.blocking and not isinstance(answer, str):
            if inspect.iscoroutine(answer):
                answer.close()
            raise _AsynchronousAskerError(
                "the asker is asynchronous; use the face that ends in _async"
            )
        return answer

    async def each(
        self, verb: Callable[[In], Coroutine[object, None, Out]], inputs: Sequence[In]
    ) -> list[Out]:
        """Apply `verb` to every input, several at the same time; results keep the order."""
        # Importing the gateway brings the openai client along, which graders without a model need not.
        from gpt4o_tune._gateway.parallel import in_tasks, in_threads

        if self.blocking:
            return in_threads(lambda item: run(verb(item)), inputs, at_once=self.at_once)
        return await in_tasks(verb, inputs, at_once=self.at_once)

    async def apart(self, call: Callable[[], Out]) -> Out:
        """Make a blocking call without holding up an event loop."""
        return call() if self.blocking else await asyncio.to_thread(call)
