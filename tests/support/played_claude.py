"""Servers that speak as Claude's does, and what they say: one within the SDK, and one on the loopback."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import anthropic
import httpx2

from endoscribe.extraction.llm.claude import Claude, Platform
from endoscribe.extraction.llm.conversation import ModelExtractor
from endoscribe.procedures.library import load_schema
from tests.support.paths import DATA

MINI = load_schema(DATA / "schemas" / "mini.yaml")
KEY = "sk-canary-key"
CELLS = [
    {"field": "patient_age", "row": 0, "value": "65", "quote": "a 65 year old"},
    {"field": "polyps.size_mm", "row": 0, "value": "6", "quote": "six millimeter polyp"},
    {"field": "polyps.segment", "row": 0, "value": "sigmoid", "quote": "in the sigmoid"},
]
#: An answer to the trial dictation that keeps to the form.
TRIED = {"field": "polyps.size_mm", "row": 0, "value": "6", "quote": "six millimeters"}
Event = tuple[str, Mapping[str, Any]]


class PlayedClaude:
    """On the loopback, over a real connection.

    Gives the same answer to each request until it is told another, and remembers what was asked.
    """

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.answer = httpx2.Response(404, json={})
        self.headers: list[Mapping[str, str]] = []
        self.bodies: list[bytes] = []


@contextmanager
def played_claude() -> Iterator[PlayedClaude]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._send(httpx2.Response(404, json={"type": "error", "error": {"type": "not_found_error"}}))

        def do_POST(self) -> None:
            claude.headers.append(dict(self.headers))
            claude.bodies.append(self.rfile.read(int(self.headers["content-length"])))
            self._send(claude.answer)

        def _send(self, answer: httpx2.Response) -> None:
            self.send_response(answer.status_code)
            self.send_header("content-type", answer.headers.get("content-type", "application/json"))
            self.send_header("content-length", str(len(content := answer.read())))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002  (the library's name)
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    claude = PlayedClaude(server.server_port)
    serving = Thread(target=server.serve_forever, name="played-claude")
    serving.start()
    try:
        yield claude
    finally:
        server.shutdown()
        serving.join()
        server.server_close()


def events(text: str, stop_reason: str = "end_turn", pieces: int = 1, thinking: bool = True) -> list[Event]:
    """The event stream of one message, its text cut into pieces."""
    usage = {"input_tokens": 40, "output_tokens": 1, "cache_read_input_tokens": 900, "cache_creation_input_tokens": 0}
    message: dict[str, Any] = {
        "id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": [], "stop_reason": None,
        "stop_sequence": None, "usage": usage,
    }  # fmt: skip
    stream: list[Event] = [("message_start", {"message": message}), ("ping", {})]
    index = 0
    if thinking:
        stream += _block(
            0, {"type": "thinking", "thinking": "", "signature": ""}, ("thinking_delta", "thinking"), ["hm"]
        )
        index = 1
    size = max(1, -(-len(text) // pieces))
    parts = [text[i : i + size] for i in range(0, len(text), size)]
    stream += _block(index, {"type": "text", "text": ""}, ("text_delta", "text"), parts)
    delta = {"stop_reason": stop_reason, "stop_sequence": None}
    return [*stream, ("message_delta", {"delta": delta, "usage": {"output_tokens": 77}}), ("message_stop", {})]


def _block(index: int, start: Mapping[str, Any], kind: tuple[str, str], parts: Sequence[str]) -> list[Event]:
    deltas = [("content_block_delta", {"index": index, "delta": {"type": kind[0], kind[1]: part}}) for part in parts]
    begin = ("content_block_start", {"index": index, "content_block": start})
    return [begin, *deltas, ("content_block_stop", {"index": index})]


def wire(stream: Sequence[Event]) -> bytes:
    lines = [f"event: {name}\ndata: {json.dumps({'type': name, **data})}\n\n" for name, data in stream]
    return "".join(lines).encode()


def answer(cells: Sequence[Mapping[str, Any]], stop_reason: str = "end_turn") -> httpx2.Response:
    return sse(wire(events(json.dumps({"cells": cells}), stop_reason)))


def sse(body: bytes, chunk: int = 4096) -> httpx2.Response:
    chunks = [body[i : i + chunk] for i in range(0, len(body), chunk)]
    return httpx2.Response(
        200, headers={"content-type": "text/event-stream", "request-id": "req_7"}, content=iter(chunks)
    )


class PlayedServer:
    """Within the real SDK, in the place of a connection.

    Answers requests in turn with what it was given, and remembers what was asked.
    """

    def __init__(self, *responses: "httpx2.Response | Exception | Callable[[], httpx2.Response]") -> None:
        self.responses = list(responses)
        self.requests: list[dict[str, Any]] = []
        self.headers: list[httpx2.Headers] = []
        self.pauses: list[float] = []

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.headers.append(request.headers)
        self.requests.append(json.loads(request.content) if request.content else {"path": request.url.path})
        response = self.responses.pop(0)
        if isinstance(response, Exception):
            raise response
        return response if isinstance(response, httpx2.Response) else response()

    def extractor(self, deadline_s: float = 30, platform: Platform = "api") -> ModelExtractor:
        http_client = anthropic.DefaultHttpxClient(transport=httpx2.MockTransport(self))
        client = anthropic.Anthropic(
            api_key=KEY, base_url="http://claude.test", http_client=http_client, max_retries=0, open_telemetry=False
        )
        return ModelExtractor(Claude(client, "claude-test", platform), deadline_s=deadline_s, wait=self.pauses.append)
