"""The context of an examination: who and where, which heads a report and is no finding.

It is typed on the page, given by a program, or taken from the dictation where it was said there; never is it asked of a
model. What is typed or given goes before what was said.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass

from endoscribe.errors import ReviewError
from endoscribe.extraction.record import Record

#: The fields of a schema in which the same is dictated.
DICTATED_IN = {"date": "procedure_date", "endoscopist": "endoscopist", "referrer": "referrer", "scope": "scope_model"}
CONTEXT_LABELS = {
    "facility": "Facility", "name": "Patient", "record_number": "Record number", "birth_date": "Born",
    "date": "Date of examination", "endoscopist": "Endoscopist", "referrer": "Referred by", "room": "Room",
    "scope": "Endoscope",
}  # fmt: skip
LONGEST_CONTEXT = 200


@dataclass(frozen=True)
class ExamContext:
    """Each is None while nobody has given it."""

    name: str | None = None
    record_number: str | None = None
    birth_date: str | None = None
    date: str | None = None
    endoscopist: str | None = None
    referrer: str | None = None
    room: str | None = None
    scope: str | None = None
    facility: str | None = None

    def given(self) -> Mapping[str, str]:
        """What is known, in the order in which it heads a report."""
        known = asdict(self)
        return {name: known[name] for name in CONTEXT_LABELS if known[name]}

    def over(self, other: "ExamContext") -> "ExamContext":
        """This context, and the other where this one is silent."""
        return ExamContext(**{**other.given(), **self.given()})

    def with_value(self, name: str, value: str | None) -> "ExamContext":
        """With one of it changed; None takes it away."""
        return ExamContext(**{**asdict(self), name: value})


def context_value(name: str, value: object) -> str | None:
    """A value as it is kept, on one line; None where it is empty. Raises ReviewError, which never shows the value."""
    if name not in CONTEXT_LABELS:
        raise ReviewError(f"There is no such thing in a context; there are {', '.join(CONTEXT_LABELS)}.")
    if value is not None and not isinstance(value, str):
        raise ReviewError(f"{CONTEXT_LABELS[name]} is a text.")
    text = " ".join((value or "").split())
    if len(text) > LONGEST_CONTEXT:
        raise ReviewError(f"{CONTEXT_LABELS[name]} has {LONGEST_CONTEXT} signs at most.")
    return text or None


def context_pairs(pairs: object) -> tuple[str, ...]:
    """What an edit gives of a context, as it is kept: `name=Jane Example`, `room=` to take it away."""
    if not isinstance(pairs, tuple) or not pairs:
        raise ReviewError("Say what is to be known of the examination.")
    split = [pair.partition("=") for pair in pairs]
    return tuple(f"{name}={context_value(name, value) or ''}" for name, _, value in split)


def edited_context(context: ExamContext, pairs: object) -> ExamContext:
    """The context after an edit; what this release does not know of is passed over."""
    for pair in pairs if isinstance(pairs, tuple) else ():
        name, _, value = pair.partition("=")
        if name in CONTEXT_LABELS:
            context = context.with_value(name, value or None)
    return context


def dictated_context(record: Record) -> ExamContext:
    """What was said of the context, where it is certain."""
    cells = {name: record.fields.get(field) for name, field in DICTATED_IN.items()}
    return ExamContext(
        **{name: str(cell.value) for name, cell in cells.items() if cell and cell.value and cell.status in SURE}
    )


#: Of cells that may head a report.
SURE = ("ok", "edited")
NO_CONTEXT = ExamContext()
