"""The language in which a schema words a note, and the spelling of what the program writes."""

import pytest

from endoscribe.errors import SchemaError
from endoscribe.procedures.library import load_schema
from endoscribe.procedures.notes.spelling import Spelling, spelled
from endoscribe.procedures.notes.wording import LONGEST_WORDING, MOST_PLACES, compile_wording, places
from endoscribe.procedures.schema import ProcedureSchema
from endoscribe.settings import SHIPPED_SCHEMA_DIR
from tests.support.paths import DATA

MINI = DATA / "schemas" / "mini.yaml"


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("no place at all", "names at least one field"),
        ("{size mm}", "neither a place nor a condition"),
        ("{size", "'{' too many"),
        ("[{size}", "not closed"),
        ("{size}]", "']' too many"),
        ("[[[[[{size}]]]]]", "within brackets"),
        ("{size}" * (MOST_PLACES + 1), "at most"),
        ("{size}" + "x" * LONGEST_WORDING, "at most"),
    ],
)
def test_what_cannot_be_read_is_told(source: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        compile_wording(source)


def test_every_place_is_named_in_its_order() -> None:
    found = places(compile_wording("{a} [{size:number} mm |]{method=none,esd}left[ {site}|{wall!=x}]|{count:a}"))
    assert [place.name for place in found] == ["size", "method", "site", "wall", "count"]


def with_narrative(tmp_path: object, say: str) -> ProcedureSchema:
    from pathlib import Path

    path = Path(str(tmp_path)) / "told.yaml"
    part = f"narrative:\n  told:\n    title: Told\n    sections: [findings]\n    say:\n{say}"
    path.write_text(MINI.read_text(encoding="utf-8") + part, encoding="utf-8")
    return load_schema(path)


@pytest.mark.parametrize(
    ("say", "problem"),
    [
        ('      - "{bbps_rihgt}"', r"line \d+.*did you mean 'bbps_right'"),
        ("      - bbps_rihgt", "did you mean 'bbps_right'"),
        ('      - "{polyps}"', "a table has no value"),
        ('      - "{polyps=none}"', "no value of polyps 'none'"),
        ('      - "{diverticulosis=maybe}"', "no value of diverticulosis"),
        ('      - "{extent_reached=cecm}"', "did you mean 'cecum'"),
        ('      - {table: polips, rows: ["{size_mm}"]}', "did you mean 'polyps'"),
        ('      - {table: polyps, rows: ["{size}"]}', "did you mean 'size_mm'"),
        ("      - {table: polyps}", "a `table` with its `rows`"),
        ('      - "{extent_reached"', "too many"),
    ],
)
def test_a_narrative_that_names_what_is_not_there_is_refused(tmp_path: object, say: str, problem: str) -> None:
    with pytest.raises(SchemaError, match=problem):
        with_narrative(tmp_path, say)


@pytest.mark.parametrize(
    ("text", "spelling", "wanted"),
    [
        ("No esophageal tumor", "uk", "No oesophageal tumour"),
        ("Haemorrhoids; OESOPHAGUS", "us", "Hemorrhoids; ESOPHAGUS"),
        ("gastroesophageal junction", "uk", "gastro-oesophageal junction"),
        ("gastroesophageal junction", "us", "gastroesophageal junction"),
        ("angioedema, tracheoesophageal", "us", "angioedema, tracheoesophageal"),
        ("oedema in the caecum", "uk", "oedema in the caecum"),
        ("Dr. Gray of the Center", "uk", "Dr. Gray of the Center"),
    ],
)
def test_clinical_words_have_one_spelling(text: str, spelling: Spelling, wanted: str) -> None:
    assert spelled(text, spelling) == wanted


@pytest.mark.parametrize(("jurisdiction", "spelling"), [("us", "us"), ("uk", "uk"), ("eu", "uk")])
def test_a_jurisdiction_has_its_spelling(jurisdiction: str, spelling: Spelling) -> None:
    schema = load_schema(SHIPPED_SCHEMA_DIR / "col.yaml", (), jurisdiction)  # type: ignore[arg-type]
    assert schema.spelling == spelling
