"""Servers to be killed, each in a process of its own.

`python fault_server.py` imports everything once; each line `FOLDER [DATABASE]` on its standard input then makes a
server in a few milliseconds, whose process id and port are printed. `POST /submit/{session}` does what the page's
Submit does.
"""

import logging
import os
import signal
import socket
import sys
from pathlib import Path

import uvicorn
from fastapi import FastAPI, Request

from endoscribe.logs import configure_logging
from endoscribe.services import Services
from endoscribe.settings import Settings
from endoscribe.storage.sessions import SessionStore
from endoscribe.web.app import create_api
from endoscribe.web.page.actions import Actions
from tests.support.scripted import ScriptedScheduler


def serve(services: Services, listening: socket.socket, folder: Path, database_url: str | None = None) -> None:
    services.sessions = SessionStore(folder / "uploads", folder / "results", database_url)
    app = create_api(services, lambda: services.start(lambda _: ScriptedScheduler()))  # type: ignore[arg-type,return-value]
    add_submit(app, services)
    uvicorn.Server(uvicorn.Config(app, log_level="error", access_log=False)).run(sockets=[listening])


def add_submit(app: FastAPI, services: Services) -> None:
    actions = Actions(services, app.state.reviews, app.state.access)

    @app.post("/submit/{session_id}")
    async def submit(request: Request, session_id: str) -> None:
        async for _ in actions.submit(session_id, "col", app.state.access.owner(request)):
            pass


def main() -> None:
    configure_logging(logging.ERROR)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the killed leave nothing behind to be waited for
    services = Services(Settings.from_environment({"ENDOSCRIBE_DATA_DIR": sys.argv[1]}, None))
    for line in sys.stdin:
        folder, *database_url = line.split()
        with socket.create_server(("127.0.0.1", 0)) as listening:
            child = os.fork()
            if child == 0:
                serve(services, listening, Path(folder), *database_url)
                os._exit(0)
            print(child, listening.getsockname()[1], flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
