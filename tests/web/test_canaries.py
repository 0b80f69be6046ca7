"""One run that does all that can be done, well and badly, at the loudest logging, with planted canaries.

Afterwards nothing that the run wrote outside its data folder holds one of them: no log, no error, no temporary file.
"""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import httpx2
import pytest

from endoscribe.auth.users import UsersFile
from endoscribe.web.downloads import FORMATS
from tests.support.faults import RATE, SAMPLES, dictation_of
from tests.support.hostile import SAMPLE
from tests.support.paths import SUPPORT, TESTS
from tests.support.played_claude import TRIED, PlayedClaude, answer, events, played_claude, sse, wire
from tests.support.program import App

pytestmark = pytest.mark.slow

KEY = "sk-ant-canarykey0123456789"
USER, PASSWORD = "Dr. Canarydoctor", "a canarypassword that is long"
CANARIES = re.compile(rb"canary|kanarien|canarina", re.IGNORECASE)
#: Programs of our own and their folders are called so; this is no patient's.
OURS = re.compile(rb"canary_app|test_canar\w*")
TEXT = "Mrs. Canarina Kanarienvogel has a canarypolyp of 6 mm in the sigmoid."
SCHEMA = """\
title: Canarytitle
version: "1"
sections: {findings: Canarysection}
fields:
  lavage: {label: Canarylabel, type: boolean, section: findings}
note: "{{ title"
"""
READ = answer([TRIED, {"field": "polyps.size_mm", "row": 0, "value": "6", "quote": "6 millimeters"}])
TOLD = f"canaryanswer for {KEY}: {TEXT}"
#: Answers that cannot be used; those of servers tell what they were asked.
USELESS = {
    "401": httpx2.Response(401, json={"type": "error", "error": {"type": "authentication_error", "message": TOLD}}),
    "400": httpx2.Response(400, content=TOLD.encode()),
    "500": httpx2.Response(500, json={"type": "error", "error": {"type": "api_error", "message": TOLD}}),
    "no answer": sse(wire(events(TOLD))),
    "no stream": sse(TOLD.encode()),
    "refusal": sse(wire(events(TOLD, "refusal"))),
    "an error in the stream": sse(wire([("error", {"error": {"type": "overloaded_error", "message": TOLD}})])),
}


def found_in(path: Path) -> list[bytes]:
    return CANARIES.findall(OURS.sub(b"", path.read_bytes()))


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    folders = {name: tmp_path / name for name in ("data", "temp", "schemas")}
    for folder in folders.values():
        folder.mkdir()
    (folders["schemas"] / "own.yaml").write_text(SCHEMA)
    monkeypatch.setenv("TMPDIR", str(folders["temp"]))
    return folders


def test_nothing_of_a_patient_a_key_or_a_schema_leaves_the_data_folder(
    tmp_path: Path, folders: dict[str, Path]
) -> None:
    users = UsersFile(folders["data"] / "users.txt")
    users.add(USER, PASSWORD)
    token = users.issue_token(USER)
    said = tmp_path / "said.log"
    told: list[bytes] = []
    with said.open("wb") as output, played_claude() as claude:
        claude.answer = READ
        settings = {
            "ENDOSCRIBE_AUTH": f"users:{folders['data'] / 'users.txt'}",
            "ENDOSCRIBE_EXTRACTOR": "claude",
            "ANTHROPIC_API_KEY": KEY,
            "ANTHROPIC_BASE_URL": claude.url,
            "ENDOSCRIBE_SCHEMA_DIR": str(folders["schemas"]),
        }
        app = App(folders["data"], SUPPORT / "canary_app.py", **settings)
        try:
            _start(app, output.fileno())
            session = _dictate(app, token)
            told += _use(app, session, token)
            _have_it_read(app, session, token, claude)
            _review(app, session, token)
            app.kill()
            _start(app, output.fileno())
            told += _use(app, session, token)
            told += _have_it_read_in_vain(app, token, claude)
            told += _come_in_badly(app)
            told += _delete(app, session, token)
            assert app.end(60) in (0, -signal.SIGTERM)
        finally:
            app.kill()
        _back_up(folders["data"], tmp_path / "all.tar", output.fileno())
    assert found_in(tmp_path / "all.tar") != []
    assert said.stat().st_size > 1000
    assert found_in(said) == []
    for content in told:
        assert CANARIES.findall(content) == [], content
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


def _signed_in(app: App, token: str) -> httpx.Client:
    return httpx.Client(base_url=app.url, timeout=120, headers={"Authorization": f"Bearer {token}"})


def _dictate(app: App, token: str) -> str:
    spoken = dictation_of(6)
    spoken.headers = {"Authorization": f"Bearer {token}"}
    with spoken.connected(app) as connection:
        spoken.speak(connection)
        spoken.wait_until_final(connection)
    assert spoken.session
    assert spoken.acknowledged == SAMPLES == 2 * RATE
    return spoken.session


def _use(app: App, session: str, token: str) -> list[bytes]:
    """The steps for programs, and what is refused; the refusals hold nothing of it either."""
    with _signed_in(app, token) as client:
        assert client.post("api/extract", json={"text": TEXT, "procedure": "col"}).status_code == 200
        assert client.post("api/process", files=_file(SAMPLE), data={"procedure": "col"}).status_code == 200
        assert client.get(f"audio/{session}").status_code == 200
        assert "Kanarienvogel" in str(app.sessions.transcript(session))
        refused = [
            client.post("api/extract", json={"text": TEXT * 20_000, "procedure": "col"}),
            client.post("api/extract", json={"text": [TEXT], "procedure": "col"}),
            client.post("api/extract", json={"text": TEXT, "procedure": "col", "key": KEY}),
            client.post("api/transcribe", files=_file(TEXT.encode())),
            client.post("api/process", files=_file(SAMPLE[:2000]), data={"procedure": TEXT}),
            client.post("gradio_api/upload", content=TEXT, headers={"content-type": f"multipart/form-data; {TEXT}"}),
            client.post(f"sessions/{session}/edits", json={"revision": "0", "value": TEXT}),
            client.get(f"download/{session}/nothing"),
            client.post("sessions/list", content=json.dumps({"search": TEXT, "more": KEY})),
        ]
        assert all(400 <= each.status_code < 500 for each in refused), refused
        return [each.content for each in [*refused, client.get("health"), _metrics(app)]]


def _metrics(app: App) -> httpx.Response:
    return httpx.get(f"{app.url}metrics")


def _have_it_read(app: App, session: str, token: str, claude: PlayedClaude) -> None:
    """Claude gets the key and the masked text, and its answer is used."""
    claude.bodies.clear()
    with _signed_in(app, token) as client:
        assert client.post(f"submit/{session}").status_code == 200
    assert claude.headers[-1]["Authorization"] == f"Bearer {KEY}"
    assert b"canarypolyp" in claude.bodies[-1]
    assert b"Kanarienvogel" not in claude.bodies[-1]
    record = app.sessions.record(session)
    assert record
    assert record.extractor.startswith("claude")


def _have_it_read_in_vain(app: App, token: str, claude: PlayedClaude) -> list[bytes]:
    """What a server says of its failure reaches nobody; a sentence of ours does."""
    notices = []
    with _signed_in(app, token) as client:
        for name, useless in USELESS.items():
            claude.answer = useless
            claude.bodies.clear()
            made = client.post("api/extract", json={"text": TEXT, "procedure": "col"}).json()
            assert claude.bodies, name
            assert made["extractor"] == "offline", name
            assert "canaryanswer" not in str(made), name
            assert KEY not in str(made), name
            notices.append(made["notice"].encode())
    assert len({*notices}) > 3
    return notices


def _review(app: App, session: str, token: str) -> None:
    """Everything that one can do with a report."""
    with _signed_in(app, token) as client:

        def changed(path: str, **body: object) -> None:
            revision = client.get(f"sessions/{session}/closeups").json()["revision"]
            told = client.post(f"sessions/{session}/{path}", json={"revision": revision, **body})
            assert told.status_code == 200, told.text

        changed("edits", kind="set", target="indication", value=TEXT)
        changed("edits", kind="set", target="bbps_total", value="7")
        changed("undo")
        changed("signature", name=USER)
        assert "Canarydoctor" in client.get(f"sessions/{session}/report").text
        for form in FORMATS:
            assert client.get(f"download/{session}/{form}").status_code == 200, form
        found = client.post("sessions/list", json={"search": "kanarienvogel"})
        assert session in found.text
        assert client.get(f"sessions/{session}/comparison?left=1&right=1").status_code == 200


def _come_in_badly(app: App) -> list[bytes]:
    """Nobody may write down a password that was mistyped."""
    with httpx.Client(base_url=app.url) as client:
        form = re.search(r'name="form" value="([^"]+)"', client.get("login").text)
        assert form
        wrong = {"form": form[1], "name": USER, "password": f"{PASSWORD} mistyped"}
        refused = [
            client.post("login", data=wrong),
            client.post("login", data={**wrong, "form": KEY}),
            client.get("who", auth=(USER, f"{PASSWORD} mistyped")),
            client.get("who", headers={"Authorization": f"Bearer {KEY}"}),
            client.get(f"sessions/{'0' * 32}", headers={"Cookie": f"endoscribe={KEY}"}),
        ]
    assert all(400 <= each.status_code < 500 for each in refused), refused
    return [each.content for each in refused]


def _delete(app: App, session: str, token: str) -> list[bytes]:
    with _signed_in(app, token) as client:
        assert client.delete(f"sessions/{session}").status_code == 204
        gone = [client.get(f"sessions/{session}"), client.delete(f"sessions/{session}")]
    assert [each.status_code for each in gone] == [404, 404]
    return [each.content for each in gone]


def _back_up(folder: Path, file: Path, output: int) -> None:
    """What the command says of it; the file itself holds everything."""
    command = [sys.executable, "-m", "endoscribe", "-v", "backup", str(file)]
    environ = {**os.environ, "ENDOSCRIBE_DATA_DIR": str(folder), "PYTHONPATH": str(TESTS.parent)}
    subprocess.run(command, check=True, stdout=output, stderr=output, env=environ, cwd=folder)


def _file(content: bytes) -> dict[str, Any]:
    return {"file": ("canarina-kanarienvogel.flac", content, "audio/flac")}
