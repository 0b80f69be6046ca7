"""The record as CSV: one line a cell, also for what was not stated."""

import csv
from collections.abc import Iterator
from io import StringIO

from endoscribe.extraction.record import Cell, Record
from endoscribe.procedures.schema import ProcedureSchema

COLUMNS = (
    "report", "procedure", "section", "field", "row", "label", "value", "unit", "status", "grounding", "as_dictated",
    "start_s", "end_s", "problem",
)  # fmt: skip
#: A spreadsheet takes a text that begins so for a formula.
FORMULA_SIGNS = ("=", "+", "-", "@", "\t", "\r", "\n")


def record_csv(record: Record, schema: ProcedureSchema) -> str:
    """A header and the cells in the schema's order; every line says that the report is a draft."""
    buffer = StringIO(newline="")
    writer = csv.writer(buffer)
    writer.writerow(COLUMNS)
    for line in _lines(record, schema):
        writer.writerow([_safe(value) for value in ("draft", schema.id, *line)])
    return buffer.getvalue()


def _lines(record: Record, schema: ProcedureSchema) -> Iterator[tuple[str, ...]]:
    for name, field in schema.fields.items():
        yield (field.section or "", name, "", field.label, *_values(record.fields.get(name)))
    for name, rule in schema.derived.items():
        if name in record.derived:
            computed = (_text(record.derived[name]), rule.unit or "", "computed", "", "", "", "", "")
            yield ("", name, "", rule.label, *computed)
    for name, table in schema.tables.items():
        for index, row in enumerate(record.tables.get(name, ())):
            for column in table.columns.values():
                label = f"{table.label}: {column.label}"
                yield (table.section, f"{name}.{column.id}", str(index), label, *_values(row.get(column.id)))


def _values(cell: Cell | None) -> tuple[str, ...]:
    if cell is None:
        return ("", "", "not_stated", "", "", "", "", "")
    evidence = cell.evidence
    start_s, end_s = (evidence.start_s, evidence.end_s) if evidence else (None, None)
    return (
        _text(cell.value), cell.unit or "", cell.status, cell.grounding, cell.as_dictated,
        _text(start_s), _text(end_s), cell.problem or "",
    )  # fmt: skip


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return "; ".join(map(str, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def _safe(text: str) -> str:
    """Text that a spreadsheet shows and does not compute."""
    return f"'{text}" if text.startswith(FORMULA_SIGNS) else text
