"""How a command is run: its errors become one sentence on stderr and an exit code."""

import os
import sys
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

import typer
from typer.exceptions import TyperException
from typer.main import get_command

from endoscribe.cli.output import stdout_for_ourselves
from endoscribe.errors import EndoscribeError

#: Whoever serves a page answers no program; its link is for a person, wherever that is printed.
SERVE = "serve"
#: Help is plain text. Only Python itself prints a traceback: Typer's shows local variables, and they may hold what a
#: person said.
PLAIN: dict[str, Any] = {
    "add_completion": False,
    "rich_markup_mode": None,
    "pretty_exceptions_enable": False,
    "context_settings": {"help_option_names": ["-h", "--help"]},
}


def run(program: typer.Typer, name: str, arguments: Sequence[str] | None = None) -> int:
    """Run the command that `arguments` name; returns the exit code. Raises SystemExit(2) for wrong usage."""
    command = get_command(program)
    _give_stdout_to_commands(command)
    try:
        with command.make_context(name, list(sys.argv[1:] if arguments is None else arguments)) as context:
            command.invoke(context)
    except typer.Exit as ended:
        return ended.exit_code
    except TyperException as error:
        _explain_usage(error, name)
        raise SystemExit(2) from None
    except EndoscribeError as error:
        print(f"endoscribe: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("endoscribe: interrupted.", file=sys.stderr)
        return 1
    except BrokenPipeError:  # whoever reads the output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return 0


def _give_stdout_to_commands(command: Any) -> None:
    """Each command has stdout for itself; help and usage are printed before one runs."""
    for each in getattr(command, "commands", {}).values():
        _give_stdout_to_commands(each)
    if not hasattr(command, "commands") and command.name != SERVE and command.callback:
        command.callback = _with_own_stdout(command.callback)


def _with_own_stdout(answer: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(answer)
    def answer_alone(*arguments: Any, **options: Any) -> Any:
        with stdout_for_ourselves():
            return answer(*arguments, **options)

    return answer_alone


def _explain_usage(error: TyperException, name: str) -> None:
    context: typer.Context | None = getattr(error, "ctx", None)
    if context:
        name = context.command_path
        print(context.get_usage().replace("Usage", "usage", 1), file=sys.stderr)
    print(f"{name}: error: {error.format_message()}", file=sys.stderr)
