"""`python -m endoscribe users ...`: who may sign in. A password is asked for or piped in, never an argument."""

import argparse
import getpass
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from endoscribe.errors import EntryError
from endoscribe.settings import Settings

if TYPE_CHECKING:
    from endoscribe.auth.users import UsersFile


def add_user_commands(commands: Any) -> None:
    users = commands.add_parser("users", help="who may sign in").add_subparsers(required=True, metavar="COMMAND")
    _command(users, "add", run_add, "let somebody sign in, or give them another password")
    _command(users, "remove", run_remove, "let somebody sign in no more")
    _command(users, "token", run_token, "make a token with which a user's program signs in")
    listing = users.add_parser("list", help="who may sign in")
    listing.add_argument("file", type=Path)
    listing.set_defaults(run=run_list)


def _command(users: Any, name: str, run: Any, description: str) -> None:
    parser = users.add_parser(name, help=description, description=description)
    parser.add_argument("file", type=Path, help="the file that ENDOSCRIBE_AUTH=users:FILE names")
    parser.add_argument("name")
    parser.set_defaults(run=run)


def run_add(options: argparse.Namespace, _settings: Settings) -> None:
    _users(options).add(options.name, _password())
    print(f"{options.name} can sign in.")


def run_remove(options: argparse.Namespace, _settings: Settings) -> None:
    _users(options).remove(options.name)
    print(f"{options.name} cannot sign in any more.")


def run_token(options: argparse.Namespace, _settings: Settings) -> None:
    print(_users(options).issue_token(options.name))


def run_list(options: argparse.Namespace, _settings: Settings) -> None:
    for name in _users(options).names:
        print(name)


def _users(options: argparse.Namespace) -> "UsersFile":
    from endoscribe.auth.users import UsersFile

    return UsersFile(options.file)


def _password() -> str:
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    password = getpass.getpass("Password: ")
    if getpass.getpass("Once more: ") != password:
        raise EntryError("These were two different passwords.")
    return password
