"""The verified report: typed values with their evidence, the checks' verdicts, and what is still missing."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

from endoscribe.extraction.claims import Value
from endoscribe.procedures.checks import Verdict as Verdict  # noqa: PLC0414  (also known by this name here)
from endoscribe.usage import Bill

Grounding = Literal["exact", "fuzzy", "absent"]
Status = Literal["ok", "unsupported", "invalid", "edited"]
#: Whether a value follows from its words: a rule shows it; nothing speaks against it; or they say something else.
Support = Literal["confirmed", "plausible", "contradicted"]


@dataclass(frozen=True, slots=True)
class Evidence:
    """The quote and its place: half-open character offsets in the transcript; seconds are None without audio."""

    quote: str
    start: int
    end: int
    start_s: float | None = None
    end_s: float | None = None


@dataclass(frozen=True, slots=True)
class Cell:
    """One value of the report and what it rests on.

    `value` is None when what was claimed is not valid for the field; `as_dictated` then still shows it.
    """

    value: Value | None
    unit: str | None
    as_dictated: str
    evidence: Evidence | None
    grounding: Grounding
    status: Status
    problem: str | None = None
    heard_also: str | None = None  # what a second reader heard instead
    support: Support | None = None  # None: words not found, a value that a person entered, or a record of old


Row = Mapping[str, Cell]


@dataclass(frozen=True, slots=True)
class UnfiledSentence:
    """A stretch of the transcript on which no cell rests: half-open character offsets, seconds where there is audio."""

    text: str
    start: int
    end: int
    start_s: float | None = None
    end_s: float | None = None
    section: str | None = None  # under which a person keeps it as free text


@dataclass(frozen=True)
class Record:
    """A report after verification. A field that was not stated is absent from `fields`."""

    procedure: str
    schema_version: str
    extractor: str
    fields: Mapping[str, Cell]
    tables: Mapping[str, tuple[Row, ...]]
    checks: tuple[Verdict, ...] = ()
    gaps: tuple[str, ...] = ()
    unfiled: tuple[UnfiledSentence, ...] = ()  # what was said and stands in no cell
    derived: Mapping[str, Value] = field(default_factory=dict)  # computed, not dictated
    bill: Bill | None = None  # what a language model took, also one whose answer could not be used

    def to_json(self, file: str | None = None) -> dict[str, Any]:
        """The record as the command line prints it."""
        return {
            "file": file,
            "procedure": self.procedure,
            "schema_version": self.schema_version,
            "extractor": self.extractor,
            "fields": {name: cell_json(cell) for name, cell in self.fields.items()},
            "tables": {name: [_row_json(row) for row in rows] for name, rows in self.tables.items()},
            "unfiled": [_sentence_json(sentence) for sentence in self.unfiled],
            "checks": [_verdict_json(verdict) for verdict in self.checks],
            "gaps": list(self.gaps),
            "derived": dict(self.derived),
        } | self._usage_json()

    def _usage_json(self) -> dict[str, Any]:
        """Only for a reader that sent a bill."""
        return {"usage": {**asdict(self.bill.usage), "cost_usd": self.bill.cost_usd}} if self.bill else {}


def cells(record: Record) -> Iterator[tuple[str, int | None, Cell]]:
    """Every cell with its target and row, in the record's order."""
    for target, cell in record.fields.items():
        yield target, None, cell
    for table, rows in record.tables.items():
        for index, row in enumerate(rows):
            for column, cell in row.items():
                yield f"{table}.{column}", index, cell


def cell_at(record: Record, target: str, row: int | None) -> Cell | None:
    if row is None:
        return record.fields.get(target)
    table, _, column = target.partition(".")
    rows = record.tables.get(table, ())
    return rows[row].get(column) if 0 <= row < len(rows) else None


def without_empty_rows(record: Record) -> Record:
    """The record without the rows in which nothing stands: whoever adds one may never fill it."""
    tables = {name: tuple(row for row in rows if row) for name, rows in record.tables.items()}
    return replace(record, tables={name: rows for name, rows in tables.items() if rows})


def is_entered(cell: Cell) -> bool:
    """Whether a person has put in another value than was read; one that they have confirmed was still dictated."""
    return cell.status == "edited" and (cell.problem is not None or not cell.as_dictated)


def cell_json(cell: Cell) -> dict[str, Any]:
    evidence = cell.evidence
    return {
        "value": list(cell.value) if isinstance(cell.value, tuple) else cell.value,
        "unit": cell.unit,
        "as_dictated": cell.as_dictated,
        "evidence": None
        if evidence is None
        else {
            "quote": evidence.quote,
            "start": evidence.start,
            "end": evidence.end,
            "start_s": evidence.start_s,
            "end_s": evidence.end_s,
        },
        "grounding": cell.grounding,
        "support": cell.support,
        "status": cell.status,
        "problem": cell.problem,
    } | ({"heard_also": cell.heard_also} if cell.heard_also else {})


def _sentence_json(sentence: UnfiledSentence) -> dict[str, Any]:
    """With the section only where somebody has chosen one."""
    return {name: value for name, value in asdict(sentence).items() if name != "section" or value is not None}


def _row_json(row: Row) -> dict[str, Any]:
    return {column: cell_json(cell) for column, cell in row.items()}


def _verdict_json(verdict: Verdict) -> dict[str, Any]:
    return {
        "id": verdict.id,
        "severity": verdict.severity,
        "message": verdict.message,
        "fields": list(verdict.fields),
        "source": verdict.source,
        "basis": verdict.basis,
    }
