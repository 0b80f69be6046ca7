"""The surveillance tables after polypectomy, row by row: when pathology is known, and before."""

from typing import Literal

import pytest

from endoscribe.procedures.advice import Advised, advise
from endoscribe.procedures.expressions import Stated, Value
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


#: (where, polyps, the row that decides, shortest and longest interval in months)
ROWS: list[tuple[Place, list[Polyp], str, tuple[int, int]]] = [
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
]


@pytest.mark.parametrize(("place", "polyps", "row", "interval"), ROWS)
def test_a_known_histology_decides(place: Place, polyps: list[Polyp], row: str, interval: tuple[int, int]) -> None:
    found = advised(place, *polyps)
    assert found is not None
    assert (row_ids(place, found), found.decided, found.rows[0].interval) == ([row], True, interval)


def test_every_row_is_tried() -> None:
    tried = {row for _, _, row, _ in ROWS}
    assert tried == {name for place in COL.values() for name in place.advice["surveillance"].rows}


@pytest.mark.parametrize(("polyps"), [[polyp(TA, 12)], [polyp(TA, count=4)], [polyp(HP, 12)]])
def test_where_the_british_rule_asks_for_nothing_nothing_is_advised(polyps: list[Polyp]) -> None:
    assert advised("uk", *polyps) is None


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
