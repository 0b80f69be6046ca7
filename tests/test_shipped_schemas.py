from pathlib import Path
from typing import Any

import pytest
import yaml

from endoscribe.procedures.library import SchemaLibrary
from endoscribe.procedures.schema import FieldSchema, ProcedureSchema
from endoscribe.settings import SHIPPED_SCHEMA_DIR

LIBRARY = SchemaLibrary(SHIPPED_SCHEMA_DIR)
#: What a folder of labelled dictations beside the project fixes: ids, types, units and values.
CONTRACT = Path(__file__).parents[2] / "shared" / "eval" / "contract.yaml"


def contract() -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load(CONTRACT.read_text(encoding="utf-8"))
    return content


def test_the_four_procedures() -> None:
    titles = {schema.id: schema.title for schema in LIBRARY}
    assert titles == {"col": "Colonoscopy", "egd": "EGD", "ercp": "ERCP", "eus": "EUS"}


@pytest.mark.parametrize("schema", list(LIBRARY), ids=lambda schema: schema.id)
def test_every_field_can_be_explained_and_recognised(schema: ProcedureSchema) -> None:
    for target, field in schema.targets():
        assert field.label, target
        assert field.guide, target
    assert len(schema.vocabulary) >= 20


@pytest.mark.skipif(not CONTRACT.is_file(), reason="the contract is not here")
@pytest.mark.parametrize("schema", list(LIBRARY), ids=lambda schema: schema.id)
def test_contract(schema: ProcedureSchema) -> None:
    wanted = contract()
    fields = {**wanted["shared"], **wanted[schema.id]}
    tables = fields.pop("tables")
    for name, terms in fields.items():
        assert_conforms(schema.fields[name], terms)
    for table, columns in tables.items():
        for name, terms in columns.items():
            assert_conforms(schema.tables[table].columns[name], terms)


def assert_conforms(field: FieldSchema, terms: dict[str, Any]) -> None:
    assert field.type == terms["type"], field.id
    assert list(field.values) == [str(value) for value in terms.get("values", [])], field.id
    if "unit" in terms:
        assert field.unit == terms["unit"], field.id
    if "range" in terms:
        assert field.range == tuple(terms["range"]), field.id
