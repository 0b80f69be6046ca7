"""`python -m endoscribe serve` as people start it, in a process of its own, and a dictation over its real protocol."""

import json
import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

from websockets.sync.client import connect

from endoscribe.settings import LOCAL_DATA_DIR
from endoscribe.web.microphone.protocol import Frame
from tests.support.paths import ROOT
from tests.support.patience import wait_until
from tests.support.ports import free_port

RATE = 16_000
FRAME = RATE // 5
#: The longest that Ray and a page with real weights need to be there on a machine with other work.
PATIENCE_S = 900
#: What a replica's process is called; whose it is stands in its environment.
REPLICA = b"ray::ServeReplica"


def environment(folder: Path) -> dict[str, str]:
    """For a process with small weights and little to do with them, whose data folder this is."""
    folder.mkdir(exist_ok=True)
    with suppress(FileExistsError):
        (folder / "models").symlink_to((ROOT / LOCAL_DATA_DIR / "models").resolve())
    return {
        "ENDOSCRIBE_DATA_DIR": str(folder),
        "ENDOSCRIBE_EXTRACTOR": "offline",
        "ENDOSCRIBE_WHISPER_MODEL": "tiny.en",
        "ENDOSCRIBE_DEVICE": "cpu",
        "ENDOSCRIBE_THREADS": "1",
        "HF_HUB_OFFLINE": "1",
    }


class Page:
    """One page; with the same folder or database several of them work together."""

    def __init__(self, folder: Path, *options: str, **settings: str) -> None:
        self.folder = folder
        self.port = free_port()
        environ = {**environment(folder), "PORT": str(self.port), **settings}
        self._mark = f"PORT={self.port}".encode()
        command = [sys.executable, "-m", "endoscribe", "serve", *options]
        self._process = subprocess.Popen(command, env={**os.environ, **environ}, cwd=ROOT, start_new_session=True)

    def get(self, path: str) -> Any:
        """What it answers as JSON, once it answers."""
        answers: list[Any] = []

        def ask() -> list[Any]:
            assert self._process.poll() is None, "the page ended"
            with suppress(URLError, ConnectionError), urlopen(f"http://127.0.0.1:{self.port}/{path}") as answer:
                answers.append(json.load(answer))
            return answers

        wait_until(ask, f"the page answers {path}", PATIENCE_S)
        return answers[0]

    def wait_until_healthy(self) -> dict[str, Any]:
        wait_until(lambda: self.get("health")["status"] != "starting", "the page has started", PATIENCE_S)
        return dict(self.get("health"))

    def replicas(self) -> list[int]:
        """The process ids of its speech replicas on this machine."""
        return [int(each.name) for each in Path("/proc").iterdir() if each.name.isdecimal() and self._is_replica(each)]

    def _is_replica(self, process: Path) -> bool:
        try:
            return (process / "cmdline").read_bytes().startswith(REPLICA) and self._mark in (
                process / "environ"
            ).read_bytes().split(b"\0")
        except OSError:  # it has ended
            return False

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def end(self) -> int:
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait()


@contextmanager
def page(folder: Path, *options: str, **settings: str) -> Iterator[Page]:
    served = Page(folder, *options, **settings)
    try:
        served.wait_until_healthy()
        yield served
    finally:
        if served._process.poll() is None:
            served.end()


@contextmanager
def replicas_by_their_own_command(folder: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """A Ray cluster on which `serve run` has replicas; its address, and what a page's environment needs to join."""
    address = f"127.0.0.1:{free_port()}"
    entry = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    environ = {**os.environ, **environment(folder), **entry}
    programs = Path(sys.executable).parent
    head: list[str | Path] = [
        programs / "ray",
        "start",
        "--head",
        "--block",
        "--disable-usage-stats",
        "--include-dashboard=false",
    ]
    head += ["--num-cpus=2", f"--port={address.partition(':')[2]}", f"--ray-client-server-port={free_port()}"]
    with _running(head, environ, folder / "head.txt"):
        status: list[str | Path] = [programs / "ray", "status", "--address", address]
        wait_until(lambda: _succeeds(status, environ), "Ray's head answers", PATIENCE_S)
        output = folder / "serve.txt"
        with _running([programs / "serve", "run", "--address", address, "deploy/serve.yaml"], environ, output) as serve:

            def is_deployed() -> bool:
                assert serve.poll() is None, output.read_text()
                return "Submitted deploy config" in output.read_text()

            wait_until(is_deployed, "the replicas are deployed", PATIENCE_S)
            yield address, entry


def _succeeds(command: list[str | Path], environ: dict[str, str]) -> bool:
    return not subprocess.run(command, check=False, env=environ, cwd=ROOT, capture_output=True).returncode


@contextmanager
def _running(command: list[str | Path], environ: dict[str, str], output: Path) -> Iterator[subprocess.Popen[bytes]]:
    with output.open("wb") as file:
        program = subprocess.Popen(command, env=environ, cwd=ROOT, start_new_session=True, stdout=file, stderr=file)
    try:
        yield program
    finally:
        program.send_signal(signal.SIGINT)
        program.wait()


def dictate(page: Page, pcm: bytes, half_way: Callable[[str], Page | None] = lambda _: None) -> str:
    """Speak as fast as the page takes it; the session, whose final text is stored now.

    `half_way` happens once some of the first half has become text and all of it is safe; it may name another page, at
    which the browser goes on.
    """
    half = len(pcm) // 4 * 2
    with connect(f"ws://127.0.0.1:{page.port}/ws/microphone", max_size=None) as connection:
        session, _ = _hello(connection, None)
        _send(connection, pcm[:half], 0)
        _hear(connection, half // 2)
        other = half_way(session)
        if other is None:
            _rest(connection, pcm, half)
            return session
    with connect(f"ws://127.0.0.1:{other.port}/ws/microphone", max_size=None) as connection:
        _, safe = _hello(connection, session)
        _rest(connection, pcm, 2 * safe)
        return session


def _rest(connection: Any, pcm: bytes, start: int) -> None:
    _send(connection, pcm[start:], start // 2)
    _hear(connection, len(pcm) // 2)
    connection.send(json.dumps({"type": "stop", "samples": len(pcm) // 2}))
    while (message := json.loads(connection.recv()))["type"] != "final":
        pass
    assert message["problem"] is None, message["problem"]


def _hello(connection: Any, session: str | None) -> tuple[str, int]:
    hello = {"type": "hello", "protocol": 1, "session": session, "procedure": "col", "sample_rate": RATE}
    connection.send(json.dumps(hello))
    welcome = json.loads(connection.recv())
    assert welcome["type"] == "welcome", welcome
    return str(welcome["session"]), int(welcome["samples"])


def _send(connection: Any, pcm: bytes, first_sample: int) -> None:
    for start in range(0, len(pcm), 2 * FRAME):
        at = first_sample + start // 2
        connection.send(Frame(at, at, pcm[start : start + 2 * FRAME]).encode())


def _hear(connection: Any, safe: int) -> None:
    """Listen until so many samples are safe and there was new committed text."""
    acknowledged, has_text = 0, False
    while acknowledged < safe or not has_text:
        message = json.loads(connection.recv())
        if message["type"] == "ack":
            acknowledged = message["samples"]
        has_text |= message["type"] == "live" and bool(message["committed"])
