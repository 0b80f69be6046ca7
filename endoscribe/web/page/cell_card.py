"""Cells up close: what was heard and what it rests on, and the form in which one is edited in place."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, TypedDict

from endoscribe.extraction.labels import target_label, unit_text, value_text
from endoscribe.extraction.record import Cell, Record, cell_at, cells, is_entered
from endoscribe.outputs.outline import NOT_CHECKED, clock, fitted, outline, reader_name, remark
from endoscribe.procedures.normalize import read_words
from endoscribe.procedures.schema import FieldSchema, ProcedureSchema
from endoscribe.review.carried import carried_edit
from endoscribe.review.edits import is_not_done
from endoscribe.review.versions import Version, current_record, original_row
from endoscribe.transcript import Transcript
from endoscribe.web.page.filing import choices_html, filing_html
from endoscribe.web.page.local_time import Moment, moment
from endoscribe.web.templates import render

GROUNDING = {
    "exact": "Exact: these words stand in the transcript.",
    "fuzzy": "Near: words very much like these stand in the transcript.",
    "absent": "Absent: these words were not found in the transcript.",
}
NUMBER_STEP = {"integer": "1", "number": "any"}


class Closeups(TypedDict):
    """HTML by place: `bbps_right/` is a field's, `polyps.size_mm/0` that of a table's first row.

    `filing` is by the characters of a sentence, `12-40`; `choices` are the fields among which any can be filed, and
    `columns` the forms of a row to come.
    """

    cards: dict[str, str]
    forms: dict[str, str]
    filing: dict[str, str]
    choices: str
    columns: dict[str, str]


def closeups(version: Version, schema: ProcedureSchema, transcript: Transcript | None = None) -> Closeups:
    """The card of every cell that something stands in, and the form of every cell that the report shows.

    With the transcript also where each sentence could go that stands in no cell, and the forms of rows to come for it.
    """
    record = fitted(current_record(version, schema), schema)
    stated = [(target, row) for target, row, _ in cells(record)]
    filing = filing_html(record, transcript, schema) if transcript else {}
    columns = [target for target in schema.target_index if filing and "." in target]
    return {
        "cards": {_place(*place): card_html(version, record, schema, *place) for place in stated},
        "forms": {_place(*place): form_html(record, schema, *place) for place in _shown(record, schema)},
        "filing": filing,
        "choices": choices_html(record, schema) if filing else "",
        "columns": {target: form_html(record, schema, target, None) for target in columns},
    }


def _place(target: str, row: int | None) -> str:
    return f"{target}/{_row(row)}"


def _shown(record: Record, schema: ProcedureSchema) -> Iterator[tuple[str, int | None]]:
    """Target and row of every cell of the report, those included in which nothing stands."""
    for part in outline(record, schema):
        for line in part.lines:
            yield line.field.id, None
        for grid in part.grids:
            for row in range(len(grid.rows)):
                yield from ((f"{grid.table.id}.{column.id}", row) for column in grid.columns)


@dataclass(frozen=True, slots=True)
class FactView:
    """Something that is known about a cell: `text`, a moment in it, the `rest`, and `points` of a list."""

    name: str
    text: str = ""
    at: Moment | None = None
    rest: str = ""
    points: tuple[str, ...] = ()


def card_html(version: Version, record: Record, schema: ProcedureSchema, target: str, row: int | None) -> str:
    """The evidence of a cell of a version, whose record is `record`."""
    cell = cell_at(record, target, row)
    evidence = cell.evidence if cell else None
    return render(
        "card.html",
        target=target,
        row=_row(row),
        title=_title(target, row, schema),
        label=schema.target_index[target].label,
        quote=evidence.quote if evidence else None,
        when=clock(evidence.start_s) if evidence and evidence.start_s is not None else None,
        is_doubtful=cell is not None and cell.status in ("ok", "unsupported") and cell.value is not None,
        facts=list(_facts(version, record, schema, target, row)),
    )


def form_html(record: Record, schema: ProcedureSchema, target: str, row: int | None) -> str:
    """The form for a cell's value, in the field's own type."""
    field = schema.target_index[target]
    return render(
        "editor.html",
        target=target,
        row=_row(row),
        type=field.type,
        label=_title(target, row, schema),
        input=_input(cell_at(record, target, row), field),
        range=RangeView(f"{field.range[0]:g}", f"{field.range[1]:g}") if field.range else None,
        unit=unit_text(field.unit),
    )


def _row(row: int | None) -> str:
    return "" if row is None else str(row)


def _title(target: str, row: int | None, schema: ProcedureSchema) -> str:
    table, _, column = target.partition(".")
    if row is None:
        return target_label(target, schema)
    part = schema.tables[table]
    return f"{part.row.capitalize()} {row + 1}: {part.columns[column].label}"


def _facts(
    version: Version, record: Record, schema: ProcedureSchema, target: str, row: int | None
) -> Iterator[FactView]:
    """Everything that is known about a cell."""
    field = schema.target_index[target]
    cell = cell_at(record, target, row)
    yield FactView("Value", _said(cell, field))
    yield from _by_hand(version, schema, target, row, cell)
    if cell:
        if cell.evidence:
            yield from _heard(cell.evidence.quote, schema)
            yield FactView(_whose("Source", cell), GROUNDING[cell.grounding])
            if cell.support == "plausible":
                yield FactView("Meaning", f"{NOT_CHECKED.capitalize()}.")
        elif not is_not_done(cell):
            yield FactView("Source", "Not heard in this recording.")
        if words := remark(cell):
            yield FactView("Remark", words)
    yield from _readers(version, schema, target, row, cell)
    if checks := [verdict for verdict in record.checks if target in verdict.fields]:
        yield FactView("Checks", points=tuple(f"{verdict.severity}: {verdict.message}" for verdict in checks))


def _said(cell: Cell | None, field: FieldSchema) -> str:
    return value_text(cell, field) if cell else "not stated"


def _by_hand(
    version: Version, schema: ProcedureSchema, target: str, row: int | None, cell: Cell | None
) -> Iterator[FactView]:
    """That a value is a person's; the words beside it are what a reading rests on, not they."""
    carried = carried_edit(version, target, row)
    if not carried and not (cell and cell.status == "edited"):
        return
    read = _read_cell(version.reading.record, version, target, row)
    value = f", {value_text(read, schema.target_index[target])}" if read else ""
    apart = f". The quote and its source belong to the value that was read{value}."
    yield FactView(
        "Entered",
        "by hand on an earlier reading, " if carried else "by hand",
        moment(carried.at) if carried else None,
        apart if cell and cell.evidence and is_entered(cell) else "",
    )


def _whose(name: str, cell: Cell) -> str:
    """What a fact about the words is called; those that another value was read from are not the entered one's."""
    return f"{name} of what was read" if is_entered(cell) else name


def _read_cell(read: Record, version: Version, target: str, row: int | None) -> Cell | None:
    """What a reading has where the edited report has this cell."""
    base = row if row is None else original_row(version, target.partition(".")[0], row)
    is_new = row is not None and base is None
    return None if is_new else cell_at(read, target, base)


def _heard(quote: str, schema: ProcedureSchema) -> Iterator[FactView]:
    """The words as they were recognised, and as they were understood where that is something else."""
    heard = read_words(quote)
    meant = schema.spoken_repairs.apply(heard)
    yield FactView("Recognised as", quote)
    if [word.text for word in meant] != [word.text for word in heard]:
        yield FactView("Read as", " ".join(word.text for word in meant))


def _readers(
    version: Version, schema: ProcedureSchema, target: str, row: int | None, cell: Cell | None
) -> Iterator[FactView]:
    """What each reader made of it, where that is not what stands there."""
    field = schema.target_index[target]
    if row is not None and original_row(version, target.partition(".")[0], row) is None:
        return
    reading = version.reading
    read = _read_cell(reading.record, version, target, row)
    if (cell and cell.status == "edited") or read != cell:
        again = "Read anew" if row is None and carried_edit(version, target, row) else "Read"
        yield FactView(f"{again} by {reader_name(reading.record)}", _said(read, field))
    if reading.second:
        other = _read_cell(reading.second, version, target, row)
        yield FactView(f"Read by {reader_name(reading.second)}", _said(other, field))


# -- the form --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class RangeView:
    """The least and the most that a value may be."""

    low: str
    high: str


@dataclass(frozen=True, slots=True)
class OptionView:
    """One of the words that a field may have."""

    value: str
    label: str
    is_chosen: bool


@dataclass(frozen=True, slots=True)
class InputView:
    """Where a value is entered: among `options`, or as `text`."""

    form: Literal["boxes", "choice", "number", "date", "time", "text"]
    options: tuple[OptionView, ...] = ()
    text: str = ""
    step: str = ""

    @property
    def is_chosen(self) -> bool:
        return any(option.is_chosen for option in self.options)


def _input(cell: Cell | None, field: FieldSchema) -> InputView:
    value = cell.value if cell else None
    if field.type == "multi":
        chosen = value if isinstance(value, tuple) else ()
        return InputView("boxes", tuple(OptionView(w, field.value_words(w), w in chosen) for w in field.values))
    if field.type == "enum":
        return InputView("choice", tuple(OptionView(w, field.value_words(w), w == value) for w in field.values))
    if field.type == "boolean":
        return InputView(
            "choice", (OptionView("true", "yes", value is True), OptionView("false", "no", value is False))
        )
    text = "" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
    if field.type in ("integer", "number"):
        return InputView("number", text=text, step=NUMBER_STEP[field.type])
    return InputView(field.type if field.type in ("date", "time") else "text", text=text)
