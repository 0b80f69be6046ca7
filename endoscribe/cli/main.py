"""The command line: JSON or text on stdout, logs on stderr, exit code 0, 1 for bad input, 2 for wrong usage.

A module a topic. Each command imports what it needs when it runs, so that `--help` and `schemas list` answer at once.
"""

import logging
from collections.abc import Sequence
from typing import Annotated

import typer

from endoscribe.cli import evaluation, maintenance, models, reading, recognition, schemas, serve, users
from endoscribe.cli.program import PLAIN, run
from endoscribe.logs import configure_logging

app = typer.Typer(**PLAIN)
app.add_typer(recognition.app)
app.add_typer(reading.app)
app.add_typer(schemas.app, name="schemas", help="Procedure schemas.")
app.add_typer(evaluation.app)
app.add_typer(serve.app)
app.add_typer(users.app, name="users", help="Who may sign in.")
app.add_typer(maintenance.app)
app.add_typer(models.app, name="models", help="Model weights.")


@app.callback()
def begin(
    verbose: Annotated[bool, typer.Option("-v", "--verbose", help="log what is going on to stderr")] = False,
) -> None:
    """Dictated endoscopy to structured report."""
    configure_logging(logging.INFO if verbose else logging.WARNING)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    return run(app, "endoscribe", arguments)
