"""The process that answers one batch: `python -m gpt4o_tune.local.batches.worker --data-dir D --batch ID`.

It ends with exit code 0 once the batch is in a final state. Every other end, a kill included, leaves the
batch open, and the next worker answers what has no result yet.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from gpt4o_tune.local.answering import Answering
from gpt4o_tune.local.batches.run import BatchRun
from gpt4o_tune.local.process_lock import locked
from gpt4o_tune.local.stand_in import ENGINE
from gpt4o_tune.local.store import Store

if TYPE_CHECKING:
    from collections.abc import Sequence

_PARENT_DIED = 3
_NICENESS = 10
"""Training and live answers go first where the processor is busy."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Answer the batch that the arguments name and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m gpt4o_tune.local.batches.worker")
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--batch", required=True, metavar="ID")
    parser.add_argument("--parent", type=int, required=True, metavar="PID", help="the server")
    options = parser.parse_args(arguments)
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    os.nice(_NICENESS)
    store = Store(options.data_dir)
    try:
        # A worker of a server that was killed may still be on its way out.
        with locked(store.batch_dir(options.batch) / "lock"):
            for _ in BatchRun(store, options.batch, Answering(store, engine=ENGINE)).steps():
                if os.getppid() != options.parent:
                    return _PARENT_DIED
        return 0
    finally:
        store.close()


if __name__ == "__main__":
    sys.exit(main())
