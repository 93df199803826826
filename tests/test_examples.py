"""The programs in `examples/` run as they stand."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from types import ModuleType

EXAMPLES = Path(__file__).parent.parent / "examples"


def example(name: str) -> ModuleType:
    """Import a program by its file name."""
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("rows", "asked", "epochs"),
    [(20, 8, 1), pytest.param(None, None, 4, marks=pytest.mark.slow)],
)
def test_the_way_across(
    rows: int | None, asked: int | None, epochs: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """Old model, recording, retraining and parity; the control answers exactly as the old model did."""
    found = example("across").main(rows=rows, asked=asked, epochs=epochs)

    control = capsys.readouterr().out.split("5. The control")[1]
    agreed = next(line for line in control.splitlines() if line.startswith("letter for letter"))
    assert len(found.rows) == (asked or 58)
    assert " 100.0% (" in agreed
    assert "differ by 0.000 nats" in control
