"""What can be taken away of a finished session, made when it is asked for: the latest version or an earlier one."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from endoscribe.extraction.record import Record
from endoscribe.outputs.document import note_docx, note_pdf
from endoscribe.outputs.fhir import fhir_bundle
from endoscribe.outputs.note import render_note
from endoscribe.outputs.outline import as_written
from endoscribe.outputs.tabular import record_csv, record_xlsx
from endoscribe.procedures.schema import ProcedureSchema
from endoscribe.review.signature import Signature
from endoscribe.review.versions import current_record
from endoscribe.services import Services
from endoscribe.storage.sessions import Session
from endoscribe.web.review_service import ReviewService


@dataclass(frozen=True)
class Taken:
    """What a file is made of."""

    record: Record
    schema: ProcedureSchema
    signature: Signature | None
    version: int
    made: datetime


@dataclass(frozen=True)
class Format:
    """One kind of download: its button, file name and type, and how it is written."""

    label: str
    suffix: str
    media_type: str
    write: Callable[[Taken], bytes]


def _json_bytes(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, indent=2).encode("utf-8", "backslashreplace")


def _json(taken: Taken) -> bytes:
    signature = taken.signature
    signed = {"name": signature.name, "at": signature.at.isoformat(), "sha256": signature.sha256} if signature else None
    standing = {"status": "signed" if signature else "draft", "version": taken.version, "signature": signed}
    return _json_bytes({**standing, **taken.record.to_json()})


_OFFICE = "application/vnd.openxmlformats-officedocument"
FORMATS = {
    "md": Format("Note", ".md", "text/markdown; charset=utf-8",
                 lambda t: render_note(t.record, t.schema, t.signature).encode("utf-8", "replace")),
    "docx": Format("Word", ".docx", f"{_OFFICE}.wordprocessingml.document",
                   lambda t: note_docx(t.record, t.schema, t.signature)),
    "pdf": Format("PDF", ".pdf", "application/pdf", lambda t: note_pdf(t.record, t.schema, t.signature)),
    "json": Format("JSON", ".json", "application/json", _json),
    "csv": Format("CSV", ".csv", "text/csv; charset=utf-8",
                  lambda t: record_csv(t.record, t.schema, t.signature).encode("utf-8", "replace")),
    "xlsx": Format("Excel", ".xlsx", f"{_OFFICE}.spreadsheetml.sheet",
                   lambda t: record_xlsx(t.record, t.schema, t.signature)),
    "fhir": Format("FHIR", ".fhir.json", "application/fhir+json",
                   lambda t: _json_bytes(fhir_bundle(t.record, t.schema, t.signature, t.made))),
}  # fmt: skip


def render_download(
    services: Services, reviews: ReviewService, session_id: str, form: str, number: int | None = None
) -> tuple[bytes, str]:
    """The file's content and name; raises StorageError without a report, ReviewError without that version."""
    session = services.sessions.get(session_id)
    review = reviews.review(session_id)
    version = review.latest if number is None else review.version(number)
    schema = services.schemas.get(version.reading.record.procedure)
    record = current_record(version, schema)
    record = record if form == "json" else as_written(record, schema)
    taken = Taken(record, schema, version.signature, version.number, session.created)
    return FORMATS[form].write(taken), _file_name(session, taken, FORMATS[form].suffix)


def _file_name(session: Session, taken: Taken, suffix: str) -> str:
    standing = "signed" if taken.signature else "draft"
    version = f"-v{taken.version}" if taken.version > 1 else ""
    return f"{standing}-{taken.record.procedure}-{session.created:%Y-%m-%d-%H%M}{version}{suffix}"
