"""EndoScribe's web app: settings, services, page, server. `python app.py` opens http://127.0.0.1:7860."""

import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from endoscribe.cli.program import PLAIN, run
from endoscribe.errors import EndoscribeError
from endoscribe.web.server import open_page

page = typer.Typer(**PLAIN)


@page.command()
def serve(
    share: Annotated[
        bool,
        typer.Option(
            "--share", help="also open a public link through Gradio's tunnel, in demo mode: never for real patients"
        ),
    ] = False,
) -> None:
    """EndoScribe's page. Settings come from the environment and .env."""
    from endoscribe.settings import Settings

    try:
        open_page(Settings.from_environment(), share=share)
    except EndoscribeError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from None


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until told to stop; 1 with one sentence on stderr when that cannot be."""
    return run(page, "app.py", arguments)


if __name__ == "__main__":
    sys.exit(main())
