"""A record in the reading order of its schema, with every value in words; what all outputs share."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from endoscribe.extraction.labels import value_text
from endoscribe.extraction.record import Cell, Record, Row, UnfiledSentence, without_empty_rows
from endoscribe.procedures.expressions import Value, expression
from endoscribe.procedures.schema import Derived, FieldSchema, ProcedureSchema, TableSchema
from endoscribe.review.signature import Signature

DRAFT = "DRAFT. Made by software from a dictation; not reviewed or signed by a clinician."

#: Control characters, halves of surrogate pairs and non-characters.
UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")
#: Heads what stands in no cell, in the speaker's words.
UNFILED_TITLE = "Said, but not in the report"
#: What is added to a value that a reader must not take for a fact.
#: Of a plausible value, where it is shown at all.
NOT_CHECKED = "words found; meaning not checked"
STATUS_WORDS = {
    "ok": "",
    "unsupported": "not confirmed by the recording",
    "invalid": "not valid",
    "edited": "edited",
}


def standing_line(record: Record, signature: Signature | None = None) -> str:
    """The first line of every output: a draft or who signed, with the reader that really answered."""
    if signature is None:
        return f"{DRAFT} Read by {reader_name(record)}."
    when = f"{signature.at:%Y-%m-%d %H:%M} UTC"
    return f"Signed by {signature.name}, {when}. Read by {reader_name(record)}. SHA-256 {signature.sha256}."


def reader_name(record: Record) -> str:
    """Who read, in a sentence."""
    return "the offline reader" if record.extractor == "offline" else record.extractor


def as_signed(record: Record) -> Record:
    """The record as a signed note gives it: what a person has decided on stands there without remarks."""
    tables = {name: tuple(map(_row_as_signed, rows)) for name, rows in record.tables.items()}
    return replace(record, fields=_row_as_signed(record.fields), tables=tables)


def _row_as_signed(row: Row) -> Row:
    return {
        name: replace(cell, status="ok", problem=None) if cell.status == "edited" else cell
        for name, cell in row.items()
    }


@dataclass(frozen=True)
class ReportLine:
    """A field of a section; `cell` is None when it was not stated."""

    field: FieldSchema
    cell: Cell | None
    is_gap: bool


@dataclass(frozen=True)
class Computed:
    """A derived value that nobody dictated."""

    id: str
    rule: Derived
    value: Value


@dataclass(frozen=True)
class Grid:
    """A table; `columns` are those that some row states or that a complete row needs."""

    table: TableSchema
    columns: tuple[FieldSchema, ...]
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class ReportPart:
    """A section of the report."""

    id: str
    label: str
    lines: tuple[ReportLine, ...]
    computed: tuple[Computed, ...]
    grids: tuple[Grid, ...]


def outline(record: Record, schema: ProcedureSchema, *, with_empty_tables: bool = False) -> tuple[ReportPart, ...]:
    """The sections in the schema's order, without those to which nothing belongs.

    Tables without rows are left out, or given `with_empty_tables`, where rows can be added.
    """
    parts = (_part(section, label, record, schema, with_empty_tables) for section, label in schema.sections.items())
    return tuple(part for part in parts if part.lines or part.computed or part.grids)


def remark(cell: Cell) -> str:
    """What a reader must know besides the value: why it is doubtful, or what else was said."""
    words = STATUS_WORDS[cell.status]
    problem = (cell.problem or "").rstrip(".")
    if cell.heard_also:
        problem = f"{problem}; heard also: {cell.heard_also}" if problem else f"heard also: {cell.heard_also}"
    return f"{words}: {problem}" if words and problem else words or problem


def with_remark(cell: Cell, field: FieldSchema) -> str:
    """The value in words, with what is doubtful about it in brackets."""
    text, words = value_text(cell, field), remark(cell)
    return f"{text} ({words})" if words else text


def as_written(record: Record, schema: ProcedureSchema) -> Record:
    """The record as an output gives it; an empty row stays on the page only, where it can be filled."""
    return without_empty_rows(fitted(record, schema))


def fitted(record: Record, schema: ProcedureSchema) -> Record:
    """The record without what the schema no longer has: it may have been made with an earlier version."""
    tables = {
        name: tuple(
            {column: cell for column, cell in row.items() if column in schema.tables[name].columns} for row in rows
        )
        for name, rows in record.tables.items()
        if name in schema.tables
    }
    return replace(
        record,
        fields={name: cell for name, cell in record.fields.items() if name in schema.fields},
        tables=tables,
        derived={name: value for name, value in record.derived.items() if name in schema.derived},
        gaps=tuple(gap for gap in record.gaps if gap in schema.target_index or gap in schema.tables),
    )


def printable(text: str) -> str:
    """The text without what neither XML nor FHIR can hold; a sign shows where something was."""
    return UNPRINTABLE.sub("\ufffd", text)


def spoken(sentence: UnfiledSentence) -> str:
    """What was said, marked as the speaker's own words."""
    return f"“{sentence.text}”"


def clock(seconds: float) -> str:
    """83.4 -> 1:23"""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def _part(section: str, label: str, record: Record, schema: ProcedureSchema, with_empty_tables: bool) -> ReportPart:
    lines = tuple(
        ReportLine(field, record.fields.get(name), name in record.gaps)
        for name, field in schema.fields.items()
        if field.section == section
    )
    grids = tuple(
        Grid(table, _columns(table, record.tables.get(name, ())), record.tables.get(name, ()))
        for name, table in schema.tables.items()
        if table.section == section and (with_empty_tables or record.tables.get(name))
    )
    return ReportPart(section, label, lines, tuple(_computed(section, record, schema)), grids)


def _columns(table: TableSchema, rows: tuple[Row, ...]) -> tuple[FieldSchema, ...]:
    return tuple(
        column for name, column in table.columns.items() if column.level == "M" or any(name in row for row in rows)
    )


def _computed(section: str, record: Record, schema: ProcedureSchema) -> Iterator[Computed]:
    """Derived values of the section of their first field; one that was dictated, too, stands there already."""
    for name, rule in schema.derived.items():
        is_dictated = rule.compare is not None and rule.compare in record.fields
        if name in record.derived and not is_dictated and _section_of(rule, schema) == section:
            yield Computed(name, rule, record.derived[name])


def _section_of(rule: Derived, schema: ProcedureSchema) -> str:
    sections: Mapping[str, str] = {
        **{name: table.section for name, table in schema.tables.items()},
        **{name: field.section or "" for name, field in schema.fields.items()},
    }
    found = (sections.get(name.partition(".")[0]) for name in (rule.compare or "", *expression(rule.expression).names))
    return next((section for section in found if section), next(iter(schema.sections)))
