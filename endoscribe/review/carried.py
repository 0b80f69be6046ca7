"""Edits that were kept over a new reading: where that reading says something else than the person."""

from collections.abc import Iterator
from dataclasses import replace

from endoscribe.extraction.labels import target_label, value_text
from endoscribe.extraction.record import Cell, Record
from endoscribe.procedures.schema import ProcedureSchema
from endoscribe.review.differences import Difference, differences
from endoscribe.review.edits import ROW_KINDS, Edit, is_not_done, steps_of
from endoscribe.review.flags import Flag
from endoscribe.review.versions import Version, current_record

MOST_NAMED = 6


def carried_edits(version: Version) -> tuple[Edit, ...]:
    """The steps that were made on an earlier reading than the version's."""
    earlier = version.edits[: version.inherited] if version.reread else ()
    return tuple(step for change in earlier for step in steps_of(change) if change.kind not in ("keep_text", "dismiss"))


def carried_edit(version: Version, target: str, row: int | None) -> Edit | None:
    """The last step on a cell, where it was made on an earlier reading."""
    if _table(target) in _own_tables(version):
        return None
    place = (target, row)
    if any((change.target, change.row) == place for change in _own_edits(version)):
        return None
    return next((change for change in reversed(carried_edits(version)) if (change.target, change.row) == place), None)


def carried_flags(version: Version, schema: ProcedureSchema) -> tuple[Flag, ...]:
    """Where the new reading differs from what a person had entered, until they look at it again or sign."""
    if version.reread is None or version.signature:
        return ()
    record = current_record(version, schema)
    return (*_fields(version, record, version.reread, schema), *_tables(version, record, version.reread, schema))


def _own_edits(version: Version) -> tuple[Edit, ...]:
    return tuple(step for change in version.edits[version.inherited :] for step in steps_of(change))


def _own_tables(version: Version) -> frozenset[str]:
    """The tables of which rows or cells were edited in this version itself."""
    own = _own_edits(version)
    return frozenset(_table(change.target) for change in own if change.kind in ROW_KINDS or "." in change.target)


def _fields(version: Version, record: Record, reread: Record, schema: ProcedureSchema) -> Iterator[Flag]:
    for target in dict.fromkeys(change.target for change in carried_edits(version)):
        read = reread.fields.get(target)
        if read is None or target not in schema.fields or carried_edit(version, target, None) is None:
            continue
        mine = record.fields.get(target)
        if mine is None or is_not_done(mine) or mine.value != read.value:
            said = value_text(read, schema.fields[target])
            yield Flag("warning", f"{_standing(mine)} The new reading says: {said}.", target)


def _standing(mine: Cell | None) -> str:
    return "You had set this to “not stated”." if mine is None else "This is your value, entered before."


def _tables(version: Version, record: Record, reread: Record, schema: ProcedureSchema) -> Iterator[Flag]:
    """Rows are kept whole where a person has edited one, so that the new reading's are not shown at all."""
    touched = {_table(change.target) for change in carried_edits(version)} - _own_tables(version)
    for table in schema.tables:
        if table not in touched:
            continue
        changed = differences(_only(record, table), _only(reread, table))
        if changed:
            named = "; ".join(_said(each, schema) for each in changed[:MOST_NAMED])
            more = f"; and {len(changed) - MOST_NAMED} more" if len(changed) > MOST_NAMED else ""
            yield Flag("warning", f"These rows are yours, from before. The new reading says: {named}{more}.", table)


def _only(record: Record, table: str) -> Record:
    rows = record.tables.get(table)
    return replace(record, fields={}, tables={table: rows} if rows else {})


def _said(difference: Difference, schema: ProcedureSchema) -> str:
    field = schema.target_index.get(difference.target)
    read = difference.right
    said = value_text(read, field) if read and field else "not stated"
    row = "" if difference.row is None else f" ({difference.row + 1})"
    return f"{target_label(difference.target, schema)}{row} {said}"


def _table(target: str) -> str:
    return target.partition(".")[0]
