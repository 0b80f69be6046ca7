"""Cells up close, as HTML: what was heard and what it rests on, and the form in which one is edited in place."""

from collections.abc import Iterator
from html import escape
from typing import TypedDict

from endoscribe.extraction.labels import target_label, unit_text, value_text
from endoscribe.extraction.record import Cell, Record, cell_at, cells, is_entered
from endoscribe.outputs.outline import clock, fitted, outline, reader_name, remark
from endoscribe.procedures.normalize import read_words
from endoscribe.procedures.schema import FieldSchema, ProcedureSchema
from endoscribe.review.carried import carried_edit
from endoscribe.review.edits import is_not_done
from endoscribe.review.versions import Version, current_record, original_row
from endoscribe.web.page.local_time import time_html

GROUNDING = {
    "exact": "Exact: these words stand in the transcript.",
    "fuzzy": "Near: words very much like these stand in the transcript.",
    "absent": "Absent: these words were not found in the transcript.",
}
NUMBER_STEP = {"integer": "1", "number": "any"}


class Closeups(TypedDict):
    """HTML by place: `bbps_right/` is a field's, `polyps.size_mm/0` that of a table's first row."""

    cards: dict[str, str]
    forms: dict[str, str]


def closeups(version: Version, schema: ProcedureSchema) -> Closeups:
    """The card of every cell that something stands in, and the form of every cell that the report shows."""
    record = fitted(current_record(version, schema), schema)
    stated = [(target, row) for target, row, _ in cells(record)]
    return {
        "cards": {_place(*place): card_html(version, record, schema, *place) for place in stated},
        "forms": {_place(*place): form_html(record, schema, *place) for place in _shown(record, schema)},
    }


def _place(target: str, row: int | None) -> str:
    return f"{target}/{'' if row is None else row}"


def _shown(record: Record, schema: ProcedureSchema) -> Iterator[tuple[str, int | None]]:
    """Target and row of every cell of the report, those included in which nothing stands."""
    for part in outline(record, schema):
        for line in part.lines:
            yield line.field.id, None
        for grid in part.grids:
            for row in range(len(grid.rows)):
                yield from ((f"{grid.table.id}.{column.id}", row) for column in grid.columns)


def card_html(version: Version, record: Record, schema: ProcedureSchema, target: str, row: int | None) -> str:
    """The evidence of a cell of a version, whose record is `record`."""
    field = schema.target_index[target]
    cell = cell_at(record, target, row)
    facts = _facts(version, record, schema, target, row)
    rows = "".join(f"<dt>{escape(name)}</dt><dd>{value}</dd>" for name, value in facts)
    quote = _quote(cell) if cell and cell.evidence else ""
    return (
        f'<article class="card" data-card="{escape(target)}" data-card-row="{"" if row is None else row}">'
        '<button type="button" class="close" data-card-do="close" aria-label="Close the evidence">&times;</button>'
        f"<h3>{escape(_title(target, row, schema))}</h3>{quote}{_buttons(cell, field)}<dl>{rows}</dl></article>"
    )


def form_html(record: Record, schema: ProcedureSchema, target: str, row: int | None) -> str:
    """The form for a cell's value, in the field's own type."""
    field = schema.target_index[target]
    cell = cell_at(record, target, row)
    label = escape(_title(target, row, schema))
    unit = f'<span class="unit">{escape(unit_text(field.unit))}</span>' if unit_text(field.unit) else ""
    span = f'<span class="range">{field.range[0]:g} to {field.range[1]:g}</span>' if field.range else ""
    return (
        f'<form class="editor" data-editor="{escape(target)}" data-editor-row="{"" if row is None else row}" '
        f'data-type="{field.type}" aria-label="{label}">{_input(cell, field, label)}{unit}{span}'
        '<span class="choices"><button type="submit">Save</button>'
        '<button type="button" data-kind="not_stated">Not stated</button>'
        '<button type="button" data-kind="not_done">Not done</button>'
        '<button type="button" data-kind="cancel">Cancel</button></span>'
        '<span class="fault" role="alert"></span></form>'
    )


def _title(target: str, row: int | None, schema: ProcedureSchema) -> str:
    table, _, column = target.partition(".")
    if row is None:
        return target_label(target, schema)
    part = schema.tables[table]
    return f"{part.row.capitalize()} {row + 1}: {part.columns[column].label}"


def _quote(cell: Cell) -> str:
    evidence = cell.evidence
    when = f" <small>{clock(evidence.start_s)}</small>" if evidence and evidence.start_s is not None else ""
    return f"<blockquote>“{escape(evidence.quote)}”{when}</blockquote>" if evidence else ""


def _facts(
    version: Version, record: Record, schema: ProcedureSchema, target: str, row: int | None
) -> Iterator[tuple[str, str]]:
    """Name and HTML of everything that is known about a cell."""
    field = schema.target_index[target]
    cell = cell_at(record, target, row)
    yield "Value", escape(value_text(cell, field)) if cell else "not stated"
    yield from _by_hand(version, schema, target, row, cell)
    if cell:
        if cell.evidence:
            yield from _heard(cell.evidence.quote, schema)
            yield _whose("Grounding", cell), escape(GROUNDING[cell.grounding])
        elif not is_not_done(cell):
            yield "Grounding", "Not heard in this recording."
        if remark(cell):
            yield "Remark", escape(remark(cell))
    yield from _readers(version, schema, target, row, cell)
    if checks := [verdict for verdict in record.checks if target in verdict.fields]:
        items = "".join(f"<li>{escape(verdict.severity)}: {escape(verdict.message)}</li>" for verdict in checks)
        yield "Checks", f"<ul>{items}</ul>"


def _by_hand(
    version: Version, schema: ProcedureSchema, target: str, row: int | None, cell: Cell | None
) -> Iterator[tuple[str, str]]:
    """That a value is a person's; the words beside it are what a reading rests on, not they."""
    carried = carried_edit(version, target, row)
    if not carried and not (cell and cell.status == "edited"):
        return
    when = f" on an earlier reading, {time_html(carried.at)}" if carried else ""
    read = _read_cell(version.reading.record, version, target, row)
    value = f", {escape(value_text(read, schema.target_index[target]))}" if read else ""
    apart = f". The quote and its grounding belong to the value that was read{value}."
    yield "Entered", f"by hand{when}{apart if cell and cell.evidence and is_entered(cell) else ''}"


def _whose(name: str, cell: Cell) -> str:
    """What a fact about the words is called; those that another value was read from are not the entered one's."""
    return f"{name} of what was read" if is_entered(cell) else name


def _read_cell(read: Record, version: Version, target: str, row: int | None) -> Cell | None:
    """What a reading has where the edited report has this cell."""
    base = row if row is None else original_row(version, target.partition(".")[0], row)
    is_new = row is not None and base is None
    return None if is_new else cell_at(read, target, base)


def _heard(quote: str, schema: ProcedureSchema) -> Iterator[tuple[str, str]]:
    """The words as they were recognised, and as they were understood where that is something else."""
    heard = read_words(quote)
    meant = schema.spoken_repairs.apply(heard)
    yield "Heard", escape(quote)
    if [word.text for word in meant] != [word.text for word in heard]:
        yield "Understood", escape(" ".join(word.text for word in meant))


def _readers(
    version: Version, schema: ProcedureSchema, target: str, row: int | None, cell: Cell | None
) -> Iterator[tuple[str, str]]:
    """What each reader made of it, where that is not what stands there."""
    field = schema.target_index[target]
    if row is not None and original_row(version, target.partition(".")[0], row) is None:
        return
    reading = version.reading
    read = _read_cell(reading.record, version, target, row)
    if (cell and cell.status == "edited") or read != cell:
        again = "Read anew" if row is None and carried_edit(version, target, row) else "Read"
        yield (
            f"{again} by {escape(reader_name(reading.record))}",
            escape(value_text(read, field)) if read else "not stated",
        )
    if reading.second:
        other = _read_cell(reading.second, version, target, row)
        yield (
            f"Read by {escape(reader_name(reading.second))}",
            escape(value_text(other, field)) if other else "not stated",
        )


def _buttons(cell: Cell | None, field: FieldSchema) -> str:
    doubtful = cell and cell.status in ("ok", "unsupported") and cell.value is not None
    hear = '<button type="button" data-card-do="hear">Hear again</button>' if cell and cell.evidence else ""
    keep = '<button type="button" data-card-do="confirm">Keep</button>' if doubtful else ""
    edit = f'<button type="button" data-card-do="edit" aria-label="Edit {escape(field.label)}">Edit</button>'
    return f'<p class="buttons">{hear}{edit}{keep}</p>'


# -- the form --------------------------------------------------------------------------------------------------------


def _input(cell: Cell | None, field: FieldSchema, label: str) -> str:
    value = cell.value if cell else None
    name = f'name="value" aria-label="{label}"'
    if field.type == "multi":
        return _boxes(value, field, label)
    if field.type == "enum":
        options = [(word, field.value_label(word)) for word in field.values]
        return _select(options, str(value) if value is not None else None, name)
    if field.type == "boolean":
        chosen = None if value is None else "true" if value else "false"
        return _select([("true", "yes"), ("false", "no")], chosen, name)
    shown = "" if value is None else escape(f"{value:g}" if isinstance(value, float) else str(value))
    if field.type in ("integer", "number"):
        low, high = (f'min="{field.range[0]:g}"', f'max="{field.range[1]:g}"') if field.range else ("", "")
        step = NUMBER_STEP[field.type]
        return f'<input type="number" {name} value="{shown}" step="{step}" {low} {high} inputmode="decimal">'
    kind = field.type if field.type in ("date", "time") else "text"
    return f'<input type="{kind}" {name} value="{shown}">'


def _select(options: list[tuple[str, str]], chosen: str | None, name: str) -> str:
    none = "" if chosen else '<option value="" selected>choose</option>'
    rest = "".join(
        f'<option value="{escape(value)}"{" selected" if value == chosen else ""}>{escape(label)}</option>'
        for value, label in options
    )
    return f"<select {name}>{none}{rest}</select>"


def _boxes(value: object, field: FieldSchema, label: str) -> str:
    chosen = value if isinstance(value, tuple) else ()
    boxes = "".join(
        f'<label><input type="checkbox" name="value" value="{escape(word)}"{" checked" if word in chosen else ""}> '
        f"{escape(field.value_label(word))}</label>"
        for word in field.values
    )
    return f'<fieldset><legend class="es-hidden">{label}</legend>{boxes}</fieldset>'
