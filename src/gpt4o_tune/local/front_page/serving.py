"""Answering `GET /`: one page without data or key in it, which asks the API under `/v1` for the rest."""

from __future__ import annotations

import base64
import hashlib
import ipaddress
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING
from urllib.parse import quote

from starlette.datastructures import Headers
from starlette.responses import HTMLResponse

from gpt4o_tune.local.envelope import ApiError, error_response

if TYPE_CHECKING:
    from starlette.responses import Response
    from starlette.types import ASGIApp, Receive, Scope, Send

_SCRIPTS = ("document.js", "service.js", "chart.js", "history.js", "job.js", "chat.js", "page.js")


class FrontPage:
    """ASGI wrapper that answers `/` with the page and passes on everything else.

    The page needs no key, so it is the one answer that a foreign site could get at by pointing a name of its
    own at this machine (DNS rebinding). A request must therefore name the server by `localhost`, by an IP
    address, which nobody can point elsewhere, or by the name that the server was told to listen on.

    Args:
        app: What answers everything else.
        host: The name or address that the server listens on.
    """

    def __init__(self, app: ASGIApp, *, host: str) -> None:
        self._app = app
        self._host = host.lower()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer with the page, or pass the request on."""
        if scope["type"] != "http" or scope["path"] != "/":
            await self._app(scope, receive, send)
            return
        response = self._answer(scope["method"], Headers(scope=scope).get("host", ""))
        await response(scope, receive, send)

    def _answer(self, method: str, host: str) -> Response:
        if method not in ("GET", "HEAD"):
            refusal = ApiError(
                f"Not allowed to {method} /.", status=405, code="method_not_supported"
            )
            return error_response(refusal, headers={"allow": "GET, HEAD"})
        if not self._is_own(host):
            message = (
                f"This server does not answer for the host {host!r}. Open the page under localhost "
                "or an IP address, or start the server with that name as its host."
            )
            return error_response(ApiError(message, status=421, code="unknown_host"))
        page, policy = _page()
        return HTMLResponse(
            page,
            headers={
                "content-security-policy": policy,
                "cache-control": "no-cache",
                "cross-origin-opener-policy": "same-origin",
                "cross-origin-resource-policy": "same-origin",
                "referrer-policy": "no-referrer",
                "x-content-type-options": "nosniff",
                "x-frame-options": "DENY",
            },
        )

    def _is_own(self, host: str) -> bool:
        name = _without_port(host).lower()
        return name in ("localhost", self._host) or _is_address(name)


def page_link(base_url: str, *, api_key: str) -> str:
    """Write the address of the page with the key behind `#`, which browsers keep to themselves."""
    return f"{base_url.removesuffix('/v1')}/#key={quote(api_key, safe='')}"


def _without_port(host: str) -> str:
    """Take the port, and the brackets of an IPv6 address, off the header `Host`."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0]


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


@cache
def _page() -> tuple[str, str]:
    """Put the page together; return it with the policy that lets exactly its own code run."""
    folder = files("gpt4o_tune.local.front_page")
    template, style = ((folder / name).read_text("utf-8") for name in ("page.html", "page.css"))
    script = "\n".join((folder / name).read_text("utf-8") for name in _SCRIPTS)
    policy = (
        f"default-src 'none'; style-src {_source(style)}; script-src {_source(script)}; "
        "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
    )
    return template.replace("{{style}}", style).replace("{{script}}", script), policy


def _source(code: str) -> str:
    """Return what lets a browser run this one inline element and no other (Content Security Policy)."""
    digest = hashlib.sha256(code.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"
