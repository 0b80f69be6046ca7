"""EndoScribe's web app: settings, services, page, server. `python app.py` opens http://127.0.0.1:7860."""

import argparse
import logging
import os
import sys
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from endoscribe.settings import Settings

#: Nothing that a library wants to tell its makers leaves this machine; set before they are imported.
QUIET_LIBRARIES = {
    "GRADIO_ANALYTICS_ENABLED": "False",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "PYANNOTE_METRICS_ENABLED": "0",
    "DO_NOT_TRACK": "1",
}

log = logging.getLogger("endoscribe")


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until told to stop; 1 with one sentence on stderr when that cannot be."""
    options = _parser().parse_args(arguments)
    os.environ.update(QUIET_LIBRARIES)
    from endoscribe.entry.ways import way_in
    from endoscribe.errors import EndoscribeError
    from endoscribe.settings import Settings
    from endoscribe.web.share import demo_settings

    try:
        settings = Settings.from_environment()
        if not options.share:
            way_in(settings)  # before anything is made, say that strangers would get in
        if options.share or settings.demo:
            with demo_settings(settings, is_shared=options.share) as demo:
                serve(demo, share=options.share)
        else:
            serve(settings)
    except EndoscribeError as error:
        print(error, file=sys.stderr)  # noqa: T201
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="EndoScribe's page. Settings come from the environment and .env.")
    parser.add_argument(
        "--share",
        action="store_true",
        help="also open a public link through Gradio's tunnel, in demo mode: never for real patients",
    )
    return parser


def serve(settings: "Settings", *, share: bool = False) -> None:
    """Build everything and answer; the models warm up once the page is served."""
    import uvicorn

    from endoscribe.logs import configure_logging
    from endoscribe.services import Services
    from endoscribe.web.share import public_link

    configure_logging()
    warnings.filterwarnings("ignore", message=".*HTTP_422_UNPROCESSABLE_ENTITY.*")  # Gradio's own, at every click
    services = Services(settings)
    from endoscribe.web.routes import create_app

    if share:
        print(f"Public demo link: {public_link(settings.port)}", flush=True)  # noqa: T201
    app = create_app(services, on_start=services.start)
    log.info("EndoScribe answers at http://%s:%d", settings.host, settings.port)
    uvicorn.run(
        app,
        host=settings.host,
        port=settings.port,
        proxy_headers=False,  # the door reads them, from the proxies that are named
        access_log=False,  # its lines would name sessions
        log_level="warning",
        timeout_graceful_shutdown=10,
        ws_max_size=1 << 20,
    )


if __name__ == "__main__":
    sys.exit(main())
