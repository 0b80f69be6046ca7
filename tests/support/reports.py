"""Records of the shipped procedures, made of values."""

from endoscribe.extraction.record import Cell, Record, Status
from endoscribe.procedures.library import load_schema
from endoscribe.procedures.schema import FieldSchema
from endoscribe.settings import SHIPPED_SCHEMA_DIR

PROCEDURES = ("col", "egd", "ercp", "eus")
SCHEMAS = {name: load_schema(SHIPPED_SCHEMA_DIR / f"{name}.yaml", (), "us") for name in PROCEDURES}
BRITISH = {name: load_schema(SHIPPED_SCHEMA_DIR / f"{name}.yaml", (), "uk") for name in PROCEDURES}


def made_cell(value: object, field: FieldSchema, status: Status = "ok", problem: str | None = None) -> Cell:
    """A cell that holds the value as it is."""
    return Cell(value, field.unit, str(value), None, "exact", status, problem)  # type: ignore[arg-type]


def made_record(procedure: str, fields: dict[str, object] | None = None, **tables: list[dict[str, object]]) -> Record:
    """A record of these values, each certain."""
    schema = SCHEMAS[procedure]
    rows = {
        name: tuple(
            {key: made_cell(value, schema.tables[name].columns[key]) for key, value in row.items()} for row in table
        )
        for name, table in tables.items()
    }
    stated = {name: made_cell(value, schema.fields[name]) for name, value in (fields or {}).items()}
    return Record(procedure, "1", "offline", stated, rows)


def doubtful_record() -> Record:
    """A colonoscopy with a value of each kind of doubt, and one that was edited."""
    schema = SCHEMAS["col"]
    invalid = Cell(None, "years", "old", None, "absent", "invalid", "'old' is not one number.")
    fields = {
        "hemorrhoids": made_cell(True, schema.fields["hemorrhoids"], "unsupported", "The words deny it."),
        "patient_age": invalid,
        "tattoo_placed": made_cell(True, schema.fields["tattoo_placed"], "edited", "read as no"),
    }
    row = {"size_mm": made_cell(40.0, schema.tables["polyps"].columns["size_mm"], "unsupported")}
    return Record("col", "1", "offline", fields, {"polyps": (row,)})
