"""The command: `python -m gpt4o_tune check FILE`.

Exit codes: 0 the file is sound, 1 errors were found, 2 the file could not be read or an argument is wrong.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
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
        return _check(options)
    except TuneError as error:
        print(error, file=sys.stderr)
    except OSError as error:
        print(f"{error.filename!r} cannot be written: {error.strerror}.", file=sys.stderr)
    return UNREADABLE


def _check(options: argparse.Namespace) -> int:
    """Check a file, or what `fix` makes of it, and write what was asked for."""
    data = Dataset.from_jsonl(options.file)
    fixed = None
    if options.fix:
        fixed = data.fix()
        data = Dataset.from_jsonl(fixed.dataset.to_jsonl(options.fix))
    report = data.check(
        model=options.model, provider=options.provider, method=options.method, pii=options.pii
    )
    if options.html:
        Path(options.html).write_text(report.to_html(data), encoding="utf-8")
    if options.json:
        changes = {"changes": fixed.to_dict()["changes"]} if fixed else {}
        _write(json.dumps(report.to_dict() | changes, indent=2))
    else:
        done = [*map(str, fixed.changes), ""] if fixed else []
        _write("\n".join([*done, str(report)]))
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
    check.add_argument("--html", metavar="OUT", help="write the report as a page too")
    check.add_argument("--pii", action="store_true", help="look for personal data too")
    check.add_argument(
        "--fix",
        metavar="OUT",
        help="repair what can be repaired safely, write the rows to OUT, and check those",
    )
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
