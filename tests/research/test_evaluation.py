import json
from pathlib import Path

import pytest

from endoscribe.errors import ExtractionError
from endoscribe.extraction.claims import Claim, OnClaims
from endoscribe.extraction.extractor import Answer
from endoscribe.extraction.offline.reader import OfflineExtractor
from endoscribe.procedures.library import SchemaLibrary
from endoscribe.procedures.schema import ProcedureSchema
from endoscribe.research.evaluation import GoldRow, evaluate, is_same, labelled_dictations, pair_rows
from endoscribe.settings import SHIPPED_SCHEMA_DIR
from endoscribe.transcript import Transcript
from endoscribe.web.page.evaluation import evaluation_page
from tests.support.paths import DATA, ROOT

LIBRARY = SchemaLibrary(SHIPPED_SCHEMA_DIR)
CORPUS = DATA / "dictations"
#: Labelled dictations that are kept beside the project, not in it.
OUTSIDE = ROOT.parent / "shared" / "eval"


class ScriptedReader:
    """Claims what it was given, whatever is said."""

    name = "scripted"

    def __init__(self, *claims: Claim) -> None:
        self.claims = claims

    def probe(self) -> str | None:
        return None

    def read(self, transcript: Transcript, schema: ProcedureSchema, on_claims: OnClaims | None = None) -> Answer:
        return Answer(self.claims)


def write(folder: Path, text: str, **labels: object) -> None:
    (folder / "one.txt").write_text(text, encoding="utf-8")
    content = {"id": "one", "procedure": "col", "fields": {}, "tables": {}, **labels}
    (folder / "one.json").write_text(json.dumps(content), encoding="utf-8")


def test_right_wrong_missed_and_invented(tmp_path: Path) -> None:
    write(
        tmp_path,
        "Boston right two, left three. No hemorrhoids.",
        fields={"bbps_right": 2, "bbps_left": 3, "hemorrhoids": False, "diverticulosis": None, "bbps_total": None},
    )
    reader = ScriptedReader(
        Claim("bbps_right", 2, "right two"),
        Claim("bbps_left", 2, "left three"),
        Claim("diverticulosis", False, "No hemorrhoids"),
    )
    tally = evaluate(tmp_path, reader, LIBRARY).tallies["fields"]["all"]
    assert (tally.stated, tally.claimed, tally.right, tally.silent, tally.false_values) == (3, 3, 1, 2, 1)
    assert tally.precision == pytest.approx(1 / 3)
    assert tally.false_value_rate == 0.5


def test_skipped_fields_and_columns_do_not_count(tmp_path: Path) -> None:
    write(
        tmp_path,
        "A 3 mm polyp.",
        fields={"bbps_right": 2},
        tables={"polyps": [{"size_mm": 3, "segment": "cecum"}]},
        skip=["bbps_right", "polyps.segment"],
    )
    evaluation = evaluate(tmp_path, OfflineExtractor(), LIBRARY)
    assert "all" not in evaluation.tallies["fields"]
    assert set(evaluation.by_field) == {"col.polyps.size_mm"}
    assert evaluation.overall_f1 == 1


def test_rows_are_paired_for_most_agreement() -> None:
    gold: list[GoldRow] = [{"segment": "cecum", "size_mm": 3}, {"segment": "rectum", "size_mm": 9}]
    claimed: list[GoldRow] = [
        {"segment": "rectum", "size_mm": 9},
        {"segment": "cecum", "size_mm": 4},
        {"segment": "sigmoid"},
    ]
    pairs = list(pair_rows(gold, claimed))
    assert pairs == [(gold[0], claimed[1]), (gold[1], claimed[0]), ({}, claimed[2])]


@pytest.mark.parametrize(
    ("gold", "claimed", "same"),
    [(1, 1.04, True), (1, 1.06, False), ("A", "a ", True), (True, 1, False), (False, False, True), ("2", 2, True)],
)
def test_sameness(gold: str | float, claimed: str | float, same: bool) -> None:
    assert is_same(gold, claimed) is same


def test_an_empty_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ExtractionError, match="no labelled dictations"):
        evaluate(tmp_path, OfflineExtractor(), LIBRARY)


def test_every_mistake_is_told_beside_its_transcript(tmp_path: Path) -> None:
    text = "Boston right two <b>, left three. A 4 mm polyp in the cecum. No hemorrhoids."
    write(
        tmp_path,
        text,
        fields={"bbps_right": 2, "bbps_left": 3, "hemorrhoids": False, "diverticulosis": None},
        tables={"polyps": [{"size_mm": 4, "segment": "cecum"}]},
        columns={"polyps": ["size_mm", "segment"]},
    )
    reader = ScriptedReader(
        Claim("bbps_right", 2, "right two"),
        Claim("bbps_left", 2, "left three"),
        Claim("diverticulosis", True, "never said"),
        Claim("polyps.size_mm", 6, "4 mm polyp", 0),
        Claim("polyps.segment", "cecum", "in the cecum", 0),
    )
    evaluation = evaluate(tmp_path, reader, LIBRARY)
    (dictation,) = evaluation.scored
    told = {(mistake.target, mistake.row): mistake.kind for mistake in dictation.mistakes}
    assert told == {
        ("bbps_left", None): "wrong",
        ("hemorrhoids", None): "missed",
        ("diverticulosis", None): "invented",
        ("polyps.size_mm", 0): "wrong",
    }
    counts = evaluation.to_json()["by_status"]
    assert counts["ok"] == {"claimed": 2, "right": 2, "wrong": 0, "false_values": 0}
    assert counts["unsupported"] == {"claimed": 3, "right": 0, "wrong": 2, "false_values": 1}
    assert "status unsupported" in evaluation.to_text()
    page = evaluation_page(evaluation, "scripted")
    assert "&lt;b&gt;" in page
    assert "<b>" not in page
    assert "<mark>left three<sup>1</sup></mark>" in page
    assert "The words do not hold the number 6." in page


def test_a_broken_label_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "one.txt").write_text("x", encoding="utf-8")
    (tmp_path / "one.json").write_text("{", encoding="utf-8")
    with pytest.raises(ExtractionError, match=r"one\.json"):
        evaluate(tmp_path, OfflineExtractor(), LIBRARY)


def test_the_corpus_labels_name_what_the_schemas_have() -> None:
    held_out = {True: 0, False: 0}
    for labels, _ in labelled_dictations(CORPUS):
        schema = LIBRARY.get(labels["procedure"])
        targets = {*labels["fields"], *(f"{t}.{c}" for t, columns in labels["columns"].items() for c in columns)}
        assert targets <= set(schema.target_index)
        held_out[labels["held_out"]] += 1
    assert held_out[True] >= 40
    assert held_out[False] >= 40


def test_the_offline_reader_keeps_its_standard_on_the_corpus() -> None:
    evaluation = evaluate(CORPUS, OfflineExtractor(), LIBRARY)
    assert evaluation.tallies["fields"]["all"].f1 >= 0.97
    assert evaluation.tallies["cells"]["all"].f1 >= 0.95
    assert evaluation.tallies["fields"]["all"].false_value_rate <= 0.01
    assert "overall F1" in evaluation.to_text(by_field=True)
    assert json.loads(json.dumps(evaluation.to_json(by_field=True)))["dictations"] == evaluation.dictations


def test_the_offline_reader_keeps_its_standard_on_what_it_was_never_tuned_on() -> None:
    evaluation = evaluate(CORPUS, OfflineExtractor(), LIBRARY, held_out_only=True)
    assert evaluation.dictations >= 40
    assert evaluation.tallies["fields"]["all"].f1 >= 0.93
    assert evaluation.tallies["cells"]["all"].f1 >= 0.87
    assert evaluation.tallies["fields"]["all"].false_value_rate <= 0.02


@pytest.mark.skipif(not OUTSIDE.is_dir(), reason="the outside dictations are not here")
def test_the_offline_reader_keeps_its_standard_outside() -> None:
    evaluation = evaluate(OUTSIDE / "dev", OfflineExtractor(), LIBRARY)
    assert evaluation.tallies["fields"]["all"].f1 >= 0.88
    assert evaluation.tallies["cells"]["all"].f1 >= 0.75
    assert evaluation.tallies["fields"]["all"].false_value_rate <= 0.04
