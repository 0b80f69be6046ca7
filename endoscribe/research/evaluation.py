"""How well a reader of transcripts does on labelled dictations.

A folder holds `<procedure>/<id>.txt` with `<id>.json` beside it: `{"id", "procedure", "fields": {id: value or null},
"tables": {id: [row]}, "columns": {table: [ids]}, "skip": [ids not scored]}`. A value is right when it equals the label
(numbers to 0.05, text without regard to case). Rows are paired so that most cells agree; an unpaired row's cells all
count. The false-value rate tells how often something was filled in that nobody had said.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from scipy.optimize import linear_sum_assignment

from endoscribe.errors import ExtractionError
from endoscribe.extraction.claims import Value
from endoscribe.extraction.extractor import Extractor, read_transcript
from endoscribe.extraction.record import Cell, Record
from endoscribe.procedures.library import SchemaLibrary
from endoscribe.transcript import Transcript

#: Numbers nearer than this are the same.
TOLERANCE = 0.05
ALL = "all"
Scope = Literal["fields", "cells"]
GoldRow = Mapping[str, Value | None]


@dataclass
class Tally:
    """Counts over values: `stated` in the dictation, `claimed` by the reader, `right`, and invented ones."""

    stated: int = 0
    silent: int = 0
    claimed: int = 0
    right: int = 0
    false_values: int = 0

    def add(self, gold: Value | None, claimed: Value | None) -> None:
        self.stated += gold is not None
        self.silent += gold is None
        self.claimed += claimed is not None
        self.right += gold is not None and claimed is not None and is_same(gold, claimed)
        self.false_values += gold is None and claimed is not None

    @property
    def precision(self) -> float:
        return self.right / self.claimed if self.claimed else 0.0

    @property
    def recall(self) -> float:
        return self.right / self.stated if self.stated else 0.0

    @property
    def f1(self) -> float:
        both = self.precision + self.recall
        return 2 * self.precision * self.recall / both if both else 0.0

    @property
    def false_value_rate(self) -> float:
        return self.false_values / self.silent if self.silent else 0.0


@dataclass
class StatusCount:
    """What became of the values that verification gave one status."""

    claimed: int = 0
    right: int = 0
    wrong: int = 0
    false_values: int = 0  # of fields that nobody had stated

    def add(self, gold: Value | None, claimed: Value) -> None:
        self.claimed += 1
        self.false_values += gold is None
        is_right = gold is not None and is_same(gold, claimed)
        self.right += is_right
        self.wrong += gold is not None and not is_right


@dataclass(frozen=True)
class Mistake:
    """A value that is not the labelled one; `labelled` or `claimed` None means not stated."""

    target: str
    row: int | None
    labelled: Value | None
    claimed: Value | None
    cell: Cell | None

    @property
    def kind(self) -> Literal["missed", "invented", "wrong"]:
        if self.claimed is None:
            return "missed"
        return "invented" if self.labelled is None else "wrong"


@dataclass
class LabelledDictation:
    """One labelled dictation after it was scored."""

    id: str
    procedure: str
    text: str
    mistakes: list[Mistake] = field(default_factory=list)


@dataclass
class RowCount:
    """Rows of a procedure's tables: labelled and extracted."""

    labelled: int = 0
    extracted: int = 0


@dataclass
class Evaluation:
    """Tallies per procedure (and for `all`), per field and per status, the rows counted, and every mistake."""

    tallies: dict[Scope, dict[str, Tally]] = field(default_factory=lambda: {"fields": {}, "cells": {}})
    by_field: dict[str, Tally] = field(default_factory=dict)
    by_status: dict[str, StatusCount] = field(default_factory=dict)
    rows: dict[str, RowCount] = field(default_factory=dict)
    scored: list[LabelledDictation] = field(default_factory=list)

    @property
    def dictations(self) -> int:
        return len(self.scored)

    def count(self, kind: Scope, target: str, row: int | None, gold: Value | None, cell: Cell | None) -> None:
        """Add one value of the dictation that is being scored, the last in `scored`."""
        dictation = self.scored[-1]
        claimed = cell.value if cell else None
        for name in (dictation.procedure, ALL):
            self.tallies[kind].setdefault(name, Tally()).add(gold, claimed)
        self.by_field.setdefault(f"{dictation.procedure}.{target}", Tally()).add(gold, claimed)
        if cell and claimed is not None:
            self.by_status.setdefault(cell.status, StatusCount()).add(gold, claimed)
        is_right = gold is not None and claimed is not None and is_same(gold, claimed)
        if not is_right and not gold is claimed is None:
            dictation.mistakes.append(Mistake(target, row, gold, claimed, cell))

    def count_rows(self, procedure: str, labelled: int, extracted: int) -> None:
        for name in (procedure, ALL):
            known = self.rows.setdefault(name, RowCount())
            known.labelled += labelled
            known.extracted += extracted

    @property
    def overall_f1(self) -> float:
        """F1 over fields and cells together."""
        total = Tally()
        for by_procedure in self.tallies.values():
            for name, count in asdict(by_procedure.get(ALL, Tally())).items():
                setattr(total, name, getattr(total, name) + count)
        return total.f1

    def to_json(self, *, by_field: bool = False) -> dict[str, Any]:
        shown: dict[str, Any] = {
            "dictations": self.dictations,
            "overall_f1": round(self.overall_f1, 4),
            **{kind: {name: _figures(t) for name, t in sorted(by.items())} for kind, by in self.tallies.items()},
            "rows": {name: asdict(rows) for name, rows in sorted(self.rows.items())},
            "by_status": {name: asdict(count) for name, count in sorted(self.by_status.items())},
        }
        if by_field:
            shown["by_field"] = {name: _figures(tally) for name, tally in sorted(self.by_field.items())}
        return shown

    def to_text(self, *, by_field: bool = False) -> str:
        """The figures as a table for a terminal, worst fields first."""
        lines = [f"{'':10s} {'':7s} precision recall  F1     false-value  (stated/silent)"]
        for kind, tallies in self.tallies.items():
            in_order = sorted(tallies.items(), key=lambda item: (item[0] == ALL, item[0]))
            lines += [f"{name:10s} {kind:7s} {_line(tally)}" for name, tally in in_order]
        for name, rows in sorted(self.rows.items(), key=lambda item: (item[0] == ALL, item[0])):
            lines.append(f"{name:10s} rows    {rows.labelled} labelled, {rows.extracted} extracted")
        lines.append(f"{'':18s} claimed right  wrong  never stated")
        for name, count in sorted(self.by_status.items()):
            numbers = f"{count.claimed:7d} {count.right:5d} {count.wrong:6d} {count.false_values:13d}"
            lines.append(f"status {name:11s} {numbers}")
        if by_field:
            worst_first = sorted(self.by_field.items(), key=lambda item: item[1].f1)
            lines += [f"  {name:40s} {_line(tally)}" for name, tally in worst_first]
        return "\n".join([*lines, f"overall F1 {self.overall_f1:.3f} on {self.dictations} dictations"])


def evaluate(folder: Path, extractor: Extractor, schemas: SchemaLibrary, *, held_out_only: bool = False) -> Evaluation:
    """Read every labelled dictation of a folder; raises ExtractionError when there is none or the reader fails.

    `held_out_only` leaves out those that were used to improve the reader, as their labels say.
    """
    evaluation = Evaluation()
    for labels, text in labelled_dictations(folder):
        if held_out_only and not labels.get("held_out"):
            continue
        schema = schemas.get(labels["procedure"])
        record = read_transcript(extractor, Transcript(text), schema)
        score(evaluation, labels, record, text)
    if not evaluation.dictations:
        raise ExtractionError(f"There are no labelled dictations in {folder}: it needs *.txt with *.json beside them.")
    return evaluation


def labelled_dictations(folder: Path) -> Iterator[tuple[dict[str, Any], str]]:
    """(labels, text) of every labelled dictation in a folder and those beneath it, in the order of their names."""
    for path in sorted(folder.rglob("*.json")):
        spoken = path.with_suffix(".txt")
        if spoken.is_file():
            try:
                labels = json.loads(path.read_text(encoding="utf-8"))
                yield {"id": path.stem, **labels}, spoken.read_text(encoding="utf-8")
            except ValueError as error:
                raise ExtractionError(f"{path.name} or its text cannot be read: {type(error).__name__}.") from error


def score(evaluation: Evaluation, labels: Mapping[str, Any], record: Record, text: str) -> None:
    """Add one record, held against its labels; `text` is the dictation's."""
    skipped = set(labels.get("skip", ()))
    evaluation.scored.append(LabelledDictation(labels["id"], labels["procedure"], text))
    for name, gold in labels["fields"].items():
        if name not in skipped:
            evaluation.count("fields", name, None, gold, record.fields.get(name))
    for table, labelled in labels["tables"].items():
        if table in skipped:
            continue
        named = labels.get("columns", {}).get(table) or sorted({column for row in labelled for column in row})
        columns = [column for column in named if f"{table}.{column}" not in skipped]
        gold_rows = [{column: row.get(column) for column in columns} for row in labelled]
        found = record.tables.get(table, ())
        claimed_rows = [{name: cell.value for name, cell in row.items()} for row in found]
        evaluation.count_rows(labels["procedure"], len(gold_rows), len(claimed_rows))
        cells = {id(values): row for values, row in zip(claimed_rows, found, strict=True)}
        for index, (gold_row, claimed_row) in enumerate(pair_rows(gold_rows, claimed_rows)):
            row = cells.get(id(claimed_row), {})
            for column in columns:
                evaluation.count("cells", f"{table}.{column}", index, gold_row.get(column), row.get(column))


def pair_rows(gold: Sequence[GoldRow], claimed: Sequence[GoldRow]) -> Iterator[tuple[GoldRow, GoldRow]]:
    """Rows one to one so that most cells agree; a row without a partner is paired with an empty one."""
    paired_gold: set[int] = set()
    paired_claimed: set[int] = set()
    if gold and claimed:
        agreement = np.array([[_agreeing(row, other) for other in claimed] for row in gold])
        for row, other in zip(*linear_sum_assignment(-agreement), strict=True):
            paired_gold.add(int(row))
            paired_claimed.add(int(other))
            yield gold[row], claimed[other]
    yield from ((row, {}) for index, row in enumerate(gold) if index not in paired_gold)
    yield from (({}, row) for index, row in enumerate(claimed) if index not in paired_claimed)


def _agreeing(gold: GoldRow, claimed: GoldRow) -> int:
    pairs = ((value, claimed.get(column)) for column, value in gold.items())
    return sum(value is not None and other is not None and is_same(value, other) for value, other in pairs)


def is_same(gold: Value, claimed: Value) -> bool:
    """Whether a value counts as the labelled one."""
    if isinstance(gold, bool) or isinstance(claimed, bool):
        return gold is claimed
    if isinstance(gold, int | float) and isinstance(claimed, int | float):
        return abs(gold - claimed) < TOLERANCE
    return str(gold).strip().casefold() == str(claimed).strip().casefold()


def _figures(tally: Tally) -> dict[str, float]:
    figures: Iterable[tuple[str, float]] = (
        ("precision", tally.precision),
        ("recall", tally.recall),
        ("f1", tally.f1),
        ("false_value_rate", tally.false_value_rate),
    )
    return {name: round(figure, 4) for name, figure in figures} | {"stated": tally.stated, "silent": tally.silent}


def _line(tally: Tally) -> str:
    return (
        f"{tally.precision:9.3f} {tally.recall:6.3f}  {tally.f1:5.3f}  {tally.false_value_rate:5.3f}"
        f"        ({tally.stated}/{tally.silent})"
    )
