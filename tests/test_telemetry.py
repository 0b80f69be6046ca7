"""Whatever is run, nothing is reported: no name is looked up, nothing but the loopback is connected to."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from endoscribe.telemetry import QUIET_LIBRARIES
from tests.support.paths import ROOT

SAMPLE = ROOT / "endoscribe" / "samples" / "col-two-polyps.flac"

#: Python runs this before anything else; each look-up and connection of the process goes to a file.
TRAP = """
import os, sys

def note(event, arguments):
    if event in ("socket.getaddrinfo", "socket.gethostbyname", "socket.connect", "socket.sendto"):
        to = arguments[0] if event.startswith("socket.get") else arguments[1]
        with open(os.environ["TRAPPED"], "a") as file:
            print(event, to, file=file)

sys.addaudithook(note)
"""
LOOPBACK = ("127.0.0.1", "localhost", "::1", "None")
#: Where our own fetching of weights looks, where they are missing.
WEIGHTS = ("download.pytorch.org", "huggingface.co")
#: The library that finds speech, as the engine loads it, and a program's end, when it would send what it has.
DETECTOR = "from endoscribe.speech.endpointing import _silero_session; _silero_session()"

#: All that such a program is told of the tests' own environment.
KEPT = ("PATH", "LANG", "LC_ALL", "TMPDIR")


class Trapped:
    """Programs with a home of their own, in which it shows what a library that reports writes down first."""

    def __init__(self, folder: Path) -> None:
        (folder / "sitecustomize.py").write_text(TRAP)
        self._seen, self.home = folder / "seen", folder / "home"
        self._seen.touch()
        self.home.mkdir()
        paths = {"HOME": self.home, "XDG_CACHE_HOME": self.home / ".cache", "TRAPPED": self._seen}
        # A clinician's machine and no other: what keeps the tests offline, and `CI`, under which some libraries
        # report nothing of themselves, would hide an attempt.
        kept = {name: value for name, value in os.environ.items() if name in KEPT}
        self._environ = {**kept, **{name: str(path) for name, path in paths.items()}}
        self._environ["PYTHONPATH"] = f"{folder}:{ROOT}"

    def run(self, *arguments: str) -> str:
        ended = subprocess.run(
            [sys.executable, *arguments], env=self._environ, cwd=ROOT, capture_output=True, text=True, check=False
        )
        assert ended.returncode == 0, ended.stderr
        return ended.stdout

    def reached(self) -> list[str]:
        return [line for line in self._seen.read_text().splitlines() if not any(own in line for own in LOOPBACK)]

    def reporters(self) -> list[Path]:
        return [path for path in self.home.rglob("*") if "microsoft" in str(path.relative_to(self.home)).lower()]


@pytest.fixture
def trapped(tmp_path: Path) -> Trapped:
    return Trapped(tmp_path)


def test_the_trap_sees_a_look_up_and_an_id(trapped: Trapped) -> None:
    trapped.run("-c", "import socket\ntry: socket.getaddrinfo('vendor.invalid', 443)\nexcept OSError: pass")
    trapped.run("-c", f"import os, endoscribe; os.environ.pop('ORT_DISABLE_TELEMETRY', None); {DETECTOR}")
    assert trapped.reached() == ["socket.getaddrinfo vendor.invalid"]
    assert trapped.reporters()


@pytest.mark.parametrize("module", ["endoscribe", "endoscribe.cli.main", "app", "benchmarks", "tests.support.dev_app"])
def test_every_switch_is_set_before_a_library_is_imported(module: str, trapped: Trapped) -> None:
    tell = "for name in sorted(QUIET_LIBRARIES): print(name, os.environ[name])"
    told = trapped.run("-c", f"import os, {module}; from endoscribe.telemetry import QUIET_LIBRARIES\n{tell}")
    assert dict(line.split() for line in told.splitlines()) == QUIET_LIBRARIES


def test_finding_speech_makes_no_id_of_this_machine(trapped: Trapped) -> None:
    trapped.run("-c", DETECTOR)
    assert trapped.reporters() == []
    assert trapped.reached() == []


def test_reading_a_text_reaches_nobody(trapped: Trapped, tmp_path: Path) -> None:
    (tmp_path / "one.txt").write_text("The cecum was reached. A 6 mm polyp was found in the sigmoid colon.")
    options = ("--procedure", "col", "--extractor", "offline", "--json")
    assert trapped.run("-m", "endoscribe", "extract", str(tmp_path / "one.txt"), *options)
    assert trapped.reached() == []


@pytest.mark.slow
def test_hearing_a_recording_reaches_nobody(trapped: Trapped) -> None:
    assert trapped.run("-m", "endoscribe", "transcribe", str(SAMPLE), "--model", "tiny.en", "--json")
    assert [line for line in trapped.reached() if not line.endswith(WEIGHTS)] == []
    assert trapped.reporters() == []
