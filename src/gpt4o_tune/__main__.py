"""The command: `python -m gpt4o_tune check FILE`.

Exit codes: 0 the file is sound, 1 errors were found, 2 the file could not be read or an argument is wrong.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from typing import TYPE_CHECKING, get_args

from gpt4o_tune.catalog import DEFAULT_MODEL, Method, ProviderKind
from gpt4o_tune.data import Dataset
from gpt4o_tune.errors import TuneError

if TYPE_CHECKING:
    from collections.abc import Sequence

SOUND, ERRORS_FOUND, UNREADABLE = 0, 1, 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    options = _parser().parse_args(arguments)
    try:
        report = Dataset.from_jsonl(options.file).check(
            model=options.model, provider=options.provider, method=options.method
        )
    except TuneError as error:
        print(error, file=sys.stderr)
        return UNREADABLE
    _write(json.dumps(report.to_dict(), indent=2) if options.json else str(report))
    return SOUND if report.ok else ERRORS_FOUND


def _write(text: str) -> None:
    try:
        print(text, flush=True)
    except BrokenPipeError:
        # The reader, such as `head`, has seen enough; at its exit Python would try to flush once more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m gpt4o_tune", description="Prepare fine-tuning data for GPT-4o."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    check = commands.add_parser(
        "check",
        help="find every fault in a JSONL file before it is uploaded",
        description="Find every fault in a JSONL file before it is uploaded. Exit code 0: sound, "
        "1: errors found, 2: the file could not be read.",
    )
    check.add_argument("file", metavar="FILE", help="the file, in JSON Lines")
    check.add_argument("--json", action="store_true", help="write the report as JSON")
    check.add_argument("--model", help=f"the model to train (default: {DEFAULT_MODEL})")
    check.add_argument(
        "--provider", choices=get_args(ProviderKind), default="openai", help="where it is trained"
    )
    check.add_argument(
        "--method", choices=get_args(Method), help="how (default: what the rows are for)"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
