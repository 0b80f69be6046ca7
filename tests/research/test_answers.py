"""The measure of verification: answers of others, and wrong claims made out of them."""

import json
from pathlib import Path

import pytest

from endoscribe.errors import ExtractionError
from endoscribe.extraction.claims import Claim
from endoscribe.procedures.library import SchemaLibrary
from endoscribe.research.answers import evaluate_answers, verify_lines
from endoscribe.research.wrong_claims import wrong_claims
from endoscribe.settings import SHIPPED_SCHEMA_DIR
from tests.support.paths import ROOT

SCHEMAS = SchemaLibrary(SHIPPED_SCHEMA_DIR)
TEXT = "The cecum was reached. Internal hemorrhoids are seen. A 6 mm polyp in the sigmoid colon, cold snare."
CELLS = [
    {"field": "extent_reached", "row": 0, "value": "cecum", "quote": "The cecum was reached"},
    {"field": "hemorrhoids", "row": 0, "value": "true", "quote": "Internal hemorrhoids are seen"},
    {"field": "polyps.size_mm", "row": 0, "value": "6", "quote": "6 mm polyp"},
    {"field": "polyps.method", "row": 0, "value": "cold_snare", "quote": "cold snare"},
]
SETS = ROOT.parent / "shared" / "eval"


def answered(folder: Path, cells: list[dict[str, object]]) -> Path:
    """A folder with one labelled dictation and an answer to it."""
    (folder / "col").mkdir()
    labels = {
        "id": "one", "procedure": "col", "skip": [], "columns": {"polyps": ["size_mm"]},
        "fields": {"extent_reached": "cecum", "hemorrhoids": True, "diverticulosis": None},
        "tables": {"polyps": [{"size_mm": 6}]},
    }  # fmt: skip
    (folder / "col" / "one.txt").write_text(TEXT)
    (folder / "col" / "one.json").write_text(json.dumps(labels))
    (folder / "col" / "one.answer.json").write_text(json.dumps({"cells": cells}))
    return folder


def test_right_values_make_no_alarm_and_wrong_ones_are_caught(tmp_path: Path) -> None:
    shown = evaluate_answers(answered(tmp_path, list(CELLS)), SCHEMAS).to_json()
    assert shown["overall_f1"] == 1.0
    assert shown["alarms"]["right"] == {"of": 3, "count": 0, "rate": 0.0}
    assert shown["alarms"]["unlabelled"]["of"] == 1
    assert shown["caught"]["number"]["rate"] == shown["caught"]["yes_no"]["rate"] == 1.0
    assert shown["caught"]["invented_quote"] == {"of": 4, "count": 4, "rate": 1.0}
    assert shown["corrections"] == {"of": 1, "count": 0, "rate": 0.0}


def test_a_wrong_value_of_a_field_that_matters_would_be_asked_for_again(tmp_path: Path) -> None:
    wrong = [{**CELLS[0], "value": "transverse"}, *CELLS[1:]]
    shown = evaluate_answers(answered(tmp_path, wrong), SCHEMAS).to_json()
    assert shown["alarms"]["wrong"] == {"of": 1, "count": 1, "rate": 1.0}
    assert shown["corrections"]["count"] == 1


def test_a_folder_without_answers_is_said(tmp_path: Path) -> None:
    with pytest.raises(ExtractionError, match="no answers"):
        evaluate_answers(tmp_path, SCHEMAS)


def test_wrong_claims_are_the_same_for_the_same_seed() -> None:
    claims = [Claim("polyps.size_mm", "6", "6 mm polyp", 0), Claim("hemorrhoids", "true", "Internal hemorrhoids")]
    schema = SCHEMAS.get("col")
    made = list(wrong_claims(claims, TEXT, schema, "seed"))
    assert made == list(wrong_claims(claims, TEXT, schema, "seed"))
    assert {wrong.kind for wrong in made} >= {"number", "yes_no", "foreign_quote", "history", "denial", "instruction"}


def test_lines_of_claims_become_records_in_order() -> None:
    lines = [json.dumps({"text": TEXT, "procedure": "col", "cells": [cell]}) for cell in CELLS[:2]]
    first, second = verify_lines(lines, SCHEMAS)
    assert first.to_json()["fields"]["extent_reached"]["support"] == "confirmed"
    assert second.fields["hemorrhoids"].value is True


def test_a_list_of_quotes_gives_each_value_its_own() -> None:
    text = "Indication is dysphagia. She also has weight loss."
    cell = {"field": "indications", "value": "dysphagia; weight_loss", "quote": ["dysphagia", "weight loss"]}
    (record,) = verify_lines([json.dumps({"text": text, "procedure": "egd", "cells": [cell]})], SCHEMAS)
    assert record.fields["indications"].value == ("dysphagia", "weight_loss")
    assert record.fields["indications"].status == "ok"


@pytest.mark.parametrize(
    "line", ["{", "[]", '{"text": "secret words"}', '{"text": "secret", "procedure": 1, "cells": []}']
)
def test_a_bad_line_is_named_without_its_words(line: str) -> None:
    with pytest.raises(ExtractionError, match=r"^Line 1 ") as caught:
        list(verify_lines([line], SCHEMAS))
    assert "secret" not in str(caught.value)


@pytest.mark.skipif(not SETS.is_dir(), reason="the labelled sets are not here")
def test_a_careful_answer_is_hardly_disowned() -> None:
    shown = evaluate_answers(SETS / "hard", SCHEMAS).to_json()
    assert shown["alarms"]["all"]["rate"] <= 0.02
    assert shown["caught"]["number"]["rate"] >= 0.97
