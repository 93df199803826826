"""The bearer token and the webhook secret, and the rule about which hosts may do without an explicit token."""

from __future__ import annotations

import base64
import hmac
import ipaddress
import os
import secrets
from typing import TYPE_CHECKING

from starlette.datastructures import Headers

from gpt4o_tune.local.envelope import ApiError, error_response
from gpt4o_tune.local.webhooks import SECRET_PREFIX

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.types import ASGIApp, Receive, Scope, Send

KEY_FILE = "api_key"
WEBHOOK_SECRET_FILE = "webhook_secret"  # noqa: S105 - the name of a file


class BearerAuth:
    """ASGI wrapper that answers 401 unless the request carries the server's key."""

    def __init__(self, app: ASGIApp, *, api_key: str) -> None:
        self._app = app
        self._expected = f"Bearer {api_key}".encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        if scope["type"] != "http" or self._is_authorized(scope):
            await self._app(scope, receive, send)
            return
        message = (
            "Missing or incorrect API key. Send the key of this local server as "
            "`Authorization: Bearer KEY`; the server prints it when it starts."
        )
        refusal = error_response(
            ApiError(message, status=401, code="invalid_api_key"),
            headers={"www-authenticate": "Bearer"},
        )
        await refusal(scope, receive, send)

    def _is_authorized(self, scope: Scope) -> bool:
        given = Headers(scope=scope).get("authorization", "").encode("latin-1")
        return hmac.compare_digest(given, self._expected)


def stored_key(data_dir: Path) -> str:
    """Read the key kept in the data folder, or make one there that only its owner can read."""
    return _stored(data_dir / KEY_FILE, f"local-{secrets.token_urlsafe(32)}")


def stored_webhook_secret(data_dir: Path) -> str:
    """Read the secret that signs webhooks, or make one in the same way."""
    random = base64.b64encode(secrets.token_bytes(32)).decode()
    return _stored(data_dir / WEBHOOK_SECRET_FILE, f"{SECRET_PREFIX}{random}")


def _stored(path: Path, fresh: str) -> str:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_text(encoding="utf-8").strip()
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(f"{fresh}\n")
    return fresh


def require_safe_host(host: str, *, api_key: str | None) -> None:
    """Refuse to listen beyond this machine with a key that nobody chose.

    Raises:
        ValueError: `host` is no loopback address and no key was given.
    """
    if is_loopback(host) or api_key:
        return
    raise ValueError(
        f"host {host!r} is reachable from other machines, so the local server wants an explicit "
        "api_key for it. Pass api_key=..., or keep the default host 127.0.0.1."
    )


def is_loopback(host: str) -> bool:
    """Tell whether only this machine can reach the address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
