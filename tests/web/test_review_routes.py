"""Reviewing over HTTP: what a click asks for, what a step answers, and what is refused."""

import csv
import hashlib
import json
import re
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from io import BytesIO, StringIO
from typing import Any

import openpyxl
import pytest
from sqlalchemy import delete

from endoscribe.errors import StorageError
from endoscribe.extraction.record import Record
from endoscribe.extraction.verification import grounding
from endoscribe.review import edits, versions
from endoscribe.review.edits import Edit
from endoscribe.storage.database import documents
from endoscribe.web.job import report
from tests.support.reviewing import change, closeups, finished
from tests.support.scripted import ScriptedScheduler, Server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("data"), ScriptedScheduler()) as server:
        yield server


@pytest.fixture
def session(server: Server) -> str:
    """A finished dictation of the scripted text."""
    return finished(server)


def file(server: Server, session: str, form: str, query: str = "") -> bytes:
    answer = server.client.get(f"/download/{session}/{form}{query}")
    assert answer.status_code == 200
    return answer.content


def test_a_cell_up_close_shows_what_it_rests_on(server: Server, session: str) -> None:
    card = closeups(server, session)["cards"]["polyps.size_mm/0"]
    for part in ("Polyp 1: Size", "6 millimeter", "Exact", "Hear again"):
        assert part in card
    change(server, session, "edits", kind="set", target="bbps_total", value="7")
    card = closeups(server, session)["cards"]["bbps_total/"]
    assert "read as 8" in card
    assert "Read by the offline reader" in card
    assert "8 by calculation, 7 entered by hand" in card


def test_a_step_is_one_replay_and_one_check(server: Server, session: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for value in ("5", "6"):
        change(server, session, "edits", kind="set", target="bbps_total", value=value)
    replayed, checked = list[Edit](), list[Record]()
    apply_edit, review = edits.apply_edit, grounding.recompute_checks

    def counted_edit(step: Edit, *others: Any) -> Record:
        replayed.append(step)
        return apply_edit(step, *others)

    def counted_check(record: Record, *others: Any) -> Record:
        checked.append(record)
        return review(record, *others)

    monkeypatch.setattr(versions, "apply_edit", counted_edit)
    monkeypatch.setattr(grounding, "recompute_checks", counted_check)
    answer = change(server, session, "edits", kind="set", target="bbps_total", value="7")
    assert answer.status_code == 200
    assert [step.value for step in replayed] == [5, 6, 7]
    assert len(checked) == 1
    replayed.clear()
    checked.clear()
    assert change(server, session, "undo").status_code == 200
    assert [step.value for step in replayed] == [5, 6]
    assert len(checked) == 1


def test_every_cell_that_the_report_shows_has_a_form_of_its_type(server: Server, session: str) -> None:
    found = closeups(server, session)
    forms = found["forms"]
    assert found["revision"] == server.reviews.review(session).revision
    record = server.client.get(f"/sessions/{session}/report").json()["panels"]["record"]
    shown = re.findall(r'<td class="es-cell [^>]*data-field="([^"]*)" data-row="([^"]*)"', record)
    computed = set(re.findall(r'es-computed[^>]*data-field="([^"]*)"', record))
    assert forms.keys() == {f"{field}/{row}" for field, row in shown if field not in computed}
    stated = re.findall(r'es-ok[^>]*data-field="([^"]*)" data-row="([^"]*)"', record)
    assert {f"{field}/{row}" for field, row in stated} <= found["cards"].keys()
    assert 'type="number" name="value"' in forms["bbps_right/"]
    assert 'min="0" max="3"' in forms["bbps_right/"]
    assert '<option value="cecum" selected>' in forms["extent_reached/"]
    assert '<option value="true"' in forms["prep_adequate/"]
    assert '<span class="unit">mm</span>' in forms["polyps.size_mm/0"]
    report(server.services, server.reviews, session, "eus")
    assert 'type="checkbox"' in closeups(server, session)["forms"]["echoendoscope/"]


def test_there_is_nothing_up_close_without_a_report(server: Server) -> None:
    bare = server.services.sessions.create("col", 16_000, "microphone").id
    assert server.client.get(f"/sessions/{bare}/closeups").status_code == 404


def test_an_edit_answers_with_every_panel_and_a_refusal_with_a_sentence(server: Server, session: str) -> None:
    answer = change(server, session, "edits", kind="set", target="bbps_right", value="3")
    assert answer.status_code == 200
    panels = answer.json()["panels"]
    assert panels.keys() == {"record", "checks", "unfiled", "checklist", "review", "exports"}
    assert 'data-status="edited"' in panels["record"]
    assert "to check" in panels["checks"]
    refused = change(server, session, "edits", kind="set", target="bbps_right", value="9")
    assert refused.status_code == 422
    assert refused.json()["problem"] == "9 is outside 0 to 3."
    assert 'data-status="edited"' not in change(server, session, "undo").json()["panels"]["record"]


def test_two_windows_never_overwrite_each_other_unseen(server: Server, session: str) -> None:
    seen = server.reviews.review(session).revision
    change(server, session, "edits", kind="set", target="bbps_right", value="3")
    body = {"revision": seen, "kind": "set", "target": "bbps_left", "value": "1"}
    late = server.client.post(f"/sessions/{session}/edits", json=body)
    assert late.status_code == 409
    assert "another window" in late.json()["problem"]
    assert 'data-status="edited"' in late.json()["panels"]["record"]


@pytest.mark.parametrize("is_signed", [False, True])
@pytest.mark.parametrize(
    "step",
    [
        {"kind": "set", "target": "bbps_right", "value": "3"},
        {"kind": "confirm", "target": "bbps_total"},
        {"kind": "not_done", "target": "bbps_left"},
        {"kind": "add_row", "target": "polyps"},
        {"kind": "remove_row", "target": "polyps", "row": 0},
    ],
    ids=lambda step: step["kind"],
)
def test_an_edit_that_is_sent_again_because_its_answer_was_lost_is_made_once(
    server: Server, session: str, step: dict[str, object], is_signed: bool
) -> None:
    if is_signed:
        change(server, session, "signature", name="Dr. Example")
    body = {"revision": server.reviews.review(session).revision, **step}
    first, again = (server.client.post(f"/sessions/{session}/edits", json=body) for _ in range(2))
    assert (first.status_code, again.status_code) == (200, 200)
    assert again.json() == first.json()
    assert len(server.reviews.review(session).latest.edits) == 1
    noted = [entry.action for entry in server.services.sessions.audit.entries() if entry.session_id == session]
    assert noted.count("edited") == 1


def test_an_edit_that_is_sent_again_is_refused_when_somebody_has_gone_on(server: Server, session: str) -> None:
    body = {"revision": server.reviews.review(session).revision, "kind": "set", "target": "bbps_right", "value": "3"}

    def sent(**other: str) -> int:
        return int(server.client.post(f"/sessions/{session}/edits", json={**body, **other}).status_code)

    assert sent() == 200
    assert [sent(value="1"), sent(value="9"), sent(target="bbps_left"), sent(kind="not_done")] == [409] * 4
    change(server, session, "edits", kind="not_done", target="bbps_left")
    assert sent() == 409
    change(server, session, "undo")
    assert sent() == 200
    change(server, session, "signature", name="Dr. Example")
    assert sent() == 409


def test_other_sites_may_not_change_or_delete(server: Server, session: str) -> None:
    elsewhere = {"Origin": "https://elsewhere.example"}
    body = {"revision": server.reviews.review(session).revision, "kind": "not_stated", "target": "bbps_left"}
    assert server.client.post(f"/sessions/{session}/edits", json=body, headers=elsewhere).status_code == 403
    assert server.client.delete(f"/sessions/{session}", headers=elsewhere).status_code == 403


def test_every_output_says_draft_until_it_is_signed(server: Server, session: str) -> None:
    standing = {form: (text_of(form, file(server, session, form))) for form in TEXTS}
    assert {form for form, text in standing.items() if "DRAFT" not in text and "draft" not in text} == set()
    signed = change(server, session, "signature", name="Dr. Example")
    assert "Signed by <strong>Dr. Example</strong>" in signed.json()["panels"]["review"]
    for form in TEXTS:
        text = text_of(form, file(server, session, form))
        assert "DRAFT" not in text, form
        assert '"draft"' not in text, form
    assert "Dr. Example" in text_of("docx", file(server, session, "docx"))
    change(server, session, "edits", kind="set", target="bbps_total", value="8")
    assert "DRAFT" in text_of("md", file(server, session, "md"))
    assert "Dr. Example" in text_of("md", file(server, session, "md", "?version=1"))


TEXTS = ("md", "docx", "pdf", "json", "csv", "xlsx", "fhir")


def text_of(form: str, content: bytes) -> str:
    """What a person or program reads in a file."""
    if form == "docx":
        with zipfile.ZipFile(BytesIO(content)) as file:
            return file.read("word/document.xml").decode()
    if form == "xlsx":
        book = openpyxl.load_workbook(BytesIO(content))
        return " ".join(str(cell.value) for sheet in book for row in sheet for cell in row)
    if form == "pdf":
        return " ".join(part.decode("latin-1") for part in re.findall(rb"/(?:Title|Author) \(([^)]*)\)", content))
    return content.decode()


def test_a_row_that_nobody_filled_stays_on_the_page_and_out_of_every_file(server: Server, session: str) -> None:
    def files() -> dict[str, str]:
        return {form: text_of(form, file(server, session, form)) for form in TEXTS if form != "json"}

    before = files()
    panels = change(server, session, "edits", kind="add_row", target="polyps").json()["panels"]
    assert 'data-field="polyps.segment" data-row="1"' in panels["record"]
    assert "polyps." not in panels["checklist"]
    assert files() == before
    change(server, session, "signature", name="Dr. Example")
    assert "\n2. " not in files()["md"]
    report = json.loads(file(server, session, "json"))
    assert len(report["tables"]["polyps"]) == 2  # as it was signed


def test_the_hash_covers_every_value_that_was_signed(server: Server, session: str) -> None:
    change(server, session, "edits", kind="set", target="bbps_right", value="3")
    change(server, session, "edits", kind="not_done", target="asa_class")
    change(server, session, "edits", kind="set", target="polyps.size_mm", row=0, value="9")
    change(server, session, "signature", name="Dr. Example")
    signed = json.loads(file(server, session, "json"))
    told = signed["signature"]["sha256"]
    record = {name: part for name, part in signed.items() if name not in ("status", "version", "signature")}
    signer = {name: signed["signature"][name] for name in ("name", "at")}
    assert sha256_of({"record": record, **signer}) == told
    for place in (*record["fields"].values(), *record["tables"]["polyps"][0].values()):
        for name in ("value", "status", "as_dictated"):
            was, place[name] = place[name], "something else"
            assert sha256_of({"record": record, **signer}) != told
            place[name] = was


@pytest.mark.parametrize(
    "tampering",
    [
        {"name": "Dr. Another"},
        {"at": datetime(2026, 1, 2, tzinfo=UTC)},
        {"record": Record("col", "1", "offline", {}, {})},
    ],
)
def test_a_signed_report_that_was_changed_on_disk_is_a_draft_again(
    server: Server, session: str, tampering: dict[str, Any]
) -> None:
    change(server, session, "signature", name="Dr. Example")
    review = server.reviews.review(session)
    assert review.latest.signature
    forged = replace(review.latest, signature=replace(review.latest.signature, **tampering))
    server.services.sessions.save_review(session, replace(review, versions=(forged,)), 0)
    panels = server.client.get(f"/sessions/{session}/report").json()["panels"]
    assert "does not match" in panels["review"]
    for form in TEXTS:
        assert "Signed by Dr." not in text_of(form, file(server, session, form))
    assert json.loads(file(server, session, "json"))["status"] == "draft"


def as_signed(value: object) -> object:
    """Without `support` where it is null, and without `unfiled` where it is empty."""
    if isinstance(value, list):
        return [as_signed(each) for each in value]
    if not isinstance(value, dict):
        return value
    absent: dict[str, object] = {"support": None, "unfiled": []}
    return {name: as_signed(part) for name, part in value.items() if absent.get(name, ...) != part}


def sha256_of(record: object) -> str:
    """As the documentation of the digest says it."""
    text = json.dumps(as_signed(record), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def test_a_signer_whose_name_is_markup_is_only_a_name(server: Server, session: str) -> None:
    name = "<img src=x onerror=alert(1)>[a](javascript:alert(1))=1+1"
    panels = change(server, session, "signature", name=name).json()["panels"]
    note = file(server, session, "md").decode()
    listed = server.client.post("/sessions/list", json={}).text
    for text in (*panels.values(), note, listed):
        assert "<img" not in text
    assert "[a](javascript" not in note
    for form in TEXTS:
        assert file(server, session, form)


def test_the_workbook_and_the_csv_hold_the_edited_values(server: Server, session: str) -> None:
    change(server, session, "edits", kind="set", target="polyps.size_mm", row=0, value="9")
    lines = csv.DictReader(StringIO(file(server, session, "csv").decode()))
    assert [line["value"] for line in lines if line["field"] == "polyps.size_mm"] == ["9"]
    polyps = openpyxl.load_workbook(BytesIO(file(server, session, "xlsx")))["Polyps"]
    assert 9 in [cell.value for cell in polyps[3]]


def test_versions_can_be_compared(server: Server, session: str) -> None:
    change(server, session, "signature", name="Dr. Example")
    change(server, session, "edits", kind="set", target="bbps_right", value="3")
    table = server.client.get(f"/sessions/{session}/comparison", params={"left": 1, "right": 2}).text
    assert "<td>2</td><td>3</td>" in table
    assert server.client.get(f"/sessions/{session}/comparison", params={"left": 1, "right": 7}).status_code == 404


def test_a_new_reading_waits_beside_edits(server: Server, session: str) -> None:
    change(server, session, "edits", kind="set", target="bbps_right", value="3")
    report(server.services, server.reviews, session, "egd")
    panels = server.client.get(f"/sessions/{session}/report").json()["panels"]
    assert "A new reading of this dictation differs" in panels["review"]
    assert 'data-procedure="col"' in panels["record"]
    assert "A new reading waits." in panels["checks"]
    assert server.services.sessions.get(session).procedure == "col"  # as the report that is shown
    taken = change(server, session, "reading", choice="drop_edits").json()["panels"]
    assert 'data-procedure="egd"' in taken["record"]
    assert "A new reading waits." not in taken["checks"]
    assert server.services.sessions.get(session).procedure == "egd"
    assert "Versions: 2" in taken["review"]


def test_sessions_are_listed_searched_and_really_deleted(server: Server, session: str) -> None:
    def listed(search: str = "") -> str:
        return server.client.post("/sessions/list", json={"search": search}).text

    assert session in listed()
    assert session in listed("colonoscopy sigmoid")
    assert session not in listed("pancreas")
    change(server, session, "signature", name="Dr. Example")
    assert "signed by Dr. Example" in listed("signed")
    assert server.client.get(f"/sessions/{session}").json()["state"] == "done"
    assert server.client.delete(f"/sessions/{session}").status_code == 204
    assert session not in listed()
    assert not [path for path in server.services.settings.data_dir.rglob("*") if session in str(path)]
    for path in (f"/sessions/{session}", f"/audio/{session}", f"/download/{session}/json"):
        assert server.client.get(path).status_code == 404
    with pytest.raises(StorageError):
        server.services.sessions.transcript(session)


@pytest.mark.parametrize("zone", ["Asia/Kolkata", "", "Mars/Base", "../x", "__init__/x", "\0"])
def test_sessions_are_listed_wherever_somebody_says_that_they_are(server: Server, session: str, zone: str) -> None:
    asked = {"search": "colonoscopy :", "zone": zone}
    assert session in server.client.post("/sessions/list", json=asked).text


def test_a_record_from_before_there_were_reviews_opens(server: Server, session: str) -> None:
    with server.services.sessions.database.writing() as connection:
        connection.execute(delete(documents).where(documents.c.session_id == session, documents.c.kind == "review"))
    assert server.client.get(f"/sessions/{session}/report").status_code == 200
    assert change(server, session, "edits", kind="set", target="bbps_right", value="3").status_code == 200
    assert json.loads(file(server, session, "json"))["fields"]["bbps_right"]["status"] == "edited"
