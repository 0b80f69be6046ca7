"""The FastAPI app: health, the microphone, what is kept of sessions, and the page at "/"."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path

import gradio as gr
from fastapi import APIRouter, Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, RedirectResponse, Response
from fastapi.staticfiles import StaticFiles
from pydantic import BaseModel
from starlette.routing import Mount

from endoscribe.auth.authenticator import Authenticator
from endoscribe.auth.middleware import AuthMiddleware
from endoscribe.auth.modes import Demo, networks
from endoscribe.auth.quota import Quota
from endoscribe.errors import StorageError, UnknownSessionError
from endoscribe.samples import SAMPLES_DIR
from endoscribe.services import Health, Services
from endoscribe.web.access import Access
from endoscribe.web.gradio.allowlist import GradioAllowlist
from endoscribe.web.gradio.blocks import answer_in_json
from endoscribe.web.headers import BodyLimit, SecurityHeaders, TrustedHost
from endoscribe.web.limits import RequestLimits, UploadLimit
from endoscribe.web.microphone.recordings import Recordings
from endoscribe.web.microphone.routes import uplink_routes
from endoscribe.web.page.layout import build_page
from endoscribe.web.page.report import preview_panels
from endoscribe.web.page.theme import HEAD, theme
from endoscribe.web.review_service import ReviewService
from endoscribe.web.routes.api import ABOUT, FaultAnswer, ProblemAnswer, api_routes
from endoscribe.web.routes.context import context_routes
from endoscribe.web.routes.files import file_routes
from endoscribe.web.routes.huggingface import huggingface_routes
from endoscribe.web.routes.login import end_visit, login_routes
from endoscribe.web.routes.metrics import RequestMetrics, scrape_routes
from endoscribe.web.routes.review import review_routes
from endoscribe.web.routes.sessions import list_routes, session_routes

ASSETS_DIR = Path(__file__).parent / "assets"
SWEEP_EVERY_S = 15
EXPIRE_EVERY_S = 3600
ARCHIVE_EVERY_S = 60
LOGIN_BYTES = 8192

log = logging.getLogger(__name__)


def create_app(services: Services, on_start: Callable[[], None] = lambda: None) -> FastAPI:
    """Everything that is served; `on_start` is called when the server is about to answer."""
    app = create_api(services, on_start)
    page = build_page(services, app.state.reviews, app.state.access, app.state.limits)
    gr.mount_gradio_app(
        app,
        page,
        "/",
        ssr_mode=False,
        footer_links=[],
        max_file_size=services.settings.max_upload_mb * 1024 * 1024,
        theme=theme(),
        head=HEAD,
        show_error=False,
        mcp_server=services.settings.mcp,
    )
    if page.mcp_server_obj:
        answer_in_json(page.mcp_server_obj)
    (mounted,) = (route for route in app.routes if isinstance(route, Mount) and route.path == "")
    mounted.app = GradioAllowlist(mounted.app, has_mcp=services.settings.mcp)
    page.has_launched = True  # only then Gradio refuses a caller's path to a file that was not uploaded
    return app


def create_api(services: Services, on_start: Callable[[], None] = lambda: None) -> FastAPI:
    """All but the page."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        interrupted = await asyncio.to_thread(services.sessions.recover)
        services.metrics.recordings.labels("interrupted").inc(len(interrupted))
        recordings = app.state.recordings = Recordings(services, preview_panels)
        chores = [asyncio.create_task(chore) for chore in _chores(services, recordings, authenticator)]
        on_start()
        yield
        for chore in chores:
            chore.cancel()
        await recordings.close()
        await asyncio.to_thread(services.close)

    authenticator = Authenticator.of(services.settings, services.metrics)
    access = Access(services.sessions, authenticator.mode)
    limits = RequestLimits(services.settings, authenticator, services.metrics, Quota())
    app = FastAPI(lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url="/api/openapi.json", **ABOUT)
    app.state.access, app.state.authenticator, app.state.limits = access, authenticator, limits
    reviews = app.state.reviews = ReviewService(services)
    app.add_exception_handler(RequestValidationError, _say_what_is_wrong)
    own = [Depends(access.own_session)]
    app.include_router(_health_routes(services))
    app.include_router(_page_routes())
    app.include_router(scrape_routes(services.metrics, services.settings))
    app.include_router(login_routes(services, authenticator, access))
    app.include_router(huggingface_routes(services, authenticator))
    app.include_router(uplink_routes(access), include_in_schema=False)
    app.include_router(api_routes(services, limits))
    app.include_router(context_routes(reviews, access), dependencies=own)
    app.include_router(file_routes(services, reviews), dependencies=own)
    app.include_router(review_routes(services, reviews, access), dependencies=own)
    app.include_router(list_routes(services, access))
    app.include_router(session_routes(services), dependencies=own)
    app.add_exception_handler(UnknownSessionError, _not_there)
    app.mount("/ui", StaticFiles(directory=ASSETS_DIR), name="ui")
    app.mount("/samples", StaticFiles(directory=SAMPLES_DIR), name="samples")
    app.add_middleware(BodyLimit, prefix="/api/", most_bytes=services.settings.max_upload_mb * 1024 * 1024)
    app.add_middleware(BodyLimit, prefix="/login", most_bytes=LOGIN_BYTES)
    app.add_middleware(UploadLimit, limits=limits)
    app.add_middleware(AuthMiddleware, authenticator=authenticator)
    app.add_middleware(SecurityHeaders, proxies=networks(services.settings.proxies, "ENDOSCRIBE_PROXIES"))
    app.add_middleware(TrustedHost, names=services.settings.host_names)
    app.add_middleware(RequestMetrics, metrics=services.metrics)
    return app


async def _say_what_is_wrong(_request: Request, error: Exception) -> JSONResponse:
    """FastAPI's own answer would give back what was sent, which may be a dictation."""
    assert isinstance(error, RequestValidationError)  # noqa: S101  (the only one that it is registered for)
    faults = [FaultAnswer.model_validate(each) for each in error.errors()]
    places = (f"{'.'.join(map(str, fault.loc))}: {fault.msg}." for fault in faults)
    return JSONResponse(ProblemAnswer(detail=" ".join(places), faults=faults).model_dump(), 422)


def _chores(
    services: Services, recordings: Recordings, authenticator: Authenticator
) -> list[Coroutine[None, None, None]]:
    return [_sweep(recordings), _expire(services), _archive(services), _end_visits(services, authenticator)]


async def _not_there(_request: Request, error: Exception) -> Response:
    return JSONResponse({"problem": str(error)}, 404, {"Cache-Control": "no-store"})


async def _end_visits(services: Services, authenticator: Authenticator) -> None:
    """Delete what demo visitors have dictated, some minutes after their last request ended."""
    while isinstance(authenticator.mode, Demo):
        await asyncio.sleep(SWEEP_EVERY_S)
        for visitor in authenticator.visits.over(authenticator.mode.minutes * 60):
            try:
                await asyncio.to_thread(end_visit, services, visitor)
                authenticator.visits.forget(visitor)
            except StorageError as error:
                log.warning("A visitor's dictations could not be deleted: %s", error)


async def _sweep(recordings: Recordings) -> None:
    while True:
        await asyncio.sleep(SWEEP_EVERY_S)
        await recordings.close_abandoned()


async def _expire(services: Services) -> None:
    """Delete what is older than the configured days or was deleted at another page, at the start and every hour."""
    sessions, days = services.sessions, services.settings.retention_days
    while True:
        try:
            if days and (deleted := await asyncio.to_thread(sessions.discard_older_than, days)):
                log.info("%d sessions older than %d days were deleted.", deleted, days)
            await asyncio.to_thread(sessions.drop_deleted)
        except StorageError as error:
            log.warning("Old sessions could not be deleted: %s", error)
        await asyncio.sleep(EXPIRE_EVERY_S)


async def _archive(services: Services) -> None:
    """Move what has ended to shared storage, where there is some."""
    while services.settings.audio_url:
        try:
            if moved := await asyncio.to_thread(services.sessions.archive):
                log.info("%d recordings were moved to the shared storage.", moved)
        except StorageError as error:
            log.warning("Recordings could not be moved to the shared storage: %s", error)
        await asyncio.sleep(ARCHIVE_EVERY_S)


class Readiness(BaseModel):
    """Whether a dictation can be taken."""

    ready: bool


def _page_routes() -> APIRouter:
    router = APIRouter(include_in_schema=False)

    @router.get("/research")
    def research(request: Request) -> RedirectResponse:
        """The page for many dictations at once: the same, by another view of it."""
        return RedirectResponse(request.url_for("research").path.removesuffix("research") + "?view=research", 307)

    return router


def _health_routes(services: Services) -> APIRouter:
    router = APIRouter()

    @router.get("/health", response_model=Health, responses={503: {"model": Health}})
    async def health() -> JSONResponse:
        now = services.health
        body = {
            "status": now.status,
            "whisper_loaded": now.whisper_loaded,
            "llm_initialized": now.llm_initialized,
            "supported_procedures": list(now.supported_procedures),
            "whisper_model": now.whisper_model,
            "extractor": now.extractor,
            "problem": now.problem,
        }
        return JSONResponse(body, 503 if now.status == "unhealthy" else 200, {"Cache-Control": "no-store"})

    @router.get("/ready", response_model=Readiness, responses={503: {"model": Readiness}})
    async def ready() -> JSONResponse:
        is_ready = services.health.status == "healthy"
        return JSONResponse({"ready": is_ready}, 200 if is_ready else 503, {"Cache-Control": "no-store"})

    return router
