"""`/metrics` and who may read it: a program on this machine, or whoever holds the token of ENDOSCRIBE_METRICS_TOKEN."""

import hmac

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response
from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from endoscribe.auth.modes import LOOPBACK, is_within
from endoscribe.auth.origin import is_forwarded, requested_host
from endoscribe.metrics import Metrics
from endoscribe.settings import LOOPBACK_NAMES, Settings
from endoscribe.web.headers import UNCACHED

PATH = "/metrics"
#: Gradio's page keeps this request open for as long as it is open itself.
OPEN_PAGE_PREFIX = "/gradio_api/heartbeat/"
HERE_ONLY = (
    "The figures are for programs on this machine that ask it as localhost. To read them from elsewhere, or in a "
    "demonstration, set ENDOSCRIBE_METRICS_TOKEN and send it (Authorization: Bearer ...)."
)
WRONG_TOKEN = "The figures need the token of ENDOSCRIBE_METRICS_TOKEN (Authorization: Bearer ...)."  # noqa: S105


def scrape_routes(metrics: Metrics, settings: Settings) -> APIRouter:
    """AuthMiddleware leaves this path to the checks here."""
    router = APIRouter(include_in_schema=False)
    token = settings.metrics_token.get_secret_value() if settings.metrics_token else None

    @router.get(PATH)
    def figures(request: Request) -> Response:
        if token and not _has_token(request, token):
            return _told(401, WRONG_TOKEN, {"WWW-Authenticate": 'Bearer realm="EndoScribe metrics"'})
        if not token and (settings.demo or not _is_from_here(request)):
            return _told(403, HERE_ONLY)
        return Response(metrics.exposition(), headers=UNCACHED, media_type=CONTENT_TYPE_PLAIN_0_0_4)

    return router


def _has_token(request: Request, token: str) -> bool:
    kind, _, given = request.headers.get("authorization", "").partition(" ")
    return kind.lower() == "bearer" and hmac.compare_digest(given.strip().encode(), token.encode())


def _is_from_here(request: Request) -> bool:
    """Not passed on by a proxy, and not by a page of a site that has given itself this machine's address."""
    peer = request.client.host if request.client else ""
    return is_within(peer, LOOPBACK) and not is_forwarded(request) and requested_host(request.headers) in LOOPBACK_NAMES


def _told(status: int, problem: str, headers: dict[str, str] | None = None) -> JSONResponse:
    return JSONResponse({"problem": problem, "detail": problem}, status, {**UNCACHED, **(headers or {})})


class RequestMetrics:
    """Counts what is answered, and the pages that are open."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app, self._metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        page = OpenPage(self._metrics) if scope["path"].startswith(OPEN_PAGE_PREFIX) else None

        async def send_and_count(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._metrics.responses.labels(f"{message['status'] // 100}xx").inc()
                if page and message["status"] == 200:
                    page.open()
            await send(message)

        try:
            await self._app(scope, receive, send_and_count)
        except Exception:
            self._metrics.responses.labels("5xx").inc()
            raise
        finally:
            if page:
                page.close()


class OpenPage:
    """One request that a page keeps open; a refused one is no page."""

    def __init__(self, metrics: Metrics) -> None:
        self._pages, self._is_open = metrics.pages_open, False

    def open(self) -> None:
        self._is_open = True
        self._pages.inc()

    def close(self) -> None:
        if self._is_open:
            self._pages.dec()
