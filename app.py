"""EndoScribe's web app: settings, services, page, server. `python app.py` opens http://127.0.0.1:7860."""

import logging
import os
import sys
import warnings

#: Nothing that a library wants to tell its makers leaves this machine; set before they are imported.
QUIET_LIBRARIES = {
    "GRADIO_ANALYTICS_ENABLED": "False",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "PYANNOTE_METRICS_ENABLED": "0",
    "DO_NOT_TRACK": "1",
}

log = logging.getLogger("endoscribe")


def main() -> int:
    """Serve until told to stop; 1 with one sentence on stderr when that cannot be."""
    os.environ.update(QUIET_LIBRARIES)
    from endoscribe.errors import EndoscribeError

    try:
        serve()
    except EndoscribeError as error:
        print(error, file=sys.stderr)  # noqa: T201
        return 1
    return 0


def serve() -> None:
    """Build everything and answer; the models warm up once the page is served."""
    import uvicorn

    from endoscribe.logs import configure_logging
    from endoscribe.services import Services
    from endoscribe.settings import Settings

    configure_logging()
    warnings.filterwarnings("ignore", message=".*HTTP_422_UNPROCESSABLE_ENTITY.*")  # Gradio's own, at every click
    settings = Settings.from_environment()
    services = Services(settings)
    from endoscribe.web.routes import create_app

    app = create_app(services, on_start=services.start)
    log.info("EndoScribe answers at http://%s:%d", settings.host, settings.port)
    uvicorn.run(
        app,
        host=settings.host,
        port=settings.port,
        access_log=False,  # its lines would name sessions
        log_level="warning",
        timeout_graceful_shutdown=10,
        ws_max_size=1 << 20,
    )


if __name__ == "__main__":
    sys.exit(main())
