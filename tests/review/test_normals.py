"""Sentences that a clinician states with one click: their own statement, never over what was said."""

from datetime import UTC, datetime

import pytest

from endoscribe.errors import ReviewError, SchemaError
from endoscribe.extraction.record import Record, is_entered
from endoscribe.outputs.note import render_note
from endoscribe.procedures.library import load_schema
from endoscribe.review.edits import STATED_NORMAL, Edit
from endoscribe.review.versions import Reading, Review, add_edit, current_record, receive, undo
from endoscribe.web.page.report import render_record
from tests.support.paths import DATA
from tests.support.reports import PROCEDURES, SCHEMAS, made_record

NOW = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)


def state(record: Record, name: str) -> Review:
    review = receive(None, Reading(record))
    return add_edit(review, Edit("normal", name, NOW), SCHEMAS[record.procedure])


def test_a_sentence_is_one_step_that_is_marked_and_taken_back() -> None:
    review = state(made_record("eus"), "lumen")
    record = current_record(review.latest, SCHEMAS["eus"])
    for name in ("esophagus_normal", "stomach_normal", "duodenum_normal"):
        cell = record.fields[name]
        assert (cell.value, cell.status, cell.problem) == (True, "edited", STATED_NORMAL)
        assert is_entered(cell)
        assert cell.evidence is None
    note = render_note(record, SCHEMAS["eus"])
    assert "The esophagus, the stomach and the duodenum were normal." in note
    assert STATED_NORMAL in note
    assert len(review.latest.edits) == 1
    assert current_record(undo(review).latest, SCHEMAS["eus"]).fields == {}


def test_what_was_said_stays() -> None:
    said = made_record("eus", {"esophagus_normal": True})
    record = current_record(state(said, "lumen").latest, SCHEMAS["eus"])
    assert record.fields["esophagus_normal"] == said.fields["esophagus_normal"]
    assert record.fields["stomach_normal"].problem == STATED_NORMAL


@pytest.mark.parametrize(
    ("record", "name", "problem"),
    [
        (made_record("eus", {"stomach_normal": False}), "lumen", "otherwise: Stomach normal"),
        (made_record("col", polyps=[{"size_mm": 4.0}]), "colon", "otherwise: Polyps"),
        (made_record("egd", {"stomach_normal": True}), "stomach", "stated already"),
        (made_record("egd"), "spleen", "no such sentence"),
    ],
)
def test_a_sentence_that_does_not_hold_is_refused(record: Record, name: str, problem: str) -> None:
    with pytest.raises(ReviewError, match=problem):
        state(record, name)


def test_a_later_edit_is_no_click_any_more() -> None:
    review = state(made_record("egd"), "stomach")
    review = add_edit(review, Edit("set", "stomach_normal", NOW, None, False), SCHEMAS["egd"])
    cell = current_record(review.latest, SCHEMAS["egd"]).fields["stomach_normal"]
    assert (cell.value, cell.problem) == (False, None)


def test_the_step_stays_what_it_was_when_the_schema_says_something_else_later() -> None:
    review = state(made_record("egd"), "stomach")
    later = SCHEMAS["egd"].model_copy(update={"normals": {}})
    assert current_record(review.latest, later).fields["stomach_normal"].value is True


@pytest.mark.parametrize("name", PROCEDURES)
def test_every_sentence_of_the_shipped_schemas_can_be_stated(name: str) -> None:
    schema = SCHEMAS[name]
    assert schema.normals
    for sentence, normal in schema.normals.items():
        record = current_record(state(made_record(name), sentence).latest, schema)
        assert record.fields.keys() == normal.sets.keys()
        assert f'data-normal="{sentence}"' in render_record(made_record(name), schema, editable=True)
        assert f'data-normal="{sentence}"' not in render_record(record, schema, editable=True)
        assert "data-normal" not in render_record(made_record(name), schema)


@pytest.mark.parametrize(
    ("normal", "problem"),
    [
        ("{label: x, section: nowhere, sets: {prep_adequate: true}}", "no section 'nowhere'"),
        ("{label: x, section: quality, sets: {prep_adequat: true}}", "did you mean 'prep_adequate'"),
        ("{label: x, section: quality, sets: {prep_adequate: 3}}", "boolean"),
        ("{label: x, section: quality, sets: {extent_reached: cecm}}", "did you mean 'cecum'"),
        ("{label: x, section: quality, sets: {prep_adequate: true}, without: [polips]}", "did you mean 'polyps'"),
    ],
)
def test_a_sentence_that_cannot_work_is_refused_when_the_schema_is_read(
    tmp_path_factory: pytest.TempPathFactory, normal: str, problem: str
) -> None:
    path = tmp_path_factory.mktemp("schemas") / "mine.yaml"
    text = (DATA / "schemas" / "mini.yaml").read_text(encoding="utf-8")
    path.write_text(f"{text}\nnormals:\n  x: {normal}\n", encoding="utf-8")
    with pytest.raises(SchemaError, match=problem):
        load_schema(path)
