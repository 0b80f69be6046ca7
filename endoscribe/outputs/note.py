"""The record as a note: Markdown through the schema's own template, and a Word document."""

import re
from collections.abc import Callable, Mapping
from io import BytesIO
from typing import TYPE_CHECKING

from jinja2 import TemplateError

from endoscribe.errors import SchemaError
from endoscribe.extraction.record import Cell, Record
from endoscribe.outputs.outline import Grid, Part, draft_line, outline, plain_value, printable, remark, value_text
from endoscribe.procedures.expressions import Value
from endoscribe.procedures.schema import Derived, FieldSchema, ProcedureSchema
from endoscribe.procedures.templates import note_environment

if TYPE_CHECKING:
    from docx.document import Document

#: Everything that Markdown or the HTML in it would take for more than text.
MARKDOWN_SIGNS = re.compile(r"([\\`*_{}\[\]#|~])")
BLANK_LINES = re.compile(r"\n{3,}")


def render_note(record: Record, schema: ProcedureSchema) -> str:
    """The note as Markdown, headed as a draft; raises SchemaError when the schema's template fails."""
    parts = {part.id: part for part in outline(record, schema)}
    names: dict[str, object] = dict.fromkeys(schema.derived)
    names |= {name: _said(record.fields.get(name), field) for name, field in schema.fields.items()}
    names |= {name: _computed(value, schema.derived[name]) for name, value in record.derived.items()}
    names |= {
        "title": neutral(schema.title),
        "sections": {section: neutral(label) for section, label in schema.sections.items()},
        "body": lambda section: _body(parts[section]) if section in parts else "",
        "rows": _rows(record, schema),
    }
    try:
        text = note_environment().from_string(schema.note).render(names)
    except (TemplateError, TypeError, ValueError, ArithmeticError, LookupError) as error:
        raise SchemaError(f"The note template of {schema.id} fails ({type(error).__name__}).") from error
    return f"**{neutral(draft_line(record))}**\n\n{BLANK_LINES.sub(chr(10) * 2, text).strip()}\n"


def neutral(text: str) -> str:
    """Text that stays text in Markdown: one line, its signs escaped, no HTML."""
    plain = MARKDOWN_SIGNS.sub(r"\\\1", " ".join(text.split()))
    return plain.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def note_docx(record: Record, schema: ProcedureSchema) -> bytes:
    """The record as a Word document: a heading a section, its fields, its tables, and the open questions."""
    import docx  # slow to import, seldom needed

    document = docx.Document()
    document.add_heading(printable(schema.title), level=0)
    document.add_paragraph(draft_line(record)).runs[0].bold = True
    for part in outline(record, schema):
        _add_part(document, part)
    if record.checks:
        document.add_heading("To review", level=1)
        for verdict in record.checks:
            document.add_paragraph(printable(f"{verdict.severity}: {verdict.message}"), style="List Bullet")
    buffer = BytesIO()
    document.save(buffer)
    return buffer.getvalue()


# -- Markdown --------------------------------------------------------------------------------------------------------


def _said(cell: Cell | None, field: FieldSchema) -> str | None:
    """The value in words, with what is doubtful about it; None when it was not stated."""
    return None if cell is None else neutral(_with_remark(cell, field))


def _computed(value: Value, rule: Derived) -> str:
    return neutral(plain_value(value, None, rule.unit))


def _with_remark(cell: Cell, field: FieldSchema) -> str:
    text, words = value_text(cell, field), remark(cell)
    return f"{text} ({words})" if words else text


def _rows(record: Record, schema: ProcedureSchema) -> Callable[[str], list[Mapping[str, str | None]]]:
    def rows(table: str) -> list[Mapping[str, str | None]]:
        columns = schema.tables[table].columns if table in schema.tables else {}
        return [
            {name: _said(row.get(name), column) for name, column in columns.items()}
            for row in record.tables.get(table, ())
        ]

    return rows


def _body(part: Part) -> str:
    lines = [f"- {neutral(line.field.label)}: {_said(line.cell, line.field)}" for line in part.lines if line.cell]
    lines += [
        f"- {neutral(computed.rule.label)}: {_computed(computed.value, computed.rule)} (computed)"
        for computed in part.computed
    ]
    return "\n".join([*lines, *(_grid(grid) for grid in part.grids)])


def _grid(grid: Grid) -> str:
    lines = [f"- {neutral(grid.table.label)}:"]
    for number, row in enumerate(grid.rows, start=1):
        said = [
            f"{neutral(column.label)} {_said(row[column.id], column)}" for column in grid.columns if column.id in row
        ]
        lines.append(f"  {number}. {'; '.join(said)}")
    return "\n".join(lines)


# -- Word ------------------------------------------------------------------------------------------------------------


def _add_part(document: "Document", part: Part) -> None:
    stated = [line for line in part.lines if line.cell]
    if not (stated or part.computed or part.grids):
        return
    document.add_heading(printable(part.label), level=1)
    for line in stated:
        if line.cell:
            _add_line(document, line.field.label, _with_remark(line.cell, line.field))
    for computed in part.computed:
        _add_line(document, computed.rule.label, f"{plain_value(computed.value, None, computed.rule.unit)} (computed)")
    for grid in part.grids:
        _add_grid(document, grid)


def _add_line(document: "Document", label: str, text: str) -> None:
    paragraph = document.add_paragraph()
    paragraph.add_run(f"{printable(label)}: ").bold = True
    paragraph.add_run(printable(text))


def _add_grid(document: "Document", grid: Grid) -> None:
    document.add_heading(printable(grid.table.label), level=2)
    table = document.add_table(rows=1, cols=1 + len(grid.columns), style="Table Grid")
    for cell, label in zip(table.rows[0].cells, ("#", *(column.label for column in grid.columns)), strict=True):
        cell.text = printable(label)
    for number, row in enumerate(grid.rows, start=1):
        said = [_with_remark(row[column.id], column) if column.id in row else "" for column in grid.columns]
        for cell, text in zip(table.add_row().cells, (str(number), *said), strict=True):
            cell.text = printable(text)
