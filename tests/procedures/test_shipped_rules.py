"""The shipped procedures' checks and worked examples: each check fires on values made for it, and only then."""

import re
from collections import Counter
from functools import cache
from typing import Any

import pytest

from endoscribe.extraction.claims import Claim
from endoscribe.extraction.record import Record
from endoscribe.extraction.verification.grounding import verify
from endoscribe.procedures.checks import find_gaps, run_checks
from endoscribe.procedures.expressions import Stated, Value
from endoscribe.procedures.library import SchemaLibrary
from endoscribe.procedures.schema import OWN_RULE, TAG, Basis, Example, ProcedureSchema
from endoscribe.procedures.yaml_source import YamlSource
from endoscribe.settings import SHIPPED_SCHEMA_DIR
from endoscribe.transcript import Transcript
from tests.support.paths import DATA, ROOT

SHIPPED = SchemaLibrary(SHIPPED_SCHEMA_DIR)

Fields = dict[str, Value | None]
Rows = dict[str, list[Fields]]

RULES_DIR = DATA / "rules"


@cache
def rules(procedure: str) -> dict[str, Any]:
    """A blameless report (`good`), and for each check what must be changed in it for the check to fire (`faults`)."""
    return YamlSource(RULES_DIR / f"{procedure}.yaml").data


def values(fields: dict[str, Any]) -> Fields:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in fields.items()}


def report(procedure: str) -> tuple[Fields, Rows]:
    good = rules(procedure)["good"]
    return values(good["fields"]), {name: [values(row) for row in rows] for name, rows in good["tables"].items()}


def fault(procedure: str, check: str) -> tuple[Fields, Rows]:
    """What makes a check fire: the procedure's own fault, else that of the shared part."""
    found = rules(procedure)["faults"].get(check) or rules("core")["faults"][check]
    tables = {name: [values(row) for row in rows] for name, rows in found.get("tables", {}).items()}
    return values(found.get("fields", {})), tables


def fired(schema: ProcedureSchema, fields: Fields, rows: Rows) -> set[str]:
    """The checks that fire; what an advice tells is no fault."""
    tables = {
        name: [{column: row.get(column) for column in table.columns} for row in rows.get(name, [])]
        for name, table in schema.tables.items()
    }
    unknown = fields.keys() - schema.fields.keys()
    assert not unknown, f"the test names fields that do not exist: {unknown}"
    return {verdict.id for verdict in run_checks(schema, Stated(fields, tables))} - schema.advice.keys()


@pytest.mark.parametrize("schema", list(SHIPPED), ids=lambda schema: schema.id)
def test_a_good_report_and_an_empty_one_fire_nothing(schema: ProcedureSchema) -> None:
    fields, rows = report(schema.id)
    assert fired(schema, fields, rows) == set()
    assert fired(schema, {}, {}) == set()


RULES = [
    (schema, name)
    for schema in SHIPPED
    for name in (
        *schema.checks,
        *(name for name, rule in schema.derived.items() if rule.compare),
        *(f"{name}_interval" for name, advice in schema.advice.items() if advice.compare),
    )
]


@pytest.mark.parametrize(("schema", "name"), RULES, ids=[name for _, name in RULES])
def test_each_check_fires_on_its_fault(schema: ProcedureSchema, name: str) -> None:
    fields, rows = report(schema.id)
    changed, other_rows = fault(schema.id, name)
    assert name in fired(schema, {**fields, **changed}, {**rows, **other_rows})


@pytest.mark.parametrize("schema", list(SHIPPED), ids=lambda schema: schema.id)
def test_an_error_is_a_contradiction_and_every_source_is_known(schema: ProcedureSchema) -> None:
    for name, check in schema.checks.items():
        tags = TAG.findall(check.source)
        assert (check.source == OWN_RULE) is not bool(tags), name  # that tags are known, loading ensures
        if check.severity == "error":
            assert "K:" not in check.source, name


def test_how_many_checks_there_are() -> None:
    counts = {schema.id: sum(not name.startswith("CORE") for name in schema.checks) for schema in SHIPPED}
    core = sum(name.startswith("CORE") for name in SHIPPED.get("col").checks)
    assert counts["col"] >= 40
    assert min(counts["egd"], counts["ercp"], counts["eus"]) >= 30
    assert core >= 12


def bases() -> Counter[Basis]:
    """How many checks rest on what, each id once."""
    return Counter(
        {name: schema.basis(check.source) for schema in SHIPPED for name, check in schema.checks.items()}.values()
    )


def test_a_verdict_tells_what_it_rests_on() -> None:
    schema = SHIPPED.get("col")
    assert [schema.basis(source) for source in ("[V:BSG20]", "[V:NED2][K:DICA]", "[K:NICE]", "ours")] == [
        "verified", "verified", "unverified", "ours",
    ]  # fmt: skip
    stated = Stated({"polyp_count": 0, "prep_adequate": True, "bbps_left": 1}, dict.fromkeys(schema.tables, ()))
    record = Record("col", "1", "offline", {}, {}, checks=run_checks(schema, stated))
    (verdict,) = [each for each in record.to_json()["checks"] if each["id"] == "COL-03"]
    assert list(verdict) == ["id", "severity", "message", "fields", "source", "basis"]
    assert verdict["basis"] == "verified"


def heard_by_cues(schema: ProcedureSchema, fields: Fields, rows: Rows) -> Stated:
    """What is left of a report when nothing is known but what the offline reader listens for."""
    tables = {
        name: [
            {column: row.get(column) if f"{name}.{column}" in schema.audible else None for column in table.columns}
            for row in (rows.get(name, []) if name in schema.audible else [])
        ]
        for name, table in schema.tables.items()
    }
    known = {name: value for name, value in fields.items() if name in schema.audible}
    return Stated(known, tables, unheard=frozenset(schema.telling_words.keys() - schema.audible))


def test_a_hundred_checks_or_so_can_fire_on_what_the_offline_reader_hears() -> None:
    can = set()
    for schema, name in RULES:
        fields, rows = report(schema.id)
        changed, other_rows = fault(schema.id, name)
        heard = heard_by_cues(schema, {**fields, **changed}, {**rows, **other_rows})
        can |= {name} & {verdict.id for verdict in run_checks(schema, heard)} & schema.checks.keys()
    assert len(can) >= 95


TOLD = re.compile(
    r"(\d+) checks: (\d+) rest on a source that was read, (\d+) on one that is only named, (\d+) are rules of ours"
)


@pytest.mark.parametrize("file", ["README.md", "CHANGELOG.md"])
def test_how_many_checks_rest_on_what_is_told_as_it_is(file: str) -> None:
    text = re.sub(r"\s+", " ", (ROOT / file).read_text(encoding="utf-8"))
    told = re.findall(TOLD, text)
    found = bases()
    counts = (found["verified"], found["unverified"], found["ours"])
    assert told == [tuple(map(str, (sum(counts), *counts)))]


@pytest.mark.parametrize("schema", list(SHIPPED), ids=lambda schema: schema.id)
def test_rules_of_ours_stand_apart_behind_the_others(schema: ProcedureSchema) -> None:
    own = YamlSource(SHIPPED_SCHEMA_DIR / f"{schema.id}.yaml").data["checks"]
    ours = [check.get("source") == OWN_RULE for check in own.values() if "source" in check]
    assert ours == sorted(ours)
    assert any(ours)


@pytest.mark.parametrize("schema", list(SHIPPED), ids=lambda schema: schema.id)
def test_the_context_of_the_examination_is_not_listed_as_not_said(schema: ProcedureSchema) -> None:
    context = {name for name, field in schema.fields.items() if field.context}
    assert {"scope_model", "endoscopist", "start_time", "end_time"} <= context
    everything = find_gaps(schema, Stated({"extent_reached": "cecum"}, dict.fromkeys(schema.tables, ())))
    assert everything
    assert not context & set(everything)


EXAMPLES = [(schema, example) for schema in SHIPPED for example in schema.examples]


def test_every_procedure_has_two_worked_examples() -> None:
    assert {schema.id: len(schema.examples) for schema in SHIPPED} == dict.fromkeys(("col", "eus", "ercp", "egd"), 2)


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
