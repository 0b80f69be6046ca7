"""EndoScribe's web app: settings, services, page, server. `python app.py` opens http://127.0.0.1:7860."""

import argparse
import os
import sys
from collections.abc import Sequence

from endoscribe.telemetry import QUIET_LIBRARIES
from endoscribe.web.server import open_page


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until told to stop; 1 with one sentence on stderr when that cannot be."""
    options = _parser().parse_args(arguments)
    os.environ.update(QUIET_LIBRARIES)
    from endoscribe.errors import EndoscribeError
    from endoscribe.settings import Settings

    try:
        settings = Settings.from_environment()
        open_page(settings, share=options.share)
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


if __name__ == "__main__":
    sys.exit(main())
