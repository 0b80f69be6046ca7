"""Typing what a reader wrote."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from endoscribe.extraction.verification.values import ValueFitError, claims_nothing, typed_value
from endoscribe.procedures.expressions import Value
from endoscribe.procedures.library import load_schema
from tests.support.paths import DATA

MINI = load_schema(DATA / "schemas" / "mini.yaml")


@pytest.mark.parametrize(
    ("target", "written", "value"),
    [
        ("patient_age", "65", 65),
        ("patient_age", 65, 65),
        ("patient_age", "65.0", 65),
        ("patient_age", "65 years", 65),
        ("patient_age", "sixty five", 65),
        ("bbps_right", " 3 ", 3),
        ("polyps.size_mm", "6 mm", 6),
        ("polyps.size_mm", "2.5", 2.5),
        ("polyps.size_mm", "2.5 cm", 25),
        ("polyps.size_mm", "about six millimeters", 6),
        ("withdrawal_time_min", "6.5 minutes", 6.5),
        ("follow_up_interval_months", "3 years", 36),
        ("prep_adequate", "True", True),
        ("prep_adequate", "yes", True),
        ("prep_adequate", "NO", False),
        ("prep_adequate", False, False),
        ("patient_sex", "Female", "female"),
        ("patient_sex", "woman", "female"),
        ("extent_reached", "Caecum", "cecum"),
        ("extent_reached", "transverse colon", "transverse"),
        ("polyps.method", "Cold Snare", "cold_snare"),
        ("polyps.method", "COLD_SNARE", "cold_snare"),
        ("polyps.method", "cold-snare", "cold_snare"),
        ("polyps.method", "none", "none"),
        ("polyps.nice", 2, "2"),
        ("polyps.nice", "NICE 2", "2"),
        ("polyps.nice", "type two", "2"),
        ("indication", "screening, abdominal pain", ("screening", "pain")),
        ("indication", ("screening", "screening"), ("screening",)),
        ("indication", '["screening", "blood"]', ("screening", "bleeding")),
        ("procedure_date", "2024-09-16", "2024-09-16"),
        ("procedure_date", "16th of September, 2024", "2024-09-16"),
        ("procedure_date", "September 16 2024", "2024-09-16"),
        ("start_time", "10:02", "10:02"),
        ("start_time", "2:05 PM", "14:05"),
        ("history", "  appendectomy \n in 2006 ", "appendectomy in 2006"),
    ],
)
def test_a_fitting_value_is_typed(target: str, written: Value, value: Value) -> None:
    typed = typed_value(written, MINI.target_index[target])
    assert typed == value
    assert type(typed) is type(value)


@pytest.mark.parametrize(
    ("target", "written", "problem"),
    [
        ("patient_age", "6.5", "not a whole number"),
        ("patient_age", "old", "not one number"),
        ("patient_age", "121", "outside 0 to 120"),
        ("patient_age", "-1", "outside 0 to 120"),
        ("patient_age", True, "not one number"),
        ("patient_age", "nan", "not a number"),
        ("patient_age", "1e999", "not a number"),
        ("bbps_right", 4, "outside 0 to 3"),
        ("polyps.size_mm", "3 to 5 mm", "not one number"),
        ("polyps.size_mm", "6 minutes", "not in mm"),
        ("prep_adequate", "good", "neither yes nor no"),
        ("prep_adequate", 1, "neither yes nor no"),
        ("extent_reached", "jejunum", "not one of the allowed values"),
        ("extent_reached", True, "not one of the allowed values"),
        ("polyps.nice", "4", "not one of the allowed values"),
        ("polyps.method", ("cold_snare", "hot_snare"), "has one value"),
        ("indication", "screening, curiosity", "not one of the allowed values"),
        ("procedure_date", "03/04/2024", "not a date"),
        ("procedure_date", "2024-02-30", "not a date"),
        ("start_time", "25:00", "not a time"),
        ("history", True, "not yes or no"),
        ("extent_reached", "x" * 500, "xxx\\.\\.\\."),
    ],
)
def test_an_unfitting_value_is_refused_with_a_reason(target: str, written: Value, problem: str) -> None:
    with pytest.raises(ValueFitError, match=problem):
        typed_value(written, MINI.target_index[target])


def test_words_for_not_stated_claim_nothing() -> None:
    for word in ("", " ", "null", "Not stated", "N/A", "not_stated"):
        assert claims_nothing(word, MINI.fields["extent_reached"])
    assert claims_nothing((), MINI.fields["indication"])
    assert not claims_nothing("none", MINI.fields["adverse_event"])
    assert not claims_nothing(False, MINI.fields["diverticulosis"])
    assert not claims_nothing(0, MINI.fields["polyp_count"])


@given(st.sampled_from(sorted(MINI.target_index)), st.text(max_size=30) | st.integers() | st.floats() | st.booleans())
def test_any_value_is_typed_within_its_field_or_refused(target: str, written: Value) -> None:
    field = MINI.target_index[target]
    try:
        value = typed_value(written, field)
    except ValueFitError:
        return
    if field.range:
        assert not isinstance(value, bool)
        assert isinstance(value, int | float)
        assert field.range[0] <= value <= field.range[1]
    if field.type == "enum":
        assert value in field.values
    if field.type == "multi":
        assert isinstance(value, tuple)
        assert set(value) <= set(field.values)


@pytest.mark.parametrize("target", [name for name, field in MINI.target_index.items() if field.values])
def test_every_way_of_saying_a_value_maps_back_to_it(target: str) -> None:
    field = MINI.target_index[target]
    for word, term in field.values.items():
        for said in (word, term.label or word, *term.spoken):
            assert typed_value(said, field) == ((word,) if field.type == "multi" else word)
