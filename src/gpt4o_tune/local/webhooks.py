"""Delivers webhooks: signed, to the operator's own addresses, again and again until they are accepted."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import logging
import threading
import time
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gpt4o_tune.local.store import Store
    from gpt4o_tune.local.store.records import DeliveryRecord

logger = logging.getLogger("gpt4o_tune.local")

SECRET_PREFIX = "whsec_"  # noqa: S105 - marks a secret and is none

_LOOK_INTERVAL_S = 0.25
"""Worker processes write deliveries too, so new ones are looked for rather than announced."""
_ANSWER_TIMEOUT_S = 10.0
_FIRST_RETRY_S = 1.0
_LONGEST_RETRY_S = 3600.0
_GIVE_UP_S = 72 * 3600
"""As long as the real service tries."""
_STOP_TIMEOUT_S = 5.0


def require_address(url: str) -> None:
    """Refuse what webhooks cannot be sent to.

    Raises:
        ValueError: It is no http or https address with a host, or holds a user name.
    """
    try:
        parts = urlsplit(url)
        is_sound = parts.scheme in ("http", "https") and bool(parts.hostname)
        _ = parts.port
    except ValueError:
        raise ValueError(f"webhooks cannot be sent to {url!r}: it is no address") from None
    if not is_sound or not url.isascii() or any(char.isspace() for char in url):
        raise ValueError(
            f"webhooks cannot be sent to {url!r}: it must begin with http:// or https:// and a host"
        )
    if parts.username is not None:
        raise ValueError("the address of a webhook must not hold a user name or a password")


def signing_key(secret: str) -> bytes:
    """Read the key out of a secret such as `whsec_...`.

    Raises:
        ValueError: What follows the prefix is no base64.
    """
    if not secret.startswith(SECRET_PREFIX):
        return secret.encode()
    try:
        return base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    except binascii.Error:
        raise ValueError(f"after {SECRET_PREFIX} a webhook secret must be base64") from None


class WebhookSender:
    """One thread for each address, so that one that does not answer holds up no other.

    The signature is that of https://www.standardwebhooks.com. A webhook is delivered at least once: the
    header `webhook-id` is the same at every attempt. Redirects are not followed.

    Args:
        store: Where deliveries wait; a server that starts again goes on with them.
        urls: The addresses.
        secret: What signs.
    """

    def __init__(self, store: Store, urls: Sequence[str], *, secret: str) -> None:
        self._store = store
        self._urls = [*dict.fromkeys(urls)]
        self._key = signing_key(secret)
        self._is_stopping = threading.Event()
        self._threads = [
            threading.Thread(
                target=self._serve, args=(url,), name="gpt4o-tune-webhooks", daemon=True
            )
            for url in self._urls
        ]

    def start(self) -> None:
        """Set the addresses and begin with what waits for them."""
        self._store.webhooks.configure(self._urls)
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Stop; what was not accepted waits for the next start."""
        self._is_stopping.set()
        for thread in self._threads:
            thread.join(_STOP_TIMEOUT_S)

    def _serve(self, url: str) -> None:
        while not self._is_stopping.wait(_LOOK_INTERVAL_S):
            try:
                while not self._is_stopping.is_set():
                    delivery = self._store.webhooks.next_due(url)
                    if delivery is None:
                        break
                    self._deliver(delivery)
            except Exception:
                if not self._is_stopping.is_set():
                    logger.exception("webhooks could not be read or written down")

    def _deliver(self, delivery: DeliveryRecord) -> None:
        refusal = self._refusal(delivery)
        if refusal is None:
            self._store.webhooks.forget(delivery)
            return
        host = urlsplit(delivery.url).hostname
        logger.warning("webhook %s was not accepted by %s: %s", delivery.id, host, refusal)
        if self._store.now() - delivery.created_at >= _GIVE_UP_S:
            logger.error("webhook %s to %s is given up", delivery.id, host)
            self._store.webhooks.forget(delivery)
            return
        pause = min(_FIRST_RETRY_S * 2.0 ** min(delivery.attempts, 20), _LONGEST_RETRY_S)
        self._store.webhooks.postpone(delivery, seconds=pause)

    def _refusal(self, delivery: DeliveryRecord) -> str | None:
        """Try once, and say why it was in vain."""
        body = _payload(delivery)
        try:
            status = _post(delivery.url, body, headers=self._sign(delivery.id, body))
        except (OSError, HTTPException) as error:
            return str(error) or type(error).__name__
        return None if 200 <= status < 300 else f"status {status}"

    def _sign(self, webhook_id: str, body: bytes) -> dict[str, str]:
        timestamp = str(int(time.time()))
        signed = b".".join((webhook_id.encode(), timestamp.encode(), body))
        digest = hmac.digest(self._key, signed, hashlib.sha256)
        return {
            "content-type": "application/json",
            "user-agent": "gpt4o-tune-local",
            "webhook-id": webhook_id,
            "webhook-timestamp": timestamp,
            "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
        }


def _payload(delivery: DeliveryRecord) -> bytes:
    event = {
        "id": delivery.id,
        "object": "event",
        "created_at": delivery.created_at,
        "type": delivery.kind,
        "data": {"id": delivery.object_id},
    }
    return json.dumps(event).encode()


def _post(url: str, body: bytes, *, headers: dict[str, str]) -> int:
    parts = urlsplit(url)
    kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=_ANSWER_TIMEOUT_S)
    target = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
    try:
        connection.request("POST", target, body, headers)
        return connection.getresponse().status
    finally:
        connection.close()
