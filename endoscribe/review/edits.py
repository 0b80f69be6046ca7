"""The steps of a clinician on a record: whether one fits, and the record after it.

Pure functions; the record that a step is made on is never changed, and versions are no business of theirs.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from endoscribe.errors import ReviewError
from endoscribe.extraction.claims import Value
from endoscribe.extraction.record import Cell, Record, Row, cell_at
from endoscribe.extraction.verification.values import ValueFitError, claims_nothing, typed_value
from endoscribe.procedures.schema import FieldSchema, ProcedureSchema

#: `confirm`: the value is right as it stands; `not_stated`: the report says nothing of it; `not_done`: it was left out.
EditKind = Literal["set", "confirm", "not_stated", "not_done", "add_row", "remove_row"]
ROW_KINDS = frozenset({"add_row", "remove_row"})
NOT_DONE = "not done"
MOST_TABLE_ROWS = 200
LONGEST_VALUE = 4000


@dataclass(frozen=True, slots=True)
class Edit:
    """One step of a clinician: `target` is a field, `polyps.size_mm` with a row, or a table for its rows."""

    kind: EditKind
    target: str
    at: datetime
    row: int | None = None
    value: Value | None = None


def validate_edit(change: Edit, record: Record, schema: ProcedureSchema) -> Edit:
    """The step with its value typed; raises ReviewError where there is no such cell or the value does not fit."""
    if change.kind in ROW_KINDS:
        return _checked_rows(change, record, schema)
    field = schema.target_index.get(change.target)
    table = change.target.partition(".")[0]
    rows = len(record.tables.get(table, ()))
    if field is None or (change.row is None) is ("." in change.target):
        raise ReviewError("This report has no such field.")
    if change.row is not None and not 0 <= change.row < rows:
        raise ReviewError("This row is not there any more.")
    if change.kind == "confirm":
        return _confirmable(change, record)
    return replace(change, value=_fitting(change.value, field) if change.kind == "set" else None)


def _checked_rows(change: Edit, record: Record, schema: ProcedureSchema) -> Edit:
    rows = len(record.tables.get(change.target, ()))
    if change.target not in schema.tables:
        raise ReviewError("This report has no such table.")
    if change.kind == "add_row" and rows >= MOST_TABLE_ROWS:
        raise ReviewError(f"A table has {MOST_TABLE_ROWS} rows at most.")
    if change.kind == "remove_row" and (change.row is None or not 0 <= change.row < rows):
        raise ReviewError("This row is not there any more.")
    return replace(change, value=None)


def _confirmable(change: Edit, record: Record) -> Edit:
    cell = cell_at(record, change.target, change.row)
    if cell is None or cell.value is None:
        raise ReviewError("There is no value to confirm here; enter one.")
    return replace(change, value=cell.value)


def _fitting(value: Value | None, field: FieldSchema) -> Value:
    if value is None or claims_nothing(value, field) or len(str(value)) > LONGEST_VALUE:
        raise ReviewError("Enter a value, or choose “not stated”.")
    try:
        return typed_value(value, field)
    except ValueFitError as error:
        raise ReviewError(str(error)) from error


def apply_edit(change: Edit, record: Record, schema: ProcedureSchema) -> Record:
    """One step on a record; a step on what a newer schema no longer has does nothing."""
    if change.kind in ROW_KINDS:
        return _with_rows(change, record)
    if change.target not in schema.target_index:
        return record
    old = cell_at(record, change.target, change.row)
    new = _edited(change, old, schema.target_index[change.target])
    if change.row is None:
        return replace(record, fields=_put(record.fields, change.target, new))
    table, _, column = change.target.partition(".")
    rows = list(record.tables.get(table, ()))
    rows[change.row] = _put(rows[change.row], column, new)
    return replace(record, tables={**record.tables, table: tuple(rows)})


def _with_rows(change: Edit, record: Record) -> Record:
    rows = list(record.tables.get(change.target, ()))
    if change.kind == "add_row":
        rows.append({})
    elif change.row is not None:
        del rows[change.row]
    tables = {**record.tables, change.target: tuple(rows)}
    return replace(record, tables={name: kept for name, kept in tables.items() if kept})


def _put(row: Mapping[str, Cell], name: str, cell: Cell | None) -> Row:
    changed = {key: value for key, value in row.items() if key != name or cell is not None}
    return changed if cell is None else {**changed, name: cell}


def _edited(change: Edit, old: Cell | None, field: FieldSchema) -> Cell | None:
    """The cell that a person has decided on; it keeps the words that were heard and names what had been read."""
    if change.kind == "not_stated":
        return None
    value = change.value if change.kind != "not_done" else None
    before = _before(old, value, field)
    empty = Cell(None, field.unit, "", None, "absent", "edited")
    as_dictated = NOT_DONE if change.kind == "not_done" else _dictated(old)
    support = old.support if old and old.value == value else None
    return replace(old or empty, value=value, as_dictated=as_dictated, status="edited", problem=before, support=support)


def _dictated(old: Cell | None) -> str:
    """What was said of the cell; that it was not done is what a person has said."""
    if old is None:
        return ""
    if is_not_done(old):
        return old.evidence.quote if old.evidence else ""
    return old.as_dictated


def _before(old: Cell | None, value: Value | None, field: FieldSchema) -> str | None:
    """What the reader had read, unless that is what stands there now."""
    if old is None or old.status == "edited":
        return old.problem if old else None
    if old.value is None:
        return f"read as “{old.as_dictated}”"
    return None if old.value == value else f"read as {label(old.value, field)}"


def label(value: Value, field: FieldSchema) -> str:
    """A value in the field's words."""
    return ", ".join(map(field.value_words, value)) if isinstance(value, tuple) else field.value_words(value)


def is_not_done(cell: Cell) -> bool:
    return cell.status == "edited" and cell.value is None


def value_and_quote(cell: Cell | None) -> Value | str | None:
    if cell is None:
        return None
    return NOT_DONE if is_not_done(cell) else cell.value


def is_left_out(gap: str, record: Record) -> bool:
    """Whether a person has said that what is missing was not done, in every row that lacks it."""
    table, _, column = gap.partition(".")
    if not column:
        return gap in record.fields and is_not_done(record.fields[gap])
    found = [row.get(column) for row in record.tables.get(table, ()) if row]
    lacking = [cell for cell in found if cell is None or cell.value is None]
    return bool(lacking) and all(cell is not None and is_not_done(cell) for cell in lacking)
