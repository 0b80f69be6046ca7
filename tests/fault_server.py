"""Servers to be killed, each in a process of its own.

`python fault_server.py` imports everything once; each line `FOLDER PORT` on its standard input then makes a server in a
few milliseconds, whose process id is printed. `POST /submit/{session}` does what the page's Submit does.
"""

import logging
import os
import signal
import sys
from pathlib import Path

import uvicorn
from fastapi import FastAPI
from scripted import ScriptedScheduler

from endoscribe.logs import configure_logging
from endoscribe.services import Services
from endoscribe.settings import Settings
from endoscribe.storage import SessionStore
from endoscribe.web.actions import Actions
from endoscribe.web.routes import create_api


def serve(services: Services, folder: Path, port: int) -> None:
    services.sessions = SessionStore(folder / "uploads", folder / "results")
    app = create_api(services, lambda: services.start(lambda _: ScriptedScheduler()))  # type: ignore[arg-type,return-value]
    add_submit(app, services)
    uvicorn.run(app, port=port, log_level="error", access_log=False)


def add_submit(app: FastAPI, services: Services) -> None:
    actions = Actions(services, app.state.desk, app.state.access)

    @app.post("/submit/{session_id}")
    async def submit(session_id: str) -> None:
        async for _ in actions.submit(session_id, "col"):
            pass


def main() -> None:
    configure_logging(logging.ERROR)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the killed leave nothing behind to be waited for
    services = Services(Settings.from_environment({"ENDOSCRIBE_DATA_DIR": sys.argv[1]}, None))
    for line in sys.stdin:
        folder, port = line.split()
        child = os.fork()
        if child == 0:
            serve(services, Path(folder), int(port))
            os._exit(0)
        print(child, flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
