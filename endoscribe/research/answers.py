"""What verification makes of somebody else's answers: how often it disowns right values, and catches wrong ones.

Beside each labelled dictation stands `<id>.answer.json`: `{"cells": [{"field", "row", "value", "quote"}]}`, what a
model answered to the product's own instructions, in which identifiers are placeholders. A cell is *right* when its
value is the labelled one (rows paired as for the F1), *wrong* when it is labelled otherwise or labelled as not stated,
and *unlabelled* when the labels do not score it; most of those are right too. An *alarm* is a cell whose status is not
`ok`. Wrong claims are made from the answer's own (see `wrong_claims`); one is *caught* when its status is not `ok`.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from endoscribe.errors import ExtractionError
from endoscribe.extraction.claims import Claim
from endoscribe.extraction.llm.answer import AnswerCell, AnswerReader
from endoscribe.extraction.llm.conversation import find_faults
from endoscribe.extraction.llm.identifiers import unmasked
from endoscribe.extraction.record import Record, cells
from endoscribe.extraction.verification.grounding import examine, verify
from endoscribe.procedures.library import SchemaLibrary
from endoscribe.procedures.schema import ProcedureSchema
from endoscribe.research.evaluation import Evaluation, is_same, labelled_dictations, pair_rows, score
from endoscribe.research.wrong_claims import Kind, WrongClaim, wrong_claims
from endoscribe.transcript import Transcript

ANSWER_SUFFIX = ".answer.json"
#: Who read what is verified here.
CLAIMED = "answers"
Standing = Literal["right", "wrong", "unlabelled"]
#: (target, row) of a cell.
CellKey = tuple[str, int | None]


@dataclass
class Share:
    """How many of some cells or claims."""

    of: int = 0
    count: int = 0

    def add(self, *, counts: bool) -> None:
        self.of += 1
        self.count += counts

    @property
    def rate(self) -> float:
        return self.count / self.of if self.of else 0.0

    def to_json(self) -> dict[str, float]:
        return {"of": self.of, "count": self.count, "rate": round(self.rate, 4)}


@dataclass
class AnswersEvaluation:
    """The F1 of the answers, and what verification made of them."""

    evaluation: Evaluation = field(default_factory=Evaluation)
    alarms: dict[str, Share] = field(default_factory=dict)  # of all cells, and of the right, wrong and unlabelled ones
    caught: dict[Kind, Share] = field(default_factory=dict)
    support: Counter[str] = field(default_factory=Counter)
    corrections: Share = field(default_factory=Share)  # dictations whose answer would be sent back

    def count_record(self, labels: Mapping[str, Any], record: Record) -> None:
        standings = standing_of_cells(labels, record)
        for target, row, cell in cells(record):
            self.support[cell.support or "none"] += 1
            for name in ("all", standings.get((target, row), "unlabelled")):
                self.alarms.setdefault(name, Share()).add(counts=cell.status != "ok")

    def to_json(self, *, by_field: bool = False) -> dict[str, Any]:
        return self.evaluation.to_json(by_field=by_field) | {
            "alarms": {name: share.to_json() for name, share in sorted(self.alarms.items())},
            "support": dict(sorted(self.support.items())),
            "caught": {kind: share.to_json() for kind, share in sorted(self.caught.items())},
            "corrections": self.corrections.to_json(),
        }

    def to_text(self, *, by_field: bool = False) -> str:
        lines = [self.evaluation.to_text(by_field=by_field)]
        lines += [f"alarms, {name:11s} cells {_share(share)}" for name, share in sorted(self.alarms.items())]
        lines += [f"caught, {kind:15s}   {_share(share)}" for kind, share in sorted(self.caught.items())]
        lines.append(f"answers sent back        {_share(self.corrections)}")
        return "\n".join(lines)


def evaluate_answers(folder: Path, schemas: SchemaLibrary, *, held_out_only: bool = False) -> AnswersEvaluation:
    """Verify the answer beside every labelled dictation; raises ExtractionError when there is none that can be read."""
    result = AnswersEvaluation()
    for labels, text, claims in answered_dictations(folder, schemas):
        if held_out_only and not labels.get("held_out"):
            continue
        schema, transcript = schemas.get(labels["procedure"]), Transcript(text)
        record = verify(claims, transcript, schema, CLAIMED)
        score(result.evaluation, labels, record, text)
        result.count_record(labels, record)
        result.corrections.add(counts=bool(find_faults(claims, 0, transcript, schema)))
        for kind, caught in tried(wrong_claims(claims, text, schema, labels["id"]), schema):
            result.caught.setdefault(kind, Share()).add(counts=caught)
    if not result.evaluation.dictations:
        raise ExtractionError(f"There are no answers in {folder}: it needs *{ANSWER_SUFFIX} beside *.txt and *.json.")
    return result


def answered_dictations(
    folder: Path, schemas: SchemaLibrary
) -> Iterator[tuple[Mapping[str, Any], str, tuple[Claim, ...]]]:
    """(labels, text, claims) of every labelled dictation with an answer beside it."""
    for labels, text in labelled_dictations(folder):
        path = next(folder.rglob(f"{labels['procedure']}/{labels['id']}{ANSWER_SUFFIX}"), None)
        if path is not None:
            yield labels, text, unmasked(read_answer(path), text, schemas.get(labels["procedure"]))


def verify_lines(lines: Iterable[str], schemas: SchemaLibrary) -> Iterator[Record]:
    """The record of each line `{"text", "procedure", "cells": [...]}`, in order; ExtractionError at a bad one."""
    for number, line in enumerate(lines, start=1):
        if line.strip():
            try:
                asked = _AskedLine.model_validate_json(line)
            except ValidationError as error:
                wrong = ", ".join(sorted({".".join(map(str, fault["loc"])) or "the line" for fault in error.errors()}))
                raise ExtractionError(f"Line {number} is not of the form that is asked for: see {wrong}.") from None
            schema = schemas.get(asked.procedure)
            claims = tuple(claim for cell in asked.cells for claim in cell.to_claims())
            yield verify(unmasked(claims, asked.text, schema), Transcript(asked.text), schema, CLAIMED)


class _AskedLine(BaseModel):
    """Somebody's claims on a text."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    text: str
    procedure: str
    cells: tuple[AnswerCell, ...]


def read_answer(path: Path) -> tuple[Claim, ...]:
    reader = AnswerReader()
    try:
        reader.insert(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ExtractionError(f"{path.name} cannot be read: {type(error).__name__}.") from error
    if not reader.is_complete:
        raise ExtractionError(f"{path.name} is no answer: it needs a list of cells.")
    return tuple(reader.claims)


def tried(claims: Iterator[WrongClaim], schema: ProcedureSchema) -> Iterator[tuple[Kind, bool]]:
    """(kind, whether it was caught) of each wrong claim; those on one text are examined together."""
    by_text: dict[tuple[Kind, str], list[WrongClaim]] = {}
    for wrong in claims:
        by_text.setdefault((wrong.kind, wrong.text), []).append(wrong)
    for (kind, text), together in by_text.items():
        for ruling in examine([wrong.claim for wrong in together], Transcript(text), schema):
            yield kind, ruling.cell.status != "ok"


def standing_of_cells(labels: Mapping[str, Any], record: Record) -> dict[CellKey, Standing]:
    """How each scored cell of a record stands to the labels; a cell that is not scored is left out."""
    skipped = set(labels.get("skip", ()))
    found: dict[CellKey, Standing] = {}
    for name, gold in labels["fields"].items():
        if name in record.fields and name not in skipped:
            found[name, None] = _standing(gold, record.fields[name].value)
    for table, labelled in labels["tables"].items():
        if table not in skipped:
            named = labels.get("columns", {}).get(table) or sorted({column for row in labelled for column in row})
            columns = [column for column in named if f"{table}.{column}" not in skipped]
            found |= _standing_of_rows(table, columns, labelled, record)
    return found


def _standing_of_rows(
    table: str, columns: Sequence[str], labelled: Sequence[Mapping[str, Any]], record: Record
) -> dict[CellKey, Standing]:
    gold_rows = [{column: row.get(column) for column in columns} for row in labelled]
    claimed = [{name: cell.value for name, cell in row.items()} for row in record.tables.get(table, ())]
    index = {id(row): number for number, row in enumerate(claimed)}
    return {
        (f"{table}.{column}", index[id(row)]): _standing(gold.get(column), row[column])
        for gold, row in pair_rows(gold_rows, claimed)
        if id(row) in index
        for column in columns
        if column in row
    }


def _standing(gold: Any, claimed: Any) -> Standing:
    return "right" if gold is not None and claimed is not None and is_same(gold, claimed) else "wrong"


def _share(share: Share) -> str:
    return f"{share.count:5d} of {share.of:5d}  {share.rate:.3f}"
