"""The surveillance tables after polypectomy, row by row: when pathology is known, and before."""

from typing import Literal

import pytest

from endoscribe.procedures.advice import Advised, advise
from endoscribe.procedures.checks import run_checks
from endoscribe.procedures.expressions import Spoken, Stated, Value
from endoscribe.procedures.library import SchemaLibrary
from endoscribe.procedures.schema import AdviceRow
from endoscribe.settings import SHIPPED_SCHEMA_DIR

Place = Literal["us", "uk", "eu"]
COL = {place: SchemaLibrary(SHIPPED_SCHEMA_DIR, jurisdiction=place).get("col") for place in ("us", "uk", "eu")}

TA, TV, SSL, HP = "tubular_adenoma", "tubulovillous", "ssl", "hyperplastic"
COMPLETE: dict[str, Value] = {"extent_reached": "cecum", "prep_adequate": True}
Polyp = dict[str, Value | None]


def polyp(histology: str | None, size_mm: float = 5, count: int = 1, **more: Value) -> Polyp:
    blank = dict.fromkeys(COL["us"].tables["polyps"].columns)
    dysplasia = "low" if histology in (TA, TV, "villous") else "none"
    known: Polyp = {"histology": histology, "size_mm": size_mm, "count": count, "piecemeal": False}
    return {**blank, **known, "resected": True, "method": "cold_snare", "dysplasia": dysplasia, **more}


def advised(place: Place, *polyps: Polyp, **fields: Value) -> Advised | None:
    found: dict[str, Value] = {"polyp_count": sum(int(str(each["count"])) for each in polyps)}
    rule = COL[place].advice["surveillance"]
    return advise(rule, Stated({**COMPLETE, **found, **fields}, {"polyps": polyps, "masses": ()}))


def row_ids(place: Place, found: Advised | None) -> list[str]:
    rows: dict[str, AdviceRow] = COL[place].advice["surveillance"].rows
    return [next(name for name, row in rows.items() if row is each) for each in found.rows] if found else []


def lnpcp(size_mm: float = 20, **more: Value) -> Polyp:
    """A large non-pedunculated colorectal polyp."""
    return {**polyp(TA, size_mm), "paris": "0-IIa", **more}


#: (where, polyps, the row that decides, shortest and longest interval in months)
ROWS: list[tuple[Place, list[Polyp], str, tuple[int, int] | None]] = [
    ("us", [], "us_normal", (120, 120)),
    ("us", [polyp(TA)], "us_ta_1_2", (84, 120)),
    ("us", [polyp(TA, count=2)], "us_ta_1_2", (84, 120)),
    ("us", [polyp(TA, count=3)], "us_ta_3_4", (36, 60)),
    ("us", [polyp(TA, count=2), polyp(TA, count=2)], "us_ta_3_4", (36, 60)),
    ("us", [polyp(TA, count=5)], "us_ta_5_10", (36, 36)),
    ("us", [polyp(TA, count=10)], "us_ta_5_10", (36, 36)),
    ("us", [polyp(TA, 10)], "us_adenoma_10mm", (36, 36)),
    ("us", [polyp(TA, 8, size_max_mm=12)], "us_adenoma_10mm", (36, 36)),
    ("us", [polyp(TV)], "us_villous", (36, 36)),
    ("us", [polyp("villous")], "us_villous", (36, 36)),
    ("us", [polyp(TA, dysplasia="high")], "us_high_grade", (36, 36)),
    ("us", [polyp(TA, count=11)], "us_over_10", (12, 12)),
    ("us", [polyp(TA, 20, piecemeal=True)], "us_adenoma_piecemeal", (6, 6)),
    ("us", [polyp(HP, count=20)], "us_hyperplastic", (120, 120)),
    ("us", [polyp(SSL)], "us_ssl_1_2", (60, 120)),
    ("us", [polyp(SSL, count=3)], "us_ssl_3_4", (36, 60)),
    ("us", [polyp(SSL, count=6)], "us_ssl_5_10", (36, 36)),
    ("us", [polyp(SSL, 10)], "us_ssl_10mm", (36, 36)),
    ("us", [polyp("ssl_dysplasia")], "us_ssl_dysplasia", (36, 36)),
    ("us", [polyp("tsa")], "us_tsa", (36, 36)),
    ("us", [polyp(HP, 10)], "us_hyperplastic_10mm", (36, 60)),
    ("us", [polyp(SSL, 25, piecemeal=True)], "us_ssl_piecemeal", (6, 6)),
    ("us", [polyp(TA), polyp(SSL)], "us_ssl_1_2", (60, 120)),  # the shorter of two rows that hold
    ("us", [polyp(TA), polyp(TA, 30, piecemeal=True)], "us_adenoma_piecemeal", (6, 6)),
    ("eu", [], "eu_screening", (120, 120)),
    ("eu", [polyp(TA, count=4)], "eu_screening", (120, 120)),
    ("eu", [polyp(TA, count=5)], "eu_advanced", (36, 36)),
    ("eu", [polyp(TA, 10)], "eu_advanced", (36, 36)),
    ("eu", [polyp(TA, dysplasia="high")], "eu_advanced", (36, 36)),
    ("eu", [polyp(SSL, 10)], "eu_advanced", (36, 36)),
    ("eu", [polyp(SSL)], "eu_screening", (120, 120)),
    ("eu", [polyp("ssl_dysplasia")], "eu_advanced", (36, 36)),
    ("uk", [polyp(TA, 12), polyp(TA)], "uk_high_risk", (36, 36)),
    ("uk", [polyp(TA, count=5)], "uk_high_risk", (36, 36)),
    # On both sides of each limit.
    ("us", [polyp(TA, 9)], "us_ta_1_2", (84, 120)),
    ("us", [polyp(TA, 9, count=2), polyp(TA, 9, count=3)], "us_ta_5_10", (36, 36)),
    ("us", [polyp(TA, count=4)], "us_ta_3_4", (36, 60)),
    ("us", [polyp(TA, 19, piecemeal=True)], "us_adenoma_10mm", (36, 36)),
    ("us", [polyp(TA, 19, size_max_mm=20, piecemeal=True)], "us_adenoma_piecemeal", (6, 6)),
    ("us", [polyp(SSL, 9)], "us_ssl_1_2", (60, 120)),
    ("us", [polyp(SSL, count=2)], "us_ssl_1_2", (60, 120)),
    ("us", [polyp(SSL, count=4)], "us_ssl_3_4", (36, 60)),
    ("us", [polyp(SSL, count=5)], "us_ssl_5_10", (36, 36)),
    ("us", [polyp(SSL, count=10)], "us_ssl_5_10", (36, 36)),
    ("us", [polyp(SSL, 19, piecemeal=True)], "us_ssl_10mm", (36, 36)),
    ("us", [polyp(SSL, 20, piecemeal=True)], "us_ssl_piecemeal", (6, 6)),
    ("us", [polyp(SSL, dysplasia="low")], "us_ssl_dysplasia", (36, 36)),
    ("us", [polyp(HP, 9)], "us_hyperplastic", (120, 120)),
    ("eu", [polyp(TA, 9)], "eu_screening", (120, 120)),
    ("eu", [polyp(TV, 9)], "eu_screening", (120, 120)),
    ("eu", [polyp(SSL, 9)], "eu_screening", (120, 120)),
    ("eu", [polyp(SSL, dysplasia="low")], "eu_advanced", (36, 36)),
    ("eu", [polyp("tsa", 10)], "eu_advanced", (36, 36)),
    ("eu", [polyp(HP, 9)], "eu_screening", (120, 120)),
    ("eu", [polyp(HP, 10)], "eu_advanced", (36, 36)),
    ("eu", [polyp(TA, 19, piecemeal=True)], "eu_advanced", (36, 36)),
    ("eu", [polyp(TA, 20, piecemeal=True)], "eu_piecemeal", (3, 6)),
    ("eu", [polyp(TA, 20)], "eu_advanced", (36, 36)),
    ("uk", [], "uk_screening", None),
    ("uk", [polyp(TA, 12)], "uk_screening", None),
    ("uk", [polyp(TA, count=4)], "uk_screening", None),
    ("uk", [polyp(HP, 12)], "uk_screening", None),
    ("uk", [polyp(TA, 9), polyp(TA, 9)], "uk_screening", None),
    ("uk", [polyp(TA, 10), polyp(TA)], "uk_high_risk", (36, 36)),
    ("uk", [polyp(TA, dysplasia="high"), polyp(SSL)], "uk_high_risk", (36, 36)),
    ("uk", [polyp(SSL, 9), polyp(SSL, 9)], "uk_screening", None),
    ("uk", [polyp(SSL, 10), polyp(SSL, 9)], "uk_high_risk", (36, 36)),
    ("uk", [polyp(SSL, dysplasia="low"), polyp(TA)], "uk_high_risk", (36, 36)),
    ("uk", [polyp("ssl_dysplasia"), polyp(TA)], "uk_high_risk", (36, 36)),
    ("uk", [polyp("tsa", 10), polyp(TA)], "uk_high_risk", (36, 36)),
    ("uk", [polyp(HP, 10), polyp(TA)], "uk_high_risk", (36, 36)),
    ("uk", [polyp(HP, 5, count=5, segment="rectum")], "uk_screening", None),
    ("uk", [polyp(HP, 6, count=5, segment="rectum")], "uk_high_risk", (36, 36)),
    ("uk", [polyp(HP, 5, count=5, segment="sigmoid")], "uk_high_risk", (36, 36)),
    ("uk", [polyp(SSL, count=3), polyp(TA, count=2)], "uk_high_risk", (36, 36)),
    ("uk", [lnpcp(resection_margin="R0")], "uk_lnpcp_r0", (36, 36)),
    ("uk", [lnpcp(19, resection_margin="R0")], "uk_screening", None),
    ("uk", [lnpcp(resection_margin="R1")], "uk_lnpcp_site_check", (2, 6)),
    ("uk", [lnpcp(resection_margin="Rx")], "uk_lnpcp_site_check", (2, 6)),
    ("uk", [lnpcp(piecemeal=True)], "uk_lnpcp_site_check", (2, 6)),
    ("uk", [lnpcp(19, piecemeal=True)], "uk_screening", None),
    ("uk", [lnpcp(paris="0-Ip", piecemeal=True)], "uk_screening", None),
    ("uk", [lnpcp(piecemeal=True), polyp(TA, count=5)], "uk_lnpcp_site_check", (2, 6)),
]


@pytest.mark.parametrize(("place", "polyps", "row", "interval"), ROWS)
def test_a_known_histology_decides(
    place: Place, polyps: list[Polyp], row: str, interval: tuple[int, int] | None
) -> None:
    found = advised(place, *polyps)
    assert found is not None
    assert (row_ids(place, found), found.decided, found.rows[0].interval) == ([row], True, interval)


def test_every_row_is_tried() -> None:
    tried = {row for _, _, row, _ in ROWS} | {"uk_young"}
    assert tried == {name for place in COL.values() for name in place.advice["surveillance"].rows}


@pytest.mark.parametrize(("polyps"), [[polyp(TA, 12)], [polyp(TA, count=4)], [polyp(HP, 12)]])
def test_where_the_british_rule_asks_for_no_surveillance_no_interval_is_told(polyps: list[Polyp]) -> None:
    found = advised("uk", *polyps)
    assert found is not None
    assert found.sentence == (
        "Next colonoscopy (average risk): no surveillance colonoscopy, but the national screening program "
        "(no high-risk finding)."
    )
    assert not found.allows(36)


@pytest.mark.parametrize(("age", "row"), [(39, "uk_young"), (40, "uk_screening"), (41, "uk_screening")])
def test_below_the_age_of_screening_it_is_a_decision_for_the_patient(age: int, row: str) -> None:
    found = advised("uk", polyp(TA), patient_age=age)
    assert (row_ids("uk", found), found and found.rows[0].interval) == ([row], None)


@pytest.mark.parametrize(
    ("place", "one", "sentence"),
    [
        ("eu", polyp(TA, 20, piecemeal=True), "3 to 6 months, then again 12 months after that"),
        ("uk", lnpcp(piecemeal=True), "2 to 6 months, then a second site check 12 months after that"),
    ],
)
def test_after_a_piecemeal_resection_what_follows_the_first_look_is_told(
    place: Place, one: Polyp, sentence: str
) -> None:
    found = advised(place, one)
    assert found is not None
    assert f": {sentence} (" in found.sentence


@pytest.mark.parametrize("polyps", [[polyp(SSL, count=11)], [polyp(HP, count=21)]])
def test_beyond_the_table_nothing_is_advised(polyps: list[Polyp]) -> None:
    assert advised("us", *polyps) is None


def test_margins_that_are_not_known_leave_a_large_polyp_open() -> None:
    found = advised("uk", lnpcp())
    assert found is not None
    assert not found.decided
    assert row_ids("uk", found) == ["uk_lnpcp_site_check", "uk_lnpcp_r0"]


def test_before_pathology_all_that_may_hold_is_told_and_never_one_number() -> None:
    two_small = advised("us", polyp(None, 4, 2))
    assert two_small is not None
    assert not two_small.decided
    assert set(row_ids("us", two_small)) == {
        "us_ta_1_2", "us_villous", "us_hyperplastic", "us_ssl_1_2", "us_ssl_dysplasia", "us_tsa",
    }  # fmt: skip
    assert "7 to 10 years if 1 to 2 tubular adenomas below 10 mm" in two_small.sentence
    large = advised("us", polyp(None, 25, piecemeal=True))
    assert {"us_adenoma_piecemeal", "us_ssl_piecemeal", "us_hyperplastic_10mm"} <= set(row_ids("us", large))
    assert not {"us_ta_1_2", "us_ssl_1_2", "us_hyperplastic"} & set(row_ids("us", large))


def test_a_good_boston_score_is_as_good_as_the_word() -> None:
    fields: dict[str, Value] = {"extent_reached": "cecum", "polyp_count": 1, "bbps_right": 2, "bbps_transverse": 3}
    rule = COL["us"].advice["surveillance"]
    tables = {"polyps": (polyp(TA),), "masses": ()}
    assert advise(rule, Stated({**fields, "bbps_left": 2}, tables)) is not None
    assert advise(rule, Stated({**fields, "bbps_left": 1}, tables)) is None
    assert advise(rule, Stated(fields, tables)) is None


@pytest.mark.parametrize(
    "fields",
    [
        {"extent_reached": "transverse"},
        {"prep_adequate": False},
        {"indications": ("serrated_polyposis",)},
        {"indications": ("family_history_crc",)},
        {"indications": ("surveillance_polyps",)},
        {"indication": "Surveillance after polyps in 2019"},
        {"relevant_history": "two adenomas five years ago"},
        {"ibd_disease": "crohn"},
    ],
)
def test_the_table_is_silent_where_it_is_not_meant(fields: dict[str, Value]) -> None:
    assert advised("us", polyp(TA), **fields) is None


@pytest.mark.parametrize("one", [polyp("cancer"), polyp(TA, complete=False), polyp(TA, method="none", resected=False)])
def test_cancer_and_what_was_left_behind_are_not_in_the_table(one: Polyp) -> None:
    assert advised("us", one) is None


def told(
    place: Place, *polyps: Polyp, said: str = "Average risk screening.", fields: dict[str, Value] | None = None
) -> list[str]:
    """What a report says of the next examination, and what it says against a dictated interval."""
    found: dict[str, Value] = {"polyp_count": sum(int(str(each["count"])) for each in polyps)}
    tables = dict.fromkeys(COL[place].tables, ()) | {"polyps": polyps}
    stated = Stated({**COMPLETE, **found, **(fields or {})}, tables, spoken=(Spoken(said, 4.0),))
    return [verdict.message for verdict in run_checks(COL[place], stated) if verdict.id.startswith("surveillance")]


@pytest.mark.parametrize(
    ("place", "fields", "reason"),
    [
        ("us", {"patient_age": 76}, "the age of 76 is above 75"),
        ("uk", {"patient_age": 76}, "the age of 76 is above 75"),
        ("eu", {"patient_age": 81}, "the age of 81 is above 80"),
        ("us", {"ibd_disease": "uc"}, "inflammatory bowel disease is stated"),
        ("us", {"colon_resection": "sigmoid"}, "the colon was resected before"),
        ("eu", {"relatives_crc_n": 1}, "a first-degree relative with colorectal cancer is stated"),
        ("uk", {"indications": ("hereditary_syndrome",)}, "the indication is not that of average risk"),
        ("us", {"relevant_history": "two adenomas"}, "the history speaks against average risk"),
    ],
)
def test_a_stated_value_that_excludes_the_table_is_told_instead_of_an_interval(
    place: Place, fields: dict[str, Value], reason: str
) -> None:
    assert told(place, polyp(TA), fields=fields) == [f"Next colonoscopy (average risk): not given, since {reason}."]


@pytest.mark.parametrize(("place", "age"), [("us", 75), ("uk", 75), ("eu", 80)])
def test_at_the_age_limit_itself_the_table_still_holds(place: Place, age: int) -> None:
    assert "not given" not in told(place, polyp(TA), fields={"patient_age": age})[0]


def test_words_anywhere_in_the_transcript_exclude_it_too() -> None:
    said = "Average risk screening. There is a family history of colon cancer."
    assert told("us", polyp(TA), said=said) == [
        "Next colonoscopy (average risk): not given, since “family history” is mentioned at 0:04."
    ]


def test_a_dictated_interval_is_held_against_what_british_rules_advise() -> None:
    first, second = told("uk", polyp(TA), fields={"follow_up_interval_months": 36})
    assert "national screening program" in first
    assert second == "Next colonoscopy (average risk): 3 years as dictated fits none of the rows that may hold."
