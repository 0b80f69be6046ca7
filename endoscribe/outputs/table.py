"""The record as HTML: one element with `data-field` a cell, quiet where nothing was said.

Everything is escaped; nothing here styles. The page's style sheet knows these classes:

    es-record, es-title            the whole, and the procedure
    es-standing                    the line that says whether it is a draft
    es-section, es-section-title   a section of the report
    es-fields                      table of a section's fields, a row each (th label, td cell)
    es-grid, es-grid-scroll        table of findings, and the box in which a wide one scrolls
    es-more                        details, told apart by data-fold: fields which nobody stated and nobody misses,
                                   tables without rows, verdicts that only inform
    es-cell                        td; with es-ok, es-unsupported, es-invalid, es-edited, es-computed or es-empty,
                                   es-fuzzy where the words were found only nearly, es-gap where a value is missing
    es-play, es-value              the value: a button where it can be heard or edited, else a span
    es-fill                        button in an empty cell that can be filled
    es-add-row, es-remove-row      buttons of a table that can be edited
    es-mark, es-remark             sign and words beside a doubtful value
    es-eyes, es-eyes-title         what needs a person's eyes, and its heading
    es-checks, es-check            list of verdicts; with es-error, es-warning, es-info or es-doubt
    es-severity, es-message, es-source, es-none
    es-show, es-confirm            buttons that lead to a doubtful cell, and that keep its value
    es-levels, es-level            what is still missing, by level; es-gaps, es-gap-item
    es-foot                        which model read, and what it took
    es-hidden                      for screen readers only

Cells carry data-field (`bbps_right`, `polyps.size_mm`), data-row (0-based, empty outside tables), data-start and
data-end (characters of the transcript), data-start-s and data-end-s (seconds), data-status; empty where there is none.
"""

from html import escape

from endoscribe.extraction.labels import plain_value, target_label, value_text
from endoscribe.extraction.record import Cell, Record, cell_at
from endoscribe.outputs.outline import (
    Computed,
    Grid,
    ReportLine,
    ReportPart,
    clock,
    outline,
    reader_name,
    remark,
    standing_line,
)
from endoscribe.outputs.sources import source_text
from endoscribe.procedures.checks import Verdict
from endoscribe.procedures.schema import FieldSchema, Level, ProcedureSchema
from endoscribe.review.flags import Flag, flags
from endoscribe.review.signature import Signature

MARKS = {"ok": "", "unsupported": "⚠", "invalid": "✕", "edited": "✎"}
SEVERITY_MARKS = {"error": "✕", "warning": "⚠", "info": "•"}
NOTHING_SIGN = "\u2013"


def render_record(
    record: Record, schema: ProcedureSchema, signature: Signature | None = None, *, editable: bool = False
) -> str:
    """The report: sections in the schema's order, each with its fields and its tables."""
    parts = "".join(_section(part, record, editable) for part in outline(record, schema, with_empty_tables=editable))
    return (
        f'<div class="es-record" data-procedure="{escape(schema.id)}" data-editable="{str(editable).lower()}">'
        f'<p class="es-standing">{escape(standing_line(record, signature))}</p>'
        f'<h2 class="es-title">{escape(schema.title)}</h2>{parts}{_foot(record)}</div>'
    )


def _foot(record: Record) -> str:
    """Who read, and what it took."""
    if record.bill is None:
        return ""
    reader = reader_name(record)
    if record.extractor == "offline":
        reader += " after a language model had failed"
    return f'<p class="es-foot">Read by {escape(reader)}: {escape(record.bill.sentence())}.</p>'


def render_checks(
    record: Record,
    schema: ProcedureSchema,
    second: Record | None = None,
    *,
    carried: tuple[Flag, ...] = (),
    editable: bool = False,
) -> str:
    """What needs a person's eyes, the gravest first, and apart from it the verdicts that only inform.

    `carried` are the doubts about edits that were kept over a new reading.
    """
    found = sorted([*carried, *flags(record, schema, second)], key=lambda doubt: doubt.severity != "error")
    informing = [_verdict(verdict, schema) for verdict in record.checks if verdict.severity == "info"]
    if not found and not informing:
        return '<p class="es-checks es-none">No contradictions found.</p>'
    items = "".join(_doubt(doubt, record, schema, editable) for doubt in found)
    eyes = (
        f'<h3 class="es-eyes-title">Needs your eyes: {len(found)}</h3><ul class="es-checks">{items}</ul>'
        if items
        else ""
    )
    informed = _fold(
        "informing", f"For your information: {len(informing)}", f'<ul class="es-checks">{"".join(informing)}</ul>'
    )
    informed = informed if informing else ""
    return f'<section class="es-eyes" aria-label="Needs your eyes">{eyes}{informed}</section>'


#: Why something is missing, by the level of the field.
LEVEL_TITLES: dict[Level, str] = {"M": "Required", "C": "Required after what was said", "O": "Optional"}


def render_checklist(record: Record, schema: ProcedureSchema, *, editable: bool = False) -> str:
    """What a complete report needs and was not said yet, by the schema's levels; buttons where it can be filled in."""
    if not record.gaps:
        return '<p class="es-gaps es-none">Everything required has been said.</p>'
    required = [name for name in (*schema.fields, *schema.tables) if _level_of(name, schema) == "M"]
    said = sum(name not in record.gaps for name in required)
    by_level = {level: [gap for gap in record.gaps if _level_of(gap, schema) == level] for level in LEVEL_TITLES}
    groups = "".join(_level(level, gaps, schema, editable) for level, gaps in by_level.items())
    return (
        f'<div class="es-levels"><p class="es-gaps-title">Not yet said: {len(record.gaps)} '
        f'<span class="es-progress">({said} of {len(required)} required fields said)</span></p>'
        f'<progress max="{len(required)}" value="{said}" aria-label="Required fields said"></progress>{groups}</div>'
    )


def _level(level: Level, gaps: list[str], schema: ProcedureSchema, editable: bool) -> str:
    if not gaps:
        return ""
    items = "".join(_gap(gap, escape(target_label(gap, schema)), editable) for gap in gaps)
    title = f"es-level-{level}"
    return (
        f'<div class="es-level" data-level="{level}"><h4 id="{title}">{LEVEL_TITLES[level]}: {len(gaps)}</h4>'
        f'<ul class="es-gaps" aria-labelledby="{title}">{items}</ul></div>'
    )


def _gap(gap: str, label: str, editable: bool) -> str:
    shown = f'<button type="button">{label}</button>' if editable else label
    return f'<li class="es-gap-item" data-gap="{escape(gap)}">{shown}</li>'


def _level_of(gap: str, schema: ProcedureSchema) -> Level:
    if gap in schema.tables:
        return schema.tables[gap].level
    return schema.target_index[gap].level if gap in schema.target_index else "O"


# -- sections --------------------------------------------------------------------------------------------------------


def _section(part: ReportPart, record: Record, editable: bool) -> str:
    shown = [line for line in part.lines if line.cell or line.is_gap]
    silent = [line for line in part.lines if not (line.cell or line.is_gap)]
    title = f"es-{escape(record.procedure)}-{escape(part.id)}"
    rows = "".join(_line(line, editable) for line in shown) + "".join(map(_computed, part.computed))
    words = [grid.table.row for grid in part.grids]
    adding = {grid.table.id: _add_row(grid, words.count(grid.table.row) == 1) for grid in part.grids if editable}
    grids = "".join(_grid(grid, editable) + adding.get(grid.table.id, "") for grid in part.grids if grid.rows)
    others = "".join(adding[grid.table.id] for grid in part.grids if editable and not grid.rows)
    more = _more(part, silent, editable) + (_fold(f"add-{part.id}", "Add a finding or a row", others) if others else "")
    return (
        f'<section class="es-section" aria-labelledby="{title}">'
        f'<h3 class="es-section-title" id="{title}">{escape(part.label)}</h3>'
        f"{_fields(part.label, rows)}{grids}{more}</section>"
    )


def _fields(label: str, rows: str) -> str:
    if not rows:
        return ""
    caption = f'<caption class="es-hidden">{escape(label)}</caption>'
    return f'<table class="es-fields">{caption}<tbody>{rows}</tbody></table>'


def _more(part: ReportPart, silent: list[ReportLine], editable: bool) -> str:
    if not silent:
        return ""
    rows = _fields(f"{part.label}: not stated", "".join(_line(line, editable) for line in silent))
    return _fold(f"more-{part.id}", f"Not stated: {len(silent)}", rows)


def _fold(name: str, summary: str, content: str) -> str:
    """Something that is open when it is asked for; the page keeps it so by its name."""
    return (
        f'<details class="es-more" data-fold="{escape(name)}"><summary>{escape(summary)}</summary>{content}</details>'
    )


def _line(line: ReportLine, editable: bool) -> str:
    cell = _cell(line.cell, line.field, line.field.id, None, is_gap=line.is_gap, editable=editable)
    return f'<tr><th scope="row">{escape(line.field.label)}</th>{cell}</tr>'


def _computed(computed: Computed) -> str:
    text = escape(plain_value(computed.value, None, computed.rule.unit))
    return (
        f'<tr><th scope="row">{escape(computed.rule.label)}</th>'
        f'<td class="es-cell es-computed" {_data(computed.id, None, None, "computed")}>'
        f'<span class="es-value">{text}</span> <span class="es-remark">computed</span></td></tr>'
    )


def _grid(grid: Grid, editable: bool) -> str:
    heads = "".join(f'<th scope="col">{escape(column.label)}</th>' for column in grid.columns)
    removing = '<th scope="col"><span class="es-hidden">Remove</span></th>' if editable else ""
    rows = "".join(_grid_row(grid, index, editable) for index in range(len(grid.rows)))
    return (
        f'<div class="es-grid-scroll" tabindex="0" role="region" aria-label="{escape(grid.table.label)}">'
        f'<table class="es-grid"><caption>{escape(grid.table.label)}</caption>'
        f'<thead><tr><th scope="col">#</th>{heads}{removing}</tr></thead><tbody>{rows}</tbody></table></div>'
    )


def _add_row(grid: Grid, is_alone: bool) -> str:
    """`is_alone`: no other table of the section calls its rows so."""
    table = escape(grid.table.id)
    what = grid.table.row if is_alone else f"{grid.table.row} ({grid.table.label})"
    return f'<button type="button" class="es-add-row" data-table="{table}">Add {escape(what)}</button>'


def _grid_row(grid: Grid, index: int, editable: bool) -> str:
    row, table = grid.rows[index], grid.table
    cells = "".join(
        _cell(
            row.get(column.id), column, f"{table.id}.{column.id}", index, is_gap=column.level == "M", editable=editable
        )
        for column in grid.columns
    )
    name = escape(f"{table.row} {index + 1}")
    remove = (
        f'<td class="es-removing"><button type="button" class="es-remove-row" data-table="{escape(table.id)}" '
        f'data-table-row="{index}" aria-label="Remove {name}" title="Remove {name}">✕</button></td>'
        if editable
        else ""
    )
    head = f'<th scope="row"><span class="es-hidden">{escape(table.row)} </span>{index + 1}</th>'
    return f"<tr>{head}{cells}{remove}</tr>"


# -- cells -----------------------------------------------------------------------------------------------------------


def _cell(cell: Cell | None, field: FieldSchema, target: str, row: int | None, *, is_gap: bool, editable: bool) -> str:
    if cell is None:
        gap = " es-gap" if is_gap else ""
        data = _data(target, row, None, "empty")
        return f'<td class="es-cell es-empty{gap}" {data}>{_nothing(field, is_gap, editable)}</td>'
    fuzzy = " es-fuzzy" if cell.grounding == "fuzzy" else ""
    data = _data(target, row, cell, cell.status)
    return f'<td class="es-cell es-{cell.status}{fuzzy}" {data}>{_value(cell, field, editable)}{_notes(cell)}</td>'


def _nothing(field: FieldSchema, is_gap: bool, editable: bool) -> str:
    """What stands in a cell of which nothing was said."""
    if not editable:
        return '<span class="es-hidden">not stated</span>'
    shown = "not stated" if is_gap else NOTHING_SIGN
    label = escape(f"{field.label}: not stated. Fill in.")
    return f'<button type="button" class="es-fill" aria-label="{label}">{shown}</button>'


def _data(target: str, row: int | None, cell: Cell | None, status: str) -> str:
    evidence = cell.evidence if cell else None
    values = {
        "field": target,
        "row": "" if row is None else str(row),
        "start": str(evidence.start) if evidence else "",
        "end": str(evidence.end) if evidence else "",
        "start-s": _seconds(evidence.start_s if evidence else None),
        "end-s": _seconds(evidence.end_s if evidence else None),
        "status": status,
    }
    return " ".join(f'data-{name}="{escape(value)}"' for name, value in values.items())


def _seconds(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds:.2f}"


def _value(cell: Cell, field: FieldSchema, editable: bool) -> str:
    text = value_text(cell, field)
    evidence = cell.evidence
    if evidence is None and not editable:
        return f'<span class="es-value">{escape(text)}</span>'
    when = f" · {clock(evidence.start_s)}" if evidence and evidence.start_s is not None else ""
    said = f"Said: {evidence.quote}{when}" if evidence else "Not heard in the recording."
    said = f"Entered by hand. {said}" if cell.status == "edited" else said
    title = f"“{evidence.quote}”{when}" if evidence else ""
    label = f"{field.label}: {text}. {said}"
    return (
        f'<button type="button" class="es-play" aria-label="{escape(label)}" title="{escape(title)}">'
        f"{escape(text)}</button>"
    )


def _notes(cell: Cell) -> str:
    words = remark(cell)
    if not words:
        return ""
    mark = MARKS[cell.status] or SEVERITY_MARKS["info"]
    return f' <span class="es-mark" aria-hidden="true">{mark}</span> <span class="es-remark">{escape(words)}</span>'


# -- checks ----------------------------------------------------------------------------------------------------------


def _verdict(verdict: Verdict, schema: ProcedureSchema) -> str:
    fields = escape(" ".join(verdict.fields))
    return (
        f'<li class="es-check es-{verdict.severity}" data-check="{escape(verdict.id)}" data-fields="{fields}">'
        f'<span class="es-mark" aria-hidden="true">{SEVERITY_MARKS[verdict.severity]}</span> '
        f'<span class="es-severity">{verdict.severity}</span> '
        f'<span class="es-message">{escape(verdict.message)}</span> {_source(verdict.source, schema)}</li>'
    )


def _source(source: str, schema: ProcedureSchema) -> str:
    """What the rule rests on, by title; the schema's own tag is there for who points at it."""
    return f'<span class="es-source" title="{escape(source)}">{escape(source_text(source, schema))}</span>'


def _doubt(doubt: Flag, record: Record, schema: ProcedureSchema, editable: bool) -> str:
    if doubt.verdict:
        return _verdict(doubt.verdict, schema)
    target, row = doubt.target or "", doubt.row
    cell = cell_at(record, target, row)
    where = target_label(target, schema) + ("" if row is None else f" ({row + 1})")
    value = value_text(cell, schema.target_index[target]) if cell else ""
    place = f'data-go="{escape(target)}" data-go-row="{"" if row is None else row}"'
    show = f'<button type="button" class="es-show" {place} aria-label="Show {escape(where)}">Show</button>'
    show = show if target in schema.target_index else ""
    keep = f'<button type="button" class="es-confirm" {place} aria-label="Keep {escape(where)}">Keep</button>'
    return (
        f'<li class="es-check es-doubt es-{doubt.severity}" data-fields="{escape(target)}">'
        f'<span class="es-mark" aria-hidden="true">{SEVERITY_MARKS[doubt.severity]}</span> '
        f'<span class="es-severity">{escape(where)}: {escape(value)}</span> '
        f'<span class="es-message">{escape(doubt.message)}</span> '
        f"{show}{keep if editable and cell and cell.value is not None else ''}</li>"
    )
