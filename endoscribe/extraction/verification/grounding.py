"""From claims to a record: every claim is looked up in the transcript, typed, and held against its own words.

Nothing is dropped silently: a claim whose words were not said, or do not say it, stays in the record, marked. Only
claims on cells that the schema does not have are left out.
"""

import logging
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from endoscribe.extraction.claims import Claim, Value
from endoscribe.extraction.reading.cues import CueMatcher
from endoscribe.extraction.reading.tokens import TokenizedTranscript
from endoscribe.extraction.record import Cell, Evidence, Record, Row, Status, is_entered, without_empty_rows
from endoscribe.extraction.record import cells as record_cells
from endoscribe.extraction.silence import unheard
from endoscribe.extraction.unfiled import unfiled_sentences
from endoscribe.extraction.verification.attribution import Attribution
from endoscribe.extraction.verification.judgement import CONFIRMED, Judgement, better, contradicted
from endoscribe.extraction.verification.numbers import names_one_thing
from endoscribe.extraction.verification.quote_context import QuoteContext
from endoscribe.extraction.verification.quotes import Extents, Place, SpokenText
from endoscribe.extraction.verification.support import affirms, judge
from endoscribe.extraction.verification.values import ValueFitError, claims_nothing, typed_value
from endoscribe.procedures.checks import derive, find_gaps, run_checks
from endoscribe.procedures.expressions import Spoken, Stated
from endoscribe.procedures.normalize import Token
from endoscribe.procedures.schema import FieldSchema, ProcedureSchema
from endoscribe.transcript import Transcript

log = logging.getLogger(__name__)

NOT_IN_TRANSCRIPT = "These words were not found in the transcript."
#: QuoteContext between a value and the one that takes its place.
CORRECTION = re.compile(
    r"\b(sorry|correction|scratch that|strike that|i mean|i meant|actually|rather|wait|make that|correct that"
    r"|misspoke|my mistake|excuse me|apologies)\b",
    re.IGNORECASE,
)
#: How far before the later value the correction may begin.
CORRECTION_CHARS = 80


@dataclass(frozen=True, slots=True)
class Ruling:
    """One claim after its examination."""

    claim: Claim
    field: FieldSchema
    place: Place | None
    cell: Cell
    judgement: Judgement | None = None  # None where the words were not found or the value is not valid


def verify(claims: Sequence[Claim], transcript: Transcript, schema: ProcedureSchema, extractor: str) -> Record:
    """The record that the claims make: cells with their evidence, derived values, checks and gaps."""
    return settle(examine(claims, transcript, schema), transcript, schema, extractor)


def settle(rulings: Sequence[Ruling], transcript: Transcript, schema: ProcedureSchema, extractor: str) -> Record:
    """The record that examined claims make."""
    by_cell: dict[tuple[str, int | None], list[Ruling]] = defaultdict(list)
    for ruling in rulings:
        by_cell[ruling.claim.target, _row(ruling.claim)].append(ruling)
    cells = {key: _settle(group, transcript.text) for key, group in by_cell.items()}
    fields = {name: cells[name, None] for name in schema.fields if (name, None) in cells}
    tables = {name: rows for name in schema.tables if (rows := _rows(schema, name, cells))}
    record = Record(schema.id, schema.version, extractor, fields, tables)
    named = [(target, cell) for target, _, cell in record_cells(record)]
    unfiled = unfiled_sentences(transcript, named, schema)
    return recompute_checks(replace(record, unfiled=unfiled), schema)


def recompute_checks(record: Record, schema: ProcedureSchema) -> Record:
    """The record with its derived values, checks and gaps computed anew, as after somebody edited a cell."""
    stated = stated_values(record, schema)
    return replace(
        record,
        derived=derive(schema, stated),
        checks=run_checks(schema, stated),
        gaps=find_gaps(schema, stated),
    )


def stated_values(record: Record, schema: ProcedureSchema) -> Stated:
    """The values that may be relied on: those that follow from the recording or that a person has entered."""
    record = without_empty_rows(record)
    fields = {name: _reliable(cell) for name, cell in record.fields.items()}
    tables = {
        name: [{column: _reliable(row.get(column)) for column in table.columns} for row in record.tables.get(name, ())]
        for name, table in schema.tables.items()
    }
    by_hand = frozenset(name for name, cell in record.fields.items() if is_entered(cell))
    return Stated(fields, tables, by_hand, unheard(record, schema), tuple(_spoken(record)))


def _spoken(record: Record) -> Iterator[Spoken]:
    """The transcript's words as far as the record keeps them, and what a person has entered in their own."""
    yield from (Spoken(sentence.text, sentence.start_s) for sentence in record.unfiled)
    for _, _, cell in record_cells(record):
        if cell.evidence:
            yield from (Spoken(quote, cell.evidence.start_s) for quote in cell.as_dictated.split(" … "))
        elif isinstance(cell.value, str):
            yield Spoken(cell.value)


def examine(
    claims: Sequence[Claim], transcript: Transcript, schema: ProcedureSchema, matcher: CueMatcher | None = None
) -> tuple[Ruling, ...]:
    """Each claim located, typed and held against its words; claims of nothing or on unknown cells are left out.

    `matcher` spares a reader that has matched the schema's cues in this transcript already the same work again.
    """
    known = [claim for claim in claims if _is_known(claim, schema)]
    if len(known) < len(claims):
        log.warning("%d claims on cells that the schema does not have were left out", len(claims) - len(known))
    meant = [claim for claim in known if not claims_nothing(claim.value, schema.target_index[claim.target])]
    heard = _Heard(transcript, schema, matcher)
    spoken = heard.spoken
    places = _choose_places(meant, spoken)
    rulings = [
        _examine(claim, schema.target_index[claim.target], place, heard)
        for claim, place in zip(meant, places, strict=True)
    ]
    return tuple(_accept_count(ruling, meant, spoken, schema) for ruling in rulings)


def _accept_count(ruling: Ruling, claims: Sequence[Claim], spoken: SpokenText, schema: ProcedureSchema) -> Ruling:
    """A number of things need not be said as one: a finding is one thing, and rows with words of their own add up."""
    if ruling.judgement is None or not ruling.judgement.is_contradicted or ruling.judgement.is_of_another:
        return ruling  # words that are an instruction or tell of another time count nothing
    if ruling.place is None:
        return ruling
    table, _, column = ruling.claim.target.partition(".")
    if column and column == _count_column(schema, table):
        first, after = spoken.words_within(ruling.place)
        words = spoken.words[first:after]
        follows = ruling.cell.value == 1 and (names_one_thing(words) or _is_shared_out(ruling.claim, claims, words))
    else:
        cues = ruling.field.cues
        table = cues.count_of if cues and cues.count_of else ""
        follows = table in schema.tables and _counted(claims, schema, table) == ruling.cell.value
    if not follows:
        return ruling
    cell = replace(ruling.cell, status="ok", support="confirmed", problem=None)
    return replace(ruling, cell=cell, judgement=CONFIRMED)


def _is_shared_out(claim: Claim, claims: Sequence[Claim], words: Sequence[Token]) -> bool:
    """Whether as many rows rest on the same words as these count: "two polyps, 3 and 5 mm" are two rows of one."""
    rows = sum(other.target == claim.target and (other.quote, other.start) == (claim.quote, claim.start)
               for other in claims)  # fmt: skip
    return rows > 1 and str(rows) in {word.text for word in words}


def _count_column(schema: ProcedureSchema, table: str) -> str | None:
    cues = schema.tables[table].cues if table in schema.tables else None
    return cues.count if cues else None


def _counted(claims: Sequence[Claim], schema: ProcedureSchema, table: str) -> int | None:
    """The sum of the table's count column; None when a row has no usable count, or when there is none to count."""
    rows = {claim.row for claim in claims if claim.target.partition(".")[0] == table}
    target = f"{table}.{_count_column(schema, table)}"
    try:
        counts = {c.row: typed_value(c.value, schema.target_index[target]) for c in claims if c.target == target}
    except ValueFitError:
        return None
    if not rows or counts.keys() != rows:
        return None
    return sum(int(str(count)) for count in counts.values())


def _is_known(claim: Claim, schema: ProcedureSchema) -> bool:
    return claim.target in schema.target_index


def _row(claim: Claim) -> int | None:
    """The row of a column; a reader that names none means the first."""
    return (claim.row or 0) if "." in claim.target else None


def _reliable(cell: Cell | None) -> Value | None:
    return cell.value if cell and cell.status in ("ok", "edited") else None


# -- one claim -------------------------------------------------------------------------------------------------------


class _Heard:
    """A transcript's words as they were recognised, and as they were meant."""

    def __init__(self, transcript: Transcript, schema: ProcedureSchema, matcher: CueMatcher | None) -> None:
        matcher = matcher or CueMatcher(TokenizedTranscript(transcript.text, schema.spoken_repairs), schema)
        self.spoken = SpokenText(transcript.text, matcher.reading.heard)
        self.transcript = transcript
        self.schema = schema
        self._meant = matcher.reading.meant
        self._meant_extents = Extents(self._meant)
        self._attribution = Attribution(matcher)

    def judge(self, value: Value, target: str, place: Place) -> Judgement:
        """What the words at a place say to a value, as recognised or as meant, whichever speaks more for it."""
        field = self.schema.target_index[target]
        first, after = self.spoken.words_within(place)
        judgement = judge(value, field, self.spoken.words, first, after)
        if judgement.support != "confirmed":
            judgement = better(judgement, self._judge_as_meant(value, field, place))
        if judgement.is_contradicted:
            return judgement
        said = QuoteContext(self.spoken.words, first, after)
        if said.is_evidence_denied() and affirms(value, field):
            return contradicted("The words deny it.")
        problem = self._attribution.objection(value, target, place, said, judgement)
        return contradicted(problem, is_of_another=True) if problem else judgement

    def _judge_as_meant(self, value: Value, field: FieldSchema, place: Place) -> Judgement:
        return judge(value, field, self._meant, *self._meant_extents.within(place))


def _examine(claim: Claim, field: FieldSchema, place: Place | None, heard: _Heard) -> Ruling:
    words = heard.spoken.text[place.start : place.end] if place else claim.quote
    cell = Cell(
        value=None,
        unit=field.unit,
        as_dictated=words or _as_text(claim.value),
        evidence=_evidence(place, heard.transcript) if place else None,
        grounding=place.grounding if place else "absent",
        status="ok",
    )
    try:
        value = typed_value(claim.value, field)
    except ValueFitError as error:
        return Ruling(claim, field, place, replace(cell, status="invalid", problem=str(error)))
    cell = replace(cell, value=value)
    if place is None:
        return Ruling(claim, field, place, replace(cell, status="unsupported", problem=NOT_IN_TRANSCRIPT))
    judgement = heard.judge(value, claim.target, place)
    status: Status = "unsupported" if judgement.is_contradicted else "ok"
    ruled = replace(cell, status=status, support=judgement.support, problem=judgement.problem)
    return Ruling(claim, field, place, ruled, judgement)


def _evidence(place: Place, heard: Transcript) -> Evidence:
    start_s, end_s = heard.span_seconds(place.start, place.end) or (None, None)
    return Evidence(heard.text[place.start : place.end], place.start, place.end, start_s, end_s)


def _as_text(value: Value) -> str:
    return ", ".join(value) if isinstance(value, tuple) else str(value)


# -- where a quote that was said several times is meant ---------------------------------------------------------------


def _choose_places(claims: Sequence[Claim], spoken: SpokenText) -> list[Place | None]:
    """One place a claim. A quote that stands in several places belongs near the rest of its row, in reading order."""
    found = [spoken.find(claim.quote, claim.start) for claim in claims]
    anchors: dict[tuple[str, int | None], list[int]] = defaultdict(list)
    for claim, places in zip(claims, found, strict=True):
        if len(places) == 1:
            anchors[_row_key(claim)].append(places[0].start)
    return [_choose(places, claim, anchors) for claim, places in zip(claims, found, strict=True)]


def _row_key(claim: Claim) -> tuple[str, int | None]:
    return claim.target.partition(".")[0], _row(claim)


def _choose(
    places: Sequence[Place], claim: Claim, anchors: Mapping[tuple[str, int | None], Sequence[int]]
) -> Place | None:
    if len(places) < 2 or claim.start is not None:
        return min(places, key=lambda place: abs(place.start - (claim.start or 0)), default=None)
    table, row = _row_key(claim)
    if row is None:
        return places[0]
    own = anchors.get((table, row), ())
    if own:
        return min(places, key=lambda place: _distance(place, min(own), max(own)))
    earlier = [start for (name, index), starts in anchors.items() if name == table and _before(index, row)
               for start in starts]  # fmt: skip
    return next((place for place in places if place.start > max(earlier, default=-1)), places[-1])


def _distance(place: Place, first: int, last: int) -> int:
    """Characters from the rest of the row; what was said before a finding was announced belongs to another one."""
    return 2 * (first - place.start) if place.start < first else max(0, place.start - last)


def _before(index: int | None, row: int) -> bool:
    return index is not None and index < row


# -- several claims on one cell --------------------------------------------------------------------------------------


def _settle(rulings: Sequence[Ruling], text: str) -> Cell:
    """One cell from all that was claimed for it, in the order in which it was said.

    What stands in the recording outweighs what does not. Of two values the first holds, unless the second was said
    as a correction; the other one is named beside it.
    """
    ranks = ("ok", "unsupported", "invalid")
    best = min((ruling.cell.status for ruling in rulings), key=ranks.index)
    heard = sorted((r for r in rulings if r.cell.status == best), key=lambda r: r.place.start if r.place else -1)
    chosen = heard[0]
    if chosen.field.type == "multi":
        return _together(heard)
    others: list[str] = []
    for later in heard[1:]:
        if later.cell.value == chosen.cell.value:
            continue
        if _corrects(chosen.place, later.place, text):
            others.append(f"corrected from {_shown(chosen)}")
            chosen = later
        else:
            others.append(f"also said: {_shown(later)}")
    remark = "; ".join(dict.fromkeys(others))
    return replace(chosen.cell, problem=_sentence(chosen.cell.problem, remark)) if remark else chosen.cell


def _together(rulings: Sequence[Ruling]) -> Cell:
    """A multi field holds all that was claimed; the first quote is its evidence."""
    values = [word for ruling in rulings if isinstance(ruling.cell.value, tuple) for word in ruling.cell.value]
    words = " … ".join(dict.fromkeys(ruling.cell.as_dictated for ruling in rulings))
    return replace(rulings[0].cell, value=tuple(dict.fromkeys(values)) or None, as_dictated=words)


def _corrects(first: Place | None, later: Place | None, text: str) -> bool:
    if first is None or later is None or later.start < first.start:
        return False
    return bool(CORRECTION.search(text, max(first.end, later.start - CORRECTION_CHARS), max(later.end, first.end)))


def _shown(ruling: Ruling) -> str:
    value = ruling.cell.value
    return ruling.cell.as_dictated if value is None or isinstance(value, tuple) else ruling.field.value_label(value)


def _sentence(problem: str | None, remark: str) -> str:
    return f"{problem or ''} {remark[:1].upper()}{remark[1:]}.".strip()


# -- rows ------------------------------------------------------------------------------------------------------------


def _rows(schema: ProcedureSchema, table: str, cells: Mapping[tuple[str, int | None], Cell]) -> tuple[Row, ...]:
    """The table's rows without gaps between them, in the order that the reader gave; columns in the schema's order."""
    indices = sorted({row for target, row in cells if row is not None and target.partition(".")[0] == table})
    columns = {column: f"{table}.{column}" for column in schema.tables[table].columns}
    return tuple(
        {column: cells[target, row] for column, target in columns.items() if (target, row) in cells} for row in indices
    )
