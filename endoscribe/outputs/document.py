"""The record as a document to take away: the same letter as Word and as PDF, upright.

Every page says at its top whether the report is a draft or who signed it, and at its foot the version and the hash.
"""

from html import escape
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from endoscribe.extraction.record import Record
from endoscribe.outputs.letter import Block, Heading, Letter, Prose, Table, letter
from endoscribe.outputs.outline import printable
from endoscribe.procedures.schema import ProcedureSchema
from endoscribe.review.context import NO_CONTEXT, ExamContext
from endoscribe.review.signature import Signature

if TYPE_CHECKING:
    from docx.document import Document
    from reportlab.platypus import Flowable

POINTS_PER_CM = 72 / 2.54
MARGIN = 2 * POINTS_PER_CM
#: reportlab keeps so much free inside the frame of a page; tables and the line at the top end where the text does.
FRAME_PADDING = 6
DRAFT_GREY = 0.88
LINE_GREY = 0.6
#: Width of the column with a row's number.
NUMBER_WIDTH = 20.0
#: The head of a letter has two facts a line.
FACTS_A_LINE = 2


def note_docx(
    record: Record,
    schema: ProcedureSchema,
    signature: Signature | None = None,
    context: ExamContext = NO_CONTEXT,
    version: int | None = None,
) -> bytes:
    """The record as a Word document."""
    import docx  # slow to import, seldom needed

    written = letter(record, schema, signature, context, version)
    document = docx.Document()
    _write_docx_margins(document, written)
    if written.facility:
        document.add_paragraph().add_run(printable(written.facility)).bold = True
    document.add_heading(printable(written.title), level=0)
    if written.is_draft:
        document.add_paragraph().add_run(printable(written.standing)).bold = True
    _write_docx_facts(document, written)
    for block in written.blocks:
        _write_docx(document, block)
    document.add_paragraph()
    document.add_paragraph().add_run(printable(written.signed)).bold = True
    buffer = BytesIO()
    document.save(buffer)
    return buffer.getvalue()


def note_pdf(
    record: Record,
    schema: ProcedureSchema,
    signature: Signature | None = None,
    context: ExamContext = NO_CONTEXT,
    version: int | None = None,
) -> bytes:
    """The record as a PDF on A4; a draft has the word across every page. The same record gives the same bytes."""
    from reportlab.lib.pagesizes import A4
    from reportlab.platypus import SimpleDocTemplate

    written = letter(record, schema, signature, context, version)
    title = f"DRAFT: {written.title}" if written.is_draft else written.title
    author = printable(signature.name) if signature else "EndoScribe"
    buffer = BytesIO()
    side = MARGIN - FRAME_PADDING
    document = SimpleDocTemplate(
        buffer, pagesize=A4, title=printable(title), author=author,
        leftMargin=side, rightMargin=side, topMargin=MARGIN, bottomMargin=MARGIN, invariant=1,
    )  # fmt: skip
    story = _story(written, document.width - 2 * FRAME_PADDING)

    def decorate(canvas: Any, page: Any) -> None:
        _decorate(canvas, page.pagesize, written)

    document.build(story, onFirstPage=decorate, onLaterPages=decorate)
    return buffer.getvalue()


# -- Word ------------------------------------------------------------------------------------------------------------


def _write_docx_margins(document: "Document", written: Letter) -> None:
    """What stands at the top and at the foot of every page."""
    page = document.sections[0]
    page.header.paragraphs[0].text = printable(written.standing)
    page.footer.paragraphs[0].text = printable(written.foot)


def _write_docx_facts(document: "Document", written: Letter) -> None:
    if not written.facts:
        return
    lines = range(0, len(written.facts), FACTS_A_LINE)
    table = document.add_table(rows=len(lines), cols=FACTS_A_LINE)
    for index, (label, text) in enumerate(written.facts):
        paragraph = table.cell(index // FACTS_A_LINE, index % FACTS_A_LINE).paragraphs[0]
        paragraph.add_run(f"{printable(label)}: ").bold = True
        paragraph.add_run(printable(text))


def _write_docx(document: "Document", block: Block) -> None:
    if isinstance(block, Heading):
        document.add_heading(block.text, level=block.level)
    elif isinstance(block, Table):
        _write_docx_table(document, block)
    elif block.sign == "•":
        document.add_paragraph(block.text, style="List Bullet")
    else:
        document.add_paragraph(f"{block.sign} {block.text}" if block.sign else block.text)


def _write_docx_table(document: "Document", block: Table) -> None:
    table = document.add_table(rows=1, cols=len(block.heads), style="Table Grid")
    for cell, text in zip(table.rows[0].cells, block.heads, strict=True):
        cell.paragraphs[0].add_run(text).bold = True
    for row in block.rows:
        for cell, text in zip(table.add_row().cells, row, strict=True):
            cell.text = text
    document.add_paragraph()


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
            "head1", fontName="Vera-Bold", fontSize=11, leading=15, spaceBefore=9, spaceAfter=3, keepWithNext=1
        ),
        "head2": ParagraphStyle(
            "head2", fontName="Vera-Bold", fontSize=10, leading=14, spaceBefore=6, spaceAfter=3, keepWithNext=1
        ),
        "text": ParagraphStyle("text", fontName="Vera", fontSize=9.5, leading=13.5, spaceAfter=3),
        "cell": ParagraphStyle("cell", fontName="Vera", fontSize=8, leading=10.5),
        "fact": ParagraphStyle("fact", fontName="Vera", fontSize=9, leading=12),
        "item": ParagraphStyle("item", fontName="Vera", fontSize=9.5, leading=13.5, leftIndent=14, firstLineIndent=-14),
    }


def _markup(text: str) -> str:
    """A text that stays one in reportlab's own markup."""
    return escape(printable(text))


def _story(written: Letter, width: float) -> "list[Flowable]":
    from reportlab.platypus import Paragraph, Spacer

    styles = _styles()
    story: list[Flowable] = []
    if written.facility:
        story.append(Paragraph(f"<b>{_markup(written.facility)}</b>", styles["text"]))
    story.append(Paragraph(_markup(written.title), styles["title"]))
    if written.is_draft:
        story.append(Paragraph(f"<b>{_markup(written.standing)}</b>", styles["text"]))
    if written.facts:
        story += [_flow_facts(written, styles, width), Spacer(0, 4)]
    for block in written.blocks:
        story += _flow(block, styles, width)
    return [*story, Spacer(0, 22), Paragraph(f"<b>{_markup(written.signed)}</b>", styles["text"])]


def _flow_facts(written: Letter, styles: dict[str, Any], width: float) -> "Flowable":
    """The head: two facts a line, between two rules."""
    from reportlab.lib.colors import grey
    from reportlab.platypus import Paragraph
    from reportlab.platypus import Table as FlowingTable

    facts = [Paragraph(f"<b>{_markup(label)}:</b> {_markup(text)}", styles["fact"]) for label, text in written.facts]
    facts += [Paragraph("", styles["fact"])] * (len(facts) % FACTS_A_LINE)
    lines = [facts[index : index + FACTS_A_LINE] for index in range(0, len(facts), FACTS_A_LINE)]
    rules = [("LINEABOVE", (0, 0), (-1, 0), 0.6, grey), ("LINEBELOW", (0, -1), (-1, -1), 0.6, grey)]
    return FlowingTable(lines, colWidths=[width / FACTS_A_LINE] * FACTS_A_LINE, style=rules)


def _flow(block: Block, styles: dict[str, Any], width: float) -> "list[Flowable]":
    from reportlab.platypus import Paragraph, Spacer

    if isinstance(block, Heading):
        return [Paragraph(_markup(block.text), styles[f"head{block.level}"])]
    if isinstance(block, Table):
        return [_flow_table(block, styles, width), Spacer(0, 6)]
    if isinstance(block, Prose) and block.sign:
        return [Paragraph(f"{block.sign} {_markup(block.text)}", styles["item"])]
    return [Paragraph(_markup(block.text), styles["text"])]


def _flow_table(block: Table, styles: dict[str, Any], width: float) -> "Flowable":
    from reportlab.lib.colors import Color, grey
    from reportlab.platypus import LongTable, Paragraph, TableStyle

    heads = [Paragraph(f"<b>{_markup(text)}</b>", styles["cell"]) for text in block.heads]
    rows = [[Paragraph(_markup(text), styles["cell"]) for text in row] for row in block.rows]
    columns = [NUMBER_WIDTH, *[(width - NUMBER_WIDTH) / max(1, len(heads) - 1)] * (len(heads) - 1)]
    table = LongTable([heads, *rows], colWidths=columns, repeatRows=1, splitInRow=1)  # a row may be taller than a page
    lines = [("LINEBELOW", (0, 0), (-1, -1), 0.4, grey), ("VALIGN", (0, 0), (-1, -1), "TOP")]
    table.setStyle(TableStyle([*lines, ("BACKGROUND", (0, 0), (-1, 0), Color(0.94, 0.95, 0.96))]))
    return table


def _decorate(canvas: Any, size: tuple[float, float], written: Letter) -> None:
    """The standing at the top of a page, version, hash and number below, and across a draft the word."""
    width, height = size
    canvas.saveState()
    if written.is_draft:
        canvas.setFillGray(DRAFT_GREY)
        canvas.setFont("Vera-Bold", 110)
        canvas.translate(width / 2, height / 2)
        canvas.rotate(45)
        canvas.drawCentredString(0, -40, "DRAFT")
        canvas.rotate(-45)
        canvas.translate(-width / 2, -height / 2)
    canvas.setFillGray(0.35)
    canvas.setFont("Vera", 6.5)
    canvas.drawString(MARGIN, height - MARGIN / 2, printable(written.standing))
    canvas.drawString(MARGIN, MARGIN / 2, printable(written.foot))
    canvas.drawRightString(width - MARGIN, MARGIN / 2, f"Page {canvas.getPageNumber()}")
    canvas.restoreState()
