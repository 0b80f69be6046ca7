"""The web app as a program, with the scripted engine: `python scripted_app.py`, settings from the environment."""

import uvicorn

from endoscribe.services import Services
from endoscribe.settings import Settings
from endoscribe.web.app import create_app
from tests.support.scripted import ScriptedScheduler


def main() -> None:
    services = Services(Settings.from_environment(env_file=None))
    app = create_app(services, lambda: services.start(lambda _: ScriptedScheduler()))  # type: ignore[arg-type,return-value]
    uvicorn.run(app, port=services.settings.port, log_level="warning", access_log=False, timeout_graceful_shutdown=3)


if __name__ == "__main__":
    main()
