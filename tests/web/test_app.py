"""What is served besides the microphone: health, the page, stored audio, downloads, and the headers on all of it."""

import csv
import io
import json
import threading
import wave
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from starlette.testclient import WebSocketDenialResponse

from endoscribe.errors import EngineError
from endoscribe.web.headers import security_headers
from endoscribe.web.job import report
from endoscribe.web.routes.files import byte_range
from tests.support.patience import wait_until
from tests.support.scripted import SCRIPT, ScriptedScheduler, Server, transcript_of

PCM = np.arange(-8000, 8000, dtype="<i2").tobytes()
KEYS = {"status", "whisper_loaded", "llm_initialized", "supported_procedures"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("data"), ScriptedScheduler(), has_page=True) as server:
        yield server


@pytest.fixture(scope="module")
def session_id(server: Server) -> str:
    """A finished session: audio, transcript and record."""
    sessions = server.services.sessions
    session = sessions.create("col", 16_000)
    audio = sessions.open_audio(session.id)
    audio.append(PCM)
    audio.sync()
    audio.close()
    sessions.save_transcript(session.id, transcript_of(16_000 * len(SCRIPT)))
    report(server.services, server.reviews, session.id, "col")
    return session.id


def test_healthy(server: Server) -> None:
    response = server.client.get("/health")
    body = response.json()
    assert response.status_code == 200
    assert body.keys() >= KEYS
    assert body["status"] == "healthy"
    assert body["whisper_loaded"] is True
    assert body["llm_initialized"] is True
    assert set(body["supported_procedures"]) == {"col", "egd", "ercp", "eus"}
    assert server.client.get("/ready").status_code == 200


def test_starting_is_not_ready_but_the_page_is_served(tmp_path: Path) -> None:
    loaded = threading.Event()

    def load(_: object) -> ScriptedScheduler:
        loaded.wait()
        return ScriptedScheduler()

    with Server(tmp_path, has_page=True) as server:
        server.services.start(load)  # type: ignore[arg-type]
        assert server.client.get("/health").status_code == 200
        assert server.client.get("/health").json()["status"] == "starting"
        assert server.client.get("/health").json()["whisper_loaded"] is False
        assert server.client.get("/ready").status_code == 503
        assert "EndoScribe" in server.client.get("/").text
        loaded.set()
        wait_until(lambda: server.client.get("/ready").status_code == 200, "the server is ready")
        assert server.client.get("/health").json()["status"] == "healthy"


def test_a_model_that_cannot_be_loaded_is_unhealthy(tmp_path: Path) -> None:
    def load(_: object) -> ScriptedScheduler:
        raise EngineError("There is no model here.")

    with Server(tmp_path) as server:
        server.services.start(load)  # type: ignore[arg-type]
        wait_until(lambda: server.client.get("/health").json()["status"] != "starting", "the model was tried")
        response = server.client.get("/health")
        assert response.status_code == 503
        assert response.json()["status"] == "unhealthy"
        assert response.json()["problem"] == "There is no model here."
        assert server.client.get("/ready").status_code == 503


def test_the_page_has_everything_that_tests_and_people_look_for(server: Server) -> None:
    config = server.client.get("/config").json()
    components = {component["props"].get("elem_id") for component in config["components"]}
    assert components >= {
        "procedure", "microphone", "upload", "example", "live-text", "status", "checklist", "submit", "record",
        "checks", "transcript", "player", "note", "history",
    }  # fmt: skip
    text = json.dumps(config)
    for part in ("Start Recording", "Pause", "Stop", "Submit", "Colonoscopy", "EGD", "ERCP", "EUS"):
        assert part in text


def test_the_page_names_no_other_host(server: Server) -> None:
    page = server.client.get("/").text
    assert "fonts.googleapis" not in page
    assert "https://cdn" not in page


@pytest.mark.parametrize(
    "name", ["page.js", "microphone.js", "uplink.js", "capture_worklet.js", "page.css", "report.css"]
)
def test_our_own_files_are_served_and_checked_for_changes(server: Server, name: str) -> None:
    response = server.client.get(f"/ui/{name}")
    assert response.status_code == 200
    assert response.headers["cache-control"] == "no-cache"
    assert response.headers["etag"]


@pytest.mark.parametrize("path", ["/ui/../routes.py", "/ui/%2e%2e/routes.py", "/samples/../storage.py", "/ui/"])
def test_only_our_own_files_are_served(server: Server, path: str) -> None:
    assert "Services" not in server.client.get(path).text


def test_stored_audio_is_a_wav_file(server: Server, session_id: str) -> None:
    response = server.client.get(f"/audio/{session_id}")
    assert response.headers["content-type"] == "audio/wav"
    assert response.headers["cache-control"] == "no-store"
    with wave.open(io.BytesIO(response.content)) as file:
        assert file.readframes(20_000) == PCM


def test_a_player_can_jump_in_the_audio(server: Server, session_id: str) -> None:
    whole = server.client.get(f"/audio/{session_id}").content
    response = server.client.get(f"/audio/{session_id}", headers={"Range": "bytes=1000-1999"})
    assert response.status_code == 206
    assert response.headers["content-range"] == f"bytes 1000-1999/{len(whole)}"
    assert response.content == whole[1000:2000]
    refused = server.client.get(f"/audio/{session_id}", headers={"Range": f"bytes={len(whole)}-"})
    assert refused.status_code == 416


@pytest.mark.parametrize(
    ("header", "span"),
    [
        (None, (0, 100)),
        ("bytes=0-", (0, 100)),
        ("bytes=10-19", (10, 20)),
        ("bytes=90-200", (90, 100)),
        ("bytes=-10", (90, 100)),
        ("bytes=-200", (0, 100)),
        ("bytes=-0", None),
        ("bytes=100-", None),
        ("bytes=20-10", None),
        ("bytes=-", None),
        ("bytes=a-b", None),
        ("bytes=0-1,5-6", None),
        ("lines=0-1", None),
        ("bytes=0-99999999999999999999", None),
    ],
)
def test_ranges(header: str | None, span: tuple[int, int] | None) -> None:
    assert byte_range(header, 100) == span


@pytest.mark.parametrize("bad", ["0" * 32, "nothing", "..%2f..%2fetc%2fpasswd", "%00"])
def test_audio_and_downloads_of_unknown_sessions_are_not_found(server: Server, bad: str) -> None:
    assert server.client.get(f"/audio/{bad}").status_code == 404
    assert server.client.get(f"/download/{bad}/json").status_code == 404


def test_downloads_are_drafts_of_the_record(server: Server, session_id: str) -> None:
    record = json.loads(server.client.get(f"/download/{session_id}/json").content)
    assert record["status"] == "draft"
    assert record["fields"]["bbps_total"]["value"] == 8
    rows = list(csv.reader(io.StringIO(server.client.get(f"/download/{session_id}/csv").text)))
    assert any("8" in row for row in rows)
    bundle = json.loads(server.client.get(f"/download/{session_id}/fhir").content)
    assert bundle["resourceType"] == "Bundle"
    docx = server.client.get(f"/download/{session_id}/docx")
    assert "word/document.xml" in zipfile.ZipFile(io.BytesIO(docx.content)).namelist()
    assert docx.headers["content-disposition"].startswith('attachment; filename="draft-col-')
    assert docx.headers["cache-control"] == "no-store"


def test_there_is_nothing_to_download_before_a_report(server: Server) -> None:
    session = server.services.sessions.create("col", 16_000)
    response = server.client.get(f"/download/{session.id}/json")
    assert response.status_code == 404
    assert "Submit" in response.json()["problem"]
    assert server.client.get(f"/download/{session.id}/exe").status_code == 404


@pytest.mark.parametrize("path", ["/", "/config", "/sessions", "/nothing"])
def test_no_browser_keeps_what_may_tell_of_a_patient(server: Server, path: str) -> None:
    assert server.client.get(path).headers["cache-control"] == "no-store"


@pytest.mark.parametrize("path", ["/", "/health", "/ui/page.js", "/config", "/nothing-here"])
def test_every_answer_carries_the_security_headers(server: Server, path: str) -> None:
    headers = server.client.get(path).headers
    for name, value in security_headers("testserver").items():
        assert headers[name] == value


def test_a_host_with_a_trick_in_it_does_not_enter_the_policy() -> None:
    policy = security_headers("x; script-src *")["Content-Security-Policy"]
    assert "*" not in policy
    assert "ws://" not in policy


@pytest.mark.parametrize("path", ["/", "/sessions/list", "/api/procedures", "/config"])
@pytest.mark.parametrize("host", ["evil.example", "testserver.evil.example", "testserver@evil.example", "[", ""])
def test_a_name_that_is_not_ours_is_told_nothing(server: Server, path: str, host: str) -> None:
    """Whoever gives another site's name this machine's address (DNS rebinding) gets no page and no dictation."""
    refused = server.client.get(path, headers={"Host": host})
    assert refused.status_code == 421
    assert "ENDOSCRIBE_HOST_NAMES" in refused.json()["problem"]


@pytest.mark.parametrize("host", ["testserver", "testserver:7860", "TestServer"])
def test_our_own_name_is_answered_with_any_port(server: Server, host: str) -> None:
    assert server.client.get("/api/procedures", headers={"Host": host}).status_code == 200


def test_a_health_check_may_ask_by_address(server: Server) -> None:
    assert server.client.get("/health", headers={"Host": "172.17.0.2:7860"}).status_code == 200


def test_a_socket_to_another_name_is_refused(server: Server) -> None:
    with (
        pytest.raises(WebSocketDenialResponse),
        server.client.websocket_connect("/ws/microphone", headers={"Host": "evil.example"}),
    ):
        pass
