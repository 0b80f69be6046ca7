"""What a document to take away says: a letter with its head, tables, prose, signature and foot.

A draft says so and lists what is to be reviewed; a signed letter holds no warnings and nothing to do.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from endoscribe.extraction.labels import value_text
from endoscribe.extraction.record import Record, Row
from endoscribe.outputs.head import head_facts
from endoscribe.outputs.narrative import NotePart, narrative
from endoscribe.outputs.outline import DRAFT, UNFILED_TITLE, printable, reader_name, spoken
from endoscribe.procedures.notes.spelling import spelled
from endoscribe.procedures.schema import FieldSchema, ProcedureSchema
from endoscribe.review.context import NO_CONTEXT, ExamContext, dictated_context
from endoscribe.review.signature import Signature

#: A page upright holds so many columns beside the number of the row; the prose tells the others.
MOST_TABLE_COLUMNS = 7
#: A longer text is no cell of a table; the prose tells it.
LONGEST_CELL = 80


@dataclass(frozen=True)
class Heading:
    text: str
    level: int


@dataclass(frozen=True)
class Prose:
    """A paragraph; with `sign` a point of a list: its number or a bullet."""

    text: str
    sign: str | None = None


@dataclass(frozen=True)
class Table:
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


Block = Heading | Prose | Table


@dataclass(frozen=True)
class Letter:
    """A document, whatever it is written as. `facts` are the head: labels and what is known of the examination."""

    title: str
    standing: str
    facility: str | None
    facts: tuple[tuple[str, str], ...]
    blocks: tuple[Block, ...]
    signed: str
    foot: str
    is_draft: bool


def letter(
    record: Record,
    schema: ProcedureSchema,
    signature: Signature | None = None,
    context: ExamContext = NO_CONTEXT,
    version: int | None = None,
) -> Letter:
    """The letter of one version of a report."""
    known = context.over(dictated_context(record))
    when = f"{signature.at:%Y-%m-%d %H:%M} UTC" if signature else ""
    numbered = f"Version {version}. " if version else ""
    hashed = f" SHA-256 {signature.sha256}" if signature else ""
    return Letter(
        title=f"{spelled(schema.title, schema.spelling)} report",
        standing=f"Signed by {signature.name}, {when}." if signature else DRAFT,
        facility=known.facility,
        facts=tuple(head_facts(known.with_value("facility", None), schema)),
        blocks=tuple(map(_printable, _blocks(record, schema, is_signed=signature is not None))),
        signed=f"Signed electronically by {signature.name}, {when}" if signature else "Not signed.",
        foot=f"{numbered}Read by {reader_name(record)}.{hashed}",
        is_draft=signature is None,
    )


def _blocks(record: Record, schema: ProcedureSchema, *, is_signed: bool) -> Iterator[Block]:
    told = narrative(record, schema, is_signed=is_signed)
    for part in told.parts:
        yield from _part(part, record, schema)
    if told.unplaced:
        yield Heading(UNFILED_TITLE, 1)
        for sentence in told.unplaced:
            yield Prose(spoken(sentence), "•")
    if record.checks and not is_signed:
        yield Heading("To review", 1)
        for verdict in record.checks:
            yield Prose(f"{verdict.severity}: {verdict.message}", "•")


def _part(part: NotePart, record: Record, schema: ProcedureSchema) -> Iterator[Block]:
    yield Heading(part.title, 1)
    for name in part.tables:
        table = schema.tables[name]
        if columns := _columns(record.tables[name], tuple(table.columns.values())):
            if len(part.tables) > 1:
                yield Heading(spelled(table.label, schema.spelling), 2)
            yield _table(record.tables[name], columns, schema)
    for paragraph in part.paragraphs:
        yield Prose(paragraph.text, f"{paragraph.number}." if paragraph.number else None)
    for doubt in part.doubts:
        yield Prose(doubt, "•")
    if part.also_said:
        yield Prose(part.also_said)


def _columns(rows: tuple[Row, ...], columns: tuple[FieldSchema, ...]) -> tuple[FieldSchema, ...]:
    """The columns for which there is room: of those that some row states with certainty, the required ones first."""
    stated = [column for column in columns if any(_text(row, column) for row in rows)]
    short = [column for column in stated if all(len(_text(row, column)) <= LONGEST_CELL for row in rows)]
    chosen = sorted(short, key=lambda column: column.level != "M")[:MOST_TABLE_COLUMNS]
    return tuple(column for column in short if column in chosen)


def _table(rows: tuple[Row, ...], columns: tuple[FieldSchema, ...], schema: ProcedureSchema) -> Table:
    heads = ("#", *(spelled(column.label, schema.spelling) for column in columns))
    texts = (tuple(spelled(_text(row, column), schema.spelling) for column in columns) for row in rows)
    return Table(heads, tuple((str(number), *row) for number, row in enumerate(texts, start=1)))


def _text(row: Row, column: FieldSchema) -> str:
    cell = row.get(column.id)
    return value_text(cell, column) if cell and cell.status in ("ok", "edited") else ""


def _printable(block: Block) -> Block:
    if isinstance(block, Heading):
        return Heading(printable(block.text), block.level)
    if isinstance(block, Prose):
        return Prose(printable(block.text), block.sign)
    return Table(tuple(map(printable, block.heads)), tuple(tuple(map(printable, row)) for row in block.rows))
