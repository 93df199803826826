"""Plugin of pytest for the official suite: a fresh stage before each test."""

from __future__ import annotations

import os
import urllib.request


def pytest_runtest_setup() -> None:
    """Ask the server for its first state; the suite deletes and cancels the same ids in any order."""
    request = urllib.request.Request(os.environ["CONFORMANCE_RESET_URL"], method="POST")  # noqa: S310
    with urllib.request.urlopen(request):  # noqa: S310 - the address of our own server
        pass
