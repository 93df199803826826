"""Worker processes: our own modules under our own interpreter, started and ended by the server."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from collections.abc import Sequence

_STOP_TIMEOUT_S = 5.0
# More threads slow these small matrices down on a busy machine, and their number changes the sums.
_ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


def start_worker(
    module: str, arguments: Sequence[str], *, log: BinaryIO
) -> subprocess.Popen[bytes]:
    """Start `python -m MODULE ARGUMENTS --parent PID`, whose output goes to the log."""
    command = [sys.executable, "-m", module, *arguments, "--parent", str(os.getpid())]
    return subprocess.Popen(  # noqa: S603 - our own module under our own interpreter
        command,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=subprocess.STDOUT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **_ONE_THREAD},
    )


def end_worker(worker: subprocess.Popen[bytes]) -> None:
    """Ask a worker to end, and kill it where it does not."""
    worker.terminate()
    try:
        worker.wait(_STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        worker.kill()
