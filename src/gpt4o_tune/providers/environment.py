"""The one place that reads environment variables."""

from __future__ import annotations

import os
from types import MappingProxyType

__all__ = ["ENVIRONMENT", "variable"]

ENVIRONMENT = MappingProxyType(
    {
        "OPENAI_API_KEY": "key of OpenAI, or of the service at OPENAI_BASE_URL",
        "OPENAI_BASE_URL": "address of a compatible service; unset means OpenAI itself",
        "OPENAI_ORG_ID": "organization that OpenAI bills",
        "OPENAI_PROJECT_ID": "project that OpenAI bills",
        "AZURE_OPENAI_ENDPOINT": "address of an Azure OpenAI resource",
        "AZURE_OPENAI_API_KEY": "key of that resource",
        "GPT4O_TUNE_LOCAL_URL": "address of a running local server, ending in /v1",
        "GPT4O_TUNE_LOCAL_KEY": "key that the local server printed when it started",
    }
)
"""Every environment variable that the library reads, with its meaning."""


def variable(name: str) -> str | None:
    """Return a variable of `ENVIRONMENT`, or None where it is unset or blank."""
    if name not in ENVIRONMENT:
        raise KeyError(name)
    return os.environ.get(name, "").strip() or None
