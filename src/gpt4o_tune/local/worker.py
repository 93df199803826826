"""The process that trains one job: `python -m gpt4o_tune.local.worker --data-dir D --job ID`.

It ends with exit code 0 once the job is in a final state or has no more need of a worker. Every other
end, a kill included, leaves the job open, and the next worker continues from the saved state.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from gpt4o_tune.local.process_lock import locked
from gpt4o_tune.local.store import Store
from gpt4o_tune.local.store.records import JobFault
from gpt4o_tune.local.training import TrainingRun

if TYPE_CHECKING:
    from collections.abc import Sequence

logger = logging.getLogger("gpt4o_tune.local")

_PARENT_DIED = 3


def main(arguments: Sequence[str] | None = None) -> int:
    """Train the job that the arguments name and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m gpt4o_tune.local.worker")
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--job", required=True, metavar="ID")
    parser.add_argument("--parent", type=int, required=True, metavar="PID", help="the server")
    options = parser.parse_args(arguments)
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    store = Store(options.data_dir)
    try:
        # A worker of a server that was killed may still be on its way out.
        with locked(store.job_dir(options.job) / "lock"):
            return _train(store, options.job, parent=options.parent)
    finally:
        store.close()


def _train(store: Store, job_id: str, *, parent: int) -> int:
    try:
        for _ in TrainingRun(store, job_id).updates():
            if os.getppid() != parent:
                return _PARENT_DIED
    except Exception as error:
        logger.exception("job %s failed", job_id)
        message = f"Training stopped with an error: {error!r}"
        with store.jobs.editing(job_id) as edit:
            if edit.is_open:
                edit.finish("failed", fault=JobFault(code="server_error", message=message))
                edit.event("failed", message, level="error")
    return 0


if __name__ == "__main__":
    sys.exit(main())
