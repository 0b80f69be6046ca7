"""Checks that cried wolf in routine care: each with reports on which it must be silent, and some on which it speaks."""

from typing import Any

import pytest

from endoscribe.procedures.checks import run_checks
from endoscribe.procedures.expressions import Spoken, Stated, Value
from endoscribe.procedures.library import SchemaLibrary
from endoscribe.procedures.schema import Jurisdiction, ProcedureSchema
from endoscribe.procedures.yaml_source import YamlSource
from endoscribe.settings import SHIPPED_SCHEMA_DIR
from tests.support.paths import DATA

ROUTINE: dict[str, Any] = YamlSource(DATA / "rules" / "routine.yaml").data
SHIPPED = SchemaLibrary(SHIPPED_SCHEMA_DIR)

Row = dict[str, Value | None]


def schema_of(check: str) -> ProcedureSchema:
    place: Jurisdiction | None = ROUTINE[check].get("jurisdiction")
    library = SchemaLibrary(SHIPPED_SCHEMA_DIR, jurisdiction=place) if place else SHIPPED
    return library.get(ROUTINE[check]["procedure"])


def values(row: dict[str, Any]) -> Row:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in row.items()}


def stated(schema: ProcedureSchema, report: dict[str, Any]) -> Stated:
    rows = report.get("tables", {})
    assert rows.keys() <= schema.tables.keys()
    assert report.get("fields", {}).keys() <= schema.fields.keys()
    tables = {
        name: [{**dict.fromkeys(table.columns), **values(row)} for row in rows.get(name, [])]
        for name, table in schema.tables.items()
    }
    said = (Spoken(report["said"]),) if "said" in report else ()
    unheard = frozenset(report.get("unheard", ()))
    return Stated(values(report.get("fields", {})), tables, unheard=unheard, spoken=said)


CASES = [(check, kind, report) for check in ROUTINE for kind in ("silent", "speaks") for report in ROUTINE[check][kind]]


@pytest.mark.parametrize(("check", "kind", "report"), CASES, ids=[f"{check}-{kind}" for check, kind, _ in CASES])
def test_a_check_is_silent_in_routine_care_and_speaks_where_it_should(
    check: str, kind: str, report: dict[str, Any]
) -> None:
    schema = schema_of(check)
    fired = {verdict.id for verdict in run_checks(schema, stated(schema, report))}
    assert (check in fired) is (kind == "speaks")


@pytest.mark.parametrize("check", [check for check in ROUTINE if "severity" in ROUTINE[check]])
def test_a_warning_is_kept_for_what_would_change_care_or_coding(check: str) -> None:
    assert schema_of(check).checks[check].severity == ROUTINE[check]["severity"]


def test_every_check_that_was_named_has_a_case_of_both_kinds() -> None:
    named = (
        "COL-03 COL-09 COL-11 COL-13 COL-25 COL-33 COL-39 COL-48 COL-59 CORE-17 CORE-20 CORE-21 EGD-19 EGD-23 EGD-32 "
        "EGD-45 EGD-46 ERCP-01 ERCP-03 ERCP-05 ERCP-23 ERCP-34 ERCP-42 ERCP-45 EUS-04 EUS-06 EUS-11 EUS-14 EUS-16 "
        "EUS-19 EUS-20 EUS-29 EUS-30 EUS-37 EUS-42 COL-67 EGD-61 COL-68 COL-69 CORE-23 stents_in_table"
    )
    assert set(named.split()) <= ROUTINE.keys()
    assert all(ROUTINE[check]["silent"] and ROUTINE[check]["speaks"] for check in ROUTINE)
