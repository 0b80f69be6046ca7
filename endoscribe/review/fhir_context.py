"""The context of an examination out of FHIR R4: a Patient and a ServiceRequest, as an order system has them.

Only what heads a report is taken; whatever is of another form is passed over.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from endoscribe.review.context import NO_CONTEXT, ExamContext, context_value

_Resource = Mapping[str, Any]
DAY_CHARS = len("2026-01-02")


def fhir_context(patient: _Resource | None, request: _Resource | None) -> ExamContext:
    """What a Patient and a ServiceRequest tell; raises ReviewError for a text that is too long."""
    ordered, person = request or {}, patient or {}
    found = {
        "name": _name(person) or _display(ordered.get("subject")),
        "record_number": _record_number(person),
        "birth_date": person.get("birthDate"),
        "date": _day(ordered.get("occurrenceDateTime")),
        "endoscopist": next(filter(None, map(_display, _list(ordered.get("performer")))), None),
        "referrer": _display(ordered.get("requester")),
        "room": next(filter(None, map(_display, _list(ordered.get("locationReference")))), None),
    }
    texts = {name: context_value(name, value) for name, value in found.items() if isinstance(value, str)}
    return ExamContext(**texts) if texts else NO_CONTEXT


def _name(patient: _Resource) -> str | None:
    """The official name, else the first."""
    names = [name for name in _list(patient.get("name")) if isinstance(name, Mapping)]
    for name in sorted(names, key=lambda name: name.get("use") != "official"):
        if isinstance(name.get("text"), str):
            return str(name["text"])
        parts = [part for part in (*_list(name.get("given")), name.get("family")) if isinstance(part, str)]
        if parts:
            return " ".join(parts)
    return None


def _record_number(patient: _Resource) -> str | None:
    """The identifier of type MR, else the first."""
    numbers = [each for each in _list(patient.get("identifier")) if isinstance(each, Mapping)]
    numbers.sort(key=lambda each: "MR" not in _codes(each.get("type")))
    return next((each["value"] for each in numbers if isinstance(each.get("value"), str)), None)


def _codes(concept: object) -> Iterator[str]:
    for coding in _list(concept.get("coding")) if isinstance(concept, Mapping) else ():
        if isinstance(coding, Mapping) and isinstance(coding.get("code"), str):
            yield coding["code"]


def _display(reference: object) -> str | None:
    display = reference.get("display") if isinstance(reference, Mapping) else None
    return display if isinstance(display, str) else None


def _day(moment: object) -> str | None:
    return moment[:DAY_CHARS] if isinstance(moment, str) else None


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
