"""Table, checks, checklist, note, Word, CSV and FHIR of one record, and of a hostile one."""

import csv
import json
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from html import unescape
from html.parser import HTMLParser
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any

import docx
import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter
from reportlab import platypus

from endoscribe.errors import SchemaError
from endoscribe.extraction.claims import Claim
from endoscribe.extraction.record import Cell, Evidence, Record, UnfiledSentence
from endoscribe.extraction.verification.grounding import verify
from endoscribe.outputs.document import note_docx, note_pdf
from endoscribe.outputs.fhir import fhir_bundle
from endoscribe.outputs.letter import MOST_TABLE_COLUMNS
from endoscribe.outputs.note import neutral, render_note
from endoscribe.outputs.outline import DRAFT, UNFILED_TITLE, printable, standing_line
from endoscribe.outputs.sources import source_text
from endoscribe.outputs.tabular import COLUMNS, record_csv, record_xlsx
from endoscribe.procedures.library import load_schema
from endoscribe.procedures.schema import Code, ProcedureSchema, Reference
from endoscribe.review.signature import Signature, digest
from endoscribe.settings import SHIPPED_SCHEMA_DIR
from endoscribe.transcript import Segment, Transcript, Word
from endoscribe.web.page.report import NOT_REVIEWED, render_checklist, render_checks, render_record, render_unfiled
from tests.support.paths import DATA

COL = load_schema(SHIPPED_SCHEMA_DIR / "col.yaml")
MINI = load_schema(DATA / "schemas" / "mini.yaml")
TEXT = (
    "On the 16th of September 2024 Boston was three on the right, three in the transverse and two on the left. "
    "Reached the caecum. In the sigmoid a four millimeter polyp, cold snare. Another in the rectum, "
    "twelve millimeters, biopsy forceps. No diverticulosis."
)
CLAIMS = (
    Claim("procedure_date", "2024-09-16", "16th of September 2024"),
    Claim("bbps_right", "3", "three on the right"),
    Claim("bbps_transverse", "3", "three in the transverse"),
    Claim("bbps_left", "2", "two on the left"),
    Claim("extent_reached", "cecum", "Reached the caecum"),
    Claim("diverticulosis", "true", "diverticulosis"),
    Claim("prep_adequate", "true", "the preparation was good"),
    Claim("patient_age", "old", "Boston"),
    Claim("polyps.segment", "sigmoid", "In the sigmoid", 0),
    Claim("polyps.size_mm", "4", "four millimeter polyp", 0),
    Claim("polyps.segment", "rectum", "in the rectum", 1),
    Claim("polyps.size_mm", "12", "twelve millimeters", 1),
    Claim("polyps.method", "cold_forceps", "biopsy forceps", 1),
)


def heard() -> Transcript:
    words = tuple(Word(text, i * 0.5, i * 0.5 + 0.4) for i, text in enumerate(TEXT.split(" ")))
    return Transcript.from_segments((Segment(words),), 60.0)


RECORD = verify(CLAIMS, heard(), MINI, "offline")
MADE = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
SIGNATURE = Signature("Dr. Example", MADE, digest(RECORD), RECORD)

#: Texts that would do harm if they were taken for more than text.
ATTACKS = (
    '<script>alert(1)</script>"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "=HYPERLINK(\"http://x\")",
    "@SUM(A1)",
    "-2+3",
    "[click](javascript:alert(1)) ![x](y) **bold** `code`\n# heading\n<b>",
    "{{ 7 * 7 }}{% raw %}",
    "\x00\x0b\ud800\uffff",
    "&lt;b&gt;",
)  # fmt: skip


class _Page(HTMLParser):
    """All elements with their attributes, and the text; fails on tags that are not closed."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, Mapping[str, str]]] = []
        self.text = ""
        self.open: list[str] = []
        self.feed(html)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data

    def cell(self, field: str, row: str = "") -> Mapping[str, str]:
        (found,) = [a for _, a in self.elements if a.get("data-field") == field and a.get("data-row") == row]
        return found


def hostile(attack: str) -> tuple[Record, ProcedureSchema]:
    """A record and a schema in which every text that somebody else writes is the attack."""
    fields = {name: field.model_copy(update={"label": attack}) for name, field in MINI.fields.items()}
    polyps = MINI.tables["polyps"]
    columns = {name: column.model_copy(update={"label": attack}) for name, column in polyps.columns.items()}
    table = polyps.model_copy(update={"label": attack, "row": attack, "columns": columns})
    schema = MINI.model_copy(
        update={
            "title": attack, "fields": fields, "tables": {"polyps": table},
            "sections": dict.fromkeys(MINI.sections, attack),
        }
    )  # fmt: skip
    cell = Cell(attack, attack, attack, Evidence(attack, 0, 5, 0.0, 1.0), "fuzzy", "ok", attack)
    broken = Cell(None, attack, attack, None, "absent", "invalid", attack)
    checks = tuple(replace(verdict, message=attack, source=attack) for verdict in RECORD.checks)
    record = replace(
        RECORD,
        fields={"history": cell, "patient_age": broken},
        tables={"polyps": ({"segment": broken},)},
        checks=checks,
        unfiled=(UnfiledSentence(attack, 0, 5, 0.0, 1.0),),
    )
    return record, schema


def test_a_record_survives_being_stored() -> None:
    stored = TypeAdapter(Record)
    assert stored.validate_json(stored.dump_json(RECORD)) == RECORD


# -- the table -------------------------------------------------------------------------------------------------------


def test_every_field_has_one_cell_with_its_evidence() -> None:
    page = _Page(render_record(RECORD, MINI))
    for name in MINI.fields:
        assert page.cell(name)["data-status"] == (RECORD.fields[name].status if name in RECORD.fields else "empty")
    cell = page.cell("bbps_right")
    evidence = RECORD.fields["bbps_right"].evidence
    assert evidence is not None
    assert (cell["data-start"], cell["data-end"]) == (str(evidence.start), str(evidence.end))
    assert (cell["data-start-s"], cell["data-end-s"]) == (f"{evidence.start_s:.2f}", f"{evidence.end_s:.2f}")
    assert page.cell("polyps.size_mm", "1")["data-status"] == "ok"
    assert page.cell("history")["data-start"] == ""


def test_sections_stand_in_the_order_of_a_reader_and_say_draft() -> None:
    page = _Page(render_record(RECORD, MINI))
    order = sorted(MINI.sections, key=["findings", "quality", "patient"].index)
    positions = [page.text.index(MINI.sections[section]) for section in order]
    assert positions == sorted(positions)
    assert page.text.startswith(NOT_REVIEWED)


def test_the_table_can_be_read_without_sight_and_without_colour() -> None:
    html = render_record(RECORD, MINI)
    page = _Page(html)
    buttons = [attributes for tag, attributes in page.elements if tag == "button"]
    assert all(button["type"] == "button" and button["aria-label"] for button in buttons)
    assert "Right colon: 3. Said: three on the right · 0:04" in [button["aria-label"] for button in buttons]
    assert {attributes["scope"] for tag, attributes in page.elements if tag == "th"} == {"row", "col"}
    assert "not confirmed by the recording: The words deny it" in page.text
    assert "not valid: 'old' is not one number" in page.text
    assert html.count("<table") == html.count("<caption")
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))


def test_a_value_that_rests_on_nothing_heard_is_no_button() -> None:
    html = render_record(RECORD, MINI)
    cell = html[html.index('data-field="prep_adequate"') :]
    cell = cell[: cell.index("</td>")]
    assert "<button" not in cell
    assert "es-value" in cell


def test_a_computed_value_is_named_as_such() -> None:
    page = _Page(render_record(RECORD, MINI))
    assert page.cell("bbps_sum")["data-status"] == "computed"
    assert "Boston score8 computed" in page.text


def test_the_reader_is_named_as_in_a_sentence() -> None:
    assert standing_line(RECORD).endswith(" Read by the offline reader.")
    assert " Read by the offline reader. " in standing_line(RECORD, SIGNATURE)
    assert standing_line(replace(RECORD, extractor="a-model")).endswith(" Read by a-model.")
    composition, *_ = resources(RECORD, MINI)
    assert composition["author"] == [{"display": "EndoScribe, read by the offline reader"}]


def test_an_empty_record_shows_only_gaps() -> None:
    empty = verify([], Transcript(""), MINI, "offline")
    page = _Page(render_record(empty, MINI))
    assert {attributes["data-status"] for _, attributes in page.elements if "data-status" in attributes} == {"empty"}
    assert "es-grid" not in render_record(empty, MINI)


def test_checks_are_listed_by_severity_with_the_doubtful_cells_after_them() -> None:
    """A model is told of every field, so that its silence about the withdrawal time counts."""
    page = _Page(render_checks(verify(CLAIMS, heard(), MINI, "claude"), MINI))
    classes = [attributes["class"] for tag, attributes in page.elements if tag == "li"]
    doubts = ["es-check es-doubt es-error", *["es-check es-doubt es-warning"] * 2]
    assert classes == [*doubts, "es-check es-warning", "es-check es-info"]
    assert "4 to check" in page.text
    assert "polyp 2: 12 mm removed with cold forceps." in page.text
    assert "NED (UK)" in page.text
    assert "No rule was triggered. Check against your words." in render_checks(
        replace(RECORD, checks=(), fields={}, tables={}), MINI
    )


def test_a_rules_source_is_named_by_its_title_and_its_tag_is_on_hover() -> None:
    references = {
        "V:ONE": Reference(title="First guideline", verified=True),
        "K:TWO": Reference(title="Second <guideline>", verified=False),
    }
    schema = MINI.model_copy(update={"references": references})
    assert source_text("[V:ONE][K:TWO]", schema) == "First guideline; Second <guideline> (not verified)"
    assert source_text("pairs of [V:ONE]", schema) == "pairs of; First guideline"
    assert source_text("V:OTHER", schema) == "V:OTHER"  # nothing is made up
    assert source_text("ours", schema) == "rule of this schema"
    checks = tuple(replace(verdict, source="[V:ONE][K:TWO]") for verdict in RECORD.checks)
    html = render_checks(replace(RECORD, checks=checks), schema)
    assert "[V:ONE]" not in _Page(html).text
    assert "First guideline; Second &lt;guideline&gt; (not verified)" in html
    assert 'title="[V:ONE][K:TWO]"' in html


def test_the_checklist_names_what_is_missing_in_words() -> None:
    page = _Page(render_checklist(RECORD, MINI))
    gaps = [attributes["data-gap"] for tag, attributes in page.elements if tag == "li"]
    assert tuple(gaps) == RECORD.gaps
    assert "Withdrawal time" in page.text
    assert "Polyps: Retrieved" in page.text
    assert "Everything required" in render_checklist(replace(RECORD, gaps=()), MINI)


def parts(record: Record, schema: ProcedureSchema) -> str:
    return "".join(
        (
            render_record(record, schema, editable=True),
            render_checks(record, schema, record, editable=True),
            render_checklist(record, schema),
        )
    )


@pytest.mark.parametrize("attack", ATTACKS)
def test_hostile_texts_stay_text_in_html(attack: str) -> None:
    record, schema = hostile(attack)
    clean = {tag for tag, _ in _Page(parts(RECORD, MINI)).elements}
    page = _Page(parts(record, schema))
    assert {tag for tag, _ in page.elements} <= clean
    assert not any(name.startswith("on") for _, attributes in page.elements for name in attributes)


def test_what_can_be_edited_has_a_button_everywhere() -> None:
    page = _Page(render_record(RECORD, MINI, editable=True))
    classes = [attributes.get("class") for tag, attributes in page.elements if tag == "button"]
    cells = [a for tag, a in page.elements if tag == "td" and a.get("data-status") not in (None, "computed")]
    assert classes.count("es-play") + classes.count("es-fill") == len(cells)
    assert classes.count("es-remove-row") == len(RECORD.tables["polyps"])
    assert classes.count("es-add-row") == len(MINI.tables)


# -- the note --------------------------------------------------------------------------------------------------------


def test_the_note_follows_the_schemas_template() -> None:
    note = render_note(RECORD, MINI)
    assert note.startswith(f"**{standing_line(RECORD)}**\n\n# Mini colonoscopy\n## Patient\n")
    assert "Right colon: 3. " in note
    assert "Boston score: 8 (computed).\n" in note
    assert "\n1. Polyp: Segment sigmoid; Size 4 mm.\n" in note
    assert "Diverticulosis: yes (not confirmed by the recording: The words deny it)" in note
    assert "Withdrawal: not stated." in note
    assert "Polyp of 12 mm." in note
    assert "History" not in note


@pytest.mark.parametrize("attack", ATTACKS)
def test_hostile_texts_stay_text_in_markdown(attack: str) -> None:
    record, schema = hostile(attack)
    note = render_note(record, schema)
    assert "<" not in note
    assert not re.search(r"(?<!\\)\]\(", note)
    assert "49" not in note
    assert "\n# heading" not in note


@given(st.text(max_size=60))
def test_neutral_text_holds_no_active_sign(text: str) -> None:
    plain = neutral(text)
    assert "\n" not in plain
    assert "<" not in plain
    unescaped = plain.replace("\\\\", "")
    for sign in "*_`[]#|~":
        assert unescaped.count(sign) == unescaped.count(f"\\{sign}")


@pytest.mark.parametrize(
    ("template", "problem"),
    [
        ("{{ bbps_rihgt }}", "did you mean 'bbps_right'"),
        ("{% for x %}", "cannot be parsed"),
        ("{{ open }}", "no 'open'"),
    ],
)
def test_a_template_that_cannot_work_is_refused_when_the_schema_is_read(
    tmp_path: Path, template: str, problem: str
) -> None:
    text = (DATA / "schemas" / "mini.yaml").read_text(encoding="utf-8")
    broken = tmp_path / "broken.yaml"
    broken.write_text(text.replace("# {{ title }}", template), encoding="utf-8")
    with pytest.raises(SchemaError, match=problem):
        load_schema(broken)


@pytest.mark.parametrize("template", ["{{ title.__class__.__mro__ }}", "{{ rows.__globals__ }}", "{{ 1 / title }}"])
def test_a_template_that_reaches_further_fails_as_the_schemas_error(template: str) -> None:
    schema = MINI.model_copy(update={"note": template})
    try:
        note = render_note(replace(RECORD, unfiled=()), schema)
    except SchemaError:
        return
    assert note == f"**{standing_line(RECORD)}**\n\n\n"


def word_text(data: bytes) -> str:
    document = docx.Document(BytesIO(data))
    cells = [cell.text for table in document.tables for row in table.rows for cell in row.cells]
    return "\n".join([*(paragraph.text for paragraph in document.paragraphs), *cells])


def test_the_pdf_says_draft_until_it_is_signed() -> None:
    draft, signed = note_pdf(RECORD, MINI), note_pdf(RECORD, MINI, SIGNATURE)
    assert draft.startswith(b"%PDF-")
    assert draft == note_pdf(RECORD, MINI)
    assert len(draft) != len(signed)


@pytest.mark.parametrize("attack", ATTACKS)
def test_the_pdf_holds_hostile_texts(attack: str) -> None:
    record, schema = hostile(attack)
    assert note_pdf(record, schema).startswith(b"%PDF-")


def sheets(data: bytes) -> dict[str, list[list[object]]]:
    book = openpyxl.load_workbook(BytesIO(data))
    return {sheet.title: [[cell.value for cell in row] for row in sheet] for sheet in book}


def test_the_workbook_has_a_sheet_a_table() -> None:
    book = sheets(record_xlsx(RECORD, MINI))
    assert list(book) == ["Report", "Polyps", UNFILED_TITLE, "Checks"]
    assert {str(rows[0][0]) for rows in book.values()} == {standing_line(RECORD)}
    by_field = {row[1]: row for row in book["Report"][2:]}
    assert by_field["Right colon"][2] == 3
    assert len(book["Polyps"]) == 2 + len(RECORD.tables["polyps"])
    stated = {MINI.tables["polyps"].columns[name].label for row in RECORD.tables["polyps"] for name in row}
    heads = {str(head) for head in book["Polyps"][1]} - {"#", "Said", "Remarks"}
    assert {head.split(" (")[0] for head in heads} == stated | {"Segment", "Size"}  # none that is empty and optional
    assert "NICE" not in stated
    assert sheets(record_xlsx(RECORD, MINI, SIGNATURE))["Report"][0][0] == standing_line(RECORD, SIGNATURE)


@pytest.mark.parametrize("attack", ["=1+1", "+cmd|' /C calc'!A0", "@SUM(A1)", "-2+3", "\x07bell"])
def test_a_workbook_computes_nothing_that_was_said(attack: str) -> None:
    record, schema = hostile(attack)
    for sheet in openpyxl.load_workbook(BytesIO(record_xlsx(record, schema))):
        assert {cell.data_type for row in sheet for cell in row} <= {"s", "inlineStr", "n", "b"}


def test_the_word_document_holds_the_report() -> None:
    text = word_text(note_docx(RECORD, MINI))
    assert DRAFT in text
    assert "Right colon: 3" in text
    assert "12 mm" in text
    assert "warning: polyp 2" in text
    assert "History" not in text


@pytest.mark.parametrize("attack", ATTACKS)
def test_the_word_document_holds_hostile_texts_as_text(attack: str) -> None:
    record, schema = hostile(attack)
    assert DRAFT in word_text(note_docx(record, schema))


# -- CSV -------------------------------------------------------------------------------------------------------------


def lines(record: Record, schema: ProcedureSchema) -> list[dict[str, str]]:
    return list(csv.DictReader(StringIO(record_csv(record, schema), newline="")))


def test_every_cell_is_a_line() -> None:
    found = {(line["field"], line["row"]): line for line in lines(RECORD, MINI)}
    assert set(found) >= {(name, "") for name in MINI.fields}
    assert found["bbps_right", ""]["value"] == "3"
    assert found["bbps_right", ""]["as_dictated"] == "three on the right,"[:-1]
    assert found["history", ""]["status"] == "not_stated"
    assert found["diverticulosis", ""]["value"] == "true"
    assert found["polyps.size_mm", "1"]["value"] == "12"
    assert found["bbps_sum", ""]["status"] == "computed"
    assert {line["report"] for line in found.values()} == {"draft"}
    assert record_csv(RECORD, MINI).splitlines()[0] == ",".join(COLUMNS)


@pytest.mark.parametrize("attack", ATTACKS)
def test_no_line_holds_a_formula(attack: str) -> None:
    record, schema = hostile(attack)
    for line in lines(record, schema):
        assert not any(value.startswith(("=", "+", "-", "@", "\t", "\r", "\n")) for value in line.values())
    (history,) = [line for line in lines(record, schema) if line["field"] == "history"]
    assert history["value"] in (attack, f"'{attack}")
    (said,) = [line for line in lines(record, schema) if line["status"] == "unfiled"]
    assert said["as_dictated"] in (attack, f"'{attack}")


# -- FHIR ------------------------------------------------------------------------------------------------------------


def resources(record: Record, schema: ProcedureSchema) -> list[dict[str, Any]]:
    return [entry["resource"] for entry in fhir_bundle(record, schema, made=MADE)["entry"]]


def observation(record: Record, name: str, schema: ProcedureSchema = MINI) -> dict[str, Any]:
    (found,) = [r for r in resources(record, schema) if r.get("identifier", [{}])[0].get("value") == f"mini.{name}"]
    return found


def test_the_bundle_is_a_preliminary_report_of_the_stated_values() -> None:
    composition, report, procedure, *observations = resources(RECORD, MINI)
    assert (composition["resourceType"], composition["status"]) == ("Composition", "preliminary")
    assert composition["title"].startswith("DRAFT")
    referred = [entry["reference"] for section in composition["section"] for entry in section.get("entry", ())]
    assert sorted(referred) == sorted(result["reference"] for result in report["result"])
    assert (report["resourceType"], report["status"], report["conclusion"]) == (
        "DiagnosticReport",
        "preliminary",
        DRAFT,
    )
    assert procedure["resourceType"] == "Procedure"
    assert procedure["performedDateTime"] == "2024-09-16"
    assert {found["status"] for found in observations} == {"preliminary"}
    assert len(report["result"]) == len(observations) == len(RECORD.fields) + 2
    bundle = fhir_bundle(RECORD, MINI, made=MADE)
    assert json.loads(json.dumps(bundle)) == fhir_bundle(RECORD, MINI, made=MADE)
    assert bundle["type"] == "document"


def test_a_signed_bundle_is_final_and_names_who_attests_it() -> None:
    parts = [entry["resource"] for entry in fhir_bundle(RECORD, MINI, SIGNATURE)["entry"]]
    composition, report, procedure, *observations = parts
    assert {each["status"] for each in (composition, report, *observations)} == {"final"}
    assert composition["attester"][0]["party"]["display"] == "Dr. Example"
    assert digest(RECORD) in report["conclusion"]
    assert "DRAFT" not in json.dumps(parts)
    assert procedure["note"][0]["text"].startswith("Signed by Dr. Example")


def test_values_have_the_type_and_the_evidence_of_their_field() -> None:
    score = observation(RECORD, "bbps_right")
    assert score["valueQuantity"] == {"value": 3, "system": "http://unitsofmeasure.org", "code": "{score}"}
    assert score["note"] == [{"text": "Right colon: “three on the right” at 0:04"}]
    assert observation(RECORD, "extent_reached")["valueCodeableConcept"] == {"text": "Caecum"}
    assert observation(RECORD, "procedure_date")["valueDateTime"] == "2024-09-16"
    polyp = observation(RECORD, "polyps.1")
    assert [part["code"]["text"] for part in polyp["component"]] == ["Segment", "Size", "Method"]
    assert polyp["component"][1]["valueQuantity"]["unit"] == "mm"


def test_what_the_recording_does_not_support_is_exported_as_absent() -> None:
    doubtful = observation(RECORD, "diverticulosis")
    assert "valueBoolean" not in doubtful
    assert doubtful["dataAbsentReason"]["text"] == "not confirmed by the recording: The words deny it"
    assert "valueQuantity" not in observation(RECORD, "patient_age")


def test_codes_stand_only_where_the_schema_has_them() -> None:
    assert "coding" not in json.dumps([r.get("code") for r in resources(RECORD, MINI)])
    code = Code(system="snomed", code="73761001", display="Colonoscopy", source="test")
    coded = MINI.model_copy(update={"codes": (code,)})
    _, report, procedure, *_ = resources(RECORD, coded)
    assert procedure["code"]["coding"] == [
        {"system": "http://snomed.info/sct", "code": "73761001", "display": "Colonoscopy"}
    ]
    assert "coding" not in report["code"]


def test_two_records_never_share_an_identity() -> None:
    other = replace(RECORD, fields={"bbps_right": RECORD.fields["bbps_right"]})
    assert not {r["id"] for r in resources(RECORD, MINI)} & {r["id"] for r in resources(other, MINI)}


@pytest.mark.parametrize("attack", ATTACKS)
def test_the_bundle_holds_hostile_texts_as_text(attack: str) -> None:
    record, schema = hostile(attack)
    value = observation(record, "history", schema)["valueString"]
    assert value.startswith(printable(attack))


def test_two_tables_whose_rows_have_one_name_have_buttons_that_differ() -> None:
    table = render_record(Record("col", COL.version, "offline", {}, {}), COL, editable=True)
    buttons = re.findall(r'class="es-add-row" data-table="\w+">([^<]+)<', table)
    assert "Add segment (Segments)" in buttons
    assert len(set(buttons)) == len(buttons)


@pytest.mark.parametrize("columns", [3, 20])
def test_a_word_document_stands_upright_however_wide_its_table(columns: int) -> None:
    names = list(COL.tables["polyps"].columns)[:columns]
    row = {name: Cell("x", None, "x", None, "absent", "edited") for name in names}
    record = Record("col", COL.version, "offline", {}, {"polyps": (row,)})
    document = docx.Document(BytesIO(note_docx(record, COL)))
    page = document.sections[0]
    assert page.page_width is not None
    assert page.page_height is not None
    assert page.page_width < page.page_height
    assert len(document.tables[-1].columns) == min(columns, MOST_TABLE_COLUMNS) + 1


def test_the_wide_signs_of_a_formula_are_signs() -> None:
    (line,) = [line for line in lines(*hostile("＝1+1")) if line["value"].endswith("＝1+1")][:1]  # noqa: RUF001
    assert line["value"].startswith("'")


#: The elements that are used, as FHIR R4 4.0.1 has them.
R4 = {
    "Bundle": {"identifier", "type", "timestamp", "entry"},
    "Composition": {"status", "type", "subject", "date", "author", "attester", "title", "section"},
    "DiagnosticReport": {"status", "code", "subject", "effectiveDateTime", "result", "conclusion", "presentedForm"},
    "Procedure": {"status", "code", "subject", "performedDateTime", "note"},
    "Observation": {
        "identifier", "partOf", "status", "code", "subject", "effectiveDateTime", "dataAbsentReason", "note",
        "component", "valueBoolean", "valueQuantity", "valueCodeableConcept", "valueTime", "valueDateTime",
        "valueString",
    },
}  # fmt: skip
R4_COMPONENT = {name for name in R4["Observation"] if name.startswith("value")} | {"code", "dataAbsentReason"}


@pytest.mark.parametrize("signature", [None, SIGNATURE])
def test_fhir_uses_only_elements_that_r4_has(signature: Signature | None) -> None:
    bundle = fhir_bundle(RECORD, MINI, signature, MADE)
    parts = [bundle, *(entry["resource"] for entry in bundle["entry"])]
    assert {part["resourceType"] for part in parts} == R4.keys()
    for part in parts:
        assert part.keys() - {"resourceType", "id"} <= R4[part["resourceType"]]
        for component in part.get("component", ()):
            assert component.keys() <= R4_COMPONENT


# -- what else was said ----------------------------------------------------------------------------------------------

STENT = "The pancreatic stent < 5 Fr was left & stays."
SAID = replace(RECORD, unfiled=(UnfiledSentence(STENT, 4, 12, 83.4, 86.0), UnfiledSentence("=1+1 clips", 20, 30)))
SAID_SIGNED = replace(SIGNATURE, sha256=digest(SAID), record=SAID)
STANDINGS = pytest.mark.parametrize("signature", [None, SAID_SIGNED], ids=["draft", "signed"])


@STANDINGS
def test_the_note_ends_with_what_stands_in_no_cell(signature: Signature | None) -> None:
    note = render_note(SAID, MINI, signature)
    assert note.endswith(
        f"\n\n## {UNFILED_TITLE}\n- “The pancreatic stent &lt; 5 Fr was left &amp; stays.”\n- “=1+1 clips”\n"
    )
    assert UNFILED_TITLE not in render_note(replace(SAID, unfiled=()), MINI, signature)


@STANDINGS
def test_the_word_document_holds_what_stands_in_no_cell(signature: Signature | None) -> None:
    text = word_text(note_docx(SAID, MINI, signature))
    assert text.count(UNFILED_TITLE) == 1
    assert f"“{STENT}”" in text
    assert UNFILED_TITLE not in word_text(note_docx(replace(SAID, unfiled=()), MINI, signature))


@STANDINGS
def test_the_pdf_holds_what_stands_in_no_cell(signature: Signature | None, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[str] = []

    class Noticed(platypus.Paragraph):  # type: ignore[misc]
        def __init__(self, text: str, *rest: object) -> None:
            written.append(unescape(text))
            super().__init__(text, *rest)

    monkeypatch.setattr(platypus, "Paragraph", Noticed)
    assert note_pdf(SAID, MINI, signature).startswith(b"%PDF-")
    assert written.count(UNFILED_TITLE) == 1
    assert f"• “{STENT}”" in written
    written.clear()
    note_pdf(replace(SAID, unfiled=()), MINI, signature)
    assert written
    assert UNFILED_TITLE not in written


@STANDINGS
def test_the_tables_hold_what_stands_in_no_cell(signature: Signature | None) -> None:
    said = [line for line in csv.DictReader(StringIO(record_csv(SAID, MINI, signature))) if line["status"] == "unfiled"]
    assert [(line["field"], line["row"], line["label"]) for line in said] == [
        ("unfiled", "0", UNFILED_TITLE),
        ("unfiled", "1", UNFILED_TITLE),
    ]
    assert [(line["as_dictated"], line["start_s"], line["end_s"], line["value"]) for line in said] == [
        (STENT, "83.4", "86", ""),
        ("'=1+1 clips", "", "", ""),
    ]
    assert sheets(record_xlsx(SAID, MINI, signature))[UNFILED_TITLE][1:] == [
        ["Said", "From (s)", "To (s)"],
        [STENT, 83.4, 86],
        ["=1+1 clips", None, None],
    ]
    assert UNFILED_TITLE not in sheets(record_xlsx(replace(SAID, unfiled=()), MINI, signature))


@STANDINGS
def test_the_bundle_tells_what_stands_in_no_cell(signature: Signature | None) -> None:
    composition = fhir_bundle(SAID, MINI, signature, made=MADE)["entry"][0]["resource"]
    section = composition["section"][-1]
    assert section["title"] == UNFILED_TITLE
    div = section["text"]["div"]
    assert "<p>“The pancreatic stent &lt; 5 Fr was left &amp; stays.” at 1:23</p><p>“=1+1 clips”</p>" in div
    silent = fhir_bundle(replace(SAID, unfiled=()), MINI, signature, made=MADE)["entry"][0]["resource"]
    assert UNFILED_TITLE not in json.dumps(silent)


def test_the_page_lists_what_stands_in_no_cell_with_its_place() -> None:
    page = _Page(render_unfiled(replace(RECORD, unfiled=(UnfiledSentence(ATTACKS[0], 4, 12, 83.4, 86.0),))))
    assert UNFILED_TITLE in page.text
    assert ATTACKS[0] in page.text
    assert {tag for tag, _ in page.elements} == {"section", "h3", "ul", "li", "button", "span"}
    (button,) = [attributes for tag, attributes in page.elements if tag == "button"]
    assert {name: value for name, value in button.items() if name.startswith("data-")} == {
        "data-start": "4", "data-end": "12", "data-start-s": "83.40", "data-end-s": "86.00"
    }  # fmt: skip
    assert "1:23" in page.text


def test_that_nothing_was_left_out_is_said_only_by_a_reading_that_looked() -> None:
    assert "Everything that was said stands in the report." in render_unfiled(replace(RECORD, unfiled=()))
    assert render_unfiled(Record("col", COL.version, "offline", {}, {})) == ""
    of_old = {name: replace(cell, support=None) for name, cell in RECORD.fields.items()}
    assert render_unfiled(replace(RECORD, fields=of_old, tables={}, unfiled=())) == ""
