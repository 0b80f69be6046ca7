"""The web app as a program that logs everything, with an engine that says canaries."""

import logging

import uvicorn

from endoscribe.logs import configure_logging
from endoscribe.services import Services
from endoscribe.settings import Settings
from endoscribe.web.app import create_app
from tests.support import scripted
from tests.support.fault_server import add_submit

scripted.SCRIPT = "Mrs. Canarina Kanarienvogel has a canarypolyp of 6 millimeters in the sigmoid colon. " * 3


def main() -> None:
    configure_logging(logging.DEBUG)
    settings = Settings.from_environment(env_file=None)
    services = Services(settings)
    app = create_app(services, lambda: services.start(lambda _: scripted.ScriptedScheduler()))  # type: ignore[arg-type,return-value]
    add_submit(app, services)
    app.router.routes.insert(0, app.router.routes.pop())  # before Gradio's page, which takes what is left over
    uvicorn.run(app, port=settings.port, log_level="warning", access_log=False, timeout_graceful_shutdown=3)


if __name__ == "__main__":
    main()
