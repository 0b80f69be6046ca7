"""The record as a note: Markdown through the schema's own template."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence

from jinja2 import TemplateError

from endoscribe.errors import SchemaError
from endoscribe.extraction.labels import plain_value
from endoscribe.extraction.record import Cell, Record, UnfiledSentence
from endoscribe.outputs.head import head_facts
from endoscribe.outputs.narrative import NotePart, narrative, note_parts
from endoscribe.outputs.outline import (
    UNFILED_TITLE,
    as_signed,
    spoken,
    standing_line,
    with_remark,
)
from endoscribe.procedures.expressions import Value
from endoscribe.procedures.notes.spelling import spelled
from endoscribe.procedures.notes.templates import note_environment
from endoscribe.procedures.schema import Derived, FieldSchema, ProcedureSchema
from endoscribe.review.context import NO_CONTEXT, ExamContext
from endoscribe.review.signature import Signature

#: Everything that Markdown or the HTML in it would take for more than text.
MARKDOWN_SIGNS = re.compile(r"([\\`*_{}\[\]#|~])")
#: What makes a list, a rule or a heading of a line.
LIST_SIGN = re.compile(r"^(\d+(?=[.)])|)([-+=.)])")
#: No template makes more of a record than this many signs.
LONGEST_NOTE = 1_000_000
BLANK_LINES = re.compile(r"\n{3,}")


def render_note(
    record: Record,
    schema: ProcedureSchema,
    signature: Signature | None = None,
    context: ExamContext = NO_CONTEXT,
) -> str:
    """The note as Markdown, headed as a draft or as signed; raises SchemaError when the schema's template fails."""
    first_line = standing_line(record, signature)
    told = narrative(record, schema, is_signed=signature is not None)
    record = as_signed(record) if signature else record
    parts = {part.id: _body(part) for part in told.parts}
    titles = note_parts(schema)
    holding = {section: name for name, part in titles.items() for section in part.sections}
    names: dict[str, object] = dict.fromkeys(schema.derived)
    names |= {name: _said(record.fields.get(name), field) for name, field in schema.fields.items()}
    names |= {name: _computed(value, schema.derived[name]) for name, value in record.derived.items()}
    names |= {
        "title": neutral(schema.title),
        "sections": {name: neutral(spelled(part.title, schema.spelling)) for name, part in titles.items()},
        "body": lambda part: parts.get(part if part in titles else holding.get(part, ""), ""),
        "rows": _rows(record, schema),
    }
    try:
        text = _bounded(note_environment().from_string(schema.note).generate(names))
    except (TemplateError, TypeError, ValueError, ArithmeticError, LookupError) as error:
        raise SchemaError(f"The note template of {schema.id} fails ({type(error).__name__}).") from error
    body = BLANK_LINES.sub("\n\n", text).strip()
    head = [neutral(f"{label}: {text}") for label, text in head_facts(context, schema)]
    first = [f"**{neutral(first_line)}**", *([". ".join(head) + "."] if head else [])]
    return "\n\n".join([*first, body, *_unfiled(told.unplaced)]) + "\n"


def _bounded(pieces: Iterator[str]) -> str:
    """What a template writes; a loop without an end must not fill the memory."""
    found: list[str] = []
    length = 0
    for piece in pieces:
        found.append(piece)
        length += len(piece)
        if length > LONGEST_NOTE:
            raise ValueError("the note grows too long")
    return "".join(found)


def neutral(text: str) -> str:
    """Text that stays text in Markdown: one line, its signs escaped, no HTML."""
    plain = MARKDOWN_SIGNS.sub(r"\\\1", " ".join(text.split()))
    return plain.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _paragraph(text: str) -> str:
    """A line of text; one that begins like a list, a rule or a heading stays text, too."""
    return LIST_SIGN.sub(r"\1\\\2", neutral(text))


def _unfiled(said: Sequence[UnfiledSentence]) -> Iterator[str]:
    if said:
        yield "\n".join([f"## {UNFILED_TITLE}", *(f"- {neutral(spoken(sentence))}" for sentence in said)])


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


def _body(part: NotePart) -> str:
    """Paragraphs, numbered rows, then what is doubtful and what else was said."""
    told = [
        _paragraph(paragraph.text) if paragraph.number is None else f"{paragraph.number}. {_paragraph(paragraph.text)}"
        for paragraph in part.paragraphs
    ]
    doubts = "\n".join(f"- {_paragraph(doubt)}" for doubt in part.doubts)
    return "\n\n".join(filter(None, (*told, doubts, neutral(part.also_said or ""))))
