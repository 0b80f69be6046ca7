"""The shipped procedures' checks and worked examples: each check fires on values made for it, and only then."""

import pytest

from endoscribe.extraction.claims import Claim
from endoscribe.extraction.grounding import verify
from endoscribe.procedures.checks import run_checks
from endoscribe.procedures.expressions import Stated, Value
from endoscribe.procedures.library import SchemaLibrary
from endoscribe.procedures.schema import Example, ProcedureSchema
from endoscribe.settings import SHIPPED_SCHEMA_DIR
from endoscribe.transcript import Transcript

SHIPPED = SchemaLibrary(SHIPPED_SCHEMA_DIR)

Fields = dict[str, Value]
Rows = dict[str, list[Fields]]

#: A blameless report of each procedure: nothing fires.
GOOD: dict[str, tuple[Fields, Rows]] = {
    "col": (
        {
            "bbps_right": 2, "bbps_transverse": 3, "bbps_left": 3, "bbps_total": 8, "prep_adequate": True,
            "extent_reached": "cecum", "appendiceal_orifice_seen": True, "ileocecal_valve_seen": True,
            "withdrawal_time_min": 9, "retroflexion_rectum": True, "polyp_count": 3,
        },
        {"polyps": [{"segment": "sigmoid", "count": 2, "size_mm": 3, "size_max_mm": 4, "method": "cold_snare"},
                    {"segment": "cecum", "count": 1, "size_mm": 12, "nice": "2", "method": "hot_emr"}]},
    ),
    "egd": (
        {
            "gej_cm": 36, "diaphragmatic_pinch_cm": 39, "hiatal_hernia": True, "hiatal_hernia_cm": 3,
            "hill_grade": "III", "retroflexion_stomach": True, "reflux_esophagitis": True, "la_grade": "A",
            "barretts": True, "prague_c_cm": 1, "prague_m_cm": 3, "duodenum_normal": True,
            "extent_reached": "second_part_duodenum", "dilation_max_mm": 18,
        },
        {},
    ),
    "ercp": (
        {
            "native_papilla": True, "prior_sphincterotomy": "none", "rectal_nsaid": True, "cannulation_bile": "deep",
            "completed": True, "stones_found": True, "stone_clearance": "complete", "cbd_mm": 12,
            "balloon_dilation_mm": 12, "lithotripsy": "none", "pancreatic_stent_placed": True,
        },
        {"stents_in": [{"duct": "bile", "material": "plastic", "diameter_fr": 10, "length_cm": 7},
                       {"duct": "pancreatic", "material": "plastic", "diameter_fr": 5},
                       {"duct": "bile", "material": "metal", "diameter_mm": 10}]},
    ),
    "eus": (
        {
            "pancreas_parenchyma_normal": True, "mpd_head_mm": 2.5, "mpd_dilated": False, "cbd_mm": 4,
            "fna_performed": True, "needle_gauge": "22", "needle_passes": 2,
        },
        {"lesions": [{"kind": "cyst", "organ": "pancreas", "size_mm": 18, "size2_mm": 12, "septated": True}]},
    ),
}  # fmt: skip

#: What must be changed in the good report for a check to fire; None takes a value away.
FAULTS: dict[str, tuple[dict[str, Value | None], Rows]] = {
    "CORE-06": ({"adverse_event": "none"}, {"sedation_drugs": [{"drug": "flumazenil"}]}),
    "CORE-13": ({"sedation_level": "none"}, {"sedation_drugs": [{"drug": "midazolam", "dose": 2}]}),
    "CORE-14": ({}, {"antithrombotics": [{"drug": "apixaban", "status": "held"}]}),
    "CORE-17": ({"adverse_event": "bleeding"}, {}),
    "bbps_sum": ({"bbps_total": 7}, {}),
    "polyps_in_table": ({"polyp_count": 4}, {}),
    "COL-03": ({"bbps_right": 1, "bbps_total": 7}, {}),
    "COL-04": ({"prep_adequate": False}, {}),
    "COL-05": ({"bbps_right": None, "bbps_transverse": None, "bbps_left": None, "bbps_total": None}, {}),
    "COL-06": ({"bbps_right": None, "bbps_transverse": None, "bbps_left": None}, {}),
    "COL-09": ({"ileocecal_valve_seen": None}, {}),
    "COL-14": ({"withdrawal_time_min": None}, {}),
    "COL-15": ({"polyp_count": 0, "withdrawal_time_min": 5}, {"polyps": []}),
    "COL-18": ({"withdrawal_time_min": 120}, {}),
    "COL-20": ({"polyp_count": 0}, {}),
    "COL-22": ({}, {"polyps": [{"size_mm": 6, "size_max_mm": 4}]}),
    "COL-23": ({}, {"polyps": [{"size_mm": 0.8}]}),
    "COL-24": ({}, {"polyps": [{"size_mm": 4, "piecemeal": True}]}),
    "COL-25": ({}, {"polyps": [{"size_mm": 10, "method": "cold_forceps"}]}),
    "COL-26": ({}, {"polyps": [{"nice": "3", "method": "cold_snare"}]}),
    "COL-37": ({"follow_up_interval_months": 12}, {"polyps": [{"size_mm": 25, "piecemeal": True}]}),
    "COL-39": ({"follow_up_interval_months": 36}, {}),
    "COL-49": ({"retroflexion_rectum": None}, {}),
    "hernia_length_cm": ({"hiatal_hernia_cm": 5}, {}),
    "EGD-01": ({"prague_c_cm": 4}, {}),
    "EGD-02": ({"prague_m_cm": None}, {}),
    "EGD-03": ({"prague_m_cm": 22}, {}),
    "EGD-09": ({"la_grade": None}, {}),
    "EGD-12": ({"gej_cm": 52, "diaphragmatic_pinch_cm": None}, {}),
    "EGD-30": ({"extent_reached": "stomach"}, {}),
    "EGD-31": ({"retroflexion_stomach": None}, {}),
    "EGD-32": ({"dilation_max_mm": 25}, {}),
    "EGD-41": ({"reflux_esophagitis": False}, {}),
    "EGD-42": ({"hiatal_hernia": False}, {}),
    "ERCP-01": ({"rectal_nsaid": None}, {}),
    "ERCP-05": ({"cannulation_bile": "failed", "cannulation_pancreas": "not_attempted"}, {}),
    "ERCP-10": ({"prior_sphincterotomy": "biliary"}, {}),
    "ERCP-13": ({"stones_found": False, "stone_clearance": "partial"}, {}),
    "ERCP-14": ({"cbd_mm": 1}, {}),
    "ERCP-18": ({}, {"stents_in": [{"material": "plastic", "diameter_fr": 6}]}),
    "ERCP-19": ({}, {"stents_in": [{"material": "metal", "diameter_mm": 9}]}),
    "ERCP-40": ({"balloon_dilation_mm": 22}, {}),
    "ERCP-43": ({"pancreatic_stent_placed": False}, {}),
    "ERCP-44": ({"lithotripsy": "laser", "stones_found": False, "stone_clearance": None}, {}),
    "EUS-03": ({}, {"lesions": [{"organ": "pancreas", "kind": "mass", "size_mm": 20}]}),
    "EUS-04": ({}, {"lesions": [{"organ": "pancreas", "kind": "cyst"}]}),
    "EUS-05": ({"mpd_head_mm": 31, "mpd_dilated": None}, {}),
    "EUS-06": ({"mpd_head_mm": 7}, {}),
    "EUS-12": ({"fna_performed": False}, {}),
    "EUS-13": ({"needle_passes": None}, {}),
    "EUS-14": ({"needle_gauge": None}, {}),
    "EUS-41": ({}, {"lesions": [{"kind": "cyst", "size_mm": 10, "size2_mm": 12}]}),
    "EUS-42": ({}, {"lesions": [{"kind": "mass", "organ": "liver", "size_mm": 10, "septated": True}]}),
}  # fmt: skip


def fired(schema: ProcedureSchema, fields: dict[str, Value | None], rows: Rows) -> set[str]:
    tables = {
        name: [{column: row.get(column) for column in table.columns} for row in rows.get(name, [])]
        for name, table in schema.tables.items()
    }
    unknown = fields.keys() - schema.fields.keys()
    assert not unknown, f"the test names fields that do not exist: {unknown}"
    return {verdict.id for verdict in run_checks(schema, Stated(fields, tables))}


@pytest.mark.parametrize("schema", list(SHIPPED), ids=lambda schema: schema.id)
def test_a_good_report_and_an_empty_one_fire_nothing(schema: ProcedureSchema) -> None:
    fields, rows = GOOD[schema.id]
    assert fired(schema, dict(fields), rows) == set()
    assert fired(schema, {}, {}) == set()


RULES = [
    (schema, name)
    for schema in SHIPPED
    for name in (*schema.checks, *(name for name, rule in schema.derived.items() if rule.compare))
]


@pytest.mark.parametrize(("schema", "name"), RULES, ids=[name for _, name in RULES])
def test_each_check_fires_on_its_fault(schema: ProcedureSchema, name: str) -> None:
    fields, rows = GOOD[schema.id]
    changed, other_rows = FAULTS[name]
    assert name in fired(schema, {**fields, **changed}, {**rows, **other_rows})


@pytest.mark.parametrize("schema", list(SHIPPED), ids=lambda schema: schema.id)
def test_an_error_is_a_contradiction_and_every_source_is_known(schema: ProcedureSchema) -> None:
    for name, check in schema.checks.items():
        tags = check.source.strip("[]").split("][")
        assert tags == ["ours"] or all(tag in schema.references for tag in tags), name
        if check.severity == "error":
            assert "K:" not in check.source, name


EXAMPLES = [(schema, example) for schema in SHIPPED for example in schema.examples]


def test_every_procedure_has_two_worked_examples() -> None:
    assert {schema.id: len(schema.examples) for schema in SHIPPED} == dict.fromkeys(GOOD, 2)


@pytest.mark.parametrize(("schema", "example"), EXAMPLES, ids=lambda part: getattr(part, "id", ""))
def test_the_worked_examples_pass_verification_word_for_word(schema: ProcedureSchema, example: Example) -> None:
    claims = [Claim(cell.field, cell.value, cell.quote, cell.row) for cell in example.cells]
    record = verify(claims, Transcript(example.text), schema, "example")
    cells = [
        *record.fields.values(),
        *(cell for rows in record.tables.values() for row in rows for cell in row.values()),
    ]
    assert len(cells) == len(claims)
    assert [(cell.status, cell.grounding, cell.problem) for cell in cells] == [("ok", "exact", None)] * len(cells)
