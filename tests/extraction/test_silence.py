"""Checks that rest on silence are judged only where the reader can hear, and where no words were left over."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from endoscribe.extraction.extractor import read_transcript
from endoscribe.extraction.offline.reader import OfflineExtractor
from endoscribe.extraction.record import Cell, Record, UnfiledSentence
from endoscribe.extraction.silence import CUE_READER, unheard
from endoscribe.extraction.verification.grounding import recompute_checks
from endoscribe.procedures.library import SchemaLibrary
from endoscribe.review.edits import Edit, apply_edit
from endoscribe.settings import SHIPPED_SCHEMA_DIR
from endoscribe.transcript import Transcript

LIBRARY = SchemaLibrary(SHIPPED_SCHEMA_DIR)
MODEL = "a-model"

NO_THERAPY = "EGD-45"
NO_DRUG = "CORE-21"
NO_WITHDRAWAL_TIME = "COL-14"


def read(procedure: str, text: str) -> Record:
    return read_transcript(OfflineExtractor(), Transcript(text), LIBRARY.get(procedure))


def fired(record: Record) -> set[str]:
    return {verdict.id for verdict in record.checks}


def cell(value: str) -> Cell:
    return Cell(value, None, value, None, "exact", "ok")


def record(procedure: str, reader: str, *unfiled: str, **fields: str) -> Record:
    sentences = tuple(UnfiledSentence(text, 0, len(text)) for text in unfiled)
    schema = LIBRARY.get(procedure)
    made = Record(schema.id, schema.version, reader, {name: cell(value) for name, value in fields.items()}, {})
    return recompute_checks(replace(made, unfiled=sentences), schema)


@pytest.mark.parametrize(
    ("procedure", "text", "check"),
    [
        ("egd", "An ulcer in the bulb, Forrest IIa. Six bands were placed.", NO_THERAPY),
        ("egd", "There is a duodenal ulcer, Forrest class 1b. I put four bands on.", NO_THERAPY),
        ("egd", "The ulcer is Forrest 2a. It was injected with epinephrine and a clip was placed.", NO_THERAPY),
        ("col", "Moderate sedation with midazolam 4 mg.", NO_DRUG),
        ("col", "Moderate sedation. Fentanyl 100 micrograms and Versed 3 were given.", NO_DRUG),
        ("egd", "Moderate sedation was used, demerol fifty.", NO_DRUG),
    ],
)
def test_nothing_is_called_unsaid_that_the_offline_reader_cannot_hear(procedure: str, text: str, check: str) -> None:
    assert check not in fired(read(procedure, text))


@pytest.mark.parametrize(
    ("procedure", "fields", "check", "spoken"),
    [
        ("egd", {"forrest": "IIa"}, NO_THERAPY, "six bands were placed"),
        ("egd", {"forrest": "Ib"}, NO_THERAPY, "a hemoclip went on nicely"),
        ("egd", {"forrest": "Ia"}, NO_THERAPY, "argon plasma at forty watts"),
        ("col", {"sedation_level": "moderate"}, NO_DRUG, "midazolam 4 mg"),
        ("col", {"sedation_level": "moderate"}, NO_DRUG, "fentanyl a hundred"),
        ("col", {"sedation_level": "deep"}, NO_DRUG, "propofol by the anesthetist"),
        ("col", {"extent_reached": "cecum"}, NO_WITHDRAWAL_TIME, "withdrawal took quite some time"),
    ],
)
def test_a_sentence_in_no_cell_that_names_it_breaks_the_silence(
    procedure: str, fields: dict[str, str], check: str, spoken: str
) -> None:
    assert check in fired(record(procedure, MODEL, **fields)), "a model is told of every field"
    assert check in fired(record(procedure, MODEL, "the weather is fine", **fields))
    assert check not in fired(record(procedure, MODEL, spoken, **fields))


def test_a_check_on_what_the_offline_reader_hears_is_judged() -> None:
    assert NO_WITHDRAWAL_TIME in fired(record("col", CUE_READER, extent_reached="cecum"))
    assert NO_DRUG in fired(record("col", CUE_READER, sedation_level="moderate"))


def test_it_holds_after_an_edit_and_a_person_may_say_that_it_was_not_done() -> None:
    schema = LIBRARY.get("egd")
    at = datetime(2024, 1, 1, tzinfo=UTC)
    read_as = record("egd", MODEL, "retroflexion I forgot", hill_grade="2")
    assert "EGD-31" not in fired(read_as)
    again = recompute_checks(apply_edit(Edit("set", "hill_grade", at, value="3"), read_as, schema), schema)
    assert "EGD-31" not in fired(again)
    left_out = recompute_checks(apply_edit(Edit("not_done", "retroflexion_stomach", at), again, schema), schema)
    assert "EGD-31" in fired(left_out)


def test_what_a_reader_by_cues_hears_stands_in_the_schema() -> None:
    for schema in LIBRARY:
        targets = {*(name for name, _ in schema.targets()), *schema.tables}
        assert schema.audible < targets, "some fields have no cues yet"
        assert all(schema.target_index[name].cues for name in schema.audible & schema.fields.keys())
        assert all(schema.tables[name].cues for name in schema.audible & schema.tables.keys())
    col = LIBRARY.get("col")
    assert {"withdrawal_time_min", "polyps", "polyps.size_mm", "polyps.count"} <= col.audible
    assert {"sedation_drugs", "sedation_drugs.drug", "sedation_drugs.dose_unit"} <= col.audible
    assert not {"specimens", "specimens.jar"} & col.audible


def test_a_value_whose_words_do_not_bear_it_out_was_still_spoken_of() -> None:
    made = record("col", MODEL, extent_reached="cecum")
    doubtful = replace(made, fields={**made.fields, "withdrawal_time_min": replace(cell("9"), status="unsupported")})
    assert NO_WITHDRAWAL_TIME not in fired(recompute_checks(doubtful, LIBRARY.get("col")))
    assert "withdrawal_time_min" in unheard(doubtful, LIBRARY.get("col"))


COMPLETE = " The scope was advanced to the cecum. The prep was adequate. There were no polyps."


@pytest.mark.parametrize(
    ("said", "advice"),
    [
        ("Indication is screening.", "10 years"),
        ("Average risk screening.", "10 years"),
        ("Screening, no family history of colon cancer.", "10 years"),
        ("Screening, her mother had colon cancer at fifty.", "not given, since “mother” is mentioned"),
        ("Indication is screening. He carries a Lynch mutation.", "not given, since “Lynch” is mentioned"),
        ("Screening. He had a right hemicolectomy.", "not given, since “hemicolectomy” is mentioned"),
        ("Screening. Some colitis as a child.", "not given, since “colitis” is mentioned"),
        ("Rectal bleeding.", "not given, since average risk is not stated"),
    ],
)
def test_advice_is_held_against_the_whole_transcript(said: str, advice: str) -> None:
    found = [verdict for verdict in read("col", said + COMPLETE).checks if verdict.id == "surveillance"]
    assert len(found) == 1
    assert advice in found[0].message
    assert ("not given" in found[0].message) is ("not given" in advice)
