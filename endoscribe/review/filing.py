"""Sentences that stand in no cell, and where each could go: what a person may file with one click.

A proposal is never made by itself. What the offline reader makes of the sentence alone is held against the whole
transcript, and only what that confirms and what no cell says yet is proposed with a value; the nearest fields by their
names are proposed without one.
"""

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from endoscribe.errors import ReviewError
from endoscribe.extraction.claims import Claim
from endoscribe.extraction.offline.reader import OfflineExtractor
from endoscribe.extraction.record import Cell, Record, UnfiledSentence, cell_at, cells
from endoscribe.extraction.unfiled import telling_words
from endoscribe.extraction.verification.grounding import Ruling, examine
from endoscribe.extraction.verification.quote_context import MIN_CONTENT_CHARS
from endoscribe.extraction.verification.topic import own_words
from endoscribe.procedures.schema import ProcedureSchema, TableSchema
from endoscribe.review.edits import FiledCell
from endoscribe.transcript import Transcript

MOST_FIELDS = 3
NAME_STEM_CHARS = 6
#: Keeps the rows of one sentence apart from those of another while all are examined at once.
ROWS_APART = 1000


@dataclass(frozen=True)
class Proposal:
    """Cells that a sentence could fill together: fields, or a row of a table; `row` is None for fields and new rows."""

    cells: tuple[FiledCell, ...]
    row: int | None = None


@dataclass(frozen=True)
class Destination:
    """Where a sentence could go: proposals with values, the nearest fields without one, and the nearest section."""

    sentence: UnfiledSentence
    proposals: tuple[Proposal, ...]
    nearest: tuple[tuple[str, int | None], ...]
    section: str


def undecided(record: Record) -> tuple[UnfiledSentence, ...]:
    """What stands in no cell and what nobody has kept as free text."""
    return tuple(sentence for sentence in record.unfiled if sentence.section is None)


def sentence_at(record: Record, start: int, end: int) -> UnfiledSentence:
    """The sentence at a place that a reading left unfiled; raises ReviewError when there is none any more."""
    for sentence in record.unfiled:
        if (sentence.start, sentence.end) == (start, end):
            return sentence
    raise ReviewError("This sentence is not on the list any more.")


def destinations(record: Record, transcript: Transcript, schema: ProcedureSchema) -> tuple[Destination, ...]:
    """Where each sentence could go that nobody has decided on."""
    sentences = undecided(record)
    heard = _heard(sentences, transcript, schema)
    near = _Nearness(schema)
    return tuple(_destination(each, heard[index], near, record, schema) for index, each in enumerate(sentences))


def _destination(
    sentence: UnfiledSentence, heard: Sequence[Ruling], near: "_Nearness", record: Record, schema: ProcedureSchema
) -> Destination:
    proposals = tuple(_proposals(heard, record, schema))
    inside = [(target, row) for target, row, cell in cells(record) if _overlaps(cell, sentence)]
    rows = {target.partition(".")[0]: row for target, row in inside if row is not None}
    nearest = [(target, rows.get(target.partition(".")[0])) for target in near.targets(sentence.text)]
    proposed = [cell.target for proposal in proposals for cell in proposal.cells]
    named = tuple(place for place in nearest if place[0] not in proposed and cell_at(record, *place) is None)
    first = (*(target for target, _ in inside), *proposed, *(target for target, _ in nearest))
    section = near.section(first[0]) if first else _section_before(sentence, record, near)
    return Destination(sentence, proposals, named[:MOST_FIELDS], section)


def _overlaps(cell: Cell, sentence: UnfiledSentence) -> bool:
    return cell.evidence is not None and cell.evidence.start < sentence.end and sentence.start < cell.evidence.end


# -- what the offline reader makes of it -------------------------------------------------------------------------------


def _heard(
    sentences: Sequence[UnfiledSentence], transcript: Transcript, schema: ProcedureSchema
) -> Mapping[int, list[Ruling]]:
    """By sentence, what it states by itself and the whole transcript confirms."""
    claims = [claim for index, each in enumerate(sentences) for claim in _claims(index, each, schema)]
    confirmed: dict[int, list[Ruling]] = {index: [] for index in range(len(sentences))}
    for ruling in examine(claims, transcript, schema):
        if ruling.cell.status == "ok" and ruling.cell.support == "confirmed" and ruling.cell.value is not None:
            confirmed[_sentence_of(ruling, sentences)].append(ruling)
    return confirmed


def _claims(index: int, sentence: UnfiledSentence, schema: ProcedureSchema) -> Iterator[Claim]:
    for claim in OfflineExtractor().read(Transcript(sentence.text), schema).claims:
        row = None if claim.row is None else claim.row + index * ROWS_APART
        start = None if claim.start is None else claim.start + sentence.start
        yield replace(claim, row=row, start=start)


def _sentence_of(ruling: Ruling, sentences: Sequence[UnfiledSentence]) -> int:
    if ruling.claim.row is not None:
        return ruling.claim.row // ROWS_APART
    start = ruling.claim.start or 0
    return next((index for index, each in enumerate(sentences) if each.start <= start < each.end), 0)


def _proposals(heard: Sequence[Ruling], record: Record, schema: ProcedureSchema) -> Iterator[Proposal]:
    """Fields of which nothing stands in the report, each by itself; rows that no row of the report says already."""
    rows: dict[tuple[str, int], dict[str, FiledCell]] = {}
    for ruling in heard:
        target, row = ruling.claim.target, ruling.claim.row
        value = ruling.cell.value
        if value is None:
            continue
        if row is None and cell_at(record, target, None) is None:
            yield Proposal((FiledCell(target, value),))
        elif row is not None:
            rows.setdefault((target.partition(".")[0], row), {})[target] = FiledCell(target, value)
    for (table, _), filed in rows.items():
        if table in schema.tables:
            yield from _row_proposals(table, tuple(filed.values()), record)


def _row_proposals(table: str, filed: tuple[FiledCell, ...], record: Record) -> Iterator[Proposal]:
    """What a row that agrees lacks, else a new row; nothing where a row says all of it."""
    for index, _ in enumerate(record.tables.get(table, ())):
        mine = [(each, cell_at(record, each.target, index)) for each in filed]
        if all(cell is None or cell.value == each.value for each, cell in mine) and any(cell for _, cell in mine):
            lacking = tuple(each for each, cell in mine if cell is None)
            if lacking:
                yield Proposal(lacking, index)
            return
    yield Proposal(filed)


# -- the nearest fields ------------------------------------------------------------------------------------------------


def _stems(words: Iterable[str]) -> set[str]:
    """Longer than verification's, which must forgive what was misheard: a millimeter is no milligram."""
    return {word[:NAME_STEM_CHARS] for word in words if len(word) >= MIN_CONTENT_CHARS}


class _Nearness:
    """How near the words of a sentence are to the names of a schema's fields: a rare word tells more."""

    def __init__(self, schema: ProcedureSchema) -> None:
        self._schema = schema

    def targets(self, text: str) -> tuple[str, ...]:
        """Fields that share words with a text, the nearest first."""
        said = _stems(telling_words(text))
        scores = {
            target: sum(1 / math.sqrt(self._known[stem]) for stem in said & stems)
            for target, stems in self._stems.items()
        }
        return tuple(sorted((target for target, score in scores.items() if score), key=lambda t: -scores[t]))

    def section(self, target: str) -> str:
        """Where a field or a column stands; in the last section where the schema has no such field any more."""
        table = self._schema.tables.get(target.partition(".")[0])
        field = self._schema.fields.get(target)
        found = table.section if table else field.section if field else None
        return found or list(self._schema.sections)[-1]

    @cached_property
    def _stems(self) -> dict[str, set[str]]:
        return {target: _stems(own_words(field, self._table(target))) for target, field in self._schema.targets()}

    @cached_property
    def _known(self) -> Counter[str]:
        return Counter(stem for stems in self._stems.values() for stem in stems)

    def _table(self, target: str) -> TableSchema | None:
        table, _, column = target.partition(".")
        return self._schema.tables[table] if column else None


def _section_before(sentence: UnfiledSentence, record: Record, near: _Nearness) -> str:
    """The section of what was said last before a sentence."""
    before = [
        (cell.evidence.end, target)
        for target, _, cell in cells(record)
        if cell.evidence and cell.evidence.end <= sentence.start
    ]
    return near.section(max(before, default=(0, ""))[1])
