"""Holding BLAS to one thread while small matrices are multiplied.

Its worker threads cost more than they give at this size: on a busy machine of two cores an answer took
110 ms with them and 10 ms without.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Generator

__all__ = ["one_blas_thread"]

_lock = threading.Lock()
_holders = 0
_limit: Any = None


@contextmanager
def one_blas_thread() -> Generator[None]:
    """Hold the process's BLAS to one thread; it gets its threads back when the last holder leaves.

    The limit is the process's own, so holders are counted: of two that overlap, the first to leave must
    not undo what the other still needs, nor the other restore a limit that was never the user's.
    """
    global _holders, _limit  # the number of BLAS threads is global as well
    with _lock:
        if _holders == 0:
            _limit = _blas().limit(limits=1, user_api="blas")
        _holders += 1
    try:
        yield
    finally:
        with _lock:
            _holders -= 1
            if _holders == 0:
                _limit.restore_original_limits()


@cache
def _blas() -> Any:
    from threadpoolctl import (  # pyright: ignore[reportMissingTypeStubs]  # it has none
        ThreadpoolController,
    )

    return ThreadpoolController()
