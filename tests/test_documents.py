"""The commands in the documents: ours have the options that they are shown with, and what can be run here runs."""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.main import get_command

from endoscribe.cli import main as cli
from endoscribe.cli import program
from endoscribe.settings import LOCAL_DATA_DIR, Settings
from tests.support.documents import shown
from tests.support.paths import ROOT

NAMES = {field.alias for field in Settings.model_fields.values()}
TARGETS = set(re.findall(r"(?m)^([a-z-]+):", (ROOT / "Makefile").read_text()))
#: Programs of others, and what a shell does itself: what they take is not known here.
OTHERS = {
    ".",
    "curl",
    "docker",
    "echo",
    "fly",
    "gcloud",
    "git",
    "hf",
    "modal",
    "openssl",
    "pip",
    "ray",
    "serve",
    "sort",
    "tail",
}
ENDS = {"&&", "|", ";", "|&", "2>&1"}

Command = tuple[str, ...]


def commands(line: str) -> Iterator[Command]:
    """What a line starts, one after the other, also what it has a container start; without redirections."""
    words = shlex.shlex(line, posix=True, punctuation_chars=";|&>")
    words.whitespace_split = True
    command: list[str] = []
    for word in [*words, ";"]:
        if word in ENDS:
            yield from _with_inner(tuple(command))
            command = []
        elif ">" not in command:
            command.append(word)


def _with_inner(command: Command) -> Iterator[Command]:
    while command and re.fullmatch(r"[A-Z_]+=.*", command[0]):
        name = command[0].partition("=")[0]
        assert name in NAMES or not name.startswith("ENDOSCRIBE_"), f"there is no setting {name}"
        command = command[1:]
    command = command[: command.index(">")] if ">" in command else command
    if not command:
        return
    yield command
    if command[0] == "docker" and "python" in command:
        yield command[command.index("python") :]
    if command[:3] == ("fly", "ssh", "console") and "-C" in command:
        yield from commands(command[command.index("-C") + 1])


SHOWN = shown()
COMMANDS = [
    pytest.param(command, id=f"{name}: {' '.join(command)[:60]}")
    for name, line in SHOWN
    if "..." not in line or "python" not in line
    for command in commands(line)
]


@pytest.fixture
def _only_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Our commands are given their arguments and do nothing with them."""

    def inert(program: typer.Typer) -> Any:
        waiting = [get_command(program)]
        whole = waiting[0]
        while waiting:
            command = waiting.pop()
            command.callback = None
            waiting += getattr(command, "commands", {}).values()
        return whole

    monkeypatch.setattr(program, "get_command", inert)


@pytest.mark.usefixtures("_only_parsed")
@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_one_that_there_is(command: Command) -> None:
    program, *rest = command
    if program == "make":
        assert {word for word in rest if "=" not in word} <= TARGETS
    elif command[:3] == ("python", "-m", "endoscribe"):
        assert cli.main(rest[2:]) == 0
    elif command[:2] == ("python", "-m"):
        assert find_spec(rest[1])
    elif program == "python":
        assert rest[0].startswith("-") or (ROOT / rest[0]).is_file()
    else:
        assert program in OTHERS or (ROOT / program).is_file()
    named = [
        word for word in rest if re.match(r"(deploy|contrib|endoscribe|tests|docs|benchmarks|procedure_schemas)/", word)
    ]
    assert [name for name in named if not (ROOT / name).exists()] == []


@pytest.mark.usefixtures("_only_parsed")
def test_an_option_that_there_is_not_is_found(capsys: pytest.CaptureFixture[str]) -> None:
    (command,) = commands("python -m endoscribe serve --rays  # nonsense")
    with pytest.raises(SystemExit):
        cli.main(command[3:])
    assert "--rays" in capsys.readouterr().err
    with pytest.raises(AssertionError, match="there is no setting ENDOSCRIBE_NONSENSE"):
        list(commands("ENDOSCRIBE_NONSENSE=1 python app.py"))


#: They do not end, take as long as somebody speaks, ask for a password or another program, or read what is yours.
NOT_RUN = re.compile(
    r"endoscribe (-v )?(serve|stream|users|batch|backup|restore|audit)|app\.py|benchmarks|FILE|FOLDER|claude"
)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder like the repository's, in which commands may leave what they make."""
    place = tmp_path_factory.mktemp("place")
    for name in ("endoscribe", "procedure_schemas", "tests"):
        (place / name).symlink_to(ROOT / name)
    (place / LOCAL_DATA_DIR).mkdir()
    (place / LOCAL_DATA_DIR / "models").symlink_to((ROOT / LOCAL_DATA_DIR / "models").resolve())
    return place


def runnable() -> list[str]:
    """In the order of the documents: some make what the next ones read."""
    lines = [line for name, line in SHOWN if name in ("README.md", "SCHEMAS.md", "EVALUATION.md", "DEPLOYMENT.md")]
    return [line for line in dict.fromkeys(lines) if re.match(r"python |echo ", line) and not NOT_RUN.search(line)]


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_what_can_be_run_here_runs(place: Path) -> None:
    lines = runnable()
    assert len(lines) >= 10
    environ = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    environ |= {"ENDOSCRIBE_WHISPER_MODEL": "tiny.en", "ENDOSCRIBE_DEVICE": "cpu", "HF_HUB_OFFLINE": "1"}
    for line in lines:
        schemas = {"ENDOSCRIBE_SCHEMA_DIR": "my_schemas"} if "cystoscopy" in line else {}
        command = ["bash", "-c", line]
        run = subprocess.run(command, check=False, env=environ | schemas, cwd=place, capture_output=True, text=True)
        assert run.returncode == 0, f"{line}\n{run.stderr}"
