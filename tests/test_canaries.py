"""One run that dictates, uploads, fails and restarts at the loudest logging, with planted canaries.

Afterwards nothing that the run wrote outside its data folder holds one of them: no log, no error, no temporary file.
"""

import json
import os
import re
import signal
from pathlib import Path
from typing import Any

import httpx
import pytest
from faults import RATE, SAMPLES, Browser
from hostile import SAMPLE
from test_browser import TESTS, App
from test_full_disk import dictation_of

pytestmark = pytest.mark.slow

KEY = "sk-ant-canarykey0123456789"
CANARIES = re.compile(rb"canary|kanarien|canarina", re.IGNORECASE)
#: Programs of our own and their folders are called so; this is no patient's.
OURS = re.compile(rb"canary_app|test_canar\w*")
#: Nobody answers there: the reader fails, and the offline one takes its place.
DEAD_END = "http://127.0.0.1:9"
SCHEMA = """\
title: Canarytitle
version: "1"
sections: {findings: Canarysection}
fields:
  lavage: {label: Canarylabel, type: boolean, section: findings}
note: "{{ title"
"""


def found_in(path: Path) -> list[bytes]:
    return CANARIES.findall(OURS.sub(b"", path.read_bytes()))


def test_nothing_of_a_patient_a_key_or_a_schema_leaves_the_data_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders = {name: tmp_path / name for name in ("data", "temp", "schemas")}
    for folder in folders.values():
        folder.mkdir()
    (folders["schemas"] / "own.yaml").write_text(SCHEMA)
    monkeypatch.setenv("TMPDIR", str(folders["temp"]))
    settings = {
        "ENDOSCRIBE_EXTRACTOR": "claude",
        "ANTHROPIC_API_KEY": KEY,
        "ANTHROPIC_BASE_URL": DEAD_END,
        "ENDOSCRIBE_SCHEMA_DIR": str(folders["schemas"]),
    }
    app = App(folders["data"], TESTS / "canary_app.py", **settings)
    said = tmp_path / "said.log"
    told: list[bytes] = []
    with said.open("wb") as output:
        _start(app, output.fileno())
        session = _dictate(app)
        told += _use(app, session)
        app.kill()
        _start(app, output.fileno())
        told += _use(app, session)
        assert app.end(60) in (0, -signal.SIGTERM)
    assert said.stat().st_size > 1000
    assert found_in(said) == []
    for answer in told:
        assert CANARIES.findall(answer) == []
    for path in folders["temp"].rglob("*"):
        assert CANARIES.findall(path.name.encode()) == []
        assert path.is_dir() or found_in(path) == [], path.name


def _start(app: App, output: int) -> None:
    """With everything that it says in a file."""
    kept = os.dup(1), os.dup(2)
    os.dup2(output, 1)
    os.dup2(output, 2)
    try:
        app.start()
    finally:
        for standard, copy in enumerate(kept, start=1):
            os.dup2(copy, standard)
            os.close(copy)
    app.wait_until_ready()


def _dictate(app: App) -> str:
    spoken: Browser = dictation_of(6)
    with spoken.connected(app) as connection:
        spoken.speak(connection)
        spoken.wait_until_final(connection)
    assert spoken.session
    assert spoken.acknowledged == SAMPLES == 2 * RATE
    return spoken.session


def _use(app: App, session: str) -> list[bytes]:
    """Everything that one can do with it, well and badly; the refusals, which hold nothing of it either."""
    with httpx.Client(base_url=app.url, timeout=120) as client:
        text = "Mrs. Canarina Kanarienvogel has a canarypolyp of 6 mm in the sigmoid."
        assert client.post("api/extract", json={"text": text, "procedure": "col"}).status_code == 200
        assert client.post("api/process", files=_file(SAMPLE), data={"procedure": "col"}).status_code == 200
        assert client.get(f"audio/{session}").status_code == 200
        assert "Kanarienvogel" in str(app.sessions.transcript(session))
        refused = [
            client.post("api/extract", json={"text": text * 20_000, "procedure": "col"}),
            client.post("api/extract", json={"text": [text], "procedure": "col"}),
            client.post("api/extract", json={"text": text, "procedure": "col", "key": KEY}),
            client.post("api/transcribe", files=_file(text.encode())),
            client.post(f"sessions/{session}/edits", json={"revision": "0", "value": text}),
            client.post(f"sessions/{session}/signature", json={"revision": "0", "name": "Dr. Canary"}),
            client.get(f"download/{session}/nothing"),
            client.post("sessions/list", content=json.dumps({"search": text, "more": KEY})),
        ]
        assert all(400 <= answer.status_code < 500 for answer in refused)
        return [answer.content for answer in [*refused, client.get("health"), client.get("metrics")]]


def _file(content: bytes) -> dict[str, Any]:
    return {"file": ("canarina-kanarienvogel.flac", content, "audio/flac")}
