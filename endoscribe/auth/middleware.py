"""The authentication middleware: only health checks, sign-in and static files are served without authentication.

`/metrics` has a check of its own (`web/routes/metrics.py`): monitoring programs are no users of the page.

Behind the middleware `scope["state"]["user"]` is the user's name, for HTTP and WebSockets alike; None only where nobody
signs in.
"""

from contextlib import nullcontext

from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from endoscribe.auth.authenticator import Authenticator, Principal, TooManyAttemptsError, cookie_header
from endoscribe.auth.modes import Demo, HuggingFace, NoAuth, Passwords
from endoscribe.auth.revocation import RevocableReceive
from endoscribe.errors import EntryError

OPEN_PATHS = frozenset(
    {"/health", "/ready", "/metrics", "/login", "/login/huggingface", "/login/callback", "/favicon.ico"}
)
OPEN_PREFIXES = ("/ui/", "/assets/", "/static/")
NOT_SIGNED_IN = "Sign in again: open this page in another tab and do so there. What you have dictated is kept."
NOT_THIS_WAY = "This page is reached through its proxy only, which says who you are."
NOT_THROUGH_A_PROXY = (
    "This came through a proxy, and nobody has to sign in here: the page is for this machine alone. Its operator can "
    "set ENDOSCRIBE_AUTH (users:FILE, or header:NAME@ADDRESS where the proxy signs people in) or ENDOSCRIBE_DEMO=true."
)
TOO_OFTEN = "Too many tries; wait a little and try again."
#: Gradio's event streams are below it.
STREAM_PREFIX = "/gradio_api/"
#: From the range that RFC 6455 leaves to applications, and like the status of the same meaning.
SIGN_IN_ENDED = 4401


class AuthMiddleware:
    """Authenticates every request and socket; unauthenticated ones get 401, 403 or the login page."""

    def __init__(self, app: ASGIApp, authenticator: Authenticator) -> None:
        self._app, self._authenticator = app, authenticator

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        connection = HTTPConnection(scope)
        if not self._authenticator.is_same_origin(connection):
            await _problem(403, "Other sites' pages may not use this.")(scope, receive, send)
            return
        if is_open(scope["path"]):
            await self._app(scope, receive, send)
            return
        try:
            principal = await self._authenticator.authenticate(connection)
        except TooManyAttemptsError as error:
            await _problem(429, TOO_OFTEN, {"Retry-After": f"{error.wait_s + 1:.0f}"})(scope, receive, send)
            return
        except EntryError as error:
            await _problem(503, str(error))(scope, receive, send)
            return
        if principal is None:
            await self._unauthenticated(connection)(scope, receive, send)
            return
        scope.setdefault("state", {})["user"] = principal.user
        is_visitor = isinstance(self._authenticator.mode, Demo) and principal.user
        with self._authenticator.visits.during(principal.user) if is_visitor and principal.user else nullcontext():
            send = self._with_cookie(connection, principal, send)
            if _stays_open(scope) and self._authenticator.session_cookies:
                await self._serve_while_signed_in(connection, principal, receive, send)
            else:
                await self._app(scope, receive, send)

    async def _serve_while_signed_in(
        self, connection: HTTPConnection, principal: Principal, receive: Receive, send: Send
    ) -> None:
        """A sign-out, a removed user or a new password ends what the user has open, in both directions."""
        is_socket = connection.scope["type"] == "websocket"
        last: Message = (
            {"type": "websocket.disconnect", "code": SIGN_IN_ENDED} if is_socket else {"type": "http.disconnect"}
        )
        receiver = RevocableReceive(receive, lambda: self._authenticator.is_still_valid(connection, principal), last)
        is_running = False

        async def send_until_the_end(message: Message) -> None:
            nonlocal is_running
            is_running = message["type"] == "http.response.start" or message.get("more_body", False)
            if not (is_socket and receiver.has_ended):
                await send(message)

        async def receive_and_close() -> Message:
            had_ended, message = receiver.has_ended, await receiver.receive()
            if is_socket and receiver.has_ended and not had_ended:
                await send({"type": "websocket.close", "code": SIGN_IN_ENDED})
            return message

        try:
            await self._app(connection.scope, receive_and_close, send_until_the_end)
        finally:
            receiver.close()
        if receiver.has_ended and is_running:
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    def _unauthenticated(self, connection: HTTPConnection) -> Response:
        if isinstance(self._authenticator.mode, NoAuth):
            return _problem(403, NOT_THROUGH_A_PROXY)
        if not isinstance(self._authenticator.mode, Passwords | HuggingFace):
            return _problem(403, NOT_THIS_WAY)
        is_navigation = connection.scope["type"] == "http" and connection.scope["method"] == "GET"
        if is_navigation and "text/html" in connection.headers.get("accept", ""):
            up = "../" * (connection.scope["path"].count("/") - 1)
            return RedirectResponse(f"{up or './'}login", 303, {"Cache-Control": "no-store"})
        return _problem(401, NOT_SIGNED_IN, {"WWW-Authenticate": 'Bearer realm="EndoScribe"'})

    def _with_cookie(self, connection: HTTPConnection, principal: Principal, send: Send) -> Send:
        session_cookies = self._authenticator.session_cookies
        if principal.cookie is None or session_cookies is None:
            return send
        cookie = cookie_header(connection, principal.cookie, session_cookies.lifetime_s)

        async def send_with_cookie(message: Message) -> None:
            if message["type"] in ("http.response.start", "websocket.accept"):
                headers = MutableHeaders(raw=list(message.get("headers", [])))
                if "set-cookie" not in headers:
                    headers.append("Set-Cookie", cookie)
                message = {**message, "headers": headers.raw}
            await send(message)

        return send_with_cookie


def _stays_open(scope: Scope) -> bool:
    """Sockets and possible event streams: these may go on for hours."""
    path: str = scope["path"]
    return scope["type"] == "websocket" or (scope["method"] == "GET" and path.startswith(STREAM_PREFIX))


def is_open(path: str) -> bool:
    return path in OPEN_PATHS or path.startswith(OPEN_PREFIXES)


def _problem(status: int, problem: str, headers: dict[str, str] | None = None) -> JSONResponse:
    return JSONResponse(
        {"problem": problem, "detail": problem}, status, {"Cache-Control": "no-store", **(headers or {})}
    )
