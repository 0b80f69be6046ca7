"""The record as a FHIR R4 document: a Composition, a DiagnosticReport, the Procedure, and an Observation a value.

What is not signed is preliminary. The models are those of R4B (4.3), which leaves these resources as R4 has them.
Codes stand only where the schema has them, elsewhere text; our own field ids are identifiers. What was not stated is
not exported; a value that the recording does not support is exported as absent, with a note saying why.
"""

import base64
import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import NAMESPACE_URL, uuid5
from xml.etree.ElementTree import Element, SubElement, tostring

from endoscribe.extraction.labels import unit_text, value_text
from endoscribe.extraction.record import Cell, Record, Row
from endoscribe.outputs.note import render_note
from endoscribe.outputs.outline import (
    DRAFT,
    NOT_CHECKED,
    UNFILED_TITLE,
    ReportPart,
    clock,
    outline,
    printable,
    reader_name,
    remark,
    spoken,
    standing_line,
)
from endoscribe.procedures.expressions import Value
from endoscribe.procedures.schema import Code, FieldSchema, ProcedureSchema, TableSchema
from endoscribe.review.context import NO_CONTEXT, ExamContext
from endoscribe.review.edits import is_not_done
from endoscribe.review.signature import Signature

SYSTEMS = {"snomed": "http://snomed.info/sct", "loinc": "http://loinc.org"}
UCUM = "http://unitsofmeasure.org"
ABSENT_REASONS = "http://terminology.hl7.org/CodeSystem/data-absent-reason"
#: Units that schemas write in words.
UCUM_CODES = {"years": "a", "months": "mo", "weeks": "wk", "days": "d", "Fr": "[Ch]", "mcg": "ug"}
UCUM_UNITS = frozenset({
    "mm", "cm", "min", "h", "d", "wk", "mo", "a", "s", "mL", "L", "mg", "ug", "g", "kg/m2", "%", "[Ch]", "MHz", "kPa",
    "mGy", "Gy.cm2", "ug/g", "ng/mL", "mg/dL", "U/L", "10*9/L", "mm/a",
})  # fmt: skip
FIELD_SYSTEM = "urn:endoscribe:field"
#: The dictation is not tied to a patient's record; whoever imports the bundle does that.
SUBJECT = {"display": "not identified in this draft"}
DATE_FIELD = "procedure_date"

Resource = dict[str, Any]


def fhir_bundle(
    record: Record,
    schema: ProcedureSchema,
    signature: Signature | None = None,
    made: datetime | None = None,
    context: ExamContext = NO_CONTEXT,
) -> Resource:
    """The document as JSON data, checked against the R4B models; `made` is when the report was made, by default now.

    The same record, signature and time give the same bundle.
    """
    from fhir.resources.R4B.bundle import Bundle  # takes a second to import

    when = (signature.at if signature else made or datetime.now(UTC)).isoformat(timespec="seconds")
    observations = list(_observations(record, schema))
    if signature:
        observations = [{**observation, "status": "final"} for observation in observations]
    procedure = _procedure(record, schema, signature)
    report = _report(record, schema, observations, signature, context)
    composition = _composition(record, schema, observations, signature, when)
    parts = (composition, report, procedure, *observations)
    entries = [{"fullUrl": _urn(part), "resource": _about(part, context)} for part in parts]
    identifier = {"system": "urn:ietf:rfc:3986", "value": f"urn:uuid:{_id(record, 'document')}"}
    document = {
        "resourceType": "Bundle", "type": "document", "identifier": identifier, "timestamp": when, "entry": entries
    }  # fmt: skip
    data: Resource = Bundle.model_validate(_printable(document)).model_dump(mode="json", exclude_none=True)
    return data


def _composition(
    record: Record, schema: ProcedureSchema, observations: Sequence[Resource], signature: Signature | None, when: str
) -> Resource:
    """The document's first page: who wrote and attests it, a section each part of the report, what else was said."""
    by_name = {each["identifier"][0]["value"]: _urn(each) for each in observations}
    author = {"display": signature.name if signature else f"EndoScribe, read by {reader_name(record)}"}
    attester = {"attester": [{"mode": "legal", "time": when, "party": author}]} if signature else {}
    standing = {"title": "Standing", "text": _narrative([standing_line(record, signature)])}
    sections = [_section(part, schema, by_name) for part in outline(record, schema)]
    return {
        "resourceType": "Composition",
        "id": _id(record, "composition"),
        "status": "final" if signature else "preliminary",
        "type": _concept(_of_system(schema.codes, "loinc"), f"{schema.title} report"),
        "subject": SUBJECT,
        "date": when,
        "author": [author],
        **attester,
        "title": f"{schema.title} report" if signature else f"DRAFT: {schema.title} report",
        "section": [standing, *(section for section in sections if "entry" in section), *_unfiled(record)],
    }


def _about(part: Resource, context: ExamContext) -> Resource:
    """A resource with its subject, by name and record number where they are known; no reference: none is included."""
    if part.get("subject") != SUBJECT or not (context.name or context.record_number):
        return part
    number = {"identifier": {"value": context.record_number}} if context.record_number else {}
    return {**part, "subject": {**number, **({"display": context.name} if context.name else {})}}


def _section(part: ReportPart, schema: ProcedureSchema, by_name: Mapping[str, str]) -> Resource:
    names = [line.field.id for line in part.lines if line.cell]
    names += [f"{grid.table.id}.{index}" for grid in part.grids for index in range(len(grid.rows))]
    lines = [f"{line.field.label}: {value_text(line.cell, line.field)}" for line in part.lines if line.cell]
    lines += [f"{grid.table.label}: {len(grid.rows)}" for grid in part.grids]
    entries = [{"reference": by_name[f"{schema.id}.{name}"]} for name in names]
    return {"title": part.label, **({"text": _narrative(lines), "entry": entries} if entries else {})}


def _unfiled(record: Record) -> Iterator[Resource]:
    """What was said and stands in no Observation, for whoever reads the document."""
    if record.unfiled:
        lines = [spoken(each) + _at(each.start_s) for each in record.unfiled]
        yield {"title": UNFILED_TITLE, "text": _narrative(lines)}


def _at(start_s: float | None) -> str:
    return "" if start_s is None else f" at {clock(start_s)}"


def _narrative(lines: Sequence[str]) -> Resource:
    div = Element("div", xmlns="http://www.w3.org/1999/xhtml")
    for line in lines:
        SubElement(div, "p").text = printable(line)
    return {"status": "generated", "div": tostring(div, encoding="unicode")}


def _report(
    record: Record,
    schema: ProcedureSchema,
    observations: Sequence[Resource],
    signature: Signature | None,
    context: ExamContext,
) -> Resource:
    note = base64.b64encode(printable(render_note(record, schema, signature, context)).encode()).decode()
    return {
        "resourceType": "DiagnosticReport",
        "id": _id(record, "report"),
        "status": "final" if signature else "preliminary",
        "code": _concept(_of_system(schema.codes, "loinc"), f"{schema.title} report"),
        "subject": SUBJECT,
        **_effective(record),
        "result": [{"reference": _urn(observation)} for observation in observations],
        "conclusion": standing_line(record, signature) if signature else DRAFT,
        "presentedForm": [
            {
                "contentType": "text/markdown; charset=utf-8",
                "data": note,
                "title": "Signed note" if signature else "Draft note",
            }
        ],
    }


def _procedure(record: Record, schema: ProcedureSchema, signature: Signature | None) -> Resource:
    date = _date(record)
    standing = standing_line(record, signature)
    return {
        "resourceType": "Procedure",
        "id": _id(record, "procedure"),
        "status": "unknown",
        "code": _concept(_of_system(schema.codes, "snomed"), schema.title),
        "subject": SUBJECT,
        **({"performedDateTime": date} if date else {}),
        "note": [{"text": f"{standing} Schema {schema.id} {record.schema_version}."}],
    }


def _observations(record: Record, schema: ProcedureSchema) -> Iterator[Resource]:
    for part in outline(record, schema):
        for line in part.lines:
            if line.cell:
                base = _observation(record, schema, line.field.id, line.field.codes, line.field.label)
                yield {**base, **_content(line.cell, line.field), **_notes([(line.field, line.cell)])}
        for grid in part.grids:
            for index, row in enumerate(grid.rows):
                yield _row(record, schema, grid.table, index, row)


def _row(record: Record, schema: ProcedureSchema, table: TableSchema, index: int, row: Row) -> Resource:
    label = f"{table.row} {index + 1}"
    stated = [(table.columns[name], cell) for name, cell in row.items()]
    components = [{"code": _concept(column.codes, column.label), **_content(cell, column)} for column, cell in stated]
    base = _observation(record, schema, f"{table.id}.{index}", (), label)
    return {**base, "component": components, **_notes(stated)}


def _observation(record: Record, schema: ProcedureSchema, name: str, codes: Sequence[Code], label: str) -> Resource:
    return {
        "resourceType": "Observation",
        "id": _id(record, name),
        "identifier": [{"system": FIELD_SYSTEM, "value": f"{schema.id}.{name}"}],
        "partOf": [{"reference": f"urn:uuid:{_id(record, 'procedure')}"}],
        "status": "preliminary",
        "code": _concept(codes, label),
        "subject": SUBJECT,
        **_effective(record),
    }


def _content(cell: Cell, field: FieldSchema) -> Resource:
    """value[x] in the type that suits the field, or why there is none."""
    if is_not_done(cell):
        return {"dataAbsentReason": {"coding": [{"system": ABSENT_REASONS, "code": "not-performed"}]}}
    if cell.value is None or cell.status in ("unsupported", "invalid"):
        return {"dataAbsentReason": {"coding": [{"system": ABSENT_REASONS, "code": "unknown"}], "text": remark(cell)}}
    return _typed(cell.value, cell, field)


def _typed(value: Value, cell: Cell, field: FieldSchema) -> Resource:
    if isinstance(value, bool):
        return {"valueBoolean": value}
    if isinstance(value, int | float):
        return {"valueQuantity": {"value": value, **_unit(cell.unit)}}
    if field.type == "enum" and isinstance(value, str):
        return {"valueCodeableConcept": _concept(_codes(field, value), field.value_label(value))}
    if field.type == "time":
        return {"valueTime": f"{value}:00"}
    if field.type == "date":
        return {"valueDateTime": value}
    return {"valueString": value_text(cell, field)}


def _unit(unit: str | None) -> Resource:
    """The unit in words, and its UCUM code where it is known to be one."""
    if unit is None:
        return {}
    code = UCUM_CODES.get(unit) or (unit if unit in UCUM_UNITS or unit.startswith("{") else None)
    words = {"unit": unit_text(unit)} if unit_text(unit) else {}
    return {**words, **({"system": UCUM, "code": code} if code else {})}


def _notes(stated: Sequence[tuple[FieldSchema, Cell]]) -> Resource:
    """The words that each value rests on, with their time, and what is doubtful about it."""
    notes = [{"text": text} for field, cell in stated if (text := _note(field, cell))]
    return {"note": notes} if notes else {}


def _note(field: FieldSchema, cell: Cell) -> str:
    parts = [field.label]
    if cell.evidence:
        parts.append(f"“{cell.evidence.quote}”{_at(cell.evidence.start_s)}")
    elif cell.as_dictated:
        parts.append(f"“{cell.as_dictated}”")
    if remark(cell):
        parts.append(remark(cell))
    elif cell.support == "plausible" and cell.status == "ok":
        parts.append(NOT_CHECKED)
    return ": ".join(parts) if len(parts) > 1 else ""


def _concept(codes: Sequence[Code], text: str) -> Resource:
    coding = [{"system": SYSTEMS[code.system], "code": code.code, "display": code.display} for code in codes]
    return {**({"coding": coding} if coding else {}), "text": text}


def _codes(field: FieldSchema, value: str) -> Sequence[Code]:
    return field.values[value].codes if value in field.values else ()


def _of_system(codes: Sequence[Code], system: str) -> list[Code]:
    return [code for code in codes if code.system == system]


def _effective(record: Record) -> Mapping[str, str]:
    date = _date(record)
    return {"effectiveDateTime": date} if date else {}


def _date(record: Record) -> str | None:
    cell = record.fields.get(DATE_FIELD)
    return str(cell.value) if cell and cell.value and cell.status in ("ok", "edited") else None


def _id(record: Record, name: str) -> str:
    """The same for the same record, another for any other record."""
    content = json.dumps(record.to_json(), sort_keys=True, ensure_ascii=True)
    return str(uuid5(uuid5(NAMESPACE_URL, content), name))


def _printable(data: Any) -> Any:
    if isinstance(data, dict):
        return {name: _printable(value) for name, value in data.items()}
    if isinstance(data, list):
        return [_printable(value) for value in data]
    return printable(data) if isinstance(data, str) else data


def _urn(resource: Resource) -> str:
    return f"urn:uuid:{resource['id']}"
