"""Trusted host names, limits on a body's size, and the security headers of every response."""

import re

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from endoscribe.auth.authenticator import is_https
from endoscribe.auth.modes import Networks, is_within
from endoscribe.auth.origin import peer, requested_host

#: What a browser calls the page, for the policy on where it may connect to.
HOST_SOURCE = re.compile(r"[A-Za-z0-9.\-:\[\]]{1,255}")
#: For responses about a patient or about who is signed in.
UNCACHED = {"Cache-Control": "no-store"}
#: A year in which a browser asks over https only.
HTTPS_ONLY = "max-age=31536000"
OWN_FILES = ("/ui/", "/samples/")
#: Pages, answers and events tell of patients; a browser that keeps them shows them after their reader has left.
TELLING = ("text/html", "application/json", "text/event-stream")
#: Health checks ask for these by address, and they tell nothing private; `/metrics` checks the host name itself.
EXEMPT_PATHS = ("/health", "/ready", "/metrics")


class TrustedHost:
    """Refuses requests for other host names, which a site sends that has given itself this address (DNS rebinding)."""

    def __init__(self, app: ASGIApp, names: frozenset[str] | None) -> None:
        """Serve these host names (IPv6 without brackets), or any."""
        self._app, self._names = app, names

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket") or scope["path"] in EXEMPT_PATHS or self._is_own(scope):
            await self._app(scope, receive, send)
            return
        problem = "This page does not answer to that name; its operator can allow it with ENDOSCRIBE_HOST_NAMES."
        await JSONResponse({"problem": problem, "detail": problem}, 421)(scope, receive, send)

    def _is_own(self, scope: Scope) -> bool:
        return self._names is None or requested_host(Headers(scope=scope)) in self._names


class BodyLimit:
    """Refuses a body that is larger than allowed, or of unknown size, before anything of it is read."""

    def __init__(self, app: ASGIApp, prefix: str, most_bytes: int) -> None:
        self._app, self._prefix, self._most_bytes = app, prefix, most_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] == "POST" and scope["path"].startswith(self._prefix):
            length = Headers(scope=scope).get("content-length", "")
            if not length.isdecimal():
                await JSONResponse({"detail": "Say how long the body is (Content-Length)."}, 411)(scope, receive, send)
                return
            if int(length) > self._most_bytes:
                await JSONResponse({"detail": "This is larger than is taken here."}, 413)(scope, receive, send)
                return
        await self._app(scope, receive, send)


class SecurityHeaders:
    """Adds the security headers to every response."""

    def __init__(self, app: ASGIApp, proxies: Networks = ()) -> None:
        """That the browser's end is https is believed of these proxies: it binds the browser for a year."""
        self._app, self._proxies = app, proxies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        connection = HTTPConnection(scope)
        host = connection.headers.get("host", "")
        is_safe = is_https(connection) and (scope["scheme"] == "https" or is_within(peer(connection), self._proxies))

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(security_headers(host))
                if is_safe:
                    headers["Strict-Transport-Security"] = HTTPS_ONLY
                if scope["path"].startswith(OWN_FILES):
                    headers["Cache-Control"] = "no-cache"  # ask each time whether it is still the same
                elif headers.get("content-type", "").startswith(TELLING):
                    headers["Cache-Control"] = "no-store"
            await send(message)

        await self._app(scope, receive, send_with_headers)


def security_headers(host: str) -> dict[str, str]:
    """For a page served as `host`. Gradio's templates need inline and evaluated scripts; nothing comes from outside."""
    sockets = f" ws://{host} wss://{host}" if HOST_SOURCE.fullmatch(host) else ""
    policy = (
        "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; worker-src 'self' blob:; "
        "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; media-src 'self' blob:; "
        f"font-src 'self' data:; connect-src 'self'{sockets}; object-src 'none'; base-uri 'self'; "
        "form-action 'self'; frame-ancestors 'self'"
    )
    return {
        "Content-Security-Policy": policy,
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "SAMEORIGIN",
        "Referrer-Policy": "same-origin",
        "Permissions-Policy": "microphone=(self), camera=(), geolocation=(), payment=(), usb=()",
        "Cross-Origin-Opener-Policy": "same-origin",
    }
