"""The record as a note: Markdown through the schema's own template."""

import re
from collections.abc import Callable, Iterator, Mapping

from jinja2 import TemplateError

from endoscribe.errors import SchemaError
from endoscribe.extraction.labels import plain_value
from endoscribe.extraction.record import Cell, Record
from endoscribe.outputs.outline import (
    UNFILED_TITLE,
    Grid,
    ReportPart,
    as_signed,
    outline,
    spoken,
    standing_line,
    with_remark,
)
from endoscribe.procedures.expressions import Value
from endoscribe.procedures.schema import Derived, FieldSchema, ProcedureSchema
from endoscribe.procedures.templates import note_environment
from endoscribe.review.signature import Signature

#: Everything that Markdown or the HTML in it would take for more than text.
MARKDOWN_SIGNS = re.compile(r"([\\`*_{}\[\]#|~])")
BLANK_LINES = re.compile(r"\n{3,}")


def render_note(record: Record, schema: ProcedureSchema, signature: Signature | None = None) -> str:
    """The note as Markdown, headed as a draft or as signed; raises SchemaError when the schema's template fails."""
    first_line = standing_line(record, signature)
    record = as_signed(record) if signature else record
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
    body = BLANK_LINES.sub("\n\n", text).strip()
    return "\n\n".join([f"**{neutral(first_line)}**", body, *_unfiled(record)]) + "\n"


def neutral(text: str) -> str:
    """Text that stays text in Markdown: one line, its signs escaped, no HTML."""
    plain = MARKDOWN_SIGNS.sub(r"\\\1", " ".join(text.split()))
    return plain.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _unfiled(record: Record) -> Iterator[str]:
    if record.unfiled:
        yield "\n".join([f"## {UNFILED_TITLE}", *(f"- {neutral(spoken(sentence))}" for sentence in record.unfiled)])


# -- Markdown --------------------------------------------------------------------------------------------------------


def _said(cell: Cell | None, field: FieldSchema) -> str | None:
    """The value in words, with what is doubtful about it; None when it was not stated."""
    return None if cell is None else neutral(with_remark(cell, field))


def _computed(value: Value, rule: Derived) -> str:
    return neutral(plain_value(value, None, rule.unit))


def _rows(record: Record, schema: ProcedureSchema) -> Callable[[str], list[Mapping[str, str | None]]]:
    def rows(table: str) -> list[Mapping[str, str | None]]:
        columns = schema.tables[table].columns if table in schema.tables else {}
        return [
            {name: _said(row.get(name), column) for name, column in columns.items()}
            for row in record.tables.get(table, ())
        ]

    return rows


def _body(part: ReportPart) -> str:
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
