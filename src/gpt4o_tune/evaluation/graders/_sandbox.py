"""Run a stranger's `grade(sample, item)` in a process of its own, with limits on what it can do.

Each run starts a fresh interpreter with an almost empty environment in a folder that is deleted
afterwards. What confines it depends on the system, and `ScriptRun.enforced` names it: wall time always;
memory, CPU time, file sizes and processes by the operating system where it has such limits; the network by
a namespace without a way out where the kernel permits one, and by a guard inside Python everywhere. The
guard stops accidents and honest code. It is no wall against code written to break out.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import signal
import subprocess
import sys
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self, TextIO, cast

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["PythonLimits", "ScriptResult", "ScriptRun", "run_script"]

_CHILD = Path(__file__).with_name("_sandbox_child.py")
_ANSWER_CHARS = 1_000_000
_TIMEOUTS_IN_A_ROW = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class PythonLimits:
    """What a python grader may use. The defaults are the service's published limits.

    Raises:
        ValueError: A limit is not positive.
    """

    seconds: float = 120.0
    """Wall time for one answer, and for loading the source."""

    memory_bytes: int = 2 * 2**30
    """Address space of the process."""

    file_bytes: int = 2**30
    """Largest file that it may write."""

    packages: bool = False
    """Whether it may import what is installed beside this library; without, the standard library alone."""

    def __post_init__(self) -> None:
        if not (0 < self.seconds < math.inf and self.memory_bytes > 0 and self.file_bytes > 0):
            raise ValueError(f"every limit must be a positive number, got {self!r}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptResult:
    """What one case came to: a value, or a fault that says why there is none."""

    value: float | None = None
    fault: str | None = None
    """The last lines of the traceback, or what ended the process."""

    printed: str = ""
    """The beginning of what was printed."""


@dataclass(frozen=True, slots=True)
class ScriptRun:
    """The results of all cases, in their order."""

    results: tuple[ScriptResult, ...]
    enforced: tuple[str, ...]
    """What confined the process on this machine, beside wall time."""


def run_script(
    source: str,
    cases: Sequence[tuple[Mapping[str, object], Mapping[str, object]]],
    *,
    limits: PythonLimits | None = None,
) -> ScriptRun:
    """Call the `grade` function that `source` defines for each case, one after the other.

    One process serves all cases; it is started anew after one that it did not survive.

    Args:
        source: Python source that defines `grade(sample, item)`.
        cases: Sample and item of each case, of what JSON can hold.
        limits: What the process may use.

    Raises:
        RuntimeError: There is no Python interpreter to start.
    """
    limits = limits or PythonLimits()
    results: list[ScriptResult] = []
    enforced: tuple[str, ...] = ()
    timeouts = 0
    while len(results) < len(cases):
        waiting = cases[len(results) :]
        if timeouts == _TIMEOUTS_IN_A_ROW:
            fault = f"not run: {timeouts} cases in a row took longer than {limits.seconds:g} s"
            results += [ScriptResult(fault=fault)] * len(waiting)
            break
        with _Process(limits, cases=len(waiting)) as process:
            loaded = process.load(source)
            enforced = process.enforced or enforced
            if loaded is not None:
                results += [loaded] * len(waiting)
                break
            for sample, item in waiting:
                results.append(process.grade(sample, item))
                timeouts = timeouts + 1 if process.timed_out else 0
                if process.has_ended or process.timed_out:
                    break
    return ScriptRun(tuple(results), enforced)


class _Process:
    """One interpreter that grades cases until it is closed, ends or takes too long."""

    def __init__(self, limits: PythonLimits, *, cases: int) -> None:
        self._limits, self._cases = limits, cases
        self.enforced: tuple[str, ...] = ()
        self.timed_out = self.has_ended = False

    def __enter__(self) -> Self:
        if not sys.executable:
            raise RuntimeError("python graders need sys.executable to name a Python interpreter")
        self._folder = tempfile.TemporaryDirectory(prefix="grader-", ignore_cleanup_errors=True)
        flags = ["-I", "-B", "-X", "utf8", *([] if self._limits.packages else ["-S"])]
        self._child = subprocess.Popen(  # noqa: S603 - our own program, in our own interpreter
            [sys.executable, *flags, str(_CHILD)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=self._folder.name,
            env=_environment(self._folder.name),
            text=True,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
        )
        self._stdin = cast("TextIO", self._child.stdin)
        self._stdout = cast("TextIO", self._child.stdout)
        return self

    def __exit__(self, *_: object) -> None:
        self._kill()
        self._child.wait()
        for pipe in (self._stdin, self._stdout):
            # Closing flushes, into a pipe that nobody reads any more.
            with contextlib.suppress(OSError):
                pipe.close()
        self._folder.cleanup()

    def load(self, source: str) -> ScriptResult | None:
        """Hand over the source; a result says why no case can be graded."""
        setup = {
            "source": source,
            "memory_bytes": self._limits.memory_bytes,
            "file_bytes": self._limits.file_bytes,
            "packages": self._limits.packages,
            # For all cases together: it ends what goes on when nobody is left to watch the wall time.
            "cpu_seconds": math.ceil(self._limits.seconds) * self._cases + 1,
        }
        answer = self._exchange(setup)
        enforced = answer.get("enforced")
        if isinstance(enforced, list):
            self.enforced = tuple(map(str, cast("list[object]", enforced)))
        return _result(answer) if "fault" in answer else None

    def grade(self, sample: Mapping[str, object], item: Mapping[str, object]) -> ScriptResult:
        """Grade one case."""
        return _result(self._exchange({"sample": sample, "item": item}))

    def _exchange(self, message: Mapping[str, object]) -> Mapping[str, object]:
        """Send a line and wait for a line, no longer than the limit."""
        timer = threading.Timer(self._limits.seconds, self._end_by_time)
        timer.start()
        try:
            self._stdin.write(json.dumps(message) + "\n")
            self._stdin.flush()
            line = self._stdout.readline(_ANSWER_CHARS)
        except OSError:
            line = ""
        finally:
            timer.cancel()
        if line.endswith("\n"):
            with contextlib.suppress(ValueError, RecursionError):
                answer: object = json.loads(line)
                if isinstance(answer, dict):
                    return cast("dict[str, object]", answer)
        self.has_ended = True
        return {"fault": self._ending()}

    def _ending(self) -> str:
        if self.timed_out:
            return f"took longer than {self._limits.seconds:g} s and was ended"
        try:
            code = self._child.wait(timeout=1)
        except subprocess.TimeoutExpired:
            return "its process goes on but no longer answers"
        if code < 0:
            with contextlib.suppress(ValueError):
                name = signal.Signals(-code).name
                return f"its process was ended by the system ({name}); it may have used too much"
        return f"its process ended by itself before it answered (exit code {code})"

    def _end_by_time(self) -> None:
        self.timed_out = True
        self._kill()

    def _kill(self) -> None:
        if self._child.poll() is None:
            with contextlib.suppress(OSError):
                if sys.platform == "win32":
                    self._child.kill()
                else:
                    os.killpg(self._child.pid, signal.SIGKILL)


def _environment(folder: str) -> dict[str, str]:
    """Nothing of ours: a place for temporary files, and one thread for numeric libraries."""
    own = {"HOME": folder, "TMPDIR": folder, "TEMP": folder, "OMP_NUM_THREADS": "1"}
    own["OPENBLAS_NUM_THREADS"] = "1"
    # Windows starts no program without it.
    return own | {key: os.environ[key] for key in ("SYSTEMROOT",) if key in os.environ}


def _result(answer: Mapping[str, object]) -> ScriptResult:
    value, fault, printed = answer.get("value"), answer.get("fault"), answer.get("printed", "")
    text = printed if isinstance(printed, str) else ""
    if isinstance(value, float) and math.isfinite(value):
        return ScriptResult(value=value, printed=text)
    if isinstance(fault, str):
        return ScriptResult(fault=fault, printed=text)
    return ScriptResult(fault="its process answered something else than a grade", printed=text)
