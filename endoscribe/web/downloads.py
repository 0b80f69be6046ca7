"""What can be taken away of a finished session, made when it is asked for."""

import json
from collections.abc import Callable
from dataclasses import dataclass

from endoscribe.errors import StorageError
from endoscribe.extraction.record import Record
from endoscribe.outputs.fhir import fhir_bundle
from endoscribe.outputs.note import note_docx
from endoscribe.outputs.outline import fitted
from endoscribe.outputs.tabular import record_csv
from endoscribe.procedures.schema import ProcedureSchema
from endoscribe.services import Services
from endoscribe.storage import Session


@dataclass(frozen=True)
class Format:
    """One kind of download: its button, file name and type, and how it is written."""

    label: str
    suffix: str
    media_type: str
    write: Callable[[Record, ProcedureSchema], bytes]


def _json_bytes(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, indent=2).encode()


def _draft_json(record: Record, _: ProcedureSchema) -> bytes:
    return _json_bytes({"status": "draft", **record.to_json()})


FORMATS = {
    "json": Format("JSON", ".json", "application/json", _draft_json),
    "csv": Format("CSV", ".csv", "text/csv; charset=utf-8", lambda record, schema: record_csv(record, schema).encode()),
    "docx": Format(
        "Word", ".docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document", note_docx
    ),
    "fhir": Format(
        "FHIR", ".fhir.json", "application/fhir+json", lambda record, schema: _json_bytes(fhir_bundle(record, schema))
    ),
}


def render_download(services: Services, session_id: str, form: str) -> tuple[bytes, Session]:
    """The file's content and its session; raises StorageError when there is no record yet."""
    record = services.sessions.record(session_id)
    if record is None:
        raise StorageError("There is no report for this session yet; press Submit first.")
    schema = services.schemas.get(record.procedure)
    content = FORMATS[form].write(record if form == "json" else fitted(record, schema), schema)
    return content, services.sessions.get(session_id)
