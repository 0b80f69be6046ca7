"""A public link to this machine through Gradio's own tunnel, for as long as the program runs.

A link is open to whoever has it, so it goes with demo mode: a data folder of its own that is deleted at the end, and
each visitor sees only the dictations of their own browser.
"""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from endoscribe.errors import ShareError
from endoscribe.settings import Settings

#: What Gradio's tunnel raises when its program cannot be fetched or its server cannot be reached.
NO_TUNNEL = (
    "The public link could not be made: Gradio's tunnel needs a program that is fetched once from the internet, and a "
    "connection to its server. Check the network, or start without --share and use a tunnel of your own."
)


@contextmanager
def demo_settings(settings: Settings, *, is_shared: bool = True) -> Iterator[Settings]:
    """These settings for a demonstration: what is dictated meanwhile is gone afterwards, the models stay.

    One that is shared through a tunnel listens on this machine only.
    """
    with TemporaryDirectory(prefix="endoscribe-demo-") as folder:
        models = settings.models_dir.resolve()
        models.mkdir(parents=True, exist_ok=True)
        (Path(folder) / "models").symlink_to(models)
        here = {"configured_data_dir": Path(folder), "database_url": None, "audio_url": None}
        host = "127.0.0.1" if is_shared else settings.host
        yield settings.model_copy(update={"demo": True, "auth": None, "host": host, **here})


def public_link(port: int) -> str:
    """The address at which this port can now be reached from everywhere; raises ShareError."""
    from gradio.exceptions import ChecksumMismatchError
    from gradio.networking import setup_tunnel
    from httpx import HTTPError

    #: No answer of its server, no place for its certificate; no program, or a wrong one; a tunnel that does not start.
    failures = (RuntimeError, OSError, ValueError, HTTPError, ChecksumMismatchError)
    try:
        return setup_tunnel("127.0.0.1", port, secrets.token_urlsafe(32), None, None)
    except failures as error:
        raise ShareError(NO_TUNNEL) from error
