"""Which addresses can nobody but this machine or its network reach?"""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

_LOCAL_NAMES = ("localhost", "local", "internal", "home.arpa", "test", "invalid")
"""Names, and endings of names, that public name servers do not know (RFC 6761, 6762, 8375)."""


def private_host(url: str) -> str | None:
    """Return the host of a web address if it is plainly not public, without asking any name server."""
    try:
        host = urlsplit(url).hostname
    except ValueError:
        return None
    if not host:
        return None
    try:
        return None if ipaddress.ip_address(host).is_global else host
    except ValueError:
        bare = host.rstrip(".")
        is_local = "." not in bare or any(bare.endswith(f".{name}") for name in _LOCAL_NAMES)
        return host if is_local else None


def is_public(address: str) -> bool:
    """Tell whether an IP address, as a name server gives it, is one of the public internet."""
    # A link-local address of IPv6 carries the name of an interface.
    return ipaddress.ip_address(address.partition("%")[0]).is_global
