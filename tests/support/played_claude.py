"""A server on the loopback that speaks as Claude's does, so that the real SDK talks to it over a real connection."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import httpx2


class PlayedClaude:
    """Gives the same answer to each request until it is told another, and remembers what was asked."""

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
