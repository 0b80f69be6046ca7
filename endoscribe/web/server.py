"""The page's server, in this process until it is told to stop."""

import logging
import os
import signal
import sys
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from endoscribe.settings import Settings
    from endoscribe.speech.scheduler import Scheduler

log = logging.getLogger("endoscribe")


def open_page(
    settings: "Settings", *, share: bool = False, load: "Callable[[Settings], Scheduler] | None" = None
) -> None:
    """Serve until told to stop. Raises an EndoscribeError when that cannot be, first of all for a page open to all.

    `load` is another way to get at the models than loading them here.
    """
    from endoscribe.auth.modes import auth_mode
    from endoscribe.storage.temporary import temporary_files_in
    from endoscribe.web.gradio.share import demo_settings

    if not share:
        auth_mode(settings)  # before anything is made, say that it would be open to everybody
    os.umask(0o077)  # whatever is written from here on is about patients
    signal.signal(signal.SIGTERM, _unwind)
    with temporary_files_in(settings.data_dir):
        if share or settings.demo:
            with demo_settings(settings, is_shared=share) as demo:
                serve(demo, share=share, load=load)
        else:
            serve(settings, load=load)


def _unwind(*_: object) -> None:
    """End as if all were done: what a demonstration has kept is deleted. uvicorn ends its own work, then calls this."""
    sys.exit(0)


def serve(settings: "Settings", *, share: bool = False, load: "Callable[[Settings], Scheduler] | None" = None) -> None:
    """Build everything and answer; the models warm up once the page is served. `load` is another way to get them."""
    import uvicorn

    from endoscribe.logs import configure_logging, quieten_refusals
    from endoscribe.services import Services
    from endoscribe.web.gradio.share import public_link

    configure_logging()
    quieten_refusals()
    warnings.filterwarnings("ignore", message=".*HTTP_422_UNPROCESSABLE_ENTITY.*")  # Gradio's own, at every click
    services = Services(settings)
    from endoscribe.web.app import create_app

    if share:
        print(f"Public demo link: {public_link(settings.port)}", flush=True)  # noqa: T201
    app = create_app(services, on_start=lambda: services.start(load))
    log.info("EndoScribe answers at http://%s:%d", settings.host, settings.port)
    uvicorn.run(
        app,
        host=settings.host,
        port=settings.port,
        proxy_headers=False,  # Authenticator reads them, from the named proxies
        access_log=False,  # its lines would name sessions
        log_level="warning",
        timeout_graceful_shutdown=10,
        ws_max_size=1 << 20,
    )
