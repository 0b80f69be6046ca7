"""Advice besides polypectomy, limit by limit: relatives, Barrett's, gastric conditions, ulcers, ligation."""

from typing import Literal

import pytest

from endoscribe.procedures.advice import Advised, advise
from endoscribe.procedures.checks import run_checks
from endoscribe.procedures.expressions import Spoken, Stated, Value
from endoscribe.procedures.library import SchemaLibrary
from endoscribe.procedures.schema import ProcedureSchema
from endoscribe.settings import SHIPPED_SCHEMA_DIR

Place = Literal["us", "uk", "eu"]
Fields = dict[str, Value]
Rows = dict[str, list[Fields]]
Interval = tuple[int, int] | None
LIBRARIES = {place: SchemaLibrary(SHIPPED_SCHEMA_DIR, jurisdiction=place) for place in ("us", "uk", "eu")}
NONDYSPLASTIC: Fields = {"barretts": True, "barretts_histology": "nondysplastic"}
RELATIVES: Fields = {"extent_reached": "cecum", "prep_adequate": True, "polyp_count": 0}
ULCER: Rows = {"ulcers": [{"organ": "stomach"}]}
BANDS: Fields = {"site": "esophageal", "bands_n": 5, "active_bleeding": False}


def schema(place: Place, advice: str) -> ProcedureSchema:
    return LIBRARIES[place].get("col" if advice == "family_history" else "egd")


def stated(schema: ProcedureSchema, fields: Fields, rows: Rows, said: str = "") -> Stated:
    tables = {
        name: [{column: row.get(column) for column in table.columns} for row in rows.get(name, [])]
        for name, table in schema.tables.items()
    }
    return Stated(fields, tables, spoken=(Spoken(said),))


def advised(place: Place, advice: str, fields: Fields, rows: Rows) -> Advised | None:
    here = schema(place, advice)
    return advise(here.advice[advice], stated(here, fields, rows))


def row_ids(place: Place, advice: str, found: Advised | None) -> list[str]:
    rows = schema(place, advice).advice[advice].rows
    return [name for each in (found.rows if found else ()) for name, row in rows.items() if row is each]


def barretts(m: float, **fields: Value) -> Fields:
    return {**NONDYSPLASTIC, "prague_m_cm": m, **fields}


def relatives(**fields: Value) -> Fields:
    return {**RELATIVES, **fields}


#: (advice, where, fields, rows of tables, the row that decides or None, its interval)
CASES: list[tuple[str, Place, Fields, Rows, str | None, Interval]] = [
    ("barretts_surveillance", "eu", barretts(0.9), {}, "eu_below_1", None),
    ("barretts_surveillance", "eu", barretts(1), {}, "eu_1_to_3", (60, 60)),
    ("barretts_surveillance", "eu", barretts(2.9), {}, "eu_1_to_3", (60, 60)),
    ("barretts_surveillance", "eu", barretts(3), {}, "eu_3_to_10", (36, 36)),
    ("barretts_surveillance", "eu", barretts(9.9), {}, "eu_3_to_10", (36, 36)),
    ("barretts_surveillance", "eu", barretts(10), {}, "eu_10", None),
    ("barretts_surveillance", "eu", barretts(12), {}, "eu_10", None),
    ("barretts_surveillance", "us", barretts(0.9), {}, "us_below_1", None),
    ("barretts_surveillance", "us", barretts(1), {}, "us_1_to_3", (60, 60)),
    ("barretts_surveillance", "us", barretts(2.9), {}, "us_1_to_3", (60, 60)),
    ("barretts_surveillance", "us", barretts(3), {}, "us_3", (36, 36)),
    ("barretts_surveillance", "us", barretts(11), {}, "us_3", (36, 36)),
    ("barretts_surveillance", "uk", barretts(2.9), {}, "uk_below_3", (36, 60)),
    ("barretts_surveillance", "uk", barretts(2.9, barretts_histology="no_metaplasia"), {}, "uk_below_3_no_im", None),
    ("barretts_surveillance", "uk", barretts(3), {}, "uk_3", (24, 36)),
    ("barretts_surveillance", "uk", barretts(3, barretts_histology="no_metaplasia"), {}, "uk_3", (24, 36)),
    ("barretts_surveillance", "eu", barretts(4, patient_age=74, barretts_age_limit=75), {}, "eu_3_to_10", (36, 36)),
    ("barretts_surveillance", "eu", barretts(4, patient_age=75, barretts_age_limit=75), {}, None, None),
    ("barretts_surveillance", "eu", barretts(4, barretts_histology="low"), {}, None, None),
    ("barretts_surveillance", "us", barretts(4, dysplasia_history="high"), {}, None, None),
    ("barretts_surveillance", "uk", barretts(4, la_grade="C"), {}, None, None),
    ("barretts_surveillance", "eu", barretts(4, barretts_ablation="rfa"), {}, None, None),
    ("barretts_surveillance", "eu", {"barretts": False, "prague_m_cm": 4}, {}, None, None),
    (
        "gastric_premalignant",
        "eu",
        {
            "gastric_atrophy": True,
            "olga": "III",
            "olgim": "0",
            "gastric_change_extent": "both",
            "gastric_cancer_relative": False,
        },
        {},
        "eu_advanced",
        (36, 36),
    ),
    (
        "gastric_premalignant",
        "eu",
        {
            "olga": "IV",
            "olgim": "II",
            "gastric_change_extent": "both",
            "gastric_atrophy": True,
            "gastric_cancer_relative": True,
        },
        {},
        "eu_advanced_family",
        (12, 24),
    ),
    (
        "gastric_premalignant",
        "eu",
        {
            "intestinal_metaplasia": True,
            "olga": "II",
            "olgim": "II",
            "gastric_change_extent": "antrum",
            "gastric_cancer_relative": True,
        },
        {},
        "eu_metaplasia_family",
        (36, 36),
    ),
    (
        "gastric_premalignant",
        "eu",
        {
            "gastric_atrophy": True,
            "intestinal_metaplasia": False,
            "olga": "II",
            "olgim": "0",
            "gastric_change_extent": "antrum",
            "gastric_cancer_relative": False,
        },
        {},
        "eu_mild",
        None,
    ),
    (
        "gastric_premalignant",
        "uk",
        {"gastric_atrophy": True, "olga": "II", "olgim": "0", "gastric_change_extent": "both"},
        {},
        "uk_extensive",
        (36, 36),
    ),
    (
        "gastric_premalignant",
        "uk",
        {"gastric_atrophy": True, "olga": "II", "olgim": "II", "gastric_change_extent": "antrum"},
        {},
        None,
        None,
    ),
    (
        "gastric_premalignant",
        "us",
        {
            "intestinal_metaplasia": True,
            "olga": "II",
            "olgim": "III",
            "gastric_change_extent": "antrum",
            "gastric_cancer_relative": False,
        },
        {},
        "us_high_risk",
        (36, 36),
    ),
    (
        "gastric_premalignant",
        "us",
        {
            "intestinal_metaplasia": True,
            "olga": "II",
            "olgim": "II",
            "gastric_change_extent": "antrum",
            "gastric_cancer_relative": True,
        },
        {},
        "us_high_risk",
        (36, 36),
    ),
    (
        "gastric_premalignant",
        "us",
        {
            "intestinal_metaplasia": True,
            "olga": "II",
            "olgim": "II",
            "gastric_change_extent": "antrum",
            "gastric_cancer_relative": False,
        },
        {},
        None,
        None,
    ),
    ("gastric_ulcer", "uk", {}, ULCER, "uk_all", (6, 8)),
    ("gastric_ulcer", "us", {}, ULCER, "us_eu_single", None),
    ("gastric_ulcer", "eu", {}, ULCER, "us_eu_single", None),
    ("gastric_ulcer", "uk", {}, {"ulcers": [{"organ": "duodenum"}]}, None, None),
    ("rebanding", "eu", {}, {"varix_findings": [BANDS]}, "eu_bands", (2, 4)),
    ("rebanding", "uk", {}, {"varix_findings": [BANDS]}, "uk_bands", (2, 4)),
    ("rebanding", "us", {"indications": ("haematemesis",)}, {"varix_findings": [BANDS]}, "us_bled", (1, 4)),
    ("rebanding", "us", {"indications": ("other",)}, {"varix_findings": [BANDS]}, "us_not_bled", (2, 8)),
    (
        "rebanding",
        "us",
        {"indications": ("other",)},
        {"varix_findings": [{**BANDS, "active_bleeding": True}]},
        "us_bled",
        (1, 4),
    ),
    ("rebanding", "eu", {}, {"varix_findings": [{**BANDS, "bands_n": 0}]}, None, None),
    ("rebanding", "eu", {}, {"varix_findings": [{**BANDS, "eradicated": True}]}, None, None),
    (
        "varices_eradicated",
        "eu",
        {},
        {"varix_findings": [{"site": "esophageal", "eradicated": True}]},
        "eu_first_year",
        (3, 6),
    ),
    ("varices_eradicated", "eu", {}, {"varix_findings": [{"site": "esophageal", "eradicated": False}]}, None, None),
    ("varices_eradicated", "us", {}, {"varix_findings": [{"site": "esophageal", "eradicated": True}]}, None, None),
    ("family_history", "us", relatives(relative_crc_age=59, relatives_crc_n=1), {}, "us_under_60", (60, 60)),
    ("family_history", "us", relatives(relative_crc_age=60, relatives_crc_n=1), {}, "us_one_60", (120, 120)),
    ("family_history", "us", relatives(relative_crc_age=61, relatives_crc_n=1), {}, "us_one_60", (120, 120)),
    ("family_history", "us", relatives(relative_crc_age=70, relatives_crc_n=2), {}, "us_two", (60, 60)),
    ("family_history", "us", relatives(relative_crc_age=50, polyp_count=1), {}, None, None),
    ("family_history", "us", relatives(relative_crc_age=50, ibd_disease="uc"), {}, None, None),
    ("family_history", "us", relatives(relatives_crc_n=0), {}, None, None),
    ("family_history", "uk", relatives(relative_crc_age=50, relatives_crc_n=1), {}, None, None),
]


@pytest.mark.parametrize(("advice", "place", "fields", "rows", "row", "interval"), CASES)
def test_each_row_holds_at_and_up_to_its_limits(
    advice: str, place: Place, fields: Fields, rows: Rows, row: str | None, interval: Interval
) -> None:
    found = advised(place, advice, fields, rows)
    assert row_ids(place, advice, found) == ([row] if row else [])
    if found:
        assert (found.decided, found.rows[0].interval) == (True, interval)


def test_every_row_is_tried() -> None:
    tried = {(advice, row) for advice, _, _, _, row, _ in CASES if row}
    shipped = {
        (name, row)
        for library in LIBRARIES.values()
        for procedure in library
        for name, advice in procedure.advice.items()
        for row in advice.rows
        if name not in ("surveillance", "repeat_after_poor_prep")
    }
    assert tried == shipped


@pytest.mark.parametrize("place", ["us", "uk", "eu"])
def test_while_pathology_is_open_no_interval_stands_alone(place: Place) -> None:
    found = advised(place, "barretts_surveillance", {"barretts": True, "prague_m_cm": 4}, {})
    assert found is not None
    assert not found.decided
    assert "depends on what is not known yet" in found.sentence


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("Barrett's with low grade dysplasia in 2019.", "“dysplasia” is mentioned"),
        ("Status post radiofrequency ablation of Barrett's.", "“radiofrequency” is mentioned"),
        ("Biopsied to rule out adenocarcinoma.", "“adenocarcinoma” is mentioned"),
    ],
)
def test_words_that_take_barretts_out_of_the_table_are_named(said: str, reason: str) -> None:
    here = schema("eu", "barretts_surveillance")
    verdicts = run_checks(here, stated(here, barretts(4), {}, said))
    assert [each.message for each in verdicts if each.id == "barretts_surveillance"] == [
        f"Next endoscopy (Barrett's esophagus): not given, since {reason}."
    ]


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"la_grade": "D"}, "esophagitis of grade D must heal first"),
        ({"patient_age": 80}, "the age of 80 is 75 or more"),
        ({"barretts_nodularity": True}, "a nodule or visible lesion is described"),
    ],
)
def test_values_that_take_barretts_out_of_the_table_are_told(fields: Fields, reason: str) -> None:
    here = schema("eu", "barretts_surveillance")
    verdicts = run_checks(here, stated(here, {**barretts(4), **fields}, {}))
    assert f"Next endoscopy (Barrett's esophagus): not given, since {reason}." in [each.message for each in verdicts]


def test_a_relative_without_an_age_leaves_the_interval_open() -> None:
    found = advised("us", "family_history", relatives(relatives_crc_n=1), {})
    assert row_ids("us", "family_history", found) == ["us_under_60", "us_one_60"]
    assert found is not None
    assert not found.decided


@pytest.mark.parametrize("said", ["Her mother had colon cancer at 50, and she has Lynch syndrome.", "Crohn's disease."])
def test_a_relative_does_not_count_where_something_graver_is_mentioned(said: str) -> None:
    here = schema("us", "family_history")
    verdicts = run_checks(here, stated(here, relatives(relative_crc_age=50), {}, said))
    (told,) = [each.message for each in verdicts if each.id == "family_history"]
    assert told.startswith("Next colonoscopy (first-degree relatives): not given, since “")
