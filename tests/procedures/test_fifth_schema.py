"""A procedure that no code knows of, written from docs/SCHEMAS.md: it works from live text to every export."""

import base64
import csv
import io
import re
import zipfile
from pathlib import Path

import pytest

from endoscribe.cli.main import main
from endoscribe.extraction.extractor import read_transcript
from endoscribe.extraction.offline.reader import OfflineExtractor
from endoscribe.extraction.record import Record
from endoscribe.extraction.verification.grounding import verify
from endoscribe.outputs.document import note_docx
from endoscribe.outputs.fhir import fhir_bundle
from endoscribe.outputs.note import render_note
from endoscribe.outputs.outline import fitted
from endoscribe.outputs.tabular import record_csv
from endoscribe.procedures.library import SchemaLibrary, load_schema
from endoscribe.procedures.normalize import read_words
from endoscribe.procedures.schema import ProcedureSchema
from endoscribe.research.evaluation import evaluate
from endoscribe.settings import SHIPPED_SCHEMA_DIR
from endoscribe.speech.terms.vocabulary import prompt_terms
from endoscribe.transcript import Transcript
from endoscribe.web.page.report import render_checklist, render_checks, render_record
from tests.support.paths import DATA, ROOT
from tests.support.played_claude import PlayedServer, answer
from tests.support.scripted import ScriptedScheduler, Server

FIFTH = DATA / "fifth"
DOCS = ROOT / "docs" / "SCHEMAS.md"
LIBRARY = SchemaLibrary(SHIPPED_SCHEMA_DIR, FIFTH, jurisdiction="us")
SCHEMA = LIBRARY.get("bronchoscopy")
HEARD = Transcript((FIFTH / "lavage.txt").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def record() -> Record:
    return read_transcript(OfflineExtractor(), HEARD, SCHEMA)


def test_it_stands_beside_the_others() -> None:
    assert [schema.id for schema in LIBRARY] == ["col", "eus", "ercp", "egd", "bronchoscopy"]


def test_recognition_expects_its_words_and_puts_them_right() -> None:
    assert "bronchoalveolar lavage" in prompt_terms(SCHEMA, 400)
    said = SCHEMA.spoken_repairs.apply(read_words("the karina and the lingual law"))
    assert [word.text for word in said] == ["the", "carina", "and", "the", "lingula"]


def test_the_offline_reader_finds_what_was_said() -> None:
    evaluation = evaluate(FIFTH, OfflineExtractor(), LIBRARY)
    assert evaluation.dictations == 1
    assert evaluation.overall_f1 == 1


def test_claude_is_asked_by_its_guide_and_its_answer_is_verified() -> None:
    cells = [
        {"field": "lavage_in_ml", "row": 0, "value": "120", "quote": "120 mL of saline"},
        {"field": "lesions.site", "row": 0, "value": "right_upper_lobe", "quote": "In the right upper lobe"},
        {"field": "lesions.size_mm", "row": 0, "value": "12", "quote": "a mass of 12 millimeters"},
        {"field": "lesions.size_mm", "row": 1, "value": "60", "quote": "another lesion in the lingual law, 6 mm"},
    ]
    server = PlayedServer(answer(cells), answer(cells))
    found = verify(server.extractor().read(HEARD, SCHEMA).claims, HEARD, SCHEMA, "claude")
    asked = str(server.requests[0]["system"])
    assert "lesions.obstruction_pct (number 0 to 100 in %)" in asked
    assert "In the lingula a mass of eight millimeters" in asked  # its worked example
    assert found.fields["lavage_in_ml"].value == 120
    assert [row["size_mm"].status for row in found.tables["lesions"]] == ["ok", "unsupported"]  # 60 was not said


def test_its_checks_advice_and_gaps(record: Record) -> None:
    told = {verdict.id: verdict.message for verdict in record.checks}
    assert told == {
        "BRO-02": "A return of 25 % is below 30 %.",
        "BRO-03": "lesion 2: 6 mm and not biopsied.",
        "next_look": "Next bronchoscopy: 2 to 4 weeks (a lesion that closes half the lumen or more).",
    }
    assert record.derived["lavage_return_pct"] == 25
    assert "impression" in record.gaps
    assert not {"lavage_in_ml", "route", "cords_normal"} & set(record.gaps)
    british = load_schema(FIFTH / "bronchoscopy.yaml", [SHIPPED_SCHEMA_DIR], "uk")
    fired = read_transcript(OfflineExtractor(), HEARD, british).checks
    assert "BRO-02" not in {verdict.id for verdict in fired}


def test_its_table_note_and_exports(record: Record) -> None:
    html = render_record(record, SCHEMA) + render_checks(record, SCHEMA) + render_checklist(record, SCHEMA)
    assert 'data-field="lesions.size_mm" data-row="1"' in html
    assert "A return of 25 % is below 30 %." in html
    note = render_note(record, SCHEMA)
    assert "Lavage, instilled: 120 mL." in note
    assert "Lesion of 6 mm." in note
    with zipfile.ZipFile(io.BytesIO(note_docx(record, SCHEMA))) as document:
        assert "right upper lobe" in document.read("word/document.xml").decode()
    rows = list(csv.DictReader(io.StringIO(record_csv(record, SCHEMA))))
    assert {row["value"] for row in rows if row["field"] == "lesions.site"} == {"right_upper_lobe", "lingula"}
    bundle = fhir_bundle(record, SCHEMA)
    _, report, *others = [entry["resource"] for entry in bundle["entry"]]
    assert "Lesion of 12 mm." in base64.b64decode(report["presentedForm"][0]["data"]).decode()
    assert "bronchoscopy.lesions.1" in {part["identifier"][0]["value"] for part in others if "identifier" in part}


def test_a_report_made_with_an_earlier_version_is_still_shown(record: Record) -> None:
    fields = {name: field for name, field in SCHEMA.fields.items() if name not in ("secretions", "lavage_back_ml")}
    route = SCHEMA.fields["route"].model_copy(update={"values": {"nasal": SCHEMA.fields["route"].values["nasal"]}})
    lesions = SCHEMA.tables["lesions"]
    columns = {name: column for name, column in lesions.columns.items() if name != "size_mm"}
    tables = {**SCHEMA.tables, "lesions": lesions.model_copy(update={"columns": columns})}
    kept = SCHEMA.model_dump(exclude={"derived", "checks"})
    changed = {"fields": {**fields, "route": route}, "tables": tables, "note": "{{ body('findings') }}"}
    later = ProcedureSchema.model_validate({**kept, **changed})
    old = fitted(record, later)
    assert "right upper lobe" in render_record(old, later) + render_checks(old, later) + render_checklist(old, later)
    assert "right upper lobe" in render_note(old, later)
    assert "right_upper_lobe" in record_csv(old, later)
    assert fhir_bundle(old, later)
    assert note_docx(old, later)


def test_the_app_serves_it(tmp_path: Path) -> None:
    with Server(tmp_path, ScriptedScheduler(), ENDOSCRIBE_SCHEMA_DIR=str(FIFTH)) as server:
        assert "bronchoscopy" in server.client.get("/health").json()["supported_procedures"]
        made = server.services.report(HEARD, server.services.schemas.get("bronchoscopy"))
        assert made.record.fields["lavage_back_ml"].value == 30


def test_the_command_line_reads_with_it(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("ENDOSCRIBE_SCHEMA_DIR", str(FIFTH))
    arguments = ["extract", str(FIFTH / "lavage.txt"), "--procedure", "bronchoscopy", "--extractor", "offline"]
    assert main(arguments) == 0
    assert "Lavage return: 25 %" in capsys.readouterr().out


def test_what_the_guide_shows_works(tmp_path: Path) -> None:
    whole, *_, changed = re.findall(r"```yaml\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)
    (tmp_path / "cystoscopy.yaml").write_text(whole, encoding="utf-8")
    (tmp_path / "col.yaml").write_text(changed, encoding="utf-8")
    library = SchemaLibrary(SHIPPED_SCHEMA_DIR, tmp_path, jurisdiction="us")
    assert library.get("col").limits["withdrawal_least_min"] == 8
    assert library.get("col").fields["rectal_exam_done"].level == "M"
    found = cystoscopy(library.get("cystoscopy"))
    assert found.fields["residual_urine_ml"].value == 150
    assert [row["size_mm"].value for row in found.tables["tumors"]] == [12, 8]
    assert {verdict.id for verdict in found.checks} == {"CYS-01"}


def cystoscopy(schema: ProcedureSchema) -> Record:
    said = (
        "Residual urine was 150 milliliters. No stones. There are two papillary lesions on the left wall of 12 "
        "millimeters, resected. And a tumor at the dome, 5 by 8 mm."
    )
    text = Transcript(said)
    return read_transcript(OfflineExtractor(), text, schema)
