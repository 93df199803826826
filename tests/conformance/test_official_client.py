"""The official client's own tests, on demand: they need packages and a registry."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NEEDED = ("aiohttp", "pytest_asyncio", "rich", "xdist")


@pytest.mark.slow
@pytest.mark.skipif(
    any(find_spec(name) is None for name in NEEDED), reason="the extra conformance is missing"
)
def test_the_clients_own_tests_pass() -> None:
    """No test fails of the resources that the local server has; OPENAI_SDIST spares the download."""
    sdist = os.environ.get("OPENAI_SDIST")
    command = [sys.executable, str(ROOT / "scripts" / "conformance")]
    ended = subprocess.run(
        command + (["--sdist", sdist] if sdist else []), cwd=ROOT, capture_output=True, text=True
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "| all | " in ended.stdout
