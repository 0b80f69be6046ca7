"""`python -m endoscribe users ...`: who may sign in. A password is asked for or piped in, never an argument."""

import getpass
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from endoscribe.cli.options import read_settings
from endoscribe.cli.output import say
from endoscribe.errors import EntryError

if TYPE_CHECKING:
    from endoscribe.auth.users import UsersFile

app = typer.Typer()

File = Annotated[Path, typer.Argument(help="the file that ENDOSCRIBE_AUTH=users:FILE names")]


@app.command()
def add(file: File, name: str) -> None:
    """Let somebody sign in, or give them another password."""
    _users(file).add(name, _password())
    say(f"{name} can sign in.")


@app.command()
def remove(file: File, name: str) -> None:
    """Let somebody sign in no more."""
    _users(file).remove(name)
    say(f"{name} cannot sign in any more.")


@app.command()
def token(file: File, name: str) -> None:
    """Make a token with which a user's program signs in."""
    say(_users(file).issue_token(name))


@app.command("list")
def list_users(file: File) -> None:
    """Who may sign in."""
    for name in _users(file).names:
        say(name)


def _users(file: Path) -> "UsersFile":
    from endoscribe.auth.users import UsersFile

    read_settings()  # a slip in their names is told by every command
    return UsersFile(file)


def _password() -> str:
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    password = getpass.getpass("Password: ")
    if getpass.getpass("Once more: ") != password:
        raise EntryError("These were two different passwords.")
    return password
