"""Packages that only an extra installs: imported where they are needed, missed with a clear error."""

from __future__ import annotations

import importlib
from typing import Any

from gpt4o_tune.errors import MissingExtraError

__all__ = ["import_extra"]


def import_extra(module: str, *, extra: str, feature: str) -> Any:
    """Import a module of an optional package.

    Args:
        module: The module to import, such as `matplotlib.figure`.
        extra: The extra of this library that installs it.
        feature: What needs it, as the subject of the error's sentence.

    Raises:
        MissingExtraError: The package is not installed.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as missing:
        # A package that is there but broken must not be reported as absent.
        if missing.name is None or missing.name.split(".")[0] != module.split(".")[0]:
            raise
        raise MissingExtraError(feature, extra=extra) from missing
