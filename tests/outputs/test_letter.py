"""Documents as letters: head, prose, signature and foot; and the note for the clipboard."""

import re
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser
from io import BytesIO

import docx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from endoscribe.outputs.clipboard import plain_note, rich_note
from endoscribe.outputs.document import note_docx, note_pdf
from endoscribe.outputs.letter import Letter, Prose, Table, letter
from endoscribe.outputs.note import neutral, render_note
from endoscribe.procedures.checks import Verdict
from endoscribe.review.context import ExamContext
from endoscribe.review.signature import Signature, digest
from tests.support.reports import BRITISH, SCHEMAS, doubtful_record, made_record

COL = SCHEMAS["col"]
RECORD = made_record("col", {"patient_age": 61}, polyps=[{"size_mm": 4.0}])
CHECKS = (Verdict("X-1", "warning", "A rule that fired.", (), "ours"),)
SIGNATURE = Signature("Dr. Example", datetime(2026, 1, 2, 3, 4, tzinfo=UTC), digest(RECORD), RECORD)
ATTACKS = ('<b onmouseover="x">&amp;', "</para><font size=99>", "{{ 7 * 7 }}", "\x00\x0b\ud800\uffff")
CONTEXT = ExamContext(
    name="Jane Example", record_number="MRN 1", birth_date="1960-03-04", referrer="Dr. Sample", facility="Example Unit"
)


def texts(written: Letter) -> str:
    found = [written.title, written.standing, written.signed, written.foot, written.facility or ""]
    found += [f"{label}: {text}" for label, text in written.facts]
    for block in written.blocks:
        found += [" ".join((*block.heads, *sum(block.rows, ())))] if isinstance(block, Table) else [block.text]
    return "\n".join(found)


def test_the_head_tells_who_and_when() -> None:
    written = letter(made_record("col", {"procedure_date": "2024-09-16", "endoscopist": "Dr. ABC"}), COL, None, CONTEXT)
    assert written.facility == "Example Unit"
    assert written.facts == (
        ("Patient", "Jane Example"),
        ("Record number", "MRN 1"),
        ("Born", "March 4, 1960"),
        ("Date of examination", "September 16, 2024"),
        ("Endoscopist", "Dr. ABC"),
        ("Referred by", "Dr. Sample"),
    )
    typed = letter(made_record("col", {"endoscopist": "Dr. ABC"}), COL, None, ExamContext(endoscopist="Dr. Typed"))
    assert typed.facts == (("Endoscopist", "Dr. Typed"),)
    assert dict(letter(made_record("col"), BRITISH["col"], None, CONTEXT).facts)["Born"] == "4 March 1960"


def test_a_signed_letter_holds_nothing_to_do() -> None:
    record = replace(doubtful_record(), checks=CHECKS)
    draft, signed = letter(record, COL), letter(record, COL, SIGNATURE, version=3)
    assert "To review" in texts(draft)
    assert "The words deny it" in texts(draft)
    for words in ("To review", "warning", "The words deny it", "edited", "DRAFT"):
        assert words not in texts(signed)
    assert signed.foot == f"Version 3. Read by the offline reader. SHA-256 {SIGNATURE.sha256}"
    assert signed.signed == "Signed electronically by Dr. Example, 2026-01-02 03:04 UTC"


def test_what_is_not_confirmed_is_no_cell_of_a_table() -> None:
    tables = [block for block in letter(doubtful_record(), COL).blocks if isinstance(block, Table)]
    assert tables == []


def test_a_word_document_has_head_and_foot() -> None:
    document = docx.Document(BytesIO(note_docx(RECORD, COL, SIGNATURE, CONTEXT, 3)))
    page = document.sections[0]
    assert page.header.paragraphs[0].text == "Signed by Dr. Example, 2026-01-02 03:04 UTC."
    assert SIGNATURE.sha256 in page.footer.paragraphs[0].text
    assert "Patient: Jane Example" in [found.text for row in document.tables[0].rows for found in row.cells]


@pytest.mark.parametrize("length", [60, 30_000])
def test_a_row_taller_than_a_page_breaks_no_pdf(length: int) -> None:
    row: dict[str, object] = {"appearance": "word " * (length // 5)}
    record = made_record("col", masses=[row] * 3)
    assert note_pdf(record, COL).startswith(b"%PDF-")
    assert note_docx(record, COL)


def test_a_cell_taller_than_a_page_is_split() -> None:
    from endoscribe.outputs import document

    tall = Table(("#", "Text"), (("1", "word " * 8000),))
    written = replace(letter(RECORD, COL), blocks=(tall, Prose("end")))
    from reportlab.platypus import SimpleDocTemplate

    buffer = BytesIO()
    SimpleDocTemplate(buffer).build(document._story(written, 400))
    assert buffer.getvalue().count(b"/Type /Page\n") > 1


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_hostile_context_stays_text(attack: str) -> None:
    context = ExamContext(name=attack, facility=attack, date=attack)
    assert note_pdf(RECORD, COL, None, context).startswith(b"%PDF-")
    assert note_docx(RECORD, COL, None, context)


# -- the clipboard ---------------------------------------------------------------------------------------------------


class _Tags(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: list[object] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_clipboard_holds_no_markdown() -> None:
    note = render_note(made_record("col", {"impression": "1. [x](y) **b** 5 < 6"}, polyps=[{"size_mm": 4.0}] * 2), COL)
    plain = plain_note(note)
    assert "Impression\n1. [x](y) **b** 5 < 6.\n" in plain
    assert "\n1. A 4 mm polyp was found.\n2. A 4 mm polyp was found.\n" in plain
    assert not re.search(r"^#|\\|&lt;", plain, re.MULTILINE)
    rich = _Tags(rich_note(note))
    assert "1. [x](y) **b** 5 < 6." in rich.text
    assert rich.tags == {"p", "h1", "h2", "b"}
    assert rich.attributes == []


@given(st.text(max_size=80))
def test_any_text_comes_out_as_it_went_in(text: str) -> None:
    wanted = " ".join(text.split())
    note = f"x {neutral(text)}\n"
    assert plain_note(note).strip() == f"x {wanted}".strip()
    rich = _Tags(rich_note(note))
    assert rich.tags == {"p"}
    assert rich.text.strip() == f"x {wanted}".strip()
