"""The microphone's two transports: a WebSocket, and the same frames by POST where WebSockets are refused."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

from fastapi import APIRouter, Request, Response, WebSocket, WebSocketDisconnect
from pydantic import ValidationError
from starlette.requests import HTTPConnection
from starlette.types import Message

from endoscribe.errors import (
    EndoscribeError,
    HeldError,
    LimitError,
    SchemaError,
    StorageError,
    UnknownSessionError,
)
from endoscribe.web.access import Access
from endoscribe.web.limits import retry_after
from endoscribe.web.microphone.protocol import (
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
from endoscribe.web.microphone.recording import ClientView, Recording
from endoscribe.web.microphone.recordings import NotOpenError, Recordings

#: RFC 6455: the peer broke a rule; the server cannot go on now, come back.
POLICY_VIOLATION, TRY_AGAIN_LATER = 1008, 1013
#: The most that one POST of frames may hold: a minute of 48 kHz audio.
MAX_FRAMES_BYTES = 60 * 48_000 * 2


class SomebodyElseError(Exception):
    """Another person has signed in since the page was opened on which somebody speaks."""

    def __init__(self, user: str) -> None:
        super().__init__("somebody else has signed in")
        self.problem = Problem(
            text=f"Somebody else has signed in in this browser. Sign in as {user} again.", again=True, sign_in=True
        )


def uplink_routes(access: Access) -> APIRouter:
    router = APIRouter()

    @router.websocket("/ws/microphone")
    async def socket(socket: WebSocket) -> None:
        await socket.accept()
        with suppress(WebSocketDisconnect):
            await _serve_socket(socket, access)

    @router.post("/microphone/hello")
    async def hello(request: Request) -> Response:
        return await _answer_post(request, access, _post_hello)

    @router.post("/microphone/{session_id}/frames")
    async def frames(request: Request) -> Response:
        return await _answer_post(request, access, _post_frames)

    @router.post("/microphone/{session_id}/messages")
    async def messages(request: Request) -> Response:
        return await _answer_post(request, access, _post_message)

    return router


async def _serve_socket(socket: WebSocket, access: Access) -> None:
    """One connection from hello to its end; whatever breaks it, the browser comes back with the same frames."""
    try:
        recording = await _greet(socket, access)
        with recording.connected() as changed:
            sending = asyncio.create_task(_send_news(socket, recording, changed))
            try:
                while True:
                    await _take(recording, await socket.receive())
            finally:
                sending.cancel()
                with suppress(asyncio.CancelledError, WebSocketDisconnect, RuntimeError):
                    await sending
    except SomebodyElseError as error:
        await _end(socket, error.problem)
    except StorageError as error:
        await _end(socket, _storage_problem(error))
    except (SchemaError, LimitError, FrameError, ValidationError) as error:
        await _end(socket, Problem(text=_sentence(error), again=False))


async def _greet(socket: WebSocket, access: Access) -> Recording:
    recording = await _opened(await socket.receive_text(), socket, access)
    await recording.settle()  # frames of an earlier connection may have come that are not told yet
    await socket.send_text(Welcome(session=recording.session.id, samples=recording.samples).model_dump_json())
    return recording


async def _opened(text: str | bytes, connection: HTTPConnection, access: Access) -> Recording:
    """What a hello asks for, for nobody but who says it."""
    hello = CLIENT_MESSAGE.validate_json(text)
    if not isinstance(hello, Hello):
        raise FrameError("the first message of a connection is hello")
    if hello.user is not None and hello.user != access.name(connection):
        raise SomebodyElseError(hello.user)
    recordings: Recordings = connection.app.state.recordings
    owner = access.owner(connection)
    if hello.session is None and not recordings.has_begun(hello, owner):
        connection.app.state.limits.of(connection).take("dictation")
    return await recordings.open(hello, owner, access)


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
    view = ClientView()
    while True:
        await changed.wait()
        changed.clear()
        for message in recording.news(view):
            await socket.send_text(message.model_dump_json())


async def _end(socket: WebSocket, problem: Problem) -> None:
    with suppress(WebSocketDisconnect, RuntimeError):
        await socket.send_text(problem.model_dump_json())
        await socket.close(TRY_AGAIN_LATER if problem.again else POLICY_VIOLATION)


async def _answer_post(
    request: Request, access: Access, answer: Callable[[Request, Access], Awaitable[list[ServerMessage]]]
) -> Response:
    """Run one step of the fallback; its answer is a list of the same messages as on the socket."""
    try:
        return _messages(await answer(request, access))
    except NotOpenError:
        return _messages([], 409)
    except SomebodyElseError as error:
        return _messages([error.problem], 403)
    except StorageError as error:
        return _messages([_storage_problem(error)], 503)
    except (SchemaError, LimitError, FrameError, ValidationError) as error:
        status, headers = (429, retry_after(error)) if isinstance(error, LimitError) else (400, None)
        return _messages([Problem(text=_sentence(error), again=False)], status, headers)


async def _post_hello(request: Request, access: Access) -> list[ServerMessage]:
    recording = await _opened(await _body(request), request, access)
    await recording.settle()
    return [Welcome(session=recording.session.id, samples=recording.samples)]


async def _post_frames(request: Request, access: Access) -> list[ServerMessage]:
    """Take frames, perhaps none, and tell what the browser does not know; the query says what it does know."""
    recording = _open_recording(request, access)
    known = request.query_params
    with recording.connected():
        await recording.accept(list(decode_frames(await _body(request))))
        await recording.settle()
        view = ClientView(words=_count(known.get("words")), preview=_count(known.get("preview")), notice="")
        return list(recording.news(view))


async def _post_message(request: Request, access: Access) -> list[ServerMessage]:
    recording = _open_recording(request, access)
    await _obey(recording, CLIENT_MESSAGE.validate_json(await _body(request)))
    return []


def _open_recording(request: Request, access: Access) -> Recording:
    recordings: Recordings = request.app.state.recordings
    return recordings.find(request.path_params["session_id"], access.owner(request), access)


async def _body(request: Request) -> bytes:
    """The whole body; raises FrameError once it is longer than frames can be."""
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > MAX_FRAMES_BYTES:
            raise FrameError("too many frames at once")
    return bytes(body)


def _messages(messages: list[ServerMessage], status: int = 200, headers: dict[str, str] | None = None) -> Response:
    body = "[" + ",".join(message.model_dump_json() for message in messages) + "]"
    return Response(body, status, {"Cache-Control": "no-store", **(headers or {})}, media_type="application/json")


def _count(text: str | None) -> int:
    return int(text) if text and text.isdecimal() and len(text) < 10 else 0


def _storage_problem(error: StorageError) -> Problem:
    """A failing disk may recover, and who has a session lets go of it; one that does not exist stays so."""
    again = error.__cause__ is not None or isinstance(error, HeldError)
    return Problem(text=str(error), again=again, gone=isinstance(error, UnknownSessionError))


def _sentence(error: Exception) -> str:
    if isinstance(error, EndoscribeError):
        return str(error)
    return "This page and the server do not understand each other; reload the page."
