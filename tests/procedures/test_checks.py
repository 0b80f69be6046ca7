"""Derived values, checks and gaps of a schema."""

from pathlib import Path

import pytest

from endoscribe.errors import SchemaError
from endoscribe.procedures.checks import derive, find_gaps, run_checks
from endoscribe.procedures.expressions import Stated, Value
from endoscribe.procedures.library import load_schema
from endoscribe.procedures.schema import ProcedureSchema
from tests.support.paths import DATA

MINI = load_schema(DATA / "schemas" / "mini.yaml")


def polyp(**columns: Value) -> dict[str, Value | None]:
    return {**dict.fromkeys(MINI.tables["polyps"].columns), **columns}


def stated(*polyps: dict[str, Value | None], **fields: Value) -> Stated:
    return Stated(fields, {"polyps": polyps})


def fired(values: Stated, schema: ProcedureSchema = MINI) -> dict[str, str]:
    return {verdict.id: verdict.message for verdict in run_checks(schema, values)}


def test_nothing_stated_fires_nothing() -> None:
    assert fired(stated()) == {}


def test_a_derived_value_needs_all_its_parts() -> None:
    assert derive(MINI, stated(bbps_right=3, bbps_left=2)) == {}
    assert derive(MINI, stated(bbps_right=3, bbps_transverse=3, bbps_left=2)) == {"bbps_sum": 8}


def test_checks_may_use_derived_values_and_fill_their_messages() -> None:
    bad = stated(bbps_right=1, bbps_transverse=1, bbps_left=2, prep_adequate=True)
    assert fired(bad) == {"MINI-01": "Preparation is called adequate with a score of 4."}
    good = stated(bbps_right=2, bbps_transverse=2, bbps_left=2, prep_adequate=True)
    assert fired(good) == {}


def test_a_dictated_total_that_disagrees_with_its_parts_is_an_error() -> None:
    values = stated(bbps_right=3, bbps_transverse=3, bbps_left=2, bbps_total=9)
    (verdict,) = run_checks(MINI, values)
    assert (verdict.id, verdict.severity) == ("bbps_sum", "error")
    assert verdict.message == "Boston score: 8 by calculation, 9 as dictated."
    assert verdict.fields == ("bbps_right", "bbps_transverse", "bbps_left", "bbps_total")


def test_a_check_on_rows_names_the_row_and_its_values() -> None:
    values = stated(polyp(size_mm=4, method="cold_forceps"), polyp(size_mm=12.5, method="cold_forceps"))
    (verdict,) = run_checks(MINI, values)
    assert verdict.message == "polyp 2: 12.5 mm removed with cold forceps."
    assert verdict.fields == ("polyps", "polyps.size_mm", "polyps.method")


def test_labels_and_missing_values_appear_in_messages_in_words() -> None:
    (verdict,) = run_checks(MINI, stated(extent_reached="cecum"))
    assert verdict.message == "Caecum reached; withdrawal time not stated."
    assert verdict.source == "NED (UK)"


def test_a_value_with_braces_is_not_filled_again() -> None:
    schema = MINI.model_copy(
        update={"checks": {"X": MINI.checks["MINI-03"].model_copy(update={"when": "true", "message": "{history}"})}}
    )
    assert fired(stated(history="{patient_age} <b>"), schema) == {"X": "{patient_age} <b>"}


def test_gaps_are_required_fields_needed_conditions_and_columns_of_rows() -> None:
    gaps = find_gaps(MINI, stated(polyp(segment="sigmoid", method="cold_snare"), extent_reached="cecum"))
    assert gaps == (
        "patient_age",
        "procedure_date",
        "bbps_right",
        "bbps_transverse",
        "bbps_left",
        "prep_adequate",
        "withdrawal_time_min",
        "polyps.size_mm",
        "polyps.retrieved",
    )


def test_a_condition_that_is_not_known_asks_for_nothing() -> None:
    gaps = find_gaps(MINI, stated(polyp(segment="sigmoid", size_mm=3)))
    assert "withdrawal_time_min" not in gaps
    assert "polyps.retrieved" not in gaps


def test_a_typing_error_in_a_check_is_told_with_its_line(tmp_path: Path) -> None:
    text = (DATA / "schemas" / "mini.yaml").read_text(encoding="utf-8")
    broken = tmp_path / "broken.yaml"
    broken.write_text(text.replace("bbps_sum < 6", "bbps_summ < 6"), encoding="utf-8")
    line = 1 + text[: text.index("bbps_sum < 6")].count("\n")
    with pytest.raises(SchemaError, match=rf"broken.yaml, line {line}, checks.MINI-01.when: .*did you mean 'bbps_sum'"):
        load_schema(broken)


def test_a_message_that_names_no_field_is_refused(tmp_path: Path) -> None:
    text = (DATA / "schemas" / "mini.yaml").read_text(encoding="utf-8")
    broken = tmp_path / "broken.yaml"
    broken.write_text(text.replace("{size_mm} mm", "{size} mm"), encoding="utf-8")
    with pytest.raises(SchemaError, match=r"MINI-02\.message: there is no field 'size'"):
        load_schema(broken)


@pytest.mark.parametrize(
    ("good", "bad", "problem"),
    [
        ("quote: cold snare", "quote: hot snare", "does not stand in the example"),
        ("field: bbps_right, value: 2", "field: bbps_rigt, value: 2", "did you mean 'bbps_right'"),
        ("field: polyps.size_mm, row: 0", "field: polyps.size_mm", "columns have a row"),
    ],
)
def test_a_worked_example_must_be_right_itself(tmp_path: Path, good: str, bad: str, problem: str) -> None:
    text = (DATA / "schemas" / "mini.yaml").read_text(encoding="utf-8")
    broken = tmp_path / "broken.yaml"
    broken.write_text(text.replace(good, bad), encoding="utf-8")
    with pytest.raises(SchemaError, match=problem):
        load_schema(broken)
