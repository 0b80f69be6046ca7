"""What contributors start: `make dev`, as the Makefile has it, after its set-up."""

import json
import os
import re
import signal
import subprocess
from contextlib import suppress
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest

from tests.support.paths import ROOT
from tests.support.ports import free_port

MAKEFILE = (ROOT / "Makefile").read_text()


def test_a_change_to_what_the_page_is_made_of_is_seen() -> None:
    (watched,) = re.findall(r"(?m)^WATCHED := (.*)$", MAKEFILE)
    assert [folder for folder in watched.split() if not (ROOT / folder).is_dir()] == []
    kinds = {path.suffix for folder in watched.split() for path in (ROOT / folder).rglob("*") if path.is_file()}
    (seen,) = re.findall(r"foreach kind,([a-z ]+),--reload-include", MAKEFILE)
    assert {".js", ".css", ".yaml"} <= kinds & {f".{kind}" for kind in seen.split()}


@pytest.mark.slow
def test_the_page_is_served_without_weights(tmp_path: Path) -> None:
    port = free_port()
    environ = {**os.environ, "PORT": str(port), "ENDOSCRIBE_DATA_DIR": str(tmp_path)}
    command = ["make", "--silent", "--assume-old=.venv/test.stamp", "dev"]
    server = subprocess.Popen(command, cwd=ROOT, env=environ, start_new_session=True)
    try:
        health = {"status": "starting"}
        while health["status"] == "starting":
            assert server.poll() is None, "the server ended"
            with suppress(URLError, ConnectionError), urlopen(f"http://127.0.0.1:{port}/health") as answer:
                health = json.load(answer)
        assert health["status"] == "healthy"
        assert health["whisper_model"] == "scripted"
        with urlopen(f"http://127.0.0.1:{port}/") as page:
            assert b"EndoScribe" in page.read()
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait()
    assert not (tmp_path / "models").exists()
