"""The app in a process of its own, as a test starts, kills and ends it."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from endoscribe.storage.sessions import SessionStore
from tests.support.paths import TESTS
from tests.support.patience import PATIENCE_S, wait_until
from tests.support.ports import free_port

#: Nothing can be reached through it, so that a program that wants the network is refused at once.
NO_PROXY = dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), "http://127.0.0.1:9")


class App:
    """The app in a process of its own, on a data folder and a port that outlive it."""

    def __init__(self, data_dir: Path, program: Path, **settings: str) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}/"
        self.sessions = SessionStore(data_dir / "uploads", data_dir / "results")
        self._program = program
        self._settings = {"ENDOSCRIBE_DATA_DIR": str(data_dir), "ENDOSCRIBE_EXTRACTOR": "offline", **settings}

    def start(self) -> None:
        environ = {**os.environ, **NO_PROXY, "no_proxy": "127.0.0.1", "NO_PROXY": "127.0.0.1", **self._settings}
        environ |= {"PORT": str(self.port), "PYTHONPATH": str(TESTS.parent), "GRADIO_ANALYTICS_ENABLED": "False"}
        self._process = subprocess.Popen([sys.executable, str(self._program)], env=environ, cwd=TESTS.parent)

    def wait_until_ready(self, timeout_s: float = PATIENCE_S) -> None:
        wait_until(self._is_ready, "the app is ready", timeout_s)

    @property
    def pid(self) -> int:
        return self._process.pid

    def kill(self) -> None:
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()

    def stop(self) -> None:
        self.end(30)

    def end(self, timeout_s: float) -> int:
        """Ask it to end, and wait so long for it; how it ended."""
        self._process.terminate()
        return self._process.wait(timeout_s)

    def _is_ready(self) -> bool:
        assert self._process.poll() is None, "the app ended"
        try:
            with urlopen(f"{self.url}ready") as answer:
                return bool(answer.status == 200)
        except (URLError, ConnectionError):
            return False


@contextmanager
def running(data_dir: Path, program: Path, **settings: str) -> Iterator[App]:
    app = App(data_dir, program, **settings)
    app.start()
    try:
        app.wait_until_ready()
        yield app
    finally:
        app.stop()
