"""The record as HTML: one element with `data-field` a cell, quiet where nothing was said.

Everything is escaped; nothing here styles. The page's style sheet knows these classes:

    es-record, es-draft            the whole, and the line that says that it is a draft
    es-section, es-section-title   a section of the report
    es-fields                      table of a section's fields, a row each (th label, td cell)
    es-grid, es-grid-scroll        table of findings, and the box in which a wide one scrolls
    es-more                        details that hold the fields which nobody stated and nobody misses
    es-cell                        td; with es-ok, es-unsupported, es-invalid, es-edited, es-computed or es-empty,
                                   es-fuzzy where the words were found only nearly, es-gap where a value is missing
    es-play, es-value              the value: a button where it can be heard or shown in the transcript, else a span
    es-mark, es-remark             sign and words beside a doubtful value
    es-checks, es-check            list of verdicts; with es-error, es-warning, es-info or es-doubt
    es-severity, es-message, es-source, es-none
    es-gaps, es-gap-item           list of what is still missing
    es-foot                        which model read, and what it took
    es-hidden                      for screen readers only

Cells carry data-field (`bbps_right`, `polyps.size_mm`), data-row (0-based, empty outside tables), data-start and
data-end (characters of the transcript), data-start-s and data-end-s (seconds), data-status; empty where there is none.
"""

import re
from collections.abc import Iterator
from html import escape

from endoscribe.extraction.record import Cell, Record
from endoscribe.outputs.outline import (
    Computed,
    Grid,
    Line,
    Part,
    clock,
    draft_line,
    outline,
    plain_value,
    remark,
    target_label,
    value_text,
)
from endoscribe.procedures.checks import Verdict
from endoscribe.procedures.schema import FieldSchema, ProcedureSchema

MARKS = {"ok": "", "unsupported": "⚠", "invalid": "✕", "edited": "✎"}
SEVERITY_MARKS = {"error": "✕", "warning": "⚠", "info": "•"}
#: Source tags as schemas write them, alone or in brackets.
SOURCE_TAG = re.compile(r"\[?\b([VK]:[\w-]+)\]?")


def render_record(record: Record, schema: ProcedureSchema) -> str:
    """The report: sections in the schema's order, each with its fields and its tables."""
    parts = "".join(_section(part, record) for part in outline(record, schema))
    return (
        f'<div class="es-record" data-procedure="{escape(schema.id)}">'
        f'<p class="es-draft">{escape(draft_line(record))}</p>{parts}{_foot(record)}</div>'
    )


def _foot(record: Record) -> str:
    """Who read, and what it took."""
    if record.bill is None:
        return ""
    return f'<p class="es-foot">Read by {escape(record.extractor)}: {escape(record.bill.sentence())}.</p>'


def render_checks(record: Record, schema: ProcedureSchema) -> str:
    """The verdicts, errors first, and the cells whose value is in doubt."""
    order = list(SEVERITY_MARKS)
    verdicts = sorted(record.checks, key=lambda verdict: order.index(verdict.severity))
    items = [_verdict(verdict, schema) for verdict in verdicts]
    items += [_doubt(target, row, cell, schema) for target, row, cell in _doubtful(record)]
    if not items:
        return '<p class="es-checks es-none">No contradictions found.</p>'
    return f'<ul class="es-checks">{"".join(items)}</ul>'


def render_checklist(record: Record, schema: ProcedureSchema) -> str:
    """What a complete report needs and was not said yet."""
    if not record.gaps:
        return '<p class="es-gaps es-none">Everything required has been said.</p>'
    items = "".join(
        f'<li class="es-gap-item" data-gap="{escape(gap)}">{escape(target_label(gap, schema))}</li>'
        for gap in record.gaps
    )
    return f'<p class="es-gaps-title">Not yet said: {len(record.gaps)}</p><ul class="es-gaps">{items}</ul>'


# -- sections --------------------------------------------------------------------------------------------------------


def _section(part: Part, record: Record) -> str:
    shown = [line for line in part.lines if line.cell or line.is_gap]
    silent = [line for line in part.lines if not (line.cell or line.is_gap)]
    title = f"es-{escape(record.procedure)}-{escape(part.id)}"
    rows = "".join(map(_line, shown)) + "".join(map(_computed, part.computed))
    return (
        f'<section class="es-section" aria-labelledby="{title}">'
        f'<h3 class="es-section-title" id="{title}">{escape(part.label)}</h3>'
        f"{_fields(part.label, rows)}{''.join(map(_grid, part.grids))}{_more(part.label, silent)}</section>"
    )


def _fields(label: str, rows: str) -> str:
    if not rows:
        return ""
    caption = f'<caption class="es-hidden">{escape(label)}</caption>'
    return f'<table class="es-fields">{caption}<tbody>{rows}</tbody></table>'


def _more(label: str, silent: list[Line]) -> str:
    if not silent:
        return ""
    rows = _fields(f"{label}: not stated", "".join(map(_line, silent)))
    return f'<details class="es-more"><summary>Not stated: {len(silent)}</summary>{rows}</details>'


def _line(line: Line) -> str:
    cell = _cell(line.cell, line.field, line.field.id, None, is_gap=line.is_gap)
    return f'<tr><th scope="row">{escape(line.field.label)}</th>{cell}</tr>'


def _computed(computed: Computed) -> str:
    text = escape(plain_value(computed.value, None, computed.rule.unit))
    return (
        f'<tr><th scope="row">{escape(computed.rule.label)}</th>'
        f'<td class="es-cell es-computed" {_data(computed.id, None, None, "computed")}>'
        f'<span class="es-value">{text}</span> <span class="es-remark">computed</span></td></tr>'
    )


def _grid(grid: Grid) -> str:
    heads = "".join(f'<th scope="col">{escape(column.label)}</th>' for column in grid.columns)
    rows = "".join(_grid_row(grid, index) for index in range(len(grid.rows)))
    return (
        f'<div class="es-grid-scroll" tabindex="0" role="region" aria-label="{escape(grid.table.label)}">'
        f'<table class="es-grid"><caption>{escape(grid.table.label)}</caption>'
        f'<thead><tr><th scope="col">#</th>{heads}</tr></thead><tbody>{rows}</tbody></table></div>'
    )


def _grid_row(grid: Grid, index: int) -> str:
    row, table = grid.rows[index], grid.table
    cells = "".join(
        _cell(row.get(column.id), column, f"{table.id}.{column.id}", index, is_gap=column.level == "M")
        for column in grid.columns
    )
    return f'<tr><th scope="row"><span class="es-hidden">{escape(table.row)} </span>{index + 1}</th>{cells}</tr>'


# -- cells -----------------------------------------------------------------------------------------------------------


def _cell(cell: Cell | None, field: FieldSchema, target: str, row: int | None, *, is_gap: bool) -> str:
    if cell is None:
        gap = " es-gap" if is_gap else ""
        data = _data(target, row, None, "empty")
        return f'<td class="es-cell es-empty{gap}" {data}><span class="es-hidden">not stated</span></td>'
    fuzzy = " es-fuzzy" if cell.grounding == "fuzzy" else ""
    data = _data(target, row, cell, cell.status)
    return f'<td class="es-cell es-{cell.status}{fuzzy}" {data}>{_value(cell, field)}{_notes(cell)}</td>'


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


def _value(cell: Cell, field: FieldSchema) -> str:
    text = value_text(cell, field)
    evidence = cell.evidence
    if evidence is None:
        return f'<span class="es-value">{escape(text)}</span>'
    when = "" if evidence.start_s is None else f" · {clock(evidence.start_s)}"
    label = f"{field.label}: {text}. Said: {evidence.quote}{when}"
    title = f"“{evidence.quote}”{when}"
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
    """The tags of a source in full where the schema's references name them, unverified ones marked as such."""

    def title(match: re.Match[str]) -> str:
        reference = schema.references.get(match.group(1))
        if reference is None:
            return match.group()
        return reference.title if reference.verified else f"{reference.title} (not verified)"

    full = SOURCE_TAG.sub(title, source)
    return f'<span class="es-source" title="{escape(full)}">{escape(source)}</span>'


def _doubtful(record: Record) -> Iterator[tuple[str, int | None, Cell]]:
    for target, cell in record.fields.items():
        if cell.status in ("unsupported", "invalid"):
            yield target, None, cell
    for table, rows in record.tables.items():
        for index, row in enumerate(rows):
            for column, cell in row.items():
                if cell.status in ("unsupported", "invalid"):
                    yield f"{table}.{column}", index, cell


def _doubt(target: str, row: int | None, cell: Cell, schema: ProcedureSchema) -> str:
    where = target_label(target, schema) + ("" if row is None else f" ({row + 1})")
    text = f"{where}: {value_text(cell, schema.target_index[target])} is {remark(cell)}."
    return (
        f'<li class="es-check es-doubt" data-fields="{escape(target)}">'
        f'<span class="es-mark" aria-hidden="true">{MARKS[cell.status]}</span> '
        f'<span class="es-severity">review</span> <span class="es-message">{escape(text)}</span></li>'
    )
