"""Two readers: where the offline reader heard something else than the language model, the cell says so.

Only values with a type are compared; a difference is a hint for the clinician, never a change of the value.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from endoscribe.extraction.record import Cell, Record, Row
from endoscribe.procedures.schema import FieldSchema, ProcedureSchema

TYPED = ("boolean", "enum", "integer", "number", "date", "time")


def with_hints(record: Record, other: Record, schema: ProcedureSchema) -> Record:
    """The record whose cells tell what another reader, with good evidence, heard instead."""
    fields = {name: _hinted(cell, other.fields.get(name), schema.fields[name]) for name, cell in record.fields.items()}
    tables = {name: _hinted_rows(rows, other.tables.get(name, ()), schema, name)
              for name, rows in record.tables.items()}  # fmt: skip
    return replace(record, fields=fields, tables=tables)


def _hinted(cell: Cell, other: Cell | None, field: FieldSchema) -> Cell:
    if field.type not in TYPED or other is None or other.status != "ok" or other.value is None:
        return cell
    if other.value == cell.value:
        return cell
    return replace(cell, heard_also=field.value_label(other.value))


def _hinted_rows(rows: Sequence[Row], others: Sequence[Row], schema: ProcedureSchema, table: str) -> tuple[Row, ...]:
    columns = schema.tables[table].columns
    hinted = []
    for row in rows:
        other = max(others, key=lambda one: _shared_words(row, one), default=None)
        if other is None or not _shared_words(row, other):
            hinted.append(row)
        else:
            hinted.append({name: _hinted(cell, other.get(name), columns[name]) for name, cell in row.items()})
    return tuple(hinted)


def _shared_words(row: Mapping[str, Cell], other: Mapping[str, Cell]) -> int:
    """In how many columns two rows rest on the same place of the transcript."""
    return sum(_meet(cell, other[name]) for name, cell in row.items() if name in other)


def _meet(cell: Cell, other: Cell) -> bool:
    one, two = cell.evidence, other.evidence
    return one is not None and two is not None and one.start < two.end and two.start < one.end
