"""The report as it is shown: one element with `data-field` a cell, quiet where nothing was said.

Here stands what is shown and in which words; `templates/` have the markup. The page's style sheet knows these classes:

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
    es-unfiled, es-said            what was said and stands in no cell, a button a sentence
    es-levels, es-level            what is still missing, by level; es-gaps, es-gap-item
    es-foot                        which model read, and what it took
    es-hidden                      for screen readers only

Cells carry data-field (`bbps_right`, `polyps.size_mm`), data-row (0-based, empty outside tables), data-start and
data-end (characters of the transcript), data-start-s and data-end-s (seconds), data-status; empty where there is none.
So do the buttons of what stands in no cell, as far as places go.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from endoscribe.extraction.labels import plain_value, target_label, value_text
from endoscribe.extraction.record import Cell, Evidence, Record, UnfiledSentence, cell_at, cells
from endoscribe.outputs.outline import (
    UNFILED_TITLE,
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
from endoscribe.procedures.notes.spelling import spelled
from endoscribe.procedures.schema import FieldSchema, Level, ProcedureSchema
from endoscribe.review.filing import undecided
from endoscribe.review.flags import Flag, flags
from endoscribe.review.signature import Signature
from endoscribe.web.microphone.protocol import PreviewPanels
from endoscribe.web.templates import render

MARKS = {"ok": "", "unsupported": "⚠", "invalid": "✕", "edited": "✎"}
SEVERITY_MARKS = {"error": "✕", "warning": "⚠", "info": "•"}
NOTHING_SIGN = "\u2013"
NOT_REVIEWED = "Draft, not reviewed."


def preview_panels(record: Record, schema: ProcedureSchema) -> PreviewPanels:
    """What is shown of a record that fills while somebody speaks."""
    return {
        "record": render_record(record, schema),
        "checklist": render_checklist(record, schema),
        "checks": render_checks(record, schema),
    }


def render_record(
    record: Record,
    schema: ProcedureSchema,
    signature: Signature | None = None,
    *,
    editable: bool = False,
    head: tuple[tuple[str, str], ...] = (),
) -> str:
    """The report: what heads it, and sections in the schema's order, each with its fields and its tables."""
    return render(
        "record.html",
        procedure=schema.id,
        record_procedure=record.procedure,
        title=schema.title,
        head=head,
        standing=standing_line(record, signature) if signature else f"{NOT_REVIEWED} Read by {reader_name(record)}.",
        parts=_parts(record, schema, editable),
        foot=_foot(record),
        editable=editable,
    )


def _foot(record: Record) -> str | None:
    """Who read, and what it took."""
    if record.bill is None:
        return None
    reader = reader_name(record)
    if record.extractor == "offline":
        reader += " after a language model had failed"
    return f"Read by {reader}: {record.bill.sentence()}."


# -- sections --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class LineView:
    """A row of a section's fields."""

    label: str
    cell: "CellView"


@dataclass(frozen=True, slots=True)
class AddingView:
    """The button that adds a row: to which table, and what its rows are called."""

    table: str
    what: str


@dataclass(frozen=True, slots=True)
class NormalView:
    """The button that states a sentence of the schema's `normals`."""

    id: str
    label: str


@dataclass(frozen=True, slots=True)
class GridView:
    """A table of findings that has rows."""

    table: str
    label: str
    row_word: str
    heads: tuple[str, ...]
    rows: tuple[tuple["CellView", ...], ...]
    adding: AddingView | None


@dataclass(frozen=True, slots=True)
class PartView:
    """A section: what was said, and folded what was not.

    `missing` are fields that the report needs, `silent` others; `additions` are those of tables without rows, `kept` is
    what a person keeps as free text. The state is `wide` with rows, `narrow` without, `empty` with nothing said.
    """

    id: str
    label: str
    state: Literal["wide", "narrow", "empty"]
    lines: tuple[LineView, ...]
    missing: tuple[LineView, ...]
    silent: tuple[LineView, ...]
    grids: tuple[GridView, ...]
    additions: tuple[AddingView, ...]
    normals: tuple[NormalView, ...]
    kept: tuple["SaidView", ...]

    @property
    def unsaid(self) -> str:
        """What the fold holds, in words."""
        counts = ((len(self.missing), "missing"), (len(self.silent), "not stated"))
        return ", ".join(f"{count} {word}" for count, word in counts if count)


#: Sections as a reader wants them: what was found and done, its quality, the plan, and last what is administration.
#: Any section that is not named here tells findings.
_RANKS = {"preparation": 1, "examination": 1, "outcome": 2, "sedation": 3, "patient": 4}


def _parts(record: Record, schema: ProcedureSchema, editable: bool) -> list[PartView]:
    """The sections in reading order: those with rows, those with values, those without."""
    found = [_part(part, schema, record, editable) for part in outline(record, schema, with_empty_tables=editable)]
    order = {"wide": 0, "narrow": 1, "empty": 2}
    return sorted(found, key=lambda part: (order[part.state], _RANKS.get(part.id, 0)))


def _kept(section: str, record: Record) -> tuple["SaidView", ...]:
    return tuple(_said(sentence) for sentence in record.unfiled if sentence.section == section)


def _part(part: ReportPart, schema: ProcedureSchema, record: Record, editable: bool) -> PartView:
    kept = _kept(part.id, record)
    words = [grid.table.row for grid in part.grids]
    adding = {grid.table.id: _adding(grid, words.count(grid.table.row) == 1) for grid in part.grids if editable}
    lines = (*(_line(line, editable) for line in part.lines if line.cell), *map(_computed, part.computed))
    grids = tuple(_grid(grid, adding.get(grid.table.id), editable) for grid in part.grids if grid.rows)
    return PartView(
        part.id,
        part.label,
        "wide" if grids else "narrow" if lines or kept else "empty",
        lines=lines,
        missing=tuple(_line(line, editable) for line in part.lines if not line.cell and line.is_gap),
        silent=tuple(_line(line, editable) for line in part.lines if not (line.cell or line.is_gap)),
        grids=grids,
        additions=tuple(adding[grid.table.id] for grid in part.grids if editable and not grid.rows),
        normals=tuple(_normals(part.id, schema, record)) if editable else (),
        kept=kept,
    )


def _normals(section: str, schema: ProcedureSchema, record: Record) -> Iterator[NormalView]:
    """The sentences that can still be stated: something of them is not, and nothing speaks against them."""
    for name, normal in schema.normals.items():
        is_open = any(target not in record.fields for target in normal.sets)
        if normal.section == section and is_open and not any(record.tables.get(table) for table in normal.without):
            yield NormalView(name, spelled(normal.label, schema.spelling))


def _line(line: ReportLine, editable: bool) -> LineView:
    cell = _cell(line.cell, line.field, line.field.id, None, is_gap=line.is_gap, editable=editable)
    return LineView(line.field.label, cell)


def _computed(computed: Computed) -> LineView:
    value = ValueView("text", plain_value(computed.value, None, computed.rule.unit))
    cell = CellView(computed.id, "", "computed", "es-computed", value, remark="computed")
    return LineView(computed.rule.label, cell)


def _adding(grid: Grid, is_alone: bool) -> AddingView:
    """`is_alone`: no other table of the section calls its rows so."""
    what = grid.table.row if is_alone else f"{grid.table.row} ({grid.table.label})"
    return AddingView(grid.table.id, what)


def _grid(grid: Grid, adding: AddingView | None, editable: bool) -> GridView:
    table = grid.table
    heads = tuple(column.label for column in grid.columns)
    rows = tuple(tuple(_grid_cells(grid, index, editable)) for index in range(len(grid.rows)))
    return GridView(table.id, table.label, table.row, heads, rows, adding)


def _grid_cells(grid: Grid, index: int, editable: bool) -> Iterator["CellView"]:
    row = grid.rows[index]
    for column in grid.columns:
        target = f"{grid.table.id}.{column.id}"
        yield _cell(row.get(column.id), column, target, index, is_gap=column.level == "M", editable=editable)


# -- cells -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ValueView:
    """What stands in a cell: something to play or edit, to fill in, words, or words for screen readers only."""

    form: Literal["play", "fill", "text", "silent"]
    text: str
    label: str = ""
    title: str = ""


@dataclass(frozen=True, slots=True)
class PlaceView:
    """Where a cell's words are; empty where there are none."""

    start: str = ""
    end: str = ""
    start_s: str = ""
    end_s: str = ""


NOWHERE = PlaceView()


@dataclass(frozen=True, slots=True)
class CellView:
    """A cell; `row` is empty outside tables, `mark` and `remark` tell what is doubtful."""

    target: str
    row: str
    status: str
    classes: str
    value: ValueView
    place: PlaceView = NOWHERE
    mark: str = ""
    remark: str = ""


def _cell(
    cell: Cell | None, field: FieldSchema, target: str, row: int | None, *, is_gap: bool, editable: bool
) -> CellView:
    shown_row = "" if row is None else str(row)
    if cell is None:
        classes = "es-empty es-gap" if is_gap else "es-empty"
        return CellView(target, shown_row, "empty", classes, _nothing(field, is_gap, editable))
    words = remark(cell)
    return CellView(
        target,
        shown_row,
        cell.status,
        f"es-{cell.status} es-fuzzy" if cell.grounding == "fuzzy" else f"es-{cell.status}",
        _value(cell, field, editable),
        _place(cell.evidence) if cell.evidence else NOWHERE,
        mark=(MARKS[cell.status] or SEVERITY_MARKS["info"]) if words else "",
        remark=words,
    )


def _nothing(field: FieldSchema, is_gap: bool, editable: bool) -> ValueView:
    """What stands in a cell of which nothing was said."""
    if not editable:
        return ValueView("silent", "not stated")
    return ValueView("fill", "not stated" if is_gap else NOTHING_SIGN, f"{field.label}: not stated. Fill in.")


def _place(said: Evidence | UnfiledSentence) -> PlaceView:
    return PlaceView(str(said.start), str(said.end), _seconds(said.start_s), _seconds(said.end_s))


def _seconds(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds:.2f}"


def _value(cell: Cell, field: FieldSchema, editable: bool) -> ValueView:
    text = value_text(cell, field)
    evidence = cell.evidence
    if evidence is None and not editable:
        return ValueView("text", text)
    when = f" · {clock(evidence.start_s)}" if evidence and evidence.start_s is not None else ""
    said = f"Said: {evidence.quote}{when}" if evidence else "Not heard in the recording."
    said = f"Entered by hand. {said}" if cell.status == "edited" else said
    title = f"“{evidence.quote}”{when}" if evidence else ""
    return ValueView("play", text, f"{field.label}: {text}. {said}", title)


# -- checks ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SourceView:
    """What a rule rests on, by title; the schema's own tag is there for who points at it."""

    tag: str
    text: str


@dataclass(frozen=True, slots=True)
class CheckView:
    """A rule's verdict, which has an `id` and a `source`, or a doubt about the cell in `fields` and `row`."""

    classes: str
    mark: str
    head: str
    message: str
    fields: str
    id: str | None = None
    source: SourceView | None = None
    row: str = ""
    where: str = ""
    basis: str | None = None  # of a rule: what it rests on
    can_show: bool = False
    can_keep: bool = False


def render_checks(
    record: Record,
    schema: ProcedureSchema,
    second: Record | None = None,
    *,
    carried: tuple[Flag, ...] = (),
    a_reading_waits: bool = False,
    editable: bool = False,
) -> str:
    """What needs a person's eyes, the gravest first, and apart from it the verdicts that only inform.

    `carried` are the doubts about edits that were kept over a new reading.
    """
    found = sorted([*carried, *flags(record, schema, second)], key=lambda doubt: doubt.severity != "error")
    return render(
        "checks.html",
        found=[_doubt(doubt, record, schema, editable) for doubt in found],
        informing=[
            _verdict(verdict, schema) for verdict in _sourced_first(record.checks) if verdict.severity == "info"
        ],
        a_reading_waits=a_reading_waits,
    )


def _verdict(verdict: Verdict, schema: ProcedureSchema) -> CheckView:
    return CheckView(
        f"es-{verdict.severity}",
        SEVERITY_MARKS[verdict.severity],
        verdict.severity,
        verdict.message,
        " ".join(verdict.fields),
        verdict.id,
        SourceView(verdict.source, source_text(verdict.source, schema)),
        basis=verdict.basis,
    )


def _sourced_first(verdicts: Sequence[Verdict]) -> Sequence[Verdict]:
    """Rules of this schema stand apart from what a source says."""
    return sorted(verdicts, key=lambda verdict: verdict.basis == "ours")


def _doubt(doubt: Flag, record: Record, schema: ProcedureSchema, editable: bool) -> CheckView:
    if doubt.verdict:
        return _verdict(doubt.verdict, schema)
    target, row = doubt.target or "", doubt.row
    cell = cell_at(record, target, row)
    where = target_label(target, schema) + ("" if row is None else f" ({row + 1})")
    value = value_text(cell, schema.target_index[target]) if cell else ""
    return CheckView(
        f"es-doubt es-{doubt.severity}",
        SEVERITY_MARKS[doubt.severity],
        f"{where}: {value}",
        doubt.message,
        target,
        row="" if row is None else str(row),
        where=where,
        can_show=target in schema.target_index,
        can_keep=editable and cell is not None and cell.value is not None,
    )


# -- what else was said ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SaidView:
    """A sentence that can be heard; `when` is empty where its second is not known."""

    text: str
    when: str
    place: PlaceView


def render_unfiled(record: Record) -> str:
    """What was said and stands in no cell; that there is nothing is told only by a reading that looked for it."""
    if not (record.unfiled or _knows_what_is_filed(record)):
        return ""
    return render("unfiled.html", title=UNFILED_TITLE, said=[_said(each) for each in undecided(record)])


def _said(sentence: UnfiledSentence) -> SaidView:
    return SaidView(sentence.text, "" if sentence.start_s is None else clock(sentence.start_s), _place(sentence))


def _knows_what_is_filed(record: Record) -> bool:
    """Not one of old, nor one whose places were lost with its transcript, nor one that found nothing."""
    return any(cell.evidence and cell.support for _, _, cell in cells(record))


# -- what is missing -------------------------------------------------------------------------------------------------

#: Why something is missing, by the level of the field.
LEVEL_TITLES: dict[Level, str] = {"M": "Required", "C": "Required after what was said", "O": "Optional"}


@dataclass(frozen=True, slots=True)
class GapView:
    """A field or a table of which nothing was said."""

    target: str
    label: str


@dataclass(frozen=True, slots=True)
class LevelView:
    """What is missing for the same reason."""

    id: Level
    title: str
    gaps: tuple[GapView, ...]


def render_checklist(record: Record, schema: ProcedureSchema, *, editable: bool = False) -> str:
    """What a complete report needs and was not said yet, by the schema's levels; buttons where it can be filled in."""
    required = [name for name in (*schema.fields, *schema.tables) if _level_of(name, schema) == "M"]
    return render(
        "checklist.html",
        missing=len(record.gaps),
        required=len(required),
        said=sum(name not in record.gaps for name in required),
        levels=_levels(record.gaps, schema),
        editable=editable,
    )


def _levels(gaps: Sequence[str], schema: ProcedureSchema) -> tuple[LevelView, ...]:
    by_level: dict[Level, list[GapView]] = {level: [] for level in LEVEL_TITLES}
    for gap in gaps:
        by_level[_level_of(gap, schema)].append(GapView(gap, target_label(gap, schema)))
    return tuple(LevelView(level, LEVEL_TITLES[level], tuple(found)) for level, found in by_level.items() if found)


def _level_of(gap: str, schema: ProcedureSchema) -> Level:
    if gap in schema.tables:
        return schema.tables[gap].level
    return schema.target_index[gap].level if gap in schema.target_index else "O"
