"""The record as a document to take away: the same blocks as Word and as PDF.

Every page says at its top whether the report is a draft or who signed it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from endoscribe.extraction.labels import plain_value
from endoscribe.extraction.record import Record
from endoscribe.outputs.outline import (
    UNFILED_TITLE,
    Grid,
    ReportPart,
    as_signed,
    outline,
    printable,
    spoken,
    standing_line,
    with_remark,
)
from endoscribe.procedures.schema import ProcedureSchema
from endoscribe.review.signature import Signature

if TYPE_CHECKING:
    from docx.document import Document
    from reportlab.platypus import Flowable

POINTS_PER_CM = 72 / 2.54
MARGIN = 2 * POINTS_PER_CM
#: reportlab keeps so much free inside the frame of a page; tables and the line at the top end where the text does.
FRAME_PADDING = 6
DRAFT_GREY = 0.88
#: A page with a wider table lies on its side.
MOST_UPRIGHT_COLUMNS = 8


@dataclass(frozen=True)
class Heading:
    text: str
    level: int


@dataclass(frozen=True)
class TextLine:
    """A label and what is said of it; without a label a point of a list."""

    label: str | None
    text: str


@dataclass(frozen=True)
class Table:
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


Block = Heading | TextLine | Table


def note_docx(record: Record, schema: ProcedureSchema, signature: Signature | None = None) -> bytes:
    """The record as a Word document."""
    import docx  # slow to import, seldom needed

    document = docx.Document()
    blocks = tuple(_blocks(record, schema, signature))
    standing = printable(standing_line(record, signature))
    if _is_wide(blocks):
        _turn(document)
    document.sections[0].header.paragraphs[0].text = standing
    document.add_heading(printable(schema.title), level=0)
    document.add_paragraph(standing).runs[0].bold = True
    for block in blocks:
        _write_docx(document, block)
    buffer = BytesIO()
    document.save(buffer)
    return buffer.getvalue()


def note_pdf(record: Record, schema: ProcedureSchema, signature: Signature | None = None) -> bytes:
    """The record as a PDF on A4; a draft has the word across every page. The same record gives the same bytes."""
    from reportlab.lib.pagesizes import A4, landscape
    from reportlab.platypus import Paragraph, SimpleDocTemplate

    styles = _styles()
    standing = printable(standing_line(record, signature))
    blocks = tuple(_blocks(record, schema, signature))
    title = f"{schema.title} report" if signature else f"DRAFT: {schema.title} report"
    author = printable(signature.name) if signature else "EndoScribe"
    buffer = BytesIO()
    side = MARGIN - FRAME_PADDING
    document = SimpleDocTemplate(
        buffer, pagesize=landscape(A4) if _is_wide(blocks) else A4, title=printable(title), author=author,
        leftMargin=side, rightMargin=side, topMargin=MARGIN, bottomMargin=MARGIN, invariant=1,
    )  # fmt: skip
    story: list[Flowable] = [Paragraph(_markup(schema.title), styles["title"])]
    story.append(Paragraph(f"<b>{_markup(standing)}</b>", styles["text"]))
    for block in blocks:
        story += _flow(block, styles, document.width - 2 * FRAME_PADDING)

    def decorate(canvas: Any, page: Any) -> None:
        _decorate(canvas, page.pagesize, standing, is_draft=signature is None)

    document.build(story, onFirstPage=decorate, onLaterPages=decorate)
    return buffer.getvalue()


def _blocks(record: Record, schema: ProcedureSchema, signature: Signature | None) -> Iterator[Block]:
    """A heading a section, its fields, its tables; what else was said, and the open questions."""
    record = as_signed(record) if signature else record
    for part in outline(record, schema):
        yield from _part(part)
    if record.unfiled:
        yield Heading(UNFILED_TITLE, 1)
        for sentence in record.unfiled:
            yield TextLine(None, spoken(sentence))
    if record.checks:
        yield Heading("To review", 1)
        for verdict in record.checks:
            yield TextLine(None, f"{verdict.severity}: {verdict.message}")


def _is_wide(blocks: tuple[Block, ...]) -> bool:
    return any(isinstance(block, Table) and len(block.heads) > MOST_UPRIGHT_COLUMNS for block in blocks)


def _part(part: ReportPart) -> Iterator[Block]:
    stated = [(line.field, line.cell) for line in part.lines if line.cell]
    if not (stated or part.computed or part.grids):
        return
    yield Heading(part.label, 1)
    for field, cell in stated:
        yield TextLine(field.label, with_remark(cell, field))
    for computed in part.computed:
        yield TextLine(computed.rule.label, f"{plain_value(computed.value, None, computed.rule.unit)} (computed)")
    for grid in part.grids:
        yield Heading(grid.table.label, 2)
        yield _table(grid)


def _table(grid: Grid) -> Table:
    rows = tuple(
        (str(number), *(with_remark(row[c.id], c) if c.id in row else "" for c in grid.columns))
        for number, row in enumerate(grid.rows, start=1)
    )
    return Table(("#", *(column.label for column in grid.columns)), rows)


# -- Word ------------------------------------------------------------------------------------------------------------


def _turn(document: "Document") -> None:
    from docx.enum.section import WD_ORIENT

    page = document.sections[0]
    page.orientation = WD_ORIENT.LANDSCAPE
    page.page_width, page.page_height = page.page_height, page.page_width


def _write_docx(document: "Document", block: Block) -> None:
    if isinstance(block, Heading):
        document.add_heading(printable(block.text), level=block.level)
    elif isinstance(block, Table):
        _write_docx_table(document, block)
    elif block.label is None:
        document.add_paragraph(printable(block.text), style="List Bullet")
    else:
        paragraph = document.add_paragraph()
        paragraph.add_run(f"{printable(block.label)}: ").bold = True
        paragraph.add_run(printable(block.text))


def _write_docx_table(document: "Document", block: Table) -> None:
    table = document.add_table(rows=1, cols=len(block.heads), style="Table Grid")
    for cell, text in zip(table.rows[0].cells, block.heads, strict=True):
        cell.text = printable(text)
    for row in block.rows:
        for cell, text in zip(table.add_row().cells, row, strict=True):
            cell.text = printable(text)


# -- PDF -------------------------------------------------------------------------------------------------------------


def _styles() -> dict[str, Any]:
    """Paragraph styles on Bitstream Vera, which comes with reportlab and is embedded: Latin letters, ≤, ≥, µ, ²."""
    import reportlab
    from reportlab.lib.styles import ParagraphStyle
    from reportlab.pdfbase import pdfmetrics
    from reportlab.pdfbase.ttfonts import TTFont

    fonts = Path(reportlab.__file__).parent / "fonts"
    for name, file in (("Vera", "Vera.ttf"), ("Vera-Bold", "VeraBd.ttf")):
        pdfmetrics.registerFont(TTFont(name, str(fonts / file)))
    pdfmetrics.registerFontFamily("Vera", normal="Vera", bold="Vera-Bold", italic="Vera", boldItalic="Vera-Bold")
    return {
        "title": ParagraphStyle("title", fontName="Vera-Bold", fontSize=18, leading=24, spaceAfter=8),
        "head1": ParagraphStyle(
            "head1", fontName="Vera-Bold", fontSize=12, leading=16, spaceBefore=10, spaceAfter=3, keepWithNext=1
        ),
        "head2": ParagraphStyle(
            "head2", fontName="Vera-Bold", fontSize=10, leading=14, spaceBefore=6, spaceAfter=3, keepWithNext=1
        ),
        "text": ParagraphStyle("text", fontName="Vera", fontSize=9.5, leading=13.5),
        "cell": ParagraphStyle("cell", fontName="Vera", fontSize=7.5, leading=9.5),
    }


def _markup(text: str) -> str:
    """A text that stays one in reportlab's own markup."""
    return escape(printable(text))


def _flow(block: Block, styles: dict[str, Any], width: float) -> "list[Flowable]":
    from reportlab.platypus import Paragraph, Spacer

    if isinstance(block, Heading):
        return [Paragraph(_markup(block.text), styles[f"head{block.level}"])]
    if isinstance(block, Table):
        return [_flow_table(block, styles, width), Spacer(0, 6)]
    label = f"<b>{_markup(block.label)}:</b> " if block.label else "• "
    return [Paragraph(label + _markup(block.text), styles["text"])]


def _flow_table(block: Table, styles: dict[str, Any], width: float) -> "Flowable":
    from reportlab.lib.colors import grey
    from reportlab.platypus import LongTable, Paragraph, TableStyle

    heads = [Paragraph(f"<b>{_markup(text)}</b>", styles["cell"]) for text in block.heads]
    rows = [[Paragraph(_markup(text), styles["cell"]) for text in row] for row in block.rows]
    number = 20.0
    columns = [number, *[(width - number) / max(1, len(heads) - 1)] * (len(heads) - 1)]
    table = LongTable([heads, *rows], colWidths=columns, repeatRows=1)
    table.setStyle(TableStyle([("GRID", (0, 0), (-1, -1), 0.4, grey), ("VALIGN", (0, 0), (-1, -1), "TOP")]))
    return table


def _decorate(canvas: Any, size: tuple[float, float], standing: str, *, is_draft: bool) -> None:
    """The standing at the top of a page, its number below, and across a draft the word."""
    width, height = size
    canvas.saveState()
    if is_draft:
        canvas.setFillGray(DRAFT_GREY)
        canvas.setFont("Vera-Bold", 110)
        canvas.translate(width / 2, height / 2)
        canvas.rotate(45)
        canvas.drawCentredString(0, -40, "DRAFT")
        canvas.rotate(-45)
        canvas.translate(-width / 2, -height / 2)
    canvas.setFillGray(0.35)
    canvas.setFont("Vera", 6.5)
    canvas.drawString(MARGIN, height - MARGIN / 2, standing)
    canvas.drawRightString(width - MARGIN, MARGIN / 2, f"Page {canvas.getPageNumber()}")
    canvas.restoreState()
