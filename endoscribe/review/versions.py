"""What a clinician makes of a reading: edits, sign-off, and the versions that come of them.

Values and pure functions only. The reader's record is never changed: a version holds it with the edits over it, so that
what was read stays visible and every step can be taken back. A signed version is kept as it was signed; what is edited
afterwards is the next version. A later reading waits until somebody decides about it.
"""

import hashlib
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property

from pydantic_core import to_json

from endoscribe.errors import ReviewError
from endoscribe.extraction.record import Record, Row
from endoscribe.extraction.verification import grounding
from endoscribe.procedures.schema import ProcedureSchema
from endoscribe.review.context import DICTATED_IN, NO_CONTEXT, ExamContext, edited_context
from endoscribe.review.edits import ROW_KINDS, Edit, after_decisions, apply_edit, is_left_out, steps_of, validate_edit
from endoscribe.review.signature import MAX_SIGNER_CHARS, Signature, signed_digest


@dataclass(frozen=True)
class Reading:
    """What a reader made of the transcript; `second` is what another reader made of the same text."""

    record: Record
    second: Record | None = None


@dataclass(frozen=True)
class Version:
    """A reading with edits; the first `inherited` edits come from the version before and are not undone here."""

    number: int
    reading: Reading
    edits: tuple[Edit, ...] = ()
    inherited: int = 0
    signature: Signature | None = None
    #: A signature that does not match what is stored; the version counts as a draft.
    broken: Signature | None = None
    #: The new reading as it was read, where the inherited edits were made on an earlier one and are not signed since.
    reread: Record | None = None
    #: What was known of the examination before anybody edited it here.
    context: ExamContext = NO_CONTEXT

    @property
    def can_undo(self) -> bool:
        return self.signature is None and len(self.edits) > self.inherited


@dataclass(frozen=True)
class Review:
    """All versions, the latest last, and a later reading that nobody has decided on yet."""

    versions: tuple[Version, ...]
    waiting: Reading | None = None

    @property
    def latest(self) -> Version:
        return self.versions[-1]

    @property
    def revision(self) -> str:
        """Differs between any two states that somebody may look at; an edit names the one that it was made on."""
        return hashlib.sha256(to_json(self)).hexdigest()[:16]

    def version(self, number: int) -> Version:
        """Raises ReviewError for a number that there is not."""
        found = next((version for version in self.versions if version.number == number), None)
        if found is None:
            raise ReviewError(f"There is no version {number} of this report.")
        return found


# -- readings --------------------------------------------------------------------------------------------------------


def receive(review: Review | None, reading: Reading, context: ExamContext = NO_CONTEXT) -> Review:
    """The review with a new reading: it takes the place of one that nobody has touched, otherwise it waits.

    A first one begins with what is known of the examination by then.
    """
    if review is None:
        return Review((Version(1, reading, context=context),))
    latest = review.latest
    if latest.reading.record == reading.record:
        return replace(review, waiting=None)
    if latest.edits or latest.signature:
        return replace(review, waiting=reading)
    return Review((*review.versions[:-1], replace(latest, reading=reading)))


def take_waiting(review: Review, *, keep_edits: bool) -> Review:
    """A new version on the waiting reading, with the edits so far or without them."""
    if review.waiting is None:
        raise ReviewError("There is no new reading to decide on.")
    latest, reading = review.latest, review.waiting
    if keep_edits and reading.record.procedure != latest.reading.record.procedure:
        raise ReviewError("Your edits belong to another procedure's report; take the new reading without them.")
    edits = latest.edits if keep_edits else ()
    reread = reading.record if edits else None
    if keep_edits:
        reading = replace(reading, record=_with_edited_tables(reading.record, latest))
    context = latest.context if keep_edits else context_of(latest)
    version = Version(latest.number + 1, reading, edits, len(edits), reread=reread, context=context)
    return Review((*review.versions, version))


def leave_waiting(review: Review) -> Review:
    """The report stays as it is; the new reading is dropped."""
    return replace(review, waiting=None)


def without_places(review: Review) -> Review:
    """For another transcript: what was read and edited stays, but points nowhere any more. Signatures stay whole."""
    return replace(review, versions=tuple(map(_version_without_places, review.versions)), waiting=None)


# -- edits -----------------------------------------------------------------------------------------------------------


def add_edit(review: Review, change: Edit, schema: ProcedureSchema) -> Review:
    """The review with one more step, in a new version after a signature; raises ReviewError if it cannot be."""
    latest = review.latest
    before = _replay(latest, schema).cells
    change = validate_edit(change, before, schema)
    edits = (*latest.edits, change)
    if latest.signature:
        version = Version(latest.number + 1, latest.reading, edits, len(latest.edits), context=latest.context)
        return replace(review, versions=(*review.versions, version))
    version = replace(latest, edits=edits)
    _keep(version, _Replay(version, schema, apply_edit(change, before, schema)))
    return _with_latest(review, version)


def is_repeated(review: Review, revision: str, change: Edit, schema: ProcedureSchema) -> bool:
    """Whether the last step is this very one, made on the state of that revision: its author has heard no answer."""
    if len(review.latest.edits) <= review.latest.inherited:
        return False
    again = replace(change, at=review.latest.edits[-1].at)
    try:
        return any(
            before.revision == revision and add_edit(before, again, schema) == review
            for before in _before_last_step(review)
        )
    except ReviewError:
        return False


def undo(review: Review) -> Review:
    """The review without the last step of this version; raises ReviewError when there is none."""
    if not review.latest.can_undo:
        raise ReviewError("There is nothing to undo in this version.")
    return _with_latest(review, replace(review.latest, edits=review.latest.edits[:-1]))


def sign(review: Review, name: str, at: datetime, schema: ProcedureSchema) -> Review:
    """The latest version, signed as it is now; raises ReviewError without a name, twice, or while a reading waits."""
    name = " ".join(name.split())
    if not name or len(name) > MAX_SIGNER_CHARS:
        raise ReviewError("Sign with your name, please.")
    if review.latest.signature:
        raise ReviewError("This version is signed already.")
    if review.waiting:
        raise ReviewError("Decide about the new reading first; then sign.")
    record = current_record(review.latest, schema)
    context = context_of(review.latest)
    headed = context if context.given() else None
    signature = Signature(name, at, signed_digest(record, name, at, headed), record, headed)
    return _with_latest(review, replace(review.latest, signature=signature, broken=None))


def without_broken_signatures(review: Review) -> Review:
    """The review as it may be shown: a signature that does not match what it is said to have signed is none."""
    if all(version.signature is None or version.signature.is_intact for version in review.versions):
        return review
    return replace(review, versions=tuple(map(_without_broken_signature, review.versions)))


def _without_broken_signature(version: Version) -> Version:
    if version.signature is None or version.signature.is_intact:
        return version
    return replace(version, signature=None, broken=version.signature)


def current_record(version: Version, schema: ProcedureSchema) -> Record:
    """The version's record: as it was signed, or the reading with the edits, its checks and gaps computed anew.

    Computed once for a version, however often it is asked for.
    """
    return _replay(version, schema).record


def context_of(version: Version) -> ExamContext:
    """What is known of the examination: as it was signed, or as it is after the version's edits."""
    if version.signature:
        return version.signature.context or NO_CONTEXT
    context = version.context
    for change in version.edits:
        if change.kind == "context":
            context = edited_context(context, change.value)
    return context


def original_row(version: Version, table: str, row: int) -> int | None:
    """Which row of the reading a row of the edited table was; None for one that was added."""
    rows: list[int | None] = list(range(len(version.reading.record.tables.get(table, ()))))
    for change in (step for edit in version.edits for step in steps_of(edit)):
        if change.target == table and change.kind == "add_row":
            rows.append(None)
        elif change.target == table and change.kind == "remove_row" and change.row is not None:
            del rows[change.row]
    return rows[row] if row < len(rows) else None


# -- replay -----------------------------------------------------------------------------------------------------------


class _Replay:
    """A version's edits taken on its reading, and the checks on what comes of it: each once."""

    def __init__(self, version: Version, schema: ProcedureSchema, cells: Record | None = None) -> None:
        """`cells` is the record after all edits, where somebody has it already."""
        self.schema = schema
        self._version = version
        self._cells = cells

    @cached_property
    def cells(self) -> Record:
        """The record with the version's cells; checks and gaps are those of the reading still."""
        if self._version.signature:
            return self._version.signature.record
        if self._cells is not None:
            return self._cells
        record = self._version.reading.record
        for change in self._version.edits:
            record = apply_edit(change, record, self.schema)
        return record

    @cached_property
    def record(self) -> Record:
        if self._version.signature:
            return self.cells
        given = context_of(self._version).given()
        known = {field for name, field in DICTATED_IN.items() if name in given}
        record = self.cells
        if self._version.edits:
            record = grounding.recompute_checks(after_decisions(record, self._version.edits), self.schema)
        gaps = (gap for gap in record.gaps if gap not in known)
        if self._version.edits:
            gaps = (gap for gap in gaps if not is_left_out(gap, record))
        return replace(record, gaps=tuple(gaps))


def _replay(version: Version, schema: ProcedureSchema) -> _Replay:
    """The version's replay, kept with it: a version never changes, and a copy with other edits starts without one."""
    kept: _Replay | None = vars(version).get(_KEPT)
    if kept is None or kept.schema is not schema:
        kept = _Replay(version, schema)
        _keep(version, kept)
    return kept


def _keep(version: Version, replay: _Replay) -> None:
    vars(version)[_KEPT] = replay


#: Beside a version's fields, so that it is neither compared nor stored.
_KEPT = "_replay"


# -- parts -------------------------------------------------------------------------------------------------------------


def _with_latest(review: Review, version: Version) -> Review:
    return replace(review, versions=(*review.versions[:-1], version))


def _before_last_step(review: Review) -> tuple[Review, ...]:
    """The states on which the last step may have been made: the second where it has begun the latest version."""
    latest = review.latest
    without = _with_latest(review, replace(latest, edits=latest.edits[:-1]))
    if len(latest.edits) > latest.inherited + 1 or len(review.versions) == 1:
        return (without,)
    return without, replace(review, versions=review.versions[:-1])


def _with_edited_tables(record: Record, version: Version) -> Record:
    """Rows are edited by number: a table that somebody has edited stays the one that they saw."""
    steps = (step for change in version.edits for step in steps_of(change))
    edited = {step.target.partition(".")[0] for step in steps if _is_of_table(step)}
    old = version.reading.record.tables
    tables = {name: rows for name, rows in record.tables.items() if name not in edited}
    return replace(record, tables=tables | {name: rows for name, rows in old.items() if name in edited})


def _is_of_table(change: Edit) -> bool:
    return change.kind in ROW_KINDS or "." in change.target


def _version_without_places(version: Version) -> Version:
    reread = version.reread and _record_without_places(version.reread)
    return replace(version, reading=_reading_without_places(version.reading), reread=reread)


def _reading_without_places(reading: Reading) -> Reading:
    second = reading.second and _record_without_places(reading.second)
    return Reading(_record_without_places(reading.record), second)


def _record_without_places(record: Record) -> Record:
    tables = {name: tuple(map(_row_without_places, rows)) for name, rows in record.tables.items()}
    return replace(record, fields=_row_without_places(record.fields), tables=tables, unfiled=())


def _row_without_places(row: Row) -> Row:
    return {name: replace(cell, evidence=None) for name, cell in row.items()}
