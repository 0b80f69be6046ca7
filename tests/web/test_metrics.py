"""What an operator can watch, who may read it, and that nobody's name or words are in it."""

import math
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from prometheus_client.parser import text_string_to_metric_families

from endoscribe.auth.password_throttle import PasswordThrottle
from endoscribe.auth.users import UsersFile
from endoscribe.errors import RefusalError, SettingsError
from endoscribe.extraction.claims import OnClaims
from endoscribe.extraction.extractor import Answer
from endoscribe.extraction.llm.conversation import ModelExtractor
from endoscribe.extraction.llm.identifiers import MaskingExtractor
from endoscribe.extraction.llm.parts import PartwiseExtractor
from endoscribe.metrics import Metrics, SpeechMetrics
from endoscribe.procedures.schema import ProcedureSchema
from endoscribe.settings import Settings
from endoscribe.speech.scheduler import Scheduler
from endoscribe.transcript import Transcript
from tests.support.played_claude import PlayedServer, events, sse, wire
from tests.support.protocol import SAMPLES, Socket, connect, even_frames, record
from tests.support.readers import DICTATION, DisagreeingExtractor, FailingExtractor, services_in
from tests.support.scripted import SCRIPT, ScriptedScheduler, Server
from tests.support.sign_in import PASSWORD, QUICK, browser, log_in
from tests.support.speech_script import HearingEngine, LevelDetector, audio_of, words_at

TOKEN = "a token that is long enough"
Figures = dict[str, float]


def parsed(text: str) -> Figures:
    """Every sample as `name{label="value"}`; the parser is the client library's own."""
    return {
        sample.name + "".join(f'{{{name}="{value}"}}' for name, value in sample.labels.items()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def figures(metrics: Metrics) -> Figures:
    return parsed(metrics.exposition().decode())


def from_here(server: Server, host: str = "127.0.0.1", peer: str = "127.0.0.1") -> TestClient:
    """A program on this machine; the server runs already."""
    client = TestClient(server.app, f"http://{host}", client=(peer, 1))
    client.portal = server.client.portal
    return client


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with Server(tmp_path, ScriptedScheduler()) as server:
        yield server


# -- who may read it ---------------------------------------------------------------------------------------------------


def test_a_program_on_this_machine_reads_the_figures(server: Server) -> None:
    answer = from_here(server).get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert answer.headers["cache-control"] == "no-store"
    assert parsed(answer.text)["endoscribe_ready"] == 1


@pytest.mark.parametrize(
    ("host", "peer", "headers"),
    [
        ("127.0.0.1", "203.0.113.9", {}),
        ("127.0.0.1", "testclient", {}),
        ("evil.example", "127.0.0.1", {}),
        ("127.0.0.1", "127.0.0.1", {"X-Forwarded-For": "203.0.113.9"}),
        ("127.0.0.1", "127.0.0.1", {"Via": "1.1 proxy"}),
        ("127.0.0.1", "127.0.0.1", {"Origin": "https://evil.example"}),
        ("127.0.0.1", "203.0.113.9", {"Authorization": f"Bearer {TOKEN}"}),
    ],
)
def test_without_a_token_nobody_else_does(server: Server, host: str, peer: str, headers: dict[str, str]) -> None:
    answer = from_here(server, host, peer).get("/metrics", headers=headers)
    assert answer.status_code == 403
    assert "endoscribe_" not in answer.text


def test_with_a_token_whoever_sends_it_reads_them_and_nobody_else(tmp_path: Path) -> None:
    with Server(tmp_path, ENDOSCRIBE_METRICS_TOKEN=TOKEN) as server:
        far = from_here(server, "10.0.0.5", "10.0.0.9")
        assert far.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 200
        for given in (
            b"",
            b"Bearer",
            b"Bearer a token",
            f"Bearer {TOKEN}x".encode(),
            f"Basic {TOKEN}".encode(),
            b"Bearer \xe9",
        ):
            refused = from_here(server).get("/metrics", headers=[(b"Authorization", given)])
            assert refused.status_code == 401
            assert "endoscribe_" not in refused.text
        assert TOKEN not in repr(server.services.settings)


def test_a_demonstration_tells_its_figures_for_the_token_only(tmp_path: Path) -> None:
    with Server(tmp_path / "open", ENDOSCRIBE_DEMO="true") as server:
        assert from_here(server).get("/metrics").status_code == 403
    with Server(tmp_path / "told", ENDOSCRIBE_DEMO="true", ENDOSCRIBE_METRICS_TOKEN=TOKEN) as server:
        assert from_here(server).get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 200


def test_where_people_sign_in_the_token_is_no_way_to_anything_else(tmp_path: Path) -> None:
    users = f"users:{tmp_path / 'users.txt'}"
    with Server(tmp_path, ENDOSCRIBE_AUTH=users, ENDOSCRIBE_METRICS_TOKEN=TOKEN) as server:
        headers = {"Authorization": f"Bearer {TOKEN}"}
        assert browser(server).get("/metrics", headers=headers).status_code == 200
        assert browser(server).get("/who", headers=headers).status_code == 401
        assert browser(server).get("/metrics/", headers=headers).status_code == 401


def test_a_token_that_can_be_guessed_is_refused() -> None:
    with pytest.raises(SettingsError, match="ENDOSCRIBE_METRICS_TOKEN"):
        Settings.from_environment({"ENDOSCRIBE_METRICS_TOKEN": "secret"}, None)


# -- what it says ------------------------------------------------------------------------------------------------------


def test_every_series_is_there_from_the_start_and_ends_in_its_unit() -> None:
    metrics = Metrics()
    for sample, value in figures(metrics).items():
        assert value == 0 or sample.startswith(("process_", "endoscribe_build_info")), sample
    for family in text_string_to_metric_families(metrics.exposition().decode()):
        if family.type == "histogram":
            assert family.name.endswith("_seconds")
        assert family.documentation


def test_a_dictation_is_counted_from_its_first_frame_to_its_text(server: Server) -> None:
    frames = even_frames()
    with connect(server) as connection:
        socket = Socket(connection)
        socket.hello()
        socket.send(*frames)
        socket.until_safe(SAMPLES)
        during = figures(server.services.metrics)
        assert (during["endoscribe_recordings_open"], during["endoscribe_speakers"]) == (1, 1)
        assert record(socket, [])["problem"] is None
    after = figures(server.services.metrics)
    assert after["endoscribe_frames_received_total"] == len(frames)
    assert after["endoscribe_frame_bytes_received_total"] == 2 * SAMPLES
    assert after["endoscribe_disk_sync_seconds_count"] >= 1
    assert after['endoscribe_recordings_total{outcome="complete"}'] == 1
    assert (after["endoscribe_recordings_open"], after["endoscribe_speakers"]) == (0, 0)
    assert after["endoscribe_transcripts_missing_total"] == 0


def test_who_has_to_wait_for_live_text_is_counted_once(tmp_path: Path) -> None:
    with Server(tmp_path, ScriptedScheduler(seats=0, failure="The engine broke.")) as server:
        with connect(server) as connection:
            socket = Socket(connection)
            socket.hello()
            socket.send(*even_frames())
            assert record(socket, [])["problem"] == "The engine broke."
        told = figures(server.services.metrics)
        assert told["endoscribe_speakers_refused_total"] == 1
        assert told["endoscribe_transcripts_missing_total"] == 1


def test_what_ends_without_a_stop_is_interrupted_now_or_found_at_the_next_start(tmp_path: Path) -> None:
    with Server(tmp_path, ScriptedScheduler()) as server, connect(server) as connection:
        socket = Socket(connection)
        socket.hello()
        socket.send(*even_frames())
        socket.until_safe(SAMPLES)
    assert figures(server.services.metrics)['endoscribe_recordings_total{outcome="interrupted"}'] == 1
    with Server(tmp_path, ScriptedScheduler()) as second:
        second.services.sessions.create("col", 16_000)
    with Server(tmp_path, ScriptedScheduler()) as third:
        assert figures(third.services.metrics)['endoscribe_recordings_total{outcome="interrupted"}'] == 1


class Refusing(FailingExtractor):
    def read(self, transcript: Transcript, schema: ProcedureSchema, on_claims: OnClaims | None = None) -> Answer:
        raise RefusalError("Claude declined to read this dictation.")


@pytest.mark.parametrize(
    ("extractor", "outcome"),
    [(FailingExtractor(), "failed"), (Refusing(), "refused"), (DisagreeingExtractor(), "claude"), (None, "offline")],
)
def test_readings_are_counted_by_what_came_of_them(tmp_path: Path, extractor: object, outcome: str) -> None:
    services = services_in(tmp_path, ENDOSCRIBE_EXTRACTOR="claude" if extractor else "offline")
    services._extractor = extractor or services._extractor  # type: ignore[assignment]
    services.report(DICTATION, services.schemas.get("col"))
    told = figures(services.metrics)
    counted = {name: value for name, value in told.items() if name.startswith("endoscribe_extractions_total") and value}
    assert counted == {f'endoscribe_extractions_total{{outcome="{outcome}"}}': 1}
    reader = "claude" if extractor else "offline"
    assert told[f'endoscribe_extraction_seconds_count{{reader="{reader}"}}'] == 1
    paid = outcome == "claude"
    assert told['endoscribe_model_tokens_total{kind="fresh"}'] == (10 if paid else 0)
    assert told['endoscribe_model_tokens_total{kind="cached"}'] == (5 if paid else 0)
    assert told["endoscribe_model_cost_dollars_total"] == (0.01 if paid else 0)


@pytest.mark.parametrize(("stop", "outcome"), [("refusal", "refused"), ("end_turn", "failed")])
def test_what_was_paid_in_vain_is_counted(tmp_path: Path, stop: str, outcome: str) -> None:
    claude = PlayedServer(sse(wire(events("no cells", stop)))).extractor().model
    claude.model = "claude-sonnet-5-5"  # type: ignore[misc]
    services = services_in(tmp_path, ENDOSCRIBE_EXTRACTOR="claude")
    services._extractor = PartwiseExtractor(MaskingExtractor(ModelExtractor(claude)))
    services.report(DICTATION, services.schemas.get("col"))
    told = figures(services.metrics)
    assert told[f'endoscribe_extractions_total{{outcome="{outcome}"}}'] == 1
    assert told["endoscribe_model_requests_total"] == 1
    assert told['endoscribe_model_tokens_total{kind="answered"}'] == 77
    assert told["endoscribe_model_cost_dollars_total"] == pytest.approx((40 * 2 + 900 * 0.1 + 77 * 10) / 1e6)


def test_live_final_and_uploaded_speech_are_told_apart(tmp_path: Path) -> None:
    words = words_at("the cecum was reached today. all was well", pause_after={"today.": 1.2})
    metrics, engine = Metrics(), HearingEngine(words)
    scheduler = Scheduler(engine, new_detector=LevelDetector)
    scheduler.observer = SpeechMetrics(metrics)
    speaker = scheduler.open_session(None, lambda _live: None)
    speaker.insert(audio_of(words))
    speaker.finish()
    scheduler.transcribe(audio_of(words))
    engine.failures = 1
    with pytest.raises(Exception, match="failed"):
        scheduler.transcribe(audio_of(words))
    scheduler.close()
    told = figures(metrics)
    for work in ("live", "final", "upload"):
        assert told[f'endoscribe_decode_seconds_count{{work="{work}"}}'] >= 1
        assert told[f'endoscribe_decoded_audio_seconds_total{{work="{work}"}}'] > 1
        assert told[f'endoscribe_decoded_windows_total{{work="{work}"}}'] >= 1
    assert told['endoscribe_queue_wait_seconds_count{work="upload"}'] == 2
    assert told['endoscribe_queue_wait_seconds_count{work="live"}'] >= 1
    assert told['endoscribe_decode_failures_total{work="upload"}'] == 1
    assert told["endoscribe_final_text_seconds_count"] == 1


def test_tries_to_sign_in_are_counted(tmp_path: Path) -> None:
    users = UsersFile(tmp_path / "users.txt", QUICK)
    users.add("ada", PASSWORD)
    with Server(tmp_path, ENDOSCRIBE_AUTH=f"users:{tmp_path / 'users.txt'}") as server:
        server.app.state.authenticator.password_throttle = PasswordThrottle(lambda: 0.0)  # however long this takes
        assert log_in(browser(server), "ada").status_code == 303
        for _ in range(4):
            log_in(browser(server), "ada", "wrong")
        assert log_in(browser(server), "ada").status_code == 429
        assert browser(server).get("/who", headers={"Authorization": "Bearer made up"}).status_code == 401
        told = figures(server.services.metrics)
        counts = [
            told[f'endoscribe_sign_ins_total{{outcome="{each}"}}'] for each in ("entered", "wrong", "made_to_wait")
        ]
        assert counts == [1, 5, 1]


def test_answers_are_counted_by_their_class_and_a_disk_that_is_gone_is_not_a_number(server: Server) -> None:
    server.client.get("/health")
    server.client.get("/audio/nothing")
    told = figures(server.services.metrics)
    assert told['endoscribe_http_responses_total{status="2xx"}'] >= 1
    assert told['endoscribe_http_responses_total{status="4xx"}'] == 1
    assert 0 < told["endoscribe_disk_free_bytes"] <= told["endoscribe_disk_size_bytes"]
    shutil.rmtree(server.services.settings.uploads_dir)
    assert math.isnan(figures(server.services.metrics)["endoscribe_disk_free_bytes"])


def test_nobodys_name_session_or_words_are_in_it(tmp_path: Path) -> None:
    users = UsersFile(tmp_path / "users.txt", QUICK)
    users.add("adalovelace", PASSWORD)
    with Server(tmp_path, ScriptedScheduler(), ENDOSCRIBE_AUTH=f"users:{tmp_path / 'users.txt'}") as server:
        ada = browser(server)
        log_in(ada, "adalovelace")
        with ada.websocket_connect("/ws/microphone") as connection:
            socket = Socket(connection)
            session = socket.hello()["session"]
            record(socket, even_frames())
        server.services.report(Transcript(SCRIPT), server.services.schemas.get("col"))
        text = server.services.metrics.exposition().decode()
    for secret in ("adalovelace", session, str(tmp_path), "testserver", "testclient"):
        assert secret not in text
    labels = set(re.findall(r'(\w+)="', text))
    assert labels == {"work", "outcome", "reader", "kind", "status", "le", "version"}
    values = set(re.findall(r'="([^"]+)"', text))
    assert not {word for word in re.findall(r"[a-z]{4,}", SCRIPT.lower()) if word in values}


def test_two_running_side_by_side_do_not_share_figures() -> None:
    first, second = Metrics(), Metrics()
    first.speakers_refused.inc()
    assert figures(first)["endoscribe_speakers_refused_total"] == 1
    assert figures(second)["endoscribe_speakers_refused_total"] == 0
