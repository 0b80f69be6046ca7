"""The FastAPI app: health, the microphone's two ways in, stored audio, downloads, and the page at "/"."""

import asyncio
import logging
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import gradio as gr
from fastapi import APIRouter, FastAPI, Request, Response, WebSocket, WebSocketDisconnect
from fastapi.responses import JSONResponse, StreamingResponse
from fastapi.staticfiles import StaticFiles
from pydantic import ValidationError
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from endoscribe.errors import EndoscribeError, SchemaError, StorageError
from endoscribe.samples import SAMPLES_DIR
from endoscribe.services import Services
from endoscribe.storage import Session
from endoscribe.web.downloads import FORMATS, render_download
from endoscribe.web.page import build_page
from endoscribe.web.recording import Mirror, NotOpenError, Recording, Recordings
from endoscribe.web.theme import HEAD, theme
from endoscribe.web.wire import (
    CLIENT_MESSAGE,
    ClientMessage,
    FrameError,
    Hello,
    Paused,
    Problem,
    ProcedureChosen,
    ServerMessage,
    Stop,
    Welcome,
    decode_frames,
)

log = logging.getLogger(__name__)

ASSETS_DIR = Path(__file__).parent / "assets"
#: RFC 6455: the peer broke a rule; the server cannot go on now, come back.
POLICY_VIOLATION, TRY_AGAIN_LATER = 1008, 1013
#: The most that one POST of frames may hold: a minute of 48 kHz audio.
MAX_FRAMES_BYTES = 60 * 48_000 * 2
#: What a browser calls the page, for the policy on where it may connect to.
HOST_NAME = re.compile(r"[A-Za-z0-9.\-:\[\]]{1,255}")
OWN_FILES = ("/ui/", "/samples/")
SWEEP_EVERY_S = 15


def create_app(services: Services, on_start: Callable[[], None] = lambda: None) -> FastAPI:
    """Everything that is served; `on_start` is called when the server is about to answer."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        await asyncio.to_thread(services.sessions.recover)
        recordings = app.state.recordings = Recordings(services)
        sweeping = asyncio.create_task(_sweep(recordings))
        on_start()
        yield
        sweeping.cancel()
        await recordings.close()
        await asyncio.to_thread(services.close)

    app = FastAPI(lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)
    app.include_router(_health_routes(services))
    app.include_router(_microphone_routes())
    app.include_router(_session_routes(services))
    app.mount("/ui", StaticFiles(directory=ASSETS_DIR), name="ui")
    app.mount("/samples", StaticFiles(directory=SAMPLES_DIR), name="samples")
    gr.mount_gradio_app(
        app,
        build_page(services),
        "/",
        ssr_mode=False,
        footer_links=[],
        max_file_size=services.settings.max_upload_mb * 1024 * 1024,
        theme=theme(),
        head=HEAD,
        show_error=False,
    )
    app.add_middleware(SecurityHeaders)
    return app


async def _sweep(recordings: Recordings) -> None:
    while True:
        await asyncio.sleep(SWEEP_EVERY_S)
        await recordings.close_abandoned()


def _health_routes(services: Services) -> APIRouter:
    router = APIRouter()

    @router.get("/health")
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

    @router.get("/ready")
    async def ready() -> JSONResponse:
        is_ready = services.health.status == "healthy"
        return JSONResponse({"ready": is_ready}, 200 if is_ready else 503, {"Cache-Control": "no-store"})

    return router


def _microphone_routes() -> APIRouter:
    router = APIRouter()

    @router.websocket("/ws/microphone")
    async def socket(socket: WebSocket) -> None:
        if not same_origin(socket.headers):
            await socket.close(POLICY_VIOLATION)
            return
        await socket.accept()
        with suppress(WebSocketDisconnect):
            await _serve_socket(socket, socket.app.state.recordings)

    @router.post("/microphone/hello")
    async def hello(request: Request) -> Response:
        return await _answer_post(request, _post_hello)

    @router.post("/microphone/{session_id}/frames")
    async def frames(request: Request) -> Response:
        return await _answer_post(request, _post_frames)

    @router.post("/microphone/{session_id}/messages")
    async def messages(request: Request) -> Response:
        return await _answer_post(request, _post_message)

    return router


async def _serve_socket(socket: WebSocket, recordings: Recordings) -> None:
    """One connection from hello to its end; whatever breaks it, the browser comes back with the same frames."""
    try:
        recording = await _greet(socket, recordings)
        with recording.connected() as changed:
            sending = asyncio.create_task(_send_news(socket, recording, changed))
            try:
                while True:
                    await _take(recording, await socket.receive())
            finally:
                sending.cancel()
                with suppress(asyncio.CancelledError, WebSocketDisconnect, RuntimeError):
                    await sending
    except StorageError as error:
        await _end(socket, Problem(text=str(error), again=_can_come_back(error)))
    except (SchemaError, FrameError, ValidationError) as error:
        await _end(socket, Problem(text=_sentence(error), again=False))


async def _greet(socket: WebSocket, recordings: Recordings) -> Recording:
    hello = CLIENT_MESSAGE.validate_json(await socket.receive_text())
    if not isinstance(hello, Hello):
        raise FrameError("the first message of a connection is hello")
    recording = await recordings.open(hello)
    await socket.send_text(Welcome(session=recording.session.id, samples=recording.samples).model_dump_json())
    return recording


async def _take(recording: Recording, message: Message) -> None:
    if message["type"] == "websocket.disconnect":
        raise WebSocketDisconnect(message.get("code", 1006))
    if (data := message.get("bytes")) is not None:
        await recording.accept(list(decode_frames(data)))
    else:
        await _obey(recording, CLIENT_MESSAGE.validate_json(message.get("text") or ""))


async def _obey(recording: Recording, message: ClientMessage) -> None:
    if isinstance(message, ProcedureChosen):
        await recording.choose(message.procedure)
    elif isinstance(message, Paused):
        await recording.pause(message.sample)
    elif isinstance(message, Stop):
        await recording.stop(message.samples)


async def _send_news(socket: WebSocket, recording: Recording, changed: asyncio.Event) -> None:
    mirror = Mirror()
    while True:
        await changed.wait()
        changed.clear()
        for message in recording.news(mirror):
            await socket.send_text(message.model_dump_json())


async def _end(socket: WebSocket, problem: Problem) -> None:
    with suppress(WebSocketDisconnect, RuntimeError):
        await socket.send_text(problem.model_dump_json())
        await socket.close(TRY_AGAIN_LATER if problem.again else POLICY_VIOLATION)


async def _answer_post(request: Request, answer: Callable[[Request], Any]) -> Response:
    """Run one step of the fallback; its answer is a list of the same messages as on the socket."""
    if not same_origin(request.headers):
        return _messages([Problem(text="This page may not send audio here.", again=False)], 403)
    try:
        return _messages(await answer(request))
    except NotOpenError:
        return _messages([], 409)
    except StorageError as error:
        return _messages([Problem(text=str(error), again=_can_come_back(error))], 503)
    except (SchemaError, FrameError, ValidationError) as error:
        return _messages([Problem(text=_sentence(error), again=False)], 400)


async def _post_hello(request: Request) -> list[ServerMessage]:
    hello = CLIENT_MESSAGE.validate_json(await _body(request))
    if not isinstance(hello, Hello):
        raise FrameError("the first message of a connection is hello")
    recording = await request.app.state.recordings.open(hello)
    return [Welcome(session=recording.session.id, samples=recording.samples)]


async def _post_frames(request: Request) -> list[ServerMessage]:
    """Take frames, perhaps none, and tell what the browser does not know; the query says what it does know."""
    recording: Recording = request.app.state.recordings.find(request.path_params["session_id"])
    known = request.query_params
    with recording.connected():
        await recording.accept(list(decode_frames(await _body(request))))
        await recording.settle()
        mirror = Mirror(words=_count(known.get("words")), preview=_count(known.get("preview")), notice="")
        return list(recording.news(mirror))


async def _post_message(request: Request) -> list[ServerMessage]:
    recording: Recording = request.app.state.recordings.find(request.path_params["session_id"])
    await _obey(recording, CLIENT_MESSAGE.validate_json(await _body(request)))
    return []


async def _body(request: Request) -> bytes:
    """The whole body; raises FrameError once it is longer than frames can be."""
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > MAX_FRAMES_BYTES:
            raise FrameError("too many frames at once")
    return bytes(body)


def _messages(messages: list[ServerMessage], status: int = 200) -> Response:
    body = "[" + ",".join(message.model_dump_json() for message in messages) + "]"
    return Response(body, status, {"Cache-Control": "no-store"}, media_type="application/json")


def _count(text: str | None) -> int:
    return int(text) if text and text.isdecimal() and len(text) < 10 else 0


def _can_come_back(error: StorageError) -> bool:
    """A failing disk may recover; a session that does not exist will not."""
    return error.__cause__ is not None


def _sentence(error: Exception) -> str:
    if isinstance(error, EndoscribeError):
        return str(error)
    return "This page and the server do not understand each other; reload the page."


def _session_routes(services: Services) -> APIRouter:
    router = APIRouter()

    @router.get("/audio/{session_id}")
    def audio(request: Request, session_id: str) -> Response:
        try:
            wav = services.sessions.wav(session_id)
        except StorageError as error:
            return JSONResponse({"problem": str(error)}, 404)
        span = byte_range(request.headers.get("range"), wav.size)
        if span is None:
            return Response(status_code=416, headers={"Content-Range": f"bytes */{wav.size}"})
        start, stop = span
        headers = {"Accept-Ranges": "bytes", "Cache-Control": "no-store", "Content-Length": str(stop - start)}
        if "range" in request.headers:
            headers["Content-Range"] = f"bytes {start}-{stop - 1}/{wav.size}"
        status = 206 if "range" in request.headers else 200
        return StreamingResponse(wav.blocks(start, stop), status, headers, media_type="audio/wav")

    @router.get("/download/{session_id}/{form}")
    def download(session_id: str, form: str) -> Response:
        if form not in FORMATS:
            return JSONResponse({"problem": "There is no such download."}, 404)
        try:
            content, session = render_download(services, session_id, form)
        except EndoscribeError as error:
            return JSONResponse({"problem": str(error)}, 404)
        name = _file_name(session, FORMATS[form].suffix)
        headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
        return Response(content, headers=headers, media_type=FORMATS[form].media_type)

    return router


def _file_name(session: Session, suffix: str) -> str:
    return f"draft-{session.procedure}-{session.created:%Y-%m-%d-%H%M}{suffix}"


def byte_range(header: str | None, size: int) -> tuple[int, int] | None:
    """The half-open span that a Range header asks for; all of it without one, None when it cannot be met."""
    if header is None:
        return 0, size
    match = re.fullmatch(r"bytes=(\d{0,15})-(\d{0,15})", header.strip())
    if not match or match.group(0) == "bytes=-":
        return None
    first, last = match.groups()
    if not first:
        return (max(0, size - int(last)), size) if int(last) else None
    start, stop = int(first), min(size, int(last) + 1) if last else size
    return (start, stop) if start < stop else None


def same_origin(headers: Headers) -> bool:
    """Whether a browser sent this from our own page; other programs send no Origin and are no danger here."""
    origin = headers.get("origin")
    if origin is None:
        return True
    hosts = {headers.get("host"), headers.get("x-forwarded-host")}
    return urlsplit(origin).netloc in hosts


class SecurityHeaders:
    """Adds to every answer what keeps the page to itself."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        host = Headers(scope=scope).get("host", "")

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(security_headers(host))
                if scope["path"].startswith(OWN_FILES):
                    headers["Cache-Control"] = "no-cache"  # ask each time whether it is still the same
            await send(message)

        await self._app(scope, receive, send_with_headers)


def security_headers(host: str) -> dict[str, str]:
    """For a page served as `host`. Gradio's templates need inline and evaluated scripts; nothing comes from outside."""
    sockets = f" ws://{host} wss://{host}" if HOST_NAME.fullmatch(host) else ""
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
