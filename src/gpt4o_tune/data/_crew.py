"""Work shared out to processes of our own: started with this interpreter, fed and read through pipes.

Not `multiprocessing`: its `spawn` runs the user's script a second time and its `fork` is unsafe beside the
threads of a notebook or a server. A helper here runs nothing but this package, so no script needs a guard
and nothing is inherited. The calling process works along. Where no helper can be started, or one dies, the
calling process does the work alone; what is returned is the same.
"""

from __future__ import annotations

import logging
import os
import pickle
import subprocess
import sys
import threading
from collections import deque
from typing import TYPE_CHECKING, Generic, TypeVar, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import BinaryIO

Task = TypeVar("Task")
Result = TypeVar("Result")

_MAX_PROCESSES = 8
"""Each process holds a vocabulary of its own, 80 MB."""
_SENT_AHEAD = 2
"""Tasks that a helper holds, so that it never waits for the next."""

_log = logging.getLogger("gpt4o_tune")


def processes() -> int:
    """Return how many processes may work at once: the processors that this one may use, at most 8."""
    affinity = getattr(os, "sched_getaffinity", None)
    usable = len(affinity(0)) if affinity else (os.cpu_count() or 1)
    return min(usable, _MAX_PROCESSES)


def share_out(
    build: Callable[[], Callable[[Task], Result]], tasks: Sequence[Task], *, helpers: int
) -> Iterator[Result]:
    """Do every task in this process and some helpers, then give the results in order, each once.

    Args:
        build: Makes the function that does a task, once per process; both must survive pickling.
        tasks: What to do.
        helpers: Processes to start beside this one, 0 for none.
    """
    return _Crew(build, tasks).run(helpers)


class _Crew(Generic[Task, Result]):
    def __init__(
        self, build: Callable[[], Callable[[Task], Result]], tasks: Sequence[Task]
    ) -> None:
        self._build = build
        self._tasks = tasks
        self._waiting = deque(range(len(tasks)))
        self._results: dict[int, Result] = {}
        self._failures: list[BaseException] = []

    def run(self, helpers: int) -> Iterator[Result]:
        started = [helper for _ in range(helpers) if (helper := _start()) is not None]
        threads = [
            threading.Thread(target=self._lead, args=(helper,), daemon=True) for helper in started
        ]
        try:
            for thread in threads:
                thread.start()
            work = self._build()
            while (number := self._next()) is not None:
                self._results[number] = work(self._tasks[number])
            for thread in threads:
                thread.join()
            # What a helper held when it died.
            while (number := self._next()) is not None:
                self._results[number] = work(self._tasks[number])
        finally:
            for helper in started:
                helper.kill()
                helper.wait()
            for thread in threads:
                thread.join()
        if self._failures:
            raise self._failures[0]
        return map(self._results.pop, range(len(self._tasks)))

    def _next(self) -> int | None:
        try:
            return None if self._failures else self._waiting.popleft()
        except IndexError:
            return None

    def _lead(self, helper: subprocess.Popen[bytes]) -> None:
        """Feed one helper until nothing waits; give back what it held where it dies."""
        orders, answers = cast("BinaryIO", helper.stdin), cast("BinaryIO", helper.stdout)
        held: deque[int] = deque()
        try:
            with orders, answers:
                pickle.dump(self._build, orders)
                while True:
                    while len(held) < _SENT_AHEAD and (number := self._next()) is not None:
                        held.append(number)
                        pickle.dump(self._tasks[number], orders)
                    orders.flush()
                    if not held:
                        return
                    is_result, value = pickle.load(answers)  # noqa: S301  # our own process wrote it
                    if not is_result:
                        self._failures.append(value)
                        return
                    self._results[held.popleft()] = value
        except (OSError, EOFError, pickle.UnpicklingError) as error:
            self._waiting.extend(held)
            if not self._failures:
                _log.warning("a helper process ended early (%r); its work is done here", error)


def _start() -> subprocess.Popen[bytes] | None:
    """Start a process that imports this very package, whatever the working folder holds."""
    if not sys.executable or getattr(sys, "frozen", False):
        return None
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    try:
        return subprocess.Popen(  # noqa: S603  # this interpreter, with fixed arguments
            [sys.executable, "-P", "-c", f"from {__name__} import serve; serve()"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
        )
    except OSError as error:
        _log.warning("no helper process could be started (%s); the work is done here", error)
        return None


def serve() -> None:
    """Be a helper: read how to work and what to do from the input, write the results, until it ends."""
    import gc
    import signal

    # Ctrl-C reaches the whole group; the process that we work for decides, and its end closes our input.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Nothing here makes cycles, and the collector would look at every parsed row.
    gc.disable()
    orders = sys.stdin.buffer
    # Whatever prints must not get between the results.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    try:
        work = pickle.load(orders)()  # noqa: S301  # written by the process that started us
        while True:
            try:
                answer = (True, work(pickle.load(orders)))  # noqa: S301
            except EOFError:
                return
            except Exception as error:
                answer = (False, error)
            pickle.dump(answer, answers, protocol=pickle.HIGHEST_PROTOCOL)
            answers.flush()
    except (EOFError, OSError):
        return
