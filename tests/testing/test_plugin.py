"""The plugin of pytest, as users meet it: fixtures without an import, and no cost where unused."""

from __future__ import annotations

import importlib
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

pytest_plugins = ["pytester"]

PLUGIN = "gpt4o_tune.testing.plugin"
HEAVY = ("openai", "pydantic", "numpy", "starlette", "uvicorn", "tiktoken", "httpx2", "httpx")
USERS_TEST = """
    from gpt4o_tune import Dataset, FineTuneJob

    ROWS = [
        {"messages": [{"role": "user", "content": f"Ticket {n}"},
                      {"role": "assistant", "content": "billing" if n % 2 else "delivery"}]}
        for n in range(20)
    ]

    def test_launch(tuning_service):
        job = FineTuneJob.create(Dataset.from_records(ROWS), provider=tuning_service.provider)
        assert job.wait().ask("Ticket 3") == "billing"

    def test_another(tuning_service):
        assert len(tuning_service.requests) == 0

    def test_forgotten_fault(tuning_service):
        tuning_service.faults.add("GET /v1/models", status=500)
"""


def run(pytester: pytest.Pytester, *options: str) -> pytest.RunResult:
    """Run pytest in the user's folder with the plugin, installed as one or not."""
    return pytester.runpytest("-p", "no:gpt4o_tune", *options)


def test_each_test_gets_a_fresh_service(pytester: pytest.Pytester) -> None:
    """No conftest is needed; a fault that met no request fails its test."""
    pytester.makepyfile(USERS_TEST)

    result = run(pytester, "-p", PLUGIN)

    result.assert_outcomes(passed=3, errors=1)
    result.stdout.fnmatch_lines(["*AssertionError: no request met Fault(*GET /v1/models*"])


def test_the_training_server_serves_a_session(pytester: pytest.Pytester) -> None:
    """Both tests see the same server."""
    pytester.makepyfile(
        """
        seen = []

        def test_one(tuning_server):
            seen.append(tuning_server.base_url)

        def test_two(tuning_server):
            assert seen == [tuning_server.base_url]
        """
    )

    run(pytester, "-p", PLUGIN).assert_outcomes(passed=2)


def test_the_plugin_can_be_switched_off(pytester: pytest.Pytester) -> None:
    """Without it the fixture is unknown."""
    pytester.makepyfile("def test_one(tuning_service): pass")

    result = run(pytester)

    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*fixture 'tuning_service' not found*"])


def test_loading_the_plugin_loads_nothing_heavy() -> None:
    """Every test run of a user pays for it, so it costs next to nothing."""
    code = f"import sys, {PLUGIN}; print([m for m in {HEAVY} if m in sys.modules])"

    shown = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout

    assert shown.strip() == "[]"


def test_the_package_registers_the_plugin() -> None:
    """The entry point names a module that has both fixtures."""
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text("utf-8"))

    target = project["project"]["entry-points"]["pytest11"]["gpt4o_tune"]

    assert target == PLUGIN
    assert {"tuning_service", "tuning_server"} <= set(dir(importlib.import_module(target)))
