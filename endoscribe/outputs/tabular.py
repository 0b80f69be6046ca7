"""The record as CSV: one line a cell, also for what was not stated; and as a workbook with a sheet a table.

What was said and stands in no cell has its own lines, and its own sheet.
"""

import csv
from collections.abc import Iterable, Iterator, Sequence
from io import BytesIO, StringIO
from typing import TYPE_CHECKING

from endoscribe.extraction.labels import target_label, unit_text
from endoscribe.extraction.record import Cell, Record, Row, is_entered
from endoscribe.outputs.outline import UNFILED_TITLE, printable, remark, standing_line
from endoscribe.outputs.sources import source_text
from endoscribe.procedures.expressions import Value
from endoscribe.procedures.schema import FieldSchema, ProcedureSchema, TableSchema
from endoscribe.review.edits import NOT_DONE, is_not_done, label
from endoscribe.review.signature import Signature

if TYPE_CHECKING:
    from openpyxl import Workbook
    from openpyxl.worksheet.worksheet import Worksheet

    Entry = str | int | float | bool | None

COLUMNS = (
    "report", "procedure", "section", "field", "row", "label", "value", "unit", "status", "grounding", "as_dictated",
    "start_s", "end_s", "problem", "support",
)  # fmt: skip
#: Stands for the grounding of a value that nobody has read from the dictation.
ENTERED = "entered by hand"
#: Field and status of what was said and stands in no cell.
UNFILED = "unfiled"
#: A spreadsheet takes a text that begins so for a formula.
FORMULA_SIGNS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")  # noqa: RUF001  (wide forms count, too)


#: What Excel allows in a sheet's name, and how long one may be.
SHEET_NAME_SIGNS = str.maketrans(dict.fromkeys("[]:*?/\\", "-"))
SHEET_NAME_CHARS = 31
WIDTH_CHARS = 24


def record_csv(record: Record, schema: ProcedureSchema, signature: Signature | None = None) -> str:
    """A header and the cells in the schema's order; every line says whether the report is a draft."""
    standing = "signed" if signature else "draft"
    buffer = StringIO(newline="")
    writer = csv.writer(buffer)
    writer.writerow(COLUMNS)
    for line in _lines(record, schema):
        writer.writerow([_safe(value) for value in (standing, schema.id, *line)])
    return buffer.getvalue()


def record_xlsx(record: Record, schema: ProcedureSchema, signature: Signature | None = None) -> bytes:
    """A workbook: the fields, each table that has rows, what else was said, checks; each begins with the standing."""
    from openpyxl import Workbook  # slow to import, seldom needed

    book = Workbook()
    first = standing_line(record, signature)
    sheet = book.active
    assert sheet is not None  # noqa: S101  (a new workbook has one sheet)
    sheet.title = "Report"
    _fill(sheet, first, FIELD_HEADS, _field_lines(record, schema))
    for name, table in schema.tables.items():
        if rows := record.tables.get(name):
            columns = _columns_shown(table, rows)
            _fill(_sheet(book, table.label), first, _table_heads(columns), _table_lines(rows, columns))
    if record.unfiled:
        said = ((sentence.text, sentence.start_s, sentence.end_s) for sentence in record.unfiled)
        _fill(_sheet(book, UNFILED_TITLE), first, ("Said", "From (s)", "To (s)"), said)
    verdicts = [
        (v.severity, v.message, ", ".join(_labels(v.fields, schema)), source_text(v.source, schema))
        for v in record.checks
    ]
    _fill(_sheet(book, "Checks"), first, ("Severity", "Message", "Fields", "Source"), verdicts)
    buffer = BytesIO()
    book.save(buffer)
    return buffer.getvalue()


def write_text(sheet: "Worksheet", row: int, column: int, value: "Entry") -> None:
    """A value in a cell; text stays text, whatever a spreadsheet would make of it."""
    cell = sheet.cell(row, column)
    if isinstance(value, str):
        cell.value = printable(value)
        cell.data_type = "s"
        cell.quotePrefix = value.startswith(FORMULA_SIGNS)
    else:
        cell.value = value


FIELD_HEADS = ("Section", "Field", "Value", "Unit", "Status", "Said", "From (s)", "To (s)", "Remark", "Support")


def _field_lines(record: Record, schema: ProcedureSchema) -> Iterator[tuple["Entry", ...]]:
    for name, field in schema.fields.items():
        yield (schema.sections.get(field.section or ""), field.label, *_entries(record.fields.get(name), field))
    for name, rule in schema.derived.items():
        if name in record.derived:
            value = _entry(record.derived[name], None)
            yield ("", rule.label, value, unit_text(rule.unit), "computed", "", None, None, "", "")


def _columns_shown(table: TableSchema, rows: Sequence[Row]) -> tuple[FieldSchema, ...]:
    """What any row states, and what a complete report would state."""
    stated = {name for row in rows for name in row}
    return tuple(column for name, column in table.columns.items() if name in stated or column.level == "M")


def _table_heads(columns: Sequence[FieldSchema]) -> tuple[str, ...]:
    """Each column's value with its unit, then the words that each value rests on."""
    units = [f"{column.label} ({unit})" if (unit := unit_text(column.unit)) else column.label for column in columns]
    return ("#", *units, "Said", "Remarks")


def _table_lines(rows: Sequence[Row], columns: Sequence[FieldSchema]) -> Iterator[tuple["Entry", ...]]:
    for number, row in enumerate(rows, start=1):
        stated = [(column, row[column.id]) for column in columns if column.id in row]
        said = dict.fromkeys(cell.evidence.quote for _, cell in stated if cell.evidence)
        remarks = [f"{column.label}: {remark(cell)}" for column, cell in stated if remark(cell)]
        values = (_cell_entry(row.get(column.id), column) for column in columns)
        yield (number, *values, " | ".join(said), "; ".join(remarks))


def _entries(cell: Cell | None, field: FieldSchema) -> tuple["Entry", ...]:
    if cell is None:
        return (None, unit_text(field.unit), "not stated", "", None, None, "", "")
    evidence = cell.evidence
    said, start_s, end_s = (evidence.quote, evidence.start_s, evidence.end_s) if evidence else ("", None, None)
    return (
        _cell_entry(cell, field),
        unit_text(cell.unit),
        cell.status,
        said,
        start_s,
        end_s,
        remark(cell),
        cell.support or "",
    )


def _cell_entry(cell: Cell | None, field: FieldSchema) -> "Entry":
    if cell is None or cell.value is None:
        return NOT_DONE if cell and is_not_done(cell) else None
    return _entry(cell.value, field)


def _entry(value: Value, field: FieldSchema | None) -> "Entry":
    """Numbers stay numbers; everything else in the field's words."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    return label(value, field) if field else _text(value)


def _labels(targets: tuple[str, ...], schema: ProcedureSchema) -> list[str]:
    return [target_label(target, schema) for target in targets]


def _sheet(book: "Workbook", title: str) -> "Worksheet":
    """A new sheet; openpyxl numbers titles that come twice."""
    sheet: Worksheet = book.create_sheet(
        printable(title).translate(SHEET_NAME_SIGNS)[:SHEET_NAME_CHARS].strip("' ") or "Table"
    )
    return sheet


def _fill(sheet: "Worksheet", first: str, heads: tuple[str, ...], lines: "Iterable[tuple[Entry, ...]]") -> None:
    from openpyxl.styles import Font
    from openpyxl.utils import get_column_letter

    write_text(sheet, 1, 1, first)
    for row, line in enumerate((heads, *lines), start=2):
        for column, value in enumerate(line, start=1):
            write_text(sheet, row, column, value)
    for cell in (*sheet[1], *sheet[2]):
        cell.font = Font(bold=True)
    for column in range(1, len(heads) + 1):
        sheet.column_dimensions[get_column_letter(column)].width = WIDTH_CHARS
    sheet.freeze_panes = "A3"


def _lines(record: Record, schema: ProcedureSchema) -> Iterator[tuple[str, ...]]:
    for name, field in schema.fields.items():
        yield (field.section or "", name, "", field.label, *_values(record.fields.get(name)))
    for name, rule in schema.derived.items():
        if name in record.derived:
            computed = (_text(record.derived[name]), rule.unit or "", "computed", "", "", "", "", "", "")
            yield ("", name, "", rule.label, *computed)
    for name, table in schema.tables.items():
        for index, row in enumerate(record.tables.get(name, ())):
            for column in table.columns.values():
                label = f"{table.label}: {column.label}"
                yield (table.section, f"{name}.{column.id}", str(index), label, *_values(row.get(column.id)))
    for index, sentence in enumerate(record.unfiled):
        said = (sentence.text, _text(sentence.start_s), _text(sentence.end_s))
        yield ("", UNFILED, str(index), UNFILED_TITLE, "", "", UNFILED, "", *said, "", "")


def _values(cell: Cell | None) -> tuple[str, ...]:
    if cell is None:
        return ("", "", "not_stated", "", "", "", "", "", "")
    evidence = cell.evidence
    start_s, end_s = (evidence.start_s, evidence.end_s) if evidence else (None, None)
    return (
        _text(cell.value), cell.unit or "", cell.status, _grounding(cell), cell.as_dictated,
        _text(start_s), _text(end_s), cell.problem or "", cell.support or "",
    )  # fmt: skip


def _grounding(cell: Cell) -> str:
    """Whether the value was said; what was said of another one tells nothing of what a person has entered."""
    return ENTERED if is_entered(cell) else cell.grounding


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return "; ".join(map(str, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def _safe(text: str) -> str:
    """Text that a spreadsheet shows and does not compute."""
    return f"'{text}" if text.startswith(FORMULA_SIGNS) else text
