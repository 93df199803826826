"""Python graders: what they see, what they give, and what stops them."""

import asyncio
import os
import sys
import time

import pytest

from gpt4o_tune.errors import GraderError
from gpt4o_tune.evaluation import Grading, PythonGrader, PythonLimits, grade_all, grade_all_async
from gpt4o_tune.evaluation.graders._sandbox import run_script

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="limits differ by system")


def grade(body: str, samples: list[str], limits: PythonLimits | None = None) -> Grading:
    """Run a function body over samples."""
    source = "def grade(sample, item):\n" + "".join(f"    {line}\n" for line in body.splitlines())
    grader = PythonGrader(name="code", source=source)
    return grade_all(grader, samples, [{"n": 4}] * len(samples), allow_python=limits or True)


def fault(body: str, limits: PythonLimits | None = None) -> str:
    """Run a function body that gives no grade, and say why."""
    with pytest.raises(GraderError) as caught:
        grade(body, ["a"], limits)
    assert caught.value.code == "python_failed"
    return str(caught.value)


def test_scores_come_from_the_source() -> None:
    """The function sees sample and item, and its number is the score, in order; prints are kept."""
    found = grade(
        "print('seen', sample['output_text'])\nreturn len(sample['output_text']) / item['n']",
        ["a", "abcd", "ab"],
    )

    assert found.scores == (0.25, 1, 0.5)
    assert found.grades[1] is not None
    assert found.grades[1].reason == "seen abcd"


def test_one_process_grades_all_and_a_fault_costs_one_row() -> None:
    """The source is loaded once; an exception, or an exit, loses its own row and no other."""
    body = """import os
if sample['output_text'] == 'raise': raise KeyError('gone')
if sample['output_text'] == 'leave': raise SystemExit(3)
if sample['output_text'] == 'die': os._exit(7)
return float(os.getpid())
"""
    found = grade(body, ["a", "raise", "b", "leave", "c", "die", "d"])
    a, b, c, d = found.scores

    assert a == b == c != d
    assert a != os.getpid()
    assert "KeyError: 'gone'" in str(found.faults[1])
    assert "line 3" in str(found.faults[1])
    assert "SystemExit: 3" in str(found.faults[3])
    assert "ended by itself before it answered (exit code 7)" in str(found.faults[5])


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("return 'high'", "grade returned 'high', a str; return float"),
        ("return True", "grade returned 'True', a bool"),
        ("pass", "a NoneType"),
        ("return float('inf')", "return a finite number"),
        ("return grade(sample, item)", "RecursionError"),
    ],
)
def test_only_finite_numbers_are_grades(body: str, reason: str) -> None:
    """Anything else is an error that says what to return."""
    assert reason in fault(body)


def test_a_source_that_does_not_load_is_reported_once_for_all() -> None:
    """A source without `grade`, or one that raises when loaded, grades nothing and says why."""
    for source, reason in [
        ("def grad(s, i): return 1.0", "defines no function grade"),
        ("import no_such_package", "No module named 'no_such_package'"),
    ]:
        with pytest.raises(GraderError, match=f"none of 3 answers.*{reason}|{reason}"):
            grade_all(PythonGrader(name="n", source=source), ["a"] * 3, [{}] * 3, allow_python=True)


def test_time_is_limited() -> None:
    """A row that takes too long is ended and the rest goes on; three in a row end the run."""
    body = "while sample['output_text'] == 'loop': pass\nreturn 1.0"
    limits = PythonLimits(seconds=0.4)
    began = time.monotonic()
    found = grade(body, ["a", "loop", "b"], limits)
    stuck = grade(body, ["a", *["loop"] * 20, "b"], limits)

    assert found.scores == (1, 1)
    assert "took longer than 0.4 s" in str(found.faults[1])
    assert stuck.scores == (1,)
    assert "not run: 3 cases in a row" in str(stuck.faults[4])
    assert time.monotonic() - began < 10


@linux_only
@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("return float(len(bytearray(2**29)))", "MemoryError"),
        ("open('big', 'wb').write(b'x' * 2**20)", "File too large"),
    ],
)
def test_memory_and_files_are_limited(body: str, reason: str) -> None:
    """The operating system refuses what goes beyond the limits."""
    assert reason in fault(body, PythonLimits(memory_bytes=2**28, file_bytes=2**19))


@linux_only
@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("import os\nos.abort()", "ended by the system (SIGABRT)"),
        ("import os\nos.closerange(3, 60)\nwhile True: pass", "no longer answers"),
        ("import os\nos.write(4, b'\\xff\\n')\nreturn 1.0", "no longer answers"),
        ("import os\nos.write(4, b'[' * 60_000 + b'\\n')\nreturn 1.0", "no longer answers"),
        (
            "import os\nos.write(4, b'{}\\n')\nreturn 1.0",
            "something else than a grade",
        ),
    ],
)
def test_a_process_that_misbehaves_is_an_error(body: str, reason: str) -> None:
    """A process that dies, falls silent or writes what is no grade gives an error, never a hang."""
    assert reason in fault(body)


@pytest.mark.parametrize(
    "body",
    [
        "import socket\nsocket.socket()",
        "import socket\nsocket.getaddrinfo('localhost', 80)",
        "import urllib.request\nurllib.request.urlopen('http://127.0.0.1:9')",
        "import os\nos.system('true')",
        "import subprocess\nsubprocess.run(['true'])",
        "import os\nos.fork()",
        "import ctypes\nctypes.CDLL(None)",
        "open('/tmp/outside', 'w')",
        "import os\nos.remove(__import__('sys').executable)",
        "import os\nos.chdir('/')",
    ],
)
def test_network_programs_and_other_files_are_out_of_reach(body: str) -> None:
    """No connection, no other program, no change outside its own folder."""
    reason = fault(body)

    assert "a grader has no network" in reason or "a grader may" in reason or "stays in" in reason
    assert "outside" not in os.listdir("/tmp")  # noqa: S108


def test_secrets_of_the_environment_are_not_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """The grader sees none of our variables, and works in an empty folder that is gone afterwards."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    body = "import os\nprint(os.getcwd())\nopen('own', 'w').close()\n" + (
        "return float('OPENAI_API_KEY' in os.environ or len(os.listdir()) > 1)"
    )
    (only,) = grade(body, ["a"]).grades

    assert only is not None
    assert only.score == 0
    assert not os.path.exists(only.reason)


@linux_only
def test_what_is_enforced_is_reported() -> None:
    """A run names what confines it; the guard is always there, memory and processes on Linux."""
    run = run_script("def grade(s, i): return 1.0", [({}, {})])

    assert {"guard", "memory", "cpu", "file size", "processes"} <= set(run.enforced)


def test_packages_are_out_of_reach_unless_asked_for() -> None:
    """By default the standard library alone can be imported."""
    body = "import pydantic\nreturn 1.0"

    assert "No module named 'pydantic'" in fault(body)
    assert grade(body, ["a"], PythonLimits(packages=True)).scores == (1,)


def test_an_event_loop_is_not_held_up() -> None:
    """While the program runs, the loop goes on."""
    grader = PythonGrader(
        name="slow", source="import time\ndef grade(s, i):\n    time.sleep(0.2)\n    return 1.0"
    )

    async def both() -> tuple[Grading, int]:
        ticks = 0
        task = asyncio.create_task(grade_all_async(grader, ["a"], [{}], allow_python=True))
        while not task.done():
            await asyncio.sleep(0)
            ticks += 1
        return await task, ticks

    grading, ticks = asyncio.run(both())

    assert grading.scores == (1,)
    assert ticks > 10


def test_limits_are_positive() -> None:
    """A limit of nothing is refused where it is given."""
    with pytest.raises(ValueError, match="positive"):
        PythonLimits(seconds=0)
