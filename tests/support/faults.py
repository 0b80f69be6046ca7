"""Kills a server at random moments of a dictation, and holds what is left against what was acknowledged.

`python -m tests.support.faults 200` does so 200 times and prints what docs/RELIABILITY.md reports; with `postgres`
behind it on a Postgres of its own, each round in a new database, else on SQLite. One round is a dictation of two
seconds of noise, so that any sample that is lost, doubled or moved shows; its number is the seed. Most of a round is
waiting: some run beside each other.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from random import Random
from threading import Lock, Timer
from typing import Any, Literal, Protocol
from urllib.error import URLError
from urllib.request import Request, urlopen

import numpy as np
from websockets.exceptions import WebSocketException
from websockets.sync.client import ClientConnection, connect

from endoscribe.storage.sessions import SessionStore
from endoscribe.web.microphone.protocol import Frame
from tests.support.paths import ROOT
from tests.support.patience import PATIENCE_S, wait_until
from tests.support.postgres import new_database, running_postgres
from tests.support.scripted import transcript_of

RATE = 16_000
SAMPLES = 2 * RATE
FRAME = 1_600
BESIDE_EACH_OTHER = 4

#: `recording`: while frames come in; `finishing`: after Stop; `reporting`: while Submit works.
Phase = Literal["recording", "finishing", "reporting"]
PHASES: tuple[Phase, ...] = ("recording", "recording", "finishing", "reporting")
#: The kill comes at a random moment up to so long after the phase began, in seconds.
LONGEST_LIFE_S: dict[Phase, float] = {"recording": 0.6, "finishing": 0.08, "reporting": 0.2}


class Nursery:
    """Servers that start at once, because everything was imported before."""

    def __init__(self, folder: Path) -> None:
        program = [sys.executable, str(Path(__file__).with_name("fault_server.py")), str(folder)]
        environ = {**os.environ, "PYTHONPATH": str(ROOT), "GRADIO_ANALYTICS_ENABLED": "False"}
        self._process = subprocess.Popen(
            program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environ, text=True
        )
        self._lock = Lock()

    def serve(self, place: "Place") -> "Victim":
        assert self._process.stdin
        assert self._process.stdout
        with self._lock:
            self._process.stdin.write(f"{place.folder} {place.database_url or ''}\n")
            self._process.stdin.flush()
            pid, port = self._process.stdout.readline().split()
        victim = Victim(int(pid), int(port))
        victim.wait_until_ready()
        return victim

    def close(self) -> None:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()


@dataclass(frozen=True)
class Place:
    """Where a server keeps its sessions: in a folder, and what is known of them in the folder or in a Postgres."""

    folder: Path
    database_url: str | None = None

    def stored_audio(self, session: str) -> bytes:
        return (self.folder / "uploads" / session / "audio.pcm").read_bytes()

    def open_store(self) -> SessionStore:
        return SessionStore(self.folder / "uploads", self.folder / "results", self.database_url)


def place_in(folder: Path, seed: int, postgres: str | None = None) -> Place:
    """A new one for a round, with a database of its own on that server."""
    return Place(folder / str(seed), new_database(postgres, f"faults_{seed}") if postgres else None)


@dataclass(frozen=True)
class Victim:
    """A server that is going to be killed."""

    pid: int
    port: int

    def wait_until_ready(self) -> None:
        wait_until(self._is_ready, "the server has started", PATIENCE_S)

    def _is_ready(self) -> bool:
        with suppress(URLError, ConnectionError), urlopen(f"http://127.0.0.1:{self.port}/ready") as answer:
            return bool(answer.status == 200)
        return False

    def kill(self) -> None:
        """Returns when it is no more."""
        wait_until(self._is_gone, "the server is no more", PATIENCE_S)

    def _is_gone(self) -> bool:
        try:
            os.kill(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            return True
        return False

    def submit(self, session: str) -> None:
        request = Request(f"http://127.0.0.1:{self.port}/submit/{session}", method="POST")
        with urlopen(request, timeout=PATIENCE_S) as answer:
            assert answer.status == 200


class HasPort(Protocol):
    """Any server on this machine."""

    @property
    def port(self) -> int: ...


class Browser:
    """The page's side of a dictation; it remembers what it was promised."""

    def __init__(self, pcm: bytes) -> None:
        self.pcm = pcm
        self.session: str | None = None
        self.acknowledged = 0
        self.is_final = False
        #: Whether the server has said that the Stop came.
        self.is_over = False
        #: Why the server ended the last connection.
        self.problem = ""
        self.headers: dict[str, str] = {}

    @contextmanager
    def connected(self, victim: HasPort) -> Iterator[ClientConnection]:
        address = f"ws://127.0.0.1:{victim.port}/ws/microphone"
        with connect(address, additional_headers=self.headers) as connection:
            self.problem = ""
            hello = {"type": "hello", "protocol": 1, "session": self.session, "procedure": "col", "sample_rate": RATE}
            connection.send(json.dumps(hello))
            self.hear(connection, PATIENCE_S)
            yield connection

    def speak(self, connection: ClientConnection, random: Random | None = None, *, stop: bool = True) -> None:
        """Send what is not safe, and perhaps Stop; with `random` at an uneven pace and in uneven frames."""
        start = self.acknowledged
        while start < SAMPLES:
            length = random.randint(1, 2 * FRAME) if random else FRAME
            samples = self.pcm[2 * start : 2 * min(SAMPLES, start + length)]
            connection.send(Frame(start // FRAME, start, samples).encode())
            start += len(samples) // 2
            self.hear(connection, random.uniform(0, 0.03) if random else 0)
        if stop:
            connection.send(json.dumps({"type": "stop", "samples": SAMPLES}))

    def wait_until_final(self, connection: ClientConnection) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not self.is_final:
            self.hear(connection, 0.5)
            assert time.monotonic() < deadline, "the dictation was not finished"

    def hear(self, connection: ClientConnection, wait_s: float) -> None:
        """Everything that the server says until it is silent for so long."""
        with suppress(TimeoutError):
            while not self.is_final and not self.problem:
                self._take(json.loads(connection.recv(wait_s)))
                wait_s = 0.001

    def _take(self, message: dict[str, Any]) -> None:
        if message["type"] == "welcome":
            self.session = message["session"]
        if message["type"] in ("welcome", "ack", "stopped"):
            self.acknowledged = max(self.acknowledged, message["samples"])
        self.is_over |= message["type"] == "stopped"
        self.is_final |= message["type"] == "final"
        if message["type"] == "problem":
            assert message["again"]
            self.problem = message["text"]


@dataclass(frozen=True)
class Round:
    """What one kill met and left, in samples: those that were promised to be safe, and those that were there."""

    phase: Phase
    acknowledged: int
    stored: int


def kill_often(nursery: Nursery, rounds: Iterable[tuple[int, Place]]) -> list[Round]:
    """Each round has a number and a place of its own."""
    with ThreadPoolExecutor(BESIDE_EACH_OTHER) as pool:
        return list(pool.map(lambda each: kill_once(nursery, each[1], each[0]), rounds))


def kill_once(nursery: Nursery, place: Place, seed: int) -> Round:
    """One dictation with a kill in it; asserts that what was promised is there and that it is completed afterwards."""
    random = Random(seed)
    phase = PHASES[seed % len(PHASES)]
    browser = Browser(np.random.default_rng(seed).integers(-20_000, 20_000, SAMPLES, dtype="<i2").tobytes())
    _dictate_until_killed(browser, nursery.serve(place), phase, random)
    acknowledged, stored = browser.acknowledged, _stored(browser, place)
    victim = nursery.serve(place)
    try:
        _assert_listed(browser, place)
        _complete(browser, victim)
        _assert_complete(browser, place)
    finally:
        victim.kill()
    return Round(phase, acknowledged, stored)


def _dictate_until_killed(browser: Browser, victim: Victim, phase: Phase, random: Random) -> None:
    killer = Timer(random.uniform(0, LONGEST_LIFE_S[phase]), victim.kill)
    with suppress(WebSocketException, OSError), browser.connected(victim) as connection:
        if phase == "recording":
            killer.start()
        browser.speak(connection, random)
        if phase == "finishing":
            killer.start()
        browser.wait_until_final(connection)
        if phase == "reporting":
            killer.start()
        if browser.session:
            victim.submit(browser.session)
    if killer.is_alive():
        killer.join()
    victim.kill()


def _stored(browser: Browser, place: Place) -> int:
    """How many samples are on disk; asserts that they are the right ones, and all that were promised."""
    if browser.session is None:
        return 0
    stored = place.stored_audio(browser.session)
    assert stored == browser.pcm[: len(stored)], "what is stored is not what was said"
    assert len(stored) // 2 >= browser.acknowledged, "what was acknowledged is not stored"
    return len(stored) // 2


def _assert_listed(browser: Browser, place: Place) -> None:
    """After the restart the session is in the list, interrupted unless its end had come, and readable."""
    if browser.session is None:
        return
    with closing(place.open_store()) as store:
        session = next(each for each in store.sessions() if each.id == browser.session)
        assert session.complete or session.state == "interrupted"
        assert store.transcript(session.id) in (None, transcript_of(SAMPLES))
        store.record(session.id)


def _complete(browser: Browser, victim: Victim) -> None:
    """What the page does when the server is there again, and one click on Submit."""
    browser.is_final = False
    with browser.connected(victim) as connection:
        if not browser.is_final:
            browser.speak(connection)
        browser.wait_until_final(connection)
    assert browser.session
    victim.submit(browser.session)


def _assert_complete(browser: Browser, place: Place) -> None:
    assert browser.session
    assert place.stored_audio(browser.session) == browser.pcm
    with closing(place.open_store()) as store:
        assert store.transcript(browser.session) == transcript_of(SAMPLES)
        assert store.record(browser.session)
        assert store.get(browser.session).state == "done"
        assert store.audit.verify().broken_at is None


def main() -> None:
    count, on_postgres = int(sys.argv[1]), sys.argv[2:] == ["postgres"]
    with tempfile.TemporaryDirectory() as folder, running_postgres() if on_postgres else nullcontext() as server:
        nursery = Nursery(Path(folder) / "nursery")
        rounds = kill_often(nursery, ((seed, place_in(Path(folder), seed, server)) for seed in range(count)))
        nursery.close()
    met = Counter(each.phase for each in rounds)
    beyond_s = max(each.stored - each.acknowledged for each in rounds) / RATE
    print(f"{count} kills ({', '.join(f'{times} while {phase}' for phase, times in met.items())}); no failure.")  # noqa: T201
    print(f"On disk beyond what was acknowledged: at most {beyond_s:.2f} s; never less.")  # noqa: T201


if __name__ == "__main__":
    main()


def dictation_of(seed: int) -> Browser:
    return Browser(np.random.default_rng(seed).integers(-20_000, 20_000, SAMPLES, dtype="<i2").tobytes())
