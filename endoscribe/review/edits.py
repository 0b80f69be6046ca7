"""The steps of a clinician on a record: whether one fits, and the record after it.

Pure functions; the record that a step is made on is never changed, and versions are no business of theirs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from endoscribe.errors import ReviewError
from endoscribe.extraction.claims import Value
from endoscribe.extraction.record import Cell, Evidence, Record, Row, UnfiledSentence, cell_at, cells
from endoscribe.extraction.verification.values import ValueFitError, claims_nothing, typed_value
from endoscribe.procedures.schema import FieldSchema, ProcedureSchema
from endoscribe.review.context import context_pairs

#: `confirm`: the value is right as it stands; `not_stated`: the report says nothing of it; `not_done`: it was left out.
#: `normal`: a sentence of the schema's `normals` is stated; `context`: who and where, which is no cell.
#: `file`, `keep_text`, `dismiss` decide on a sentence that stands in no cell: cells, a section, not for the report.
EditKind = Literal[
    "set", "confirm", "not_stated", "not_done", "add_row", "remove_row",
    "normal", "context", "file", "keep_text", "dismiss",
]  # fmt: skip
ROW_KINDS = frozenset({"add_row", "remove_row"})
SENTENCE_KINDS = frozenset({"file", "keep_text", "dismiss"})
NOT_DONE = "not done"
#: Marks a value that a clinician has stated with one click and nobody has dictated.
STATED_NORMAL = "stated as normal by the clinician, not dictated"
MOST_TABLE_ROWS = 200
LONGEST_VALUE = 4000


@dataclass(frozen=True, slots=True)
class FiledCell:
    """A value that a sentence gives to a field, or to a column in the row of its step."""

    target: str
    value: Value


@dataclass(frozen=True, slots=True)
class Edit:
    """One step of a clinician: `target` is a field, `polyps.size_mm` with a row, a table for its rows, or a section.

    With `normal` it is a sentence's id; what `context` gives are pairs in its value. `evidence` is the sentence that a
    step decides on; filing it fills `cells`, in a new row where it `adds_row`.
    """

    kind: EditKind
    target: str
    at: datetime
    row: int | None = None
    value: Value | None = None
    evidence: Evidence | None = None
    cells: tuple[FiledCell, ...] = ()
    adds_row: bool = False


def steps_of(change: Edit) -> tuple[Edit, ...]:
    """A step as steps on single cells and rows."""
    if change.kind != "file":
        return (change,)
    row = [Edit("add_row", change.target, change.at)] if change.adds_row else []
    sets = (Edit("set", each.target, change.at, change.row, each.value, change.evidence) for each in change.cells)
    return (*row, *sets)


def validate_edit(change: Edit, record: Record, schema: ProcedureSchema) -> Edit:
    """The step with its value typed; raises ReviewError where there is no such cell or the value does not fit."""
    if change.kind in ROW_KINDS:
        return _checked_rows(change, record, schema)
    if change.kind == "context":
        return replace(change, target="context", row=None, value=context_pairs(change.value))
    if change.kind == "normal":
        return _stated_normal(change, record, schema)
    if change.kind in SENTENCE_KINDS:
        return _checked_sentence(change, record, schema)
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


def _stated_normal(change: Edit, record: Record, schema: ProcedureSchema) -> Edit:
    """The step with what it enters, so that it stays what it was whatever the schema says later."""
    normal = schema.normals.get(change.target)
    if normal is None:
        raise ReviewError("This report has no such sentence.")
    table = next((name for name in normal.without if record.tables.get(name)), None)
    if table:
        raise ReviewError(f"The report says otherwise: {schema.tables[table].label}.")
    entered = {name: typed_value(value, schema.fields[name]) for name, value in normal.sets.items()}
    for name, value in entered.items():
        if name in record.fields and record.fields[name].value != value:
            raise ReviewError(f"The report says otherwise: {schema.fields[name].label}.")
    left = [name for name in entered if name not in record.fields]
    if not left:
        raise ReviewError("All of this is stated already.")
    return replace(change, row=None, value=tuple(f"{name}={_written(entered[name])}" for name in left))


def _written(value: Value) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _with_normal(change: Edit, record: Record, schema: ProcedureSchema) -> Record:
    """The record with what a sentence enters; what is stated meanwhile stays as it is."""
    fields = dict(record.fields)
    for pair in change.value if isinstance(change.value, tuple) else ():
        name, _, written = pair.partition("=")
        field = schema.fields.get(name)
        if field is None or name in fields:
            continue
        try:
            value = typed_value(written, field)
        except ValueFitError:
            continue  # the schema has another type for it now
        fields[name] = Cell(value, field.unit, "", None, "absent", "edited", STATED_NORMAL)
    return replace(record, fields=fields)


def _checked_sentence(change: Edit, record: Record, schema: ProcedureSchema) -> Edit:
    """A decision on a sentence, with the row that it fills."""
    if change.evidence is None:
        raise ReviewError("This sentence is not on the list any more.")
    if change.kind == "dismiss":
        return replace(change, target="")
    if change.kind == "keep_text":
        if change.target not in schema.sections:
            raise ReviewError("This report has no such section.")
        return change
    return _checked_filing(change, record, schema)


def _checked_filing(change: Edit, record: Record, schema: ProcedureSchema) -> Edit:
    tables = {each.target.partition(".")[0] if "." in each.target else None for each in change.cells}
    if len(tables) != 1 or any(each.target not in schema.target_index for each in change.cells):
        raise ReviewError("This report has no such field.")
    (table,) = tables
    rows = len(record.tables.get(table, ())) if table else 0
    adds_row = table is not None and change.row is None
    if adds_row and rows >= MOST_TABLE_ROWS:
        raise ReviewError(f"A table has {MOST_TABLE_ROWS} rows at most.")
    if change.row is not None and not (table and 0 <= change.row < rows):
        raise ReviewError("This row is not there any more.")
    cells = tuple(replace(each, value=_fitting(each.value, schema.target_index[each.target])) for each in change.cells)
    row = rows if adds_row else change.row
    return replace(change, target=table or cells[0].target, row=row, cells=cells, adds_row=adds_row)


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
    if change.kind in SENTENCE_KINDS:
        steps = steps_of(change) if change.kind == "file" else ()
        for step in steps:
            record = apply_edit(step, record, schema)
        return record
    if change.kind in ROW_KINDS:
        return _with_rows(change, record)
    if change.kind == "normal":
        return _with_normal(change, record, schema)
    if change.kind == "context" or change.target not in schema.target_index:
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
    if change.evidence:
        return _filed(change, change.evidence, old, field)
    value = change.value if change.kind != "not_done" else None
    before = _before(old, value, field)
    empty = Cell(None, field.unit, "", None, "absent", "edited")
    as_dictated = NOT_DONE if change.kind == "not_done" else _dictated(old)
    support = old.support if old and old.value == value else None
    return replace(old or empty, value=value, as_dictated=as_dictated, status="edited", problem=before, support=support)


def _filed(change: Edit, said: Evidence, old: Cell | None, field: FieldSchema) -> Cell:
    """A cell that rests on the sentence; one that takes it in beside its own words keeps these, too."""
    both = old is not None and old.evidence is not None and field.type in ("text", "multi")
    evidence = old.evidence if old and both else said
    as_dictated = f"{old.as_dictated} … {said.quote}" if old and both else said.quote
    return Cell(change.value, old.unit if old else field.unit, as_dictated, evidence, "exact", "edited")


def after_decisions(record: Record, changes: Sequence[Edit]) -> Record:
    """The record without the sentences that stand in a cell now or were dismissed, the kept ones with their section.

    A sentence whose cell was emptied again comes back: nothing that was said disappears by itself.
    """
    decided = {(said.start, said.end): change for change in changes if (said := change.evidence)}
    resting = tuple(cell for _, _, cell in cells(record) if cell.evidence)
    left = (_left(each, decided.get((each.start, each.end)), resting) for each in record.unfiled)
    return replace(record, unfiled=tuple(each for each in left if each))


def _left(sentence: UnfiledSentence, change: Edit | None, resting: Sequence[Cell]) -> UnfiledSentence | None:
    """The sentence as it stands after the last decision on it; None where it is off the list."""
    if change is None:
        return sentence
    if change.kind == "keep_text":
        return replace(sentence, section=change.target)
    stands = any(_rests_on(cell, sentence) for cell in resting)
    return None if change.kind == "dismiss" or stands else sentence


def _rests_on(cell: Cell, sentence: UnfiledSentence) -> bool:
    place = cell.evidence and (cell.evidence.start, cell.evidence.end)
    return place == (sentence.start, sentence.end) or sentence.text in cell.as_dictated.split(" … ")[1:]


def _dictated(old: Cell | None) -> str:
    """What was said of the cell; that it was not done is what a person has said."""
    if old is None:
        return ""
    if is_not_done(old):
        return old.evidence.quote if old.evidence else ""
    return old.as_dictated


def _before(old: Cell | None, value: Value | None, field: FieldSchema) -> str | None:
    """What the reader had read, unless that is what stands there now."""
    if old is None or old.problem == STATED_NORMAL:
        return None
    if old.status == "edited":
        return old.problem
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
