"""How often one user or visitor may ask for what costs: sending recordings, having them transcribed, having text read.

Where nobody signs in nothing is limited. A demo visitor is a session cookie, which costs nothing to throw away: what
all visitors from one address take is limited as well.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from endoscribe.auth.authenticator import Authenticator
from endoscribe.auth.modes import AuthMode, Demo, NoAuth
from endoscribe.auth.quota import Quota, QuotaShare
from endoscribe.errors import LimitError
from endoscribe.metrics import LimitedWork, Metrics
from endoscribe.settings import Settings

#: A visitor may have each dictation read so often: for another procedure, and after a correction.
READINGS_EACH = 3
#: A lecture hall has one address.
VISITORS_AT_AN_ADDRESS = 10
UPLOAD_PATHS = frozenset({"/gradio_api/upload", "/api/transcribe", "/api/process"})

_MAY: dict[LimitedWork, str] = {
    "upload": "send at most {} recording{}",
    "transcription": "have at most {} recording{} transcribed",
    "dictation": "make at most {} dictation{}",
    "extraction": "have at most {} dictation{} read",
}


@dataclass(frozen=True)
class RequestQuota:
    """The quota of one request's user: of which shares each kind of work takes one; without shares it is unlimited."""

    shares: Mapping[LimitedWork, tuple[QuotaShare, ...]]
    quota: Quota
    metrics: Metrics
    is_visitor: bool = False

    def take(self, work: LimitedWork) -> None:
        """Raises LimitError with a sentence when this was asked for too often."""
        shares = self.shares.get(work, ())
        wait_s = self.quota.take(shares)
        if wait_s > 0:
            self.metrics.limited.labels(work).inc()
            most, who = shares[0].per_hour, "visitor" if self.is_visitor else "user"
            may = _MAY[work].format(most, "" if most == 1 else "s")
            raise LimitError(f"A {who} can {may} an hour; the next one in {_duration(wait_s)}.", wait_s)

    def left(self, work: LimitedWork) -> int | None:
        """How many more there are now; None without a limit."""
        return self.quota.left(self.shares.get(work, ()))


class RequestLimits:
    """The limits of one running EndoScribe."""

    def __init__(self, settings: Settings, authenticator: Authenticator, metrics: Metrics, quota: Quota) -> None:
        self._authenticator, self._metrics, self._quota = authenticator, metrics, quota
        uploads, dictations = settings.uploads_per_hour, settings.demo_dictations
        self._for_users: dict[LimitedWork, int] = {
            "upload": uploads, "transcription": uploads, "extraction": settings.extractions_per_hour
        }  # fmt: skip
        readings = READINGS_EACH * dictations
        self._for_visitors: dict[LimitedWork, int] = {
            "upload": readings, "transcription": dictations, "dictation": dictations, "extraction": readings
        }  # fmt: skip

    def of(self, connection: HTTPConnection) -> RequestQuota:
        """The quota of the user whom the authentication middleware has found."""
        user = connection.scope["state"]["user"]
        if user is None or isinstance(self._authenticator.mode, NoAuth):
            return self.free
        if not isinstance(self._authenticator.mode, Demo):
            own = {work: (QuotaShare(f"{work} {user}", most),) for work, most in self._for_users.items()}
            return RequestQuota(own, self._quota, self._metrics)
        address = self._authenticator.address(connection)
        shares = {work: _visitors(work, most, user, address) for work, most in self._for_visitors.items()}
        return RequestQuota(shares, self._quota, self._metrics, is_visitor=True)

    @property
    def mode(self) -> AuthMode:
        """The auth mode, for the sentences about limits."""
        return self._authenticator.mode

    @property
    def free(self) -> RequestQuota:
        return RequestQuota({}, self._quota, self._metrics)


def _visitors(work: LimitedWork, most: int, user: str, address: str) -> tuple[QuotaShare, ...]:
    """What is spoken and what is sent are one share: both are dictations."""
    kind = "dictation" if work == "transcription" else work
    return (QuotaShare(f"{kind} {user}", most), QuotaShare(f"{kind} at {address}", most * VISITORS_AT_AN_ADDRESS))


class UploadLimit:
    """Refuses recordings that are sent too often before anything of them is read; stands behind AuthMiddleware."""

    def __init__(self, app: ASGIApp, limits: RequestLimits) -> None:
        self._app, self._limits = app, limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] == "POST" and scope["path"] in UPLOAD_PATHS:
            try:
                self._limits.of(HTTPConnection(scope)).take("upload")
            except LimitError as error:
                await _refused(error, scope)(scope, receive, send)
                return
        await self._app(scope, receive, send)


def retry_after(error: LimitError) -> dict[str, str]:
    """For a 429: when it is of use to come back."""
    return {"Retry-After": f"{error.wait_s + 1:.0f}"}


def _refused(error: LimitError, scope: Scope) -> Response:
    """Gradio's page shows the body as it is."""
    if scope["path"].startswith("/gradio_api/") and "json" not in Headers(scope=scope).get("accept", ""):
        return PlainTextResponse(str(error), 429, retry_after(error))
    return JSONResponse({"problem": str(error), "detail": str(error)}, 429, retry_after(error))


def _duration(wait_s: float) -> str:
    """ "40 seconds", "12 minutes": never less than it is."""
    if wait_s <= 60:
        return "a minute" if wait_s > 30 else "half a minute"
    return f"{-(-wait_s // 60):.0f} minutes"
