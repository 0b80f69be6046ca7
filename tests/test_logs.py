"""What the log says, and what it does not."""

import logging
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from threading import Thread

import pytest
import uvicorn
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from endoscribe.logs import REFUSED_SOCKET, StderrHandler, quieten_refusals


def test_a_log_outlives_a_standard_error_that_was_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = StringIO(), StringIO()
    handler = StderrHandler()
    monkeypatch.setattr(sys, "stderr", first)
    handler.handle(logging.makeLogRecord({"msg": "one"}))
    assert first.getvalue() == "one\n"
    first.close()
    monkeypatch.setattr(sys, "stderr", second)
    handler.handle(logging.makeLogRecord({"msg": "two"}))
    assert second.getvalue() == "two\n"


async def _refuse(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await PlainTextResponse("Sign in.", 401)(scope, receive, send)


@contextmanager
def _serving() -> Iterator[int]:
    """The port of a server that refuses every socket; it has ended and logged all when this is left."""
    server = uvicorn.Server(uvicorn.Config(_refuse, log_config=None, lifespan="off"))
    with socket.create_server(("127.0.0.1", 0)) as listening:
        running = Thread(target=server.run, args=([listening],))
        running.start()
        yield listening.getsockname()[1]
        server.should_exit = True
        running.join()


@pytest.mark.parametrize("quietly", [False, True])
def test_a_refused_socket_is_no_error(caplog: pytest.LogCaptureFixture, quietly: bool) -> None:
    """Without the filter uvicorn says so; when it does not any more, the filter can go."""
    log = logging.getLogger("uvicorn.error")
    before = list(log.filters)
    log.filters.clear()  # an app that another test has built in this process filters already
    if quietly:
        quieten_refusals()
    try:
        with _serving() as port, pytest.raises(InvalidStatus, match="401"), connect(f"ws://127.0.0.1:{port}"):
            pass
    finally:
        log.filters[:] = before
    assert (REFUSED_SOCKET in caplog.messages) is not quietly
