import json
from pathlib import Path

import pytest

from endoscribe.errors import ExtractionError
from endoscribe.evaluation import GoldRow, evaluate, is_same, labelled_dictations, pair_rows
from endoscribe.extraction.claims import Claim, OnClaims
from endoscribe.extraction.offline import OfflineExtractor
from endoscribe.procedures.library import SchemaLibrary
from endoscribe.procedures.schema import ProcedureSchema
from endoscribe.settings import SHIPPED_SCHEMA_DIR
from endoscribe.transcript import Transcript

LIBRARY = SchemaLibrary(SHIPPED_SCHEMA_DIR)
CORPUS = Path(__file__).parent / "data" / "dictations"
#: Labelled dictations that are kept beside the project, not in it.
OUTSIDE = Path(__file__).parents[2] / "shared" / "eval"


class ScriptedReader:
    """Claims what it was given, whatever is said."""

    name = "scripted"

    def __init__(self, *claims: Claim) -> None:
        self.claims = claims

    def probe(self) -> str | None:
        return None

    def extract(
        self, transcript: Transcript, schema: ProcedureSchema, on_claims: OnClaims | None = None
    ) -> tuple[Claim, ...]:
        return self.claims


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
    assert min(held_out.values()) >= 12


def test_the_offline_reader_keeps_its_standard_on_the_corpus() -> None:
    evaluation = evaluate(CORPUS, OfflineExtractor(), LIBRARY)
    assert evaluation.tallies["fields"]["all"].f1 >= 0.92
    assert evaluation.tallies["cells"]["all"].f1 >= 0.85
    assert evaluation.tallies["fields"]["all"].false_value_rate <= 0.02
    assert "overall F1" in evaluation.to_text(by_field=True)
    assert json.loads(json.dumps(evaluation.to_json(by_field=True)))["dictations"] == evaluation.dictations


@pytest.mark.skipif(not OUTSIDE.is_dir(), reason="the outside dictations are not here")
def test_the_offline_reader_keeps_its_standard_outside() -> None:
    evaluation = evaluate(OUTSIDE / "dev", OfflineExtractor(), LIBRARY)
    assert evaluation.tallies["fields"]["all"].f1 >= 0.88
    assert evaluation.tallies["cells"]["all"].f1 >= 0.75
    assert evaluation.tallies["fields"]["all"].false_value_rate <= 0.04
