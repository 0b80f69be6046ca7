"""What a clinician makes of a reading: edits, sign-off, and the versions that come of them.

Values and pure functions only. The reader's record is never changed: a version holds it with the edits over it, so that
what was read stays visible and every step can be taken back. A signed version is kept as it was signed; what is edited
afterwards is the next version. A later reading waits until somebody decides about it.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Literal

from pydantic_core import to_json

from endoscribe.errors import ReviewError
from endoscribe.extraction import grounding
from endoscribe.extraction.claims import Value
from endoscribe.extraction.record import Cell, Record, Row
from endoscribe.extraction.values import ValueFitError, claims_nothing, typed_value
from endoscribe.procedures.checks import Severity, Verdict
from endoscribe.procedures.schema import FieldSchema, ProcedureSchema

#: `confirm`: the value is right as it stands; `not_stated`: the report says nothing of it; `not_done`: it was left out.
Kind = Literal["set", "confirm", "not_stated", "not_done", "add_row", "remove_row"]
ROW_KINDS = frozenset({"add_row", "remove_row"})
NOT_DONE = "not done"
MOST_ROWS = 200
LONGEST_VALUE = 4000
LONGEST_NAME = 200


@dataclass(frozen=True, slots=True)
class Edit:
    """One step of a clinician: `target` is a field, `polyps.size_mm` with a row, or a table for its rows."""

    kind: Kind
    target: str
    at: datetime
    row: int | None = None
    value: Value | None = None


@dataclass(frozen=True)
class Signature:
    """Who signed when, what exactly was signed, and the `signed_digest` of all three."""

    name: str
    at: datetime
    sha256: str
    record: Record

    @property
    def is_intact(self) -> bool:
        """Whether what is stored is what was signed; the first signatures covered the record alone."""
        return self.sha256 in (signed_digest(self.record, self.name, self.at), digest(self.record))


@dataclass(frozen=True)
class Reading:
    """What a reader made of the transcript; `second` is what another reader made of the same text."""

    record: Record
    second: Record | None = None


@dataclass(frozen=True)
class Version:
    """A reading with edits; the first `inherited` edits come from the version before and are not undone here."""

    number: int
    reading: Reading
    edits: tuple[Edit, ...] = ()
    inherited: int = 0
    signature: Signature | None = None
    #: A signature that does not match what is stored; the version counts as a draft.
    broken: Signature | None = None
    #: The new reading as it was read, where the inherited edits were made on an earlier one and are not signed since.
    reread: Record | None = None

    @property
    def can_undo(self) -> bool:
        return self.signature is None and len(self.edits) > self.inherited


@dataclass(frozen=True)
class Review:
    """All versions, the latest last, and a later reading that nobody has decided on yet."""

    versions: tuple[Version, ...]
    waiting: Reading | None = None

    @property
    def latest(self) -> Version:
        return self.versions[-1]

    @property
    def revision(self) -> str:
        """Differs between any two states that somebody may look at; an edit names the one that it was made on."""
        return hashlib.sha256(to_json(self)).hexdigest()[:16]

    def version(self, number: int) -> Version:
        """Raises ReviewError for a number that there is not."""
        found = next((version for version in self.versions if version.number == number), None)
        if found is None:
            raise ReviewError(f"There is no version {number} of this report.")
        return found


@dataclass(frozen=True)
class Doubt:
    """A cell or a rule that a person must look at before signing; `target` is None for a rule."""

    severity: Severity
    message: str
    target: str | None = None
    row: int | None = None
    verdict: Verdict | None = None


@dataclass(frozen=True)
class Difference:
    """A cell that two records give differently; None where one says nothing of it."""

    target: str
    row: int | None
    left: Cell | None
    right: Cell | None


# -- readings --------------------------------------------------------------------------------------------------------


def receive(review: Review | None, reading: Reading) -> Review:
    """The review with a new reading: it takes the place of one that nobody has touched, otherwise it waits."""
    if review is None:
        return Review((Version(1, reading),))
    latest = review.latest
    if latest.reading.record == reading.record:
        return replace(review, waiting=None)
    if latest.edits or latest.signature:
        return replace(review, waiting=reading)
    return Review((*review.versions[:-1], replace(latest, reading=reading)))


def take_waiting(review: Review, *, keep_edits: bool) -> Review:
    """A new version on the waiting reading, with the edits so far or without them."""
    if review.waiting is None:
        raise ReviewError("There is no new reading to decide on.")
    latest, reading = review.latest, review.waiting
    if keep_edits and reading.record.procedure != latest.reading.record.procedure:
        raise ReviewError("Your edits belong to another procedure's report; take the new reading without them.")
    edits = latest.edits if keep_edits else ()
    reread = reading.record if edits else None
    if keep_edits:
        reading = replace(reading, record=_with_edited_tables(reading.record, latest))
    version = Version(latest.number + 1, reading, edits, len(edits), reread=reread)
    return Review((*review.versions, version))


def leave_waiting(review: Review) -> Review:
    """The report stays as it is; the new reading is dropped."""
    return replace(review, waiting=None)


def without_places(review: Review) -> Review:
    """For another transcript: what was read and edited stays, but points nowhere any more. Signatures stay whole."""
    return replace(review, versions=tuple(map(_version_without_places, review.versions)), waiting=None)


# -- edits -----------------------------------------------------------------------------------------------------------


def edit(review: Review, change: Edit, schema: ProcedureSchema) -> Review:
    """The review with one more step, in a new version after a signature; raises ReviewError if it cannot be."""
    latest = review.latest
    change = _checked(change, current(latest, schema), schema)
    if latest.signature:
        version = Version(latest.number + 1, latest.reading, (*latest.edits, change), len(latest.edits))
        return replace(review, versions=(*review.versions, version))
    return _with_latest(review, replace(latest, edits=(*latest.edits, change)))


def undo(review: Review) -> Review:
    """The review without the last step of this version; raises ReviewError when there is none."""
    if not review.latest.can_undo:
        raise ReviewError("There is nothing to undo in this version.")
    return _with_latest(review, replace(review.latest, edits=review.latest.edits[:-1]))


def sign(review: Review, name: str, at: datetime, schema: ProcedureSchema) -> Review:
    """The latest version, signed as it is now; raises ReviewError without a name, twice, or while a reading waits."""
    name = " ".join(name.split())
    if not name or len(name) > LONGEST_NAME:
        raise ReviewError("Sign with your name, please.")
    if review.latest.signature:
        raise ReviewError("This version is signed already.")
    if review.waiting:
        raise ReviewError("Decide about the new reading first; then sign.")
    record = current(review.latest, schema)
    signature = Signature(name, at, signed_digest(record, name, at), record)
    return _with_latest(review, replace(review.latest, signature=signature, broken=None))


def verified(review: Review) -> Review:
    """The review as it may be shown: a signature that does not match what it is said to have signed is none."""
    if all(version.signature is None or version.signature.is_intact for version in review.versions):
        return review
    return replace(review, versions=tuple(map(_without_broken_signature, review.versions)))


def _without_broken_signature(version: Version) -> Version:
    if version.signature is None or version.signature.is_intact:
        return version
    return replace(version, signature=None, broken=version.signature)


def current(version: Version, schema: ProcedureSchema) -> Record:
    """The version's record: as it was signed, or the reading with the edits, its checks and gaps computed anew."""
    if version.signature:
        return version.signature.record
    if not version.edits:
        return version.reading.record
    record = version.reading.record
    for change in version.edits:
        record = _applied(change, record, schema)
    record = grounding.review(record, schema)
    return replace(record, gaps=tuple(gap for gap in record.gaps if not _is_left_out(gap, record)))


def digest(record: Record) -> str:
    """SHA-256 of the record's JSON with sorted keys, without spaces, as UTF-8."""
    return _sha256(record.to_json())


def signed_digest(record: Record, name: str, at: datetime) -> str:
    """The same of `{"at": ..., "name": ..., "record": ...}`: what was signed, by whom, and when (ISO 8601, UTC)."""
    return _sha256({"record": record.to_json(), "name": name, "at": at.astimezone(UTC).isoformat()})


def _sha256(value: object) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def is_not_done(cell: Cell) -> bool:
    return cell.status == "edited" and cell.value is None


def original_row(version: Version, table: str, row: int) -> int | None:
    """Which row of the reading a row of the edited table was; None for one that was added."""
    rows: list[int | None] = list(range(len(version.reading.record.tables.get(table, ()))))
    for change in version.edits:
        if change.target == table and change.kind == "add_row":
            rows.append(None)
        elif change.target == table and change.kind == "remove_row" and change.row is not None:
            del rows[change.row]
    return rows[row] if row < len(rows) else None


# -- what to look at -------------------------------------------------------------------------------------------------


def doubts(record: Record, schema: ProcedureSchema, second: Record | None = None) -> tuple[Doubt, ...]:
    """What needs a person's eyes: cells that cannot be relied on, readers that disagree, rules that are broken."""
    found = [*_doubtful_cells(record, schema), *_disagreements(record, second, schema)]
    found += [Doubt(v.severity, v.message, verdict=v) for v in record.checks if v.severity != "info"]
    return tuple(sorted(found, key=lambda doubt: doubt.severity != "error"))


def cells(record: Record) -> Iterator[tuple[str, int | None, Cell]]:
    """Every cell with its target and row, in the record's order."""
    for target, cell in record.fields.items():
        yield target, None, cell
    for table, rows in record.tables.items():
        for index, row in enumerate(rows):
            for column, cell in row.items():
                yield f"{table}.{column}", index, cell


def cell_at(record: Record, target: str, row: int | None) -> Cell | None:
    if row is None:
        return record.fields.get(target)
    table, _, column = target.partition(".")
    rows = record.tables.get(table, ())
    return rows[row].get(column) if 0 <= row < len(rows) else None


def differences(left: Record, right: Record) -> tuple[Difference, ...]:
    """The cells whose value differs, those of the left record first in their order."""
    before = {(target, row): cell for target, row, cell in cells(left)}
    after = {(target, row): cell for target, row, cell in cells(right)}
    pairs = ((key, before.get(key), after.get(key)) for key in dict.fromkeys([*before, *after]))
    return tuple(Difference(*key, one, other) for key, one, other in pairs if _said(one) != _said(other))


# -- steps -----------------------------------------------------------------------------------------------------------


def _checked(change: Edit, record: Record, schema: ProcedureSchema) -> Edit:
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
    if change.kind == "add_row" and rows >= MOST_ROWS:
        raise ReviewError(f"A table has {MOST_ROWS} rows at most.")
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


def _applied(change: Edit, record: Record, schema: ProcedureSchema) -> Record:
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
    as_dictated = NOT_DONE if change.kind == "not_done" else (old or empty).as_dictated
    return replace(old or empty, value=value, as_dictated=as_dictated, status="edited", problem=before)


def _before(old: Cell | None, value: Value | None, field: FieldSchema) -> str | None:
    """What the reader had read, unless that is what stands there now."""
    if old is None or old.status == "edited":
        return old.problem if old else None
    if old.value is None:
        return f"read as “{old.as_dictated}”"
    return None if old.value == value else f"read as {label(old.value, field)}"


def label(value: Value, field: FieldSchema) -> str:
    """A value in the field's words."""
    return ", ".join(map(field.value_label, value)) if isinstance(value, tuple) else field.value_label(value)


def _is_left_out(gap: str, record: Record) -> bool:
    """Whether a person has said that what is missing was not done, in every row that lacks it."""
    table, _, column = gap.partition(".")
    if not column:
        return gap in record.fields and is_not_done(record.fields[gap])
    lacking = [row.get(column) for row in record.tables.get(table, ()) if _said(row.get(column)) is None]
    return bool(lacking) and all(cell is not None and is_not_done(cell) for cell in lacking)


def _said(cell: Cell | None) -> Value | str | None:
    if cell is None:
        return None
    return NOT_DONE if is_not_done(cell) else cell.value


def _with_latest(review: Review, version: Version) -> Review:
    return replace(review, versions=(*review.versions[:-1], version))


def _with_edited_tables(record: Record, version: Version) -> Record:
    """Rows are edited by number: a table that somebody has edited stays the one that they saw."""
    edited = {change.target.partition(".")[0] for change in version.edits if _is_of_table(change)}
    old = version.reading.record.tables
    tables = {name: rows for name, rows in record.tables.items() if name not in edited}
    return replace(record, tables=tables | {name: rows for name, rows in old.items() if name in edited})


def _is_of_table(change: Edit) -> bool:
    return change.kind in ROW_KINDS or "." in change.target


def _version_without_places(version: Version) -> Version:
    reread = version.reread and _record_without_places(version.reread)
    return replace(version, reading=_reading_without_places(version.reading), reread=reread)


def _reading_without_places(reading: Reading) -> Reading:
    second = reading.second and _record_without_places(reading.second)
    return Reading(_record_without_places(reading.record), second)


def _record_without_places(record: Record) -> Record:
    tables = {name: tuple(map(_row_without_places, rows)) for name, rows in record.tables.items()}
    return replace(record, fields=_row_without_places(record.fields), tables=tables)


def _row_without_places(row: Row) -> Row:
    return {name: replace(cell, evidence=None) for name, cell in row.items()}


# -- doubts ----------------------------------------------------------------------------------------------------------


def _doubtful_cells(record: Record, schema: ProcedureSchema) -> Iterator[Doubt]:
    for target, row, cell in cells(record):
        if target not in schema.target_index:
            continue
        if cell.status == "invalid":
            yield Doubt("error", cell.problem or "This value is not valid.", target, row)
        elif cell.status == "unsupported":
            yield Doubt("warning", cell.problem or "This was not found in the recording.", target, row)
        elif cell.status == "ok" and cell.problem:
            yield Doubt("warning", cell.problem, target, row)


def _disagreements(record: Record, second: Record | None, schema: ProcedureSchema) -> Iterator[Doubt]:
    """Cells that both readers rely on with different values; rows only where both found equally many."""
    if second is None:
        return
    for target, row, cell in cells(record):
        other = cell_at(second, target, row)
        table = target.partition(".")[0]
        same_rows = row is None or len(record.tables[table]) == len(second.tables.get(table, ()))
        both = other is not None and cell.status == other.status == "ok" and same_rows
        if both and other and other.value is not None and cell.value != other.value and target in schema.target_index:
            said = label(other.value, schema.target_index[target])
            yield Doubt("warning", f"The other reader read {said}.", target, row)
