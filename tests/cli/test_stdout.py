"""Whatever libraries print, and by whatever way, stdout holds only what the command answers."""

import ctypes
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from endoscribe.cli.main import main
from tests.support.paths import ROOT

SAMPLE = ROOT / "endoscribe" / "samples" / "col-two-polyps.flac"
#: Loads an engine that prints in each way there is, hears nothing, and goes on printing at the end.
PROGRAM = """
import sys
from tests.support.noisy_engine import install
from endoscribe.cli.main import main
install()
sys.exit(main(sys.argv[1:]))
"""


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    program = [sys.executable, "-c", PROGRAM, *arguments]
    return subprocess.run(program, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    "arguments",
    [
        ("transcribe", str(SAMPLE), "--json"),
        ("run", str(SAMPLE), "--procedure", "col", "--extractor", "offline", "--json"),
        ("batch", str(SAMPLE), "--procedure", "col", "--extractor", "offline", "--json"),
    ],
)
def test_stdout_is_json_whatever_libraries_print(arguments: tuple[str, ...]) -> None:
    ended = run(*arguments)
    assert ended.returncode == 0, ended.stderr
    (line,) = ended.stdout.splitlines()
    assert isinstance(json.loads(line), dict)
    for way in ("by print", "by descriptor", "by C", "by a program"):
        assert f"noise {way}" in ended.stderr
    assert "No speech was heard." in ended.stderr


def test_text_without_words_is_told_apart_from_it() -> None:
    ended = run("transcribe", str(SAMPLE))
    assert ended.stdout == "\n"
    assert "No speech was heard." in ended.stderr


def test_stdout_is_given_back(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["schemas", "list", "--json"]) == 0
    os.write(1, b"after\n")
    ctypes.CDLL(None).fflush(None)
    print("and after")  # noqa: T201
    first, *others = capfd.readouterr().out.splitlines()
    assert json.loads(first)
    assert sorted(others) == ["after", "and after"]
