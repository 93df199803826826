"""Run the official client's own tests against the local server: `python scripts/conformance`.

It takes the tests from the source distribution of the installed `openai`, which pip downloads unless
`--sdist` names one, and prints what was collected, passed, failed and skipped for each resource. Needs
the extra `conformance`.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tarfile
import tempfile
from collections import Counter
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from stage import RESET_PATH, Stage

from gpt4o_tune.local.http_thread import HttpThread, listen

if TYPE_CHECKING:
    from collections.abc import Mapping

HERE = Path(__file__).parent
HOST = "127.0.0.1"
RESOURCES = {
    "files": ("test_files.py",),
    "uploads": ("test_uploads.py", "uploads"),
    "fine_tuning.jobs": ("fine_tuning/test_jobs.py", "fine_tuning/jobs"),
    "fine_tuning.checkpoints": ("fine_tuning/checkpoints",),
    "fine_tuning.alpha.graders": ("fine_tuning/alpha",),
    "models": ("test_models.py",),
    "chat.completions": ("chat",),
    "batches": ("test_batches.py",),
    "moderations": ("test_moderations.py",),
}
"""The resources of the server, and where in `tests/api_resources` their tests lie."""


def main() -> int:
    """Run the tests, print the table, and return 1 where a test failed."""
    options = _parser().parse_args()
    with tempfile.TemporaryDirectory(prefix="gpt4o-tune-conformance-") as folder:
        suite = _unpack(options.sdist or _download(Path(folder)), Path(folder))
        report = Path(folder) / "report.xml"
        _run(suite, report, [*RESOURCES] if options.resource is None else options.resource)
        counts = _count(report)
    print(f"openai {version('openai')}: its own tests against the local server\n")
    print(_table(counts))
    return 1 if any(count["failed"] for count in counts.values()) else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python scripts/conformance", description=__doc__)
    parser.add_argument(
        "--sdist", type=Path, help="source distribution of openai; pip downloads it otherwise"
    )
    parser.add_argument(
        "--resource", action="append", choices=[*RESOURCES], help="repeatable; default: all"
    )
    return parser


def _download(folder: Path) -> Path:
    wanted = f"openai=={version('openai')}"
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
    command += ["--no-binary", ":all:", "--dest", str(folder), wanted]
    subprocess.run(command, check=True)  # noqa: S603 - fixed words
    (sdist,) = folder.glob("openai-*.tar.gz")
    return sdist


def _unpack(sdist: Path, folder: Path) -> Path:
    with tarfile.open(sdist) as archive:
        archive.extractall(folder, filter="data")
    (suite,) = (path for path in folder.glob("openai-*") if path.is_dir())
    return suite


def _run(suite: Path, report: Path, resources: list[str]) -> None:
    """Run the suite in a process of its own, against a stage in this one."""
    tests = [f"tests/api_resources/{path}" for name in resources for path in RESOURCES[name]]
    stage = Stage()
    with listen(HOST, 0) as listener:
        address = f"http://{HOST}:{listener.getsockname()[1]}"
        http = HttpThread(stage, listener)
        http.start()
        try:
            # One server for all of the suite, so no workers; and the suite's warnings are not ours.
            command = [sys.executable, "-m", "pytest", "-q", "-n", "0", "-p", "reset"]
            command += ["-W", "default", f"--junitxml={report}", *tests]
            own = {
                name: text for name, text in os.environ.items() if not name.startswith("OPENAI_")
            }
            environment = {
                **own,
                "PYTHONPATH": os.pathsep.join([str(HERE), *sys.path[1:]]),
                "TEST_API_BASE_URL": f"{address}/v1",
                "CONFORMANCE_RESET_URL": f"{address}{RESET_PATH}",
            }
            subprocess.run(command, cwd=suite, env=environment, check=False)  # noqa: S603
        finally:
            http.stop()
            stage.close()


def _count(report: Path) -> dict[str, Counter[str]]:
    counts: dict[str, Counter[str]] = {}
    for case in ElementTree.parse(report).iter("testcase"):  # noqa: S314 - our own report
        counts.setdefault(_resource(case.attrib["classname"]), Counter()).update(
            ["collected", _outcome(case)]
        )
    return counts


def _resource(classname: str) -> str:
    path = classname.removeprefix("tests.api_resources.").replace(".", "/")
    for name, places in RESOURCES.items():
        if any(path.startswith(place.removesuffix(".py")) for place in places):
            return name
    return classname


def _outcome(case: ElementTree.Element) -> str:
    if case.find("failure") is not None or case.find("error") is not None:
        return "failed"
    return "passed" if case.find("skipped") is None else "skipped"


def _table(counts: Mapping[str, Counter[str]]) -> str:
    columns = ("collected", "passed", "failed", "skipped")
    total: Counter[str] = sum(counts.values(), Counter())
    lines = [f"| Resource | {' | '.join(columns)} |", "|---" * 5 + "|"]
    for name, count in [*counts.items(), ("all", total)]:
        lines.append(f"| {name} | {' | '.join(str(count[column]) for column in columns)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
