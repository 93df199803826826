"""`python -m gpt4o_tune.local`: keep a local fine-tuning service running."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from gpt4o_tune.errors import MissingExtraError
from gpt4o_tune.local import LocalServer

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import FrameType


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until interrupted and return the exit code."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    # numpy reads it when the first model answers; threads slow these small matrices down.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    is_over = threading.Event()

    def stop(number: int, frame: FrameType | None) -> None:
        is_over.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    try:
        server = LocalServer(
            options.data_dir,
            options.port,
            host=options.host,
            api_key=options.api_key,
            slots=options.slots,
            moderation=options.moderation,
            webhooks=options.webhook,
            webhook_secret=options.webhook_secret,
            allow_python_graders=options.allow_python_graders,
        )
        with server:
            print(_greeting(server, has_webhooks=bool(options.webhook)), flush=True)
            is_over.wait()
    except (OSError, ValueError, MissingExtraError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print("Stopped. Open jobs continue when a server starts on the same folder.")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m gpt4o_tune.local",
        description="Serve OpenAI's fine-tuning API on this machine. A small stand-in model trains, "
        "not GPT-4o.",
    )
    parser.add_argument(
        "--data-dir",
        type=Path,
        default=Path("gpt4o-tune-local"),
        metavar="D",
        help="where everything is kept (default: %(default)s)",
    )
    parser.add_argument("--port", type=int, default=0, metavar="P", help="default: a free one")
    parser.add_argument(
        "--host", default="127.0.0.1", help="another than loopback needs an explicit --api-key"
    )
    parser.add_argument(
        "--api-key", metavar="K", help="default: a random one, kept in the data folder"
    )
    parser.add_argument(
        "--slots", type=int, default=1, metavar="N", help="jobs that train at the same time"
    )
    parser.add_argument(
        "--moderation",
        action="store_true",
        help="fail jobs whose training file has rows that the moderation stand-in flags",
    )
    parser.add_argument(
        "--webhook",
        action="append",
        default=[],
        metavar="URL",
        help="address to tell that a job or batch has ended; may be given several times",
    )
    parser.add_argument(
        "--webhook-secret",
        metavar="S",
        help="what signs webhooks (default: a random one, kept in the data folder)",
    )
    parser.add_argument(
        "--allow-python-graders",
        action="store_true",
        help="let graders of clients run Python source on this machine",
    )
    return parser


def _greeting(server: LocalServer, *, has_webhooks: bool) -> str:
    verify = f"To verify webhooks:\n  export OPENAI_WEBHOOK_SECRET={server.webhook_secret}\n"
    return f"""\
Local fine-tuning service, a stand-in for GPT-4o and its relatives.
  base_url  {server.base_url}
  api_key   {server.api_key}
  data      {server.data_dir}
  page      {server.page_url}

For this library:
  export GPT4O_TUNE_LOCAL_URL={server.base_url}
  export GPT4O_TUNE_LOCAL_KEY={server.api_key}
For every other client of OpenAI's API:
  export OPENAI_BASE_URL={server.base_url}
  export OPENAI_API_KEY={server.api_key}
{verify if has_webhooks else ""}
Ctrl-C stops it."""


if __name__ == "__main__":
    sys.exit(main())
