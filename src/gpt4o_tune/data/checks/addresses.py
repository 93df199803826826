"""Which addresses can nobody but this machine or its network reach?"""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

_LOCAL_NAMES = ("localhost", "local", "internal", "home.arpa", "test", "invalid")
"""Names, and endings of names, that public name servers do not know (RFC 6761, 6762, 8375)."""


def private_host(url: str) -> str | None:
    """Return the host of a web address if it is plainly not public."""
    try:
        host = urlsplit(url).hostname
    except ValueError:
        return None
    return host if host and is_private(host) else None


def is_private(host: str) -> bool:
    """Tell whether a name or IP address is plainly not public, without asking any name server."""
    try:
        # A link-local address of IPv6 carries the name of an interface.
        return not ipaddress.ip_address(host.partition("%")[0]).is_global
    except ValueError:
        bare = host.rstrip(".").lower()
        return "." not in bare or any(bare.endswith(f".{name}") for name in _LOCAL_NAMES)
