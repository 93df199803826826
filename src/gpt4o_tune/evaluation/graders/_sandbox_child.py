"""The other side of `_sandbox`: a program that confines itself, then runs a stranger's `grade` function.

Started by its path in an interpreter of its own, so it imports nothing but the standard library. It reads
one line of JSON with the source and the limits, answers with what it could enforce, and from then on
answers each case, a line, with a line.
"""

from __future__ import annotations

import contextlib
import io
import json
import linecache
import math
import os
import sys
import traceback
import types
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

_FILE = "grader.py"
_PRINTED_CHARS = 10_000
_FAULT_STEPS = 4
_FAULT_CHARS = 4000
_OPEN_FILES = 64
_CLONE_NEWUSER, _CLONE_NEWNET = 0x10000000, 0x40000000

_STARTS_PROGRAMS = (
    "os.exec",
    "os.fork",
    "os.forkpty",
    "os.kill",
    "os.killpg",
    "os.posix_spawn",
    "os.spawn",
    "os.startfile",
    "os.system",
    "pty.spawn",
    "subprocess.Popen",
)
_CHANGES_FILES = (
    "os.chmod",
    "os.chown",
    "os.link",
    "os.mkdir",
    "os.remove",
    "os.rename",
    "os.rmdir",
    "os.symlink",
    "os.truncate",
    "os.utime",
    "sqlite3.connect",
)
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


class _Printed(io.TextIOBase):
    """Keeps the beginning of what a grader prints."""

    def __init__(self) -> None:
        self.text = ""

    def writable(self) -> bool:
        return True

    def write(self, text: str, /) -> int:
        self.text += text[: _PRINTED_CHARS - len(self.text)]
        return len(text)


def _limit(setup: dict[str, Any]) -> list[str]:
    """Set what the operating system enforces; name what it took."""
    try:
        import resource
    except ImportError:  # Windows
        return []
    wanted = {
        "memory": ("RLIMIT_AS", setup["memory_bytes"]),
        "cpu": ("RLIMIT_CPU", setup["cpu_seconds"]),
        "file size": ("RLIMIT_FSIZE", setup["file_bytes"]),
        "open files": ("RLIMIT_NOFILE", _OPEN_FILES),
        "core dumps": ("RLIMIT_CORE", 0),
        # Threads count as processes, and the libraries that packages bring start some on import.
        **({} if setup["packages"] else {"processes": ("RLIMIT_NPROC", 0)}),
    }
    taken: list[str] = []
    for name, (limit, value) in wanted.items():
        # Not every system has every limit: macOS refuses one on memory.
        with contextlib.suppress(AttributeError, OSError, ValueError):
            resource.setrlimit(getattr(resource, limit), (value, value))
            taken.append(name)
    return taken


def _leave_network() -> list[str]:
    """Move into a network namespace that has no way out, where the kernel permits it."""
    if sys.platform != "linux":
        return []
    for flags in (_CLONE_NEWNET, _CLONE_NEWUSER | _CLONE_NEWNET):
        with contextlib.suppress(OSError):
            _unshare(flags)
            return ["network namespace"]
    return []


def _unshare(flags: int) -> None:
    if sys.version_info >= (3, 12):
        os.unshare(flags)
        return
    import ctypes

    if ctypes.CDLL(None, use_errno=True).unshare(flags) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _guard(home: str) -> None:
    """Refuse the network, other programs, and changes outside `home`, as far as Python sees them."""
    inside = os.path.join(os.path.realpath(home), "")

    def outside(path: object) -> bool:
        # An open file is known by its number, and was let through when it was opened.
        if not isinstance(path, str | bytes):
            return False
        return not os.path.join(os.path.realpath(os.fsdecode(path)), "").startswith(inside)

    def hook(event: str, args: tuple[object, ...]) -> None:
        if event.startswith("socket."):
            raise PermissionError("a grader has no network")
        if event in _STARTS_PROGRAMS or event.startswith("ctypes."):
            raise PermissionError("a grader may start or steer no other program")
        if event == "os.chdir":
            raise PermissionError("a grader stays in its own folder")
        writes = event == "open" and isinstance(args[2], int) and bool(args[2] & _WRITES)
        touched = args[:1] if writes else args[:2] if event in _CHANGES_FILES else ()
        # The null device is open already, and libraries write to it.
        if any(outside(path) and path != os.devnull for path in touched):
            raise PermissionError("a grader may write only into its own folder")

    sys.addaudithook(hook)


def _load(source: str) -> Callable[[object, object], object]:
    module = types.ModuleType("grader")
    # Data classes look up their module by name; tracebacks show lines from the cache.
    sys.modules["grader"] = module
    linecache.cache[_FILE] = (len(source), None, source.splitlines(keepends=True), _FILE)
    exec(compile(source, _FILE, "exec"), module.__dict__)  # noqa: S102 - the purpose of this program
    grade = getattr(module, "grade", None)
    if not callable(grade):
        raise TypeError("the source defines no function grade(sample, item)")
    return grade


def _checked(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        kind = type(value).__name__
        raise TypeError(f"grade returned {str(value)[:60]!r}, a {kind}; return float(...)")
    if not math.isfinite(value):
        raise ValueError(f"grade returned {value}; return a finite number")
    return float(value)


def _fault(error: BaseException) -> str:
    """Write the last steps inside the grader's own source, and the error."""
    steps = [step for step in traceback.extract_tb(error.__traceback__) if step.filename == _FILE]
    lines = [*traceback.format_list(steps[-_FAULT_STEPS:]), *traceback.format_exception_only(error)]
    return "".join(lines).rstrip()[-_FAULT_CHARS:]


def _case(grade: Callable[[object, object], object], line: str) -> dict[str, object]:
    case = json.loads(line)
    printed = _Printed()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
        # A grader may leave by any exception, SystemExit included.
        try:
            answer: dict[str, object] = {"value": _checked(grade(case["sample"], case["item"]))}
        except BaseException as error:
            answer = {"fault": _fault(error)}
    return {**answer, "printed": printed.text}


def main() -> None:
    """Read the set-up, confine this process, and answer cases until there are no more."""
    cases = os.fdopen(os.dup(0), encoding="utf-8")
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    null = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(null, number)

    def answer(value: dict[str, object]) -> None:
        answers.write(json.dumps(value) + "\n")
        answers.flush()

    setup = json.loads(cases.readline())
    enforced = [*_leave_network(), *_limit(setup)]
    _guard(os.getcwd())
    printed = _Printed()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
        try:
            grade = _load(setup["source"])
        except BaseException as error:
            answer({"fault": _fault(error), "enforced": [*enforced, "guard"]})
            return
    answer({"enforced": [*enforced, "guard"]})
    for line in cases:
        answer(_case(grade, line))


if __name__ == "__main__":
    main()
