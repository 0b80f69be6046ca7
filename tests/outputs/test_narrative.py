"""The note as prose: what was stated is told, once, in words, and nothing else is."""

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from endoscribe.extraction.record import Record, UnfiledSentence
from endoscribe.outputs.narrative import narrative, note_parts
from endoscribe.outputs.note import render_note
from endoscribe.procedures.library import load_schema
from endoscribe.procedures.names import SAID_AS_WRITTEN
from endoscribe.procedures.schema import FieldSchema, ProcedureSchema
from endoscribe.review.signature import Signature, digest
from tests.support.paths import DATA
from tests.support.reports import BRITISH, PROCEDURES, SCHEMAS, doubtful_record, made_cell, made_record

MINI = load_schema(DATA / "schemas" / "mini.yaml")
SPOKEN = "words as spoken"
#: What no sentence holds: doubled stops, blanks before them, "A ulcer", braces, Python's words.
UNWRITTEN = re.compile(r"[.,;:]\.|\s[.,;:]|\bA [aeio]\w|[{}\[\]|]|\bNone\b|\bTrue\b|\bFalse\b")


def values(field: FieldSchema) -> tuple[object, ...]:
    """Every value of an enum, both of a boolean, and one or two of any other field."""
    if field.type in ("enum", "multi"):
        return tuple((value,) if field.type == "multi" else value for value in field.values)
    numbers = {"integer": (1, 3), "number": (7.5,)}
    others = {"boolean": (True, False), "date": ("2024-09-16",), "time": ("08:15",), "text": (SPOKEN,)}
    return (numbers | others)[field.type]


def told(record: Record, schema: ProcedureSchema | None = None) -> str:
    parts = narrative(record, schema or SCHEMAS[record.procedure]).parts
    return " ".join(paragraph.text for part in parts for paragraph in part.paragraphs)


# -- sentences -------------------------------------------------------------------------------------------------------


def test_a_polyp_is_told_as_a_clinician_writes_it() -> None:
    row: dict[str, object] = {
        "segment": "cecum", "size_mm": 4.0, "paris": "0-Is", "method": "cold_snare", "retrieved": True,
    }  # fmt: skip
    assert told(made_record("col", polyps=[row])) == (
        "A 4 mm sessile polyp (Paris 0-Is) in the cecum was removed by cold snare and retrieved."
    )
    several = told(
        made_record("col", polyps=[{**row, "count": 3, "size_mm": 8.0}, {"size_mm": 11.0, "method": "none"}])
    )
    assert several.startswith("Three 8 mm sessile polyps (Paris 0-Is) in the cecum were removed by cold snare")
    assert several.endswith("An 11 mm polyp was not removed.")


def test_parts_stand_as_endoscopists_write_them() -> None:
    for schema in SCHEMAS.values():
        titles = [part.title for part in note_parts(schema).values()]
        order = ["Indication", "Sedation and medication", "Extent and quality", "Complications", "Impression", "Plan"]
        assert [title for title in titles if title in order] == order
        assert titles.index("Extent and quality") + 1 < titles.index("Complications")


@pytest.mark.parametrize(
    ("procedure", "fields", "wanted"),
    [
        ("egd", {"stomach_normal": False}, "The stomach was abnormal."),
        ("egd", {"hiatal_hernia": True, "hiatal_hernia_cm": 8.0}, "An 8 cm hiatal hernia was seen."),
        ("egd", {"barretts": True, "prague_c_cm": 2.0, "prague_m_cm": 4.0}, "Barrett's esophagus, Prague C2M4 cm."),
        ("egd", {"varices": False}, "No esophageal varices."),
        ("col", {"follow_up_interval_months": 60}, "Follow-up in 5 years."),
        ("col", {"follow_up_interval_months": 6}, "Follow-up in 6 months."),
        ("col", {"procedure_date": "2024-09-16"}, "Date of procedure: September 16, 2024."),
        ("col", {"polyp_count": 0}, "No polyps were found."),
        ("col", {"bbps_right": 2, "bbps_transverse": 3, "bbps_left": 2, "bbps_total": 7},
         "Boston Bowel Preparation Scale 7 (right 2, transverse 3, left 2)."),
        ("ercp", {"stricture_found": False}, "No stricture."),
        ("ercp", {"cannulation_bile": "deep", "cannulation_methods": ("wire_guided", "needle_knife_precut")},
         "The bile duct was cannulated deeply by wire guidance and needle-knife precut."),
        ("eus", {"mpd_head_mm": 3.2, "mpd_body_mm": 2.0, "mpd_tail_mm": 1.5},
         "The main pancreatic duct measured 3.2 mm in the head, 2 mm in the body and 1.5 mm in the tail."),
        ("eus", {"fna_performed": True, "sampling_technique": "fnb", "needle_gauge": "22", "needle_passes": 3},
         "Fine-needle biopsy was performed with a 22-gauge needle in 3 passes."),
    ],
)  # fmt: skip
def test_fields_are_told_in_sentences(procedure: str, fields: dict[str, object], wanted: str) -> None:
    assert told(made_record(procedure, fields)) == wanted


def test_what_rows_tell_is_not_told_again() -> None:
    record = made_record("ercp", {"stones_found": True}, stones=[{"duct": "cbd", "count": 2}])
    assert told(record) == "Two stones were found in the common bile duct."
    assert told(made_record("ercp", {"stones_found": True})) == "Stones were found."


def test_one_spelling_for_each_jurisdiction() -> None:
    record = made_record(
        "egd", {"esophagus_normal": True, "haemostasis": "achieved", "indications": ("melaena", "anaemia")}
    )
    assert told(record) == "Melena and anemia. The esophagus was normal. Hemostasis was achieved."
    british = told(record, BRITISH["egd"])
    assert british == "Melaena and anaemia. The oesophagus was normal. Haemostasis was achieved."
    assert "16 September 2024" in told(made_record("egd", {"procedure_date": "2024-09-16"}), BRITISH["egd"])


def test_a_schema_without_sentences_is_told_by_its_labels() -> None:
    stated = {"patient_age": 61, "prep_adequate": False, "diverticulosis": False, "history": "asthma"}
    fields = {name: made_cell(value, MINI.fields[name]) for name, value in stated.items()}
    text = told(replace(made_record("col"), procedure="mini", fields=fields), MINI)
    assert text == "Age: 61 years. History: asthma. Preparation not adequate. No diverticulosis."


# -- nothing is lost, nothing is raw ----------------------------------------------------------------------------------


def single(schema: ProcedureSchema) -> Iterator[tuple[str, object, Record]]:
    """Every value of every field and column, alone."""
    for name, field in schema.fields.items():
        for value in values(field):
            yield name, value, made_record(schema.id, {name: value})
    for name, table in schema.tables.items():
        for column, field in table.columns.items():
            for value in values(field):
                yield f"{name}.{column}", value, made_record(schema.id, None, **{name: [{column: value}]})


@pytest.mark.parametrize("name", PROCEDURES)
def test_every_value_is_told_and_in_words(name: str) -> None:
    schema = SCHEMAS[name]
    for target, value, record in single(schema):
        text = told(record)
        assert text, (target, value)
        assert "_" not in text, (target, text)
        assert not re.search(r"\.\.|\s[.,;:]|:\.|\bA [aeio]\w|[{}\[\]|]|\bNone\b|\bTrue\b|\bFalse\b", text), (
            target,
            text,
        )
        assert text[0] == text[0].upper()
        assert text.endswith("."), (target, text)
        field = schema.target_index[target]
        if field.type in ("text", "number") and value not in (True, False):
            assert (SPOKEN if field.type == "text" else "7.5").casefold() in text.casefold(), (target, text)


@pytest.mark.parametrize("name", PROCEDURES)
def test_every_allowed_value_has_a_name_in_words(name: str) -> None:
    for target, field in SCHEMAS[name].targets():
        for value, term in field.values.items():
            named = bool(term.label) or value in field.words
            assert (
                named
                or SAID_AS_WRITTEN.fullmatch(value)
                or value in ("mg", "mL", "mcg", "i-scan")
                or re.fullmatch(r"[a-z]{2,}(?:_[a-z]{3,})*|i[0-9][ab]?|N?G-\w+|[0-9]-I\w+(?:\+\w+)?", value)
            ), (target, value)
    raw = {"fnb", "fna", "d2", "barretts", "gej", "ehl", "mpd", "cbd", "apc", "otsc", "esd", "ssl", "sma", "rfa"}
    labels = {field.value_words(value) for _, field in SCHEMAS[name].targets() for value in field.values}
    assert not raw & labels


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_whatever_is_stated_together_is_told(data: st.DataObject) -> None:
    """Texts and numbers of any combination of fields stand in the prose."""
    schema = SCHEMAS[data.draw(st.sampled_from(PROCEDURES))]
    names = data.draw(st.lists(st.sampled_from(sorted(schema.fields)), max_size=14, unique=True))
    stated = {name: data.draw(st.sampled_from(values(schema.fields[name]))) for name in names}
    text = told(made_record(schema.id, stated)).casefold()
    numbers = sum(schema.fields[name].type == "number" for name in names)
    assert text.count("7.5") >= numbers
    assert text.count(SPOKEN) >= sum(schema.fields[name].type == "text" for name in names)


@pytest.mark.parametrize("name", PROCEDURES)
@pytest.mark.parametrize("pick", [0, -1])
def test_a_full_row_is_told_whole(name: str, pick: int) -> None:
    schema = SCHEMAS[name]
    for table in schema.tables.values():
        row = {column: values(field)[pick] for column, field in table.columns.items()}
        text = told(made_record(name, None, **{table.id: [row]}))
        texts = sum(field.type == "text" for field in table.columns.values())
        assert text.casefold().count(SPOKEN) == texts, (table.id, text)
        assert not UNWRITTEN.search(text), (table.id, text)
        assert len(text) < 4000


# -- doubts, and what is in no cell -----------------------------------------------------------------------------------


def test_what_is_doubtful_is_no_sentence() -> None:
    record = doubtful_record()
    assert told(record) == "A tattoo was placed."
    note = render_note(record, SCHEMAS["col"])
    assert "- Hemorrhoids: yes (not confirmed by the recording: The words deny it)" in note
    assert "- Age: old (not valid: 'old' is not one number)" in note
    assert "- Polyp 1, Size: 40 mm (not confirmed by the recording)" in note
    assert "- Tattoo placed: yes (edited: read as no)" in note


def test_a_signed_note_names_what_is_not_confirmed_and_no_more() -> None:
    record = doubtful_record()
    signature = Signature("Dr. Example", datetime(2026, 1, 2, tzinfo=UTC), digest(record), record)
    note = render_note(record, SCHEMAS["col"], signature)
    assert "- Hemorrhoids: yes (not confirmed by the recording)" in note
    assert "The words deny it" not in note
    assert "edited" not in note


@pytest.mark.parametrize(
    ("procedure", "said", "title"),
    [
        ("col", "Small piles.", "Findings"),
        ("col", "Repeat colonoscopy per guidelines.", "Plan"),
        ("egd", "Six bands were placed on the varices.", "Esophagus"),
        ("egd", "Moderate gastritis in the antrum.", "Stomach and duodenum"),
        ("ercp", "No stent was placed.", "Interventions"),
        ("eus", "Hypoechoic mass with septa.", "Lesions"),
    ],
)
def test_what_is_in_no_cell_follows_under_its_section(procedure: str, said: str, title: str) -> None:
    record = replace(made_record(procedure), unfiled=(UnfiledSentence(said, 0, len(said)),))
    (part,) = narrative(record, SCHEMAS[procedure]).parts
    assert (part.title, part.also_said) == (title, f"Also said: “{said}”")
    assert f"Also said: “{said}”" in render_note(record, SCHEMAS[procedure])


def test_what_tells_no_section_stands_at_the_end() -> None:
    said = UnfiledSentence("Zebra.", 0, 6)
    record = replace(made_record("col"), unfiled=(said,))
    assert narrative(record, SCHEMAS["col"]).unplaced == (said,)
    assert render_note(record, SCHEMAS["col"]).endswith("## Said, but not in the report\n- “Zebra.”\n")


@pytest.mark.parametrize("begins", ["- 1", "+ 1", "1. x", "12) x", "= x", "# x"])
def test_a_paragraph_that_begins_like_a_list_is_text(begins: str) -> None:
    note = render_note(made_record("col", {"impression": begins}), SCHEMAS["col"])
    (line,) = [line for line in note.splitlines() if "x" in line.lower() or "1" in line]
    assert re.match(r"\\|\d+\\", line)


def test_a_template_without_end_is_stopped() -> None:
    endless = SCHEMAS["col"].model_copy(
        update={"note": "{% for a in range(9999) %}{% for b in range(9999) %}xxxxxxxxxxxxxxxx{% endfor %}{% endfor %}"}
    )
    from endoscribe.errors import SchemaError

    with pytest.raises(SchemaError, match="ValueError"):
        render_note(made_record("col"), endless)
