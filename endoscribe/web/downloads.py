"""What can be taken away of a finished session, made when it is asked for: the latest version or an earlier one."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from endoscribe.errors import ReviewError
from endoscribe.extraction.record import Record
from endoscribe.outputs.clipboard import plain_note, rich_note
from endoscribe.outputs.document import note_docx, note_pdf
from endoscribe.outputs.fhir import fhir_bundle
from endoscribe.outputs.note import render_note
from endoscribe.outputs.outline import as_written
from endoscribe.outputs.tabular import record_csv, record_xlsx
from endoscribe.procedures.schema import ProcedureSchema
from endoscribe.review.context import ExamContext, dictated_context
from endoscribe.review.signature import Signature
from endoscribe.review.versions import context_of, current_record
from endoscribe.services import Services
from endoscribe.storage.sessions import Session
from endoscribe.web.review_service import ReviewService


@dataclass(frozen=True)
class ExportSource:
    """What a file is made from: one version of a report."""

    record: Record
    schema: ProcedureSchema
    signature: Signature | None
    version: int
    made: datetime
    context: ExamContext


@dataclass(frozen=True)
class Format:
    """One kind of download: its button, file name and type, and how it is written."""

    label: str
    suffix: str
    media_type: str
    render: Callable[[ExportSource], bytes]


def _json_bytes(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, indent=2).encode("utf-8", "backslashreplace")


def _json(source: ExportSource) -> bytes:
    signature = source.signature
    signed = {"name": signature.name, "at": signature.at.isoformat(), "sha256": signature.sha256} if signature else None
    standing = {"status": "signed" if signature else "draft", "version": source.version, "signature": signed}
    known = {"context": dict(source.context.given())} if source.context.given() else {}
    return _json_bytes({**standing, **known, **source.record.to_json()})


_OFFICE = "application/vnd.openxmlformats-officedocument"
FORMATS = {
    "md": Format("Note", ".md", "text/markdown; charset=utf-8",
                 lambda s: _note(s).encode("utf-8", "replace")),
    "docx": Format("Word", ".docx", f"{_OFFICE}.wordprocessingml.document",
                   lambda s: note_docx(s.record, s.schema, s.signature, s.context, s.version)),
    "pdf": Format("PDF", ".pdf", "application/pdf",
                  lambda s: note_pdf(s.record, s.schema, s.signature, s.context, s.version)),
    "json": Format("JSON", ".json", "application/json", _json),
    "csv": Format("CSV", ".csv", "text/csv; charset=utf-8",
                  lambda s: record_csv(s.record, s.schema, s.signature).encode("utf-8", "replace")),
    "xlsx": Format("Excel", ".xlsx", f"{_OFFICE}.spreadsheetml.sheet",
                   lambda s: record_xlsx(s.record, s.schema, s.signature)),
    "fhir": Format("FHIR", ".fhir.json", "application/fhir+json",
                   lambda s: _json_bytes(fhir_bundle(s.record, s.schema, s.signature, s.made, s.context))),
}  # fmt: skip
#: What "Copy note" puts on the clipboard. The rich text is sent as plain text: no browser is to show it as a page.
CLIPBOARD = {
    "txt": Format("Plain text", ".txt", "text/plain; charset=utf-8",
                  lambda s: plain_note(_note(s)).encode("utf-8", "replace")),
    "rich": Format("Rich text", ".html.txt", "text/plain; charset=utf-8",
                   lambda s: rich_note(_note(s)).encode("utf-8", "replace")),
}  # fmt: skip


def format_of(format_id: str) -> Format | None:
    """What a file is called and how it is made, by the last part of its address."""
    return FORMATS.get(format_id) or CLIPBOARD.get(format_id)


def _note(source: ExportSource) -> str:
    known = source.context.over(dictated_context(source.record))
    return render_note(source.record, source.schema, source.signature, known)


def render_download(
    services: Services, reviews: ReviewService, session_id: str, format_id: str, number: int | None = None
) -> tuple[bytes, str]:
    """The file's content and name; raises StorageError without a report, ReviewError without that version or form."""
    form = format_of(format_id)
    if form is None:
        raise ReviewError("There is no such download.")
    session = services.sessions.get(session_id)
    review = reviews.review(session_id)
    version = review.latest if number is None else review.version(number)
    schema = services.schemas.get(version.reading.record.procedure)
    record = current_record(version, schema)
    record = record if format_id == "json" else as_written(record, schema)
    source = ExportSource(record, schema, version.signature, version.number, session.created, context_of(version))
    return form.render(source), _file_name(session, source, form.suffix)


def _file_name(session: Session, source: ExportSource, suffix: str) -> str:
    standing = "signed" if source.signature else "draft"
    version = f"-v{source.version}" if source.version > 1 else ""
    return f"{standing}-{source.record.procedure}-{session.created:%Y-%m-%d-%H%M}{version}{suffix}"
