"""The allow-list before Gradio: only the routes that the page and its client use, and each user's own ids there.

Gradio tells pages, events and uploads apart by ids alone; whoever knew another's would hear what comes of it. Here an
id belongs to whoever used it first or was given it, and is to everybody else as one that never was.
"""

import json
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import compile_path
from starlette.types import ASGIApp, Message, Receive, Scope, Send

READING = frozenset({"GET", "HEAD"})
WRITING = frozenset({"POST"})
#: By Gradio's own names of its routes, the methods that are let through. What a later Gradio adds stays closed.
USED: Mapping[str, frozenset[str]] = {
    "/": READING,
    "/config": READING,
    "/theme.css": READING,
    "/favicon.ico": READING,
    "/assets/{path:path}": READING,
    "/static/{path:path}": READING,
    "/gradio_api/info": READING,
    "/gradio_api/app_id": READING,
    "/gradio_api/heartbeat/{session_hash}": READING,
    "/gradio_api/queue/data": READING,
    "/gradio_api/queue/join": WRITING,
    "/gradio_api/cancel": WRITING,
    "/gradio_api/call/{api_name}": WRITING,
    "/gradio_api/call/{api_name}/{event_id}": READING,
    "/gradio_api/upload": WRITING,
    "/gradio_api/upload_progress": READING,
}
MCP_PATHS = frozenset({"/gradio_api/mcp", "/gradio_api/mcp/", "/gradio_api/mcp/schema"})
#: Where ids stand: in the path, the query and a body of JSON.
ID_NAMES = ("session_hash", "event_id", "upload_id")
#: The longest text that a step takes has a tenth of it.
MOST_BODY_BYTES = 4 << 20
#: The oldest ids are forgotten; a page has a few for each load, and one for each click.
MOST_IDS_EACH, MOST_OWNERS = 5_000, 5_000


class IdOwners:
    """Whose an id is."""

    def __init__(self) -> None:
        self._held: OrderedDict[str, OrderedDict[str, None]] = OrderedDict()
        self._owners: dict[str, set[str]] = {}

    def claim(self, user: str, ids: Sequence[str]) -> bool:
        """Whether all of these are the user's, as those are now that were nobody's."""
        if any(user not in self._owners.get(each, {user}) for each in ids):
            return False
        self.give(user, ids)
        return True

    def give(self, user: str, ids: Iterable[str]) -> None:
        """Also to more than one: Gradio names uploads by their content, which several may have."""
        held = self._held.setdefault(user, OrderedDict())
        self._held.move_to_end(user)
        for each in ids:
            self._owners.setdefault(each, set()).add(user)
            held[each] = None
            held.move_to_end(each)
        while len(held) > MOST_IDS_EACH:
            self._take(user, held.popitem(last=False)[0])
        while len(self._held) > MOST_OWNERS:
            left, theirs = self._held.popitem(last=False)
            for each in theirs:
                self._take(left, each)

    def _take(self, user: str, each: str) -> None:
        self._owners[each].discard(user)
        if not self._owners[each]:
            del self._owners[each]


class GradioAllowlist:
    """Stands before Gradio's app."""

    def __init__(self, app: ASGIApp, *, has_mcp: bool) -> None:
        self._app, self._has_mcp = app, has_mcp
        self._routes = [(compile_path(path)[0], methods) for path, methods in USED.items()]
        self._belongings = IdOwners()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":  # Gradio has none
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] == "http" and not self._is_mcp(scope):
            in_path = self._ids_in_path(scope)
            if in_path is None:
                await _NOT_THERE(scope, receive, send)
                return
            if (user := scope.get("state", {}).get("user")) is not None:
                await self._pass_own(user, in_path, scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _is_mcp(self, scope: Scope) -> bool:
        return self._has_mcp and scope["path"] in MCP_PATHS

    def _ids_in_path(self, scope: Scope) -> list[str] | None:
        """None for what is closed."""
        for pattern, methods in self._routes:
            if scope["method"] in methods and (match := pattern.fullmatch(scope["path"])):
                return [value for name, value in match.groupdict().items() if name in ID_NAMES]
        return None

    async def _pass_own(self, user: str, in_path: list[str], scope: Scope, receive: Receive, send: Send) -> None:
        query = parse_qs(scope["query_string"].decode("latin-1"))
        named = [*in_path, *(value for name in ID_NAMES for value in query.get(name, ()))]
        if scope["method"] not in WRITING or scope["path"] == "/gradio_api/upload":
            body = None
        else:
            body = await _read(Request(scope, receive))
            if body is None:
                await _TOO_LARGE(scope, receive, send)
                return
            named += ids_in(body)
        if not self._belongings.claim(user, named):
            await _NOT_THERE(scope, receive, send)
            return
        replayed = receive if body is None else _replay(body, receive)
        await self._app(scope, replayed, self._claiming(user, send) if scope["method"] in WRITING else send)

    def _claiming(self, user: str, send: Send) -> Send:
        """Notes whose the event or the uploaded files are of which the answer tells."""
        told = bytearray()

        async def send_and_claim(message: Message) -> None:
            if message["type"] == "http.response.body":
                told.extend(message.get("body", b""))
                if not message.get("more_body", False):
                    self._belongings.give(user, ids_in(bytes(told)))
            await send(message)

        return send_and_claim


def ids_in(content: bytes) -> list[str]:
    """The ids in JSON, and the paths of uploads; none in what is not JSON, which Gradio refuses."""
    try:
        return list(_ids(json.loads(content)))
    except (ValueError, RecursionError):
        return []


def _ids(content: Any) -> Iterator[str]:
    if isinstance(content, dict):
        yield from (value for name in ID_NAMES if isinstance(value := content.get(name), str))
        yield from _paths(content.get("data"))
    elif isinstance(content, list):  # the answer to an upload
        yield from (each for each in content if isinstance(each, str))


def _paths(data: Any) -> Iterator[str]:
    """Of every file among what an event is given, however deep."""
    if isinstance(data, dict):
        if isinstance(path := data.get("path"), str):
            yield path
        for value in data.values():
            yield from _paths(value)
    elif isinstance(data, list):
        for value in data:
            yield from _paths(value)


async def _read(request: Request) -> bytes | None:
    """None for more than is taken."""
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > MOST_BODY_BYTES:
            return None
    return bytes(body)


def _replay(body: bytes, receive: Receive) -> Receive:
    """The body that was read already, then whatever else comes."""
    pieces: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive_again() -> Message:
        return pieces.pop() if pieces else await receive()

    return receive_again


_NOT_THERE = JSONResponse({"detail": "Not Found"}, 404, {"Cache-Control": "no-store"})
_TOO_LARGE = JSONResponse({"detail": "This is larger than is taken here."}, 413)
