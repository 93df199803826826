"""A fine-tuning service on this machine: OpenAI's REST API in front of a small model that trains.

Needs the extra `local`. Nothing of it is imported before `LocalServer` is asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gpt4o_tune.errors import MissingExtraError

if TYPE_CHECKING:
    from gpt4o_tune.local.server import LocalServer

__all__ = ["LocalServer"]

_PARTS_OF_EXTRA = ("numpy", "starlette", "uvicorn", "python_multipart", "threadpoolctl")


def __getattr__(name: str) -> object:
    if name != "LocalServer":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    require_extra()
    from gpt4o_tune.local.server import LocalServer

    return LocalServer


def __dir__() -> list[str]:
    return [*__all__]


def require_extra() -> None:
    """Check that the packages of the extra are installed, without importing them.

    Raises:
        MissingExtraError: One is missing.
    """
    from importlib.util import find_spec

    if any(find_spec(name) is None for name in _PARTS_OF_EXTRA):
        raise MissingExtraError("The local server", extra="local")
