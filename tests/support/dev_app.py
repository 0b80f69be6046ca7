"""The page for whoever works on it: an app for `uvicorn --factory --reload`, with the scripted engine; see `make dev`.

No weights are fetched or loaded: any sound is heard as the same dictation, `SCRIPT`. Everything else is real.
"""

from fastapi import FastAPI

from endoscribe.logs import configure_logging, quieten_refusals


def create() -> FastAPI:
    """Built anew at every reload; settings come from the environment and `.env`."""
    from endoscribe.services import Services
    from endoscribe.settings import Settings
    from endoscribe.web.app import create_app
    from tests.support.scripted import ScriptedScheduler

    configure_logging()
    quieten_refusals()
    services = Services(Settings.from_environment())
    return create_app(services, lambda: services.start(lambda _: ScriptedScheduler()))  # type: ignore[arg-type,return-value]
