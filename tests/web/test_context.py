"""Who and where: given by programs and typed on the page, kept with the session, in no log and in no demonstration."""

import json
import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import text

from endoscribe.review.versions import Reading, receive
from endoscribe.web.job import report
from endoscribe.web.page.panels import report_panels
from tests.support.reports import SCHEMAS, made_record
from tests.support.scripted import ScriptedScheduler, Server, transcript_of
from tests.support.sign_in import HELLO

AUDIO_S = 6
NAME = "Janet Canary <b>&amp;</b>"
PATIENT = {
    "resourceType": "Patient",
    "identifier": [{"value": "other"}, {"type": {"coding": [{"code": "MR"}]}, "value": "MRN 7"}],
    "name": [{"use": "nickname", "text": "Jo"}, {"use": "official", "given": ["Jane", "Ann"], "family": "Example"}],
    "birthDate": "1960-03-04",
}
REQUEST = {
    "resourceType": "ServiceRequest",
    "subject": {"display": "somebody"},
    "requester": {"display": "Dr. Sample"},
    "performer": [{"reference": "Practitioner/1"}, {"display": "Dr. Example"}],
    "occurrenceDateTime": "2026-01-02T08:00:00Z",
    "locationReference": [{"display": "Room 2"}],
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("data"), ScriptedScheduler()) as server:
        yield server


def begun(server: Server) -> str:
    """A recording that nobody has transcribed."""
    sessions = server.services.sessions
    made = sessions.create("col", 16_000)
    audio = sessions.open_audio(made.id)
    audio.append(np.zeros(AUDIO_S * 16_000, "<i2").tobytes())
    audio.sync()
    audio.close()
    return made.id


def read(server: Server, session: str) -> str:
    server.services.sessions.save_transcript(session, transcript_of(AUDIO_S * 16_000))
    report(server.services, server.reviews, session, "col")
    return session


def give(server: Server, session: str, **values: object) -> Any:
    return server.client.post(f"/api/sessions/{session}/context", json=values)


def typed(server: Server, session: str, *pairs: str) -> Any:
    revision = server.reviews.review(session).revision
    body = {"revision": revision, "kind": "context", "target": "context", "value": list(pairs)}
    return server.client.post(f"/sessions/{session}/edits", json=body)


def known(server: Server, session: str) -> dict[str, str]:
    answer = server.client.get(f"/api/sessions/{session}/context").json()
    return {name: value for name, value in answer.items() if value is not None}


def file(server: Server, session: str, form: str, query: str = "") -> bytes:
    answer = server.client.get(f"/download/{session}/{form}{query}")
    assert answer.status_code == 200
    content: bytes = answer.content
    return content


def test_what_a_program_gives_before_the_reading_heads_the_report(server: Server) -> None:
    session = begun(server)
    answer = give(server, session, name="Jane Example", date="2026-01-02")
    assert answer.status_code == 200
    assert answer.json()["name"] == "Jane Example"
    read(server, session)
    assert known(server, session) == {"name": "Jane Example", "date": "2026-01-02"}
    review = server.reviews.review(session)
    assert "procedure_date" not in server.reviews.record(review).gaps
    assert "procedure_date" in review.latest.reading.record.gaps
    note = file(server, session, "md").decode()
    assert "Patient: Jane Example. " in note
    assert json.loads(file(server, session, "json"))["context"]["name"] == "Jane Example"
    bundle = json.loads(file(server, session, "fhir"))
    subjects = {part["resource"]["subject"]["display"] for part in bundle["entry"] if "subject" in part["resource"]}
    assert subjects == {"Jane Example"}
    assert "Jane Example" in server.client.post("/sessions/list", json={"search": "jane"}).text


def test_fhir_resources_tell_it_as_well(server: Server) -> None:
    session = begun(server)
    assert give(server, session, patient=PATIENT, service_request=REQUEST, room="Room 9").status_code == 200
    assert known(server, session) == {
        "name": "Jane Ann Example",
        "record_number": "MRN 7",
        "birth_date": "1960-03-04",
        "date": "2026-01-02",
        "endoscopist": "Dr. Example",
        "referrer": "Dr. Sample",
        "room": "Room 9",
    }


@pytest.mark.parametrize(
    "patient", [{"name": 1}, {"name": [None, {"given": [1]}], "identifier": {}}, {"birthDate": []}]
)
def test_a_resource_of_another_form_tells_nothing(server: Server, patient: dict[str, object]) -> None:
    session = begun(server)
    assert give(server, session, patient=patient, room="1").status_code == 200
    assert known(server, session) == {"room": "1"}


def test_it_is_edited_undone_signed_and_versioned_like_a_value(server: Server) -> None:
    session = read(server, begun(server))
    assert typed(server, session, "name=Jane Example", "room=2").status_code == 200
    assert typed(server, session, "room=").status_code == 200
    assert known(server, session) == {"name": "Jane Example"}
    revision = server.reviews.review(session).revision
    server.client.post(f"/sessions/{session}/undo", json={"revision": revision})
    assert known(server, session) == {"name": "Jane Example", "room": "2"}
    revision = server.reviews.review(session).revision
    server.client.post(f"/sessions/{session}/signature", json={"revision": revision, "name": "Dr. Example"})
    give(server, session, name="Another Name")
    first, second = server.reviews.review(session).versions
    assert first.signature is not None
    assert first.signature.is_intact
    assert first.signature.context is not None
    assert first.signature.context.name == "Jane Example"
    assert second.signature is None
    assert "Jane Example" in file(server, session, "md", "?version=1").decode()
    assert "Another Name" in file(server, session, "md").decode()


def test_a_signature_covers_what_headed_the_report(server: Server) -> None:
    session = read(server, begun(server))
    typed(server, session, "name=Jane Example")
    revision = server.reviews.review(session).revision
    server.client.post(f"/sessions/{session}/signature", json={"revision": revision, "name": "Dr. Example"})
    signature = server.reviews.review(session).latest.signature
    assert signature is not None
    assert signature.is_intact
    assert not replace(signature, context=replace(signature.context, name="Somebody Else")).is_intact  # type: ignore[type-var]
    assert not replace(signature, context=None).is_intact


def test_a_later_reading_keeps_it(server: Server) -> None:
    session = read(server, begun(server))
    typed(server, session, "name=Jane Example")
    server.services.sessions.save_transcript(session, transcript_of(AUDIO_S * 8_000))
    report(server.services, server.reviews, session, "col")
    if server.reviews.review(session).waiting:
        revision = server.reviews.review(session).revision
        body = {"revision": revision, "choice": "drop_edits"}
        assert server.client.post(f"/sessions/{session}/reading", json=body).status_code == 200
    assert known(server, session) == {"name": "Jane Example"}


def test_it_is_text_wherever_it_stands_and_in_no_log(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    session = read(server, begun(server))
    panels = typed(server, session, f"name={NAME}", "room=<script>").json()["panels"]
    for panel in ("record", "review"):
        assert "Janet Canary &lt;b&gt;&amp;amp;&lt;/b&gt;" in panels[panel]
        assert "<b>&amp;</b>" not in panels[panel]
        assert "<script>" not in panels[panel]
    listed = server.client.post("/sessions/list", json={"search": "canary"}).text
    assert "Janet Canary &lt;b&gt;" in listed
    for form in ("md", "txt", "rich", "docx", "pdf", "fhir", "json"):
        assert file(server, session, form)
    assert "Canary" not in caplog.text
    trail = [entry.detail for entry in server.services.sessions.audit.entries(session)]
    assert "Canary" not in str(trail)


@pytest.mark.parametrize("values", [{"name": "Canary" * 100}, {"nmae": "Canary"}, {"name": ["Canary"]}])
def test_what_cannot_be_kept_is_refused_without_being_repeated(server: Server, values: dict[str, object]) -> None:
    session = begun(server)
    answer = give(server, session, **values)
    assert answer.status_code == 422
    assert "Canary" not in answer.text
    assert known(server, session) == {}


def test_an_edit_of_something_else_is_refused(server: Server) -> None:
    session = read(server, begun(server))
    for pairs in (("nmae=x",), (), ("name=" + "x" * 300,)):
        assert typed(server, session, *pairs).status_code == 422


def test_it_goes_with_the_session(server: Server) -> None:
    session = begun(server)
    give(server, session, name="Janet Gone")
    assert server.client.delete(f"/sessions/{session}").status_code == 204
    assert server.client.get(f"/api/sessions/{session}/context").status_code == 404
    with server.services.sessions.database.reading() as connection:
        assert (
            connection.execute(text("SELECT count(*) FROM documents WHERE content LIKE '%Janet Gone%'")).scalar() == 0
        )


def test_a_model_is_never_told(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    read_before = server.services.report

    def noticed(transcript: Any, schema: Any, *rest: Any) -> Any:
        asked.append(transcript.text)
        return read_before(transcript, schema, *rest)

    monkeypatch.setattr(server.services, "report", noticed)
    session = begun(server)
    give(server, session, name="Janet Canary")
    read(server, session)
    assert asked
    assert "Canary" not in str(asked)


def test_in_a_demonstration_there_is_none(tmp_path: Path) -> None:
    with Server(tmp_path, ScriptedScheduler(), ENDOSCRIBE_DEMO="true") as server:
        assert server.client.get("/who").status_code == 200
        with server.client.websocket_connect("/ws/microphone") as socket:
            socket.send_json(HELLO)
            session = socket.receive_json()["session"]
        assert server.client.get(f"/sessions/{session}").status_code == 200
        assert server.client.get(f"/api/sessions/{session}/context").status_code == 403
        assert give(server, session, name="Jane").status_code == 403
    review = receive(None, Reading(made_record("col")))
    shown = report_panels(review, "x" * 32, SCHEMAS["col"], takes_context=False)
    assert "context-form" not in shown["review"]
    assert "context-form" in report_panels(review, "x" * 32, SCHEMAS["col"])["review"]
