"""What a person must look at before signing: cells that cannot be relied on, readers that disagree, broken rules."""

from collections.abc import Iterator
from dataclasses import dataclass

from endoscribe.extraction.record import Record, cell_at, cells
from endoscribe.procedures.checks import Verdict
from endoscribe.procedures.schema import ProcedureSchema, Severity
from endoscribe.review.edits import label


@dataclass(frozen=True)
class Flag:
    """A cell or a rule that a person must look at before signing; `target` is None for a rule."""

    severity: Severity
    message: str
    target: str | None = None
    row: int | None = None
    verdict: Verdict | None = None


def flags(record: Record, schema: ProcedureSchema, second: Record | None = None) -> tuple[Flag, ...]:
    """What needs a person's eyes: cells that cannot be relied on, readers that disagree, rules that are broken."""
    found = [*_doubtful_cells(record, schema), *_disagreements(record, second, schema)]
    found += [Flag(v.severity, v.message, verdict=v) for v in record.checks if v.severity != "info"]
    return tuple(sorted(found, key=lambda doubt: doubt.severity != "error"))


def _doubtful_cells(record: Record, schema: ProcedureSchema) -> Iterator[Flag]:
    for target, row, cell in cells(record):
        if target not in schema.target_index:
            continue
        if cell.status == "invalid":
            yield Flag("error", cell.problem or "This value is not valid.", target, row)
        elif cell.status == "unsupported":
            yield Flag("warning", cell.problem or "This was not found in the recording.", target, row)
        elif cell.status == "ok" and cell.problem:
            yield Flag("warning", cell.problem, target, row)


def _disagreements(record: Record, second: Record | None, schema: ProcedureSchema) -> Iterator[Flag]:
    """Cells that both readers rely on with different values; rows only where both found equally many."""
    if second is None:
        return
    for target, row, cell in cells(record):
        other = cell_at(second, target, row)
        table = target.partition(".")[0]
        same_rows = row is None or len(record.tables[table]) == len(second.tables.get(table, ()))
        both = other is not None and cell.status == other.status == "ok" and same_rows
        if both and other and other.value is not None and cell.value != other.value and target in schema.target_index:
            said = label(other.value, schema.target_index[target])
            yield Flag("warning", f"The other reader read {said}.", target, row)
